//! Discovery, and commands that are seen on the topics of discovered devices.
//!
//! A message of discovery teaches the registry. A command on a device's real topic has happened already: it becomes a
//! request that nobody holds. What is stored there is a command of some other time, and an empty payload is none; both
//! are left alone, since the topic is not ours.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use super::{Decoded, Wire};
use crate::model::event::{Event, Refusal};
use crate::model::message::Message;
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Door, Held};
use crate::model::time::At;

/// How long the echo of a forwarded command is known for one. Whoever repeats a command within this time is only told of in the
/// log, so it is as short as two bridged brokers allow.
pub const ECHO_MS: u64 = 2_000;
/// Forwarded commands whose echoes are known at one time. The oldest is forgotten first.
pub const FORWARDS_MAX: usize = 64;

/// What must be known to tell a command that goes round the bridge from others.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The house enforces.
    pub(super) is_enforced: bool,
    /// When each command was forwarded, and the digest of its topic and payload; the oldest first.
    forwards: VecDeque<(u64, [u8; 32])>,
    /// The topics of discovered devices are not those that are subscribed to any more.
    changes_topics: bool,
}

impl Sight {
    /// Whether a message is the echo of a forwarded command. Each one has one echo at most.
    fn is_echo(&mut self, message: &Message) -> bool {
        let digest = digest(&message.topic, &message.payload);
        let found = self.forwards.iter().position(|(_, forwarded)| *forwarded == digest);
        found.and_then(|index| self.forwards.remove(index)).is_some()
    }
}

fn digest(topic: &str, payload: &[u8]) -> [u8; 32] {
    // No topic has this character, so no two pairs look alike.
    Sha256::new().chain_update(topic).chain_update([0]).chain_update(payload).finalize().into()
}

impl Wire {
    /// A command leaves for its device. Where brokers are bridged in a loop it comes back.
    pub fn forwarded(&mut self, at: At, topic: &str, payload: &[u8]) {
        if self.sight.forwards.len() >= FORWARDS_MAX {
            self.sight.forwards.pop_front();
        }
        self.sight.forwards.push_back((at.monotonic_ms, digest(topic, payload)));
    }

    /// Time passes: what was forwarded long ago has no echo any more.
    pub fn pass_time(&mut self, at: At) {
        self.registry.pass_time(at.monotonic_ms);
        let is_late = |(forwarded_ms, _): &(u64, [u8; 32])| at.monotonic_ms.saturating_sub(*forwarded_ms) > ECHO_MS;
        while self.sight.forwards.front().is_some_and(is_late) {
            self.sight.forwards.pop_front();
        }
    }

    /// Whether the bridge must subscribe anew, since discovery has changed. It is said once.
    pub fn take_changed_topics(&mut self) -> bool {
        std::mem::take(&mut self.sight.changes_topics)
    }

    /// A message of discovery, live or stored.
    pub(super) fn decode_discovery(&mut self, message: &Message) -> Decoded {
        let lesson = self.registry.learn(message);
        self.sight.changes_topics |= lesson.changes_topics;
        let repairs = self.mirror_lesson(message, &lesson);
        let guards = lesson.guards.into_iter().map(|(topic, guard)| Event::Guard { topic, guard });
        let refused =
            lesson.refused.map(|reason| Event::Refused(Refusal { topic: message.topic.clone(), reason, reply: None }));
        Decoded { events: guards.chain(refused).collect(), repairs, ..Decoded::default() }
    }

    /// A command on the real topic of a discovered device. `None`: it is none, or it is our own.
    pub(super) fn see_command(&mut self, message: &Message) -> Option<Event> {
        let (topic, payload) = (message.topic.as_str(), message.payload.as_ref());
        if message.retain
            || (payload.is_empty() && !self.registry.is_empty_request(topic))
            || message.is_canary()
            || !self.registry.is_discovered_command(topic, payload)
        {
            return None;
        }
        if self.sight.is_echo(message) {
            // Nobody can tell it from the same command of somebody else, so it is not passed over in silence.
            let reason = "expected a device's own words, found the command again that was just forwarded: another broker \
                          sends it back, or somebody repeats it";
            let (topic, reason) = (topic.to_owned(), reason.to_owned());
            return Some(Event::Refused(Refusal { topic, reason, reply: None }));
        }
        let goes_round = self.sight.is_enforced && self.mirror.is_on() && self.registry.moves_guarded(topic);
        let door = if goes_round { Door::Bypass } else { Door::Watch };
        let request = self.registry.read_command(topic, payload, door)?;
        let held = Held::Seen { undo: self.registry.undo(topic, payload) };
        Some(Event::Arrival(Box::new(Arrival { request, held, reply: None })))
    }

    /// The house has another mode.
    pub(super) fn see_mode(&mut self, mode: Mode) {
        self.sight.is_enforced = mode == Mode::Enforce;
    }
}
