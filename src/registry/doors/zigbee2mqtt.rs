//! Zigbee2MQTT: `<base>/<name>[/<endpoint>]/set[/<attribute>]`, where the name may be an address or a group, and
//! requests to the program itself.
//!
//! Which devices a group holds is not announced, so a group is as strict as the strictest device of its base. Values are
//! read without regard to letter case, as Zigbee2MQTT does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::device::{Device, Here, availability_topics};
use super::judge::{DoorReading, Judge};
use super::{Gap, PARTS_MAX};
use crate::config::payload::{Json, Payload, scalar_text};
use crate::model::action;
use crate::model::entity::Entity;
use crate::registry::platform;

/// A request that changes the network or the program, or runs code.
const REQUEST: &str = action::ZIGBEE2MQTT_REQUEST;
/// A request that only asks.
const QUERY: &str = "zigbee2mqtt.query";
/// Requests that change nothing and tell nothing that is secret. `backup` is not among them: it tells the network key.
const QUERIES: [&str; 5] =
    ["health_check", "coordinator_check", "networkmap", "device/ota_update/check", "device/reporting/read"];
/// Entities that are not sensitive and are asked whether a message to a group says something harmless to them.
pub(super) const OTHERS_MAX: usize = 16;
/// What only lamps take: in a group it opens nothing.
const LIGHT_FIELDS: [&str; 12] = [
    "brightness",
    "brightness_move",
    "brightness_move_onoff",
    "brightness_percent",
    "brightness_step",
    "brightness_step_onoff",
    "color",
    "color_mode",
    "color_temp",
    "color_temp_move",
    "color_temp_step",
    "transition",
];

/// The base and the name of the device behind a command topic.
pub(super) fn place(entity: &Entity, topic: &str) -> Option<(String, String)> {
    if !entity.device.iter().any(|id| id.starts_with("zigbee2mqtt_")) {
        return None;
    }
    // Each of its entities names `<base>/bridge/state`; without that the base is one level.
    let announced = availability_topics(entity).find_map(|topic| topic.strip_suffix("/bridge/state"));
    let base = announced.or_else(|| topic.split_once('/').map(|(base, _)| base))?;
    let rest = topic.strip_prefix(base)?.strip_prefix('/')?;
    let (name, _) = split_set(rest).unwrap_or((rest, None));
    // A command topic `<base>/<name>/<endpoint>/set` does not say where the name ends, its state topic does.
    let state = entity.text("json_attributes_topic").or_else(|| entity.text("state_topic"));
    let told = state.and_then(|state| state.strip_prefix(base)?.strip_prefix('/'));
    let told = told.filter(|told| name.strip_prefix(told).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    Some((base.to_owned(), told.unwrap_or(name).to_owned()))
}

/// `front/left/set/state` is (`front/left`, `state`). The first `set` behind a name counts, as in Zigbee2MQTT.
fn split_set(rest: &str) -> Option<(&str, Option<&str>)> {
    rest.match_indices("/set").filter(|(at, _)| *at > 0).find_map(|(at, word)| {
        let name = rest.get(..at)?;
        let behind = rest.get(at + word.len()..)?;
        match behind.strip_prefix('/') {
            _ if behind.is_empty() => Some((name, None)),
            Some(attribute) if !attribute.is_empty() => Some((name, Some(attribute))),
            _ => None,
        }
    })
}

/// Its addresses, `0x…`, from the identifiers of a device.
fn addresses(device: &Device) -> BTreeSet<&str> {
    let ids = device.entities().flat_map(|entity| &entity.device);
    ids.filter_map(|id| id.strip_prefix("zigbee2mqtt_")).filter(|id| id.starts_with("0x")).collect()
}

/// Its friendly name and its addresses: Zigbee2MQTT takes either.
pub(super) fn names(device: &Device) -> Vec<String> {
    addresses(device).into_iter().chain([device.name.as_str()]).map(str::to_owned).collect()
}

/// A group has the base in its identifier and no address.
fn is_group(device: &Device) -> bool {
    addresses(device).is_empty() && device.name != "bridge"
}

pub(super) fn read(judge: &Judge<'_>, here: &Here<'_>, rest: &str, payload: &[u8]) -> Option<DoorReading> {
    if let Some(program) = rest.strip_prefix("bridge/") {
        return read_program(judge, program);
    }
    let (name, attribute) = split_set(rest).filter(|(name, _)| !name.starts_with("bridge") && !payload.is_empty())?;
    let payload = Payload::new(payload);
    // With or without an endpoint behind the name. What is not found is a group, an alias, or nobody.
    let shorter = name.rsplit_once('/').map(|(name, _)| name);
    let found: Vec<&Device> = [Some(name), shorter].into_iter().flatten().flat_map(|name| here.named(name)).collect();
    let is_certain = !found.is_empty() && !found.iter().any(|device| is_group(device));
    if is_certain {
        let entities = found.iter().flat_map(|device| device.entities()).collect();
        return read_fields(judge, &Reach { entities, harmless: &[] }, attribute, &payload);
    }
    // Nobody sensitive is there to be reached: the claims of the group, if there are any, say it all.
    if !here.has_sensitive() {
        return None;
    }
    let named: Vec<&Entity> = found.iter().flat_map(|device| device.entities()).collect();
    let others = here.entities().filter(|entity| !platform::is_sensitive(entity)).take(OTHERS_MAX);
    let entities = here.sensitive().chain(named.iter().copied()).chain(others).collect();
    let reading = read_fields(judge, &Reach { entities, harmless: &LIGHT_FIELDS }, attribute, &payload)?;
    Some(DoorReading { entity_id: named.first().map(|entity| entity.entity_id.clone()), ..reading })
}

/// Whom a message may reach.
struct Reach<'e> {
    entities: Vec<&'e Entity>,
    /// Fields that say nothing there.
    harmless: &'static [&'static str],
}

/// Requests to the program. Old versions took `config/…` and `group/…`.
fn read_program(judge: &Judge<'_>, program: &str) -> Option<DoorReading> {
    let request = program
        .strip_prefix("request/")
        .or_else(|| (program.starts_with("config/") || program.starts_with("group/")).then_some(program))?;
    let is_query = QUERIES.contains(&request);
    Some(judge.program(if is_query { QUERY } else { REQUEST }, ("request", request), !is_query))
}

/// Field by field: the strictest of all counts, and a field that nobody can read is as strict as its reach.
fn read_fields(
    judge: &Judge<'_>,
    reach: &Reach<'_>,
    attribute: Option<&str>,
    payload: &Payload<'_>,
) -> Option<DoorReading> {
    let unreadable = || judge.unreadable_by(reach.entities.iter().copied());
    let Some(fields) = fields_of(attribute, payload) else { return unreadable() };
    let fields = fields.into_iter().filter(|(name, _)| !reach.harmless.contains(&name.as_str()));
    judge.strictest(fields.filter_map(|(name, value)| {
        let read = reach.entities.iter().flat_map(|entity| read_field(judge, entity, &name, &value));
        judge.strictest(read).or_else(unreadable)
    }))
}

/// What the message sets. `None`: it has two readings, or no end.
fn fields_of(attribute: Option<&str>, payload: &Payload<'_>) -> Option<Vec<(String, Value)>> {
    if payload.is_ambiguous() {
        return None;
    }
    let value = match payload.json() {
        Json::Value { value, .. } => Some(value.clone()),
        Json::Ambiguous(_) => return None,
        Json::None => None,
    };
    let text = || payload.text().map(Value::from);
    match (attribute, value) {
        (Some(attribute), value) => Some(vec![(attribute.to_owned(), value.or_else(text)?)]),
        (None, Some(Value::Object(fields))) => {
            (fields.len() <= PARTS_MAX).then(|| fields.into_iter().collect::<Vec<_>>())
        }
        (None, Some(_)) => None,
        (None, None) => Some(vec![("state".to_owned(), text()?)]),
    }
}

/// A field reaches an entity by the key that has it in its topic, and by the key whose topic takes any field.
fn read_field(judge: &Judge<'_>, entity: &Entity, name: &str, value: &Value) -> Vec<DoorReading> {
    let text = scalar_text(value);
    let (plain, _) = name.split_once('_').filter(|(plain, _)| *plain == "state").unwrap_or((name, ""));
    let mut readings = Vec::new();
    for (key, topic) in entity.command_topics() {
        let own = topic.rsplit_once("/set/").map(|(_, attribute)| attribute);
        let reading = match own {
            // `state_left` on the device is `state` on its endpoint `left`.
            Some(own) if own == name || own == plain => judge.word(entity, key, &text),
            Some(_) => None,
            None => {
                let object = json!({ plain: value }).to_string();
                let upper = json!({ plain: text.to_uppercase() }).to_string();
                let whole = || judge.readable(entity, key, &object).or_else(|| judge.readable(entity, key, &upper));
                if plain == "state" { judge.word(entity, key, &text).or_else(whole) } else { whole() }
            }
        };
        readings.extend(reading);
    }
    readings
}

/// Every form in which this device can be commanded. Those of its base alone that run code are shared with all others.
pub(super) fn filters(device: &Device) -> Vec<(String, &'static str, bool)> {
    let base = &device.root;
    let mut filters = vec![
        (format!("{base}/bridge/request/#"), "requests to Zigbee2MQTT that run code, rename or admit devices", true),
        (format!("{base}/bridge/config/#"), "requests of old versions of Zigbee2MQTT", true),
        (format!("{base}/bridge/group/#"), "requests of old versions of Zigbee2MQTT", true),
    ];
    let addresses = addresses(device).into_iter().map(|address| (address, "its address"));
    for (name, what) in addresses.chain([(device.name.as_str(), "its name")]) {
        filters.push((format!("{base}/{name}/set/#"), what, false));
        filters.push((format!("{base}/{name}/+/set/#"), what, false));
    }
    filters
}

pub(super) fn gaps(device: &Device, entity_id: &str, devices: &[Device]) -> Vec<Gap> {
    let base = &device.root;
    let same_base = devices.iter().filter(|other| other.family == device.family && other.root == *base);
    let groups: BTreeSet<&str> =
        same_base.filter(|other| is_group(other) && *other != device).map(|group| group.name.as_str()).collect();
    let mut gaps = vec![Gap {
        family: device.family,
        is_shut_by_rules: true,
        topic: None,
        what: format!("groups of Zigbee2MQTT below `{base}` that are not announced"),
        reason: format!(
            "a group can hold `{entity_id}`, and is commanded by its name or number on `{base}/<group>/set`"
        ),
        help: "let Home Assistant's user write only the topics that `hushgate acl` lists".to_owned(),
    }];
    gaps.extend(groups.into_iter().map(|group| Gap {
        family: device.family,
        is_shut_by_rules: false,
        topic: Some(format!("{base}/{group}/set")),
        what: format!("the group `{group}` on `{base}/{group}/set`"),
        reason: format!("discovery does not say which devices a group holds; it may hold `{entity_id}`"),
        help: format!("look at its members in Zigbee2MQTT, and take `{entity_id}` out or guard the group by `gate:`"),
    }));
    gaps
}

pub(super) fn needs(device: &Device) -> (BTreeSet<String>, BTreeSet<String>) {
    let all = BTreeSet::from([format!("{}/#", device.root)]);
    (all.clone(), all)
}
