//! Guarded topics: once guarded a topic stays guarded, whatever is announced later, until the owner accepts.
//!
//! It compares what is announced now with what was accepted and says how the two differ. A difference loosens nothing:
//! a command is read by the accepted entities and by the present ones, and the strictest reading counts. It stores
//! nothing; what must outlive the process leaves as a `Guard`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::claims::{Identity, length_of};
use crate::model::entity::{Entity, Guard};

/// Guarded topics at a time.
pub(super) const GUARDS_MAX: usize = 4_096;
/// All accepted entities together, in bytes of JSON. An entity counts for each topic that it commands. They must fit into
/// the file in which they are kept.
pub(super) const ACCEPTED_BYTES_MAX: usize = 12 * 1024 * 1024;
/// How long after a topic was guarded further entities of the device join: it announces them one after the other.
pub(super) const JOIN_MS: u64 = 60_000;
/// Longest name of an option in a problem, in characters. Whoever announces chooses it.
const KEY_CHARACTERS_MAX: usize = 100;

/// Options that change no command and no state: how an entity looks and where it is listed. The topics that say whether
/// it is there at all are among them, since the gate does not depend on them.
const COSMETIC: [&str; 22] = [
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "default_entity_id",
    "enabled_by_default",
    "entity_category",
    "entity_picture",
    "expire_after",
    "force_update",
    "group",
    "icon",
    "json_attributes_template",
    "json_attributes_topic",
    "message_expiry_interval",
    "name",
    "object_id",
    "payload_available",
    "payload_not_available",
    "suggested_display_precision",
    "unique_id",
    "visible_by_default",
];

#[derive(Debug, Clone, Default)]
pub(super) struct Guards {
    table: BTreeMap<String, Guard>,
    /// Guarded for the first time in this run, and not accepted since, with the monotonic time. Further entities of the
    /// same device join for a while.
    fresh: BTreeMap<String, u64>,
    now_ms: u64,
    accepted_bytes: usize,
    /// Accepted entities that were announced in this run. One that was not may only be late.
    seen: BTreeSet<Identity>,
}

/// What is announced now, as far as a guard wants to know.
pub(super) struct Present<'a> {
    /// Who claims the topic.
    pub(super) entities: Vec<Rc<Entity>>,
    /// Whether an entity is announced at all, on this topic or another.
    pub(super) is_known: &'a dyn Fn(&Identity) -> bool,
    /// Whether the owner wants an entity guarded.
    pub(super) is_gated: &'a dyn Fn(&Entity) -> bool,
}

impl Guards {
    /// What an earlier run has kept. Guards beyond the bound were never made.
    pub(super) fn restore<'a>(&mut self, guards: impl Iterator<Item = (&'a String, &'a Guard)>) {
        for (topic, guard) in guards.take(GUARDS_MAX) {
            self.put(topic, guard.clone());
        }
    }

    fn put(&mut self, topic: &str, guard: Guard) {
        self.accepted_bytes += bytes_of(&guard.accepted);
        let before = self.table.insert(topic.to_owned(), guard);
        self.accepted_bytes -= before.map_or(0, |before| bytes_of(&before.accepted));
    }

    /// Time passes.
    pub(super) fn pass_time(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        if !self.fresh.is_empty() {
            self.fresh.retain(|_, since_ms| now_ms.saturating_sub(*since_ms) < JOIN_MS);
        }
    }

    pub(super) fn get(&self, topic: &str) -> Option<&Guard> {
        self.table.get(topic)
    }

    pub(super) fn contains(&self, topic: &str) -> bool {
        self.table.contains_key(topic)
    }

    /// Whether a topic is a part of a guarded one (`<t>/state` of `<t>`).
    pub(super) fn is_above(&self, topic: &str) -> bool {
        topic.match_indices('/').filter_map(|(index, _)| topic.get(..index)).any(|root| self.contains(root))
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    /// The entities that were accepted, on all topics.
    pub(super) fn accepted(&self) -> impl Iterator<Item = &Entity> {
        self.table.values().flat_map(|guard| &guard.accepted)
    }

    /// Whether so many more topics can be guarded, with so many bytes of entities in all.
    pub(super) fn has_room(&self, more: usize, bytes: usize) -> bool {
        self.table.len() + more <= GUARDS_MAX && self.accepted_bytes + bytes <= ACCEPTED_BYTES_MAX
    }

    /// Compares anew what is announced for a topic. Gives the guard where it is new or has changed.
    pub(super) fn update(&mut self, topic: &str, present: &Present<'_>) -> Option<Guard> {
        let guard = match self.table.get(topic) {
            None => {
                if !present.entities.iter().any(|entity| (present.is_gated)(entity)) {
                    return None;
                }
                self.fresh.insert(topic.to_owned(), self.now_ms);
                Guard { accepted: present.entities.iter().map(|entity| (**entity).clone()).collect(), problem: None }
            }
            Some(guard) => {
                let mut guard = guard.clone();
                // While an accepted one is missing nobody joins: it may have come in its place.
                if self.fresh.contains_key(topic) && self.missing(&guard.accepted, present).is_none() {
                    let joining = present.entities.iter().filter(|entity| joins(entity, &guard.accepted));
                    let joining: Vec<Entity> = joining.map(|entity| (**entity).clone()).collect();
                    // One for whom there is no room is a stranger, so the owner is asked.
                    if self.accepted_bytes + bytes_of(&joining) <= ACCEPTED_BYTES_MAX {
                        guard.accepted.extend(joining);
                    }
                }
                guard
            }
        };
        self.see(&guard, present);
        let guard = Guard { problem: self.problem(&guard.accepted, present), ..guard };
        let is_changed = self.table.get(topic) != Some(&guard);
        is_changed.then(|| {
            self.put(topic, guard.clone());
            guard
        })
    }

    /// What is announced now is as it should be. Where nothing of it is to be guarded the topic is free again.
    pub(super) fn accept(&mut self, topic: &str, present: &Present<'_>) -> Guard {
        self.fresh.remove(topic);
        if !present.entities.iter().any(|entity| (present.is_gated)(entity)) {
            let before = self.table.remove(topic);
            self.accepted_bytes -= before.map_or(0, |before| bytes_of(&before.accepted));
            return Guard::default();
        }
        let accepted = present.entities.iter().map(|entity| (**entity).clone()).collect();
        let guard = Guard { accepted, problem: None };
        self.see(&guard, present);
        self.put(topic, guard.clone());
        guard
    }

    fn see(&mut self, guard: &Guard, present: &Present<'_>) {
        let identities = guard.accepted.iter().map(Identity::of);
        self.seen.extend(identities.filter(|identity| (present.is_known)(identity)));
    }

    /// The first difference between what was accepted and what is announced. `None`: nothing that counts.
    fn problem(&self, accepted: &[Entity], present: &Present<'_>) -> Option<String> {
        self.missing(accepted, present).or_else(|| {
            let is_stranger = |new: &&Rc<Entity>| {
                !accepted.iter().any(|old| Identity::of(old) == Identity::of(new) || means_the_same(old, new))
            };
            let stranger = present.entities.iter().find(is_stranger)?;
            Some(format!("`{}` claims the topic too, as a `{}`", stranger.entity_id, stranger.platform))
        })
    }

    /// The first accepted entity that is not announced as it was.
    fn missing(&self, accepted: &[Entity], present: &Present<'_>) -> Option<String> {
        accepted.iter().find_map(|entity| self.change(entity, present))
    }

    /// How one accepted entity is announced now, where that is another way.
    fn change(&self, old: &Entity, present: &Present<'_>) -> Option<String> {
        let name = &old.entity_id;
        if let Some(new) = present.entities.iter().find(|new| is_in_the_place_of(new, old)) {
            return Some(format!("`{name}` was announced as a `{}`", new.platform));
        }
        let identity = Identity::of(old);
        if let Some(new) = present.entities.iter().find(|new| Identity::of(new) == identity) {
            let key = difference(old, new)?;
            let key: String = key.chars().take(KEY_CHARACTERS_MAX).flat_map(char::escape_debug).collect();
            return Some(format!("`{name}` was announced with another `{key}`"));
        }
        if present.entities.iter().any(|new| means_the_same(old, new)) {
            return None;
        }
        if (present.is_known)(&identity) {
            Some(format!("`{name}` was announced with another command topic"))
        } else if self.seen.contains(&identity) {
            Some(format!("`{name}` is not announced any more"))
        } else {
            None
        }
    }
}

fn bytes_of(entities: &[Entity]) -> usize {
    entities.iter().map(length_of).sum()
}

/// Whether an entity is a further one of a device of which some are accepted, and stands in the place of none of them.
fn joins(new: &Entity, accepted: &[Entity]) -> bool {
    let is_of_the_device = |old: &Entity| new.device.iter().any(|identifier| old.device.contains(identifier));
    let is_accepted = |old: &Entity| Identity::of(old) == Identity::of(new);
    accepted.iter().any(is_of_the_device)
        && !accepted.iter().any(|old| is_accepted(old) || is_in_the_place_of(new, old))
}

/// The same place in the same message, but another platform.
fn is_in_the_place_of(new: &Entity, old: &Entity) -> bool {
    new.topic == old.topic && new.component == old.component && new.platform != old.platform
}

fn means_the_same(old: &Entity, new: &Entity) -> bool {
    old.platform == new.platform && difference(old, new).is_none()
}

/// The first option in which two announcements of one entity differ in a way that counts.
fn difference<'a>(old: &'a Entity, new: &'a Entity) -> Option<&'a str> {
    let mut keys = old.options.keys().chain(new.options.keys()).map(String::as_str);
    keys.find(|key| !COSMETIC.contains(key) && old.options.get(*key) != new.options.get(*key))
}

#[cfg(test)]
mod tests;
