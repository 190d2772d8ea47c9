//! The fields of an event and of a request, as an integration writes them down.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rhai::{Dynamic, Map};
use serde_json::Value;

use crate::integration::items::SeenRequest;
use crate::integration::said::SendValue;
use crate::model::request::{Door, HouseEvent, Request, Source};
use crate::model::speaker::Heard;
use crate::script::json;
use crate::script::kinds::shown;
use crate::script::nearest::did_you_mean_one_of;
use crate::script::operators::{Outcome, fail};

/// Longest name of a speaker or dialogue, in bytes. A longer one is left out.
const NAME_BYTES_MAX: usize = 64;
/// From here on a number is milliseconds since 1970, and not seconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// What an event may have.
pub(in crate::integration) const EVENT_FIELDS: [&str; 6] = ["speaker", "text", "confidence", "session", "at", "data"];
/// What a request may have.
pub(in crate::integration) const REQUEST_FIELDS: [&str; 9] =
    ["speaker", "target", "text", "confidence", "session", "at", "data", "sensitive", "hold"];

/// An event of the house. Its name is dotted.
pub(super) fn event(name: &str, mut fields: Map) -> Outcome<HouseEvent> {
    known(&fields, &EVENT_FIELDS)?;
    Ok(HouseEvent {
        name: dotted(name, "voice.transcript")?,
        speaker: name_of(&mut fields, "speaker")?,
        text: text(&mut fields, "text")?,
        confidence: confidence(&mut fields)?,
        data: data(&mut fields)?,
        session: name_of(&mut fields, "session")?,
        happened: moment(&mut fields)?,
    })
}

/// Somebody wants something.
pub(super) fn request(action: &str, mut fields: Map) -> Outcome<SeenRequest> {
    known(&fields, &REQUEST_FIELDS)?;
    let hold = match fields.remove("hold") {
        None => None,
        Some(value) => match value.clone().try_cast::<SendValue>() {
            Some(send) if !send.is_act => Some(send.message),
            _ => return fail(format!("expected `send(topic, payload)` for `hold`, found {}", shown(&value))),
        },
    };
    let sensitive = match fields.remove("sensitive") {
        None => false,
        Some(value) => value.as_bool().or_else(|_| fail(wrong("true or false", "sensitive", &value)))?,
    };
    let speaker = name_of(&mut fields, "speaker")?;
    let (session, happened) = (name_of(&mut fields, "session")?, moment(&mut fields)?);
    let heard = speaker.map(|speaker| Box::new(Heard { speaker, session, happened, ..Heard::default() }));
    let request = Request {
        action: dotted(action, "communication.send_message")?,
        target: text(&mut fields, "target")?,
        source: Source::default(),
        door: Door::Watch,
        text: text(&mut fields, "text")?,
        confidence: confidence(&mut fields)?,
        data: data(&mut fields)?,
        sensitive,
        heard,
    };
    Ok(SeenRequest { request, hold })
}

fn known(fields: &Map, names: &[&'static str]) -> Outcome<()> {
    match fields.keys().find(|key| !names.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let help = did_you_mean_one_of(key, names.iter().copied());
            let help = help.map_or_else(String::new, |help| format!("; {help}"));
            fail(format!("there is no field `{key}`{help}"))
        }
    }
}

fn dotted(text: &str, example: &str) -> Outcome<String> {
    if is_dotted(text) {
        return Ok(text.to_owned());
    }
    fail(format!("expected a name such as `{example}`, found `{text}`"))
}

/// Two or more words of small letters, digits and `_`, with dots between.
pub(in crate::integration) fn is_dotted(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.contains('.') && text.len() <= NAME_BYTES_MAX && text.split('.').all(is_word)
}

fn wrong(expected: &str, field: &str, value: &Dynamic) -> String {
    format!("expected {expected} for `{field}`, found {}", shown(value))
}

/// A field that is nothing is one that is not there.
fn take(fields: &mut Map, name: &str) -> Option<Dynamic> {
    fields.remove(name).filter(|value| !value.is_unit())
}

fn text(fields: &mut Map, name: &str) -> Outcome<Option<String>> {
    match take(fields, name) {
        None => Ok(None),
        Some(value) if value.is_string() => Ok(Some(value.to_string()).filter(|text| !text.is_empty())),
        Some(value) => fail(wrong("a text", name, &value)),
    }
}

fn name_of(fields: &mut Map, name: &str) -> Outcome<Option<String>> {
    Ok(text(fields, name)?.filter(|name| name.len() <= NAME_BYTES_MAX))
}

/// Anything but a number from 0 to 1 is left out: it says nothing.
fn confidence(fields: &mut Map) -> Outcome<Option<f64>> {
    let Some(value) = take(fields, "confidence") else { return Ok(None) };
    #[expect(clippy::cast_precision_loss, reason = "only 0 and 1 are kept")]
    let number = value.as_float().or_else(|_| value.as_int().map(|whole| whole as f64));
    match number {
        Ok(number) => Ok(Some(number).filter(|number| (0.0..=1.0).contains(number))),
        Err(_) => fail(wrong("a number", "confidence", &value)),
    }
}

/// ISO 8601 text, or seconds or milliseconds since 1970. A text that is no time is left out: a device wrote it.
fn moment(fields: &mut Map) -> Outcome<Option<Timestamp>> {
    let Some(value) = take(fields, "at") else { return Ok(None) };
    if value.is_string() {
        return Ok(value.to_string().parse().ok());
    }
    #[expect(clippy::cast_possible_truncation, reason = "fractions of a second are dropped")]
    let number = value.as_int().or_else(|_| value.as_float().map(|fraction| fraction as i64));
    match number {
        Ok(number) if number >= MILLISECONDS_FROM => Ok(Timestamp::from_millisecond(number).ok()),
        Ok(number) => Ok(Timestamp::from_second(number).ok()),
        Err(_) => fail(wrong("a time", "at", &value)),
    }
}

fn data(fields: &mut Map) -> Outcome<BTreeMap<String, Value>> {
    let Some(value) = take(fields, "data") else { return Ok(BTreeMap::new()) };
    match json::from_script(&value) {
        Ok(Value::Object(fields)) => Ok(fields.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        Ok(_) => fail(wrong("a map", "data", &value)),
        Err(message) => fail(message),
    }
}
