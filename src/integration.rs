//! Integrations: what the messages of a family of speakers mean, how it is muted, and how it speaks. Each is one script.
//!
//! An integration reads and writes messages; it judges nothing, keeps nothing that outlives the process, and sends to
//! its own declared topics only. What it reads comes back as values; what it does wrong is told, and opens nothing.
//! `docs/integrations.md` goes through it step by step.

mod built_in;
mod check;
mod compile;
mod context;
mod header;
mod hooks;
mod host;
mod items;
mod load;
mod said;
mod values;
pub mod words;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::config::Config;
use crate::model::decision::PolicyError;
use crate::model::event::ScriptSource;
use crate::model::message::Message;
use crate::model::request::ToldNames;
use crate::model::speaker::What;
use crate::model::topic::TopicFilter;
use crate::script::diagnostics::Diagnostic;
use crate::script::sandbox::Stopwatch;
use compile::Integration;

pub use built_in::SHIPPED;
pub use compile::{CONFIGURATION, Checked, check};
pub use context::{MEMORY_BYTES_MAX, MEMORY_ENTRIES_MAX};
pub use header::FILTERS_MAX;
pub use hooks::ITEMS_MAX;
pub use items::{Items, SeenRequest, Token};
pub use load::INTEGRATION_BYTES_MAX;
pub use values::Question;

/// The integrations that are in use, by name. Engine and wire share them through the registry; a reload takes effect for
/// both at once.
pub struct Integrations {
    config: Rc<Config>,
    stopwatch: Option<Stopwatch>,
    loaded: RefCell<Rc<BTreeMap<String, Integration>>>,
    /// What went wrong since it was last asked for.
    failures: RefCell<Vec<PolicyError>>,
}

impl fmt::Debug for Integrations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Integrations").field("names", &self.names()).finish_non_exhaustive()
    }
}

/// What an integration says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ability {
    /// What muting the microphone achieves, honestly.
    pub grade: Option<String>,
    pub mutes_mic: bool,
    pub mutes_sound: bool,
    pub announces: bool,
    pub asks: bool,
    /// Feedback proves that a mute took.
    pub confirms_mutes: bool,
    /// Feedback proves that an announcement was spoken.
    pub confirms_announcements: bool,
}

impl Ability {
    /// What of this can be muted. `None`: nothing of it.
    pub fn mutable(&self, what: What) -> Option<What> {
        match (what, self.mutes_mic, self.mutes_sound) {
            (What::Mic | What::Both, true, false) => Some(What::Mic),
            (What::Sound | What::Both, false, true) => Some(What::Sound),
            (_, true, true) => Some(what),
            _ => None,
        }
    }
}

/// The topics of one integration, as its script declares them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    pub name: String,
    /// What it reads.
    pub reads: Vec<TopicFilter>,
    /// Where its devices take commands.
    pub commands: Vec<TopicFilter>,
    /// Where it sends.
    pub sends: Vec<TopicFilter>,
}

impl Integrations {
    /// Compiles the integrations that the configuration uses: the owner's own, and the shipped ones of other names.
    ///
    /// # Errors
    /// All that is wrong with them, and names for which there is none.
    pub fn compile(
        config: &Rc<Config>,
        own: &[ScriptSource],
        stopwatch: Option<Stopwatch>,
    ) -> Result<Integrations, Vec<Diagnostic>> {
        let loaded = compile::all(config, own, stopwatch.as_ref())?;
        Ok(Integrations {
            config: Rc::clone(config),
            stopwatch,
            loaded: RefCell::new(Rc::new(loaded)),
            failures: RefCell::default(),
        })
    }

    /// None at all.
    pub fn none(config: &Config) -> Integrations {
        Integrations {
            config: Rc::new(config.clone()),
            stopwatch: None,
            loaded: RefCell::default(),
            failures: RefCell::default(),
        }
    }

    /// Takes new texts of the owner's integrations over, whole or not at all. What those that stay have remembered stays.
    ///
    /// # Errors
    /// All that is wrong with them; then the old ones go on.
    pub fn reload(&self, own: &[ScriptSource]) -> Result<(), Vec<Diagnostic>> {
        let loaded = compile::all(&self.config, own, self.stopwatch.as_ref())?;
        let old = self.loaded.replace(Rc::new(loaded));
        for (name, integration) in self.running().iter() {
            if let Some(old) = old.get(name) {
                integration.context.memory.swap(&old.context.memory);
            }
        }
        Ok(())
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.loaded.borrow().keys().cloned().collect()
    }

    /// Whether some integration listens to a topic.
    pub fn reads(&self, topic: &str) -> bool {
        self.loaded.borrow().values().any(|integration| integration.reads(topic))
    }

    /// The events and actions that they name, for rules.
    pub fn told_names(&self) -> ToldNames {
        compile::told_names(&self.loaded.borrow())
    }

    /// What they read.
    pub fn topics(&self) -> Vec<TopicFilter> {
        self.loaded.borrow().values().flat_map(|integration| integration.topics.clone()).collect()
    }

    /// The topics of each.
    pub fn traffic(&self) -> Vec<Traffic> {
        let traffic = |(name, integration): (&String, &Integration)| Traffic {
            name: name.clone(),
            reads: integration.topics.clone(),
            commands: integration.commands.clone(),
            sends: integration.sends.clone(),
        };
        self.running().iter().map(traffic).collect()
    }

    /// Where commands of theirs are.
    pub fn command_topics(&self) -> Vec<TopicFilter> {
        self.loaded.borrow().values().flat_map(|integration| integration.commands.clone()).collect()
    }

    /// Whether messages on a topic are commands.
    pub fn is_command_topic(&self, topic: &str) -> bool {
        self.loaded.borrow().values().any(|integration| integration.reads_commands(topic))
    }

    /// What a speaker's integration can do. `None`: the speaker has none.
    pub fn ability(&self, speaker: &str) -> Option<Ability> {
        let name = self.config.speakers.get(speaker)?.integration.as_ref()?;
        self.loaded.borrow().get(name).map(Integration::ability)
    }

    /// What went wrong since this was last asked.
    pub fn take_failures(&self) -> Vec<PolicyError> {
        self.failures.take()
    }

    /// How much went wrong since `take_failures` was last called.
    pub fn failures(&self) -> usize {
        self.failures.borrow().len()
    }

    /// What a message says, to each integration that listens to its topic.
    pub fn on_message(&self, message: &Message) -> Items {
        hooks::on_message(self, message)
    }

    /// What a command asks for. `None`: no integration knows its topic. An empty list: it cannot be read.
    pub fn on_command(&self, message: &Message) -> Option<Vec<SeenRequest>> {
        hooks::on_command(self, message)
    }

    fn running(&self) -> Rc<BTreeMap<String, Integration>> {
        Rc::clone(&self.loaded.borrow())
    }

    fn fail(&self, error: PolicyError) {
        self.failures.borrow_mut().push(error);
    }
}
