//! Which entities claim which topics, as discovery has announced them so far.
//!
//! An entity is known by the message that announced it, its place in that message, and its platform: of two messages
//! that speak of one device neither can take away what the other has said. It does not know what payloads mean, and it
//! forgets with the process: the broker has the messages stored.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::doors::announced_topics;
use crate::model::entity::{Announcement, Entity};
use crate::model::topic::{self, TopicFilter};

/// Entities that are known at a time.
pub(super) const ENTITIES_MAX: usize = 5_000;
/// Entities that command on one topic. A thermostat at a bridge has some thirty.
pub(super) const CLAIMANTS_MAX: usize = 128;
/// Entities of one name that are numbered.
const NAMESAKES_MAX: usize = 100;
/// Messages of discovery that are known at a time.
pub(super) const ANNOUNCEMENTS_MAX: usize = 5_000;
/// All entities and messages of discovery together, in bytes of JSON.
pub(super) const ANNOUNCED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What lies below the base and holds tokens, codes, or commands of others. Home Assistant may read some of it: an entity
/// with its state there would show it to everybody who reads Home Assistant's states.
const SECRET_LEVELS: [&str; 7] = ["act", "ask", "confirm", "gate", "homeassistant", "prompt", "twin"];

/// Names an entity among all: discovery topic, component, platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    topic: String,
    component: String,
    platform: String,
}

impl Identity {
    pub(super) fn of(entity: &Entity) -> Identity {
        Identity { topic: entity.topic.clone(), component: entity.component.clone(), platform: entity.platform.clone() }
    }
}

/// An entity and the key by which it commands a topic.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) entity: Rc<Entity>,
    pub(super) key: String,
}

impl Claim {
    /// An entity that was accepted once and commands on a topic around the one in question, by whichever key.
    pub(super) fn of_accepted(entity: &Entity) -> Claim {
        Claim { entity: Rc::new(entity.clone()), key: String::new() }
    }
}

#[derive(Debug, Clone)]
struct Known {
    entity: Rc<Entity>,
    state_topics: Vec<String>,
    /// Bytes of its options as JSON.
    length: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    /// Discovery, the bridge itself and Home Assistant's streams: what lies at or below these is no device's topic.
    reserved: Vec<String>,
    /// What no entity may be told of.
    secret: Vec<TopicFilter>,
    /// The ids of entities that were accepted. Nobody else gets them, whoever is announced first.
    kept_ids: BTreeMap<String, Identity>,
    /// These entities, as they were accepted.
    keepers: BTreeMap<Identity, Rc<Entity>>,
    entities: BTreeMap<Identity, Known>,
    /// Who commands on a topic, and by which key.
    commands: BTreeMap<String, BTreeSet<(Identity, String)>>,
    /// Who has its state on a topic.
    states: BTreeMap<String, BTreeSet<Identity>>,
    entity_ids: BTreeMap<String, Identity>,
    /// The latest message on each discovery topic, with its length.
    announcements: BTreeMap<String, (Rc<Announcement>, usize)>,
    announced_bytes: usize,
}

impl Claims {
    /// `prefix`: where discovery stands; `base`: where the bridge's own topics begin; `streams`: what Home Assistant alone
    /// tells there is believed.
    pub(super) fn new<'a>(prefix: &str, base: &str, streams: impl IntoIterator<Item = &'a String>) -> Claims {
        let secret = SECRET_LEVELS.iter().filter_map(|level| TopicFilter::new(&format!("{base}/{level}/#")).ok());
        let reserved = [prefix, base].into_iter().map(str::to_owned).chain(streams.into_iter().cloned()).collect();
        Claims { reserved, secret: secret.collect(), ..Claims::default() }
    }

    /// These entities are accepted: their ids are theirs.
    pub(super) fn keep_ids<'a>(&mut self, accepted: impl IntoIterator<Item = &'a Entity>) {
        for entity in accepted {
            let identity = Identity::of(entity);
            if !self.keepers.contains_key(&identity) && !self.kept_ids.contains_key(&entity.entity_id) {
                self.kept_ids.insert(entity.entity_id.clone(), identity.clone());
                self.keepers.insert(identity, Rc::new(entity.clone()));
            }
        }
    }

    /// These are accepted no more.
    pub(super) fn release_ids(&mut self, entities: &[Entity]) {
        for identity in entities.iter().map(Identity::of) {
            if let Some(kept) = self.keepers.remove(&identity) {
                self.kept_ids.remove(&kept.entity_id);
            }
        }
    }

    /// An entity as it was accepted, if it was.
    pub(super) fn accepted(&self, entity: &Entity) -> Option<&Rc<Entity>> {
        self.keepers.get(&Identity::of(entity))
    }

    /// Whether an accepted entity that is announced has the id of this other one: what this one tells is not its state.
    pub(super) fn is_named_like_another(&self, entity: &Entity) -> bool {
        let keeper = self.kept_ids.get(&entity.entity_id).filter(|keeper| self.entities.contains_key(*keeper));
        keeper.is_some_and(|keeper| *keeper != Identity::of(entity))
    }

    /// Takes in one message of `length` bytes. Components that it does not name stay. Gives the command topics of which
    /// something may have changed.
    ///
    /// # Errors
    /// A table is full. Nothing has changed then.
    pub(super) fn announce(
        &mut self,
        mut announcement: Announcement,
        length: usize,
        state_topics: fn(&Entity) -> Vec<String>,
    ) -> Result<BTreeSet<String>, String> {
        self.check_bounds(&announcement, length)?;
        let mut taken = BTreeSet::new();
        for entity in announcement.entities.values_mut() {
            entity.entity_id = self.free_entity_id(entity, &taken);
            taken.insert(entity.entity_id.clone());
        }
        // Bridges announce everything again whenever Home Assistant starts.
        if self.announcements.get(&announcement.topic).is_some_and(|(before, _)| **before == announcement) {
            return Ok(BTreeSet::new());
        }
        let mut affected = BTreeSet::new();
        for (component, platform) in &announcement.removed {
            let (topic, component, platform) = (announcement.topic.clone(), component.clone(), platform.clone());
            self.forget(&Identity { topic, component, platform }, &mut affected);
        }
        for entity in announcement.entities.values() {
            self.forget(&Identity::of(entity), &mut affected);
        }
        for entity in announcement.entities.values() {
            self.insert(entity, state_topics(entity), &mut affected);
        }
        self.announced_bytes += length;
        let before = self.announcements.insert(announcement.topic.clone(), (Rc::new(announcement), length));
        self.announced_bytes -= before.map_or(0, |(_, length)| length);
        Ok(affected)
    }

    fn check_bounds(&self, announcement: &Announcement, length: usize) -> Result<(), String> {
        let is_known = self.announcements.contains_key(&announcement.topic);
        if !is_known && self.announcements.len() >= ANNOUNCEMENTS_MAX {
            return Err(format!("expected at most {ANNOUNCEMENTS_MAX} messages of discovery, found more"));
        }
        // The message, and its entities written out; what they replace is not taken off.
        let entities: usize = announcement.entities.values().map(length_of).sum();
        if self.announced_bytes + length + entities > ANNOUNCED_BYTES_MAX {
            return Err(format!("expected at most {ANNOUNCED_BYTES_MAX} bytes of discovery in all, found more"));
        }
        let is_new = |entity: &&Entity| !self.entities.contains_key(&Identity::of(entity));
        let found = self.entities.len() + announcement.entities.values().filter(is_new).count();
        if found > ENTITIES_MAX {
            return Err(format!("expected at most {ENTITIES_MAX} entities in all, found {found}"));
        }
        let mut claimants: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, topic) in announcement.entities.values().flat_map(Entity::command_topics) {
            *claimants.entry(topic).or_default() += 1;
        }
        for (topic, count) in claimants {
            let is_other = |(identity, _): &&(Identity, String)| identity.topic != announcement.topic;
            let others = self.commands.get(topic).map_or(0, |claims| claims.iter().filter(is_other).count());
            if others + count > CLAIMANTS_MAX {
                return Err(format!("expected at most {CLAIMANTS_MAX} entities that command on `{topic}`, found more"));
            }
        }
        Ok(())
    }

    /// All that a discovery topic has announced is gone.
    pub(super) fn remove(&mut self, topic: &str) -> BTreeSet<String> {
        let mut affected = BTreeSet::new();
        if let Some((_, length)) = self.announcements.remove(topic) {
            self.announced_bytes -= length;
        }
        let first = Identity { topic: topic.to_owned(), component: String::new(), platform: String::new() };
        let gone: Vec<Identity> = self
            .entities
            .range(first..)
            .map(|(identity, _)| identity)
            .take_while(|identity| identity.topic == topic)
            .cloned()
            .collect();
        for identity in gone {
            self.forget(&identity, &mut affected);
        }
        affected
    }

    fn insert(&mut self, entity: &Entity, state_topics: Vec<String>, affected: &mut BTreeSet<String>) {
        let identity = Identity::of(entity);
        for (key, command_topic) in entity.command_topics() {
            let claims = self.commands.entry(command_topic.to_owned()).or_default();
            claims.insert((identity.clone(), key.to_owned()));
            affected.insert(command_topic.to_owned());
        }
        let is_usable = |topic: &String| topic::check_name(topic).is_ok() && !self.is_reserved(topic);
        let state_topics: Vec<String> = state_topics.into_iter().filter(is_usable).collect();
        for state_topic in &state_topics {
            self.states.entry(state_topic.clone()).or_default().insert(identity.clone());
        }
        self.entity_ids.insert(entity.entity_id.clone(), identity.clone());
        let length = length_of(entity);
        self.announced_bytes += length;
        self.entities.insert(identity, Known { entity: Rc::new(entity.clone()), state_topics, length });
    }

    fn forget(&mut self, identity: &Identity, affected: &mut BTreeSet<String>) {
        let Some(Known { entity, state_topics, length }) = self.entities.remove(identity) else { return };
        self.announced_bytes -= length;
        if self.entity_ids.get(&entity.entity_id) == Some(identity) {
            self.entity_ids.remove(&entity.entity_id);
        }
        for (_, command_topic) in entity.command_topics() {
            let is_empty = self.commands.get_mut(command_topic).is_some_and(|claims| {
                claims.retain(|(other, _)| other != identity);
                claims.is_empty()
            });
            if is_empty {
                self.commands.remove(command_topic);
            }
            affected.insert(command_topic.to_owned());
        }
        for state_topic in &state_topics {
            let is_empty = self.states.get_mut(state_topic).is_some_and(|claims| {
                claims.remove(identity);
                claims.is_empty()
            });
            if is_empty {
                self.states.remove(state_topic);
            }
        }
    }

    /// Two entities of one name get `_2` and so on, as in Home Assistant. Who has an id keeps it.
    fn free_entity_id(&self, entity: &Entity, taken: &BTreeSet<String>) -> String {
        let (identity, wanted) = (&Identity::of(entity), entity.entity_id.as_str());
        let is_numbered = |id: &str| {
            let number = id.strip_prefix(wanted).and_then(|rest| rest.strip_prefix('_'));
            id == wanted || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let known = || self.entities.get(identity).map(|known| &known.entity);
        let own = self.keepers.get(identity).or_else(known).map(|entity| entity.entity_id.clone());
        if let Some(own) = own.filter(|own| is_numbered(own) && !taken.contains(own)) {
            return own;
        }
        // One that moves to another discovery topic is announced twice for a while.
        let is_the_same = |owner: &Identity| {
            let unique_id = entity.text("unique_id");
            owner == identity
                || (owner.platform == entity.platform
                    && unique_id.is_some()
                    && self.get(owner).is_some_and(|other| other.text("unique_id") == unique_id))
        };
        let is_free = |id: &String| {
            let owners = [self.kept_ids.get(id), self.entity_ids.get(id)];
            !taken.contains(id) && owners.into_iter().flatten().all(is_the_same)
        };
        let numbered = (2..=NAMESAKES_MAX).map(|number| format!("{wanted}_{number}"));
        let known = std::iter::once(wanted.to_owned()).chain(numbered).find(is_free);
        known.unwrap_or_else(|| {
            // Who has so many of one name has to tell them apart by their topics.
            let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
            let place = format!("{}_{}", entity.topic, entity.component);
            format!("{wanted}_{}", place.chars().map(plain).collect::<String>())
        })
    }

    /// A topic of an entity that is no device's: one that it commands, or one on which it would be told a secret.
    pub(super) fn reserved_topic(&self, entity: &Entity) -> Option<String> {
        let commanded = entity.command_topics().map(|(_, topic)| topic).find(|topic| self.is_reserved(topic));
        let is_secret = |topic: &String| {
            TopicFilter::new(topic).is_ok_and(|told| self.secret.iter().any(|secret| secret.overlaps(&told)))
        };
        commanded.map(str::to_owned).or_else(|| announced_topics(entity).into_iter().find(is_secret))
    }

    fn is_reserved(&self, topic: &str) -> bool {
        self.reserved.iter().any(|root| topic::is_under(topic, root))
    }

    /// Who commands on exactly this topic.
    pub(super) fn on(&self, topic: &str) -> Vec<Claim> {
        self.commands.get(topic).map(|claims| self.claims(claims)).unwrap_or_default()
    }

    pub(super) fn has_command_topic(&self, topic: &str) -> bool {
        self.commands.contains_key(topic)
    }

    pub(super) fn has_state_topic(&self, topic: &str) -> bool {
        self.states.contains_key(topic)
    }

    /// Who commands on a topic of which this one is a part (`<t>/state` of `<t>`).
    pub(super) fn above(&self, topic: &str) -> Vec<Claim> {
        let roots = topic.match_indices('/').filter_map(|(index, _)| topic.get(..index));
        roots.filter_map(|root| self.commands.get(root)).flat_map(|claims| self.claims(claims)).collect()
    }

    /// Who commands on a part of this topic.
    pub(super) fn below(&self, topic: &str) -> Vec<Claim> {
        let start = format!("{topic}/");
        let parts = self.commands.range(start.clone()..).take_while(|(part, _)| part.starts_with(&start));
        parts.flat_map(|(_, claims)| self.claims(claims)).collect()
    }

    fn claims(&self, claims: &BTreeSet<(Identity, String)>) -> Vec<Claim> {
        let claim = |(identity, key): &(Identity, String)| {
            Some(Claim { entity: Rc::clone(self.get(identity)?), key: key.clone() })
        };
        claims.iter().filter_map(claim).collect()
    }

    /// Who has its state on this topic.
    pub(super) fn stated_on(&self, topic: &str) -> Vec<Rc<Entity>> {
        let identities = self.states.get(topic).into_iter().flatten();
        identities.filter_map(|identity| self.get(identity).cloned()).collect()
    }

    pub(super) fn get(&self, identity: &Identity) -> Option<&Rc<Entity>> {
        self.entities.get(identity).map(|known| &known.entity)
    }

    pub(super) fn by_entity_id(&self, entity_id: &str) -> Option<Rc<Entity>> {
        self.get(self.entity_ids.get(entity_id)?).cloned()
    }

    pub(super) fn entities(&self) -> impl Iterator<Item = &Rc<Entity>> {
        self.entities.values().map(|known| &known.entity)
    }

    pub(super) fn command_topics(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    pub(super) fn state_topics(&self) -> impl Iterator<Item = &str> {
        self.states.keys().map(String::as_str)
    }

    /// The latest message on each discovery topic.
    pub(super) fn announcements(&self) -> impl Iterator<Item = &Rc<Announcement>> {
        self.announcements.values().map(|(announcement, _)| announcement)
    }

    pub(super) fn announcement(&self, topic: &str) -> Option<&Rc<Announcement>> {
        self.announcements.get(topic).map(|(announcement, _)| announcement)
    }
}

/// Bytes of an entity's options as JSON.
pub(super) fn length_of(entity: &Entity) -> usize {
    serde_json::to_vec(&entity.options).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests;
