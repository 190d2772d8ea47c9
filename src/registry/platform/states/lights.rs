//! What the state topics of lights tell: on or off, brightness from 0 to 255, color temperature in kelvin, effect.
//!
//! Colors themselves are not read.

use serde_json::Value;

use super::{Form, NONE, Read, Row, Told, one, state, text_of};
use crate::config::payload::{Json, read_json, scalar_text};
use crate::model::entity::Entity;
use crate::registry::platform::light;

const BASIC: [Row; 5] = [
    ("state_topic", "state_value_template", Form::OnOff),
    ("brightness_state_topic", "brightness_value_template", Form::Own(brightness)),
    ("color_temp_state_topic", "color_temp_value_template", Form::Own(color_temp)),
    ("effect_state_topic", "effect_value_template", Form::Text(Some("effect"))),
    ("color_mode_state_topic", "color_mode_value_template", Form::Text(Some("color_mode"))),
];
const JSON: [Row; 1] = [("state_topic", "", Form::Own(json))];
const TEMPLATE: [Row; 4] = [
    ("state_topic", "state_template", Form::Words(&[("", "on", "on"), ("", "off", "off")])),
    ("state_topic", "brightness_template", Form::Number(Some("brightness"))),
    ("state_topic", "color_temp_template", Form::Own(color_temp)),
    ("state_topic", "effect_template", Form::Text(Some("effect"))),
];

/// Templates without which a light of templates does not tell their attribute.
pub(super) const ONLY_BY_TEMPLATE: [&str; 3] = ["brightness_template", "color_temp_template", "effect_template"];

pub(super) fn rows(schema: &str) -> &'static [Row] {
    match schema {
        "json" => &JSON,
        "template" => &TEMPLATE,
        _ => &BASIC,
    }
}

/// No brightness is what a light says that is off: it tells nothing.
fn brightness(entity: &Entity, payload: &str) -> Vec<Told> {
    let scaled = payload.trim().parse::<f64>().ok().and_then(|value| light::brightness(entity, value));
    one(Some("brightness"), scaled.filter(|scaled| scaled.as_i64() != Some(0)).map(Some))
}

fn color_temp(entity: &Entity, payload: &str) -> Vec<Told> {
    let read: Read = match payload {
        NONE => Some(None),
        _ => payload.trim().parse::<f64>().ok().and_then(|value| light::kelvin(entity, value)).map(Some),
    };
    one(Some("color_temp_kelvin"), read)
}

fn json(entity: &Entity, payload: &str) -> Vec<Told> {
    let Json::Value { value: Value::Object(fields), .. } = read_json(payload) else { return Vec::new() };
    let text = |name: &str| fields.get(name).filter(|field| !field.is_null()).map(scalar_text);
    let named: Read = match fields.get("state") {
        Some(Value::Null) => Some(None),
        Some(field) if field == "ON" => Some(Some(Value::from("on"))),
        Some(field) if field == "OFF" => Some(Some(Value::from("off"))),
        _ => None,
    };
    let mut told = state(named);
    told.extend(text("brightness").map(|value| brightness(entity, &value)).unwrap_or_default());
    told.extend(text("color_temp").map(|value| color_temp(entity, &value)).unwrap_or_default());
    for attribute in ["effect", "color_mode"] {
        told.extend(one(Some(attribute), text(attribute).and_then(|value| text_of(&value))));
    }
    told
}
