//! How long the bridge was away between two runs, by the civil clock; the monotonic one begins anew with each.
//!
//! What follows from it for each kind of thing is said in `Durable::rebase`.

use crate::model::time::At;

/// The longest time for which a bridge can have been away. A clock that has gone further is wrong.
pub const AWAY_MAX_MS: u64 = 365 * 86_400_000;

/// Time between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// Milliseconds. A clock that went back by no more than a correction counts as none.
    Known(u64),
    /// One of the two clocks was wrong.
    Unknown,
}

impl Away {
    /// From when something was last saved until now.
    pub fn between(saved: At, now: At) -> Away {
        let passed_ms = now.utc.duration_since(saved.utc).as_millis();
        let is_impossible = saved.utc < At::UTC_MIN || now.utc < At::UTC_MIN;
        if is_impossible || passed_ms < -i128::from(At::CORRECTION_MAX_MS) || passed_ms > i128::from(AWAY_MAX_MS) {
            return Away::Unknown;
        }
        Away::Known(u64::try_from(passed_ms).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_unless_a_clock_was_wrong() {
        let start_s = At::UTC_MIN.as_second();
        let year_s = i64::try_from(AWAY_MAX_MS / 1_000).expect("a small number");
        let at = |utc_s: i64| At { monotonic_ms: 5, utc: jiff::Timestamp::from_second(utc_s).expect("in range") };
        for (saved_s, now_s, expected) in [
            (0, 0, Away::Known(0)),
            (0, 90, Away::Known(90_000)),
            (100, 40, Away::Known(0)),
            (100, 39, Away::Unknown),
            (0, year_s, Away::Known(AWAY_MAX_MS)),
            (0, year_s + 1, Away::Unknown),
            (-1, 5, Away::Unknown),
            (5, -1, Away::Unknown),
            (-start_s, 5, Away::Unknown),
        ] {
            let found = Away::between(at(start_s + saved_s), at(start_s + now_s));
            assert_eq!(found, expected, "{saved_s} to {now_s}");
        }
    }
}
