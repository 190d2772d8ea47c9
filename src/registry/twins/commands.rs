//! What Home Assistant sends to a twin, read: the service that is to be called on the original.
//!
//! Only what the twin's announcement lets Home Assistant send is read; everything else is an error. A code is part of what
//! is carried out, and of nothing that is told.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::split;
use crate::config::payload::{Json, read_json};

/// Longest code, in bytes.
pub(super) const CODE_BYTES_MAX: usize = 128;
/// Longest tone of a siren, in bytes.
const TONE_BYTES_MAX: usize = 128;

/// One command to a twin.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Under which name it is judged: `cover.open_garage`.
    pub action: String,
    /// It is sensitive whatever its name.
    pub sensitive: bool,
    /// For policies and records. It never holds a code.
    pub data: BTreeMap<String, Value>,
    /// For Home Assistant: `{"action": …, "target": …, "data": …}`, as JSON.
    pub act: String,
}

/// Words and services by domain. What stands beside the word is read by `beside`.
const WORDS: &[(&str, &str, &str)] = &[
    ("alarm_control_panel", "ARM_AWAY", "alarm_arm_away"),
    ("alarm_control_panel", "ARM_CUSTOM_BYPASS", "alarm_arm_custom_bypass"),
    ("alarm_control_panel", "ARM_HOME", "alarm_arm_home"),
    ("alarm_control_panel", "ARM_NIGHT", "alarm_arm_night"),
    ("alarm_control_panel", "ARM_VACATION", "alarm_arm_vacation"),
    ("alarm_control_panel", "DISARM", "alarm_disarm"),
    ("alarm_control_panel", "TRIGGER", "alarm_trigger"),
    ("button", "PRESS", "press"),
    ("cover", "CLOSE", "close_cover"),
    ("cover", "OPEN", "open_cover"),
    ("cover", "SET_POSITION", "set_cover_position"),
    ("cover", "STOP", "stop_cover"),
    ("lock", "LOCK", "lock"),
    ("lock", "OPEN", "open"),
    ("lock", "UNLOCK", "unlock"),
    ("scene", "ON", "turn_on"),
    ("siren", "OFF", "turn_off"),
    ("siren", "ON", "turn_on"),
    ("switch", "OFF", "turn_off"),
    ("switch", "ON", "turn_on"),
    ("valve", "CLOSE", "close_valve"),
    ("valve", "OPEN", "open_valve"),
    ("valve", "STOP", "stop_valve"),
];

/// Reads a command to the twin of `entity`, whose original is of this device class.
///
/// # Errors
/// What was expected and what was found, without the payload: there may be a code in it.
pub fn read(entity: &str, device_class: Option<&str>, payload: &[u8]) -> Result<Wish, String> {
    let (domain, _) = split(entity);
    let (word, mut beside) = word_of(domain, payload)?;
    let known = || WORDS.iter().filter(|(of, _, _)| *of == domain);
    let service = known().find(|(_, known, _)| *known == word).map(|(_, _, service)| *service).ok_or_else(|| {
        let words: Vec<String> = known().map(|(_, word, _)| format!("`{word}`")).collect();
        format!("expected one of {}, found something else", words.join(", "))
    })?;
    let act_data = data_of(domain, service, &mut beside)?;
    if let Some(field) = beside.keys().next() {
        return Err(format!("expected nothing beside the command `{word}`, found the field `{}`", shown(field)));
    }
    let opens = opens(domain, service, &act_data);
    let is_garage = domain == "cover" && opens && device_class == Some("garage");
    let mut data: BTreeMap<String, Value> = act_data.clone().into_iter().collect();
    if data.remove("code").is_some() {
        data.insert("code_given".to_owned(), true.into());
    }
    let act = json!({"action": format!("{domain}.{service}"), "target": {"entity_id": entity}, "data": act_data});
    Ok(Wish {
        action: if is_garage { "cover.open_garage".to_owned() } else { format!("{domain}.{service}") },
        sensitive: opens,
        data,
        act: act.to_string(),
    })
}

/// Whether it opens a way into the house, or lets water or gas run. What kind of cover the original is comes from a
/// topic that others may write, so it cannot make the opening of one harmless.
fn opens(domain: &str, service: &str, data: &Map<String, Value>) -> bool {
    match (domain, service) {
        ("cover", "set_cover_position") => data.get("position").and_then(Value::as_u64) != Some(0),
        ("cover", "open_cover") | ("valve", "open_valve") | ("lock", "unlock" | "open") => true,
        _ => false,
    }
}

/// The word of a command, and what else its JSON says.
fn word_of(domain: &str, payload: &[u8]) -> Result<(String, Map<String, Value>), String> {
    let text = std::str::from_utf8(payload).map_err(|_| "expected text, found bytes that are not UTF-8")?;
    let mut fields = match read_json(text) {
        Json::None => return Ok((text.to_owned(), Map::new())),
        Json::Value { value: Value::Object(fields), has_case_twins: false } => fields,
        Json::Value { .. } => return Err("expected a word or a JSON object, found something else".to_owned()),
        Json::Ambiguous(_) => return Err("expected JSON with one reading, found another".to_owned()),
    };
    // Home Assistant writes the commands of a siren itself.
    let key = if domain == "siren" { "state" } else { "action" };
    match fields.remove(key) {
        Some(Value::String(word)) => Ok((word, fields)),
        Some(_) => Err(format!("expected a text in `{key}`, found something else")),
        None => Err(format!("expected the field `{key}`, found none")),
    }
}

/// Takes out of the fields what the service takes.
fn data_of(domain: &str, service: &str, fields: &mut Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut data = Map::new();
    let mut take = |name: &str, expected: &str, fits: &dyn Fn(&Value) -> bool| match fields.remove(name) {
        None | Some(Value::Null) => Ok(()),
        Some(value) if fits(&value) => {
            data.insert(name.to_owned(), value);
            Ok(())
        }
        Some(_) => Err(format!("expected {expected} in `{name}`, found something else")),
    };
    let is_short = |value: &Value, bytes_max: usize| value.as_str().is_some_and(|text| text.len() <= bytes_max);
    match (domain, service) {
        ("lock" | "alarm_control_panel", _) => {
            let expected = format!("a text of at most {CODE_BYTES_MAX} bytes");
            take("code", &expected, &|value| is_short(value, CODE_BYTES_MAX))?;
        }
        ("cover", "set_cover_position") => {
            take("position", "a number from 0 to 100", &|value| value.as_u64().is_some_and(|number| number <= 100))?;
            if data.is_empty() {
                return Err("expected the field `position`, found none".to_owned());
            }
        }
        ("siren", "turn_on") => {
            take("tone", "a tone", &|value| value.is_u64() || is_short(value, TONE_BYTES_MAX))?;
            take("duration", "whole seconds", &Value::is_u64)?;
            let is_share = |value: &Value| value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
            take("volume_level", "a number from 0 to 1", &is_share)?;
        }
        _ => {}
    }
    Ok(data)
}

/// The name of a field, as an error may repeat it.
fn shown(text: &str) -> String {
    text.chars().take(40).collect::<String>().escape_debug().to_string()
}
