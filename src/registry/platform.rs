//! What payloads mean on the topics of an entity: commands as Home Assistant's actions, states as facts, and the
//! command that puts one right again.
//!
//! All of it is a function of the entity and the payload: nothing is kept, nothing is judged, no other entity is
//! looked at. Who claims a topic, and which claim counts, is decided above. Codes and PINs are never taken out of a
//! payload; that one was given is all that is said.

mod alarm;
mod cover;
mod grammar;
mod lock;
mod matching;
mod secret;
mod states;
mod switch;

use std::collections::BTreeMap;

use serde_json::Value;

use self::grammar::Grammar;
use super::template;
use crate::config::payload::{Payload, scalar_text};
use crate::model::action::{Class, class_of};
use crate::model::entity::Entity;
use crate::model::request::FactChange;

/// Longest payload that is read, in bytes. A longer one is unreadable.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

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
    read.unwrap_or_else(|| unreadable(entity))
}

/// Something that cannot be said. It is as sensitive as its entity.
pub fn unreadable(entity: &Entity) -> Reading {
    let action = match entity.platform.as_str() {
        platform if PLATFORMS.contains(&platform) => format!("{platform}.unreadable"),
        _ => crate::model::action::UNREADABLE.to_owned(),
    };
    let is_sensitive = is_sensitive(entity) || class_of(&action) == Class::Sensitive;
    Reading { action, data: BTreeMap::new(), text: None, is_readable: false, expected: None, is_sensitive }
}

fn grammar_of<'a>(entity: &'a Entity, key: &str) -> Grammar<'a> {
    match (entity.platform.as_str(), key) {
        ("lock", "command_topic") => lock::commands(entity),
        ("alarm_control_panel", "command_topic") => alarm::commands(entity),
        ("cover", _) => cover::commands(entity, key),
        ("valve", "command_topic") => cover::valve_commands(entity),
        ("switch", "command_topic") => switch::commands(entity),
        ("siren", "command_topic") => switch::siren_commands(entity),
        _ => Grammar::default(),
    }
}

/// Home Assistant's MQTT platforms that take commands.
pub const PLATFORMS: [&str; 23] = [
    "alarm_control_panel",
    "button",
    "climate",
    "cover",
    "date",
    "datetime",
    "fan",
    "humidifier",
    "lawn_mower",
    "light",
    "lock",
    "notify",
    "number",
    "scene",
    "select",
    "siren",
    "switch",
    "text",
    "time",
    "update",
    "vacuum",
    "valve",
    "water_heater",
];

/// Whose every instance is sensitive. An update installs code; a notification leaves the house.
const SENSITIVE_PLATFORMS: [&str; 6] = ["alarm_control_panel", "lock", "notify", "siren", "update", "valve"];
/// Covers by which somebody may come in.
const DOOR_CLASSES: [&str; 3] = ["door", "garage", "gate"];
/// What a relay, a button or a setting may be called that moves a door, a lock or an alarm.
const DOOR_WORDS: [&str; 22] = [
    "alarm",
    "door",
    "doors",
    "entrance",
    "garage",
    "garagentor",
    "gate",
    "gates",
    "haustuer",
    "haustur",
    "haustür",
    "lock",
    "opener",
    "schloss",
    "siren",
    "strike",
    "tor",
    "tuer",
    "tur",
    "tür",
    "unlatch",
    "unlock",
];
/// Platforms of which one may be a door in disguise.
const DISGUISES: [&str; 7] = ["button", "cover", "number", "scene", "select", "switch", "text"];

/// Whether an entity is guarded with `gate: sensitive`.
///
/// Locks, alarms, valves, sirens, notifications and updates are. So are covers of the class garage, door or gate, and
/// covers, switches, buttons, scenes, selects, numbers and texts that have a door, a gate, a lock, an alarm or a siren
/// in their name or entity id: a relay that is named `Door opener` is a lock. `Child lock` is none. An entity of an
/// unknown platform is, since nobody can say what it does.
pub fn is_sensitive(entity: &Entity) -> bool {
    let platform = entity.platform.as_str();
    SENSITIVE_PLATFORMS.contains(&platform) || !PLATFORMS.contains(&platform) || is_door(entity)
}

/// Whether the entity opens a way into the house, or is named as if it did.
fn is_door(entity: &Entity) -> bool {
    let has_class = entity.text("device_class").is_some_and(|class| DOOR_CLASSES.contains(&class));
    match entity.platform.as_str() {
        "cover" if has_class => true,
        platform if DISGUISES.contains(&platform) => {
            has_class || has_door_word(&entity.name) || has_door_word(&entity.entity_id)
        }
        _ => false,
    }
}

fn has_door_word(name: &str) -> bool {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|character: char| !character.is_alphanumeric()).collect();
    words.iter().any(|word| DOOR_WORDS.contains(word)) && !words.contains(&"child")
}

/// The command that puts a reading right again: its topic and payload. `None` where nothing does, or where it would
/// open, unlock or disarm something: a lock that was locked round the gate stays locked.
pub fn undo(entity: &Entity, _key: &str, reading: &Reading) -> Option<(String, Vec<u8>)> {
    let payload = match reading.action.as_str() {
        "lock.unlock" | "lock.open" => lock::payload(entity, "payload_lock", "LOCK"),
        "cover.open_cover" | "cover.open_garage" | "cover.set_cover_position" => cover::close(entity),
        "valve.open_valve" | "valve.set_valve_position" => cover::close_valve(entity),
        "switch.turn_on" => switch::off(entity),
        "siren.turn_on" => switch::siren_off(entity),
        _ => None,
    }?;
    let topic = entity.text("command_topic").filter(|topic| !topic.is_empty())?;
    Some((topic.to_owned(), payload.into_bytes()))
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

/// A number as JSON: whole where it is.
fn number_value(number: f64) -> Value {
    let text = format!("{number}");
    text.parse::<i64>().map_or_else(|_| Value::from(number), Value::from)
}

#[cfg(test)]
mod tests;
