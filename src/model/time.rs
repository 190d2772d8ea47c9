//! The two sides of an instant. Nothing here reads a clock: every `At` comes in from outside.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant, seen from both sides.
///
/// Durations (mutes, expiries, windows) are counted on the monotonic side, which no clock change moves.
/// What people mean by "ten o'clock" is asked of the civil side, which can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Milliseconds; never goes back within one run. A run begins at `MONOTONIC_START_MS`.
    pub monotonic_ms: u64,
    pub utc: Timestamp,
}

impl At {
    /// The earliest instant that a correct clock can show: when this program was written.
    pub const UTC_MIN: Timestamp = Timestamp::constant(1_793_491_200, 0);

    /// How far the civil clock may go back before it counts as wrong. Time servers correct by less.
    pub const CORRECTION_MAX_MS: u64 = 60_000;

    /// Where the monotonic side of every run begins: ten years. What an earlier run left is moved into this one, and what
    /// lies before its start must still have a time that can be written.
    pub const MONOTONIC_START_MS: u64 = 10 * 365 * 86_400_000;

    /// The same instant moved `duration_ms` into the future, on both sides.
    pub fn plus_ms(self, duration_ms: u64) -> At {
        let duration = jiff::SignedDuration::from_millis(i64::try_from(duration_ms).unwrap_or(i64::MAX));
        At {
            monotonic_ms: self.monotonic_ms.saturating_add(duration_ms),
            utc: self.utc.checked_add(duration).unwrap_or(Timestamp::MAX),
        }
    }
}
