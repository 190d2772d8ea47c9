//! What an integration says, as values in its script: items of what it reads, and messages that it sends.

use crate::model::message::Message;
use crate::model::request::{FactChange, HouseEvent};
use crate::model::speaker::SpeakerReport;

use super::items::{SeenRequest, Token};

/// One thing that `on_message` or `on_command` gives back.
#[derive(Debug, Clone)]
pub(super) enum ItemValue {
    Event(HouseEvent),
    Fact(FactChange),
    Request(Box<SeenRequest>),
    Report(SpeakerReport),
    Answer(Token),
}

/// A message that an integration wants to send.
#[derive(Debug, Clone)]
pub(super) struct SendValue {
    pub message: Message,
    /// Home Assistant is to carry it out: the topic is the bridge's own.
    pub is_act: bool,
}
