//! Answers: which channel may confirm a request, and what an answer must be to count.
//!
//! It is given once, by a channel that was asked, with a token that only this channel has seen. The channel that asked for
//! the command never confirms it; where nobody knows who asked, only channels count that share nothing with any asker.

use super::ids::is_token;
use super::judge::Judgement;
use super::{Engine, Turn};
use crate::model::control::{Answer, Says};
use crate::model::decision::{Outcome, Settlement};
use crate::model::durable::Pending;
use crate::model::event::Entry;
use crate::model::request::{Request, SourceKind};

impl Engine {
    /// The channels that may confirm a request: those that the policies name and that are fit to.
    pub(super) fn fit_channels(&self, request: &Request, judgement: &Judgement) -> Vec<String> {
        let Some(terms) = &judgement.applied.terms else { return Vec::new() };
        let named = |name: &String| terms.from.is_empty() || terms.from.contains(name);
        let fit = |name: &String| self.unfit(name, request).is_none();
        self.config.channels.keys().filter(|name| named(name) && fit(name)).cloned().collect()
    }

    /// Why a channel may not confirm a request. `None`: it may.
    fn unfit(&self, name: &str, request: &Request) -> Option<&'static str> {
        let Some(channel) = self.config.channels.get(name) else {
            return Some("no such channel is configured");
        };
        match &request.source.channel {
            Some(asker) if asker == name => Some("the channel that asked cannot confirm"),
            // The streams can only take a channel away. Who asked is as unknown as before.
            _ if request.source.likely_channels.iter().any(|channel| channel == name) => {
                Some("this channel seems to have asked, so it cannot confirm")
            }
            _ if !channel.confirms => Some("this channel may not confirm"),
            None if !channel.independent => Some("it is not known who asked, and this channel is not independent"),
            _ if request.sensitive && request.source.kind == SourceKind::Voice && channel.kind == SourceKind::Voice => {
                Some("voice does not confirm voice")
            }
            _ => None,
        }
    }

    /// Somebody answers. Whatever is not exactly right is recorded and has no effect.
    pub(super) fn answer(&mut self, turn: &mut Turn<'_>, answer: &Answer) {
        let id = answer.pending.clone().unwrap_or_default();
        let pending = self.world.borrow().durable.pendings.get(&id).cloned();
        let refusal = match &pending {
            None => Some(self.recent.end_of(&id).unwrap_or("no request waits under this id")),
            Some(pending) => self.wrong_with(answer, pending),
        };
        match (pending, refusal) {
            (Some(pending), None) if answer.says == Says::Seen => self.notice(turn, pending, &answer.channel),
            (Some(pending), None) => {
                let settlement = Settlement {
                    pending: pending.id.clone(),
                    outcome: if answer.says == Says::Approve { Outcome::Approved } else { Outcome::Rejected },
                    channel: Some(answer.channel.clone()),
                };
                self.settle(turn, pending, settlement);
            }
            (_, refusal) => turn.record(Entry::AnswerRefused {
                pending: id,
                channel: answer.channel.clone(),
                reason: refusal.unwrap_or_default().to_owned(),
            }),
        }
    }

    /// What is wrong with an answer to an open request. `None`: it counts.
    fn wrong_with(&self, answer: &Answer, pending: &Pending) -> Option<&'static str> {
        let request = &pending.first.arrival.request;
        if let Some(reason) = self.unfit(&answer.channel, request) {
            return Some(reason);
        }
        match (pending.tokens.get(&answer.channel), &answer.token) {
            (None, _) => Some("this channel was not asked"),
            (Some(_), None) => Some("the answer has no token"),
            (Some(kept), Some(token)) => (!is_token(token, kept)).then_some("the token is wrong"),
        }
    }
}
