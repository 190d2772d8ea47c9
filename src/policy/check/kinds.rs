//! Kinds: fields that exist, comparisons that can hold, conditions that are true or false.

use rhai::{ASTNode, BinaryExpr, Expr, FnCallExpr, Stmt};

use super::Examined;
use crate::policy::call::Hook;
use crate::policy::functions::Function;
use crate::policy::values::{EVENT_FIELDS, EVENT_WORDS, REQUEST_FIELDS, REQUEST_WORDS};
use crate::script::diagnostics::{Diagnostic, Place};
use crate::script::fields::Field;
use crate::script::kinds::{Kind, kind_of};
use crate::script::message;
use crate::script::nearest::did_you_mean;
use crate::script::operators::{COMPARISONS, can_compare};

/// What a word gives, where it is always the same.
const RESULTS: &[(Kind, &[&str])] = &[
    (Kind::Text, &["state", "time_of_day", "to_lower", "to_text", "to_upper", "trim", "weekday", "replace", "join"]),
    (Kind::Number, &["age_s", "count", "counted", "hour", "len", "minute", "number", "round", "to_number"]),
    (
        Kind::Truth,
        &[
            "all",
            "any",
            "anybody_home",
            "between",
            "contains",
            "ends_with",
            "everybody_away",
            "is",
            "is_empty",
            "is_fresh",
            "is_known",
            "is_list",
            "is_map",
            "is_muted",
            "is_not",
            "is_speaker",
            "is_text",
            "is_weekend",
            "matches",
            "playing_near",
            "spoke",
            "starts_with",
            "sun_is_down",
            "sun_is_up",
        ],
    ),
    (Kind::List, &["filter", "keys", "same_words", "split"]),
    (Kind::Map, &["approvals"]),
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
    fn hook(&self, expression: &Expr) -> Option<Hook> {
        match expression {
            Expr::Variable(variable, ..) => self.examined.hook_of(self.function, &variable.1),
            _ => None,
        }
    }

    fn check_field(&self, parts: &BinaryExpr) -> Option<Diagnostic> {
        let hook = self.hook(&parts.lhs)?;
        let (what, fields, words) = shape(hook);
        let script = self.examined.script;
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
                let is_of_another = REQUEST_WORDS.contains(&name) || EVENT_WORDS.contains(&name);
                if words.contains(&name) || !is_of_another {
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
        let (what, ..) = shape(self.hook(&target.lhs)?);
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
            Expr::Variable(variable, None, _) if variable.0.is_none() => {
                self.examined.constants.get(variable.1.as_str()).map(kind_of)
            }
            Expr::Variable(..) => self.hook(expression).map(|hook| Kind::Other(shape(hook).0)),
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
        RESULTS.iter().find(|(_, words)| words.contains(&name)).map(|(kind, _)| *kind)
    }

    fn link_kind(&self, parts: &BinaryExpr) -> Option<Kind> {
        match &parts.rhs {
            Expr::Property(property, _) => {
                let (_, fields, _) = shape(self.hook(&parts.lhs)?);
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

type Shape = (&'static str, &'static [Field], &'static [&'static str]);

fn shape(hook: Hook) -> Shape {
    match hook {
        Hook::Request => ("a request", REQUEST_FIELDS, REQUEST_WORDS),
        Hook::Event => ("an event", EVENT_FIELDS, EVENT_WORDS),
        Hook::Message => ("a message", message::FIELDS, &[]),
    }
}
