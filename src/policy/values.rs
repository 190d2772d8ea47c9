//! What the hooks are given: a request, an event, a message.
//!
//! Every field has one kind. A field that need not be there is never silently empty: reading it where it is absent is
//! an error, `has_…` asks first, and `…_or(default)` gives a default. No field can be set.

mod heard;

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use crate::model::request::{Door, HouseEvent, Request, SourceKind};
use crate::script::fields::{Field, close};
use crate::script::json;
use crate::script::kinds::Kind;
use crate::script::message;
use crate::script::operators::{Outcome, fail};
use crate::script::sandbox::Meter;

/// A request in a script.
#[derive(Debug, Clone)]
pub(super) struct RequestValue(pub Rc<Request>);

/// An event in a script.
#[derive(Debug, Clone)]
pub(super) struct EventValue(pub Rc<HouseEvent>);

/// What the verdict words give back: that a verdict was stated. It is counted when the word is said.
#[derive(Debug, Clone)]
pub(super) struct VerdictValue;

pub(super) const REQUEST_FIELDS: &[Field] = &[
    ("action", Some(Kind::Text)),
    ("by_agent", Some(Kind::Truth)),
    ("by_automation", Some(Kind::Truth)),
    ("by_person", Some(Kind::Truth)),
    ("by_policy", Some(Kind::Truth)),
    ("by_unknown", Some(Kind::Truth)),
    ("by_voice", Some(Kind::Truth)),
    ("certainty", Some(Kind::Text)),
    ("channel", Some(Kind::Text)),
    ("confidence", Some(Kind::Number)),
    ("data", Some(Kind::Map)),
    ("domain", Some(Kind::Text)),
    ("door", Some(Kind::Text)),
    ("happened_ago_s", Some(Kind::Number)),
    ("has_channel", Some(Kind::Truth)),
    ("has_confidence", Some(Kind::Truth)),
    ("has_happened", Some(Kind::Truth)),
    ("has_heard", Some(Kind::Truth)),
    ("has_person", Some(Kind::Truth)),
    ("has_satellite", Some(Kind::Truth)),
    ("has_session", Some(Kind::Truth)),
    ("has_speaker", Some(Kind::Truth)),
    ("has_target", Some(Kind::Truth)),
    ("has_text", Some(Kind::Truth)),
    ("has_woke", Some(Kind::Truth)),
    ("heard_ago_s", Some(Kind::Number)),
    ("likely_channels", Some(Kind::List)),
    ("likely_source", Some(Kind::Text)),
    ("person", Some(Kind::Text)),
    ("playing", Some(Kind::List)),
    ("satellite", Some(Kind::Text)),
    ("sensitive", Some(Kind::Truth)),
    ("service", Some(Kind::Text)),
    ("session", Some(Kind::Text)),
    ("source", Some(Kind::Text)),
    ("speaker", Some(Kind::Text)),
    ("target", Some(Kind::Text)),
    ("text", Some(Kind::Text)),
    ("woke_ago_s", Some(Kind::Number)),
];

pub(super) const EVENT_FIELDS: &[Field] = &[
    ("confidence", Some(Kind::Number)),
    ("data", Some(Kind::Map)),
    ("has_confidence", Some(Kind::Truth)),
    ("has_session", Some(Kind::Truth)),
    ("has_speaker", Some(Kind::Truth)),
    ("has_text", Some(Kind::Truth)),
    ("name", Some(Kind::Text)),
    ("session", Some(Kind::Text)),
    ("speaker", Some(Kind::Text)),
    ("text", Some(Kind::Text)),
];

/// Words that are said of a request or event only: `request.text_or("")`.
pub(super) const REQUEST_WORDS: &[&str] = &[
    "channel_or",
    "confidence_or",
    "data_or",
    "happened_ago_s_or",
    "heard_ago_s_or",
    "person_or",
    "satellite_or",
    "session_or",
    "speaker_or",
    "target_or",
    "text_or",
    "woke_ago_s_or",
];
pub(super) const EVENT_WORDS: &[&str] = &["confidence_or", "data_or", "session_or", "speaker_or", "text_or"];

/// Registers the types and their fields.
pub(super) fn register(engine: &mut Engine, meter: &Rc<Meter>) {
    register_request(engine, meter);
    register_event(engine, meter);
    message::register(engine, meter);
    engine.register_type_with_name::<VerdictValue>("a verdict");
}

/// A field that is there only where the request or event has it, with `has_…` and `…_or`.
macro_rules! optional {
    ($engine:ident, $type:ty, $what:literal, $kind:ty, $($field:ident $has:literal $or:literal;)*) => { $(
        $engine.register_get(stringify!($field), |value: &mut $type| -> Outcome<$kind> {
            match &value.0.$field {
                Some(field) => Ok(field.clone().into()),
                None => fail(concat!("this ", $what, " has no `", stringify!($field), "`; ask `", $has, "` first, or use `", $or, "(default)`")),
            }
        });
        $engine.register_get($has, |value: &mut $type| value.0.$field.is_some());
        $engine.register_fn($or, |value: &mut $type, default: $kind| -> $kind {
            value.0.$field.clone().map_or(default, Into::into)
        });
    )* };
}

/// A name in the request's source that need not be there, with `has_…` and `…_or`.
macro_rules! named {
    ($engine:ident, $($field:ident $has:literal $or:literal |$source:ident| $name:expr;)*) => { $(
        $engine.register_get(stringify!($field), |request: &mut RequestValue| -> Outcome<ImmutableString> {
            let $source = &request.0.source;
            match $name {
                Some(name) => Ok(name.into()),
                None => fail(concat!("this request has no `", stringify!($field), "`; ask `", $has, "` first, or use `", $or, "(default)`")),
            }
        });
        $engine.register_get($has, |request: &mut RequestValue| {
            let $source = &request.0.source;
            $name.is_some()
        });
        $engine.register_fn($or, |request: &mut RequestValue, default: ImmutableString| {
            let $source = &request.0.source;
            $name.map_or(default, Into::into)
        });
    )* };
}

fn register_request(engine: &mut Engine, meter: &Rc<Meter>) {
    engine.register_type_with_name::<RequestValue>("a request");
    engine.register_get("action", |request: &mut RequestValue| ImmutableString::from(request.0.action.as_str()));
    engine.register_get("domain", |request: &mut RequestValue| {
        let action = &request.0.action;
        ImmutableString::from(action.split_once('.').map_or(action.as_str(), |(domain, _)| domain))
    });
    engine.register_get("service", |request: &mut RequestValue| {
        ImmutableString::from(request.0.action.split_once('.').map_or("", |(_, service)| service))
    });
    engine.register_get("door", |request: &mut RequestValue| ImmutableString::from(door_name(request.0.door)));
    engine.register_get("sensitive", |request: &mut RequestValue| request.0.sensitive);
    register_source(engine);
    heard::register(engine);
    optional! { engine, RequestValue, "request", ImmutableString,
        target "has_target" "target_or";
        text "has_text" "text_or";
    }
    optional! { engine, RequestValue, "request", f64, confidence "has_confidence" "confidence_or"; }
    let counting = Rc::clone(meter);
    engine.register_get("data", move |request: &mut RequestValue| data(&request.0.data, &counting));
    engine.register_fn("data_or", |request: &mut RequestValue, name: &str, default: Dynamic| {
        request.0.data.get(name).filter(|value| !value.is_null()).map_or(default, json::to_script)
    });
    close::<RequestValue>(engine, "a request", REQUEST_FIELDS);
}

/// Who asks. What only Home Assistant's streams say takes nothing away from `unknown`, since it can be forged: it makes
/// `by_voice` true beside it, and is else told by words of its own.
fn register_source(engine: &mut Engine) {
    engine.register_get("source", |request: &mut RequestValue| {
        let source = &request.0.source;
        let kind = if source.evidence.is_some() { SourceKind::Unknown } else { source.kind };
        ImmutableString::from(kind.name())
    });
    engine.register_get("likely_source", |request: &mut RequestValue| {
        ImmutableString::from(request.0.source.kind.name())
    });
    engine.register_get("certainty", |request: &mut RequestValue| {
        let source = &request.0.source;
        ImmutableString::from(match source.evidence {
            Some(evidence) => evidence.certainty.name(),
            None if source.kind == SourceKind::Unknown => "unknown",
            None => "certain",
        })
    });
    engine.register_get("by_voice", |request: &mut RequestValue| request.0.source.kind == SourceKind::Voice);
    engine.register_get("by_unknown", |request: &mut RequestValue| !request.0.source.is_vouched());
    for (name, kind) in [
        ("by_person", SourceKind::Person),
        ("by_automation", SourceKind::Automation),
        ("by_agent", SourceKind::Agent),
        ("by_policy", SourceKind::Policy),
    ] {
        engine.register_get(name, move |request: &mut RequestValue| {
            request.0.source.is_vouched() && request.0.source.kind == kind
        });
    }
    named! { engine,
        channel "has_channel" "channel_or" |source| source.channel.as_ref();
        satellite "has_satellite" "satellite_or" |source| source.satellite.as_ref().map(|clue| &clue.name);
        person "has_person" "person_or" |source| source.person.as_ref().map(|clue| &clue.name);
    }
    list(engine, "likely_channels", |request| &request.source.likely_channels);
}

/// A list of texts. After a word such as `len` the engine puts the list back; only another one is an assignment.
fn list(engine: &mut Engine, field: &'static str, of: fn(&Request) -> &[String]) {
    engine.register_get(field, move |request: &mut RequestValue| -> Array {
        of(&request.0).iter().map(|text| Dynamic::from(ImmutableString::from(text))).collect()
    });
    engine.register_set(field, move |request: &mut RequestValue, list: Array| -> Outcome<()> {
        let texts: Vec<ImmutableString> =
            list.into_iter().filter_map(|text| text.into_immutable_string().ok()).collect();
        if texts == of(&request.0) {
            return Ok(());
        }
        fail(format!("a request cannot be changed; found an assignment to `{field}`"))
    });
}

fn register_event(engine: &mut Engine, meter: &Rc<Meter>) {
    engine.register_type_with_name::<EventValue>("an event");
    engine.register_get("name", |event: &mut EventValue| ImmutableString::from(event.0.name.as_str()));
    optional! { engine, EventValue, "event", ImmutableString,
        session "has_session" "session_or";
        speaker "has_speaker" "speaker_or";
        text "has_text" "text_or";
    }
    optional! { engine, EventValue, "event", f64, confidence "has_confidence" "confidence_or"; }
    let counting = Rc::clone(meter);
    engine.register_get("data", move |event: &mut EventValue| data(&event.0.data, &counting));
    engine.register_fn("data_or", |event: &mut EventValue, name: &str, default: Dynamic| {
        event.0.data.get(name).filter(|value| !value.is_null()).map_or(default, json::to_script)
    });
    close::<EventValue>(engine, "an event", EVENT_FIELDS);
}

fn data(fields: &std::collections::BTreeMap<String, serde_json::Value>, meter: &Meter) -> Map {
    meter.charge(fields.values().map(json::size).sum());
    json::fields_to_script(fields)
}

const fn door_name(door: Door) -> &'static str {
    match door {
        Door::Gate => "gate",
        Door::Ask => "ask",
        Door::Intent => "intent",
        Door::Policy => "policy",
        Door::Control => "control",
        Door::Twin => "twin",
        Door::Watch => "watch",
        Door::Bypass => "bypass",
    }
}
