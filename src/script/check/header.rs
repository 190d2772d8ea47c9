//! Reading the constants at the top of a script, each mistake at its place.
//!
//! What the values are for is the affair of those who ask for them.

use std::collections::BTreeMap;

use rhai::Dynamic;

use super::functions::Function;
use crate::model::topic::TopicFilter;
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::kinds::shown;
use crate::script::nearest::did_you_mean;

/// The constants of one script, as they are read.
#[derive(Debug)]
pub struct Reader<'a> {
    pub script: Script<'a>,
    /// Where each constant is defined.
    pub places: &'a BTreeMap<String, Place>,
    pub constants: &'a BTreeMap<String, Dynamic>,
    /// What stands outside of functions.
    pub outside: &'a Function,
    pub findings: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub fn refuse(&mut self, name: &str, message: String, help: Option<String>) {
        let place = self.places.get(name).copied().unwrap_or_default();
        self.findings.push(self.script.error("header", place, message).with_help(help));
    }

    /// Refuses one item of a list.
    pub fn refuse_item(&mut self, name: &str, index: usize, message: String, help: Option<String>) {
        let place = self.outside.place_of_item(name, index).unwrap_or_default();
        self.findings.push(self.script.error("header", place, message).with_help(help));
    }

    /// A list of texts, or one text. `what` is what so many of them are called.
    pub fn texts(&mut self, name: &str, what: &str, count_max: usize) -> Vec<String> {
        let Some(value) = self.constants.get(name) else { return Vec::new() };
        if value.is_string() {
            return vec![value.to_string()];
        }
        let items: Option<Vec<String>> = value
            .as_array_ref()
            .ok()
            .and_then(|items| items.iter().map(|item| item.is_string().then(|| item.to_string())).collect());
        match items {
            Some(items) if items.len() > count_max => {
                self.refuse(name, format!("expected at most {count_max} {what}, found `{}`", items.len()), None);
                Vec::new()
            }
            Some(items) => items,
            None => {
                self.refuse(name, format!("expected a list of texts, found {}", shown(value)), None);
                Vec::new()
            }
        }
    }

    /// Topic filters. `objection` says what is wrong with one that is valid, and what to write.
    pub fn filters(
        &mut self,
        name: &str,
        count_max: usize,
        objection: impl Fn(&TopicFilter) -> Option<(String, String)>,
    ) -> Vec<TopicFilter> {
        let mut filters = Vec::new();
        for (index, text) in self.texts(name, "filters", count_max).into_iter().enumerate() {
            match TopicFilter::new(&text) {
                Ok(filter) => match objection(&filter) {
                    Some((message, help)) => self.refuse_item(name, index, message, Some(help)),
                    None => filters.push(filter),
                },
                Err(error) => {
                    self.refuse_item(name, index, format!("expected a topic filter, found `{text}`: {error}"), None);
                }
            }
        }
        filters
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
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

    /// Some of several words.
    pub fn choices(&mut self, name: &str, choices: &[&str]) -> Vec<String> {
        let words = self.texts(name, "words", choices.len());
        for (index, word) in words.iter().enumerate().filter(|(_, word)| !choices.contains(&word.as_str())) {
            let message = format!("expected `{}` in `{name}`, found `{word}`", choices.join("` or `"));
            self.refuse_item(name, index, message, did_you_mean(word, choices.iter().copied()));
        }
        words
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        let value = self.constants.get(name)?;
        if value.is_string() {
            return Some(value.to_string());
        }
        self.refuse(name, format!("expected a text for `{name}`, found {}", shown(value)), None);
        None
    }

    pub fn truth(&mut self, name: &str) -> Option<bool> {
        let value = self.constants.get(name)?;
        let truth = value.as_bool().ok();
        if truth.is_none() {
            self.refuse(name, format!("expected true or false for `{name}`, found {}", shown(value)), None);
        }
        truth
    }
}
