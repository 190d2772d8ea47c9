//! The functions of a script, one by one, with the hook that each one is.

use rhai::{AST, ASTNode, Dynamic, Expr, FnPtr, Stmt};

use super::call_at;
use super::language::{Hook, Language};
use crate::script::bodies::alone;
use crate::script::diagnostics::{Place, Script};

/// One function of a script, or what stands outside of all.
#[derive(Debug)]
pub struct Function {
    /// Empty for what stands outside.
    pub name: String,
    pub parameters: Vec<String>,
    /// Where its name stands; for a closure, where its body begins.
    pub place: Place,
    pub hook: Option<&'static Hook>,
    /// The function alone, to walk over.
    pub tree: AST,
    /// For a closure: where it stands, and what it takes from there.
    pub taken: Vec<Taken>,
}

/// What a closure takes from its surroundings.
#[derive(Debug)]
pub struct Taken {
    /// The place of the surrounding function among all.
    pub around: usize,
    pub names: Vec<String>,
}

impl Function {
    pub fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }

    /// Calls `visit` with every node and the nodes above it, outermost first.
    pub fn walk(&self, mut visit: impl FnMut(&[ASTNode])) {
        self.tree.walk(&mut |path: &[ASTNode]| {
            visit(path);
            true
        });
    }

    /// Whether it calls a word or function of this name.
    pub fn calls(&self, name: &str) -> bool {
        let mut calls = false;
        self.walk(|path| calls |= call_at(path.last()).is_some_and(|(call, ..)| call.name == name));
        calls
    }

    /// For what stands outside: the place of an item of a constant's list, or else of its value.
    pub fn place_of_item(&self, constant: &str, index: usize) -> Option<Place> {
        let mut place = None;
        self.walk(|path| {
            if let [ASTNode::Stmt(Stmt::Var(variable, ..))] = path
                && variable.0.name == constant
            {
                let value = match &variable.1 {
                    Expr::Array(items, _) => items.get(index).unwrap_or(&variable.1),
                    value => value,
                };
                place = Some(Place::from(value.start_position()));
            }
        });
        place
    }
}

/// What stands outside, then every function, by place.
pub fn all(script: Script<'_>, ast: &AST, language: &Language) -> Vec<Function> {
    let outside = Function {
        name: String::new(),
        parameters: Vec::new(),
        place: Place::default(),
        hook: None,
        tree: ast.clone_statements_only(),
        taken: Vec::new(),
    };
    let mut functions: Vec<Function> = ast
        .iter_fn_def()
        .map(|function| Function {
            name: function.name.to_string(),
            parameters: function.params.iter().map(ToString::to_string).collect(),
            place: definition(script, &function.name).unwrap_or_else(|| function.body.start_position().into()),
            hook: language.hook(&function.name).filter(|hook| hook.parameters.len() == function.params.len()),
            tree: alone(ast, &function.name, function.params.len()),
            taken: Vec::new(),
        })
        .collect();
    functions.sort_by(|left, right| (left.place, &left.name).cmp(&(right.place, &right.name)));
    functions.insert(0, outside);
    find_surroundings(&mut functions);
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

/// The parser makes a `curry` of each closure that uses its surroundings: the closure, then what it takes.
fn find_surroundings(functions: &mut [Function]) {
    let mut found: Vec<(String, Taken)> = Vec::new();
    for (around, function) in functions.iter().enumerate() {
        function.walk(|path| {
            let Some((ASTNode::Expr(Expr::DynamicConstant(closure, _)), above)) = path.split_last() else { return };
            let Some(name) = closure_name(closure) else { return };
            let curry = call_at(above.last()).filter(|(call, ..)| call.name == "curry");
            let taken = curry.map(|(call, ..)| call.args.iter().skip(1)).into_iter().flatten();
            let names = taken.filter_map(|value| match value {
                Expr::Variable(variable, ..) => Some(variable.1.to_string()),
                _ => None,
            });
            found.push((name, Taken { around, names: names.collect() }));
        });
    }
    for (name, taken) in found {
        if let Some(closure) = functions.iter_mut().find(|function| function.name == name) {
            closure.taken.push(taken);
        }
    }
}

fn closure_name(value: &Dynamic) -> Option<String> {
    Some(value.read_lock::<FnPtr>()?.fn_name().to_owned())
}
