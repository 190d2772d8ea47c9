//! The rig alone, without a bridge: what the other cases take for granted about Home Assistant is so.

use serde_json::json;

use crate::Case;
use crate::devices;
use crate::house::Plan;
use crate::prepared::Prepared;

pub const CASES: &[Case] = &[
    ("devices_appear_by_discovery_and_obey", devices_appear_by_discovery_and_obey),
    ("the_discovery_prefix_can_be_switched_there_and_back", the_discovery_prefix_can_be_switched_there_and_back),
    ("the_phone_gets_pushes_and_fires_events_as_its_owner", the_phone_gets_pushes_and_fires_events_as_its_owner),
    ("things_that_are_not_on_mqtt_are_there_too", things_that_are_not_on_mqtt_are_there_too),
];

fn devices_appear_by_discovery_and_obey(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let mut witness = house.client("owner", &["zigbee2mqtt/#", "garage/#", "homeassistant_eventstream"]);
    house.home_assistant.expect_state("lock.front_door", "locked");
    house.home_assistant.expect_state("alarm_control_panel.house_alarm", "armed_away");
    house.home_assistant.expect_state("cover.garage_door", "closed");
    house.home_assistant.expect_state("light.kitchen_light", "off");
    house.home_assistant.expect_state("switch.relay", "off");

    house.home_assistant.rest.call("lock.unlock", &json!({"entity_id": "lock.front_door"}));
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    witness.expect_where("homeassistant_eventstream", |event| {
        event.payload.contains("call_service") && event.payload.contains("lock.front_door")
    });
    house.home_assistant.rest.converse("turn on the kitchen light");
    house.home_assistant.expect_state("light.kitchen_light", "on");
    house.home_assistant.rest.converse("open the garage door");
    assert_eq!(witness.expect("garage/door/set").payload, "OPEN");
    house.restart_home_assistant();
    house.home_assistant.expect_state("lock.front_door", "unlocked");
}

fn the_discovery_prefix_can_be_switched_there_and_back(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    house.home_assistant.expect_state("lock.front_door", "locked");
    house.home_assistant.rest.set_discovery_prefix("elsewhere/homeassistant");
    house.home_assistant.expect_state("lock.front_door", "unavailable");
    let moved = devices::front_door().config.to_string().replace("zigbee2mqtt/front/set", "elsewhere/front/set");
    house.devices.say("elsewhere/homeassistant/lock/0x00158d0001/lock/config", &moved);
    house.home_assistant.expect_state("lock.front_door", "locked");

    let mut witness = house.client("owner", &["zigbee2mqtt/front/set", "elsewhere/front/set"]);
    house.home_assistant.rest.call("lock.unlock", &json!({"entity_id": "lock.front_door"}));
    assert_eq!(witness.expect("+/front/set").topic, "elsewhere/front/set");
    house.home_assistant.rest.set_discovery_prefix("homeassistant");
    house.home_assistant.expect_state("cover.garage_door", "closed");
    house.home_assistant.expect_state("lock.front_door", "locked");
    house.home_assistant.rest.call("lock.unlock", &json!({"entity_id": "lock.front_door"}));
    assert_eq!(witness.expect("+/front/set").topic, "zigbee2mqtt/front/set");
}

/// Publishes who has fired the events that phones fire. The event stream leaves these out: they came from outside.
const WHO_PRESSED: &str = r#"
automation:
  - triggers: [{trigger: event, event_type: mobile_app_notification_action}]
    mode: queued
    actions:
      - action: mqtt.publish
        data:
          topic: "tests/pressed/{{ trigger.event.data.action }}"
          payload: "{{ trigger.event.context.user_id }}"
"#;

fn the_phone_gets_pushes_and_fires_events_as_its_owner(prepared: &Prepared) {
    let house = Plan::usual().package("who_pressed", WHO_PRESSED).build(prepared);
    let mut witness = house.client("owner", &["tests/#"]);
    let rest = &house.home_assistant.rest;
    rest.call("notify.mobile_app_annas_phone", &json!({"message": "hello", "data": {"tag": "a"}}));
    let push = house.phone.expect_push();
    assert_eq!((&push["message"], &push["data"]["tag"]), (&json!("hello"), &json!("a")));

    house.press("ALLOW", "a");
    let anna = witness.expect("tests/pressed/ALLOW").payload;
    assert_eq!(anna, house.annas_id());
    house.forge_press(&house.ben, "DENY", "a");
    let ben = witness.expect("tests/pressed/DENY").payload;
    assert!(!ben.is_empty() && ben != anna, "another person, found `{ben}`");
}

fn things_that_are_not_on_mqtt_are_there_too(prepared: &Prepared) {
    let mut house = Plan::usual().not_on_mqtt().build(prepared);
    house.home_assistant.expect_state("lock.back_door", "locked");
    house.call("lock.unlock", "lock.back_door");
    house.home_assistant.expect_state("lock.back_door", "unlocked");
    let mute = json!({"entity_id": "media_player.kitchen_speaker", "is_volume_muted": true});
    house.home_assistant.rest.call("media_player.volume_mute", &mute);
    house.home_assistant.expect_entity("media_player.kitchen_speaker", "muted", |speaker| {
        speaker["attributes"]["is_volume_muted"] == true
    });
}
