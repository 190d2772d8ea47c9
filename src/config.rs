//! The configuration: what the owner has said about broker, house and devices.
//!
//! YAML text in, a checked `Config` out. Opening files and reading the environment is the shell's affair; both come in
//! through `Secrets`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::model::action::{self, Class};
use crate::model::control::Says;
use crate::model::glob::Glob;
use crate::model::mode::Mode;
use crate::model::request::SourceKind;
use crate::model::topic::TopicFilter;
use crate::time::Place;

mod checks;
pub mod codes;
mod devices;
mod entries;
pub mod error;
mod home_assistant;
pub mod keys;
mod log;
mod node;
mod outgoing;
pub mod pattern;
pub mod payload;
mod reader;
mod remarks;
mod sections;
pub mod template;

pub use error::ConfigError;
pub use home_assistant::TWIN_DOMAINS;
pub use node::TEXT_BYTES_MAX;
use pattern::TopicPattern;
use payload::PayloadCondition;
use reader::{Cursor, Reader};
use template::Template;

/// The configuration that is used where the owner gives none.
pub const BUILT_IN: &str = include_str!("../examples/home.yaml");

/// Where secrets come from. The shell reads the environment and the files; tests bring their own.
pub trait Secrets {
    /// The value of an environment variable. `None`: it is not set.
    fn environment(&self, name: &str) -> Option<String>;
    /// The text of a file, as the owner named it. The error says why it could not be read.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// No environment and no files: for the built-in configuration, and for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("files are not read here".to_owned())
    }
}

/// Reads a configuration. `file` is its name, for messages. All errors that can be found at once are given back, in the
/// order of the text.
pub fn parse(file: &str, text: &str, secrets: &dyn Secrets) -> Result<Config, Vec<ConfigError>> {
    let mut reader = Reader::new(file, text, secrets);
    let tree = match node::read(text) {
        Ok(tree) => tree,
        Err(unreadable) => {
            reader.push(unreadable.position, String::new(), unreadable.message, Some(unreadable.help));
            return Err(reader.into_errors());
        }
    };
    let config = sections::read(&mut reader, &Cursor::root(&tree));
    let errors = reader.into_errors();
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

/// Where the base of all own topics stands unless the owner says otherwise.
pub const BASE_DEFAULT: &str = "hushgate";
/// How old a command may be when it reaches its device.
pub const STALE_AFTER_DEFAULT_MS: u64 = 10_000;

/// Everything the owner has configured.
#[derive(Debug, Clone)]
pub struct Config {
    pub broker: Broker,
    /// First level of all topics of the bridge.
    pub base: String,
    pub mode: Mode,
    pub place: Place,
    /// Folder of the policies.
    pub policies: PathBuf,
    pub stale_after_ms: u64,
    /// In the owner's order. Where several fit, the strictest class reads the command, then the first of them.
    pub commands: Vec<CommandEntry>,
    /// Base topic of Home Assistant's `mqtt_statestream`.
    pub statestream: Option<String>,
    pub facts: Vec<FactEntry>,
    pub events: Vec<EventEntry>,
    pub channels: BTreeMap<String, Channel>,
    pub speakers: BTreeMap<String, Speaker>,
    /// What is published when the owner is to be told something, besides `<base>/notice`.
    pub notify: Vec<Outgoing>,
    /// Topics under which the response topic of a question may lie.
    pub response_prefixes: Vec<String>,
    pub sensitive: Vec<Glob>,
    pub ordinary: Vec<Glob>,
    pub floor: Vec<Glob>,
    pub home_assistant: HomeAssistant,
    /// Folder in which the bridge keeps what must outlive it.
    pub data: PathBuf,
    pub log: Log,
}

impl ChannelCode {
    /// As it is written: `pin` or `totp`.
    pub const fn name(&self) -> &'static str {
        match self {
            ChannelCode::Pin(_) => "pin",
            ChannelCode::Totp(_) => "totp",
        }
    }
}

impl Channel {
    /// Whether it may confirm this action, as far as the action goes.
    pub fn may_confirm(&self, action: &str) -> bool {
        self.may_confirm.is_empty() || self.may_confirm.iter().any(|glob| glob.matches(action))
    }

    /// Whether some message counts as its approval that brings no token: whoever may write that topic can approve.
    pub fn approves_without_token(&self) -> bool {
        self.answers.iter().any(|entry| entry.says == Says::Approve && entry.token.is_none())
    }
}

impl Config {
    /// The class of an action, as the owner and the list of known actions say. The owner's `sensitive` goes first.
    pub fn class_of(&self, action: &str) -> Class {
        if self.sensitive.iter().any(|glob| glob.matches(action)) {
            Class::Sensitive
        } else if self.ordinary.iter().any(|glob| glob.matches(action)) {
            Class::Ordinary
        } else {
            action::class_of(action)
        }
    }

    /// What counts as an answer, on topics of the house, with the channel that gives it.
    pub fn answers(&self) -> impl Iterator<Item = (&str, &AnswerEntry)> {
        self.channels.iter().flat_map(|(name, channel)| channel.answers.iter().map(|entry| (name.as_str(), entry)))
    }

    /// The channels that may answer a question, by name.
    pub fn confirming_channels(&self) -> impl Iterator<Item = (&str, &Channel)> {
        self.channels.iter().filter(|(_, channel)| channel.confirms).map(|(name, channel)| (name.as_str(), channel))
    }

    /// What stands in the way of the mode `enforce`: what it needs, and what to write. `None`: nothing.
    ///
    /// Rules ask for the time of day; sensitive actions are confirmed unless a policy says otherwise; and where nobody knows
    /// who asked, only an independent channel may confirm.
    pub fn enforce_obstacle(&self) -> Option<(&'static str, &'static str)> {
        if self.place.zone.is_none() {
            return Some(("a time zone", "add `time_zone: Europe/Berlin`, or whichever is yours"));
        }
        let is_ready = self.confirming_channels().any(|(_, channel)| channel.independent || channel.code.is_some());
        (!is_ready).then_some((
            "an independent channel that may confirm",
            "add one under `channels:`, for instance `phone: {kind: person, independent: true, confirms: true}`",
        ))
    }

    /// Whether no policy may block the action.
    pub fn is_floor(&self, action: &str) -> bool {
        self.floor.iter().any(|glob| glob.matches(action))
    }
}

/// Where, below the base, the bridge is asked and set.
const INPUTS: [&str; 9] = ["gate", "ask", "confirm", "mode", "relay", "guard", "policy", "mute", "grant"];

/// Whether a subscription to `filter` could make a broker deliver a command, an answer or a control message twice.
///
/// A server may send one copy for each of several overlapping subscriptions (MQTT 5.0, section 3.3.4). One that covers a
/// whole tree of the bridge takes the place of the bridge's own and is no danger.
pub fn is_heard_twice(base: &str, filter: &TopicFilter) -> bool {
    INPUTS.iter().any(|input| filter.cuts_into(&format!("{base}/{input}")))
}

/// The MQTT broker.
#[derive(Debug, Clone, PartialEq)]
pub enum Broker {
    /// The one inside this program.
    Embedded {
        listen: SocketAddr,
    },
    Remote(Remote),
}

/// Its address, as it is written in a configuration; never a user or a password.
impl fmt::Display for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broker::Embedded { listen } => write!(formatter, "embedded://{listen}"),
            Broker::Remote(remote) => {
                let scheme = if remote.tls.is_some() { "mqtts" } else { "mqtt" };
                // An IPv6 address wants brackets before its port.
                let (open, close) = if remote.host.contains(':') { ("[", "]") } else { ("", "") };
                write!(formatter, "{scheme}://{open}{}{close}:{}", remote.host, remote.port)
            }
        }
    }
}

/// A broker elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    pub host: String,
    pub port: u16,
    /// `None`: no TLS.
    pub tls: Option<Tls>,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the authority that signed the broker's certificate. `None`: those of the system.
    pub ca_file: Option<PathBuf>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text itself, for the one who must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// How one topic pattern is read as an action.
#[derive(Debug, Clone)]
pub struct CommandEntry {
    pub topic: TopicPattern,
    /// Conditions on the payload. `None`: any payload.
    pub when: Option<PayloadCondition>,
    /// Paths of fields that may stand beside those of `when` without changing what the command is.
    pub beside: Vec<Vec<String>>,
    pub action: String,
    pub target: Option<Template>,
    pub text: Option<Template>,
    pub data: BTreeMap<String, Template>,
    /// Treats the action as sensitive whatever its name.
    pub sensitive: bool,
    /// The channel from which commands on this topic come.
    pub channel: Option<String>,
}

/// How one topic pattern is read as a fact.
#[derive(Debug, Clone)]
pub struct FactEntry {
    pub topic: TopicPattern,
    pub when: Option<PayloadCondition>,
    pub entity: Template,
    /// `None`: the state itself.
    pub attribute: Option<Template>,
    /// What the state is; `{payload}` unless the owner says otherwise.
    pub value: Template,
}

/// How one topic pattern is read as an event of the house.
#[derive(Debug, Clone)]
pub struct EventEntry {
    pub topic: TopicPattern,
    pub when: Option<PayloadCondition>,
    pub event: String,
    pub speaker: Option<Template>,
    pub text: Option<Template>,
    pub confidence: Option<Template>,
    pub data: BTreeMap<String, Template>,
}

/// A way by which requests come and answers arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    pub kind: SourceKind,
    /// It shares no microphone, account or device with any channel that asks. Only such channels may confirm
    /// what nobody knows the asker of.
    pub independent: bool,
    /// It may answer questions.
    pub confirms: bool,
    /// The `assist_satellite` that it is in Home Assistant.
    pub satellite: Option<String>,
    /// The id of the user whom Home Assistant knows it by.
    pub person: Option<String>,
    /// The actions that it may confirm. Empty: all.
    pub may_confirm: Vec<Glob>,
    /// Who carries its questions and answers: the channel is as strong as that.
    pub carrier: Carrier,
    /// The user of the broker who is this channel, for `hushgate acl`. `None`: one of the channel's name.
    pub user: Option<String>,
    /// What its answers must bring besides the token.
    pub code: Option<ChannelCode>,
    /// What is sent besides `prompt/<channel>` when it is asked: to a speaker, a display, a dialogue.
    pub ask: Vec<Outgoing>,
    /// What is sent when no answer is wanted any more.
    pub over: Vec<Outgoing>,
    /// What counts as its answer besides `confirm/<channel>/<id>`: a button, a dialogue.
    pub answers: Vec<AnswerEntry>,
}

/// Who carries the questions and answers of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// The broker alone.
    #[default]
    Mqtt,
    /// Home Assistant: whoever holds it can answer.
    HomeAssistant,
}

/// What an answer must bring besides the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelCode {
    /// The hash of a PIN, in the PHC form of argon2id that `hushgate hash-pin` writes.
    Pin(Secret),
    /// The shared secret of TOTP (RFC 6238): SHA-1, six digits, 30 seconds; in Base32.
    Totp(Secret),
}

/// How a message of some device is read as the answer of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerEntry {
    pub topic: TopicPattern,
    pub when: Option<PayloadCondition>,
    pub says: Says,
    /// Where the token stands; a message without one there is refused. `None`: it answers the only question that is open on this channel, if there is just one.
    pub token: Option<Template>,
    /// Where the code stands.
    pub code: Option<Template>,
}

/// How the owner's log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What is kept of a text that was heard or sent, by the kind of its source.
    pub text: BTreeMap<SourceKind, Keep>,
    /// The same for kinds that are not named, and for events.
    pub text_default: Keep,
    /// Whether `decision/…` carries texts.
    pub publish_text: bool,
    /// How long records of ordinary requests and of the run of things are kept.
    pub ordinary_ms: u64,
    /// How long records of sensitive requests, confirmations, mutes and control are kept.
    pub sensitive_ms: u64,
    /// Bytes of the whole journal. The oldest goes first.
    pub size_bytes: u64,
    /// Sensitive commands leave only when their record is on the disk.
    pub sync_sensitive: bool,
}

/// What is kept of a text. The order is from the most to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// All of it, until it is forgotten.
    Keep,
    /// How many words it has.
    Mask,
    /// Nothing.
    Drop,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            text: BTreeMap::new(),
            text_default: Keep::Mask,
            publish_text: false,
            ordinary_ms: 90 * 86_400_000,
            sensitive_ms: 2 * 365 * 86_400_000,
            size_bytes: 2_000_000_000,
            sync_sensitive: false,
        }
    }
}

impl Log {
    /// What is kept of a text of this kind of source.
    pub fn keep(&self, kind: SourceKind) -> Keep {
        self.text.get(&kind).copied().unwrap_or(self.text_default)
    }
}

/// How long a state may take to follow an allowed command.
pub const SETTLE_DEFAULT_MS: u64 = 5_000;

/// How the bridge and Home Assistant live together.
#[derive(Debug, Clone, PartialEq)]
pub struct HomeAssistant {
    /// Under which devices announce themselves.
    pub discovery: String,
    pub gate: Gate,
    /// Entities that are not on MQTT and get a gated twin there.
    pub twins: Vec<String>,
    /// `publish_topic` of Home Assistant's `mqtt_eventstream`.
    pub eventstream: Option<String>,
    /// The channel of the buttons in Home Assistant, and of the phone behind it.
    pub channel: Option<String>,
    pub settle_ms: u64,
    /// A revert may move a cover.
    pub revert_covers: bool,
    /// Home Assistant's own user at the broker, for the canary.
    pub own: Option<Login>,
    /// A user without rights, for the canary.
    pub unprivileged: Option<Login>,
}

impl Default for HomeAssistant {
    fn default() -> HomeAssistant {
        HomeAssistant {
            discovery: crate::model::topic::DISCOVERY_PREFIX.to_owned(),
            gate: Gate { all: false, sensitive: true, entities: Vec::new() },
            twins: Vec::new(),
            eventstream: None,
            channel: None,
            settle_ms: SETTLE_DEFAULT_MS,
            revert_covers: false,
            own: None,
            unprivileged: None,
        }
    }
}

/// Which discovered entities are guarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    pub all: bool,
    /// Those whose actions open a house or reach people: locks, alarms, garage doors, valves, sirens, messages.
    pub sensitive: bool,
    /// And those whose entity ids fit one of these.
    pub entities: Vec<Glob>,
}

/// A user of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: Option<Secret>,
}

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

#[cfg(test)]
mod tests;
