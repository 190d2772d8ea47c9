//! The rules or the mode changed, or the bridge was restarted: what is held is judged again.
//!
//! Now denied: dropped. Now allowed: goes. Still to be confirmed: what was asked stands if nothing of it ended, every
//! channel that was asked may still answer, and silence means no more than it did. Otherwise, or where the tokens are
//! lost, the rest is asked anew. What was asked as one question stays one, on the strictest terms of all.
//!
//! After a restart nothing goes by itself: what is allowed now is denied, silence is a no, and the time that was said at
//! first is not prolonged.

use std::rc::Rc;

use super::groups::{is_same_but_the_question, with_items};
use super::{Engine, NO_CHANNEL, Turn};
use crate::engine::judge::{Judgement, conclude, deny};
use crate::model::decision::{Otherwise, Outcome, Settlement, Terms, Verdict};
use crate::model::durable::{Item, Pending};
use crate::model::event::{Entry, Publication};
use crate::model::mode::Mode;

/// Why what the rules allow now is denied after a restart: it may have been refused, or let go, just before the end.
const RESTARTED: &str = "nobody knows what became of it before, so it does not go by itself";

/// One request of a question, as it was judged again.
struct Judged {
    item: Item,
    judgement: Judgement,
    /// Channels that may confirm it. Empty where nothing is to be confirmed.
    channels: Vec<String>,
}

impl Judged {
    fn is_left(&self) -> bool {
        self.judgement.applied.verdict == Verdict::Confirm
    }
}

impl Engine {
    /// Judges every held request again. `afresh`: the tokens are lost, so whatever is still to be confirmed is asked anew.
    pub(in crate::engine) fn judge_pendings_again(&mut self, turn: &mut Turn<'_>, why: &str, afresh: bool) {
        let ids: Vec<String> = self.world.borrow().durable.pendings.keys().cloned().collect();
        for id in ids {
            self.judge_pending_again(turn, &id, why, afresh);
        }
    }

    /// Judges one question again, as it stands now: what was let go a moment ago may have ended it.
    pub(in crate::engine) fn judge_pending_again(&mut self, turn: &mut Turn<'_>, id: &str, why: &str, afresh: bool) {
        let pending = self.world.borrow().durable.pendings.get(id).cloned();
        let Some(pending) = pending else { return };
        let mut judged: Vec<Judged> = pending.items().map(|item| self.judge_item_again(turn, item, afresh)).collect();
        // It stays held while the journal fails: what would let it go now may do so later.
        let cannot_go = |judged: &Judged| {
            judged.judgement.applied.verdict == Verdict::Allow
                && self.unrecordable(&judged.item.arrival.request).is_some()
        };
        if judged.iter().any(cannot_go) {
            return;
        }
        let mut together = together(&judged);
        if together.as_ref().is_some_and(|(_, channels)| channels.is_empty()) {
            together = None;
            for judged in judged.iter_mut().filter(|judged| judged.is_left()) {
                deny(&mut judged.judgement, NO_CHANNEL);
            }
        }
        let (left, ended): (Vec<Judged>, Vec<Judged>) = judged.into_iter().partition(Judged::is_left);
        match together {
            Some((terms, channels)) => {
                let is_asked = |asked: &String| channels.contains(asked);
                let stands = !afresh
                    && ended.is_empty()
                    && pending.channels.iter().all(is_asked)
                    && terms.otherwise <= pending.terms.otherwise;
                if !stands {
                    let end_ms = turn.at.monotonic_ms.saturating_add(terms.within_ms);
                    // A bridge that starts again and again does not keep a question open for ever.
                    let end_ms = if afresh { end_ms.min(pending.expires_ms) } else { end_ms };
                    self.ask_anew(turn, Pending { expires_ms: end_ms, ..pending }, left, (terms, channels), why);
                }
            }
            None => self.close(turn, &pending, Outcome::JudgedAgain),
        }
        for Judged { item, mut judgement, .. } in ended {
            let mut decision = self.decision(turn.at, &item.arrival.request, &mut judgement);
            decision.settles = Some(Settlement { pending: item.id, outcome: Outcome::JudgedAgain, channel: None });
            decision.reason = format!("{why}: {}", decision.reason);
            if judgement.applied.verdict == Verdict::Allow {
                let held_ms = turn.at.monotonic_ms.saturating_sub(item.at_ms);
                self.release(turn, decision, item.arrival, held_ms);
            } else {
                conclude(turn, decision, item.arrival.reply);
            }
        }
    }

    fn judge_item_again(&self, turn: &mut Turn<'_>, item: &Item, afresh: bool) -> Judged {
        let mut item = item.clone();
        let request = Rc::new(item.arrival.request.clone());
        // A house that now observes holds back nothing that comes from now on. That is no yes to what is held already.
        let mut judgement = self.judge(turn, &request, Mode::Enforce);
        let mut channels = Vec::new();
        if judgement.applied.verdict == Verdict::Confirm {
            channels = self.fit_channels(&request, &judgement);
            if channels.is_empty() {
                deny(&mut judgement, NO_CHANNEL);
            }
        }
        if afresh && judgement.applied.verdict == Verdict::Allow {
            deny(&mut judgement, RESTARTED);
        }
        if let Some(terms) = &mut judgement.applied.terms {
            // Silence is a yes only in a house that enforces, and where it was one from the beginning.
            if afresh || self.mode() == Mode::Observe {
                terms.otherwise = Otherwise::Deny;
            }
            item.question.clone_from(&terms.ask);
        }
        Judged { item, judgement, channels }
    }

    /// Still to be confirmed, but not by what was asked: earlier tokens are void. It is open until it `expires_ms`.
    fn ask_anew(
        &mut self,
        turn: &mut Turn<'_>,
        pending: Pending,
        left: Vec<Judged>,
        (terms, channels): (Terms, Vec<String>),
        why: &str,
    ) {
        turn.record(Entry::AskedAnew {
            pending: pending.id.clone(),
            channels: channels.clone(),
            reason: why.to_owned(),
        });
        let was_asked = pending.was_asked();
        for channel in pending.channels.iter().filter(|asked| was_asked && !channels.contains(asked)) {
            turn.publish(Publication::PromptOver { channel: channel.clone(), id: pending.id.clone() });
        }
        let anew = Pending {
            round: pending.round.saturating_add(1),
            opened_ms: turn.at.monotonic_ms,
            until: turn.at.plus_ms(pending.expires_ms.saturating_sub(turn.at.monotonic_ms)).utc,
            noticed_ms: None,
            channels,
            terms,
            ..pending
        };
        if let Some(anew) = with_items(anew, left.into_iter().map(|judged| judged.item).collect()) {
            self.ask(turn, anew);
        }
    }
}

/// The strictest terms of all that is still to be confirmed, and the channels that may confirm all of it. `None`: nothing
/// is.
fn together(judged: &[Judged]) -> Option<(Terms, Vec<String>)> {
    let mut left = judged.iter().filter(|judged| judged.is_left());
    let of = |judged: &Judged| Some((judged.judgement.applied.terms.clone()?, judged.channels.clone()));
    let (mut terms, mut channels) = of(left.next()?)?;
    for (other, fit) in left.filter_map(of) {
        if !is_same_but_the_question(&terms, &other) {
            terms.group = None;
        }
        terms.within_ms = terms.within_ms.min(other.within_ms);
        terms.pin |= other.pin;
        terms.otherwise = terms.otherwise.max(other.otherwise);
        channels.retain(|channel| fit.contains(channel));
    }
    Some((terms, channels))
}
