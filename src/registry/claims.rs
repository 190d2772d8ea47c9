//! Which entities claim which topics, as discovery has announced them so far.
//!
//! An entity is known by the message that announced it, its place in that message, and its platform: of two messages
//! that speak of one device neither can take away what the other has said. It does not know what payloads mean, and it
//! forgets with the process: the broker has the messages stored.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::model::entity::{Announcement, Entity};
use crate::model::topic;

/// Entities that are known at a time.
pub const ENTITIES_MAX: usize = 5_000;
/// All messages of discovery together, in bytes of JSON.
pub const ANNOUNCED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Names an entity among all: discovery topic, component, platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    topic: String,
    component: String,
    platform: String,
}

impl Identity {
    pub(super) fn of(entity: &Entity) -> Identity {
        Identity {
            topic: entity.topic.clone(),
            component: entity.component.clone(),
            platform: entity.platform.clone(),
        }
    }
}

/// An entity and the key by which it commands a topic.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) entity: Rc<Entity>,
    pub(super) key: String,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    /// Discovery and the bridge itself: what lies at or below these is no device's topic.
    reserved: Vec<String>,
    entities: BTreeMap<Identity, Rc<Entity>>,
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
    pub(super) fn new(reserved: Vec<String>) -> Claims {
        Claims { reserved, ..Claims::default() }
    }

    /// Takes in one message of `length` bytes. Components that it does not name stay. Gives the command topics of which
    /// something may have changed.
    ///
    /// # Errors
    /// A table is full. Nothing has changed then.
    pub(super) fn announce(
        &mut self,
        announcement: Announcement,
        length: usize,
        state_topics: &dyn Fn(&Entity) -> Vec<String>,
    ) -> Result<BTreeSet<String>, String> {
        let is_new = |entity: &&Entity| !self.entities.contains_key(&Identity::of(entity));
        let found = self.entities.len() + announcement.entities.values().filter(is_new).count();
        if found > ENTITIES_MAX {
            return Err(format!("expected at most {ENTITIES_MAX} entities in all, found {found}"));
        }
        let before = self.announcements.get(&announcement.topic).map_or(0, |(_, length)| *length);
        let announced_bytes = self.announced_bytes - before + length;
        if announced_bytes > ANNOUNCED_BYTES_MAX {
            return Err(format!("expected at most {ANNOUNCED_BYTES_MAX} bytes of discovery in all, found more"));
        }
        self.announced_bytes = announced_bytes;
        let mut affected = BTreeSet::new();
        for (component, platform) in &announcement.removed {
            let (topic, component, platform) = (announcement.topic.clone(), component.clone(), platform.clone());
            self.forget(&Identity { topic, component, platform }, &mut affected);
        }
        let mut announcement = announcement;
        for entity in announcement.entities.values_mut() {
            let identity = Identity::of(entity);
            self.forget(&identity, &mut affected);
            entity.entity_id = self.free_entity_id(&entity.entity_id);
            self.insert(identity, entity, state_topics, &mut affected);
        }
        self.announcements.insert(announcement.topic.clone(), (Rc::new(announcement), length));
        Ok(affected)
    }

    /// All that a discovery topic has announced is gone.
    pub(super) fn remove(&mut self, topic: &str) -> BTreeSet<String> {
        let mut affected = BTreeSet::new();
        if let Some((_, length)) = self.announcements.remove(topic) {
            self.announced_bytes -= length;
        }
        let first = Identity { topic: topic.to_owned(), component: String::new(), platform: String::new() };
        let gone: Vec<Identity> =
            self.entities.range(first..).map(|(identity, _)| identity).take_while(|identity| identity.topic == topic).cloned().collect();
        for identity in gone {
            self.forget(&identity, &mut affected);
        }
        affected
    }

    fn insert(
        &mut self,
        identity: Identity,
        entity: &Entity,
        state_topics: &dyn Fn(&Entity) -> Vec<String>,
        affected: &mut BTreeSet<String>,
    ) {
        for (key, command_topic) in entity.command_topics() {
            if self.is_reserved(command_topic) {
                continue;
            }
            let claims = self.commands.entry(command_topic.to_owned()).or_default();
            claims.insert((identity.clone(), key.to_owned()));
            affected.insert(command_topic.to_owned());
        }
        for state_topic in state_topics(entity) {
            if topic::check_name(&state_topic).is_ok() && !self.is_reserved(&state_topic) {
                self.states.entry(state_topic).or_default().insert(identity.clone());
            }
        }
        self.entity_ids.insert(entity.entity_id.clone(), identity.clone());
        self.entities.insert(identity, Rc::new(entity.clone()));
    }

    fn forget(&mut self, identity: &Identity, affected: &mut BTreeSet<String>) {
        let Some(entity) = self.entities.remove(identity) else { return };
        self.entity_ids.remove(&entity.entity_id);
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
        self.states.retain(|_, claims| {
            claims.remove(identity);
            !claims.is_empty()
        });
    }

    /// Two entities of one name get `_2` and so on, as in Home Assistant.
    fn free_entity_id(&self, wanted: &str) -> String {
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let mut candidates = std::iter::once(wanted.to_owned()).chain(numbered);
        candidates.find(|candidate| !self.entity_ids.contains_key(candidate)).unwrap_or_else(|| wanted.to_owned())
    }

    fn is_reserved(&self, topic: &str) -> bool {
        self.reserved.iter().any(|root| topic::is_under(topic, root))
    }

    /// Who commands on exactly this topic.
    pub(super) fn on(&self, topic: &str) -> Vec<Claim> {
        self.commands.get(topic).map(|claims| self.claims(claims)).unwrap_or_default()
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
            Some(Claim { entity: Rc::clone(self.entities.get(identity)?), key: key.clone() })
        };
        claims.iter().filter_map(claim).collect()
    }

    /// Who has its state on this topic.
    pub(super) fn stated_on(&self, topic: &str) -> Vec<Rc<Entity>> {
        let identities = self.states.get(topic).into_iter().flatten();
        identities.filter_map(|identity| self.entities.get(identity).cloned()).collect()
    }

    pub(super) fn get(&self, identity: &Identity) -> Option<&Rc<Entity>> {
        self.entities.get(identity)
    }

    pub(super) fn by_entity_id(&self, entity_id: &str) -> Option<Rc<Entity>> {
        self.entities.get(self.entity_ids.get(entity_id)?).cloned()
    }

    pub(super) fn entities(&self) -> impl Iterator<Item = &Rc<Entity>> {
        self.entities.values()
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
