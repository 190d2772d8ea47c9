//! What a rule learns from topics that anybody may write can be forged.
//!
//! To deny on forged evidence costs convenience; to allow on it opens a door. So a rule that allows because of a fact,
//! a counter or a memory is named, once per policy, at the first such `allow`.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Stmt};

use super::{Examined, call_at};
use crate::script::check::functions::Function;
use crate::script::diagnostics::{Diagnostic, Place};

/// Words that tell what was heard from outside.
const HEARD: &[&str] = &[
    "age_s",
    "anybody_home",
    "approvals",
    "attribute",
    "confidence_or",
    "counted",
    "everybody_away",
    "happened_ago_s_or",
    "heard_ago_s_or",
    "is",
    "is_fresh",
    "is_known",
    "is_not",
    "number",
    "person_or",
    "playing_near",
    "recall",
    "same_words",
    "satellite_or",
    "session_or",
    "speaker_or",
    "spoke",
    "state",
    "woke_ago_s_or",
];

/// Fields of a request that Home Assistant's streams, or what speakers tell, may have filled in.
const SEEMING: &[&str] = &[
    "by_voice",
    "certainty",
    "confidence",
    "happened_ago_s",
    "has_confidence",
    "has_happened",
    "has_heard",
    "has_person",
    "has_satellite",
    "has_session",
    "has_speaker",
    "has_woke",
    "heard_ago_s",
    "likely_channels",
    "likely_source",
    "person",
    "playing",
    "satellite",
    "session",
    "speaker",
    "woke_ago_s",
];

pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Diagnostic>) {
    let hearing: BTreeSet<&str> = hearing_functions(examined);
    let first = examined.functions.iter().filter_map(|function| first_allow(function, &hearing)).min();
    if let Some(place) = first {
        let message = "this allows because of something that was heard on MQTT, which others may be able to write";
        let help = "see to it that the broker lets nobody else write those topics, or say `confirm` instead";
        findings.push(examined.script.note("forgeable-evidence", place, message.to_owned()).with_help(Some(help)));
    }
}

/// Functions that use a word of `HEARD`, or one that does.
fn hearing_functions<'a>(examined: &Examined<'a>) -> BTreeSet<&'a str> {
    let mut hearing: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = hearing.len();
        for function in examined.functions {
            let mut hears = false;
            function.walk(|path| hears |= names_heard(path.last(), &hearing));
            if hears && !function.name.is_empty() {
                hearing.insert(function.name.as_str());
            }
        }
        if hearing.len() == before {
            return hearing;
        }
    }
}

fn names_heard(node: Option<&ASTNode>, hearing: &BTreeSet<&str>) -> bool {
    if let Some(ASTNode::Expr(Expr::Property(property, _))) = node {
        return SEEMING.contains(&property.2.as_str());
    }
    call_at(node).is_some_and(|(call, ..)| HEARD.contains(&call.name.as_str()) || hearing.contains(call.name.as_str()))
}

/// The first `allow` of a function that stands under a condition on what was heard.
fn first_allow(function: &Function, hearing: &BTreeSet<&str>) -> Option<Place> {
    let mut heard_names: BTreeSet<String> = BTreeSet::new();
    function.walk(|path| {
        if let Some(ASTNode::Stmt(Stmt::Var(variable, ..))) = path.last()
            && hears(&variable.1, hearing, &heard_names)
        {
            heard_names.insert(variable.0.name.to_string());
        }
    });
    let mut first: Option<Place> = None;
    function.walk(|path| {
        let Some((call, position, _)) = call_at(path.last()) else { return };
        let is_conditional = || {
            path.iter().any(|node| match node {
                ASTNode::Stmt(Stmt::If(flow, _) | Stmt::While(flow, _)) => hears(&flow.expr, hearing, &heard_names),
                _ => false,
            })
        };
        if call.name == "allow" && first.is_none() && is_conditional() {
            first = Some(Place::from(position));
        }
    });
    first
}

fn hears(expression: &Expr, hearing: &BTreeSet<&str>, heard_names: &BTreeSet<String>) -> bool {
    let mut hears = false;
    expression.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
        hears |= names_heard(path.last(), hearing);
        if let Some(ASTNode::Expr(Expr::Variable(variable, ..))) = path.last() {
            hears |= heard_names.contains(variable.1.as_str());
        }
        true
    });
    hears
}
