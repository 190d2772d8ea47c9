//! Sentences: what is said to Home Assistant's conversation agent reaches the bridge as commands of a voice.

use serde_json::json;

use crate::Case;
use crate::house::Plan;
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("turn_on_the_kitchen_light_arrives", turn_on_the_kitchen_light_arrives),
    ("open_the_garage_door_is_held_and_voice_asked", open_the_garage_door_is_held_and_voice_asked),
    ("a_call_by_a_person_is_no_voice", a_call_by_a_person_is_no_voice),
];

fn turn_on_the_kitchen_light_arrives(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce().with(r#"gate: [sensitive, "light.*"]"#));
    let mut witness = house.witness();
    house.home_assistant.rest.converse("turn on the kitchen light");
    witness.expect("hushgate/gate/zigbee2mqtt/kitchen_light/set");
    assert_eq!(witness.expect("zigbee2mqtt/kitchen_light/set").json()["state"], "ON");
    let decision = witness.expect("hushgate/decision/allow/light.turn_on").json();
    assert_eq!(decision["request"]["target"], "light.kitchen_light");
    assert_eq!(decision["request"]["source"]["kind"], "voice", "{decision}");
    house.home_assistant.expect_state("light.kitchen_light", "on");
}

fn open_the_garage_door_is_held_and_voice_asked(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.home_assistant.rest.converse("open the garage door");
    let held = witness.expect("hushgate/decision/confirm/+").json();
    assert_eq!(held["request"]["target"], "cover.garage_door");
    assert_eq!(held["request"]["source"]["kind"], "voice", "{held}");
    assert!(witness.received("garage/door/set").is_empty());
    house.home_assistant.expect_state("cover.garage_door", "closed");
    asked(&mut phone).approve(&phone);
    assert_eq!(witness.expect("garage/door/set").payload, "OPEN");
    house.home_assistant.expect_state("cover.garage_door", "open");
}

fn a_call_by_a_person_is_no_voice(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let mut witness = house.witness();
    house.home_assistant.rest.call("cover.open_cover", &json!({"entity_id": "cover.garage_door"}));
    let held = witness.expect("hushgate/decision/confirm/+").json();
    assert_ne!(held["request"]["source"]["kind"], "voice", "{held}");
}
