//! Words that state a verdict.
//!
//! A verdict counts when its word is said: a `deny(…)` whose value falls under the table must not open a gate. Of
//! several in one evaluation the strictest counts, and among equals the first.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use crate::model::decision::{Otherwise, Terms, Verdict};
use crate::policy::call::{Hook, call_of};
use crate::policy::reaction::Stated;
use crate::policy::values::VerdictValue;
use crate::script::kinds::shown;
use crate::script::nearest::did_you_mean;
use crate::script::operators::{Outcome, fail};
use crate::time::parse_duration_ms;

/// The shortest time in which a person can answer.
pub(super) const CONFIRM_WITHIN_MIN_MS: u64 = 5_000;
/// The longest time that a request is held.
pub(super) const CONFIRM_WITHIN_MAX_MS: u64 = 3_600_000;
/// Channels that one `confirm` can name.
pub(super) const CONFIRM_CHANNELS_MAX: usize = 16;
/// Longest name of a group.
pub(super) const GROUP_CHARACTERS_MAX: usize = 64;
/// What the map of `confirm` can say.
pub(in crate::policy) const TERMS: [&str; 6] = ["ask", "within", "from", "pin", "otherwise", "group"];
/// What `otherwise` can say, and what it means.
const OTHERWISE: [(&str, Otherwise); 3] =
    [("deny", Otherwise::Deny), ("allow", Otherwise::Allow), ("allow_sensitive", Otherwise::AllowSensitive)];

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("allow", allow).register_fn("allow", allow_with_reason);
    engine.register_fn("deny", deny).register_fn("deny", deny_with_instead);
    engine.register_fn("confirm", confirm).register_fn("confirm", confirm_on_terms);
}

fn allow(context: NativeCallContext) -> Outcome<VerdictValue> {
    state(&context, Stated::new(Verdict::Allow, "the rule allows it".to_owned()))
}

fn allow_with_reason(context: NativeCallContext, reason: &str) -> Outcome<VerdictValue> {
    state(&context, Stated::new(Verdict::Allow, said(reason, "a reason")?))
}

fn deny(context: NativeCallContext, reason: &str) -> Outcome<VerdictValue> {
    state(&context, Stated::new(Verdict::Deny, said(reason, "a reason")?))
}

fn deny_with_instead(context: NativeCallContext, reason: &str, instead: &str) -> Outcome<VerdictValue> {
    let instead = Some(said(instead, "what would make it work")?);
    state(&context, Stated { instead, ..Stated::new(Verdict::Deny, said(reason, "a reason")?) })
}

fn confirm(context: NativeCallContext, question: &str) -> Outcome<VerdictValue> {
    let ask = said(question, "a question")?;
    let terms = Terms::new(ask.clone());
    state(&context, Stated { terms: Some(terms), ..Stated::new(Verdict::Confirm, ask) })
}

fn confirm_on_terms(context: NativeCallContext, fields: Map) -> Outcome<VerdictValue> {
    let mut terms = Terms::new(String::new());
    for (name, value) in &fields {
        match name.as_str() {
            "ask" => terms.ask = text_of("ask", value)?,
            "within" => terms.within_ms = within_ms(value)?,
            "from" => terms.from = channels(&context, value)?,
            "pin" => terms.pin = truth_of("pin", value)?,
            "otherwise" => terms.otherwise = otherwise(value)?,
            "group" => terms.group = Some(group(value)?),
            other => {
                let help = did_you_mean(other, TERMS).map_or_else(String::new, |help| format!("; {help}"));
                return fail(format!("expected {}, found `{other}`{help}", one_of(&TERMS)));
            }
        }
    }
    let ask = said(&terms.ask, "a question in `ask`")?;
    state(&context, Stated { terms: Some(terms), ..Stated::new(Verdict::Confirm, ask) })
}

/// Takes the verdict into the evaluation's state.
fn state(context: &NativeCallContext, verdict: Stated) -> Outcome<VerdictValue> {
    let call = call_of(context)?;
    if call.hook != Hook::Request {
        return fail(format!(
            "`{}` answers a request; there is none in `{}`",
            verdict.verdict.name(),
            call.hook.name()
        ));
    }
    let stated = &mut call.state.borrow_mut().stated;
    if stated.as_ref().is_none_or(|earlier| earlier.verdict < verdict.verdict) {
        *stated = Some(verdict);
    }
    Ok(VerdictValue)
}

/// A text that people will read: it must say something.
fn said(text: &str, what: &str) -> Outcome<String> {
    let text = text.trim();
    if text.is_empty() { fail(format!("expected {what}, found an empty text")) } else { Ok(text.to_owned()) }
}

fn text_of(name: &str, value: &Dynamic) -> Outcome<String> {
    if value.is_string() {
        Ok(value.to_string())
    } else {
        fail(format!("expected text in `{name}`, found {}", shown(value)))
    }
}

fn truth_of(name: &str, value: &Dynamic) -> Outcome<bool> {
    match value.as_bool() {
        Ok(truth) => Ok(truth),
        Err(_) => fail(format!("expected true or false in `{name}`, found {}", shown(value))),
    }
}

fn otherwise(value: &Dynamic) -> Outcome<Otherwise> {
    match read_otherwise(&text_of("otherwise", value)?) {
        Ok(otherwise) => Ok(otherwise),
        Err((message, help)) => fail(help.map_or_else(|| message.clone(), |help| format!("{message}; {help}"))),
    }
}

/// What `otherwise` says. The error is what was expected and found, and a help where there is one.
pub(in crate::policy) fn read_otherwise(text: &str) -> Result<Otherwise, (String, Option<String>)> {
    let names = OTHERWISE.map(|(name, _)| name);
    let known = OTHERWISE.iter().find(|(name, _)| *name == text);
    known.map(|(_, otherwise)| *otherwise).ok_or_else(|| {
        (format!("expected {} in `otherwise`, found `{text}`", one_of(&names)), did_you_mean(text, names))
    })
}

fn group(value: &Dynamic) -> Outcome<String> {
    let name = text_of("group", value)?;
    match refused_group(&name) {
        Some(message) => fail(message),
        None => Ok(name),
    }
}

/// Why a text can be no group. `None`: it can.
pub(in crate::policy) fn refused_group(name: &str) -> Option<String> {
    let characters = name.chars().count();
    let is_name = (1..=GROUP_CHARACTERS_MAX).contains(&characters) && !name.trim().is_empty();
    (!is_name).then(|| {
        let found = if name.trim().is_empty() { "an empty text".to_owned() } else { format!("`{characters}`") };
        format!("expected a name of 1 to {GROUP_CHARACTERS_MAX} characters in `group`, found {found}")
    })
}

/// `` `a`, `b` or `c` ``.
pub(in crate::policy) fn one_of(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A duration as text, or whole seconds.
fn within_ms(value: &Dynamic) -> Outcome<u64> {
    let read_ms = if value.is_string() {
        match parse_duration_ms(&value.to_string()) {
            Ok(duration_ms) => Some(duration_ms),
            Err(message) => return fail(message),
        }
    } else {
        value.as_int().ok().and_then(|seconds| u64::try_from(seconds).ok()?.checked_mul(1_000))
    };
    match read_ms {
        Some(within_ms) if (CONFIRM_WITHIN_MIN_MS..=CONFIRM_WITHIN_MAX_MS).contains(&within_ms) => Ok(within_ms),
        _ => fail(format!("expected 5 s to 1 h in `within`, found {}", shown(value))),
    }
}

fn channels(context: &NativeCallContext, value: &Dynamic) -> Outcome<Vec<String>> {
    let items = value.as_array_ref().map_or_else(|_| Array::from([value.clone()]), |items| items.clone());
    if items.is_empty() || items.len() > CONFIRM_CHANNELS_MAX {
        return fail(format!("expected 1 to {CONFIRM_CHANNELS_MAX} channels in `from`, found `{}`", items.len()));
    }
    let call = call_of(context)?;
    let known = &call.profile.catalog.confirming;
    let mut channels = Vec::with_capacity(items.len());
    for item in &items {
        let channel = text_of("from", item)?;
        if !known.contains(&channel) {
            let help = did_you_mean(&channel, known.iter().map(String::as_str));
            let help = help.map_or_else(String::new, |help| format!("; {help}"));
            return fail(format!("expected a channel that may confirm in `from`, found `{channel}`{help}"));
        }
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    Ok(channels)
}
