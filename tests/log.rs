//! `hushgate log` through the built program, on journals made by hand.
#![expect(unreachable_pub, reason = "a test has no outside; `pub` says what a module offers the others")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests stand outside: they have files and processes")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

#[path = "support/journal.rs"]
mod journal;

use journal::Journal;

const HELD: &str = "1a20552c440-000001-aabbccdd";
const SETTLED: &str = "1a20552f320-000002-aabbccdd";
const DENIED: &str = "1a205533970-000003-aabbccdd";

/// A decision at a second after 22:14 on the 22nd.
fn decision(id: &str, second: u32, more: &Value) -> Value {
    let at = format!("2026-11-22T22:14:{second:02}Z");
    let mut decision = json!({
        "id": id, "at": at, "verdict": "deny", "applied": "deny", "mode": "enforce",
        "request": {"action": "notify.send_message", "target": "Bob", "text": "tulips at nine", "door": "gate",
            "source": {"kind": "voice", "channel": "kitchen_echo"}},
        "reason": "no messages between ten and seven", "deciding": ["night"],
        "opinions": [{"policy": "night", "verdict": "deny", "reason": "no messages between ten and seven", "mode": "enforce"}],
        "facts": [{"entity": "person.anna", "value": "home", "age_ms": 4000}],
        "grade": "prevented", "enforcement": "proven", "revision": "0123",
    });
    for (key, value) in more.as_object().expect("an object") {
        decision[key] = value.clone();
    }
    json!({"at": at, "record": "decision", "decision": decision})
}

fn house() -> Journal {
    let mut journal = Journal::new();
    let unlock = json!({"action": "lock.unlock", "target": "front_door", "door": "gate",
        "source": {"kind": "voice", "channel": "kitchen_echo"}});
    let confirm = json!({"question": "Open the front door?", "until": "2026-11-22T22:15:00Z", "channels": ["phone"]});
    let held = json!({"verdict": "confirm", "applied": "confirm", "confirm": confirm, "request": unlock});
    let settles = json!({"pending": HELD, "outcome": "approved", "channel": "phone"});
    let settled = json!({"verdict": "allow", "applied": "allow", "settles": settles, "request": unlock});
    journal.write(
        1,
        &[
            json!({"at": "2026-11-22T22:00:00Z", "record": "started", "version": "1", "revision": "0123", "mode": "enforce"}),
            decision(HELD, 0, &held),
            json!({"at": "2026-11-22T22:14:05Z", "record": "noticed", "pending": HELD, "channel": "phone"}),
            decision(SETTLED, 12, &settled),
        ],
    );
    journal.write(
        5,
        &[
            decision(DENIED, 30, &json!({})),
            json!({"at": "2026-11-22T22:14:30Z", "record": "notice", "text": "somebody wrote to Bob", "policy": "night", "applied": true}),
            json!({"at": "2026-11-23T00:00:00Z", "record": "disconnected", "reason": "the broker is gone\u{1b}[2J"}),
        ],
    );
    journal
}

fn command(journal: &Journal, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hushgate"));
    command.env("NO_COLOR", "1").env("TZ", "UTC").stdin(Stdio::null());
    command.arg("log").args(arguments).arg("--data").arg(journal.data());
    command
}

fn run(journal: &Journal, arguments: &[&str]) -> Output {
    command(journal, arguments).output().expect("the built program")
}

/// Its standard output, once it has ended well.
fn told(journal: &Journal, arguments: &[&str]) -> String {
    let output = run(journal, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Its exit code, standard output and standard error.
fn failed(journal: &Journal, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = run(journal, arguments);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_log_is_told_in_plain_words() {
    let journal = house();
    let expected = "\
Sunday, 22 November 2026
22:00 hushgate 1 starts, mode enforce, revision 0123  #1
22:14 kitchen_echo wanted to unlock `front_door`: held for up to 1 min and asked on `phone`  #2
22:14 the question has reached `phone`  #3
22:14 kitchen_echo wanted to unlock `front_door`: approved on `phone` after 12 s  #4
22:14 kitchen_echo wanted to send a message to `Bob`: denied, no messages between ten and seven; you were told  #5
Monday, 23 November 2026
00:00 ! connection lost: the broker is gone\\u{1b}[2J  #7
";
    assert_eq!(told(&journal, &[]), expected, "read from the segments");
    assert_eq!(told(&journal, &["rebuild"]), "7 records are in the index\n");
    assert_eq!(told(&journal, &["--since", "2026-11-22"]), expected, "by the index");
}

#[test]
fn records_are_chosen_by_what_they_are() {
    let journal = house();
    let numbers = |arguments: &[&str]| -> Vec<u64> {
        let arguments = [arguments, &["--format", "json"]].concat();
        let lines = told(&journal, &arguments);
        let number =
            |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["number"].as_u64().expect("a number");
        lines.lines().map(number).collect()
    };
    for (arguments, expected) in [
        (vec!["--verdict", "deny,confirm"], vec![2, 5]),
        (vec!["--applied", "allow"], vec![4]),
        (vec!["--action", "notify.*"], vec![5]),
        (vec!["--speaker", "kitchen", "--target", "front_door"], vec![2, 4]),
        (vec!["--channel", "phone"], vec![3]),
        (vec!["--policy", "night", "-n", "2"], vec![5, 6]),
        (vec!["--source", "voice", "--limit", "1"], vec![5]),
        (vec!["--record", "started,disconnected"], vec![1, 7]),
        (vec!["--text", "NINE tulips"], vec![5]),
        (vec!["--since", "2026-11-22 22:14:10", "--until", "2026-11-23"], vec![4, 5, 6]),
        (vec!["--verdict", "deny", "--action", "lock.*"], vec![]),
    ] {
        assert_eq!(numbers(&arguments), expected, "{arguments:?}");
    }
    let (code, _, error) = failed(&journal, &["--record", "mute"]);
    assert_eq!((code, error.contains("did you mean `muted`?")), (Some(2), true), "{error}");
    let (code, _, error) = failed(&journal, &["--since", "someday"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("expected a moment, found `someday`") && error.contains("help: write `1d`"), "{error}");
}

#[test]
fn programs_and_spreadsheets_can_read_it() {
    let journal = house();
    let json = told(&journal, &["--format", "json", "--verdict", "deny"]);
    let record: Value = serde_json::from_str(&json).expect("one line of JSON");
    assert_eq!(record["decision"]["request"]["text"], "tulips at nine");
    assert_eq!(record["decision"]["facts"][0]["value"], "home");
    let csv = told(&journal, &["--format", "csv", "--verdict", "deny"]);
    let expected = format!(
        "number,at,record,verdict,applied,action,target,source,speaker,policies,reason,text,id\n5,2026-11-22T22:14:30Z,decision,\
         deny,deny,notify.send_message,Bob,voice,kitchen_echo,night,no messages between ten and seven,tulips at nine,{DENIED}\n"
    );
    assert_eq!(csv, expected);
}

#[test]
fn one_decision_is_told_whole_by_its_number_or_its_id() {
    let journal = house();
    let by_number = told(&journal, &["show", "4"]);
    for words in ["#2 2026-11-22 22:14:00", "#3 ", "#4 2026-11-22 22:14:12", "Open the front door? on phone", SETTLED] {
        assert!(by_number.contains(words), "{words}: {by_number}");
    }
    assert!(!by_number.contains("Bob"), "{by_number}");
    assert_eq!(told(&journal, &["show", HELD]), by_number);
    told(&journal, &["rebuild"]);
    assert_eq!(told(&journal, &["show", SETTLED]), by_number, "by the index");
    let denied = told(&journal, &["show", "#5"]);
    for words in
        ["#6 ", "somebody wrote to Bob", "tulips at nine", "person.anna = \"home\", 4 s old", "night (enforce): deny"]
    {
        assert!(denied.contains(words), "{words}: {denied}");
    }
    let (code, _, error) = failed(&journal, &["show", "99"]);
    assert_eq!((code, error.contains("no record has the number or the id `99`")), (Some(1), true), "{error}");
}

#[test]
fn verification_ends_with_its_result() {
    let journal = house();
    let head = told(&journal, &["head"]);
    let head = head.trim_end();
    let whole = told(&journal, &["verify", "--head", head]);
    assert_eq!(whole, format!("7 records in 2 files: all as they were written\nhead {head}\n"));
    let text = fs::read_to_string(journal.segment(5)).expect("a segment");
    fs::write(journal.segment(5), text.replace("\"Bob\"", "\"Eve\"")).expect("a segment");
    let (code, found, _) = failed(&journal, &["verify"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        found,
        "`000000000005.log` line 1: changed: line 5 does not fit the chain\n4 records before it are as they were written\n"
    );
    fs::write(journal.segment(5), "").expect("a segment");
    let (code, found, _) = failed(&journal, &["verify", "--head", head]);
    assert_eq!(
        (code, found.contains("truncated: the journal ends at line 4, the head is 7")),
        (Some(1), true),
        "{found}"
    );
    assert_eq!(failed(&journal, &["verify", "--head", "7"]).0, Some(2));
}

#[test]
fn what_was_said_can_be_forgotten() {
    let journal = house();
    let before = told(&journal, &["--format", "json"]);
    let (code, _, error) = failed(&journal, &["forget", "--before", "2026-11-23"]);
    assert_eq!(code, Some(2), "nobody can be asked");
    assert!(error.contains("what was said or read in 4 records") && error.contains("help: add `--yes`"), "{error}");
    assert_eq!(told(&journal, &["--format", "json"]), before);
    let (code, done, aside) = failed(&journal, &["forget", "--before", "2026-11-23", "--yes"]);
    assert_eq!((code, done.starts_with("erased: what was said or read in 4 records (")), (Some(0), true), "{done}");
    assert!(aside.contains("copies and backups"), "{aside}");
    let after = told(&journal, &["--format", "json"]);
    assert!(!after.contains("tulips") && after.contains("(forgotten)") && after.contains("Bob"), "{after}");
    assert!(told(&journal, &["verify"]).contains("of 4 records something was forgotten"));
    assert!(!fs::read_to_string(journal.segment(5)).expect("a segment").contains("tulips"));
    assert_eq!(told(&journal, &[]).lines().count(), 8, "the records stay");
}

#[test]
fn what_is_written_is_followed_into_the_next_file() {
    let mut journal = house();
    let mut child =
        command(&journal, &["follow", "-n", "1"]).stdout(Stdio::piped()).spawn().expect("the built program");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || lines.next().expect("a line").expect("UTF-8");
    assert_eq!(next(), "Monday, 23 November 2026");
    assert_eq!(next(), "00:00 ! connection lost: the broker is gone\\u{1b}[2J  #7");
    journal.write(5, &[json!({"at": "2026-11-23T00:01:00Z", "record": "connected"})]);
    assert_eq!(next(), "00:01 connected to the broker  #8");
    journal.write(9, &[json!({"at": "2026-11-23T00:02:00Z", "record": "stopped", "reason": "SIGTERM"})]);
    assert_eq!(next(), "00:02 hushgate ends: SIGTERM  #9");
    child.kill().expect("our own child");
    child.wait().expect("our own child");
}

#[test]
fn nobody_need_read_to_the_end() {
    let mut journal = Journal::new();
    let records: Vec<Value> =
        (0..5_000).map(|_| json!({"at": "2026-11-22T22:00:00Z", "record": "connected"})).collect();
    journal.write(1, &records);
    let mut child = command(&journal, &["--since", "2026-01-01"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built program");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.next().is_some());
    drop(lines);
    let output = child.wait_with_output().expect("our own child");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn an_index_that_cannot_be_used_is_told_and_not_needed() {
    let journal = house();
    fs::write(journal.index(), "no database").expect("a folder that can be written");
    let output = run(&journal, &["-n", "1"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("the index cannot be used") && error.contains("hushgate log rebuild"), "{error}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("#7"));
    assert_eq!(told(&journal, &["rebuild"]), "7 records are in the index\n");
    assert_eq!(String::from_utf8_lossy(&run(&journal, &["-n", "1"]).stderr), "");
}

#[test]
fn a_folder_without_a_journal_is_told() {
    let journal = Journal::new();
    for arguments in [vec![], vec!["verify"], vec!["head"], vec!["follow"], vec!["rebuild"], vec!["show", "1"]] {
        let (code, _, error) = failed(&journal, &arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(error.contains("there is no journal in `") && error.contains("help: name the bridge's"), "{error}");
    }
    assert!(!journal.index().exists(), "nothing is made where nothing is");
}
