//! Questions: the requests that are held for an answer, what is remembered of questions that are over, and of the codes
//! that were given.
//!
//! Who is asked, and what an answer does, is decided elsewhere.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Durable;
use crate::model::decision::{Outcome, Terms};
use crate::model::request::Arrival;

/// Questions whose end is remembered, for quotas, rates and `approvals(…)`. The oldest is forgotten first.
pub const PROMPTS_MAX: usize = 4_096;
/// How long a question is remembered.
pub const PROMPTS_KEPT_MS: u64 = 7 * 86_400_000;
/// Wrong codes of one channel that are remembered. As many within `WRONG_CODES_WINDOW_MS` lock it.
pub const WRONG_CODES_MAX: usize = 5;
/// How long a wrong code counts.
pub const WRONG_CODES_WINDOW_MS: u64 = 10 * 60_000;
/// How long a channel is locked.
pub const LOCK_MS: u64 = 15 * 60_000;

/// One request behind a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The id of the decision that held it.
    pub id: String,
    pub arrival: Arrival,
    /// What is asked of it alone.
    pub question: String,
    /// Monotonic: when it came.
    pub at_ms: u64,
}

/// A question that waits for an answer, and the requests that are held for it: one, or those of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The id of the decision that opened it. It stays when that request ends before the others.
    pub id: String,
    /// Of those that are held, the one that came first.
    pub first: Item,
    /// What has joined it: requests of the same asker and group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Item>,
    /// The terms of the first request. Whoever joins it has no stricter ones.
    pub terms: Terms,
    /// The policies that want it confirmed.
    #[serde(default)]
    pub policies: Vec<String>,
    /// What people are asked: the terms' own question, or the list of all.
    pub question: String,
    /// Channels that may answer.
    pub channels: Vec<String>,
    /// Those that were asked, and the SHA-256 of the token that each was sent. Empty while a group gathers: then nobody
    /// can answer.
    pub tokens: BTreeMap<String, String>,
    /// How often it was asked anew. Part of what the tokens are derived from.
    pub round: u32,
    pub opened_ms: u64,
    /// Monotonic: when what stands here now was asked.
    #[serde(default)]
    pub asked_ms: u64,
    /// Monotonic.
    pub expires_ms: u64,
    /// The same instant for people.
    pub until: Timestamp,
    /// Monotonic: when the channels are asked. `None`: they were. A group gathers for a moment first.
    #[serde(default)]
    pub ask_ms: Option<u64>,
    /// Monotonic: when a channel said that the question has reached a person.
    #[serde(default)]
    pub noticed_ms: Option<u64>,
}

impl Pending {
    /// All requests that are held, in the order in which they came.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.first).chain(&self.joined)
    }

    /// The same without the requests whose ids are over. `None`: none is left.
    pub fn without(self, is_over: impl Fn(&str) -> bool) -> Option<Pending> {
        let mut left = std::iter::once(self.first).chain(self.joined).filter(|item| !is_over(&item.id));
        let first = left.next()?;
        let joined = left.collect();
        Some(Pending { first, joined, ..self })
    }

    /// Whether its channels were asked, if only in earlier words.
    pub fn was_asked(&self) -> bool {
        self.round > 0 || !self.tokens.is_empty()
    }

    /// Moves every monotonic time.
    pub(super) fn move_times(&mut self, moved: impl Fn(u64) -> u64) {
        let always = [&mut self.opened_ms, &mut self.asked_ms, &mut self.expires_ms];
        let perhaps = [&mut self.ask_ms, &mut self.noticed_ms];
        let came = std::iter::once(&mut self.first).chain(&mut self.joined).map(|item| &mut item.at_ms);
        for time_ms in always.into_iter().chain(perhaps.into_iter().flatten()).chain(came) {
            *time_ms = moved(*time_ms);
        }
    }
}

/// One question that was put to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// That of the pending.
    pub id: String,
    /// Monotonic.
    pub at_ms: u64,
    /// Who asked, as far as the bridge can tell askers apart.
    pub asker: String,
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Other targets of the requests that joined it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<String>,
    /// The policies that wanted it; none where the class of the action did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// `None` while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Monotonic: when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
}

impl Prompt {
    /// Moves every monotonic time.
    pub(super) fn move_times(&mut self, moved: impl Fn(u64) -> u64) {
        self.at_ms = moved(self.at_ms);
        self.ended_ms = self.ended_ms.map(moved);
    }
}

/// How often people are asked, and what they say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PromptCounts {
    /// Questions of this day of the house.
    pub today: u64,
    /// The same by the policies that wanted them. Where several did, it counts for each.
    pub by_policy: BTreeMap<String, u64>,
    /// How many of those that ended in the last seven days were approved, from 0 to 1. `None`: none has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_rate: Option<f64>,
}

/// What is remembered of one channel's codes. Never a code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Codes {
    /// Monotonic times of wrong ones, oldest first.
    #[serde(default)]
    pub wrong_ms: VecDeque<u64>,
    /// Monotonic end of a lock.
    #[serde(default)]
    pub locked_until_ms: Option<u64>,
    /// The latest step of TOTP that was used: each counts once.
    #[serde(default)]
    pub totp_step: Option<u64>,
}

impl Codes {
    /// Moves every monotonic time.
    pub(super) fn move_times(&mut self, moved: impl Fn(u64) -> u64) {
        for time_ms in self.wrong_ms.iter_mut().chain(&mut self.locked_until_ms) {
            *time_ms = moved(*time_ms);
        }
    }
}

impl Durable {
    pub(super) fn latest_prompt(&mut self, id: &str) -> Option<&mut Prompt> {
        self.prompts.iter_mut().rev().find(|prompt| prompt.id == id)
    }

    /// What is older than anybody asks for goes first, then the oldest.
    pub(super) fn remember_prompt(&mut self, prompt: Prompt) {
        let since_ms = prompt.at_ms.saturating_sub(PROMPTS_KEPT_MS);
        while self.prompts.front().is_some_and(|oldest| oldest.at_ms < since_ms || self.prompts.len() >= PROMPTS_MAX) {
            self.prompts.pop_front();
        }
        self.prompts.push_back(prompt);
    }
}
