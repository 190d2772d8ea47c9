//! The last decision, as Home Assistant is shown it.
//!
//! Home Assistant writes every change of a state to its database, and nobody reads a hundred in a second: of decisions that
//! come fast on each other only the latest is shown. Each of them is an event besides. It reads no clock.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::cut;
use crate::model::decision::{Decision, Enforcement, Grade, Outcome, Verdict};
use crate::model::mode::Mode;
use crate::model::request::{Door, SourceKind};

/// How long the last decision stands before the next one takes its place.
pub(super) const LAST_DECISION_EVERY_MS: u64 = 200;

#[derive(Debug, Default)]
pub(super) struct LastDecision {
    /// What is to be shown next.
    waiting: Option<Bytes>,
    /// The monotonic time before which it is not.
    rests_until_ms: u64,
}

impl LastDecision {
    pub(super) fn decided(&mut self, told: Bytes) {
        self.waiting = Some(told);
    }

    /// When there is something to show, on the monotonic clock in milliseconds.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.waiting.is_some().then_some(self.rests_until_ms)
    }

    /// What is to be shown now.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<Bytes> {
        let due_ms = self.due_ms()?;
        if now_ms < due_ms {
            return None;
        }
        self.rests_until_ms = now_ms.saturating_add(LAST_DECISION_EVERY_MS);
        self.waiting.take()
    }
}

/// A decision, as Home Assistant is told of it: neither the data nor the text of the request.
#[derive(Serialize)]
struct Told<'a> {
    event_type: &'a str,
    id: &'a str,
    at: Timestamp,
    action: &'a str,
    target: Option<&'a str>,
    source: SourceKind,
    channel: Option<&'a str>,
    door: Door,
    verdict: Verdict,
    applied: Verdict,
    mode: Mode,
    reason: &'a str,
    deciding: &'a [String],
    grade: Grade,
    enforcement: Enforcement,
}

/// JSON.
pub(super) fn told(decision: &Decision) -> Vec<u8> {
    let request = &decision.request;
    let is_expired = decision.settles.as_ref().is_some_and(|settlement| settlement.outcome == Outcome::Expired);
    let event_type = match (request.door, is_expired) {
        (Door::Bypass, _) => "bypass",
        (_, true) => "expired",
        _ => decision.verdict.name(),
    };
    let (target, reason) = (request.target.as_deref().map(cut), cut(&decision.reason));
    let told = Told {
        event_type,
        id: &decision.id,
        at: decision.at,
        action: &request.action,
        target: target.as_deref(),
        source: request.source.kind,
        channel: request.source.channel.as_deref(),
        door: request.door,
        verdict: decision.verdict,
        applied: decision.applied,
        mode: decision.mode,
        reason: &reason,
        deciding: &decision.deciding,
        grade: decision.grade,
        enforcement: decision.enforcement,
    };
    // Texts, names and a time: all have a form in JSON.
    serde_json::to_vec(&told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_decisions_that_come_fast_the_first_is_shown_at_once_and_then_the_latest() {
        let mut last = LastDecision::default();
        assert_eq!((last.due_ms(), last.take_due(1_000)), (None, None));
        last.decided(Bytes::from("1"));
        assert_eq!(last.take_due(1_000), Some(Bytes::from("1")));
        assert_eq!((last.due_ms(), last.take_due(5_000)), (None, None), "it is shown once");
        last.decided(Bytes::from("2"));
        last.decided(Bytes::from("3"));
        let due_ms = 1_000 + LAST_DECISION_EVERY_MS;
        assert_eq!((last.due_ms(), last.take_due(due_ms - 1)), (Some(due_ms), None));
        assert_eq!(last.take_due(due_ms), Some(Bytes::from("3")), "none is the last for ever without being shown");
        assert_eq!(last.due_ms(), None);
    }
}
