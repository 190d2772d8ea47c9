//! Speakers, and messages with places to fill in.
//!
//! Reading them from the text is the affair of `devices`; what is sent is filled in by `outgoing`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::template::Template;

/// A speaker that the bridge can mute or speak through. A list that is empty means that it cannot.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The channel by which its microphone asks.
    pub channel: Option<String>,
    /// The integration that knows how it is muted and spoken through. `None`: the messages below say it.
    pub integration: Option<String>,
    /// What the integration wants to know of this speaker.
    pub settings: BTreeMap<String, Value>,
    /// Media players in the same room, by their entities.
    pub near: Vec<String>,
    /// Denials of what was asked here are spoken here.
    pub refusals: bool,
    pub mute: Vec<Outgoing>,
    pub unmute: Vec<Outgoing>,
    pub announce: Vec<Outgoing>,
}

/// A message with places to fill in. Speakers know `{speaker}`, announcements `{text}` too; notices know `{text}` and
/// `{policy}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: Template,
    pub payload: Template,
    pub retain: bool,
}
