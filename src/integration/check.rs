//! What can be found wrong with an integration before it runs, beyond what any script can get wrong.
//!
//! It looks at the script as written and at its header; it runs no function.

mod literals;
mod names;
mod promises;
mod sends;

use std::collections::BTreeMap;

use rhai::Dynamic;

use super::header::{self, Header};
use super::values::{QUESTION_FIELDS, SPEAKER_FIELDS};
use super::words;
use crate::config::Config;
use crate::model::request::ToldNames;
use crate::script::check;
use crate::script::check::functions::Function;
use crate::script::check::language::{Given, Hook, Language, Parameter, Shape, Vocabulary};
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::kinds::Kind;
use crate::script::message;

pub(super) use names::Asked;

/// The language of integrations.
pub(super) const LANGUAGE: &Language = &Language {
    script: "integration",
    hooks: &[
        Hook { name: "on_message", header: Some("TOPICS"), parameters: &[MESSAGE] },
        Hook { name: "on_command", header: Some("COMMANDS"), parameters: &[MESSAGE] },
        Hook { name: "mute", header: Some("MUTES"), parameters: &[SPEAKER, WHAT] },
        Hook { name: "unmute", header: Some("MUTES"), parameters: &[SPEAKER, WHAT] },
        Hook { name: "announce", header: None, parameters: &[SPEAKER, TEXT, ID] },
        Hook { name: "ask", header: None, parameters: &[SPEAKER, QUESTION] },
        Hook { name: "cancel", header: None, parameters: &[SPEAKER, QUESTION] },
        Hook { name: "enforce", header: None, parameters: &[SPEAKER] },
        Hook { name: "observe", header: None, parameters: &[SPEAKER] },
    ],
    constants: header::OWN,
    results: &[(Kind::Text, &["base", "speaker_by", "statestream"]), (Kind::List, &["speakers"])],
    usage: words::usage,
    beginning: "write `fn on_message(message) { … }` and `const TOPICS = [\"…\"];`",
};

const MESSAGE: Parameter = Parameter { name: "message", is: Given::Thing(message::SHAPE) };
const SPEAKER: Parameter = Parameter {
    name: "speaker",
    is: Given::Thing(&Shape { name: "speaker", fields: SPEAKER_FIELDS, words: &["setting"] }),
};
const QUESTION: Parameter =
    Parameter { name: "question", is: Given::Thing(&Shape { name: "question", fields: QUESTION_FIELDS, words: &[] }) };
const WHAT: Parameter = Parameter { name: "what", is: Given::Value(Kind::Text) };
const TEXT: Parameter = Parameter { name: "text", is: Given::Value(Kind::Text) };
const ID: Parameter = Parameter { name: "id", is: Given::Value(Kind::Text) };

/// One integration under examination.
pub(super) struct Examined<'a> {
    pub script: Script<'a>,
    pub functions: &'a [Function],
    /// Where each constant is defined.
    pub places: &'a BTreeMap<String, Place>,
    pub constants: &'a BTreeMap<String, Dynamic>,
    pub header: &'a Header,
    pub config: &'a Config,
    pub vocabulary: &'a Vocabulary,
}

/// Everything beyond the outline.
pub(super) fn meaning(examined: &Examined<'_>) -> Vec<Diagnostic> {
    let common = examined.common();
    let mut findings = check::meaning(&common);
    literals::check(examined, &common, &mut findings);
    promises::check(examined, &mut findings);
    sends::check(examined, &mut findings);
    findings
}

impl<'a> Examined<'a> {
    fn common(&self) -> check::Examined<'a> {
        let Examined { script, functions, constants, vocabulary, .. } = *self;
        check::Examined { script, functions, constants, language: LANGUAGE, vocabulary }
    }

    fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// Whether some function says this word.
    fn says(&self, word: &str) -> bool {
        self.functions.iter().any(|function| function.calls(word))
    }

    /// What the script asks the configuration for.
    pub(super) fn asked(&self) -> Asked {
        names::asked(self)
    }

    /// The events and actions that the script names.
    pub(super) fn told(&self) -> ToldNames {
        names::told(self)
    }
}
