//! All integrations of a house, compiled together or not at all.
//!
//! One that is wrong is refused, and with it all: nothing runs with half of the speakers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use super::Ability;
use super::built_in::SHIPPED;
use super::check::Asked;
use super::context::Context;
use super::host::Host;
use super::load::load;
use crate::config::integrations::is_name;
use crate::config::{Channel, Config};
use crate::model::event::ScriptSource;
use crate::model::request::ToldNames;
use crate::model::topic::TopicFilter;
use crate::script::bodies::Entry;
use crate::script::diagnostics::{Diagnostic, Place, Script, Severity};
use crate::script::nearest::did_you_mean;
use crate::script::sandbox::Stopwatch;

mod settings;

/// What findings about the configuration name as their file: it was read before.
pub const CONFIGURATION: &str = "the configuration";

/// One integration that is in use.
pub(super) struct Integration {
    pub file: String,
    pub topics: Vec<TopicFilter>,
    pub commands: Vec<TopicFilter>,
    pub sends: Vec<TopicFilter>,
    pub functions: BTreeMap<&'static str, Entry>,
    pub context: Rc<Context>,
    pub host: Rc<Host>,
    pub ability: Ability,
    pub asked: Asked,
    pub told: ToldNames,
}

impl fmt::Debug for Integration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Integration").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Integration {
    pub(super) fn ability(&self) -> Ability {
        self.ability.clone()
    }

    pub(super) fn reads(&self, topic: &str) -> bool {
        self.topics.iter().any(|filter| filter.matches(topic))
    }

    pub(super) fn reads_commands(&self, topic: &str) -> bool {
        self.commands.iter().any(|filter| filter.matches(topic))
    }

    /// Whether it may publish there: to its own declared topics.
    pub(super) fn may_send(&self, topic: &str) -> bool {
        self.sends.iter().any(|filter| filter.matches(topic))
    }
}

/// The integrations that the configuration uses.
pub(super) fn all(
    config: &Rc<Config>,
    own: &[ScriptSource],
    stopwatch: Option<&Stopwatch>,
) -> Result<BTreeMap<String, Integration>, Vec<Diagnostic>> {
    let (loaded, findings) = load_all(config, &config.integrations_in_use(), own, stopwatch);
    let errors: Vec<Diagnostic> = findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

/// What is found without running anything.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Everything that is wrong with the owner's integrations, with those that the configuration uses, and with what it
    /// says of them; by file and place.
    pub findings: Vec<Diagnostic>,
    /// How many were looked at.
    pub count: usize,
    /// The events and actions that those in use name, for rules.
    pub told: ToldNames,
}

/// Looks over the owner's integrations, in use or not, and the shipped ones that the configuration uses.
pub fn check(config: &Rc<Config>, own: &[ScriptSource]) -> Checked {
    let in_use = config.integrations_in_use();
    let names: BTreeSet<&str> = in_use.iter().copied().chain(own.iter().map(|source| source.name.as_str())).collect();
    let (mut loaded, mut findings) = load_all(config, &names, own, None);
    // A copy of what is shipped lies there to be changed.
    let is_copy = |source: &ScriptSource| SHIPPED.contains(&(source.name.as_str(), source.text.as_str()));
    let is_unused = |source: &&ScriptSource| !in_use.contains(source.name.as_str()) && !is_copy(source);
    for source in own.iter().filter(is_unused) {
        let script = Script { file: &source.file, text: &source.text };
        if !is_name(&source.name) {
            let message = format!("expected a name of small letters, digits and `_`, found `{}`", source.name);
            let help = "give the file another name, so that the configuration can name it";
            findings.push(script.warning("name", Place::default(), message).with_help(Some(help)));
            continue;
        }
        let message = "no speaker uses this integration, so nothing of it is done".to_owned();
        let name = &source.name;
        let help = format!("write `integration: {name}` at a speaker, or `use: {{{name}: {{}}}}` under `integrations`");
        findings.push(script.note("unused", Place::default(), message).with_help(Some(help)));
    }
    settings::check(config, &loaded, &mut findings);
    findings.sort_by(|left, right| (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column)));
    loaded.retain(|name, _| in_use.contains(name.as_str()));
    Checked { findings, count: names.len(), told: told_names(&loaded) }
}

/// The events and actions that integrations name, for rules.
pub(super) fn told_names(loaded: &BTreeMap<String, Integration>) -> ToldNames {
    let mut all = ToldNames::default();
    for Integration { told, .. } in loaded.values() {
        all.events.extend(told.events.iter().cloned());
        all.actions.extend(told.actions.iter().cloned());
    }
    all
}

fn load_all(
    config: &Rc<Config>,
    names: &BTreeSet<&str>,
    own: &[ScriptSource],
    stopwatch: Option<&Stopwatch>,
) -> (BTreeMap<String, Integration>, Vec<Diagnostic>) {
    let host = Rc::new(Host::new(stopwatch.cloned()));
    let (mut loaded, mut findings) = (BTreeMap::new(), Vec::new());
    for name in names {
        let Some(source) = source(name, own) else {
            findings.push(unknown(name, own));
            continue;
        };
        let (integration, found) = load(&source, config, &host);
        findings.extend(found);
        loaded.extend(integration.map(|integration| ((*name).to_owned(), integration)));
    }
    findings.extend(who_cannot_ask(config, &loaded));
    (loaded, findings)
}

/// Channels that are asked through a speaker whose integration cannot ask: their questions would reach nobody.
fn who_cannot_ask(config: &Config, loaded: &BTreeMap<String, Integration>) -> Vec<Diagnostic> {
    let refused = |(channel, asked): (&String, &Channel)| {
        let speaker = asked.speaker.as_ref()?;
        let name = config.speakers.get(speaker)?.integration.as_ref()?;
        let integration = loaded.get(name).filter(|integration| !integration.ability.asks)?;
        let script = Script { file: &integration.file, text: "" };
        let message =
            format!("expected a function `ask`, found none: the channel `{channel}` is asked through `{speaker}`");
        let help = "write `fn ask(speaker, question) { … }`, or leave `speaker` out at the channel";
        Some(script.error("no-ask", Place::default(), message).with_help(Some(help)))
    };
    config.channels.iter().filter_map(refused).collect()
}

/// The text of an integration: the owner's own before the shipped one.
fn source(name: &str, own: &[ScriptSource]) -> Option<ScriptSource> {
    let shipped = || {
        let (name, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
        let file = format!("{name}.rhai, as it is shipped");
        Some(ScriptSource { name: (*name).to_owned(), file, text: (*text).to_owned() })
    };
    own.iter().find(|source| source.name == name).cloned().or_else(shipped)
}

fn unknown(name: &str, own: &[ScriptSource]) -> Diagnostic {
    let script = Script { file: CONFIGURATION, text: "" };
    let names = own.iter().map(|source| source.name.as_str()).chain(SHIPPED.iter().map(|(name, _)| *name));
    let message = format!("expected the name of an integration, found `{name}`: there is none of this name");
    let help = did_you_mean(name, names).unwrap_or_else(|| format!("put `{name}.rhai` into the folder `integrations`"));
    script.error("unknown-integration", Place::default(), message).with_help(Some(help))
}
