//! JSON values as YAML text in one stable layout.
//!
//! Texts are plain where no YAML reader could take them for something else, and quoted as in JSON otherwise.

use serde_json::Value;

/// Words that YAML 1.1 readers take for truth values or nothing.
const TAKEN_WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A value on one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{}: {}", scalar(name), inline(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Value::from(text).to_string() }
}

/// Whether a text may stand without quotes, in a list too.
fn is_plain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || " _./`;$()-'?+".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$' || c == '_')
        && text.chars().all(inner)
        && !text.ends_with(' ')
        && !TAKEN_WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_back() {
        for (value, expected) in [
            (json!("plain words"), "plain words"),
            (json!("on"), "\"on\""),
            (json!("12"), "\"12\""),
            (json!(""), "\"\""),
            (json!("`lock.unlock` asks"), "\"`lock.unlock` asks\""),
            (json!("a: b"), "\"a: b\""),
            (json!("line\nbreak"), "\"line\\nbreak\""),
            (json!("$1"), "$1"),
            (json!({"state": "ON", "list": [1, true, null, "x y"]}), "{list: [1, true, null, x y], state: \"ON\"}"),
        ] {
            let text = inline(&value);
            assert_eq!(text, expected);
            assert_eq!(serde_yaml::from_str::<Value>(&text).expect("YAML"), value, "{text}");
        }
    }
}
