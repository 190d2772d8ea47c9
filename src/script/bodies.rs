//! The functions of a script, each to be run or looked at alone.
//!
//! The engine gives no way to a function's statements but a walk over the whole script; this takes them apart.

use std::rc::Rc;

use rhai::{AST, ASTNode, Stmt};

use super::diagnostics::Place;

/// The script with one of its functions alone.
pub fn alone(ast: &AST, name: &str, parameters: usize) -> AST {
    // The engine's own filtered copy copies every function into an empty script, so the others are taken out after.
    let mut alone = ast.clone_functions_only();
    alone.retain_functions(|_, _, candidate, count| candidate == name && count == parameters);
    alone
}

/// The statements of one function.
pub fn body(ast: &AST, name: &str, parameters: usize) -> Vec<Stmt> {
    let mut statements = Vec::new();
    alone(ast, name, parameters).walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    statements
}

/// A function, ready to run.
///
/// Its body is run as a script of its own beside the file's functions. Called as a function, it would lose the place
/// of every error that a limit causes: the engine replaces that with the place of the call, and the host has none.
#[derive(Debug)]
pub struct Entry {
    pub body: AST,
    pub parameters: Vec<String>,
    /// Where the body begins: the place of errors that have none.
    pub place: Place,
}

impl Entry {
    /// The function of this name. `None`: the script has none with so many parameters.
    pub fn of(ast: &AST, name: &str, parameters: usize) -> Option<Entry> {
        let function =
            ast.iter_fn_def().find(|function| function.name == name && function.params.len() == parameters)?;
        let body = AST::new(body(ast, name, parameters), Rc::clone(ast.shared_lib()));
        let place = Place::from(function.body.start_position());
        Some(Entry { body, parameters: function.params.iter().map(ToString::to_string).collect(), place })
    }
}
