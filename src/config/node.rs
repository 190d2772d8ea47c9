//! YAML text as a tree in which nothing is lost: duplicate keys and tags are kept for whoever reads it.
//!
//! It bounds size, nesting and aliases before anything is built of them. It knows no key of the configuration.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Longest configuration, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of lists and mappings in a configuration.
pub(super) const NESTING_LEVELS_MAX: usize = 32;
/// Values in a configuration, those that aliases repeat included.
pub(super) const NODES_MAX: usize = 100_000;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Flag(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the text; a key may stand twice.
    Mapping(Vec<(String, Node)>),
    Tagged(String, Box<Node>),
}

/// One step from a value to one of its parts, by position, so that duplicates are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Item(usize),
    Entry(usize),
}

/// A line and a column, from 1.
pub(super) type Position = (usize, usize);

/// Why a text is no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub position: Option<Position>,
    pub message: String,
    pub help: String,
}

/// Reads a text. An empty one is `Null`.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Unreadable {
            position: None,
            message: format!("expected at most {TEXT_BYTES_MAX} bytes, found {}", text.len()),
            help: "a configuration is small; is this the right file?".to_owned(),
        });
    }
    check_nesting(text)?;
    let budget = Cell::new(NODES_MAX);
    let document = serde_yaml::Deserializer::from_str(text);
    Build { budget: &budget, depth: 0 }.deserialize(document).map_err(|error| {
        let position = error.location().map(|location| (location.line(), location.column()));
        Unreadable {
            position,
            message: told(&error.to_string()),
            help: "a tab, a missing colon, a quote left open and a wrong indentation are the usual causes".to_owned(),
        }
    })
}

/// Where a part of the text stands. `of_key` asks for the key of the last step instead of its value.
///
/// The YAML reader tells positions only in errors, so the way is walked once more and an error raised at its end.
pub(super) fn locate(text: &str, steps: &[Step], of_key: bool) -> Option<Position> {
    let document = serde_yaml::Deserializer::from_str(text);
    let error = Locate { steps, of_key }.deserialize(document).err()?;
    error.location().map(|location| (location.line(), location.column()))
}

/// The YAML reader's message without its positions, in the words of the other errors.
fn told(message: &str) -> String {
    if let Some(start) = message.find("expected at most") {
        let message = message.get(start..).unwrap_or(message);
        return message.split(" at line ").next().unwrap_or(message).to_owned();
    }
    let mut pieces = message.split(" at line ");
    let first = pieces.next().unwrap_or_default().to_lowercase();
    let rest = pieces.map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit() || " column".contains(c)));
    format!("expected YAML, found something else: {first}{}", rest.collect::<String>())
}

/// The YAML reader takes time that grows with the square of the nesting, so brackets are counted beforehand, and so
/// are the dashes of `- - - x`. Brackets in quotes and comments do not count.
fn check_nesting(text: &str) -> Result<(), Unreadable> {
    let mut depth = 0_usize;
    for (index, line) in text.lines().enumerate() {
        let dashes =
            line.split(' ').filter(|part| !part.is_empty()).take_while(|part| matches!(*part, "-" | "?")).count();
        let mut quote = None;
        let mut before = ' ';
        for (column, character) in line.chars().enumerate() {
            match (quote, character) {
                (Some(open), close) if open == close && (open == '\'' || before != '\\') => quote = None,
                (None, '#') if before.is_whitespace() => break,
                (None, '"' | '\'') if !before.is_alphanumeric() => quote = Some(character),
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth + dashes > NESTING_LEVELS_MAX {
                return Err(Unreadable {
                    position: Some((index + 1, column + 1)),
                    message: format!("expected at most {NESTING_LEVELS_MAX} levels of nesting, found more"),
                    help: "close a bracket or a brace; no key needs that many".to_owned(),
                });
            }
            before = character;
        }
        // Text may hold an odd bracket; a line that begins at the margin is outside of all of them.
        if line.starts_with(|first: char| first.is_ascii_alphabetic()) && line.ends_with(':') {
            depth = 0;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Build<'a> {
    budget: &'a Cell<usize>,
    depth: usize,
}

impl Build<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let left = self.budget.get().checked_sub(1);
        let left = left.ok_or_else(|| E::custom(format!("expected at most {NODES_MAX} values, found more")))?;
        self.budget.set(left);
        if self.depth >= NESTING_LEVELS_MAX {
            return Err(E::custom(format!("expected at most {NESTING_LEVELS_MAX} levels of nesting, found more")));
        }
        Ok(Build { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Build<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        i64::try_from(value).map(Node::Integer).map_err(|_| E::custom(format!("number `{value}` is too large")))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Decimal(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            entries.push((key, access.next_value_seed(self.deeper()?)?));
        }
        Ok(Node::Mapping(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Node, A::Error> {
        let (tag, content) = access.variant::<String>()?;
        Ok(Node::Tagged(tag, Box::new(content.newtype_variant_seed(self.deeper()?)?)))
    }
}

/// Walks along the steps and fails at their end.
#[derive(Clone, Copy)]
struct Locate<'a> {
    steps: &'a [Step],
    of_key: bool,
}

/// Fails where it stands.
struct Here;

const HERE: &str = "here";

impl<'de> DeserializeSeed<'de> for Here {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Here {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HERE)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(HERE))
    }
}

impl<'de> DeserializeSeed<'de> for Locate<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_empty() { deserializer.deserialize_str(Here) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Locate<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HERE)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Some((Step::Item(index), rest)) = self.steps.split_first() else { return Err(A::Error::custom(HERE)) };
        for _ in 0..*index {
            sequence.next_element::<IgnoredAny>()?;
        }
        sequence.next_element_seed(Locate { steps: rest, ..self })?;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some((Step::Entry(index), rest)) = self.steps.split_first() else { return Err(A::Error::custom(HERE)) };
        for _ in 0..*index {
            access.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if self.of_key && rest.is_empty() {
            access.next_key_seed(Here)?;
            return Ok(());
        }
        access.next_key::<IgnoredAny>()?;
        access.next_value_seed(Locate { steps: rest, ..self })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        let (_, content) = access.variant::<IgnoredAny>()?;
        content.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_and_key_has_a_position() {
        let text = "a: 1\nb:\n  - x: {y: z}\n  -   q: !file p\n      q: 2\n";
        let b = Step::Entry(1);
        for (steps, of_key, expected) in [
            (vec![Step::Entry(0)], true, (1, 1)),
            (vec![Step::Entry(0)], false, (1, 4)),
            (vec![b], true, (2, 1)),
            (vec![b, Step::Item(0), Step::Entry(0)], true, (3, 5)),
            (vec![b, Step::Item(0), Step::Entry(0), Step::Entry(0)], false, (3, 12)),
            (vec![b, Step::Item(1), Step::Entry(0)], false, (4, 10)),
            (vec![b, Step::Item(1), Step::Entry(1)], true, (5, 7)),
            (vec![b, Step::Item(1)], false, (4, 7)),
        ] {
            assert_eq!(locate(text, &steps, of_key), Some(expected), "{steps:?} {of_key}");
        }
    }

    #[test]
    fn duplicates_and_tags_are_kept() {
        let node = read("a: 1\na: !file x\n? b\n: [ON, \"1\", 1.5, ~]\n").expect("a tree");
        let expected = Node::Mapping(vec![
            ("a".to_owned(), Node::Integer(1)),
            ("a".to_owned(), Node::Tagged("file".to_owned(), Box::new(Node::Text("x".to_owned())))),
            (
                "b".to_owned(),
                Node::List(vec![
                    Node::Text("ON".to_owned()),
                    Node::Text("1".to_owned()),
                    Node::Decimal(1.5),
                    Node::Null,
                ]),
            ),
        ]);
        assert_eq!(node, expected);
        assert_eq!(read("# nothing\n"), Ok(Node::Null));
    }

    #[test]
    fn size_nesting_and_aliases_are_bounded() {
        let flow = |levels: usize| format!("a: {}{}", "[".repeat(levels), "]".repeat(levels));
        let bomb = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, index| {
            let alias = format!("*a{}", index - 1);
            format!("{text}a{index}: &a{index} [{}]\n", vec![alias; 10].join(", "))
        });
        let deep = (0..40).map(|level| format!("{}k:\n", " ".repeat(level))).collect::<String>();
        for (text, found) in [
            ("x".repeat(TEXT_BYTES_MAX + 1), "expected at most 1048576 bytes"),
            (flow(NESTING_LEVELS_MAX + 1), "expected at most 32 levels"),
            (flow(500_000), "expected at most 32 levels"),
            ("- ".repeat(500_000), "expected at most 32 levels"),
            (deep, "expected at most 32 levels"),
            (bomb, "expected at most 100000 values"),
            ("a: [x".to_owned(), "did not find expected"),
            ("a: *b".to_owned(), "unknown anchor"),
            ("a: \u{0}".to_owned(), "control characters"),
        ] {
            let error = read(&text).expect_err(found);
            assert!(error.message.contains(found), "{} instead of {found}", error.message);
        }
        assert!(read(&flow(NESTING_LEVELS_MAX - 2)).is_ok());
        assert!(read(&"x".repeat(1000)).is_ok());
        assert!(read("a: &x [1]\nb: *x\n").is_ok(), "an alias is no bomb");
        let odd: String = (0..100).map(|n| format!("k{n}: \"it's [odd\" # [[[[\n")).collect();
        assert!(read(&odd).is_ok(), "brackets in quotes and comments are no nesting");
    }
}
