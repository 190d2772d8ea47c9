//! What several readings of one message say together, and words that devices take beside the announced ones.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::payload::scalar_text;
use crate::model::action::Class;
use crate::model::entity::Entity;
use crate::registry::platform::{self, Reading};

/// What a message on another door of a device means.
#[derive(Debug, Clone, PartialEq)]
pub struct DoorReading {
    /// The entity that is moved. `None`: no discovered entity is named, such as by a group or by a request to the
    /// bridge program itself. The gate lets nothing pass that names none; watching judges it.
    pub entity_id: Option<String>,
    pub reading: Reading,
}

pub(super) struct Judge<'a> {
    class_of: &'a dyn Fn(&str) -> Class,
}

impl<'a> Judge<'a> {
    pub(super) fn new(class_of: &'a dyn Fn(&str) -> Class) -> Judge<'a> {
        Judge { class_of }
    }

    /// The strictest of several. Of those that are sensitive one to a program goes first, since no rule for an entity may
    /// let it slip through; then what could be read, as policies know it by name; then what does not close or stop.
    pub(super) fn strictest(&self, readings: impl IntoIterator<Item = DoorReading>) -> Option<DoorReading> {
        let rank = |found: &DoorReading| {
            let reading = &found.reading;
            let is_program = found.entity_id.is_none() && self.is_sensitive(reading);
            (self.is_sensitive(reading), is_program, reading.is_readable, !is_calming(&reading.action))
        };
        // `max_by_key` would take the last of equals.
        readings.into_iter().reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })
    }

    fn is_sensitive(&self, reading: &Reading) -> bool {
        reading.is_sensitive || (self.class_of)(&reading.action) == Class::Sensitive
    }

    /// A payload on one of an entity's command keys. `None`: it says nothing there.
    pub(super) fn readable(&self, entity: &Entity, key: &str, payload: &str) -> Option<DoorReading> {
        let reading = platform::read_command(entity, key, payload.as_bytes());
        reading.is_readable.then(|| DoorReading { entity_id: Some(entity.entity_id.clone()), reading })
    }

    /// A word in whatever letter case the entity knows it: many devices do not care.
    pub(super) fn word(&self, entity: &Entity, key: &str, word: &str) -> Option<DoorReading> {
        let forms = [word.to_owned(), word.to_uppercase(), word.to_lowercase()];
        let announced = announced_payload(entity, word);
        announced.into_iter().chain(forms).find_map(|form| self.readable(entity, key, &form))
    }

    /// A word on whichever key of the entity takes it.
    pub(super) fn any_key(&self, entity: &Entity, word: &str) -> Option<DoorReading> {
        self.strictest(entity.command_topics().filter_map(|(key, _)| self.word(entity, key, word)))
    }

    /// A position in percent.
    pub(super) fn position(&self, entity: &Entity, percent: &str) -> Option<DoorReading> {
        self.readable(entity, "set_position_topic", percent)
    }

    /// Something was said to this entity that could not be read.
    pub(super) fn unreadable(&self, entity: &Entity) -> DoorReading {
        DoorReading { entity_id: Some(entity.entity_id.clone()), reading: platform::unreadable(entity) }
    }

    /// Something was said that may have reached any of these entities. `None`: there are none.
    pub(super) fn unreadable_by<'e>(&self, entities: impl IntoIterator<Item = &'e Entity>) -> Option<DoorReading> {
        self.strictest(entities.into_iter().map(|entity| self.unreadable(entity)))
    }

    /// Something was said to a bridge program or to a firmware, not to an entity. `what` names it, and nothing else of
    /// the payload is shown: it may hold keys and codes.
    pub(super) fn program(&self, action: &str, what: (&str, &str), is_sensitive: bool) -> DoorReading {
        let (name, value) = what;
        DoorReading {
            entity_id: None,
            reading: Reading {
                action: action.to_owned(),
                data: BTreeMap::from([(name.to_owned(), Value::from(clip(value)))]),
                text: None,
                is_readable: true,
                expected: None,
                is_sensitive,
            },
        }
    }

    /// No entity is named, though some may be reached.
    pub(super) fn unnamed(&self, mut reading: DoorReading) -> DoorReading {
        reading.entity_id = None;
        reading
    }
}

/// Whether an action leaves a house more closed, or more still, than it was.
fn is_calming(action: &str) -> bool {
    let service = action.split_once('.').map_or(action, |(_, service)| service);
    service == "lock" || ["turn_off", "close_", "stop_"].iter().any(|start| service.starts_with(start))
}

/// The name of a request or of a command, in bytes, as it is shown.
const NAME_BYTES_MAX: usize = 64;

fn clip(text: &str) -> &str {
    let end = text.char_indices().map(|(index, _)| index).chain([text.len()]).take_while(|end| *end <= NAME_BYTES_MAX);
    text.get(..end.last().unwrap_or(0)).unwrap_or_default()
}

/// What the entity announced as a payload that reads as this word, else as the payload for it: `on` is `payload_on`.
fn announced_payload(entity: &Entity, word: &str) -> Option<String> {
    let is_payload = |key: &str| key.starts_with("payload_") && !key.ends_with("available");
    let texts = entity.options.iter().filter(|(key, _)| is_payload(key)).map(|(key, value)| (key, payload_text(value)));
    let same = texts.clone().find(|(_, text)| text.trim().eq_ignore_ascii_case(word.trim()));
    let key = format!("payload_{}", word.trim().to_ascii_lowercase());
    same.or_else(|| texts.clone().find(|(own, _)| **own == key)).map(|(_, text)| text)
}

/// As Home Assistant would send it: `true` goes out as `True`.
fn payload_text(value: &Value) -> String {
    match value {
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => scalar_text(other),
    }
}
