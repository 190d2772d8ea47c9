//! Twins: an entity that is not on MQTT is commanded through a gated twin, and Home Assistant carries it out.

use serde_json::json;

use crate::Case;
use crate::house::{House, Plan};
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("an_unlock_of_a_twin_is_held_and_then_carried_out", an_unlock_of_a_twin_is_held_and_then_carried_out),
    ("a_lock_of_a_twin_is_carried_out_at_once", a_lock_of_a_twin_is_carried_out_at_once),
    ("the_original_is_seen_where_it_is_commanded_directly", the_original_is_seen_where_it_is_commanded_directly),
    ("only_listed_services_are_carried_out", only_listed_services_are_carried_out),
    ("a_stored_act_is_not_carried_out", a_stored_act_is_not_carried_out),
];

const ORIGINAL: &str = "lock.back_door";

fn settings() -> Settings {
    Settings::enforce().with(format!("twins: [{ORIGINAL}]"))
}

/// The id of the twin, once it has the original's state.
fn twin(house: &mut House) -> String {
    let mirror = "hushgate/homeassistant/#";
    let mut announced = house.client("owner", &[mirror]);
    announced.expect_where(mirror, |message| message.payload.contains("hushgate_twin"));
    let known = ["lock.back_door", "lock.front_door"];
    let started = std::time::Instant::now();
    loop {
        let locks = house.home_assistant.entities("lock.");
        if let Some(twin) = locks.into_iter().find(|id| !known.contains(&id.as_str())) {
            house.home_assistant.expect_state(&twin, "locked");
            return twin;
        }
        assert!(started.elapsed() < crate::client::PATIENCE, "no twin among {:?}", house.home_assistant.entities("lock."));
    }
}

fn an_unlock_of_a_twin_is_held_and_then_carried_out(prepared: &Prepared) {
    let mut house = Plan::usual().not_on_mqtt().hushgate_package().build(prepared);
    let _bridge = house.gate(&settings());
    let twin = twin(&mut house);
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.call("lock.unlock", &twin);
    let held = witness.expect("hushgate/decision/confirm/lock.unlock").json();
    assert_eq!(held["request"]["target"], ORIGINAL);
    assert_eq!((&held["request"]["door"], &held["grade"]), (&json!("twin"), &json!("prevented")));
    let prompt = asked(&mut phone);
    house.home_assistant.expect_state(ORIGINAL, "locked");
    house.home_assistant.expect_state(&twin, "locked");
    prompt.approve(&phone);
    house.home_assistant.expect_state(ORIGINAL, "unlocked");
    house.home_assistant.expect_state(&twin, "unlocked");
    house.call("lock.lock", &twin);
    house.home_assistant.expect_state(ORIGINAL, "locked");
    let watched = witness.received("hushgate/decision/#");
    let own = watched.iter().find(|decision| decision.json()["request"]["door"] == "watch");
    assert!(own.is_none(), "what we let through was judged once more: {own:?}");
}

fn a_lock_of_a_twin_is_carried_out_at_once(prepared: &Prepared) {
    let mut house = Plan::usual().not_on_mqtt().hushgate_package().build(prepared);
    let _bridge = house.gate(&settings());
    let twin = twin(&mut house);
    let mut witness = house.witness();
    house.call("lock.unlock", ORIGINAL);
    house.home_assistant.expect_state(&twin, "unlocked");
    house.call("lock.lock", &twin);
    house.home_assistant.expect_state(ORIGINAL, "locked");
    let decision = witness.expect_where("hushgate/decision/allow/lock.lock", |seen| seen.payload.contains("twin"));
    assert_eq!(decision.json()["request"]["target"], ORIGINAL);
}

fn the_original_is_seen_where_it_is_commanded_directly(prepared: &Prepared) {
    let mut house = Plan::usual().not_on_mqtt().hushgate_package().build(prepared);
    let _bridge = house.gate(&settings());
    twin(&mut house);
    let mut witness = house.witness();
    house.call("lock.unlock", ORIGINAL);
    let seen = witness.expect("hushgate/decision/+/lock.unlock").json();
    assert_eq!(seen["request"]["target"], ORIGINAL);
    assert_eq!((&seen["request"]["door"], &seen["grade"]), (&json!("watch"), &json!("alerted")), "{seen}");
}

fn only_listed_services_are_carried_out(prepared: &Prepared) {
    let mut house = Plan::usual().not_on_mqtt().hushgate_package().build(prepared);
    let _bridge = house.gate(&settings());
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
    let mut house = Plan::usual().not_on_mqtt().hushgate_package().build(prepared);
    let bridge = house.client("hushgate", &[]);
    let unlock = json!({"action": "lock.unlock", "target": {"entity_id": ORIGINAL}, "data": {}});
    house.home_assistant.stop();
    bridge.publish_retained("hushgate/act", &unlock.to_string());
    house.home_assistant.start_as(&house.anna);
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
