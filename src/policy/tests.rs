//! Tests of the language of rules, and what they share: a house, a request, and one policy asked about it.

mod attacks;
mod check;
mod constants;
mod heard;
mod hooks;
mod sets;
mod soup;
mod words;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Zoned;
use serde_json::{Value, json};

use super::{Catalog, PolicySet, Reaction, View, World};
use crate::model::action::{Class, KNOWN_ACTIONS};
use crate::model::decision::Verdict;
use crate::model::event::ScriptSource;
use crate::model::message::Message;
use crate::model::request::{Door, FactChange, HouseEvent, Request, Source, SourceKind};
use crate::model::time::At;

pub(super) const NOW_MS: u64 = 1_000_000;

pub(super) fn catalog() -> Catalog {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Catalog {
        actions: KNOWN_ACTIONS.iter().map(|(action, _)| (*action).to_owned()).collect(),
        events: super::catalog::known_events().map(str::to_owned).collect(),
        channels: names(&["panel", "phone", "kitchen"]),
        confirming: names(&["panel", "phone"]),
        coded: names(&["panel"]),
        sensitive: KNOWN_ACTIONS
            .iter()
            .filter(|(_, class)| *class == Class::Sensitive)
            .map(|(action, _)| (*action).to_owned())
            .collect(),
        speakers: names(&["kitchen", "bedroom"]),
        near: BTreeMap::from([("kitchen".to_owned(), vec!["media_player.tv".to_owned()])]),
        base: "hushgate".to_owned(),
    }
}

pub(super) fn source(text: &str) -> ScriptSource {
    ScriptSource { name: "rule".to_owned(), file: "rule.rhai".to_owned(), text: text.to_owned() }
}

pub(super) fn load(text: &str) -> PolicySet {
    PolicySet::compile(&[source(text)], &catalog(), None).unwrap_or_else(|findings| {
        panic!("{}", findings.iter().map(|finding| finding.render(false)).collect::<String>());
    })
}

/// Monday, 23:14, in Portland.
pub(super) fn view() -> View {
    let civil: Zoned = "2026-11-23T23:14[America/Los_Angeles]".parse().expect("a zoned time");
    View {
        at: At { monotonic_ms: NOW_MS, utc: civil.timestamp() },
        civil: Some(civil),
        coordinates: Some((45.52, -122.68)),
        world: Rc::new(RefCell::new(World::default())),
    }
}

pub(super) fn fact(view: &View, entity: &str, value: impl Into<Option<&'static str>>) {
    let change = FactChange { entity: entity.to_owned(), attribute: None, value: value.into().map(Value::from) };
    view.world.borrow_mut().home.fold(NOW_MS - 60_000, change).expect("room");
}

pub(super) fn request() -> Request {
    Request {
        action: "notify.send_message".to_owned(),
        target: Some("emma".to_owned()),
        source: Source { kind: SourceKind::Voice, channel: Some("kitchen".to_owned()), ..Source::default() },
        door: Door::Gate,
        data: BTreeMap::from([("urgent".to_owned(), json!(true)), ("nothing".to_owned(), Value::Null)]),
        text: None,
        confidence: Some(0.4),
        sensitive: true,
        heard: None,
    }
}

/// Runs `body` as `on_request` on the usual request.
pub(super) fn ask(body: &str) -> Reaction {
    ask_in(body, &view())
}

pub(super) fn ask_in(body: &str, view: &View) -> Reaction {
    let set = load(&format!("const ACTIONS = [\"*\"];\nfn on_request(request) {{\n{body}\n}}"));
    set.policies()[0].on_request(&Rc::new(request()), view)
}

pub(super) fn tell(body: &str, event: HouseEvent) -> Reaction {
    let set = load(&format!("const EVENTS = [\"*\"];\nfn on_event(event) {{\n{body}\n}}"));
    set.policies()[0].on_event(&Rc::new(event), &view())
}

pub(super) fn hear(body: &str, message: &Message) -> Reaction {
    let set = load(&format!("const TOPICS = [\"#\"];\nfn on_message(message) {{\n{body}\n}}"));
    set.policies()[0].on_message(message, &view())
}

/// The verdict and its reason; a failure panics with its text.
pub(super) fn stated(reaction: &Reaction) -> Option<(Verdict, &str)> {
    assert_eq!(reaction.error, None);
    reaction.stated.as_ref().map(|stated| (stated.verdict, stated.reason.as_str()))
}

/// Whether an expression holds; it must be true or false.
pub(super) fn holds(expression: &str, view: &View) -> bool {
    let reaction = ask_in(&format!("if {expression} {{ deny(\"yes\") }} else {{ allow(\"no\") }}"), view);
    match stated(&reaction) {
        Some((Verdict::Deny, "yes")) => true,
        Some((Verdict::Allow, "no")) => false,
        other => panic!("{other:?}"),
    }
}

/// Line and column within the body, from 1, and the message of the failure.
pub(super) fn failure(reaction: &Reaction) -> (usize, usize, String) {
    let error = reaction.error.clone().expect("the policy fails");
    assert_eq!((error.policy.as_str(), error.file.as_str()), ("rule", "rule.rhai"));
    assert!(reaction.wishes.is_empty(), "a failed policy has no effect");
    (error.line.saturating_sub(2), error.column, error.message)
}
