//! Home Assistant's filters and functions for templates, and Python's methods of texts and maps, as far as discovery uses
//! them. An option that is not known here is refused: it would change the result.

use minijinja::value::{Kwargs, Rest, Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::{RENDERED_BYTES_MAX, refused};
use crate::config::payload::{Json, read_json};

/// Most digits to which a number is rounded.
const ROUND_DIGITS_MAX: i32 = 12;

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(call_method);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("round", round);
    environment.add_filter("is_defined", is_defined);
    environment.add_filter("to_json", |value: Value, _options: Kwargs| to_json(&value));
    environment.add_filter("from_json", from_json);
    environment.add_filter("iif", iif);
    environment.add_function("iif", iif);
    environment.add_function("int", int);
    environment.add_function("float", float);
}

/// A value as a number, read from text too.
fn number(value: &Value) -> Option<f64> {
    let number = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok(),
        None if value.kind() == ValueKind::Bool => Some(if value.is_true() { 1.0 } else { 0.0 }),
        None => f64::try_from(value.clone()).ok(),
    };
    number.filter(|number| number.is_finite())
}

/// A default by position or by name. Other options, such as a base, are refused: they would change the number.
fn default_or_refused(default: Option<Value>, options: &Kwargs) -> Result<Value, Error> {
    let named: Option<Value> = options.get("default")?;
    options.assert_all_used()?;
    default.or(named).ok_or_else(|| refused("the value is no number"))
}

fn int(value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = default_or_refused(default, &options);
    match number(value) {
        Some(number) if options.assert_all_used().is_ok() => Ok(whole(number.trunc())),
        _ => default,
    }
}

fn float(value: &Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = default_or_refused(default, &options);
    match number(value) {
        Some(number) if options.assert_all_used().is_ok() => Ok(Value::from(number)),
        _ => default,
    }
}

/// A whole number as such, where it can be held exactly.
fn whole(number: f64) -> Value {
    format!("{number:.0}").parse::<i64>().map_or_else(|_| Value::from(number), Value::from)
}

fn round(
    value: Value,
    precision: Option<i32>,
    method: Option<String>,
    default: Option<Value>,
    options: Kwargs,
) -> Result<Value, Error> {
    let named: (Option<i32>, Option<String>) = (options.get("precision")?, options.get("method")?);
    let default = default_or_refused(default, &options);
    options.assert_all_used()?;
    let Some(number) = number(&value) else { return default };
    let precision = precision.or(named.0).unwrap_or(0);
    if precision.abs() > ROUND_DIGITS_MAX {
        return Err(refused("the precision is out of bounds"));
    }
    let scale = 10_f64.powi(precision);
    let rounded = match method.or(named.1).as_deref().unwrap_or("common") {
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        "half" => return Ok(Value::from((number * 2.0).round_ties_even() / 2.0)),
        "common" => (number * scale).round_ties_even() / scale,
        _ => return Err(refused("the method is unknown")),
    };
    Ok(if precision == 0 { whole(rounded) } else { Value::from(rounded) })
}

fn is_defined(value: Value) -> Result<Value, Error> {
    if value.is_undefined() { Err(refused("the value is not defined")) } else { Ok(value) }
}

fn to_json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| refused("the value is no JSON"))
}

fn from_json(text: &str) -> Result<Value, Error> {
    match read_json(text) {
        Json::Value { value, .. } => Ok(Value::from(Serde(value))),
        Json::Ambiguous(_) | Json::None => Err(refused("the text is no JSON")),
    }
}

/// `iif(condition, if_true, if_false)`.
fn iif(condition: &Value, rest: Rest<Value>) -> Value {
    let position = usize::from(!condition.is_true());
    rest.get(position).cloned().unwrap_or_else(|| Value::from(condition.is_true()))
}

/// The methods of Python's texts and maps that templates of discovery use.
fn call_method(_: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let argument = |index: usize| arguments.get(index).and_then(Value::as_str);
    if let Some(text) = value.as_str() {
        return Ok(match (method, argument(0), argument(1)) {
            ("lower", None, _) => Value::from(text.to_lowercase()),
            ("upper", None, _) => Value::from(text.to_uppercase()),
            ("title" | "capitalize", None, _) => Value::from(capitalized(text)),
            ("strip", None, _) => Value::from(text.trim()),
            ("startswith", Some(start), _) => Value::from(text.starts_with(start)),
            ("endswith", Some(end), _) => Value::from(text.ends_with(end)),
            ("split", None, _) => text.split_whitespace().map(Value::from).collect(),
            ("split", Some(separator), _) if !separator.is_empty() => text.split(separator).map(Value::from).collect(),
            // Every occurrence could grow, so the result is bounded before it is made.
            ("replace", Some(old), Some(new))
                if !old.is_empty() && text.len().saturating_mul(new.len().max(1)) <= RENDERED_BYTES_MAX =>
            {
                Value::from(text.replace(old, new))
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        });
    }
    let known = |found: Value| if found.is_undefined() { None } else { Some(found) };
    match (value.kind(), method, arguments) {
        (ValueKind::Map, "get", [key, rest @ ..]) => {
            Ok(known(value.get_item(key)?).unwrap_or_else(|| rest.first().cloned().unwrap_or_else(|| Value::from(()))))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", characters.as_str().to_lowercase())
}
