//! What has happened already: seen on a device's real topic, or in Home Assistant's streams.
//!
//! It is judged like everything else, so that policies can react and the owner is told. Nothing is held, and nobody is
//! asked. A command that went round the gate is undone where the verdict is in force and an undo is known: at most
//! `REVERTS_MAX` times per target in `REVERT_WINDOW_MS`, since two who undo each other would never end.
//!
//! The undo is the bridge's own hand: it is not judged again. So it may never open anything: an undo that is
//! sensitive, by its name or because of what it moves (a relay of which nobody knows which way opens the door), is not sent, nor one that moves a cover unless the owner has said so.

use std::collections::{BTreeMap, VecDeque};

use super::judge::{Applied, Judgement, record};
use super::story::told_late;
use super::{Engine, Turn};
use crate::model::action::Class;
use crate::model::decision::{Grade, Verdict};
use crate::model::event::{Entry, Publication};
use crate::model::message::Command;
use crate::model::request::{Door, Request};

/// Reverts of one target within `REVERT_WINDOW_MS`.
pub const REVERTS_MAX: usize = 2;
/// The window in which reverts of one target are counted.
pub const REVERT_WINDOW_MS: u64 = 10 * 60_000;
/// Targets whose reverts are counted at one time. What is done to one more is told, and not undone.
pub const REVERT_TARGETS_MAX: usize = 256;

/// Actions on covers that move nothing.
const COVER_STOPS: [&str; 2] = ["cover.stop_cover", "cover.stop_cover_tilt"];

/// When each target was reverted, of the latest window.
#[derive(Debug, Default)]
pub(super) struct Reverts(BTreeMap<String, VecDeque<u64>>);

impl Reverts {
    /// Counts one revert of a target, or says why there must be none.
    fn count(&mut self, target: &str, now_ms: u64) -> Result<(), String> {
        let is_over = |time_ms: &u64| now_ms.saturating_sub(*time_ms) >= REVERT_WINDOW_MS;
        self.0.retain(|_, times| {
            times.retain(|time_ms| !is_over(time_ms));
            !times.is_empty()
        });
        if self.0.len() >= REVERT_TARGETS_MAX && !self.0.contains_key(target) {
            return Err(format!("not undone: {REVERT_TARGETS_MAX} targets were put right lately"));
        }
        let times = self.0.entry(target.to_owned()).or_default();
        if times.len() >= REVERTS_MAX {
            let minutes = REVERT_WINDOW_MS / 60_000;
            return Err(format!("not undone: it was, {REVERTS_MAX} times within {minutes} minutes"));
        }
        times.push_back(now_ms);
        Ok(())
    }
}

/// What an undo asks for.
struct Undo {
    command: Command,
    request: Request,
}

/// A reason, and what was done after it. A question is a reason too, and ends with a full stop.
fn followed_by(reason: &str, done: &str) -> String {
    format!("{}; {done}", reason.trim_end_matches('.'))
}

impl Engine {
    /// Tells of something that has happened, and puts it right where it must not have and can be.
    pub(super) fn react(
        &mut self,
        turn: &mut Turn<'_>,
        request: &Request,
        mut judgement: Judgement,
        undo: Option<Command>,
    ) {
        let in_force = judgement.applied.verdict;
        judgement.applied = Applied { verdict: Verdict::Allow, terms: None };
        let mut decision = self.decision(turn.at, request, &mut judgement);
        let mut undo = match (request.door, in_force) {
            (Door::Bypass, Verdict::Confirm | Verdict::Deny) => Some(self.undo(turn, request, undo)),
            _ => None,
        };
        if let Some(Err(why)) = &undo {
            decision.reason = followed_by(&decision.reason, why);
        }
        if let Some(Ok(_)) = &undo {
            decision.applied = Verdict::Deny;
            decision.grade = Grade::Reverted;
            decision.reason = followed_by(&decision.reason, "it was undone");
        }
        if let Some(late) = told_late(request, turn.at.utc) {
            decision.reason = followed_by(&decision.reason, &late);
        }
        let id = decision.id.clone();
        let told = (request.door == Door::Bypass).then(|| Publication::Bypass(Box::new(decision.clone())));
        record(turn, decision);
        if let Some(Ok(undo)) = undo.take() {
            turn.record(Entry::Reverted {
                by: id.clone(),
                topic: undo.command.topic.clone(),
                action: undo.request.action.clone(),
                target: undo.request.target.clone(),
            });
            self.forward(turn, undo.command, &id, &undo.request);
        }
        turn.effects.extend(told.map(crate::model::event::Effect::Publish));
    }

    /// The command that puts something right, counted; or why none is sent.
    fn undo(&mut self, turn: &Turn<'_>, request: &Request, undo: Option<Command>) -> Result<Undo, String> {
        let Some(command) = undo else { return Err("nothing is known that undoes it".to_owned()) };
        let read = self.registry.read_command(&command.topic, &command.payload, Door::Bypass);
        let Some(undone) = read else { return Err("not undone: what would undo it is no known command".to_owned()) };
        let action = undone.action.as_str();
        if undone.sensitive || self.config.class_of(action) == Class::Sensitive {
            return Err(format!("not undone: `{action}` is sensitive itself"));
        }
        let moves_cover = action.starts_with("cover.") && !COVER_STOPS.contains(&action);
        if moves_cover && !self.config.home_assistant.revert_covers {
            return Err("not undone: covers are not moved by themselves".to_owned());
        }
        let Some(command) = self.fresh(command, 0) else {
            return Err("not undone: the command expired".to_owned());
        };
        let target = request.target.as_deref().unwrap_or(&command.topic);
        self.reverts.count(target, turn.at.monotonic_ms)?;
        Ok(Undo { command, request: undone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reverts_of_one_target_in_ten_minutes_and_no_more() {
        let mut reverts = Reverts::default();
        let over = Err("not undone: it was, 2 times within 10 minutes".to_owned());
        for (target, now_ms, expected) in [
            ("lock.door", 0, Ok(())),
            ("lock.door", 1, Ok(())),
            ("lock.door", 2, over.clone()),
            ("lock.gate", 2, Ok(())),
            ("lock.door", REVERT_WINDOW_MS - 1, over.clone()),
            ("lock.door", REVERT_WINDOW_MS, Ok(())),
            ("lock.door", REVERT_WINDOW_MS, over),
        ] {
            assert_eq!(reverts.count(target, now_ms), expected, "{target} at {now_ms}");
        }
    }

    #[test]
    fn one_target_more_than_can_be_counted_is_not_put_right() {
        let mut reverts = Reverts::default();
        for index in 0..REVERT_TARGETS_MAX {
            assert_eq!(reverts.count(&index.to_string(), 0), Ok(()));
        }
        let full = Err("not undone: 256 targets were put right lately".to_owned());
        assert_eq!(reverts.count("one more", 1), full);
        assert_eq!(reverts.count("7", 1), Ok(()), "what is counted already goes on");
        assert_eq!(reverts.count("one more", REVERT_WINDOW_MS), Ok(()), "the window of the others is over");
    }
}
