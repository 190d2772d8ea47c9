//! The only clock of the program.
//!
//! Whether the civil time can be right is the engine's question; the clock says what it shows.

use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::time::At;
use crate::policy::Stopwatch;

/// Counts from the moment it was made.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    /// The civil time that it showed then. `None`: it shows the system's.
    shown: Option<Timestamp>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes in")]
    pub fn new() -> Clock {
        Clock { start: Instant::now(), shown: None }
    }

    /// A clock that shows another civil time and goes on from there: the demo plays at night. Durations stay true.
    pub fn showing(utc: Timestamp) -> Clock {
        Clock { shown: Some(utc), ..Clock::new() }
    }

    /// Both sides of now.
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes in")]
    pub fn now(&self) -> At {
        let elapsed = self.elapsed();
        let utc = match self.shown {
            None => Timestamp::now(),
            Some(shown) => shown.checked_add(elapsed).unwrap_or(Timestamp::MAX),
        };
        At { monotonic_ms: At::MONOTONIC_START_MS + milliseconds(elapsed), utc }
    }

    /// How long until a deadline on the monotonic side. Nothing, if it is over.
    pub fn until(&self, monotonic_ms: u64) -> Duration {
        Duration::from_millis(monotonic_ms.saturating_sub(At::MONOTONIC_START_MS)).saturating_sub(self.elapsed())
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What ends a script that computes for too long.
    pub fn stopwatch(&self) -> Stopwatch {
        let clock = *self;
        Rc::new(move || milliseconds(clock.elapsed()))
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_shows_another_time_goes_on_from_there() {
        let night: Timestamp = "2027-05-18T06:14:00Z".parse().unwrap();
        let shown = Clock::showing(night).now().utc;
        assert!(shown >= night && shown < night + Duration::from_secs(60), "{shown}");
    }

    #[test]
    fn it_never_goes_back_and_a_deadline_of_the_past_is_due_now() {
        let clock = Clock::new();
        let (first, second) = (clock.now(), clock.now());
        assert!(second.monotonic_ms >= first.monotonic_ms);
        assert_eq!(clock.until(0), Duration::ZERO);
        let until = clock.until(first.monotonic_ms + 60_000);
        assert!(until <= Duration::from_secs(60) && until > Duration::from_secs(30), "{until:?}");
    }
}
