//! Commands that go round the bridge, on the real topic: told, judged after the fact, and undone where that is safe.

use serde_json::json;

use crate::Case;
use crate::client::Client;
use crate::house::Plan;
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("a_stranger_who_unlocks_is_told_and_undone_twice", a_stranger_who_unlocks_is_told_and_undone_twice),
    ("a_garage_door_is_not_moved_by_an_undo", a_garage_door_is_not_moved_by_an_undo),
    ("empty_echoes_and_own_forwards_are_no_bypass", empty_echoes_and_own_forwards_are_no_bypass),
    ("while_it_observes_a_bypass_is_only_told", while_it_observes_a_bypass_is_only_told),
];

/// The next decision on a command that went round, from the topic of their own.
fn bypass(witness: &mut Client) -> serde_json::Value {
    witness.expect("hushgate/bypass").json()
}

fn a_stranger_who_unlocks_is_told_and_undone_twice(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, stranger) = (house.witness(), house.client("guest", &[]));
    for _ in 0..2 {
        stranger.publish("zigbee2mqtt/front/set", "UNLOCK");
        assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
        let told = bypass(&mut witness);
        assert_eq!(told["request"]["action"], "lock.unlock");
        assert_eq!(told["request"]["target"], "lock.front_door");
        assert_eq!((&told["request"]["door"], &told["grade"]), (&json!("bypass"), &json!("reverted")), "{told}");
        assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "LOCK", "the undo");
        house.home_assistant.expect_state("lock.front_door", "locked");
    }
    stranger.publish("zigbee2mqtt/front/set", "UNLOCK");
    let told = bypass(&mut witness);
    assert_eq!(told["grade"], "alerted", "a third undo within ten minutes: {told}");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
}

fn a_garage_door_is_not_moved_by_an_undo(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, stranger) = (house.witness(), house.client("guest", &[]));
    stranger.publish("garage/door/set", "OPEN");
    let told = bypass(&mut witness);
    assert_eq!(told["request"]["target"], "cover.garage_door");
    assert_eq!(told["grade"], "alerted", "{told}");
    house.home_assistant.expect_state("cover.garage_door", "open");
    assert_eq!(witness.received("garage/door/set").len(), 1, "nothing but the stranger's command moved it");
}

fn empty_echoes_and_own_forwards_are_no_bypass(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    let evcc = house.client("guest", &[]);
    evcc.publish("zigbee2mqtt/front/set", "");
    house.call("lock.unlock", "lock.front_door");
    asked(&mut phone).approve(&phone);
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    // A bridged broker brings what we sent once more.
    evcc.publish("zigbee2mqtt/front/set", "UNLOCK");
    // Real ones are told, so those before would have been.
    evcc.publish("garage/door/set", "OPEN");
    assert_eq!(bypass(&mut witness)["request"]["target"], "cover.garage_door");
}

fn while_it_observes_a_bypass_is_only_told(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::observe());
    let (mut witness, stranger) = (house.witness(), house.client("guest", &[]));
    stranger.publish("zigbee2mqtt/front/set", "UNLOCK");
    let told = witness.expect("hushgate/decision/+/lock.unlock").json();
    assert_eq!((&told["verdict"], &told["grade"]), (&json!("confirm"), &json!("alerted")), "{told}");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    house.call("lock.lock", "lock.front_door");
    let mut commands = witness.expect("zigbee2mqtt/front/set").payload;
    assert_eq!(commands, "UNLOCK");
    commands = witness.expect("zigbee2mqtt/front/set").payload;
    assert_eq!(commands, "LOCK", "Home Assistant's own, and nothing in between");
}
