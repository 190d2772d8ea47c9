//! The gate: allowed, denied, held until a person says yes on another channel.

use rumqttc::v5::mqttbytes::v5::PublishProperties;

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::house::House;
use crate::prompt::asked;

pub const CASES: &[Case] = &[
    ("an_allowed_command_reaches_its_device", an_allowed_command_reaches_its_device),
    ("a_denied_command_does_not", a_denied_command_does_not),
    ("a_sensitive_command_waits_for_an_approval", a_sensitive_command_waits_for_an_approval),
    ("a_rejected_command_is_gone", a_rejected_command_is_gone),
    ("old_clients_pass_through_the_gate", old_clients_pass_through_the_gate),
    ("a_stored_unlock_moves_nothing", a_stored_unlock_moves_nothing),
    ("bad_topics_are_refused_with_a_record", bad_topics_are_refused_with_a_record),
];

fn an_allowed_command_reaches_its_device(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut device = Client::connect(&broker, &["lights/+/set", "hushgate/decision/#"]);
    let expiry = PublishProperties { message_expiry_interval: Some(5), ..PublishProperties::default() };
    device.publish_with("hushgate/gate/lights/kitchen/set", "40", expiry);

    let command = device.expect("lights/kitchen/set");
    assert_eq!(command.payload, "40");
    assert!(!command.retain);
    assert!(command.expiry_s.is_some_and(|expiry_s| expiry_s <= 5), "{command:?}");
    let decision = device.expect("hushgate/decision/allow/light.turn_on").json();
    assert_eq!(decision["request"]["target"], "kitchen");
    assert_eq!(decision["applied"], "allow");
    assert_eq!(decision["grade"], "prevented");
}

fn a_denied_command_does_not(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut device = Client::connect(&broker, &["lights/+/set", "hushgate/decision/#"]);
    device.publish("hushgate/gate/lights/cellar/set", "100");
    device.publish("hushgate/gate/lights/kitchen/set", "7");

    let decision = device.expect("hushgate/decision/deny/light.turn_on").json();
    assert_eq!(decision["reason"], "the cellar stays dark");
    assert_eq!(decision["deciding"], serde_json::json!(["cellar"]));
    // The light of the kitchen was asked for later: had the cellar's gone out, it would have come first.
    assert_eq!(device.expect("lights/+/set").topic, "lights/kitchen/set");
}

fn a_sensitive_command_waits_for_an_approval(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut device = Client::connect(&broker, &["zigbee2mqtt/+/set", "hushgate/pending/+", "hushgate/decision/#"]);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
    device.publish("hushgate/gate/zigbee2mqtt/door/set", r#"{"state":"UNLOCK"}"#);

    let prompt = asked(&mut phone);
    let pending = device.expect("hushgate/pending/+");
    assert_eq!(pending.json()["action"], "lock.unlock");
    assert!(!pending.payload.contains(&prompt.token), "the token is for the phone alone");
    prompt.approve(&phone);

    assert_eq!(device.expect("zigbee2mqtt/door/set").payload, r#"{"state":"UNLOCK"}"#);
    let decision = device.expect("hushgate/decision/allow/lock.unlock").json();
    assert_eq!(decision["settles"]["outcome"], "approved");
    assert_eq!(decision["settles"]["channel"], "phone");
    assert_eq!(device.expect(&pending.topic).payload, "", "what is over is cleared");

    // The same answer once more has no effect: the next command on the topic is the next that was asked for.
    prompt.approve(&phone);
    device.publish("hushgate/gate/zigbee2mqtt/door/set", r#"{"state":"LOCK"}"#);
    assert_eq!(device.expect("zigbee2mqtt/door/set").payload, r#"{"state":"LOCK"}"#);
}

fn a_rejected_command_is_gone(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut device = Client::connect(&broker, &["zigbee2mqtt/+/set", "hushgate/decision/#", "hushgate/log"]);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
    device.publish("hushgate/gate/zigbee2mqtt/door/set", r#"{"state":"UNLOCK"}"#);

    let prompt = asked(&mut phone);
    phone.publish(&prompt.answer_topic, "approve 0000000000000000");
    let refused = device.expect_where("hushgate/log", |record| record.payload.contains("answer_refused"));
    assert_eq!(refused.json()["reason"], "the token is wrong");
    let panel = prompt.answer_topic.replace("/phone/", "/panel/");
    phone.publish(&panel, &format!("approve {}", prompt.token));
    let refused = device.expect_where("hushgate/log", |record| record.payload.contains("answer_refused"));
    let reason = "it is not known who asked, and this channel is not independent";
    assert_eq!(refused.json()["reason"], reason);

    prompt.reject(&phone);
    let decision = device.expect("hushgate/decision/deny/lock.unlock").json();
    assert_eq!(decision["settles"]["outcome"], "rejected");
    device.publish("hushgate/gate/zigbee2mqtt/door/set", r#"{"state":"LOCK"}"#);
    assert_eq!(device.expect("zigbee2mqtt/door/set").payload, r#"{"state":"LOCK"}"#);
}

fn old_clients_pass_through_the_gate(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut device = Client::speaking(Version::V3, &broker, &["lights/+/set", "hushgate/decision/#"]);
    device.publish("hushgate/gate/lights/cellar/set", "1");
    device.send("hushgate/gate/lights/kitchen/set", "2", 0, false);

    let command = device.expect("lights/+/set");
    assert_eq!((command.topic.as_str(), command.payload.as_str()), ("lights/kitchen/set", "2"));
    assert_eq!(command.qos, 0, "the lower of the command's and 1");
    assert_eq!(device.expect("hushgate/decision/deny/light.turn_on").json()["request"]["target"], "cellar");
}

fn a_stored_unlock_moves_nothing(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let topic = "hushgate/gate/zigbee2mqtt/door/set";
    let mut device = Client::connect(&broker, &["zigbee2mqtt/+/set", "hushgate/log", "hushgate/pending/+"]);
    device.publish_retained(topic, r#"{"state":"UNLOCK"}"#);
    device.subscribe(topic);
    device.expect_where(topic, |message| message.payload.contains("UNLOCK"));

    let _bridge = house.open(&broker);
    let ghost = device.expect_where("hushgate/log", |record| record.payload.contains("ghost"));
    assert!(ghost.payload.contains(topic) || ghost.payload.contains("zigbee2mqtt/door/set"), "{ghost:?}");
    assert_eq!(device.expect(topic).payload, "", "the stored command is cleared");

    device.publish("hushgate/gate/zigbee2mqtt/door/set", r#"{"state":"LOCK"}"#);
    assert_eq!(device.expect("zigbee2mqtt/+/set").payload, r#"{"state":"LOCK"}"#);
    assert!(device.received("hushgate/pending/+").is_empty(), "a ghost is not even asked about");
    let latecomer = Client::connect(&broker, &[topic]);
    assert!(latecomer.received(topic).is_empty(), "nothing is stored any more");
}

fn bad_topics_are_refused_with_a_record(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut device = Client::connect(&broker, &["lights/#", "unknown/#", "homeassistant/light/#", "hushgate/log"]);
    // The embedded broker lets no `$` into any level of a topic.
    let reserved = (kind == Kind::Mosquitto).then_some("$SYS/x");
    for topic in ["unknown/thing/set", "hushgate/mode/set", "homeassistant/light/x/config"].into_iter().chain(reserved)
    {
        device.publish(&format!("hushgate/gate/{topic}"), "x");
        let refused = device.expect_where("hushgate/log", |record| record.payload.contains("refused"));
        assert!(refused.payload.contains(topic), "{topic}: {}", refused.payload);
    }
    device.publish("hushgate/gate/lights/kitchen/set", "1");
    device.expect("lights/kitchen/set");
    assert!(device.received("unknown/#").is_empty() && device.received("homeassistant/light/#").is_empty());
}
