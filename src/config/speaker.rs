//! Speakers, and messages with places to fill in.
//!
//! Reading them from the text is the affair of `devices`; what is sent is filled in by `outgoing`.

use super::template::Template;

/// A speaker that the bridge can mute or speak through. A list that is empty means that it cannot.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// The channel by which its microphone asks.
    pub channel: Option<String>,
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
