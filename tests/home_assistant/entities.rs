//! The bridge as a device in Home Assistant: what it shows there, what is switched from there, and who may not.

use serde_json::{Value, json};

use crate::Case;
use crate::devices;
use crate::house::{House, Plan};
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("the_bridge_appears_as_one_device", the_bridge_appears_as_one_device),
    ("a_question_is_answered_by_the_approve_button", a_question_is_answered_by_the_approve_button),
    ("a_question_is_answered_by_the_reject_button", a_question_is_answered_by_the_reject_button),
    ("observing_is_asked_about_and_enforcing_is_not", observing_is_asked_about_and_enforcing_is_not),
    ("a_policy_that_goes_takes_its_switch_along", a_policy_that_goes_takes_its_switch_along),
    (
        "a_swapped_announcement_is_a_problem_until_it_is_accepted",
        a_swapped_announcement_is_a_problem_until_it_is_accepted,
    ),
    ("decisions_are_shown_as_events", decisions_are_shown_as_events),
    ("no_voice_assistant_is_offered_a_control", no_voice_assistant_is_offered_a_control),
];

/// What the bridge shows and switches, with the states of a quiet house.
const SHOWN: [(&str, &str); 13] = [
    ("event.hushgate_decisions", "unknown"),
    ("sensor.hushgate_last_decision", "unknown"),
    ("sensor.hushgate_pending", "0"),
    ("sensor.hushgate_grants", "0"),
    ("sensor.hushgate_questions_today", "0"),
    ("sensor.hushgate_approval_rate", "unknown"),
    ("sensor.hushgate_denied_today", "0"),
    ("sensor.hushgate_policy_errors", "0"),
    ("sensor.hushgate_enforcement", "unproven"),
    ("binary_sensor.hushgate_problem", "off"),
    ("select.hushgate_mode", "enforce"),
    ("switch.hushgate_relay", "on"),
    ("switch.hushgate_policy_night", "on"),
];
/// The buttons that answer the question that waits longest.
const BUTTONS: [&str; 2] = ["button.hushgate_approve", "button.hushgate_reject"];

fn the_bridge_appears_as_one_device(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.open(&Settings::enforce());
    for (id, state) in SHOWN {
        house.home_assistant.expect_state(id, state);
    }
    for button in BUTTONS {
        let entity = house.home_assistant.rest.entity(button);
        assert!(entity.is_none(), "a button with a token stands where everybody can read: {entity:?}");
    }
    bridge.kill();
    house.home_assistant.expect_state("select.hushgate_mode", "unavailable");
    let _bridge = house.gate(&Settings::enforce());
    for (id, state) in SHOWN {
        house.home_assistant.expect_state(id, state);
    }
    for button in BUTTONS {
        house.home_assistant.expect_state(button, "unavailable");
    }
    house.restart_home_assistant();
    house.home_assistant.expect_state("select.hushgate_mode", "enforce");
}

/// Asks for an unlocking, and waits until the question is shown in Home Assistant.
fn ask(house: &mut House) {
    house.call("lock.unlock", "lock.front_door");
    house.home_assistant.expect_state("sensor.hushgate_pending", "1");
    let question = house.home_assistant.expect_entity("sensor.hushgate_question", "shown", |question| {
        question["attributes"]["target"] == "lock.front_door"
    });
    assert_eq!(question["attributes"]["action"], "lock.unlock");
}

fn press(house: &mut House, button: &str) {
    let is_there = |entity: &Value| entity["state"] != "unavailable";
    house.home_assistant.expect_entity(button, "available", is_there);
    house.call("button.press", button);
}

fn a_question_is_answered_by_the_approve_button(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mut witness = house.witness();
    ask(&mut house);
    press(&mut house, "button.hushgate_approve");
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    let settled = witness.expect("hushgate/decision/allow/lock.unlock").json();
    assert_eq!(settled["settles"]["channel"], "phone");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    house.home_assistant.expect_state("sensor.hushgate_pending", "0");
    house.home_assistant.expect_state("button.hushgate_approve", "unavailable");

    // The next question has a token of its own, and the button carries it.
    house.call("lock.lock", "lock.front_door");
    house.home_assistant.expect_state("lock.front_door", "locked");
    ask(&mut house);
    press(&mut house, "button.hushgate_approve");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
}

fn a_question_is_answered_by_the_reject_button(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mut witness = house.witness();
    ask(&mut house);
    press(&mut house, "button.hushgate_reject");
    let settled = witness.expect("hushgate/decision/deny/lock.unlock").json();
    assert_eq!(settled["settles"]["outcome"], "rejected");
    house.home_assistant.expect_state("sensor.hushgate_denied_today", "1");
    let last = house.home_assistant.expect_state("sensor.hushgate_last_decision", "deny");
    assert_eq!(last["attributes"]["target"], "lock.front_door");
    assert!(witness.received("zigbee2mqtt/front/set").is_empty());
}

fn observing_is_asked_about_and_enforcing_is_not(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    let mode = |mode: &str| json!({"entity_id": "select.hushgate_mode", "option": mode});
    house.home_assistant.rest.call("select.select_option", &mode("observe"));
    witness.expect("hushgate/decision/confirm/hushgate.set_mode");
    assert_eq!(house.home_assistant.expect_state("select.hushgate_mode", "enforce")["state"], "enforce");
    asked(&mut phone).approve(&phone);
    house.home_assistant.expect_state("select.hushgate_mode", "observe");
    house.home_assistant.rest.call("select.select_option", &mode("enforce"));
    house.home_assistant.expect_state("select.hushgate_mode", "enforce");

    house.call("switch.turn_off", "switch.hushgate_policy_night");
    witness.expect("hushgate/decision/confirm/hushgate.turn_off_policy");
    asked(&mut phone).approve(&phone);
    house.home_assistant.expect_state("switch.hushgate_policy_night", "off");
    house.call("switch.turn_on", "switch.hushgate_policy_night");
    house.home_assistant.expect_state("switch.hushgate_policy_night", "on");
}

fn a_policy_that_goes_takes_its_switch_along(prepared: &Prepared) {
    let spare = "//! Says nothing.\n\nconst ACTIONS = [\"light.*\"];\n\nfn on_request(request) {}\n";
    let mut house = Plan::usual().build(prepared);
    let mut bridge = house.gate(&Settings::enforce().policy("spare", spare));
    house.home_assistant.expect_state("switch.hushgate_policy_spare", "on");
    std::fs::remove_file(house.folder().path().join("policies/spare.rhai")).expect("written before");
    bridge.signal("HUP");
    bridge.expect_log(&["in force"]);
    house.home_assistant.expect_gone("switch.hushgate_policy_spare");
    house.home_assistant.expect_state("switch.hushgate_policy_night", "on");
}

fn decisions_are_shown_as_events(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mut phone = house.phone_client();
    let told = |kind: &'static str| move |event: &Value| event["attributes"]["event_type"] == kind;
    house.call("lock.unlock", "lock.front_door");
    house.home_assistant.expect_entity("event.hushgate_decisions", "confirm", told("confirm"));
    asked(&mut phone).approve(&phone);
    let event = house.home_assistant.expect_entity("event.hushgate_decisions", "allow", told("allow"));
    assert_eq!(event["attributes"]["action"], "lock.unlock");
    house.client("guest", &[]).publish("garage/door/set", "OPEN");
    house.home_assistant.expect_entity("event.hushgate_decisions", "bypass", told("bypass"));
}

fn no_voice_assistant_is_offered_a_control(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    house.home_assistant.expect_state("switch.hushgate_relay", "on");
    let mut witness = house.witness();
    // Home Assistant decides what it offers when the first sentence comes.
    house.home_assistant.rest.converse("turn on the kitchen light");
    witness.expect("zigbee2mqtt/kitchen_light/set");
    for sentence in ["turn off hushgate relay", "turn off hushgate policy night", "turn on the hushgate"] {
        let answer = house.home_assistant.rest.converse(sentence);
        assert_eq!(answer["response"]["response_type"], "error", "{sentence}: {answer}");
    }
    house.home_assistant.stop();
    let registry = house.home_assistant.stored("core.entity_registry");
    let entities = registry["data"]["entities"].as_array().expect("a list");
    let is_offered = |entity: &Value| entity["options"]["conversation"]["should_expose"] == true;
    let light = entities.iter().find(|entity| entity["entity_id"] == "light.kitchen_light").expect("the light");
    assert!(is_offered(light), "nothing at all was offered: {light}");
    let own: Vec<&Value> = entities
        .iter()
        .filter(|entity| entity["unique_id"].as_str().is_some_and(|id| id.starts_with("hushgate")))
        .collect();
    assert!(own.len() > SHOWN.len(), "the bridge's own entities were not found: {own:#?}");
    for entity in own {
        let id = entity["entity_id"].as_str().expect("text");
        assert!(!is_offered(entity), "{id} is offered to voice assistants");
        let is_control = ["select.", "switch.", "button."].iter().any(|domain| id.starts_with(domain));
        assert!(!is_control || entity["entity_category"] == "config", "{id} is no entity of configuration: {entity}");
    }
    assert!(witness.received("hushgate/decision/+/hushgate.set_relay").is_empty());
}

fn a_swapped_announcement_is_a_problem_until_it_is_accepted(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.home_assistant.expect_state("binary_sensor.hushgate_problem", "off");
    let door = devices::front_door();
    let mut swapped = door.config.clone();
    swapped["payload_lock"] = json!("UNLOCK");
    swapped["payload_unlock"] = json!("LOCK");
    house.client("guest", &[]).publish_retained(door.config_topic, &swapped.to_string());
    let problem = house.home_assistant.expect_state("binary_sensor.hushgate_problem", "on");
    let reasons = problem["attributes"]["reasons"].to_string();
    assert!(reasons.contains("zigbee2mqtt/front/set"), "which topic: {reasons}");
    // What a rogue calls locking is read as the unlocking that it was when it was guarded.
    house.client("owner", &[]).publish("hushgate/gate/zigbee2mqtt/front/set", "UNLOCK");
    witness.expect("hushgate/decision/confirm/lock.unlock");
    asked(&mut phone).reject(&phone);
    witness.expect("hushgate/decision/deny/lock.unlock");

    press(&mut house, "button.hushgate_accept_changes");
    witness.expect("hushgate/decision/confirm/hushgate.accept");
    asked(&mut phone).approve(&phone);
    house.home_assistant.expect_state("binary_sensor.hushgate_problem", "off");
    assert!(witness.received("zigbee2mqtt/front/set").is_empty(), "the lock was moved");
}
