//! What an entity's state topics tell, as facts.
//!
//! States are named as Home Assistant shows them. A payload that names no state, or that a template cannot be rendered
//! for, tells nothing: the old value stands and ages.

use serde_json::Value;

use super::{option_text, template};
use crate::model::entity::Entity;
use crate::model::request::FactChange;

/// One topic that tells something of an entity.
pub(super) struct Source<'a> {
    pub(super) topic: &'a str,
    /// The template through which its payload is read.
    template: Option<&'a str>,
    read: fn(&Entity, &str) -> Vec<(Option<&'static str>, Value)>,
}

/// Topic key, template key, and how the rendered payload is read.
type Row = (&'static str, &'static str, fn(&Entity, &str) -> Vec<(Option<&'static str>, Value)>);

pub(super) fn sources(entity: &Entity) -> Vec<Source<'_>> {
    let rows: &[Row] = match entity.platform.as_str() {
        "lock" => &[("state_topic", "value_template", lock)],
        _ => &[],
    };
    let source = |(topic, template, read): &Row| {
        let topic = entity.text(topic).filter(|topic| !topic.is_empty())?;
        Some(Source { topic, template: entity.text(template).filter(|source| !source.is_empty()), read: *read })
    };
    rows.iter().filter_map(source).collect()
}

pub(super) fn read(entity: &Entity, topic: &str, payload: &[u8]) -> Vec<FactChange> {
    let Ok(text) = std::str::from_utf8(payload) else { return Vec::new() };
    let facts = |source: Source<'_>| {
        let rendered = match source.template {
            Some(template) => template::render_value(template, text, &[]),
            None => Some(text.to_owned()),
        };
        rendered.map(|rendered| (source.read)(entity, &rendered)).unwrap_or_default()
    };
    sources(entity)
        .into_iter()
        .filter(|source| source.topic == topic)
        .flat_map(facts)
        .map(|(attribute, value)| FactChange {
            entity: entity.entity_id.clone(),
            attribute: attribute.map(str::to_owned),
            value: Some(value),
        })
        .collect()
}

fn lock(entity: &Entity, payload: &str) -> Vec<(Option<&'static str>, Value)> {
    let states = [("state_locked", "LOCKED", "locked"), ("state_unlocked", "UNLOCKED", "unlocked")];
    let found = states
        .iter()
        .find(|(key, default, _)| option_text(entity, key).unwrap_or_else(|| (*default).to_owned()) == payload);
    found.map(|(_, _, state)| vec![(None, Value::from(*state))]).unwrap_or_default()
}
