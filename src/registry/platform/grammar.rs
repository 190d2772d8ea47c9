//! What one command topic takes, as data, and the reading of a payload by it.
//!
//! A grammar has words (payloads with a fixed meaning) and perhaps a free value. Home Assistant renders both through
//! the entity's command template, so what a payload means is found by rendering the template for each word and
//! comparing. Where a payload fits several meanings, the strictest counts.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::matching::{self, Fit};
use super::{Reading, secret, template};
use crate::config::payload::{Json, Payload, scalar_text};
use crate::model::action::{Class, class_of};
use crate::model::entity::Entity;

/// Most words of one grammar that are held against a payload. Options of a `select` beyond it cannot be read.
pub(super) const WORDS_MAX: usize = 128;
/// Fields by which devices take a command as JSON, though discovery says nothing of JSON.
const COMMAND_FIELDS: [&str; 5] = ["action", "cmd", "command", "state", "value"];
/// Stands in the place of a code while a template is rendered: digits, so that it survives quotes and `int` alike.
pub(super) const CODE_MARK: &str = "734019825461873";

/// What a payload asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Meaning {
    pub(super) action: String,
    pub(super) data: BTreeMap<String, Value>,
    pub(super) text: Option<String>,
    pub(super) expected: Option<String>,
    /// Sensitive though its action may be ordinary.
    pub(super) is_sensitive: bool,
}

impl Meaning {
    pub(super) fn of(action: &str) -> Meaning {
        Meaning { action: action.to_owned(), ..Meaning::default() }
    }

    pub(super) fn then(mut self, state: &str) -> Meaning {
        self.expected = Some(state.to_owned());
        self
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Meaning {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn sensitive(mut self, is_sensitive: bool) -> Meaning {
        self.is_sensitive |= is_sensitive;
        self
    }

    pub(super) fn is_strict(&self) -> bool {
        self.is_sensitive || class_of(&self.action) == Class::Sensitive
    }

    pub(super) fn into_reading(self) -> Reading {
        let Meaning { action, data, text, expected, is_sensitive } = self;
        Reading { action, data, text, is_readable: true, expected, is_sensitive }
    }
}

/// A payload with a fixed meaning. Of equals the first in the grammar counts.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// What Home Assistant hands to the template, or publishes where there is none.
    pub(super) payload: Value,
    pub(super) meaning: Meaning,
    /// A template of its own.
    pub(super) template: Option<String>,
}

/// Which free values there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
}

/// The meaning of a value. `None`: it has none.
type MeaningOf<'a> = Box<dyn Fn(&Value) -> Option<Meaning> + 'a>;

/// What any other value means.
pub(super) struct Free<'a> {
    pub(super) kind: Kind,
    pub(super) meaning: MeaningOf<'a>,
}

impl fmt::Debug for Free<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Free").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Reads a whole payload by rules of its own: JSON with several fields.
pub(super) type Whole<'a> = Box<dyn Fn(&Payload<'_>) -> Option<Meaning> + 'a>;

/// Variables of a template besides `value`, made from the value.
pub(super) type Variables = fn(&Entity, &Value) -> Vec<(&'static str, Value)>;

/// What one command topic takes. The default takes nothing.
#[derive(Default)]
pub(super) struct Grammar<'a> {
    pub(super) words: Vec<Word>,
    pub(super) free: Option<Free<'a>>,
    pub(super) whole: Option<Whole<'a>>,
    /// What a payload means whose value cannot be found, on a topic that takes one kind of command only.
    pub(super) otherwise: Option<Meaning>,
    pub(super) template: Option<&'a str>,
    pub(super) variables: Option<Variables>,
}

impl fmt::Debug for Grammar<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Grammar").field("words", &self.words).finish_non_exhaustive()
    }
}

/// A meaning that a payload fits, and how well.
struct Candidate {
    meaning: Meaning,
    is_exact: bool,
}

impl<'a> Grammar<'a> {
    pub(super) fn new(template: Option<&'a str>) -> Grammar<'a> {
        Grammar { template: template.filter(|template| !template.is_empty()), ..Grammar::default() }
    }

    /// `None` adds nothing: there is no such command.
    pub(super) fn word(self, payload: Option<String>, meaning: Meaning) -> Grammar<'a> {
        match payload {
            Some(payload) => self.word_of(Value::from(payload), meaning),
            None => self,
        }
    }

    pub(super) fn word_of(mut self, payload: Value, meaning: Meaning) -> Grammar<'a> {
        if self.words.len() < WORDS_MAX {
            self.words.push(Word { payload, meaning, template: None });
        }
        self
    }

    pub(super) fn free(mut self, kind: Kind, meaning: impl Fn(&Value) -> Option<Meaning> + 'a) -> Grammar<'a> {
        self.free = Some(Free { kind, meaning: Box::new(meaning) });
        self
    }

    /// `None`: the payload cannot be read.
    pub(super) fn read(&self, entity: &Entity, payload: &Payload<'_>) -> Option<Reading> {
        payload.text()?;
        let whole = self.whole.as_ref().and_then(|whole| whole(payload));
        let mut candidates: Vec<Candidate> =
            whole.into_iter().map(|meaning| Candidate { meaning, is_exact: true }).collect();
        candidates.extend(self.words.iter().filter_map(|word| self.fits(entity, word, payload)));
        if candidates.is_empty() {
            candidates.extend(self.fits_free(entity, payload));
        }
        let found = strictest(candidates).or_else(|| self.scan(payload)).or_else(|| self.otherwise.clone())?;
        Some(found.into_reading())
    }

    fn fits(&self, entity: &Entity, word: &Word, payload: &Payload<'_>) -> Option<Candidate> {
        let fit = match word.template.as_deref().or(self.template) {
            None => matching::compare(&scalar_text(&word.payload), payload),
            Some(source) => self.fits_template(entity, source, &word.payload, payload),
        }?;
        let mut meaning = word.meaning.clone();
        if fit.has_code {
            meaning.data.insert("code_given".to_owned(), Value::Bool(true));
        }
        Some(Candidate { meaning, is_exact: fit.is_exact })
    }

    fn fits_template(&self, entity: &Entity, source: &str, value: &Value, payload: &Payload<'_>) -> Option<Fit> {
        // Without a code some templates leave its field out, so both renderings count.
        let codes = if source.contains("code") { vec![Value::Null, Value::from(CODE_MARK)] } else { vec![Value::Null] };
        codes.iter().find_map(|code| matching::compare(&self.render(entity, source, value, code)?, payload))
    }

    fn render(&self, entity: &Entity, source: &str, value: &Value, code: &Value) -> Option<String> {
        let mut variables = variables_of(entity, value, code);
        variables.extend(self.variables.iter().flat_map(|variables| variables(entity, value)));
        template::render(source, &variables)
    }

    /// A free value is found by its place in the rendered template; then the template is rendered with it again, and
    /// only what comes out the same counts.
    fn fits_free(&self, entity: &Entity, payload: &Payload<'_>) -> Option<Candidate> {
        let free = self.free.as_ref()?;
        let text = payload.text()?;
        let values = match self.template {
            None => vec![value_of(free.kind, text)?],
            Some(source) => {
                let render = |value: &Value| self.render(entity, source, value, &Value::Null);
                let found = match free.kind {
                    Kind::Number => matching::find_number(payload, &render),
                    Kind::Text => matching::find_text(payload, &render),
                };
                let is_same =
                    |value: &Value| render(value).is_some_and(|text| matching::compare(&text, payload).is_some());
                found.into_iter().filter(is_same).collect()
            }
        };
        let told = |value: &Value| match (free.kind, value.as_f64()) {
            (Kind::Number, Some(number)) => (free.meaning)(&super::number_value(number)),
            _ => (free.meaning)(value),
        };
        let meaning = values.iter().find_map(told)?;
        Some(Candidate { meaning, is_exact: true })
    }

    /// The last resort, where a template cannot be rendered or a payload says more than it should: words that occur.
    /// A sensitive one counts wherever it stands; an ordinary one only if nothing else is said.
    fn scan(&self, payload: &Payload<'_>) -> Option<Meaning> {
        let mut scalars = Vec::new();
        let mut has_code = false;
        let is_plain = match payload.json() {
            Json::Value { value, has_case_twins } => {
                collect(value, &mut scalars, &mut has_code);
                !has_case_twins && value.as_object().is_some_and(is_plain_command)
            }
            Json::Ambiguous(_) => return None,
            Json::None => {
                let is_part = |character: char| character.is_alphanumeric() || character == '_';
                scalars.extend(payload.text()?.split(|character| !is_part(character)).map(str::to_owned));
                false
            }
        };
        let word_of =
            |scalar: &String| self.words.iter().find(|word| matching::is_same(&scalar_text(&word.payload), scalar));
        let found: Vec<Option<&Word>> = scalars.iter().map(word_of).collect();
        let strict = found.iter().flatten().find(|word| word.meaning.is_strict());
        let only = found.first().copied().flatten().filter(|_| is_plain && found.len() == 1);
        let mut meaning = strict.copied().or(only)?.meaning.clone();
        if has_code {
            meaning.data.insert("code_given".to_owned(), Value::Bool(true));
        }
        Some(meaning)
    }
}

/// The payload that Home Assistant sends for a command of its own, through the template under this key, without a code.
/// `None`: there is no such command, or its template cannot be rendered.
pub(super) fn command(entity: &Entity, template: &str, payload: Option<String>) -> Option<String> {
    let payload = payload?;
    let Some(source) = entity.text(template).filter(|source| !source.is_empty()) else { return Some(payload) };
    let value = Value::from(payload);
    let variables = [("state", value.clone()), ("action", value.clone())];
    let variables = variables.into_iter().chain(variables_of(entity, &value, &Value::Null));
    template::render(source, &variables.collect::<Vec<_>>()).filter(|rendered| !rendered.is_empty())
}

/// What every command template knows.
fn variables_of(entity: &Entity, value: &Value, code: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("value", value.clone()),
        ("code", code.clone()),
        ("entity_id", Value::from(entity.entity_id.as_str())),
        ("name", Value::from(entity.name.as_str())),
    ]
}

fn strictest(candidates: Vec<Candidate>) -> Option<Meaning> {
    let rank = |candidate: &Candidate| (candidate.meaning.is_strict(), candidate.is_exact);
    // `max_by_key` would take the last of equals.
    let best = candidates.into_iter().reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })?;
    Some(best.meaning)
}

/// Whether an object says by a usual name what is to be done, and nothing more: not even a code, which may be a new one.
fn is_plain_command(fields: &Map<String, Value>) -> bool {
    fields.len() == 1 && fields.keys().all(|name| COMMAND_FIELDS.contains(&name.as_str()))
}

/// All scalars of a value, codes left out.
fn collect(value: &Value, scalars: &mut Vec<String>, has_code: &mut bool) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                // A code is one value. What stands in its place with fields of its own may be a second command.
                let is_code = secret::is_secret(name) && !field.is_object() && !field.is_array();
                if is_code {
                    *has_code |= !field.is_null();
                } else {
                    collect(field, scalars, has_code);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, scalars, has_code)),
        other => scalars.push(scalar_text(other)),
    }
}

/// A payload as a value of its kind.
pub(super) fn value_of(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::from(text)),
        Kind::Number => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite())?;
            Some(super::number_value(number))
        }
    }
}
