use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::journal::line::{self, Body};
use crate::model::decision::{ConfirmBy, Decision, Enforcement, FactRead, Grade, Opinion, Terms, Verdict};
use crate::model::event::Entry;
use crate::model::mode::Mode;
use crate::model::request::{Door, HouseEvent, Request, Source, SourceKind};
use crate::model::speaker::Heard;

fn decision() -> Decision {
    let opinion = |ask: Option<&str>| Opinion {
        policy: "doors".to_owned(),
        verdict: Verdict::Confirm,
        // The question of a rule is its reason too.
        reason: ask.unwrap_or("somebody must look").to_owned(),
        instead: None,
        mode: Mode::Enforce,
        error: None,
        terms: ask.map(|ask| Terms::new(ask.to_owned())),
    };
    Decision {
        id: "d1".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        request: Request {
            action: "lock.unlock".to_owned(),
            target: Some("lock.front".to_owned()),
            source: Source { kind: SourceKind::Voice, channel: Some("kitchen".to_owned()), ..Source::default() },
            door: Door::Gate,
            data: BTreeMap::from([
                ("Code".to_owned(), json!("1234")),
                ("level".to_owned(), json!(0.1)),
                ("nested".to_owned(), json!([{ "pin": 99, "room": "hall" }])),
            ]),
            text: Some("please open the front door".to_owned()),
            confidence: Some(0.7),
            sensitive: true,
            heard: Some(Box::new(Heard {
                speaker: "kitchen".to_owned(),
                confidence: Some(0.7),
                playing: vec!["media_player.tv".to_owned()],
                ..Heard::default()
            })),
        },
        verdict: Verdict::Confirm,
        applied: Verdict::Confirm,
        mode: Mode::Enforce,
        reason: "Open for Bob?".to_owned(),
        deciding: vec!["doors".to_owned()],
        opinions: vec![opinion(None), opinion(Some("Open for Bob?"))],
        facts: vec![FactRead {
            entity: "person.bob".to_owned(),
            attribute: Some("pin".to_owned()),
            value: Some(json!("4711")),
            age_ms: Some(5),
        }],
        grade: Grade::Prevented,
        enforcement: Enforcement::Unproven,
        revision: "r".to_owned(),
        confirm: Some(ConfirmBy {
            question: "Open for Bob?".to_owned(),
            until: Timestamp::UNIX_EPOCH,
            channels: vec!["phone".to_owned()],
            joins: None,
        }),
        settles: None,
    }
}

fn record(entry: Entry) -> Record {
    Record { at: Timestamp::UNIX_EPOCH, entry }
}

fn decided() -> Record {
    record(Entry::Decision { decision: Box::new(decision()) })
}

fn sealed(record: &Record, log: &Log) -> Sealed {
    seal(record, log, &mut Salts::new([7; 32])).expect("a sealed record")
}

fn log(keep: Keep) -> Log {
    Log { text_default: keep, ..Log::default() }
}

#[test]
fn a_record_comes_back_as_it_was_but_for_its_codes() {
    let sealed = sealed(&decided(), &log(Keep::Keep));
    assert_eq!(check(&sealed.body, &sealed.open), Ok(()));
    let opened = open(&sealed.body, &sealed.open).expect("a record");
    assert!(opened.forgotten.is_empty());
    let mut expected = decision();
    expected.request.data.remove("Code");
    expected.request.data.insert("nested".to_owned(), json!([{ "room": "hall" }]));
    expected.facts[0].value = None;
    assert_eq!(opened.into_record(), Ok(record(Entry::Decision { decision: Box::new(expected) })));
    for secret in ["1234", "4711", "99"] {
        let line = format!("{} {}", sealed.body, sealed.open);
        assert!(!line.contains(&format!("\"{secret}\"")) && !line.contains(&format!(":{secret}")), "{line}");
    }
}

#[test]
fn no_name_of_a_code_keeps_it() {
    let mut event = HouseEvent { name: "keypad.pressed".to_owned(), ..HouseEvent::default() };
    let codes = ["action_code", "Pin-Code", "userCode", "passcode", "PASSWORD", "access_token", "totp", "secret"];
    event.data = codes.into_iter().map(|name| (name.to_owned(), json!("4711"))).collect();
    let kept = ["barcode_scanner", "pins", "action", "_"];
    event.data.extend(kept.into_iter().map(|name| (name.to_owned(), json!("kept"))));
    let sealed = sealed(&record(Entry::Event { event, policies: Vec::new() }), &log(Keep::Keep));
    assert!(!sealed.open.contains("4711"), "{}", sealed.open);
    for name in kept {
        assert!(sealed.open.contains(&format!("\"{name}\":\"kept\"")), "{name} in {}", sealed.open);
    }
}

#[test]
fn of_what_a_microphone_may_have_heard_no_more_is_kept_than_of_voice() {
    let event = HouseEvent { text: Some("come home".to_owned()), ..HouseEvent::default() };
    let event = record(Entry::Event { event, policies: Vec::new() });
    for (default, voice, expected) in [
        (Keep::Keep, Keep::Keep, (true, false)),
        (Keep::Keep, Keep::Mask, (false, true)),
        (Keep::Keep, Keep::Drop, (false, false)),
        (Keep::Drop, Keep::Keep, (false, false)),
    ] {
        let log = Log { text: [(SourceKind::Voice, voice)].into(), ..log(default) };
        let sealed = sealed(&event, &log);
        let seen = (sealed.open.contains("come home"), sealed.body.contains("masked"));
        assert_eq!(seen, expected, "{default:?}, {voice:?}");
    }
}

#[test]
fn the_question_is_forgotten_wherever_it_stands() {
    let mut decision = decision();
    let quote = "send `come home` to Bob?";
    decision.reason = format!("{quote}; somebody must look");
    decision.opinions[1].reason = quote.to_owned();
    decision.opinions[1].terms = Some(Terms::new(quote.to_owned()));
    let sealed = sealed(&record(Entry::Decision { decision: Box::new(decision) }), &log(Keep::Drop));
    assert!(!sealed.body.contains("come home"), "{}", sealed.body);
    assert_eq!(check(&sealed.body, &sealed.open), Ok(()));
    let whole = open(&sealed.body, &sealed.open).expect("a record");
    assert_eq!(whole.value.pointer(REASON), Some(&json!(format!("{quote}; somebody must look"))));
    let forgotten = open(&sealed.body, "").expect("a record");
    assert_eq!(forgotten.value.pointer(REASON), Some(&json!(FORGOTTEN)));
    assert_eq!(forgotten.value.pointer("/decision/opinions/0/reason"), Some(&json!("somebody must look")));
}

#[test]
fn the_body_holds_nothing_of_what_can_be_erased() {
    let sealed = sealed(&decided(), &log(Keep::Keep));
    for words in ["please", "Bob", "hall", "person.bob", "media_player.tv"] {
        assert!(!sealed.body.contains(words), "{words} in {}", sealed.body);
        assert!(sealed.open.contains(words), "{words} in {}", sealed.open);
    }
    let opened = open(&sealed.body, "     ").expect("a record");
    assert_eq!(
        opened.forgotten,
        [
            "/decision/request/text",
            "/decision/request/data",
            "/decision/request/heard/playing",
            "/decision/facts",
            "/decision/confirm/question",
            "/decision/opinions/1/terms/ask",
            "/decision/opinions/1/reason",
            "/decision/reason"
        ]
    );
    let Ok(Record { entry: Entry::Decision { decision }, .. }) = opened.into_record() else { panic!("no decision") };
    assert_eq!(decision.request.text.as_deref(), Some(FORGOTTEN));
    assert_eq!(decision.confirm.expect("a question").question, FORGOTTEN);
    assert_eq!((decision.reason.as_str(), decision.opinions[1].reason.as_str()), (FORGOTTEN, FORGOTTEN));
    assert_eq!(decision.opinions[0].reason, "somebody must look", "a reason that is no question stays");
    assert!(decision.request.data.is_empty() && decision.facts.is_empty());
    let heard = decision.request.heard.expect("a story");
    assert_eq!((heard.playing.len(), heard.confidence), (0, Some(0.7)), "the rest of the story stays");
    assert_eq!(check(&sealed.body, "     "), Ok(()), "what was forgotten is no error");
}

#[test]
fn of_an_utterance_is_kept_what_the_owner_says_by_the_kind_of_its_source() {
    let by_voice = |keep| Log { text: BTreeMap::from([(SourceKind::Voice, keep)]), ..log(Keep::Drop) };
    for (log, kept) in [
        (by_voice(Keep::Keep), Some("please open the front door")),
        (by_voice(Keep::Mask), Some("(5 words, not kept)")),
        (by_voice(Keep::Drop), None),
        (Log::default(), Some("(5 words, not kept)")),
    ] {
        let sealed = sealed(&decided(), &log);
        let opened = open(&sealed.body, &sealed.open).expect("a record");
        assert_eq!(opened.value.pointer("/decision/request/text").and_then(Value::as_str), kept, "{log:?}");
        assert!(kept == Some("please open the front door") || !format!("{sealed:?}").contains("please"));
        opened.into_record().expect("still a record");
    }
}

#[test]
fn each_kind_of_record_seals_its_words() {
    let (policy, applied) = ("p".to_owned(), true);
    let event = HouseEvent {
        name: "voice.intent".to_owned(),
        text: Some("hello".to_owned()),
        data: BTreeMap::from([("room".to_owned(), json!("hello"))]),
        ..HouseEvent::default()
    };
    for entry in [
        Entry::Notice { text: "hello".to_owned(), policy: policy.clone(), applied },
        Entry::Announced { speaker: "s".to_owned(), text: "hello".to_owned(), policy, applied, announcement: None },
        Entry::RefusalSpoken { speaker: "s".to_owned(), text: "hello".to_owned(), by: "1-1-1".to_owned(), applied },
        Entry::Event { event, policies: Vec::new() },
    ] {
        let record = record(entry);
        let sealed = sealed(&record, &log(Keep::Keep));
        assert!(!sealed.body.contains("hello"), "{}", sealed.body);
        assert_eq!(open(&sealed.body, &sealed.open).and_then(Opened::into_record), Ok(record));
    }
    let plain = record(Entry::Connected);
    assert_eq!(sealed(&plain, &Log::default()).open, "");
}

#[test]
fn what_is_open_must_be_what_was_sealed() {
    let sealed = sealed(&decided(), &log(Keep::Keep));
    let told = |from: &str, to: &str| check(&sealed.body, &sealed.open.replacen(from, to, 1));
    let is_not = |pointer: &str| Err(format!("`{pointer}` is not what was sealed"));
    assert_eq!(told("please", "Please"), is_not("/decision/request/text"));
    assert_eq!(told("0.1", "0.10"), is_not("/decision/request/data"), "not even another way to write it");
    let salt = chain::hexadecimal(&Salts::new([7; 32]).next());
    assert_eq!(told(&salt, &"0".repeat(32)), is_not("/decision/request/text"), "another salt");
    let stranger = "`/decision/verdict` is told and was never sealed".to_owned();
    assert_eq!(told("/decision/request/text", "/decision/verdict"), Err(stranger));
    for cut in [1, 30, sealed.open.len() - 1] {
        let rest = format!("{}{}", " ".repeat(cut), sealed.open.get(cut..).unwrap_or_default());
        assert_eq!(check(&sealed.body, &rest), Err("what can be erased cannot be read".to_owned()), "{rest}");
        let opened = open(&sealed.body, &rest).expect("a record");
        assert_eq!(opened.forgotten.len(), 8, "half forgotten is forgotten");
    }
}

#[test]
fn two_salts_are_never_alike_and_the_same_words_seal_otherwise() {
    let mut salts = Salts::new([7; 32]);
    let (one, other) = (salts.next(), salts.next());
    assert!(one != other && one != Salts::new([8; 32]).next());
    let mut seal_again = || seal(&decided(), &log(Keep::Keep), &mut salts).expect("a sealed record").body;
    assert_ne!(seal_again(), seal_again());
}

/// A journal of one record of each kind, and of decisions in all their shapes, under each of the owner's choices.
fn journal() -> String {
    let mut salts = Salts::new([7; 32]);
    let (mut link, mut seq, mut lines) = (chain::genesis(), 0, String::new());
    for keep in [Keep::Keep, Keep::Mask, Keep::Drop] {
        for text in RECORDS.lines().filter(|text| keep == Keep::Keep || text.contains(r#""text""#)) {
            let record: Record = serde_json::from_str(text).expect("a record");
            let sealed = seal(&record, &log(keep), &mut salts).expect("a sealed record");
            seq += 1;
            link = chain::link(&link, seq, &chain::digest(sealed.body.as_bytes()));
            line::push(&mut lines, seq, &link, &sealed.body, &sealed.open);
        }
    }
    lines
}

const RECORDS: &str = include_str!("tests/records.jsonl");

#[test]
fn a_journal_is_written_as_it_always_was() {
    let found = journal();
    for (found, expected) in found.lines().zip(include_str!("tests/lines.tsv").lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, include_str!("tests/lines.tsv"));
}

#[test]
fn every_kind_of_record_is_in_that_journal() {
    let error = serde_json::from_str::<Record>(r#"{"at":"2026-11-22T22:14:00Z","record":"none"}"#).unwrap_err();
    for kind in error.to_string().split('`').skip(3).step_by(2) {
        assert!(RECORDS.contains(&format!(r#""record": "{kind}""#)), "{kind}");
    }
}

#[test]
fn what_is_sealed_is_what_is_opened_again() {
    for text in journal().lines() {
        let line = line::read(text).expect("a line");
        let Body::Whole(body) = line.body else { panic!("a body") };
        assert_eq!(check(body, line.open), Ok(()), "{text}");
        let tree: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body, tree.to_string(), "the fields stand in the order of their names");
        for open in [open(body, line.open), open(body, "")] {
            let told = open.expect("a record").value.to_string();
            assert!(!told.contains(r#""sealed""#) && !told.contains(r#""masked""#), "{told}");
        }
    }
}
