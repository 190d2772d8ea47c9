//! What discovery has taught so far: who claims which topics, what is guarded, and what a payload there means.
//!
//! It puts discovery, claims, guards and platforms together. Nothing of it is the configuration's; which of the two is
//! stricter about a command is decided by the registry.

mod understanding;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::claims::{Claims, ENTITIES_MAX, Identity, length_of};
use super::discovery::{self, Said};
use super::doors::Doors;
use super::guards::{ACCEPTED_BYTES_MAX, GUARDS_MAX, Guards, Present};
use super::platform::{self, Reading};
use crate::config::{Config, Gate};
use crate::model::action;
use crate::model::entity::{Announcement, Entity, Guard};
use crate::model::message::Message;
use crate::model::request::FactChange;
use crate::model::topic::TopicFilter;

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
