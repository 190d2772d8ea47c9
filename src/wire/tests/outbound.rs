//! What the bridge writes, remembers as stored, and repairs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::model::decision::{
    ConfirmBy, Decision, Enforcement, FactRead, Grade, Opinion, Outcome, PolicyError, Settlement, Terms, Verdict,
};
use crate::model::durable::{Item, Mute, Pending};
use crate::model::event::{AnswerBody, Entry};
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Certainty, Clue, Door, Evidence, Request, Source, SourceKind};
use crate::model::speaker::{Feedback, What};

const UNTIL: Timestamp = Timestamp::constant(1_800_000_000, 0);
const TOKEN: &str = "t0p-s3cret";

fn request() -> Request {
    Request {
        action: "lock.unlock".to_owned(),
        target: Some("front_door".to_owned()),
        source: Source { kind: SourceKind::Voice, channel: Some("echo".to_owned()), ..Source::default() },
        door: Door::Gate,
        data: BTreeMap::new(),
        text: None,
        confidence: None,
        sensitive: false,
        heard: None,
    }
}

fn pending() -> Box<Pending> {
    Box::new(Pending {
        id: "p1".to_owned(),
        first: Item {
            id: "p1".to_owned(),
            arrival: Arrival { request: request(), held: Held::Question, reply: None },
            question: "Unlock?".to_owned(),
            at_ms: 0,
        },
        joined: Vec::new(),
        terms: Terms::new("Unlock?".to_owned()),
        policies: Vec::new(),
        channels: vec!["phone".to_owned()],
        ask_ms: None,
        noticed_ms: None,
        question: "Unlock?".to_owned(),
        tokens: BTreeMap::from([("phone".to_owned(), "hash".to_owned())]),
        round: 0,
        opened_ms: 1_000,
        asked_ms: 1_000,
        expires_ms: 60_500,
        until: UNTIL,
    })
}

fn mute() -> Mute {
    Mute {
        what: What::Mic,
        before: None,
        until_ms: 1,
        until: UNTIL,
        reason: "misfire".to_owned(),
        by: "misfire".to_owned(),
    }
}

fn body(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).expect("JSON")
}

/// Publications with the topic, flags and body that each must give.
#[test]
fn publications_have_their_topics_and_fields() {
    let asked = json!({"id": "p1", "action": "lock.unlock", "target": "front_door",
        "source": {"kind": "voice", "channel": "echo"}, "question": "Unlock?", "until": "2027-01-15T08:00:00Z"});
    let with = |fields: Value| {
        let mut body = asked.clone();
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        body
    };
    let name = || "quiet".to_owned();
    let kitchen = || "kitchen".to_owned();
    for (publication, topic, is_kept, expiry_s, expected) in [
        (Publication::Pending(pending()), "hushgate/pending/p1", true, Some(60), with(json!({"channels": ["phone"]}))),
        (
            Publication::Prompt { channel: "phone".to_owned(), pending: pending(), token: TOKEN.to_owned() },
            "hushgate/prompt/phone",
            false,
            Some(60),
            with(json!({
                "kind": "ask",
                "token": TOKEN,
                "answer_topic": "hushgate/confirm/phone/p1",
                "may_say": ["approve", "reject", "seen"],
            })),
        ),
        (
            Publication::PromptOver { channel: "phone".to_owned(), id: "p1".to_owned() },
            "hushgate/prompt/phone",
            false,
            None,
            json!({"kind": "over", "id": "p1"}),
        ),
        (
            Publication::MuteState { speaker: kitchen(), mute: Some((mute(), Feedback::Unverified)) },
            "hushgate/mute/kitchen",
            true,
            None,
            json!({"state": "muted", "what": "mic", "until": "2027-01-15T08:00:00Z", "reason": "misfire", "by": "misfire",
                "feedback": "unverified"}),
        ),
        (
            Publication::MuteState { speaker: kitchen(), mute: None },
            "hushgate/mute/kitchen",
            true,
            None,
            json!({"state": "unmuted"}),
        ),
        (
            Publication::PolicyState { name: name(), on: false, mode: Mode::Enforce },
            "hushgate/policy/quiet",
            true,
            None,
            json!({"state": "off", "mode": "enforce"}),
        ),
        (
            Publication::ModeState { mode: Mode::Observe, until: None },
            "hushgate/mode",
            true,
            None,
            json!({"mode": "observe"}),
        ),
        (
            Publication::ModeState { mode: Mode::Observe, until: Some(UNTIL) },
            "hushgate/mode",
            true,
            None,
            json!({"mode": "observe", "until": "2027-01-15T08:00:00Z"}),
        ),
        (Publication::Bypass(Box::new(decision())), "hushgate/bypass", false, None, json!(decision())),
        (
            Publication::Info { revision: "r1".to_owned(), policies: vec![name()] },
            "hushgate/info",
            true,
            None,
            json!({"version": env!("CARGO_PKG_VERSION"), "instance": "one", "revision": "r1", "policies": ["quiet"]}),
        ),
    ] {
        let mut messages = wire().publication(publication);
        messages.retain(|message| !is_shown(message));
        assert_eq!(messages.len(), 1, "{topic}");
        assert_eq!((messages[0].topic.as_str(), messages[0].retain, messages[0].expiry_s), (topic, is_kept, expiry_s));
        assert_eq!(body(&messages[0]), expected, "{topic}");
        assert_eq!(messages[0].qos, Qos::AtLeastOnce);
    }
}

#[test]
fn the_token_leaves_by_the_prompt_alone() {
    let mut wire = wire();
    let prompt = Publication::Prompt { channel: "phone".to_owned(), pending: pending(), token: TOKEN.to_owned() };
    assert!(wire.publication(prompt).iter().any(|message| String::from_utf8_lossy(&message.payload).contains(TOKEN)));
    for message in wire.publication(Publication::Pending(pending())).iter().chain(&wire.retained()) {
        let payload = String::from_utf8_lossy(&message.payload);
        assert!(!payload.contains(TOKEN) && !payload.contains("hash"), "{payload}");
    }
}

#[test]
fn answers_carry_what_the_asker_needs_to_know_them() {
    let answer = AnswerBody {
        ask: Some("a1".to_owned()),
        decision: Some("d1".to_owned()),
        action: Some("lock.unlock".to_owned()),
        target: Some("front_door".to_owned()),
        verdict: Some(Verdict::Confirm),
        reason: "unlocking by voice".to_owned(),
        is_final: false,
        until: Some(UNTIL),
    };
    let reply = |retain: bool| Reply {
        ask: Some("a1".to_owned()),
        topic: "answers/me".to_owned(),
        correlation: (!retain).then(|| "c7".into()),
        retain,
    };
    let publication =
        |retain: bool| Publication::Answer { reply: reply(retain), answer: answer.clone(), needs_record: false };
    let live = &wire().publication(publication(false))[0];
    assert_eq!(live.reply, Some(ReplyTo { topic: String::new(), correlation: Some("c7".into()) }));
    assert_eq!((live.retain, live.expiry_s), (false, None));
    let mut wire = wire();
    let kept = &wire.publication(publication(true))[0];
    assert_eq!((kept.retain, kept.expiry_s, &kept.reply), (true, Some(ANSWER_KEPT_S), &None));
    assert!(wire.retained().is_empty(), "an answer is not published again after a reconnect");
    let expected = json!({"ask": "a1", "decision": "d1", "action": "lock.unlock", "target": "front_door",
        "verdict": "confirm", "reason": "unlocking by voice", "final": false, "until": "2027-01-15T08:00:00Z"});
    assert_eq!(body(kept), expected);
    let refused = AnswerBody {
        ask: None,
        decision: None,
        action: None,
        target: None,
        verdict: None,
        is_final: true,
        until: None,
        ..answer
    };
    let refused =
        &wire.publication(Publication::Answer { reply: reply(false), answer: refused, needs_record: false })[0];
    assert_eq!(
        body(refused),
        json!({"decision": null, "verdict": null, "reason": "unlocking by voice", "final": true})
    );
}

#[test]
fn speakers_and_owners_are_spoken_to_by_the_configured_templates() {
    let told = |publication: Publication| {
        let messages = wire().publication(publication);
        let line = |message: &Message| {
            let kept = if message.retain { " kept" } else { "" };
            format!("{} {}{kept}", message.topic, String::from_utf8_lossy(&message.payload))
        };
        messages.iter().map(line).collect::<Vec<_>>().join(" | ")
    };
    let speak =
        |speaker: &str, command: SpeakerCommand| told(Publication::Speaker { speaker: speaker.to_owned(), command });
    let announce = |text: &str| SpeakerCommand::Announce { id: String::new(), text: text.to_owned() };
    assert_eq!(
        speak("kitchen", SpeakerCommand::Mute { what: What::Mic }),
        r#"hermes/kitchen/off {"siteId": "kitchen"}"#
    );
    assert_eq!(
        speak("kitchen", SpeakerCommand::Unmute { what: What::Mic }),
        r#"hermes/kitchen/on {"siteId": "kitchen"} kept"#
    );
    let injected = speak("kitchen", announce("a\", \"siteId\": \"bedroom"));
    assert_eq!(injected, r#"hermes/say {"text": "a\", \"siteId\": \"bedroom", "siteId": "kitchen"}"#);
    assert_eq!(speak("hall", SpeakerCommand::Mute { what: What::Mic }), "", "nothing is configured");
    assert_eq!(speak("nobody", announce("x")), "", "nobody is configured");
    assert_eq!(
        told(Publication::Notice { text: "muted".to_owned(), policy: "misfire".to_owned() }),
        r#"hushgate/notice {"policy":"misfire","text":"muted"} | house/notice misfire: muted"#
    );
}

#[test]
fn a_policys_message_is_never_a_command() {
    for (topic, expected) in [
        ("house/scene", 1),
        ("z/door/set", 0),
        ("hushgate/mode/set", 0),
        ("hushgate", 0),
        ("homeassistant/lock/x/config", 0),
        ("a/+", 0),
        ("$SYS/x", 0),
        ("", 0),
    ] {
        let messages = wire().publication(Publication::Plain(Message::live(topic, "x")));
        assert_eq!(messages.len(), expected, "{topic}");
    }
}

fn decision() -> Decision {
    Decision {
        id: "d1".to_owned(),
        at: UNTIL,
        request: request(),
        verdict: Verdict::Deny,
        applied: Verdict::Allow,
        mode: Mode::Observe,
        reason: "night".to_owned(),
        deciding: vec!["quiet".to_owned()],
        opinions: Vec::new(),
        facts: Vec::new(),
        grade: Grade::Prevented,
        enforcement: Enforcement::NotEnforced,
        revision: "r".to_owned(),
        confirm: None,
        settles: None,
    }
}

/// The message for a record, without what Home Assistant is told of it.
fn record(entry: Entry) -> Option<Message> {
    wire().record(&Record { at: UNTIL, entry }).into_iter().find(|message| !is_shown(message))
}

/// Whether a message tells Home Assistant something. `wire::home_assistant` has tests of its own.
fn is_shown(message: &Message) -> bool {
    message.topic.starts_with("hushgate/home_assistant/") || message.topic.ends_with("/config")
}

#[test]
fn decisions_have_topics_of_their_own_and_other_records_go_to_the_log() {
    let decision = decision();
    let message = record(Entry::Decision { decision: Box::new(decision.clone()) }).expect("a message");
    assert_eq!(
        (message.topic.as_str(), message.qos, message.retain),
        ("hushgate/decision/deny/lock.unlock", Qos::AtLeastOnce, false)
    );
    assert_eq!(serde_json::from_slice::<Decision>(&message.payload).expect("a decision"), decision);
    let dropped = |topic: &str| Entry::Dropped { topic: topic.to_owned(), reason: "not sent".to_owned() };
    let message = record(dropped("z/door/set")).expect("a message");
    assert_eq!((message.topic.as_str(), message.qos, message.retain), ("hushgate/log", Qos::AtMostOnce, false));
    let expected =
        json!({"at": "2027-01-15T08:00:00Z", "record": "dropped", "topic": "z/door/set", "reason": "not sent"});
    assert_eq!(body(&message), expected);
    assert_eq!(record(dropped("hushgate/log")), None, "a lost log line must not make another one");
}

#[test]
fn what_is_stored_is_published_again_until_it_is_over() {
    let mut wire = wire();
    assert_eq!(wire.retained(), Vec::new());
    wire.publication(Publication::Pending(pending()));
    wire.publication(Publication::ModeState { mode: Mode::Observe, until: None });
    wire.publication(Publication::ModeState { mode: Mode::Enforce, until: None });
    wire.publication(Publication::PolicyState { name: "quiet".to_owned(), on: true, mode: Mode::Enforce });
    let topics = |wire: &Wire| {
        let stored = wire.retained().into_iter().filter(|message| !is_shown(message));
        stored.map(|message| message.topic).collect::<BTreeSet<_>>()
    };
    let all = ["hushgate/mode", "hushgate/pending/p1", "hushgate/policy/quiet"].map(str::to_owned);
    assert_eq!(topics(&wire), BTreeSet::from(all));
    assert!(wire.retained().iter().all(|message| message.retain && !message.payload.is_empty()));
    for over in [Publication::PendingOver { id: "p1".to_owned() }, Publication::PolicyGone { name: "quiet".to_owned() }]
    {
        let mut messages = wire.publication(over);
        messages.retain(|message| !is_shown(message));
        assert!(messages.len() == 1 && messages[0].retain && messages[0].payload.is_empty(), "{messages:?}");
    }
    assert_eq!(topics(&wire), BTreeSet::from(["hushgate/mode".to_owned()]));
    let mode = wire.retained().into_iter().find(|message| !is_shown(message)).expect("the mode");
    assert_eq!(body(&mode), json!({"mode": "enforce"}), "the last one counts");
    let cleared = wire.publication(Publication::Clear { topic: "hushgate/mode".to_owned() });
    assert_eq!(cleared, [Message::retained("hushgate/mode", "")]);
    assert_eq!(topics(&wire), BTreeSet::new());
}

#[test]
fn status_is_told_by_message_and_by_will() {
    let wire = wire();
    assert_eq!(wire.online(), Message::retained("hushgate/status", "online"));
    assert_eq!(wire.will(), Message::retained("hushgate/status", "offline"));
    assert_eq!(wire.offline(), wire.will());
}

#[test]
fn forgeries_are_repaired_and_told_and_leftovers_are_put_right() {
    let mut wire = wire();
    wire.publication(Publication::ModeState { mode: Mode::Enforce, until: None });
    wire.publication(Publication::Info { revision: "r".to_owned(), policies: Vec::new() });
    let info = r#"{"instance":"one","policies":[],"revision":"r","version":"0.1.0"}"#;
    let other = r#"{"instance":"two","policies":[],"revision":"r","version":"0.1.0"}"#;
    let mode = r#"{"mode":"enforce"}"#;
    let large = "x".repeat(PAYLOAD_BYTES_MAX + 1);
    for (topic, payload, live, replayed) in [
        ("hushgate/mode", mode, "nothing".to_owned(), "nothing".to_owned()),
        (
            "hushgate/mode",
            r#"{"mode":"observe"}"#,
            format!("forged hushgate/mode + hushgate/mode={mode} kept"),
            format!("+ hushgate/mode={mode} kept"),
        ),
        (
            "hushgate/mode",
            "",
            format!("forged hushgate/mode + hushgate/mode={mode} kept"),
            format!("+ hushgate/mode={mode} kept"),
        ),
        ("hushgate/status", "online", "nothing".to_owned(), "nothing".to_owned()),
        (
            "hushgate/status",
            "offline",
            "forged hushgate/status + hushgate/status=online kept".to_owned(),
            // `online` is said anyway as soon as the connection stands.
            "nothing".to_owned(),
        ),
        // Nothing of ours is there: whatever comes is cleared.
        (
            "hushgate/pending/x",
            r#"{"id":"x"}"#,
            "forged hushgate/pending/x + hushgate/pending/x= kept".to_owned(),
            "+ hushgate/pending/x= kept".to_owned(),
        ),
        (
            "hushgate/mute/kitchen",
            r#"{"state":"muted"}"#,
            "forged hushgate/mute/kitchen + hushgate/mute/kitchen= kept".to_owned(),
            "+ hushgate/mute/kitchen= kept".to_owned(),
        ),
        (
            "hushgate/policy/old",
            "x",
            "forged hushgate/policy/old + hushgate/policy/old= kept".to_owned(),
            "+ hushgate/policy/old= kept".to_owned(),
        ),
        ("hushgate/policy/old", "", "nothing".to_owned(), "nothing".to_owned()),
        ("hushgate/info", info, "nothing".to_owned(), "nothing".to_owned()),
        ("hushgate/info", other, "taken over".to_owned(), format!("+ hushgate/info={info} kept")),
        (
            "hushgate/info",
            "{}",
            format!("forged hushgate/info + hushgate/info={info} kept"),
            format!("+ hushgate/info={info} kept"),
        ),
        (
            "hushgate/info",
            "",
            format!("forged hushgate/info + hushgate/info={info} kept"),
            format!("+ hushgate/info={info} kept"),
        ),
        // Too large to be read, but what it has put in place of ours goes all the same.
        (
            "hushgate/mode",
            &large,
            format!("forged hushgate/mode + hushgate/mode={mode} kept"),
            format!("+ hushgate/mode={mode} kept"),
        ),
        (
            "hushgate/pending/x",
            &large,
            "forged hushgate/pending/x + hushgate/pending/x= kept".to_owned(),
            "+ hushgate/pending/x= kept".to_owned(),
        ),
    ] {
        assert_eq!(told(&wire.decode(&Message::live(topic, payload.to_owned()), &[])), live, "{topic} {payload}");
        assert_eq!(told(&wire.decode(&stored(topic, payload), &[])), replayed, "{topic} {payload}");
    }
}

/// All names of fields in a value, at any depth.
fn names_of(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                names.insert(name.clone());
                names_of(field, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names_of(item, names)),
        _ => {}
    }
}

fn clue() -> Clue {
    Clue { name: "n".to_owned(), evidence: Evidence { certainty: Certainty::Possible, age_ms: 1 } }
}

#[test]
fn every_field_stands_in_the_documents() {
    let request = Request {
        data: BTreeMap::from([("data".to_owned(), json!(1))]),
        text: Some("t".to_owned()),
        confidence: Some(0.5),
        sensitive: true,
        source: Source {
            evidence: Some(Evidence { certainty: Certainty::Likely, age_ms: 1 }),
            satellite: Some(clue()),
            person: Some(clue()),
            likely_channels: vec!["phone".to_owned()],
            ..request().source
        },
        ..request()
    };
    let error =
        PolicyError { policy: "p".to_owned(), file: "f".to_owned(), line: 1, column: 1, message: "m".to_owned() };
    let decision = Decision {
        opinions: vec![Opinion {
            policy: "p".to_owned(),
            verdict: Verdict::Confirm,
            reason: "r".to_owned(),
            instead: Some("i".to_owned()),
            mode: Mode::Enforce,
            error: Some(error),
            terms: Some(Terms { within_ms: 1, ..Terms::new("a".to_owned()) }),
        }],
        facts: vec![FactRead { entity: "a.b".to_owned(), attribute: Some("c".to_owned()), value: None, age_ms: None }],
        confirm: Some(ConfirmBy { question: "q".to_owned(), until: UNTIL, channels: Vec::new(), joins: None }),
        settles: Some(Settlement {
            pending: "p".to_owned(),
            outcome: Outcome::Approved,
            channel: Some("phone".to_owned()),
        }),
        request,
        ..decision()
    };
    let mut names = BTreeSet::new();
    names_of(&json!(decision), &mut names);
    let prompt = Publication::Prompt { channel: "phone".to_owned(), pending: pending(), token: TOKEN.to_owned() };
    for publication in [
        Publication::Pending(pending()),
        prompt,
        Publication::MuteState { speaker: "kitchen".to_owned(), mute: Some((mute(), Feedback::Unverified)) },
        Publication::Info { revision: "r".to_owned(), policies: Vec::new() },
    ] {
        names_of(&body(&wire().publication(publication)[0]), &mut names);
    }
    let documents = include_str!("../../../docs/mqtt.md");
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        assert!(documents.contains(&format!("`{name}`")), "`{name}` is missing in docs/mqtt.md");
    }
}

#[test]
fn every_record_stands_in_the_documents() {
    let source = include_str!("../../model/event/records.rs");
    let (_, entries) = source.split_once("pub enum Entry {").expect("the enum of records");
    let (entries, _) = entries.split_once("\n}").expect("its end");
    let variant = |line: &str| {
        let name =
            line.strip_prefix("    ").filter(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))?;
        let name = name.trim_end_matches([' ', '{', ',']);
        let snake = |character: char| {
            let lower = character.to_ascii_lowercase();
            if character.is_ascii_uppercase() { format!("_{lower}") } else { lower.to_string() }
        };
        Some(name.chars().map(snake).collect::<String>().trim_start_matches('_').to_owned())
    };
    let records: Vec<String> = entries.lines().filter_map(variant).collect();
    assert!(records.len() > 20 && records.iter().any(|name| name == "answer_refused"), "{records:?}");
    let documents = include_str!("../../../docs/mqtt.md");
    // A decision has a topic of its own.
    for name in records.iter().filter(|name| *name != "decision") {
        assert!(documents.contains(&format!("`{name}`")), "`{name}` is missing in docs/mqtt.md");
    }
}
