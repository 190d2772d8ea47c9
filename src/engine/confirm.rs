//! Held requests: asking for a confirmation, and how a held request ends.
//!
//! A confirmation is bound to one exact command and one set of policies. Which channel may give it, and what an answer must
//! be to count, is said in `answers`.

use std::collections::VecDeque;
use std::rc::Rc;

use super::ids::token_digest;
use super::judge::{answer, conclude, deny, record};
use super::{Engine, Turn};
use crate::model::decision::{Decision, Outcome, Settlement, Terms, Verdict};
use crate::model::durable::{Change, Item, Pending};
use crate::model::event::{Entry, Publication};
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Request};

/// Requests that are held at one time. One more is denied.
pub const PENDINGS_MAX: usize = 64;
/// Requests of one asker that are held at one time: of one channel, or of nobody known by one door. A flood of them
/// leaves room for everybody else's.
pub const PENDINGS_PER_ASKER_MAX: usize = 12;
/// Ended requests whose end is remembered, to tell a late answer why it is late.
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
    /// Why nothing more can be held. `None`: it can.
    pub(super) fn cannot_hold(&self, request: &Request, channels: &[String]) -> Option<String> {
        if channels.is_empty() {
            return Some(NO_CHANNEL.to_owned());
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

    /// Holds a request, and asks.
    pub(super) fn hold(
        &mut self,
        turn: &mut Turn<'_>,
        decision: Decision,
        arrival: Arrival,
        terms: Terms,
        channels: Vec<String>,
    ) {
        let until = turn.at.plus_ms(terms.within_ms);
        let waiting = answer(&decision, arrival.reply.clone(), Some(until.utc));
        let pending = Pending {
            id: decision.id.clone(),
            first: Item { id: decision.id.clone(), arrival },
            joined: Vec::new(),
            policies: decision.deciding.clone(),
            question: terms.ask.clone(),
            tokens: self.tokens(&decision.id, channels, 0),
            round: 0,
            opened_ms: turn.at.monotonic_ms,
            asked_ms: turn.at.monotonic_ms,
            expires_ms: until.monotonic_ms,
            until: until.utc,
            ask_ms: None,
            noticed_ms: None,
            terms,
        };
        record(turn, decision);
        self.ask(turn, pending);
        turn.effects.extend(waiting);
    }

    /// Makes a held request visible, and sends each channel its token.
    fn ask(&mut self, turn: &mut Turn<'_>, pending: Pending) {
        let pending = Box::new(pending);
        self.change(turn, Change::Hold { pending: pending.clone() });
        turn.publish(Publication::Pending(pending.clone()));
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

    fn tokens(&self, id: &str, channels: Vec<String>, round: u32) -> std::collections::BTreeMap<String, String> {
        let kept = |channel: String| {
            let token = self.ids.token(id, &channel, round);
            (channel, token_digest(&token))
        };
        channels.into_iter().map(kept).collect()
    }

    /// The time of a held request is over: the safe side.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>, id: &str) {
        let pending = self.world.borrow().durable.pendings.get(id).cloned();
        if let Some(pending) = pending {
            let settlement = Settlement { pending: pending.id.clone(), outcome: Outcome::Expired, channel: None };
            self.settle(turn, pending, settlement);
        }
    }

    /// Ends a held request by what a person, or the clock, said.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>, pending: Pending, settlement: Settlement) {
        let channel = settlement.channel.as_deref().unwrap_or_default();
        let (verdict, reason) = match settlement.outcome {
            Outcome::Approved => (Verdict::Allow, format!("approved on {}", self.strength(channel))),
            Outcome::Rejected => (Verdict::Deny, format!("rejected on `{channel}`")),
            Outcome::Expired | Outcome::JudgedAgain | Outcome::Unopposed | Outcome::Cancelled => {
                (Verdict::Deny, "nobody confirmed it in time".to_owned())
            }
        };
        let end = match settlement.outcome {
            Outcome::Approved => "it was approved already",
            Outcome::Rejected => "it was rejected already",
            Outcome::Expired => "its time is over",
            Outcome::JudgedAgain => "it was judged again and ended",
            Outcome::Unopposed => "nobody objected, and it was let go already",
            Outcome::Cancelled => "a contrary command was allowed, and it ended",
        };
        let decision = self.settled(turn.at, &pending.first.arrival.request, verdict, reason, settlement);
        self.close(turn, &pending, end);
        if verdict == Verdict::Allow {
            let held_ms = turn.at.monotonic_ms.saturating_sub(pending.opened_ms);
            self.release(turn, decision, pending.first.arrival, held_ms);
        } else {
            conclude(turn, decision, pending.first.arrival.reply);
        }
    }

    /// Takes a held request off the table. What becomes of it is the caller's next line.
    fn close(&mut self, turn: &mut Turn<'_>, pending: &Pending, end: &'static str) {
        self.change(turn, Change::Release { id: pending.id.clone() });
        self.recent.note(pending.id.clone(), end);
        turn.publish(Publication::PendingOver { id: pending.id.clone() });
        for channel in pending.tokens.keys() {
            turn.publish(Publication::PromptOver { channel: channel.clone(), id: pending.id.clone() });
        }
    }

    /// The rules or the mode changed: every held request is judged again.
    ///
    /// Now denied: dropped. Now allowed: goes. Still to be confirmed: what was asked stands if every channel that was
    /// asked may still answer; otherwise, or where `afresh` says that the tokens are lost, it is asked anew.
    pub(super) fn judge_pendings_again(&mut self, turn: &mut Turn<'_>, why: &str, afresh: bool) {
        let ids: Vec<String> = self.world.borrow().durable.pendings.keys().cloned().collect();
        for id in ids {
            let pending = self.world.borrow().durable.pendings.get(&id).cloned();
            if let Some(pending) = pending {
                self.judge_pending_again(turn, pending, why, afresh);
            }
        }
    }

    pub(super) fn judge_pending_again(&mut self, turn: &mut Turn<'_>, pending: Pending, why: &str, afresh: bool) {
        let request = Rc::new(pending.first.arrival.request.clone());
        // A house that now observes holds back nothing that comes from now on. That is no yes to what is held already.
        let mut judgement = self.judge(turn, &request, Mode::Enforce);
        let channels = self.fit_channels(&request, &judgement);
        if let (Verdict::Confirm, Some(terms)) = (judgement.applied.verdict, &judgement.applied.terms) {
            if !channels.is_empty() {
                // What was asked stands where the channels are no weaker than those that were asked.
                let stands = !afresh && pending.tokens.keys().all(|asked| channels.contains(asked));
                if !stands {
                    self.ask_anew(turn, pending, terms, channels, why);
                }
                return;
            }
            deny(&mut judgement, NO_CHANNEL);
        }
        let settlement = Settlement { pending: pending.id.clone(), outcome: Outcome::JudgedAgain, channel: None };
        let mut decision = self.decision(turn.at, &request, &mut judgement);
        decision.settles = Some(settlement);
        decision.reason = format!("{why}: {}", decision.reason);
        self.close(turn, &pending, "it was judged again and ended");
        if judgement.applied.verdict == Verdict::Allow {
            let held_ms = turn.at.monotonic_ms.saturating_sub(pending.opened_ms);
            self.release(turn, decision, pending.first.arrival, held_ms);
        } else {
            conclude(turn, decision, pending.first.arrival.reply);
        }
    }

    /// Still to be confirmed, but not by what was asked: earlier tokens are void.
    fn ask_anew(&mut self, turn: &mut Turn<'_>, pending: Pending, terms: &Terms, channels: Vec<String>, why: &str) {
        turn.record(Entry::AskedAnew {
            pending: pending.id.clone(),
            channels: channels.clone(),
            reason: why.to_owned(),
        });
        for channel in pending.tokens.keys().filter(|asked| !channels.contains(asked)) {
            turn.publish(Publication::PromptOver { channel: channel.clone(), id: pending.id.clone() });
        }
        let until = turn.at.plus_ms(terms.within_ms);
        let round = pending.round.saturating_add(1);
        let tokens = self.tokens(&pending.id, channels, round);
        self.ask(
            turn,
            Pending {
                question: terms.ask.clone(),
                terms: terms.clone(),
                tokens,
                round,
                asked_ms: turn.at.monotonic_ms,
                expires_ms: until.monotonic_ms,
                until: until.utc,
                ..pending
            },
        );
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
