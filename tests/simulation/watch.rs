//! What the simulation has seen so far: counts of everything that matters, and the latest lines for a failure.

use std::collections::{BTreeMap, VecDeque};

const LINES_KEPT: usize = 40;

/// What must have happened in a run of full length, or the simulation tests less than it says.
const EXPECTED: &[&str] = &[
    "allowed at once",
    "denied at once",
    "held",
    "approved",
    "rejected",
    "expired",
    "joined",
    "joined what was asked",
    "asked what has gathered",
    "noticed",
    "unopposed",
    "veto window dropped",
    "cancelled",
    "refused often enough",
    "asked often enough",
    "judged again",
    "released by a reload or a mode",
    "answer refused",
    "table full",
    "forwarded for a policy",
    "ghost",
    "forged",
    "refused",
    "muted",
    "unmuted by timer",
    "unmuted by a policy",
    "unmuted by a decision",
    "mode loosened",
    "mode tightened",
    "policy switched",
    "reloaded",
    "reload refused",
    "asked anew",
    "restarted",
    "restarted with pendings",
    "restarted with mutes",
    "restarted with a wrong clock",
    "clock implausible",
    "command expired",
    "policy failed",
    "answered",
    "watched",
    "went round",
    "reverted",
    "reverted often enough",
    "asked by somebody likely",
];

#[derive(Debug, Default)]
pub(crate) struct Seen {
    counts: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn assert_that_everything_happened(&self) {
        for what in EXPECTED {
            assert!(self.counts.contains_key(what), "`{what}` never happened: the simulation no longer reaches it");
        }
    }
}

/// Where a run stands, for messages.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) seed: u64,
    pub(crate) step: u64,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Trace {
        Trace { seed, ..Trace::default() }
    }

    pub(crate) fn note(&mut self, line: String) {
        if self.lines.len() >= LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Ends the test.
    pub(crate) fn fail(&self, text: &str) -> ! {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        panic!(
            "{text}\n  at step {} of HUSHGATE_SEED={}; what happened last:\n    {}",
            self.step,
            self.seed,
            lines.join("\n    ")
        );
    }

    pub(crate) fn check(&self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.fail(&text());
        }
    }
}
