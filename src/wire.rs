//! The wire: pure codecs between MQTT messages and what the core is told and says.
//!
//! It opens no connection, judges nothing and never imports the engine. Bad input becomes a record and, where somebody
//! waits, an error answer; it never becomes a command. `docs/mqtt.md` names every topic and field.

mod answers;
mod ask;
mod confirm;
mod control;
mod discovery;
mod gate;
mod home_assistant;
mod integrations;
mod mirror;
mod object;
mod own;
mod publications;
mod subscriptions;
mod twin;

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Timestamp;
use serde_json::json;

use crate::config::Config;
use crate::integration::Question;
use crate::model::event::{Event, Publication, Record, Refusal};
use crate::model::message::Message;
use crate::model::request::Reply;
use crate::model::speaker::SpeakerCommand;
use crate::model::topic::{self, TopicFilter};
use crate::registry::Registry;
use crate::registry::mirror::Settings;
use crate::registry::twins::Twins;
use crate::script::nearest::nearest;
use discovery::Sight;
use home_assistant::HomeAssistant;
use mirror::Mirror;
use own::Own;

pub use confirm::CANARY_ID;
pub use discovery::{ECHO_MS, FORWARDS_MAX};
pub use home_assistant::announcement_topic;
pub use subscriptions::{RetainHandling, Subscription};

/// Largest payload that the bridge reads, in bytes. A larger one is refused with a record.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// Longest id that an asker can give its question, in bytes.
pub const ASK_ID_BYTES_MAX: usize = 64;
/// How long the broker keeps an answer on `answer/<id>` for askers that subscribe late.
pub const ANSWER_KEPT_S: u32 = 60;

/// What one inbound message means.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// In the order in which the core is told.
    pub events: Vec<Event>,
    /// Repairs of the bridge's own stored topics, and what is announced again, to be sent at once.
    pub repairs: Vec<Message>,
    /// Another bridge has taken the base.
    pub taken_over: bool,
}

impl Decoded {
    fn event(event: Event) -> Decoded {
        Decoded { events: vec![event], ..Decoded::default() }
    }

    fn refused(topic: &str, reason: impl Into<String>, reply: Option<Reply>) -> Decoded {
        Decoded::event(Event::Refused(Refusal { topic: topic.to_owned(), reason: reason.into(), reply }))
    }

    /// A stored message where only live ones count. It is cleared, so that it does not come back.
    fn ghost(topic: &str) -> Decoded {
        Decoded {
            events: vec![Event::Ghost { topic: topic.to_owned() }],
            repairs: vec![Message::retained(topic, "")],
            taken_over: false,
        }
    }

    /// Two messages' worth in one.
    fn extend(&mut self, other: Decoded) {
        self.events.extend(other.events);
        self.repairs.extend(other.repairs);
        self.taken_over |= other.taken_over;
    }
}

/// The codec of one bridge. It remembers what of its own is stored by the broker.
#[derive(Debug)]
pub struct Wire {
    config: Rc<Config>,
    registry: Rc<Registry>,
    own: Own,
    twins: Twins,
    mirror: Mirror,
    home_assistant: HomeAssistant,
    sight: Sight,
    /// Questions that were put through speakers, by channel and id, until they are over.
    asked: BTreeMap<(String, String), Question>,
    /// What speakers should have been told and were not.
    untold: Vec<(String, SpeakerCommand)>,
}

impl Wire {
    /// `instance` names this run of the bridge among all others. Of two, the one that started later is greater.
    pub fn new(config: Rc<Config>, registry: Rc<Registry>, instance: &str) -> Wire {
        let discovery = config.home_assistant.discovery.clone();
        let settings = Settings { base: config.base.clone(), discovery };
        let twins = Twins::new(&config.home_assistant.twins, settings.clone(), config.statestream.clone());
        let mut own = Own::new(&config.base, instance);
        for announcement in twins.announcements() {
            own.store(announcement);
        }
        let home_assistant = HomeAssistant::new(&config, registry.integrations());
        Wire {
            own,
            twins,
            mirror: Mirror::new(settings),
            home_assistant,
            sight: Sight::default(),
            asked: BTreeMap::new(),
            untold: Vec::new(),
            config,
            registry,
        }
    }

    /// What must be subscribed to: the bridge's own topics, those of facts, events and discovery, those of discovered
    /// devices, those on which channels answer, and those of the policies.
    /// A filter that another one covers is left out, so that no message comes twice because of it.
    pub fn subscriptions(&self, policy_topics: &[TopicFilter]) -> Vec<Subscription> {
        let (mut house, mut watched) = (self.registry.subscriptions(), self.registry.watched_topics());
        house.extend(self.home_assistant.subscriptions());
        watched.extend(self.answer_topics());
        subscriptions::all(&self.config.base, &house, &watched, policy_topics)
    }

    /// What the broker says for the bridge when the connection is lost.
    pub fn will(&self) -> Message {
        self.own.status("offline")
    }

    /// To be sent on each new connection, before `retained`.
    pub fn online(&self) -> Message {
        self.own.status("online")
    }

    /// Where the chain of the journal stands, to be stored: who keeps it can tell whether the journal was shortened.
    pub fn journal_head(&mut self, seq: u64, chain: &str, at: Timestamp) -> Message {
        let body = json!({"seq": seq, "chain": chain, "at": at});
        self.own.store(Message::retained(self.in_base("journal"), body.to_string()))
    }

    /// To be sent before the connection is closed on purpose.
    pub fn offline(&self) -> Message {
        self.own.status("offline")
    }

    /// Everything else of the bridge's own that is to be stored, for each new connection.
    pub fn retained(&self) -> Vec<Message> {
        let stored = self.own.stored();
        stored.into_iter().filter(|message| self.mirror.is_missing(message)).collect()
    }

    /// The connection is lost. What is stored from now on may be the work of a bridge that has taken the base meanwhile.
    pub fn disconnected(&mut self) {
        self.own.disconnected();
        self.mirror.disconnected();
    }

    /// Reads one inbound message: what the core is told, and repairs of the bridge's own stored topics.
    pub fn decode(&mut self, message: &Message, policy_topics: &[TopicFilter]) -> Decoded {
        let topic = message.topic.as_str();
        self.mirror.see_connection();
        // First, whatever the size: what a forger has stored on these topics must not stay there.
        if self.is_own(topic) {
            return self.watch_own(message);
        }
        if self.below_base(topic).is_some_and(|below| topic::is_under(below, "homeassistant")) {
            return self.decode_mirror(message);
        }
        if message.payload.len() > PAYLOAD_BYTES_MAX {
            return self.decode_large(message);
        }
        if !topic::is_under(topic, &self.config.base) {
            let mut decoded = self.decode_house(message, policy_topics);
            decoded.repairs.extend(self.greet(message));
            return decoded;
        }
        let below = topic.get(self.config.base.len() + 1..).unwrap_or_default();
        let (first, rest) = below.split_once('/').map_or((below, None), |(first, rest)| (first, Some(rest)));
        match (first, rest) {
            ("gate", rest) => self.decode_gate(message, rest.unwrap_or_default()),
            ("twin", rest) => self.decode_twin(message, rest.unwrap_or_default()),
            ("ask", channel) => self.decode_ask(message, channel),
            ("intent", _) => foreign_intent(message),
            ("confirm", rest) => self.decode_confirm(message, rest.unwrap_or_default()),
            ("mode", Some("set")) => self.decode_mode(message),
            ("relay", Some("set")) => self.decode_relay(message),
            ("guard", Some("set")) => self.decode_accept(message),
            ("grant", Some("set")) => self.decode_grant(message),
            ("policy" | "mute" | "grant", Some(rest)) if rest.contains('/') => self.decode_switch(message, first, rest),
            ("mode" | "relay" | "guard" | "policy" | "mute" | "grant" | "pending" | "status" | "info", _) => {
                no_such_topic(message)
            }
            // A policy may listen to everything; what the bridge says itself is no news to it.
            _ => Decoded::default(),
        }
    }

    /// A message on a topic that only the bridge writes.
    fn watch_own(&mut self, message: &Message) -> Decoded {
        let recalled = self.recall(message);
        if !recalled.is_empty() {
            return Decoded { repairs: recalled, ..Decoded::default() };
        }
        let mut decoded = self.own.watch(message);
        // Somebody has deleted the device in Home Assistant, which then empties its topic. It comes back: no forgery.
        if message.payload.is_empty() && self.home_assistant.announces_on(&message.topic) {
            decoded.events.clear();
        }
        decoded
    }

    /// Whether the bridge alone writes this topic: nothing stands there but what it has stored.
    fn is_own(&self, topic: &str) -> bool {
        if self.home_assistant.announces_on(topic) {
            return true;
        }
        let Some(below) = self.below_base(topic) else { return false };
        match below.split_once('/') {
            None => matches!(below, "status" | "info" | "mode" | "relay" | "act" | "journal"),
            Some(("pending" | "state" | "home_assistant", _)) => true,
            Some(("policy" | "mute", name)) => !name.contains('/'),
            Some(("grant", id)) => id != "set" && !id.contains('/'),
            Some(_) => false,
        }
    }

    fn decode_large(&self, message: &Message) -> Decoded {
        let topic = message.topic.as_str();
        let reason =
            format!("expected a payload of at most {PAYLOAD_BYTES_MAX} bytes, found {}", message.payload.len());
        let reply = self.response_topic(message, None).ok().flatten();
        let reply = reply.filter(|_| topic::is_under(topic, &self.in_base("ask")));
        let mut decoded = Decoded::refused(topic, reason, reply);
        // A stored one would come back with each new connection.
        if message.retain && topic::is_under(topic, &self.config.base) {
            decoded.repairs.push(Message::retained(topic, ""));
        }
        decoded
    }

    /// Discovery, facts, events, answers, commands that are seen, and what policies listen to. What was stored is a fact at most: it
    /// happened some other time.
    fn decode_house(&mut self, message: &Message, policy_topics: &[TopicFilter]) -> Decoded {
        let is_discovery = self.registry.is_discovery(&message.topic);
        let mut decoded = if is_discovery { self.decode_discovery(message) } else { Decoded::default() };
        let facts = self.registry.read_facts(message);
        decoded.repairs.extend(facts.iter().filter_map(|fact| self.teach_twins(fact)));
        let facts = facts.into_iter().map(Event::Fact);
        let events = self.registry.read_events(message).into_iter().map(Event::House);
        let traces = self.registry.read_traces(message).into_iter().map(Event::Trace);
        decoded.events.extend(facts.chain(events).chain(traces));
        decoded.events.extend(self.read_integrations(message));
        decoded.events.extend(self.read_answers(message));
        if !is_discovery {
            decoded.events.extend(self.see_command(message));
        }
        if !message.retain && policy_topics.iter().any(|filter| filter.matches(&message.topic)) {
            decoded.events.push(Event::Message(message.clone()));
        }
        decoded
    }

    /// Writes what the core publishes, and remembers what is stored. A name that is not configured, and a message to a
    /// topic that a policy may not write, give none.
    pub fn publication(&mut self, publication: Publication) -> Vec<Message> {
        let shown = self.show_publication(&publication);
        let mut messages = self.write(publication);
        messages.extend(shown);
        messages
    }

    /// The messages for one record: a decision on its own topic, everything else on `log`; and what Home Assistant is told
    /// of it. A record that tells that a message to `log` was lost is not told there: that would go on for ever.
    pub fn record(&mut self, record: &Record) -> Vec<Message> {
        let mut messages: Vec<Message> = publications::record(&self.config.base, record).into_iter().collect();
        messages.extend(self.show_record(record));
        messages
    }

    fn below_base<'topic>(&self, topic: &'topic str) -> Option<&'topic str> {
        topic.strip_prefix(&self.config.base)?.strip_prefix('/')
    }

    fn in_base(&self, rest: &str) -> String {
        format!("{}/{rest}", self.config.base)
    }

    fn unknown_channel(&self, found: &str) -> String {
        unknown("a configured channel", found, self.config.channels.keys().map(String::as_str))
    }
}

/// `expected …, found …`, with the nearest right word where one is near.
fn unknown<'a>(expected: &str, found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(found, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("expected {expected}, found `{}`{near}", shown(found))
}

/// A text from outside, as an error may repeat it.
fn shown(text: &str) -> String {
    text.chars().take(100).collect::<String>().escape_debug().to_string()
}

/// Why a message is too old or too empty to be looked at.
fn staleness(message: &Message) -> Option<&'static str> {
    if message.expiry_s == Some(0) {
        Some("expected a message that is still valid, found one whose expiry has passed: it is too old")
    } else if message.payload.is_empty() {
        Some("expected a payload, found an empty one")
    } else {
        None
    }
}

/// The bridge alone lets intents go; its own never come back to it. What somebody else writes there cannot be held any more.
fn foreign_intent(message: &Message) -> Decoded {
    if message.retain {
        return Decoded::ghost(&message.topic);
    }
    let reason = "expected an intent that the bridge has let go, found one of somebody else: whoever carries intents out \
                  may have obeyed it";
    Decoded::refused(&message.topic, reason, None)
}

fn no_such_topic(message: &Message) -> Decoded {
    if message.retain {
        return Decoded::ghost(&message.topic);
    }
    Decoded::refused(&message.topic, "expected a topic of the bridge, found one that it does not have", None)
}

#[cfg(test)]
mod tests;
