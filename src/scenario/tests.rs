//! The language itself: what is refused, what fails, what is rewritten.

use std::collections::BTreeMap;

use super::*;

const HOME: &str = r#"
broker: {url: "embedded://127.0.0.1:1883"}
time_zone: UTC
channels: {phone: {kind: person, independent: true, confirms: true}}
commands:
  - {topic: lock/set, payload: UNLOCK, action: lock.unlock, target: door}
  - {topic: light/set, payload: "ON", action: light.turn_on}
"#;

/// A speaker that hears, and tells that the house hears.
const ROOM: &str = "const TOPICS = [\"room/heard\"];
fn on_message(message) { event(\"voice.transcript\", #{ speaker: \"hall\", text: message.payload }) }";

struct Texts(BTreeMap<&'static str, &'static str>);

impl Library for Texts {
    fn text(&self, path: &str) -> Result<String, String> {
        self.0.get(path).map(|text| (*text).to_owned()).ok_or_else(|| format!("`{path}` cannot be read"))
    }
}

fn library() -> Texts {
    let shut = "const ACTIONS = [\"light.*\"];\nfn on_request(request) { deny(\"shut\") }";
    Texts(BTreeMap::from([
        ("home.yaml", HOME),
        ("rules/shut.rhai", shut),
        ("broken.rhai", "fn on_request(request) {"),
        ("speakers/room.rhai", ROOM),
    ]))
}

/// A scenario with these lines below `steps:`.
fn scenario(steps: &str) -> String {
    format!("# Kept.\nscenario: one\nconfig: home.yaml\nsteps:\n{steps}")
}

fn play(text: &str) -> Vec<Report> {
    parse("s.yaml", text).expect("a scenario file").run(&library())
}

/// The texts of all failures.
fn failures(text: &str) -> String {
    let reports = play(text);
    let failures = reports.iter().flat_map(|report| &report.failures);
    failures.map(|failure| format!("{}: {}\n", failure.line, failure.text)).collect()
}

#[test]
fn mistakes_in_a_file_are_told_with_their_place() {
    for (text, expected) in [
        ("scenario: x\nsteps: []\nstpes: []", "s.yaml:3:1: unknown field `stpes`"),
        ("scenario: x\nsteps:\n  - gaet: {topic: a}", "s.yaml:3:5: steps[0]: unknown field `gaet`"),
        ("scenario: x\nsteps:\n  - gate: {topci: a}", "s.yaml:3:12: steps[0].gate: unknown field `topci`"),
        ("scenario: x\nsteps:\n  - after: 1s\n  - after: 1 second", "s.yaml:4:1: expected a duration"),
        (
            "scenario: x\nsteps:\n  - after: 1s\n    connected: true",
            "s.yaml:3:1: expected exactly one thing that happens",
        ),
        ("scenario: x\nsteps:\n  - silent: [a]", "s.yaml:3:1: expected exactly one thing that happens"),
        ("scenario: x\nsteps:\n  - clock: noon", "s.yaml:3:1: expected a date and a time"),
        ("scenario: x\nat: noon\nsteps: []", "s.yaml:1:1: expected a date and a time"),
        ("scenario: x\nsteps:\n  - after: 1s\n    times: 0", "s.yaml:3:1: expected `times` from 1 to 2000"),
        (
            "scenario: x\nsteps:\n  - after: 1s\n    expect: [{reason: x}]",
            "s.yaml:3:1: expected one of `decision`, `record`, `forward`, `message` in each expected item",
        ),
        ("scenario: x\nsteps: [{after: 1s}]", "s.yaml:1:1: expected `steps:` at the margin"),
        ("at: 2027-01-01 12:00\nsteps: []", "s.yaml:1:1: expected `scenario:` with a name"),
        (
            "scenario: x\nsteps: []\n---\nscenario: y\nsteps:\n  - answer: {channel: a, says: maybe}",
            "s.yaml:6:32: steps[0].answer.says: unknown variant `maybe`",
        ),
        (
            "scenario: x\nsteps:\n  - answer: {channel: a, says: approve, token: mine}",
            "s.yaml:3:13: steps[0].answer: expected `right`, `wrong`, `none`, `old`, `of <channel>` or `of $1`",
        ),
        ("scenario: x\nsteps:\n  - journal: {brokn: full}", "s.yaml:3:1: expected `journal: ok` or"),
        (
            "scenario: x\nsteps:\n  - restart: {clock: noon}",
            "s.yaml:3:14: steps[0].restart: expected a date and a time",
        ),
        ("scenario: x\nscenario: y\nsteps: []", "s.yaml:1:1: duplicate field `scenario`"),
    ] {
        let error = parse("s.yaml", text).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
    let large = "#".repeat(FILE_BYTES_MAX + 1);
    assert!(parse("s.yaml", &large).expect_err("too large").message.contains("at most 1048576 bytes"));
}

#[test]
fn what_a_scenario_names_must_be_there_and_right() {
    for (header, expected) in [
        ("config: nowhere.yaml", "`nowhere.yaml` cannot be read"),
        ("config: home.yaml\nset: {comands: []}", "comands"),
        ("config: home.yaml\npolicies: [nowhere.rhai]", "`nowhere.rhai` cannot be read"),
        ("config: home.yaml\npolicies: [broken.rhai]", "broken.rhai:1:"),
        ("config: home.yaml\npolicies: [shut]", "expected a path such as `quiet-nights.rhai`, found `shut`"),
    ] {
        let seen = failures(&format!("scenario: x\n{header}\nsteps: []\n"));
        assert!(seen.contains(expected), "{header}\n{seen}");
    }
}

#[test]
fn nothing_happens_unexpected() {
    for (steps, expected) in [
        // A command that leaves, and its decision.
        ("  - gate: {topic: light/set, payload: \"ON\"}\n", "+- decision: allow\n"),
        ("  - gate: {topic: light/set, payload: \"ON\"}\n", "+- forward: light/set\n"),
        // A record.
        ("  - gate: {topic: nobody/knows, payload: x}\n", "+- record: refused\n"),
        // A message of the bridge's own where silence is expected.
        (
            "  - gate: {topic: lock/set, payload: UNLOCK}\n    silent: [hushgate/prompt/phone]\n",
            "+- message: hushgate/prompt/phone\n",
        ),
        // What is expected and does not come.
        ("  - after: 1s\n    expect: [{record: connected}]\n", "-- record: connected\n"),
        ("  - after: 1s\n    expect: [{message: hushgate/mode}]\n", "-- message: hushgate/mode\n"),
        ("  - answer: {channel: phone, says: approve}\n", "nothing was asked yet"),
        ("  - answer: {channel: phone, says: seen, id: $1}\n", "no token was sent to `phone` for `$1`"),
        ("  - publish: {topic: a, payload: \"{token of phone}\"}\n", "no token was sent to `phone` yet"),
        (
            "  - answer: {channel: phone, says: approve, id: x, token: none, code: 1, totp: A}\n",
            "expected `code` or `totp`, found both",
        ),
    ] {
        let seen = failures(&scenario(steps));
        assert!(seen.contains(expected), "{steps}\n{seen}");
    }
}

#[test]
fn tokens_come_from_what_was_really_sent() {
    let held = "  - gate: {topic: lock/set, payload: UNLOCK}\n    expect: [{decision: confirm, reason: \"`lock.unlock` is \
                sensitive and no policy allows it\"}]\n";
    let refused = |token: &str, reason: &str| {
        let answer = format!("  - answer: {{channel: phone, says: approve, id: $1, token: {token}}}\n");
        format!("{answer}    expect: [{{record: answer_refused, reason: {reason}}}]\n")
    };
    let steps = [
        held,
        held,
        &refused("of $2", "the token is wrong"),
        &refused("wrong", "the token is wrong"),
        &refused("none", "the answer has no token"),
        "  - publish: {topic: hushgate/confirm/phone/$2, payload: \"reject {token of phone}\"}\n    expect: [{decision: \
         deny, reason: rejected on `phone`}]\n",
        "  - answer: {channel: phone, says: reject, id: $1}\n    expect: [{decision: deny, reason: rejected on `phone`}]\n",
    ];
    assert_eq!(failures(&scenario(&steps.concat())), "");
}

#[test]
fn a_restart_sets_the_clock_and_may_lose_what_was_stored() {
    let held = "  - gate: {topic: lock/set, payload: UNLOCK}\n    expect: [{decision: confirm, reason: \"`lock.unlock` is \
                sensitive and no policy allows it\"}]\n";
    for (restart, expected) in [
        // It was noon; the question is open for a minute.
        ("{away: 59s}", "+- record: asked_anew\n"),
        ("{clock: 2027-03-02 12:00:59}", "+- record: asked_anew\n"),
        ("{clock: 2027-03-02 12:01}", "+- decision: deny\n"),
    ] {
        let seen = failures(&scenario(&format!("{held}  - restart: {restart}\n")));
        assert!(seen.contains(expected), "{restart}\n{seen}");
    }
    let lost = format!("{held}  - restart: {{lost: true}}\n    expect: [{{record: connected}}]\n");
    assert_eq!(failures(&scenario(&lost)), "", "nothing waits any more");
}

#[test]
fn reasons_and_payloads_cannot_stay_unsaid() {
    let steps = |item: &str| {
        scenario(&format!(
            "  - gate: {{topic: light/set, payload: \"ON\"}}\n    expect:\n{item}      - forward: light/set\n        payload: \"ON\"\n"
        ))
    };
    let reason = "reason: \"`light.turn_on` is ordinary and no policy objects\"";
    assert_eq!(failures(&steps(&format!("      - {{decision: allow, {reason}}}\n"))), "");
    let seen = failures(&steps("      - decision: allow\n"));
    assert!(seen.contains(&format!("+  {reason}")), "{seen}");
    let seen = failures(&steps(&format!("      - {{decision: deny, {reason}}}\n")));
    assert!(seen.contains("-- decision: deny\n+- decision: allow\n"), "{seen}");
    let seen = failures(&steps(&format!("      - {{decision: allow, raeson: x, {reason}}}\n")));
    assert!(seen.contains("-  raeson: x\n"), "a misspelt key does not pass: {seen}");
    let seen = failures(
        &steps(&format!("      - {{decision: allow, {reason}}}\n"))
            .replace("        payload: \"ON\"", "        payload: OFF"),
    );
    assert!(seen.contains("-  payload: \"OFF\"\n+  payload: \"ON\"\n"), "{seen}");
}

#[test]
fn a_blessed_file_passes_and_keeps_its_comments() {
    let text = "# Kept.\ndefaults: {config: home.yaml, policies: [rules/shut.rhai]}\n---\nscenario: one\nsteps:\n  \
                # Kept too.\n  - gate: {topic: light/set, payload: \"ON\"}\n    expect:\n      - decision: allow\n        \
                # Lost.\n        reason: because\n    silent: [hushgate/mode]\n\n  # And this.\n  - gate: {topic: lock/set, \
                payload: UNLOCK}\n    times: 2\n---\nscenario: two\nsteps:\n  - after: 1s\n";
    let suite = parse("s.yaml", text).expect("a scenario file");
    let reports = suite.run(&library());
    assert_eq!(reports.iter().map(Report::is_passed).collect::<Vec<_>>(), [false, true]);
    let blessed = suite.blessed(&reports).expect("a blessed file");
    assert!(play(&blessed).iter().all(Report::is_passed), "{blessed}\n{}", failures(&blessed));
    for kept in [
        "# Kept.\n",
        "# Kept too.\n",
        "# And this.\n",
        "    silent: [hushgate/mode]\n\n",
        "    times: 2\n",
        "reason: shut\n",
    ] {
        assert!(blessed.contains(kept), "{kept}\n{blessed}");
    }
    assert!(blessed.contains("        times: 2\n---"), "equal items are written once: {blessed}");
    let again = parse("s.yaml", &blessed).expect("a scenario file");
    assert_eq!(again.blessed(&again.run(&library())).expect("a blessed file"), blessed, "nothing more to rewrite");
}

#[test]
fn a_step_in_braces_is_not_rewritten() {
    let text = scenario("  - {gate: {topic: light/set, payload: \"ON\"}}\n");
    let suite = parse("s.yaml", &text).expect("a scenario file");
    let error = suite.blessed(&suite.run(&library())).expect_err("not a block");
    assert_eq!(error.to_string(), "s.yaml:5:1: expected a step of the form `- key: …`");
}

#[test]
fn a_fault_cannot_be_blessed() {
    let text = scenario("  - after: 1s\n");
    let suite = parse("s.yaml", &text).expect("a scenario file");
    let mut reports = suite.run(&library());
    reports[0].seen[0].push(Item::fault("a token was told elsewhere"));
    reports[0].failures.push(Failure { line: 5, text: String::new() });
    let error = suite.blessed(&reports).expect_err("a fault");
    assert!(error.message.contains("found `fault`"), "{error}");
}

#[test]
fn integrations_are_named_in_the_head_and_changed_by_a_step() {
    let counting = "const EVENTS = \"*\";\nfn on_event(event) { notify(event.text) }";
    let set = "{speakers: {hall: {integration: room}}}";
    let text = |head: &str, steps: &str| {
        let policy = counting.replace('\n', " ");
        format!("scenario: one\nconfig: home.yaml\nset: {set}\npolicies: {{tell: '{policy}'}}\n{head}\nsteps:\n{steps}")
    };
    let heard = "  - publish: {topic: room/heard, payload: hello}\n";
    let told =
        |what: &str| format!("{heard}    expect: [{{record: event, event: {{text: {what}}}}}, {{record: notice}}]\n");
    let louder = "const TOPICS = [\"room/heard\"]; fn on_message(message) { \
                  event(\"voice.transcript\", #{ text: to_upper(message.payload) }) }";
    let renewed = format!(
        "{}  - integrations: {{room: '{louder}'}}\n    expect: [{{record: integrations_reloaded, integrations: [room]}}]\n{}",
        told("hello"),
        told("HELLO"),
    );
    assert_eq!(failures(&text("integrations: [speakers/room.rhai]", &renewed)), "");
    let restarted =
        format!("{}  - restart: {{away: 1s}}\n    expect: [{{record: connected}}]\n{}", told("HELLO"), told("HELLO"));
    assert_eq!(failures(&text(&format!("integrations: {{room: '{louder}'}}"), &restarted)), "");
    for (head, steps, expected) in [
        ("", "", "expected the name of an integration, found `room`"),
        ("integrations: [speakers/rom.rhai]", "", "`speakers/rom.rhai` cannot be read"),
        ("integrations: [room]", "", "expected a path such as `quiet-nights.rhai`, found `room`"),
        ("integrations: {room: 'fn on_message('}", "", "room.rhai:1:"),
        (
            "integrations: [speakers/room.rhai]",
            "  - integrations: {room: 'fn on_message('}\n",
            "+- record: reload_refused",
        ),
    ] {
        let steps = format!("{heard}    times: 1\n{steps}");
        let seen = failures(&text(head, &steps));
        assert!(seen.contains(expected), "{head}\n{seen}");
    }
}
