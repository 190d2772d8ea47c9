//! Typed reading of a configuration's tree: every mistake becomes an error with its place, and reading goes on.
//!
//! It resolves `${NAME}` and `!file`, and never repeats in an error what came from there.

use std::collections::BTreeSet;

use super::Secrets;
use super::error::ConfigError;
use super::node::{self, Node, Position, Step};
use super::pattern::Malformed;
use crate::script::nearest::did_you_mean_one_of;

/// Errors that one reading reports. What is behind them is read once these are put right.
pub(super) const ERRORS_MAX: usize = 20;
/// Longest scalar of a configuration, in bytes, after `${NAME}` and `!file`.
pub(super) const SCALAR_BYTES_MAX: usize = 16 * 1024;

/// A value and the way to it.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'n> {
    node: &'n Node,
    steps: Vec<Step>,
    path: String,
}

impl<'n> Cursor<'n> {
    pub(super) fn root(node: &'n Node) -> Cursor<'n> {
        Cursor { node, steps: Vec::new(), path: String::new() }
    }

    fn entry(&self, index: usize, key: &str, node: &'n Node) -> Cursor<'n> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.step(Step::Entry(index), path, node)
    }

    fn item(&self, index: usize, node: &'n Node) -> Cursor<'n> {
        self.step(Step::Item(index), format!("{}[{index}]", self.path), node)
    }

    fn step(&self, step: Step, path: String, node: &'n Node) -> Cursor<'n> {
        let mut steps = self.steps.clone();
        steps.push(step);
        Cursor { node, steps, path }
    }

    fn is_null(&self) -> bool {
        matches!(self.node, Node::Null)
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.node, Node::Text(_) | Node::Tagged(..))
    }

    /// `key:` with nothing behind it.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self.node, Node::Null)
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node, Node::List(_))
    }

    pub(super) fn is_empty_list(&self) -> bool {
        matches!(self.node, Node::List(items) if items.is_empty())
    }

    /// The value of a key, where this is a mapping that has it.
    pub(super) fn child(&self, key: &str) -> Option<Cursor<'n>> {
        let Node::Mapping(entries) = self.node else { return None };
        let (index, (_, node)) = entries.iter().enumerate().find(|(_, (name, _))| name == key)?;
        Some(self.entry(index, key, node))
    }

    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.node, Node::Mapping(_))
    }
}

/// A text that was read, and whether some of it is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub text: String,
    pub is_secret: bool,
}

impl Scalar {
    /// What an error may say of it.
    pub(super) fn shown(&self) -> String {
        if self.is_secret {
            "a value from the environment or a file".to_owned()
        } else {
            format!("`{}`", self.text.chars().take(100).collect::<String>().escape_debug())
        }
    }
}

/// The entries of one mapping with known keys.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    pub cursor: Cursor<'n>,
    entries: Vec<(&'n str, Cursor<'n>)>,
}

impl<'n> Fields<'n> {
    /// The value of a key. An empty value is as good as none.
    pub(super) fn get(&self, key: &str) -> Option<&Cursor<'n>> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, cursor)| cursor).filter(|cursor| !cursor.is_null())
    }
}

/// One reading of one text.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    secrets: &'a dyn Secrets,
    errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, secrets: &'a dyn Secrets) -> Reader<'a> {
        Reader { file, text, secrets, errors: Vec::new() }
    }

    pub(super) fn into_errors(mut self) -> Vec<ConfigError> {
        self.errors.sort_by_key(|error| (error.line, error.column));
        self.errors
    }

    /// An error at a value.
    pub(super) fn error(&mut self, cursor: &Cursor<'_>, message: impl Into<String>, help: Option<String>) {
        self.error_at(cursor, false, message.into(), help);
    }

    /// An error at the key of a value.
    pub(super) fn key_error(&mut self, cursor: &Cursor<'_>, message: impl Into<String>, help: Option<String>) {
        self.error_at(cursor, true, message.into(), help);
    }

    fn error_at(&mut self, cursor: &Cursor<'_>, of_key: bool, message: String, help: Option<String>) {
        if self.errors.len() < ERRORS_MAX {
            let position = node::locate(self.text, &cursor.steps, of_key);
            self.push(position, cursor.path.clone(), message, help);
        }
    }

    pub(super) fn push(&mut self, position: Option<Position>, path: String, message: String, help: Option<String>) {
        let (line, column) = position.unwrap_or((0, 0));
        self.errors.push(ConfigError { file: self.file.to_owned(), line, column, path, message, help });
    }

    /// An error about a pattern or template. Its message repeats the text, so a secret gets another one.
    pub(super) fn malformed(&mut self, cursor: &Cursor<'_>, scalar: &Scalar, malformed: Malformed) {
        if scalar.is_secret {
            let help = Some("look at what the environment or the file holds".to_owned());
            self.error(cursor, format!("expected a well-formed text, found {}", scalar.shown()), help);
        } else {
            self.error(cursor, malformed.message, malformed.help);
        }
    }

    /// Refuses keys that stand twice, anywhere in the tree.
    pub(super) fn refuse_duplicates(&mut self, cursor: &Cursor<'_>) {
        match cursor.node {
            Node::Mapping(entries) => {
                let mut seen = BTreeSet::new();
                for (index, (key, node)) in entries.iter().enumerate() {
                    let entry = cursor.entry(index, key, node);
                    if !seen.insert(key) {
                        self.key_error(
                            &entry,
                            format!("expected each key once, found `{key}` twice"),
                            Some("remove one of the two; only one of them could count".to_owned()),
                        );
                    }
                    self.refuse_duplicates(&entry);
                }
            }
            Node::List(items) => {
                for (index, node) in items.iter().enumerate() {
                    self.refuse_duplicates(&cursor.item(index, node));
                }
            }
            Node::Tagged(_, node) => self.refuse_duplicates(&Cursor { node, ..cursor.clone() }),
            Node::Null | Node::Flag(_) | Node::Integer(_) | Node::Decimal(_) | Node::Text(_) => {}
        }
    }

    /// A mapping with known keys; an unknown one is an error.
    pub(super) fn fields<'n>(&mut self, cursor: &Cursor<'n>, keys: &[&'static str]) -> Fields<'n> {
        let entries = self.entries(cursor, usize::MAX);
        for (key, entry) in &entries {
            if !keys.contains(key) {
                let help = did_you_mean_one_of(key, keys.iter().copied());
                self.key_error(entry, format!("expected a known key, found `{key}`"), help);
            }
        }
        Fields { cursor: cursor.clone(), entries }
    }

    /// The entries of a mapping with names that the owner gives.
    pub(super) fn entries<'n>(&mut self, cursor: &Cursor<'n>, count_max: usize) -> Vec<(&'n str, Cursor<'n>)> {
        let Node::Mapping(entries) = cursor.node else {
            if !cursor.is_null() {
                self.wrong_kind(cursor, "a mapping (`key: value`)");
            }
            return Vec::new();
        };
        self.bound(cursor, entries.len(), count_max);
        let entries = entries.iter().take(count_max).enumerate();
        entries.map(|(index, (key, node))| (key.as_str(), cursor.entry(index, key, node))).collect()
    }

    pub(super) fn list<'n>(&mut self, cursor: &Cursor<'n>, count_max: usize) -> Vec<Cursor<'n>> {
        let Node::List(items) = cursor.node else {
            if !cursor.is_null() {
                self.wrong_kind(cursor, "a list (`- …`)");
            }
            return Vec::new();
        };
        self.bound(cursor, items.len(), count_max);
        items.iter().take(count_max).enumerate().map(|(index, node)| cursor.item(index, node)).collect()
    }

    fn bound(&mut self, cursor: &Cursor<'_>, count: usize, count_max: usize) {
        if count > count_max {
            let help = Some("leave some out, or join them by a pattern".to_owned());
            self.error(cursor, format!("expected at most {count_max} entries, found {count}"), help);
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required<'f, 'n>(&mut self, fields: &'f Fields<'n>, key: &str) -> Option<&'f Cursor<'n>> {
        let found = fields.get(key);
        if found.is_none() {
            let help = Some(format!("add `{key}: …`"));
            self.error(&fields.cursor, format!("expected the key `{key}`, found none"), help);
        }
        found
    }

    /// A text. Numbers and truth values are errors where only text makes sense, since YAML has read them already.
    pub(super) fn text(&mut self, cursor: &Cursor<'_>) -> Option<Scalar> {
        match self.resolve(cursor.node) {
            Ok(scalar) => scalar.or_else(|| {
                self.wrong_kind(cursor, "a text");
                None
            }),
            Err(malformed) => {
                self.error(cursor, malformed.message, malformed.help);
                None
            }
        }
    }

    /// The text of a value that was read before: its errors have been told.
    pub(super) fn peek(&self, cursor: &Cursor<'_>) -> Option<Scalar> {
        self.resolve(cursor.node).ok().flatten()
    }

    /// A payload or template: a text, or a number or truth value as it is commonly written.
    pub(super) fn scalar(&mut self, cursor: &Cursor<'_>) -> Option<Scalar> {
        let text = match cursor.node {
            Node::Flag(value) => value.to_string(),
            Node::Integer(value) => value.to_string(),
            _ => return self.text(cursor),
        };
        Some(Scalar { text, is_secret: false })
    }

    pub(super) fn flag(&mut self, cursor: &Cursor<'_>) -> Option<bool> {
        if let Node::Flag(value) = cursor.node {
            return Some(*value);
        }
        if let Node::Text(_) | Node::Tagged(..) = cursor.node {
            // `${NAME}` can only give text.
            let scalar = self.text(cursor)?;
            match scalar.text.as_str() {
                "true" if scalar.is_secret => return Some(true),
                "false" if scalar.is_secret => return Some(false),
                _ => {}
            }
        }
        self.wrong_kind(cursor, "`true` or `false`");
        None
    }

    pub(super) fn number(&mut self, cursor: &Cursor<'_>) -> Option<f64> {
        let text = match cursor.node {
            Node::Integer(value) => value.to_string(),
            Node::Decimal(value) => return Some(*value),
            Node::Text(_) | Node::Tagged(..) => self.text(cursor)?.text,
            _ => String::new(),
        };
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        if number.is_none() {
            self.wrong_kind(cursor, "a number");
        }
        number
    }

    /// A value of any scalar kind, for comparing with a payload's field.
    pub(super) fn value(&mut self, cursor: &Cursor<'_>) -> Option<serde_json::Value> {
        match cursor.node {
            Node::Flag(value) => Some((*value).into()),
            Node::Integer(value) => Some((*value).into()),
            Node::Decimal(value) => Some((*value).into()),
            _ => self.text(cursor).map(|scalar| scalar.text.into()),
        }
    }

    pub(super) fn wrong_kind(&mut self, cursor: &Cursor<'_>, expected: &str) {
        let quote = |text: &str| Some(format!("put it in quotes: `\"{text}\"`"));
        let (found, help) = match cursor.node {
            Node::Null => ("nothing".to_owned(), None),
            Node::Flag(value) => (format!("`{value}`"), quote(&value.to_string())),
            Node::Integer(value) => (format!("the number `{value}`"), quote(&value.to_string())),
            Node::Decimal(value) => (format!("the number `{value}`"), quote(&value.to_string())),
            Node::Text(text) if text.contains("${") => ("a value from the environment".to_owned(), None),
            Node::Text(text) => (Scalar { text: text.clone(), is_secret: false }.shown(), None),
            Node::List(_) => ("a list".to_owned(), None),
            Node::Mapping(_) => ("a mapping".to_owned(), None),
            Node::Tagged(tag, _) => (format!("a value with the tag `!{tag}`"), None),
        };
        let help = help.filter(|_| expected == "a text").unwrap_or_else(|| format!("write {expected}"));
        self.error(cursor, format!("expected {expected}, found {found}"), Some(help));
    }

    /// The text of a value with `${NAME}` and `!file` put in. `None`: it is no text.
    fn resolve(&self, node: &Node) -> Result<Option<Scalar>, Malformed> {
        let scalar = match node {
            Node::Text(text) => self.expand(text)?,
            Node::Tagged(tag, node) => self.tagged(tag, node)?,
            _ => return Ok(None),
        };
        if scalar.text.len() > SCALAR_BYTES_MAX {
            let message = format!("expected at most {SCALAR_BYTES_MAX} bytes, found {}", scalar.text.len());
            return Err(Malformed::new(message, "shorten it"));
        }
        Ok(Some(scalar))
    }

    fn tagged(&self, tag: &str, node: &Node) -> Result<Scalar, Malformed> {
        if tag != "file" {
            let message = format!("expected the tag `!file`, found `!{tag}`");
            return Err(Malformed::new(message, "write `!file path`, or leave the tag out"));
        }
        let Node::Text(path) = node else {
            return Err(Malformed::new("expected a path after `!file`, found something else", "write `!file path`"));
        };
        match self.secrets.file(path) {
            Ok(text) => Ok(Scalar { text: text.trim_end_matches(['\r', '\n']).to_owned(), is_secret: true }),
            Err(reason) => {
                let message = format!("expected a readable file, found `{path}`: {reason}");
                Err(Malformed::new(message, "create the file, or name another"))
            }
        }
    }

    /// Puts in the environment's values. `$${` writes `${`.
    fn expand(&self, text: &str) -> Result<Scalar, Malformed> {
        let mut scalar = Scalar { text: String::new(), is_secret: false };
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                scalar.text.push_str(before);
                scalar.text.push_str("${");
                rest = behind;
                continue;
            }
            let name = behind.split_once('}').filter(|(name, _)| is_environment_name(name));
            let Some((name, after)) = name else {
                return Err(Malformed::new(
                    "expected the name of an environment variable after `${`, found another text",
                    "write `${NAME}`, or `$${` for the characters themselves",
                ));
            };
            let Some(value) = self.secrets.environment(name) else {
                return Err(Malformed::new(
                    format!("expected the environment variable `{name}`, found it unset"),
                    format!("set it before starting: `export {name}=…`"),
                ));
            };
            scalar.text.push_str(before);
            scalar.text.push_str(&value);
            scalar.is_secret = true;
            rest = after;
        }
        scalar.text.push_str(rest);
        Ok(scalar)
    }
}

fn is_environment_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
