//! The constants at the top of a policy: when it is called, how strict it is, and the owner's own.
//!
//! They are read once, when the policy is loaded. Nothing that runs later can change them.

use std::collections::BTreeMap;

use rhai::{AST, Dynamic, Scope};

use super::host::Host;
use crate::config::is_heard_twice;
use crate::model::glob::Glob;
use crate::model::mode::Mode;
use crate::model::topic::TopicFilter;
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::failure::Failure;
use crate::script::kinds::shown;
use crate::script::nearest::did_you_mean;

/// What a policy says when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Sensitive: deny. Ordinary: no opinion.
    #[default]
    ByClass,
    Deny,
    Confirm,
    /// No opinion.
    None,
}

/// The header of one policy.
#[derive(Debug)]
pub(super) struct Header {
    pub actions: Vec<Glob>,
    pub events: Vec<Glob>,
    pub topics: Vec<TopicFilter>,
    pub mode: Mode,
    pub on_error: OnError,
    pub enabled: bool,
    /// All constants, the bridge's own included.
    pub constants: BTreeMap<String, Dynamic>,
}

/// Constants that the bridge reads.
pub(super) const OWN: &[&str] = &["ACTIONS", "EVENTS", "TOPICS", "MODE", "ON_ERROR", "ENABLED"];

/// Patterns of one of `ACTIONS`, `EVENTS`, `TOPICS`.
pub(super) const PATTERNS_MAX: usize = 64;

/// Evaluates and reads the header. `places` are where each constant is defined.
pub(super) fn read(
    script: Script<'_>,
    ast: &AST,
    places: &BTreeMap<String, Place>,
    host: &Host,
) -> Result<Header, Vec<Diagnostic>> {
    let mut scope = Scope::new();
    host.meter.begin();
    if let Err(error) = host.engine.run_ast_with_scope(&mut scope, ast) {
        let failure = Failure::of(&error);
        return Err(vec![script.error("header", failure.place, failure.message)]);
    }
    let constants = scope.iter().map(|(name, _, value)| (name.to_owned(), value)).collect();
    let base = &host.catalog.base;
    let mut reader = Reader { script, places, constants: &constants, base, findings: Vec::new() };
    let actions = reader.texts("ACTIONS").into_iter().map(Glob::new).collect();
    let events = reader.texts("EVENTS").into_iter().map(Glob::new).collect();
    let topics = reader.topics();
    let mode = reader.choice("MODE", &[("enforce", Mode::Enforce), ("observe", Mode::Observe)]);
    let on_error =
        reader.choice("ON_ERROR", &[("deny", OnError::Deny), ("confirm", OnError::Confirm), ("none", OnError::None)]);
    let enabled = reader.truth("ENABLED");
    if !reader.findings.is_empty() {
        return Err(reader.findings);
    }
    Ok(Header {
        actions,
        events,
        topics,
        mode: mode.unwrap_or(Mode::Enforce),
        on_error: on_error.unwrap_or_default(),
        enabled: enabled.unwrap_or(true),
        constants,
    })
}

struct Reader<'a> {
    script: Script<'a>,
    places: &'a BTreeMap<String, Place>,
    constants: &'a BTreeMap<String, Dynamic>,
    base: &'a str,
    findings: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn refuse(&mut self, name: &str, message: String, help: Option<String>) {
        let place = self.places.get(name).copied().unwrap_or_default();
        self.findings.push(self.script.error("header", place, message).with_help(help));
    }

    /// A list of texts, or one text.
    fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.constants.get(name) else { return Vec::new() };
        if value.is_string() {
            return vec![value.to_string()];
        }
        let items: Option<Vec<String>> = value
            .as_array_ref()
            .ok()
            .and_then(|items| items.iter().map(|item| item.is_string().then(|| item.to_string())).collect());
        match items {
            Some(items) if items.len() > PATTERNS_MAX => {
                self.refuse(name, format!("expected at most {PATTERNS_MAX} patterns, found `{}`", items.len()), None);
                Vec::new()
            }
            Some(items) => items,
            None => {
                self.refuse(name, format!("expected a list of texts, found {}", shown(value)), None);
                Vec::new()
            }
        }
    }

    fn topics(&mut self) -> Vec<TopicFilter> {
        let mut topics = Vec::new();
        for text in self.texts("TOPICS") {
            match TopicFilter::new(&text) {
                Ok(filter) if is_heard_twice(self.base, &filter) => {
                    let message =
                        format!("expected topics of the house, found `{text}`: it reaches into the bridge's own");
                    self.refuse(
                        "TOPICS",
                        message,
                        Some("begin the filter with the first level that you mean".to_owned()),
                    );
                }
                Ok(filter) => topics.push(filter),
                Err(error) => self.refuse("TOPICS", format!("expected a topic filter, found `{text}`: {error}"), None),
            }
        }
        topics
    }

    fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.constants.get(name)?;
        let text = value.to_string();
        if let Some((_, choice)) = choices.iter().find(|(word, _)| value.is_string() && *word == text) {
            return Some(*choice);
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
        let help = did_you_mean(&text, choices.iter().map(|(word, _)| *word));
        self.refuse(name, format!("expected {} for `{name}`, found {}", words.join(" or "), shown(value)), help);
        None
    }

    fn truth(&mut self, name: &str) -> Option<bool> {
        let value = self.constants.get(name)?;
        let truth = value.as_bool().ok();
        if truth.is_none() {
            self.refuse(name, format!("expected true or false for `{name}`, found {}", shown(value)), None);
        }
        truth
    }
}
