//! ESPHome: `<prefix>/<domain>/<object>/command`, and one level more for position, tilt, speed and mode.
//!
//! Everything on one prefix is one device. A part that was not announced may be the bare relay behind the lock, so a
//! command to one is as sensitive as the strictest part of the device.

use std::collections::BTreeSet;

use super::Gap;
use super::device::{Device, Here};
use super::judge::{DoorReading, Judge};
use crate::model::entity::Entity;

/// ESPHome's own names of what takes commands.
const DOMAINS: [&str; 17] = [
    "alarm_control_panel",
    "button",
    "climate",
    "cover",
    "date",
    "datetime",
    "fan",
    "light",
    "lock",
    "number",
    "select",
    "siren",
    "switch",
    "text",
    "time",
    "update",
    "valve",
];

/// The prefix of the device, if the topic has ESPHome's shape.
pub(super) fn place(_: &Entity, topic: &str) -> Option<String> {
    let levels: Vec<&str> = topic.split('/').collect();
    let (last, path) = levels.split_last()?;
    // The object, or the object and what of it is set.
    let domain = path.iter().rposition(|level| DOMAINS.contains(level))?;
    let behind = path.len().checked_sub(domain + 1)?;
    let is_shaped = *last == "command" && domain > 0 && (1..=2).contains(&behind);
    is_shaped.then(|| path.get(..domain).unwrap_or_default().join("/"))
}

pub(super) fn read(judge: &Judge<'_>, here: &Here<'_>, rest: &str, _: &[u8]) -> Option<DoorReading> {
    let levels: Vec<&str> = rest.split('/').collect();
    let [domain, path @ .., "command"] = levels.as_slice() else { return None };
    if !(1..=2).contains(&path.len()) || !DOMAINS.contains(domain) {
        return None;
    }
    let device = here.devices().next()?;
    let topic = format!("{}/{rest}", device.root);
    // What was announced is read by the claims, and moves nothing else.
    if device.commands().any(|(_, _, own)| own == topic) {
        return None;
    }
    judge.unreadable_by(device.entities())
}

pub(super) fn filters(device: &Device) -> Vec<(String, &'static str, bool)> {
    let root = &device.root;
    ["+/+/command", "+/+/+/command"].map(|rest| (format!("{root}/{rest}"), "other parts of its device", false)).to_vec()
}

pub(super) fn gaps(device: &Device, entity_id: &str) -> Vec<Gap> {
    vec![Gap {
        family: device.family,
        is_shut_by_rules: true,
        topic: None,
        what: format!("topics of your own in the ESPHome device behind `{entity_id}`"),
        reason: format!(
            "`on_message` in its YAML can take any topic; below `{}` only the usual ones are known",
            device.root
        ),
        help: "add a `commands:` entry for each such topic, or take it out of the device".to_owned(),
    }]
}

pub(super) fn needs(device: &Device) -> (BTreeSet<String>, BTreeSet<String>) {
    let root = &device.root;
    let (mut reads, mut writes) = device.announced_needs();
    reads.extend(["+/+/command", "+/+/+/command"].map(|rest| format!("{root}/{rest}")));
    writes.extend(["status", "debug", "+/+/state", "+/+/+/state"].map(|rest| format!("{root}/{rest}")));
    (reads, writes)
}
