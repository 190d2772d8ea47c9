//! Home Assistant's templates, rendered with what a message tells and nothing else.
//!
//! They come from discovery, so from anybody who may write there. There is no loader, no clock, and no state of Home
//! Assistant here: a template that asks for one is not rendered. Fuel bounds both the work and the memory; what is not
//! rendered gives no meaning and no fact. Values are written as Python would write them: `None`, `True`, `21.0`.

use minijinja::value::{Kwargs, Rest, Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::config::payload::{Json, read_json};

/// Longest template that is rendered, in bytes.
pub(super) const TEMPLATE_BYTES_MAX: usize = 8 * 1024;
/// Longest result of a template, in bytes.
pub(super) const RENDERED_BYTES_MAX: usize = 16 * 1024;
/// What one rendering may spend: an instruction costs one, 64 bytes of data cost one.
const FUEL: u64 = 4_000;
/// Deepest nesting of a list or map that is written out.
const REPR_DEPTH_MAX: usize = 16;

thread_local! {
    static ENVIRONMENT: Environment<'static> = environment();
}

/// Renders a template with these variables. `None`: it cannot be rendered here, or not within the bounds.
/// White space around the result is dropped, as Home Assistant drops it.
pub(super) fn render(source: &str, variables: &[(&str, serde_json::Value)]) -> Option<String> {
    if source.len() > TEMPLATE_BYTES_MAX {
        return None;
    }
    let context = Value::from_iter(variables.iter().map(|(name, value)| (*name, Value::from(Serde(value)))));
    let rendered = ENVIRONMENT.with(|environment| environment.render_str(source, context)).ok()?;
    (rendered.len() <= RENDERED_BYTES_MAX).then(|| rendered.trim().to_owned())
}

/// Renders a value template over a payload: `value` is its text, `value_json` what it says as JSON.
pub(super) fn render_value(source: &str, payload: &str, further: &[(&str, serde_json::Value)]) -> Option<String> {
    let mut variables = further.to_vec();
    variables.push(("value", payload.into()));
    match read_json(payload) {
        Json::Value { value, .. } => variables.push(("value_json", value)),
        Json::Ambiguous(_) => return None,
        Json::None => {}
    }
    render(source, &variables)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(32);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_formatter(|output, _, value| write_value(output, value));
    environment.set_unknown_method_callback(call_method);
    environment.add_filter("int", |value: Value, rest: Rest<Value>| number(&value, &rest, true));
    environment.add_filter("float", |value: Value, rest: Rest<Value>| number(&value, &rest, false));
    environment.add_filter("round", round);
    environment.add_filter("is_defined", is_defined);
    environment.add_filter("to_json", |value: Value, _options: Kwargs| to_json(&value));
    environment.add_filter("from_json", from_json);
    environment.add_filter("iif", iif);
    environment.add_function("iif", iif);
    environment.add_function("int", |value: Value, rest: Rest<Value>| number(&value, &rest, true));
    environment.add_function("float", |value: Value, rest: Rest<Value>| number(&value, &rest, false));
    // It prints to nobody, and says what is in the engine.
    environment.remove_global("debug");
    environment
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn write_value(output: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    let text = match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => python_repr(value, 0).ok_or_else(|| refused("the value cannot be written"))?,
    };
    output.write_str(&text).map_err(|_| refused("the output is full"))
}

/// A value as Python shows it within a list.
fn python_repr(value: &Value, depth: usize) -> Option<String> {
    if depth > REPR_DEPTH_MAX {
        return None;
    }
    Some(match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Number if value.is_integer() => value.to_string(),
        // Rust's debug form keeps the `.0` of a whole number, as Python does.
        ValueKind::Number => format!("{:?}", f64::try_from(value.clone()).ok()?),
        ValueKind::String => format!("'{}'", value.as_str()?),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Option<Vec<String>> = value.try_iter().ok()?.map(|item| python_repr(&item, depth + 1)).collect();
            format!("[{}]", items?.join(", "))
        }
        ValueKind::Map => {
            let field = |key: Value| {
                let field = value.get_item(&key).ok()?;
                Some(format!("{}: {}", python_repr(&key, depth + 1)?, python_repr(&field, depth + 1)?))
            };
            let fields: Option<Vec<String>> = value.try_iter().ok()?.map(field).collect();
            format!("{{{}}}", fields?.join(", "))
        }
        _ => return None,
    })
}

/// Home Assistant's `int` and `float`: text is read, and a default stands in for what is no number.
fn number(value: &Value, rest: &Rest<Value>, is_whole: bool) -> Result<Value, Error> {
    let read = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok(),
        None if value.kind() == ValueKind::Bool => Some(if value.is_true() { 1.0 } else { 0.0 }),
        None => f64::try_from(value.clone()).ok(),
    };
    let default = rest.first().map(|default| {
        let named = if default.is_kwargs() { default.get_attr("default").ok() } else { None };
        named.unwrap_or_else(|| default.clone())
    });
    match (read.filter(|number| number.is_finite()), default) {
        (Some(number), _) if is_whole => Ok(whole(number.trunc())),
        (Some(number), _) => Ok(Value::from(number)),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(refused("the value is no number")),
    }
}

/// A whole number as such, where it can be held exactly.
fn whole(number: f64) -> Value {
    format!("{number:.0}").parse::<i64>().map_or_else(|_| Value::from(number), Value::from)
}

fn round(value: Value, rest: Rest<Value>) -> Result<Value, Error> {
    let number = number(&value, &Rest(Vec::new()), false)?;
    let number = f64::try_from(number)?;
    let precision = match rest.first() {
        Some(precision) if precision.is_number() => i32::try_from(precision.clone())?,
        _ => 0,
    };
    let method = rest.iter().find_map(|argument| argument.as_str().map(str::to_owned)).unwrap_or_default();
    if precision.abs() > 12 {
        return Err(refused("the precision is out of bounds"));
    }
    let scale = 10_f64.powi(precision);
    let rounded = match method.as_str() {
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        "half" => (number * 2.0).round_ties_even() / 2.0,
        "" | "common" => (number * scale).round_ties_even() / scale,
        _ => return Err(refused("the method is unknown")),
    };
    Ok(if precision == 0 && method != "half" { whole(rounded) } else { Value::from(rounded) })
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
