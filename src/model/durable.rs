//! What must outlive the process: held requests, mutes, counters, memories, switches.
//!
//! Facts are not here: they are learned again. Timers are not here: they are derived from this.
//! Every change is a value (`Change`), so that a store can follow along; `apply` is the only way to make one.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decision::Outcome;
use super::entity::Guard;
use super::mode::Mode;
use super::speaker::What;
use super::time::At;

mod away;
mod questions;

pub use away::{AWAY_MAX_MS, Away};
pub use questions::{
    Codes, Item, LOCK_MS, PROMPTS_KEPT_MS, PROMPTS_MAX, Pending, Prompt, PromptCounts, WRONG_CODES_MAX,
    WRONG_CODES_WINDOW_MS,
};

/// Entries that one counter keeps. A counter that is full forgets its oldest entry.
pub const COUNTER_ENTRIES_MAX: usize = 1_024;
/// Counters of one policy.
pub const COUNTERS_MAX: usize = 64;
/// Remembered values of one policy.
pub const MEMORIES_MAX: usize = 64;

/// A channel may do something for a while without a confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub channel: String,
    /// An action or a pattern of actions.
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Monotonic.
    pub until_ms: u64,
    /// The same instant for people.
    pub until: Timestamp,
    /// The decision that allowed it.
    pub by: String,
}

/// A speaker is muted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    #[serde(default)]
    pub what: What,
    /// What of it somebody else had muted before it began, by its own report: that stays muted when the time is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<What>,
    /// Monotonic.
    pub until_ms: u64,
    /// The same instant for people.
    pub until: Timestamp,
    pub reason: String,
    /// A policy's name, or `control`.
    pub by: String,
}

/// A switch that stands otherwise than the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch<T> {
    pub value: T,
    /// Monotonic end of a loosening; a tightening has none.
    pub until_ms: Option<u64>,
}

/// What one policy has counted and remembered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Monotonic times of the occurrences, oldest first.
    pub counters: BTreeMap<String, VecDeque<u64>>,
    pub values: BTreeMap<String, Value>,
}

impl Memory {
    /// Occurrences of `name` in the last `window_ms`.
    pub fn counted(&self, name: &str, now_ms: u64, window_ms: u64) -> usize {
        let since_ms = now_ms.saturating_sub(window_ms);
        self.counters.get(name).map_or(0, |times| times.iter().rev().take_while(|time| **time >= since_ms).count())
    }
}

/// Everything that outlives the process.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Durable {
    pub pendings: BTreeMap<String, Pending>,
    pub mutes: BTreeMap<String, Mute>,
    pub memories: BTreeMap<String, Memory>,
    pub mode: Option<Switch<Mode>>,
    pub policies: BTreeMap<String, Switch<bool>>,
    /// Whether the mirror points at the gate, where that differs from the configuration.
    #[serde(default)]
    pub relay: Option<Switch<bool>>,
    /// Guarded topics.
    #[serde(default)]
    pub guards: BTreeMap<String, Guard>,
    /// By the id of the decision that allowed them.
    #[serde(default)]
    pub grants: BTreeMap<String, Grant>,
    /// Oldest first.
    #[serde(default)]
    pub prompts: VecDeque<Prompt>,
    /// By channel.
    #[serde(default)]
    pub codes: BTreeMap<String, Codes>,
}

/// One change of `Durable`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Opened, or asked anew under the same id.
    Hold {
        pending: Box<Pending>,
    },
    Release {
        id: String,
    },
    Mute {
        speaker: String,
        mute: Mute,
    },
    Unmute {
        speaker: String,
    },
    Count {
        policy: String,
        name: String,
        at_ms: u64,
    },
    Remember {
        policy: String,
        key: String,
        value: Value,
    },
    Forget {
        policy: String,
        key: String,
    },
    Mode {
        switch: Option<Switch<Mode>>,
    },
    Policy {
        name: String,
        switch: Option<Switch<bool>>,
    },
    Relay {
        switch: Option<Switch<bool>>,
    },
    Guard {
        topic: String,
        guard: Guard,
    },
    Grant {
        id: String,
        grant: Grant,
    },
    Revoke {
        id: String,
    },
    /// A question is put to people.
    Prompt {
        prompt: Prompt,
    },
    /// A request for another target has joined it.
    PromptJoined {
        id: String,
        target: String,
    },
    /// It is over.
    Prompted {
        id: String,
        outcome: Outcome,
        at_ms: u64,
    },
    Codes {
        channel: String,
        codes: Codes,
    },
}

impl Durable {
    /// Makes one change. A change that a full table cannot take is left out; whoever makes it checks that first.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Hold { pending } => {
                self.pendings.insert(pending.id.clone(), *pending);
            }
            Change::Release { id } => {
                self.pendings.remove(&id);
            }
            Change::Mute { speaker, mute } => {
                self.mutes.insert(speaker, mute);
            }
            Change::Unmute { speaker } => {
                self.mutes.remove(&speaker);
            }
            Change::Count { policy, name, at_ms } => self.memories.entry(policy).or_default().count(name, at_ms),
            Change::Remember { policy, key, value } => {
                self.memories.entry(policy).or_default().remember(key, value);
            }
            Change::Forget { policy, key } => {
                if let Some(memory) = self.memories.get_mut(&policy) {
                    memory.values.remove(&key);
                    if *memory == Memory::default() {
                        self.memories.remove(&policy);
                    }
                }
            }
            Change::Mode { switch } => self.mode = switch,
            Change::Policy { name, switch } => {
                match switch {
                    Some(switch) => self.policies.insert(name, switch),
                    None => self.policies.remove(&name),
                };
            }
            Change::Relay { switch } => self.relay = switch,
            // A guard that accepts nobody is none any more.
            Change::Guard { topic, guard } if guard.accepted.is_empty() => {
                self.guards.remove(&topic);
            }
            Change::Guard { topic, guard } => {
                self.guards.insert(topic, guard);
            }
            Change::Grant { id, grant } => {
                self.grants.insert(id, grant);
            }
            Change::Revoke { id } => {
                self.grants.remove(&id);
            }
            Change::Prompt { prompt } => self.remember_prompt(prompt),
            Change::PromptJoined { id, target } => {
                if let Some(prompt) = self.latest_prompt(&id) {
                    prompt.joined.push(target);
                }
            }
            Change::Prompted { id, outcome, at_ms } => {
                if let Some(prompt) = self.latest_prompt(&id) {
                    (prompt.outcome, prompt.ended_ms) = (Some(outcome), Some(at_ms));
                }
            }
            Change::Codes { channel, codes } => {
                self.codes.insert(channel, codes);
            }
        }
    }

    /// Moves every monotonic time from the run in which it was saved into this one.
    ///
    /// What passed in between is counted by the civil clock (`Away`). Where that is not known, everything takes its safe
    /// side: no time has passed for what keeps something from happening (mutes, locks, counters), and what waits for a yes
    /// or stands in for one (held requests, grants) is over.
    pub fn rebase(&mut self, saved: At, now: At) {
        let away = Away::between(saved, now);
        let away_ms = if let Away::Known(away_ms) = away { away_ms } else { 0 };
        let moved = |time_ms: u64| {
            let elapsed_ms = i128::from(saved.monotonic_ms) + i128::from(away_ms);
            let shifted_ms = i128::from(time_ms) - elapsed_ms + i128::from(now.monotonic_ms);
            u64::try_from(shifted_ms.max(0)).unwrap_or(u64::MAX)
        };
        for pending in self.pendings.values_mut() {
            pending.move_times(moved);
        }
        for grant in self.grants.values_mut() {
            grant.until_ms = moved(grant.until_ms);
        }
        for prompt in &mut self.prompts {
            prompt.move_times(moved);
        }
        for codes in self.codes.values_mut() {
            codes.move_times(moved);
        }
        for mute in self.mutes.values_mut() {
            mute.until_ms = moved(mute.until_ms);
        }
        for time_ms in self.memories.values_mut().flat_map(|memory| memory.counters.values_mut()).flatten() {
            *time_ms = moved(*time_ms);
        }
        let switches = self.policies.values_mut().map(|switch| &mut switch.until_ms);
        let mode = self.mode.as_mut().map(|switch| &mut switch.until_ms);
        let relay = self.relay.as_mut().map(|switch| &mut switch.until_ms);
        for until_ms in switches.chain(mode).chain(relay).flatten() {
            *until_ms = moved(*until_ms);
        }
        if away == Away::Unknown {
            self.pendings.values_mut().for_each(|pending| pending.expires_ms = now.monotonic_ms);
            self.grants.values_mut().for_each(|grant| grant.until_ms = now.monotonic_ms);
        }
        // What people are told is the time that counts.
        for mute in self.mutes.values_mut() {
            mute.until = now.plus_ms(mute.until_ms.saturating_sub(now.monotonic_ms)).utc;
        }
    }
}

impl Memory {
    fn count(&mut self, name: String, at_ms: u64) {
        if self.counters.len() >= COUNTERS_MAX && !self.counters.contains_key(&name) {
            return;
        }
        let times = self.counters.entry(name).or_default();
        if times.len() >= COUNTER_ENTRIES_MAX {
            times.pop_front();
        }
        times.push_back(at_ms);
    }

    fn remember(&mut self, key: String, value: Value) {
        if self.values.len() < MEMORIES_MAX || self.values.contains_key(&key) {
            self.values.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decision::Terms;

    fn at(monotonic_ms: u64, utc_s: i64) -> At {
        At { monotonic_ms, utc: Timestamp::from_second(At::UTC_MIN.as_second() + utc_s).expect("in range") }
    }

    fn pending(at_ms: u64) -> Pending {
        let request = serde_json::json!({"action": "lock.unlock", "source": {"kind": "voice"}, "door": "gate"});
        let arrival = serde_json::json!({"request": request, "held": "question", "reply": null});
        let value = serde_json::json!({
            "id": "1", "first": {"id": "1", "arrival": arrival, "question": "?", "at_ms": at_ms}, "terms": Terms::new("?".to_owned()), "question": "?",
            "channels": [], "tokens": {}, "round": 0, "opened_ms": at_ms, "asked_ms": at_ms, "expires_ms": at_ms, "ask_ms": at_ms,
            "noticed_ms": at_ms, "until": At::UTC_MIN,
        });
        serde_json::from_value(value).expect("a pending")
    }

    /// Everything that has a time, each with this one.
    fn all_at(at_ms: u64) -> Durable {
        let (until_ms, until) = (at_ms, At::UTC_MIN);
        let text = || "a".to_owned();
        let switch = |value| Switch { value, until_ms: Some(at_ms) };
        let mute = Mute { what: What::Mic, before: None, until_ms, until, reason: text(), by: text() };
        let grant = Grant { channel: text(), action: text(), target: None, until_ms, until, by: text() };
        let memory = Memory { counters: [(text(), [at_ms].into())].into(), values: BTreeMap::new() };
        let prompt = serde_json::json!({"id": "1", "at_ms": at_ms, "asker": "a", "action": "a", "ended_ms": at_ms});
        Durable {
            pendings: [(text(), pending(at_ms))].into(),
            mutes: [(text(), mute)].into(),
            memories: [(text(), memory)].into(),
            mode: Some(Switch { value: Mode::Observe, until_ms: Some(at_ms) }),
            policies: [(text(), switch(false))].into(),
            relay: Some(switch(false)),
            guards: BTreeMap::new(),
            grants: [(text(), grant)].into(),
            prompts: [serde_json::from_value(prompt).expect("a prompt")].into(),
            codes: [(text(), Codes { wrong_ms: [at_ms].into(), locked_until_ms: Some(at_ms), totp_step: Some(7) })]
                .into(),
        }
    }

    #[test]
    fn every_time_is_moved_by_what_has_passed() {
        // Ten seconds were left, or had passed. Of the thirty of the bridge's absence none is forgotten.
        for (left_ms, expected_ms) in [(10_000, 480_000), (40_000, 510_000), (-10_000, 460_000)] {
            let mut durable = all_at(1_000_000_u64.saturating_add_signed(left_ms));
            durable.rebase(at(1_000_000, 0), at(500_000, 30));
            let mut expected = all_at(expected_ms);
            expected
                .mutes
                .values_mut()
                .for_each(|mute| mute.until = at(0, 30).plus_ms(expected_ms.saturating_sub(500_000)).utc);
            assert_eq!(durable, expected, "{left_ms} ms");
        }
    }

    #[test]
    fn where_nobody_knows_what_has_passed_what_holds_goes_on_and_what_lets_go_is_over() {
        for now in [at(500_000, -61), at(500_000, 366 * 86_400)] {
            let mut durable = all_at(1_010_000);
            durable.rebase(at(1_000_000, 0), now);
            let mut expected = all_at(510_000);
            expected.mutes.values_mut().for_each(|mute| mute.until = now.plus_ms(10_000).utc);
            expected.pendings.values_mut().for_each(|pending| pending.expires_ms = 500_000);
            expected.grants.values_mut().for_each(|grant| grant.until_ms = 500_000);
            assert_eq!(durable, expected, "{now:?}");
        }
    }

    #[test]
    fn counters_and_memories_are_bounded() {
        let policy = || "p".to_owned();
        let mut durable = Durable::default();
        for at_ms in 0..=COUNTER_ENTRIES_MAX as u64 {
            durable.apply(Change::Count { policy: policy(), name: "0".to_owned(), at_ms });
        }
        for index in 1..=COUNTERS_MAX {
            durable.apply(Change::Count { policy: policy(), name: index.to_string(), at_ms: 0 });
        }
        for index in 0..=MEMORIES_MAX {
            durable.apply(Change::Remember { policy: policy(), key: index.to_string(), value: Value::Null });
        }
        durable.apply(Change::Remember { policy: policy(), key: "0".to_owned(), value: Value::from(1) });
        let memory = durable.memories.get("p").expect("a memory");
        let times = memory.counters.get("0").expect("a counter");
        assert_eq!((times.len(), times.front()), (COUNTER_ENTRIES_MAX, Some(&1)), "the oldest entry went");
        assert_eq!((memory.counters.len(), memory.values.len()), (COUNTERS_MAX, MEMORIES_MAX));
        assert!(!memory.counters.contains_key(&COUNTERS_MAX.to_string()));
        assert!(!memory.values.contains_key(&MEMORIES_MAX.to_string()));
        assert_eq!(memory.values.get("0"), Some(&Value::from(1)), "what is known can still change");
    }
}
