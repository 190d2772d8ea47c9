//! Lights, in Home Assistant's three schemas: a topic for each feature, one JSON object, or templates.
//!
//! Everything but turning off is `light.turn_on` with its data, as Home Assistant has it. Brightness is from 0 to 255
//! and color temperature in kelvin, whatever the device counts in.

use serde_json::{Map, Value};

use super::grammar::{Grammar, Kind, Meaning, command};
use super::matching::is_same;
use super::{flag, is_plain, number_value, option_number, payload_text, short_text};
use crate::config::payload::{Json, Payload, scalar_text};
use crate::model::entity::Entity;

/// Most channels of a color.
const CHANNELS_MAX: usize = 5;
/// What a JSON light can be told besides brightness and color temperature, which are counted anew.
const PLAIN_FIELDS: [&str; 5] = ["color", "effect", "flash", "transition", "white"];

pub(super) fn commands<'a>(entity: &'a Entity, key: &str) -> Grammar<'a> {
    match (schema(entity), key) {
        ("json", "command_topic") => {
            Grammar { whole: Some(Box::new(|payload| read_json(entity, payload))), ..Grammar::default() }
        }
        ("template", "command_topic") => templates(entity),
        ("basic", "command_topic") => Grammar::new(None)
            .word(payload_text(entity, "payload_on", "ON"), on())
            .word(payload_text(entity, "payload_off", "OFF"), off())
            .word(Some("TOGGLE".to_owned()), Meaning::of("light.toggle")),
        ("basic", _) => feature(entity, key),
        _ => Grammar::default(),
    }
}

pub(super) fn schema(entity: &Entity) -> &str {
    entity.text("schema").unwrap_or("basic")
}

fn on() -> Meaning {
    Meaning::of("light.turn_on").then("on")
}

fn off() -> Meaning {
    Meaning::of("light.turn_off").then("off")
}

fn feature<'a>(entity: &'a Entity, key: &str) -> Grammar<'a> {
    let Some(name) = key.strip_suffix("_command_topic") else { return Grammar::default() };
    let grammar = Grammar::new(entity.text(&format!("{name}_command_template")));
    match name {
        "brightness" => {
            grammar.free(Kind::Number, |value| Some(with_brightness(on(), brightness(entity, value.as_f64()?)?)))
        }
        "color_temp" => {
            grammar.free(Kind::Number, |value| Some(on().with("color_temp_kelvin", kelvin(entity, value.as_f64()?)?)))
        }
        "white" => {
            let scale = option_number(entity, "white_scale", 255.0);
            grammar.free(Kind::Number, move |value| Some(on().with("white", scaled(value.as_f64()?, scale)?)))
        }
        "effect" => grammar.free(Kind::Text, |value| Some(on().with("effect", short_text(value)?))),
        "hs" => color(grammar, "hs_color", 2),
        "xy" => color(grammar, "xy_color", 2),
        "rgb" => color(grammar, "rgb_color", 3),
        "rgbw" => color(grammar, "rgbw_color", 4),
        "rgbww" => color(grammar, "rgbww_color", 5),
        _ => Grammar::default(),
    }
}

/// A color is numbers with commas. Where a template makes something else of it, the light is turned on in a color that
/// is not known: the topic takes nothing else.
fn color<'a>(grammar: Grammar<'a>, name: &'static str, parts: usize) -> Grammar<'a> {
    let mut grammar = grammar.free(Kind::Text, move |value| {
        let numbers = numbers(value.as_str()?)?;
        (numbers.len() == parts).then(|| on().with(name, Value::from(numbers)))
    });
    grammar.otherwise = Some(on());
    grammar
}

fn numbers(text: &str) -> Option<Vec<Value>> {
    let number = |part: &str| part.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(number_value);
    text.split(',').map(number).collect()
}

/// Brightness from 0 to 255. `None`: beyond the device's scale.
pub(super) fn brightness(entity: &Entity, value: f64) -> Option<Value> {
    scaled(value, option_number(entity, "brightness_scale", 255.0))
}

fn scaled(value: f64, scale: f64) -> Option<Value> {
    (0.0..=scale).contains(&value).then(|| number_value((value / scale * 255.0).round()))
}

/// No light is no light, though the command is to turn on.
fn with_brightness(meaning: Meaning, brightness: Value) -> Meaning {
    let expected = if brightness == 0 { "off" } else { "on" };
    meaning.then(expected).with("brightness", brightness)
}

/// Devices count in mireds unless they say otherwise.
pub(super) fn kelvin(entity: &Entity, value: f64) -> Option<Value> {
    let kelvin = if flag(entity, "color_temp_kelvin") { value } else { (1_000_000.0 / value).floor() };
    (kelvin.is_finite() && kelvin > 0.0).then(|| number_value(kelvin))
}

/// `{"state": "ON", "brightness": 100}`. A field that no light has makes it unreadable: what else it says is not known.
fn read_json(entity: &Entity, payload: &Payload<'_>) -> Option<Meaning> {
    let Json::Value { value: Value::Object(fields), has_case_twins: false } = payload.json() else { return None };
    let state = fields.get("state").map(scalar_text);
    let is = |word: &str| state.as_deref().is_some_and(|state| is_same(word, state));
    let meaning = match state {
        None => on(),
        Some(_) if is("ON") => on(),
        Some(_) if is("OFF") => off(),
        Some(_) if is("TOGGLE") => Meaning::of("light.toggle"),
        Some(_) => return None,
    };
    // Some devices take brightness alone for a command; a message that says nothing is none.
    let only = |fields: &Map<String, Value>| fields.iter().all(|(name, field)| is_known(name, field));
    if fields.is_empty() || !only(fields) {
        return None;
    }
    fields.iter().try_fold(meaning, |meaning, (name, field)| match name.as_str() {
        "state" => Some(meaning),
        "brightness" => {
            let expected = meaning.expected.clone();
            let meaning = with_brightness(meaning, brightness(entity, field.as_f64()?)?);
            Some(if expected.as_deref() == Some("on") { meaning } else { Meaning { expected, ..meaning } })
        }
        "color_temp" => Some(meaning.with("color_temp_kelvin", kelvin(entity, field.as_f64()?)?)),
        _ => Some(meaning.with(name, field.clone())),
    })
}

/// Colors hold numbers by channel, everything else is a scalar: nothing can hide in them.
fn is_known(name: &str, field: &Value) -> bool {
    match (name, field) {
        ("color", Value::Object(channels)) => {
            channels.len() <= CHANNELS_MAX && channels.iter().all(|(name, part)| name.len() <= 2 && part.is_number())
        }
        ("color", _) => false,
        ("state" | "brightness" | "color_temp", _) => is_plain(field),
        _ => PLAIN_FIELDS.contains(&name) && is_plain(field),
    }
}

/// `command_on_template` and `command_off_template`, with `state` and what else is set.
fn templates(entity: &Entity) -> Grammar<'_> {
    let source = |key: &str| entity.text(key).filter(|source| !source.is_empty());
    let mut grammar = Grammar::new(source("command_on_template"))
        .word(source("command_on_template").map(|_| "on".to_owned()), on())
        .word(source("command_off_template").map(|_| "off".to_owned()), off())
        .free(Kind::Number, |value| Some(with_brightness(on(), scaled(value.as_f64()?, 255.0)?)));
    for word in &mut grammar.words {
        if word.meaning.action == "light.turn_off" {
            word.template = source("command_off_template").map(str::to_owned);
        }
    }
    grammar.variables = Some(template_variables);
    grammar
}

/// Home Assistant says `state` is true when turning on and `off` when turning off.
fn template_variables(_: &Entity, value: &Value) -> Vec<(&'static str, Value)> {
    match value {
        Value::Number(_) => vec![("state", Value::Bool(true)), ("brightness", value.clone())],
        Value::String(text) if text == "off" => vec![("state", Value::from("off"))],
        _ => vec![("state", Value::Bool(true))],
    }
}

/// The payload that turns a light off.
pub(super) fn turn_off(entity: &Entity) -> Option<String> {
    match schema(entity) {
        "json" => Some(r#"{"state":"OFF"}"#.to_owned()),
        "template" => {
            entity.text("command_off_template")?;
            command(entity, "command_off_template", Some("off".to_owned()))
        }
        _ => payload_text(entity, "payload_off", "OFF"),
    }
}
