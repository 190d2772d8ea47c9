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
/// What a relay, a button or a setting may be called that moves a door, a lock or an alarm.
const DOOR_WORDS: [&str; 22] = [
    "alarm",
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
    "lock",
    "opener",
    "schloss",
    "siren",
    "strike",
    "tor",
    "tuer",
    "tur",
    "tür",
    "unlatch",
    "unlock",
];
/// Platforms of which one may be a door in disguise.
const DISGUISES: [&str; 7] = ["button", "cover", "number", "scene", "select", "switch", "text"];

/// Whether an entity is guarded with `gate: sensitive`.
///
/// Locks, alarms, valves, sirens, notifications and updates are. So are covers of the class garage, door or gate, and
/// covers, switches, buttons, scenes, selects, numbers and texts that have a door, a gate, a lock, an alarm or a siren
/// in their name or entity id: a relay that is named `Door opener` is a lock. `Child lock` is none. An entity of an
/// unknown platform is, since nobody can say what it does.
pub fn is_sensitive(entity: &Entity) -> bool {
    let platform = entity.platform.as_str();
    let is_unknown = takes_commands(entity) && !PLATFORMS.contains(&platform);
    SENSITIVE_PLATFORMS.contains(&platform) || is_unknown || is_door(entity)
}

/// Whether Home Assistant commands the entity at all. Those of an unknown platform do if they have a command topic. A
/// claim of one that does not, a sensor's, says nothing of what a payload on the topic means.
pub fn takes_commands(entity: &Entity) -> bool {
    !SILENT_PLATFORMS.contains(&entity.platform.as_str()) && entity.command_topics().next().is_some()
}

/// Whether the entity opens a way into the house, or is named as if it did.
pub(super) fn is_door(entity: &Entity) -> bool {
    let has_class = entity.text("device_class").is_some_and(|class| DOOR_CLASSES.contains(&class));
    match entity.platform.as_str() {
        "cover" if has_class => true,
        platform if DISGUISES.contains(&platform) => {
            has_class || has_door_word(&entity.name) || has_door_word(&entity.entity_id)
        }
        _ => false,
    }
}

fn has_door_word(name: &str) -> bool {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|character: char| !character.is_alphanumeric()).collect();
    words.iter().any(|word| DOOR_WORDS.contains(word)) && !words.contains(&"child")
}
