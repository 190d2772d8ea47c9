//! The mirrored discovery as it stands at the broker: written when something is announced, guarded or released, put right
//! when somebody else writes it, and cleared when its original is gone.
//!
//! How an announcement is written is the registry's affair (`registry/mirror.rs`). What is gone for certain is decided
//! late: devices that are removed from Home Assistant and come back have lost what the owner has set for them there.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::{Decoded, Wire};
use crate::model::entity::Announcement;
use crate::model::event::{Event, Refusal};
use crate::model::message::Message;
use crate::model::time::At;
use crate::registry::Lesson;
use crate::registry::mirror::{self, Settings};

/// How long after a connection began, and after the last stored message of discovery, a stored mirror message without an
/// original is taken for stale. Brokers send what they have stored within seconds.
pub(super) const STALE_AFTER_MS: u64 = 30_000;
/// Stored mirror messages without an original that are remembered.
pub(super) const ORPHANS_MAX: usize = 8_192;

/// Moves the entities of a topic to another one, without removing them (Home Assistant's MQTT discovery).
const MIGRATE: &str = r#"{"migrate_discovery":true}"#;

/// Others can store large messages in great numbers there, so no payload is remembered.
fn digest(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

#[derive(Debug)]
pub(super) struct Mirror {
    settings: Settings,
    /// Whether commands of what is guarded lead through the gate.
    is_on: bool,
    /// Discovery topics that were heard on this connection.
    heard: BTreeSet<String>,
    /// Discovery topics that the broker has had stored, on this connection or an earlier one. An owner that announces
    /// itself live only is not gone because the bridge was away.
    kept: BTreeSet<String>,
    /// What the broker has stored under the mirror and nobody has announced on this connection: the digest of its payload,
    /// by mirror topic.
    orphans: BTreeMap<String, [u8; 32]>,
    /// Mirror topics that stand as they should: the broker has said so on this connection, or was told.
    standing: BTreeSet<String>,
    /// Something came on this connection, so what is written goes out.
    is_up: bool,
    /// Monotonic time after which orphans are stale. `None` without a connection.
    settles_ms: Option<u64>,
    /// A stored message of discovery came since `settles_ms` was set.
    is_busy: bool,
}

impl Mirror {
    pub(super) fn new(settings: Settings) -> Mirror {
        Mirror {
            settings,
            is_on: true,
            heard: BTreeSet::new(),
            kept: BTreeSet::new(),
            orphans: BTreeMap::new(),
            standing: BTreeSet::new(),
            is_up: false,
            settles_ms: None,
            is_busy: false,
        }
    }

    /// Whether commands of what is guarded lead through the gate.
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    fn hear(&mut self, original: &str, is_stored: bool) {
        self.is_busy |= is_stored;
        self.heard.insert(original.to_owned());
        if is_stored {
            self.kept.insert(original.to_owned());
        }
    }

    /// The connection is lost: what the broker has stored by the next one is not known.
    pub(super) fn disconnected(&mut self) {
        self.heard.clear();
        self.orphans.clear();
        self.standing.clear();
        self.is_up = false;
        self.settles_ms = None;
        self.is_busy = false;
    }

    /// Something came from the broker: there is a connection, whether it is told already or not.
    pub(super) const fn see_connection(&mut self) {
        self.is_up = true;
    }

    /// Whether a message that is to be stored must be sent on this connection.
    pub(super) fn is_missing(&self, message: &Message) -> bool {
        !self.standing.contains(&message.topic)
    }

    fn forget(&mut self, original: &str) {
        self.heard.remove(original);
        self.kept.remove(original);
    }

    /// When `tick` has something to do, on the monotonic clock.
    fn deadline_ms(&self) -> Option<u64> {
        if self.orphans.is_empty() { None } else { self.settles_ms }
    }
}

impl Wire {
    /// A connection stands. The broker has begun before to send what it has stored, and goes on.
    pub fn connected(&mut self, at: At) {
        self.mirror.is_busy = false;
        self.mirror.settles_ms = Some(at.plus_ms(STALE_AFTER_MS).monotonic_ms);
    }

    /// When `tick` must be called, on the monotonic clock in milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        [self.mirror.deadline_ms(), self.shown_deadline()].into_iter().flatten().min()
    }

    /// Time has passed. What is stored under the mirror and has no original any more is cleared.
    pub fn tick(&mut self, at: At) -> Decoded {
        if self.mirror.deadline_ms().is_none_or(|deadline_ms| at.monotonic_ms < deadline_ms) {
            return Decoded::default();
        }
        if std::mem::take(&mut self.mirror.is_busy) {
            self.mirror.settles_ms = Some(at.plus_ms(STALE_AFTER_MS).monotonic_ms);
            return Decoded::default();
        }
        let mut decoded = Decoded::default();
        for topic in std::mem::take(&mut self.mirror.orphans).into_keys() {
            let original = self.mirror.settings.original_topic(&topic);
            match original.filter(|original| self.registry.announcement(original).is_some()) {
                Some(original) if self.mirror.kept.contains(&original) => {
                    decoded.extend(self.decode_discovery(&Message::retained(original, "")));
                }
                Some(_) => {}
                None => decoded.repairs.push(Message::retained(topic, "")),
            }
        }
        decoded
    }

    /// Writes the mirror of what a message of discovery has taught.
    pub(super) fn mirror_lesson(&mut self, message: &Message, lesson: &Lesson) -> Vec<Message> {
        let Some(topic) = self.mirror.settings.mirror_topic(&message.topic) else { return Vec::new() };
        if let Some(announcement) = &lesson.announced {
            self.mirror.hear(&message.topic, message.retain);
            self.reflect(announcement).into_iter().collect()
        } else if lesson.is_removed {
            self.mirror.forget(&message.topic);
            self.mirror.standing.remove(&topic);
            let is_stored = self.mirror.orphans.remove(&topic).is_some() || self.own.get(&topic).is_some();
            if is_stored { vec![self.own.clear(topic)] } else { Vec::new() }
        } else if lesson.is_migrating {
            // Live: what stands there still announces the entities to a Home Assistant that starts now.
            vec![Message::live(topic, MIGRATE)]
        } else {
            Vec::new()
        }
    }

    /// A topic is guarded now, or no longer: writes anew what is announced for it.
    pub fn guarded(&mut self, topic: &str) -> Vec<Message> {
        let announcements = self.registry.announced_for(topic);
        announcements.iter().filter_map(|announcement| self.reflect(announcement)).collect()
    }

    /// The relay is switched: writes everything anew that this changes.
    pub(super) fn switch_relay(&mut self, on: bool) -> Vec<Message> {
        self.mirror.is_on = on;
        let announcements = self.registry.announcements();
        announcements.iter().filter_map(|announcement| self.reflect(announcement)).collect()
    }

    /// A command was forwarded: tells the state that should follow, for entities whose devices tell none.
    pub fn tell_states(&mut self, topic: &str, payload: &[u8]) -> Vec<Message> {
        if !self.mirror.is_on || !self.registry.is_guarded(topic) {
            return Vec::new();
        }
        let settings = self.mirror.settings.clone();
        let expected = self.registry.silent_states(topic, payload);
        let told = expected.iter().filter_map(|(entity, state)| mirror::told(entity, &settings, state));
        told.map(|message| self.own.store(message)).collect()
    }

    /// A message on the mirror, from somebody else or stored. Home Assistant empties a topic when a device is deleted
    /// there; whatever else others write is put right.
    pub(super) fn decode_mirror(&mut self, message: &Message) -> Decoded {
        let topic = message.topic.as_str();
        let original = self.mirror.settings.original_topic(topic);
        let announced = original.filter(|original| self.registry.announcement(original).is_some());
        if message.retain {
            return self.decode_stored_mirror(message, announced.as_deref());
        }
        match announced {
            Some(original) if message.payload.is_empty() => self.delete(&original, topic),
            _ => {
                self.mirror.orphans.remove(topic);
                self.own.watch(message)
            }
        }
    }

    fn decode_stored_mirror(&mut self, message: &Message, announced: Option<&str>) -> Decoded {
        let topic = message.topic.as_str();
        let is_heard = announced.is_some_and(|original| self.mirror.heard.contains(original));
        let is_ours = announced.is_none() && self.own.get(topic).is_some();
        if !is_heard && !is_ours && !message.payload.is_empty() {
            // Its original may be on its way: what the broker has stored comes in no certain order.
            if self.mirror.orphans.len() >= ORPHANS_MAX && !self.mirror.orphans.contains_key(topic) {
                let reason =
                    format!("expected at most {ORPHANS_MAX} mirrored messages without an original, found more");
                return Decoded::event(Event::Refused(Refusal { topic: topic.to_owned(), reason, reply: None }));
            }
            self.mirror.orphans.insert(topic.to_owned(), digest(&message.payload));
        }
        let Some(ours) = self.own.get(topic) else { return Decoded::default() };
        if ours.payload == message.payload {
            self.mirror.standing.insert(topic.to_owned());
        }
        self.own.watch(message)
    }

    /// A device was deleted in Home Assistant. As without the bridge, its original goes too, so that it stays deleted until
    /// its owner announces it again.
    fn delete(&mut self, original: &str, topic: &str) -> Decoded {
        // It stands empty already.
        self.own.forget(topic);
        self.mirror.standing.remove(topic);
        self.mirror.orphans.remove(topic);
        let removal = Message::retained(original, "");
        let mut decoded = self.decode_discovery(&removal);
        decoded.repairs.push(removal);
        decoded
    }

    /// Writes the mirror of one announcement. `None`: it stands so already.
    fn reflect(&mut self, announcement: &Rc<Announcement>) -> Option<Message> {
        let (registry, is_on) = (Rc::clone(&self.registry), self.mirror.is_on);
        let is_guarded = |topic: &str| is_on && registry.is_guarded(topic);
        let message = mirror::mirrored(announcement, &self.mirror.settings, &is_guarded).message;
        if message.topic.is_empty() {
            return None;
        }
        let was_stored = if self.mirror.heard.contains(&announcement.topic) {
            self.mirror.orphans.remove(&message.topic)
        } else {
            None
        };
        if was_stored == Some(digest(&message.payload)) {
            self.mirror.standing.insert(message.topic.clone());
            self.own.store(message);
            return None;
        }
        if self.own.get(&message.topic) == Some(&message) {
            return None;
        }
        if self.mirror.is_up {
            self.mirror.standing.insert(message.topic.clone());
        } else {
            self.mirror.standing.remove(&message.topic);
        }
        Some(self.own.store(message))
    }
}
