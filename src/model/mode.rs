//! Whether verdicts are acted on, for the house and for each policy.

use serde::{Deserialize, Serialize};

/// Whether the bridge acts on its verdicts or only says what it would do. Ordered by strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Observe,
    Enforce,
}

impl Mode {
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Observe => "observe",
            Mode::Enforce => "enforce",
        }
    }
}
