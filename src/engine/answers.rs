//! Answers: which channel may confirm a request, and what an answer must be to count.
//!
//! It is given once, by a channel that was asked, with a token that only this channel has seen. The channel that asked for
//! the command never confirms it; where nobody knows who asked, only channels count that share nothing with any asker, or
//! that want a code. What comes without an id or a token, from a button, answers the only question that is open there.

use std::collections::BTreeMap;

use super::codes::spoken;
use super::ids::is_token;
use super::judge::Judgement;
use super::{Engine, Turn};
use crate::config::Carrier;
use crate::model::control::{Answer, Says};
use crate::model::decision::{Outcome, Settlement, Terms};
use crate::model::durable::{Change, Pending};
use crate::model::event::Entry;
use crate::model::request::{Request, SourceKind};
use crate::model::time::At;

/// How long a question must be open, and the only one, before an answer without id and token counts: who presses a button
/// sooner has not seen it, or means the one that has just gone.
pub(super) const UNNAMED_AFTER_MS: u64 = 1_000;

/// When each channel last lost a question. No more channels than the configuration has.
#[derive(Debug, Default)]
pub(super) struct Left(BTreeMap<String, u64>);

/// Why an answer does not count.
struct Refusal {
    /// The question that it was for, as far as that is known.
    pending: String,
    reason: String,
}

impl Engine {
    /// The channels that may confirm a request: those that the policies name and that are fit to.
    pub(super) fn fit_channels(&self, request: &Request, judgement: &Judgement) -> Vec<String> {
        let Some(terms) = &judgement.applied.terms else { return Vec::new() };
        let named = |name: &String| terms.from.is_empty() || terms.from.contains(name);
        let fit = |name: &String| self.unfit(name, request, terms).is_none();
        self.config.channels.keys().filter(|name| named(name) && fit(name)).cloned().collect()
    }

    /// Why a channel may not confirm a request on these terms. `None`: it may.
    fn unfit(&self, name: &str, request: &Request, terms: &Terms) -> Option<&'static str> {
        let Some(channel) = self.config.channels.get(name) else {
            return Some("no such channel is configured");
        };
        let has_code = channel.code.is_some();
        match &request.source.channel {
            Some(asker) if asker == name => Some("the channel that asked cannot confirm"),
            // The streams can only take a channel away. Who asked is as unknown as before.
            _ if request.source.likely_channels.iter().any(|channel| channel == name) => {
                Some("this channel seems to have asked, so it cannot confirm")
            }
            _ if !channel.confirms => Some("this channel may not confirm"),
            _ if !channel.may_confirm(&request.action) => Some("this channel may not confirm this action"),
            _ if terms.pin && !has_code => Some("it needs a channel with a PIN or TOTP"),
            None if !channel.independent && !has_code => {
                Some("it is not known who asked, and this channel is not independent")
            }
            _ if request.sensitive && is_heard(request) && channel.kind == SourceKind::Voice => {
                Some("voice does not confirm voice")
            }
            _ => None,
        }
    }

    /// A channel and how strong it is, for the reason of an approval.
    pub(super) fn strength(&self, name: &str) -> String {
        let mut text = format!("`{name}`");
        let Some(channel) = self.config.channels.get(name) else { return text };
        if let Some(code) = &channel.code {
            text = format!("{text} with a {}", spoken(code));
        }
        if channel.carrier == Carrier::HomeAssistant {
            text.push_str(", carried by Home Assistant");
        }
        if channel.approves_without_token() {
            text.push_str(", which answers without a token");
        }
        text
    }

    /// Notes which channels lose a question by a change that is about to be made: it ends, or its tokens become void.
    pub(super) fn note_left(&mut self, at: At, change: &Change) {
        let (id, tokens) = match change {
            Change::Hold { pending } => (&pending.id, Some(&pending.tokens)),
            Change::Release { id } => (id, None),
            _ => return,
        };
        if let Some(before) = self.world.borrow().durable.pendings.get(id) {
            let is_left = |channel: &&String| tokens.is_none_or(|tokens| !tokens.contains_key(*channel));
            let channels = before.tokens.keys().filter(is_left);
            self.left.0.extend(channels.map(|channel| (channel.clone(), at.monotonic_ms)));
        }
    }

    /// Somebody answers. Whatever is not exactly right is recorded and has no effect.
    pub(super) fn answer(&mut self, turn: &mut Turn<'_>, answer: &Answer) {
        let pending = match self.weigh(turn, answer) {
            Ok(pending) => pending,
            Err(Refusal { pending, reason }) => {
                turn.record(Entry::AnswerRefused { pending, channel: answer.channel.clone(), reason });
                return;
            }
        };
        let outcome = match answer.says {
            Says::Approve => Outcome::Approved,
            Says::Reject => Outcome::Rejected,
            Says::Seen => return self.notice(turn, pending, &answer.channel),
        };
        let settlement = Settlement { pending: pending.id.clone(), outcome, channel: Some(answer.channel.clone()) };
        self.settle(turn, pending, settlement);
    }

    /// The question that an answer counts for.
    fn weigh(&mut self, turn: &mut Turn<'_>, answer: &Answer) -> Result<Pending, Refusal> {
        let pending = self.question_of(turn.at, answer)?;
        let refusal = |reason: String| Refusal { pending: pending.id.clone(), reason };
        if let Some(reason) = self.wrong_with(answer, &pending) {
            return Err(refusal(reason.to_owned()));
        }
        // It stays held, and can be approved when the journal works again.
        let unrecordable = || pending.items().find_map(|item| self.unrecordable(&item.arrival.request));
        if answer.says == Says::Approve
            && let Some(reason) = unrecordable()
        {
            return Err(refusal(reason));
        }
        // Last of all: a wrong code counts, and only whoever has the token can bring one.
        if answer.says == Says::Approve {
            self.check_code(turn, &answer.channel, answer.code.as_ref()).map_err(refusal)?;
        }
        Ok(pending)
    }

    /// The question that an answer is for: that of its id, that of its token, or the only one that its channel was asked.
    fn question_of(&self, at: At, answer: &Answer) -> Result<Pending, Refusal> {
        let world = self.world.borrow();
        let pendings = &world.durable.pendings;
        let found = match (&answer.pending, &answer.token) {
            (Some(id), _) => {
                let end = || self.recent.end_of(id).unwrap_or("no request waits under this id");
                pendings.get(id).ok_or_else(end)
            }
            (None, Some(token)) => {
                let has_it =
                    |pending: &&Pending| pending.tokens.get(&answer.channel).is_some_and(|kept| is_token(token, kept));
                pendings.values().find(has_it).ok_or("no request waits under this token")
            }
            (None, None) => {
                let mut open = pendings.values().filter(|pending| pending.tokens.contains_key(&answer.channel));
                let left_ms = self.left.0.get(&answer.channel);
                let is_new = |since_ms: u64| at.monotonic_ms < since_ms.saturating_add(UNNAMED_AFTER_MS);
                let is_left = left_ms.is_some_and(|left_ms| is_new(*left_ms));
                match (open.next(), open.next()) {
                    (None, _) => Err("no question is open on this channel"),
                    (Some(_), Some(_)) => {
                        Err("more than one question is open on this channel: it is not clear which is meant")
                    }
                    (Some(only), None) if is_new(only.asked_ms) => {
                        Err("the question is so new that another one may be meant")
                    }
                    // A moment ago there were two. Whoever pressed may have meant the other one.
                    (Some(_), None) if answer.says != Says::Reject && is_left => {
                        Err("another question has only just gone, and may be meant")
                    }
                    (Some(only), None) => Ok(only),
                }
            }
        };
        let refusal =
            |reason: &str| Refusal { pending: answer.pending.clone().unwrap_or_default(), reason: reason.to_owned() };
        found.cloned().map_err(refusal)
    }

    /// What is wrong with an answer to an open request. `None`: it counts, as far as no code is needed.
    fn wrong_with(&self, answer: &Answer, pending: &Pending) -> Option<&'static str> {
        let unfit = |request: &Request| self.unfit(&answer.channel, request, &pending.terms);
        if let Some(reason) = pending.items().find_map(|item| unfit(&item.arrival.request)) {
            return Some(reason);
        }
        // A code speaks for whoever approves. Without one, a channel that may itself have asked is no witness: its word
        // would open a veto window.
        let independent = self.config.channels.get(&answer.channel).is_some_and(|channel| channel.independent);
        let is_unknown = pending.items().any(|item| item.arrival.request.source.channel.is_none());
        if answer.says == Says::Seen && is_unknown && !independent {
            return Some("it is not known who asked, and this channel is not independent");
        }
        match (pending.tokens.get(&answer.channel), &answer.token) {
            _ if pending.ask_ms.is_some() => Some("this channel was not asked yet"),
            (None, _) => Some("this channel was not asked"),
            // It was found as the only question that is open.
            (Some(_), None) if answer.pending.is_none() => None,
            (Some(_), None) => Some("the answer has no token"),
            (Some(kept), Some(token)) => (!is_token(token, kept)).then_some("the token is wrong"),
        }
    }
}

/// Whether a microphone seems to have asked, be it one that nobody has configured.
fn is_heard(request: &Request) -> bool {
    let source = &request.source;
    source.kind == SourceKind::Voice || source.channel.is_none() && request.heard.is_some()
}
