//! Vacuum cleaners and lawn mowers.

use serde_json::{Map, Value};

use super::grammar::{Grammar, Kind, Meaning};
use super::{payload_text, secret, short_text, texts};
use crate::config::payload::{Json, Payload};
use crate::model::entity::Entity;

/// Payload key, Home Assistant's default, action, state that follows for certain.
const COMMANDS: [(&str, &str, &str, Option<&str>); 6] = [
    ("payload_start", "start", "vacuum.start", Some("cleaning")),
    ("payload_clean_spot", "clean_spot", "vacuum.clean_spot", Some("cleaning")),
    ("payload_pause", "pause", "vacuum.pause", Some("paused")),
    ("payload_stop", "stop", "vacuum.stop", None),
    ("payload_return_to_base", "return_to_base", "vacuum.return_to_base", None),
    ("payload_locate", "locate", "vacuum.locate", None),
];
/// Longest command to a vacuum cleaner, in bytes.
pub(super) const COMMAND_BYTES_MAX: usize = 64;
/// Longest parameters of a command to a vacuum cleaner that are told, in bytes of their JSON.
pub(super) const PARAMETERS_BYTES_MAX: usize = 1_024;

pub(super) fn commands<'a>(entity: &'a Entity, key: &str) -> Grammar<'a> {
    match key {
        "command_topic" => COMMANDS.iter().fold(Grammar::new(None), |grammar, (key, default, action, state)| {
            let meaning = Meaning::of(action);
            let meaning = state.map_or_else(|| meaning.clone(), |state| meaning.clone().then(state));
            grammar.word(payload_text(entity, key, default), meaning)
        }),
        "set_fan_speed_topic" => {
            let meaning = |speed: &str| Meaning::of("vacuum.set_fan_speed").with("fan_speed", speed);
            let listed = texts(entity, "fan_speed_list").unwrap_or_default();
            listed
                .into_iter()
                .fold(Grammar::new(None), |grammar, speed| {
                    let meaning = meaning(&speed);
                    grammar.word(Some(speed), meaning)
                })
                .free(Kind::Text, move |value| Some(meaning(short_text(value)?)))
        }
        "send_command_topic" => Grammar { whole: Some(Box::new(read_command)), ..Grammar::default() },
        _ => Grammar::default(),
    }
}

/// A bare word, or `{"command": "zone", …}` with parameters beside it.
fn read_command(payload: &Payload<'_>) -> Option<Meaning> {
    let meaning = Meaning::of("vacuum.send_command");
    match payload.json() {
        Json::Value { value: Value::Object(fields), has_case_twins: false } => {
            let command = fields.get("command")?.as_str().filter(|command| command.len() <= COMMAND_BYTES_MAX)?;
            let is_plain = |name: &str| name != "command" && !secret::is_secret(name);
            let parameters: Map<String, Value> = fields
                .iter()
                .filter(|(name, _)| is_plain(name))
                .map(|(name, field)| (name.clone(), shown(field)))
                .collect();
            let parameters = Value::Object(parameters);
            let meaning = meaning.with("command", command);
            let is_short = parameters.to_string().len() <= PARAMETERS_BYTES_MAX;
            Some(if is_short { meaning.with("params", parameters) } else { meaning })
        }
        Json::Value { .. } | Json::Ambiguous(_) => None,
        Json::None => {
            // Anything longer or stranger than a word may hold what is not to be shown.
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let is_word = |word: &&str| word.len() <= COMMAND_BYTES_MAX && word.bytes().all(is_part);
            let word = payload.text().map(str::trim).filter(is_word)?;
            if !word.starts_with(|first: char| first.is_ascii_alphabetic()) {
                return None;
            }
            Some(meaning.with("command", word))
        }
    }
}

/// A value with secrets left out at every depth.
fn shown(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| !secret::is_secret(name))
            .map(|(name, field)| (name.clone(), shown(field)))
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<Value>>().into(),
        other => other.clone(),
    }
}

/// A mower has a topic for each command, and the command's name is the value.
pub(super) fn mower_commands<'a>(entity: &'a Entity, key: &str) -> Grammar<'a> {
    let (name, meaning) = match key {
        "start_mowing_command_topic" => ("start_mowing", Meaning::of("lawn_mower.start_mowing").then("mowing")),
        "pause_command_topic" => ("pause", Meaning::of("lawn_mower.pause").then("paused")),
        "dock_command_topic" => ("dock", Meaning::of("lawn_mower.dock")),
        _ => return Grammar::default(),
    };
    Grammar::new(entity.text(&format!("{name}_command_template"))).word(Some(name.to_owned()), meaning)
}
