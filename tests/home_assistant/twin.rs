//! Twins: an entity that is not on MQTT is commanded through a gated twin, and Home Assistant carries it out.

use serde_json::json;

use crate::Case;
use crate::bridge::Bridge;
use crate::house::{House, Plan};
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("an_unlock_of_a_twin_is_held_and_then_carried_out", an_unlock_of_a_twin_is_held_and_then_carried_out),
    ("a_lock_of_a_twin_is_carried_out_at_once", a_lock_of_a_twin_is_carried_out_at_once),
    ("an_original_that_is_commanded_directly_is_a_bypass", an_original_that_is_commanded_directly_is_a_bypass),
    ("a_twin_of_each_kind_is_taken_by_home_assistant", a_twin_of_each_kind_is_taken_by_home_assistant),
    ("only_listed_services_are_carried_out", only_listed_services_are_carried_out),
    ("a_stored_act_is_not_carried_out", a_stored_act_is_not_carried_out),
];

const ORIGINAL: &str = "lock.back_door";
const TWIN: &str = "lock.back_door_gated";

/// The bridge in a house with the twin's original and the package that carries commands out, once the twin is there.
fn gate(prepared: &Prepared) -> (House, Bridge) {
    let mut house = Plan::usual().not_on_mqtt().hushgate_package().hearing().build(prepared);
    let bridge = house.gate(&Settings::enforce().with(format!("twins: [{ORIGINAL}]")));
    house.home_assistant.expect_state(TWIN, "locked");
    (house, bridge)
}

fn an_unlock_of_a_twin_is_held_and_then_carried_out(prepared: &Prepared) {
    let (mut house, _bridge) = gate(prepared);
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.call("lock.unlock", TWIN);
    let held = witness.expect("hushgate/decision/confirm/lock.unlock").json();
    assert_eq!(held["request"]["target"], ORIGINAL);
    assert_eq!((&held["request"]["door"], &held["grade"]), (&json!("twin"), &json!("prevented")));
    let prompt = asked(&mut phone);
    house.home_assistant.expect_state(ORIGINAL, "locked");
    house.home_assistant.expect_state(TWIN, "locked");
    prompt.approve(&phone);
    house.home_assistant.expect_state(ORIGINAL, "unlocked");
    house.home_assistant.expect_state(TWIN, "unlocked");
    house.call("lock.lock", TWIN);
    house.home_assistant.expect_state(ORIGINAL, "locked");
    let watched = witness.received("hushgate/decision/#");
    let own = watched.iter().find(|decision| decision.json()["request"]["door"] == "watch");
    assert!(own.is_none(), "what we let through was judged once more: {own:?}");
}

fn a_lock_of_a_twin_is_carried_out_at_once(prepared: &Prepared) {
    let (mut house, _bridge) = gate(prepared);
    let mut witness = house.witness();
    house.call("lock.unlock", ORIGINAL);
    house.home_assistant.expect_state(TWIN, "unlocked");
    house.call("lock.lock", TWIN);
    house.home_assistant.expect_state(ORIGINAL, "locked");
    let decision = witness.expect_where("hushgate/decision/allow/lock.lock", |seen| seen.payload.contains("twin"));
    assert_eq!(decision.json()["request"]["target"], ORIGINAL);
}

fn an_original_that_is_commanded_directly_is_a_bypass(prepared: &Prepared) {
    let (house, _bridge) = gate(prepared);
    let mut witness = house.witness();
    house.call("lock.unlock", ORIGINAL);
    let seen = witness.expect("hushgate/decision/+/lock.unlock").json();
    assert_eq!(seen["request"]["target"], ORIGINAL);
    assert_eq!((&seen["request"]["door"], &seen["grade"]), (&json!("bypass"), &json!("alerted")), "{seen}");
}

fn only_listed_services_are_carried_out(prepared: &Prepared) {
    let (mut house, _bridge) = gate(prepared);
    let bridge = house.client("hushgate", &[]);
    let night = json!({"action": "input_boolean.turn_on", "target": {"entity_id": "input_boolean.night"}, "data": {}});
    bridge.publish("hushgate/act", &night.to_string());
    bridge.publish("hushgate/act", "no JSON at all");
    let unlock = json!({"action": "lock.unlock", "target": {"entity_id": ORIGINAL}, "data": {}});
    bridge.publish("hushgate/act", &unlock.to_string());
    // What came first would have been carried out first.
    house.home_assistant.expect_state(ORIGINAL, "unlocked");
    assert_eq!(house.home_assistant.rest.entity("input_boolean.night").expect("a switch")["state"], "off");
}

fn a_stored_act_is_not_carried_out(prepared: &Prepared) {
    let mut house = Plan::usual().not_on_mqtt().hushgate_package().hearing().build(prepared);
    let bridge = house.client("hushgate", &[]);
    let unlock = json!({"action": "lock.unlock", "target": {"entity_id": ORIGINAL}, "data": {}});
    house.home_assistant.stop();
    bridge.publish_retained("hushgate/act", &unlock.to_string());
    house.start_and_hear();
    let mute = json!({
        "action": "media_player.volume_mute", "target": {"entity_id": "media_player.kitchen_speaker"},
        "data": {"is_volume_muted": true}
    });
    bridge.publish("hushgate/act", &mute.to_string());
    house.home_assistant.expect_entity("media_player.kitchen_speaker", "muted", |speaker| {
        speaker["attributes"]["is_volume_muted"] == true
    });
    house.home_assistant.expect_state(ORIGINAL, "locked");
}

fn a_twin_of_each_kind_is_taken_by_home_assistant(prepared: &Prepared) {
    let kinds = ["alarm_control_panel", "button", "cover", "lock", "scene", "siren", "switch", "valve"];
    let mut house = Plan::usual().build(prepared);
    let originals: Vec<String> = kinds.iter().map(|kind| format!("{kind}.elsewhere")).collect();
    let _bridge = house.gate(&Settings::enforce().with(format!("twins: [{}]", originals.join(", "))));
    for original in originals {
        house.home_assistant.expect_entity(&format!("{original}_gated"), "there", |_| true);
    }
}
