//! Names: every variable is defined, every word exists and is said with the right number of values.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, FnCallExpr};

use super::functions::Function;
use super::{Examined, call_at, locals};
use crate::script::diagnostics::{Diagnostic, Place};
use crate::script::nearest::did_you_mean;

pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Diagnostic>) {
    for function in examined.functions {
        let known = known_names(examined, function);
        function.walk(|path| {
            if let Some(ASTNode::Expr(Expr::Variable(variable, short_index, position))) = path.last() {
                let is_local = short_index.is_some() || variable.0.is_some();
                let name = variable.1.as_str();
                if !variable.2.is_empty() {
                    let message = format!("expected a plain name, found `{}::{name}`", variable.2);
                    let help = format!("write `{name}`");
                    findings.push(examined.script.error("name", Place::from(*position), message).with_help(Some(help)));
                } else if !is_local && !is_visible(examined, function, name) {
                    let message = format!("there is no variable `{name}`");
                    let help = did_you_mean(name, known.iter().map(String::as_str));
                    findings.push(
                        examined.script.error("unknown-variable", Place::from(*position), message).with_help(help),
                    );
                }
            }
            if let Some((call, position, is_method)) = call_at(path.last()) {
                findings.extend(check_call(examined, call, Place::from(position), is_method));
            }
        });
    }
}

/// Whether a name that the function does not define is visible in it: a constant, a function, or for a closure what it
/// took from its surroundings.
fn is_visible(examined: &Examined<'_>, function: &Function, name: &str) -> bool {
    examined.constants.contains_key(name)
        || examined.functions.iter().any(|other| other.name == name)
        || function.is_closure() && function.parameters.iter().any(|parameter| parameter == name)
}

fn known_names(examined: &Examined<'_>, function: &Function) -> BTreeSet<String> {
    let mut names = locals(function);
    names.extend(function.parameters.iter().cloned());
    names.extend(examined.constants.keys().cloned());
    names
}

fn check_call(examined: &Examined<'_>, call: &FnCallExpr, place: Place, is_method: bool) -> Option<Diagnostic> {
    let name = call.name.as_str();
    // The parser makes a `curry` of each closure that uses its surroundings; owners cannot write one.
    if call.op_token.is_some() || !rhai::is_valid_identifier(name) || name == "curry" {
        return None;
    }
    let script = examined.script;
    if !call.namespace.is_empty() {
        let message = format!("expected a plain word, found `{}::{name}`", call.namespace);
        return Some(script.error("name", place, message));
    }
    let own: Vec<usize> = examined
        .functions
        .iter()
        .filter(|function| function.name == name)
        .map(|function| function.parameters.len())
        .collect();
    if !own.is_empty() {
        return check_own_call(examined, call, place, is_method, &own);
    }
    let Some(counts) = examined.vocabulary.get(name) else {
        let own_names =
            examined.functions.iter().filter(|function| !function.is_closure()).map(|other| other.name.as_str());
        let words = examined.vocabulary.keys().map(String::as_str);
        let help = did_you_mean(name, words.chain(own_names.filter(|name| !name.is_empty())));
        let message = format!("there is no word or function `{name}`");
        return Some(script.error("unknown-word", place, message).with_help(help));
    };
    let found = call.args.len() + usize::from(is_method);
    if counts.contains(&found) {
        return None;
    }
    let message = format!("`{name}` takes {}, found `{found}`", values(counts.iter().copied()));
    Some(
        script
            .error("arity", place, message)
            .with_help((examined.language.usage)(name).map(|usage| format!("write {usage}"))),
    )
}

fn check_own_call(
    examined: &Examined<'_>,
    call: &FnCallExpr,
    place: Place,
    is_method: bool,
    own: &[usize],
) -> Option<Diagnostic> {
    let (name, found) = (call.name.as_str(), call.args.len());
    if is_method {
        let message =
            format!("`{name}` is a function of this {} and is not called with a dot", examined.language.script);
        let help = format!("write `{name}(…)` with every value between the brackets");
        return Some(examined.script.error("arity", place, message).with_help(Some(help)));
    }
    if own.contains(&found) {
        return None;
    }
    let message = format!("the function `{name}` takes {}, found `{found}`", values(own.iter().copied()));
    Some(examined.script.error("arity", place, message))
}

/// `1 value`, `2 or 3 values`
fn values(counts: impl Iterator<Item = usize>) -> String {
    let counts: Vec<String> = counts.map(|count| count.to_string()).collect();
    let plural = if counts.len() == 1 && counts.first().is_some_and(|count| count == "1") { "" } else { "s" };
    format!("{} value{plural}", counts.join(" or "))
}
