//! `Durable` as rows of a table, and back: one row for each thing that changes by itself.
//!
//! No file is touched here. A row is a kind, a key and the value's JSON.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::durable::{Change, Durable, Prompt};

/// The kind of the rows of held requests.
pub(super) const PENDING: &str = "pending";

/// Names one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Mode,
    Relay,
    Policy(String),
    Pending(String),
    Mute(String),
    /// Of a policy, by its name.
    Counter(String, String),
    /// Of a policy, by its key.
    Memory(String, String),
    Guard(String),
    Grant(String),
    /// By its place in the order of all questions since the run began.
    Prompt(u64),
    Codes(String),
}

impl Key {
    /// The kind of the row.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Key::Mode => "mode",
            Key::Relay => "relay",
            Key::Policy(_) => "policy",
            Key::Pending(_) => PENDING,
            Key::Mute(_) => "mute",
            Key::Counter(..) => "counter",
            Key::Memory(..) => "memory",
            Key::Guard(_) => "guard",
            Key::Grant(_) => "grant",
            Key::Prompt(_) => "prompt",
            Key::Codes(_) => "codes",
        }
    }

    /// What names the row among those of its kind.
    pub(super) fn text(&self) -> String {
        match self {
            Key::Mode | Key::Relay => String::new(),
            Key::Policy(name)
            | Key::Pending(name)
            | Key::Mute(name)
            | Key::Guard(name)
            | Key::Grant(name)
            | Key::Codes(name) => name.clone(),
            // Both parts may hold any character.
            Key::Counter(policy, name) | Key::Memory(policy, name) => serde_json::json!([policy, name]).to_string(),
            // In the order of numbers.
            Key::Prompt(place) => format!("{place:020}"),
        }
    }
}

/// One row as it is written. `value`: JSON; `None`: there is no such row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: &'static str,
    pub(super) key: String,
    pub(super) value: Option<String>,
}

/// The store's own copy of what the engine has.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) durable: Durable,
    /// The place of the oldest question that is still remembered.
    first_prompt: u64,
}

impl Kept {
    pub(super) fn new(durable: Durable) -> Kept {
        Kept { durable, first_prompt: 0 }
    }

    /// Makes one change, and notes the rows that are different now.
    pub(super) fn apply(&mut self, change: Change, changed: &mut BTreeSet<Key>) {
        match &change {
            Change::Prompt { .. } => return self.apply_prompt(change, changed),
            Change::Prompted { id, .. } | Change::PromptJoined { id, .. } => {
                let place = self.durable.prompts.iter().rposition(|prompt| prompt.id == *id);
                changed.extend(place.map(|place| Key::Prompt(self.first_prompt + place as u64)));
            }
            other => changed.extend(key_of(other)),
        }
        self.durable.apply(change);
    }

    /// The newest comes in, and the oldest may go.
    fn apply_prompt(&mut self, change: Change, changed: &mut BTreeSet<Key>) {
        let end_before = self.first_prompt + self.durable.prompts.len() as u64;
        self.durable.apply(change);
        let first_before = self.first_prompt;
        self.first_prompt = (end_before + 1).saturating_sub(self.durable.prompts.len() as u64);
        changed.extend((first_before..self.first_prompt).chain([end_before]).map(Key::Prompt));
    }

    /// The rows of these keys as they stand.
    ///
    /// # Errors
    /// A value has no form in JSON.
    pub(super) fn rows(&self, keys: &BTreeSet<Key>) -> Result<Vec<Row>, String> {
        keys.iter().map(|key| Ok(Row { kind: key.kind(), key: key.text(), value: self.value(key)? })).collect()
    }

    fn value(&self, key: &Key) -> Result<Option<String>, String> {
        let durable = &self.durable;
        match key {
            Key::Mode => json(durable.mode.as_ref()),
            Key::Relay => json(durable.relay.as_ref()),
            Key::Policy(name) => json(durable.policies.get(name)),
            Key::Pending(id) => json(durable.pendings.get(id)),
            Key::Mute(speaker) => json(durable.mutes.get(speaker)),
            Key::Counter(policy, name) => {
                json(durable.memories.get(policy).and_then(|memory| memory.counters.get(name)))
            }
            Key::Memory(policy, key) => json(durable.memories.get(policy).and_then(|memory| memory.values.get(key))),
            Key::Guard(topic) => json(durable.guards.get(topic)),
            Key::Grant(id) => json(durable.grants.get(id)),
            Key::Prompt(place) => json(self.prompt(*place)),
            Key::Codes(channel) => json(durable.codes.get(channel)),
        }
    }

    fn prompt(&self, place: u64) -> Option<&Prompt> {
        let index = usize::try_from(place.checked_sub(self.first_prompt)?).ok()?;
        self.durable.prompts.get(index)
    }

    /// The keys of everything that is there.
    pub(super) fn keys(&self) -> BTreeSet<Key> {
        let durable = &self.durable;
        let named = |key: fn(String) -> Key| move |name: &String| key(name.clone());
        let mut keys = BTreeSet::new();
        keys.extend(durable.mode.map(|_| Key::Mode));
        keys.extend(durable.relay.map(|_| Key::Relay));
        keys.extend(durable.policies.keys().map(named(Key::Policy)));
        keys.extend(durable.pendings.keys().map(named(Key::Pending)));
        keys.extend(durable.mutes.keys().map(named(Key::Mute)));
        keys.extend(durable.guards.keys().map(named(Key::Guard)));
        keys.extend(durable.grants.keys().map(named(Key::Grant)));
        keys.extend(durable.codes.keys().map(named(Key::Codes)));
        for (policy, memory) in &durable.memories {
            keys.extend(memory.counters.keys().map(|name| Key::Counter(policy.clone(), name.clone())));
            keys.extend(memory.values.keys().map(|key| Key::Memory(policy.clone(), key.clone())));
        }
        keys.extend((self.first_prompt..).zip(&durable.prompts).map(|(place, _)| Key::Prompt(place)));
        keys
    }
}

/// The row that a change makes different. Questions are counted by their place, which is not in the change.
fn key_of(change: &Change) -> Option<Key> {
    Some(match change {
        Change::Hold { pending } => Key::Pending(pending.id.clone()),
        Change::Release { id } => Key::Pending(id.clone()),
        Change::Mute { speaker, .. } | Change::Unmute { speaker } => Key::Mute(speaker.clone()),
        Change::Count { policy, name, .. } => Key::Counter(policy.clone(), name.clone()),
        Change::Remember { policy, key, .. } | Change::Forget { policy, key } => {
            Key::Memory(policy.clone(), key.clone())
        }
        Change::Mode { .. } => Key::Mode,
        Change::Policy { name, .. } => Key::Policy(name.clone()),
        Change::Relay { .. } => Key::Relay,
        Change::Guard { topic, .. } => Key::Guard(topic.clone()),
        Change::Grant { id, .. } | Change::Revoke { id } => Key::Grant(id.clone()),
        Change::Codes { channel, .. } => Key::Codes(channel.clone()),
        Change::Prompt { .. } | Change::PromptJoined { .. } | Change::Prompted { .. } => return None,
    })
}

fn json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, String> {
    let text = value.map(serde_json::to_string).transpose();
    text.map_err(|error| format!("what is kept has no form in JSON: {error}"))
}

/// Puts one row where it belongs. Questions must come in the order of their keys.
///
/// # Errors
/// For the owner: the kind is not known, or the value is not what the kind wants.
pub(super) fn put(durable: &mut Durable, kind: &str, key: &str, value: &str) -> Result<(), String> {
    match kind {
        "mode" => durable.mode = Some(read(kind, key, value)?),
        "relay" => durable.relay = Some(read(kind, key, value)?),
        "policy" => drop(durable.policies.insert(key.to_owned(), read(kind, key, value)?)),
        PENDING => drop(durable.pendings.insert(key.to_owned(), read(kind, key, value)?)),
        "mute" => drop(durable.mutes.insert(key.to_owned(), read(kind, key, value)?)),
        "guard" => drop(durable.guards.insert(key.to_owned(), read(kind, key, value)?)),
        "grant" => drop(durable.grants.insert(key.to_owned(), read(kind, key, value)?)),
        "codes" => drop(durable.codes.insert(key.to_owned(), read(kind, key, value)?)),
        "prompt" => durable.prompts.push_back(read(kind, key, value)?),
        "counter" => {
            let (policy, name): (String, String) = read("key", key, key)?;
            durable.memories.entry(policy).or_default().counters.insert(name, read(kind, key, value)?);
        }
        "memory" => {
            let (policy, name): (String, String) = read("key", key, key)?;
            durable.memories.entry(policy).or_default().values.insert(name, read(kind, key, value)?);
        }
        unknown => return Err(format!("expected a kind that is known, found `{unknown}`")),
    }
    Ok(())
}

fn read<T: DeserializeOwned>(kind: &str, key: &str, value: &str) -> Result<T, String> {
    serde_json::from_str(value).map_err(|error| format!("the {kind} `{key}` cannot be read: {error}"))
}
