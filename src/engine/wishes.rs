//! What policies wish besides their verdict: counting, remembering, muting, speaking, publishing.
//!
//! A policy's own memory is kept in every mode. What reaches the house happens only where house and policy enforce;
//! elsewhere it is told as something that would have happened.

use super::{Engine, Turn};
use crate::model::durable::Change;
use crate::model::event::{Entry, Publication};
use crate::model::message::{Command, Message, Qos};
use crate::model::request::{Arrival, Door, Held, Source, SourceKind};
use crate::model::speaker::What;
use crate::model::topic;
use crate::policy::Wish;

/// How often a policy's publish may lead to another one.
pub const PUBLISH_DEPTH_MAX: usize = 3;
/// Publishes of all policies together that one event may lead to.
pub const PUBLISHES_MAX: usize = 64;

impl Engine {
    /// Does what a policy wishes, or records why not. `depth` counts the publishes that led here.
    pub(super) fn fulfil(&mut self, turn: &mut Turn<'_>, policy: &str, wish: Wish, depth: usize) {
        let by = policy.to_owned();
        let at_ms = turn.at.monotonic_ms;
        match wish {
            Wish::Count { name } => self.change(turn, Change::Count { policy: by, name, at_ms }),
            Wish::Remember { key, value } => self.change(turn, Change::Remember { policy: by, key, value }),
            Wish::Forget { key } => self.change(turn, Change::Forget { policy: by, key }),
            Wish::Mute { speaker, .. } | Wish::Unmute { speaker } | Wish::Announce { speaker, .. }
                if !self.config.speakers.contains_key(&speaker) =>
            {
                let reason = format!("expected the name of a speaker, found `{speaker}`");
                turn.record(Entry::WishRefused { policy: by, wish: "speaker".to_owned(), reason });
            }
            Wish::Mute { speaker, what, for_ms, reason } => self.wish_mute(turn, &by, &speaker, what, for_ms, &reason),
            Wish::Unmute { speaker } => {
                if self.acts(&by) && self.is_muted(&speaker) {
                    self.unmute(turn, &speaker, &by);
                }
            }
            Wish::Announce { speaker, text } => self.announce(turn, &speaker, &text, by),
            Wish::Notify { text } => {
                let applied = self.acts(&by);
                turn.record(Entry::Notice { text: text.clone(), policy: by.clone(), applied });
                if applied {
                    turn.publish(Publication::Notice { text, policy: by });
                }
            }
            Wish::Publish { topic, payload } => self.wish_publish(turn, by, topic, payload, depth),
        }
    }

    fn wish_mute(&mut self, turn: &mut Turn<'_>, policy: &str, speaker: &str, what: What, for_ms: u64, reason: &str) {
        if self.acts(policy) {
            self.mute(turn, speaker, what, for_ms, reason, policy);
        } else if let Some(what) = self.mutable(turn, speaker, what, policy, false) {
            turn.record(Entry::Muted {
                speaker: speaker.to_owned(),
                what,
                until: turn.at.plus_ms(for_ms).utc,
                reason: reason.to_owned(),
                by: policy.to_owned(),
                applied: false,
            });
        }
    }

    /// A publish is no door: on a command topic it is a request like any other.
    fn wish_publish(&mut self, turn: &mut Turn<'_>, policy: String, topic: String, payload: String, depth: usize) {
        turn.publishes += 1;
        if let Err(reason) = self.publishable(&topic, depth, turn.publishes) {
            let wish = format!("publish to `{topic}`");
            turn.record(Entry::WishRefused { policy, wish, reason });
            return;
        }
        let applied = self.acts(&policy);
        let request = self.registry.read_command(&topic, payload.as_bytes(), Door::Policy);
        match request {
            Some(mut request) if applied => {
                request.source = Source { kind: SourceKind::Policy, policy: Some(policy), ..Source::default() };
                let command = Command { topic, payload: payload.into(), qos: Qos::AtLeastOnce, expiry_s: None };
                let arrival = Arrival { request, held: Held::Command(command), reply: None };
                self.arrive(turn, arrival, depth + 1);
            }
            _ => {
                turn.record(Entry::Published { topic: topic.clone(), policy, applied });
                if applied {
                    turn.publish(Publication::Plain(Message::live(topic, payload)));
                }
            }
        }
    }

    fn publishable(&self, topic: &str, depth: usize, publishes: usize) -> Result<(), String> {
        topic::check_name(topic).map_err(|error| error.to_string())?;
        if topic::is_under(topic, &self.config.base) {
            return Err("the bridge's own topics are not written by policies".to_owned());
        }
        if self.registry.is_discovery(topic) {
            return Err("discovery topics are not written by policies".to_owned());
        }
        if depth >= PUBLISH_DEPTH_MAX {
            return Err(format!("a publish led to a publish {PUBLISH_DEPTH_MAX} times in a row"));
        }
        if publishes > PUBLISHES_MAX {
            return Err(format!("one event led to more than {PUBLISHES_MAX} publishes"));
        }
        Ok(())
    }
}
