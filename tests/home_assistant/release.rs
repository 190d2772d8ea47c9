//! Release: the mirror points at the devices themselves again, with the bridge alive or dead.

use crate::Case;
use crate::house::Plan;
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("with_the_bridge_dead_every_switch_works_again", with_the_bridge_dead_every_switch_works_again),
    ("with_the_bridge_alive_somebody_has_to_approve", with_the_bridge_alive_somebody_has_to_approve),
];

fn with_the_bridge_dead_every_switch_works_again(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&Settings::enforce());
    bridge.kill();
    house.home_assistant.expect_state("lock.front_door", "unavailable");
    let said = house.hushgate(&["release"]);
    assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
    let mut witness = house.witness();
    for (guarded, state) in [
        ("lock.front_door", "locked"),
        ("cover.garage_door", "closed"),
        ("alarm_control_panel.house_alarm", "armed_away"),
    ] {
        house.home_assistant.expect_state(guarded, state);
    }
    house.call("lock.unlock", "lock.front_door");
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    assert!(witness.received("hushgate/gate/#").is_empty());
    house.call("lock.lock", "lock.front_door");
    house.home_assistant.expect_state("lock.front_door", "locked");

    // The bridge comes back, and with it the gate.
    let _bridge = house.open_again();
    let mut mirror = house.client("owner", &["hushgate/homeassistant/lock/#"]);
    mirror.expect_where("hushgate/homeassistant/lock/#", |message| message.payload.contains("hushgate/gate/"));
    house.home_assistant.expect_state("lock.front_door", "locked");
    house.call("lock.unlock", "lock.front_door");
    witness.expect("hushgate/decision/confirm/lock.unlock");
}

fn with_the_bridge_alive_somebody_has_to_approve(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let _bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.call("switch.turn_off", "switch.hushgate_relay");
    witness.expect("hushgate/decision/confirm/hushgate.release");
    let prompt = asked(&mut phone);
    house.home_assistant.expect_state("switch.hushgate_relay", "on");
    prompt.approve(&phone);
    house.home_assistant.expect_state("switch.hushgate_relay", "off");
    house.home_assistant.expect_state("lock.front_door", "locked");
    house.call("lock.unlock", "lock.front_door");
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    assert!(witness.received("hushgate/gate/#").is_empty());
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    house.call("switch.turn_on", "switch.hushgate_relay");
    house.home_assistant.expect_state("switch.hushgate_relay", "on");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    house.call("lock.lock", "lock.front_door");
    witness.expect("hushgate/gate/zigbee2mqtt/front/set");
}
