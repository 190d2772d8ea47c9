//! What a command on the topic of a discovered device means: who is asked, and whose reading counts.
//!
//! It reads what is claimed and what was accepted, and changes neither.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::claims::{Claim, Identity};
use super::super::platform::{self, Reading};
use super::{Discovered, Understood};
use crate::model::action::{self, Class};
use crate::model::entity::Entity;

/// Entities with templates for their commands that are asked what a payload on one topic means. Where there are more, every
/// command there is sensitive.
pub(super) const TEMPLATED_MAX: usize = 24;

impl Discovered {
    /// What a command means. `None`: no entity commands there, and no other door leads to one.
    ///
    /// The accepted entities read it and the present ones. Of those who can read it the strictest counts. Where none of
    /// these is itself sensitive, one that is makes the command sensitive: one on the topic that cannot read it, one
    /// that commands on a part of the topic, one on a topic of which this one is a part.
    pub(in crate::registry) fn understand(
        &self,
        topic: &str,
        payload: &[u8],
        class_of: &dyn Fn(&str) -> Class,
        is_floor: &dyn Fn(&str) -> bool,
    ) -> Option<Understood> {
        let is_strict = |reading: &Reading| reading.is_sensitive || class_of(&reading.action) == Class::Sensitive;
        let read = |claim: Claim| {
            let reading = platform::read_command(&claim.entity, &claim.key, payload);
            let is_sensitive = is_strict(&reading);
            let target = Some(claim.entity.entity_id.clone());
            Understood { entity: Some(claim.entity), target, key: claim.key, reading, is_sensitive }
        };
        let (claims, is_crowded) = self.readers(topic);
        let is_announced = !claims.is_empty();
        let around = self.around(topic);
        let is_among_sensitive = claims.iter().chain(&around).any(|claim| platform::is_sensitive(&claim.entity));
        let mut understood: Vec<Understood> = claims.into_iter().map(read).collect();
        let accepted = self.guards.get(topic).map(|guard| guard.accepted.as_slice()).unwrap_or_default();
        let is_read_by_sensitive = is_read_by_each_sensitive(&understood, accepted);
        // Who was accepted first counts before who came later: a stranger must not give a command another name.
        let place = |one: &Understood| {
            let is_same = |old: &Entity| one.entity.as_deref().is_some_and(|entity| is_unchanged(old, entity));
            Reverse(accepted.iter().position(is_same).unwrap_or(accepted.len()))
        };
        // `max_by_key` would take the last of equals.
        let strictness = |one: &Understood| {
            let is_sensitive = one.entity.as_deref().is_some_and(platform::is_sensitive);
            (one.reading.is_readable, one.is_sensitive, !is_floor(&one.reading.action), place(one), is_sensitive)
        };
        let is_new = self.is_read_by_strangers_alone(topic, payload);
        let is_doubtful = is_new || is_crowded || (is_among_sensitive && !is_read_by_sensitive);
        let first = understood.iter().filter(|one| one.reading.is_readable).map(place).max();
        let goes_before = |one: &Understood| is_unread_by_sensitive(one) && Some(place(one)) > first;
        if is_doubtful && understood.iter().any(goes_before) {
            // It is said to the lock that cannot read it and was there first, so that rules for locks are asked.
            understood.retain(goes_before);
        }
        let chosen =
            understood.into_iter().reduce(|best, next| if strictness(&next) > strictness(&best) { next } else { best });
        let chosen = chosen.map(|mut chosen| {
            chosen.is_sensitive |= is_doubtful;
            if is_doubtful && is_floor(&chosen.reading.action) {
                // Nothing may block what the floor holds, so nobody gets there by giving a payload such a name.
                chosen.reading = unreadable();
            }
            if is_doubtful {
                // Whoever it is that reads this: to a panel of the same topic the text may be a code.
                (chosen.reading.data, chosen.reading.text) = (BTreeMap::new(), None);
            }
            chosen
        });
        let door = self.others().doors.read(topic, payload, class_of).map(|found| Understood {
            entity: found.entity_id.as_deref().and_then(|entity_id| self.claims.by_entity_id(entity_id)),
            target: found.entity_id,
            key: String::new(),
            is_sensitive: is_strict(&found.reading),
            reading: found.reading,
        });
        match (chosen, door) {
            // A door may only make the reading of an announced topic stricter.
            (Some(chosen), Some(door)) if is_announced && door.is_sensitive <= chosen.is_sensitive => Some(chosen),
            (chosen, None) => chosen.or_else(|| part_of_a_topic(&around, topic)),
            (_, door) => door,
        }
    }

    /// Whether what is announced for a guarded topic was not accepted, and nobody who was can read this payload. Whoever
    /// may announce devices would otherwise give an opening payload a harmless name.
    fn is_read_by_strangers_alone(&self, topic: &str, payload: &[u8]) -> bool {
        let Some(guard) = self.guards.get(topic).filter(|guard| guard.problem.is_some()) else { return false };
        let reads = |entity: &Entity| {
            let mut keys = entity.command_topics().filter(|(_, commanded)| *commanded == topic);
            keys.any(|(key, _)| platform::read_command(entity, key, payload).is_readable)
        };
        !guard.accepted.iter().any(reads)
    }

    /// Who commands on a topic now, and who did when it was accepted and has changed since.
    fn on(&self, topic: &str) -> Vec<Claim> {
        let mut claims = self.claims.on(topic);
        for accepted in self.guards.get(topic).into_iter().flat_map(|guard| &guard.accepted) {
            let is_present = claims
                .iter()
                .any(|claim| claim.entity.platform == accepted.platform && claim.entity.options == accepted.options);
            if is_present {
                continue;
            }
            let entity = Rc::new(accepted.clone());
            let keys = accepted.command_topics().filter(|(_, commanded)| *commanded == topic);
            claims.extend(keys.map(|(key, _)| Claim { entity: Rc::clone(&entity), key: key.to_owned() }));
        }
        claims
    }

    /// Who is asked what a payload on the topic means, and whether that are not all: templates take their time, and whoever
    /// may announce devices could make every command to a lock wait for hundreds. The accepted ones are asked first.
    fn readers(&self, topic: &str) -> (Vec<Claim>, bool) {
        let (mut templated, mut readers): (Vec<Claim>, Vec<Claim>) =
            self.on(topic).into_iter().partition(|claim| has_command_template(&claim.entity));
        let accepted = self.guards.get(topic).map(|guard| guard.accepted.as_slice()).unwrap_or_default();
        templated.sort_by_key(|claim| !accepted.iter().any(|old| is_unchanged(old, &claim.entity)));
        let is_crowded = templated.len() > TEMPLATED_MAX;
        templated.truncate(TEMPLATED_MAX);
        readers.extend(templated);
        (readers, is_crowded)
    }

    /// Who commands on a part of the topic, or on one of which it is a part.
    fn around(&self, topic: &str) -> Vec<Claim> {
        let mut claims = self.claims.above(topic);
        for (index, _) in topic.match_indices('/') {
            let guard = topic.get(..index).and_then(|root| self.guards.get(root));
            claims.extend(guard.into_iter().flat_map(|guard| &guard.accepted).map(Claim::of_accepted));
        }
        claims.extend(self.claims.below(topic));
        claims
    }
}

/// A topic that only is a part of command topics: nobody knows what a payload there means.
fn part_of_a_topic(around: &[Claim], topic: &str) -> Option<Understood> {
    let is_part = |claim: &&Claim| {
        let mut topics = claim.entity.command_topics();
        topics.any(|(_, root)| topic.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
    };
    let parts = || around.iter().filter(is_part);
    let strictest = parts().find(|claim| platform::is_sensitive(&claim.entity)).or_else(|| parts().next());
    let entity = &strictest?.entity;
    let target = Some(entity.entity_id.clone());
    let reading = unreadable();
    Some(Understood { entity: Some(Rc::clone(entity)), target, key: String::new(), is_sensitive: true, reading })
}

/// Nobody knows for sure what was said.
fn unreadable() -> Reading {
    Reading {
        action: action::UNREADABLE.to_owned(),
        data: BTreeMap::new(),
        text: None,
        is_readable: false,
        expected: None,
        is_sensitive: true,
    }
}

/// Whether it is a sensitive entity that makes nothing of the payload.
fn is_unread_by_sensitive(one: &Understood) -> bool {
    !one.reading.is_readable && one.entity.as_deref().is_some_and(platform::is_sensitive)
}

/// Whether every sensitive entity of these readers can read the payload by one of its keys, and there is one. What a lock
/// does not understand may still open it, whatever a siren on its topic makes of it. Where some of them are accepted the
/// others are not asked: a stranger could else make every command sensitive.
fn is_read_by_each_sensitive(understood: &[Understood], accepted: &[Entity]) -> bool {
    let is_accepted = |entity: &Entity| accepted.iter().any(|old| is_unchanged(old, entity));
    let mut readers: Vec<(&Entity, bool)> = Vec::new();
    for one in understood {
        let Some(entity) = one.entity.as_deref().filter(|entity| platform::is_sensitive(entity)) else { continue };
        match readers.iter_mut().find(|(known, _)| std::ptr::eq(*known, entity)) {
            Some((_, reads)) => *reads |= one.reading.is_readable,
            None => readers.push((entity, one.reading.is_readable)),
        }
    }
    if readers.iter().any(|(entity, _)| is_accepted(entity)) {
        readers.retain(|(entity, _)| is_accepted(entity));
    }
    !readers.is_empty() && readers.iter().all(|(_, reads)| *reads)
}

/// Whether its commands are rendered.
fn has_command_template(entity: &Entity) -> bool {
    let mut keys = entity.options.keys();
    keys.any(|key| key.ends_with("template") && (key.contains("command") || key.starts_with("set_")))
}

/// Whether an entity is announced as it was accepted.
fn is_unchanged(old: &Entity, entity: &Entity) -> bool {
    Identity::of(old) == Identity::of(entity) && old.options == entity.options
}
