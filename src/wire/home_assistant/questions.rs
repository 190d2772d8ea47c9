//! The questions that wait for an answer on the channel of the buttons in Home Assistant.
//!
//! Only a question that this very channel was asked is shown: the token of another channel never comes here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cut;
use crate::model::durable::Pending;

/// Questions that are remembered. The engine holds no more than this; one more is not shown, and is answered elsewhere.
const QUESTIONS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Question {
    opened_ms: u64,
    pub(super) id: String,
    pub(super) token: String,
    text: String,
    action: String,
    target: Option<String>,
    until: Timestamp,
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
        let request = &pending.arrival.request;
        let question = Question {
            opened_ms: pending.opened_ms,
            id: pending.id.clone(),
            token: token.to_owned(),
            text: cut(&pending.question),
            action: request.action.clone(),
            target: request.target.as_deref().map(cut),
            until: pending.until,
        };
        self.waiting.insert(pending.id.clone(), question);
    }

    /// A question need not be answered any more.
    pub(super) fn over(&mut self, id: &str) {
        self.waiting.remove(id);
    }

    /// The one that waits longest.
    pub(super) fn shown(&self) -> Option<&Question> {
        self.waiting.values().min_by_key(|question| (question.opened_ms, question.id.as_str()))
    }

    pub(super) fn told(&self) -> Value {
        let waiting = self.waiting.len();
        match self.shown() {
            None => json!({"waiting": waiting}),
            Some(question) => json!({
                "waiting": waiting,
                "id": question.id,
                "question": question.text,
                "action": question.action,
                "target": question.target,
                "until": question.until,
            }),
        }
    }
}
