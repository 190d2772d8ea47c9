//! What Home Assistant is shown, told by told.

mod announcing;
mod codes;

use serde_json::{Value, json};

use super::super::Wire;
use super::problems::Problems;
use super::*;
use crate::config::{self, NoSecrets};
use crate::model::decision::{Grade, Outcome, PolicyError, Settlement, Terms};
use crate::model::durable::{Grant, Item, Pending, PromptCounts};
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Door, Held, Request, Source, SourceKind};
use crate::registry::Registry;

const AT: Timestamp = Timestamp::constant(1_800_000_000, 0);
const TOKEN: &str = "t0p-s3cret";
const MIRROR: &str = "hushgate/homeassistant/device/hushgate/config";
const PLAIN: &str = "homeassistant/device/hushgate/config";
const BUTTONS: &str = "hushgate/homeassistant/device/hushgate_question/config";
const CONFIG: &str = "
time_zone: Europe/Berlin
channels:
  phone: {kind: person, independent: true, confirms: true}
  panel: {kind: person, confirms: true}
speakers:
  kitchen: {mute: [{topic: a, payload: b}], unmute: [{topic: a, payload: c}]}
  hall: {announce: [{topic: a, payload: '{text}'}]}
home_assistant: {channel: phone}
";

fn wire_of(config: &str) -> Wire {
    let config = Rc::new(config::parse("test.yaml", config, &NoSecrets).expect("a configuration"));
    let registry = Rc::new(Registry::new(&config));
    Wire::new(config, registry, "one")
}

fn info(policies: &[&str]) -> Publication {
    let policies = policies.iter().map(|name| (*name).to_owned()).collect();
    Publication::Info { revision: "r".to_owned(), policies }
}

fn started() -> Wire {
    let mut wire = wire_of(CONFIG);
    wire.publication(info(&["quiet", "doors"]));
    wire
}

fn stored(wire: &Wire, topic: &str) -> Value {
    let message = wire.own.get(topic).unwrap_or_else(|| panic!("nothing is stored on `{topic}`"));
    serde_json::from_slice(&message.payload).expect("JSON")
}

fn state(wire: &Wire, field: &str) -> Value {
    stored(wire, "hushgate/home_assistant/state").get(field).cloned().unwrap_or_default()
}

fn reasons(wire: &Wire) -> String {
    let problem = stored(wire, "hushgate/home_assistant/problem");
    let reasons: Vec<&str> = problem["reasons"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    format!("{} {}", problem["problem"].as_str().expect("a word"), reasons.join(" | "))
}

fn entry(wire: &mut Wire, at: Timestamp, entry: Entry) -> Vec<Message> {
    wire.record(&Record { at, entry })
}

fn request() -> Request {
    Request {
        action: "lock.unlock".to_owned(),
        target: Some("lock.front_door".to_owned()),
        source: Source { kind: SourceKind::Voice, channel: Some("echo".to_owned()), ..Source::default() },
        door: Door::Gate,
        data: BTreeMap::from([("code".to_owned(), json!("4711"))]),
        text: Some("my words".to_owned()),
        confidence: None,
        sensitive: true,
        heard: None,
    }
}

fn decision(verdict: Verdict, applied: Verdict) -> Decision {
    Decision {
        id: "d1".to_owned(),
        at: AT,
        request: request(),
        verdict,
        applied,
        mode: Mode::Enforce,
        reason: "night".to_owned(),
        deciding: vec!["quiet".to_owned()],
        opinions: Vec::new(),
        facts: Vec::new(),
        grade: Grade::Prevented,
        enforcement: Enforcement::Unproven,
        revision: "r".to_owned(),
        confirm: None,
        settles: None,
    }
}

fn decided(decision: Decision) -> Entry {
    Entry::Decision { decision: Box::new(decision) }
}

fn pending(id: &str, opened_ms: u64) -> Box<Pending> {
    Box::new(Pending {
        id: id.to_owned(),
        first: Item {
            id: id.to_owned(),
            arrival: Arrival { request: request(), held: Held::Question, reply: None },
            question: String::new(),
            at_ms: opened_ms,
        },
        joined: Vec::new(),
        terms: Terms::new(format!("Unlock for {id}?")),
        policies: Vec::new(),
        channels: Vec::new(),
        ask_ms: None,
        noticed_ms: None,
        question: format!("Unlock for {id}?"),
        tokens: BTreeMap::new(),
        round: 0,
        opened_ms,
        asked_ms: 0,
        expires_ms: opened_ms + 60_000,
        until: AT,
    })
}

fn prompt(channel: &str, id: &str, opened_ms: u64) -> Publication {
    let token = format!("{TOKEN}-{channel}-{id}");
    Publication::Prompt { channel: channel.to_owned(), pending: pending(id, opened_ms), token }
}

fn later(monotonic_ms: u64) -> At {
    At { monotonic_ms, utc: AT }
}

#[test]
fn a_press_that_was_meant_for_one_question_never_answers_the_next() {
    let mut wire = started();
    let told = |wire: &Wire| {
        let question = stored(wire, "hushgate/home_assistant/question");
        let buttons = stored(wire, BUTTONS);
        let button = &buttons["components"]["approve"];
        let press = button["payload_press"].as_str().expect("a text");
        assert_eq!(question["can_answer"].as_bool().unwrap_or(false), press != "none", "shown as what can be pressed");
        format!("{} by {press}", question["id"].as_str().unwrap_or("nobody"))
    };
    wire.publication(prompt("phone", "p1", 1));
    wire.publication(prompt("phone", "p2", 2));
    assert_eq!(told(&wire), "p1 by approve t0p-s3cret-phone-p1", "the first one need not wait");
    assert_eq!(wire.next_deadline(), None);
    wire.time_passes(later(1_000));
    wire.publication(Publication::PendingOver { id: "p1".to_owned() });
    assert_eq!(told(&wire), "p2 by none", "the buttons rest");
    assert_eq!(wire.next_deadline(), Some(1_000 + BUTTONS_REST_MS));
    assert!(wire.time_passes(later(999 + BUTTONS_REST_MS)).is_empty());
    let topics: Vec<String> =
        wire.time_passes(later(1_000 + BUTTONS_REST_MS)).into_iter().map(|message| message.topic).collect();
    assert_eq!(topics, ["hushgate/home_assistant/question", BUTTONS]);
    assert_eq!(told(&wire), "p2 by approve t0p-s3cret-phone-p2");
    assert_eq!(wire.next_deadline(), None);
    // Nothing waits for a moment, then something does: it rests all the same.
    wire.publication(Publication::PendingOver { id: "p2".to_owned() });
    assert_eq!((told(&wire).as_str(), wire.next_deadline()), ("nobody by none", None));
    wire.publication(prompt("phone", "p3", 3));
    assert_eq!(told(&wire), "p3 by none");
    assert_eq!(wire.next_deadline(), Some(1_000 + 2 * BUTTONS_REST_MS));
}

#[test]
fn the_buttons_carry_the_token_of_the_question_that_is_shown() {
    let mut wire = started();
    let shown = |wire: &Wire| {
        let question = stored(wire, "hushgate/home_assistant/question");
        let button = &stored(wire, BUTTONS)["components"]["approve"];
        let rejects = &stored(wire, BUTTONS)["components"]["reject"];
        assert_eq!(button["command_topic"], rejects["command_topic"]);
        let press = |button: &Value| button["payload_press"].as_str().expect("a text").to_owned();
        assert_eq!(press(button).replace("approve", "reject"), press(rejects));
        format!(
            "{} of {}: {} → {}",
            question["id"].as_str().unwrap_or("none"),
            question["waiting"],
            press(button),
            button["command_topic"].as_str().expect("a topic")
        )
    };
    let none = "none of 0: none → hushgate/confirm/phone/none";
    assert_eq!(shown(&wire), none);
    let messages = wire.publication(prompt("phone", "p2", 2));
    let order: Vec<&str> = messages.iter().map(|message| message.topic.as_str()).collect();
    let expected = ["hushgate/prompt/phone", "hushgate/home_assistant/question", BUTTONS];
    assert_eq!(order, expected, "no button answers what is not shown");
    assert_eq!(shown(&wire), "p2 of 1: approve t0p-s3cret-phone-p2 → hushgate/confirm/phone/p2");
    wire.publication(prompt("panel", "p0", 0));
    wire.publication(prompt("phone", "p1", 1));
    wire.time_passes(later(BUTTONS_REST_MS));
    assert_eq!(shown(&wire), "p1 of 2: approve t0p-s3cret-phone-p1 → hushgate/confirm/phone/p1", "the oldest one");
    let again = wire.publication(prompt("phone", "p2", 2));
    assert_eq!(again.len(), 1, "asked again in the same words: the prompt alone is sent");
    wire.publication(Publication::PromptOver { channel: "panel".to_owned(), id: "p1".to_owned() });
    assert_eq!(shown(&wire), "p1 of 2: approve t0p-s3cret-phone-p1 → hushgate/confirm/phone/p1");
    wire.publication(Publication::PromptOver { channel: "phone".to_owned(), id: "p1".to_owned() });
    wire.time_passes(later(2 * BUTTONS_REST_MS));
    assert_eq!(shown(&wire), "p2 of 1: approve t0p-s3cret-phone-p2 → hushgate/confirm/phone/p2");
    wire.publication(Publication::PendingOver { id: "p2".to_owned() });
    assert_eq!(shown(&wire), none);
}

#[test]
fn a_token_stands_behind_the_mirror_alone_and_only_where_there_is_a_channel() {
    for (config, holders) in [(CONFIG, vec![BUTTONS]), (&CONFIG.replace("channel: phone", ""), vec![])] {
        let mut wire = wire_of(config);
        wire.publication(info(&[]));
        wire.publication(Publication::Pending(pending("p1", 1)));
        wire.publication(prompt("panel", "p1", 1));
        wire.publication(prompt("phone", "p1", 1));
        let holds = |message: &Message| String::from_utf8_lossy(&message.payload).contains(TOKEN);
        let found: Vec<String> = wire.retained().into_iter().filter(holds).map(|message| message.topic).collect();
        assert_eq!(found, holders);
        assert!(!wire.retained().iter().any(|message| String::from_utf8_lossy(&message.payload).contains("panel-p1")));
    }
}

#[test]
fn more_questions_than_the_bound_are_not_shown() {
    let mut questions = Questions::new(Some("phone".to_owned()));
    for index in 0..64 {
        questions.asked("phone", &pending(&format!("p{index}"), 10 + index), TOKEN);
    }
    questions.asked("phone", &pending("one more", 0), TOKEN);
    assert_eq!((&questions.told(true)["waiting"], &questions.told(true)["id"]), (&json!(64), &json!("p0")));
    questions.asked("phone", &pending("p0", 10), "another token");
    let shown = questions.shown().map(|question| question.token.as_str());
    assert_eq!(shown, Some("another token"), "one that is known may change");
}

#[test]
fn decisions_are_events_without_codes_and_words() {
    let expired = Settlement { pending: "p1".to_owned(), outcome: Outcome::Expired, channel: None };
    let bypass = Request { door: Door::Bypass, ..request() };
    for (decision, expected) in [
        (decision(Verdict::Allow, Verdict::Allow), "allow"),
        (decision(Verdict::Deny, Verdict::Allow), "deny"),
        (decision(Verdict::Confirm, Verdict::Confirm), "confirm"),
        (Decision { settles: Some(expired), ..decision(Verdict::Deny, Verdict::Deny) }, "expired"),
        (Decision { request: bypass, ..decision(Verdict::Deny, Verdict::Allow) }, "bypass"),
    ] {
        let mut wire = started();
        let announced = stored(&wire, PLAIN);
        let types = announced["components"]["decisions"]["event_types"].as_array().expect("a list").clone();
        assert!(types.contains(&json!(expected)), "{expected}");
        let applied = decision.applied;
        let messages = entry(&mut wire, AT, decided(decision));
        let of = |topic: &str| messages.iter().find(|message| message.topic == topic).expect("a message");
        let event = of("hushgate/home_assistant/decision");
        assert!(!event.retain, "Home Assistant must not hear of it twice");
        assert_eq!(event.qos, Qos::AtMostOnce, "an event of what the log has need not be acknowledged");
        let last = of("hushgate/home_assistant/last_decision");
        assert!(last.retain && last.payload == event.payload);
        let body: Value = serde_json::from_slice(&event.payload).expect("JSON");
        assert_eq!((&body["event_type"], &body["reason"]), (&json!(expected), &json!("night")));
        assert_eq!(body["applied"], json!(applied), "what was done stands beside it");
        let text = String::from_utf8_lossy(&event.payload);
        assert!(!text.contains("4711") && !text.contains("my words"), "{text}");
    }
}

#[test]
fn of_decisions_that_come_fast_all_are_events_and_the_last_one_is_shown_in_time() {
    let mut wire = started();
    wire.time_passes(later(5_000));
    let mut told = Vec::new();
    for id in ["d1", "d2", "d3"] {
        told.extend(entry(
            &mut wire,
            AT,
            decided(Decision { id: id.to_owned(), ..decision(Verdict::Allow, Verdict::Allow) }),
        ));
    }
    let events = told.iter().filter(|message| message.topic == "hushgate/home_assistant/decision").count();
    let shown = told.iter().filter(|message| message.topic == "hushgate/home_assistant/last_decision").count();
    assert_eq!((events, shown), (3, 1));
    assert_eq!(stored(&wire, "hushgate/home_assistant/last_decision")["id"], "d1");
    let due_ms = 5_000 + last::LAST_DECISION_EVERY_MS;
    assert_eq!(wire.next_deadline(), Some(due_ms));
    assert_eq!(wire.time_passes(later(due_ms - 1)), []);
    assert_eq!(wire.time_passes(later(due_ms)).len(), 1);
    assert_eq!(stored(&wire, "hushgate/home_assistant/last_decision")["id"], "d3");
    assert_eq!(wire.next_deadline(), None);
}

#[test]
fn long_texts_are_cut_to_what_a_state_can_hold() {
    assert_eq!(cut(&"ä".repeat(255)), "ä".repeat(255));
    let text = "ä".repeat(256);
    let long = cut(&text);
    assert_eq!((long.chars().count(), long.chars().last()), (255, Some('…')));
}

#[test]
fn what_is_counted_is_told_and_a_day_ends_without_a_record() {
    let mut wire = started();
    assert_eq!(state(&wire, "denied_today"), 0);
    entry(&mut wire, AT, decided(decision(Verdict::Deny, Verdict::Deny)));
    entry(&mut wire, AT, decided(decision(Verdict::Deny, Verdict::Allow)));
    entry(&mut wire, AT, decided(decision(Verdict::Allow, Verdict::Allow)));
    assert_eq!((state(&wire, "denied_today"), state(&wire, "observed_today")), (json!(1), json!(1)));
    assert_eq!(wire.time_passes(later(0)), []);
    let tomorrow = AT.checked_add(jiff::SignedDuration::from_hours(24)).expect("a time");
    let told = wire.time_passes(At { utc: tomorrow, ..later(0) });
    assert_eq!(
        told.iter().map(|message| message.topic.as_str()).collect::<Vec<_>>(),
        ["hushgate/home_assistant/state"]
    );
    assert_eq!((state(&wire, "denied_today"), state(&wire, "observed_today")), (json!(0), json!(0)));
    wire.publication(Publication::Pending(pending("p1", 1)));
    wire.publication(Publication::Pending(pending("p1", 1)));
    wire.publication(Publication::Pending(pending("p2", 1)));
    assert_eq!(state(&wire, "pending"), 2);
    wire.publication(Publication::PendingOver { id: "p1".to_owned() });
    assert_eq!(state(&wire, "pending"), 1);
}

#[test]
fn questions_and_grants_are_counted_and_a_day_takes_its_own_away() {
    let mut wire = started();
    let numbers =
        |wire: &Wire| ["grants", "prompts_today", "prompts_by_policy", "approval_rate"].map(|field| state(wire, field));
    assert_eq!(numbers(&wire), [json!(0), json!(0), json!({}), json!(null)]);
    let counts = PromptCounts {
        today: 3,
        by_policy: BTreeMap::from([("quiet".to_owned(), 2), ("no policy".to_owned(), 1)]),
        approval_rate: Some(0.67),
    };
    let told = wire.publication(Publication::Prompts(counts.clone()));
    assert_eq!(
        told.iter().map(|message| message.topic.as_str()).collect::<Vec<_>>(),
        ["hushgate/home_assistant/state"]
    );
    assert_eq!(wire.publication(Publication::Prompts(counts)), [], "what is stored already is not told again");
    let grant = Grant {
        channel: "sitter".to_owned(),
        action: "lock.unlock".to_owned(),
        target: None,
        until_ms: 1,
        until: AT,
        by: "d1".to_owned(),
    };
    for id in ["d1", "d2", "d2"] {
        wire.publication(Publication::GrantState { id: id.to_owned(), grant: Some(grant.clone()) });
    }
    wire.publication(Publication::GrantState { id: "d1".to_owned(), grant: None });
    assert_eq!(numbers(&wire), [json!(1), json!(3), json!({"quiet": 2, "no policy": 1}), json!(0.67)]);
    wire.time_passes(later(0));
    wire.time_passes(At { utc: AT.checked_add(jiff::SignedDuration::from_hours(24)).expect("a time"), ..later(0) });
    assert_eq!(numbers(&wire), [json!(1), json!(0), json!({}), json!(0.67)]);
}

fn failed() -> Entry {
    let error = PolicyError {
        policy: "quiet".to_owned(),
        file: "quiet.rhai".to_owned(),
        line: 3,
        column: 7,
        message: "expected a number".to_owned(),
    };
    Entry::PolicyFailed { error }
}

fn guarded(topic: &str, problem: Option<&str>) -> Entry {
    Entry::Guarded { topic: topic.to_owned(), entities: Vec::new(), problem: problem.map(str::to_owned), by: None }
}

#[test]
fn each_problem_has_a_reason_and_goes_when_it_is_mended() {
    let canary = |enforcement| Entry::Canary { enforcement, reason: "`guest` wrote `z/door/set`".to_owned() };
    let reloaded = || Entry::Reloaded { revision: "r".to_owned(), policies: Vec::new() };
    let clock = |plausible| Entry::Clock { plausible, utc: AT };
    for (breaks, reason, mends) in [
        (failed(), "ON the policy `quiet` failed: quiet.rhai:3:7: expected a number", reloaded()),
        (
            Entry::ReloadRefused { errors: vec!["doors.rhai:1:1: no".to_owned()], integrations: false },
            "ON new policies were not loaded: doors.rhai:1:1: no",
            reloaded(),
        ),
        (
            Entry::ReloadRefused { errors: vec!["room.rhai:1:1: no".to_owned()], integrations: true },
            "ON new integrations were not loaded: room.rhai:1:1: no",
            Entry::IntegrationsReloaded { integrations: Vec::new() },
        ),
        (
            canary(Enforcement::NotEnforced),
            "ON the way around the bridge is open: `guest` wrote `z/door/set`",
            canary(Enforcement::Proven),
        ),
        (
            guarded("z/door/set", Some("the lock is a light now")),
            "ON `z/door/set`: the lock is a light now",
            guarded("z/door/set", None),
        ),
        (clock(false), "ON the clock cannot be right: it shows 2027-01-15T08:00:00Z", clock(true)),
    ] {
        let mut wire = started();
        assert_eq!(reasons(&wire), "OFF ");
        entry(&mut wire, AT, breaks);
        assert_eq!(reasons(&wire), reason);
        entry(&mut wire, AT, mends);
        assert_eq!(reasons(&wire), "OFF ", "after {reason}");
    }
    let mut wire = started();
    entry(&mut wire, AT, canary(Enforcement::Unproven));
    assert_eq!(reasons(&wire), "OFF ", "that nobody has looked is no problem");
    entry(&mut wire, AT, Entry::Forged { topic: MIRROR.to_owned() });
    let expected = format!("ON another client wrote `{MIRROR}` at 2027-01-15T08:00:00Z; it was put right");
    assert_eq!(reasons(&wire), expected);
    wire.time_passes(At { utc: AT.checked_add(jiff::SignedDuration::from_hours(24)).expect("a time"), ..later(0) });
    assert_eq!(reasons(&wire), "OFF ");
}

#[test]
fn policy_errors_and_enforcement_are_told_with_their_reasons() {
    let mut wire = started();
    assert_eq!((state(&wire, "policy_errors"), state(&wire, "policy_error")), (json!(0), Value::Null));
    assert_eq!(state(&wire, "enforcement"), "unproven");
    entry(&mut wire, AT, failed());
    entry(&mut wire, AT, failed());
    assert_eq!(state(&wire, "policy_errors"), 2);
    assert_eq!(state(&wire, "policy_error"), "quiet.rhai:3:7: expected a number");
    entry(&mut wire, AT, Entry::Canary { enforcement: Enforcement::Proven, reason: "0x87 twice".to_owned() });
    assert_eq!(
        (state(&wire, "enforcement"), state(&wire, "enforcement_reason")),
        (json!("proven"), json!("0x87 twice"))
    );
}

#[test]
fn changes_can_be_accepted_only_where_there_are_some() {
    let mut wire = started();
    let has_changes = |wire: &Wire| stored(wire, "hushgate/home_assistant/problem")["has_changes"].clone();
    let accept = &stored(&wire, PLAIN)["components"]["accept"];
    assert_eq!((&accept["command_topic"], &accept["payload_press"]), (&json!("hushgate/guard/set"), &json!("accept")));
    assert_eq!(accept["availability"][1]["topic"], "hushgate/home_assistant/problem");
    entry(&mut wire, AT, failed());
    assert_eq!(has_changes(&wire), false);
    entry(&mut wire, AT, guarded("z/door/set", Some("x")));
    assert_eq!(has_changes(&wire), true);
}

#[test]
fn the_tables_of_problems_are_bounded() {
    let mut problems = Problems::default();
    let mut record = |entry: Entry| problems.record(&Record { at: AT, entry });
    for index in 0..=1_024 {
        assert!(record(guarded(&format!("z/{index}/set"), Some("changed"))));
    }
    for index in 0..17 {
        record(Entry::Forged { topic: format!("forged/{index}") });
    }
    for index in 0..1_024 {
        record(guarded(&format!("z/{index}/set"), None));
    }
    let told = problems.told();
    let reasons: Vec<&str> = told["reasons"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(reasons[0], "more guarded topics have changed than can be named");
    assert_eq!(reasons.len(), 17, "the oldest forgery is forgotten");
    assert!(reasons.iter().all(|reason| !reason.contains("`forged/0`")));
    assert_eq!(told["has_changes"], true);
    let mut problems = Problems::default();
    for index in 0..33 {
        problems.record(&Record { at: AT, entry: guarded(&format!("z/{index}/set"), Some("changed")) });
    }
    let told = problems.told();
    let reasons = told["reasons"].as_array().expect("a list");
    assert_eq!((reasons.len(), &reasons[32]), (33, &json!("and 1 more")));
}

#[test]
fn every_field_stands_in_the_documents() {
    let mut wire = started();
    wire.publication(prompt("phone", "p1", 1));
    entry(&mut wire, AT, decided(decision(Verdict::Deny, Verdict::Deny)));
    let documents = include_str!("../../../docs/mqtt.md");
    for topic in ["last_decision", "state", "problem", "question"] {
        let body = stored(&wire, &format!("hushgate/home_assistant/{topic}"));
        assert!(documents.contains(&format!("`<base>/home_assistant/{topic}`")), "`{topic}` is missing");
        for field in body.as_object().expect("an object").keys() {
            assert!(documents.contains(&format!("`{field}`")), "`{field}` of `{topic}` is missing in docs/mqtt.md");
        }
    }
}
