//! Requests, house events and facts: what is put before the policies.
//!
//! How they are read from topics and payloads is the registry's and the wire's affair.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::control::Control;
use super::message::Command;
use super::speaker::Heard;

/// What kind of asker is behind a request, as far as the configuration can vouch for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A microphone.
    Voice,
    /// A person at a phone, a panel or a button.
    Person,
    /// A rule that the owner wrote in Home Assistant or elsewhere.
    Automation,
    /// A program that decides by itself what to ask for, such as a language model.
    Agent,
    /// A policy of this bridge.
    Policy,
    #[default]
    Unknown,
}

impl SourceKind {
    pub const fn name(self) -> &'static str {
        match self {
            SourceKind::Voice => "voice",
            SourceKind::Person => "person",
            SourceKind::Automation => "automation",
            SourceKind::Agent => "agent",
            SourceKind::Policy => "policy",
            SourceKind::Unknown => "unknown",
        }
    }
}

/// How sure something is that nobody vouches for. There is no word for certain: who may write the streams can forge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// It fits, and so does something else, or it is long ago.
    Possible,
    /// Nothing else fits.
    Likely,
}

impl Certainty {
    pub const fn name(self) -> &'static str {
        match self {
            Certainty::Possible => "possible",
            Certainty::Likely => "likely",
        }
    }
}

/// How sure, and how old when the request was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub certainty: Certainty,
    pub age_ms: u64,
}

/// Who seems to have asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    /// An entity (`assist_satellite.kitchen`), or the id of a user of Home Assistant.
    pub name: String,
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Who asks. What is not known stays `None`; nothing is guessed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source {
    pub kind: SourceKind,
    /// The configured channel through which the request came. A payload cannot claim it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The policy that asks, for `kind: policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Set where `kind` is known from Home Assistant's streams alone. `None`: the configuration vouches for it, or it is
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The satellite that seems to have heard it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satellite: Option<Clue>,
    /// The user of Home Assistant who seems to have asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Clue>,
    /// The configured channels of that satellite and that person. They may not confirm; they are good for nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub likely_channels: Vec<String>,
}

impl Source {
    /// Whether the configuration vouches for who asks: by the topic, or because the bridge itself asks.
    pub fn is_vouched(&self) -> bool {
        self.kind != SourceKind::Unknown && self.evidence.is_none()
    }
}

/// The door by which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// A command on `gate/<topic>`: held until it is judged.
    Gate,
    /// A question on `ask`: the asker acts on the answer.
    Ask,
    /// An intent of a voice assistant: held until it is judged; those who carry it out listen below the bridge's base.
    Intent,
    /// A policy's `publish` to a command topic.
    Policy,
    /// A control topic of the bridge itself.
    Control,
    /// A twin's command: held until it is judged, then carried out by Home Assistant.
    Twin,
    /// Seen where it could not be held: a command to an entity that is not guarded, or a call in Home Assistant's streams.
    Watch,
    /// A command on the real topic of a guarded entity that is not our own.
    Bypass,
}

impl Door {
    /// Whether the request waits for its verdict. Otherwise it has happened already.
    pub const fn holds(self) -> bool {
        !matches!(self, Door::Watch | Door::Bypass)
    }
}

/// Somebody wants something done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// `domain.service`.
    pub action: String,
    /// An entity, a recipient, a device: whatever the action is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub source: Source,
    pub door: Door,
    /// Further fields, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Value>,
    /// What is to be said or sent, or the sentence that was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How sure speech recognition was, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The action is to be treated as sensitive though its name is ordinary, because its topic or entry says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// How it came to be heard, where a speaker heard it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Box<Heard>>,
}

/// What is held for a request, and happens if it is allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// A command is forwarded.
    Command(Command),
    /// The bridge itself is loosened.
    Control(Control),
    /// Nothing: the asker acts for itself on the answer.
    Question,
    /// Nothing: it has happened. `undo` is the command that would put it right, where there is one.
    Seen { undo: Option<Command> },
}

/// A request as it arrives at the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    pub request: Request,
    pub held: Held,
    pub reply: Option<Reply>,
}

/// Where the verdict on a question is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The asker's own name for its question; it comes back in the answer.
    pub ask: Option<String>,
    /// A topic that the wire has found fit to be answered on.
    pub topic: String,
    pub correlation: Option<bytes::Bytes>,
    /// Kept by the broker for a while, for askers that subscribe late.
    pub retain: bool,
}

/// Events that speakers tell.
pub const VOICE_EVENTS: [&str; 6] = [
    "voice.intent",
    "voice.intent_not_recognized",
    "voice.session_ended",
    "voice.session_started",
    "voice.transcript",
    "voice.wake_word",
];

/// Names that integrations say, so that rules may use them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldNames {
    pub events: BTreeSet<String>,
    pub actions: BTreeSet<String>,
}

/// Something happened in the house; nobody waits for an answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HouseEvent {
    /// Dotted, like an action: `voice.wake_word`, `voice.intent`.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Value>,
    /// The dialogue that it belongs to, as the speaker's program names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When it happened, where its source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened: Option<Timestamp>,
}

/// A state of the house was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FactChange {
    /// Home Assistant's entity id: `lock.front_door`.
    pub entity: String,
    /// `None` is the state itself; otherwise the name of an attribute.
    pub attribute: Option<String>,
    /// `None` where the source says that it does not know (`unknown`, `unavailable`).
    pub value: Option<Value>,
}
