//! Comparing a payload with what a template would have made, and finding values in it.
//!
//! JSON is compared by fields, so that order and white space do not count; it must say the same and nothing more. Letter
//! case does not count either, since many devices do not care.

use serde_json::Value;

use super::grammar::CODE_MARK;
use super::number_value;
use crate::config::payload::{Json, Payload, read_json, scalar_text};

/// Longest code that is recognised as one, in bytes.
pub(super) const CODE_BYTES_MAX: usize = 64;
/// Values that stand for an unknown one while a template is rendered. The numbers lie within what devices take, so that
/// a template that clamps leaves them alone.
const NUMBER_MARKS: [f64; 2] = [20.0, 40.0];
/// They begin and end differently, so that nothing of them is taken for the template's own text.
const TEXT_MARKS: [&str; 2] = ["zq734019zq", "jx582jx"];

/// How a payload fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    /// To the letter.
    pub(super) is_exact: bool,
    /// Something stands where a code belongs.
    pub(super) has_code: bool,
}

/// Whether two payloads are the same to a device that is loose about letter case and white space.
pub(super) fn is_same(expected: &str, found: &str) -> bool {
    expected == found || expected.trim().to_lowercase() == found.trim().to_lowercase()
}

/// Compares a payload with what was rendered. `CODE_MARK` in it fits any code.
pub(super) fn compare(rendered: &str, payload: &Payload<'_>) -> Option<Fit> {
    let text = payload.text()?;
    if rendered == text {
        return Some(Fit { is_exact: true, has_code: false });
    }
    let structure = |json: &Json| match json {
        Json::Value { value, .. } => value.is_object() || value.is_array(),
        Json::Ambiguous(_) => true,
        Json::None => false,
    };
    let expected = read_json(rendered);
    let mut has_code = false;
    let fits = if structure(&expected) || structure(payload.json()) {
        match (&expected, payload.json()) {
            (Json::Value { value: expected, .. }, Json::Value { value, has_case_twins: false }) => {
                is_same_value(expected, value, &mut has_code)
            }
            _ => false,
        }
    } else {
        is_same_text(rendered, text, &mut has_code)
    };
    fits.then_some(Fit { is_exact: false, has_code })
}

fn is_same_value(expected: &Value, found: &Value, has_code: &mut bool) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.len() == found.len()
                && expected.iter().all(|(name, expected)| {
                    found.get(name).is_some_and(|found| is_same_value(expected, found, has_code))
                })
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| is_same_value(expected, found, has_code))
        }
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => false,
        (Value::Number(expected), Value::Number(found)) if expected.as_f64() == found.as_f64() => true,
        _ if scalar_text(expected) == CODE_MARK => {
            let code = scalar_text(found);
            *has_code |= !matches!(code.as_str(), "" | "null" | "None");
            code.len() <= CODE_BYTES_MAX
        }
        _ => is_same_text(&scalar_text(expected), &scalar_text(found), has_code),
    }
}

fn is_same_text(expected: &str, found: &str, has_code: &mut bool) -> bool {
    let Some((before, after)) = expected.split_once(CODE_MARK) else { return is_same(expected, found) };
    let (before, after) = (before.to_lowercase(), after.to_lowercase());
    let folded = found.to_lowercase();
    let Some(code) = folded.strip_prefix(&before).and_then(|rest| rest.strip_suffix(&after)) else { return false };
    // A code with the characters that divide fields could hide a second command.
    let is_code = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '#' | '*');
    let fits = code.len() <= CODE_BYTES_MAX && code.chars().all(is_code);
    *has_code |= fits && !matches!(code, "" | "none");
    fits
}

/// The numbers that, put into the template, could have made this payload. The caller renders again to be sure.
///
/// Two numbers are rendered, the place where the results differ is found, and what stands there is taken to follow
/// them in a straight line: `{{ value * 10 }}` and a shift are understood so.
pub(super) fn find_number(payload: &Payload<'_>, render: &dyn Fn(&Value) -> Option<String>) -> Vec<Value> {
    let [low, high] = NUMBER_MARKS;
    let (Some(first), Some(second)) = (render(&number_value(low)), render(&number_value(high))) else {
        return Vec::new();
    };
    let Some(found) = payload.text() else { return Vec::new() };
    let places = places(&first, &second, found, payload);
    let solve = |(first, second, found): (String, String, String)| {
        let [first, second, found] = [first, second, found].map(|text| text.trim().parse::<f64>().ok());
        let (first, second, found) = (first?, second?, found?);
        let number = low + (found - first) * (high - low) / (second - first);
        number.is_finite().then_some(number)
    };
    let numbers: Vec<f64> = places.into_iter().filter_map(solve).collect();
    // A template that cuts to whole numbers gives a value a little beside its own. Home Assistant hands some whole
    // numbers over as `21`, some as `21.0`.
    let forms = |number: &f64| [number_value(*number), number_value(number.round()), Value::from(*number)];
    numbers.iter().flat_map(forms).collect()
}

/// The texts that, put into the template, could have made this payload.
pub(super) fn find_text(payload: &Payload<'_>, render: &dyn Fn(&Value) -> Option<String>) -> Vec<Value> {
    let [first, second] = TEXT_MARKS;
    let (Some(first), Some(second)) = (render(&Value::from(first)), render(&Value::from(second))) else {
        return Vec::new();
    };
    let Some(found) = payload.text() else { return Vec::new() };
    let places = places(&first, &second, found, payload);
    places.into_iter().map(|(_, _, found)| Value::from(found)).collect()
}

/// Where two renderings differ, with what stands there in each and in the payload.
fn places(first: &str, second: &str, found: &str, payload: &Payload<'_>) -> Vec<(String, String, String)> {
    let mut places = Vec::new();
    if let (Json::Value { value: first, .. }, Json::Value { value: second, .. }, Json::Value { value: found, .. }) =
        (read_json(first), read_json(second), payload.json())
        && first.is_object()
    {
        collect_places(&first, &second, found, &mut places);
        return places;
    }
    let before = first.bytes().zip(second.bytes()).take_while(|(first, second)| first == second).count();
    let rest = first.len().min(second.len()) - before;
    let after = first.bytes().rev().zip(second.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let middle = |text: &str| text.get(before..text.len().checked_sub(after)?).map(str::to_owned);
    // Digits that two numbers share belong to them: `20` and `40` end alike.
    let is_digit = |text: &str, index: usize| text.as_bytes().get(index).is_some_and(u8::is_ascii_digit);
    let mut widened = after;
    while widened > 0
        && (is_digit(first, first.len() - widened) || first.as_bytes().get(first.len() - widened) == Some(&b'.'))
    {
        widened -= 1;
    }
    let wide = |text: &str| text.get(before..text.len().checked_sub(widened)?).map(str::to_owned);
    for cut in [&wide as &dyn Fn(&str) -> Option<String>, &middle] {
        if let (Some(first), Some(second), Some(found)) = (cut(first), cut(second), cut(found)) {
            places.push((first, second, found));
        }
    }
    places
}

fn collect_places(first: &Value, second: &Value, found: &Value, places: &mut Vec<(String, String, String)>) {
    match (first, second, found) {
        (Value::Object(first), Value::Object(second), Value::Object(found)) => {
            for (name, first) in first {
                if let (Some(second), Some(found)) = (second.get(name), found.get(name)) {
                    collect_places(first, second, found, places);
                }
            }
        }
        (Value::Array(first), Value::Array(second), Value::Array(found)) => {
            for ((first, second), found) in first.iter().zip(second).zip(found) {
                collect_places(first, second, found, places);
            }
        }
        _ if first != second => places.push((scalar_text(first), scalar_text(second), scalar_text(found))),
        _ => {}
    }
}
