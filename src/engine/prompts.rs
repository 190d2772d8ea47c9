//! How often people are asked, and what they say: numbers, taken from the questions that are remembered.
//!
//! It asks nobody and forgets nothing; a rule counts with `approvals(…)`.

use std::collections::BTreeMap;

use super::{Engine, Turn};
use crate::model::decision::Outcome;
use crate::model::durable::{PROMPTS_KEPT_MS, PromptCounts};
use crate::model::event::Publication;
use crate::model::time::At;

/// What stands for the policy where the class of the action wanted the question.
pub const NO_POLICY: &str = "no policy";

impl Engine {
    /// The numbers of now.
    pub fn prompt_counts(&self, at: At) -> PromptCounts {
        let since_ms = at.monotonic_ms.saturating_sub(self.day_passed_ms(at));
        let kept_ms = at.monotonic_ms.saturating_sub(PROMPTS_KEPT_MS);
        let mut counts = PromptCounts { today: 0, by_policy: BTreeMap::new(), approval_rate: None };
        let (mut approved, mut ended) = (0_u32, 0_u32);
        for prompt in &self.world.borrow().durable.prompts {
            if prompt.at_ms >= since_ms {
                counts.today += 1;
                let names = prompt.policies.iter().map(String::as_str);
                let by_class = prompt.policies.is_empty().then_some(NO_POLICY);
                for name in names.chain(by_class) {
                    *counts.by_policy.entry(name.to_owned()).or_default() += 1;
                }
            }
            let is_yes = match prompt.outcome.filter(|_| prompt.at_ms >= kept_ms) {
                Some(Outcome::Approved) => true,
                Some(Outcome::Rejected | Outcome::Expired) => false,
                // Nobody was there to say anything, or it is open.
                Some(Outcome::JudgedAgain | Outcome::Unopposed | Outcome::Cancelled) | None => continue,
            };
            ended += 1;
            approved += u32::from(is_yes);
        }
        if ended > 0 {
            counts.approval_rate = Some((f64::from(approved) / f64::from(ended) * 100.0).round() / 100.0);
        }
        counts
    }

    pub(super) fn tell_prompts(&self, turn: &mut Turn<'_>) {
        turn.publish(Publication::Prompts(self.prompt_counts(turn.at)));
    }

    /// How much of the house's day has passed.
    fn day_passed_ms(&self, at: At) -> u64 {
        let now = at.utc.to_zoned(self.house_zone());
        let passed = now.start_of_day().map(|start| now.timestamp().duration_since(start.timestamp()));
        passed.ok().and_then(|passed| u64::try_from(passed.as_millis()).ok()).unwrap_or(0)
    }
}
