//! What of a record may leave the house: on MQTT, and in the program's own log.
//!
//! Utterances only where the owner says so (`log.publish_text`), codes never. The words of rules, in questions and
//! notices, are meant for people and stay.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::seal::{is_code, remove_codes};
use crate::config::Log;
use crate::model::decision::{Decision, FactRead};
use crate::model::event::{Entry, Record};

/// A record as it may be told. Borrowed where nothing has to be left out, which is the common case.
pub fn told<'r>(record: &'r Record, log: &Log) -> Cow<'r, Record> {
    match &record.entry {
        Entry::Decision { decision } => match told_decision(decision, log) {
            Cow::Borrowed(_) => Cow::Borrowed(record),
            Cow::Owned(decision) => {
                Cow::Owned(Record { at: record.at, entry: Entry::Decision { decision: Box::new(decision) } })
            }
        },
        Entry::Event { event, policies } if hides(event.text.as_ref(), &event.data, log) => {
            let mut event = event.clone();
            event.text = event.text.filter(|_| log.publish_text);
            remove_from(&mut event.data);
            Cow::Owned(Record { at: record.at, entry: Entry::Event { event, policies: policies.clone() } })
        }
        _ => Cow::Borrowed(record),
    }
}

/// The same for a decision alone.
pub fn told_decision<'d>(decision: &'d Decision, log: &Log) -> Cow<'d, Decision> {
    let request = &decision.request;
    if !hides(request.text.as_ref(), &request.data, log) && !decision.facts.iter().any(is_code_fact) {
        return Cow::Borrowed(decision);
    }
    let mut told = decision.clone();
    told.request.text = told.request.text.filter(|_| log.publish_text);
    remove_from(&mut told.request.data);
    for fact in told.facts.iter_mut().filter(|fact| is_code_fact(fact)) {
        fact.value = None;
    }
    Cow::Owned(told)
}

fn hides(text: Option<&String>, data: &BTreeMap<String, Value>, log: &Log) -> bool {
    text.is_some() && !log.publish_text || data.iter().any(|(key, value)| is_code(key) || has_code(value))
}

fn has_code(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, value)| is_code(key) || has_code(value)),
        Value::Array(items) => items.iter().any(has_code),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_code_fact(fact: &FactRead) -> bool {
    fact.attribute.as_deref().is_some_and(is_code) || fact.value.as_ref().is_some_and(has_code)
}

fn remove_from(data: &mut BTreeMap<String, Value>) {
    data.retain(|key, _| !is_code(key));
    data.values_mut().for_each(remove_codes);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::model::request::HouseEvent;

    fn event(text: Option<&str>, data: Value) -> Record {
        let data = serde_json::from_value(data).expect("data");
        let event = HouseEvent { name: "a.b".to_owned(), text: text.map(str::to_owned), data, ..HouseEvent::default() };
        Record { at: Timestamp::UNIX_EPOCH, entry: Entry::Event { event, policies: Vec::new() } }
    }

    #[test]
    fn utterances_leave_only_where_the_owner_says_so_and_codes_never() {
        let (quiet, open) = (Log::default(), Log { publish_text: true, ..Log::default() });
        let (code, coded) = (json!({"x": [{"PIN": 1, "y": 2}], "token": "t"}), Some("open"));
        let bare = json!({"x": [{"y": 2}]});
        for (log, found, expected) in [
            (&quiet, event(coded, code.clone()), event(None, bare.clone())),
            (&open, event(coded, code.clone()), event(coded, bare.clone())),
            (&quiet, event(None, bare.clone()), event(None, bare.clone())),
            (&open, event(coded, bare.clone()), event(coded, bare.clone())),
        ] {
            let told = told(&found, log);
            assert_eq!(*told, expected);
            assert_eq!(matches!(told, Cow::Borrowed(_)), found == expected, "it is copied only where it must be");
        }
    }
}
