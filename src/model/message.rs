//! One MQTT publish, as the bridge sees it.
//!
//! This is not a codec and not a packet: packet identifiers, duplicates and acknowledgements stay in the link.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::topic;

/// Quality of service, as far as the bridge uses it. It never asks for "exactly once": a command is sent at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Qos {
    #[default]
    AtMostOnce,
    AtLeastOnce,
}

/// Where the sender of a message wants its answer: the MQTT 5 response topic and correlation data (MQTT 5.0, section 4.10).
///
/// On an outbound answer `topic` is empty, since an answer wants none, and `correlation` is the asker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTo {
    pub topic: String,
    pub correlation: Option<Bytes>,
}

/// One publish. `topic` is a topic name, never a filter. `expiry_s` is what is left of the message expiry interval, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    pub topic: String,
    pub payload: Bytes,
    pub qos: Qos,
    /// On an inbound message: it was stored by the broker and is replayed to a new subscription.
    /// On an outbound one: the broker is to store it.
    pub retain: bool,
    pub expiry_s: Option<u32>,
    pub reply: Option<ReplyTo>,
}

impl Message {
    /// A live message at QoS 1.
    pub fn live(topic: impl Into<String>, payload: impl Into<Bytes>) -> Message {
        Message { topic: topic.into(), payload: payload.into(), qos: Qos::AtLeastOnce, ..Message::default() }
    }

    /// A retained message at QoS 1. An empty payload removes what is stored.
    pub fn retained(topic: impl Into<String>, payload: impl Into<Bytes>) -> Message {
        Message { retain: true, ..Message::live(topic, payload) }
    }
}

/// What every payload of the canary begins with. No device knows it.
pub const CANARY_PAYLOAD: &str = "hushgate-canary";

impl Message {
    /// Whether it is the canary's: inert, on a level that no device has.
    pub fn is_canary(&self) -> bool {
        topic::is_canary(&self.topic) && self.payload.starts_with(CANARY_PAYLOAD.as_bytes())
    }
}

/// A command on its way to a device: what is forwarded if the verdict allows it.
///
/// `topic` is the device's real topic, without the gate's prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub topic: String,
    pub payload: Bytes,
    pub qos: Qos,
    pub expiry_s: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canary_is_known_by_topic_and_payload_together() {
        for (topic, payload, expected) in [
            ("a/set/hushgate_canary", "hushgate-canary 1 control", true),
            ("a/set/hushgate_canary", "UNLOCK", false),
            ("a/set", "hushgate-canary 1 control", false),
        ] {
            assert_eq!(Message::live(topic, payload).is_canary(), expected, "{topic} {payload}");
        }
    }
}
