//! Tasmota: `cmnd/<topic>/<Command>` or `<topic>/cmnd/<Command>`, a fallback topic from its address, a group topic that
//! all devices hear, and `Backlog`, which runs many commands at once.
//!
//! Letter case of commands does not count, and a relay has more names than the announced one. A command that is no switch
//! can still move one (`PulseTime`, `Rule1`), rename the device or publish for whoever asks, so it is sensitive.

use std::collections::BTreeSet;

use super::device::{Device, Here, Role, announced_topics};
use super::judge::{DoorReading, Judge};
use super::{Gap, PARTS_MAX};
use crate::config::payload::Payload;
use crate::model::action;
use crate::model::entity::Entity;

const PREFIX: &str = "cmnd";
/// A command that sets the device up, runs code on it or lets it publish.
const COMMAND: &str = action::TASMOTA_COMMAND;
/// A command that only asks.
const QUERY: &str = "tasmota.query";
/// The group topics that devices come with: today's, and the one of old versions.
const GROUPS: [&str; 2] = ["tasmotas", "sonoffs"];
/// Commands that only ask or wait, whatever stands behind them.
const QUERIES: [&str; 4] = ["delay", "devgroupstatus", "state", "status"];
/// Letters and digits of the address that names a device as `DVES_XXXXXX_fb`.
const ADDRESS_LENGTH: usize = 6;

/// What stands before the command: `cmnd/plug`, `plug/cmnd`.
pub(super) fn place(topic: &str) -> Option<String> {
    let (root, command) = topic.rsplit_once('/')?;
    let is_command = command.starts_with(|first: char| first.is_ascii_uppercase())
        && command.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_command && root.split('/').count() > 1 && root.split('/').any(|level| level == PREFIX)).then(|| root.to_owned())
}

fn address(device: &Device) -> Option<String> {
    let ids = device.entities.iter().flat_map(|entity| &entity.device);
    let is_address = |id: &&String| id.len() == ADDRESS_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    ids.filter(is_address).map(|id| id.to_uppercase()).next()
}

fn fallback(device: &Device) -> Option<String> {
    address(device).map(|address| format!("{PREFIX}/DVES_{address}_fb"))
}

/// The group topic takes the place of the last level that is not the prefix.
fn groups(device: &Device) -> Vec<String> {
    let levels: Vec<&str> = device.root.split('/').collect();
    let Some(own) = levels.iter().rposition(|level| *level != PREFIX) else { return Vec::new() };
    let replaced = |group: &str| {
        let level = |(index, level): (usize, &&str)| if index == own { group.to_owned() } else { (*level).to_owned() };
        levels.iter().enumerate().map(level).collect::<Vec<_>>().join("/")
    };
    GROUPS.iter().map(|group| replaced(group)).collect()
}

pub(super) fn roots(device: &Device) -> Vec<(String, Role)> {
    let mut roots = vec![(device.root.clone(), Role::Device)];
    roots.extend(fallback(device).map(|root| (root, Role::Device)));
    roots.extend(groups(device).into_iter().map(|root| (root, Role::Group)));
    // A group topic of the owner's own choice stands where the device's name does.
    if let Some(name) = device.root.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('/'))
        && !name.contains('/')
    {
        roots.push((PREFIX.to_owned(), Role::Network));
    }
    roots
}

/// What stands behind the prefix in the topics that are known: its own name, its fallback topic, the groups.
pub(super) fn names(device: &Device) -> Vec<String> {
    let known = roots(device).into_iter().filter(|(_, role)| *role != Role::Network);
    let name = |(root, _): (String, Role)| Some(root.strip_prefix(PREFIX)?.strip_prefix('/')?.to_owned());
    known.filter_map(name).collect()
}

pub(super) fn read(judge: &Judge<'_>, here: &Here<'_>, role: Role, rest: &str, payload: &[u8]) -> Option<DoorReading> {
    let command = match role {
        Role::Device | Role::Group => rest,
        Role::Network => {
            let (name, command) = rest.split_once('/')?;
            if here.named(name).next().is_some() {
                return None;
            }
            command
        }
    };
    if command.contains('/') {
        return None;
    }
    let entities: Vec<&Entity> = here.entities().collect();
    let payload = Payload::new(payload);
    let Some(text) = payload.text() else { return judge.unreadable_by(entities) };
    let reading = read_command(judge, &entities, command, text.trim())?;
    let is_certain = role == Role::Device && here.devices().nth(1).is_none();
    Some(if is_certain { reading } else { judge.unnamed(reading) })
}

fn read_command(judge: &Judge<'_>, entities: &[&Entity], command: &str, text: &str) -> Option<DoorReading> {
    let name = command.to_ascii_lowercase();
    if !matches!(name.as_str(), "backlog" | "backlog0" | "backlog1" | "backlog2" | "backlog3") {
        return read_one(judge, entities, &name, text);
    }
    let parts: Vec<&str> = text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > PARTS_MAX {
        return judge.unreadable_by(entities.iter().copied());
    }
    judge.strictest(parts.into_iter().filter_map(|part| {
        let (name, text) = part.split_once([' ', '=']).unwrap_or((part, ""));
        read_one(judge, entities, &name.to_ascii_lowercase(), text.trim())
    }))
}

/// One command. Without an argument it is a question, if it is a switch.
fn read_one(judge: &Judge<'_>, entities: &[&Entity], name: &str, text: &str) -> Option<DoorReading> {
    if QUERIES.contains(&name) {
        return Some(judge.program(QUERY, ("command", name), false));
    }
    let is_all = name == "power0";
    let on = entities.iter().flat_map(|entity| entity.command_topics().map(move |(key, topic)| (*entity, key, topic)));
    let named: Vec<(&Entity, &str)> = on
        .filter(|(_, _, topic)| {
            topic.rsplit('/').next().is_some_and(|own| is_same(own, name) || (is_all && is_power(own)))
        })
        .map(|(entity, key, _)| (entity, key))
        .collect();
    if named.is_empty() {
        // A relay that was not announced may be the one behind the lock.
        return if is_power(name) {
            judge.unreadable_by(entities.iter().copied())
        } else {
            Some(judge.program(COMMAND, ("command", name), true))
        };
    }
    if text.is_empty() {
        return Some(judge.program(QUERY, ("command", name), false));
    }
    let read = |(entity, key): (&Entity, &str)| {
        let word = if is_power(name) { power_word(text) } else { text };
        judge.word(entity, key, word).unwrap_or_else(|| judge.unreadable(entity))
    };
    judge.strictest(named.into_iter().map(|(entity, key)| read((entity, key))))
}

/// `POWER` and `power1` are one relay.
fn is_same(own: &str, name: &str) -> bool {
    let plain = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_suffix('1').filter(|plain| plain.chars().all(char::is_alphabetic)).unwrap_or(&text).to_owned()
    };
    plain(own) == plain(name)
}

fn is_power(command: &str) -> bool {
    let command = command.to_ascii_lowercase();
    command.strip_prefix("power").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Tasmota's numbers and truth values for the states of a relay.
fn power_word(text: &str) -> &str {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" => "on",
        "0" | "false" => "off",
        "2" => "toggle",
        _ => text,
    }
}

pub(super) fn filters(device: &Device) -> Vec<(String, &'static str, bool)> {
    let mut filters = vec![(format!("{}/#", device.root), "every command of its firmware", false)];
    filters.extend(fallback(device).map(|root| (format!("{root}/#"), "its fallback topic", false)));
    filters
        .extend(groups(device).into_iter().map(|root| (format!("{root}/#"), "the group topic of all Tasmotas", true)));
    filters
}

pub(super) fn gaps(device: &Device, entity_id: &str) -> Vec<Gap> {
    let mut gaps = vec![Gap {
        family: device.family,
        is_shut_by_rules: true,
        topic: None,
        what: format!("a group topic of your own on the device behind `{entity_id}`"),
        reason: "`GroupTopic1` to `GroupTopic4` are set on the device, and discovery does not tell them".to_owned(),
        help: "let Home Assistant's user write only the topics that `hushgate acl` lists".to_owned(),
    }];
    if address(device).is_none() {
        gaps.push(Gap {
            family: device.family,
            is_shut_by_rules: true,
            topic: None,
            what: format!("the fallback topic `{PREFIX}/DVES_……_fb/#` of the device behind `{entity_id}`"),
            reason: "its address is not among the identifiers that it announced".to_owned(),
            help: "let only the bridge write `cmnd/#`".to_owned(),
        });
    }
    gaps
}

pub(super) fn needs(device: &Device) -> (BTreeSet<String>, BTreeSet<String>) {
    let told = |prefix: &str| {
        let level = |level| if level == PREFIX { prefix } else { level };
        format!("{}/#", device.root.split('/').map(level).collect::<Vec<_>>().join("/"))
    };
    let own = [format!("{}/#", device.root)];
    let others = fallback(device).into_iter().chain(groups(device)).map(|root| format!("{root}/#"));
    let reads = own.into_iter().chain(others).collect();
    let mut writes: BTreeSet<String> = device.entities().flat_map(announced_topics).collect();
    writes.extend([told("stat"), told("tele"), "tasmota/discovery/#".to_owned()]);
    (reads, writes)
}
