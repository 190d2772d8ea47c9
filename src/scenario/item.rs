//! One thing that leaves the bridge, or is expected to: a decision, a record, a command, a message.
//!
//! Seen and expected have the same form, so that comparing them is comparing texts.

use serde_json::{Map, Value};

use super::yaml;
use crate::model::event::{Entry, Record};
use crate::model::message::Message;

/// The keys that say what an item is. Each item has exactly one.
pub(super) const KINDS: &[&str] = &["decision", "record", "forward", "message"];
/// The kind that nobody can expect.
const FAULT: &str = "fault";

/// Keys in the order in which they are written; all others follow in alphabetical order.
const ORDER: &[&str] = &[
    "decision", "record", "forward", "message", "fault", "applied", "action", "target", "reason", "deciding",
    "channels", "outcome", "payload", "retain",
];

/// Fields of a record that differ from build to build, or say again what the step says.
const NOT_SHOWN: &[&str] = &["at", "revision", "utc"];

/// The key of a question's token, which says nothing to a reader.
const TOKEN: &str = "token";

/// One item. Its fields are JSON; `$1` stands for the first decision's id.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) fields: Map<String, Value>,
}

impl Item {
    /// A record of the log.
    pub(super) fn record(record: &Record) -> Item {
        let mut fields = match serde_json::to_value(record) {
            Ok(Value::Object(fields)) => fields,
            // A record is an object that can be written; the wire relies on it too.
            Ok(_) | Err(_) => return Item::fault("a record cannot be written as JSON"),
        };
        if let Entry::Decision { .. } = record.entry {
            fields = match fields.remove("decision") {
                Some(Value::Object(decision)) => flatten(decision),
                _ => Map::new(),
            };
        }
        Item { fields }
    }

    /// A message that the bridge sends on its own account.
    pub(super) fn message(message: &Message) -> Item {
        let mut fields = sent("message", message);
        fields.insert("retain".to_owned(), Value::from(message.retain));
        if let Some(correlation) = message.reply.as_ref().and_then(|reply| reply.correlation.as_ref()) {
            fields.insert("correlation".to_owned(), Value::from(String::from_utf8_lossy(correlation)));
        }
        Item { fields }
    }

    /// A command that leaves, and the decision that allowed it.
    pub(super) fn forward(message: &Message, allowed_by: &str) -> Item {
        let mut fields = sent("forward", message);
        fields.insert("allowed_by".to_owned(), Value::from(allowed_by));
        Item { fields }
    }

    /// Something that must never happen, whatever the scenario expects.
    pub(super) fn fault(text: &str) -> Item {
        Item { fields: Map::from_iter([(FAULT.to_owned(), Value::from(text))]) }
    }

    /// What two items must have in common to be compared with each other.
    pub(super) fn head(&self) -> (&'static str, &Value) {
        let kind = KINDS.iter().chain(&[FAULT]).find_map(|kind| Some((*kind, self.fields.get(*kind)?)));
        match kind {
            // One decision stands for another, so that a wrong verdict shows as a changed line.
            Some(("decision", _)) | None => ("decision", &Value::Null),
            Some(head) => head,
        }
    }

    /// The topic of a message.
    pub(super) fn message_topic(&self) -> Option<&str> {
        self.fields.get("message").and_then(Value::as_str)
    }

    /// The item as it is shown where nobody has written what matters about it.
    pub(super) fn in_brief(&self) -> Item {
        let mut fields = self.must_be_said();
        let shown: &[&str] = match self.head().0 {
            "decision" => &["action", "target", "channels", "outcome"],
            "message" => &["payload"],
            "record" => {
                let told = self.fields.iter().filter(|(name, _)| !NOT_SHOWN.contains(&name.as_str()));
                return Item { fields: told.map(|(name, value)| (name.clone(), value.clone())).collect() };
            }
            _ => &[],
        };
        for name in shown {
            if let Some(value) = self.fields.get(*name) {
                fields.insert((*name).to_owned(), value.clone());
            }
        }
        if let Some(Value::Object(payload)) = fields.get_mut("payload")
            && self.message_topic().is_some()
        {
            payload.retain(|name, _| name != TOKEN);
        }
        Item { fields }
    }

    /// The item by the keys that `expected` has, and by those that may not stay unsaid.
    pub(super) fn as_expected_by(&self, expected: &Item) -> Item {
        let mut fields = self.must_be_said();
        for (name, wanted) in &expected.fields {
            let whole = name == "payload" && self.fields.contains_key("forward");
            let value = match self.fields.get(name) {
                Some(value) if whole => value.clone(),
                Some(value) => part(value, wanted),
                None if wanted.is_null() => Value::Null,
                None => continue,
            };
            fields.insert(name.clone(), value);
        }
        Item { fields }
    }

    fn must_be_said(&self) -> Map<String, Value> {
        let kind = self.head().0;
        let said = |(name, value): &(&String, &Value)| match name.as_str() {
            name if name == kind => true,
            "applied" => kind == "decision" && Some(*value) != self.fields.get("decision"),
            "reason" => kind == "decision",
            "deciding" => kind == "decision" && value.as_array().is_some_and(|names| !names.is_empty()),
            "payload" => kind == "forward",
            "retain" => kind == "message" && **value == Value::Bool(true),
            _ => false,
        };
        self.fields.iter().filter(said).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn ordered(&self) -> Vec<(&String, &Value)> {
        let rank = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        let mut fields: Vec<(&String, &Value)> = self.fields.iter().collect();
        fields.sort_by_key(|(name, _)| (rank(name), *name));
        fields
    }
}

/// Items as a YAML list. Equal ones in a row are written once, with `times`.
pub(super) fn write(items: &[Item], columns: usize) -> String {
    let indent = " ".repeat(columns);
    let mut text = String::new();
    for run in items.chunk_by(|one, next| one == next) {
        let Some(item) = run.first() else { continue };
        let times = Value::from(run.len());
        let name = "times".to_owned();
        let mut fields = item.ordered();
        if run.len() > 1 {
            fields.push((&name, &times));
        }
        for (index, (name, value)) in fields.into_iter().enumerate() {
            let dash = if index == 0 { "- " } else { "  " };
            text.push_str(&format!("{indent}{dash}{name}: {}\n", yaml::inline(value)));
        }
    }
    text
}

/// A decision's JSON with what scenarios ask for most at its top.
fn flatten(mut decision: Map<String, Value>) -> Map<String, Value> {
    let get = |path: &str| decision.get(path.split('/').next()?)?.pointer(path.get(path.find('/')?..)?).cloned();
    let top = [
        ("action", get("request/action")),
        ("target", get("request/target")),
        ("channels", get("confirm/channels")),
        ("outcome", get("settles/outcome")),
        ("decision", decision.get("verdict").cloned()),
    ];
    for (name, value) in top {
        if let Some(value) = value {
            decision.insert(name.to_owned(), value);
        }
    }
    decision
}

fn sent(kind: &str, message: &Message) -> Map<String, Value> {
    let text = String::from_utf8_lossy(&message.payload);
    let json = serde_json::from_str::<Value>(&text).ok().filter(|json| json.is_object() || json.is_array());
    let mut fields = Map::new();
    fields.insert(kind.to_owned(), Value::from(message.topic.as_str()));
    fields.insert("payload".to_owned(), json.unwrap_or_else(|| Value::from(text)));
    fields.insert("qos".to_owned(), Value::from(message.qos as u8));
    if let Some(expiry_s) = message.expiry_s {
        fields.insert("expiry_s".to_owned(), Value::from(expiry_s));
    }
    fields
}

/// The part of a value that `wanted` speaks of: objects by its keys, lists item by item.
fn part(value: &Value, wanted: &Value) -> Value {
    match (value, wanted) {
        (Value::Object(fields), Value::Object(wanted)) => {
            let kept = wanted.iter().filter_map(|(name, wanted)| match fields.get(name) {
                Some(value) => Some((name.clone(), part(value, wanted))),
                None => wanted.is_null().then(|| (name.clone(), Value::Null)),
            });
            Value::Object(kept.collect())
        }
        (Value::Array(items), Value::Array(wanted)) if items.len() == wanted.len() => {
            Value::Array(items.iter().zip(wanted).map(|(item, wanted)| part(item, wanted)).collect())
        }
        _ => value.clone(),
    }
}
