//! What the gate covers, what it does not, and why: for the owner, who can then do something about it.
//!
//! It knows what was announced and what Home Assistant's streams have shown. What neither tells is not there for it, and
//! that is said too. Whether the broker enforces its rules is not known here: the canary proves that.

mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use super::doors::{DoorFilter, Doors, Family};
use super::mirror::{self, Settings};
use super::{Registry, platform};
use crate::config::Config;
use crate::home::Home;
use crate::model::entity::Entity;

/// The result, as `doctor --format json` writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// In order of their entity ids.
    pub covered: Vec<Covered>,
    pub not_covered: Vec<NotCovered>,
    /// What to know beside that. Nothing in it opens a gate.
    pub notes: Vec<String>,
}

/// An entity that is commanded through the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Covered {
    pub entity_id: String,
    pub family: Family,
    /// What must be written by the bridge alone: its command topics, and the other doors to it.
    pub shut: Vec<DoorFilter>,
}

/// A way to something that matters, round the gate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCovered {
    pub what: String,
    pub reason: String,
    /// What to change, with the line to write where there is one.
    pub help: String,
}

impl Coverage {
    /// Of a house as the registry and the facts show it.
    pub fn of(config: &Config, registry: &Registry, facts: &Home) -> Coverage {
        let entities = registry.entities();
        let doors = Doors::new(entities.iter().cloned());
        let entities: Vec<&Entity> = entities.iter().map(|entity| &**entity).collect();
        let is_guarded = |entity: &Entity| {
            let mut topics = entity.command_topics();
            topics.any(|(_, topic)| registry.is_guarded(topic))
        };
        let (guarded, open): (Vec<&Entity>, Vec<&Entity>) = entities.iter().partition(|entity| is_guarded(entity));
        let mut coverage = Coverage::default();
        for entity in &guarded {
            coverage.covered.push(Covered {
                entity_id: entity.entity_id.clone(),
                family: doors.place(entity).0,
                shut: doors.filters(entity),
            });
        }
        coverage.covered.sort_by(|one, other| one.entity_id.cmp(&other.entity_id));
        coverage.add_gaps(&doors, &guarded, &|topic| registry.is_guarded(topic));
        coverage.add_unguarded(&open);
        coverage.add_beside(&open, registry);
        coverage.add_mirror(config, registry);
        streams::add(&mut coverage, config, registry, facts);
        coverage.not_covered.sort();
        coverage.not_covered.dedup();
        coverage.notes.sort();
        coverage.notes.dedup();
        coverage
    }

    /// Doors to guarded entities that can be neither shut nor read.
    fn add_gaps(&mut self, doors: &Doors, guarded: &[&Entity], is_guarded: &dyn Fn(&str) -> bool) {
        let mut noted = BTreeSet::new();
        for gap in guarded.iter().flat_map(|entity| doors.gaps(entity)) {
            if gap.topic.as_deref().is_some_and(is_guarded) {
                continue;
            }
            if gap.is_shut_by_rules {
                noted.insert(format!("{}: {}; {}", gap.what, gap.reason, gap.help));
            } else {
                self.not_covered.push(NotCovered { what: gap.what, reason: gap.reason, help: gap.help });
            }
        }
        self.notes.extend(noted);
    }

    /// What would be guarded if the owner had not said otherwise.
    fn add_unguarded(&mut self, open: &[&Entity]) {
        let commanded = open.iter().filter(|entity| entity.command_topics().next().is_some());
        for entity in commanded.filter(|entity| platform::is_sensitive(entity)) {
            self.not_covered.push(NotCovered {
                what: format!("`{}`, which is sensitive", entity.entity_id),
                reason: "`gate:` leaves it out, or its topics are not fit for the gate".to_owned(),
                help: format!("write `home_assistant: {{gate: [sensitive, \"{}\"]}}`", entity.entity_id),
            });
        }
    }

    /// What is commanded directly on a topic that is a door to something guarded.
    fn add_beside(&mut self, open: &[&Entity], registry: &Registry) {
        let others = open.iter().filter(|entity| !platform::is_sensitive(entity));
        let commands = others.flat_map(|entity| entity.command_topics().map(move |(_, topic)| (entity, topic)));
        let beside = commands.filter(|(_, topic)| registry.moves_guarded(topic) && !registry.is_guarded(topic));
        self.not_covered.extend(beside.map(|(entity, topic)| NotCovered {
            what: format!("`{}` on `{topic}`", entity.entity_id),
            reason: "it is not guarded, and a message there can move what is".to_owned(),
            help: format!("write `home_assistant: {{gate: [sensitive, \"{}\"]}}`", entity.entity_id),
        }));
    }

    /// What the mirror could not make safe.
    fn add_mirror(&mut self, config: &Config, registry: &Registry) {
        let settings = Settings { base: config.base.clone(), discovery: config.home_assistant.discovery.clone() };
        for announcement in registry.announcements() {
            let mirrored = mirror::mirrored(&announcement, &settings, &|topic| registry.is_guarded(topic));
            self.notes.extend(mirrored.notes);
            let silent = announcement.entities.values().filter(|entity| {
                let mut topics = entity.command_topics();
                mirror::is_silent(entity) && topics.any(|(_, topic)| registry.is_guarded(topic))
            });
            self.notes.extend(silent.map(|entity| {
                format!(
                    "{}: its device tells no state, so Home Assistant is shown what should follow each allowed command",
                    entity.entity_id
                )
            }));
        }
    }
}
