//! What goes into the core and what comes out of it.
//!
//! Topics and payloads of the bridge's own messages are not here; the wire writes them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::control::{Answer, Control};
use super::decision::{Decision, Enforcement, PolicyError, Verdict};
use super::durable::{Change, Grant, Mute, Pending, PromptCounts};
use super::entity::Guard;
use super::message::Message;
use super::mode::Mode;
use super::permit::Permit;
use super::request::{Arrival, FactChange, HouseEvent, Reply};
use super::speaker::{Feedback, SpeakerCommand, SpeakerReport};

mod records;

pub use records::{Entry, Record};

/// The text of one policy or integration. Reading files is the shell's affair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptSource {
    /// The file's name without its ending.
    pub name: String,
    /// The path as the owner knows it, for messages.
    pub file: String,
    pub text: String,
}

/// Everything that can happen to the core.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Somebody wants something done.
    Arrival(Box<Arrival>),
    House(HouseEvent),
    Fact(FactChange),
    /// A message on a topic that a policy listens to.
    Message(Message),
    Answer(Answer),
    /// A control message, not yet judged.
    Control(Control),
    /// The wire could make nothing of a message.
    Refused(Refusal),
    /// A stored message lay on a gate or control topic. It is cleared, never acted on.
    Ghost {
        topic: String,
    },
    /// Somebody else wrote a topic that is the bridge's own. The wire has put it right.
    Forged {
        topic: String,
    },
    Connected,
    Disconnected {
        reason: String,
    },
    /// A message was not sent, and never will be.
    Dropped {
        topic: String,
        reason: String,
    },
    /// What is announced for a guarded topic is new, has changed, or is again as it was accepted.
    Guard {
        topic: String,
        guard: Guard,
    },
    /// A trace of who asked for what, in Home Assistant's streams. It comes before the command itself.
    Trace(Trace),
    /// The canary has looked whether the way around the bridge is shut.
    Canary(Canary),
    /// Whether others can read what is answered on a channel.
    Overheard(Overheard),
    /// Whether the journal can be written. While it cannot, sensitive requests are denied.
    Journal(Result<(), String>),
    /// A speaker tells of itself.
    Speaker(SpeakerReport),
    /// A speaker could not be told something: its integration failed, or gave no message for it.
    Untold {
        speaker: String,
        command: SpeakerCommand,
    },
    /// An integration failed, or wished what it may not. What it should have read or said is lost; nothing else is.
    IntegrationFailed(PolicyError),
    /// New texts of the owner's own integrations, or why they could not be read.
    Integrations(Result<Vec<ScriptSource>, String>),
    /// New policy texts, or why they could not be read.
    Reload(Result<Vec<ScriptSource>, String>),
    /// Time has passed; perhaps a deadline with it.
    Tick,
}

/// What Home Assistant's streams tell of a call that is about to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "trace", rename_all = "snake_case")]
pub enum Trace {
    /// A service was called, by whom is not said.
    Call { action: String, entities: Vec<String>, data: serde_json::Map<String, serde_json::Value> },
    /// A conversation agent has taken a sentence in; the user id of the speaker where Home Assistant knows it.
    Conversation { user: Option<String> },
    /// A satellite listens, thinks or answers.
    Satellite { entity: String, state: String },
    /// An automation was triggered.
    Automation { entity: String },
}

/// What the canary found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    pub enforcement: Enforcement,
    /// For people: by which user, on which topic, what the broker did.
    pub reason: String,
}

/// Whether users that should not can read what is answered on a channel with a PIN or TOTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overheard {
    pub channel: String,
    /// For people: who can, and on which topic. `None`: nobody who was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Input that nothing can be made of: what came, why it is refused, and who waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub topic: String,
    /// Lower case, for the owner: what was expected and what was found.
    pub reason: String,
    pub reply: Option<Reply>,
}

/// Everything that the core can cause. In one answer a decision's record stands before its forward.
#[derive(Debug)]
pub enum Effect {
    Record(Box<Record>),
    Durable(Change),
    Forward(Permit),
    Publish(Publication),
}

/// What the bridge says on topics of its own, or to the devices that the configuration names.
#[derive(Debug, Clone, PartialEq)]
pub enum Publication {
    /// A held request became visible, or changed. Retained.
    Pending(Box<Pending>),
    /// A held request is over; its retained topic is cleared.
    PendingOver {
        id: String,
    },
    /// A channel is asked. The only place that ever sees the token.
    Prompt {
        channel: String,
        pending: Box<Pending>,
        token: String,
    },
    /// A channel need not answer any more.
    PromptOver {
        channel: String,
        id: String,
    },
    Answer {
        reply: Reply,
        answer: AnswerBody,
        /// It may be told only if the record of its decision is in the journal.
        needs_record: bool,
    },
    /// A speaker's mute state, for people. Retained.
    MuteState {
        speaker: String,
        /// What it is muted by, and whether it has said that it is.
        mute: Option<(Mute, Feedback)>,
    },
    /// A speaker is told something, by its integration or by the messages of the configuration.
    Speaker {
        speaker: String,
        command: SpeakerCommand,
    },
    PolicyState {
        name: String,
        on: bool,
        mode: Mode,
    },
    /// A policy is gone; its retained topic is cleared.
    PolicyGone {
        name: String,
    },
    ModeState {
        mode: Mode,
        until: Option<Timestamp>,
    },
    Info {
        revision: String,
        policies: Vec<String>,
    },
    /// Whether the mirror points at the gate. Retained.
    RelayState {
        on: bool,
        until: Option<Timestamp>,
    },
    /// Something is granted. Retained; `None`: it is over.
    GrantState {
        id: String,
        grant: Option<Grant>,
    },
    /// How often people are asked, and what they say.
    Prompts(PromptCounts),
    /// A command that went round the bridge, as it was judged.
    Bypass(Box<Decision>),
    /// The owner is told.
    Notice {
        text: String,
        policy: String,
    },
    /// A policy's message to a topic that commands nothing.
    Plain(Message),
    /// Removes what is stored on a topic.
    Clear {
        topic: String,
    },
}

/// The answer to a question on `ask`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerBody {
    /// The asker's own id, given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// The decision's id. `null` where the question was refused.
    pub decision: Option<String>,
    /// What was asked for: an id that somebody else uses too must not pass one answer off as another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `null` where the question was refused.
    pub verdict: Option<Verdict>,
    pub reason: String,
    /// False while it waits for a confirmation; one more answer follows then.
    #[serde(rename = "final")]
    pub is_final: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
