//! What can be found wrong with a script before it runs, whatever it is written for.
//!
//! It looks at the script as written and at its constants; it runs no function. What a language has of its own, its hooks,
//! words and fields, it is told in a `Language`. What only one of them can get wrong is not here.

pub mod functions;
pub mod header;
mod kinds;
pub mod language;
mod names;
pub mod outline;

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTNode, Dynamic, Expr, FnCallExpr, Position, Stmt};

use super::diagnostics::{Diagnostic, Script};
use functions::Function;
use language::{Language, Parameter, Vocabulary};

/// One script under examination.
#[derive(Debug, Clone, Copy)]
pub struct Examined<'a> {
    pub script: Script<'a>,
    /// What stands outside of functions first.
    pub functions: &'a [Function],
    pub constants: &'a BTreeMap<String, Dynamic>,
    pub language: &'a Language,
    pub vocabulary: &'a Vocabulary,
}

/// Names and kinds: everything that is wrong beyond the outline, whatever the language.
pub fn meaning(examined: &Examined<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    names::check(examined, &mut findings);
    kinds::check(examined, &mut findings);
    findings
}

impl Examined<'_> {
    /// What the hook gives in a variable of this function; by its name, if that is certain.
    pub fn given(&self, function: &Function, variable: &str) -> Option<&'static Parameter> {
        if locals(function).contains(variable) {
            return None;
        }
        if let Some(hook) = function.hook {
            let place = function.parameters.iter().position(|name| name == variable)?;
            return hook.parameters.get(place);
        }
        // A closure takes what it uses of its surroundings by the same name. Two that are written alike are one.
        let mut given = function.taken.iter().map(|taken| {
            let around = self.functions.get(taken.around)?;
            if taken.names.iter().any(|name| name == variable) { self.given(around, variable) } else { None }
        });
        let first = given.next()??;
        given.all(|other| other == Some(first)).then_some(first)
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
pub fn call_at<'a>(node: Option<&ASTNode<'a>>) -> Option<(&'a FnCallExpr, Position, bool)> {
    match node? {
        ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position)) => {
            Some((call, *position, false))
        }
        ASTNode::Expr(Expr::MethodCall(call, position)) => Some((call, *position, true)),
        _ => None,
    }
}

/// A text that stands in the script as such.
pub fn literal(expression: Option<&Expr>) -> Option<(&str, Position)> {
    match expression? {
        Expr::StringConstant(text, position) => Some((text.as_str(), *position)),
        _ => None,
    }
}
