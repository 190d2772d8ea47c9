//! The configuration: what the owner has said about broker, house and devices.
//!
//! YAML text in, a checked `Config` out. Opening files and reading the environment is the shell's affair; both come in
//! through `Secrets`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::model::action::{self, Class};
use crate::model::glob::Glob;
use crate::model::mode::Mode;
use crate::model::topic::TopicFilter;
use crate::time::Place;

mod channel;
mod checks;
pub mod codes;
mod devices;
mod entries;
pub mod error;
mod home_assistant;
pub mod integrations;
pub mod keys;
mod log;
mod node;
mod outgoing;
pub mod pattern;
pub mod payload;
mod reader;
mod remarks;
mod sections;
mod speaker;
pub mod template;

pub use channel::{AnswerEntry, Carrier, Channel, ChannelCode};
pub use error::ConfigError;
pub use home_assistant::{Gate, HomeAssistant, Login, SETTLE_DEFAULT_MS, TWIN_DOMAINS};
pub use log::{Keep, Log};
pub use node::TEXT_BYTES_MAX;
use pattern::TopicPattern;
use payload::PayloadCondition;
use reader::{Cursor, Reader};
pub use speaker::{Outgoing, Speaker};
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
    /// Folder of the owner's own integrations.
    pub integrations_folder: PathBuf,
    /// Integrations that are used besides those of the speakers, each with what it wants to know.
    pub integrations: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
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

    /// The integrations that are in use: those that speakers name, and those that are used by themselves.
    pub fn integrations_in_use(&self) -> BTreeSet<&str> {
        let of_speakers = self.speakers.values().filter_map(|speaker| speaker.integration.as_deref());
        of_speakers.chain(self.integrations.keys().map(String::as_str)).collect()
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

#[cfg(test)]
mod tests;
