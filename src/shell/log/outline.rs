//! What can be asked of one record: its outline, without anything that can be erased.
//!
//! It is read from the body alone, whatever fields a later version adds. A record that has no time or no kind has none.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::journal::line::{Body, Line};
use crate::model::decision::Verdict;
use crate::model::request::SourceKind;

/// The kinds of records, as they stand in `record`.
pub const KINDS: &[&str] = &[
    "announce_unconfirmed",
    "announced",
    "answer_refused",
    "asked_anew",
    "canary",
    "channel_locked",
    "channel_overheard",
    "clock",
    "connected",
    "decision",
    "disconnected",
    "dropped",
    "event",
    "forged",
    "full",
    "gap",
    "ghost",
    "granted",
    "guarded",
    "integration_failed",
    "integrations_reloaded",
    "journal",
    "mode_set",
    "mute_confirmed",
    "mute_contested",
    "mute_reasserted",
    "mute_refused",
    "mute_unconfirmed",
    "muted",
    "notice",
    "noticed",
    "policy_failed",
    "policy_set",
    "pruned",
    "published",
    "refusal_spoken",
    "refused",
    "relay_set",
    "reload_refused",
    "reloaded",
    "reverted",
    "revoked",
    "said",
    "started",
    "state_lost",
    "stopped",
    "torn",
    "unconfirmed",
    "unmuted",
    "wish_refused",
];

/// The outline of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub seq: u64,
    /// Milliseconds since 1970, in UTC.
    pub at_ms: i64,
    /// Its kind: `decision`, `muted`, …
    pub record: String,
    pub verdict: Option<Verdict>,
    pub applied: Option<Verdict>,
    pub action: Option<String>,
    pub target: Option<String>,
    /// The channel, satellite or speaker that it is about.
    pub speaker: Option<String>,
    pub source: Option<SourceKind>,
    /// The policies that had an opinion, asked or reacted.
    pub policies: Vec<String>,
    /// The key of the decision that this is.
    pub own: Option<i64>,
    /// The key of the decision that this is about.
    pub about: Option<i64>,
}

/// The body's fields, as far as they are asked for.
#[derive(Deserialize)]
struct Fields<'a> {
    at: Timestamp,
    #[serde(borrow)]
    record: Cow<'a, str>,
    decision: Option<DecisionFields<'a>>,
    event: Option<EventFields>,
    error: Option<PolicyField>,
    action: Option<String>,
    target: Option<String>,
    speaker: Option<String>,
    channel: Option<String>,
    policy: Option<String>,
    policies: Option<Vec<String>>,
    by: Option<String>,
    pending: Option<String>,
    id: Option<String>,
}

#[derive(Deserialize)]
struct DecisionFields<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    request: RequestFields,
    verdict: Verdict,
    applied: Verdict,
    deciding: Vec<String>,
    opinions: Vec<PolicyField>,
    settles: Option<SettlesField>,
    confirm: Option<ConfirmField>,
}

#[derive(Deserialize)]
struct RequestFields {
    action: String,
    target: Option<String>,
    source: SourceFields,
}

#[derive(Deserialize)]
struct SourceFields {
    kind: SourceKind,
    channel: Option<String>,
    policy: Option<String>,
    satellite: Option<NameField>,
}

#[derive(Deserialize)]
struct NameField {
    name: String,
}

#[derive(Deserialize)]
struct PolicyField {
    policy: String,
}

#[derive(Deserialize)]
struct SettlesField {
    pending: String,
}

#[derive(Deserialize)]
struct ConfirmField {
    /// The question that it joined, where it is not its own.
    joins: Option<String>,
}

#[derive(Deserialize)]
struct EventFields {
    name: String,
    speaker: Option<String>,
}

/// The outline of a line. `None`: its body was pruned, or is no record.
pub fn of(line: &Line<'_>) -> Option<Outline> {
    let Body::Whole(body) = line.body else { return None };
    let fields: Fields<'_> = serde_json::from_str(body).ok()?;
    let at_ms = fields.at.as_millisecond();
    Some(match fields.decision {
        Some(decision) => of_decision(line.seq, at_ms, fields.record.into_owned(), decision),
        None => of_other(line.seq, at_ms, fields),
    })
}

fn of_decision(seq: u64, at_ms: i64, record: String, decision: DecisionFields<'_>) -> Outline {
    let RequestFields { action, target, source } = decision.request;
    let opinions = decision.opinions.into_iter().map(|opinion| opinion.policy);
    let policies: BTreeSet<String> = opinions.chain(decision.deciding).chain(source.policy).collect();
    Outline {
        seq,
        at_ms,
        record,
        verdict: Some(decision.verdict),
        applied: Some(decision.applied),
        action: Some(action),
        target,
        speaker: source.channel.or(source.satellite.map(|satellite| satellite.name)),
        source: Some(source.kind),
        policies: policies.into_iter().collect(),
        own: Some(key(&decision.id)),
        about: decision
            .settles
            .map(|settles| settles.pending)
            .or(decision.confirm.and_then(|confirm| confirm.joins))
            .map(|id| key(&id)),
    }
}

fn of_other(seq: u64, at_ms: i64, fields: Fields<'_>) -> Outline {
    let record = fields.record.into_owned();
    let is_by_decision = matches!(record.as_str(), "unconfirmed" | "reverted" | "guarded" | "refusal_spoken");
    let (decision, policy) = if is_by_decision { (fields.by, None) } else { (None, fields.by) };
    // `by` of a mute is the policy that wanted it; of everything else it is no policy.
    let policy = policy
        .filter(|_| matches!(record.as_str(), "muted" | "mute_refused"))
        .or(fields.policy)
        .or(fields.error.map(|error| error.policy));
    let (name, speaker) = fields.event.map_or((None, None), |event| (Some(event.name), event.speaker));
    let policies: BTreeSet<String> = fields.policies.unwrap_or_default().into_iter().chain(policy).collect();
    Outline {
        seq,
        at_ms,
        record,
        verdict: None,
        applied: None,
        action: fields.action.or(name),
        target: fields.target,
        speaker: fields.speaker.or(fields.channel).or(speaker),
        source: None,
        policies: policies.into_iter().collect(),
        own: None,
        about: fields.pending.or(fields.id).or(decision).map(|id| key(&id)),
    }
}

/// Bits of a key that tell the decisions of one millisecond apart.
const SEQUENCE_BITS: u32 = 19;

/// A number for the id of a decision, which grows with its time. Two ids may have the same: who looks one up compares the
/// id itself.
pub fn key(id: &str) -> i64 {
    let parts = || {
        let (time, rest) = id.split_once('-')?;
        let (sequence, _) = rest.split_once('-')?;
        let time_ms = i64::from_str_radix(time, 16).ok().filter(|time_ms| (0..1 << 44).contains(time_ms))?;
        let sequence = i64::from_str_radix(sequence, 16).ok().filter(|sequence| *sequence >= 0)?;
        Some(time_ms << SEQUENCE_BITS | sequence & ((1 << SEQUENCE_BITS) - 1))
    };
    parts().unwrap_or_else(|| {
        let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        digest.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
    })
}

/// When a decision was made, from its id.
pub fn time_of(id: &str) -> Option<Timestamp> {
    let (time, _) = id.split_once('-')?;
    Timestamp::from_millisecond(i64::from_str_radix(time, 16).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::chain;
    use crate::model::event::Record;

    fn outline(body: &str) -> Option<Outline> {
        of(&Line { seq: 7, link: chain::genesis(), body: Body::Whole(body), open: "" })
    }

    #[test]
    fn a_decision_is_found_by_all_that_it_names() {
        let outline = outline(
            r#"{"at":"2026-11-22T23:14:00Z","record":"decision","decision":{"id":"019abc00000-000002-aabbccdd",
            "at":"2026-11-22T23:14:00Z","request":{"action":"lock.unlock","target":"front_door","source":
            {"kind":"voice","satellite":{"name":"kitchen","certainty":"likely","age_ms":1}},"door":"gate",
            "text":{"sealed":"00"}},"verdict":"deny","applied":"allow","mode":"observe","reason":"no","deciding":["night"],
            "opinions":[{"policy":"night","verdict":"deny","reason":"no","mode":"observe"}],"facts":[],"grade":"prevented",
            "enforcement":"unproven","revision":"1","settles":{"pending":"019abc00000-000001-aabbccdd","outcome":"expired"}}}"#,
        )
        .unwrap();
        assert_eq!((outline.verdict, outline.applied), (Some(Verdict::Deny), Some(Verdict::Allow)));
        assert_eq!((outline.action.as_deref(), outline.target.as_deref()), (Some("lock.unlock"), Some("front_door")));
        assert_eq!((outline.speaker.as_deref(), outline.source), (Some("kitchen"), Some(SourceKind::Voice)));
        assert_eq!(outline.policies, ["night"]);
        assert_eq!(outline.own, outline.about.map(|about| about + 1));
    }

    #[test]
    fn what_joins_a_question_is_about_the_decision_that_opened_it() {
        let decision = |confirm: &str| {
            let body = format!(
                r#"{{"at":"2026-11-22T23:14:00Z","record":"decision","decision":{{"id":"1-2-1","verdict":"confirm",
                "applied":"confirm","deciding":[],"opinions":[],"request":{{"action":"a.b","source":{{"kind":"agent"}}}},
                "confirm":{{"question":{{"sealed":"00"}}{confirm}}}}}}}"#
            );
            outline(&body).unwrap().about
        };
        assert_eq!(decision(r#","joins":"1-1-1""#), Some(key("1-1-1")));
        assert_eq!(decision(""), None);
    }

    #[test]
    fn other_records_are_found_by_what_they_are_about() {
        for (body, kind, speaker, policies, is_about) in [
            (
                r#""record":"muted","speaker":"kitchen","until":"","reason":"","by":"night","applied":true"#,
                "muted",
                Some("kitchen"),
                vec!["night"],
                false,
            ),
            (r#""record":"noticed","pending":"1-1-1","channel":"phone""#, "noticed", Some("phone"), vec![], true),
            (r#""record":"reverted","by":"1-1-1","topic":"t","action":"lock.lock""#, "reverted", None, vec![], true),
            (
                r#""record":"policy_failed","error":{"policy":"night","file":""}"#,
                "policy_failed",
                None,
                vec!["night"],
                false,
            ),
            (
                r#""record":"event","event":{"name":"voice.wake_word","speaker":"hall"},"policies":["a","b"]"#,
                "event",
                Some("hall"),
                vec!["a", "b"],
                false,
            ),
            (r#""record":"something_new","channel":{"x":1}"#, "", None, vec![], false),
            (r#""record":"connected""#, "connected", None, vec![], false),
        ] {
            let found = outline(&format!(r#"{{"at":"2026-11-22T23:14:00Z",{body}}}"#));
            let Some(found) = found else {
                assert_eq!(kind, "", "{body}");
                continue;
            };
            assert_eq!(found.record, kind);
            assert_eq!(
                (found.speaker.as_deref(), found.policies.clone()),
                (speaker, policies.into_iter().map(str::to_owned).collect()),
                "{body}"
            );
            assert_eq!(found.about.is_some(), is_about, "{body}");
        }
    }

    #[test]
    fn every_kind_of_record_is_named() {
        let error = serde_json::from_str::<Record>(r#"{"at":"2026-11-22T22:14:00Z","record":"none"}"#).unwrap_err();
        let text = error.to_string();
        let mut kinds: Vec<&str> = text.split('`').skip(3).step_by(2).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, KINDS);
    }

    #[test]
    fn keys_grow_with_time_and_any_text_has_one() {
        let keys =
            ["019abc00000-000001-ffffffff", "019abc00000-000002-00000000", "019abc00001-000001-00000000"].map(key);
        assert!(keys.is_sorted() && keys[0] > 0, "{keys:?}");
        assert_ne!(key("one"), key("two"));
        for text in ["", "-", "--", "fffffffffffffffffff-1-1", "-1--1-1", "zz-1-1"] {
            assert_eq!(key(text), key(text));
        }
        assert_eq!(time_of("019abc00000-000001-ffffffff"), Timestamp::from_millisecond(0x0019_abc0_0000).ok());
    }
}
