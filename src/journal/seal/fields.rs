//! What of a record can be erased, as the types have it. Of a body that is read, `seal::erasable` says the same.
//!
//! It does not seal, and does not know what the owner wants kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Error, Value};

use super::{REASON, is_code, is_empty, remove_codes};
use crate::journal::sorted;
use crate::model::decision::{Decision, FactRead};
use crate::model::event::{Entry, Record};

/// One field that can be erased.
pub(super) struct Erasable<'r> {
    /// A JSON pointer into the record.
    pub(super) pointer: Cow<'static, str>,
    pub(super) field: Field<'r>,
}

#[derive(Clone, Copy)]
pub(super) enum Field<'r> {
    /// A sentence that was heard or sent. What is kept of it is the owner's choice.
    Utterance(&'r str),
    /// Words of a rule.
    Words(&'r str),
    /// Fields by name. There are some.
    Data(&'r BTreeMap<String, Value>),
    /// Facts that were read. There are some.
    Facts(&'r [FactRead]),
    /// Names of entities. There are some.
    Names(&'r [String]),
}

impl Field<'_> {
    /// Its JSON without codes. `None`: nothing is left of it.
    pub(super) fn json(self) -> Result<Option<String>, Error> {
        let coded = match self {
            Field::Utterance(text) | Field::Words(text) => return serde_json::to_string(text).map(Some),
            Field::Names(names) => return sorted::write(names, &[]).map(Some),
            Field::Data(data) if !data.iter().any(is_coded) => return sorted::write(data, &[]).map(Some),
            Field::Facts(facts) if !facts.iter().any(is_coded_fact) => return sorted::write(facts, &[]).map(Some),
            Field::Data(data) => serde_json::to_value(data),
            Field::Facts(facts) => serde_json::to_value(facts),
        };
        let mut value = coded?;
        remove_codes(&mut value);
        if is_empty(&value) { Ok(None) } else { sorted::write(&value, &[]).map(Some) }
    }
}

/// In the order in which they are sealed.
pub(super) fn erasable(record: &Record) -> Vec<Erasable<'_>> {
    match &record.entry {
        Entry::Decision { decision } => of_decision(decision),
        Entry::Event { event, .. } => {
            let text = event.text.as_deref().map(Field::Utterance);
            [text.map(|text| at("/event/text", text)), data("/event/data", &event.data)].into_iter().flatten().collect()
        }
        Entry::Notice { text, .. } | Entry::Announced { text, .. } | Entry::RefusalSpoken { text, .. } => {
            vec![at("/text", Field::Words(text))]
        }
        _ => Vec::new(),
    }
}

fn of_decision(decision: &Decision) -> Vec<Erasable<'_>> {
    let request = &decision.request;
    let fixed = [
        request.text.as_deref().map(|text| at("/decision/request/text", Field::Utterance(text))),
        data("/decision/request/data", &request.data),
        request
            .heard
            .as_deref()
            .map(|heard| heard.playing.as_slice())
            .filter(|playing| !playing.is_empty())
            .map(|playing| at("/decision/request/heard/playing", Field::Names(playing))),
        Some(&*decision.facts)
            .filter(|facts| !facts.is_empty())
            .map(|facts| at("/decision/facts", Field::Facts(facts))),
        decision.confirm.as_ref().map(|confirm| at("/decision/confirm/question", Field::Words(&confirm.question))),
    ];
    let mut all: Vec<Erasable<'_>> = fixed.into_iter().flatten().collect();
    let mut is_asked = false;
    for (index, opinion) in decision.opinions.iter().enumerate() {
        let Some(terms) = &opinion.terms else { continue };
        for (name, words) in [("terms/ask", &terms.ask), ("reason", &opinion.reason)] {
            all.push(at(format!("/decision/opinions/{index}/{name}"), Field::Words(words)));
        }
        // Why a rule asks is its question again, and that may quote what was said.
        if !std::mem::replace(&mut is_asked, true) {
            all.push(at(REASON, Field::Words(&decision.reason)));
        }
    }
    all
}

fn at<'r>(pointer: impl Into<Cow<'static, str>>, field: Field<'r>) -> Erasable<'r> {
    Erasable { pointer: pointer.into(), field }
}

fn data<'r>(pointer: &'static str, data: &'r BTreeMap<String, Value>) -> Option<Erasable<'r>> {
    (!data.is_empty()).then(|| at(pointer, Field::Data(data)))
}

/// Whether `remove_codes` would take something out of a field.
fn is_coded((key, value): (&String, &Value)) -> bool {
    is_code(key) || key == "attribute" && value.as_str().is_some_and(is_code) || has_codes(value)
}

fn has_codes(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(is_coded),
        Value::Array(items) => items.iter().any(has_codes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_coded_fact(fact: &FactRead) -> bool {
    fact.attribute.as_deref().is_some_and(is_code) || fact.value.as_ref().is_some_and(has_codes)
}
