//! Messages of Home Assistant's MQTT discovery, read as Home Assistant reads them.
//!
//! One message in, what it says out: the classic form with one entity, and the form of a whole device. Short keys are
//! written out, `~` is resolved, and what a component inherits is in it. It keeps nothing, and it does not know what a
//! payload on a command topic means.
//!
//! It is less strict than Home Assistant where a required key is missing: Home Assistant makes no entity of such a
//! message, but a topic that it calls a command topic is treated as one. Where one component of a device cannot be
//! used, the others still can.

mod abbreviations;
mod expand;
mod names;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::entity::{Announcement, Entity};
use crate::model::message::Message;
use crate::model::topic;

/// Largest message of discovery, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Deepest nesting of arrays and objects in one.
pub const DEPTH_MAX: usize = 16;
/// Components of one device.
pub const COMPONENTS_MAX: usize = 256;
/// Command topics of one entity.
pub const COMMAND_TOPICS_MAX: usize = 64;
/// Longest name of a platform.
const PLATFORM_BYTES_MAX: usize = 64;

/// What stands at the root of a device message for all its components. Home Assistant 2025.4 lets them inherit eight of
/// these; since 2026 `encoding`, `message_expiry_interval` and `qos` too, which change no topic and no payload's meaning.
pub const INHERITED: [&str; 11] = [
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "command_topic",
    "encoding",
    "message_expiry_interval",
    "payload_available",
    "payload_not_available",
    "qos",
    "state_topic",
];

/// What one message of discovery says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Announced {
        announcement: Announcement,
        /// Components that cannot be used, each with the reason. They are not in the announcement.
        left_out: Vec<String>,
    },
    /// Everything that this topic announced is gone.
    Removed,
    /// The entities of this topic will be announced by another one. Until then they are what they were.
    Migrating,
}

/// Where a message of discovery stands: `<prefix>/<platform>/[<node>/]<object>/config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place<'a> {
    /// `device` for a message of a whole device.
    platform: &'a str,
    object: &'a str,
}

/// Whether a topic belongs to discovery under `prefix`, well-formed or not.
pub fn is_discovery(prefix: &str, topic: &str) -> bool {
    topic.len() > prefix.len() && topic::is_under(topic, prefix) && topic.ends_with("/config")
}

/// Where the bridge with this base announces itself.
pub fn own_topic(prefix: &str, base: &str) -> String {
    format!("{prefix}/device/{}/config", own_id(base))
}

/// The base as one level of a discovery topic.
pub fn own_id(base: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    base.chars().map(|character| if is_plain(character) { character } else { '_' }).collect()
}

/// Reads one message on a topic below `prefix`.
///
/// # Errors
/// Home Assistant would make nothing of it either, or it is over a bound; the text says which.
pub fn read(prefix: &str, message: &Message) -> Result<Said, String> {
    let place = place(prefix, &message.topic)?;
    if message.payload.is_empty() {
        return Ok(Said::Removed);
    }
    if message.payload.len() > MESSAGE_BYTES_MAX {
        return Err(format!("expected at most {MESSAGE_BYTES_MAX} bytes, found {}", message.payload.len()));
    }
    // Of a key that stands twice the last one counts, here as in Home Assistant.
    let Ok(value) = serde_json::from_slice::<Value>(&message.payload) else {
        return Err("expected a JSON object, found text that is no JSON".to_owned());
    };
    if depth(&value) > DEPTH_MAX {
        return Err(format!("expected at most {DEPTH_MAX} levels of nesting, found more"));
    }
    let Value::Object(mut fields) = value else {
        return Err("expected a JSON object, found another kind of value".to_owned());
    };
    expand::keys(&mut fields, abbreviations::OPTIONS);
    let is_migrating = fields.len() == 1 && fields.get("migrate_discovery") == Some(&Value::Bool(true));
    if is_migrating {
        Ok(Said::Migrating)
    } else if place.platform == "device" {
        read_device(&place, &message.topic, fields)
    } else {
        Ok(read_entity(&place, &message.topic, fields))
    }
}

fn place<'a>(prefix: &str, topic: &'a str) -> Result<Place<'a>, String> {
    let rest = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    let levels: Vec<&str> = rest.split('/').collect();
    let (platform, node, object) = match levels.as_slice() {
        [platform, object, "config"] => (*platform, "-", *object),
        [platform, node, object, "config"] => (*platform, *node, *object),
        _ => return Err("expected a topic such as `<prefix>/lock/<object>/config`, found another shape".to_owned()),
    };
    let is_id =
        |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !is_platform(platform) || !is_id(node) || !is_id(object) {
        return Err("expected letters, digits, `_` and `-` in each level of the topic, found others".to_owned());
    }
    Ok(Place { platform, object })
}

fn is_platform(name: &str) -> bool {
    (1..=PLATFORM_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The classic form: the topic names the platform.
fn read_entity(place: &Place<'_>, topic: &str, mut fields: Map<String, Value>) -> Said {
    if fields.is_empty() {
        return Said::Removed;
    }
    expand::root(&mut fields);
    expand::availability(&mut fields);
    let mut root = Map::new();
    for key in ["device", "origin"] {
        if let Some(value) = fields.remove(key) {
            root.insert(key.to_owned(), value);
        }
    }
    fields.remove("platform");
    expand::base(&mut fields);
    let mut announcement = Announcement {
        topic: topic.to_owned(),
        is_device: false,
        root,
        entities: BTreeMap::new(),
        removed: BTreeMap::new(),
    };
    let mut left_out = Vec::new();
    match entity(&announcement, String::new(), place.platform, fields, None, place.object) {
        Ok(entity) => {
            announcement.entities.insert(String::new(), entity);
        }
        Err(reason) => left_out.push(reason),
    }
    Said::Announced { announcement, left_out }
}

/// The form of a device: components stand below `components`, and since 2026 below each of `child_devices` too.
fn read_device(place: &Place<'_>, topic: &str, mut fields: Map<String, Value>) -> Result<Said, String> {
    expand::root(&mut fields);
    expand::availability(&mut fields);
    let mut components = take_components(&mut fields)?.unwrap_or_default();
    let mut children = BTreeMap::new();
    let mut has_components = !components.is_empty();
    if let Some(Value::Array(devices)) = fields.get_mut("child_devices") {
        for device in devices.iter_mut().filter_map(Value::as_object_mut) {
            expand::keys(device, abbreviations::DEVICE);
            expand::keys(device, abbreviations::OPTIONS);
            let Some(own) = take_components(device)? else { continue };
            has_components = true;
            // The places are kept, so that the mirror can write each component where it stood.
            let places = own.keys().map(|key| (key.clone(), Value::Object(Map::new()))).collect();
            device.insert("components".to_owned(), Value::Object(places));
            let name = device.get("name").and_then(Value::as_str).map(str::to_owned);
            for (key, options) in own {
                children.insert(key.clone(), name.clone());
                if components.insert(key.clone(), options).is_some() {
                    return Err(format!("expected each component once, found `{}` again", shown(&key)));
                }
            }
        }
    }
    if !has_components {
        return Err("expected `components`, found none".to_owned());
    }
    if components.len() > COMPONENTS_MAX {
        return Err(format!("expected at most {COMPONENTS_MAX} components, found {}", components.len()));
    }
    let mut announcement = Announcement {
        topic: topic.to_owned(),
        is_device: true,
        root: fields,
        entities: BTreeMap::new(),
        removed: BTreeMap::new(),
    };
    let mut left_out = Vec::new();
    for (key, options) in components {
        let (platform, mut options) = read_component(&key, options)?;
        if options.is_empty() {
            announcement.removed.insert(key, platform);
            continue;
        }
        for inherited in INHERITED {
            if let (false, Some(value)) = (options.contains_key(inherited), announcement.root.get(inherited)) {
                options.insert(inherited.to_owned(), value.clone());
            }
        }
        expand::base(&mut options);
        let child = children.get(&key).and_then(Option::as_deref);
        match entity(&announcement, key.clone(), &platform, options, child, place.object) {
            Ok(entity) => {
                announcement.entities.insert(key, entity);
            }
            Err(reason) => left_out.push(format!("`{}`: {reason}", shown(&key))),
        }
    }
    Ok(Said::Announced { announcement, left_out })
}

fn take_components(fields: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, String> {
    match fields.remove("components") {
        None => Ok(None),
        Some(Value::Object(components)) => Ok(Some(components)),
        Some(_) => Err("expected `components` as an object, found another kind of value".to_owned()),
    }
}

/// One component, its platform taken out. Without one Home Assistant takes nothing of the whole message.
fn read_component(key: &str, options: Value) -> Result<(String, Map<String, Value>), String> {
    let Value::Object(mut options) = options else {
        return Err(format!("expected an object for `{}`, found another kind of value", shown(key)));
    };
    expand::keys(&mut options, abbreviations::OPTIONS);
    expand::availability(&mut options);
    let Some(Value::String(platform)) = options.remove("platform") else {
        return Err(format!("expected a `platform` for `{}`, found none", shown(key)));
    };
    if !is_platform(&platform) {
        return Err(format!("expected a platform such as `lock` for `{}`, found `{}`", shown(key), shown(&platform)));
    }
    options.remove("device");
    options.remove("origin");
    Ok((platform, options))
}

/// Makes an entity of options that are written out. The error says why it can command nothing that could be guarded.
fn entity(
    announcement: &Announcement,
    component: String,
    platform: &str,
    mut options: Map<String, Value>,
    child: Option<&str>,
    object: &str,
) -> Result<Entity, String> {
    expand::topics(&mut options);
    let device = announcement.root.get("device").and_then(Value::as_object);
    let device_name = child.or_else(|| device?.get("name")?.as_str());
    let name = names::full_name(platform, device_name, &options).unwrap_or_else(|| object.to_owned());
    let entity = Entity {
        topic: announcement.topic.clone(),
        component,
        platform: platform.to_owned(),
        entity_id: names::entity_id(platform, &name, &options),
        name,
        device: device.map(identifiers).unwrap_or_default(),
        options,
    };
    if entity.command_topics().count() > COMMAND_TOPICS_MAX {
        return Err(format!("expected at most {COMMAND_TOPICS_MAX} command topics, found more"));
    }
    for (key, command_topic) in entity.command_topics() {
        topic::check_name(command_topic).map_err(|error| {
            format!("expected a topic for `{}`, found `{}`: {error}", shown(key), shown(command_topic))
        })?;
    }
    Ok(entity)
}

/// Identifiers of a device, and its connections as `kind=value`.
fn identifiers(device: &Map<String, Value>) -> Vec<String> {
    let list = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        other => vec![other.clone()],
    };
    let identifiers = device.get("identifiers").map(list).unwrap_or_default();
    let connections = device.get("connections").map(list).unwrap_or_default();
    let connection = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([kind, value]) => Some(format!("{}={}", expand::text(kind)?, expand::text(value)?)),
        _ => None,
    };
    identifiers.iter().filter_map(expand::text).chain(connections.iter().filter_map(connection)).collect()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A text from outside, as an error may repeat it.
fn shown(text: &str) -> String {
    text.chars().take(100).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests;
