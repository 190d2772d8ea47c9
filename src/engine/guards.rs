//! Guarded topics as they are kept: what was announced when they were guarded, and what differs now.
//!
//! The registry compares; this keeps what it found, tells of it, and lets the owner accept.

use super::ids::digest_of;
use super::{Engine, Turn};
use crate::model::control::Control;
use crate::model::durable::Change;
use crate::model::entity::{Entity, Guard};
use crate::model::event::Entry;
use crate::model::request::{Arrival, Held};

/// Problems that the request to accept them names. All of them stand in the log.
const PROBLEMS_NAMED_MAX: usize = 16;

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

    /// The owner accepts what is announced, by the decision `by`. `looked_at`: what was announced when somebody was
    /// asked. Whoever may announce devices could else change it while the question is open.
    pub(super) fn accept(&mut self, turn: &mut Turn<'_>, topic: Option<&str>, looked_at: Option<&str>, by: &str) {
        let guards = self.problems(topic);
        if looked_at != Some(self.announced(&guards).as_str()) {
            let reason = "what is announced has changed since it was asked whether to accept it; nothing was accepted";
            let topic = format!("{}/guard/set", self.config.base);
            turn.record(Entry::Refused { topic, reason: reason.to_owned() });
            return;
        }
        for (guarded, _) in guards {
            let accepted = self.registry.accept(&guarded);
            self.keep(turn, guarded, accepted, Some(by));
        }
    }

    /// Binds an acceptance to what is announced now, and says what that is.
    pub(super) fn name_what_is_accepted(&self, arrival: &mut Arrival) {
        if let Held::Control(Control::Accept { topic, announced }) = &mut arrival.held {
            let problems = self.problems(topic.as_deref());
            *announced = Some(self.announced(&problems));
            let named =
                problems.iter().take(PROBLEMS_NAMED_MAX).map(|(topic, problem)| format!("`{topic}`: {problem}"));
            arrival.request.data.insert("problems".to_owned(), named.collect());
        }
    }

    /// The problem of this guarded topic, or those of all.
    fn problems(&self, topic: Option<&str>) -> Vec<(String, String)> {
        let world = self.world.borrow();
        let guards = world.durable.guards.iter().filter(|(guarded, _)| topic.is_none_or(|topic| topic == *guarded));
        guards.filter_map(|(guarded, guard)| Some((guarded.clone(), guard.problem.clone()?))).collect()
    }

    /// A digest of everything that is announced for these topics.
    fn announced(&self, problems: &[(String, String)]) -> String {
        let claims: Vec<_> = problems
            .iter()
            .map(|(topic, _)| (topic, self.registry.claimants(topic)))
            .map(|(topic, entities)| (topic, entities.iter().map(|entity| Entity::clone(entity)).collect::<Vec<_>>()))
            .collect();
        // What cannot be written down equals nothing, so that it is never taken for something else.
        serde_json::to_vec(&claims).map_or_else(|_| String::new(), |text| digest_of(&text))
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
