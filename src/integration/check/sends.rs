//! Where an integration sends: to topics of `SENDS`, as far as that stands in the script.
//!
//! A topic that is worked out is looked at as far as its beginning is known; the rest is held when it is sent.

use std::collections::BTreeSet;

use rhai::{Expr, Position, Stmt};

use super::Examined;
use crate::integration::hooks::intents;
use crate::model::topic::{TopicFilter, check_name, is_under};
use crate::script::check::call_at;
use crate::script::check::functions::Function;
use crate::script::diagnostics::{Diagnostic, Place};
use crate::script::nearest::did_you_mean;

pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Diagnostic>) {
    let script = examined.script;
    let declared = examined.places.get("SENDS");
    if let (Some(place), false) = (declared, examined.says("send")) {
        let message = "`SENDS` has no effect: nothing says `send(topic, payload)`".to_owned();
        findings.push(script.error("header", *place, message).with_help(Some("leave it out")));
    }
    if let (None, Some(place)) = (declared, first_send(examined)) {
        let message = "`send` sends nothing: there is no `SENDS`".to_owned();
        let help = "write `const SENDS = [\"…\"];` at the top, with the topics that it sends to";
        findings.push(script.error("header", place, message).with_help(Some(help)));
        return;
    }
    for function in examined.functions {
        function.walk(|path| {
            if let Some((call, _, false)) = call_at(path.last()).filter(|(call, ..)| call.name == "send") {
                findings.extend(call.args.first().and_then(|topic| check_topic(examined, topic)));
            }
        });
    }
}

/// The first `send` that is reached from a function whose messages are sent at once.
fn first_send(examined: &Examined<'_>) -> Option<Place> {
    let sends_at_once = |function: &Function| function.hook.is_some_and(|hook| !hook.name.starts_with("on_"));
    let all = || examined.functions.iter().enumerate();
    let mut reached: BTreeSet<usize> =
        all().filter(|(_, function)| sends_at_once(function)).map(|(at, _)| at).collect();
    loop {
        let leads_to = |from: usize, function: &Function| {
            let is_around = function.taken.iter().any(|taken| taken.around == from);
            is_around || examined.functions.get(from).is_some_and(|caller| caller.calls(&function.name))
        };
        let is_next = |function: &Function| reached.iter().any(|from| leads_to(*from, function));
        let next: Vec<usize> =
            all().filter(|(at, function)| !reached.contains(at) && is_next(function)).map(|(at, _)| at).collect();
        if next.is_empty() {
            break;
        }
        reached.extend(next);
    }
    reached.iter().filter_map(|at| place_of_send(examined.functions.get(*at)?)).min()
}

fn place_of_send(function: &Function) -> Option<Place> {
    let mut place = None;
    function.walk(|path| {
        if let Some((call, position, _)) = call_at(path.last())
            && call.name == "send"
            && place.is_none()
        {
            place = Some(Place::from(position));
        }
    });
    place
}

fn check_topic(examined: &Examined<'_>, topic: &Expr) -> Option<Diagnostic> {
    let (known, is_whole, position) = beginning(examined, topic)?;
    let refuse = |message: String, help: Option<String>| {
        Some(examined.script.error("literal", Place::from(position), message).with_help(help))
    };
    if let (true, Err(error)) = (is_whole, check_name(&known)) {
        return refuse(format!("expected a topic to send to, found `{known}`: {error}"), None);
    }
    let sends = &examined.header.sends;
    let is_allowed = |filter: &TopicFilter| {
        if is_whole { filter.matches(&known) } else { begins(filter.as_str(), &known) }
    };
    let intents = intents(&examined.config.base);
    let is_intent = is_under(&known, &intents) || !is_whole && is_under(&intents, known.trim_end_matches('/'));
    if sends.iter().any(is_allowed) || is_intent {
        return None;
    }
    let shown = if is_whole { known.clone() } else { format!("{known}…") };
    let help = did_you_mean(&known, sends.iter().map(TopicFilter::as_str))
        .unwrap_or_else(|| "add its topic to `SENDS`".to_owned());
    refuse(format!("expected a topic of `SENDS`, found `{shown}`"), Some(help))
}

/// What is known of a text before it runs, whether that is all of it, and where it stands. `None`: nothing.
fn beginning(examined: &Examined<'_>, expression: &Expr) -> Option<(String, bool, Position)> {
    let position = expression.start_position();
    match expression {
        Expr::StringConstant(text, _) => Some((text.to_string(), true, position)),
        Expr::InterpolatedString(parts, _) => {
            let mut known = String::new();
            for part in parts.iter() {
                match text_of(examined, part) {
                    Some(text) => known.push_str(&text),
                    None if known.contains('/') => return Some((known, false, position)),
                    None => return None,
                }
            }
            Some((known, true, position))
        }
        _ => None,
    }
}

/// A part of a text in backticks: as it is written, or a constant of the script that is a text.
fn text_of(examined: &Examined<'_>, part: &Expr) -> Option<String> {
    match part {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        Expr::Variable(variable, None, _) if variable.0.is_none() => {
            let value = examined.constants.get(variable.1.as_str()).filter(|value| value.is_string())?;
            Some(value.to_string())
        }
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Expr(inner)] => text_of(examined, inner),
            _ => None,
        },
        Expr::FnCall(call, _) if call.name == "base" && call.args.is_empty() => Some(examined.config.base.clone()),
        _ => None,
    }
}

/// Whether some topic that begins so fits the filter. What stands behind the last `/` is not looked at.
fn begins(filter: &str, beginning: &str) -> bool {
    let levels: Vec<&str> = beginning.split('/').collect();
    let whole = levels.len().saturating_sub(1);
    let mut wanted = filter.split('/');
    for level in levels.into_iter().take(whole) {
        match wanted.next() {
            Some("#") => return true,
            Some(name) if name == "+" || name == level => {}
            _ => return false,
        }
    }
    wanted.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::begins;

    #[test]
    fn a_beginning_fits_what_some_topic_with_it_would_fit() {
        for (filter, beginning, expected) in [
            ("room/+/quiet", "room/", true),
            ("room/+/quiet", "room/x/", true),
            ("room/+/quiet", "room/x/quiet/", false),
            ("room/+/quiet", "rom/", false),
            ("room/#", "room/x/y/", true),
            ("room", "room/", false),
        ] {
            assert_eq!(begins(filter, beginning), expected, "{filter} {beginning}");
        }
    }
}
