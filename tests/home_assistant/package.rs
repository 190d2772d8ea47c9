//! The shipped package in a real Home Assistant: it asks on the phone, believes its owner alone, and carries out.

use serde_json::{Value, json};

use crate::Case;
use crate::bridge::Bridge;
use crate::client::Client;
use crate::house::{House, Plan};
use crate::prepared::Prepared;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("the_phone_of_the_owner_approves", the_phone_of_the_owner_approves),
    ("the_phone_of_the_owner_rejects", the_phone_of_the_owner_rejects),
    ("a_button_pressed_by_somebody_else_is_passed_over", a_button_pressed_by_somebody_else_is_passed_over),
    ("a_question_that_is_over_leaves_the_phone", a_question_that_is_over_leaves_the_phone),
    ("the_blueprint_goes_on_only_with_a_yes", the_blueprint_goes_on_only_with_a_yes),
    ("its_streams_tell_who_asked_and_no_code_of_its_own", its_streams_tell_who_asked_and_no_code_of_its_own),
];

/// A gated house in which the package asks.
fn gate(prepared: &Prepared) -> (House, Bridge, Client) {
    let mut house = Plan::usual().hushgate_package().build(prepared);
    let bridge = house.gate(&Settings::enforce());
    let witness = house.witness();
    (house, bridge, witness)
}

/// Asks for an unlocking, and gives what comes to the phone: the tag, and the names of its two buttons.
fn ask(house: &House) -> (String, String, String) {
    house.call("lock.unlock", "lock.front_door");
    let push = house.phone.expect_push();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {push}")).to_owned();
    let actions = &push["data"]["actions"];
    for button in actions.as_array().expect("buttons") {
        assert_eq!(button["authenticationRequired"], true, "an unlocked phone is required: {button}");
    }
    (text(&push["data"]["tag"]), text(&actions[0]["action"]), text(&actions[1]["action"]))
}

fn the_phone_of_the_owner_approves(prepared: &Prepared) {
    let (mut house, _bridge, mut witness) = gate(prepared);
    let (tag, allow, _) = ask(&house);
    house.press(&allow, &tag);
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    let settled = witness.expect("hushgate/decision/allow/lock.unlock").json();
    assert_eq!((&settled["settles"]["outcome"], &settled["settles"]["channel"]), (&json!("approved"), &json!("phone")));
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    let cleared = house.phone.expect_push();
    assert_eq!((&cleared["message"], &cleared["data"]["tag"]), (&json!("clear_notification"), &json!(tag)));
}

fn the_phone_of_the_owner_rejects(prepared: &Prepared) {
    let (house, _bridge, mut witness) = gate(prepared);
    let (tag, _, deny) = ask(&house);
    house.press(&deny, &tag);
    let settled = witness.expect("hushgate/decision/deny/lock.unlock").json();
    assert_eq!(settled["settles"]["outcome"], "rejected");
    assert!(witness.received("zigbee2mqtt/front/set").is_empty());
}

fn a_button_pressed_by_somebody_else_is_passed_over(prepared: &Prepared) {
    let (house, _bridge, mut witness) = gate(prepared);
    let (tag, allow, deny) = ask(&house);
    house.forge_press(&house.ben, &allow, &tag);
    house.press("HUSHGATE_ALLOW_of_another_question", &tag);
    // Anna says no afterwards, and that counts: the question was still open.
    house.press(&deny, &tag);
    let settled = witness.expect("hushgate/decision/+/lock.unlock").json();
    assert_eq!(settled["verdict"], "confirm");
    let settled = witness.expect("hushgate/decision/+/lock.unlock").json();
    assert_eq!(settled["settles"]["outcome"], "rejected", "Ben's word was taken: {settled}");
    assert!(witness.received("zigbee2mqtt/front/set").is_empty());
}

fn a_question_that_is_over_leaves_the_phone(prepared: &Prepared) {
    let (mut house, _bridge, mut witness) = gate(prepared);
    let (tag, allow, _) = ask(&house);
    house.call("button.press", "button.hushgate_reject");
    witness.expect("hushgate/decision/deny/lock.unlock");
    let cleared = house.phone.expect_push();
    assert_eq!((&cleared["message"], &cleared["data"]["tag"]), (&json!("clear_notification"), &json!(tag)));
    house.press(&allow, &tag);
    house.call("lock.lock", "lock.front_door");
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "LOCK");
    house.home_assistant.expect_state("lock.front_door", "locked");
}

/// A script made of the blueprint: it asks, and tells what it heard.
const ASKING: &str = r#"
script:
  ask_about_the_safe:
    use_blueprint:
      path: hushgate/ask_first.yaml
      input:
        action_name: lock.unlock
        target_name: safe
        allowed:
          - action: mqtt.publish
            data: {topic: tests/asked, payload: "yes"}
        denied:
          - action: mqtt.publish
            data: {topic: tests/asked, payload: "no: {{ reason }}"}
"#;

fn the_blueprint_goes_on_only_with_a_yes(prepared: &Prepared) {
    let house = Plan::usual().hushgate_package().package("asking", ASKING).hearing().build(prepared);
    let _bridge = house.open(&Settings::enforce());
    let mut heard = house.client("owner", &["tests/asked"]);
    let ask = |house: &House| {
        house.home_assistant.rest.call("script.turn_on", &json!({"entity_id": "script.ask_about_the_safe"}))
    };
    for (button, said) in [(0, "yes"), (1, "no: ")] {
        ask(&house);
        let push = house.phone.expect_push();
        assert!(heard.received("tests/asked").is_empty(), "it went on before anybody answered");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        house.press(&text(&push["data"]["actions"][button]["action"]), &text(&push["data"]["tag"]));
        let told = heard.expect("tests/asked").payload;
        assert!(told.starts_with(said), "expected {said}, found {told}");
        house.phone.expect_push();
    }
    house.call("input_boolean.turn_on", "input_boolean.night");
    let mut night = house.client("owner", &["homeassistant_statestream/input_boolean/night/state"]);
    night.expect_where("homeassistant_statestream/#", |state| state.payload == "on");
    ask(&house);
    assert_eq!(heard.expect("tests/asked").payload, "no: nobody unlocks at night");
}

fn its_streams_tell_who_asked_and_no_code_of_its_own(prepared: &Prepared) {
    let (house, _bridge, mut witness) = gate(prepared);
    let mut stream = house.client("owner", &["homeassistant_eventstream", "homeassistant_statestream/#"]);
    house.home_assistant.rest.converse("open the garage door");
    let held = witness.expect("hushgate/decision/confirm/+").json();
    assert_eq!(held["request"]["source"]["kind"], "voice", "{held}");
    stream.expect_where("homeassistant_eventstream", |event| event.payload.contains("cover.garage_door"));
    assert!(
        stream.received("homeassistant_statestream/+/hushgate_mode/state").is_empty(),
        "it tells the bridge of itself"
    );
}
