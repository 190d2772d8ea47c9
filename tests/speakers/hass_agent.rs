//! A PC with HASS.Agent: the question in a notification, its buttons as answers, over MQTT alone.

use serde_json::{Value, json};

use crate::Case;
use crate::bridge::Bridge;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::household::{Household, nothing_failed, told};

pub const CASES: &[Case] = &[
    ("allow_opens_the_door", allow_opens_the_door),
    ("deny_keeps_it_shut", deny_keeps_it_shut),
    ("old_buttons_and_other_pcs_open_nothing", old_buttons_and_other_pcs_open_nothing),
    ("a_pin_is_typed_into_the_notification", a_pin_is_typed_into_the_notification),
    ("its_sound_is_muted_and_nothing_playing_says_nothing", its_sound_is_muted_and_nothing_playing_says_nothing),
];

const UNLOCK: &str = r#"{"state":"UNLOCK"}"#;
const LOCK: &str = r#"{"state":"LOCK"}"#;
const GATE: &str = "hushgate/gate/zigbee2mqtt/door/set";
/// The hash of 4711.
const PIN: &str = "$argon2id$v=19$m=64,t=1,p=1$dGVzdHMtcGhvbmUtc2FsdA$KL4h54t5l8LZ0AqsmL9tGEN1iYs4nxIndHQFuuFlpqI";
const STUDY: &str = "hass.agent/notifications/STUDY-PC";

/// `terms`: what the channels have besides.
fn house(terms: &str) -> String {
    format!(
        r#"commands:
  - {{topic: "zigbee2mqtt/{{name}}/set", when: {{state: UNLOCK}}, action: lock.unlock, target: "{{name}}"}}
  - {{topic: "zigbee2mqtt/{{name}}/set", when: {{state: LOCK}}, action: lock.lock, target: "{{name}}"}}
channels:
  study_pc: {{kind: person, independent: true, confirms: true, speaker: study_pc{terms}}}
  hall_pc: {{kind: person, independent: true, confirms: true, speaker: hall_pc}}
speakers:
  study_pc: {{integration: hass_agent, settings: {{pc: STUDY-PC, pin: {}}}}}
  hall_pc: {{integration: hass_agent, settings: {{pc: HALL-PC}}}}
"#,
        !terms.is_empty()
    )
}

struct Scene {
    _bridge: Bridge,
    /// HASS.Agent on both PCs.
    pcs: Client,
    door: Client,
}

fn scene(broker: &Broker, terms: &str) -> Scene {
    let bridge = Household::on(broker, &house(terms)).open(broker);
    let pcs = Client::speaking(Version::V3, broker, &["hass.agent/notifications/+", "hass.agent/media_player/+/cmd"]);
    let door =
        Client::connect(broker, &["zigbee2mqtt/+/set", "hushgate/decision/#", "hushgate/log", "hushgate/pending/+"]);
    Scene { _bridge: bridge, pcs, door }
}

/// The question as it stands on the study's PC.
fn asked(scene: &mut Scene) -> Value {
    scene.door.publish(GATE, UNLOCK);
    let question = scene.pcs.expect_where(STUDY, |message| message.payload.contains("ALLOW_")).json();
    assert_eq!(question["title"], "Hushgate");
    assert!(question["message"].as_str().is_some_and(|text| !text.is_empty()), "{question}");
    assert_eq!(question["data"]["actions"][0]["title"], "Allow");
    assert_eq!(question["data"]["actions"][1]["title"], "Deny");
    question
}

/// What HASS.Agent sends when a button is pressed.
fn press(client: &Client, pc: &str, action: &Value, input: &Value) {
    let pressed = json!({"action": action, "input": input, "uri": null});
    client.publish(&format!("hass.agent/notifications/{pc}/actions"), &pressed.to_string());
}

fn allow_opens_the_door() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut scene = scene(&broker, "");
    let question = asked(&mut scene);
    press(&scene.pcs, "STUDY-PC", &question["data"]["actions"][0]["action"], &Value::Null);
    assert_eq!(scene.door.expect("zigbee2mqtt/door/set").payload, UNLOCK);
    let decision = told(&mut scene.door, "hushgate/decision/allow/lock.unlock");
    assert_eq!(decision["settles"]["outcome"], "approved");
    assert_eq!(decision["settles"]["channel"], "study_pc");
    let cleared = scene.pcs.expect_where(STUDY, |message| message.payload.contains("clear_notification")).json();
    assert_eq!(cleared["data"]["tag"], question["data"]["tag"], "the notification is taken away");
    nothing_failed(&scene.door);
}

fn deny_keeps_it_shut() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut scene = scene(&broker, "");
    let question = asked(&mut scene);
    press(&scene.pcs, "STUDY-PC", &question["data"]["actions"][1]["action"], &Value::Null);
    let decision = told(&mut scene.door, "hushgate/decision/deny/lock.unlock");
    assert_eq!(decision["settles"]["outcome"], "rejected");
    scene.door.publish(GATE, LOCK);
    assert_eq!(scene.door.expect("zigbee2mqtt/door/set").payload, LOCK, "the door has heard nothing before");
}

fn old_buttons_and_other_pcs_open_nothing() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut scene = scene(&broker, "");
    let old = asked(&mut scene)["data"]["actions"][0]["action"].clone();
    press(&scene.pcs, "STUDY-PC", &json!(old.as_str().expect("a text").replace("ALLOW_", "DENY_")), &Value::Null);
    told(&mut scene.door, "hushgate/decision/deny/lock.unlock");
    let question = asked(&mut scene);
    let allow = &question["data"]["actions"][0]["action"];
    assert_ne!(*allow, old);
    // The button of the question that is over; the right one on the hall's PC; on one that nobody knows; and what is none.
    press(&scene.pcs, "STUDY-PC", &old, &Value::Null);
    press(&scene.pcs, "HALL-PC", allow, &Value::Null);
    press(&scene.pcs, "GUEST-PC", allow, &Value::Null);
    for broken in [json!(null), json!(7), json!({"ALLOW_": 1}), json!("ALLOW_x"), json!("DENY"), json!(["ALLOW_"])] {
        press(&scene.pcs, "STUDY-PC", &broken, &Value::Null);
    }
    for broken in ["", "{", "[]", "null", r#""ALLOW_""#] {
        scene.pcs.publish(&format!("{STUDY}/actions"), broken);
    }
    // The old button, the hall's PC, and the token `x`.
    let refused = [(); 3]
        .map(|()| scene.door.expect_where("hushgate/log", |record| record.payload.contains("answer_refused")).json());
    let told = refused.map(|record| format!("{}: {}", record["channel"], record["reason"]));
    let unknown = "no request waits under this token";
    assert_eq!(
        told,
        [
            format!(r#""study_pc": "{unknown}""#),
            format!(r#""hall_pc": "{unknown}""#),
            format!(r#""study_pc": "{unknown}""#),
        ]
    );
    scene.door.publish(GATE, LOCK);
    assert_eq!(scene.door.expect("zigbee2mqtt/door/set").payload, LOCK, "nothing has opened it");
    nothing_failed(&scene.door);
}

fn a_pin_is_typed_into_the_notification() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut scene = scene(&broker, &format!(", pin: \"{PIN}\""));
    let question = asked(&mut scene);
    assert_eq!(question["data"]["inputs"][0]["id"], "pin");
    let allow = &question["data"]["actions"][0]["action"];
    for (input, reason) in [
        (Value::Null, "the answer has no PIN"),
        (json!({"pin": "0000"}), "the PIN is wrong"),
        (json!({"pin": {"a": 1}}), "the answer has no PIN"),
        (json!(["4711"]), "the answer has no PIN"),
    ] {
        press(&scene.pcs, "STUDY-PC", allow, &input);
        let record = scene.door.expect_where("hushgate/log", |record| record.payload.contains("answer_refused")).json();
        assert_eq!(record["reason"], reason, "{input}");
    }
    press(&scene.pcs, "STUDY-PC", allow, &json!({"pin": "4711"}));
    assert_eq!(scene.door.expect("zigbee2mqtt/door/set").payload, UNLOCK);
    assert_eq!(told(&mut scene.door, "hushgate/decision/allow/lock.unlock")["settles"]["channel"], "study_pc");
    nothing_failed(&scene.door);
}

fn its_sound_is_muted_and_nothing_playing_says_nothing() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut scene = scene(&broker, "");
    let command = "hass.agent/media_player/STUDY-PC/cmd";
    let state = "hass.agent/media_player/STUDY-PC/state";
    let playing = |muted: bool| {
        json!({"title": "A song", "artist": "Pavo", "albumtitle": "", "albumartist": "", "duration": 246.0,
            "currentposition": 3.5, "state": "playing", "volume": 40, "muted": muted})
        .to_string()
    };
    scene.door.publish("test/mute/sound", "study_pc");
    assert_eq!(told(&mut scene.pcs, command), json!({"command": "mute", "data": true}));
    scene.pcs.publish(state, &playing(true));
    // Where nothing plays, HASS.Agent sends fields that were never filled in.
    scene.pcs.publish(state, r#"{"duration":0.0,"currentposition":0.0,"state":"off","volume":0,"muted":false}"#);
    scene.pcs.publish("test/say/study_pc", "still muted");
    assert_eq!(told(&mut scene.pcs, STUDY)["message"], "still muted");
    assert!(scene.pcs.received(command).is_empty(), "no un-mute was seen");
    scene.pcs.publish(state, &playing(false));
    assert_eq!(told(&mut scene.pcs, command), json!({"command": "mute", "data": true}), "somebody turned it on");
    nothing_failed(&scene.door);
}
