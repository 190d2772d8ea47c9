//! Climate, water heaters, humidifiers and fans: each feature has a topic of its own.

use serde_json::Value;

use super::grammar::{Grammar, Kind, Meaning};
use super::{number_value, option_number, payload_text, short_text, texts};
use crate::model::entity::Entity;

/// Climate topics with a free value: the name before `_command_topic`, action, field.
const CLIMATE_NUMBERS: [(&str, &str, &str); 4] = [
    ("target_humidity", "climate.set_humidity", "humidity"),
    ("temperature", "climate.set_temperature", "temperature"),
    ("temperature_high", "climate.set_temperature", "target_temp_high"),
    ("temperature_low", "climate.set_temperature", "target_temp_low"),
];
/// Climate topics with a listed value: the name before `_command_topic`, the list's key, action, field.
const CLIMATE_MODES: [(&str, &str, &str, &str); 5] = [
    ("fan_mode", "fan_modes", "climate.set_fan_mode", "fan_mode"),
    ("mode", "modes", "climate.set_hvac_mode", "hvac_mode"),
    ("preset_mode", "preset_modes", "climate.set_preset_mode", "preset_mode"),
    ("swing_horizontal_mode", "swing_horizontal_modes", "climate.set_swing_horizontal_mode", "swing_horizontal_mode"),
    ("swing_mode", "swing_modes", "climate.set_swing_mode", "swing_mode"),
];
/// What Home Assistant lists where the entity does not.
const MODES_DEFAULT: [(&str, &[&str]); 4] = [
    ("modes", &["auto", "off", "cool", "heat", "dry", "fan_only"]),
    ("fan_modes", &["auto", "low", "medium", "high"]),
    ("swing_modes", &["on", "off"]),
    ("swing_horizontal_modes", &["on", "off"]),
];
/// Most speeds of a fan that are held against a template one by one.
const SPEEDS_MAX: i64 = 20;
const WATER_HEATER_MODES: [&str; 7] = ["off", "eco", "electric", "gas", "heat_pump", "high_demand", "performance"];

/// The name of a feature and its template: `mode`, `mode_command_template`.
fn feature<'a>(entity: &'a Entity, key: &'a str) -> Option<(&'a str, Grammar<'a>)> {
    let name = key.strip_suffix("_command_topic")?;
    Some((name, Grammar::new(entity.text(&format!("{name}_command_template")))))
}

/// Listed values first: a template may map each to something else. Others are taken as they are, since a device may
/// know more modes than it listed.
fn modes<'a>(
    entity: &Entity,
    grammar: Grammar<'a>,
    list: &str,
    default: &[&str],
    meaning: impl Fn(&str) -> Meaning + 'a,
) -> Grammar<'a> {
    let listed = texts(entity, list).unwrap_or_else(|| default.iter().map(|mode| (*mode).to_owned()).collect());
    let grammar = listed.into_iter().fold(grammar, |grammar, mode| {
        let meaning = meaning(&mode);
        grammar.word(Some(mode), meaning)
    });
    grammar.free(Kind::Text, move |value| Some(meaning(short_text(value)?)))
}

fn power<'a>(entity: &Entity, grammar: Grammar<'a>, domain: &str, states: [Option<&str>; 2]) -> Grammar<'a> {
    let meaning = |action: &str, state: Option<&str>| {
        let meaning = Meaning::of(&format!("{domain}.{action}"));
        state.map_or_else(|| meaning.clone(), |state| meaning.clone().then(state))
    };
    let [on, off] = states;
    grammar
        .word(payload_text(entity, "payload_on", "ON"), meaning("turn_on", on))
        .word(payload_text(entity, "payload_off", "OFF"), meaning("turn_off", off))
}

pub(super) fn commands<'a>(entity: &'a Entity, key: &'a str) -> Grammar<'a> {
    let Some((name, grammar)) = feature(entity, key) else { return Grammar::default() };
    if name == "power" {
        return power(entity, grammar, "climate", [None, Some("off")]);
    }
    if let Some((_, action, field)) = CLIMATE_NUMBERS.iter().find(|(known, ..)| *known == name) {
        return grammar.free(Kind::Number, |value| Some(Meaning::of(action).with(field, value.clone())));
    }
    let Some((_, list, action, field)) = CLIMATE_MODES.iter().find(|(known, ..)| *known == name) else {
        return Grammar::default();
    };
    let default = MODES_DEFAULT.iter().find(|(known, _)| known == list).map_or(&["none"][..], |(_, modes)| modes);
    modes(entity, grammar, list, default, move |mode| {
        let meaning = Meaning::of(action).with(field, mode);
        if *field == "hvac_mode" { meaning.then(mode) } else { meaning }
    })
}

pub(super) fn water_heater_commands<'a>(entity: &'a Entity, key: &'a str) -> Grammar<'a> {
    match feature(entity, key) {
        Some(("power", grammar)) => power(entity, grammar, "water_heater", [None, Some("off")]),
        Some(("temperature", grammar)) => grammar.free(Kind::Number, |value| {
            Some(Meaning::of("water_heater.set_temperature").with("temperature", value.clone()))
        }),
        Some(("mode", grammar)) => modes(entity, grammar, "modes", &WATER_HEATER_MODES, |mode| {
            Meaning::of("water_heater.set_operation_mode").with("operation_mode", mode).then(mode)
        }),
        _ => Grammar::default(),
    }
}

pub(super) fn humidifier_commands<'a>(entity: &'a Entity, key: &'a str) -> Grammar<'a> {
    match feature(entity, key) {
        Some(("target_humidity", grammar)) => grammar
            .free(Kind::Number, |value| Some(Meaning::of("humidifier.set_humidity").with("humidity", value.clone()))),
        Some(("mode", grammar)) => {
            modes(entity, grammar, "modes", &[], |mode| Meaning::of("humidifier.set_mode").with("mode", mode))
        }
        None if key == "command_topic" => {
            power(entity, Grammar::new(entity.text("command_template")), "humidifier", [Some("on"), Some("off")])
        }
        _ => Grammar::default(),
    }
}

pub(super) fn fan_commands<'a>(entity: &'a Entity, key: &'a str) -> Grammar<'a> {
    match feature(entity, key) {
        Some(("direction", grammar)) => {
            let meaning = |direction: &str| Meaning::of("fan.set_direction").with("direction", direction);
            ["forward", "reverse"]
                .into_iter()
                .fold(grammar, |grammar, direction| grammar.word(Some(direction.to_owned()), meaning(direction)))
        }
        Some(("oscillation", grammar)) => {
            let meaning = |is_on: bool| Meaning::of("fan.oscillate").with("oscillating", is_on);
            grammar
                .word(payload_text(entity, "payload_oscillation_on", "oscillate_on"), meaning(true))
                .word(payload_text(entity, "payload_oscillation_off", "oscillate_off"), meaning(false))
        }
        Some(("percentage", grammar)) => {
            // A template may give each of a few speeds a name of its own.
            speeds(entity)
                .into_iter()
                .fold(grammar, |grammar, speed| match speed_meaning(entity, &speed) {
                    Some(meaning) => grammar.word_of(speed, meaning),
                    None => grammar,
                })
                .free(Kind::Number, |speed| speed_meaning(entity, speed))
        }
        Some(("preset_mode", grammar)) => modes(entity, grammar, "preset_modes", &[], |mode| {
            Meaning::of("fan.set_preset_mode").with("preset_mode", mode)
        }),
        None if key == "command_topic" => {
            power(entity, Grammar::new(entity.text("command_template")), "fan", [Some("on"), Some("off")])
        }
        _ => Grammar::default(),
    }
}

fn speed_meaning(entity: &Entity, speed: &Value) -> Option<Meaning> {
    let percentage = percentage(entity, speed.as_f64()?)?;
    let expected = if percentage == 0 { "off" } else { "on" };
    Some(Meaning::of("fan.set_percentage").with("percentage", percentage).then(expected))
}

/// The speeds of a fan that has few of them; 0 is off.
fn speeds(entity: &Entity) -> Vec<Value> {
    let [low, high] = [("speed_range_min", 1.0), ("speed_range_max", 100.0)]
        .map(|(key, default)| number_value(option_number(entity, key, default)).as_i64());
    let (Some(low), Some(high)) = (low, high) else { return Vec::new() };
    let is_few = high.checked_sub(low).is_some_and(|count| (0..SPEEDS_MAX).contains(&count));
    if is_few { std::iter::once(0).chain(low..=high).map(Value::from).collect() } else { Vec::new() }
}

/// A speed in percent; 0 is off. `None`: beyond the fan's range.
pub(super) fn percentage(entity: &Entity, speed: f64) -> Option<i64> {
    let low = option_number(entity, "speed_range_min", 1.0);
    let high = option_number(entity, "speed_range_max", 100.0);
    let percentage = ((speed - low + 1.0) * 100.0 / (high - low + 1.0)).floor();
    (0.0..=100.0).contains(&percentage).then(|| number_value(percentage).as_i64()).flatten()
}
