//! The mirrored discovery and twins: what a Home Assistant that reads the mirror finds there, and what its commands become.

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::house::House;
use crate::prompt::asked;

pub const CASES: &[Case] = &[
    ("a_lock_is_commanded_through_its_mirror", a_lock_is_commanded_through_its_mirror),
    ("a_restart_leaves_the_mirror_as_it_stands", a_restart_leaves_the_mirror_as_it_stands),
    ("what_is_deleted_stays_deleted", what_is_deleted_stays_deleted),
    ("a_forged_mirror_is_put_right", a_forged_mirror_is_put_right),
    ("a_twins_command_is_handed_to_home_assistant", a_twins_command_is_handed_to_home_assistant),
];

const FRONT: &str = "homeassistant/lock/front/config";
const MIRRORED: &str = "hushgate/homeassistant/lock/front/config";
const LOCK: &str = r#"{"name":"Front","uniq_id":"f","cmd_t":"z/front/set","stat_t":"z/front","ret":true}"#;
const LAMP: &str = r#"{"name":"Lamp","uniq_id":"l","cmd_t":"z/lamp/set","stat_t":"z/lamp"}"#;

fn a_lock_is_commanded_through_its_mirror(kind: Kind) {
    let broker = Broker::start(kind);
    // Announced before the bridge is there, and stored.
    let mut device = Client::connect(&broker, &["z/front/set"]);
    device.publish_retained(FRONT, LOCK);
    let _bridge = House::on(&broker).open(&broker);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
    let mut home_assistant = Client::connect(&broker, &["hushgate/homeassistant/#"]);

    let mirrored = home_assistant.expect(MIRRORED).json();
    assert_eq!(mirrored["command_topic"], "hushgate/gate/z/front/set");
    assert_eq!(mirrored["state_topic"], "z/front");
    assert_eq!(mirrored["retain"], false);
    assert_eq!(mirrored["availability"][0]["topic"], "hushgate/status");
    let gate = mirrored["command_topic"].as_str().expect("a topic");
    home_assistant.publish(gate, "UNLOCK");
    asked(&mut phone).approve(&phone);
    assert_eq!(device.expect("z/front/set").payload, "UNLOCK");
}

fn a_restart_leaves_the_mirror_as_it_stands(kind: Kind) {
    let broker = Broker::start(kind);
    let owner = Client::connect(&broker, &[]);
    let mut home_assistant = Client::connect(&broker, &["hushgate/homeassistant/+/+/config"]);
    let house = House::on(&broker);
    owner.publish_retained(FRONT, LOCK);
    let bridge = house.open(&broker);
    home_assistant.expect(MIRRORED);
    bridge.kill();

    let _bridge = house.open(&broker);
    // Had the lock been written once more, it would have come first.
    owner.publish_retained("homeassistant/switch/lamp/config", LAMP);
    let next =
        home_assistant.expect_where("hushgate/homeassistant/+/+/config", |message| !message.topic.contains("/device/"));
    assert_eq!(next.topic, "hushgate/homeassistant/switch/lamp/config");
    assert_eq!(next.json()["command_topic"], "z/lamp/set", "an ordinary device is commanded directly");
}

fn what_is_deleted_stays_deleted(kind: Kind) {
    let broker = Broker::start(kind);
    let mut owner = Client::connect(&broker, &["homeassistant/lock/+/config"]);
    let mut home_assistant = Client::connect(&broker, &["hushgate/homeassistant/lock/+/config"]);
    let house = House::on(&broker);
    let bridge = house.open(&broker);
    owner.publish_retained(FRONT, LOCK);
    home_assistant.expect(MIRRORED);
    home_assistant.publish_retained(MIRRORED, "");
    owner.expect_where(FRONT, |message| message.payload.is_empty());
    bridge.kill();

    let _bridge = house.open(&broker);
    owner.publish_retained("homeassistant/lock/back/config", LAMP);
    let is_written = |topic: &str| {
        let topic = topic.to_owned();
        move |message: &crate::client::Received| message.topic == topic && !message.payload.is_empty()
    };
    home_assistant
        .expect_where("hushgate/homeassistant/lock/+/config", is_written("hushgate/homeassistant/lock/back/config"));
    let written = home_assistant.received(MIRRORED);
    assert!(written.iter().all(|message| message.payload.is_empty()), "{written:?}");
    owner.publish_retained(FRONT, LOCK);
    home_assistant.expect_where(MIRRORED, is_written(MIRRORED));
}

fn a_forged_mirror_is_put_right(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let owner = Client::connect(&broker, &[]);
    let mut home_assistant = Client::connect(&broker, &["hushgate/homeassistant/lock/+/config", "hushgate/log"]);
    owner.publish_retained(FRONT, LOCK);
    let first = home_assistant.expect(MIRRORED).payload;
    Client::connect(&broker, &[]).publish_retained(MIRRORED, LOCK);
    assert_eq!(home_assistant.expect(MIRRORED).payload, LOCK);
    assert_eq!(home_assistant.expect(MIRRORED).payload, first);
    let told = home_assistant.expect_where("hushgate/log", |record| record.payload.contains("forged"));
    assert_eq!(told.json()["topic"], MIRRORED);
}

fn a_twins_command_is_handed_to_home_assistant(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    house.add("home_assistant: { twins: [lock.terrace] }\nfacts: { statestream: ha }\n");
    let _bridge = house.open(&broker);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
    let mut home_assistant =
        Client::connect(&broker, &["hushgate/homeassistant/lock/#", "hushgate/act", "hushgate/decision/#"]);
    let announced = home_assistant.expect("hushgate/homeassistant/lock/hushgate_twin/terrace/config").json();
    assert_eq!(announced["state_topic"], "ha/lock/terrace/state");
    let topic = announced["command_topic"].as_str().expect("a topic");
    home_assistant.publish(topic, r#"{"action":"UNLOCK","code":"4711"}"#);
    asked(&mut phone).approve(&phone);

    let act = home_assistant.expect("hushgate/act").json();
    let expected = serde_json::json!({
        "action": "lock.unlock", "target": {"entity_id": "lock.terrace"}, "data": {"code": "4711"},
    });
    assert_eq!(act, expected);
    let decision = home_assistant.expect("hushgate/decision/allow/lock.unlock");
    assert_eq!(decision.json()["request"]["door"], "twin");
    assert!(!decision.payload.contains("4711"), "{}", decision.payload);
}
