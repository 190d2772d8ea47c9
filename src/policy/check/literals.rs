//! Names that stand in the script as texts: actions, events, entities, channels, speakers, times.
//!
//! Only what is written out is looked at. A name that might yet come to exist is a warning; a text that can never be
//! read is an error, as it would be when the rule runs.

use rhai::{Expr, FnCallExpr, Position};

use super::{Examined, call_at, literal, terms};
use crate::model::action::is_action;
use crate::model::glob::Glob;
use crate::model::topic::check_name;
use crate::policy::call::Hook;
use crate::policy::words::approvals::read_window_ms;
use crate::script::diagnostics::{Diagnostic, Place};
use crate::script::nearest::did_you_mean;
use crate::time::{parse_duration_ms, parse_time_of_day};

/// Words whose first value is an entity.
const OF_ENTITIES: &[&str] = &["age_s", "attribute", "is", "is_fresh", "is_known", "is_not", "number", "state"];
/// Words whose first value is a speaker.
const OF_SPEAKERS: &[&str] = &["announce", "is_muted", "mute", "playing_near", "same_words", "spoke", "unmute"];
/// Words whose second value is a duration.
const WITH_DURATION: &[&str] = &["count", "counted", "is_fresh", "mute", "same_words", "spoke"];

const WEEKDAYS: &[&str] = &["friday", "monday", "saturday", "sunday", "thursday", "tuesday", "wednesday"];
const SOURCES: &[&str] = &["agent", "automation", "person", "policy", "unknown", "voice"];
const CERTAINTIES: &[&str] = &["certain", "likely", "possible", "unknown"];
const DOORS: &[&str] = &["ask", "bypass", "control", "gate", "intent", "policy", "twin", "watch"];

pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Diagnostic>) {
    check_patterns(examined, findings);
    for function in examined.functions {
        function.walk(|path| {
            if let Some((call, _, is_method)) = call_at(path.last())
                && !is_method
            {
                check_call(examined, call, findings);
                findings.extend(check_compared(examined, call));
            }
        });
    }
}

/// Patterns of `ACTIONS` and `EVENTS` that fit nothing. A rule that is never asked would be an open gate that nobody sees,
/// so this is an error.
fn check_patterns(examined: &Examined<'_>, findings: &mut Vec<Diagnostic>) {
    let header = examined.header;
    let catalog = &examined.host.catalog;
    for (hook, patterns, known, what, code) in [
        (Hook::Request, &header.actions, &catalog.actions, "action", "unknown-action"),
        (Hook::Event, &header.events, &catalog.events, "event", "unknown-event"),
    ] {
        for (index, pattern) in patterns.iter().enumerate() {
            if known.iter().any(|name| pattern.matches(name)) {
                continue;
            }
            let message = format!("`{pattern}` fits no known {what}");
            let place = examined.functions.first().and_then(|outside| outside.place_of_item(hook.header(), index));
            let help = did_you_mean(pattern.as_str(), known.iter().map(String::as_str))
                .or_else(|| nearest_domain(pattern, known.iter().map(String::as_str)));
            let help =
                help.unwrap_or_else(|| format!("an {what} of your own is known once the configuration names it"));
            findings.push(examined.script.error(code, place.unwrap_or_default(), message).with_help(Some(help)));
        }
    }
}

/// For `lok.*` the nearest is `lock.*`.
fn nearest_domain<'a>(pattern: &Glob, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let (domain, rest) = pattern.as_str().split_once('.')?;
    let domains: std::collections::BTreeSet<&str> = known.filter_map(|name| Some(name.split_once('.')?.0)).collect();
    let nearest = crate::script::nearest::nearest(domain, domains)?;
    (nearest != domain).then(|| format!("did you mean `{nearest}.{rest}`?"))
}

fn check_call(examined: &Examined<'_>, call: &FnCallExpr, findings: &mut Vec<Diagnostic>) {
    let script = examined.script;
    let word = call.name.as_str();
    let first = literal(call.args.first());
    let second = literal(call.args.get(1));
    if let Some((entity, position)) = first
        && OF_ENTITIES.contains(&word)
        && !is_action(entity)
    {
        let message = format!("expected an entity such as `lock.front_door`, found `{entity}`");
        findings.push(script.warning("entity", Place::from(position), message));
    }
    if let Some((speaker, position)) = first
        && OF_SPEAKERS.contains(&word)
        && !examined.host.catalog.speakers.contains(speaker)
    {
        let help = did_you_mean(speaker, examined.host.catalog.speakers.iter().map(String::as_str));
        let message = format!("there is no configured speaker `{speaker}`");
        findings.push(script.warning("unknown-speaker", Place::from(position), message).with_help(help));
    }
    if let (Some((action, position)), "approvals") = (first, word)
        && !examined.host.catalog.actions.iter().any(|known| Glob::new(action).matches(known))
    {
        let help = did_you_mean(action, examined.host.catalog.actions.iter().map(String::as_str));
        let message = format!("`{action}` fits no known action");
        findings.push(script.warning("unknown-action", Place::from(position), message).with_help(help));
    }
    let mut refuse = |position: Position, message: String| {
        findings.push(script.error("literal", Place::from(position), message));
    };
    if let Some((duration, position)) = second
        && WITH_DURATION.contains(&word)
        && let Err(message) = parse_duration_ms(duration)
    {
        refuse(position, message);
    }
    if let (Some((window, position)), "approvals") = (second, word)
        && let Err(message) = read_window_ms(window)
    {
        refuse(position, message);
    }
    if word == "between" {
        for (time, position) in [first, second].into_iter().flatten() {
            if let Err(message) = parse_time_of_day(time) {
                refuse(position, message);
            }
        }
    }
    if let (Some((topic, position)), "publish") = (first, word)
        && let Err(error) = check_name(topic)
    {
        refuse(position, format!("expected a topic to publish to, found `{topic}`: {error}"));
    }
    if let (Some(Expr::Map(fields, _)), "confirm") = (call.args.first(), word) {
        terms::check(examined, &fields.0, findings);
    }
}

/// `request.action == "lock.unlok"`: a comparison with a name that nothing has.
fn check_compared(examined: &Examined<'_>, call: &FnCallExpr) -> Option<Diagnostic> {
    if !matches!(call.name.as_str(), "==" | "!=") {
        return None;
    }
    let [left, right] = call.args.as_slice() else { return None };
    let (asked, (text, position)) = match (literal(Some(left)), literal(Some(right))) {
        (None, Some(text)) => (left, text),
        (Some(text), None) => (right, text),
        _ => return None,
    };
    let catalog = &examined.host.catalog;
    let names = |names: &'static [&'static str]| names.to_vec();
    let (what, known): (&str, Vec<&str>) = match asked {
        Expr::FnCall(call, _) if call.name == "weekday" => ("weekday", names(WEEKDAYS)),
        Expr::Dot(parts, ..) => match &parts.rhs {
            Expr::Property(property, _) => match property.2.as_str() {
                "action" => ("known action", catalog.actions.iter().map(String::as_str).collect()),
                "source" | "likely_source" => ("kind of source", names(SOURCES)),
                "door" => ("door", names(DOORS)),
                "certainty" => ("certainty", names(CERTAINTIES)),
                "channel" => ("configured channel", catalog.channels.iter().map(String::as_str).collect()),
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    if known.contains(&text) {
        return None;
    }
    let help = did_you_mean(text, known);
    let message = format!("`{text}` is no {what}, so this never holds");
    Some(examined.script.warning("never-equal", Place::from(position), message).with_help(help))
}
