//! The log in plain words: who wanted what, what became of it, and what followed.
//!
//! Functions of the records alone. Records other than decisions have their line in `lines`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::heard::story;
use super::{Palette, harmless, verbs};
use crate::model::decision::{Decision, Grade, Outcome, Settlement, Verdict};
use crate::model::event::{Entry, Record};
use crate::model::request::{Door, Source, SourceKind};

/// How the reason of a decision begins that a grant has made.
const GRANTED: &str = "granted to ";

/// A record in one sentence, with what followed from it. Whether the owner should look at it comes first.
pub fn sentence(record: &Record, following: &[&Record], palette: &Palette, zone: &TimeZone) -> (bool, String) {
    match &record.entry {
        Entry::Decision { decision } => (false, of_decision(decision, following, palette, zone)),
        entry => of_question(entry, zone).unwrap_or_else(|| super::record(record, palette, Some(zone))),
    }
}

/// What becomes of questions, without the ids that only programs need. `None`: it is about something else.
fn of_question(entry: &Entry, zone: &TimeZone) -> Option<(bool, String)> {
    Some(match entry {
        Entry::AnswerRefused { channel, reason, .. } => {
            (true, format!("an answer on `{}` did not count: {}", harmless(channel), harmless(reason)))
        }
        Entry::Noticed { channel, .. } => (false, format!("the question has reached `{}`", harmless(channel))),
        Entry::AskedAnew { channels, reason, .. } => {
            (false, format!("asked anew on {}: {}", names(channels), harmless(reason)))
        }
        Entry::ChannelLocked { channel, until } => {
            let until = super::moment(until, Some(zone));
            (true, format!("`{}` is locked until {until}: too many wrong codes", harmless(channel)))
        }
        _ => return None,
    })
}

fn names(channels: &[String]) -> String {
    let channels: Vec<String> = channels.iter().map(|channel| format!("`{}`", harmless(channel))).collect();
    channels.join(", ")
}

/// Whether a record is told in the sentence of the decision before it, if it was made in the same moment.
pub fn is_told_with_decision(record: &Record) -> bool {
    matches!(
        record.entry,
        Entry::Notice { .. }
            | Entry::Announced { .. }
            | Entry::Muted { .. }
            | Entry::Reverted { .. }
            | Entry::RefusalSpoken { .. }
    )
}

/// By the clock on the wall, to the minute.
pub fn clock(at: &Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M").to_string()
}

fn of_decision(decision: &Decision, following: &[&Record], palette: &Palette, zone: &TimeZone) -> String {
    let request = &decision.request;
    let wanted = match request.door {
        Door::Bypass => "went round the bridge to",
        Door::Gate | Door::Ask | Door::Intent | Door::Policy | Door::Control | Door::Twin | Door::Watch => "wanted to",
    };
    let who = who(&request.source, request.door);
    let what = verbs::phrase(&request.action, request.target.as_deref());
    let style = palette.verdict(decision.applied);
    let outcome = outcome(decision);
    let story = request.heard.as_ref().and_then(|heard| story(heard, zone));
    let story = story.map(|story| format!(" ({story})")).unwrap_or_default();
    let mut sentence = format!("{who} {wanted} {what}{story}: {style}{outcome}{style:#}");
    for record in following {
        sentence.push_str(&format!("; {}", consequence(record, zone)));
    }
    sentence
}

fn who(source: &Source, door: Door) -> String {
    let likely = |name: &str| format!("somebody, it seems at {},", harmless(name));
    match (&source.channel, &source.policy, &source.satellite, &source.person) {
        (Some(channel), ..) => harmless(channel).into_owned(),
        (_, Some(policy), ..) => format!("the policy {}", harmless(policy)),
        (_, _, Some(satellite), _) => likely(&satellite.name),
        // Home Assistant's id of a user says nothing to people; the record has it.
        (_, _, _, Some(_)) => "somebody who is logged in, it seems,".to_owned(),
        (None, None, None, None) => match (source.kind, door) {
            (SourceKind::Voice, _) => "a voice",
            (SourceKind::Automation, _) => "an automation",
            (SourceKind::Agent, _) => "an agent",
            (SourceKind::Policy, _) => "a policy",
            (SourceKind::Person | SourceKind::Unknown, _) => "somebody",
        }
        .to_owned(),
    }
}

fn outcome(decision: &Decision) -> String {
    let verdict = match (&decision.settles, decision.request.door.holds()) {
        (Some(settlement), _) => settled(decision, settlement),
        (None, true) => held(decision),
        (None, false) => seen(decision),
    };
    match decision.grade {
        Grade::Reverted => format!("{verdict}, and undone"),
        Grade::Prevented | Grade::Alerted => verdict,
    }
}

/// A command that could be held.
fn held(decision: &Decision) -> String {
    if decision.applied != decision.verdict {
        let would = match decision.verdict {
            Verdict::Allow => "allowed",
            Verdict::Confirm => "held for a confirmation",
            Verdict::Deny => "denied",
        };
        return format!("would have been {would} (observing), {}", harmless(&decision.reason));
    }
    match decision.verdict {
        Verdict::Allow if decision.deciding.is_empty() && !decision.reason.starts_with(GRANTED) => "allowed".to_owned(),
        Verdict::Allow => format!("allowed, {}", harmless(&decision.reason)),
        Verdict::Deny => format!("denied, {}", harmless(&decision.reason)),
        Verdict::Confirm => match &decision.confirm {
            Some(confirm) => {
                let within_s = u64::try_from(confirm.until.duration_since(decision.at).as_secs()).unwrap_or(0);
                format!("held for up to {} and asked on {}", duration(within_s), names(&confirm.channels))
            }
            None => format!("held, {}", harmless(&decision.reason)),
        },
    }
}

/// A command that had happened already.
fn seen(decision: &Decision) -> String {
    match decision.verdict {
        Verdict::Allow => match decision.request.heard.as_ref().and_then(|heard| heard.happened) {
            Some(happened) => {
                let after_s = u64::try_from(decision.at.duration_since(happened).as_secs()).unwrap_or(0);
                format!("only seen {} after, and right", duration(after_s))
            }
            None => "only seen, and right".to_owned(),
        },
        Verdict::Confirm => format!("only seen, it would have been held, {}", harmless(&decision.reason)),
        Verdict::Deny => format!("only seen, it would have been denied, {}", harmless(&decision.reason)),
    }
}

fn settled(decision: &Decision, settlement: &Settlement) -> String {
    let on = settlement.channel.as_ref().map(|channel| format!(" on `{}`", harmless(channel))).unwrap_or_default();
    let after = crate::shell::log::outline::time_of(&settlement.pending)
        .and_then(|opened| u64::try_from(decision.at.duration_since(opened).as_secs()).ok())
        .map(|seconds| format!(" after {}", duration(seconds)))
        .unwrap_or_default();
    let result = held(decision);
    match (settlement.outcome, decision.applied) {
        (Outcome::Approved, Verdict::Allow) => format!("{}{after}", approved(decision, &on)),
        (Outcome::Approved, _) => format!("approved{on}{after}, but {result}"),
        (Outcome::Rejected, _) => format!("refused{on}{after}"),
        (Outcome::Expired, _) => format!("{}, {}", verdict(decision.applied), harmless(&decision.reason)),
        (Outcome::JudgedAgain, _) => format!("judged again{after}, {result}"),
        (Outcome::Unopposed, Verdict::Allow) => format!("allowed{after}, nobody objected"),
        (Outcome::Unopposed, _) => format!("nobody objected, but {result}"),
        (Outcome::Cancelled, _) => format!("dropped{after}, the contrary was commanded"),
    }
}

/// With the strength of the approval, which its reason tells: a PIN, or who has carried it.
fn approved(decision: &Decision, on: &str) -> String {
    let word = format!("approved{on}");
    match decision.reason.strip_prefix(&word).map(harmless) {
        // A clause needs its comma at the end too.
        Some(strength) if strength.starts_with(',') => format!("{word}{strength},"),
        Some(strength) => word + strength.as_ref(),
        None => word,
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::Confirm => "held",
        Verdict::Deny => "denied",
    }
}

fn duration(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

fn consequence(record: &Record, zone: &TimeZone) -> String {
    let would = |applied: bool, done: &str, not_done: &str| if applied { done.to_owned() } else { not_done.to_owned() };
    match &record.entry {
        Entry::Notice { applied, .. } => would(*applied, "you were told", "you would have been told"),
        Entry::Announced { speaker, applied, .. } => {
            let done = would(*applied, "it was", "it would have been");
            format!("{done} announced on `{}`", harmless(speaker))
        }
        Entry::RefusalSpoken { speaker, applied, .. } => {
            let done = would(*applied, "that was", "that would have been");
            format!("{done} said on `{}`", harmless(speaker))
        }
        Entry::Muted { speaker, until, applied, .. } => {
            let done = would(*applied, "was", "would have been");
            format!("`{}` {done} muted until {}", harmless(speaker), clock(until, zone))
        }
        Entry::Reverted { action, target, .. } => {
            format!("the bridge did the contrary: {}", verbs::phrase(action, target.as_deref()))
        }
        _ => super::record(record, &Palette::PLAIN, Some(zone)).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decision::ConfirmBy;
    use crate::model::speaker::Heard;

    fn told(change: impl FnOnce(&mut Decision), following: &[Entry]) -> String {
        let at: Timestamp = "2026-11-22T22:14:00Z".parse().unwrap();
        let mut decision = super::super::tests::example();
        decision.at = at;
        decision.reason = "no messages between ten and seven".to_owned();
        decision.deciding = vec!["night".to_owned()];
        (decision.verdict, decision.applied) = (Verdict::Deny, Verdict::Deny);
        change(&mut decision);
        let record = Record { at, entry: Entry::Decision { decision: Box::new(decision) } };
        let following: Vec<Record> = following.iter().map(|entry| Record { at, entry: entry.clone() }).collect();
        let following: Vec<&Record> = following.iter().collect();
        sentence(&record, &following, &Palette::PLAIN, &TimeZone::get("Europe/Berlin").unwrap()).1
    }

    fn settle(decision: &mut Decision, outcome: Outcome, applied: Verdict) {
        // Twelve seconds before the decision.
        let opened_ms = decision.at.as_millisecond() - 12_000;
        let pending = format!("{opened_ms:011x}-000001-aabbccdd");
        let channel = matches!(outcome, Outcome::Approved | Outcome::Rejected).then(|| "phone".to_owned());
        (decision.verdict, decision.applied) = (applied, applied);
        decision.settles = Some(Settlement { pending, outcome, channel });
    }

    #[test]
    fn what_was_denied_is_told_with_its_reason_and_what_followed() {
        let notice = Entry::Notice { text: "x".to_owned(), policy: "night".to_owned(), applied: true };
        let mute = Entry::Muted {
            what: crate::model::speaker::What::Mic,
            speaker: "kitchen".to_owned(),
            until: "2026-11-22T22:44:00Z".parse().unwrap(),
            reason: String::new(),
            by: "night".to_owned(),
            applied: true,
        };
        let said = Entry::RefusalSpoken {
            speaker: "kitchen".to_owned(),
            text: "No.".to_owned(),
            by: "1-1-1".to_owned(),
            applied: true,
        };
        let message = |decision: &mut Decision| {
            decision.request.action = "communication.send_message".to_owned();
            decision.request.target = Some("Bob".to_owned());
        };
        assert_eq!(
            told(message, &[notice, mute, said]),
            "kitchen wanted to send a message to `Bob`: denied, no messages between ten and seven; you were told; \
             `kitchen` was muted until 23:44; that was said on `kitchen`"
        );
    }

    #[test]
    fn how_it_came_to_be_heard_stands_beside_what_was_wanted() {
        let heard = |decision: &mut Decision| {
            decision.request.text = Some("open the door".to_owned());
            decision.request.heard = Some(Box::new(Heard {
                woke: Some("2026-11-22T22:14:02Z".parse().unwrap()),
                confidence: Some(0.41),
                playing: vec!["media_player.kitchen_tv".to_owned()],
                ..Heard::default()
            }));
        };
        assert_eq!(
            told(heard, &[]),
            "kitchen wanted to unlock `front_door` (woke at 23:14:02 with the TV on; heard at 0.41): denied, no messages \
             between ten and seven"
        );
    }

    #[test]
    fn each_outcome_has_its_words() {
        type Case = (fn(&mut Decision), &'static str);
        let cases: [Case; 19] = [
            (
                |d| (d.verdict, d.applied) = (Verdict::Allow, Verdict::Allow),
                "allowed, no messages between ten and seven",
            ),
            (
                |d| {
                    (d.verdict, d.applied) = (Verdict::Allow, Verdict::Allow);
                    d.deciding.clear();
                },
                "allowed",
            ),
            (|d| d.applied = Verdict::Allow, "would have been denied (observing), no messages between ten and seven"),
            (
                |d| {
                    (d.verdict, d.applied) = (Verdict::Confirm, Verdict::Confirm);
                    let channels = vec!["phone".to_owned(), "panel".to_owned()];
                    d.confirm = Some(ConfirmBy {
                        question: "?".to_owned(),
                        until: "2026-11-22T22:15:00Z".parse().unwrap(),
                        channels,
                        joins: None,
                    });
                },
                "held for up to 1 min and asked on `phone`, `panel`",
            ),
            (|d| settle(d, Outcome::Approved, Verdict::Allow), "approved on `phone` after 12 s"),
            (
                |d| settle(d, Outcome::Approved, Verdict::Deny),
                "approved on `phone` after 12 s, but denied, no messages between ten and seven",
            ),
            (|d| settle(d, Outcome::Rejected, Verdict::Deny), "refused on `phone` after 12 s"),
            (
                |d| {
                    settle(d, Outcome::Approved, Verdict::Allow);
                    d.reason = "approved on `phone` with a PIN".to_owned();
                },
                "approved on `phone` with a PIN after 12 s",
            ),
            (
                |d| {
                    settle(d, Outcome::Approved, Verdict::Allow);
                    d.reason = "approved on `phone`, carried by Home Assistant".to_owned();
                },
                "approved on `phone`, carried by Home Assistant, after 12 s",
            ),
            (
                |d| {
                    (d.verdict, d.applied) = (Verdict::Allow, Verdict::Allow);
                    d.deciding.clear();
                    d.reason = "granted to `sitter` until 23:00 (decision 1-2-3)".to_owned();
                },
                "allowed, granted to `sitter` until 23:00 (decision 1-2-3)",
            ),
            (
                |d| {
                    settle(d, Outcome::Expired, Verdict::Deny);
                    d.reason = "nobody confirmed it in time".to_owned();
                },
                "denied, nobody confirmed it in time",
            ),
            (|d| settle(d, Outcome::Expired, Verdict::Deny), "denied, no messages between ten and seven"),
            (
                |d| settle(d, Outcome::JudgedAgain, Verdict::Deny),
                "judged again after 12 s, denied, no messages between ten and seven",
            ),
            (|d| settle(d, Outcome::Unopposed, Verdict::Allow), "allowed after 12 s, nobody objected"),
            (|d| settle(d, Outcome::Cancelled, Verdict::Deny), "dropped after 12 s, the contrary was commanded"),
            (
                |d| d.request.door = Door::Watch,
                "only seen, it would have been denied, no messages between ten and seven",
            ),
            (
                |d| {
                    (d.request.door, d.verdict) = (Door::Watch, Verdict::Allow);
                    let happened = Some(d.at - jiff::SignedDuration::from_secs(7));
                    d.request.heard = Some(Box::new(Heard { happened, ..Heard::default() }));
                },
                "only seen 7 s after, and right",
            ),
            (
                |d| (d.request.door, d.grade) = (Door::Bypass, Grade::Reverted),
                "only seen, it would have been denied, no messages between ten and seven, and undone",
            ),
            (|d| d.reason = "a\nb\u{202E}".to_owned(), "denied, a\\u{a}b\\u{202e}"),
        ];
        for (change, expected) in cases {
            let told = told(change, &[]);
            let (who, outcome) = told.split_once(": ").unwrap();
            assert_eq!(outcome, expected, "{who}");
        }
    }

    #[test]
    fn what_becomes_of_a_question_is_told_without_ids() {
        let (pending, channel) = ("1a2-3-4".to_owned(), "key\npad".to_owned());
        let until = "2026-11-22T22:26:02.5Z".parse().unwrap();
        let reason = "the PIN is wrong".to_owned();
        for (entry, expected) in [
            (
                Entry::AnswerRefused { pending: pending.clone(), channel: channel.clone(), reason },
                (true, "an answer on `key\\u{a}pad` did not count: the PIN is wrong"),
            ),
            (
                Entry::Noticed { pending: pending.clone(), channel: channel.clone() },
                (false, "the question has reached `key\\u{a}pad`"),
            ),
            (
                Entry::AskedAnew { pending, channels: vec!["a".to_owned(), "b".to_owned()], reason: "r".to_owned() },
                (false, "asked anew on `a`, `b`: r"),
            ),
            (
                Entry::ChannelLocked { channel, until },
                (true, "`key\\u{a}pad` is locked until 23:26:02: too many wrong codes"),
            ),
        ] {
            let record = Record { at: Timestamp::UNIX_EPOCH, entry };
            let zone = TimeZone::get("Europe/Berlin").unwrap();
            let (is_warning, told) = sentence(&record, &[], &Palette::PLAIN, &zone);
            assert_eq!((is_warning, told.as_str()), expected);
        }
    }

    #[test]
    fn who_asked_is_named_as_far_as_it_is_known() {
        let source = |kind| Source { kind, ..Source::default() };
        let clue = |name: &str| {
            serde_json::from_value(serde_json::json!({"name": name, "certainty": "likely", "age_ms": 1})).unwrap()
        };
        for (source, expected) in [
            (Source { channel: Some("panel".to_owned()), ..source(SourceKind::Person) }, "panel"),
            (Source { policy: Some("night".to_owned()), ..source(SourceKind::Policy) }, "the policy night"),
            (
                Source { satellite: Some(clue("kitchen")), ..source(SourceKind::Voice) },
                "somebody, it seems at kitchen,",
            ),
            (
                Source { person: Some(clue("0a1b")), ..source(SourceKind::Person) },
                "somebody who is logged in, it seems,",
            ),
            (source(SourceKind::Automation), "an automation"),
            (source(SourceKind::Unknown), "somebody"),
        ] {
            assert_eq!(who(&source, Door::Gate), expected);
        }
    }

    #[test]
    fn durations_are_told_as_people_say_them() {
        for (seconds, expected) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (75, "1 min 15 s")] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
