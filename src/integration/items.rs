//! What a message means, as an integration has read it.

use crate::model::control::Says;
use crate::model::message::Message;
use crate::model::request::{FactChange, HouseEvent, Request};
use crate::model::speaker::SpeakerReport;

/// An answer that came through a speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub speaker: String,
    pub says: Says,
    pub token: String,
    pub code: Option<String>,
}

/// A request that an integration has read.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    /// Its source and door are not filled in.
    pub request: Request,
    /// What is sent if it is allowed. `None`: it is only seen.
    pub hold: Option<Message>,
}

/// All that one message means, each kind in its own order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Items {
    pub facts: Vec<FactChange>,
    pub reports: Vec<SpeakerReport>,
    pub events: Vec<HouseEvent>,
    pub answers: Vec<Token>,
    pub requests: Vec<SeenRequest>,
}
