//! What is wrong with the bridge or around it, for the binary sensor *problem*.
//!
//! Each reason says what stands, and goes when it no longer does. A forgery was put right at once; it is told until the
//! day ends, so that somebody hears of it.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cut;
use super::speakers::Speakers;
use crate::model::decision::Enforcement;
use crate::model::event::{Entry, Overheard, Record};

/// Guarded topics with a problem that are remembered. One more is told without its name, until the bridge starts again.
const GUARDS_MAX: usize = 1_024;
/// Forged topics that are told. One more, and the oldest is forgotten.
const FORGED_MAX: usize = 16;
/// Reasons that are told. What is beyond is counted.
const REASONS_MAX: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Problems {
    guards: BTreeMap<String, String>,
    has_more_guards: bool,
    /// By policy: as many as there are policies.
    failing: BTreeMap<String, String>,
    /// By integration: as many as there are integrations.
    failing_integrations: BTreeMap<String, String>,
    speakers: Speakers,
    not_loaded: Option<String>,
    integrations_not_loaded: Option<String>,
    not_enforced: Option<String>,
    forged: VecDeque<(String, Timestamp)>,
    /// By channel: as many as there are channels.
    locked: BTreeMap<String, Timestamp>,
    overheard: BTreeMap<String, String>,
    wrong_clock: Option<Timestamp>,
    no_journal: Option<String>,
}

impl Problems {
    /// Takes in a record. Whether it changes anything here.
    pub(super) fn record(&mut self, record: &Record) -> bool {
        let locked = self.locked.len();
        // A lock that is over goes with the first record after its end.
        self.locked.retain(|_, until| *until > record.at);
        self.takes_in(record) || self.locked.len() != locked
    }

    fn takes_in(&mut self, record: &Record) -> bool {
        match &record.entry {
            Entry::Guarded { topic, problem, .. } => self.guarded(topic, problem.as_deref()),
            Entry::PolicyFailed { error } => {
                let place = format!("{}:{}:{}", error.file, error.line, error.column);
                self.failing.insert(error.policy.clone(), format!("{place}: {}", error.message));
            }
            Entry::IntegrationFailed { error } => {
                let place = format!("{}:{}:{}", error.file, error.line, error.column);
                self.failing_integrations.insert(error.policy.clone(), format!("{place}: {}", error.message));
            }
            Entry::IntegrationsReloaded { .. } => {
                self.failing_integrations.clear();
                self.integrations_not_loaded = None;
                self.speakers = Speakers::default();
            }
            Entry::Reloaded { .. } => {
                self.failing.clear();
                self.not_loaded = None;
            }
            Entry::ReloadRefused { errors, integrations } => {
                let first = errors.first().map_or("they could not be read", String::as_str);
                let not_loaded = if *integrations { &mut self.integrations_not_loaded } else { &mut self.not_loaded };
                *not_loaded = Some(first.to_owned());
            }
            Entry::Canary { enforcement, reason } => {
                self.not_enforced = (*enforcement == Enforcement::NotEnforced).then(|| reason.clone());
            }
            Entry::Forged { topic } => {
                self.forged.retain(|(forged, _)| forged != topic);
                self.forged.push_back((topic.clone(), record.at));
                if self.forged.len() > FORGED_MAX {
                    self.forged.pop_front();
                }
            }
            Entry::Journal { failure } => self.no_journal.clone_from(failure),
            Entry::ChannelLocked { channel, until } => {
                self.locked.insert(channel.clone(), *until);
            }
            Entry::ChannelOverheard { overheard: Overheard { channel, problem: Some(problem) } } => {
                self.overheard.insert(channel.clone(), problem.clone());
            }
            Entry::ChannelOverheard { overheard: Overheard { channel, problem: None } } => {
                self.overheard.remove(channel);
            }
            Entry::Clock { plausible, utc } => self.wrong_clock = (!plausible).then_some(*utc),
            _ => return self.speakers.takes_in(&record.entry),
        }
        true
    }

    fn guarded(&mut self, topic: &str, problem: Option<&str>) {
        match problem {
            None => {
                self.guards.remove(topic);
            }
            Some(_) if self.guards.len() >= GUARDS_MAX && !self.guards.contains_key(topic) => {
                self.has_more_guards = true;
            }
            Some(problem) => {
                self.guards.insert(topic.to_owned(), problem.to_owned());
            }
        }
    }

    pub(super) fn a_day_ends(&mut self) {
        self.forged.clear();
    }

    /// `problem`, the `reasons`, and whether there are changes to accept.
    pub(super) fn told(&self) -> Value {
        let mut reasons = self.reasons();
        let more = reasons.len().saturating_sub(REASONS_MAX);
        reasons.truncate(REASONS_MAX);
        if more > 0 {
            reasons.push(format!("and {more} more"));
        }
        json!({
            "problem": if reasons.is_empty() { "OFF" } else { "ON" },
            "reasons": reasons,
            "has_changes": !self.guards.is_empty() || self.has_more_guards,
        })
    }

    fn reasons(&self) -> Vec<String> {
        let journal = self.no_journal.iter();
        let journal =
            journal.map(|reason| format!("the journal cannot be written, so what is sensitive is denied: {reason}"));
        let enforced = self.not_enforced.iter().map(|reason| format!("the way around the bridge is open: {reason}"));
        let clock = self.wrong_clock.iter().map(|utc| format!("the clock cannot be right: it shows {utc}"));
        let not_loaded = [("policies", &self.not_loaded), ("integrations", &self.integrations_not_loaded)];
        let loaded = not_loaded
            .into_iter()
            .filter_map(|(what, error)| Some(format!("new {what} were not loaded: {}", error.as_ref()?)));
        let failing = self.failing.iter().map(|(policy, error)| format!("the policy `{policy}` failed: {error}"));
        let integrations = self.failing_integrations.iter();
        let integrations = integrations.map(|(name, error)| format!("the integration `{name}` failed: {error}"));
        let guards = self.guards.iter().map(|(topic, problem)| format!("`{topic}`: {problem}"));
        let more = self.has_more_guards.then(|| "more guarded topics have changed than can be named".to_owned());
        let forged = self.forged.iter();
        let forged = forged.map(|(topic, at)| format!("another client wrote `{topic}` at {at}; it was put right"));
        let locked = self.locked.iter();
        let locked = locked.map(|(channel, until)| {
            format!("too many wrong codes: the channel `{channel}` is locked until {until:.0}")
        });
        let overheard = self.overheard.iter().map(|(channel, problem)| format!("the channel `{channel}`: {problem}"));
        let all = journal
            .chain(enforced)
            .chain(locked)
            .chain(overheard)
            .chain(clock)
            .chain(loaded)
            .chain(failing)
            .chain(integrations)
            .chain(self.speakers.reasons())
            .chain(guards)
            .chain(more)
            .chain(forged);
        all.map(|reason| cut(&reason).into_owned()).collect()
    }
}
