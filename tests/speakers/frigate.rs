//! Frigate: a camera is a microphone, and what turns it off is a command.

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::household::{Household, held, nothing_failed, told};

pub const CASES: &[Case] = &[
    ("a_muted_camera_stays_deaf", a_muted_camera_stays_deaf),
    ("what_it_heard_stands_nowhere_in_words", what_it_heard_stands_nowhere_in_words),
    ("turning_a_camera_off_is_asked_about", turning_a_camera_off_is_asked_about),
];

const HOUSE: &str = r#"channels:
  phone: {kind: person, independent: true, confirms: true}
speakers:
  nursery: {integration: frigate, settings: {camera: nursery_cam, recordings: true}}
  porch: {integration: frigate}
"#;
const HEARD: &str = "the safe is behind the zebra painting";

/// Frigate, which stores its states when it connects, then that it is there.
fn frigate(broker: &Broker) -> Client {
    let frigate = Client::speaking(Version::V3, broker, &["frigate/+/+/set", "frigate/+/ptz", "frigate/restart"]);
    connects(&frigate);
    frigate
}

/// It tells what its file says, not what was last commanded.
fn connects(frigate: &Client) {
    for camera in ["nursery_cam", "porch"] {
        for feature in ["enabled", "recordings", "audio", "detect", "motion"] {
            frigate.publish_retained(&format!("frigate/{camera}/{feature}/state"), "ON");
        }
    }
    frigate.publish_retained("frigate/available", "online");
}

fn a_muted_camera_stays_deaf() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut frigate = frigate(&broker);
    let _bridge = Household::on(&broker, HOUSE).open(&broker);
    let witness = Client::connect(&broker, &["hushgate/log"]);
    let (audio, recordings) = ("frigate/nursery_cam/audio/set", "frigate/nursery_cam/recordings/set");
    witness.publish("test/mute/mic", "nursery");
    assert_eq!(frigate.expect(audio).payload, "OFF");
    assert_eq!(frigate.expect(recordings).payload, "OFF");
    frigate.publish_retained("frigate/nursery_cam/audio/state", "OFF");
    frigate.publish_retained("frigate/nursery_cam/recordings/state", "OFF");

    // Somebody lets it record again: that is half of what was muted.
    frigate.publish_retained("frigate/nursery_cam/recordings/state", "ON");
    assert_eq!(frigate.expect(audio).payload, "OFF");
    assert_eq!(frigate.expect(recordings).payload, "OFF");
    frigate.publish_retained("frigate/nursery_cam/recordings/state", "OFF");

    // A command that Frigate does not know is repeated by it as if it were a state. It is none.
    for broken in ["off", "on", "1", "{}", "unknown"] {
        frigate.publish("frigate/nursery_cam/audio/state", broken);
    }
    frigate.publish("test/mute/mic", "porch");
    assert_eq!(frigate.expect("frigate/+/audio/set").topic, "frigate/porch/audio/set");
    assert!(frigate.received("frigate/porch/recordings/set").is_empty(), "its recordings are not mentioned");
    frigate.publish_retained("frigate/porch/audio/state", "OFF");

    // Frigate is started again.
    frigate.publish_retained("frigate/available", "offline");
    connects(&frigate);
    assert_eq!(frigate.expect(audio).payload, "OFF");
    assert_eq!(frigate.expect(recordings).payload, "OFF");
    assert_eq!(frigate.expect("frigate/porch/audio/set").payload, "OFF");
    nothing_failed(&witness);
}

fn what_it_heard_stands_nowhere_in_words() {
    let broker = Broker::start(Kind::Mosquitto);
    let frigate = frigate(&broker);
    let household = Household::on(&broker, HOUSE);
    let rule = "//! Tells that somebody spoke, not what.\n\nconst EVENTS = [\"voice.transcript\", \"frigate.speech\"];\n\nfn \
                on_event(event) {\n    notify(`${event.speaker} heard ${event.text_or(\"\").len()} characters`);\n}\n";
    household.policy("heard", rule);
    let mut bridge = household.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/#"]);
    frigate.publish("frigate/nursery_cam/audio/speech", "ON");
    frigate.publish("frigate/nursery_cam/audio/transcription", "");
    frigate.publish("frigate/nursery_cam/audio/transcription", &format!("{HEARD} "));
    owner.expect_where("hushgate/notice", |notice| notice.payload.contains("nursery heard 0 characters"));
    owner.expect_where("hushgate/notice", |notice| {
        notice.payload.contains(&format!("nursery heard {} characters", HEARD.len()))
    });
    let told = owner.received("hushgate/#");
    assert!(told.len() > 1, "everything that it says was listened to");
    for message in told {
        assert!(!message.payload.contains("zebra") && !message.topic.contains("zebra"), "{message:?}");
    }
    nothing_failed(&owner);
    bridge.signal("TERM");
    let log = bridge.whole_log();
    assert!(!log.contains("zebra"), "{log}");
    let kept = household.kept();
    assert!(kept.contains("voice.transcript"), "that it heard something is in the log");
    assert!(!kept.contains("zebra"), "what it heard is not");
}

fn turning_a_camera_off_is_asked_about() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut frigate = frigate(&broker);
    let _bridge = Household::on(&broker, HOUSE).open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/decision/#", "hushgate/log"]);
    for (topic, payload, action) in [
        ("porch/recordings/set", "OFF", "switch.turn_off"),
        ("porch/detect/set", "OFF", "switch.turn_off"),
        ("porch/enabled/set", "OFF", "camera.turn_off"),
        ("porch/audio/set", "ON", "switch.turn_on"),
        ("porch/zone/street/set", "OFF", "switch.turn_off"),
        ("porch/motion_threshold/set", "255", "number.set_value"),
        ("porch/ptz", "MOVE_UP", "frigate.ptz"),
        ("porch/detect/set", "off", "command.unreadable"),
        ("porch/brightness/set", "ON", "command.unreadable"),
        ("profile/set", "away", "frigate.set_profile"),
        ("restart", "now", "frigate.restart"),
    ] {
        owner.publish(&format!("hushgate/gate/frigate/{topic}"), payload);
        held(&mut owner, action);
    }
    // Of all of them only what is ordinary reaches the camera.
    owner.publish("hushgate/gate/frigate/porch/recordings/set", "ON");
    let first = frigate.expect("frigate/#");
    assert_eq!((first.topic.as_str(), first.payload.as_str()), ("frigate/porch/recordings/set", "ON"));
    let decision = told(&mut owner, "hushgate/decision/allow/switch.turn_on");
    assert_eq!(decision["request"]["target"], "switch.porch_recordings");
    owner.publish("hushgate/gate/frigate/porch/ptz", "STOP");
    assert_eq!(frigate.expect("frigate/porch/ptz").payload, "STOP");
    nothing_failed(&owner);
}
