//! What topics and payloads mean: commands, facts and events of the house.
//!
//! It knows what the configuration says and nothing else. It judges nothing, sends nothing, and keeps no state between
//! messages. What Home Assistant announces by discovery will be learned here too.

pub mod doors;
mod facts;
pub mod mirror;
pub mod platform;
mod streams;
mod template;
pub mod twins;

use std::collections::BTreeMap;

use crate::config::Config;
use crate::config::pattern::Names;
use crate::config::payload::{Json, Payload, PayloadCondition};
use crate::config::template::Template;
use crate::config::{Channel, CommandEntry, EventEntry};
use crate::model::action::{self, Class};
use crate::model::entity::Guard;
use crate::model::message::Message;
use crate::model::request::{Door, FactChange, HouseEvent, Request, Source};
use crate::model::topic::TopicFilter;

/// Longest name of a speaker that an event tells, in bytes. A longer one is left out.
pub const SPEAKER_BYTES_MAX: usize = 64;

/// The meaning of topics, as the configuration says.
#[derive(Debug, Clone)]
pub struct Registry {
    commands: Vec<Command>,
    facts: facts::Facts,
    events: Vec<EventEntry>,
    channels: BTreeMap<String, Channel>,
    unreadable_class: Class,
    /// The topic of Home Assistant's event stream.
    eventstream: Option<String>,
}

#[derive(Debug, Clone)]
struct Command {
    entry: CommandEntry,
    class: Class,
    /// No policy may block its action.
    is_floor: bool,
    /// What of the payload it reads, or knows to be harmless beside that. An empty path is the whole payload.
    paths: Vec<Vec<String>>,
    /// It looks into the fields of the payload, so the payload must have one reading only.
    reads_fields: bool,
}

impl Registry {
    pub fn new(config: &Config) -> Registry {
        let command = |entry: &CommandEntry| {
            let templates = entry.target.iter().chain(&entry.text).chain(entry.data.values());
            Command {
                class: if entry.sensitive { Class::Sensitive } else { config.class_of(&entry.action) },
                is_floor: config.is_floor(&entry.action),
                paths: paths(entry, templates.clone()),
                reads_fields: reads_fields(entry.when.as_ref(), templates),
                entry: entry.clone(),
            }
        };
        Registry {
            commands: config.commands.iter().map(command).collect(),
            facts: facts::Facts::new(config),
            events: config.events.clone(),
            channels: config.channels.clone(),
            unreadable_class: config.class_of(action::UNREADABLE),
            eventstream: config.home_assistant.eventstream.clone(),
        }
    }

    /// What a message on a known command topic asks for. `None`: no known command topic. A known topic whose payload
    /// no entry can read is `command.unreadable`, sensitive if any action on that topic is.
    ///
    /// Where several entries fit, the strictest class wins, then what a policy may block, then the owner's order: a
    /// payload that says two things is judged by the more dangerous one. A payload that says more than the fitting
    /// entries know is unreadable too, unless what they know is sensitive already: a lock takes a new code beside `LOCK`.
    pub fn read_command(&self, topic: &str, payload: &[u8], door: Door) -> Option<Request> {
        let on_topic: Vec<&Command> = self.commands.iter().filter(|command| command.entry.topic.fits(topic)).collect();
        let first = on_topic.first()?;
        let payload = Payload::new(payload);
        let fitting = on_topic.iter().filter(|command| command.fits(&payload));
        // `max_by_key` would take the last of equals.
        let chosen =
            fitting.clone().reduce(|best, next| if next.strictness() > best.strictness() { next } else { best });
        let chosen = chosen.filter(|chosen| {
            let paths: Vec<&[String]> = fitting.flat_map(|command| command.paths.iter().map(Vec::as_slice)).collect();
            chosen.class == Class::Sensitive || payload.has_only(&paths)
        });
        let names = chosen.unwrap_or(first).entry.topic.read(topic).unwrap_or_default();
        Some(match chosen {
            Some(command) => self.request(command, &names, &payload, door),
            None => self.unreadable(&on_topic, &names, &payload, door),
        })
    }

    fn request(&self, command: &Command, names: &Names, payload: &Payload<'_>, door: Door) -> Request {
        let entry = &command.entry;
        Request {
            action: entry.action.clone(),
            target: entry.target.as_ref().and_then(|template| template.text(names, payload)),
            source: self.source(entry.channel.as_deref()),
            door,
            data: read_data(&entry.data, names, payload),
            text: entry.text.as_ref().and_then(|template| template.text(names, payload)),
            confidence: None,
            sensitive: entry.sensitive,
        }
    }

    /// `names` are those of the first entry on the topic; its target is the best guess of what the command is about.
    fn unreadable(&self, on_topic: &[&Command], names: &Names, payload: &Payload<'_>, door: Door) -> Request {
        let channels: Vec<Option<&str>> = on_topic.iter().map(|command| command.entry.channel.as_deref()).collect();
        let first = channels.first().copied().flatten();
        // Entries that name different channels leave it open who asks.
        let channel = first.filter(|_| channels.iter().all(|channel| *channel == first));
        let target = on_topic.first().and_then(|command| command.entry.target.as_ref()?.text(names, payload));
        let is_sensitive = on_topic.iter().any(|command| command.class == Class::Sensitive);
        Request {
            action: action::UNREADABLE.to_owned(),
            target,
            source: self.source(channel),
            door,
            data: BTreeMap::new(),
            text: None,
            confidence: None,
            sensitive: is_sensitive || self.unreadable_class == Class::Sensitive,
        }
    }

    /// Who asks by a configured channel.
    pub fn source(&self, channel: Option<&str>) -> Source {
        let known = channel.and_then(|name| self.channels.get_key_value(name));
        known.map_or_else(Source::default, |(name, channel)| Source {
            kind: channel.kind,
            channel: Some(name.clone()),
            ..Source::default()
        })
    }

    /// Whether some `commands:` entry names the topic.
    pub fn is_command_topic(&self, topic: &str) -> bool {
        self.commands.iter().any(|command| command.entry.topic.fits(topic))
    }

    /// The facts that a message tells, live or stored.
    pub fn read_facts(&self, message: &Message) -> Vec<FactChange> {
        self.facts.read(message)
    }

    /// The events that a live message tells. A stored message tells none: it happened some other time.
    pub fn read_events(&self, message: &Message) -> Vec<HouseEvent> {
        if message.retain || message.payload.is_empty() {
            return Vec::new();
        }
        let payload = Payload::new(&message.payload);
        let read = |entry: &EventEntry| {
            let names = entry.topic.read(&message.topic)?;
            if entry.when.as_ref().is_some_and(|condition| !condition.holds(&payload)) {
                return None;
            }
            let text = |template: &Option<Template>| template.as_ref()?.text(&names, &payload);
            Some(HouseEvent {
                name: entry.event.clone(),
                speaker: text(&entry.speaker).filter(|name| (1..=SPEAKER_BYTES_MAX).contains(&name.len())),
                text: text(&entry.text),
                confidence: text(&entry.confidence)
                    .and_then(|text| text.parse().ok())
                    .filter(|confidence| (0.0..=1.0).contains(confidence)),
                data: read_data(&entry.data, &names, &payload),
            })
        };
        self.events.iter().filter_map(read).collect()
    }

    /// The owner accepts what is announced for a guarded topic now.
    pub fn accept(&self, _topic: &str) -> Guard {
        Guard::default()
    }

    /// What must be subscribed to for facts, events and traces.
    pub fn subscriptions(&self) -> Vec<TopicFilter> {
        let events = self.events.iter().map(|entry| entry.topic.filter().clone());
        let stream = self.eventstream.as_ref().and_then(|topic| TopicFilter::new(topic).ok());
        self.facts.filters().into_iter().chain(events).chain(stream).collect()
    }

    /// The state that must follow a command, with its entity. `None`: nothing is known to follow.
    pub fn expected(&self, _topic: &str, _payload: &[u8]) -> Option<(String, String)> {
        None
    }

    /// Whether a command topic that is known leads to this entity, so that what is asked of it is judged there.
    pub fn reaches(&self, entity: &str) -> bool {
        let is_target = |target: &Template| target.as_str() == entity;
        self.commands.iter().any(|command| command.entry.target.as_ref().is_some_and(is_target))
    }

    /// The entity that stands for this one in Home Assistant as its gated twin.
    pub fn twin_of(&self, _entity: &str) -> Option<String> {
        None
    }
}

impl Command {
    /// Of two that fit one payload, the greater one counts.
    fn strictness(&self) -> (Class, bool) {
        (self.class, !self.is_floor)
    }

    fn fits(&self, payload: &Payload<'_>) -> bool {
        let has_one_reading = !self.reads_fields || !payload.is_ambiguous();
        has_one_reading && self.entry.when.as_ref().is_none_or(|condition| condition.holds(payload))
    }
}

/// An entry without fields in `when` reads the payload as a whole: it says what every payload on its topic means.
fn paths<'a>(entry: &CommandEntry, templates: impl Iterator<Item = &'a Template>) -> Vec<Vec<String>> {
    let Some(PayloadCondition::Fields(fields)) = &entry.when else { return vec![Vec::new()] };
    let read = fields.iter().map(|(path, _)| path).chain(&entry.beside).cloned();
    read.chain(templates.flat_map(Template::payload_paths).map(<[String]>::to_vec)).collect()
}

fn reads_fields<'a>(when: Option<&PayloadCondition>, mut templates: impl Iterator<Item = &'a Template>) -> bool {
    matches!(when, Some(PayloadCondition::Fields(_))) || templates.any(Template::reads_fields)
}

fn read_data(
    data: &BTreeMap<String, Template>,
    names: &Names,
    payload: &Payload<'_>,
) -> BTreeMap<String, serde_json::Value> {
    let value = |(name, template): (&String, &Template)| {
        let value = template.value(names, payload).filter(|value| !value.is_null())?;
        Some((name.clone(), value))
    };
    data.iter().filter_map(value).collect()
}

/// A value that was written as JSON; other text is itself.
fn value_of(payload: &Payload<'_>) -> Option<serde_json::Value> {
    match payload.json() {
        Json::Value { value, .. } => Some(value.clone()),
        Json::Ambiguous(_) => None,
        Json::None => payload.text().map(serde_json::Value::from),
    }
}

#[cfg(test)]
mod tests;
