//! The log on disk: written before a command leaves, and what the door does while it cannot be written.

use serde_json::Value;

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::house::House;

pub const CASES: &[Case] = &[
    ("what_is_said_and_done_stands_in_the_journal", what_is_said_and_done_stands_in_the_journal),
    ("while_the_journal_fails_sensitive_commands_are_denied", while_the_journal_fails_sensitive_commands_are_denied),
    ("two_bridges_do_not_write_one_journal", two_bridges_do_not_write_one_journal),
];

/// The bodies of all lines, in order.
fn bodies(house: &House) -> Vec<Value> {
    let folder = std::fs::read_dir(house.data().join("journal")).expect("a journal");
    let mut segments: Vec<_> = folder
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .collect();
    segments.sort();
    let read = |path| std::fs::read_to_string(path).expect("a segment");
    let text: String = segments.iter().map(read).collect();
    text.lines().map(|line| serde_json::from_str(line.split('\t').nth(2).expect("a body")).expect("JSON")).collect()
}

fn what_is_said_and_done_stands_in_the_journal(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let mut owner = Client::connect(&broker, &["lights/+/set", "hushgate/journal"]);
    let mut bridge = house.open(&broker);
    let head = owner.expect_where("hushgate/journal", |head| !head.payload.is_empty()).json();
    owner.publish("hushgate/gate/lights/kitchen/set", "1");
    owner.expect("lights/kitchen/set");
    let told = bodies(&house);
    let first = told.first().expect("a record");
    assert_eq!((first["record"].as_str(), first["mode"].as_str()), (Some("started"), Some("enforce")));
    let decided =
        told.iter().find(|body| body["record"] == "decision").expect("it stands there when the command is out");
    assert_eq!(
        (&decided["decision"]["applied"], &decided["decision"]["request"]["target"]),
        (&"allow".into(), &"kitchen".into())
    );
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    assert_eq!(bodies(&house).last().expect("a record")["record"], "stopped");
    let last = owner.expect_where("hushgate/journal", |last| last.json() != head).json();
    assert_eq!(last["seq"].as_u64(), Some(bodies(&house).len() as u64), "the head is told at the end");
}

fn while_the_journal_fails_sensitive_commands_are_denied(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    std::fs::create_dir(house.data()).expect("a writable temporary folder");
    let blocked = house.data().join("journal");
    std::fs::write(&blocked, "").expect("a writable temporary folder");
    let topics = ["hushgate/health", "hushgate/decision/#", "lights/+/set", "zigbee2mqtt/+/set"];
    let mut owner = Client::connect(&broker, &topics);
    let mut bridge = house.open(&broker);
    bridge.expect_log(&["WARN", "the journal cannot be written"]);
    let is_told = |health: &crate::client::Received| health.payload.contains("the journal");
    owner.expect_where("hushgate/health", is_told);
    owner.publish("hushgate/gate/lights/kitchen/set", "1");
    owner.expect("lights/kitchen/set");
    owner.publish("hushgate/gate/zigbee2mqtt/front/set", r#"{"state":"UNLOCK"}"#);
    let denied = owner.expect_where("hushgate/decision/deny/lock.unlock", |_| true).json();
    let reason = denied["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("the journal cannot be written: "), "{reason}");
    std::fs::remove_file(&blocked).expect("our own file");
    // The next record is another attempt.
    owner.publish("hushgate/gate/lights/kitchen/set", "2");
    owner.expect("lights/kitchen/set");
    bridge.expect_log(&["the journal can be written again"]);
    let told = bodies(&house);
    let names: Vec<&str> = told.iter().filter_map(|body| body["record"].as_str()).collect();
    assert_eq!(names.first(), Some(&"started"), "what waited is written first: {names:?}");
    assert_eq!(names.iter().filter(|name| **name == "journal").count(), 2, "{names:?}");
    assert!(!names.contains(&"gap"), "{names:?}");
}

fn two_bridges_do_not_write_one_journal(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let _bridge = house.open(&broker);
    house.add("base: other\n");
    let mut other = house.run();
    other.expect_log(&["the journal cannot be written", "another program writes the journal in"]);
}
