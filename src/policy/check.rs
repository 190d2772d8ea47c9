//! What can be found wrong with a policy before it runs.
//!
//! It looks at the script as written and at its header; it runs no hook. What it cannot know for certain it leaves to
//! the run, where the same mistakes are errors too.

mod evidence;
mod kinds;
mod literals;
mod names;
pub(super) mod structure;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTNode, Dynamic, Expr, FnCallExpr, Position, Stmt};

use super::call::Hook;
use super::functions::Function;
use super::header::Header;
use super::host::Host;
use crate::script::diagnostics::{Diagnostic, Script};

/// One policy under examination.
struct Examined<'a> {
    script: Script<'a>,
    functions: &'a [Function],
    constants: &'a BTreeMap<String, Dynamic>,
    header: &'a Header,
    host: &'a Host,
}

/// Everything beyond the structure, by place.
pub(super) fn meaning(script: Script<'_>, functions: &[Function], header: &Header, host: &Host) -> Vec<Diagnostic> {
    let examined = Examined { script, functions, constants: &header.constants, header, host };
    let mut findings = Vec::new();
    names::check(&examined, &mut findings);
    kinds::check(&examined, &mut findings);
    literals::check(&examined, &mut findings);
    evidence::check(&examined, &mut findings);
    findings
}

impl Examined<'_> {
    /// The hook whose request, event or message a variable of this function is; by its name, if that is certain.
    fn hook_of(&self, function: &Function, variable: &str) -> Option<Hook> {
        if let Some(hook) = function.hook {
            let is_hidden = locals(function).contains(variable);
            return (function.parameters.first().is_some_and(|name| name == variable) && !is_hidden).then_some(hook);
        }
        if !function.is_closure() || !function.parameters.iter().any(|name| name == variable) {
            return None;
        }
        // A closure takes what it uses of its surroundings by the same name; where two hooks share it, nobody knows.
        let mut hooks =
            self.functions.iter().filter(|other| other.hook.is_some() && other.parameters[..] == [variable]);
        match (hooks.next(), hooks.next()) {
            (Some(only), None) => only.hook,
            _ => None,
        }
    }
}

/// Names that a function defines within itself.
fn locals(function: &Function) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    function.walk(|path| match path.last() {
        Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
            names.insert(variable.0.name.to_string());
        }
        Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
            names.insert(parts.0.name.to_string());
            names.extend(parts.1.iter().map(|counter| counter.name.to_string()));
        }
        _ => {}
    });
    names
}

/// The call at a node, if it is one; method calls have one value more, the one before the dot.
fn call_at<'a>(node: Option<&ASTNode<'a>>) -> Option<(&'a FnCallExpr, Position, bool)> {
    match node? {
        ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position)) => {
            Some((call, *position, false))
        }
        ASTNode::Expr(Expr::MethodCall(call, position)) => Some((call, *position, true)),
        _ => None,
    }
}

/// A text that stands in the script as such.
fn literal(expression: Option<&Expr>) -> Option<(&str, Position)> {
    match expression? {
        Expr::StringConstant(text, position) => Some((text.as_str(), *position)),
        _ => None,
    }
}
