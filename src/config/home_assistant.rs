//! How the bridge and Home Assistant live together: discovery, what is guarded, twins, streams, the canary's users.

use super::reader::{Cursor, Fields, Reader};
use super::sections::{read_password, read_text};
use super::{Secret, keys};
use crate::model::glob::Glob;
use crate::model::topic;
use crate::time::parse_duration_ms;

/// Entries of `gate`.
pub(super) const GATE_MAX: usize = 256;
/// Twins of one house.
pub(super) const TWINS_MAX: usize = 256;
/// The bounds of `settle`.
pub(super) const SETTLE_MIN_MS: u64 = 1_000;
pub(super) const SETTLE_MAX_MS: u64 = 5 * 60_000;

/// Home Assistant's domains that a twin can have: those with commands that MQTT discovery knows too.
pub const TWIN_DOMAINS: [&str; 8] =
    ["alarm_control_panel", "button", "cover", "lock", "scene", "siren", "switch", "valve"];

/// How long a state may take to follow an allowed command.
pub const SETTLE_DEFAULT_MS: u64 = 5_000;

/// How the bridge and Home Assistant live together.
#[derive(Debug, Clone, PartialEq)]
pub struct HomeAssistant {
    /// Under which devices announce themselves.
    pub discovery: String,
    pub gate: Gate,
    /// Entities that are not on MQTT and get a gated twin there.
    pub twins: Vec<String>,
    /// `publish_topic` of Home Assistant's `mqtt_eventstream`.
    pub eventstream: Option<String>,
    /// The channel of the buttons in Home Assistant, and of the phone behind it.
    pub channel: Option<String>,
    pub settle_ms: u64,
    /// A revert may move a cover.
    pub revert_covers: bool,
    /// Home Assistant's own user at the broker, for the canary.
    pub own: Option<Login>,
    /// A user without rights, for the canary.
    pub unprivileged: Option<Login>,
}

impl Default for HomeAssistant {
    fn default() -> HomeAssistant {
        HomeAssistant {
            discovery: topic::DISCOVERY_PREFIX.to_owned(),
            gate: Gate { all: false, sensitive: true, entities: Vec::new() },
            twins: Vec::new(),
            eventstream: None,
            channel: None,
            settle_ms: SETTLE_DEFAULT_MS,
            revert_covers: false,
            own: None,
            unprivileged: None,
        }
    }
}

/// Which discovered entities are guarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    pub all: bool,
    /// Those whose actions open a house or reach people: locks, alarms, garage doors, valves, sirens, messages.
    pub sensitive: bool,
    /// And those whose entity ids fit one of these.
    pub entities: Vec<Glob>,
}

/// A user of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: Option<Secret>,
}

pub(super) fn read(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> HomeAssistant {
    let fields = reader.fields(cursor, keys::HOME_ASSISTANT);
    let default = HomeAssistant::default();
    let canary = fields.get("canary").map(|cursor| reader.fields(cursor, keys::CANARY));
    let mut login = |name: &str| {
        let cursor = canary.as_ref()?.get(name)?;
        let fields = reader.fields(cursor, keys::LOGIN);
        reader.required(&fields, "username")?;
        let username = read_text(reader, &fields, "username")?;
        Some(Login { username, password: read_password(reader, &fields) })
    };
    let (own, unprivileged) = (login("home_assistant"), login("unprivileged"));
    HomeAssistant {
        discovery: read_topic(reader, &fields, "discovery").unwrap_or(default.discovery),
        gate: read_gate(reader, &fields).unwrap_or(default.gate),
        twins: read_twins(reader, &fields),
        eventstream: read_topic(reader, &fields, "eventstream"),
        channel: read_text(reader, &fields, "channel"),
        settle_ms: read_settle(reader, &fields).unwrap_or(default.settle_ms),
        revert_covers: fields.get("revert_covers").and_then(|cursor| reader.flag(cursor)).unwrap_or(false),
        own,
        unprivileged,
    }
}

fn read_topic(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    let cursor = fields.get(key)?;
    let scalar = reader.text(cursor)?;
    let problem = match topic::check_name(&scalar.text) {
        Err(error) => error.to_string(),
        Ok(()) if scalar.text.split('/').any(str::is_empty) => "it has an empty level".to_owned(),
        Ok(()) => return Some(scalar.text),
    };
    let help = Some("write the topic as Home Assistant has it, such as `homeassistant`".to_owned());
    reader.error(cursor, format!("expected a topic, found {}: {problem}", scalar.shown()), help);
    None
}

fn read_gate(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Gate> {
    let cursor = fields.get("gate")?;
    let items = if cursor.is_list() { reader.list(cursor, GATE_MAX) } else { vec![cursor.clone()] };
    let mut gate = Gate { all: false, sensitive: false, entities: Vec::new() };
    for item in &items {
        let Some(scalar) = reader.text(item) else { continue };
        match scalar.text.as_str() {
            "all" => gate.all = true,
            "sensitive" => gate.sensitive = true,
            text if text.contains(['.', '*']) => gate.entities.push(Glob::new(text)),
            _ => {
                let help = Some("write `sensitive`, `all`, or entities such as `light.porch` or `switch.*`".to_owned());
                reader.error(item, format!("expected what is guarded, found {}", scalar.shown()), help);
            }
        }
    }
    Some(gate)
}

fn read_twins(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<String> {
    let Some(cursor) = fields.get("twins") else { return Vec::new() };
    let mut twins: Vec<String> = Vec::new();
    for item in reader.list(cursor, TWINS_MAX) {
        let Some(scalar) = reader.text(&item) else { continue };
        let is_object = |object: &str| {
            !object.is_empty()
                && object.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let domain = scalar.text.split_once('.').filter(|(_, object)| is_object(object)).map(|(domain, _)| domain);
        if twins.contains(&scalar.text) {
            reader.error(
                &item,
                format!("expected each twin once, found {} again", scalar.shown()),
                Some("leave one out".to_owned()),
            );
        } else if domain.is_some_and(|domain| TWIN_DOMAINS.contains(&domain)) {
            twins.push(scalar.text);
        } else {
            let help = Some(format!("a twin can be of these domains: {}", TWIN_DOMAINS.join(", ")));
            reader.error(
                &item,
                format!("expected an entity such as `lock.front_door`, found {}", scalar.shown()),
                help,
            );
        }
    }
    twins
}

fn read_settle(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<u64> {
    let cursor = fields.get("settle")?;
    let scalar = reader.scalar(cursor)?;
    let within = |duration_ms: &u64| (SETTLE_MIN_MS..=SETTLE_MAX_MS).contains(duration_ms);
    let duration_ms = parse_duration_ms(&scalar.text).ok().filter(within);
    if duration_ms.is_none() {
        let message = format!("expected a duration from `1s` to `5m`, found {}", scalar.shown());
        reader.error(cursor, message, Some("write it like `5s`".to_owned()));
    }
    duration_ms
}
