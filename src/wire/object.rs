//! JSON objects from outside, read strictly: every field is known, of its kind, and there once.
//!
//! Errors name the field and the nearest right one.

use serde_json::{Map, Value};

use super::{shown, unknown};
use crate::config::payload::{Json, read_json};
use crate::time::parse_duration_ms;

/// An object whose fields are taken out one by one.
#[derive(Debug)]
pub(super) struct Object {
    fields: Map<String, Value>,
}

impl Object {
    /// Reads a payload.
    pub(super) fn read(payload: &[u8]) -> Result<Object, String> {
        let text = std::str::from_utf8(payload).map_err(|_| "expected JSON, found bytes that are not UTF-8")?;
        match read_json(text) {
            Json::Value { value: Value::Object(fields), .. } => Ok(Object { fields }),
            Json::Value { value, .. } => Err(format!("expected a JSON object, found {}", kind_of(&value))),
            Json::Ambiguous(reason) => Err(format!("expected JSON with one reading, found another: {reason}")),
            Json::None => Err(format!("expected a JSON object, found `{}`", shown(text))),
        }
    }

    /// Refuses fields that are not among `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(unknown("known fields only", name, known.iter().copied())),
            None => Ok(()),
        }
    }

    /// A field. `null` is as good as none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_kind("text", name, &other)),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(wrong_kind("`true` or `false`", name, &other)),
        }
    }

    /// `for`: a duration such as `20m`, in milliseconds.
    pub(super) fn duration_ms(&mut self, name: &str, duration_max_ms: u64) -> Result<Option<u64>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let duration_ms = parse_duration_ms(&text).map_err(|error| format!("`{name}`: {error}"))?;
        if !(1..=duration_max_ms).contains(&duration_ms) {
            let hours = duration_max_ms / 3_600_000;
            return Err(format!("`{name}`: expected a duration up to `{hours}h`, found `{}`", shown(&text)));
        }
        Ok(Some(duration_ms))
    }
}

pub(super) fn wrong_kind(expected: &str, name: &str, found: &Value) -> String {
    format!("`{name}`: expected {expected}, found {}", kind_of(found))
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) => format!("the text `{}`", shown(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
