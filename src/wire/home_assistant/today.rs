//! What was denied today, by the owner's calendar.
//!
//! Without a time zone the day is that of UTC. It reads no clock, so a day ends when the first instant after it is heard of.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

#[derive(Debug)]
pub(super) struct Today {
    zone: TimeZone,
    /// The day, from its start (included) to its end (excluded). `None`: nothing was heard of yet.
    day: Option<(Timestamp, Timestamp)>,
    denied: u64,
    observed: u64,
}

impl Today {
    pub(super) fn new(zone: Option<TimeZone>) -> Today {
        Today { zone: zone.unwrap_or(TimeZone::UTC), day: None, denied: 0, observed: 0 }
    }

    /// Requests that were denied.
    pub(super) fn denied(&self) -> u64 {
        self.denied
    }

    /// Requests that would have been denied, had house and rule enforced.
    pub(super) fn observed(&self) -> u64 {
        self.observed
    }

    pub(super) fn count(&mut self, is_applied: bool) {
        let counter = if is_applied { &mut self.denied } else { &mut self.observed };
        *counter = counter.saturating_add(1);
    }

    /// Whether the day is another one than before. The first one is not.
    pub(super) fn passes(&mut self, at: Timestamp) -> bool {
        if self.day.is_some_and(|(from, to)| from <= at && at < to) {
            return false;
        }
        let is_first = self.day.is_none();
        self.day = Some(self.day_of(at));
        (self.denied, self.observed) = (0, 0);
        !is_first
    }

    fn day_of(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let start = at.to_zoned(self.zone.clone()).start_of_day();
        let end = start.as_ref().ok().and_then(|start| start.tomorrow().ok());
        let a_day_later = || at.checked_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX);
        (start.map_or(at, |start| start.timestamp()), end.map_or_else(a_day_later, |end| end.timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_owners_midnight() {
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        for (zone, first, second, expected) in [
            (Some(&berlin), "2027-01-15T22:59:59Z", "2027-01-15T23:00:00Z", true),
            (Some(&berlin), "2027-01-14T23:00:00Z", "2027-01-15T22:59:59Z", false),
            // The day on which the clocks go forward has 23 hours.
            (Some(&berlin), "2027-03-27T23:00:00Z", "2027-03-28T21:59:59Z", false),
            (Some(&berlin), "2027-03-27T23:00:00Z", "2027-03-28T22:00:00Z", true),
            // A clock that is put back.
            (Some(&berlin), "2027-01-15T12:00:00Z", "2027-01-14T12:00:00Z", true),
            (None, "2027-01-15T23:59:59Z", "2027-01-16T00:00:00Z", true),
            (None, "2027-01-15T22:59:59Z", "2027-01-15T23:00:00Z", false),
        ] {
            let mut today = Today::new(zone.cloned());
            let at = |text: &str| text.parse::<Timestamp>().expect("a time");
            assert!(!today.passes(at(first)), "nothing was counted before {first}");
            today.count(true);
            today.count(false);
            assert_eq!(today.passes(at(second)), expected, "{first} to {second}");
            let count = u64::from(!expected);
            assert_eq!((today.denied(), today.observed()), (count, count), "{first} to {second}");
        }
    }
}
