//! Writes out what a message of discovery leaves short: abbreviated keys, `~`, and topics that are no texts.
//!
//! It follows Home Assistant step by step, also where that is odd, so that both read the same.

use serde_json::{Map, Value};

use super::abbreviations::{self, long};

/// The key that stands for a common part of all topics.
const BASE: &str = "~";

/// Replaces short keys by long ones. Where both stand the short one counts.
pub(super) fn keys(fields: &mut Map<String, Value>, table: &[(&'static str, &'static str)]) {
    let short: Vec<(String, &'static str)> =
        fields.keys().filter_map(|key| Some((key.clone(), long(table, key)?))).collect();
    for (short, long) in short {
        if let Some(value) = fields.remove(&short) {
            fields.insert(long.to_owned(), value);
        }
    }
}

/// The keys of `device` and `origin`.
pub(super) fn root(fields: &mut Map<String, Value>) {
    if let Some(Value::Object(device)) = fields.get_mut("device") {
        keys(device, abbreviations::DEVICE);
        if let Some(Value::Object(child)) = device.get_mut("child_device") {
            keys(child, abbreviations::DEVICE);
        }
    }
    if let Some(Value::Object(origin)) = fields.get_mut("origin") {
        keys(origin, abbreviations::ORIGIN);
    }
}

/// The keys of each item of `availability`.
pub(super) fn availability(fields: &mut Map<String, Value>) {
    for item in availability_items(fields) {
        keys(item, abbreviations::OPTIONS);
    }
}

/// One item may stand without its list.
fn availability_items(fields: &mut Map<String, Value>) -> Vec<&mut Map<String, Value>> {
    match fields.get_mut("availability") {
        Some(Value::Array(items)) => items.iter_mut().filter_map(Value::as_object_mut).collect(),
        Some(Value::Object(item)) => vec![item],
        _ => Vec::new(),
    }
}

/// Resolves `~` in the keys that end in `topic`, and in the topics of `availability`. In any other key it is a letter.
pub(super) fn base(fields: &mut Map<String, Value>) {
    let Some(base) = fields.remove(BASE) else { return };
    let base = text(&base).unwrap_or_default();
    for (_, value) in fields.iter_mut().filter(|(key, _)| key.ends_with("topic")) {
        if let Value::String(topic) = value {
            resolve(topic, &base);
        }
    }
    for item in availability_items(fields) {
        if let Some(Value::String(topic)) = item.get_mut("topic") {
            resolve(topic, &base);
        }
    }
}

/// In front or behind. Where it stands at both ends Home Assistant resolves the one behind alone.
fn resolve(topic: &mut String, base: &str) {
    let resolved = match (topic.strip_suffix(BASE), topic.strip_prefix(BASE)) {
        (Some(front), _) => format!("{front}{base}"),
        (None, Some(behind)) => format!("{base}{behind}"),
        (None, None) => return,
    };
    *topic = resolved;
}

/// Home Assistant takes a number or a truth value for the text that Python makes of it.
pub(super) fn topics(fields: &mut Map<String, Value>) {
    for (_, value) in fields.iter_mut().filter(|(key, _)| key.ends_with("topic")) {
        if let (false, Some(text)) = (value.is_string(), text(value)) {
            *value = Value::String(text);
        }
    }
}

/// The text of a scalar, as Python writes it. `None`: it is none.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_base_is_resolved_at_one_end() {
        for (topic, expected) in [
            ("~/set", "home/door/set"),
            ("set/~", "set/home/door"),
            ("~", "home/door"),
            ("a/~/b", "a/~/b"),
            ("~/x/~", "~/x/home/door"),
            ("", ""),
        ] {
            let mut topic = topic.to_owned();
            resolve(&mut topic, "home/door");
            assert_eq!(topic, expected);
        }
    }

    #[test]
    fn a_base_is_a_letter_elsewhere() {
        let Value::Object(mut fields) = json!({
            "~": 7, "command_topic": "~/set", "payload_on": "~", "value_template": "~{{ value }}~", "name": "~",
            "availability": [{"topic": "~/status", "payload_available": "~"}, "~"], "state_topic": true,
        }) else {
            panic!("an object")
        };
        base(&mut fields);
        topics(&mut fields);
        let expected = json!({
            "command_topic": "7/set", "payload_on": "~", "value_template": "~{{ value }}~", "name": "~",
            "availability": [{"topic": "7/status", "payload_available": "~"}, "~"], "state_topic": "True",
        });
        assert_eq!(Value::Object(fields), expected);
    }

    #[test]
    fn of_a_short_and_a_long_key_the_short_one_counts() {
        for text in [r#"{"cmd_t":"short","command_topic":"long"}"#, r#"{"command_topic":"long","cmd_t":"short"}"#] {
            let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else { panic!("an object") };
            keys(&mut fields, abbreviations::OPTIONS);
            assert_eq!(Value::Object(fields), json!({"command_topic": "short"}));
        }
    }
}
