//! Subscriptions of one connection: asked for a few at a time, one packet in flight, each answer read.

use std::collections::{BTreeMap, VecDeque};

use rumqttc::v5::mqttbytes::v5::{Filter, RetainForwardRule, SubAck, Subscribe, Unsubscribe};

use super::{LinkEvent, codec};
use crate::wire::{RetainHandling, Subscription};

/// Filters in one SUBSCRIBE. Brokers limit packets and filters; this stays below what is known of any.
const FILTERS_MAX: usize = 8;
/// Packet identifier of every SUBSCRIBE and UNSUBSCRIBE. Publishes never use it, and only one is in flight.
pub(super) const PACKET_ID: u16 = u16::MAX;

/// What waits to be asked, and what was.
#[derive(Debug, Default)]
pub(super) struct Subscribing {
    waiting: VecDeque<Subscription>,
    leaving: VecDeque<String>,
    asked: Vec<Subscription>,
    is_leaving: bool,
    /// The first round is not over; its end is when the link is connected.
    is_first: bool,
}

/// One packet of this module.
#[derive(Debug)]
pub(super) enum Request {
    Subscribe(Subscribe),
    Unsubscribe(Unsubscribe),
}

impl Subscribing {
    /// Begins the first round. `false`: there is nothing to subscribe to.
    pub(super) fn start(&mut self, subscriptions: &[Subscription]) -> bool {
        self.waiting = subscriptions.iter().cloned().collect();
        self.is_first = !self.waiting.is_empty();
        self.is_first
    }

    /// Goes from one set to another. A filter whose options changed is subscribed to anew, which replaces the old one.
    pub(super) fn change(&mut self, old: &[Subscription], new: &[Subscription]) {
        let by_filter = |set: &[Subscription]| -> BTreeMap<String, Subscription> {
            set.iter().map(|subscription| (subscription.filter.to_string(), subscription.clone())).collect()
        };
        let (before, after) = (by_filter(old), by_filter(new));
        self.leaving.extend(before.keys().filter(|filter| !after.contains_key(*filter)).cloned());
        self.waiting.retain(|waiting| after.contains_key(waiting.filter.as_str()));
        let is_new = |subscription: &&Subscription| before.get(subscription.filter.as_str()) != Some(*subscription);
        self.waiting.extend(new.iter().filter(is_new).cloned());
    }

    pub(super) fn is_in_flight(&self) -> bool {
        !self.asked.is_empty() || self.is_leaving
    }

    /// The next packet to send, if none is in flight.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        if self.is_in_flight() {
            return None;
        }
        if !self.leaving.is_empty() {
            self.is_leaving = true;
            let count = self.leaving.len().min(FILTERS_MAX);
            let filters = self.leaving.drain(..count).collect();
            return Some(Request::Unsubscribe(Unsubscribe { pkid: PACKET_ID, filters, properties: None }));
        }
        let count = self.waiting.len().min(FILTERS_MAX);
        self.asked = self.waiting.drain(..count).collect();
        let filters: Vec<Filter> = self.asked.iter().map(filter).collect();
        (count > 0).then_some(Request::Subscribe(Subscribe { pkid: PACKET_ID, filters, properties: None }))
    }

    pub(super) fn unsubscribed(&mut self) {
        self.is_leaving = false;
    }

    /// Reads the answer. Adds each refusal, and `Connected` when the first round is over.
    pub(super) fn answered(&mut self, answer: &SubAck, events: &mut VecDeque<LinkEvent>) -> Result<(), String> {
        let asked = std::mem::take(&mut self.asked);
        if answer.pkid != PACKET_ID || answer.return_codes.len() != asked.len() {
            let (expected, found) = (asked.len(), answer.return_codes.len());
            return Err(format!("expected a SUBACK for {expected} subscriptions, found {found}"));
        }
        for (subscription, code) in asked.iter().zip(&answer.return_codes) {
            if let Some(reason) = codec::suback_failure(*code) {
                let (filter, reason) = (subscription.filter.to_string(), reason.to_owned());
                events.push_back(LinkEvent::SubscriptionRefused { filter, reason });
            }
        }
        if self.is_first && self.waiting.is_empty() {
            self.is_first = false;
            events.push_back(LinkEvent::Connected);
        }
        Ok(())
    }
}

fn filter(subscription: &Subscription) -> Filter {
    Filter {
        path: subscription.filter.to_string(),
        qos: codec::level(subscription.qos),
        nolocal: subscription.no_local,
        // Off, so that "retained" means replayed from the store: a live retained command is a live command.
        preserve_retain: false,
        retain_forward_rule: match subscription.retain_handling {
            RetainHandling::OnSubscribe => RetainForwardRule::OnEverySubscribe,
            RetainHandling::Never => RetainForwardRule::Never,
        },
    }
}
