//! The mirrored discovery: what devices announce, written again for Home Assistant under `<base>/homeassistant/`.
//!
//! It is written from what the registry understood (long keys, `~` resolved, inheritance written out), so that Home
//! Assistant takes a device for nothing else than what the bridge took it for. Command topics that are guarded are pointed
//! at the gate. It decides nothing about what is guarded, and remembers nothing.

mod availability;
mod optimism;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::discovery::INHERITED;
use crate::model::entity::{Announcement, Entity};
use crate::model::message::Message;
use crate::model::topic::{TOPIC_BYTES_MAX, check_name};

/// What stays as it is in the level of a topic that is named after a component.
const LEVEL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Where the mirror stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the bridge's own topics begin.
    pub base: String,
    /// Under which devices announce themselves.
    pub discovery: String,
}

/// A mirrored announcement.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirrored {
    /// Retained, on the mirror's topic.
    pub message: Message,
    /// What could not be made safe, for the owner: lower case, each beginning with the entity.
    pub notes: Vec<String>,
}

impl Settings {
    /// The mirror's topic for a discovery topic. `None`: it is none, or too long to be written to.
    pub fn mirror_topic(&self, original: &str) -> Option<String> {
        let rest = original.strip_prefix(&self.discovery)?.strip_prefix('/')?;
        let topic = format!("{}/{rest}", self.root());
        check_name(&topic).is_ok().then_some(topic)
    }

    /// The discovery topic whose mirror this is. `None`: it is none.
    pub fn original_topic(&self, mirror: &str) -> Option<String> {
        let rest = mirror.strip_prefix(&self.root())?.strip_prefix('/')?;
        let topic = format!("{}/{rest}", self.discovery);
        check_name(&topic).is_ok().then_some(topic)
    }

    /// Under which Home Assistant reads the mirror: its discovery prefix.
    pub fn root(&self) -> String {
        format!("{}/homeassistant", self.base)
    }

    /// Where the bridge tells the state of an entity whose device tells none.
    pub fn state_topic(&self, entity: &Entity) -> String {
        let rest = entity.topic.strip_prefix(&self.discovery).unwrap_or(&entity.topic);
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let id = rest.strip_suffix("/config").unwrap_or(rest);
        if entity.component.is_empty() {
            return format!("{}/state/{id}", self.base);
        }
        format!("{}/state/{id}/{}", self.base, utf8_percent_encode(&entity.component, LEVEL))
    }
}

/// The announcement for Home Assistant. `is_guarded` says of a command topic whether it leads through the gate.
pub fn mirrored(announcement: &Announcement, settings: &Settings, is_guarded: &dyn Fn(&str) -> bool) -> Mirrored {
    let mut notes = Vec::new();
    let mut written = announcement.entities.iter().map(|(key, entity)| {
        let options = options(entity, settings, is_guarded, &mut notes);
        (key.clone(), options)
    });
    let mut body = announcement.root.clone();
    if announcement.is_device {
        let mut components: Map<String, Value> = written
            .map(|(key, mut options)| {
                let platform = announcement.entities.get(&key).map(|entity| entity.platform.clone());
                options.insert("platform".to_owned(), platform.into());
                (key, Value::Object(options))
            })
            .collect();
        let removed = announcement.removed.iter();
        components.extend(removed.map(|(key, platform)| (key.clone(), json!({"platform": platform}))));
        body.retain(|key, _| !INHERITED.contains(&key.as_str()));
        return_to_children(&mut body, &mut components);
        body.insert("components".to_owned(), Value::Object(components));
    } else if let Some((_, options)) = written.next() {
        body.extend(options);
    }
    let topic = settings.mirror_topic(&announcement.topic).unwrap_or_default();
    Mirrored { message: Message::retained(topic, Value::Object(body).to_string()), notes }
}

/// Puts each component of a child device back where it stood. The child devices at the root hold an empty place for each.
fn return_to_children(body: &mut Map<String, Value>, components: &mut Map<String, Value>) {
    let children = body.get_mut("child_devices").and_then(Value::as_array_mut);
    for child in children.into_iter().flatten() {
        let Some(places) = child.get_mut("components").and_then(Value::as_object_mut) else { continue };
        let keys: Vec<String> = places.keys().cloned().collect();
        for key in keys {
            match components.remove(&key) {
                Some(component) => places.insert(key, component),
                // It could not be used.
                None => places.remove(&key),
            };
        }
    }
}

/// The announcement with the real command topics, as it stands in the mirror while the relay is released.
pub fn released(announcement: &Announcement, settings: &Settings) -> Message {
    mirrored(announcement, settings, &|_| false).message
}

/// What is told on an entity's own state topic of the bridge after a command to it was forwarded. `state` is what should
/// follow, as Home Assistant names it. `None`: its device tells its state itself, or nothing can be told.
pub fn told(entity: &Entity, settings: &Settings, state: &str) -> Option<Message> {
    let payload = optimism::payload(entity, state)?;
    Some(Message::retained(settings.state_topic(entity), payload))
}

/// Whether the bridge tells the state of this entity while it is guarded, since its device does not.
pub fn is_silent(entity: &Entity) -> bool {
    optimism::is_told(entity)
}

/// The options of one entity as Home Assistant reads them in the mirror.
fn options(
    entity: &Entity,
    settings: &Settings,
    is_guarded: &dyn Fn(&str) -> bool,
    notes: &mut Vec<String>,
) -> Map<String, Value> {
    let mut options = entity.options.clone();
    let guarded = entity.command_topics().filter(|(_, topic)| is_guarded(topic));
    let gates: Vec<(String, String)> =
        guarded.map(|(key, topic)| (key.to_owned(), format!("{}/gate/{topic}", settings.base))).collect();
    if gates.is_empty() {
        if entity.command_topics().next().is_some() {
            availability::forget(&mut options);
        }
        return options;
    }
    let mut note = |text: String| notes.push(format!("{}: {text}", entity.entity_id));
    for (key, gate) in gates {
        if gate.len() > TOPIC_BYTES_MAX {
            note(format!("its `{key}` is too long for the gate, so its commands reach nothing"));
        }
        options.insert(key, gate.into());
    }
    // A stored command would be cleared by the gate as a ghost, and act again wherever it is not.
    options.insert("retain".to_owned(), false.into());
    if let Err(reason) = availability::add(&mut options, &format!("{}/status", settings.base)) {
        note(reason);
    }
    for reason in optimism::correct(entity, &mut options, &settings.state_topic(entity)) {
        note(reason);
    }
    options
}

#[cfg(test)]
mod tests;
