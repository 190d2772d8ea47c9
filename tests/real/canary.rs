//! The canary: with rules that hold, with none, with broken ones, and with users that are none.

use serde_json::Value;

use crate::Case;
use crate::broker::{Access, Broker, GUEST, HOME_ASSISTANT, Kind, PASSWORD};
use crate::client::Client;
use crate::house::House;

pub const CASES: &[Case] = &[
    ("rules_that_hold_are_proven", rules_that_hold_are_proven),
    ("the_rules_that_acl_writes_hold", the_rules_that_acl_writes_hold),
    ("a_rule_that_forgets_a_topic_is_found", a_rule_that_forgets_a_topic_is_found),
    ("a_bridge_that_hears_nothing_proves_nothing", a_bridge_that_hears_nothing_proves_nothing),
    ("a_wrong_password_proves_nothing", a_wrong_password_proves_nothing),
    ("without_users_nothing_is_tried", without_users_nothing_is_tried),
    ("a_proof_ends_with_the_connection", a_proof_ends_with_the_connection),
    ("who_can_read_a_pin_is_found", who_can_read_a_pin_is_found),
];
/// Cases with a broker that has no rules at all.
pub const ALONE: &[Case] = &[("a_broker_without_rules_is_found_open", a_broker_without_rules_is_found_open)];

const DOOR: &str = "zigbee2mqtt/door/set";
const SIREN: &str = "zigbee2mqtt/siren/set";

/// Home Assistant reads everything and commands all but what is guarded; a guest may do nothing.
const HOLDING: &str = "user hushgate\ntopic readwrite #\n\nuser homeassistant\ntopic deny zigbee2mqtt/door/set/#\ntopic \
                       deny zigbee2mqtt/siren/set/#\ntopic readwrite #\n\nuser guest\ntopic read weather/#\n";
/// The same, but somebody forgot the siren.
const FORGETTING: &str = "user hushgate\ntopic readwrite #\n\nuser homeassistant\ntopic deny \
                          zigbee2mqtt/door/set/#\ntopic readwrite #\n\nuser guest\ntopic read weather/#\n";
/// The bridge may write what it guards, but not read it.
const DEAF: &str = "user hushgate\ntopic readwrite hushgate/#\ntopic readwrite homeassistant/#\ntopic write zigbee2mqtt/#\n\nuser homeassistant\ntopic \
                    readwrite hushgate/#\n\nuser guest\ntopic read weather/#\n";

/// The guest may read what is answered, and Home Assistant may not.
const LEAKING: &str = "user hushgate\ntopic readwrite #\n\nuser homeassistant\ntopic readwrite hushgate/gate/#\ntopic read \
                       hushgate/home_assistant/#\n\nuser guest\ntopic read hushgate/confirm/#\n";
/// A channel with TOTP, beside those of the house.
const CODED: &str = "channels:\n  keypad: {kind: person, confirms: true, totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ}\n";

fn users(password: &str) -> String {
    format!(
        "home_assistant:\n  canary:\n    home_assistant: {{username: {HOME_ASSISTANT}, password: \"{PASSWORD}\"}}\n    \
         unprivileged: {{username: {GUEST}, password: \"{password}\"}}\n"
    )
}

/// What the bridge finds about two guarded topics: the record, and the health report that follows.
fn finding(broker: &Broker, section: &str) -> (Value, Value) {
    let house = House::on(broker);
    house.guard(&[DOOR, SIREN]);
    house.add(section);
    let mut owner = Client::connect(broker, &["hushgate/log", "hushgate/health", "hushgate/decision/#"]);
    // Below `set` Zigbee2MQTT takes attributes, so there the canary could be taken for a command.
    let lock = format!(
        "{{\"name\":\"Door\",\"uniq_id\":\"0x1_lock\",\"cmd_t\":\"{DOOR}\",\"stat_t\":\"zigbee2mqtt/door\",\
         \"dev\":{{\"ids\":[\"zigbee2mqtt_0x1\"]}},\"o\":{{\"name\":\"Zigbee2MQTT\"}}}}"
    );
    owner.publish_retained("homeassistant/lock/0x1/config", &lock);
    let _bridge = house.run();
    let record = owner.expect_where("hushgate/log", |record| record.json()["record"] == "canary").json();
    let health =
        owner.expect_where("hushgate/health", |health| health.json()["enforcement_reason"] == record["reason"]);
    assert!(owner.received("hushgate/decision/#").is_empty(), "the canary is no command");
    (record, health.json())
}

fn assert_found(broker: &Broker, section: &str, enforcement: &str, words: &[&str]) {
    let (record, health) = finding(broker, section);
    assert_eq!(record["enforcement"], enforcement, "{record}");
    assert_eq!(health["enforcement"], enforcement, "{health}");
    let reason = record["reason"].as_str().expect("a text");
    assert!(words.iter().all(|word| reason.contains(word)), "{words:?} in {reason}");
    assert!(!reason.contains(PASSWORD), "a password was told: {reason}");
}

fn rules_that_hold_are_proven(kind: Kind) {
    let broker = Broker::with(kind, Access::Rules(HOLDING));
    assert_found(&broker, &users(PASSWORD), "proven", &["refuses `homeassistant` and `guest`", "each of 2 topics"]);
}

fn the_rules_that_acl_writes_hold(kind: Kind) {
    let open = Broker::start(kind);
    let mut owner = Client::connect(&open, &["homeassistant/#"]);
    for (kind, topic) in [("lock", DOOR), ("siren", SIREN)] {
        let config = format!("{{\"name\":\"{kind}\",\"uniq_id\":\"{kind}\",\"cmd_t\":\"{topic}\"}}");
        owner.publish_retained(&format!("homeassistant/{kind}/x/config"), &config);
        owner.expect("homeassistant/+/x/config");
    }
    let written = House::on(&open).command(&["acl", "--for", "mosquitto", "--user-bridge", "hushgate"]);
    let said = String::from_utf8(written.stderr).expect("text");
    assert!(written.status.success(), "{said}");
    assert!(said.contains("add-on does not enforce an `acl_file`"), "{said}");
    let rules = String::from_utf8(written.stdout).expect("text");
    assert!(rules.contains("\nuser homeassistant\n"), "{rules}");
    let broker = Broker::with(kind, Access::Rules(rules.leak()));
    assert_found(&broker, &users(PASSWORD), "proven", &["refuses `homeassistant` and `guest`", "each of 2 topics"]);
}

fn a_rule_that_forgets_a_topic_is_found(kind: Kind) {
    let broker = Broker::with(kind, Access::Rules(FORGETTING));
    let words = ["user `homeassistant` can command `zigbee2mqtt/siren/set` past the bridge", "1 of 2 topics"];
    assert_found(&broker, &users(PASSWORD), "not_enforced", &words);
}

fn a_broker_without_rules_is_found_open(kind: Kind) {
    let broker = Broker::start(kind);
    assert_found(&broker, &users(PASSWORD), "not_enforced", &["past the bridge", "2 of 2 topics"]);
}

fn a_bridge_that_hears_nothing_proves_nothing(kind: Kind) {
    let broker = Broker::with(kind, Access::Rules(DEAF));
    assert_found(&broker, &users(PASSWORD), "unproven", &["does not hear its own message"]);
}

fn a_wrong_password_proves_nothing(kind: Kind) {
    let broker = Broker::with(kind, Access::Rules(HOLDING));
    let words = ["as user `guest` nothing could be tried: the broker refused"];
    assert_found(&broker, &users("a password that nobody has"), "unproven", &words);
}

fn without_users_nothing_is_tried(kind: Kind) {
    let broker = Broker::with(kind, Access::Rules(HOLDING));
    assert_found(&broker, "", "unproven", &["`home_assistant.canary` names no users"]);
}

fn a_proof_ends_with_the_connection(kind: Kind) {
    let mut broker = Broker::with(kind, Access::Rules(HOLDING));
    let house = House::on(&broker);
    house.guard(&[DOOR]);
    house.add(&users(PASSWORD));
    let mut bridge = house.run();
    bridge.expect_log(&["proven: the way around is shut", "on `zigbee2mqtt/door/set`"]);
    broker.kill();
    bridge.expect_log(&["not proven", "the connection to the broker was lost"]);
    broker.restart();
    bridge.expect_log(&["proven: the way around is shut", "on `zigbee2mqtt/door/set`"]);
}

fn who_can_read_a_pin_is_found(kind: Kind) {
    let broker = Broker::with(kind, Access::Rules(LEAKING));
    let house = House::on(&broker);
    house.add(&users(PASSWORD));
    let config = std::fs::read_to_string(house.config()).expect("it was just written");
    std::fs::write(house.config(), config.replacen("channels:\n", CODED, 1)).expect("a writable temporary folder");
    let mut owner = Client::connect(&broker, &["hushgate/log", "hushgate/health", "hushgate/home_assistant/problem"]);
    let _bridge = house.run();
    let record = owner.expect_where("hushgate/log", |record| record.json()["record"] == "channel_overheard").json();
    let problem = "user `guest` can read what is answered on `hushgate/confirm/keypad/+`, the PIN or code with it";
    assert_eq!((record["channel"].as_str(), record["problem"].as_str()), (Some("keypad"), Some(problem)), "{record}");
    owner.expect_where("hushgate/health", |health| health.json()["problems"][0]["problem"] == problem);
    let told = format!("the channel `keypad`: {problem}");
    owner.expect_where("hushgate/home_assistant/problem", |state| state.json()["reasons"][0] == told.as_str());
    let more = owner.received("hushgate/log");
    let is_answer = |record: &Value| ["answer_refused", "refused"].iter().any(|name| record["record"] == *name);
    assert!(!more.iter().any(|record| is_answer(&record.json())), "the canary is nobody's answer");
}
