//! `hushgate doctor` in the test house: it names every door that is not covered, and the line to change.

use crate::Case;
use crate::bridge::Bridge;
use crate::house::{House, Plan};
use crate::prepared::Prepared;
use crate::settings::Settings;

pub const CASES: &[Case] = &[
    ("every_door_that_is_not_covered_is_named", every_door_that_is_not_covered_is_named),
    ("a_twin_covers_what_is_not_on_mqtt", a_twin_covers_what_is_not_on_mqtt),
];

/// Something is not covered.
const UNCOVERED: i32 = 1;

/// A lock that Home Assistant's owner has written in YAML: it never passes through discovery.
const YAML_LOCK: &str = "mqtt:\n  - lock:\n      name: Cellar door\n      unique_id: cellar_door\n      command_topic: \
                         cellar/set\n      state_topic: cellar/state\n";

fn doctor(house: &House) -> (String, Option<i32>) {
    let said = house.hushgate(&["doctor"]);
    (format!("{}{}", said.stdout, said.stderr), said.code)
}

fn house(prepared: &Prepared) -> House {
    let mut house =
        Plan::usual().not_on_mqtt().hushgate_package().package("yaml_lock", YAML_LOCK).hearing().build(prepared);
    house.devices.say("cellar/state", "LOCKED");
    house.home_assistant.expect_state("lock.cellar_door", "locked");
    house
}

/// Runs the bridge, and waits until Home Assistant has told it how everything is.
fn gate(house: &mut House) -> Bridge {
    let bridge = house.gate(&Settings::enforce());
    let state = "homeassistant_statestream/lock/back_door/state";
    house.client("owner", &[state]).expect(state);
    bridge
}

fn every_door_that_is_not_covered_is_named(prepared: &Prepared) {
    let mut house = house(prepared);
    let _bridge = gate(&mut house);
    let (told, code) = doctor(&house);
    assert_eq!(code, Some(UNCOVERED), "{told}");
    for found in ["lock.front_door", "cover.garage_door", "alarm_control_panel.house_alarm"] {
        assert!(told.contains(found), "{found} was found and is not named:\n{told}");
    }
    for uncovered in ["lock.cellar_door", "lock.back_door"] {
        assert!(told.contains(uncovered), "{uncovered} is not named:\n{told}");
    }
    assert!(told.contains("`zigbee2mqtt/<group>/set`"), "another door to the front door:\n{told}");
}

fn a_twin_covers_what_is_not_on_mqtt(prepared: &Prepared) {
    let mut house = house(prepared);
    let _bridge = gate(&mut house);
    let (before, _) = doctor(&house);
    assert!(before.contains("lock.back_door"), "{before}");
    let twins = Settings::enforce().with("twins: [lock.back_door, lock.cellar_door]");
    twins.write(house.folder().path(), &house.broker);
    let (after, _) = doctor(&house);
    assert_ne!(before, after, "the twins change nothing:\n{after}");
}
