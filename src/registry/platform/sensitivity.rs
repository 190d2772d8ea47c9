//! Which entities are guarded with `gate: sensitive`, by what they are and how they are named.
//!
//! Only the entity itself is looked at. Where a switch and a lock share a topic, the claims of the topic count, not this.

use crate::model::entity::Entity;

/// Home Assistant's MQTT platforms that take commands.
pub const PLATFORMS: [&str; 23] = [
    "alarm_control_panel",
    "button",
    "climate",
    "cover",
    "date",
    "datetime",
    "fan",
    "humidifier",
    "lawn_mower",
    "light",
    "lock",
    "notify",
    "number",
    "scene",
    "select",
    "siren",
    "switch",
    "text",
    "time",
    "update",
    "vacuum",
    "valve",
    "water_heater",
];

/// Home Assistant's MQTT platforms that take none. What a device message says of a command topic for all of its
/// components does not concern them.
const SILENT_PLATFORMS: [&str; 8] =
    ["binary_sensor", "camera", "device_automation", "device_tracker", "event", "image", "sensor", "tag"];

/// What makes an unreadable payload sensitive wherever it stands. An escape may hide any of the words.
pub(super) const OPENING_WORDS: [&str; 6] = ["\\u", "disarm", "open", "trigger", "unlatch", "unlock"];

/// Whose every instance is sensitive. An update installs code; a notification leaves the house.
const SENSITIVE_PLATFORMS: [&str; 6] = ["alarm_control_panel", "lock", "notify", "siren", "update", "valve"];
/// Covers by which somebody may come in.
const DOOR_CLASSES: [&str; 3] = ["door", "garage", "gate"];
/// Names of what a relay, a button or a setting may move that looks like something else.
const LOCK_WORDS: [&str; 8] = ["alarm", "lock", "opener", "schloss", "siren", "strike", "unlatch", "unlock"];
/// Names of a way into the house, and of places: `Garage` may be the door, `Garage light` is not.
const DOOR_WORDS: [&str; 14] = [
    "door",
    "doors",
    "entrance",
    "garage",
    "garagentor",
    "gate",
    "gates",
    "haustuer",
    "haustur",
    "haustür",
    "tor",
    "tuer",
    "tur",
    "tür",
];
/// Names of what only stands at a door.
const HARMLESS_WORDS: [&str; 14] = [
    "brightness",
    "camera",
    "fan",
    "heater",
    "heating",
    "lamp",
    "lampe",
    "led",
    "licht",
    "light",
    "lights",
    "sensitivity",
    "temperature",
    "volume",
];
/// Platforms of which one may be a door in disguise.
const DISGUISES: [&str; 7] = ["button", "cover", "number", "scene", "select", "switch", "text"];

/// Whether an entity is guarded with `gate: sensitive`.
///
/// Locks, alarms, valves, sirens, notifications and updates are. So are covers of the class garage, door or gate, and
/// covers, switches, buttons, scenes, selects, numbers and texts that have a door, a gate, a lock, an alarm or a siren
/// in their name or entity id: a relay that is named `Door opener` is a lock. `Child lock` and `Garage light` are none.
/// An entity of an unknown platform is, since nobody can say what it does; and so is one that sends requests to Zigbee2MQTT
/// itself, which admits devices by them and renames those that are there.
pub fn is_sensitive(entity: &Entity) -> bool {
    let platform = entity.platform.as_str();
    let is_unknown = takes_commands(entity) && !PLATFORMS.contains(&platform);
    SENSITIVE_PLATFORMS.contains(&platform) || is_unknown || is_door(entity) || is_request(entity)
}

/// Whether it commands the program of Zigbee2MQTT, not a device.
fn is_request(entity: &Entity) -> bool {
    let is_of_bridge = entity.device.iter().any(|id| id.starts_with("zigbee2mqtt_"));
    is_of_bridge && entity.command_topics().any(|(_, topic)| topic.contains("/bridge/request/"))
}

/// Whether Home Assistant commands the entity at all. Those of an unknown platform do if they have a command topic. A
/// claim of one that does not, a sensor's, says nothing of what a payload on the topic means.
pub fn takes_commands(entity: &Entity) -> bool {
    !SILENT_PLATFORMS.contains(&entity.platform.as_str()) && entity.command_topics().next().is_some()
}

/// Whether the entity opens a way into the house, or is named as if it did.
pub(super) fn is_door(entity: &Entity) -> bool {
    let has_class = entity.text("device_class").is_some_and(|class| DOOR_CLASSES.contains(&class));
    DISGUISES.contains(&entity.platform.as_str())
        && (has_class || has_door_word(&entity.name) || has_door_word(&entity.entity_id))
}

fn has_door_word(name: &str) -> bool {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|character: char| !character.is_alphanumeric()).collect();
    let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
    let is_lock = has(&LOCK_WORDS) && !words.contains(&"child");
    is_lock || (has(&DOOR_WORDS) && !has(&HARMLESS_WORDS) && !words.contains(&"child"))
}
