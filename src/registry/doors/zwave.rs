//! Z-Wave JS UI: `<value topic>/set`, the same value by another name, and `broadcast`, `multicast` and `api` for all nodes.
//!
//! Nodes are told by the topics that they announced; by number only where the identifier of the device says it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Gap;
use super::device::{Device, Here, availability_topics};
use super::judge::{DoorReading, Judge};
use crate::config::payload::{Json, Payload, scalar_text};
use crate::model::action;
use crate::model::entity::Entity;

const CLIENTS: &str = "_CLIENTS";
/// A call of the driver: it can admit nodes, write values, keys and codes, and run functions.
const CALL: &str = action::ZWAVE_CALL;
/// A reading of the node's value is written through to the value that is to be.
const SAME_VALUES: [(&str, &str); 2] = [("currentValue", "targetValue"), ("currentMode", "targetMode")];

/// The prefix of the network, and the name of the node.
pub(super) fn place(entity: &Entity, topic: &str) -> Option<(String, String)> {
    if !entity.device.iter().any(|id| id.starts_with("zwavejs2mqtt_")) {
        return None;
    }
    let announced = availability_topics(entity).find_map(|topic| topic.split_once("/_CLIENTS/"));
    let prefix = announced.map(|(prefix, _)| prefix).or_else(|| topic.split_once('/').map(|(prefix, _)| prefix))?;
    let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?;
    let status = availability_topics(entity).filter_map(|topic| topic.strip_prefix(prefix)?.strip_prefix('/'));
    let node = status.filter(|topic| !topic.starts_with(CLIENTS)).find_map(|topic| topic.strip_suffix("/status"));
    let node = node.filter(|node| rest.strip_prefix(node).is_some_and(|rest| rest.starts_with('/')));
    // Without a status topic the first level is the node, or the room that it is in.
    Some((prefix.to_owned(), node.or_else(|| rest.split('/').next())?.to_owned()))
}

/// The number of the node, from `zwavejs2mqtt_0x1234_node7`.
fn number(entity: &Entity) -> Option<u64> {
    entity.device.iter().find_map(|id| id.rsplit_once("_node")?.1.parse().ok())
}

pub(super) fn read(judge: &Judge<'_>, here: &Here<'_>, rest: &str, payload: &[u8]) -> Option<DoorReading> {
    let written = rest.strip_suffix("/set")?;
    let payload = Payload::new(payload);
    if let Some(client) = written.strip_prefix(CLIENTS).and_then(|rest| rest.strip_prefix('/')) {
        let (_, action) = client.split_once('/')?;
        return match action.split_once('/').unwrap_or((action, "")) {
            ("api", function) => Some(judge.program(CALL, ("function", function), true)),
            ("broadcast", "") | ("multicast", _) => many(judge, here, &payload),
            ("broadcast", suffix) => {
                by_suffix(judge, here.entities(), suffix, &payload).map(|found| judge.unnamed(found))
            }
            _ => None,
        };
    }
    // The name of a node may have a room before it.
    let ends = written.match_indices('/').filter_map(|(end, _)| Some((written.get(..end)?, written.get(end + 1..)?)));
    let own = ends.flat_map(|(name, value)| here.named(name).map(move |device| (device, value)));
    let read = |(device, value): (&Device, &str)| {
        by_suffix(judge, device.entities(), value, &payload).or_else(|| judge.unreadable_by(device.entities()))
    };
    if let Some(reading) = judge.strictest(own.filter_map(read)) {
        return Some(reading);
    }
    if !here.has_sensitive() {
        return None;
    }
    // A group of nodes looks like a node that nobody announced.
    let reading = by_suffix(judge, here.entities(), written.split_once('/')?.1, &payload);
    reading.or_else(|| judge.unreadable_by(here.sensitive())).map(|reading| judge.unnamed(reading))
}

/// A value on every entity whose command topic ends in it. `None`: nobody's does.
fn by_suffix<'e>(
    judge: &Judge<'_>,
    entities: impl Iterator<Item = &'e Entity>,
    suffix: &str,
    payload: &Payload<'_>,
) -> Option<DoorReading> {
    let suffix = format!("/{}/set", same_value(suffix));
    let value = value_of(payload);
    let commands = entities.flat_map(|entity| entity.command_topics().map(move |(key, topic)| (entity, key, topic)));
    let reached = commands.filter(|(_, _, topic)| topic.ends_with(&suffix));
    judge.strictest(reached.map(|(entity, key, _)| {
        let read = value.as_ref().and_then(|value| judge.word(entity, key, &scalar_text(value)));
        read.unwrap_or_else(|| judge.unreadable(entity))
    }))
}

/// `{"nodes": [2, 3], "commandClass": 98, "endpoint": 0, "property": "targetMode", "value": 0}`
fn many(judge: &Judge<'_>, here: &Here<'_>, payload: &Payload<'_>) -> Option<DoorReading> {
    let Json::Value { value, has_case_twins: false } = payload.json() else {
        return judge.unreadable_by(here.entities()).map(|reading| judge.unnamed(reading));
    };
    let nodes = value.get("nodes").and_then(Value::as_array);
    let is_meant = |entity: &&Entity| match (nodes, number(entity)) {
        (Some(nodes), Some(number)) => nodes.iter().any(|node| scalar_text(node) == number.to_string()),
        _ => true,
    };
    let field = |name: &str| value.get(name).map(scalar_text);
    let suffix = ["commandClass", "endpoint", "property"].map(|name| field(name).unwrap_or_default()).join("/");
    let suffix = format!("/{}/set", same_value(&suffix));
    let readings = here.entities().filter(is_meant).map(|entity| {
        let key = entity.command_topics().find(|(_, topic)| topic.ends_with(&suffix)).map(|(key, _)| key);
        let read = key.and_then(|key| judge.word(entity, key, &scalar_text(value.get("value")?)));
        read.unwrap_or_else(|| judge.unreadable(entity))
    });
    judge.strictest(readings).map(|reading| judge.unnamed(reading))
}

fn same_value(topic: &str) -> String {
    let level = |level| SAME_VALUES.iter().find(|(read, _)| *read == level).map_or(level, |(_, written)| *written);
    topic.split('/').map(level).collect::<Vec<_>>().join("/")
}

/// The value itself, or that of `{"value": …, "options": {…}}`. `None`: there is none that is certain.
fn value_of(payload: &Payload<'_>) -> Option<Value> {
    match payload.json() {
        _ if payload.is_ambiguous() => None,
        Json::Value { value: Value::Object(fields), .. } => fields.get("value").cloned(),
        Json::Value { value, .. } => Some(value.clone()),
        Json::Ambiguous(_) => None,
        Json::None => payload.text().map(Value::from),
    }
}

pub(super) fn filters(device: &Device) -> Vec<(String, &'static str, bool)> {
    let (prefix, node) = (&device.root, &device.name);
    let network = ["broadcast", "multicast", "api"]
        .map(|action| (format!("{prefix}/{CLIENTS}/+/{action}/#"), "calls to all nodes and to the driver", true));
    // A value topic has up to five levels behind the name of its node.
    let values =
        (1..=5).map(|levels| (format!("{prefix}/{node}{}/set", "/+".repeat(levels)), "any value of its node", false));
    network.into_iter().chain(values).collect()
}

pub(super) fn gaps(device: &Device, entity_id: &str) -> Vec<Gap> {
    let prefix = &device.root;
    vec![Gap {
        family: device.family,
        is_shut_by_rules: true,
        topic: None,
        what: format!("groups of Z-Wave nodes below `{prefix}`"),
        reason: format!("a group is a node of its own there, and can hold the one behind `{entity_id}`"),
        help: "let Home Assistant's user write only the topics that `hushgate acl` lists".to_owned(),
    }]
}

pub(super) fn needs(device: &Device) -> (BTreeSet<String>, BTreeSet<String>) {
    let all = BTreeSet::from([format!("{}/#", device.root)]);
    (all.clone(), all)
}
