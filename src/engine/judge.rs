//! One request, from arrival to decision: asks the policies, combines what they say, and lets it go, stop or wait.

use std::mem::take;
use std::rc::Rc;

use jiff::Timestamp;

use super::combine::{self, Combined};
use super::journal::needs_record;
use super::{Engine, Turn};
use crate::model::action::Class;
use crate::model::decision::{Decision, Enforcement, FactRead, Grade, Opinion, Settlement, Terms, Verdict};
use crate::model::event::{AnswerBody, Effect, Entry, Publication};
use crate::model::message::Command;
use crate::model::mode::Mode;
use crate::model::permit::Permit;
use crate::model::request::{Arrival, Door, Held, Reply, Request};
use crate::model::time::At;
use crate::policy::{OnError, Policy, Reaction, Wish};

/// Facts that one decision names. A rule that reads more is judged by all of them, and the rest is not listed.
pub(super) const FACTS_IN_DECISION_MAX: usize = 64;

/// Everything the policies said on one request.
pub(super) struct Judgement {
    pub(super) opinions: Vec<Opinion>,
    pub(super) facts: Vec<FactRead>,
    pub(super) wishes: Vec<(String, Wish)>,
    /// What all opinions say together.
    pub(super) all: Combined,
    /// What is done: the same of the enforced ones alone.
    pub(super) applied: Applied,
}

/// What is done about a request, and for `confirm` on which terms.
pub(super) struct Applied {
    pub(super) verdict: Verdict,
    pub(super) terms: Option<Terms>,
}

impl Engine {
    /// A request came. `depth` counts the policies' own publishes that led to it.
    pub(super) fn arrive(&mut self, turn: &mut Turn<'_>, mut arrival: Arrival, depth: usize) {
        self.find_source(turn.at, &mut arrival.request);
        self.take_in(turn, arrival, depth);
    }

    /// A request of which is known who asks, as far as it can be.
    pub(super) fn take_in(&mut self, turn: &mut Turn<'_>, mut arrival: Arrival, depth: usize) {
        self.tell_story(turn.at, &mut arrival.request);
        // What the owner says of the action adds to what its topic says; rules read the sum as `request.sensitive`.
        arrival.request.sensitive |= self.config.class_of(&arrival.request.action) == Class::Sensitive;
        let request = Rc::new(arrival.request.clone());
        let mut judgement = self.judge(turn, &request, self.mode());
        let wishes = take(&mut judgement.wishes);
        match arrival.held {
            Held::Seen { undo } => self.react(turn, &request, judgement, undo),
            Held::Command(_) | Held::Control(_) | Held::Question => self.act(turn, &request, judgement, arrival),
        }
        for (policy, wish) in wishes {
            self.fulfil(turn, &policy, wish, depth);
        }
    }

    /// Lets a request go, stop or wait, as it was judged.
    fn act(&mut self, turn: &mut Turn<'_>, request: &Request, mut judgement: Judgement, arrival: Arrival) {
        if judgement.applied.verdict != Verdict::Deny
            && let Some(reason) = self.unrecordable(request)
        {
            refuse(&mut judgement, reason);
        }
        let channels = self.fit_channels(request, &judgement);
        if let (Verdict::Confirm, Some(terms)) = (judgement.applied.verdict, &judgement.applied.terms)
            && let Some(reason) = self.cannot_hold(turn, &arrival, terms, &channels)
        {
            deny(&mut judgement, &reason);
        }
        let decision = self.decision(turn.at, request, &mut judgement);
        match (judgement.applied.verdict, judgement.applied.terms) {
            (Verdict::Confirm, Some(terms)) => self.hold(turn, decision, arrival, terms, channels),
            (Verdict::Allow, _) => self.release(turn, decision, arrival, 0),
            (Verdict::Deny | Verdict::Confirm, _) => conclude(turn, decision, arrival.reply),
        }
    }

    /// Asks every policy that the action concerns, for a house in this mode. Changes nothing but what is recorded of
    /// failing policies.
    pub(super) fn judge(&self, turn: &mut Turn<'_>, request: &Rc<Request>, house: Mode) -> Judgement {
        let class = if request.sensitive { Class::Sensitive } else { Class::Ordinary };
        let view = self.view(turn.at);
        let (mut opinions, mut facts, mut wishes) = (Vec::new(), Vec::new(), Vec::new());
        for policy in self.policies.for_action(&request.action).filter(|policy| self.is_on(policy)) {
            let reaction = policy.on_request(request, &view);
            note_failure(turn, &reaction);
            add_facts(&mut facts, &reaction.facts);
            wishes.extend(reaction.wishes.iter().cloned().map(|wish| (policy.name().to_owned(), wish)));
            opinions.extend(opinion(policy, class, reaction));
        }
        let floor = self.config.is_floor(&request.action);
        let mut all = combine::combine(request, class, floor, opinions.iter());
        let mut applied = match house {
            Mode::Observe => Applied { verdict: Verdict::Allow, terms: None },
            // The common case, on the path of every command: all opinions count, so they need not be combined again.
            Mode::Enforce if combine::enforced(Mode::Enforce, &opinions).count() == opinions.len() => {
                Applied { verdict: all.verdict, terms: all.terms.clone() }
            }
            Mode::Enforce => {
                let enforced = combine::enforced(Mode::Enforce, &opinions);
                let enforced = combine::combine(request, class, floor, enforced);
                // Where the house only observes, the reason is that of what would have happened. Where more is done than
                // all say together, since what would have allowed it only observes, whoever waits must read why.
                if enforced.verdict > all.verdict {
                    (all.reason, all.deciding) = (enforced.reason, enforced.deciding);
                }
                Applied { verdict: enforced.verdict, terms: enforced.terms }
            }
        };
        self.let_by_grant(turn.at, request, &mut all, &mut applied);
        Judgement { opinions, facts, wishes, all, applied }
    }

    /// Writes a judgement down. The opinions, facts and reasons move out of it.
    pub(super) fn decision(&mut self, at: At, request: &Request, judgement: &mut Judgement) -> Decision {
        let acted_on = judgement.applied.verdict == judgement.all.verdict;
        let all = &mut judgement.all;
        let (verdict, reason, deciding) = (all.verdict, take(&mut all.reason), take(&mut all.deciding));
        Decision {
            id: self.ids.next(at),
            at: at.utc,
            request: request.clone(),
            verdict,
            applied: judgement.applied.verdict,
            mode: self.mode(),
            reason,
            deciding,
            opinions: take(&mut judgement.opinions),
            facts: take(&mut judgement.facts),
            grade: grade(request.door),
            // What was only seen went another way than by us, whatever the canary says of the others.
            enforcement: if acted_on && self.mode() == Mode::Enforce && request.door.holds() {
                self.proof.enforcement
            } else {
                Enforcement::NotEnforced
            },
            revision: self.policies.revision().to_owned(),
            confirm: None,
            settles: None,
        }
    }

    /// The decision that ends a held request.
    pub(super) fn settled(
        &mut self,
        at: At,
        request: &Request,
        verdict: Verdict,
        reason: String,
        settlement: Settlement,
    ) -> Decision {
        Decision {
            id: self.ids.next(at),
            at: at.utc,
            request: request.clone(),
            verdict,
            applied: verdict,
            mode: self.mode(),
            reason,
            deciding: Vec::new(),
            opinions: Vec::new(),
            facts: Vec::new(),
            grade: grade(request.door),
            enforcement: self.proof.enforcement,
            revision: self.policies.revision().to_owned(),
            confirm: None,
            settles: Some(settlement),
        }
    }

    /// Lets an allowed request happen, `held_ms` after it came. The record stands before the forward.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>, mut decision: Decision, arrival: Arrival, held_ms: u64) {
        let Arrival { request, held, reply } = arrival;
        if let Some(reason) = self.unrecordable(&request) {
            (decision.verdict, decision.applied, decision.reason) = (Verdict::Deny, Verdict::Deny, reason);
            conclude(turn, decision, reply);
            return;
        }
        match held {
            Held::Question | Held::Seen { .. } => conclude(turn, decision, reply),
            Held::Control(control) => {
                let by = decision.id.clone();
                conclude(turn, decision, reply);
                self.loosen(turn, control, &by);
            }
            Held::Command(command) => match self.fresh(command, held_ms) {
                Some(command) => {
                    let id = decision.id.clone();
                    let answer = answer(turn, &decision, reply, None);
                    record(turn, decision);
                    self.cancel_contrary(turn, &request, &command, &id);
                    self.forward(turn, command, &id, &request);
                    turn.effects.extend(answer);
                }
                None => {
                    decision.verdict = Verdict::Deny;
                    decision.applied = Verdict::Deny;
                    "the command expired while it waited".clone_into(&mut decision.reason);
                    conclude(turn, decision, reply);
                }
            },
        }
    }

    /// Lets a command leave by a recorded decision.
    pub(super) fn forward(&mut self, turn: &mut Turn<'_>, command: Command, decision: &str, request: &Request) {
        self.note_act(turn.at, &command.topic, &command.payload);
        self.await_state(turn, &command, decision, request);
        let needs_record = needs_record(&self.config, self.mode(), request);
        turn.effects.push(Effect::Forward(Permit::grant(command, decision, needs_record)));
    }

    /// The command with what is left of its time: never more than `stale_after`. `None`: nothing is left.
    pub(super) fn fresh(&self, command: Command, held_ms: u64) -> Option<Command> {
        let stale_after_s = u32::try_from(self.config.stale_after_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
        let left_s = match command.expiry_s {
            None => stale_after_s,
            Some(expiry_s) => {
                let held_s = u32::try_from(held_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
                expiry_s.checked_sub(held_s).filter(|left_s| *left_s > 0)?.min(stale_after_s)
            }
        };
        Some(Command { expiry_s: Some(left_s), ..command })
    }
}

/// Records a decision after which nothing is forwarded, and answers whoever waits.
pub(super) fn conclude(turn: &mut Turn<'_>, decision: Decision, reply: Option<Reply>) {
    let answer = answer(turn, &decision, reply, None);
    record(turn, decision);
    turn.effects.extend(answer);
}

pub(super) fn record(turn: &mut Turn<'_>, decision: Decision) {
    turn.record(Entry::Decision { decision: Box::new(decision) });
}

/// The answer to a question. `until` is set while it waits for a confirmation.
pub(super) fn answer(
    turn: &Turn<'_>,
    decision: &Decision,
    reply: Option<Reply>,
    until: Option<Timestamp>,
) -> Option<Effect> {
    let reply = reply?;
    let answer = AnswerBody {
        ask: reply.ask.clone(),
        decision: Some(decision.id.clone()),
        action: Some(decision.request.action.clone()),
        target: decision.request.target.clone(),
        verdict: Some(decision.applied),
        reason: decision.reason.clone(),
        is_final: until.is_none(),
        until,
    };
    let needs_record =
        decision.applied == Verdict::Allow && needs_record(&turn.config, decision.mode, &decision.request);
    Some(Effect::Publish(Publication::Answer { reply, answer, needs_record }))
}

/// Turns a judgement into a denial, where a confirmation was asked for that nobody can give.
pub(super) fn deny(judgement: &mut Judgement, reason: &str) {
    judgement.applied.verdict = Verdict::Deny;
    judgement.applied.terms = None;
    if judgement.all.verdict <= Verdict::Confirm {
        judgement.all.verdict = Verdict::Deny;
        judgement.all.reason = format!("{}; {reason}", judgement.all.reason);
    }
}

/// Turns a judgement into a denial, whatever all opinions say: the request cannot be put on record.
fn refuse(judgement: &mut Judgement, reason: String) {
    judgement.applied = Applied { verdict: Verdict::Deny, terms: None };
    judgement.all.verdict = Verdict::Deny;
    judgement.all.reason = reason;
    judgement.all.deciding.clear();
}

/// How strong a door is.
fn grade(door: Door) -> Grade {
    match door {
        Door::Gate | Door::Intent | Door::Policy | Door::Control | Door::Twin => Grade::Prevented,
        Door::Ask | Door::Watch | Door::Bypass => Grade::Alerted,
    }
}

/// What a policy says, or what its `ON_ERROR` says for it.
fn opinion(policy: &Policy, class: Class, reaction: Reaction) -> Option<Opinion> {
    let (verdict, reason, instead, terms) = match (&reaction.error, reaction.stated) {
        (None, None) => return None,
        (None, Some(stated)) => (stated.verdict, stated.reason, stated.instead, stated.terms),
        (Some(error), said) => {
            let side = match (policy.on_error(), class) {
                (OnError::None, _) | (OnError::ByClass, Class::Ordinary) => None,
                (OnError::Confirm, _) => Some(Verdict::Confirm),
                (OnError::Deny, _) | (OnError::ByClass, Class::Sensitive) => Some(Verdict::Deny),
            };
            let failed = format!("the policy `{}` failed: {}", policy.name(), error.message);
            // What it had said to hold the request back stands where it is stricter.
            match said.filter(|said| side < Some(said.verdict)) {
                Some(said) => (said.verdict, format!("{}; then {failed}", said.reason), None, said.terms),
                None => (side?, failed, None, None),
            }
        }
    };
    let mode = policy.mode();
    let error = reaction.error;
    Some(Opinion { policy: policy.name().to_owned(), verdict, reason, instead, mode, error, terms })
}

/// A failing policy is never silent.
pub(super) fn note_failure(turn: &mut Turn<'_>, reaction: &Reaction) {
    if let Some(error) = &reaction.error {
        turn.record(Entry::PolicyFailed { error: error.clone() });
    }
}

/// Adds what a policy has read, each fact once.
fn add_facts(facts: &mut Vec<FactRead>, read: &[FactRead]) {
    for fact in read {
        let known = facts.iter().any(|seen| seen.entity == fact.entity && seen.attribute == fact.attribute);
        if !known && facts.len() < FACTS_IN_DECISION_MAX {
            facts.push(fact.clone());
        }
    }
}
