//! Shelly: `shellies/<id>/relay/0/command` in the first generation; `<prefix>/rpc` and `<prefix>/command/switch:0` since the
//! second, where one topic takes every call there is.
//!
//! Which entity a call moves follows from the part of the device that it names: `switch:0`. A part that nobody announced may
//! be the relay behind the announced one. Calls that are no switch (scripts, settings) are sensitive.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Gap;
use super::device::{Device, Here, Role};
use super::judge::{DoorReading, Judge};
use crate::config::payload::{Json, Payload, scalar_text};
use crate::model::action;
use crate::model::entity::Entity;

/// The root of the first generation.
const FIRST: &str = "shellies";
/// A call or command that sets the device up or runs code on it.
const CALL: &str = action::SHELLY_CALL;
/// A call or command that only asks.
const QUERY: &str = "shelly.query";
const QUERY_WORDS: [&str; 3] = ["announce", "status_update", "update"];
/// Installs new firmware.
const UPDATE: &str = "update_fw";
/// The parts that move something, in both generations' words.
const PARTS: [&str; 10] = ["relay", "roller", "light", "color", "white", "switch", "cover", "rgb", "rgbw", "cct"];

/// What the topics of the device begin with.
pub(super) fn place(entity: &Entity, topic: &str) -> Option<String> {
    let is_shelly = topic.contains("shelly")
        || topic.starts_with("shellies/")
        || entity.device.iter().any(|id| id.to_ascii_lowercase().starts_with("shelly"));
    let root = match topic.strip_suffix("/rpc") {
        Some(root) => root,
        None if topic.starts_with("shellies/") => {
            let (id, _) = topic.strip_prefix("shellies/")?.split_once('/')?;
            topic.get(..FIRST.len() + 1 + id.len())?
        }
        None => topic.split_once("/command/").filter(|(_, part)| part.contains(':'))?.0,
    };
    (is_shelly && !root.is_empty()).then(|| root.to_owned())
}

pub(super) fn roots(device: &Device) -> Vec<(String, Role)> {
    let mut roots = vec![(device.root.clone(), Role::Device)];
    if device.root.starts_with("shellies/") {
        roots.push((FIRST.to_owned(), Role::Group));
    }
    roots
}

pub(super) fn read(judge: &Judge<'_>, here: &Here<'_>, role: Role, rest: &str, payload: &[u8]) -> Option<DoorReading> {
    let entities: Vec<&Entity> = here.entities().collect();
    let payload = Payload::new(payload);
    let levels: Vec<&str> = rest.split('/').collect();
    match levels.as_slice() {
        ["command"] => Some(announce(judge, &payload)),
        _ if role == Role::Group => None,
        ["rpc"] => call(judge, &entities, &payload),
        ["command", part] => {
            let text = payload.text().unwrap_or_default();
            Some(moved(judge, &entities, part, &words(text)))
        }
        [kind, number, "command" | "set"] | [kind, number, "command", "pos"] if PARTS.contains(kind) => {
            let text = payload.text().unwrap_or_default();
            let part = format!("{kind}:{number}");
            if levels.last() == Some(&"set") {
                set(judge, &entities, &part, &payload)
            } else {
                Some(moved(judge, &entities, &part, &words(text)))
            }
        }
        _ => None,
    }
}

/// `announce` and `update` only ask; `update_fw` installs. Of a word that is not known nothing is shown.
fn announce(judge: &Judge<'_>, payload: &Payload<'_>) -> DoorReading {
    let word = payload.text().unwrap_or_default().trim();
    match QUERY_WORDS.iter().find(|known| **known == word) {
        Some(known) => judge.program(QUERY, ("command", known), false),
        None => judge.program(CALL, ("command", if word == UPDATE { UPDATE } else { "unknown" }), true),
    }
}

/// `open`, or `pos,50`: cut into the word and its number.
fn words(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).take(2).collect()
}

/// The JSON of the first generation's lamps: `{"turn": "on", …}`.
fn set(judge: &Judge<'_>, entities: &[&Entity], part: &str, payload: &Payload<'_>) -> Option<DoorReading> {
    let turn = match payload.json() {
        Json::Value { value, has_case_twins: false } => value.get("turn").and_then(Value::as_str),
        _ => return judge.unreadable_by(entities.iter().copied()),
    };
    // Without `turn` only colour and brightness change.
    Some(moved(judge, entities, part, &words(turn?)))
}

/// A remote call: `{"method": "Switch.Set", "params": {"id": 0, "on": true}}`.
fn call(judge: &Judge<'_>, entities: &[&Entity], payload: &Payload<'_>) -> Option<DoorReading> {
    let Json::Value { value, has_case_twins: false } = payload.json() else {
        return judge.unreadable_by(entities.iter().copied());
    };
    let Some(method) = value.get("method").and_then(Value::as_str) else {
        return judge.unreadable_by(entities.iter().copied());
    };
    let lower = method.to_ascii_lowercase();
    let (kind, verb) = lower.split_once('.').unwrap_or((&lower, ""));
    let params = value.get("params");
    let param = |name: &str| params.and_then(|params| params.get(name)).map(scalar_text);
    if verb.starts_with("get") || verb.starts_with("list") {
        return Some(judge.program(QUERY, ("method", method), false));
    }
    // An entity that is commanded by calls announced them as its payloads.
    let announced = entities.iter().filter_map(|entity| announced_call(judge, entity, value));
    if let Some(reading) = judge.strictest(announced) {
        return Some(reading);
    }
    let word = match verb {
        "set" => match param("on").as_deref() {
            Some("true") => vec!["on".to_owned()],
            Some("false") => vec!["off".to_owned()],
            _ => vec![String::new()],
        },
        "toggle" | "open" | "close" | "stop" => vec![verb.to_owned()],
        "gotoposition" => vec!["pos".to_owned(), param("pos").unwrap_or_default()],
        _ => Vec::new(),
    };
    if word.is_empty() || !PARTS.contains(&kind) {
        return Some(judge.program(CALL, ("method", method), true));
    }
    let number = param("id").unwrap_or_else(|| "0".to_owned());
    Some(moved(judge, entities, &format!("{kind}:{number}"), &word))
}

/// The meaning of a call that an entity has as one of its payloads; who calls, and by which number, does not count.
fn announced_call(judge: &Judge<'_>, entity: &Entity, call: &Value) -> Option<DoorReading> {
    let is_same = |text: &&str| match Payload::new(text.as_bytes()).json() {
        Json::Value { value, .. } => ["method", "params"].iter().all(|name| value.get(name) == call.get(name)),
        _ => false,
    };
    let payloads = entity.options.iter().filter(|(key, _)| key.starts_with("payload_"));
    let payload = payloads.filter_map(|(_, text)| text.as_str()).find(is_same)?;
    judge.strictest(entity.command_topics().filter_map(|(key, _)| judge.readable(entity, key, payload)))
}

/// What a word to a part of the device means: on the entity that announced the part, else on all of the device.
fn moved(judge: &Judge<'_>, entities: &[&Entity], part: &str, words: &[String]) -> DoorReading {
    let announced: Vec<&Entity> = entities.iter().copied().filter(|entity| names_part(entity, part)).collect();
    let read = announced.iter().filter_map(|entity| match words {
        [word] => judge.any_key(entity, word),
        [pos, number] if pos == "pos" => judge.position(entity, number),
        _ => None,
    });
    let reached = if announced.is_empty() { entities } else { &announced };
    let unreadable = || judge.unreadable_by(reached.iter().copied());
    judge.strictest(read).or_else(unreadable).unwrap_or_else(|| judge.program(CALL, ("part", part), true))
}

/// Whether an entity's topics or payloads speak of `switch:0`, in any way that its generation writes it.
fn names_part(entity: &Entity, part: &str) -> bool {
    let Some((kind, number)) = part.split_once(':') else { return false };
    let in_topic = |topic: &str| {
        let levels: Vec<&str> = topic.split('/').collect();
        levels.contains(&part)
            || levels.windows(2).any(|pair| matches!(pair, [first, second] if *first == kind && *second == number))
    };
    let topics =
        entity.options.iter().filter(|(key, _)| key.ends_with("topic")).filter_map(|(_, topic)| topic.as_str());
    topics.into_iter().any(in_topic)
}

pub(super) fn filters(device: &Device) -> Vec<(String, &'static str, bool)> {
    let root = &device.root;
    if root.starts_with("shellies/") {
        let parts =
            ["command", "command/pos", "set"].map(|end| (format!("{root}/+/+/{end}"), "its relays and rollers", false));
        let own = (format!("{root}/command"), "commands of its firmware", false);
        return parts.into_iter().chain([own, (format!("{FIRST}/command"), "commands to all Shellys", true)]).collect();
    }
    vec![
        (format!("{root}/rpc"), "remote calls", false),
        (format!("{root}/command/#"), "its switches and covers", false),
    ]
}

pub(super) fn gaps(device: &Device, entity_id: &str) -> Vec<Gap> {
    vec![Gap {
        family: device.family,
        is_shut_by_rules: true,
        topic: None,
        what: format!("the web page and the cloud of the Shelly behind `{entity_id}`"),
        reason: "they reach the device without the broker".to_owned(),
        help: "set a password on the device, and switch its cloud off if you do not use it".to_owned(),
    }]
}

pub(super) fn needs(device: &Device) -> (BTreeSet<String>, BTreeSet<String>) {
    let own = format!("{}/#", device.root);
    let mut reads = BTreeSet::from([own.clone()]);
    let mut writes = BTreeSet::from([own]);
    if device.root.starts_with("shellies/") {
        reads.insert(format!("{FIRST}/command"));
        writes.insert(format!("{FIRST}/announce"));
    }
    (reads, writes)
}
