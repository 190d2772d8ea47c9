//! What is heard without a question: states, events, and messages on topics that policies listen to.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::judge::note_failure;
use super::{Engine, Turn};
use crate::home::{self, Overflow};
use crate::model::event::Entry;
use crate::model::message::Message;
use crate::model::request::{FactChange, HouseEvent};
use crate::policy::{Policy, Reaction};

/// How often a full table is told of. It fills once; the thousands of facts that it then refuses say nothing new.
const FULL_TOLD_EVERY_MS: u64 = 3_600_000;

/// When each overflow was last told.
#[derive(Debug, Default)]
pub(super) struct Overflows(BTreeMap<&'static str, u64>);

impl Overflows {
    fn is_news(&mut self, table: &'static str, now_ms: u64) -> bool {
        let told = self.0.get(table).is_some_and(|told_ms| now_ms.saturating_sub(*told_ms) < FULL_TOLD_EVERY_MS);
        if !told {
            self.0.insert(table, now_ms);
        }
        !told
    }
}

impl Engine {
    /// A state was learned.
    pub(super) fn learn(&mut self, turn: &mut Turn<'_>, change: FactChange) {
        let entity = change.entity.clone();
        if change.attribute.is_none() {
            self.note_state(&entity, change.value.as_ref());
        }
        let folded = self.world.borrow_mut().home.fold(turn.at.monotonic_ms, change);
        let Err(overflow) = folded else { return };
        let (table, limit) = match overflow {
            Overflow::Entities => ("entities", home::ENTITIES_MAX),
            Overflow::Attributes => ("attributes of an entity", home::ATTRIBUTES_MAX),
            Overflow::Value => ("bytes of a value", home::VALUE_BYTES_MAX),
        };
        self.tell_full(turn, table, limit, &entity);
    }

    /// A table is full. That is told once an hour.
    pub(super) fn tell_full(&mut self, turn: &mut Turn<'_>, table: &'static str, limit: usize, what: &str) {
        if self.overflows.is_news(table, turn.at.monotonic_ms) {
            turn.record(Entry::Full { table: table.to_owned(), limit: limit as u64, what: what.to_owned() });
        }
    }

    /// Something happened in the house.
    pub(super) fn hear(&mut self, turn: &mut Turn<'_>, event: HouseEvent) {
        let event = Rc::new(event);
        let view = self.view(turn.at);
        let reactions: Vec<(String, Reaction)> = self
            .policies
            .for_event(&event.name)
            .filter(|policy| self.is_on(policy))
            .map(|policy| (policy.name().to_owned(), policy.on_event(&event, &view)))
            .collect();
        let reacted = |(name, reaction): &(String, Reaction)| (!reaction.wishes.is_empty()).then(|| name.clone());
        let policies: Vec<String> = reactions.iter().filter_map(reacted).collect();
        if !policies.is_empty() {
            turn.record(Entry::Event { event: HouseEvent::clone(&event), policies });
        }
        self.fulfil_all(turn, reactions);
    }

    /// A message came on a topic that policies listen to.
    pub(super) fn overhear(&mut self, turn: &mut Turn<'_>, message: &Message) {
        let view = self.view(turn.at);
        let reactions: Vec<(String, Reaction)> = self
            .policies
            .for_topic(&message.topic)
            .filter(|policy| self.is_on(policy))
            .map(|policy: &Policy| (policy.name().to_owned(), policy.on_message(message, &view)))
            .collect();
        self.fulfil_all(turn, reactions);
    }

    fn fulfil_all(&mut self, turn: &mut Turn<'_>, reactions: Vec<(String, Reaction)>) {
        for (name, reaction) in reactions {
            note_failure(turn, &reaction);
            for wish in reaction.wishes {
                self.fulfil(turn, &name, wish, 0);
            }
        }
    }
}
