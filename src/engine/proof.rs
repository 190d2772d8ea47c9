//! What the canary found: whether the way around the bridge is shut.
//!
//! Nothing is believed for ever. A proof that nobody has repeated for `PROOF_AGE_MAX_MS` is none any more, and none
//! outlives a restart. That the way is open stays true until somebody finds otherwise.

use super::{Engine, Turn};
use crate::model::decision::Enforcement;
use crate::model::event::{Canary, Entry};

/// How long a proof counts. The canary looks every hour, so one that is twice as old was not repeated.
pub const PROOF_AGE_MAX_MS: u64 = 2 * 3_600_000;

/// What is known of the way around, and until when.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) enforcement: Enforcement,
    /// Monotonic end; only a proof has one.
    pub(super) until_ms: Option<u64>,
}

impl Default for Proof {
    fn default() -> Proof {
        Proof { enforcement: Enforcement::Unproven, until_ms: None }
    }
}

impl Engine {
    /// The canary has looked.
    pub(super) fn look(&mut self, turn: &mut Turn<'_>, canary: Canary) {
        let Canary { enforcement, reason } = canary;
        let end_ms = turn.at.plus_ms(PROOF_AGE_MAX_MS).monotonic_ms;
        let until_ms = (enforcement == Enforcement::Proven).then_some(end_ms);
        self.proof = Proof { enforcement, until_ms };
        turn.record(Entry::Canary { enforcement, reason });
    }

    /// The proof is too old.
    pub(super) fn proof_ends(&mut self, turn: &mut Turn<'_>) {
        let reason = format!("nobody has looked for {} hours", PROOF_AGE_MAX_MS / 3_600_000);
        self.look(turn, Canary { enforcement: Enforcement::Unproven, reason });
    }
}
