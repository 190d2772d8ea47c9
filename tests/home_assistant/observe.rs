//! The first evening: a bridge beside a running house, with nothing changed there.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Case;
use crate::bridge::{Bridge, command};
use crate::broker::password_of;
use crate::house::Plan;
use crate::prepared::Prepared;

pub const CASES: &[Case] =
    &[("run_with_the_broker_alone_shows_each_command", run_with_the_broker_alone_shows_each_command)];

fn run_with_the_broker_alone_shows_each_command(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    house.expect_all_states();
    let mut witness = house.client("owner", &["hushgate/decision/#", "hushgate/status", "zigbee2mqtt/#", "garage/#"]);
    let folder = house.folder();
    std::fs::create_dir(folder.path().join("policies")).expect("a writable temporary folder");
    let url = format!("mqtt://127.0.0.1:{}", house.broker.port());
    let mut child = command()
        .args(["run", "--broker", &url, "--username", "hushgate"])
        .env("HUSHGATE_MQTT_PASSWORD", password_of("hushgate"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built program");
    let log = child.stderr.take().expect("piped");
    let _bridge = Bridge::reading(child, log, folder);
    witness.expect_where("hushgate/status", |message| message.payload == "online");

    // It subscribes to the devices that it has just found a moment after it is online; nothing tells when. A minute is
    // what an owner is promised.
    let began = Instant::now();
    let seen = loop {
        house.call("light.turn_on", "light.kitchen_light");
        let found = witness.next_within(Duration::from_secs(1));
        if let Some(seen) = found.filter(|message| message.topic == "hushgate/decision/allow/light.turn_on") {
            break seen.json();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no command is seen");
    };
    assert_eq!(seen["request"]["target"], "light.kitchen_light");
    house.call("lock.unlock", "lock.front_door");
    let seen = witness.expect("hushgate/decision/+/lock.unlock").json();
    assert_eq!(seen["request"]["target"], "lock.front_door");
    assert_eq!((&seen["request"]["door"], &seen["mode"]), (&json!("watch"), &json!("observe")), "{seen}");
    assert_eq!((&seen["verdict"], &seen["applied"]), (&json!("confirm"), &json!("allow")), "{seen}");
    assert_eq!(seen["grade"], "alerted");
    house.call("switch.turn_on", "switch.relay");
    witness.expect_where("hushgate/decision/allow/switch.turn_on", |seen| seen.payload.contains("switch.relay"));
    house.call("cover.open_cover", "cover.garage_door");
    witness.expect_where("hushgate/decision/+/+", |seen| seen.payload.contains("cover.garage_door"));
    // Nothing was held or undone.
    house.home_assistant.expect_state("cover.garage_door", "open");
    house.home_assistant.expect_state("lock.front_door", "unlocked");
}
