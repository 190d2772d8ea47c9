//! What the owner's `commands:` make of a topic and a payload.
//!
//! It knows nothing of discovery. Where both read a command the registry takes the stricter reading.

use std::collections::BTreeMap;

use super::read_data;
use crate::config::pattern::Names;
use crate::config::payload::{Payload, PayloadCondition};
use crate::config::template::Template;
use crate::config::{Channel, CommandEntry, Config};
use crate::model::action::{self, Class};
use crate::model::request::{Door, Request, Source};

#[derive(Debug, Clone)]
pub(super) struct Commands {
    entries: Vec<Command>,
    channels: BTreeMap<String, Channel>,
    unreadable_class: Class,
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

/// What one of several readers makes of a command.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) request: Request,
    /// Of two readings of one command the greater one counts: the stricter class, then what a policy may block, then
    /// what could be read.
    pub(super) strictness: (Class, bool, bool),
}

impl Commands {
    pub(super) fn new(config: &Config) -> Commands {
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
        Commands {
            entries: config.commands.iter().map(command).collect(),
            channels: config.channels.clone(),
            unreadable_class: config.class_of(action::UNREADABLE),
        }
    }

    /// What a message on a topic that some entry names asks for. `None`: none names it. A payload that no entry on the
    /// topic can read is `command.unreadable`, sensitive if any action on that topic is.
    ///
    /// Where several entries fit, the strictest class wins, then what a policy may block, then the owner's order: a
    /// payload that says two things is judged by the more dangerous one. A payload that says more than the fitting
    /// entries know is unreadable too, unless what they know is sensitive already: a lock takes a new code beside `LOCK`.
    pub(super) fn read(&self, topic: &str, payload: &[u8], door: Door) -> Option<Chosen> {
        let on_topic: Vec<&Command> = self.entries.iter().filter(|command| command.entry.topic.fits(topic)).collect();
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
            Some(command) => {
                let (class, is_blockable) = command.strictness();
                Chosen {
                    request: self.request(command, &names, &payload, door),
                    strictness: (class, is_blockable, true),
                }
            }
            None => {
                let request = self.unreadable(&on_topic, &names, &payload, door);
                let class = if request.sensitive { Class::Sensitive } else { self.unreadable_class };
                Chosen { request, strictness: (class, true, false) }
            }
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
            heard: None,
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
            heard: None,
        }
    }

    /// Who asks by a configured channel.
    pub(super) fn source(&self, channel: Option<&str>) -> Source {
        let known = channel.and_then(|name| self.channels.get_key_value(name));
        known.map_or_else(Source::default, |(name, channel)| Source {
            kind: channel.kind,
            channel: Some(name.clone()),
            ..Source::default()
        })
    }

    /// Whether an entry has this entity for its target.
    pub(super) fn reaches(&self, entity: &str) -> bool {
        let is_target = |target: &Template| target.as_str() == entity;
        self.entries.iter().any(|command| command.entry.target.as_ref().is_some_and(is_target))
    }

    /// Whether some entry names the topic.
    pub(super) fn is_command_topic(&self, topic: &str) -> bool {
        self.entries.iter().any(|command| command.entry.topic.fits(topic))
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
