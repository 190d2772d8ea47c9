//! The bridge's own availability in the options of an entity whose commands lead through the gate: while the bridge is
//! away, Home Assistant shows the entity as unavailable instead of sending commands into nothing.
//!
//! It changes nothing where that cannot be said without changing what the device's own availability means.

use serde_json::{Map, Value, json};

/// What a single availability topic has beside it, and how that is called within a list.
const BESIDE: [(&str, &str); 3] = [
    ("availability_template", "value_template"),
    ("payload_available", "payload_available"),
    ("payload_not_available", "payload_not_available"),
];
/// Encodings in which `online` is `online`.
const READABLE: [&str; 6] = ["utf-8", "utf8", "utf_8", "ascii", "us-ascii", "latin-1"];

/// Adds the topic on which the bridge says `online` and `offline`. The error says why it cannot be added.
pub(super) fn add(options: &mut Map<String, Value>, status: &str) -> Result<(), String> {
    let encoding = options.get("encoding").filter(|encoding| !encoding.is_null());
    let is_readable =
        |encoding: &Value| encoding.as_str().is_some_and(|name| READABLE.contains(&name.to_ascii_lowercase().as_str()));
    if let Some(other) = encoding.filter(|encoding| !is_readable(encoding)) {
        return Err(format!("its `encoding` is {other}, so it stays available while the bridge is away"));
    }
    let mut list = match (options.get("availability_topic"), options.get("availability")) {
        (Some(_), Some(_)) => {
            return Err("it has `availability_topic` and `availability`, which Home Assistant refuses".to_owned());
        }
        (Some(topic), None) => vec![item_of(topic.clone(), options)],
        (None, None) => Vec::new(),
        (None, Some(Value::Array(items))) => items.clone(),
        (None, Some(item)) => vec![item.clone()],
    };
    list.retain(|item| item.get("topic").and_then(Value::as_str) != Some(status));
    // With one topic all modes mean the same. With more, `all` is the only one to which a condition can be added.
    let mode = options.get("availability_mode").and_then(Value::as_str).unwrap_or("latest");
    if list.len() > 1 && mode != "all" {
        return Err(format!("its availability mode is `{mode}`, so it stays available while the bridge is away"));
    }
    for key in ["availability_topic"].into_iter().chain(BESIDE.map(|(key, _)| key)) {
        options.remove(key);
    }
    list.push(json!({"topic": status, "payload_available": "online", "payload_not_available": "offline"}));
    options.insert("availability".to_owned(), Value::Array(list));
    options.insert("availability_mode".to_owned(), "all".into());
    Ok(())
}

/// Of an entity that can be released: lets only the topic count that it still names. In the mode `latest`, which is the
/// default, Home Assistant goes on believing the last word on a topic that was taken away, and after a bridge that has gone
/// this is `offline`. With one topic `all` means the same otherwise.
pub(super) fn forget(options: &mut Map<String, Value>) {
    let mode = options.get("availability_mode").and_then(Value::as_str).unwrap_or("latest");
    let is_single = match (options.get("availability_topic"), options.get("availability")) {
        (None, Some(Value::Array(items))) => items.len() == 1,
        (Some(_), None) | (None, Some(Value::Object(_))) => true,
        _ => false,
    };
    if is_single && mode == "latest" {
        options.insert("availability_mode".to_owned(), "all".into());
    }
}

/// A single topic as an item of a list.
fn item_of(topic: Value, options: &Map<String, Value>) -> Value {
    let beside = BESIDE.iter().filter_map(|(key, name)| Some(((*name).to_owned(), options.get(*key)?.clone())));
    let item: Map<String, Value> = std::iter::once(("topic".to_owned(), topic)).chain(beside).collect();
    Value::Object(item)
}
