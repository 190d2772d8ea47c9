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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::{self, NoSecrets};
    use crate::engine::Setup;
    use crate::model::durable::{Change, Prompt};
    use crate::model::event::Effect;

    /// Two in the afternoon in Berlin, where it is summer.
    const NOW: &str = "2027-07-01T12:00:00Z";
    const HOUR_MS: u64 = 3_600_000;

    fn engine(zone: &str) -> (Engine, At) {
        let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc: NOW.parse().expect("a time") };
        let setup = Setup {
            config: Rc::new(config::parse("test.yaml", zone, &NoSecrets).expect("a configuration")),
            sources: Vec::new(),
            seed: [0; 32],
            integrations: Vec::new(),
            stopwatch: None,
            saved: None,
        };
        (Engine::start(setup, at, &mut Vec::new()).expect("an engine"), at)
    }

    fn prompt(at_ms: u64, policies: &[&str], outcome: Option<Outcome>) -> Change {
        let (id, asker, action) = (at_ms.to_string(), String::new(), "lock.unlock".to_owned());
        let policies = policies.iter().map(|policy| (*policy).to_owned()).collect();
        Change::Prompt {
            prompt: Prompt {
                id,
                at_ms,
                asker,
                action,
                target: None,
                joined: Vec::new(),
                policies,
                outcome,
                ended_ms: None,
            },
        }
    }

    #[test]
    fn a_day_is_the_houses_and_each_policy_that_asks_is_named() {
        for (zone, today, by_policy) in [
            ("time_zone: Europe/Berlin", 3, vec![("doors", 2), (NO_POLICY, 1), ("quiet", 1)]),
            ("base: h", 2, vec![("doors", 1), (NO_POLICY, 1), ("quiet", 1)]),
        ] {
            let (engine, at) = engine(zone);
            for (ago_ms, policies) in [
                (14 * HOUR_MS + 1, &["doors"] as &[&str]),
                (14 * HOUR_MS, &["doors"]),
                (12 * HOUR_MS, &[]),
                (0, &["doors", "quiet"]),
            ] {
                engine.world.borrow_mut().durable.apply(prompt(at.monotonic_ms - ago_ms, policies, None));
            }
            let counts = engine.prompt_counts(at);
            let expected = by_policy.into_iter().map(|(policy, count)| (policy.to_owned(), count)).collect();
            assert_eq!((counts.today, counts.by_policy), (today, expected), "{zone}");
            assert_eq!(counts.approval_rate, None, "none has ended");
        }
    }

    #[test]
    fn the_rate_is_of_those_that_somebody_could_have_answered() {
        use Outcome::{Approved, Cancelled, Expired, JudgedAgain, Rejected, Unopposed};
        for (outcomes, expected) in [
            (&[Some(Approved)] as &[_], Some(1.0)),
            (&[Some(Approved), Some(Rejected), Some(Expired)], Some(0.33)),
            (&[Some(Rejected)], Some(0.0)),
            (&[None, Some(JudgedAgain), Some(Unopposed), Some(Cancelled)], None),
        ] {
            let (engine, at) = engine("base: h");
            let kept_ms = at.monotonic_ms - PROMPTS_KEPT_MS;
            engine.world.borrow_mut().durable.apply(prompt(kept_ms - 1, &[], Some(Approved)));
            for outcome in outcomes {
                engine.world.borrow_mut().durable.apply(prompt(kept_ms, &[], *outcome));
            }
            assert_eq!(engine.prompt_counts(at).approval_rate, expected, "{outcomes:?}");
        }
    }

    #[test]
    fn each_question_and_each_answer_is_told() {
        let (mut engine, at) = engine("base: h");
        let mut effects = Vec::new();
        let turn = &mut Turn { at, config: Rc::clone(&engine.config), effects: &mut effects, publishes: 0 };
        engine.change(turn, prompt(at.monotonic_ms, &[], None));
        engine.change(turn, Change::Prompted { id: at.monotonic_ms.to_string(), outcome: Outcome::Approved, at_ms: 0 });
        let told = effects.into_iter().filter_map(|effect| match effect {
            Effect::Publish(Publication::Prompts(counts)) => Some((counts.today, counts.approval_rate)),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [(1, None), (1, Some(1.0))]);
    }
}
