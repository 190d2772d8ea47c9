//! The words that a rule may use besides the pure ones: verdicts, facts, time, memory, effects.
//!
//! `docs/policy-language.md` has an example of each; a test holds that page against this list.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands the values of a word over")]

use std::rc::Rc;

use rhai::Engine;

use super::values::{EVENT_FIELDS, REQUEST_FIELDS};
use crate::script::fields::Field;
use crate::script::message;
use crate::script::sandbox::Meter;
use crate::script::words::{self, Word};

pub(in crate::policy) mod approvals;
mod clock;
mod effects;
mod facts;
mod memory;
pub(super) mod verdicts;
mod voice;

/// Every word that speaks to the house.
pub const WORDS: &[Word] = &[
    Word { name: "age_s", usage: "age_s(entity)" },
    Word { name: "allow", usage: "allow() or allow(reason)" },
    Word { name: "announce", usage: "announce(speaker, text)" },
    Word { name: "anybody_home", usage: "anybody_home()" },
    Word { name: "approvals", usage: "approvals(action, \"7d\")" },
    Word { name: "attribute", usage: "attribute(entity, name) or attribute(entity, name, default)" },
    Word { name: "between", usage: "between(\"22:00\", \"07:00\")" },
    Word { name: "channel_or", usage: "request.channel_or(default)" },
    Word { name: "confidence_or", usage: "request.confidence_or(default)" },
    Word { name: "confirm", usage: "confirm(question) or confirm(#{ ask: …, within: \"60s\", from: [\"phone\"] })" },
    Word { name: "count", usage: "count(name, \"10m\")" },
    Word { name: "counted", usage: "counted(name, \"10m\")" },
    Word { name: "data_or", usage: "request.data_or(name, default)" },
    Word { name: "deny", usage: "deny(reason) or deny(reason, instead)" },
    Word { name: "everybody_away", usage: "everybody_away()" },
    Word { name: "forget", usage: "forget(key)" },
    Word { name: "happened_ago_s_or", usage: "request.happened_ago_s_or(default)" },
    Word { name: "heard_ago_s_or", usage: "request.heard_ago_s_or(default)" },
    Word { name: "hour", usage: "hour()" },
    Word { name: "is", usage: "is(entity, value)" },
    Word { name: "is_fresh", usage: "is_fresh(entity, \"5m\")" },
    Word { name: "is_known", usage: "is_known(entity)" },
    Word { name: "is_muted", usage: "is_muted(speaker)" },
    Word { name: "is_not", usage: "is_not(entity, value)" },
    Word { name: "is_speaker", usage: "is_speaker(name)" },
    Word { name: "is_weekend", usage: "is_weekend()" },
    Word { name: "minute", usage: "minute()" },
    Word { name: "mute", usage: "mute(speaker, \"10m\", reason) or mute(speaker, \"10m\", reason, \"sound\")" },
    Word { name: "notify", usage: "notify(text)" },
    Word { name: "number", usage: "number(entity) or number(entity, default)" },
    Word { name: "person_or", usage: "request.person_or(default)" },
    Word { name: "playing_near", usage: "playing_near(speaker)" },
    Word { name: "publish", usage: "publish(topic, payload)" },
    Word { name: "recall", usage: "recall(key) or recall(key, default)" },
    Word { name: "remember", usage: "remember(key, value)" },
    Word { name: "same_words", usage: "same_words(speaker, \"2s\")" },
    Word { name: "satellite_or", usage: "request.satellite_or(default)" },
    Word { name: "session_or", usage: "request.session_or(default)" },
    Word { name: "speaker_or", usage: "request.speaker_or(default)" },
    Word { name: "spoke", usage: "spoke(speaker, \"10s\") or spoke(speakers, \"10s\")" },
    Word { name: "state", usage: "state(entity) or state(entity, default)" },
    Word { name: "sun_is_down", usage: "sun_is_down()" },
    Word { name: "sun_is_up", usage: "sun_is_up()" },
    Word { name: "target_or", usage: "request.target_or(default)" },
    Word { name: "text_or", usage: "request.text_or(default)" },
    Word { name: "time_of_day", usage: "time_of_day()" },
    Word { name: "unmute", usage: "unmute(speaker)" },
    Word { name: "weekday", usage: "weekday()" },
    Word { name: "woke_ago_s_or", usage: "request.woke_ago_s_or(default)" },
];

/// Every word of the language of rules, the pure ones included, by name.
pub fn all() -> impl Iterator<Item = &'static Word> {
    WORDS.iter().chain(words::WORDS)
}

/// How a word is written.
pub fn usage(name: &str) -> Option<&'static str> {
    all().find(|word| word.name == name).map(|word| word.usage)
}

/// Every field of what the hooks are given, as owners write it: `request.action`.
pub fn fields() -> impl Iterator<Item = String> {
    let of =
        |what: &'static str, fields: &'static [Field]| fields.iter().map(move |(field, _)| format!("{what}.{field}"));
    of("request", REQUEST_FIELDS).chain(of("event", EVENT_FIELDS)).chain(of("message", message::FIELDS))
}

pub(super) fn register(engine: &mut Engine, meter: &Rc<Meter>) {
    verdicts::register(engine);
    facts::register(engine, meter);
    clock::register(engine);
    memory::register(engine, meter);
    approvals::register(engine, meter);
    effects::register(engine);
    voice::register(engine);
}
