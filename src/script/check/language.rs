//! What a language of scripts is like: the functions that the bridge calls, what they are given, and the words.
//!
//! It is data. Policies and integrations each give theirs.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Engine;

use crate::script::fields::Field;
use crate::script::kinds::Kind;

/// Every word that a script can say, and with how many values.
pub type Vocabulary = BTreeMap<String, BTreeSet<usize>>;

/// The words that are registered in an engine. Operators and fields are none.
pub fn vocabulary(engine: &Engine) -> Vocabulary {
    let words =
        engine.collect_fn_metadata(None, |info| Some((info.metadata.name.to_string(), info.metadata.num_params)), true);
    let mut vocabulary = Vocabulary::new();
    for (name, parameters) in words.into_iter().filter(|(name, _)| rhai::is_valid_identifier(name)) {
        vocabulary.entry(name).or_default().insert(parameters);
    }
    // Called by `${…}` in a text; owners say `to_text`.
    vocabulary.remove("to_string");
    vocabulary
}

/// A language.
#[derive(Debug)]
pub struct Language {
    /// What one script is, as owners call it: `policy`.
    pub script: &'static str,
    pub hooks: &'static [Hook],
    /// Constants that the bridge reads.
    pub constants: &'static [&'static str],
    /// What a word gives, where it is always the same, besides the pure words.
    pub results: &'static [(Kind, &'static [&'static str])],
    /// How a word is written.
    pub usage: fn(&str) -> Option<&'static str>,
    /// What to write into a script that has no hook.
    pub beginning: &'static str,
}

/// A function that the bridge calls.
#[derive(Debug)]
pub struct Hook {
    pub name: &'static str,
    /// The constant without which it is never called, and which has no effect without it.
    pub header: Option<&'static str>,
    pub parameters: &'static [Parameter],
}

/// What a hook is given.
#[derive(Debug, PartialEq)]
pub struct Parameter {
    /// As owners usually call it.
    pub name: &'static str,
    pub is: Given,
}

/// A value that a hook is given.
#[derive(Debug, Clone, Copy)]
pub enum Given {
    Value(Kind),
    Thing(&'static Shape),
}

/// A value of the bridge, such as a request.
#[derive(Debug)]
pub struct Shape {
    /// `request`
    pub name: &'static str,
    pub fields: &'static [Field],
    /// Words that are said of it with a dot, and of nothing that lacks them.
    pub words: &'static [&'static str],
}

impl Given {
    pub fn kind(self) -> Kind {
        match self {
            Given::Value(kind) => kind,
            Given::Thing(shape) => Kind::Other(shape.name),
        }
    }
}

impl PartialEq for Given {
    fn eq(&self, other: &Given) -> bool {
        self.kind() == other.kind()
    }
}

impl Language {
    /// The hook of this name.
    pub fn hook(&self, name: &str) -> Option<&'static Hook> {
        self.hooks.iter().find(|hook| hook.name == name)
    }

    /// What is said of some shape with a dot.
    pub fn is_word_of_a_shape(&self, word: &str) -> bool {
        let given = self.hooks.iter().flat_map(|hook| hook.parameters).map(|parameter| parameter.is);
        let mut words = given.filter_map(|given| match given {
            Given::Thing(shape) => Some(shape.words),
            Given::Value(_) => None,
        });
        words.any(|words| words.contains(&word))
    }
}

impl Hook {
    /// `mute(speaker, what)`
    pub fn signature(&self) -> String {
        let names: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
        format!("{}({})", self.name, names.join(", "))
    }
}
