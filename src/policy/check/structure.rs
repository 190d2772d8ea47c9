//! The outline of a policy: constants and functions, hooks and what they are called for.

use std::collections::BTreeMap;

use rhai::{ASTFlags, ASTNode, Position, Stmt};

use crate::policy::call::Hook;
use crate::policy::functions::Function;
use crate::policy::header;
use crate::policy::host::Host;
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::nearest::did_you_mean;

/// What the outline is like.
pub(in crate::policy) struct Outline {
    pub findings: Vec<Diagnostic>,
    /// What stands outside of functions is constants, each once: it can be run to learn their values.
    pub is_readable: bool,
    /// Where each constant is defined.
    pub constants: BTreeMap<String, Place>,
}

/// Looks over the outline of a script.
pub(in crate::policy) fn read(script: Script<'_>, functions: &[Function], host: &Host) -> Outline {
    let mut outline = Outline { findings: Vec::new(), is_readable: true, constants: BTreeMap::new() };
    for function in functions {
        if function.name.is_empty() {
            read_header(script, function, &mut outline);
        } else if !function.is_closure() {
            check_function(script, function, host, &mut outline.findings);
        }
    }
    check_hooks(script, functions, &mut outline);
    for function in functions.iter().filter(|function| !function.name.is_empty()) {
        check_hiding(script, function, &outline.constants, &mut outline.findings);
    }
    outline
}

/// Constants alone may stand outside of functions: anything else would run once, at load, and never again.
fn read_header(script: Script<'_>, outside: &Function, outline: &mut Outline) {
    outside.walk(|path| {
        let [ASTNode::Stmt(statement)] = path else { return };
        let finding = match statement {
            Stmt::Noop(_) => return,
            Stmt::Var(variable, flags, _) if flags.intersects(ASTFlags::CONSTANT) => {
                let place = Place::from(variable.0.pos);
                if outline.constants.insert(variable.0.name.to_string(), place).is_none() {
                    return;
                }
                script.error("twice", place, format!("the constant `{}` stands twice", variable.0.name))
            }
            Stmt::Var(variable, ..) => {
                let message =
                    format!("expected a constant outside of functions, found the variable `{}`", variable.0.name);
                let help = format!("write `const {} = …`", variable.0.name);
                script.error("outside", Place::from(variable.0.pos), message).with_help(Some(help))
            }
            other => {
                let message = "expected constants and functions only, found a statement outside of functions";
                let help = "put it into a hook, such as `fn on_request(request) { … }`";
                let place = Place::from(statement_position(other));
                script.error("outside", place, message.to_owned()).with_help(Some(help))
            }
        };
        outline.findings.push(finding);
        outline.is_readable = false;
    });
}

fn statement_position(statement: &Stmt) -> Position {
    match statement {
        Stmt::Assignment(parts) => parts.1.lhs.start_position(),
        Stmt::Expr(expression) => expression.start_position(),
        other => other.position(),
    }
}

fn check_function(script: Script<'_>, function: &Function, host: &Host, findings: &mut Vec<Diagnostic>) {
    let hooks = Hook::ALL.map(Hook::name);
    let name = function.name.as_str();
    if hooks.contains(&name) {
        if function.parameters.len() != 1 {
            let found = function.parameters.len();
            let message = format!("expected one parameter of `{name}`, found `{found}`");
            let help = format!("write `fn {name}({}) {{ … }}`", name.trim_start_matches("on_"));
            findings.push(script.error("hook", function.place, message).with_help(Some(help)));
        }
    } else if name.starts_with("on_") {
        let message = format!("there is no hook `{name}`; it would never be called");
        let help = did_you_mean(name, hooks).unwrap_or_else(|| format!("hooks are `{}`", hooks.join("`, `")));
        findings.push(script.error("hook", function.place, message).with_help(Some(help)));
    } else if host.vocabulary.contains_key(name) {
        let message = format!("the function `{name}` hides the word of the same name");
        findings.push(script.error("hidden-word", function.place, message).with_help(Some("choose another name")));
    }
}

/// Each hook has its header, each header its hook, and there is at least one.
fn check_hooks(script: Script<'_>, functions: &[Function], outline: &mut Outline) {
    let mut any_hook = false;
    for hook in Hook::ALL {
        let function = functions.iter().find(|function| function.name == hook.name());
        let constant = outline.constants.get(hook.header());
        any_hook |= function.is_some();
        let (name, header) = (hook.name(), hook.header());
        let finding = match (function, constant) {
            (Some(function), None) => {
                let message = format!("`{name}` is never called: there is no `{header}`");
                let names = outline.constants.keys().map(String::as_str).filter(|name| !header::OWN.contains(name));
                let similar = crate::script::nearest::nearest(header, names);
                let help = similar.map_or_else(
                    || format!("write `const {header} = [\"…\"];` at the top"),
                    |similar| format!("write `{header}` instead of `{similar}`"),
                );
                script.error("header", function.place, message).with_help(Some(help))
            }
            (None, Some(place)) => {
                let message = format!("`{header}` has no effect: there is no `{name}`");
                script.error("header", *place, message).with_help(Some(format!("write `fn {name}(…) {{ … }}`")))
            }
            _ => continue,
        };
        outline.findings.push(finding);
    }
    if !any_hook && outline.findings.is_empty() {
        let message = "the policy has no hook, so it does nothing";
        let help = "write `fn on_request(request) { … }` and `const ACTIONS = [\"…\"];`";
        outline.findings.push(script.error("hook", Place::default(), message.to_owned()).with_help(Some(help)));
    }
}

/// A local name that hides a constant would make the constant mean two things in one file.
fn check_hiding(
    script: Script<'_>,
    function: &Function,
    constants: &BTreeMap<String, Place>,
    findings: &mut Vec<Diagnostic>,
) {
    let mut refuse = |name: &str, place: Place| {
        let message = format!("`{name}` is a constant of this policy and cannot be defined again");
        findings.push(script.error("hidden-constant", place, message).with_help(Some("choose another name")));
    };
    if !function.is_closure() {
        for parameter in function.parameters.iter().filter(|parameter| constants.contains_key(*parameter)) {
            refuse(parameter, function.place);
        }
    }
    function.walk(|path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(variable, ..))) if constants.contains_key(variable.0.name.as_str()) => {
            refuse(&variable.0.name, Place::from(variable.0.pos));
        }
        Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
            for name in std::iter::once(&parts.0).chain(&parts.1) {
                if constants.contains_key(name.name.as_str()) {
                    refuse(&name.name, Place::from(name.pos));
                }
            }
        }
        _ => {}
    });
}
