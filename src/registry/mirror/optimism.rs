//! Entities of which Home Assistant believes that a command has worked, because their devices tell no state.
//!
//! A command that is held or denied must not show as done. So a guarded entity gets a state topic of the bridge, on which
//! the bridge tells the state after a command was forwarded; where that cannot be done, a note says so. Nothing here
//! knows whether a device has obeyed.

use serde_json::{Map, Value};

use crate::model::entity::Entity;

/// How the bridge tells the state of a platform.
struct Display {
    /// The option that names the state topic, and the one with the template for what comes on it.
    topic: &'static str,
    template: &'static str,
    /// Topics of which any one ends the optimism.
    topics: &'static [&'static str],
    words: Words,
}

/// In which words.
enum Words {
    /// Home Assistant's own, once these options say so.
    Named(&'static [(&'static str, &'static str)]),
    /// Those that it always uses.
    Own,
    /// The entity's own `payload_on` and `payload_off`.
    OnOff,
}

const OPEN_AND_CLOSED: &[(&str, &str)] = &[("state_open", "open"), ("state_closed", "closed")];
const ON_AND_OFF: &[(&str, &str)] = &[("state_on", "on"), ("state_off", "off")];
const LOCKED_AND_UNLOCKED: &[(&str, &str)] =
    &[("state_locked", "locked"), ("state_unlocked", "unlocked"), ("state_open", "open")];

/// Command topics of features whose state is not shown, or that share the entity's one state.
const WITHOUT_STATE: [&str; 6] = [
    "power_command_topic",
    "send_command_topic",
    "white_command_topic",
    "dock_command_topic",
    "pause_command_topic",
    "start_mowing_command_topic",
];

/// Makes the options of a guarded entity such that Home Assistant waits for its state. Gives what stays optimistic.
pub(super) fn correct(entity: &Entity, options: &mut Map<String, Value>, state_topic: &str) -> Vec<String> {
    for key in ["optimistic", "tilt_optimistic"] {
        if let Some(value) = options.get_mut(key) {
            *value = false.into();
        }
    }
    let mut notes = Vec::new();
    if is_stateless(entity) {
        match display(entity) {
            Some(display) => {
                options.insert(display.topic.to_owned(), state_topic.into());
                options.remove(display.template);
                options.insert("optimistic".to_owned(), false.into());
                if let Words::Named(words) = display.words {
                    options.extend(words.iter().map(|(key, word)| ((*key).to_owned(), (*word).into())));
                }
            }
            None => notes.push("it tells no state, so Home Assistant shows a denied command as done".to_owned()),
        }
    }
    let features: Vec<&str> = silent_features(entity).collect();
    if !features.is_empty() {
        let features = features.join("`, `");
        notes.push(format!("`{features}` has no state topic, so Home Assistant shows a denied command there as done"));
    }
    notes
}

/// Whether the entity has a state topic of the bridge.
pub(super) fn is_told(entity: &Entity) -> bool {
    is_stateless(entity) && display(entity).is_some()
}

/// What to tell on the bridge's state topic of an entity. `None`: it has none.
pub(super) fn payload(entity: &Entity, state: &str) -> Option<String> {
    if !is_stateless(entity) {
        return None;
    }
    match display(entity)?.words {
        Words::Named(words) => words.iter().find(|(_, word)| *word == state).map(|(_, word)| (*word).to_owned()),
        Words::Own => Some(state.to_owned()),
        Words::OnOff => match state {
            "on" => on_off(entity, "payload_on", "ON"),
            "off" => on_off(entity, "payload_off", "OFF"),
            _ => None,
        },
    }
}

/// Whether the entity has a state, and nothing that tells it.
fn is_stateless(entity: &Entity) -> bool {
    let has = |key: &str| entity.text(key).is_some_and(|topic| !topic.is_empty());
    match entity.platform.as_str() {
        "date" | "datetime" | "light" | "text" | "time" => !has("state_topic"),
        // Its features have states of their own.
        "climate" | "water_heater" => false,
        // One that only tilts has no other state.
        "cover" if entity.text("command_topic").is_none() => false,
        _ => shape(&entity.platform).is_some_and(|display| !display.topics.iter().any(|key| has(key))),
    }
}

/// How its state can be told. `None`: not at all.
fn display(entity: &Entity) -> Option<Display> {
    let display = match entity.platform.as_str() {
        "light" if entity.text("schema").is_none_or(|schema| schema == "basic") => ON_OFF,
        // Home Assistant allows no words for the state of a valve that reports positions.
        "valve" if entity.options.get("reports_position").is_some_and(|reports| *reports != Value::Bool(false)) => {
            return None;
        }
        platform => shape(platform)?,
    };
    // Words that are no text are turned into text by Home Assistant in its own way.
    let is_word = |key: &str| entity.options.get(key).is_none_or(Value::is_string);
    let is_known = !matches!(display.words, Words::OnOff) || (is_word("payload_on") && is_word("payload_off"));
    is_known.then_some(display)
}

const ON_OFF: Display =
    Display { topic: "state_topic", template: "state_value_template", topics: &["state_topic"], words: Words::OnOff };

fn shape(platform: &str) -> Option<Display> {
    let value =
        |words: Words| Display { topic: "state_topic", template: "value_template", topics: &["state_topic"], words };
    Some(match platform {
        "lock" => value(Words::Named(LOCKED_AND_UNLOCKED)),
        "switch" => value(Words::Named(ON_AND_OFF)),
        "siren" => Display { template: "state_value_template", ..value(Words::Named(ON_AND_OFF)) },
        "valve" => value(Words::Named(OPEN_AND_CLOSED)),
        "cover" => Display {
            topics: &["state_topic", "position_topic", "tilt_status_topic"],
            ..value(Words::Named(OPEN_AND_CLOSED))
        },
        "select" | "number" => value(Words::Own),
        "lawn_mower" => Display {
            topic: "activity_state_topic",
            template: "activity_value_template",
            topics: &["activity_state_topic"],
            words: Words::Own,
        },
        "fan" | "humidifier" => ON_OFF,
        _ => return None,
    })
}

fn on_off(entity: &Entity, key: &str, default: &str) -> Option<String> {
    match entity.options.get(key) {
        None => Some(default.to_owned()),
        Some(word) => word.as_str().map(str::to_owned),
    }
}

/// Command topics of single features, such as `percentage_command_topic`, beside which no state topic stands.
fn silent_features(entity: &Entity) -> impl Iterator<Item = &str> {
    let is_silent = |key: &&str| {
        let state = match *key {
            "tilt_command_topic" => "tilt_status_topic".to_owned(),
            _ => key.replace("_command_topic", "_state_topic"),
        };
        key.ends_with("_command_topic") && !WITHOUT_STATE.contains(key) && !entity.options.contains_key(&state)
    };
    entity.command_topics().map(|(key, _)| key).filter(is_silent)
}
