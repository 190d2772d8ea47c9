//! The kinds of values that a script can hold, by the names that owners read in messages.
//!
//! Two values of different kinds are never equal and never in order; asking is an error (`operators`).

use std::fmt;

use rhai::Dynamic;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Text,
    /// Whole or with a fraction; the two compare with each other.
    Number,
    Truth,
    List,
    Map,
    Nothing,
    /// A span of whole numbers, `1..5`.
    Span,
    Function,
    /// A value of the host, a request for instance, by the name of its type. Ends in `Value`.
    Other(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Kind::Text => "text",
            Kind::Number => "a number",
            Kind::Truth => "true or false",
            Kind::List => "a list",
            Kind::Map => "a map",
            Kind::Nothing => "nothing",
            Kind::Span => "a span",
            Kind::Function => "a function",
            Kind::Other(path) => return write_host_type(formatter, path),
        };
        formatter.write_str(name)
    }
}

/// `hushgate::policy::values::RequestValue` is a request.
fn write_host_type(formatter: &mut fmt::Formatter<'_>, path: &str) -> fmt::Result {
    let name = path.rsplit("::").next().unwrap_or(path);
    let name = name.strip_suffix("Value").unwrap_or(name).to_lowercase();
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    write!(formatter, "{article} {name}")
}

/// The kind of a value.
pub fn kind_of(value: &Dynamic) -> Kind {
    if value.is_string() || value.is_char() {
        Kind::Text
    } else if value.is_int() || value.is_float() {
        Kind::Number
    } else if value.is_bool() {
        Kind::Truth
    } else if value.is_array() {
        Kind::List
    } else if value.is_map() {
        Kind::Map
    } else if value.is_unit() {
        Kind::Nothing
    } else if value.is_fnptr() {
        Kind::Function
    } else if value.is::<std::ops::Range<i64>>() || value.is::<std::ops::RangeInclusive<i64>>() {
        Kind::Span
    } else {
        Kind::Other(value.type_name())
    }
}

/// The value as a message shows it: short, with its kind where that is not plain to see.
pub fn shown(value: &Dynamic) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 40;
    match kind_of(value) {
        Kind::Text => {
            let text = value.to_string();
            match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
                Some((cut, _)) => format!("`\"{}…\"`", text.get(..cut).unwrap_or_default()),
                None => format!("`\"{text}\"`"),
            }
        }
        Kind::Number | Kind::Truth => format!("`{value}`"),
        kind => format!("{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_the_kind_that_owners_would_name() {
        for (value, expected, display) in [
            (Dynamic::from("x"), Kind::Text, "`\"x\"`"),
            (Dynamic::from('x'), Kind::Text, "`\"x\"`"),
            (Dynamic::from(3_i64), Kind::Number, "`3`"),
            (Dynamic::from(0.5_f64), Kind::Number, "`0.5`"),
            (Dynamic::from(true), Kind::Truth, "`true`"),
            (Dynamic::from_array(vec![]), Kind::List, "a list"),
            (Dynamic::from_map(rhai::Map::new()), Kind::Map, "a map"),
            (Dynamic::UNIT, Kind::Nothing, "nothing"),
            (Dynamic::from(0..3_i64), Kind::Span, "a span"),
        ] {
            assert_eq!(kind_of(&value), expected);
            assert_eq!(shown(&value), display);
        }
        assert_eq!(shown(&Dynamic::from("é".repeat(41))), format!("`\"{}…\"`", "é".repeat(40)));
    }
}
