//! Whether the civil clock can be right.
//!
//! A clock that shows a time before this program was written, or before something that was already recorded, is wrong.
//! Rules that ask for the time then take their `ON_ERROR` side. Durations are not touched: they are monotonic.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::time::At;

const BACK_TOLERANCE: Duration = Duration::from_millis(At::CORRECTION_MAX_MS);

#[derive(Debug, Clone)]
pub(super) struct Clock {
    latest_utc: Timestamp,
    plausible: bool,
}

impl Clock {
    /// `saved`: when an earlier run last wrote something down.
    pub(super) fn since(saved: Option<At>) -> Clock {
        Clock { latest_utc: saved.map_or(At::UTC_MIN, |saved| saved.utc.max(At::UTC_MIN)), plausible: true }
    }

    /// Takes note of the time. `Some` where the clock became implausible, or plausible again.
    pub(super) fn observe(&mut self, at: At) -> Option<bool> {
        let earliest = self.latest_utc.checked_sub(BACK_TOLERANCE).unwrap_or(Timestamp::MIN).max(At::UTC_MIN);
        let plausible = at.utc >= earliest;
        if plausible {
            self.latest_utc = self.latest_utc.max(at.utc);
        }
        let changed = plausible != self.plausible;
        self.plausible = plausible;
        changed.then_some(plausible)
    }

    /// The owner has acted: what the clock shows now is taken as right, unless it is impossible.
    pub(super) fn accept(&mut self, at: At) {
        self.latest_utc = at.utc.max(At::UTC_MIN);
    }

    pub(super) fn is_plausible(&self) -> bool {
        self.plausible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(utc_s: i64) -> At {
        At { monotonic_ms: 0, utc: Timestamp::from_second(utc_s).expect("in range") }
    }

    #[test]
    fn a_clock_before_the_program_or_before_the_last_record_is_wrong() {
        let start_s = At::UTC_MIN.as_second();
        let mut clock = Clock::since(None);
        for (utc_s, expected) in [
            (start_s + 1_000, None),
            (start_s + 950, None),
            (start_s + 900, Some(false)),
            (start_s + 930, None),
            (start_s + 1_001, Some(true)),
            (0, Some(false)),
            (start_s + 2_000, Some(true)),
        ] {
            assert_eq!(clock.observe(at(utc_s)), expected, "at {utc_s}");
        }
    }

    #[test]
    fn a_clock_before_what_an_earlier_run_wrote_is_wrong() {
        let start_s = At::UTC_MIN.as_second();
        for (utc_s, expected) in [(10_000, None), (9_941, None), (9_939, Some(false))] {
            let mut clock = Clock::since(Some(at(start_s + 10_000)));
            assert_eq!(clock.observe(at(start_s + utc_s)), expected, "{utc_s}");
        }
        assert_eq!(Clock::since(Some(at(0))).observe(at(start_s)), None, "what cannot have been is not taken over");
    }

    #[test]
    fn the_owner_can_accept_a_clock_that_went_back_but_not_an_impossible_one() {
        let start_s = At::UTC_MIN.as_second();
        let mut clock = Clock::since(None);
        clock.observe(at(start_s + 10_000_000));
        assert_eq!(clock.observe(at(start_s + 5)), Some(false));
        clock.accept(at(start_s + 5));
        assert_eq!(clock.observe(at(start_s + 6)), Some(true));
        clock.accept(at(0));
        assert_eq!(clock.observe(at(1)), Some(false));
    }
}
