//! Covers and valves: open, close, stop, position, tilt.
//!
//! Opening a cover of the class garage is `cover.open_garage`, by word or by position, since that is the action that
//! rules are written for. Opening a door, a gate, or what is named like one keeps Home Assistant's action and is
//! sensitive. A payload that is the same for opening and closing opens.

use serde_json::Value;

use super::grammar::{Grammar, Kind, Meaning, command};
use super::{flag, is_door, number_value, option_number, option_text, payload_text};
use crate::model::entity::Entity;

pub(super) fn commands<'a>(entity: &'a Entity, key: &str) -> Grammar<'a> {
    match key {
        "command_topic" => words(entity),
        "set_position_topic" => {
            let position = |value: &Value| position(entity, value.as_f64()?);
            let grammar = Grammar::new(entity.text("set_position_template")).free(Kind::Number, position);
            Grammar { variables: Some(position_variables), ..grammar }
        }
        "tilt_command_topic" => {
            let grammar = Grammar::new(entity.text("tilt_command_template"))
                .word(payload_text(entity, "payload_stop_tilt", "STOP"), Meaning::of("cover.stop_cover_tilt"))
                .free(Kind::Number, |value| tilt(entity, value.as_f64()?));
            Grammar { variables: Some(tilt_variables), ..grammar }
        }
        _ => Grammar::default(),
    }
}

fn words(entity: &Entity) -> Grammar<'_> {
    let toggle = if is_door(entity) { opening(entity) } else { Meaning::of("cover.toggle") };
    let toggle = Meaning { expected: None, ..toggle };
    Grammar::new(None)
        .word(payload_text(entity, "payload_open", "OPEN"), opening(entity))
        .word(payload_text(entity, "payload_close", "CLOSE"), Meaning::of("cover.close_cover").then("closed"))
        .word(payload_text(entity, "payload_stop", "STOP"), Meaning::of("cover.stop_cover"))
        .word(Some("TOGGLE".to_owned()), toggle)
}

fn is_garage(entity: &Entity) -> bool {
    entity.text("device_class") == Some("garage")
}

fn opening(entity: &Entity) -> Meaning {
    let action = if is_garage(entity) { "cover.open_garage" } else { "cover.open_cover" };
    Meaning::of(action).then("open").sensitive(is_door(entity))
}

/// `ranged` is between the positions of closed and open that the entity names.
fn position(entity: &Entity, ranged: f64) -> Option<Meaning> {
    let position = percent(entity, ranged)?;
    let meaning = match position {
        0 => Meaning::of("cover.set_cover_position").then("closed"),
        _ if is_garage(entity) => opening(entity),
        _ => Meaning::of("cover.set_cover_position").then("open").sensitive(is_door(entity)),
    };
    Some(meaning.with("position", position))
}

/// A position in percent; 0 is closed. `None`: beyond both ends.
fn percent(entity: &Entity, ranged: f64) -> Option<i64> {
    let [closed, open] = ends(entity);
    part(ranged, closed, open)
}

/// The position that a device reports, in percent. What lies beyond an end is at the end.
pub(super) fn percent_within(entity: &Entity, ranged: f64) -> Option<i64> {
    let [closed, open] = ends(entity);
    part(ranged.clamp(closed.min(open), closed.max(open)), closed, open)
}

fn ends(entity: &Entity) -> [f64; 2] {
    [option_number(entity, "position_closed", 0.0), option_number(entity, "position_open", 100.0)]
}

/// A tilt that a device reports or is told, in percent. `None`: beyond both ends.
pub(super) fn tilt_percent(entity: &Entity, ranged: f64) -> Option<i64> {
    part(ranged, option_number(entity, "tilt_min", 0.0), option_number(entity, "tilt_max", 100.0))
}

/// Where a value lies between two ends, in percent. What is open by less than a half percent is open by one.
fn part(value: f64, low: f64, high: f64) -> Option<i64> {
    let percent = (value - low) / (high - low) * 100.0;
    if !(0.0..=100.0).contains(&percent) {
        return None;
    }
    let rounded = if percent > 0.0 { percent.round().max(1.0) } else { 0.0 };
    number_value(rounded).as_i64()
}

fn position_variables(entity: &Entity, value: &Value) -> Vec<(&'static str, Value)> {
    let position = value.as_f64().and_then(|ranged| percent(entity, ranged));
    let mut variables = vec![("position", position.map_or(Value::Null, Value::from))];
    variables.extend(bounds(entity));
    variables
}

/// What templates of positions and tilts know besides.
pub(super) fn bounds(entity: &Entity) -> [(&'static str, Value); 4] {
    [("position_open", 100.0), ("position_closed", 0.0), ("tilt_min", 0.0), ("tilt_max", 100.0)]
        .map(|(key, default)| (key, number_value(option_number(entity, key, default))))
}

fn tilt(entity: &Entity, ranged: f64) -> Option<Meaning> {
    let position = tilt_percent(entity, ranged)?;
    let is = |key: &str, default: f64| (option_number(entity, key, default) - ranged).abs() < f64::EPSILON;
    let action = if is("tilt_opened_value", 100.0) {
        "cover.open_cover_tilt"
    } else if is("tilt_closed_value", 0.0) {
        "cover.close_cover_tilt"
    } else {
        "cover.set_cover_tilt_position"
    };
    let opens = action != "cover.close_cover_tilt" && is_door(entity);
    Some(Meaning::of(action).with("tilt_position", position).sensitive(opens))
}

fn tilt_variables(entity: &Entity, value: &Value) -> Vec<(&'static str, Value)> {
    let position = value.as_f64().and_then(|ranged| tilt_percent(entity, ranged));
    let mut variables = vec![("tilt_position", position.map_or(Value::Null, Value::from))];
    variables.extend(bounds(entity));
    variables
}

/// A valve has one command topic for words and positions.
pub(super) fn valve_commands(entity: &Entity) -> Grammar<'_> {
    let mut grammar = Grammar::new(entity.text("command_template"));
    if flag(entity, "reports_position") {
        grammar = grammar.free(Kind::Number, |value| {
            let position = percent(entity, value.as_f64()?)?;
            let meaning = match position {
                0 => Meaning::of("valve.close_valve").then("closed"),
                _ => Meaning::of("valve.set_valve_position").then("open"),
            };
            Some(meaning.with("position", position))
        });
        grammar.variables = Some(position_variables);
    }
    grammar
        .word(payload_text(entity, "payload_open", "OPEN"), Meaning::of("valve.open_valve").then("open"))
        .word(payload_text(entity, "payload_close", "CLOSE"), Meaning::of("valve.close_valve").then("closed"))
        .word(option_text(entity, "payload_stop"), Meaning::of("valve.stop_valve"))
        .word(Some("TOGGLE".to_owned()), Meaning::of("valve.open_valve"))
}

/// The payload that closes a valve.
pub(super) fn close_valve(entity: &Entity) -> Option<String> {
    let payload = if flag(entity, "reports_position") {
        Some(number_value(option_number(entity, "position_closed", 0.0)).to_string())
    } else {
        payload_text(entity, "payload_close", "CLOSE")
    };
    command(entity, "command_template", payload)
}
