//! Civil time: quiet hours, weekdays, the sun, and durations as owners write them.
//!
//! Functions of an instant, a zone and a place. Nothing here reads the clock.

use jiff::Zoned;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use sunrise::{Coordinates, SolarDay, SolarEvent};

/// Where the house stands, as far as the owner has said.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub zone: Option<TimeZone>,
    /// Latitude and longitude in degrees, north and east positive.
    pub coordinates: Option<(f64, f64)>,
}

/// Reads `22:00` or `22:00:30`.
pub fn parse_time_of_day(text: &str) -> Result<Time, String> {
    let complete = text.len() >= 5 && text.as_bytes().get(2) == Some(&b':');
    text.parse::<Time>()
        .ok()
        .filter(|_| complete)
        .ok_or_else(|| format!("expected a time of day such as `22:00`, found `{text}`"))
}

/// Whether `now` lies in the daily span from `from` (included) to `to` (excluded). A span may pass midnight;
/// one that begins where it ends is empty.
pub fn is_between(now: Time, from: Time, to: Time) -> bool {
    if from <= to { from <= now && now < to } else { now >= from || now < to }
}

/// Reads a duration: `500ms`, `90s`, `10m`, `2h`, `7d`, or a run of them such as `1h30m`. In milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<u64, String> {
    let error = || format!("expected a duration such as `90s`, `10m` or `1h30m`, found `{text}`");
    let (mut rest, mut total_ms) = (text.trim(), 0_u64);
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?);
        let (unit, behind) = behind.split_at(behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len()));
        rest = behind;
        let count: u64 = digits.parse().map_err(|_| error())?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(error()),
        };
        total_ms = count.checked_mul(unit_ms).and_then(|part_ms| total_ms.checked_add(part_ms)).ok_or_else(error)?;
    }
    Ok(total_ms)
}

/// Whether the sun stands above the horizon. In polar day and night it neither rises nor sets, and `None` says so.
pub fn sun_is_up(now: &Zoned, latitude: f64, longitude: f64) -> Option<bool> {
    let date = now.date();
    let (month, day) = (u32::try_from(date.month()).ok()?, u32::try_from(date.day()).ok()?);
    let date = chrono::NaiveDate::from_ymd_opt(i32::from(date.year()), month, day)?;
    let day = SolarDay::new(Coordinates::new(latitude, longitude)?, date);
    let rise = day.event_time(SolarEvent::Sunrise)?.timestamp();
    let set = day.event_time(SolarEvent::Sunset)?.timestamp();
    let now = now.timestamp().as_second();
    Some(rise <= now && now < set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        parse_time_of_day(text).expect("a time of day")
    }

    #[test]
    fn a_span_may_pass_midnight() {
        for (now, from, to, expected) in [
            ("23:14", "22:00", "07:00", true),
            ("22:00", "22:00", "07:00", true),
            ("07:00", "22:00", "07:00", false),
            ("12:00", "22:00", "07:00", false),
            ("12:00", "09:00", "17:00", true),
            ("17:00", "09:00", "17:00", false),
            ("09:00", "09:00", "09:00", false),
        ] {
            assert_eq!(is_between(time(now), time(from), time(to)), expected, "{now} in {from} to {to}");
        }
    }

    #[test]
    fn durations_are_read_as_owners_write_them() {
        for (text, expected_ms) in
            [("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("250ms", 250)]
        {
            assert_eq!(parse_duration_ms(text), Ok(expected_ms), "{text}");
        }
        for text in ["", "10", "m", "-5s", "1.5h", "10 m", "99999999999999999999d", "10x"] {
            let error = parse_duration_ms(text).expect_err(text);
            assert!(error.contains("expected a duration"), "{error}");
        }
    }

    #[test]
    fn times_of_day_have_two_digits() {
        for text in ["", "22", "9:00", "25:00", "2200", "22:60"] {
            assert!(parse_time_of_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_sun_rises_in_portland_and_not_in_a_polar_night() {
        let at = |text: &str| text.parse::<Zoned>().expect("a zoned time");
        let portland = |text: &str| sun_is_up(&at(text), 45.52, -122.68);
        assert_eq!(portland("2026-06-21T12:00[America/Los_Angeles]"), Some(true));
        assert_eq!(portland("2026-06-21T20:55[America/Los_Angeles]"), Some(true));
        assert_eq!(portland("2026-06-21T21:10[America/Los_Angeles]"), Some(false));
        assert_eq!(portland("2026-06-21T03:00[America/Los_Angeles]"), Some(false));
        assert_eq!(sun_is_up(&at("2026-12-21T12:00[Europe/Oslo]"), 69.65, 18.96), None);
    }
}
