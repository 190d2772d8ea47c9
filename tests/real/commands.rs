//! The commands that look at a house or ask its bridge: exit codes and what they print.

use std::process::Output;

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::house::House;
use crate::prompt::asked;

pub const CASES: &[Case] = &[
    ("accept_needs_a_bridge", accept_needs_a_bridge),
    ("accept_lists_what_waits", accept_lists_what_waits),
    ("accept_waits_for_a_person", accept_waits_for_a_person),
    ("release_asks_a_living_bridge", release_asks_a_living_bridge),
    ("release_works_with_the_bridge_dead", release_works_with_the_bridge_dead),
    ("release_of_nothing_says_so", release_of_nothing_says_so),
    ("acl_writes_both_kinds", acl_writes_both_kinds),
    ("doctor_works_without_a_bridge", doctor_works_without_a_bridge),
    ("doctor_looks_itself_where_no_bridge_does", doctor_looks_itself_where_no_bridge_does),
    ("doctor_says_what_is_not_covered", doctor_says_what_is_not_covered),
];

const DOOR: &str = "zigbee2mqtt/door/set";
const SWAPPED: &str = "`payload_lock` was `LOCK` and is `UNLOCK`";

/// How a command ended and what it printed: exit code, standard output, standard error.
pub fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs a command while a person at the phone answers the question that it causes.
pub fn answered(broker: &Broker, house: &House, arguments: &[&str], answer: &str) -> Output {
    let mut phone = Client::connect(broker, &["hushgate/prompt/phone"]);
    std::thread::scope(|scope| {
        let command = scope.spawn(|| house.command(arguments));
        let prompt = asked(&mut phone);
        phone.publish(&prompt.answer_topic, &format!("{answer} {}", prompt.token));
        command.join().expect("the command's thread")
    })
}

fn accept_needs_a_bridge(kind: Kind) {
    let broker = Broker::start(kind);
    let (code, _, error) = said(&House::on(&broker).command(&["accept", "--all"]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("no bridge runs on the base `hushgate`") && error.contains("help: start it"), "{error}");
}

fn accept_lists_what_waits(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    house.guard_with(&[(DOOR, Some(SWAPPED))]);
    let mut owner = Client::connect(&broker, &["hushgate/health"]);
    let _bridge = house.open(&broker);
    owner.expect_where("hushgate/health", |health| health.payload.contains(DOOR));
    let (code, listed, error) = said(&house.command(&["accept"]));
    assert_eq!((code, listed), (Some(1), format!("{DOOR}: {SWAPPED}\n")), "{error}");
    assert!(error.contains("help: what is as you want it"), "{error}");
}

fn accept_waits_for_a_person(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    house.guard_with(&[(DOOR, Some(SWAPPED))]);
    let _bridge = house.open(&broker);

    let (code, _, error) = said(&answered(&broker, &house, &["accept", DOOR], "reject"));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("it waits for a yes on phone until"), "{error}");
    assert!(error.contains(&format!("not accepted: {DOOR}")), "{error}");

    let (code, accepted, error) = said(&answered(&broker, &house, &["accept", DOOR], "approve"));
    assert_eq!((code, accepted), (Some(0), format!("accepted: {DOOR}\n")), "{error}");
    // Nobody announces it any more, so nothing of it is guarded now.
    for (arguments, expected) in [
        (["accept", DOOR], format!("expected a guarded topic, found `{DOOR}`")),
        (["accept", "--all"], "expected something new to accept, found nothing".to_owned()),
    ] {
        let (code, _, error) = said(&house.command(&arguments));
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(&expected), "{error}");
    }
}

fn release_asks_a_living_bridge(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let _bridge = house.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/relay"]);
    assert_eq!(owner.expect("hushgate/relay").json()["state"], "on");
    let (code, _, error) = said(&answered(&broker, &house, &["release", "--for", "30m"], "reject"));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("not released: "), "{error}");
    let (code, released, error) = said(&answered(&broker, &house, &["release", "--for", "30m"], "approve"));
    assert_eq!(code, Some(0), "{error}");
    assert!(released.contains("Home Assistant commands its devices itself"), "{released}");
    assert!(error.contains("it waits for a yes on phone") && error.contains("meanwhile nothing"), "{error}");
    let relay = owner.expect("hushgate/relay").json();
    assert!(relay["state"] == "off" && relay["until"].is_string(), "{relay}");
    let (code, ended, error) = said(&house.command(&["release", "--end"]));
    assert_eq!((code, ended.as_str()), (Some(0), "Home Assistant commands through the gate\n"), "{error}");
    assert_eq!(owner.expect("hushgate/relay").json()["state"], "on");
}

fn release_works_with_the_bridge_dead(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let mirror = "hushgate/homeassistant/lock/door/config";
    let mut owner = Client::connect(&broker, &[mirror]);
    let lock = format!("{{\"name\":\"Door\",\"uniq_id\":\"1\",\"cmd_t\":\"{DOOR}\",\"stat_t\":\"zigbee2mqtt/door\"}}");
    owner.publish_retained("homeassistant/lock/door/config", &lock);
    owner.publish_retained("homeassistant/lock/bad/config", "{");
    owner.publish_retained(mirror, "{\"command_topic\":\"hushgate/gate/zigbee2mqtt/door/set\"}");
    owner.expect(mirror);
    for (arguments, changed) in [(&["release"], 1), (&["release"], 0)] {
        let (code, released, error) = said(&house.command(arguments));
        let expected = format!("released: 1 announcements point at their devices, {changed} of them were changed\n");
        assert_eq!((code, released), (Some(0), expected), "{error}");
        assert!(error.contains("no bridge answers") && error.contains("until a bridge runs again"), "{error}");
    }
    assert_eq!(owner.expect(mirror).json()["command_topic"], DOOR);
    let mut late = Client::connect(&broker, &[mirror]);
    assert!(late.expect(mirror).retain, "Home Assistant finds it after a restart too");
    let (code, _, error) = said(&house.command(&["release", "--end"]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("no bridge answers, so nothing could be gated"), "{error}");
}

fn release_of_nothing_says_so(kind: Kind) {
    let broker = Broker::start(kind);
    let (code, _, error) = said(&House::on(&broker).command(&["release"]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("nothing is announced under `homeassistant`"), "{error}");
}

/// Announces a lock on the door's topic and a light beside it.
fn announce(broker: &Broker) -> Client {
    let mut owner = Client::connect(broker, &["homeassistant/#"]);
    let lock =
        format!(r#"{{"name":"Door","obj_id":"door","uniq_id":"1","cmd_t":"{DOOR}","stat_t":"zigbee2mqtt/door"}}"#);
    let light = r#"{"name":"Porch","obj_id":"porch","uniq_id":"2","cmd_t":"porch/set","stat_t":"porch"}"#;
    for (topic, config) in
        [("homeassistant/lock/door/config", lock.as_str()), ("homeassistant/light/porch/config", light)]
    {
        owner.publish_retained(topic, config);
        owner.expect(topic);
    }
    owner
}

fn doctor_works_without_a_bridge(kind: Kind) {
    let broker = Broker::start(kind);
    let _owner = announce(&broker);
    let house = House::on(&broker);
    house.add("facts: {statestream: states}\n");
    let (code, report, error) = said(&house.command(&["doctor"]));
    assert_eq!(code, Some(0), "{report}{error}");
    for line in [
        "bridge       none: no bridge has run on the base `hushgate`",
        "found        2 announced entities: 1 light, 1 lock",
        "guarded      lock.door on `zigbee2mqtt/door/set`",
        "mirror       empty",
        "enforcement  not proven",
        "next         start the bridge with `hushgate run`",
    ] {
        assert!(report.contains(line), "{line} in\n{report}");
    }
    assert!(!report.contains('\u{1b}'), "no colours where nobody wants them");
    assert!(!house.data().exists(), "it changes nothing");
}

fn doctor_looks_itself_where_no_bridge_does(kind: Kind) {
    let broker = Broker::start(kind);
    let _owner = announce(&broker);
    let house = House::on(&broker);
    house.add(
        "home_assistant: {canary: {home_assistant: {username: homeassistant}, unprivileged: {username: guest}}}\n",
    );
    let (_, report, error) = said(&house.command(&["doctor", "--format", "json"]));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("JSON: {report}{error}"));
    assert_eq!(report["enforcement"], "not_enforced", "{report}");
    assert_eq!(report["guarded"]["lock.door"][0], DOOR, "{report}");
    assert_eq!((&report["bridge"], &report["doors"]), (&"none".into(), &serde_json::Value::Null), "{report}");
}

fn doctor_says_what_is_not_covered(kind: Kind) {
    let broker = Broker::start(kind);
    let owner = announce(&broker);
    let house = House::on(&broker);
    house.add("facts: {statestream: states}\n");
    owner.publish_retained("states/lock/back/state", "locked");
    let _bridge = house.open(&broker);
    let (code, report, error) = said(&house.command(&["doctor"]));
    assert_eq!(code, Some(1), "{report}{error}");
    for words in
        ["bridge       online on the base `hushgate`; the configuration says `mode: enforce`", "lock.back", "help: "]
    {
        assert!(report.contains(words), "{words} in\n{report}");
    }
}

fn acl_writes_both_kinds(kind: Kind) {
    let broker = Broker::start(kind);
    let _owner = announce(&broker);
    let house = House::on(&broker);
    let (code, rules, error) = said(&house.command(&["acl", "--for", "mosquitto", "--user-home-assistant", "ha"]));
    assert_eq!(code, Some(0), "{error}");
    for line in ["\nuser ha\n", &format!("\ntopic deny {DOOR}/#\n")] {
        assert!(rules.contains(line), "{line} in\n{rules}");
    }
    assert!(
        error.contains("rules for 2 entities") && error.contains("help: then set `home_assistant.canary`"),
        "{error}"
    );
    let (code, rules, error) = said(&house.command(&["acl", "--for", "dynsec"]));
    assert_eq!(code, Some(0), "{error}");
    let rules: serde_json::Value = serde_json::from_str(&rules).unwrap_or_else(|_| panic!("JSON: {rules}"));
    assert_eq!(rules["commands"][0]["command"], "setDefaultACLAccess");
    let (code, rules, error) = said(&house.command(&["acl", "--for", "mosquitto", "--user-bridge", "a\nb"]));
    assert_eq!((code, rules.as_str()), (Some(2), ""), "{error}");
    assert!(error.contains("expected the name of a user, found `a\\u{a}b`"), "{error}");
}
