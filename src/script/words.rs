//! The pure words: texts, numbers and lists. None of them changes its argument.
//!
//! Words that could take long charge the meter for what they do, so that the limit on steps holds for them too.
#![expect(clippy::needless_pass_by_value, reason = "the engine hands the values of a word over")]

use std::rc::Rc;

use percent_encoding::percent_decode_str;
use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, Map, NativeCallContext};

use super::kinds::{Kind, kind_of, shown};
use super::operators::{Outcome, fail};
use super::sandbox::{LIST_ITEMS_MAX, Meter, TEXT_BYTES_MAX};
use crate::model::glob::Glob;

mod paths;

/// A word and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub name: &'static str,
    /// One or two forms, as a `help:` shows them.
    pub usage: &'static str,
}

/// Every pure word.
pub const WORDS: &[Word] = &[
    Word { name: "abs", usage: "abs(number)" },
    Word { name: "all", usage: "all(list, |item| …)" },
    Word { name: "any", usage: "any(list, |item| …)" },
    Word { name: "contains", usage: "contains(text, part), contains(list, item) or contains(map, field)" },
    Word { name: "ends_with", usage: "ends_with(text, end)" },
    Word { name: "field_or", usage: "field_or(map, \"name.of.field\", default)" },
    Word { name: "filter", usage: "filter(list, |item| …)" },
    Word { name: "is_empty", usage: "is_empty(text), is_empty(list) or is_empty(map)" },
    Word { name: "is_list", usage: "is_list(value)" },
    Word { name: "is_map", usage: "is_map(value)" },
    Word { name: "is_text", usage: "is_text(value)" },
    Word { name: "join", usage: "join(list, separator)" },
    Word { name: "keys", usage: "keys(map)" },
    Word { name: "len", usage: "len(text), len(list) or len(map)" },
    Word { name: "matches", usage: "matches(text, pattern)" },
    Word { name: "max", usage: "max(number, number)" },
    Word { name: "min", usage: "min(number, number)" },
    Word { name: "percent_decoded", usage: "percent_decoded(text) or percent_decoded(text, default)" },
    Word { name: "replace", usage: "replace(text, part, new)" },
    Word { name: "round", usage: "round(number)" },
    Word { name: "split", usage: "split(text, separator)" },
    Word { name: "starts_with", usage: "starts_with(text, beginning)" },
    Word { name: "to_lower", usage: "to_lower(text)" },
    Word { name: "to_number", usage: "to_number(text)" },
    Word { name: "to_text", usage: "to_text(value)" },
    Word { name: "to_upper", usage: "to_upper(text)" },
    Word { name: "trim", usage: "trim(text)" },
];

/// Bytes of text that count as one step.
const TEXT_BYTES_PER_OPERATION: usize = 256;

/// Registers the pure words.
pub fn register(engine: &mut Engine, meter: &Rc<Meter>) {
    register_text(engine, meter);
    register_numbers(engine);
    register_lists(engine);
    register_kinds(engine);
    paths::register(engine);
}

/// What kind a value is of. JSON that anybody may have sent holds what it likes.
fn register_kinds(engine: &mut Engine) {
    engine.register_fn("is_list", |value: Dynamic| kind_of(&value) == Kind::List);
    engine.register_fn("is_map", |value: Dynamic| kind_of(&value) == Kind::Map);
    engine.register_fn("is_text", |value: Dynamic| kind_of(&value) == Kind::Text);
}

fn register_text(engine: &mut Engine, meter: &Rc<Meter>) {
    let charge = |text: &str, meter: &Meter| {
        meter.charge(u64::try_from(text.len() / TEXT_BYTES_PER_OPERATION).unwrap_or(u64::MAX));
    };
    engine.register_fn("len", |text: &str| INT::try_from(text.chars().count()).unwrap_or(INT::MAX));
    engine.register_fn("is_empty", |text: &str| text.is_empty());
    engine.register_fn("starts_with", |text: &str, beginning: ImmutableString| text.starts_with(beginning.as_str()));
    engine.register_fn("ends_with", |text: &str, end: ImmutableString| text.ends_with(end.as_str()));
    engine.register_fn("trim", |text: &str| ImmutableString::from(text.trim()));
    let counting = Rc::clone(meter);
    engine.register_fn("to_lower", move |text: &str| {
        charge(text, &counting);
        text.to_lowercase()
    });
    let counting = Rc::clone(meter);
    engine.register_fn("to_upper", move |text: &str| {
        charge(text, &counting);
        text.to_uppercase()
    });
    let counting = Rc::clone(meter);
    engine.register_fn("matches", move |text: &str, pattern: ImmutableString| {
        charge(text, &counting);
        Glob::new(pattern.as_str()).matches(text)
    });
    let counting = Rc::clone(meter);
    engine.register_fn("replace", move |text: &str, part: ImmutableString, new: ImmutableString| {
        charge(text, &counting);
        replace(text, &part, &new)
    });
    let counting = Rc::clone(meter);
    engine.register_fn("split", move |text: &str, separator: ImmutableString| {
        charge(text, &counting);
        split(text, &separator)
    });
    register_percent(engine);
    engine.register_fn("+", |text: &str, number: INT| format!("{text}{number}"));
    engine.register_fn("+", |text: &str, number: f64| format!("{text}{number}"));
    engine.register_fn("+", |number: INT, text: ImmutableString| format!("{number}{text}"));
    engine.register_fn("+", |number: f64, text: ImmutableString| format!("{number}{text}"));
    engine.register_fn("to_text", |value: Dynamic| text_of(&value));
    // What `${…}` in a text calls.
    engine.register_fn("to_string", |value: Dynamic| text_of(&value));
}

fn register_percent(engine: &mut Engine) {
    engine.register_fn("percent_decoded", |text: &str| {
        percent_decoded(text).map_or_else(|| fail(format!("expected text that is percent-encoded, found `{text}`")), Ok)
    });
    engine.register_fn("percent_decoded", |text: &str, default: Dynamic| {
        percent_decoded(text).map_or(default, Dynamic::from)
    });
}

/// `None` where a `%` is not followed by two hexadecimal digits, or where what comes out is not UTF-8: another program may
/// read such a text in a way of its own.
fn percent_decoded(text: &str) -> Option<ImmutableString> {
    let is_code = |code: &str| code.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let is_encoded = text.split('%').skip(1).all(is_code);
    let decoded = is_encoded.then(|| percent_decode_str(text).decode_utf8().ok()).flatten()?;
    Some(decoded.as_ref().into())
}

/// A value as a part of a text.
fn text_of(value: &Dynamic) -> Outcome<ImmutableString> {
    if value.is_string() || value.is_char() || value.is_int() || value.is_float() || value.is_bool() {
        return Ok(value.to_string().into());
    }
    fail(format!("expected text, a number, true or false, found {}", kind_of(value)))
}

fn replace(text: &str, part: &str, new: &str) -> Outcome<ImmutableString> {
    if part.is_empty() {
        return fail("expected a part to replace, found an empty text");
    }
    let mut replaced = String::with_capacity(text.len());
    let mut pieces = text.split(part).peekable();
    while let Some(piece) = pieces.next() {
        replaced.push_str(piece);
        if pieces.peek().is_some() {
            replaced.push_str(new);
        }
        if replaced.len() > TEXT_BYTES_MAX {
            return fail(format!("text grew longer than {TEXT_BYTES_MAX} bytes"));
        }
    }
    Ok(replaced.into())
}

fn split(text: &str, separator: &str) -> Outcome<Array> {
    if separator.is_empty() {
        return fail("expected a separator, found an empty text");
    }
    let parts: Array =
        text.split(separator).take(LIST_ITEMS_MAX + 1).map(|part| Dynamic::from(part.to_owned())).collect();
    if parts.len() > LIST_ITEMS_MAX {
        return fail(format!("a list grew longer than {LIST_ITEMS_MAX} items"));
    }
    Ok(parts)
}

fn register_numbers(engine: &mut Engine) {
    engine.register_fn("abs", |number: INT| match number.checked_abs() {
        Some(absolute) => Ok(absolute),
        None => fail(format!("the number is too large: `{number}`")),
    });
    engine.register_fn("abs", |number: f64| number.abs());
    engine.register_fn("min", |left: INT, right: INT| left.min(right));
    engine.register_fn("max", |left: INT, right: INT| left.max(right));
    engine.register_fn("min", |left: Dynamic, right: Dynamic| extreme(left, right, |left, right| left <= right));
    engine.register_fn("max", |left: Dynamic, right: Dynamic| extreme(left, right, |left, right| left >= right));
    engine.register_fn("round", |number: INT| number);
    engine.register_fn("round", |number: f64| {
        let rounded = number.round();
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked just before")]
        if rounded.abs() < 9.0e15 { Ok(rounded as INT) } else { fail(format!("the number is too large: `{number}`")) }
    });
    engine.register_fn("to_number", |text: &str| {
        number_in(text).map_or_else(|| fail(format!("expected a number, found `\"{text}\"`")), Ok)
    });
}

/// The number that a text is, if it is one. Infinities are none.
pub fn number_in(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn extreme(left: Dynamic, right: Dynamic, is_first: fn(f64, f64) -> bool) -> Outcome<Dynamic> {
    #[expect(clippy::cast_precision_loss, reason = "only which of the two is taken depends on it")]
    let number = |value: &Dynamic| value.as_int().map(|whole| whole as f64).or_else(|_| value.as_float());
    match (number(&left), number(&right)) {
        (Ok(first), Ok(second)) => Ok(if is_first(first, second) { left } else { right }),
        _ => fail(format!("expected two numbers, found {} and {}", shown(&left), shown(&right))),
    }
}

fn register_lists(engine: &mut Engine) {
    engine.register_fn("len", |items: &mut Array| INT::try_from(items.len()).unwrap_or(INT::MAX));
    engine.register_fn("len", |fields: &mut Map| INT::try_from(fields.len()).unwrap_or(INT::MAX));
    engine.register_fn("is_empty", |items: &mut Array| items.is_empty());
    engine.register_fn("is_empty", |fields: &mut Map| fields.is_empty());
    engine.register_fn("+", |left: Array, right: Array| left.into_iter().chain(right).collect::<Array>());
    engine.register_fn("join", |items: &mut Array, separator: ImmutableString| {
        let parts: Result<Vec<ImmutableString>, Box<EvalAltResult>> = items.iter().map(text_of).collect();
        parts.map(|parts| parts.iter().map(ImmutableString::as_str).collect::<Vec<_>>().join(&separator))
    });
    engine.register_fn("keys", |fields: &mut Map| {
        fields.keys().map(|name| Dynamic::from(name.to_string())).collect::<Array>()
    });
    engine.register_fn("any", any).register_fn("all", all).register_fn("filter", filter);
}

fn any(context: NativeCallContext, items: &mut Array, test: FnPtr) -> Outcome<bool> {
    for item in items.iter() {
        if holds(&context, &test, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all(context: NativeCallContext, items: &mut Array, test: FnPtr) -> Outcome<bool> {
    for item in items.iter() {
        if !holds(&context, &test, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn filter(context: NativeCallContext, items: &mut Array, test: FnPtr) -> Outcome<Array> {
    let mut kept = Array::new();
    for item in items.iter() {
        if holds(&context, &test, item)? {
            kept.push(item.clone());
        }
    }
    Ok(kept)
}

fn holds(context: &NativeCallContext, test: &FnPtr, item: &Dynamic) -> Outcome<bool> {
    let answer = test.call_within_context::<Dynamic>(context, (item.clone(),))?;
    match answer.as_bool() {
        Ok(truth) => Ok(truth),
        Err(_) => fail(format!("expected true or false from the function, found {}", shown(&answer))),
    }
}
