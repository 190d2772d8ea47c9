//! The gate behind Home Assistant: its commands to guarded entities are held, denied or let through; the rest is direct.

use serde_json::json;

use crate::Case;
use crate::devices::{self, Devices};
use crate::house::{MIRROR, Plan};
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("entities_appear_by_the_mirror_and_keep_their_ids", entities_appear_by_the_mirror_and_keep_their_ids),
    ("an_unlock_is_held_until_the_phone_approves", an_unlock_is_held_until_the_phone_approves),
    ("an_unlock_at_night_is_denied", an_unlock_at_night_is_denied),
    ("a_light_and_a_relay_stay_direct", a_light_and_a_relay_stay_direct),
    ("what_is_guarded_is_unavailable_without_the_bridge", what_is_guarded_is_unavailable_without_the_bridge),
    ("a_code_of_the_alarm_is_told_nowhere", a_code_of_the_alarm_is_told_nowhere),
    ("a_stored_command_under_the_gate_is_a_ghost", a_stored_command_under_the_gate_is_a_ghost),
    ("the_mirror_follows_devices_that_change_and_go", the_mirror_follows_devices_that_change_and_go),
    ("a_device_deleted_in_home_assistant_stays_deleted", a_device_deleted_in_home_assistant_stays_deleted),
    ("a_forged_mirror_is_put_right", a_forged_mirror_is_put_right),
];

fn entities_appear_by_the_mirror_and_keep_their_ids(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    house.expect_all_states();
    let before = house.home_assistant.entities("");
    let _bridge = house.gate(&Settings::enforce());
    let after = house.home_assistant.entities("");
    let lost: Vec<&String> = before.iter().filter(|id| !after.contains(id)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}; there are {after:?}");
    let doubled: Vec<&String> = after.iter().filter(|id| id.ends_with("_2")).collect();
    assert!(doubled.is_empty(), "announced anew under other ids: {doubled:?}");

    house.home_assistant.rest.set_discovery_prefix("homeassistant");
    house.home_assistant.expect_mqtt_loaded();
    house.expect_all_states();
}

fn an_unlock_is_held_until_the_phone_approves(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.call("lock.unlock", "lock.front_door");

    let held = witness.expect("hushgate/decision/confirm/lock.unlock").json();
    assert_eq!(held["request"]["target"], "lock.front_door");
    assert_eq!((&held["request"]["door"], &held["grade"]), (&json!("gate"), &json!("prevented")));
    let prompt = asked(&mut phone);
    assert!(witness.received("zigbee2mqtt/front/set").is_empty(), "it went out before anybody approved");
    assert_eq!(house.home_assistant.expect_state("lock.front_door", "locked")["state"], "locked");
    prompt.approve(&phone);

    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    let settled = witness.expect("hushgate/decision/allow/lock.unlock").json();
    assert_eq!(settled["settles"]["outcome"], "approved");
    assert_eq!(settled["settles"]["channel"], "phone");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    assert!(witness.received("hushgate/bypass").is_empty(), "our own forward was taken for a bypass");
}

fn an_unlock_at_night_is_denied(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mut witness = house.witness();
    let mut night = house.client("owner", &["homeassistant_statestream/input_boolean/night/state"]);
    house.call("input_boolean.turn_on", "input_boolean.night");
    night.expect_where("homeassistant_statestream/#", |state| state.payload == "on");
    house.call("lock.unlock", "lock.front_door");

    let denied = witness.expect("hushgate/decision/deny/lock.unlock").json();
    assert_eq!(denied["reason"], "nobody unlocks at night");
    assert_eq!(denied["deciding"], json!(["night"]));
    house.call("lock.lock", "lock.front_door");
    // The locking was asked for later: had the unlocking gone out, it would have come first.
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "LOCK");
    house.home_assistant.expect_state("lock.front_door", "locked");
}

fn a_light_and_a_relay_stay_direct(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mut witness = house.witness();
    house.call("light.turn_on", "light.kitchen_light");
    house.home_assistant.expect_state("light.kitchen_light", "on");
    house.call("switch.turn_on", "switch.relay");
    house.home_assistant.expect_state("switch.relay", "on");
    house.home_assistant.expect_state("sensor.relay_power", "40");
    let seen = witness.expect("hushgate/decision/allow/light.turn_on").json();
    assert_eq!((&seen["request"]["door"], &seen["grade"]), (&json!("watch"), &json!("alerted")));
    assert!(witness.received("hushgate/gate/#").is_empty(), "an ordinary entity went through the gate");
}

fn what_is_guarded_is_unavailable_without_the_bridge(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&Settings::enforce());
    let mut witness = house.witness();
    bridge.kill();
    for guarded in ["lock.front_door", "cover.garage_door", "alarm_control_panel.house_alarm"] {
        house.home_assistant.expect_state(guarded, "unavailable");
    }
    house.home_assistant.expect_state("sensor.relay_power", "0");
    house.call("lock.unlock", "lock.front_door");
    house.call("light.turn_on", "light.kitchen_light");
    witness.expect("zigbee2mqtt/kitchen_light/set");
    assert!(witness.received("hushgate/gate/#").is_empty(), "a command to an unavailable lock was published");

    let _bridge = house.open_again();
    house.home_assistant.expect_state("lock.front_door", "locked");
}

fn a_code_of_the_alarm_is_told_nowhere(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let mut bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    let disarm = json!({"entity_id": "alarm_control_panel.house_alarm", "code": "4711"});
    house.home_assistant.rest.call("alarm_control_panel.alarm_disarm", &disarm);

    let held = witness.expect("hushgate/decision/confirm/alarm_control_panel.alarm_disarm");
    let pending = witness.expect("hushgate/pending/+");
    let question = phone.expect("hushgate/prompt/phone");
    for message in [&held, &pending, &question] {
        assert!(!message.payload.contains("4711"), "the code stands in {message:?}");
    }
    phone.publish(
        question.json()["answer_topic"].as_str().expect("text"),
        &format!("approve {}", question.json()["token"].as_str().expect("text")),
    );
    assert_eq!(witness.expect("alarm/house/set").json()["code"], "4711");
    house.home_assistant.expect_state("alarm_control_panel.house_alarm", "disarmed");
    let settled = witness.expect("hushgate/decision/allow/alarm_control_panel.alarm_disarm");
    assert!(!settled.payload.contains("4711"), "{settled:?}");
    assert!(witness.received("hushgate/log").iter().all(|record| !record.payload.contains("4711")));
    bridge.signal("TERM");
    bridge.wait();
    assert!(!bridge.whole_log().contains("4711"), "the code stands in the program's log");
}

fn a_stored_command_under_the_gate_is_a_ghost(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&Settings::enforce());
    let mut witness = house.witness();
    bridge.kill();
    let topic = "hushgate/gate/zigbee2mqtt/front/set";
    house.client("owner", &[]).publish_retained(topic, "UNLOCK");
    witness.expect_where(topic, |message| message.payload == "UNLOCK");

    let _bridge = house.open_again();
    let ghost = witness.expect_where("hushgate/log", |record| record.payload.contains("ghost"));
    assert!(ghost.payload.contains("zigbee2mqtt/front/set"), "{ghost:?}");
    assert_eq!(witness.expect(topic).payload, "", "the stored command is cleared");
    house.home_assistant.expect_state("lock.front_door", "locked");
    house.call("lock.lock", "lock.front_door");
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "LOCK");
    assert!(witness.received("hushgate/pending/+").is_empty(), "a ghost is not even asked about");
}

fn the_mirror_follows_devices_that_change_and_go(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let lamp = json!({
        "name": "Porch", "unique_id": "porch", "command_topic": "porch/set", "state_topic": "porch/state"
    });
    house.devices.say("homeassistant/switch/porch/config", &lamp.to_string());
    house.devices.say("porch/state", "ON");
    house.home_assistant.expect_state("switch.porch", "on");
    let moved = lamp.to_string().replace("porch/state", "porch/now");
    house.devices.say("homeassistant/switch/porch/config", &moved);
    house.devices.say("porch/now", "OFF");
    house.home_assistant.expect_state("switch.porch", "off");
    house.devices.say("homeassistant/switch/porch/config", "");
    house.home_assistant.expect_gone("switch.porch");
    house.home_assistant.expect_state("lock.front_door", "locked");
}

fn a_device_deleted_in_home_assistant_stays_deleted(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mirror = format!("{MIRROR}/cover/garage_door/config");
    let mut mirrored = house.client("owner", &[&mirror]);
    assert_ne!(mirrored.expect(&mirror).payload, "");
    // What Home Assistant publishes when the owner deletes a device.
    house.client("homeassistant", &[]).publish_retained(&mirror, "");
    assert_eq!(mirrored.expect(&mirror).payload, "");
    house.home_assistant.expect_gone("cover.garage_door");

    // Another device still comes through, and the deleted one does not come with it.
    let lamp = json!({"name": "Porch", "unique_id": "porch", "command_topic": "porch/set"});
    house.devices.say("homeassistant/switch/porch/config", &lamp.to_string());
    house.home_assistant.expect_entity("switch.porch", "there", |_| true);
    assert!(mirrored.received(&mirror).is_empty(), "the deleted device was announced again");
    assert!(house.home_assistant.rest.entity("cover.garage_door").is_none());

    // Its owner starts again and announces it.
    house.devices = Devices::start(&house.broker.seen_by("devices"), devices::all());
    house.home_assistant.expect_state("cover.garage_door", "closed");
}

fn a_forged_mirror_is_put_right(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mirror = format!("{MIRROR}/lock/0x00158d0001/lock/config");
    let (mut witness, mut mirrored) = (house.witness(), house.client("owner", &[&mirror]));
    let right = mirrored.expect(&mirror).payload;
    let forged = right.replace("hushgate/gate/zigbee2mqtt/front/set", "zigbee2mqtt/front/set");
    assert_ne!(forged, right, "the lock is not gated");
    house.client("guest", &[]).publish_retained(&mirror, &forged);
    assert_eq!(mirrored.expect(&mirror).payload, forged);
    assert_eq!(mirrored.expect(&mirror).payload, right, "repaired at once");
    witness
        .expect_where("hushgate/log", |record| record.payload.contains("forged") && record.payload.contains(&mirror));
    house.call("lock.unlock", "lock.front_door");
    witness.expect("hushgate/decision/confirm/lock.unlock");
    assert!(witness.received("zigbee2mqtt/front/set").is_empty());
}
