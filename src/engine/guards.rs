//! Guarded topics as they are kept: what was announced when they were guarded, and what differs now.
//!
//! The registry compares; this keeps what it found, tells of it, and lets the owner accept.

use super::{Engine, Turn};
use crate::model::durable::Change;
use crate::model::entity::Guard;
use crate::model::event::Entry;

impl Engine {
    /// What is announced for a guarded topic is new, has changed, or is again as it was accepted.
    pub(super) fn guard(&mut self, turn: &mut Turn<'_>, topic: String, guard: Guard) {
        if self.world.borrow().durable.guards.get(&topic) != Some(&guard) {
            self.keep(turn, topic, guard, None);
        }
    }

    fn keep(&mut self, turn: &mut Turn<'_>, topic: String, guard: Guard, by: Option<&str>) {
        let entities = guard.accepted.iter().map(|entity| entity.entity_id.clone()).collect();
        let (problem, by) = (guard.problem.clone(), by.map(str::to_owned));
        turn.record(Entry::Guarded { topic: topic.clone(), entities, problem, by });
        self.change(turn, Change::Guard { topic, guard });
    }

    /// The topics that are guarded.
    pub fn guarded_topics(&self) -> Vec<String> {
        self.world.borrow().durable.guards.keys().cloned().collect()
    }

    /// Whether something was announced for this guarded topic, or for any, that was not accepted.
    pub(super) fn has_problem(&self, topic: Option<&str>) -> bool {
        let world = self.world.borrow();
        let mut guards = world.durable.guards.iter();
        guards.any(|(guarded, guard)| topic.is_none_or(|topic| topic == guarded) && guard.problem.is_some())
    }

    /// The owner accepts what is announced now, by the decision `by`.
    pub(super) fn accept(&mut self, turn: &mut Turn<'_>, topic: Option<&str>, by: &str) {
        let guards = self.world.borrow().durable.guards.clone();
        for (guarded, guard) in guards {
            if topic.is_none_or(|topic| topic == guarded) && guard.problem.is_some() {
                let accepted = self.registry.accept(&guarded);
                self.keep(turn, guarded, accepted, Some(by));
            }
        }
    }
}
