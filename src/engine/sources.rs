//! Who seems to have asked: traces in Home Assistant's streams, matched with the commands that follow them.
//!
//! A trace belongs to a command by entity, action and age, never by being the last one; each counts once. Streams can be
//! forged, so what they say is `likely` at best, and makes the bridge stricter only: nobody gains a channel by it, and
//! who asked still counts as unknown. What fits nothing stays unknown.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::config::Config;
use crate::model::request::{Certainty, Clue, Evidence, Source, SourceKind};

/// Calls that wait for their commands. The oldest one goes first.
const CALLS_MAX: usize = 256;
/// How long after its call a command may come. Home Assistant writes both on one connection, within milliseconds.
const CALL_AGE_MAX_MS: u64 = 2_000;
/// Sentences, and triggers of automations, that are remembered.
const CAUSES_MAX: usize = 64;
/// How long a conversation agent may think before it calls: a language model takes its time.
const CONVERSATION_AGE_MAX_MS: u64 = 5_000;
/// Within this time of the sentence the call is likely to be its work.
const CONVERSATION_LIKELY_MS: u64 = 2_000;
/// How long after its trigger an automation's call may come.
const AUTOMATION_AGE_MAX_MS: u64 = 2_000;
/// Within this time of the trigger the call is likely to be its work.
const AUTOMATION_LIKELY_MS: u64 = 200;
/// Satellites that are remembered.
const SATELLITES_MAX: usize = 64;
/// How long a satellite may listen and think. Longer, and its state is a forgotten one.
const SATELLITE_AGE_MAX_MS: u64 = 30_000;
/// The bridge's own calls that are awaited in the streams.
const OWN_CALLS_MAX: usize = 64;
/// How long Home Assistant may take to carry out what the bridge has released.
const OWN_CALL_AGE_MAX_MS: u64 = 5_000;

/// A call that waits for its command.
#[derive(Debug)]
struct Call {
    action: String,
    /// Empty where the call names none.
    entity: String,
    at_ms: u64,
    /// Made of one of `homeassistant.*`, which is followed by the call of the entity's own domain.
    is_general: bool,
}

/// A sentence that a conversation agent has taken in.
#[derive(Debug)]
struct Sentence {
    user: Option<String>,
    at_ms: u64,
}

/// What a satellite does.
#[derive(Debug)]
struct Satellite {
    state: String,
    since_ms: u64,
}

/// What the streams have told lately.
#[derive(Debug, Default)]
pub(super) struct Sources {
    calls: VecDeque<Call>,
    sentences: VecDeque<Sentence>,
    automations: VecDeque<u64>,
    satellites: BTreeMap<String, Satellite>,
    own: VecDeque<Call>,
}

/// Adds to a bounded list; the oldest one goes.
fn push<T>(list: &mut VecDeque<T>, item: T, count_max: usize) {
    if list.len() >= count_max {
        list.pop_front();
    }
    list.push_back(item);
}

impl Sources {
    /// Whether nothing was told, so that nothing can be found.
    pub(super) fn is_silent(&self) -> bool {
        self.calls.is_empty()
    }

    /// A service was called for an entity.
    pub(super) fn note_call(&mut self, action: &str, entity: &str, is_general: bool, now_ms: u64) {
        self.calls.retain(|call| now_ms.saturating_sub(call.at_ms) <= CALL_AGE_MAX_MS);
        if !is_general {
            // One command follows two calls: the general one and that of the domain, which takes its place.
            let general = |call: &Call| call.is_general && call.entity == entity && call.action == action;
            if let Some(index) = self.calls.iter().position(general) {
                self.calls.remove(index);
            }
        }
        let call = Call { action: action.to_owned(), entity: entity.to_owned(), at_ms: now_ms, is_general };
        push(&mut self.calls, call, CALLS_MAX);
    }

    pub(super) fn note_sentence(&mut self, user: Option<String>, now_ms: u64) {
        push(&mut self.sentences, Sentence { user, at_ms: now_ms }, CAUSES_MAX);
    }

    pub(super) fn note_automation(&mut self, now_ms: u64) {
        push(&mut self.automations, now_ms, CAUSES_MAX);
    }

    pub(super) fn note_satellite(&mut self, entity: String, state: String, now_ms: u64) {
        let is_new = !self.satellites.contains_key(&entity);
        if is_new && self.satellites.len() >= SATELLITES_MAX {
            let oldest = self.satellites.iter().min_by_key(|(_, satellite)| satellite.since_ms);
            if let Some(oldest) = oldest.map(|(oldest, _)| oldest.clone()) {
                self.satellites.remove(&oldest);
            }
        }
        self.satellites.insert(entity, Satellite { state, since_ms: now_ms });
    }

    /// The bridge lets Home Assistant do something; the call will show in the streams.
    pub(super) fn note_own(&mut self, action: &str, entity: &str, now_ms: u64) {
        let call = Call { action: action.to_owned(), entity: entity.to_owned(), at_ms: now_ms, is_general: false };
        push(&mut self.own, call, OWN_CALLS_MAX);
    }

    /// Whether a call is the bridge's own. Each is recognised once.
    pub(super) fn take_own(&mut self, action: &str, entity: &str, now_ms: u64) -> bool {
        self.own.retain(|call| now_ms.saturating_sub(call.at_ms) <= OWN_CALL_AGE_MAX_MS);
        let same = |call: &Call| call.entity == entity && call.action == action;
        let index = self.own.iter().position(same);
        index.and_then(|index| self.own.remove(index)).is_some()
    }

    /// When the call was made that a command for this entity comes from. It is used up.
    pub(super) fn take_call(&mut self, action: &str, entity: &str, now_ms: u64) -> Option<u64> {
        let fits = |call: &Call| {
            call.entity == entity
                && now_ms.saturating_sub(call.at_ms) <= CALL_AGE_MAX_MS
                && may_become(&call.action, action)
        };
        let index = self.calls.iter().position(fits)?;
        self.calls.remove(index).map(|call| call.at_ms)
    }

    /// Who seems to have made a call. `None`: nothing fits.
    pub(super) fn source_of(&self, call_ms: u64, now_ms: u64, config: &Config) -> Option<Source> {
        self.by_voice(call_ms, now_ms, config).or_else(|| self.by_automation(call_ms, now_ms))
    }

    fn by_voice(&self, call_ms: u64, now_ms: u64, config: &Config) -> Option<Source> {
        let near = |time_ms: u64, within_ms: u64| time_ms.saturating_add(within_ms) >= call_ms;
        let fitting = || self.sentences.iter().filter(|sentence| near(sentence.at_ms, CONVERSATION_AGE_MAX_MS));
        let latest_ms = fitting().map(|sentence| sentence.at_ms).max()?;
        // An automation that was triggered since then may have called as well.
        let is_alone = !self.automations.iter().any(|at_ms| *at_ms >= latest_ms && near(*at_ms, AUTOMATION_AGE_MAX_MS));
        let is_near = latest_ms <= call_ms && near(latest_ms, CONVERSATION_LIKELY_MS);
        let certainty = if is_alone && is_near { Certainty::Likely } else { Certainty::Possible };
        let age_ms = now_ms.saturating_sub(latest_ms);
        let mut users: BTreeSet<&str> = fitting().filter_map(|sentence| sentence.user.as_deref()).collect();
        let active: Vec<(&String, &Satellite)> =
            self.satellites.iter().filter(|(_, satellite)| satellite.is_active(latest_ms)).collect();
        let channels = config.channels.iter().filter(|(_, channel)| {
            channel.person.as_deref().is_some_and(|user| users.contains(user))
                || channel.satellite.as_ref().is_some_and(|entity| active.iter().any(|(name, _)| *name == entity))
        });
        let likely_channels: Vec<String> = channels.map(|(name, _)| name.clone()).collect();
        // A sentence of nobody known beside one of Anna's leaves it open whether she asked.
        let is_one = users.len() == 1 && fitting().all(|sentence| sentence.user.is_some());
        let person = users.pop_first().filter(|_| is_one);
        let person = person.map(|user| Clue { name: user.to_owned(), evidence: Evidence { certainty, age_ms } });
        let satellite = match active.as_slice() {
            [(name, satellite)] => {
                let certainty = if satellite.state == "processing" { certainty } else { Certainty::Possible };
                let age_ms = now_ms.saturating_sub(satellite.since_ms);
                Some(Clue { name: (*name).clone(), evidence: Evidence { certainty, age_ms } })
            }
            _ => None,
        };
        let evidence = Some(Evidence { certainty, age_ms });
        Some(Source { kind: SourceKind::Voice, evidence, satellite, person, likely_channels, ..Source::default() })
    }

    fn by_automation(&self, call_ms: u64, now_ms: u64) -> Option<Source> {
        let fits = |at_ms: &&u64| **at_ms <= call_ms && at_ms.saturating_add(AUTOMATION_AGE_MAX_MS) >= call_ms;
        let latest_ms = self.automations.iter().filter(fits).max()?;
        let is_near = latest_ms.saturating_add(AUTOMATION_LIKELY_MS) >= call_ms;
        let certainty = if is_near { Certainty::Likely } else { Certainty::Possible };
        let evidence = Some(Evidence { certainty, age_ms: now_ms.saturating_sub(*latest_ms) });
        Some(Source { kind: SourceKind::Automation, evidence, ..Source::default() })
    }
}

impl Satellite {
    /// Whether it was at work when a sentence was taken in.
    fn is_active(&self, sentence_ms: u64) -> bool {
        matches!(self.state.as_str(), "listening" | "processing" | "responding")
            && self.since_ms.saturating_add(SATELLITE_AGE_MAX_MS) >= sentence_ms
    }
}

/// Whether a call can become a command with this meaning: a toggle becomes what it toggles to, and the opening of a
/// cover that is a garage door is called so.
fn may_become(called: &str, action: &str) -> bool {
    if called == action {
        return true;
    }
    let (Some((domain, service)), Some((of_domain, to))) = (called.split_once('.'), action.split_once('.')) else {
        return false;
    };
    if domain != of_domain {
        return false;
    }
    match service {
        "toggle" => ["turn_on", "turn_off", "open_", "close_", "stop_"].iter().any(|start| to.starts_with(start)),
        "open_cover" => to == "open_garage",
        _ => false,
    }
}

#[cfg(test)]
mod tests;
