//! The words of an integration: what a message says, what is sent, and what the configuration says of its speakers.
//!
//! None of them does anything but remember. What comes of them is decided where they are given back.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands the values of a word over")]

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use serde_json::Value;

use super::context::{MEMORY_BYTES_MAX, MEMORY_ENTRIES_MAX, context_of};
use super::items::Token;
use super::said::{ItemValue, SendValue};
use super::values::{QUESTION_FIELDS, SPEAKER_FIELDS, SpeakerValue};
use super::{check, header};
use crate::model::control::Says;
use crate::model::message::Message;
use crate::model::request::FactChange;
use crate::model::speaker::{SpeakerReport, SpeakerState, What};
use crate::model::topic::check_name;
use crate::script::check::language::Hook;
use crate::script::fields::Field;
use crate::script::json;
use crate::script::kinds::shown;
use crate::script::message;
use crate::script::operators::{Outcome, fail};
use crate::script::words::{self, Word};

pub(super) mod reading;

/// Every word that is said in integrations alone.
pub const WORDS: &[Word] = &[
    Word { name: "act", usage: "act(action, entity) or act(action, entity, #{ field: value })" },
    Word { name: "approve", usage: "approve(speaker, token) or approve(speaker, token, code)" },
    Word { name: "base", usage: "base()" },
    Word { name: "event", usage: "event(name, #{ speaker: …, text: …, confidence: … })" },
    Word { name: "fact", usage: "fact(entity, value) or fact(entity, attribute, value)" },
    Word { name: "forget", usage: "forget(key)" },
    Word { name: "muted", usage: "muted(speaker, what)" },
    Word { name: "recall", usage: "recall(key, default)" },
    Word { name: "reject", usage: "reject(speaker, token)" },
    Word { name: "remember", usage: "remember(key, value)" },
    Word {
        name: "request", usage: "request(action, #{ speaker: …, target: …, text: …, hold: send(topic, payload) })"
    },
    Word { name: "restarted", usage: "restarted(speaker)" },
    Word { name: "said", usage: "said(speaker, id)" },
    Word { name: "seen", usage: "seen(speaker, token)" },
    Word { name: "send", usage: "send(topic, payload)" },
    Word { name: "setting", usage: "setting(name, default) or speaker.setting(name, default)" },
    Word { name: "speaker", usage: "speaker(name)" },
    Word { name: "speaker_by", usage: "speaker_by(setting, value)" },
    Word { name: "speakers", usage: "speakers()" },
    Word { name: "statestream", usage: "statestream()" },
    Word { name: "unmuted", usage: "unmuted(speaker, what)" },
];

/// Every word of the language of integrations, the pure ones included.
pub fn all() -> impl Iterator<Item = &'static Word> {
    WORDS.iter().chain(words::WORDS)
}

/// How a word is written.
pub fn usage(name: &str) -> Option<&'static str> {
    all().find(|word| word.name == name).map(|word| word.usage)
}

/// Every field of what the functions are given, as owners write it: `question.text`.
pub fn fields() -> impl Iterator<Item = String> {
    let of =
        |what: &'static str, fields: &'static [Field]| fields.iter().map(move |(field, _)| format!("{what}.{field}"));
    of("message", message::FIELDS).chain(of("speaker", SPEAKER_FIELDS)).chain(of("question", QUESTION_FIELDS))
}

/// The constants that the bridge reads, and the functions that it calls: `mute(speaker, what)`.
pub fn outline() -> impl Iterator<Item = String> {
    let constants = header::OWN.iter().map(|name| (*name).to_owned());
    constants.chain(check::LANGUAGE.hooks.iter().map(Hook::signature))
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<ItemValue>("an item").register_type_with_name::<SendValue>("a message to send");
    engine.register_fn("event", |name: &str, fields: Map| reading::event(name, fields).map(ItemValue::Event));
    engine.register_fn("event", |name: &str| reading::event(name, Map::new()).map(ItemValue::Event));
    engine.register_fn("request", |action: &str, fields: Map| {
        reading::request(action, fields).map(Box::new).map(ItemValue::Request)
    });
    engine.register_fn("request", |action: &str| {
        reading::request(action, Map::new()).map(Box::new).map(ItemValue::Request)
    });
    engine.register_fn("fact", |entity: &str, value: Dynamic| fact(entity, None, &value));
    engine.register_fn("fact", |entity: &str, attribute: ImmutableString, value: Dynamic| {
        fact(entity, Some(attribute.to_string()), &value)
    });
    engine.register_fn("muted", |speaker: &str, what: ImmutableString| {
        report(speaker, SpeakerState::Muted { what: what_of(&what)? })
    });
    engine.register_fn("unmuted", |speaker: &str, what: ImmutableString| {
        report(speaker, SpeakerState::Unmuted { what: what_of(&what)? })
    });
    engine.register_fn("restarted", |speaker: &str| report(speaker, SpeakerState::Restarted));
    engine.register_fn("said", |speaker: &str, id: ImmutableString| {
        report(speaker, SpeakerState::Said { id: id.to_string() })
    });
    for (word, says) in [("approve", Says::Approve), ("reject", Says::Reject), ("seen", Says::Seen)] {
        engine.register_fn(word, move |speaker: &str, token: ImmutableString| answer(speaker, says, &token, None));
    }
    engine.register_fn("approve", |speaker: &str, token: ImmutableString, code: ImmutableString| {
        answer(speaker, Says::Approve, &token, Some(code.to_string()))
    });
    engine.register_fn("send", send).register_fn("send", send_json);
    engine.register_fn("act", act).register_fn("act", act_with);
    engine.register_fn("setting", setting).register_fn("speaker_by", speaker_by);
    engine
        .register_fn("speaker", speaker)
        .register_fn("speakers", speakers)
        .register_fn("statestream", statestream)
        .register_fn("base", base);
    engine.register_fn("remember", remember).register_fn("recall", recall).register_fn("forget", forget);
}

fn what_of(text: &str) -> Outcome<What> {
    match What::named(text) {
        Some(what) => Ok(what),
        None => fail(format!("expected `mic`, `sound` or `both`, found `{text}`")),
    }
}

fn fact(entity: &str, attribute: Option<String>, value: &Dynamic) -> Outcome<ItemValue> {
    if !entity.contains('.') {
        return fail(format!("expected an entity such as `media_player.kitchen`, found `{entity}`"));
    }
    match json::from_script(value) {
        Ok(value) => {
            let value = (!value.is_null()).then_some(value);
            Ok(ItemValue::Fact(FactChange { entity: entity.to_owned(), attribute, value }))
        }
        Err(message) => fail(message),
    }
}

fn report(speaker: &str, state: SpeakerState) -> Outcome<ItemValue> {
    Ok(ItemValue::Report(SpeakerReport { speaker: speaker.to_owned(), state }))
}

fn answer(speaker: &str, says: Says, token: &str, code: Option<String>) -> Outcome<ItemValue> {
    if token.is_empty() {
        return fail("expected the token of a question, found an empty text");
    }
    Ok(ItemValue::Answer(Token { speaker: speaker.to_owned(), says, token: token.to_owned(), code }))
}

fn send(topic: &str, payload: ImmutableString) -> Outcome<SendValue> {
    sent(topic, payload.as_str().to_owned())
}

/// Anything but text is sent as JSON.
fn send_json(topic: &str, payload: Dynamic) -> Outcome<SendValue> {
    match json::from_script(&payload) {
        Ok(value) if !value.is_null() => sent(topic, value.to_string()),
        Ok(_) => fail("expected a payload, found nothing"),
        Err(message) => fail(message),
    }
}

fn sent(topic: &str, payload: String) -> Outcome<SendValue> {
    if let Err(error) = check_name(topic) {
        return fail(format!("expected a topic to send to, found `{topic}`: {error}"));
    }
    Ok(SendValue { message: Message::live(topic, payload), is_act: false })
}

fn act(context: NativeCallContext, action: &str, entity: ImmutableString) -> Outcome<SendValue> {
    act_with(context, action, entity, Map::new())
}

fn act_with(context: NativeCallContext, action: &str, entity: ImmutableString, data: Map) -> Outcome<SendValue> {
    let data = match json::from_script(&Dynamic::from_map(data)) {
        Ok(data) => data,
        Err(message) => return fail(message),
    };
    if !action.contains('.') {
        return fail(format!("expected an action such as `switch.turn_on`, found `{action}`"));
    }
    let body = serde_json::json!({"action": action, "target": {"entity_id": entity.as_str()}, "data": data});
    let topic = format!("{}/act", context_of(&context)?.config.base);
    Ok(SendValue { message: Message::live(topic, body.to_string()), is_act: true })
}

fn setting(context: NativeCallContext, name: &str, default: Dynamic) -> Outcome<Dynamic> {
    Ok(context_of(&context)?.setting(name).map_or(default, json::to_script))
}

fn speaker_by(context: NativeCallContext, setting: &str, value: Dynamic) -> Outcome<ImmutableString> {
    let text = if value.is_string() || value.is_int() {
        value.to_string()
    } else {
        return fail(format!("expected a text to find a speaker by, found {}", shown(&value)));
    };
    Ok(context_of(&context)?.speaker_by(setting, &text).unwrap_or(&text).into())
}

/// A speaker by its name, to be asked for its settings.
fn speaker(context: NativeCallContext, name: ImmutableString) -> Outcome<SpeakerValue> {
    if context_of(&context)?.speakers().any(|(known, _)| known == name) {
        return Ok(SpeakerValue { name });
    }
    fail(format!("expected the name of a speaker of this integration, found `{name}`"))
}

fn speakers(context: NativeCallContext) -> Outcome<Array> {
    Ok(context_of(&context)?.speakers().map(|(name, _)| Dynamic::from(ImmutableString::from(name))).collect())
}

fn statestream(context: NativeCallContext) -> Outcome<ImmutableString> {
    Ok(context_of(&context)?.config.statestream.as_deref().unwrap_or_default().into())
}

fn base(context: NativeCallContext) -> Outcome<ImmutableString> {
    Ok(context_of(&context)?.config.base.as_str().into())
}

fn remember(context: NativeCallContext, key: &str, value: Dynamic) -> Outcome<()> {
    let value = match json::from_script(&value) {
        Ok(value) => value,
        Err(message) => return fail(message),
    };
    let bytes = key.len() + if let Value::String(text) = &value { text.len() } else { value.to_string().len() };
    if bytes > MEMORY_BYTES_MAX {
        return fail(format!("expected at most {MEMORY_BYTES_MAX} bytes to remember, found `{bytes}`"));
    }
    let context = context_of(&context)?;
    let mut memory = context.memory.borrow_mut();
    if memory.len() >= MEMORY_ENTRIES_MAX && !memory.contains_key(key) {
        return fail(format!("more than {MEMORY_ENTRIES_MAX} things to remember"));
    }
    memory.insert(key.to_owned(), value);
    Ok(())
}

fn recall(context: NativeCallContext, key: &str, default: Dynamic) -> Outcome<Dynamic> {
    Ok(context_of(&context)?.memory.borrow().get(key).map_or(default, json::to_script))
}

fn forget(context: NativeCallContext, key: &str) -> Outcome<()> {
    context_of(&context)?.memory.borrow_mut().remove(key);
    Ok(())
}
