//! Quotas: who is refused is not asked about without end, and nobody is asked about without end.
//!
//! Both count by the asker as the bridge knows it: a channel, or nobody known by one door. What an asker says of itself,
//! and what only Home Assistant's streams tell, gives no fresh quota.

use super::{Engine, Turn};
use crate::model::decision::Outcome;
use crate::model::durable::{Change, Pending, Prompt};
use crate::model::request::Request;

/// Refused or expired questions of one asker on one target within `QUOTA_WINDOW_MS`. Then it is denied without asking.
pub const REFUSED_MAX: usize = 2;
/// Questions of one asker within `QUOTA_WINDOW_MS`. One more is denied without asking.
pub const PROMPTS_PER_ASKER_MAX: usize = 20;
/// The window in which questions are counted.
pub const QUOTA_WINDOW_MS: u64 = 10 * 60_000;

impl Engine {
    /// Why nobody is asked about a request. `None`: somebody may be. `is_new`: it would be a question of its own.
    pub(super) fn over_quota(&self, turn: &Turn<'_>, request: &Request, is_new: bool) -> Option<String> {
        let now_ms = turn.at.monotonic_ms;
        let is_recent = |time_ms: u64| now_ms.saturating_sub(time_ms) < QUOTA_WINDOW_MS;
        let asker = asker(request);
        let world = self.world.borrow();
        let of_asker = world.durable.prompts.iter().filter(|prompt| prompt.asker == asker);
        let is_refused = |prompt: &&Prompt| {
            matches!(prompt.outcome, Some(Outcome::Rejected | Outcome::Expired))
                && prompt.ended_ms.is_some_and(is_recent)
                && is_about(prompt, request)
        };
        let minutes = QUOTA_WINDOW_MS / 60_000;
        if of_asker.clone().filter(is_refused).count() >= REFUSED_MAX {
            let times = if REFUSED_MAX == 2 { "twice".to_owned() } else { format!("{REFUSED_MAX} times") };
            return Some(format!(
                "it needs a confirmation, but this asker was refused {times} here, or got no answer, within {minutes} minutes"
            ));
        }
        let asked = of_asker.filter(|prompt| is_recent(prompt.at_ms)).count();
        (is_new && asked >= PROMPTS_PER_ASKER_MAX).then(|| {
            format!(
                "it needs a confirmation, but {PROMPTS_PER_ASKER_MAX} questions of this asker were asked within {minutes} minutes"
            )
        })
    }

    /// A question is put to people.
    pub(super) fn note_prompt(&mut self, turn: &mut Turn<'_>, pending: &Pending) {
        let request = &pending.first.arrival.request;
        let prompt = Prompt {
            id: pending.id.clone(),
            at_ms: turn.at.monotonic_ms,
            asker: asker(request),
            action: request.action.clone(),
            target: request.target.clone(),
            joined: Vec::new(),
            policies: pending.policies.clone(),
            outcome: None,
            ended_ms: None,
        };
        self.change(turn, Change::Prompt { prompt });
    }

    /// A question is over.
    pub(super) fn note_prompted(&mut self, turn: &mut Turn<'_>, id: &str, outcome: Outcome) {
        let at_ms = turn.at.monotonic_ms;
        self.change(turn, Change::Prompted { id: id.to_owned(), outcome, at_ms });
    }

    /// Something has joined a question: what is remembered of it names that target too.
    pub(super) fn note_joined(&mut self, turn: &mut Turn<'_>, id: &str, request: &Request) {
        let is_new = |prompt: &Prompt| prompt.id == id && !is_about(prompt, request);
        let is_new = self.world.borrow().durable.prompts.iter().rev().any(is_new);
        if let Some(target) = request.target.clone().filter(|_| is_new) {
            self.change(turn, Change::PromptJoined { id: id.to_owned(), target });
        }
    }
}

/// What stands for an asker. No channel can be called as nobody is: a name has no `/`.
fn asker(request: &Request) -> String {
    request.source.channel.clone().unwrap_or_else(|| format!("unknown/{:?}", request.door).to_lowercase())
}

fn is_about(prompt: &Prompt, request: &Request) -> bool {
    prompt.target == request.target || request.target.as_ref().is_some_and(|target| prompt.joined.contains(target))
}
