//! The outline of a script: constants and functions, hooks and what they are called for.

use std::collections::BTreeMap;

use rhai::{ASTFlags, ASTNode, Expr, Position, Stmt};

use super::functions::Function;
use super::language::{Language, Vocabulary};
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::nearest::{did_you_mean, nearest};

/// What the outline is like.
#[derive(Debug)]
pub struct Outline {
    pub findings: Vec<Diagnostic>,
    /// What stands outside of functions is constants, each once: it can be run to learn their values.
    pub is_readable: bool,
    /// Where each constant is defined.
    pub constants: BTreeMap<String, Place>,
}

/// Looks over the outline of a script.
pub fn read(script: Script<'_>, functions: &[Function], language: &Language, vocabulary: &Vocabulary) -> Outline {
    let mut outline = Outline { findings: Vec::new(), is_readable: true, constants: BTreeMap::new() };
    for function in functions {
        if function.name.is_empty() {
            read_header(script, function, language, &mut outline);
        } else if !function.is_closure() {
            let finding = check_function(script, function, functions, language, vocabulary);
            outline.findings.extend(finding);
        }
    }
    check_hooks(script, functions, language, &mut outline);
    check_spelling(script, functions, language, &mut outline);
    for function in functions.iter().filter(|function| !function.name.is_empty()) {
        check_hiding(script, function, language, &outline.constants, &mut outline.findings);
    }
    outline
}

/// Constants alone may stand outside of functions: anything else would run once, at load, and never again.
fn read_header(script: Script<'_>, outside: &Function, language: &Language, outline: &mut Outline) {
    let hook = language.hooks.first().map(|hook| format!(", such as `fn {} {{ … }}`", hook.signature()));
    let help = format!("put it into a hook{}", hook.unwrap_or_default());
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
                let place = Place::from(statement_position(other));
                script.error("outside", place, message.to_owned()).with_help(Some(help.as_str()))
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

fn check_function(
    script: Script<'_>,
    function: &Function,
    functions: &[Function],
    language: &Language,
    vocabulary: &Vocabulary,
) -> Option<Diagnostic> {
    let name = function.name.as_str();
    if let Some(hook) = language.hook(name) {
        let (expected, found) = (hook.parameters.len(), function.parameters.len());
        if found == expected {
            return None;
        }
        let expected = if expected == 1 { "one parameter".to_owned() } else { format!("{expected} parameters") };
        let message = format!("expected {expected} of `{name}`, found `{found}`");
        let help = format!("write `fn {} {{ … }}`", hook.signature());
        return Some(script.error("hook", function.place, message).with_help(Some(help)));
    }
    let hooks = || language.hooks.iter().map(|hook| hook.name);
    let is_called = || functions.iter().any(|other| other.calls(name));
    if name.starts_with("on_") || nearest(name, hooks()).is_some() && !is_called() {
        let message = format!("there is no hook `{name}`; it would never be called");
        let all = || format!("hooks are `{}`", hooks().collect::<Vec<_>>().join("`, `"));
        let help = did_you_mean(name, hooks()).unwrap_or_else(all);
        return Some(script.error("hook", function.place, message).with_help(Some(help)));
    }
    if vocabulary.contains_key(name) {
        let message = format!("the function `{name}` hides the word of the same name");
        return Some(script.error("hidden-word", function.place, message).with_help(Some("choose another name")));
    }
    None
}

/// Each hook has its header, each header its hook, and there is at least one.
fn check_hooks(script: Script<'_>, functions: &[Function], language: &Language, outline: &mut Outline) {
    let mut any_hook = false;
    for hook in language.hooks {
        let function = functions.iter().find(|function| function.name == hook.name);
        any_hook |= function.is_some();
        let Some(header) = hook.header else { continue };
        let (name, constant) = (hook.name, outline.constants.get(header));
        let finding = match (function, constant) {
            (Some(function), None) => {
                let message = format!("`{name}` is never called: there is no `{header}`");
                let names =
                    outline.constants.keys().map(String::as_str).filter(|name| !language.constants.contains(name));
                let help = nearest(header, names).map_or_else(
                    || format!("write `const {header} = [\"…\"];` at the top"),
                    |similar| format!("write `{header}` instead of `{similar}`"),
                );
                script.error("header", function.place, message).with_help(Some(help))
            }
            (None, Some(place)) => {
                let message = format!("`{header}` has no effect: there is no `{name}`");
                let help = format!("write `fn {name}(…) {{ … }}`");
                script.error("header", *place, message).with_help(Some(help))
            }
            _ => continue,
        };
        outline.findings.push(finding);
    }
    if !any_hook && outline.findings.is_empty() {
        let message = format!("the {} has no hook, so it does nothing", language.script);
        let help = Some(language.beginning);
        outline.findings.push(script.error("hook", Place::default(), message).with_help(help));
    }
}

/// A constant that nobody uses, and that the bridge would read if it were spelt otherwise.
fn check_spelling(script: Script<'_>, functions: &[Function], language: &Language, outline: &mut Outline) {
    for (name, place) in &outline.constants {
        if language.constants.contains(&name.as_str()) || functions.iter().any(|function| uses(function, name)) {
            continue;
        }
        let missing = language.constants.iter().copied().filter(|own| !outline.constants.contains_key(*own));
        let Some(meant) = nearest(name, missing) else { continue };
        // Said already, where the hook is.
        let help = format!("write `{meant}` instead of `{name}`");
        if outline.findings.iter().any(|finding| finding.help.as_ref() == Some(&help)) {
            continue;
        }
        let message = format!("the constant `{name}` is used nowhere");
        outline.findings.push(script.warning("unused-constant", *place, message).with_help(Some(help)));
    }
}

fn uses(function: &Function, name: &str) -> bool {
    let mut uses = false;
    function.walk(|path| {
        if let Some(ASTNode::Expr(Expr::Variable(variable, ..))) = path.last() {
            uses |= variable.1 == name;
        }
    });
    uses
}

/// A local name that hides a constant would make the constant mean two things in one file.
fn check_hiding(
    script: Script<'_>,
    function: &Function,
    language: &Language,
    constants: &BTreeMap<String, Place>,
    findings: &mut Vec<Diagnostic>,
) {
    let mut refuse = |name: &str, place: Place| {
        let message = format!("`{name}` is a constant of this {} and cannot be defined again", language.script);
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
