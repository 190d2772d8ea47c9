//! JSON values as script values and back.
//!
//! A `null` field is an absent field: a script asks whether a field is there, never whether it is nothing.

use rhai::{Dynamic, Map};
use serde_json::{Number, Value};

use super::kinds::kind_of;
use super::sandbox::{LIST_ITEMS_MAX, MAP_FIELDS_MAX, TEXT_BYTES_MAX};

/// A JSON value for a script. `null` within a list becomes nothing; `null` fields are left out.
pub fn to_script(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => Dynamic::from(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Dynamic::from(whole),
            (None, Some(fraction)) => Dynamic::from(fraction),
            (None, None) => Dynamic::UNIT,
        },
        Value::String(text) => Dynamic::from(text.clone()),
        Value::Array(items) => Dynamic::from_array(items.iter().map(to_script).collect()),
        Value::Object(fields) => Dynamic::from_map(fields_to_script(fields)),
    }
}

/// The fields of a JSON object for a script.
pub fn fields_to_script<'a>(fields: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Map {
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.as_str().into(), to_script(value)))
        .collect()
}

/// How many values a JSON value is made of: what it costs to hand it to a script.
pub fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<u64>(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// Whether a script can hold the value at all: its texts, its items and its fields, each counted together.
pub fn fits(value: &Value) -> bool {
    let Sizes { text_bytes, items, fields } = Sizes::of(value);
    text_bytes <= TEXT_BYTES_MAX && items <= LIST_ITEMS_MAX && fields <= MAP_FIELDS_MAX
}

/// What the engine's limits are on.
#[derive(Default)]
struct Sizes {
    text_bytes: usize,
    items: usize,
    fields: usize,
}

impl Sizes {
    fn of(value: &Value) -> Sizes {
        let mut sizes = Sizes::default();
        sizes.add(value);
        sizes
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text_bytes += text.len(),
            Value::Array(items) => {
                self.items += items.len();
                items.iter().for_each(|item| self.add(item));
            }
            Value::Object(fields) => {
                self.fields += fields.len();
                fields.values().for_each(|field| self.add(field));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A script's value as JSON. Errors name the kind of value that JSON has no form for.
pub fn from_script(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(whole) = value.as_int() {
        return Ok(Value::from(whole));
    }
    if let Ok(fraction) = value.as_float() {
        return Number::from_f64(fraction)
            .map(Value::Number)
            .ok_or_else(|| format!("expected a finite number, found `{fraction}`"));
    }
    if value.is_string() || value.is_char() {
        return Ok(Value::String(value.to_string()));
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(from_script).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Ok(fields) = value.as_map_ref() {
        let fields = fields.iter().map(|(name, field)| Ok((name.to_string(), from_script(field)?)));
        return fields.collect::<Result<_, String>>().map(Value::Object);
    }
    Err(format!("expected text, a number, true or false, a list or a map, found {}", kind_of(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_survive_the_way_there_and_back() {
        for value in [json!(true), json!(-3), json!(0.5), json!("é"), json!([1, [2]]), json!({"a": {"b": "c"}})] {
            assert_eq!(from_script(&to_script(&value)), Ok(value));
        }
        assert_eq!(from_script(&to_script(&json!({"a": null, "b": [null]}))), Ok(json!({"b": [null]})));
        assert_eq!(size(&json!({"a": [1, 2], "b": "x"})), 5);
    }

    #[test]
    fn what_a_script_cannot_hold_does_not_fit() {
        let list = |items: usize| Value::from(vec![0; items]);
        for (value, expected) in [
            (json!("x".repeat(TEXT_BYTES_MAX)), true),
            (json!("x".repeat(TEXT_BYTES_MAX + 1)), false),
            (json!({"a": "x".repeat(TEXT_BYTES_MAX), "b": ["x"]}), false),
            (list(LIST_ITEMS_MAX), true),
            (list(LIST_ITEMS_MAX + 1), false),
            (json!([[list(LIST_ITEMS_MAX)]]), false),
            ((0..=MAP_FIELDS_MAX).map(|name| (name.to_string(), json!(1))).collect(), false),
        ] {
            assert_eq!(fits(&value), expected);
        }
    }

    #[test]
    fn what_json_has_no_form_for_is_named() {
        let infinite = from_script(&Dynamic::from(f64::INFINITY)).expect_err("not finite");
        assert_eq!(infinite, "expected a finite number, found `inf`");
        let span = from_script(&Dynamic::from(0..3_i64)).expect_err("no JSON");
        assert!(span.ends_with("found a span"), "{span}");
        // Larger than 64 bits: it loses precision, it is not lost.
        assert!(to_script(&json!(u64::MAX)).is_float());
    }
}
