//! What discovery has taught so far: who claims which topics, what is guarded, and what a payload there means.
//!
//! It puts discovery, claims, guards and platforms together. Nothing of it is the configuration's; which of the two is
//! stricter about a command is decided by the registry.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::claims::{Claim, Claims, ENTITIES_MAX, Identity, length_of};
use super::discovery::{self, Said};
use super::doors::Doors;
use super::guards::{ACCEPTED_BYTES_MAX, GUARDS_MAX, Guards, Present};
use super::platform::{self, Reading};
use crate::config::{Config, Gate};
use crate::model::action::{self, Class};
use crate::model::entity::{Announcement, Entity, Guard};
use crate::model::message::Message;
use crate::model::request::FactChange;
use crate::model::topic::TopicFilter;

/// Entities with templates for their commands that are asked what a payload on one topic means. Where there are more, every
/// command there is sensitive.
const TEMPLATED_MAX: usize = 24;
/// States and attributes that are known to come from entities' own topics. Those of entities that have gone make room.
const TOLD_MAX: usize = 4 * ENTITIES_MAX;

/// Parts of the bridge's device by which people judge and answer.
const OWN_PARTS: [&str; 8] =
    ["approve", "reject", "question", "last_decision", "decisions", "enforcement", "problem", "mode"];

/// What one message of discovery has taught.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lesson {
    /// What is announced on the message's topic now. `None`: nothing has been learned from it.
    pub announced: Option<Rc<Announcement>>,
    /// Everything that the topic announced is gone.
    pub is_removed: bool,
    /// Home Assistant is told that another topic will announce these entities.
    pub is_migrating: bool,
    /// Guarded topics that are new, or of which something has changed.
    pub guards: Vec<(String, Guard)>,
    /// Why the message, or a part of it, was not taken in.
    pub refused: Option<String>,
    /// The bridge must subscribe to other topics than before.
    pub changes_topics: bool,
}

/// What a command means to the entity that it moves.
#[derive(Debug, Clone)]
pub(super) struct Understood {
    /// `None`: it moves a whole group, or the program that speaks for the devices.
    pub(super) entity: Option<Rc<Entity>>,
    /// Its id.
    pub(super) target: Option<String>,
    /// By which of its keys; empty where it came by another door.
    pub(super) key: String,
    pub(super) reading: Reading,
    pub(super) is_sensitive: bool,
}

/// Other doors to the devices, and those of them that lead to guarded entities.
#[derive(Debug, Clone)]
struct Others {
    doors: Doors,
    guarded: Vec<TopicFilter>,
}

#[derive(Debug, Clone)]
pub(super) struct Discovered {
    prefix: String,
    /// The bridge's own device, which is not learned.
    own_topic: String,
    /// Its identifier in Home Assistant.
    own_id: String,
    gate: Gate,
    claims: Claims,
    guards: Guards,
    /// Other doors to the devices. Made when they are asked for, and anew when discovery changes.
    others: OnceCell<Others>,
    /// Entities whose own state topics have told their state, or an attribute.
    told: BTreeSet<(String, Option<String>)>,
}

impl Discovered {
    pub(super) fn new(config: &Config) -> Discovered {
        let home_assistant = &config.home_assistant;
        let prefix = home_assistant.discovery.clone();
        Discovered {
            own_topic: discovery::own_topic(&prefix, &config.base),
            own_id: discovery::own_id(&config.base),
            claims: Claims::new(&prefix, &config.base, config.statestream.iter().chain(&home_assistant.eventstream)),
            guards: Guards::default(),
            others: OnceCell::new(),
            gate: home_assistant.gate.clone(),
            told: BTreeSet::new(),
            prefix,
        }
    }

    pub(super) fn is_discovery(&self, topic: &str) -> bool {
        discovery::is_discovery(&self.prefix, topic)
    }

    pub(super) fn learn(&mut self, message: &Message) -> Lesson {
        let topic = message.topic.as_str();
        if !self.is_discovery(topic) || topic == self.own_topic {
            return Lesson::default();
        }
        match discovery::read(&self.prefix, message) {
            Err(reason) => Lesson { refused: Some(reason), ..Lesson::default() },
            Ok(Said::Migrating) => Lesson { is_migrating: true, ..Lesson::default() },
            Ok(Said::Removed) => {
                let affected = self.claims.remove(topic);
                let changes_topics = !affected.is_empty();
                Lesson { is_removed: true, guards: self.guard(affected), changes_topics, ..Lesson::default() }
            }
            Ok(Said::Announced { announcement, left_out }) => self.announced(announcement, left_out, message),
        }
    }

    fn announced(&mut self, mut announcement: Announcement, mut left_out: Vec<String>, message: &Message) -> Lesson {
        announcement.entities.retain(|_, entity| {
            if self.is_disguised_as_own(entity) {
                left_out.push(format!("expected a device of its own, found one that says it is `{}`", self.own_id));
                return false;
            }
            let reserved = self.claims.reserved_topic(entity);
            let is_usable = reserved.is_none();
            left_out.extend(reserved.map(|topic| {
                format!(
                    "expected a device's topic, found `{topic}`: it belongs to the bridge, to discovery or to a stream"
                )
            }));
            is_usable
        });
        let refused = left_out.first().map(|first| match left_out.len() {
            1 => first.clone(),
            count => format!("{first}; and {} more", count - 1),
        });
        if announcement.entities.is_empty() && announcement.removed.is_empty() {
            return Lesson { refused, ..Lesson::default() };
        }
        let is_gated = |entity: &&Entity| is_gated(&self.gate, entity);
        let gated = announcement.entities.values().filter(is_gated).flat_map(Entity::command_topics);
        let unguarded: BTreeSet<&str> =
            gated.map(|(_, topic)| topic).filter(|topic| !self.guards.contains(topic)).collect();
        // Each topic keeps all that command on it now.
        let copies = announcement.entities.values().map(|entity| {
            let topics: BTreeSet<&str> = entity.command_topics().map(|(_, topic)| topic).collect();
            topics.intersection(&unguarded).count() * length_of(entity)
        });
        let copies: usize = copies.sum();
        let others = unguarded.iter().flat_map(|topic| present(&self.claims, topic));
        let bytes = copies + others.map(|entity| length_of(&entity)).sum::<usize>();
        let learned = if self.guards.has_room(unguarded.len(), bytes) {
            self.claims.announce(announcement, message.payload.len(), platform::state_topics)
        } else {
            // What cannot be guarded is not mirrored either.
            Err(format!(
                "expected at most {GUARDS_MAX} guarded topics, and {ACCEPTED_BYTES_MAX} bytes of what is announced for them, \
                 found more"
            ))
        };
        match learned {
            Err(reason) => Lesson { refused: Some(reason), ..Lesson::default() },
            Ok(affected) => Lesson {
                announced: self.claims.announcement(&message.topic).cloned(),
                changes_topics: !affected.is_empty(),
                guards: self.guard(affected),
                refused,
                ..Lesson::default()
            },
        }
    }

    /// Whether an entity would take the place of the bridge's own in Home Assistant, which knows them by these. A question
    /// that somebody else words would be answered by the bridge's buttons.
    fn is_disguised_as_own(&self, entity: &Entity) -> bool {
        let own = |part: &str| entity.text("unique_id") == Some(format!("{}_{part}", self.own_id).as_str());
        entity.device.contains(&self.own_id) || OWN_PARTS.iter().any(|part| own(part))
    }

    fn guard(&mut self, topics: BTreeSet<String>) -> Vec<(String, Guard)> {
        if !topics.is_empty() {
            self.others = OnceCell::new();
        }
        let mut changed = Vec::new();
        for topic in topics {
            let entities = present(&self.claims, &topic);
            let is_known = |identity: &Identity| self.claims.get(identity).is_some();
            let is_gated = |entity: &Entity| is_gated(&self.gate, entity);
            let present = Present { entities, is_known: &is_known, is_gated: &is_gated };
            if let Some(guard) = self.guards.update(&topic, &present) {
                self.claims.keep_ids(&guard.accepted);
                changed.push((topic, guard));
            }
        }
        changed
    }

    /// What the owner no longer wants guarded is forgotten: he has said so himself.
    pub(super) fn restore(&mut self, guards: &BTreeMap<String, Guard>) {
        let is_wanted = |guard: &Guard| guard.accepted.iter().any(|entity| is_gated(&self.gate, entity));
        self.guards.restore(guards.iter().filter(|(_, guard)| is_wanted(guard)));
        self.claims.keep_ids(self.guards.accepted());
        self.others = OnceCell::new();
    }

    pub(super) fn accept(&mut self, topic: &str) -> Guard {
        let is_known = |identity: &Identity| self.claims.get(identity).is_some();
        let is_gated = |entity: &Entity| is_gated(&self.gate, entity);
        let entities = present(&self.claims, topic);
        let before = self.guards.get(topic).map(|guard| guard.accepted.clone()).unwrap_or_default();
        let guard = self.guards.accept(topic, &Present { entities, is_known: &is_known, is_gated: &is_gated });
        self.claims.release_ids(&before);
        // Who was accepted for other topics too keeps the id.
        let topics = before.iter().flat_map(Entity::command_topics).map(|(_, topic)| topic);
        let still = topics.filter_map(|topic| self.guards.get(topic)).flat_map(|guard| &guard.accepted);
        self.claims.keep_ids(still.chain(&guard.accepted));
        guard
    }

    /// Time passes.
    pub(super) fn pass_time(&mut self, now_ms: u64) {
        self.guards.pass_time(now_ms);
    }

    /// Who claims a command topic now.
    pub(super) fn claimants(&self, topic: &str) -> Vec<Rc<Entity>> {
        present(&self.claims, topic)
    }

    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(super) fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Whether some entity commands on exactly this topic, or did when it was guarded.
    pub(super) fn is_command_topic(&self, topic: &str) -> bool {
        self.claims.has_command_topic(topic) || self.guards.contains(topic)
    }

    /// Whether the topic, or one of which it is a part, is a command topic.
    pub(super) fn commands_on(&self, topic: &str) -> bool {
        self.is_command_topic(topic) || self.guards.is_above(topic) || !self.claims.above(topic).is_empty()
    }

    /// Whether what is asked of an entity comes by a command topic that is known.
    pub(super) fn reaches(&self, entity_id: &str) -> bool {
        self.claims.by_entity_id(entity_id).is_some_and(|entity| entity.command_topics().next().is_some())
    }

    fn others(&self) -> &Others {
        self.others.get_or_init(|| {
            let is_gone = |entity: &&Entity| self.claims.get(&Identity::of(entity)).is_none();
            let gone = self.guards.accepted().filter(is_gone).map(|entity| Rc::new(entity.clone()));
            let doors = Doors::new(self.claims.entities().cloned().chain(gone));
            let filters = self.guards.accepted().flat_map(|entity| doors.filters(entity));
            let guarded: BTreeSet<TopicFilter> = filters.map(|door| door.filter).collect();
            Others { doors, guarded: guarded.into_iter().collect() }
        })
    }

    /// Whether a message on a topic that is announced for nothing commands a device that is.
    pub(super) fn is_other_door(&self, topic: &str, payload: &[u8]) -> bool {
        !self.claims.has_state_topic(topic) && self.others().doors.read(topic, payload, &action::class_of).is_some()
    }

    /// The doors to guarded entities.
    pub(super) fn guarded_doors(&self) -> &[TopicFilter] {
        &self.others().guarded
    }

    /// Whether a topic is a door to a guarded entity. What is announced and moves nothing else is none.
    pub(super) fn leads_to_guarded(&self, topic: &str) -> bool {
        !self.others().doors.is_separate(topic) && self.guarded_doors().iter().any(|filter| filter.matches(topic))
    }

    /// What a command means. `None`: no entity commands there, and no other door leads to one.
    ///
    /// The accepted entities read it and the present ones. Of those who can read it the strictest counts. Where none of
    /// these is itself sensitive, one that is makes the command sensitive: one on the topic that cannot read it, one
    /// that commands on a part of the topic, one on a topic of which this one is a part.
    pub(super) fn understand(
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

    /// What a message on a state topic tells of entities.
    pub(super) fn read_states(&mut self, message: &Message) -> Vec<FactChange> {
        let mut facts = Vec::new();
        for entity in self.claims.stated_on(&message.topic) {
            if self.claims.is_named_like_another(&entity) {
                continue;
            }
            // Of one that was announced anew the owner has accepted no other topic and no other words yet.
            let entity = self.claims.accepted(&entity).cloned().unwrap_or(entity);
            let told = platform::read_state(&entity, &message.topic, &message.payload);
            if self.told.len() + told.len() > TOLD_MAX {
                let claims = &self.claims;
                self.told.retain(|(entity_id, _)| claims.by_entity_id(entity_id).is_some());
            }
            let room = TOLD_MAX.saturating_sub(self.told.len());
            self.told.extend(told.iter().take(room).map(|fact| (fact.entity.clone(), fact.attribute.clone())));
            facts.extend(told);
        }
        facts
    }

    /// Whether a state or attribute of an entity comes from its own topic, so that nobody else's word counts.
    pub(super) fn tells_itself(&self, fact: &FactChange) -> bool {
        self.told.contains(&(fact.entity.clone(), fact.attribute.clone()))
            && self.claims.by_entity_id(&fact.entity).is_some()
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

/// Who claims a topic, each entity once.
fn present(claims: &Claims, topic: &str) -> Vec<Rc<Entity>> {
    let mut entities: Vec<Rc<Entity>> = Vec::new();
    for claim in claims.on(topic) {
        if !entities.iter().any(|entity| Rc::ptr_eq(entity, &claim.entity)) {
            entities.push(claim.entity);
        }
    }
    entities
}

/// Whether the owner wants an entity guarded.
fn is_gated(gate: &Gate, entity: &Entity) -> bool {
    gate.all
        || (gate.sensitive && platform::is_sensitive(entity))
        || gate.entities.iter().any(|glob| glob.matches(&entity.entity_id))
}

#[cfg(test)]
mod tests;
