//! Home Assistant's templates, rendered with what a message tells and nothing else.
//!
//! They come from discovery, so from anybody who may write there. There is no loader, no clock, and no state of Home
//! Assistant here: a template that asks for one is not rendered. Fuel bounds both the work and the memory; what is not
//! rendered gives no meaning and no fact. Values are written as Python would write them: `None`, `True`, `21.0`.

#[expect(clippy::needless_pass_by_value, reason = "the template engine hands arguments over")]
mod filters;

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, UndefinedBehavior, Value};

use crate::config::payload::{Json, read_json};

/// Longest template that is rendered, in bytes.
pub(super) const TEMPLATE_BYTES_MAX: usize = 8 * 1024;
/// Longest result of a template, in bytes.
pub(super) const RENDERED_BYTES_MAX: usize = 16 * 1024;
/// What one rendering may spend: an instruction costs one, 64 bytes of data cost one.
const FUEL: u64 = 2_000;
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
    filters::register(&mut environment);
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
            ("{% set modes = {None: 'none', 'idle': 'off'} %}{{ modes[missing] }}/{{ modes['idle'] }}", Some("/off")),
            ("{{ {None: 'none'}[none] }}", Some("none")),
            ("{{ {0: 'off', 1: 'low'}[1] | default('') }}", Some("low")),
            ("{{ (128 | int(0) * 100 / 255) | round(0) }}", Some("50")),
            ("{{ 1 if False == false else 2 }}", Some("1")),
            ("{% if 'x' in {'x': 1} and not ('y' in {'x': 1}) %}yes{% endif %}", Some("yes")),
            ("{{ 7 // 2 }} {{ 7 % 4 }} {{ 7 / 2 }} {{ 2 ** 3 }}", Some("3 3 3.5 8")),
            ("{{ 10 / 5 }}", Some("2.0")),
            ("{%- if true -%} a {%- endif -%}", Some("a")),
            ("{{ 'a' ~ 1 ~ none }}", Some("a1None")),
            ("{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abcd'[1:3] }}", Some("acbc")),
            ("{{ [3, 1, 2] | sort | join(',') }}", Some("1,2,3")),
            ("{{ value is number }} {{ 1 is number }} {{ missing is defined }}", Some("False True False")),
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
