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
const FUEL: u64 = 2_000;
/// Most digits to which a number is rounded.
const ROUND_DIGITS_MAX: i32 = 12;
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
    let context = Value::from_pairs(variables.iter().map(|(name, value)| (*name, Value::from(Serde(value)))));
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

fn int(value: Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = default_or_refused(default, &options);
    match number(&value) {
        Some(number) if options.assert_all_used().is_ok() => Ok(whole(number.trunc())),
        _ => default,
    }
}

fn float(value: Value, default: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let default = default_or_refused(default, &options);
    match number(&value) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_are_rendered_as_home_assistant_renders_them() {
        for (source, expected) in [
            ("plain", Some("plain")),
            ("  {{ value }} ", Some("21.5")),
            ("{{ value | float + 1 }}", Some("22.5")),
            ("{{ value | int }}", Some("21")),
            ("{{ '0x10' | int(7) }}", Some("7")),
            ("{{ 'x' | int(default=7) }}", Some("7")),
            ("{{ '10' | int(base=16) }}", None),
            ("{{ 'x' | float }}", None),
            ("{{ '21.0' | float }}", Some("21.0")),
            ("{{ 20.55 | round(1) }}", Some("20.6")),
            ("{{ 2.5 | round }}", Some("2")),
            ("{{ 2.1 | round(0, 'ceil') }}", Some("3")),
            ("{{ 2.1 | round(method='floor') }}", Some("2")),
            ("{{ 2.1 | round(99) }}", None),
            ("{{ none }}/{{ true }}/{{ false }}", Some("None/True/False")),
            ("{{ [1, 'a', none] }}", Some("[1, 'a', None]")),
            ("{{ {'a': true} }}", Some("{'a': True}")),
            ("{{ missing }}", Some("")),
            ("{{ missing.deeper }}", None),
            ("{{ missing | is_defined }}", None),
            ("{{ missing | default('d') }}", Some("d")),
            ("{{ {'a': 1}['b'] }}", Some("")),
            ("{{ {'a': 1}.get('b') }}", Some("None")),
            ("{{ {'a': 1}.get('b', 2) }}", Some("2")),
            ("{{ 'a,b'.split(',')[1] | upper }}", Some("B")),
            ("{{ 'aBC'.lower().replace('b', 'x').capitalize() }}", Some("Axc")),
            ("{{ '{\"a\": 1}' | from_json | to_json }}", Some(r#"{"a":1}"#)),
            ("{{ iif(value == '21.5', 'yes', 'no') }}", Some("yes")),
            ("{{ '%04d' | format(42) }}", Some("0042")),
            // What Home Assistant has and the bridge has not.
            ("{{ states('sensor.a') }}", None),
            ("{{ now() }}", None),
            ("{{ debug() }}", None),
            ("{% include 'x' %}", None),
            ("{{ unclosed", None),
        ] {
            let rendered = render(source, &[("value", json!("21.5"))]);
            assert_eq!(rendered.as_deref(), expected, "{source}");
        }
    }

    #[test]
    fn a_payload_with_two_readings_is_not_rendered() {
        assert_eq!(render_value("{{ value_json.a }}", r#"{"a":1}"#, &[]), Some("1".to_owned()));
        assert_eq!(render_value("{{ value_json.a }}", r#"{"a":1,"a":2}"#, &[]), None);
        assert_eq!(render_value("{{ value }}", "text", &[]), Some("text".to_owned()));
    }

    #[test]
    fn templates_and_results_have_bounds() {
        let source = |bytes: usize| "a".repeat(bytes);
        assert!(render(&source(TEMPLATE_BYTES_MAX), &[]).is_some());
        assert!(render(&source(TEMPLATE_BYTES_MAX + 1), &[]).is_none());
        let value = |bytes: usize| render("{{ value }}", &[("value", json!("a".repeat(bytes)))]);
        assert!(value(RENDERED_BYTES_MAX).is_some());
        assert!(value(RENDERED_BYTES_MAX + 1).is_none());
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert!(render("{{ value }}", &[("value", nested(REPR_DEPTH_MAX))]).is_some());
        assert!(render("{{ value }}", &[("value", nested(REPR_DEPTH_MAX + 1))]).is_none());
    }

    #[test]
    fn work_ends_with_the_fuel() {
        let steps = |steps: usize| render(&format!("{{% for a in range({steps}) %}}{{% endfor %}}x"), &[]);
        assert_eq!(steps(100).as_deref(), Some("x"));
        assert_eq!(steps(usize::try_from(FUEL).expect("small")), None);
        let deep = format!("{}1{}", "(".repeat(2_000), ")".repeat(2_000));
        assert_eq!(render(&format!("{{{{ {deep} }}}}"), &[]), None);
    }
}
