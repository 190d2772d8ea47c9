//! A payload, read once: as text, as strict JSON, as fields by dotted paths.
//!
//! JSON that two readers may understand differently (a key twice, nesting without end) has no fields here.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Deepest nesting of arrays and objects that is read.
pub const JSON_DEPTH_MAX: usize = 32;

/// What a payload is as JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// No JSON text.
    None,
    /// JSON that may be understood in two ways; the text says why.
    Ambiguous(String),
    Value {
        value: Value,
        /// Two keys of one object differ in letter case alone. Some devices take one for the other.
        has_case_twins: bool,
    },
}

/// Reads JSON strictly: a key twice, or nesting beyond `JSON_DEPTH_MAX`, is ambiguous.
pub fn read_json(text: &str) -> Json {
    // Most payloads are a bare word; the first character already tells.
    if !text
        .trim_start()
        .starts_with(['{', '[', '"', '-', 't', 'f', 'n', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    {
        return Json::None;
    }
    let mut has_case_twins = false;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0, has_case_twins: &mut has_case_twins }.deserialize(&mut deserializer);
    match value.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Json::Value { value, has_case_twins },
        Err(error) if error.is_data() => Json::Ambiguous(without_position(&error.to_string())),
        Err(_) => Json::None,
    }
}

fn without_position(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

struct Strict<'a> {
    depth: usize,
    has_case_twins: &'a mut bool,
}

impl Strict<'_> {
    fn deeper<E: Error>(&mut self) -> Result<Strict<'_>, E> {
        if self.depth >= JSON_DEPTH_MAX {
            return Err(E::custom(format!("it is nested deeper than {JSON_DEPTH_MAX} levels")));
        }
        Ok(Strict { depth: self.depth + 1, has_case_twins: self.has_case_twins })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        let mut folded = BTreeSet::new();
        while let Some(name) = access.next_key::<String>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format!("the key `{}` stands twice", name.escape_debug())));
            }
            *self.has_case_twins |= !folded.insert(name.to_lowercase());
            let value = access.next_value_seed(self.deeper()?)?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

/// One payload and what has been read of it.
#[derive(Debug)]
pub struct Payload<'a> {
    text: Option<&'a str>,
    json: OnceCell<Json>,
}

impl<'a> Payload<'a> {
    pub fn new(bytes: &'a [u8]) -> Payload<'a> {
        Payload { text: std::str::from_utf8(bytes).ok(), json: OnceCell::new() }
    }

    /// `None`: it is not UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        self.text
    }

    pub fn json(&self) -> &Json {
        self.json.get_or_init(|| self.text.map_or(Json::None, read_json))
    }

    /// Whether its fields can be understood in two ways, by devices that are loose about letter case too.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.json(), Json::Ambiguous(_) | Json::Value { has_case_twins: true, .. })
    }

    /// One field, by its path. Numbers count the items of arrays from 0.
    pub fn field(&self, path: &[String]) -> Option<&Value> {
        let Json::Value { value, .. } = self.json() else { return None };
        path.iter().try_fold(value, |value, step| match value {
            Value::Object(fields) => fields.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Whether all of its fields lie at or below these paths. An empty path is the whole payload.
    pub fn has_only(&self, paths: &[&[String]]) -> bool {
        let is_within = || match self.json() {
            Json::Value { value, .. } => is_within(value, &mut Vec::new(), paths),
            Json::Ambiguous(_) | Json::None => false,
        };
        paths.iter().any(|path| path.is_empty()) || is_within()
    }
}

/// `here` is where the value stands in the payload.
fn is_within(value: &Value, here: &mut Vec<String>, paths: &[&[String]]) -> bool {
    if paths.iter().any(|path| here.starts_with(path)) {
        return true;
    }
    if !paths.iter().any(|path| path.starts_with(here)) {
        return false;
    }
    let mut is_child_within = |step: String, child: &Value| {
        here.push(step);
        let is_child_within = is_within(child, here, paths);
        here.pop();
        is_child_within
    };
    match value {
        Value::Object(fields) => fields.iter().all(|(name, child)| is_child_within(name.clone(), child)),
        Value::Array(items) => items.iter().enumerate().all(|(index, child)| is_child_within(index.to_string(), child)),
        _ => false,
    }
}

/// What a payload must be for an entry to read it.
#[derive(Debug, Clone, PartialEq)]
pub enum PayloadCondition {
    /// The whole payload, as text; letter case and surrounding white space do not count.
    Text(String),
    /// A JSON object or array in which each of these fields, named by dotted paths, is as said.
    Fields(Vec<(Vec<String>, FieldCondition)>),
}

/// What one field must be.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldCondition {
    /// It is there, whatever its value.
    Present,
    /// For text, letter case and surrounding white space do not count.
    Equals(Value),
}

impl PayloadCondition {
    pub fn holds(&self, payload: &Payload<'_>) -> bool {
        match self {
            PayloadCondition::Text(expected) => payload.text().is_some_and(|found| is_same_text(expected, found)),
            PayloadCondition::Fields(fields) => fields.iter().all(|(path, condition)| {
                payload.field(path).is_some_and(|found| match condition {
                    FieldCondition::Present => true,
                    FieldCondition::Equals(expected) => is_same_value(expected, found),
                })
            }),
        }
    }
}

fn is_same_text(expected: &str, found: &str) -> bool {
    expected.trim().to_lowercase() == found.trim().to_lowercase()
}

/// A device may take `"1"` for `1`, so numbers and truth values are compared with what their text says.
fn is_same_value(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) => expected.as_f64() == found.as_f64(),
        (Value::Array(_) | Value::Object(_) | Value::Null, _)
        | (_, Value::Array(_) | Value::Object(_) | Value::Null) => expected == found,
        _ => is_same_text(&scalar_text(expected), &scalar_text(found)),
    }
}

/// The text of a value: that of a string is itself, that of everything else its JSON.
pub fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_two_readings_is_ambiguous() {
        for (text, reason) in [
            (r#"{"state":"LOCK","state":"UNLOCK"}"#, "the key `state` stands twice"),
            (r#"{"state":"LOCK","st\u0061te":"UNLOCK"}"#, "the key `state` stands twice"),
            (r#"{"a":[{"b":1,"b":2}]}"#, "the key `b` stands twice"),
        ] {
            assert_eq!(read_json(text), Json::Ambiguous(reason.to_owned()), "{text}");
        }
        for text in ["", "UNLOCK", "{", r#"{"state":"LOCK"}{"state":"UNLOCK"}"#, "{'state':'LOCK'}", "nothing"] {
            assert_eq!(read_json(text), Json::None, "{text}");
        }
        assert!(Payload::new(br#"{"state":"LOCK","STATE":"UNLOCK"}"#).is_ambiguous());
        assert!(!Payload::new(br#"{"state":"LOCK","other":"UNLOCK"}"#).is_ambiguous());
    }

    #[test]
    fn nesting_ends_at_its_bound() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(matches!(read_json(&nested(JSON_DEPTH_MAX)), Json::Value { .. }));
        let Json::Ambiguous(reason) = read_json(&nested(JSON_DEPTH_MAX + 1)) else { panic!("too deep") };
        assert_eq!(reason, "it is nested deeper than 32 levels");
        assert!(matches!(read_json(&nested(100_000)), Json::Ambiguous(_)));
    }

    #[test]
    fn fields_beside_the_known_ones_are_noticed() {
        for (payload, paths, expected) in [
            (r#"{"state":"ON"}"#, vec!["state"], true),
            (r#"{"state":"ON","pin":1}"#, vec!["state"], false),
            (r#"{"color":{"x":1,"y":2}}"#, vec!["color"], true),
            (r#"{"color":{"x":1,"y":2}}"#, vec!["color.x"], false),
            (r#"{"color":{"x":1,"y":2}}"#, vec!["color.x", "color.y"], true),
            (r#"{"list":[1,2]}"#, vec!["list.0"], false),
            (r#"{"list":[1,2]}"#, vec!["list.0", "list.1"], true),
            (r#"{"color":1}"#, vec!["color.x"], false),
            ("{}", vec!["state"], true),
            ("ON", vec!["state"], false),
            (r#"{"state":1,"state":2}"#, vec!["state"], false),
            (r#"{"anything":1}"#, vec![""], true),
        ] {
            let paths: Vec<Vec<String>> = paths
                .iter()
                .map(|path| path.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect())
                .collect();
            let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
            assert_eq!(Payload::new(payload.as_bytes()).has_only(&paths), expected, "{payload} {paths:?}");
        }
    }

    #[test]
    fn conditions_compare_as_devices_do() {
        let text = |expected: &str| PayloadCondition::Text(expected.to_owned());
        let field = |path: &str, condition: FieldCondition| {
            PayloadCondition::Fields(vec![(path.split('.').map(str::to_owned).collect(), condition)])
        };
        let is = |value: Value| FieldCondition::Equals(value);
        for (condition, payload, expected) in [
            (text("UNLOCK"), " unlock\n", true),
            (text("UNLOCK"), "\"UNLOCK\"", false),
            (text("UNLOCK"), "", false),
            (field("state", is("UNLOCK".into())), r#"{"state":"unlock "}"#, true),
            (field("state", is("UNLOCK".into())), r#"{"state":"LOCK"}"#, false),
            (field("state", is("UNLOCK".into())), "UNLOCK", false),
            (field("state", is("UNLOCK".into())), r#"{"STATE":"UNLOCK"}"#, false),
            (field("state", is("UNLOCK".into())), r#"{"state":["UNLOCK"]}"#, false),
            (field("on", is(true.into())), r#"{"on":"TRUE"}"#, true),
            (field("value", is(1.into())), r#"{"value":1.0}"#, true),
            (field("value", is(1.into())), r#"{"value":"1"}"#, true),
            (field("a.b.1", is(2.into())), r#"{"a":{"b":[1,2]}}"#, true),
            (field("a.b.2", is(2.into())), r#"{"a":{"b":[1,2]}}"#, false),
            (field("brightness", FieldCondition::Present), r#"{"brightness":null}"#, true),
            (field("brightness", FieldCondition::Present), r#"{"state":"ON"}"#, false),
        ] {
            assert_eq!(condition.holds(&Payload::new(payload.as_bytes())), expected, "{condition:?} on {payload}");
        }
        assert!(!text("x").holds(&Payload::new(&[0xff])), "not UTF-8");
    }
}
