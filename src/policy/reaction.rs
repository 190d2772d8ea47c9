//! What one evaluation of one policy comes to.
//!
//! Values only. Nothing here has happened yet.

use serde_json::Value;

use crate::model::decision::{FactRead, PolicyError, Terms, Verdict};
use crate::model::speaker::What;

/// Wishes of one evaluation.
pub(super) const WISHES_MAX: usize = 64;
/// Different facts that one evaluation may read.
pub(super) const FACTS_MAX: usize = 128;

/// What a policy says, wishes and has read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reaction {
    /// `None`: it has no opinion. Beside an error it is what the policy had said to hold the request back (`Confirm` or
    /// `Deny`) before it failed: a failure must not open what a word has shut.
    pub stated: Option<Stated>,
    /// It failed. Then there is no wish and no `Allow`: a rule that fails half-way has no effect.
    pub error: Option<PolicyError>,
    pub wishes: Vec<Wish>,
    /// Every fact that it has read, in the order of the first reading. Kept where it failed.
    pub facts: Vec<FactRead>,
    /// Steps that it took.
    pub operations: u64,
}

/// The strictest verdict that a policy has stated in one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    pub verdict: Verdict,
    /// Never empty.
    pub reason: String,
    /// For `Deny` alone: what would make it work.
    pub instead: Option<String>,
    /// For `Confirm` alone.
    pub terms: Option<Terms>,
}

impl Stated {
    /// A verdict with nothing but its reason.
    pub(super) fn new(verdict: Verdict, reason: String) -> Stated {
        Stated { verdict, reason, instead: None, terms: None }
    }
}

/// What a policy wants done. The engine does it, or refuses with a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    Count { name: String },
    Remember { key: String, value: Value },
    Forget { key: String },
    Mute { speaker: String, what: What, for_ms: u64, reason: String },
    Unmute { speaker: String },
    Announce { speaker: String, text: String },
    Notify { text: String },
    Publish { topic: String, payload: String },
}
