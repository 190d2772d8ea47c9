//! Channels, speakers and the messages that are sent to them.
//!
//! Nothing here is guessed: a channel that is not named `independent` or `confirms` is neither.

use std::collections::BTreeMap;

use super::reader::{Cursor, Fields, Reader};
use super::sections::{read_globs, read_text};
use super::template::Template;
use super::{Carrier, Channel, Outgoing, Speaker, codes, entries, integrations, keys};
use crate::model::glob::Glob;
use crate::model::request::SourceKind;
use crate::script::nearest::did_you_mean_one_of;

/// Channels of one house.
pub(super) const CHANNELS_MAX: usize = 64;
/// Speakers of one house.
pub(super) const SPEAKERS_MAX: usize = 256;
/// Media players near one speaker.
pub(super) const NEAR_MAX: usize = 16;
/// Messages in one list of a speaker or channel, or in `notify`.
pub(super) const OUTGOING_MAX: usize = 16;
/// Longest name of a channel or speaker, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// Whether a text can name a channel or speaker: it is one level of a topic, and people can read it.
pub(super) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.trim() == text
        && text.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | ' '))
}

fn named<'n>(reader: &mut Reader<'_>, cursor: &Cursor<'n>, count_max: usize) -> Vec<(String, Cursor<'n>)> {
    let mut named = Vec::new();
    for (name, entry) in reader.entries(cursor, count_max) {
        if is_name(name) {
            named.push((name.to_owned(), entry));
        } else {
            let help = Some("write letters, digits, `_` and `-`, such as `kitchen_echo`".to_owned());
            reader.key_error(&entry, format!("expected a name that fits into a topic, found `{name}`"), help);
        }
    }
    named
}

pub(super) fn channels(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> BTreeMap<String, Channel> {
    let entries = named(reader, cursor, CHANNELS_MAX);
    entries.into_iter().filter_map(|(name, cursor)| Some((name, channel(reader, &cursor)?))).collect()
}

fn channel(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Option<Channel> {
    let fields = reader.fields(cursor, keys::CHANNEL);
    let mut flag = |key: &str| fields.get(key).and_then(|cursor| reader.flag(cursor)).unwrap_or(false);
    let (independent, confirms) = (flag("independent"), flag("confirms"));
    let kind_at = reader.required(&fields, "kind")?;
    let scalar = reader.text(kind_at)?;
    let kinds = [SourceKind::Voice, SourceKind::Person, SourceKind::Automation, SourceKind::Agent];
    let Some(kind) = kinds.into_iter().find(|kind| kind.name() == scalar.text) else {
        let help = did_you_mean_one_of(&scalar.text, kinds.map(SourceKind::name));
        reader.error(kind_at, format!("expected the kind of a channel, found {}", scalar.shown()), help);
        return None;
    };
    if let (SourceKind::Voice, true, Some(cursor)) = (kind, independent, fields.get("independent")) {
        let help = Some("leave `independent` out: a microphone hears whatever is said near it".to_owned());
        reader.key_error(cursor, "expected a channel that is no microphone, found `kind: voice`", help);
    }
    if let (SourceKind::Agent, true, Some(cursor)) = (kind, confirms, fields.get("confirms")) {
        let help = Some("leave `confirms` out: a program must not answer for a person".to_owned());
        reader.key_error(cursor, "expected a channel with a person behind it, found `kind: agent`", help);
    }
    if !confirms {
        refuse_without_confirms(reader, &fields);
    }
    let satellite = read_satellite(reader, &fields, kind);
    let person = read_person(reader, &fields);
    let code = codes::read(reader, &fields);
    let has_code = fields.get("pin").or_else(|| fields.get("totp")).is_some();
    let answers = fields.get("answers").map(|cursor| entries::answers(reader, cursor, has_code)).unwrap_or_default();
    let speaker = fields.get("speaker").and_then(|cursor| reader.text(cursor)).map(|scalar| scalar.text);
    let mut messages =
        |key: &str, names: &[&str]| fields.get(key).map_or_else(Vec::new, |cursor| outgoing(reader, cursor, names));
    let ask = messages("ask", &["id", "token", "question", "channel", "action", "target"]);
    let over = messages("over", &["id", "channel"]);
    Some(Channel {
        kind,
        independent,
        confirms,
        satellite,
        person,
        may_confirm: read_may_confirm(reader, &fields),
        carrier: read_carrier(reader, &fields),
        user: read_user(reader, &fields),
        code,
        speaker,
        ask,
        over,
        answers,
    })
}

/// What only a channel that confirms can use. Without this, an owner would think that a PIN guards something.
fn refuse_without_confirms(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    for key in ["may_confirm", "pin", "totp", "speaker", "ask", "over", "answers"] {
        if let Some(cursor) = fields.get(key) {
            let help = Some(format!("add `confirms: true`, or leave `{key}` out"));
            reader.key_error(cursor, format!("expected `confirms: true` beside `{key}`, found none"), help);
        }
    }
}

fn read_may_confirm(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Glob> {
    let Some(cursor) = fields.get("may_confirm") else { return Vec::new() };
    // No list means all actions; an empty one must not mean the same.
    if cursor.is_empty_list() {
        let help = Some("name actions such as `light.*`, or write `confirms: false`".to_owned());
        reader.error(cursor, "expected at least one action, found an empty list", help);
    }
    read_globs(reader, fields, "may_confirm").unwrap_or_default()
}

fn read_carrier(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Carrier {
    let Some(cursor) = fields.get("carried_by") else { return Carrier::Mqtt };
    let Some(scalar) = reader.text(cursor) else { return Carrier::Mqtt };
    if scalar.text != "home_assistant" {
        let help = Some("write `home_assistant`, or leave `carried_by` out".to_owned());
        reader.error(cursor, format!("expected `home_assistant`, found {}", scalar.shown()), help);
    }
    Carrier::HomeAssistant
}

/// A user of the broker, as its lists of users and rights can hold it.
fn read_user(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let cursor = fields.get("user")?;
    let user = read_text(reader, fields, "user")?;
    let is_user = user.len() <= NAME_BYTES_MAX && user.trim() == user && !user.chars().any(char::is_control);
    if !is_user {
        let help = Some("write the name with which the device logs in at the broker".to_owned());
        let message = format!("expected the name of a user, up to {NAME_BYTES_MAX} bytes, found another text");
        reader.error(cursor, message, help);
        return None;
    }
    Some(user)
}

/// Whether a text can be the id of a user of Home Assistant: 32 hexadecimal digits.
fn is_user(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

fn read_satellite(reader: &mut Reader<'_>, fields: &Fields<'_>, kind: SourceKind) -> Option<String> {
    let cursor = fields.get("satellite")?;
    let scalar = reader.text(cursor)?;
    if kind != SourceKind::Voice {
        let help = Some("leave `satellite` out, or write `kind: voice`".to_owned());
        reader.key_error(cursor, format!("expected `kind: voice` beside `satellite`, found `{}`", kind.name()), help);
        return None;
    }
    let object = scalar.text.strip_prefix("assist_satellite.");
    let is_entity = object.is_some_and(|object| {
        (1..=NAME_BYTES_MAX).contains(&object.len())
            && object.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    });
    if !is_entity {
        let help = Some("write its entity id in Home Assistant".to_owned());
        let message = format!("expected an entity such as `assist_satellite.kitchen`, found {}", scalar.shown());
        reader.error(cursor, message, help);
        return None;
    }
    Some(scalar.text)
}

fn read_person(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let cursor = fields.get("person")?;
    let scalar = reader.text(cursor)?;
    if !is_user(&scalar.text) {
        let help = Some("open the user in Home Assistant, under Settings, People, Users: it shows the id".to_owned());
        reader.error(cursor, format!("expected the id of a user of Home Assistant, found {}", scalar.shown()), help);
        return None;
    }
    Some(scalar.text)
}

pub(super) fn speakers(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> BTreeMap<String, Speaker> {
    let entries = named(reader, cursor, SPEAKERS_MAX);
    entries.into_iter().map(|(name, cursor)| (name, speaker(reader, &cursor))).collect()
}

fn speaker(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Speaker {
    let fields = reader.fields(cursor, keys::SPEAKER);
    let mut messages =
        |key: &str, names: &[&str]| fields.get(key).map_or_else(Vec::new, |cursor| outgoing(reader, cursor, names));
    let mute = messages("mute", &["speaker"]);
    let unmute = messages("unmute", &["speaker"]);
    let announce = messages("announce", &["speaker", "text"]);
    for (key, other) in [("mute", "unmute"), ("unmute", "mute")] {
        if let (Some(cursor), None) = (fields.get(key), fields.get(other)) {
            let help = Some(format!("add `{other}:`, so that every mute can end"));
            reader.key_error(cursor, format!("expected `{other}` beside `{key}`, found none"), help);
        }
    }
    let channel = fields.get("channel").and_then(|cursor| reader.text(cursor)).map(|scalar| scalar.text);
    let integration = read_integration(reader, &fields);
    let settings =
        fields.get("settings").map_or_else(Default::default, |cursor| integrations::settings(reader, cursor));
    let refusals = fields.get("refusals").and_then(|cursor| reader.flag(cursor)).unwrap_or(true);
    Speaker { channel, integration, settings, near: read_near(reader, &fields), refusals, mute, unmute, announce }
}

/// One way to say how a speaker is muted: an integration, or the messages themselves.
fn read_integration(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let Some(cursor) = fields.get("integration") else {
        if let Some(cursor) = fields.get("settings") {
            let help = Some("add `integration:`, or leave `settings` out".to_owned());
            reader.key_error(cursor, "expected `integration` beside `settings`, found none", help);
        }
        return None;
    };
    let scalar = reader.text(cursor)?;
    if !integrations::is_name(&scalar.text) {
        let help = Some("write the name of its file without `.rhai`, such as `hermes`".to_owned());
        reader.error(cursor, format!("expected the name of an integration, found {}", scalar.shown()), help);
        return None;
    }
    for key in ["mute", "unmute", "announce"] {
        if let Some(cursor) = fields.get(key) {
            let help = Some(format!("leave `{key}` out, or `integration`"));
            reader.key_error(cursor, format!("expected no `{key}` beside `integration`, found one"), help);
        }
    }
    Some(scalar.text)
}

fn read_near(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<String> {
    let Some(cursor) = fields.get("near") else { return Vec::new() };
    let items = reader.list(cursor, NEAR_MAX);
    let read = |item: &Cursor<'_>| {
        let scalar = reader.text(item)?;
        if scalar.text.starts_with("media_player.") {
            return Some(scalar.text);
        }
        let help = Some("write its entity id in Home Assistant".to_owned());
        let message = format!("expected an entity such as `media_player.kitchen_tv`, found {}", scalar.shown());
        reader.error(item, message, help);
        None
    };
    items.iter().filter_map(read).collect()
}

/// A list of messages whose payloads may use `names`; topics may use `{speaker}` alone.
pub(super) fn outgoing(reader: &mut Reader<'_>, cursor: &Cursor<'_>, names: &[&str]) -> Vec<Outgoing> {
    let items = reader.list(cursor, OUTGOING_MAX);
    items.iter().filter_map(|item| message(reader, item, names)).collect()
}

fn message(reader: &mut Reader<'_>, cursor: &Cursor<'_>, names: &[&str]) -> Option<Outgoing> {
    let fields = reader.fields(cursor, keys::OUTGOING);
    let in_topic: Vec<&str> = names.iter().copied().filter(|name| *name == "speaker").collect();
    let topic = read_template(reader, &fields, "topic", |text| Template::parse(text, &in_topic));
    let payload = read_template(reader, &fields, "payload", |text| Template::parse_payload(text, names));
    let retain = fields.get("retain").and_then(|cursor| reader.flag(cursor)).unwrap_or(false);
    Some(Outgoing { topic: topic?, payload: payload?, retain })
}

fn read_template(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<Template, super::pattern::Malformed>,
) -> Option<Template> {
    let cursor = reader.required(fields, key)?;
    let scalar = reader.scalar(cursor)?;
    parse(&scalar.text).map_err(|error| reader.malformed(cursor, &scalar, error)).ok()
}
