//! Words that want something done: mute, speak, tell, publish.
//!
//! None of them does it. The engine does, once the evaluation has succeeded, or refuses with a record.

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

use crate::model::speaker::What;
use crate::model::topic::check_name;
use crate::policy::call::call_of;
use crate::policy::reaction::Wish;
use crate::script::json;
use crate::script::operators::{Outcome, fail};
use crate::time::parse_duration_ms;

/// The longest mute that a rule can ask for.
pub(super) const MUTE_MAX_MS: u64 = 24 * 3_600_000;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("mute", mute_mic)
        .register_fn("mute", mute_what)
        .register_fn("unmute", unmute)
        .register_fn("is_muted", is_muted);
    engine.register_fn("is_speaker", is_speaker);
    engine.register_fn("announce", announce).register_fn("notify", notify);
    engine.register_fn("publish", publish).register_fn("publish", publish_json);
}

fn mute_mic(
    context: NativeCallContext,
    speaker: &str,
    for_time: ImmutableString,
    reason: ImmutableString,
) -> Outcome<()> {
    mute(&context, speaker, &for_time, &reason, What::Mic)
}

/// `what` is `mic`, `sound` or `both`.
fn mute_what(
    context: NativeCallContext,
    speaker: &str,
    for_time: ImmutableString,
    reason: ImmutableString,
    what: ImmutableString,
) -> Outcome<()> {
    match What::named(&what) {
        Some(what) => mute(&context, speaker, &for_time, &reason, what),
        None => fail(format!("expected `mic`, `sound` or `both`, found `{what}`")),
    }
}

fn mute(context: &NativeCallContext, speaker: &str, duration: &str, reason: &str, what: What) -> Outcome<()> {
    let for_ms = match parse_duration_ms(duration) {
        Ok(for_ms) => for_ms,
        Err(message) => return fail(message),
    };
    if for_ms == 0 || for_ms > MUTE_MAX_MS {
        return fail(format!("expected a mute of at most 24 h, found `{duration}`"));
    }
    let (speaker, reason) = (said(speaker, "a speaker")?, said(reason, "a reason")?);
    call_of(context)?.wish(Wish::Mute { speaker, what, for_ms, reason })
}

fn unmute(context: NativeCallContext, speaker: &str) -> Outcome<()> {
    call_of(&context)?.wish(Wish::Unmute { speaker: said(speaker, "a speaker")? })
}

/// Whether a speaker of that name is configured. Events name speakers as devices do, known or not.
fn is_speaker(context: NativeCallContext, name: &str) -> Outcome<bool> {
    Ok(call_of(&context)?.profile.catalog.speakers.contains(name))
}

/// Whether a speaker is muted, what this evaluation wishes included.
fn is_muted(context: NativeCallContext, speaker: &str) -> Outcome<bool> {
    let call = call_of(&context)?;
    let own = call.state.borrow().wishes.iter().rev().find_map(|wish| match wish {
        Wish::Mute { speaker: own, .. } if own == speaker => Some(true),
        Wish::Unmute { speaker: own } if own == speaker => Some(false),
        _ => None,
    });
    let world = call.view.world.borrow();
    let stored = || world.durable.mutes.get(speaker).is_some_and(|mute| mute.until_ms > call.view.at.monotonic_ms);
    Ok(own.unwrap_or_else(stored))
}

fn announce(context: NativeCallContext, speaker: &str, text: ImmutableString) -> Outcome<()> {
    let (speaker, text) = (said(speaker, "a speaker")?, said(&text, "a text to say")?);
    call_of(&context)?.wish(Wish::Announce { speaker, text })
}

fn notify(context: NativeCallContext, text: &str) -> Outcome<()> {
    call_of(&context)?.wish(Wish::Notify { text: said(text, "a text to tell")? })
}

fn publish(context: NativeCallContext, topic: &str, payload: ImmutableString) -> Outcome<()> {
    wish_publish(&context, topic, payload.as_str().to_owned())
}

/// Anything but text is published as JSON.
fn publish_json(context: NativeCallContext, topic: &str, payload: Dynamic) -> Outcome<()> {
    match json::from_script(&payload) {
        Ok(value) if !value.is_null() => wish_publish(&context, topic, value.to_string()),
        Ok(_) => fail("expected a payload, found nothing"),
        Err(message) => fail(message),
    }
}

fn wish_publish(context: &NativeCallContext, topic: &str, payload: String) -> Outcome<()> {
    if let Err(error) = check_name(topic) {
        return fail(format!("expected a topic to publish to, found `{topic}`: {error}"));
    }
    call_of(context)?.wish(Wish::Publish { topic: topic.to_owned(), payload })
}

fn said(text: &str, what: &str) -> Outcome<String> {
    let text = text.trim();
    if text.is_empty() { fail(format!("expected {what}, found an empty text")) } else { Ok(text.to_owned()) }
}
