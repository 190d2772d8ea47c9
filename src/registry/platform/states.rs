//! What an entity's state topics tell, as facts.
//!
//! States are named as Home Assistant shows them, attributes as it names them. A payload that names no state, or that a
//! template cannot be rendered for, tells nothing: the old value stands and ages. `None` makes a fact unknown. Batteries,
//! availability and further attributes are not read.

use serde_json::Value;

use super::{TEXT_BYTES_MAX, cover, light, number_value, option_text, payload_text, simple, template};
use crate::config::payload::{Json, read_json, scalar_text};
use crate::model::entity::Entity;
use crate::model::request::FactChange;

mod lights;
mod table;

/// What a template says for unknown.
const NONE: &str = "None";

/// One fact that a payload tells: an attribute, or the state itself; and its value, or that it is unknown.
type Told = (Option<&'static str>, Option<Value>);

/// How a rendered payload is read.
#[derive(Clone, Copy)]
enum Form {
    /// A state by its word: option key, Home Assistant's default, state. An empty key has no option.
    Words(&'static [(&'static str, &'static str, &'static str)]),
    /// On or off, by `state_on` and `state_off`, else by the payloads of the commands.
    OnOff,
    Number(Option<&'static str>),
    Text(Option<&'static str>),
    Own(fn(&Entity, &str) -> Vec<Told>),
}

/// Key of the topic, key of its template, form.
type Row = (&'static str, &'static str, Form);

/// One topic that tells something of an entity.
pub(super) struct Source<'a> {
    pub(super) topic: &'a str,
    /// The template through which its payload is read.
    template: Option<&'a str>,
    form: Form,
}

pub(super) fn sources(entity: &Entity) -> Vec<Source<'_>> {
    let text = |key: &str| entity.text(key).filter(|text| !text.is_empty());
    // Climate has one template for all topics that have none of their own.
    let fallback = if entity.platform == "climate" { text("value_template") } else { None };
    let source = |(topic, template, form): &Row| {
        Some(Source { topic: text(topic)?, template: text(template).or(fallback), form: *form })
    };
    let rows = match entity.platform.as_str() {
        "light" => lights::rows(light::schema(entity)),
        platform => table::rows(platform),
    };
    let is_told = |(_, template, _): &&Row| !lights::ONLY_BY_TEMPLATE.contains(template) || text(template).is_some();
    rows.iter().filter(is_told).filter_map(source).collect()
}

pub(super) fn read(entity: &Entity, topic: &str, payload: &[u8]) -> Vec<FactChange> {
    let Some(text) = std::str::from_utf8(payload).ok().filter(|text| text.len() <= super::PAYLOAD_BYTES_MAX) else {
        return Vec::new();
    };
    let facts = |source: Source<'_>| {
        let rendered = match source.template {
            Some(template) => template::render_value(template, text, &variables(entity)),
            None => Some(text.to_owned()),
        };
        rendered.filter(|rendered| !rendered.trim().is_empty()).map(|rendered| tell(entity, source.form, &rendered))
    };
    sources(entity)
        .into_iter()
        .filter(|source| source.topic == topic)
        .filter_map(facts)
        .flatten()
        .map(|(attribute, value)| FactChange {
            entity: entity.entity_id.clone(),
            attribute: attribute.map(str::to_owned),
            value,
        })
        .collect()
}

fn variables(entity: &Entity) -> Vec<(&'static str, Value)> {
    let own = [("entity_id", Value::from(entity.entity_id.as_str())), ("name", Value::from(entity.name.as_str()))];
    own.into_iter().chain(cover::bounds(entity)).collect()
}

fn tell(entity: &Entity, form: Form, payload: &str) -> Vec<Told> {
    match form {
        Form::Words(words) => state(word(entity, words, payload)),
        Form::OnOff => state(on_off(entity, payload)),
        Form::Number(attribute) => one(attribute, number_of(payload)),
        Form::Text(attribute) => one(attribute, text_of(payload)),
        Form::Own(read) => read(entity, payload),
    }
}

/// What was read of a payload: nothing, unknown, or a value.
type Read = Option<Option<Value>>;

fn one(attribute: Option<&'static str>, read: Read) -> Vec<Told> {
    read.map(|value| vec![(attribute, value)]).unwrap_or_default()
}

fn state(read: Read) -> Vec<Told> {
    one(None, read)
}

fn word(entity: &Entity, words: &[(&str, &str, &str)], payload: &str) -> Read {
    let is = |(key, default, _): &&(&str, &str, &str)| {
        option_text(entity, key).map_or_else(|| *default == payload, |own| own == payload)
    };
    if payload == NONE || option_text(entity, "payload_reset").is_some_and(|reset| reset == payload) {
        return Some(None);
    }
    words.iter().find(is).map(|(_, _, state)| Some(Value::from(*state)))
}

fn on_off(entity: &Entity, payload: &str) -> Read {
    let own = |key: &str, command: &str, default: &str| {
        option_text(entity, key).or_else(|| payload_text(entity, command, default)).is_some_and(|own| own == payload)
    };
    if payload == NONE {
        Some(None)
    } else if own("state_on", "payload_on", "ON") {
        Some(Some(Value::from("on")))
    } else if own("state_off", "payload_off", "OFF") {
        Some(Some(Value::from("off")))
    } else {
        None
    }
}

fn number_of(payload: &str) -> Read {
    if payload == NONE {
        return Some(None);
    }
    let number = payload.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some(Some(number_value(number)))
}

fn text_of(payload: &str) -> Read {
    match payload {
        NONE | "unknown" | "unavailable" => Some(None),
        _ => (payload.len() <= TEXT_BYTES_MAX).then(|| Some(Value::from(payload))),
    }
}

/// A stopped cover may stand anywhere, so its state is unknown unless its position says it.
fn cover_state(entity: &Entity, payload: &str) -> Vec<Told> {
    let stopped = option_text(entity, "state_stopped").unwrap_or_else(|| "stopped".to_owned());
    if payload == stopped {
        let has_position = entity.text("position_topic").is_some_and(|topic| !topic.is_empty());
        return if has_position { Vec::new() } else { vec![(None, None)] };
    }
    state(word(entity, &table::OPENINGS, payload))
}

/// A position, or `{"position": 50, "tilt_position": 10}`. Without a state topic it is the state too.
fn cover_position(entity: &Entity, payload: &str) -> Vec<Told> {
    let (position, tilt) = match read_json(payload) {
        Json::Value { value: Value::Object(fields), .. } => {
            let number = |key: &str| fields.get(key).and_then(|field| scalar_text(field).trim().parse::<f64>().ok());
            (number("position"), number("tilt_position"))
        }
        _ => (payload.trim().parse::<f64>().ok(), None),
    };
    let mut told = tilt.map(|tilt| cover_tilt(entity, &number_value(tilt).to_string())).unwrap_or_default();
    let Some(position) = position.and_then(|position| cover::percent_within(entity, position)) else { return told };
    told.push((Some("current_position"), Some(Value::from(position))));
    if entity.text("state_topic").is_none_or(str::is_empty) {
        told.push((None, Some(Value::from(if position == 0 { "closed" } else { "open" }))));
    }
    told
}

fn cover_tilt(entity: &Entity, payload: &str) -> Vec<Told> {
    let tilt = payload.trim().parse::<f64>().ok().and_then(|tilt| cover::tilt_percent(entity, tilt));
    one(Some("current_tilt_position"), tilt.map(|tilt| Some(Value::from(tilt))))
}

/// A state, a position, or both in JSON.
fn valve(entity: &Entity, payload: &str) -> Vec<Told> {
    let reports_position = super::flag(entity, "reports_position");
    let (position, named) = match read_json(payload) {
        Json::Value { value: Value::Object(fields), .. } => {
            (fields.get("position").map(scalar_text), fields.get("state").map(scalar_text))
        }
        _ => (Some(payload.to_owned()), Some(payload.to_owned())),
    };
    let named = named.map(|named| state(word(entity, &table::OPENINGS, &named))).unwrap_or_default();
    if !reports_position {
        return named;
    }
    let position = position.and_then(|position| cover::percent_within(entity, position.trim().parse().ok()?));
    let Some(position) = position else { return named };
    let mut told = vec![(Some("current_position"), Some(Value::from(position)))];
    let moves = named
        .into_iter()
        .find(|(_, value)| value.as_ref().is_some_and(|value| value == "opening" || value == "closing"));
    let rests = if position == 0 { "closed" } else { "open" };
    told.push(moves.unwrap_or((None, Some(Value::from(rests)))));
    told
}

fn siren(entity: &Entity, payload: &str) -> Vec<Told> {
    match read_json(payload) {
        Json::Value { value: Value::Object(fields), .. } => {
            state(fields.get("state").and_then(|state| on_off(entity, &scalar_text(state))))
        }
        _ => state(on_off(entity, payload)),
    }
}

fn vacuum(_: &Entity, payload: &str) -> Vec<Told> {
    let Json::Value { value: Value::Object(fields), .. } = read_json(payload) else { return Vec::new() };
    let named = match fields.get("state") {
        Some(Value::Null) => Some(None),
        Some(Value::String(named)) if table::VACUUM.contains(&named.as_str()) => {
            Some(Some(Value::from(named.as_str())))
        }
        _ => None,
    };
    let speed = fields.get("fan_speed").and_then(|speed| text_of(&scalar_text(speed)));
    state(named).into_iter().chain(one(Some("fan_speed"), speed)).collect()
}

/// A number, written the same however the device writes it.
fn number(entity: &Entity, payload: &str) -> Vec<Told> {
    if simple::is_secret(entity) {
        return Vec::new();
    }
    if payload == option_text(entity, "payload_reset").as_deref().unwrap_or(NONE) {
        return vec![(None, None)];
    }
    state(number_of(payload).map(|value| value.map(|value| Value::from(scalar_text(&value)))))
}

fn text(entity: &Entity, payload: &str) -> Vec<Told> {
    if simple::is_secret(entity) { Vec::new() } else { state(text_of(payload)) }
}

fn tracker(entity: &Entity, payload: &str) -> Vec<Told> {
    let is = |key: &str, default: &str| payload_text(entity, key, default).is_some_and(|own| own == payload);
    if is("payload_reset", NONE) {
        vec![(None, None)]
    } else if is("payload_home", "home") {
        vec![(None, Some(Value::from("home")))]
    } else if is("payload_not_home", "not_home") {
        vec![(None, Some(Value::from("not_home")))]
    } else {
        state(text_of(payload))
    }
}

fn update(_: &Entity, payload: &str) -> Vec<Told> {
    let field = |name: &'static str, value: Option<&Value>| {
        one(Some(name), value.and_then(|value| text_of(&scalar_text(value))))
    };
    match read_json(payload) {
        Json::Value { value: Value::Object(fields), .. } => {
            let installed = field("installed_version", fields.get("installed_version"));
            installed.into_iter().chain(field("latest_version", fields.get("latest_version"))).collect()
        }
        _ => one(Some("installed_version"), text_of(payload)),
    }
}

fn fan_percentage(entity: &Entity, payload: &str) -> Vec<Told> {
    if payload == option_text(entity, "payload_reset_percentage").as_deref().unwrap_or(NONE) {
        return vec![(Some("percentage"), None)];
    }
    let percentage = payload.trim().parse::<f64>().ok().and_then(|speed| super::climate::percentage(entity, speed));
    one(Some("percentage"), percentage.map(|percentage| Some(Value::from(percentage))))
}

fn fan_oscillation(entity: &Entity, payload: &str) -> Vec<Told> {
    let is = |key: &str, default: &str| payload_text(entity, key, default).is_some_and(|own| own == payload);
    let is_on = if is("payload_oscillation_on", "oscillate_on") {
        Some(true)
    } else {
        is("payload_oscillation_off", "oscillate_off").then_some(false)
    };
    one(Some("oscillating"), is_on.map(|is_on| Some(Value::Bool(is_on))))
}
