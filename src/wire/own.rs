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

#[derive(Debug)]
pub(super) struct Own {
    status: String,
    info: String,
    instance: String,
    /// There was a connection before this one. What the broker has stored by then is ours, unless another bridge came.
    was_away: bool,
    /// By topic. As many as there are held requests, speakers and policies, and a few more.
    stored: BTreeMap<String, Message>,
}

impl Own {
    pub(super) fn new(base: &str, instance: &str) -> Own {
        Own {
            status: format!("{base}/status"),
            info: format!("{base}/info"),
            instance: instance.to_owned(),
            was_away: false,
            stored: BTreeMap::new(),
        }
    }

    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    pub(super) fn disconnected(&mut self) {
        self.was_away = true;
    }

    pub(super) fn status(&self, status: &'static str) -> Message {
        Message::retained(self.status.as_str(), status)
    }

    pub(super) fn stored(&self) -> Vec<Message> {
        self.stored.values().cloned().collect()
    }

    /// What is stored on one topic.
    pub(super) fn get(&self, topic: &str) -> Option<&Message> {
        self.stored.get(topic)
    }

    /// Somebody else has cleared a topic, and that is as it should be.
    pub(super) fn forget(&mut self, topic: &str) {
        self.stored.remove(topic);
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

    /// A message on a topic that only the bridge writes, of any size.
    pub(super) fn watch(&self, message: &Message) -> Decoded {
        let topic = message.topic.as_str();
        let ours = if topic == self.status { Some(self.status("online")) } else { self.stored.get(topic).cloned() };
        let expected = ours.as_ref().map(|ours| ours.payload.as_ref()).unwrap_or_default();
        if message.payload == expected {
            return Decoded::default();
        }
        if topic == self.info && self.is_taken_over(message) {
            return Decoded { taken_over: true, ..Decoded::default() };
        }
        // What was stored before this connection is the farewell of an earlier run; `online` is said as soon as it stands.
        if topic == self.status && message.retain {
            return Decoded::default();
        }
        let forged = Event::Forged { topic: topic.to_owned() };
        Decoded {
            events: if message.retain { Vec::new() } else { vec![forged] },
            repairs: vec![ours.unwrap_or_else(|| Message::retained(topic, ""))],
            taken_over: false,
        }
    }

    /// Another bridge that says so now has taken the base. What is stored may be from an earlier run of this one, so it
    /// counts only after a lost connection, and only if it is of a later start: brokers end the connection of the one
    /// whose place is taken without saying why, and of two bridges that throw each other out exactly one must give way.
    fn is_taken_over(&self, message: &Message) -> bool {
        let json = std::str::from_utf8(&message.payload).map_or(Json::None, read_json);
        let Json::Value { value, .. } = json else { return false };
        let Some(other) = value.get("instance").and_then(Value::as_str) else { return false };
        if message.retain { self.was_away && other > self.instance.as_str() } else { other != self.instance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_bridges_that_throw_each_other_out_the_earlier_one_gives_way() {
        for (instance, retain, was_away, expected) in [
            ("2", false, false, true),
            ("0", false, false, true),
            ("1", false, false, false),
            ("2", true, false, false),
            ("2", true, true, true),
            ("0", true, true, false),
            ("1", true, true, false),
        ] {
            let mut own = Own::new("hushgate", "1");
            if was_away {
                own.disconnected();
            }
            let payload = format!(r#"{{"instance":"{instance}"}}"#);
            let message = Message { retain, ..Message::live("hushgate/info", payload) };
            let case = format!("instance {instance}, retained {retain}, was away {was_away}");
            assert_eq!(own.watch(&message).taken_over, expected, "{case}");
        }
    }
}
