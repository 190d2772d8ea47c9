//! States of the house from topics: Home Assistant's statestream, and the owner's own.
//!
//! "unknown" and "unavailable" are no values: the house does not know. A message that says nothing certain (a key
//! twice, no text) makes its fact unknown rather than leaving the old value standing.

use serde_json::Value;

use super::value_of;
use crate::config::payload::{Payload, scalar_text};
use crate::config::{Config, FactEntry};
use crate::model::message::Message;
use crate::model::request::FactChange;
use crate::model::topic::TopicFilter;

/// Longest entity id that is taken in, in bytes. Home Assistant's own bound.
pub(super) const ENTITY_BYTES_MAX: usize = 255;
/// Longest name of an attribute, in bytes.
pub(super) const ATTRIBUTE_BYTES_MAX: usize = 128;

#[derive(Debug, Clone)]
pub(super) struct Facts {
    statestream: Option<String>,
    topics: Vec<FactEntry>,
}

impl Facts {
    pub(super) fn new(config: &Config) -> Facts {
        Facts { statestream: config.statestream.clone(), topics: config.facts.clone() }
    }

    pub(super) fn filters(&self) -> Vec<TopicFilter> {
        let statestream = self.statestream.as_ref().and_then(|base| TopicFilter::new(&format!("{base}/+/+/+")).ok());
        statestream.into_iter().chain(self.topics.iter().map(|entry| entry.topic.filter().clone())).collect()
    }

    /// What statestream tells, and what the owner's own topics tell.
    pub(super) fn read(&self, message: &Message) -> (Option<FactChange>, Vec<FactChange>) {
        let payload = Payload::new(&message.payload);
        let mapped = self.topics.iter().filter_map(|entry| read_entry(entry, message, &payload)).collect();
        (self.read_statestream(message, &payload), mapped)
    }

    /// `<base>/<domain>/<object>/state` is text; `<base>/<domain>/<object>/<attribute>` is JSON.
    fn read_statestream(&self, message: &Message, payload: &Payload<'_>) -> Option<FactChange> {
        let rest = message.topic.strip_prefix(self.statestream.as_deref()?)?.strip_prefix('/')?;
        let mut levels = rest.split('/');
        let (domain, object, attribute) = (levels.next()?, levels.next()?, levels.next()?);
        if levels.next().is_some() {
            return None;
        }
        let entity = entity_of(&format!("{domain}.{object}"))?;
        if attribute == "state" {
            let value = payload.text().and_then(|text| known(Value::from(text)));
            return Some(FactChange { entity, attribute: None, value });
        }
        let attribute = attribute_of(attribute.to_owned())?;
        Some(FactChange { entity, attribute: Some(attribute), value: value_of(payload).and_then(known) })
    }
}

fn read_entry(entry: &FactEntry, message: &Message, payload: &Payload<'_>) -> Option<FactChange> {
    let names = entry.topic.read(&message.topic)?;
    if entry.when.as_ref().is_some_and(|condition| !condition.holds(payload)) {
        return None;
    }
    let entity = entity_of(&entry.entity.text(&names, payload)?)?;
    let attribute = match &entry.attribute {
        Some(template) => Some(attribute_of(template.text(&names, payload)?)?),
        None => None,
    };
    let value = if payload.text().is_none() {
        None
    } else {
        let value = known(entry.value.value(&names, payload)?);
        // A state is text, as Home Assistant's are; attributes keep their kind.
        if attribute.is_none() { value.map(|value| Value::from(scalar_text(&value))) } else { value }
    };
    Some(FactChange { entity, attribute, value })
}

fn known(value: Value) -> Option<Value> {
    match &value {
        Value::Null => None,
        Value::String(text) if matches!(text.as_str(), "" | "unknown" | "unavailable" | "None") => None,
        _ => Some(value),
    }
}

/// An entity id as Home Assistant would write it: `lock.Front Door` becomes `lock.front_door`.
fn entity_of(text: &str) -> Option<String> {
    let (domain, object) = text.split_once('.')?;
    if domain.is_empty() || object.is_empty() || text.len() > ENTITY_BYTES_MAX {
        return None;
    }
    let slug = |text: &str| {
        let character =
            |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' };
        text.chars().map(character).collect::<String>()
    };
    Some(format!("{}.{}", slug(domain), slug(object)))
}

fn attribute_of(name: String) -> Option<String> {
    (1..=ATTRIBUTE_BYTES_MAX).contains(&name.len()).then_some(name)
}
