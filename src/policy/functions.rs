//! The functions of a policy, one by one, with the hook that each one is.

use rhai::{AST, ASTNode};

use super::call::Hook;
use crate::script::bodies::alone;
use crate::script::diagnostics::{Place, Script};

/// One function of a script, or what stands outside of all.
#[derive(Debug)]
pub(super) struct Function {
    /// Empty for what stands outside.
    pub name: String,
    pub parameters: Vec<String>,
    /// Where its name stands; for a closure, where its body begins.
    pub place: Place,
    pub hook: Option<Hook>,
    /// The function alone, to walk over.
    pub tree: AST,
}

impl Function {
    pub(super) fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }

    /// Calls `visit` with every node and the nodes above it, outermost first.
    pub(super) fn walk(&self, mut visit: impl FnMut(&[ASTNode])) {
        self.tree.walk(&mut |path: &[ASTNode]| {
            visit(path);
            true
        });
    }
}

/// What stands outside, then every function, by place.
pub(super) fn all(script: Script<'_>, ast: &AST) -> Vec<Function> {
    let outside = Function {
        name: String::new(),
        parameters: Vec::new(),
        place: Place::default(),
        hook: None,
        tree: ast.clone_statements_only(),
    };
    let mut functions: Vec<Function> = ast
        .iter_fn_def()
        .map(|function| Function {
            name: function.name.to_string(),
            parameters: function.params.iter().map(ToString::to_string).collect(),
            place: definition(script, &function.name).unwrap_or_else(|| function.body.start_position().into()),
            hook: Hook::ALL.into_iter().find(|hook| hook.name() == function.name && function.params.len() == 1),
            tree: alone(ast, &function.name, function.params.len()),
        })
        .collect();
    functions.sort_by(|left, right| (left.place, &left.name).cmp(&(right.place, &right.name)));
    functions.insert(0, outside);
    functions
}

/// Where a function's name is defined: the engine keeps only where its body begins.
fn definition(script: Script<'_>, name: &str) -> Option<Place> {
    script.text.lines().enumerate().find_map(|(index, line)| {
        let behind = line.trim_start().strip_prefix("fn ")?.trim_start();
        let is_whole = behind.strip_prefix(name)?.starts_with(['(', ' ']);
        let column = line.chars().count() - behind.chars().count() + 1;
        is_whole.then_some(Place { line: index + 1, column })
    })
}
