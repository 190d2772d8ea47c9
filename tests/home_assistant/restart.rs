//! Power cuts: Home Assistant, the broker and the bridge come back in each order, and the door is as it was.

use crate::Case;
use crate::house::{House, Plan, expect_online};
use crate::prepared::Prepared;
use crate::prompt::asked;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("home_assistant_then_broker_then_bridge", |prepared| {
        power_cut(prepared, [Part::HomeAssistant, Part::Broker, Part::Bridge]);
    }),
    ("home_assistant_then_bridge_then_broker", |prepared| {
        power_cut(prepared, [Part::HomeAssistant, Part::Bridge, Part::Broker]);
    }),
    ("broker_then_home_assistant_then_bridge", |prepared| {
        power_cut(prepared, [Part::Broker, Part::HomeAssistant, Part::Bridge]);
    }),
    ("broker_then_bridge_then_home_assistant", |prepared| {
        power_cut(prepared, [Part::Broker, Part::Bridge, Part::HomeAssistant]);
    }),
    ("bridge_then_home_assistant_then_broker", |prepared| {
        power_cut(prepared, [Part::Bridge, Part::HomeAssistant, Part::Broker]);
    }),
    ("bridge_then_broker_then_home_assistant", |prepared| {
        power_cut(prepared, [Part::Bridge, Part::Broker, Part::HomeAssistant]);
    }),
    ("each_alone_while_the_others_run", each_alone_while_the_others_run),
    ("a_held_command_dies_with_the_bridge", a_held_command_dies_with_the_bridge),
];

#[derive(Clone, Copy)]
enum Part {
    HomeAssistant,
    /// And the devices, which find their way back by themselves.
    Broker,
    Bridge,
}

/// Everything goes down at once and comes back in an order.
fn power_cut(prepared: &Prepared, order: [Part; 3]) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&Settings::enforce());
    let before = house.home_assistant.entities("");
    house.home_assistant.stop();
    house.broker.kill();
    bridge.kill();
    let (mut bridge, mut birth) = (None, None);
    for part in order {
        match part {
            Part::HomeAssistant => house.home_assistant.start(),
            Part::Broker => birth = Some(house.restart_broker(None)),
            Part::Bridge => bridge = Some(house.run()),
        }
    }
    house.home_assistant.login(&house.anna);
    house.home_assistant.wait_until_running();
    expect_online(birth.as_mut().expect("one of the three"));
    assert!(bridge.is_some(), "one of the three");
    the_door_is_as_it_was(&mut house);
    assert_eq!(house.home_assistant.entities(""), before, "the same entities under the same ids");
}

fn each_alone_while_the_others_run(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&Settings::enforce());
    let before = house.home_assistant.entities("");
    house.restart_home_assistant();
    the_door_is_as_it_was(&mut house);
    expect_online(&mut house.restart_broker(None));
    the_door_is_as_it_was(&mut house);
    bridge.kill();
    let _bridge = house.open_again();
    the_door_is_as_it_was(&mut house);
    assert_eq!(house.home_assistant.entities(""), before, "the same entities under the same ids");
}

fn a_held_command_dies_with_the_bridge(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let bridge = house.gate(&Settings::enforce());
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.call("lock.unlock", "lock.front_door");
    let prompt = asked(&mut phone);
    bridge.kill();
    let _bridge = house.open_again();
    prompt.approve(&phone);
    witness.expect_where("hushgate/log", |record| record.payload.contains("answer_refused"));
    house.home_assistant.expect_state("lock.front_door", "locked");
    house.call("lock.lock", "lock.front_door");
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "LOCK");
}

/// The lock is there, an unlocking is held, arrives when it is approved, and the lock is locked again.
fn the_door_is_as_it_was(house: &mut House) {
    house.home_assistant.expect_state("lock.front_door", "locked");
    let (mut witness, mut phone) = (house.witness(), house.phone_client());
    house.call("lock.unlock", "lock.front_door");
    witness.expect("hushgate/gate/zigbee2mqtt/front/set");
    let prompt = asked(&mut phone);
    assert!(witness.received("zigbee2mqtt/front/set").is_empty(), "it went out before anybody approved");
    prompt.approve(&phone);
    assert_eq!(witness.expect("zigbee2mqtt/front/set").payload, "UNLOCK");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
    house.call("lock.lock", "lock.front_door");
    house.home_assistant.expect_state("lock.front_door", "locked");
}
