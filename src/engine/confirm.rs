//! Held requests: asking for a confirmation, and how a held request ends.
//!
//! A confirmation is bound to the exact commands that it was asked for and to one set of policies. Which channel may give
//! it, and what an answer must be to count, is said in `answers`.

use std::collections::{BTreeMap, VecDeque};

use super::ids::token_digest;
use super::judge::{answer, conclude, record};
use super::{Engine, Turn};
use crate::model::decision::{ConfirmBy, Decision, Otherwise, Outcome, Settlement, Terms, Verdict};
use crate::model::durable::{Change, Item, Pending};
use crate::model::event::Publication;
use crate::model::request::{Arrival, Request};

mod again;
mod contrary;
mod groups;
mod quotas;
mod windows;

pub use groups::{GATHERING_MS, GROUP_ITEMS_MAX};
use groups::{can_join, common};
pub use quotas::{PROMPTS_PER_ASKER_MAX, QUOTA_WINDOW_MS, REFUSED_MAX};
pub use windows::NOTICE_BEFORE_END_MS;

/// Questions that are open at one time. One more is denied.
pub const PENDINGS_MAX: usize = 64;
/// Questions of one asker that are open at one time: of one channel, or of nobody known by one door. A flood of them
/// leaves room for everybody else's.
pub const PENDINGS_PER_ASKER_MAX: usize = 12;
/// Ended questions whose end is remembered, to tell a late answer why it is late.
pub const RECENT_MAX: usize = 256;

const NO_CHANNEL: &str = "it needs a confirmation, but no channel may give it";

/// How the latest held requests ended.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<(String, &'static str)>);

impl Recent {
    fn note(&mut self, id: String, end: &'static str) {
        if self.0.len() >= RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back((id, end));
    }

    pub(super) fn end_of(&self, id: &str) -> Option<&'static str> {
        self.0.iter().rev().find(|(ended, _)| ended == id).map(|(_, end)| *end)
    }
}

impl Engine {
    /// Why nobody is asked. `None`: the request can be held.
    pub(super) fn cannot_hold(
        &self,
        turn: &Turn<'_>,
        arrival: &Arrival,
        terms: &Terms,
        channels: &[String],
    ) -> Option<String> {
        if channels.is_empty() {
            return Some(NO_CHANNEL.to_owned());
        }
        let request = &arrival.request;
        let open = self.to_join(turn, arrival, terms, channels);
        if let Some(reason) = self.over_quota(turn, request, open.is_none()) {
            return Some(reason);
        }
        if let Some(open) = open {
            return (open.items().count() >= GROUP_ITEMS_MAX).then(|| {
                format!("it needs a confirmation, but {GROUP_ITEMS_MAX} requests are waiting in its group already")
            });
        }
        let world = self.world.borrow();
        let pendings = &world.durable.pendings;
        if pendings.len() >= PENDINGS_MAX {
            return Some(format!("it needs a confirmation, but {PENDINGS_MAX} requests are waiting already"));
        }
        let of_asker =
            pendings.values().filter(|pending| is_same_asker(&pending.first.arrival.request, request)).count();
        (of_asker >= PENDINGS_PER_ASKER_MAX).then(|| {
            format!("it needs a confirmation, but {PENDINGS_PER_ASKER_MAX} requests of this asker are waiting already")
        })
    }

    /// Holds a request, and asks: at once, or with what else its group gathers.
    pub(super) fn hold(
        &mut self,
        turn: &mut Turn<'_>,
        mut decision: Decision,
        arrival: Arrival,
        terms: Terms,
        channels: Vec<String>,
    ) {
        let open = self.to_join(turn, &arrival, &terms, &channels);
        let own_until = turn.at.plus_ms(terms.within_ms);
        let until = open.as_ref().map_or(own_until.utc, |open| open.until);
        let joins = open.as_ref().map(|open| open.id.clone());
        let channels = match &open {
            Some(open) => common(&open.channels, &channels),
            None => channels,
        };
        let (question, asked) = (terms.ask.clone(), channels.clone());
        decision.confirm = Some(ConfirmBy { question: question.clone(), until, channels: asked, joins });
        let waiting = answer(turn, &decision, arrival.reply.clone(), Some(until));
        let (id, at_ms) = (decision.id.clone(), turn.at.monotonic_ms);
        let policies = decision.deciding.clone();
        let gathers = can_join(&arrival, &terms);
        let first = Item { id: id.clone(), arrival, question: question.clone(), at_ms };
        record(turn, decision);
        match open {
            Some(open) => self.join(turn, open, first, channels),
            None => {
                let pending = Pending {
                    id,
                    first,
                    joined: Vec::new(),
                    policies,
                    question,
                    channels,
                    tokens: BTreeMap::new(),
                    round: 0,
                    opened_ms: at_ms,
                    expires_ms: own_until.monotonic_ms,
                    until,
                    ask_ms: gathers.then(|| at_ms.saturating_add(GATHERING_MS)),
                    asked_ms: at_ms,
                    noticed_ms: None,
                    terms,
                };
                self.note_prompt(turn, &pending);
                if gathers { self.show(turn, pending) } else { self.ask(turn, pending) }
            }
        }
        turn.effects.extend(waiting);
    }

    /// Makes a held request visible, as it stands.
    fn show(&mut self, turn: &mut Turn<'_>, pending: Pending) {
        let pending = Box::new(pending);
        self.change(turn, Change::Hold { pending: pending.clone() });
        turn.publish(Publication::Pending(pending));
    }

    /// Makes a held request visible, and sends each channel its token.
    fn ask(&mut self, turn: &mut Turn<'_>, pending: Pending) {
        let tokens = self.tokens(&pending);
        let pending = Pending { tokens, ask_ms: None, asked_ms: turn.at.monotonic_ms, ..pending };
        self.show(turn, pending.clone());
        self.prompt(turn, &pending);
    }

    fn prompt(&self, turn: &mut Turn<'_>, pending: &Pending) {
        for channel in pending.tokens.keys() {
            let token = self.ids.token(&pending.id, channel, pending.round);
            let (channel, pending) = (channel.clone(), Box::new(pending.clone()));
            turn.publish(Publication::Prompt { channel, pending, token });
        }
    }

    /// Asks again what is open, in the same words and with the same tokens.
    pub(super) fn prompt_all(&self, turn: &mut Turn<'_>) {
        for pending in self.world.borrow().durable.pendings.values() {
            self.prompt(turn, pending);
        }
    }

    /// What is kept of the tokens of this round.
    fn tokens(&self, pending: &Pending) -> BTreeMap<String, String> {
        let kept = |channel: &String| {
            let token = self.ids.token(&pending.id, channel, pending.round);
            (channel.clone(), token_digest(&token))
        };
        pending.channels.iter().map(kept).collect()
    }

    /// The time of a held request is over: the safe side, or what its veto window says.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>, id: &str) {
        let pending = self.world.borrow().durable.pendings.get(id).cloned();
        if let Some(pending) = pending {
            let outcome = if self.is_unopposed(&pending) { Outcome::Unopposed } else { Outcome::Expired };
            let settlement = Settlement { pending: pending.id.clone(), outcome, channel: None };
            self.settle(turn, pending, settlement);
        }
    }

    /// Ends a question by what a person, or the clock, said: each request that it holds, in the order in which they came.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>, pending: Pending, settlement: Settlement) {
        let Settlement { outcome, channel, .. } = settlement;
        let by = channel.as_deref().unwrap_or_default();
        let is_window = pending.terms.otherwise != Otherwise::Deny;
        let (verdict, reason) = match outcome {
            Outcome::Approved => (Verdict::Allow, format!("approved on {}", self.strength(by))),
            Outcome::Rejected => (Verdict::Deny, format!("rejected on `{by}`")),
            Outcome::Unopposed => (Verdict::Allow, "somebody was told, and nobody objected in time".to_owned()),
            Outcome::Expired if is_window => {
                let untold = || "nobody was told of it for sure, and in time".to_owned();
                (
                    Verdict::Deny,
                    format!("silence is no yes here: {}", self.window_fails(&pending).unwrap_or_else(untold)),
                )
            }
            Outcome::JudgedAgain => {
                (Verdict::Deny, "the bridge was restarted, and a veto window does not outlive that".to_owned())
            }
            Outcome::Expired | Outcome::Cancelled => (Verdict::Deny, "nobody confirmed it in time".to_owned()),
        };
        self.close(turn, &pending, outcome);
        for item in std::iter::once(pending.first).chain(pending.joined) {
            let settlement = Settlement { pending: item.id.clone(), outcome, channel: channel.clone() };
            if verdict == Verdict::Allow {
                let request = &item.arrival.request;
                let decision = self.settled(turn.at, request, verdict, reason.clone(), settlement);
                let held_ms = turn.at.monotonic_ms.saturating_sub(item.at_ms);
                self.release(turn, decision, item.arrival, held_ms);
            } else {
                self.refuse_item(turn, item, reason.clone(), settlement);
            }
        }
    }

    /// Ends one held request with a no.
    fn refuse_item(&mut self, turn: &mut Turn<'_>, item: Item, reason: String, settlement: Settlement) {
        let decision = self.settled(turn.at, &item.arrival.request, Verdict::Deny, reason, settlement);
        conclude(turn, decision, item.arrival.reply);
    }

    /// Takes a question off the table. What becomes of its requests is the caller's next line.
    fn close(&mut self, turn: &mut Turn<'_>, pending: &Pending, outcome: Outcome) {
        self.change(turn, Change::Release { id: pending.id.clone() });
        self.note_prompted(turn, &pending.id, outcome);
        self.recent.note(pending.id.clone(), end_by(outcome));
        turn.publish(Publication::PendingOver { id: pending.id.clone() });
        for channel in pending.channels.iter().filter(|_| pending.was_asked()) {
            turn.publish(Publication::PromptOver { channel: channel.clone(), id: pending.id.clone() });
        }
    }
}

/// What a late answer is told.
fn end_by(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Approved => "it was approved already",
        Outcome::Rejected => "it was rejected already",
        Outcome::Expired => "its time is over",
        Outcome::JudgedAgain => "it was judged again and ended",
        Outcome::Unopposed => "nobody objected, and it was let go already",
        Outcome::Cancelled => "a contrary command was allowed, and it ended",
    }
}

/// What an asker says of itself does not make it another one.
fn is_same_asker(one: &Request, other: &Request) -> bool {
    match (&one.source.channel, &other.source.channel) {
        (None, None) => one.door == other.door,
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_end_is_forgotten_first() {
        let mut recent = Recent::default();
        for index in 0..RECENT_MAX {
            recent.note(index.to_string(), "it was approved already");
        }
        assert_eq!(recent.end_of("0"), Some("it was approved already"));
        recent.note("one more".to_owned(), "its time is over");
        assert_eq!((recent.end_of("0"), recent.0.len()), (None, RECENT_MAX));
        assert_eq!(recent.end_of("1"), Some("it was approved already"));
        assert_eq!(recent.end_of("one more"), Some("its time is over"));
    }
}
