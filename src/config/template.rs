//! Templates: text with named places, for what is read from a message and for what is sent to a device.
//!
//! `{name}` is a place of the topic pattern, `{payload}` the whole payload, `{payload.field.path}` one field of it, and
//! `{name:percent_decoded}` passes it through a filter. `{{name}}` writes `{name}`. Every other brace stands for itself,
//! so JSON is written as it is. There are no conditions and no arithmetic.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::pattern::{Malformed, Names, is_name};
use super::payload::{Payload, scalar_text};
use crate::script::nearest::nearest;

/// Text with named places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Place(Place),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    name: String,
    /// The path into the payload; empty for the whole of it and for other names.
    fields: Vec<String>,
    percent_decoded: bool,
    writing: Writing,
}

/// How a value is written where its place stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Plain,
    /// Inside the quotes of a JSON string.
    JsonString,
    /// Where a JSON value stands: quotes are added.
    JsonValue,
}

impl Template {
    /// Reads a template. `names` are the places that may be used; `payload` among them allows fields.
    pub fn parse(text: &str, names: &[&str]) -> Result<Template, Malformed> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            literal.push_str(before);
            if let Some(after) = escaped(behind) {
                let (name, after) = after;
                literal.push_str(name);
                rest = after;
            } else if behind.trim_start().starts_with(|first: char| first.is_ascii_alphabetic()) {
                let (inside, after) = behind.split_once('}').ok_or_else(|| {
                    Malformed::new(format!("expected a closing `}}`, found `{{{}`", start_of(behind)), WRITE_BRACES)
                })?;
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                pieces.push(Piece::Place(read_place(inside, names)?));
                rest = after;
            } else {
                literal.push('{');
                rest = behind;
            }
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal));
        pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
        Ok(Template { text: text.to_owned(), pieces })
    }

    /// Reads the template of an outgoing payload. Where it is JSON, values are escaped as JSON wants it, so that no
    /// value can add a field.
    pub fn parse_payload(text: &str, names: &[&str]) -> Result<Template, Malformed> {
        let mut template = Template::parse(text, names)?;
        let mut in_string = false;
        let mut sample = String::new();
        let mut writings = Vec::new();
        for piece in &template.pieces {
            match piece {
                Piece::Literal(text) => {
                    in_string = is_in_string_after(text, in_string);
                    sample.push_str(text);
                }
                Piece::Place(_) => {
                    sample.push_str(if in_string { "x" } else { "\"x\"" });
                    writings.push(if in_string { Writing::JsonString } else { Writing::JsonValue });
                }
            }
        }
        let begins_like_json = text.trim_start().starts_with("{\"") || text.trim_start().starts_with("[\"");
        // A lone place is text: `{text}` alone is what a speaker is to say, not a JSON string.
        let is_json = text.trim_start().starts_with(['{', '['])
            && !matches!(template.pieces.first(), Some(Piece::Place(_)))
            && serde_json::from_str::<Value>(&sample).is_ok();
        if is_json {
            for piece in &mut template.pieces {
                if let Piece::Place(place) = piece {
                    place.writing = if writings.is_empty() { Writing::Plain } else { writings.remove(0) };
                }
            }
        } else if begins_like_json {
            return Err(Malformed::new(
                format!("expected JSON, since it begins like JSON, found `{text}`"),
                "check quotes, commas and closing braces",
            ));
        }
        Ok(template)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether some place looks into the fields of the payload.
    pub fn reads_fields(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Place(place) if !place.fields.is_empty()))
    }

    /// The paths of all that it reads of the payload. An empty path is the whole of it.
    pub fn payload_paths(&self) -> impl Iterator<Item = &[String]> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Place(place) if place.name == PAYLOAD => Some(place.fields.as_slice()),
            Piece::Place(_) | Piece::Literal(_) => None,
        })
    }

    /// The text with all places filled in. `None`: one of them has no value here.
    pub fn text(&self, names: &Names, payload: &Payload<'_>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Place(place) => {
                    let value = place.value(names, payload).filter(|value| !value.is_null())?;
                    text.push_str(&place.written(&scalar_text(&value)));
                }
            }
        }
        Some(text)
    }

    /// Like `text`, but a template that is one place keeps the kind of its value: number, truth value, list, `null`.
    pub fn value(&self, names: &Names, payload: &Payload<'_>) -> Option<Value> {
        match self.pieces.as_slice() {
            [Piece::Place(place)] => place.value(names, payload),
            _ => self.text(names, payload).map(Value::from),
        }
    }

    /// The text of an outgoing template. A name without a value is written as nothing.
    pub fn outgoing(&self, names: &Names) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Place(place) => {
                    text.push_str(&place.written(names.get(&place.name).map_or("", String::as_str)));
                }
            }
        }
        text
    }
}

impl Place {
    fn value(&self, names: &Names, payload: &Payload<'_>) -> Option<Value> {
        let value = if self.name != PAYLOAD {
            Value::from(names.get(&self.name)?.as_str())
        } else if self.fields.is_empty() {
            Value::from(payload.text()?)
        } else {
            payload.field(&self.fields)?.clone()
        };
        if self.percent_decoded && !value.is_null() {
            let text = scalar_text(&value);
            return percent_decode_str(&text).decode_utf8().ok().map(|text| Value::from(text.as_ref()));
        }
        Some(value)
    }

    fn written(&self, value: &str) -> String {
        let quoted = || Value::from(value).to_string();
        match self.writing {
            Writing::Plain => value.to_owned(),
            Writing::JsonValue => quoted(),
            Writing::JsonString => {
                let quoted = quoted();
                quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
            }
        }
    }
}

const PAYLOAD: &str = "payload";
const PERCENT_DECODED: &str = "percent_decoded";
const WRITE_BRACES: &str = "write `{{name}}` where the braces themselves are meant";

/// `{name}}` after a `{`: the braces themselves are meant. Gives `{name}` and what follows.
fn escaped(behind: &str) -> Option<(&str, &str)> {
    let inside = behind.strip_prefix('{')?;
    let end = inside.find("}}")?;
    let name = inside.get(..end)?;
    let is_escape = name.starts_with(|first: char| first.is_ascii_alphabetic()) && !name.contains(['{', '}', '"']);
    if is_escape { Some((behind.get(..end + 2)?, inside.get(end + 2..)?)) } else { None }
}

fn start_of(text: &str) -> String {
    text.chars().take(20).collect()
}

fn read_place(inside: &str, names: &[&str]) -> Result<Place, Malformed> {
    let (path, filter) = inside.split_once(':').map_or((inside, None), |(path, filter)| (path, Some(filter)));
    let mut steps = path.split('.');
    let name = steps.next().unwrap_or_default();
    let fields: Vec<String> = steps.map(str::to_owned).collect();
    if !is_name(name) || fields.iter().any(String::is_empty) {
        return Err(Malformed::new(format!("expected a name without spaces, found `{{{inside}}}`"), WRITE_BRACES));
    }
    if !names.contains(&name) {
        let known = names.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ");
        let help = nearest(name, names.iter().copied())
            .map_or_else(|| WRITE_BRACES.to_owned(), |nearest| format!("did you mean `{{{nearest}}}`?"));
        let known = if known.is_empty() { "no place here".to_owned() } else { format!("one of {known}") };
        return Err(Malformed::new(format!("expected {known}, found `{{{inside}}}`"), help));
    }
    if name != PAYLOAD && !fields.is_empty() {
        return Err(Malformed::new(
            format!("expected fields of `payload` only, found `{{{inside}}}`"),
            format!("write `{{{name}}}` or `{{payload.{}}}`", fields.join(".")),
        ));
    }
    if filter.is_some_and(|filter| filter != PERCENT_DECODED) {
        return Err(Malformed::new(
            format!("expected the filter `{PERCENT_DECODED}`, found `{{{inside}}}`"),
            format!("write `{{{path}:{PERCENT_DECODED}}}` or leave the filter out"),
        ));
    }
    Ok(Place { name: name.to_owned(), fields, percent_decoded: filter.is_some(), writing: Writing::Plain })
}

fn is_in_string_after(literal: &str, mut in_string: bool) -> bool {
    let mut characters = literal.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                characters.next();
            }
            _ => {}
        }
    }
    in_string
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[(&str, &str)]) -> Names {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn places_are_filled_in() {
        let payload = r#"{"text":"hi \"you\"","n":5,"on":true,"none":null,"deep":{"list":[1,{"x":"y"}]}}"#;
        let bound = names(&[("to", "%2B49%20x"), ("bad", "%FF")]);
        for (template, expected) in [
            ("{to}", Some("%2B49%20x")),
            ("{to:percent_decoded}", Some("+49 x")),
            ("{bad:percent_decoded}", None),
            ("a {payload.n} b {payload.on}", Some("a 5 b true")),
            ("{payload.text}", Some("hi \"you\"")),
            ("{payload.none}", None),
            ("{payload.missing}", None),
            ("{payload.deep.list.1.x}", Some("y")),
            ("{payload.deep.list}", Some("[1,{\"x\":\"y\"}]")),
            ("{{to}} {}{ \"a\": 1 }", Some("{to} {}{ \"a\": 1 }")),
            ("", Some("")),
        ] {
            let seen = Template::parse(template, &["to", "bad", "payload"])
                .expect(template)
                .text(&bound, &Payload::new(payload.as_bytes()));
            assert_eq!(seen.as_deref(), expected, "{template}");
        }
        let whole = Template::parse("{payload}", &["payload"]).expect("a template");
        assert_eq!(whole.text(&bound, &Payload::new(b"ON")).as_deref(), Some("ON"));
        assert_eq!(whole.text(&bound, &Payload::new(&[0xff])), None, "not UTF-8");
        let number = Template::parse("{payload.n}", &["payload"]).expect("a template");
        assert_eq!(number.value(&bound, &Payload::new(payload.as_bytes())), Some(Value::from(5)));
    }

    #[test]
    fn malformed_templates_say_what_to_write() {
        for (template, found, help) in [
            ("{recipent}", "one of `{recipient}`, `{payload}`", "did you mean `{recipient}`?"),
            ("press {enter}", "found `{enter}`", WRITE_BRACES),
            ("{recipient", "a closing `}`", WRITE_BRACES),
            ("{ recipient }", "without spaces", WRITE_BRACES),
            ("{recipient.x}", "fields of `payload` only", "write `{recipient}` or `{payload.x}`"),
            ("{payload..x}", "without spaces", WRITE_BRACES),
            (
                "{recipient:upper}",
                "the filter `percent_decoded`",
                "write `{recipient:percent_decoded}` or leave the filter out",
            ),
        ] {
            let error = Template::parse(template, &["recipient", "payload"]).expect_err(template);
            assert!(error.message.contains(found), "{template}: {}", error.message);
            assert_eq!(error.help.as_deref(), Some(help), "{template}");
        }
    }

    #[test]
    fn values_in_json_payloads_cannot_add_fields() {
        let bound = names(&[("text", "a\",\"admin\":true,\"x\":\"\n"), ("speaker", "kitchen")]);
        for (template, expected) in [
            (r#"{"text": "{text}"}"#, r#"{"text": "a\",\"admin\":true,\"x\":\"\n"}"#),
            (r#"{"text": {text}}"#, r#"{"text": "a\",\"admin\":true,\"x\":\"\n"}"#),
            (
                r#"{"a":{"text":"to {speaker}: {text}"}}"#,
                r#"{"a":{"text":"to kitchen: a\",\"admin\":true,\"x\":\"\n"}}"#,
            ),
            (r#"["{speaker}"]"#, r#"["kitchen"]"#),
            ("{speaker}: {text}", "kitchen: a\",\"admin\":true,\"x\":\"\n"),
            ("[hushgate] {speaker}", "[hushgate] kitchen"),
        ] {
            let seen = Template::parse_payload(template, &["text", "speaker"]).expect(template).outgoing(&bound);
            assert_eq!(seen, expected, "{template}");
        }
        let error = Template::parse_payload(r#"{"text": "{text}""#, &["text"]).expect_err("not closed");
        assert!(error.message.starts_with("expected JSON, since it begins like JSON"), "{}", error.message);
    }
}
