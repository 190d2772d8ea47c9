//! What the words of an integration speak to: its settings, its speakers, and a small memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Dynamic, NativeCallContext};
use serde_json::Value;

use crate::config::Config;
use crate::script::current::{Current, Surroundings};
use crate::script::operators::Outcome;

/// Entries of an integration's memory. One more is refused.
pub const MEMORY_ENTRIES_MAX: usize = 256;
/// Longest key or text in the memory, in bytes.
pub const MEMORY_BYTES_MAX: usize = 1024;

/// One integration, as its words see it.
#[derive(Debug)]
pub(super) struct Context {
    pub name: String,
    pub config: Rc<Config>,
    pub constants: RefCell<BTreeMap<String, Dynamic>>,
    pub memory: RefCell<BTreeMap<String, Value>>,
}

impl Context {
    /// A setting of the integration itself.
    pub(super) fn setting(&self, name: &str) -> Option<&Value> {
        self.config.integrations.get(&self.name)?.get(name)
    }

    /// The names of its speakers.
    pub(super) fn speakers(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, Value>)> {
        let is_own = |integration: &Option<String>| integration.as_deref() == Some(self.name.as_str());
        let own = self.config.speakers.iter().filter(move |(_, speaker)| is_own(&speaker.integration));
        own.map(|(name, speaker)| (name.as_str(), &speaker.settings))
    }

    /// The speaker whose setting has this value; one without the setting goes by its name.
    pub(super) fn speaker_by(&self, setting: &str, value: &str) -> Option<&str> {
        let is_it = |(name, settings): &(&str, &BTreeMap<String, Value>)| match settings.get(setting) {
            Some(Value::String(text)) => text == value,
            Some(Value::Number(number)) => *value == *number.to_string(),
            Some(_) => false,
            None => *name == value,
        };
        self.speakers().find(is_it).map(|(name, _)| name)
    }
}

impl Surroundings for Context {
    fn constant(&self, name: &str) -> Option<Dynamic> {
        self.constants.borrow().get(name).cloned()
    }
}

/// The integration that a word is said in.
pub(super) fn context_of(context: &NativeCallContext) -> Outcome<Rc<Context>> {
    Current::of_word(context)
}
