//! The broker's rules: with those that `hushgate acl` writes nothing goes round the bridge, and without it says so.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Case;
use crate::bridge::Bridge;
use crate::client::Client;
use crate::house::{House, Plan, expect_online};
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("with_the_written_rules_nothing_goes_round_the_bridge", with_the_written_rules_nothing_goes_round_the_bridge),
    ("without_rules_it_says_that_nothing_is_enforced", without_rules_it_says_that_nothing_is_enforced),
    ("a_rule_that_forgets_home_assistant_is_found", a_rule_that_forgets_home_assistant_is_found),
];

/// The test's own eyes: they may see and do everything.
const OWNER: &str = "\nuser owner\ntopic readwrite #\n";

/// Within this a message that is let through has arrived. Only for what must not come; nothing tells that it did not.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// With the users by whom the bridge tries the way around.
fn settings() -> Settings {
    Settings::enforce().with(
        "canary: {home_assistant: {username: homeassistant, password: homeassistant-secret}, unprivileged: {username: \
         guest, password: guest-secret}}",
    )
}

/// The rules that the program writes for this house.
fn written(house: &House) -> String {
    let mut arguments = vec!["acl", "--for", "mosquitto"];
    for devices in ["zigbee2mqtt=devices", "garage=devices", "alarm=devices"] {
        arguments.extend(["--user-device", devices]);
    }
    let said = house.hushgate(&arguments);
    assert_eq!(said.code, Some(0), "`hushgate acl` failed: {}", said.stderr);
    said.stdout
}

/// The broker starts again with these rules; devices and bridge come back.
fn enforce(house: &mut House, rules: &str, bridge: Bridge) -> Bridge {
    bridge.kill();
    let mut birth = house.restart_broker(Some(&format!("{rules}{OWNER}")));
    let bridge = house.open_again();
    expect_online(&mut birth);
    bridge
}

/// What the bridge says of the way around it, once it has looked.
fn enforcement(witness: &mut Client, wanted: &str) -> Value {
    let has_looked = |health: &Value| health["enforcement"] == wanted;
    witness.expect_where("hushgate/health", |health| has_looked(&health.json())).json()
}

fn with_the_written_rules_nothing_goes_round_the_bridge(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&settings());
    let rules = written(&house);
    let _bridge = enforce(&mut house, &rules, bridge);
    house.expect_all_states();
    // The phone is behind Home Assistant here, so the rules let its user read the questions.
    let (mut witness, mut phone) = (house.witness(), house.client("homeassistant", &["hushgate/prompt/phone"]));
    enforcement(&mut witness, "proven");
    house.home_assistant.expect_state("sensor.hushgate_enforcement", "proven");

    // Home Assistant's own user, and one without rights, command the real topic; the broker refuses both.
    for user in ["homeassistant", "guest"] {
        house.client(user, &[]).publish("zigbee2mqtt/front/set", "UNLOCK");
    }
    house.call("lock.unlock", "lock.front_door");
    let held = witness.expect("hushgate/decision/confirm/lock.unlock").json();
    assert_eq!(held["enforcement"], "proven");
    assert!(witness.received("zigbee2mqtt/front/set").is_empty(), "somebody went round the bridge");
    asked(&mut phone).approve(&phone);
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    house.call("light.turn_on", "light.kitchen_light");
    house.home_assistant.expect_state("light.kitchen_light", "on");

    // The tokens are for the phone alone: a subscription that was granted brings nothing.
    house.call("lock.lock", "lock.front_door");
    house.home_assistant.expect_state("lock.front_door", "locked");
    let mut thief = house.client("guest", &["hushgate/prompt/#", "hushgate/gate/#", "hushgate/home_assistant/#"]);
    house.call("lock.unlock", "lock.front_door");
    asked(&mut phone);
    // At last, as Mosquitto 2.0.11 ends the connection of whoever is refused: an automation that publishes by itself.
    let publish = json!({"topic": "zigbee2mqtt/front/set", "payload": "UNLOCK"});
    house.home_assistant.rest.call("mqtt.publish", &publish);
    while let Some(message) = witness.next_within(LONG_ENOUGH) {
        let is_round = message.topic == "zigbee2mqtt/front/set" && message.payload == "UNLOCK";
        assert!(!is_round, "Home Assistant went round the bridge: {message:?}");
    }
    let stolen = thief.next_within(LONG_ENOUGH);
    assert!(stolen.is_none(), "a user without rights reads {stolen:?}");
}

fn without_rules_it_says_that_nothing_is_enforced(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&settings());
    let mut witness = house.witness();
    enforcement(&mut witness, "not_enforced");
    house.home_assistant.expect_state("sensor.hushgate_enforcement", "not_enforced");
    house.home_assistant.expect_state("binary_sensor.hushgate_problem", "on");
    house.call("lock.unlock", "lock.front_door");
    let held = witness.expect("hushgate/decision/confirm/lock.unlock").json();
    assert_eq!(held["enforcement"], "not_enforced");
}

fn a_rule_that_forgets_home_assistant_is_found(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&settings());
    let rules = written(&house);
    let forgetful = format!("{rules}\nuser homeassistant\ntopic readwrite #\n");
    let forgetful: String =
        forgetful.lines().filter(|line| !line.starts_with("topic deny")).map(|line| format!("{line}\n")).collect();
    let _bridge = enforce(&mut house, &forgetful, bridge);
    let mut witness = house.witness();
    enforcement(&mut witness, "not_enforced");
    let told = house.home_assistant.expect_state("sensor.hushgate_enforcement", "not_enforced");
    let reason = told["attributes"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("homeassistant"), "who can go round: {reason}");
}
