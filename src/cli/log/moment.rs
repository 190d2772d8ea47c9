//! Moments as owners write them: `1d` (ago), `23:00`, `2026-11-20`, `2026-11-20 23:00`, or a timestamp with a zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::time::{parse_duration_ms, parse_time_of_day};

/// Reads a moment. A time of day is the last one that has been.
///
/// # Errors
/// For the owner: what was expected and what was found.
pub(super) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let civil = |moment: DateTime| zone.to_timestamp(moment).ok();
    let ago = || {
        let duration_ms = i64::try_from(parse_duration_ms(text).ok()?).ok()?;
        now.checked_sub(SignedDuration::from_millis(duration_ms)).ok()
    };
    let of_day = || {
        let time = parse_time_of_day(text).ok()?;
        let today = now.to_zoned(zone.clone()).date();
        let moment = civil(today.to_datetime(time))?;
        if moment <= now { Some(moment) } else { civil(today.yesterday().ok()?.to_datetime(time)) }
    };
    let date = || text.parse::<Date>().ok().filter(|_| !text.contains([':', 'T', ' ']));
    ago()
        .or_else(of_day)
        .or_else(|| text.parse::<Timestamp>().ok())
        .or_else(|| date().and_then(|date| civil(date.to_datetime(jiff::civil::Time::midnight()))))
        .or_else(|| text.parse::<DateTime>().ok().and_then(civil))
        .ok_or_else(|| {
            format!("expected a moment, found `{text}`\nhelp: write `1d`, `23:00`, `2026-11-20` or `2026-11-20 23:00`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_owners_write_them() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-11-22T22:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("1d", "2026-11-21T22:30:00Z"),
            ("90m", "2026-11-22T21:00:00Z"),
            ("23:00", "2026-11-22T22:00:00Z"),
            ("23:45", "2026-11-21T22:45:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20 23:00", "2026-11-20T22:00:00Z"),
            ("2026-11-20T23:00:30", "2026-11-20T22:00:30Z"),
            ("2026-11-20T23:00:00Z", "2026-11-20T23:00:00Z"),
        ] {
            assert_eq!(parse(text, now, &zone), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in ["", "yesterday", "25:00", "2026-13-01", "99999999999d"] {
            let error = parse(text, now, &zone).unwrap_err();
            assert!(error.contains(&format!("expected a moment, found `{text}`")), "{error}");
        }
    }
}
