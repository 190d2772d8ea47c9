//! Entities that announce themselves by Home Assistant's MQTT discovery, as they were understood.
//!
//! All keys are the long ones, `~` is resolved, and what a component inherits from its device is in it. How a message
//! is read is the registry's affair; what a payload means is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The two keys of Home Assistant that name a command topic and do not say so.
const COMMAND_KEYS: [&str; 2] = ["set_position_topic", "set_fan_speed_topic"];

/// Platforms that take no commands: a command topic that they inherit from their device says nothing of them. Of any
/// other platform, known or not, nobody can be sure.
const PASSIVE_PLATFORMS: [&str; 8] =
    ["binary_sensor", "camera", "device_automation", "device_tracker", "event", "image", "sensor", "tag"];

/// One entity, as discovery described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// The discovery topic that announced it.
    pub topic: String,
    /// Its key within a device message; empty in a message of its own.
    pub component: String,
    /// Home Assistant's domain: `lock`, `cover`.
    pub platform: String,
    /// `lock.front_door`: the id that Home Assistant gives it, unless the owner has changed that there.
    pub entity_id: String,
    /// For people.
    pub name: String,
    /// Identifiers of its device.
    pub device: Vec<String>,
    /// Everything that was said of it, `device` and `origin` left out.
    pub options: Map<String, Value>,
}

impl Entity {
    /// An option that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.options.get(key).and_then(Value::as_str)
    }

    /// Its command topics with their keys: every key that ends in `command_topic`, known or not, and the two of Home
    /// Assistant's that do not say so. None of a platform that takes no commands.
    pub fn command_topics(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_passive = PASSIVE_PLATFORMS.contains(&self.platform.as_str());
        let is_command =
            move |key: &str| !is_passive && (key.ends_with("command_topic") || COMMAND_KEYS.contains(&key));
        self.options
            .iter()
            .filter(move |(key, _)| is_command(key))
            .filter_map(|(key, topic)| Some((key.as_str(), topic.as_str()?)))
            .filter(|(_, topic)| !topic.is_empty())
    }
}

/// One message of discovery, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    pub topic: String,
    /// Several components of one device in one message.
    pub is_device: bool,
    /// What stands beside the components: `device`, `origin` and what is inherited; in a message of one entity `device`
    /// and `origin` alone. Each of `child_devices` has an empty place for each of its components, which stand among the
    /// entities.
    pub root: Map<String, Value>,
    /// By component key; one with an empty key where `is_device` is false.
    pub entities: BTreeMap<String, Entity>,
    /// Components that the message removes, with their platforms.
    pub removed: BTreeMap<String, String>,
}

/// What is kept of a topic that was guarded once: it stays guarded, whatever is announced later, until the owner accepts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Guard {
    /// The entities that claimed the topic when it was guarded or last accepted.
    pub accepted: Vec<Entity>,
    /// In what the present claims differ from the accepted ones. `None`: in nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_commands_is_found() {
        let options = serde_json::json!({
            "command_topic": "a", "tilt_command_topic": "b", "set_position_topic": "c", "set_fan_speed_topic": "d",
            "some_future_command_topic": "e", "state_topic": "f", "position_topic": "g", "payload_command_topic": 1,
            "mode_command_topic": "",
        });
        let Value::Object(options) = options else { panic!("an object") };
        let entity = Entity {
            topic: String::new(),
            component: String::new(),
            platform: "cover".to_owned(),
            entity_id: "cover.x".to_owned(),
            name: "x".to_owned(),
            device: Vec::new(),
            options,
        };
        let topics: Vec<&str> = entity.command_topics().map(|(_, topic)| topic).collect();
        assert_eq!(topics, ["a", "d", "c", "e", "b"]);
        let sensor = Entity { platform: "sensor".to_owned(), ..entity };
        assert_eq!(sensor.command_topics().count(), 0, "it has inherited it");
    }
}
