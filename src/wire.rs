//! The wire: pure codecs between MQTT messages and what the core is told and says.
//!
//! It opens no connection, judges nothing and never imports the engine.

use std::rc::Rc;

use crate::config::Config;
use crate::model::event::{Event, Publication, Record};
use crate::model::message::{Message, Qos};
use crate::model::topic::TopicFilter;
use crate::registry::Registry;

/// Largest payload that the bridge reads, in bytes. A larger one is refused with a record.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Whether stored messages are wanted when a subscription is made (MQTT 5.0, section 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainHandling {
    /// They are sent at each new subscription.
    OnSubscribe,
    /// They are never sent.
    Never,
}

/// One subscription of the bridge. `retain_as_published` is never asked for, so that a retain flag always means "stored".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub filter: TopicFilter,
    pub qos: Qos,
    /// The broker does not send the bridge's own messages back.
    pub no_local: bool,
    pub retain_handling: RetainHandling,
}

/// What one inbound message means.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// In the order in which the core is told.
    pub events: Vec<Event>,
    /// Repairs of the bridge's own stored topics, to be sent at once.
    pub repairs: Vec<Message>,
    /// Another bridge has taken the base.
    pub taken_over: bool,
}

/// The codec of one bridge. It remembers what of its own is stored by the broker.
#[derive(Debug)]
pub struct Wire {
    base: String,
}

impl Wire {
    /// `instance` names this run of the bridge among all others.
    pub fn new(config: Rc<Config>, _registry: Rc<Registry>, _instance: &str) -> Wire {
        Wire { base: config.base.clone() }
    }

    pub fn subscriptions(&self, _policy_topics: &[TopicFilter]) -> Vec<Subscription> {
        Vec::new()
    }

    /// What the broker says for the bridge when the connection is lost.
    pub fn will(&self) -> Message {
        Message::retained(format!("{}/status", self.base), "offline")
    }

    pub fn online(&self) -> Message {
        Message::retained(format!("{}/status", self.base), "online")
    }

    pub fn offline(&self) -> Message {
        self.will()
    }

    /// Reads one inbound message: what the core is told, and repairs of the bridge's own stored topics.
    pub fn decode(&mut self, _message: &Message, _policy_topics: &[TopicFilter]) -> Decoded {
        Decoded::default()
    }

    /// Writes what the core publishes, and remembers what is stored.
    pub fn publication(&mut self, _publication: Publication) -> Vec<Message> {
        Vec::new()
    }

    /// The message for one record: a decision on its own topic, everything else on `log`.
    pub fn record(&self, _record: &Record) -> Option<Message> {
        None
    }

    /// Everything of the bridge's own that is to be stored, for each new connection.
    pub fn retained(&self) -> Vec<Message> {
        Vec::new()
    }
}
