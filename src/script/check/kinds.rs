//! Kinds: fields that exist, comparisons that can hold, conditions that are true or false.

use rhai::{ASTNode, BinaryExpr, Expr, FnCallExpr, Stmt};

use super::Examined;
use super::functions::Function;
use super::language::{Given, Shape};
use crate::script::diagnostics::{Diagnostic, Place};
use crate::script::kinds::{Kind, kind_of};
use crate::script::nearest::did_you_mean;
use crate::script::operators::{COMPARISONS, can_compare};

/// What a pure word gives, where it is always the same.
const RESULTS: &[(Kind, &[&str])] = &[
    (Kind::Text, &["join", "replace", "to_lower", "to_text", "to_upper", "trim"]),
    (Kind::Number, &["len", "round", "to_number"]),
    (
        Kind::Truth,
        &["all", "any", "contains", "ends_with", "is_empty", "is_list", "is_map", "is_text", "matches", "starts_with"],
    ),
    (Kind::List, &["filter", "keys", "split"]),
];

pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Diagnostic>) {
    for function in examined.functions {
        let within = Within { examined, function };
        function.walk(|path| {
            let finding = match path.last() {
                Some(ASTNode::Expr(Expr::Dot(parts, ..))) => within.check_field(parts),
                Some(ASTNode::Stmt(Stmt::Assignment(parts))) => within.check_assignment(&parts.1),
                Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) => {
                    within.check_comparison(call, Place::from(*position))
                }
                Some(ASTNode::Stmt(Stmt::If(flow, _))) => within.check_condition(&flow.expr),
                Some(ASTNode::Stmt(Stmt::While(flow, _) | Stmt::Do(flow, ..))) => match &flow.expr {
                    Expr::Unit(_) => None,
                    condition => within.check_condition(condition),
                },
                Some(ASTNode::Expr(Expr::And(parts, _) | Expr::Or(parts, _))) => {
                    parts.iter().find_map(|part| within.check_condition(part))
                }
                _ => None,
            };
            findings.extend(finding);
        });
    }
}

/// One function under examination.
struct Within<'a> {
    examined: &'a Examined<'a>,
    function: &'a Function,
}

impl Within<'_> {
    fn given(&self, expression: &Expr) -> Option<Given> {
        match expression {
            Expr::Variable(variable, ..) => Some(self.examined.given(self.function, &variable.1)?.is),
            _ => None,
        }
    }

    fn thing(&self, expression: &Expr) -> Option<&'static Shape> {
        match self.given(expression)? {
            Given::Thing(shape) => Some(shape),
            Given::Value(_) => None,
        }
    }

    fn check_field(&self, parts: &BinaryExpr) -> Option<Diagnostic> {
        let Shape { name: shape, fields, words } = self.thing(&parts.lhs)?;
        let (what, script) = (Kind::Other(shape), self.examined.script);
        match first_link(&parts.rhs) {
            Expr::Property(property, position) => {
                let name = property.2.as_str();
                if fields.iter().any(|(field, _)| *field == name) {
                    return None;
                }
                let help = did_you_mean(name, fields.iter().map(|(field, _)| *field));
                let message = format!("{what} has no field `{name}`");
                Some(script.error("unknown-field", Place::from(*position), message).with_help(help))
            }
            Expr::MethodCall(call, position) => {
                let name = call.name.as_str();
                if words.contains(&name) || !self.examined.language.is_word_of_a_shape(name) {
                    return None;
                }
                let message = format!("{what} has no `{name}`");
                Some(script.error("unknown-field", Place::from(*position), message))
            }
            _ => None,
        }
    }

    fn check_assignment(&self, parts: &BinaryExpr) -> Option<Diagnostic> {
        let (Expr::Dot(target, ..) | Expr::Index(target, ..)) = &parts.lhs else { return None };
        let what = Kind::Other(self.thing(&target.lhs)?.name);
        let place = Place::from(parts.lhs.start_position());
        Some(self.examined.script.error("assignment", place, format!("{what} cannot be changed")))
    }

    fn check_comparison(&self, call: &FnCallExpr, place: Place) -> Option<Diagnostic> {
        let operator = call.name.as_str();
        let [left, right] = call.args.as_slice() else { return None };
        if !COMPARISONS.contains(&operator) {
            return None;
        }
        let (left, right) = (self.kind(left)?, self.kind(right)?);
        if can_compare(operator, left, right) {
            return None;
        }
        let message = format!("`{operator}` cannot compare {left} with {right}");
        let help = match (left, right) {
            (Kind::Text, Kind::Number) | (Kind::Number, Kind::Text) => {
                Some("`to_number(text)` makes a number of a text")
            }
            _ => None,
        };
        Some(self.examined.script.error("comparison", place, message).with_help(help))
    }

    fn check_condition(&self, condition: &Expr) -> Option<Diagnostic> {
        let kind = self.kind(condition).filter(|kind| *kind != Kind::Truth)?;
        let place = Place::from(condition.start_position());
        Some(self.examined.script.error("condition", place, format!("expected true or false, found {kind}")))
    }

    /// The kind of an expression, where it can be told from the script alone.
    fn kind(&self, expression: &Expr) -> Option<Kind> {
        match expression {
            Expr::StringConstant(..) | Expr::CharConstant(..) | Expr::InterpolatedString(..) => Some(Kind::Text),
            Expr::IntegerConstant(..) | Expr::FloatConstant(..) => Some(Kind::Number),
            Expr::BoolConstant(..) | Expr::And(..) | Expr::Or(..) => Some(Kind::Truth),
            Expr::Array(..) => Some(Kind::List),
            Expr::Map(..) => Some(Kind::Map),
            Expr::Unit(..) => Some(Kind::Nothing),
            // No local name hides a constant.
            Expr::Variable(variable, ..) => match self.examined.constants.get(variable.1.as_str()) {
                Some(constant) => Some(kind_of(constant)),
                None => self.given(expression).map(Given::kind),
            },
            Expr::FnCall(call, _) => self.result(call),
            Expr::Dot(parts, ..) => self.link_kind(parts),
            _ => None,
        }
    }

    fn result(&self, call: &FnCallExpr) -> Option<Kind> {
        let name = call.name.as_str();
        if call.args.len() == 2 && COMPARISONS.contains(&name) || call.args.len() == 1 && name == "!" {
            return Some(Kind::Truth);
        }
        if self.examined.functions.iter().any(|function| function.name == name) {
            return None;
        }
        let mut results = RESULTS.iter().chain(self.examined.language.results);
        results.find(|(_, words)| words.contains(&name)).map(|(kind, _)| *kind)
    }

    fn link_kind(&self, parts: &BinaryExpr) -> Option<Kind> {
        match &parts.rhs {
            Expr::Property(property, _) => {
                let fields = self.thing(&parts.lhs)?.fields;
                fields.iter().find(|(field, _)| *field == property.2.as_str()).and_then(|(_, kind)| *kind)
            }
            Expr::MethodCall(call, _) => self.result(call),
            _ => None,
        }
    }
}

/// The first field or word behind the first dot.
fn first_link(expression: &Expr) -> &Expr {
    match expression {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => first_link(&parts.lhs),
        other => other,
    }
}
