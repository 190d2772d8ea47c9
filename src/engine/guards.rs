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
        turn.record(guarded(&topic, &guard, by));
        self.change(turn, Change::Guard { topic, guard });
    }

    /// Says again, after a start, which guarded topics wait for the owner.
    pub(super) fn tell_guards(&self, turn: &mut Turn<'_>) {
        for (topic, guard) in &self.world.borrow().durable.guards {
            if guard.problem.is_some() {
                turn.record(guarded(topic, guard, None));
            }
        }
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

fn guarded(topic: &str, guard: &Guard, by: Option<&str>) -> Entry {
    Entry::Guarded {
        topic: topic.to_owned(),
        entities: guard.accepted.iter().map(|entity| entity.entity_id.clone()).collect(),
        problem: guard.problem.clone(),
        by: by.map(str::to_owned),
    }
}
