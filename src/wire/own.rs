//! The bridge's own stored topics: what stands there, and what is done when somebody else writes them.
//!
//! It knows payloads, not their meaning. What another client stored while the bridge was away is put right without a
//! word, since an earlier run of this bridge leaves the same traces; what arrives live is a forgery and is told.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Decoded;
use crate::config::payload::{Json, read_json};
use crate::model::event::Event;
use crate::model::message::Message;

/// Where this run of the bridge is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It has announced itself on no connection yet: a stored `info` is what an earlier run has left.
    New,
    /// It has announced itself: the stored `info` is its own.
    Announced,
    /// It has lost a connection since. A stored `info` of another bridge means that this one was put out by it: most
    /// brokers close the older connection of two without a word.
    WasAway,
}

#[derive(Debug)]
pub(super) struct Own {
    status: String,
    info: String,
    instance: String,
    presence: Presence,
    /// By topic. As many as there are held requests, speakers and policies, and a few more.
    stored: BTreeMap<String, Message>,
}

impl Own {
    pub(super) fn new(base: &str, instance: &str) -> Own {
        Own {
            status: format!("{base}/status"),
            info: format!("{base}/info"),
            instance: instance.to_owned(),
            presence: Presence::New,
            stored: BTreeMap::new(),
        }
    }

    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    pub(super) fn status(&self, status: &'static str) -> Message {
        Message::retained(self.status.as_str(), status)
    }

    pub(super) fn stored(&self) -> Vec<Message> {
        self.stored.values().cloned().collect()
    }

    pub(super) fn connected(&mut self) {
        if self.presence == Presence::New {
            self.presence = Presence::Announced;
        }
    }

    pub(super) fn disconnected(&mut self) {
        if self.presence == Presence::Announced {
            self.presence = Presence::WasAway;
        }
    }

    /// Remembers a message that the broker is to store, and gives it back to be sent.
    pub(super) fn store(&mut self, message: Message) -> Message {
        self.stored.insert(message.topic.clone(), message.clone());
        message
    }

    /// Forgets what was stored, and gives the message that clears it.
    pub(super) fn clear(&mut self, topic: String) -> Message {
        self.stored.remove(&topic);
        Message::retained(topic, "")
    }

    /// A message on a topic that only the bridge writes.
    pub(super) fn watch(&self, message: &Message) -> Decoded {
        let topic = message.topic.as_str();
        let ours = if topic == self.status { Some(self.status("online")) } else { self.stored.get(topic).cloned() };
        let expected = ours.as_ref().map(|ours| ours.payload.as_ref()).unwrap_or_default();
        if message.payload == expected {
            return Decoded::default();
        }
        let is_news = !message.retain || self.presence == Presence::WasAway;
        if topic == self.info && is_news && self.is_another_bridge(&message.payload) {
            return Decoded { taken_over: true, ..Decoded::default() };
        }
        let forged = Event::Forged { topic: topic.to_owned() };
        Decoded {
            events: if message.retain { Vec::new() } else { vec![forged] },
            repairs: vec![ours.unwrap_or_else(|| Message::retained(topic, ""))],
            taken_over: false,
        }
    }

    fn is_another_bridge(&self, payload: &[u8]) -> bool {
        let json = std::str::from_utf8(payload).map_or(Json::None, read_json);
        let Json::Value { value, .. } = json else { return false };
        value.get("instance").and_then(Value::as_str).is_some_and(|instance| instance != self.instance)
    }
}
