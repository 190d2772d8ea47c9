//! Names and fields that stand in the script as texts: events, actions, entities, what is muted.
//!
//! Only what is written out is looked at. A text that can never be read is an error, as it would be when it runs; a name
//! that looks like another one is a warning.

use rhai::{Expr, FnCallExpr, Position};

use super::Examined;
use crate::integration::words::reading::{EVENT_FIELDS, REQUEST_FIELDS, is_dotted};
use crate::model::action::KNOWN_ACTIONS;
use crate::model::request::VOICE_EVENTS;
use crate::model::speaker::What;
use crate::script::check::functions::Function;
use crate::script::check::{self, call_at, literal};
use crate::script::diagnostics::{Diagnostic, Place};
use crate::script::nearest::did_you_mean;

pub(super) fn check(examined: &Examined<'_>, common: &check::Examined<'_>, findings: &mut Vec<Diagnostic>) {
    for function in examined.functions {
        function.walk(|path| {
            if let Some((call, _, is_method)) = call_at(path.last())
                && !is_method
            {
                findings.extend(check_name(examined, call));
                findings.extend(check_what(examined, call));
                check_fields(examined, call, findings);
                findings.extend(check_compared(examined, common, function, call));
            }
        });
    }
}

/// The first value: the name of an event, an action or an entity.
fn check_name(examined: &Examined<'_>, call: &FnCallExpr) -> Option<Diagnostic> {
    if let ("event", Some(name @ Expr::InterpolatedString(..))) = (call.name.as_str(), call.args.first())
        && examined.header.events.is_empty()
    {
        let message = "expected the names of these events in `EVENTS`, found none: no rule can name them".to_owned();
        let help = "write `const EVENTS = [\"…\"];` at the top";
        let place = Place::from(name.start_position());
        return Some(examined.script.warning("untold-event", place, message).with_help(Some(help)));
    }
    let (script, (name, position)) = (examined.script, literal(call.args.first())?);
    let refuse = |expected: &str| {
        let message = format!("expected {expected}, found `{name}`");
        Some(script.error("literal", Place::from(position), message))
    };
    match call.name.as_str() {
        "event" if !is_dotted(name) => refuse("a name such as `voice.transcript`"),
        "event" if name.starts_with("voice.") && !VOICE_EVENTS.contains(&name) => {
            let message = format!("`{name}` is no event that rules know of");
            let help = did_you_mean(name, VOICE_EVENTS.iter().copied());
            Some(script.warning("unknown-event", Place::from(position), message).with_help(help))
        }
        "request" if !is_dotted(name) => refuse("a name such as `communication.send_message`"),
        "request" | "act" => check_action(examined, name, position),
        "fact" if !name.contains('.') => refuse("an entity such as `media_player.kitchen`"),
        _ => None,
    }
}

/// An action that is spelt like a known one of the same domain. Any other is the integration's own.
fn check_action(examined: &Examined<'_>, name: &str, position: Position) -> Option<Diagnostic> {
    if !name.contains('.') {
        let message = format!("expected an action such as `switch.turn_on`, found `{name}`");
        return Some(examined.script.error("literal", Place::from(position), message));
    }
    let domain = |name: &str| name.split('.').next().map(str::to_owned);
    let known = KNOWN_ACTIONS.iter().map(|(known, _)| *known);
    if known.clone().any(|known| known == name) || examined.config.commands.iter().any(|entry| entry.action == name) {
        return None;
    }
    // One edit: `turn_on` and `turn_off` are two actions.
    let is_like = |known: &str| domain(known) == domain(name) && strsim::damerau_levenshtein(known, name) == 1;
    let meant = known.filter(|known| is_like(known)).min()?;
    let message = format!("`{name}` is no known action");
    let help = format!("did you mean `{meant}`?");
    Some(examined.script.warning("unknown-action", Place::from(position), message).with_help(Some(help)))
}

/// `muted(speaker, "microphone")`
fn check_what(examined: &Examined<'_>, call: &FnCallExpr) -> Option<Diagnostic> {
    if !matches!(call.name.as_str(), "muted" | "unmuted") {
        return None;
    }
    let (what, position) = literal(call.args.get(1))?;
    let known = What::ALL.map(What::name);
    if known.contains(&what) {
        return None;
    }
    let message = format!("expected `mic`, `sound` or `both`, found `{what}`");
    let help = did_you_mean(what, known);
    Some(examined.script.error("literal", Place::from(position), message).with_help(help))
}

/// The fields of `event(…, #{…})` and `request(…, #{…})`.
fn check_fields(examined: &Examined<'_>, call: &FnCallExpr, findings: &mut Vec<Diagnostic>) {
    let known: &[&str] = match call.name.as_str() {
        "event" => &EVENT_FIELDS,
        "request" => &REQUEST_FIELDS,
        _ => return,
    };
    let Some(Expr::Map(fields, _)) = call.args.get(1) else { return };
    for (field, _) in fields.0.iter().filter(|(field, _)| !known.contains(&field.name.as_str())) {
        let message = format!("`{}` has no field `{}`", call.name, field.name);
        let help = did_you_mean(&field.name, known.iter().copied());
        findings.push(examined.script.error("unknown-field", Place::from(field.pos), message).with_help(help));
    }
}

/// `what == "microphone"`: a comparison with what is never given.
fn check_compared(
    examined: &Examined<'_>,
    common: &check::Examined<'_>,
    function: &Function,
    call: &FnCallExpr,
) -> Option<Diagnostic> {
    let ("==" | "!=", [left, right]) = (call.name.as_str(), call.args.as_slice()) else { return None };
    let (asked, (text, position)) = match (literal(Some(left)), literal(Some(right))) {
        (None, Some(text)) => (left, text),
        (Some(text), None) => (right, text),
        _ => return None,
    };
    let Expr::Variable(variable, ..) = asked else { return None };
    let known = What::ALL.map(What::name);
    if common.given(function, &variable.1)?.name != "what" || known.contains(&text) {
        return None;
    }
    let message = format!("`{text}` is none of `mic`, `sound` and `both`, so this never holds");
    let help = did_you_mean(text, known);
    Some(examined.script.warning("never-equal", Place::from(position), message).with_help(help))
}
