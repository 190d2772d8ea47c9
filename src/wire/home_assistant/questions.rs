//! The questions that wait for an answer on the channel of the buttons in Home Assistant.
//!
//! Only a question that this very channel was asked is shown: the token of another channel never comes here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cut;
use crate::model::durable::Pending;

/// Questions that are remembered. The engine holds no more than this; one more is not shown, and is answered elsewhere.
const QUESTIONS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Question {
    pub(super) pending: Pending,
    pub(super) token: String,
}

#[derive(Debug)]
pub(super) struct Questions {
    channel: Option<String>,
    waiting: BTreeMap<String, Question>,
}

impl Questions {
    pub(super) fn new(channel: Option<String>) -> Questions {
        Questions { channel, waiting: BTreeMap::new() }
    }

    /// The channel whose questions these are. `None`: there are no buttons.
    pub(super) fn channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }

    pub(super) fn is_of(&self, channel: &str) -> bool {
        self.channel.as_deref() == Some(channel)
    }

    /// A channel was asked.
    pub(super) fn asked(&mut self, channel: &str, pending: &Pending, token: &str) {
        let is_full = self.waiting.len() >= QUESTIONS_MAX && !self.waiting.contains_key(&pending.id);
        if !self.is_of(channel) || is_full {
            return;
        }
        let question = Question { pending: pending.clone(), token: token.to_owned() };
        self.waiting.insert(pending.id.clone(), question);
    }

    /// A question need not be answered any more.
    pub(super) fn over(&mut self, id: &str) {
        self.waiting.remove(id);
    }

    /// The one that waits longest.
    pub(super) fn shown(&self) -> Option<&Question> {
        self.all().min_by_key(|question| (question.pending.opened_ms, question.pending.id.as_str()))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Question> {
        self.waiting.values()
    }

    /// `can_answer`: the buttons answer it.
    pub(super) fn told(&self, can_answer: bool) -> Value {
        let waiting = self.waiting.len();
        let Some(Question { pending, .. }) = self.shown() else { return json!({"waiting": waiting}) };
        let request = &pending.first.arrival.request;
        json!({
            "waiting": waiting,
            "id": pending.id,
            "can_answer": can_answer,
            "question": cut(&pending.question),
            "action": request.action,
            "target": request.target.as_deref().map(cut),
            "until": pending.until,
        })
    }
}
