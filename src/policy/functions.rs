//! The functions of a script, one by one.
//!
//! The engine gives no way to a function's statements but a walk over the whole script; this takes them apart.

use rhai::{AST, ASTNode, Stmt};

/// The script with one of its functions alone.
pub(super) fn alone(ast: &AST, name: &str, parameters: usize) -> AST {
    // The engine's own filtered copy copies every function into an empty script, so the others are taken out after.
    let mut alone = ast.clone_functions_only();
    alone.retain_functions(|_, _, candidate, count| candidate == name && count == parameters);
    alone
}

/// The statements of one function.
pub(super) fn body(ast: &AST, name: &str, parameters: usize) -> Vec<Stmt> {
    let mut statements = Vec::new();
    alone(ast, name, parameters).walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    statements
}
