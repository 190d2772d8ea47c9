//! What payloads mean on the topics of an entity: commands as Home Assistant's actions, states as facts, and the
//! command that puts one right again.
//!
//! All of it is a function of the entity and the payload: nothing is kept, nothing is judged, no other entity is
//! looked at. Who claims a topic, and which claim counts, is decided above. Codes and PINs are never taken out of a
//! payload; that one was given is all that is said.

mod alarm;
mod climate;
mod cover;
mod grammar;
mod light;
mod lock;
mod matching;
mod secret;
mod sensitivity;
mod simple;
mod states;
mod switch;
mod vacuum;

use std::collections::BTreeMap;

use serde_json::Value;

use self::grammar::Grammar;
use self::sensitivity::{OPENING_WORDS, is_door};
pub use self::sensitivity::{PLATFORMS, is_sensitive, takes_commands};
use super::template;
use crate::config::payload::{Payload, scalar_text};
use crate::model::action::{Class, UNREADABLE, class_of};
use crate::model::entity::Entity;
use crate::model::request::FactChange;

/// Longest payload that is read, in bytes. A longer one is unreadable.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// Longest text that is told of a command, in bytes: a mode, an effect, an option. Home Assistant's own bound for a
/// state. Only a notification is longer.
pub const TEXT_BYTES_MAX: usize = 255;

/// What a payload on a command topic asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// `lock.unlock`; `<platform>.unreadable` where it cannot be said.
    pub action: String,
    /// Further fields, named as Home Assistant's services name them. `code_given: true` stands for a code.
    pub data: BTreeMap<String, Value>,
    /// What is to be said, for `notify`.
    pub text: Option<String>,
    pub is_readable: bool,
    /// The state that should follow, as Home Assistant names it: `unlocked`, `open`, `on`. What moves may be `opening`,
    /// `closing`, `arming` before. `None`: no state follows for certain.
    pub expected: Option<String>,
    /// It is to be treated as sensitive, whatever the class of its action: a gate is opened, or it cannot be read and
    /// its entity is sensitive.
    pub is_sensitive: bool,
}

/// What a payload on the command topic that `key` names asks for. Every payload has an answer.
pub fn read_command(entity: &Entity, key: &str, payload: &[u8]) -> Reading {
    let grammar = grammar_of(entity, key);
    let read = (payload.len() <= PAYLOAD_BYTES_MAX).then(|| grammar.read(entity, &Payload::new(payload))).flatten();
    read.unwrap_or_else(|| unreadable_payload(entity, payload))
}

/// What cannot be read is as sensitive as its entity, and sensitive wherever it may speak of opening: a light's topic may
/// be the topic of a lock too.
fn unreadable_payload(entity: &Entity, payload: &[u8]) -> Reading {
    let text = String::from_utf8_lossy(payload).to_lowercase();
    let opens = payload.len() > PAYLOAD_BYTES_MAX || OPENING_WORDS.iter().any(|word| text.contains(word));
    let reading = unreadable(entity);
    Reading { is_sensitive: reading.is_sensitive || opens, ..reading }
}

/// Something that cannot be said. It is as sensitive as its entity.
pub fn unreadable(entity: &Entity) -> Reading {
    let platform = entity.platform.as_str();
    let action = if takes_commands(entity) && !PLATFORMS.contains(&platform) {
        UNREADABLE.to_owned()
    } else {
        format!("{platform}.unreadable")
    };
    let is_sensitive = is_sensitive(entity) || class_of(&action) == Class::Sensitive;
    Reading { action, data: BTreeMap::new(), text: None, is_readable: false, expected: None, is_sensitive }
}

fn grammar_of<'a>(entity: &'a Entity, key: &'a str) -> Grammar<'a> {
    match (entity.platform.as_str(), key) {
        ("lock", "command_topic") => lock::commands(entity),
        ("alarm_control_panel", "command_topic") => alarm::commands(entity),
        ("cover", _) => cover::commands(entity, key),
        ("valve", "command_topic") => cover::valve_commands(entity),
        ("switch", "command_topic") => switch::commands(entity),
        ("siren", "command_topic") => switch::siren_commands(entity),
        ("light", _) => light::commands(entity, key),
        ("climate", _) => climate::commands(entity, key),
        ("water_heater", _) => climate::water_heater_commands(entity, key),
        ("humidifier", _) => climate::humidifier_commands(entity, key),
        ("fan", _) => climate::fan_commands(entity, key),
        ("vacuum", _) => vacuum::commands(entity, key),
        ("lawn_mower", _) => vacuum::mower_commands(entity, key),
        (_, "command_topic") => simple::commands(entity),
        _ => Grammar::default(),
    }
}

/// The command that puts a reading right again: its topic and payload. `None` where nothing does, or where it would
/// open, unlock or disarm something: a lock that was locked round the gate stays locked.
pub fn undo(entity: &Entity, _key: &str, reading: &Reading) -> Option<(String, Vec<u8>)> {
    let opened = reading.expected.as_deref() == Some("open");
    let own =
        |key: &str, default: &str| grammar::command(entity, "command_template", payload_text(entity, key, default));
    let payload = match reading.action.as_str() {
        "lock.unlock" | "lock.open" => own("payload_lock", "LOCK"),
        "cover.open_cover" | "cover.open_garage" => payload_text(entity, "payload_close", "CLOSE"),
        "cover.set_cover_position" if opened => payload_text(entity, "payload_close", "CLOSE"),
        "valve.open_valve" | "valve.set_valve_position" => cover::close_valve(entity),
        "switch.turn_on" | "fan.turn_on" | "humidifier.turn_on" => own("payload_off", "OFF"),
        "siren.turn_on" => switch::siren_off(entity),
        // A light that was dimmed or colored is not put right by turning it off.
        "light.turn_on" if reading.data.is_empty() => light::turn_off(entity),
        _ => None,
    }?;
    let topic = entity.text("command_topic").filter(|topic| !topic.is_empty())?;
    // One payload may be the word for both: then it would do again what it should undo.
    let undoing = read_command(entity, "command_topic", payload.as_bytes());
    let puts_right =
        undoing.is_readable && undoing.action != reading.action && class_of(&undoing.action) == Class::Ordinary;
    puts_right.then(|| (topic.to_owned(), payload.into_bytes()))
}

/// The topics on which the entity's states come.
pub fn state_topics(entity: &Entity) -> Vec<String> {
    let mut topics: Vec<String> = states::sources(entity).iter().map(|source| source.topic.to_owned()).collect();
    topics.sort();
    topics.dedup();
    topics
}

/// The facts that a message on one of the entity's state topics tells. A payload that cannot be read tells none.
pub fn read_state(entity: &Entity, topic: &str, payload: &[u8]) -> Vec<FactChange> {
    states::read(entity, topic, payload)
}

/// An option as Home Assistant takes it for text: `true` is `True`, a number its digits. `None`: not given, or null.
fn option_text(entity: &Entity, key: &str) -> Option<String> {
    match entity.options.get(key)? {
        Value::Null => None,
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        other => Some(scalar_text(other)),
    }
}

/// A payload of the owner's, or Home Assistant's default for it. `None`: it is null, so there is no such command.
fn payload_text(entity: &Entity, key: &str, default: &str) -> Option<String> {
    if entity.options.contains_key(key) { option_text(entity, key) } else { Some(default.to_owned()) }
}

/// The texts of a list, each as Home Assistant takes it. `None`: there is no list.
fn texts(entity: &Entity, key: &str) -> Option<Vec<String>> {
    Some(entity.options.get(key)?.as_array()?.iter().map(scalar_text).collect())
}

fn option_number(entity: &Entity, key: &str, default: f64) -> f64 {
    entity.options.get(key).and_then(Value::as_f64).unwrap_or(default)
}

fn flag(entity: &Entity, key: &str) -> bool {
    match entity.options.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => matches!(text.to_lowercase().as_str(), "1" | "true" | "yes" | "on" | "enable"),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        _ => false,
    }
}

/// A text that is short enough to be told.
fn short_text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| (1..=TEXT_BYTES_MAX).contains(&text.len()))
}

/// Whether a field can be told as it is: a short text, a number, or yes or no.
fn is_plain(field: &Value) -> bool {
    match field {
        Value::Object(_) | Value::Array(_) => false,
        Value::String(text) => text.len() <= TEXT_BYTES_MAX,
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A number as JSON: whole where it is.
fn number_value(number: f64) -> Value {
    let text = format!("{number}");
    text.parse::<i64>().map_or_else(|_| Value::from(number), Value::from)
}

#[cfg(test)]
mod tests;
