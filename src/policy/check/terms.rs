//! The terms of `confirm(#{ … })` as they stand in the script: fields, channels, codes, silence.
//!
//! Only what is written out is looked at. What a rule works out when it runs is checked then, by `words::verdicts`.

use rhai::Expr;

use super::{Examined, literal};
use crate::model::decision::Otherwise;
use crate::policy::words::verdicts::{TERMS, one_of, read_otherwise, refused_group};
use crate::script::diagnostics::{Diagnostic, Place};
use crate::script::nearest::did_you_mean;
use crate::time::parse_duration_ms;

/// The fields of one map.
pub(super) fn check(examined: &Examined<'_>, fields: &[(rhai::Ident, Expr)], findings: &mut Vec<Diagnostic>) {
    let script = examined.script;
    for (name, value) in fields {
        match (name.name.as_str(), value) {
            ("from", value) => findings.extend(named(value).iter().filter_map(|item| check_channel(examined, item))),
            ("within", Expr::StringConstant(text, position)) => {
                if let Err(message) = parse_duration_ms(text) {
                    findings.push(script.error("literal", Place::from(*position), message));
                }
            }
            ("otherwise", Expr::StringConstant(text, position)) => {
                findings.extend(check_otherwise(examined, text, Place::from(*position)));
            }
            ("group", Expr::StringConstant(text, position)) => {
                let message = refused_group(text);
                findings.extend(message.map(|message| script.error("literal", Place::from(*position), message)));
            }
            ("pin", Expr::BoolConstant(true, position)) => {
                findings.extend(check_pin(examined, fields, Place::from(*position)));
            }
            (known, _) if TERMS.contains(&known) => {}
            (unknown, _) => {
                let message = format!("expected {}, found `{unknown}`", one_of(&TERMS));
                let help = did_you_mean(unknown, TERMS);
                findings.push(script.error("literal", Place::from(name.pos), message).with_help(help));
            }
        }
    }
    if !fields.iter().any(|(name, _)| name.name == "ask")
        && let Some((name, _)) = fields.first()
    {
        let message = "expected a question in `ask`, found none".to_owned();
        findings.push(script.error("literal", Place::from(name.pos), message));
    }
}

/// What `from` names: a list, or one alone.
fn named(value: &Expr) -> &[Expr] {
    match value {
        Expr::Array(items, _) => items,
        item => std::slice::from_ref(item),
    }
}

fn check_channel(examined: &Examined<'_>, item: &Expr) -> Option<Diagnostic> {
    let (channel, position) = literal(Some(item))?;
    let known = &examined.host.catalog.confirming;
    if known.contains(channel) {
        return None;
    }
    let help = did_you_mean(channel, known.iter().map(String::as_str));
    let message = format!("there is no channel `{channel}` that may confirm");
    Some(examined.script.error("unknown-channel", Place::from(position), message).with_help(help))
}

/// A code that no channel asks for can be given by nobody, so all that the rule holds is denied.
fn check_pin(examined: &Examined<'_>, fields: &[(rhai::Ident, Expr)], place: Place) -> Option<Diagnostic> {
    let coded = &examined.host.catalog.coded;
    let from = fields.iter().find(|(name, _)| name.name == "from").map(|(_, value)| named(value)).unwrap_or_default();
    let names: Vec<&str> = from.iter().filter_map(|item| Some(literal(Some(item))?.0)).collect();
    // A name that is worked out when the rule runs may be one with a code.
    let none_named = !from.is_empty() && names.len() == from.len() && !names.iter().any(|name| coded.contains(*name));
    let message = if coded.is_empty() {
        "no configured channel that may confirm has a PIN or TOTP, so nobody can confirm this".to_owned()
    } else if none_named {
        format!("expected a channel with a PIN or TOTP in `from`, found {}", one_of(&names))
    } else {
        return None;
    };
    let help = if coded.is_empty() {
        "give a channel a `pin:` in the configuration; `hushgate hash-pin` makes one".to_owned()
    } else {
        let coded: Vec<&str> = coded.iter().map(String::as_str).collect();
        format!("channels with a code: {}", one_of(&coded))
    };
    Some(examined.script.warning("no-code", place, message).with_help(Some(help)))
}

/// Plain `allow` is no veto window where every action of the rule is sensitive: silence denies there.
fn check_otherwise(examined: &Examined<'_>, text: &str, place: Place) -> Option<Diagnostic> {
    let script = examined.script;
    let otherwise = match read_otherwise(text) {
        Ok(otherwise) => otherwise,
        Err((message, help)) => return Some(script.error("literal", place, message).with_help(help)),
    };
    let (patterns, catalog) = (&examined.header.actions, &examined.host.catalog);
    let mut concerned = catalog.actions.iter().filter(|name| patterns.iter().any(|pattern| pattern.matches(name)));
    let all_sensitive = concerned.clone().next().is_some() && concerned.all(|name| catalog.sensitive.contains(name));
    (otherwise == Otherwise::Allow && all_sensitive).then(|| {
        let message = "every action of this rule is sensitive, so silence denies in spite of `otherwise: \"allow\"`";
        let help = "write \"allow_sensitive\" if silence is to let go what is sensitive";
        script.warning("veto-window", place, message.to_owned()).with_help(Some(help))
    })
}
