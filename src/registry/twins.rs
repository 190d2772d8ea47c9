//! Twins: entities that are not on MQTT, announced there a second time so that their commands lead through the bridge.
//!
//! A twin has the original's name and state, as Home Assistant's statestream tells them. An allowed command is carried
//! out by Home Assistant itself, on the original. Nothing here sends anything, and nothing judges.

mod commands;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::mirror::Settings;
use crate::model::message::Message;
use crate::model::request::FactChange;

pub use commands::{Wish, read};

/// Longest value of an attribute that is taken into an announcement, in bytes of its JSON.
pub const ATTRIBUTE_BYTES_MAX: usize = 4_096;

/// Attributes of the original that shape its twin.
const ATTRIBUTES: [&str; 6] =
    ["available_tones", "code_arm_required", "code_format", "device_class", "friendly_name", "supported_features"];

/// "Nobody knows" has a word of its own in an MQTT entity.
const STATE_TEMPLATE: &str = "{{ 'None' if value in ('unavailable', 'unknown') else value }}";
/// A command that may come with a code, with and without one.
const CODE_TEMPLATE: &str = "{{ {'action': value, 'code': code} | to_json }}";
const ALARM_TEMPLATE: &str = "{{ {'action': action, 'code': code} | to_json }}";
const POSITION_TEMPLATE: &str = "{{ {'action': 'SET_POSITION', 'position': position} | to_json }}";

/// The entity id of the twin of an entity, unless the owner has changed it in Home Assistant.
pub fn entity_id(entity: &str) -> String {
    format!("{entity}_gated")
}

/// All twins of a house, and what is known of their originals.
#[derive(Debug, Clone)]
pub struct Twins {
    settings: Settings,
    statestream: Option<String>,
    /// By entity id: attributes by name.
    originals: BTreeMap<String, Map<String, Value>>,
}

impl Twins {
    /// `entities` are ids such as `lock.front_door`, of domains that a twin can have.
    pub fn new(entities: &[String], settings: Settings, statestream: Option<String>) -> Twins {
        let originals = entities.iter().map(|entity| (entity.clone(), Map::new())).collect();
        Twins { settings, statestream, originals }
    }

    /// Whether an entity has a twin.
    pub fn has(&self, entity: &str) -> bool {
        self.originals.contains_key(entity)
    }

    /// What the original is, as Home Assistant classes it: `garage`.
    pub fn device_class(&self, entity: &str) -> Option<&str> {
        self.attribute(entity, "device_class").and_then(Value::as_str)
    }

    /// Takes in a fact. Gives the announcement anew where it changes one.
    pub fn learn(&mut self, fact: &FactChange) -> Option<Message> {
        let name = fact.attribute.as_deref().filter(|name| ATTRIBUTES.contains(name))?;
        let attributes = self.originals.get_mut(&fact.entity)?;
        // What is too long is as good as unknown.
        let value = fact.value.clone().filter(|value| value.to_string().len() <= ATTRIBUTE_BYTES_MAX);
        let earlier = match value.clone() {
            Some(value) => attributes.insert(name.to_owned(), value),
            None => attributes.remove(name),
        };
        (earlier != value).then(|| self.announcement(&fact.entity))
    }

    /// What announces all twins to Home Assistant, on the mirror's topics alone: a twin works only once Home Assistant
    /// reads the mirror.
    pub fn announcements(&self) -> Vec<Message> {
        self.originals.keys().map(|entity| self.announcement(entity)).collect()
    }

    fn announcement(&self, entity: &str) -> Message {
        let (domain, object) = split(entity);
        let id = format!("hushgate_twin_{domain}_{object}");
        let mut body = json!({
            "unique_id": id,
            "name": self.attribute(entity, "friendly_name").and_then(Value::as_str).unwrap_or(entity),
            // The name by which Home Assistant makes the entity's id, for its newer and its older versions.
            "default_entity_id": entity_id(entity),
            "object_id": format!("{object}_gated"),
            "origin": {"name": "hushgate", "sw_version": env!("CARGO_PKG_VERSION")},
            "command_topic": format!("{}/twin/{entity}/set", self.settings.base),
            "availability_topic": format!("{}/status", self.settings.base),
            "qos": 1,
            "retain": false,
        });
        if let Some(fields) = body.as_object_mut() {
            if !matches!(domain, "button" | "scene") {
                fields.insert("state_topic".to_owned(), self.state_topic(entity).into());
                fields.insert("optimistic".to_owned(), false.into());
                let key = if domain == "siren" { "state_value_template" } else { "value_template" };
                fields.insert(key.to_owned(), STATE_TEMPLATE.into());
            }
            if let Value::Object(own) = self.shape(entity, domain) {
                fields.extend(own);
            }
        }
        let topic = format!("{}/{domain}/hushgate_twin/{object}/config", self.settings.root());
        Message::retained(topic, body.to_string())
    }

    /// What only entities of this domain have.
    fn shape(&self, entity: &str, domain: &str) -> Value {
        match domain {
            "lock" => self.lock(entity),
            "alarm_control_panel" => self.alarm(entity),
            "cover" => self.cover(entity),
            "valve" => without_nulls(json!({
                "device_class": self.device_class(entity),
                "payload_open": "OPEN",
                "payload_close": "CLOSE",
                "payload_stop": self.can(entity, 8).then_some("STOP"),
            })),
            "siren" => without_nulls(json!({
                "state_on": "on",
                "state_off": "off",
                "available_tones": self.attribute(entity, "available_tones").filter(|tones| tones.is_array()),
                "support_volume_set": self.can(entity, 8),
                "support_duration": self.can(entity, 16),
            })),
            "switch" => without_nulls(json!({
                "state_on": "on",
                "state_off": "off",
                "device_class": self.device_class(entity),
            })),
            "button" => without_nulls(json!({"device_class": self.device_class(entity)})),
            "scene" => json!({"payload_on": "ON"}),
            _ => json!({}),
        }
    }

    fn lock(&self, entity: &str) -> Value {
        without_nulls(json!({
            "command_template": CODE_TEMPLATE,
            "code_format": self.attribute(entity, "code_format").filter(|format| format.is_string()),
            "payload_open": self.can(entity, 1).then_some("OPEN"),
            "state_locked": "locked",
            "state_locking": "locking",
            "state_unlocked": "unlocked",
            "state_unlocking": "unlocking",
            "state_open": "open",
            "state_opening": "opening",
            "state_jammed": "jammed",
        }))
    }

    /// The code goes with the command, and Home Assistant checks it where it carries the command out.
    fn alarm(&self, entity: &str) -> Value {
        const FEATURES: [(&str, u64); 6] = [
            ("arm_home", 1),
            ("arm_away", 2),
            ("arm_night", 4),
            ("trigger", 8),
            ("arm_custom_bypass", 16),
            ("arm_vacation", 32),
        ];
        let code = match self.attribute(entity, "code_format").and_then(Value::as_str) {
            Some("number") => Some("REMOTE_CODE"),
            Some(_) => Some("REMOTE_CODE_TEXT"),
            None => None,
        };
        let features = FEATURES.iter().filter(|(_, bit)| self.can(entity, *bit)).map(|(name, _)| *name);
        let is_known = self.attribute(entity, "supported_features").is_some();
        without_nulls(json!({
            "command_template": ALARM_TEMPLATE,
            "code": code,
            "code_arm_required": self.attribute(entity, "code_arm_required").and_then(Value::as_bool),
            "supported_features": is_known.then(|| features.collect::<Vec<&str>>()),
        }))
    }

    /// A twin opens, closes, stops and moves to a position; it does not tilt.
    fn cover(&self, entity: &str) -> Value {
        let position = self.statestream_topic(entity, "current_position").filter(|_| self.can(entity, 4));
        without_nulls(json!({
            "device_class": self.device_class(entity),
            "set_position_template": position.is_some().then_some(POSITION_TEMPLATE),
            "set_position_topic": position.is_some().then(|| format!("{}/twin/{entity}/set", self.settings.base)),
            "position_topic": position,
        }))
    }

    /// Where the original's state is told. Without a statestream nobody tells it, and it stays unknown: a topic must stand
    /// there all the same, or Home Assistant would take each command for done.
    fn state_topic(&self, entity: &str) -> String {
        let unknown = || format!("{}/state/twin/{entity}", self.settings.base);
        self.statestream_topic(entity, "state").unwrap_or_else(unknown)
    }

    fn statestream_topic(&self, entity: &str, attribute: &str) -> Option<String> {
        let (domain, object) = split(entity);
        Some(format!("{}/{domain}/{object}/{attribute}", self.statestream.as_ref()?))
    }

    fn attribute(&self, entity: &str, name: &str) -> Option<&Value> {
        self.originals.get(entity)?.get(name)
    }

    /// Whether the original says that it has a feature of its domain.
    fn can(&self, entity: &str, bit: u64) -> bool {
        let features = self.attribute(entity, "supported_features").and_then(Value::as_u64);
        features.is_some_and(|features| features & bit != 0)
    }
}

fn split(entity: &str) -> (&str, &str) {
    entity.split_once('.').unwrap_or((entity, ""))
}

fn without_nulls(mut options: Value) -> Value {
    if let Some(fields) = options.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    options
}

#[cfg(test)]
mod tests;
