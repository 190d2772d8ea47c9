//! A message of the house, as scripts see it.

use std::rc::Rc;

use bytes::Bytes;
use rhai::{Engine, ImmutableString};

use super::check::language::Shape;
use super::fields::{Field, close};
use super::json;
use super::kinds::Kind;
use super::operators::fail;
use super::sandbox::{Meter, TEXT_BYTES_MAX};
use crate::model::message::Message;

/// A message in a script.
#[derive(Debug, Clone)]
pub struct MessageValue {
    topic: ImmutableString,
    payload: Bytes,
    retained: bool,
}

impl MessageValue {
    pub fn of(message: &Message) -> MessageValue {
        MessageValue {
            topic: message.topic.as_str().into(),
            payload: message.payload.clone(),
            retained: message.retain,
        }
    }
}

/// Its fields.
pub const FIELDS: &[Field] = &[
    ("is_json", Some(Kind::Truth)),
    ("is_text", Some(Kind::Truth)),
    ("json", None),
    ("payload", Some(Kind::Text)),
    ("retained", Some(Kind::Truth)),
    ("topic", Some(Kind::Text)),
];

/// What a function is given that reads messages.
pub const SHAPE: &Shape = &Shape { name: "message", fields: FIELDS, words: &[] };

/// Largest payload that is read as JSON, in bytes.
const JSON_BYTES_MAX: usize = 16 * 1024;
/// Bytes of JSON that count as one step.
const JSON_BYTES_PER_OPERATION: usize = 32;

/// Registers the type and its fields.
pub fn register(engine: &mut Engine, meter: &Rc<Meter>) {
    engine.register_type_with_name::<MessageValue>("a message");
    engine.register_get("topic", |message: &mut MessageValue| message.topic.clone());
    engine.register_get("retained", |message: &mut MessageValue| message.retained);
    engine.register_get("is_text", |message: &mut MessageValue| text(message).is_ok());
    engine.register_get("payload", |message: &mut MessageValue| text(message).or_else(fail));
    let counting = Rc::clone(meter);
    engine.register_get("json", move |message: &mut MessageValue| match parsed(message, &counting) {
        Some(value) => Ok(json::to_script(&value)),
        None => fail(format!("expected JSON of at most {JSON_BYTES_MAX} bytes; ask `is_json` first")),
    });
    let counting = Rc::clone(meter);
    engine.register_get("is_json", move |message: &mut MessageValue| parsed(message, &counting).is_some());
    close::<MessageValue>(engine, "a message", FIELDS);
}

/// The payload as text, or why it is none that a script can hold.
fn text(message: &MessageValue) -> Result<ImmutableString, String> {
    let bytes = message.payload.len();
    match std::str::from_utf8(&message.payload) {
        Ok(text) if bytes <= TEXT_BYTES_MAX => Ok(text.into()),
        Ok(_) => Err(format!("expected text of at most {TEXT_BYTES_MAX} bytes, found {bytes}; ask `is_text` first")),
        Err(_) => Err(format!("expected text, found {bytes} bytes that are not UTF-8; ask `is_text` first")),
    }
}

fn parsed(message: &MessageValue, meter: &Meter) -> Option<serde_json::Value> {
    let bytes = message.payload.len();
    if bytes > JSON_BYTES_MAX {
        return None;
    }
    meter.charge(u64::try_from(bytes / JSON_BYTES_PER_OPERATION).unwrap_or(u64::MAX));
    serde_json::from_slice(&message.payload).ok().filter(json::fits)
}
