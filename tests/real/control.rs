//! Control of the bridge over MQTT: tightening at once, loosening only with a person's word; and muting.

use serde_json::json;

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::house::House;
use crate::prompt::asked;

pub const CASES: &[Case] = &[
    ("a_stored_control_message_loosens_nothing", a_stored_control_message_loosens_nothing),
    ("loosening_waits_for_a_person", loosening_waits_for_a_person),
    ("tightening_happens_at_once", tightening_happens_at_once),
    ("a_forged_state_is_put_right", a_forged_state_is_put_right),
    ("a_speaker_is_muted_and_unmuted", a_speaker_is_muted_and_unmuted),
    ("a_mute_ends_by_itself", a_mute_ends_by_itself),
];

fn a_stored_control_message_loosens_nothing(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/log"]);
    owner.publish_retained("hushgate/mode/set", "observe");
    owner.subscribe("hushgate/mode/set");
    owner.expect("hushgate/mode/set");

    let _bridge = house.open(&broker);
    owner.expect_where("hushgate/log", |record| record.payload.contains("ghost"));
    assert_eq!(owner.expect("hushgate/mode/set").payload, "", "the stored message is cleared");
    let mut late = Client::connect(&broker, &["hushgate/mode", "lights/+/set", "hushgate/prompt/phone"]);
    assert_eq!(late.expect("hushgate/mode").json()["mode"], "enforce");
    late.publish("hushgate/gate/lights/cellar/set", "1");
    late.publish("hushgate/gate/lights/kitchen/set", "1");
    assert_eq!(late.expect("lights/+/set").topic, "lights/kitchen/set");
    assert!(late.received("hushgate/prompt/phone").is_empty(), "nobody is asked about a stored message");
}

fn loosening_waits_for_a_person(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/mode", "lights/+/set", "hushgate/decision/#"]);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
    assert_eq!(owner.expect("hushgate/mode").json()["mode"], "enforce");

    owner.publish("hushgate/mode/set", r#"{"mode":"observe","for":"30m"}"#);
    let prompt = asked(&mut phone);
    prompt.reject(&phone);
    let decision = owner.expect("hushgate/decision/deny/hushgate.set_mode").json();
    assert_eq!(decision["request"]["target"], "observe");
    owner.publish("hushgate/gate/lights/cellar/set", "1");
    owner.expect("hushgate/decision/deny/light.turn_on");

    owner.publish("hushgate/mode/set", r#"{"mode":"observe","for":"30m"}"#);
    let prompt = asked(&mut phone);
    prompt.approve(&phone);
    let mode = owner.expect_where("hushgate/mode", |state| state.payload.contains("observe")).json();
    assert!(mode["until"].is_string(), "a loosening ends by itself: {mode}");
    owner.publish("hushgate/gate/lights/cellar/set", "2");
    let decision = owner.expect("hushgate/decision/deny/light.turn_on").json();
    assert_eq!((&decision["applied"], &decision["mode"]), (&json!("allow"), &json!("observe")));
    assert_eq!(decision["enforcement"], "not_enforced");
    assert_eq!(owner.expect("lights/+/set").payload, "2", "what only would have been denied goes out");
}

fn tightening_happens_at_once(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let text = std::fs::read_to_string(house.config()).expect("it was just written");
    std::fs::write(house.config(), text.replace("mode: enforce", "mode: observe")).expect("a writable folder");
    let _bridge = house.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/mode", "lights/+/set", "hushgate/decision/#"]);
    assert_eq!(owner.expect("hushgate/mode").json()["mode"], "observe");
    owner.publish("hushgate/mode/set", "enforce");
    owner.expect_where("hushgate/mode", |state| state.payload.contains("enforce"));
    owner.publish("hushgate/gate/lights/cellar/set", "1");
    let decision = owner.expect("hushgate/decision/deny/light.turn_on").json();
    assert_eq!(decision["applied"], "deny");
}

fn a_forged_state_is_put_right(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/mode", "hushgate/policy/+", "hushgate/log"]);
    for (topic, forged) in
        [("hushgate/mode", r#"{"mode":"observe"}"#), ("hushgate/policy/cellar", r#"{"state":"off"}"#)]
    {
        let ours = owner.expect(topic).payload;
        owner.publish_retained(topic, forged);
        assert_eq!(owner.expect(topic).payload, forged, "first everybody sees the forgery");
        assert_eq!(owner.expect(topic).payload, ours, "then the truth again");
        let record = owner.expect_where("hushgate/log", |record| record.payload.contains("forged"));
        assert_eq!(record.json()["topic"], topic);
    }
}

fn a_speaker_is_muted_and_unmuted(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut speaker = Client::connect(&broker, &["hermes/hotword/#", "hushgate/mute/kitchen"]);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
    assert_eq!(speaker.expect("hushgate/mute/kitchen").json()["state"], "unmuted");
    speaker.publish("hushgate/mute/kitchen/set", r#"{"mute":true,"for":"10m","reason":"guests"}"#);
    assert_eq!(speaker.expect("hermes/hotword/toggleOff").json()["siteId"], "kitchen");
    let state = speaker.expect("hushgate/mute/kitchen").json();
    assert_eq!((&state["state"], &state["reason"]), (&json!("muted"), &json!("guests")));

    // To listen again is a loosening: a person says so.
    speaker.publish("hushgate/mute/kitchen/set", "unmute");
    let prompt = asked(&mut phone);
    assert!(speaker.received("hermes/hotword/toggleOn").is_empty(), "it is still muted while the phone is asked");
    prompt.approve(&phone);
    assert_eq!(speaker.expect("hermes/hotword/toggleOn").json()["siteId"], "kitchen");
    assert_eq!(speaker.expect("hushgate/mute/kitchen").json()["state"], "unmuted");
}

fn a_mute_ends_by_itself(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut speaker = Client::connect(&broker, &["hermes/hotword/#", "hushgate/log"]);
    speaker.publish("hushgate/mute/kitchen/set", r#"{"mute":true,"for":"1s"}"#);
    speaker.expect("hermes/hotword/toggleOff");
    speaker.expect("hermes/hotword/toggleOn");
    speaker.expect_where("hushgate/log", |record| record.payload.contains("unmuted"));
}
