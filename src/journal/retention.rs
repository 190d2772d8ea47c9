//! How long a record is kept: what is read of a body without what can be erased, and whether its time is over.
//!
//! It does not touch files; who prunes asks here.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::Log;
use crate::model::action::Class;

/// Records about who may do what, besides decisions: they are kept as long as sensitive ones. Not among them is what a
/// stranger can cause without end, such as refused answers.
const OF_CONTROL: [&str; 18] = [
    "asked_anew",
    "channel_locked",
    "gap",
    "granted",
    "guarded",
    "journal",
    "mode_set",
    "muted",
    "noticed",
    "policy_set",
    "pruned",
    "relay_set",
    "reloaded",
    "reverted",
    "revoked",
    "state_lost",
    "torn",
    "unmuted",
];

/// What decides how long a record is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub at: Timestamp,
    pub class: Class,
}

impl Outline {
    /// Reads it from the body of a line. `None`: the body is no record, and nobody can say how long it is to be kept.
    pub fn read(body: &str) -> Option<Outline> {
        let found: Found<'_> = serde_json::from_str(body).ok()?;
        let is_sensitive = match &found.decision {
            // What was put to a person is a confirmation, whatever it was about.
            Some(decision) => decision.request.sensitive || decision.confirm.is_some() || decision.settles.is_some(),
            None => OF_CONTROL.contains(&found.record),
        };
        Some(Outline { at: found.at, class: if is_sensitive { Class::Sensitive } else { Class::Ordinary } })
    }

    /// Whether it was kept long enough.
    pub fn is_past(&self, now: Timestamp, log: &Log) -> bool {
        let kept_ms = match self.class {
            Class::Ordinary => log.ordinary_ms,
            Class::Sensitive => log.sensitive_ms,
        };
        let kept = SignedDuration::from_millis(i64::try_from(kept_ms).unwrap_or(i64::MAX));
        now.duration_since(self.at) > kept
    }
}

#[derive(Deserialize)]
struct Found<'a> {
    at: Timestamp,
    record: &'a str,
    decision: Option<FoundDecision>,
}

#[derive(Deserialize)]
struct FoundDecision {
    request: FoundRequest,
    confirm: Option<IgnoredAny>,
    settles: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct FoundRequest {
    #[serde(default)]
    sensitive: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn outline(rest: &str) -> Option<Outline> {
        Outline::read(&format!("{{\"at\":\"1970-01-01T00:00:00Z\",{rest}}}"))
    }

    #[test]
    fn sensitive_is_what_was_so_was_put_to_a_person_or_changed_who_may_do_what() {
        let decision = |rest: &str| format!(r#""record":"decision","decision":{{"request":{{"action":"a.b"}}{rest}}}"#);
        for (rest, class) in [
            (decision(""), Class::Ordinary),
            (decision(r#","confirm":{"question":"q"}"#), Class::Sensitive),
            (decision(r#","settles":{"pending":"1"}"#), Class::Sensitive),
            (decision("").replace("\"a.b\"", r#""a.b","sensitive":true"#), Class::Sensitive),
            (r#""record":"muted","speaker":"s""#.to_owned(), Class::Sensitive),
            (r#""record":"connected""#.to_owned(), Class::Ordinary),
            (r#""record":"event","event":{}"#.to_owned(), Class::Ordinary),
        ] {
            assert_eq!(outline(&rest).expect("an outline").class, class, "{rest}");
        }
        assert_eq!(outline(r#""no":1"#), None);
        assert_eq!(Outline::read("#00"), None);
    }

    #[test]
    fn a_record_is_past_when_its_class_is_kept_no_longer() {
        let log = Log::default();
        let after = |ms: u64| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(i64::try_from(ms).expect("a time"));
        for (record, kept_ms) in [("connected", log.ordinary_ms), ("muted", log.sensitive_ms)] {
            let outline = outline(&format!("\"record\":\"{record}\"")).expect("an outline");
            assert!(!outline.is_past(after(kept_ms), &log), "{record}");
            assert!(outline.is_past(after(kept_ms + 1), &log), "{record}");
            assert!(
                !outline.is_past(Timestamp::UNIX_EPOCH - SignedDuration::from_secs(1), &log),
                "a clock that went back"
            );
        }
        assert_eq!((log.ordinary_ms, log.sensitive_ms), (90 * DAY_MS, 730 * DAY_MS));
    }
}
