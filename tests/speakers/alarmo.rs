//! Alarmo: every spelling of its command, and its code in no other place than where it belongs.

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::household::{Household, held, nothing_failed, told};

pub const CASES: &[Case] = &[
    ("the_code_is_seen_nowhere", the_code_is_seen_nowhere),
    ("every_spelling_of_disarm_is_asked_about", every_spelling_of_disarm_is_asked_about),
    ("what_it_tells_is_heard", what_it_tells_is_heard),
];

const HOUSE: &str =
    "channels:\n  phone: {kind: person, independent: true, confirms: true}\nintegrations: {use: {alarmo: {}}}\n";
const GATE: &str = "hushgate/gate/alarmo/command";
/// Nothing else in this house has these digits in it.
const CODE: &str = "9073615842";

fn the_code_is_seen_nowhere() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut alarmo = Client::speaking(Version::V3, &broker, &["alarmo/command"]);
    let household = Household::on(&broker, HOUSE);
    let mut bridge = household.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/#"]);
    let spellings = [
        ("command", "code", "arm_away"),
        ("CMD", "PIN", "ARM_HOME"),
        ("action", "password", "Arm_Night"),
        ("state", "PinCode", "arm_vacation"),
        ("command", "code", "disarm"),
        ("command", "pin", "open_sesame"),
    ];
    for (command, code, word) in spellings {
        let payload = format!(r#"{{"{command}":"{word}","{code}":"{CODE}"}}"#);
        alarmo.publish(GATE, &payload);
        if word.to_lowercase().starts_with("arm_") {
            assert_eq!(alarmo.expect("alarmo/command").payload, payload, "it is passed on as it was sent");
        }
    }
    alarmo.publish(GATE, &format!(r#"{{"command":"arm_away","code":{CODE}}}"#));
    alarmo.expect("alarmo/command");
    // What waits for an answer was asked about by now, and what waits is kept on the disk.
    for action in ["alarm_control_panel.alarm_disarm", "command.unreadable"] {
        owner.expect_where("hushgate/prompt/phone", |prompt| prompt.payload.contains(action));
    }
    owner.publish("hushgate/log/level/set", "x");
    let is_own = |topic: &str| topic == GATE;
    for message in owner.received("hushgate/#") {
        let is_told = message.payload.contains(CODE) || message.topic.contains(CODE);
        assert!(!is_told || is_own(&message.topic), "{message:?}");
    }
    nothing_failed(&owner);
    bridge.signal("TERM");
    let log = bridge.whole_log();
    assert!(!log.contains(CODE), "{log}");
    let records = household.journal();
    assert!(records.contains("alarm_arm_away") && !records.contains(CODE), "{records}");
}

fn every_spelling_of_disarm_is_asked_about() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut alarmo = Client::speaking(Version::V3, &broker, &["alarmo/command"]);
    let _bridge = Household::on(&broker, HOUSE).open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/decision/#", "hushgate/log"]);
    for (payload, action, target) in [
        ("disarm", "alarm_control_panel.alarm_disarm", "alarm_control_panel.alarmo"),
        ("DISARM", "alarm_control_panel.alarm_disarm", "alarm_control_panel.alarmo"),
        (r#"{"cmd":"Disarm","area":"garage"}"#, "alarm_control_panel.alarm_disarm", "alarm_control_panel.garage"),
        (r#"{"STATE":"disarm","Area":"garage"}"#, "alarm_control_panel.alarm_disarm", "alarm_control_panel.garage"),
        (
            r#"{"command":"arm_away","action":"disarm"}"#,
            "alarm_control_panel.alarm_disarm",
            "alarm_control_panel.alarmo",
        ),
        (r#"{"command":"arm_away","force":true}"#, "alarm_control_panel.alarm_arm_away", "alarm_control_panel.alarmo"),
        (
            r#"{"command":"arm_away","Bypass_Open_Sensors":1}"#,
            "alarm_control_panel.alarm_arm_away",
            "alarm_control_panel.alarmo",
        ),
        ("trigger", "command.unreadable", ""),
        ("{}", "command.unreadable", ""),
        (r#"["disarm"]"#, "command.unreadable", ""),
        (r#""disarm""#, "command.unreadable", ""),
        (r#"{"command":7}"#, "command.unreadable", ""),
        (r#"{"command":"arm_away","area":{"a":1}}"#, "command.unreadable", ""),
        (r#"{"command":"arm_away","area":"a","AREA":"b"}"#, "command.unreadable", ""),
    ] {
        owner.publish(GATE, payload);
        let request = held(&mut owner, action);
        assert_eq!(request["target"].as_str().unwrap_or_default(), target, "{payload}");
    }
    owner.publish(GATE, "arm_home");
    assert_eq!(alarmo.expect("alarmo/command").payload, "arm_home", "nothing that waits has reached it");
    nothing_failed(&owner);
}

fn what_it_tells_is_heard() {
    let broker = Broker::start(Kind::Mosquitto);
    let alarmo = Client::speaking(Version::V3, &broker, &[]);
    alarmo.publish_retained("alarmo/state", "armed_away");
    alarmo.publish_retained("alarmo/garage/state", "disarmed");
    alarmo.publish_retained("alarmo/event", r#"{"event":"INVALID_CODE_PROVIDED"}"#);
    let household = Household::on(&broker, HOUSE);
    let rule = r#"//! Tells of wrong codes.

const EVENTS = ["alarmo.*"];

fn on_event(event) {
    notify(`${event.name} ${event.data_or("area", "")} ${state("alarm_control_panel.alarmo", "?")} ${state("alarm_control_panel.garage", "?")}`);
}
"#;
    household.policy("wrong_codes", rule);
    let _bridge = household.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/notice", "hushgate/log"]);
    for broken in
        ["", "{", "[]", "7", r#"{"event":7}"#, r#"{"event":"DOOR_OPENED"}"#, r#"{"event":"ARM_AWAY","delay":"x"}"#]
    {
        alarmo.publish("alarmo/event", broken);
    }
    alarmo.publish("alarmo/garage/event", r#"{"event": "INVALID_CODE_PROVIDED"}"#);
    let notice = told(&mut owner, "hushgate/notice");
    assert_eq!(notice["text"], "alarmo.arm_away  armed_away disarmed", "the stored event was none: {notice}");
    let notice = told(&mut owner, "hushgate/notice");
    assert_eq!(notice["text"], "alarmo.invalid_code_provided garage armed_away disarmed");
    alarmo.publish_retained("alarmo/state", "{\"state\":\"disarmed\"}");
    alarmo.publish("alarmo/event", r#"{"event": "NO_CODE_PROVIDED"}"#);
    let notice = told(&mut owner, "hushgate/notice");
    assert_eq!(notice["text"], "alarmo.no_code_provided  ? disarmed", "what is no state is not known");
    nothing_failed(&owner);
}
