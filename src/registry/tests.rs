//! Tables of topic and payload, and what they mean.

use super::*;
use crate::config::{self, NoSecrets};
use serde_json::json;

fn registry(text: &str) -> Registry {
    Registry::new(&config::parse("test.yaml", text, &NoSecrets).expect("a configuration"))
}

fn built_in() -> Registry {
    registry(config::BUILT_IN)
}

/// `action target text data channel`, absent parts as `-`.
fn told(request: Option<Request>) -> String {
    let Some(request) = request else { return "unknown topic".to_owned() };
    let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
    let data = if request.data.is_empty() { None } else { serde_json::to_string(&request.data).ok() };
    format!(
        "{} {} {} {} {}{}",
        request.action,
        part(request.target),
        part(request.text),
        part(data),
        part(request.source.channel),
        if request.sensitive { " sensitive" } else { "" },
    )
}

#[test]
fn commands_are_read_from_topic_and_payload() {
    let registry = built_in();
    for (topic, payload, expected) in [
        ("signal/out/method/send/recipient/%2B4917", "dinner?", "notify.send_message +4917 dinner? - -"),
        ("signal/out/method/updateAccount/x/y", "", "unknown topic"),
        (
            "kitchen_echo/message/anna",
            r#"{"text":"hi","language":"en"}"#,
            r#"communication.send_message anna hi {"language":"en"} kitchen_echo"#,
        ),
        ("kitchen_echo/message/anna", r#"{"text":null}"#, "communication.send_message anna - - kitchen_echo"),
        ("zigbee2mqtt/front_door/set", r#"{"state":"UNLOCK"}"#, "lock.unlock front_door - - -"),
        ("zigbee2mqtt/front_door/set", r#"{"state": " unlock "}"#, "lock.unlock front_door - - -"),
        ("zigbee2mqtt/front_door/set", "unlock", "lock.unlock front_door - - -"),
        ("zigbee2mqtt/hall/front door/set", "UNLOCK", "lock.unlock hall/front door - - -"),
        ("zigbee2mqtt/front_door/set/state", "UNLOCK", "lock.unlock front_door - - -"),
        ("zigbee2mqtt/front_door/get", "", "unknown topic"),
        ("zigbee2mqtt/bridge/request/permit_join", "true", "unknown topic"),
        ("zigbee2mqtt/lamp/set", r#"{"state":"ON","brightness":100}"#, "light.turn_on lamp - - -"),
        ("zigbee2mqtt/lamp/set", r#"{"brightness":100}"#, r#"light.turn_on lamp - {"brightness":100} -"#),
        ("zigbee2mqtt/lamp/set", "TOGGLE", "light.toggle lamp - - - sensitive"),
        // Two readings: the more dangerous one counts, whatever its place in the list.
        ("zigbee2mqtt/lamp/set", r#"{"brightness":100,"state":"UNLOCK"}"#, "lock.unlock lamp - - -"),
        ("zigbee2mqtt/garage_door/set", r#"{"state":"OPEN"}"#, "cover.open_garage garage_door - - -"),
        // Zigbee2MQTT opens a cover on `ON` too, and takes endpoints and attributes in the topic.
        ("zigbee2mqtt/garage_door/set", r#"{"state":"on"}"#, "cover.open_garage garage_door - - -"),
        ("zigbee2mqtt/garage_door/set", "On", "cover.open_garage garage_door - - -"),
        ("zigbee2mqtt/garage_door/l1/set", r#"{"state":"OPEN"}"#, "cover.open_garage garage_door - - -"),
        ("zigbee2mqtt/garage_door/set/state", "ON", "cover.open_garage garage_door - - -"),
        ("zigbee2mqtt/garage_door/set/state", "OPEN", "cover.open_garage garage_door - - -"),
        ("zigbee2mqtt/garage_door/l1/set/state", "ON", "cover.open_garage garage_door - - -"),
        ("zigbee2mqtt/garage_door/set", r#"{"state":"CLOSE"}"#, "cover.close_cover garage_door - - -"),
        ("zigbee2mqtt/blind/set", r#"{"state":"OPEN"}"#, "cover.open_cover blind - - -"),
        ("zigbee2mqtt/lamp/set", r#"{"state":"OFF","transition":2}"#, "light.turn_off lamp - - -"),
        ("zigbee2mqtt/lamp/set", r#"{"color":{"x":0.1,"y":0.2},"transition":2}"#, "light.turn_on lamp - - -"),
        // What is known is sensitive already; rules against unlocking must see it as that.
        ("zigbee2mqtt/front_door/set", r#"{"state":"UNLOCK","x":1}"#, "lock.unlock front_door - - -"),
        ("alarmo/command", r#"{"command":"disarm","code":"1234"}"#, "alarm_control_panel.alarm_disarm - - - -"),
        ("alarmo/command", r#"{"command":"arm_away","code":"1234"}"#, "alarm_control_panel.alarm_arm_away - - - -"),
        (
            "alarmo/command",
            r#"{"command":"arm_away","action":"DISARM","area":"garage"}"#,
            "alarm_control_panel.alarm_disarm garage - - -",
        ),
        ("alarmo/command", "disarm", "alarm_control_panel.alarm_disarm - - - -"),
    ] {
        assert_eq!(told(registry.read_command(topic, payload.as_bytes(), Door::Gate)), expected, "{topic} {payload}");
        assert_eq!(registry.is_command_topic(topic), expected != "unknown topic", "{topic}");
    }
}

#[test]
fn a_payload_that_no_entry_reads_for_sure_is_unreadable() {
    let registry = built_in();
    for payload in [
        "",
        "OPEN SESAME",
        r#"{"state":"UNLOCK""#,
        r#"{"STATE":"UNLOCK"}"#,
        r#"{"state":"LOCK","state":"UNLOCK"}"#,
        r#"{"state":"LOCK","State":"UNLOCK"}"#,
        r#"{"state":["LOCK"]}"#,
        r#"{"lock_state":1}"#,
        // A field that no entry knows, beside one that is known and ordinary.
        r#"{"state":"LOCK","action":"UNLOCK"}"#,
        r#"{"state":"LOCK","pin_code":{"user":1,"pin_code":1234}}"#,
        r#"{"state":"ON","state_l1":"UNLOCK"}"#,
        r#"{"brightness":1,"position":100}"#,
        // The safety floor lets `STOP` through whatever the rules say, so nothing may ride on it.
        r#"{"state":"STOP","position":100}"#,
        "null",
        "[]",
    ] {
        let request = registry.read_command("zigbee2mqtt/door/set", payload.as_bytes(), Door::Gate);
        assert_eq!(told(request), "command.unreadable door - - - sensitive", "{payload}");
    }
    let request = registry.read_command("zigbee2mqtt/door/set", &[0xff, 0xfe], Door::Gate);
    assert_eq!(told(request), "command.unreadable door - - - sensitive", "not UTF-8");
    let request = registry.read_command("kitchen_echo/message/anna", br#"{"text":"a","text":"b"}"#, Door::Gate);
    assert_eq!(told(request), "command.unreadable anna - - kitchen_echo sensitive", "who asks is known all the same");
}

#[test]
fn what_no_policy_may_block_yields_to_what_one_may() {
    let registry = registry(
        "commands:\n  - {topic: x, when: {state: STOP}, action: cover.stop_cover}\n  - {topic: x, when: {brightness: '*'}, action: light.turn_on}\n",
    );
    let action =
        |payload: &str| registry.read_command("x", payload.as_bytes(), Door::Gate).map(|request| request.action);
    assert_eq!(action(r#"{"state":"STOP"}"#).as_deref(), Some("cover.stop_cover"));
    assert_eq!(action(r#"{"state":"STOP","brightness":255}"#).as_deref(), Some("light.turn_on"));
}

#[test]
fn where_owner_and_discovery_read_alike_the_entity_is_named_and_the_channel_known() {
    let registry = registry(
        "channels: {echo: {kind: voice}}\ncommands:\n\
         \x20 - {topic: z/lamp/set, action: light.turn_on, target: lamp, channel: echo}\n\
         \x20 - {topic: z/door/set, action: light.turn_on, target: door}\n\
         \x20 - {topic: z/plug/set, action: lock.unlock, target: plug}\n",
    );
    for (platform, name) in [("light", "lamp"), ("lock", "door"), ("switch", "plug")] {
        let payload = format!(r#"{{"command_topic": "z/{name}/set", "object_id": "{name}", "unique_id": "{name}"}}"#);
        registry.learn(&Message::retained(format!("homeassistant/{platform}/{name}/config"), payload));
    }
    for (topic, payload, expected) in [
        ("z/lamp/set", "ON", "light.turn_on light.lamp - - echo"),
        ("z/door/set", "UNLOCK", "lock.unlock lock.door - - - sensitive"),
        ("z/plug/set", "ON", "lock.unlock plug - - -"),
    ] {
        assert_eq!(told(registry.read_command(topic, payload.as_bytes(), Door::Gate)), expected, "{topic} {payload}");
    }
}

#[test]
fn unreadable_commands_on_ordinary_topics_may_be_ordinary() {
    let registry = registry(
        "ordinary: [command.unreadable]\ncommands:\n  - {topic: lamp/set, payload: 'ON', action: light.turn_on}\n  - {topic: door/set, payload: UNLOCK, action: lock.unlock}\n",
    );
    let sensitive = |topic: &str| registry.read_command(topic, b"x", Door::Gate).map(|request| request.sensitive);
    assert_eq!(sensitive("lamp/set"), Some(false));
    assert_eq!(sensitive("door/set"), Some(true));
}

#[test]
fn entries_of_different_channels_leave_it_open_who_asks() {
    let registry = registry(
        "channels: {a: {kind: voice}, b: {kind: person}}\ncommands:\n  - {topic: x, payload: A, action: light.turn_on, channel: a}\n  - {topic: x, payload: B, action: light.turn_off, channel: b}\n",
    );
    let channel = |payload: &str| {
        registry.read_command("x", payload.as_bytes(), Door::Gate).map(|request| request.source.channel)
    };
    assert_eq!(channel("A"), Some(Some("a".to_owned())));
    assert_eq!(channel("b"), Some(Some("b".to_owned())));
    assert_eq!(channel("C"), Some(None));
}

#[test]
fn facts_are_read_from_statestream_and_topics() {
    let registry = built_in();
    for (topic, payload, expected) in [
        ("homeassistant_statestream/lock/front_door/state", "locked", json!([["lock.front_door", null, "locked"]])),
        ("homeassistant_statestream/lock/front_door/state", "unavailable", json!([["lock.front_door", null, null]])),
        ("homeassistant_statestream/lock/front_door/state", "", json!([["lock.front_door", null, null]])),
        (
            "homeassistant_statestream/lock/front_door/friendly_name",
            "\"Front door\"",
            json!([["lock.front_door", "friendly_name", "Front door"]]),
        ),
        ("homeassistant_statestream/light/lamp/brightness", "35", json!([["light.lamp", "brightness", 35]])),
        ("homeassistant_statestream/light/lamp/effect", "null", json!([["light.lamp", "effect", null]])),
        ("homeassistant_statestream/light/lamp/odd", r#"{"a":1,"a":2}"#, json!([["light.lamp", "odd", null]])),
        (
            "homeassistant_statestream/light/lamp/last_changed",
            "2026-11-22T10:00:00+00:00",
            json!([["light.lamp", "last_changed", "2026-11-22T10:00:00+00:00"]]),
        ),
        ("homeassistant_statestream/light/lamp", "on", json!([])),
        ("homeassistant_statestream/light/lamp/a/b", "on", json!([])),
        ("homeassistant_statestream2/light/lamp/state", "on", json!([])),
        ("homeassistant_statestream//lamp/state", "on", json!([])),
        ("alarmo/state", "armed_away", json!([["alarm_control_panel.alarmo", null, "armed_away"]])),
        (
            "zigbee2mqtt/Front Door",
            r#"{"lock_state":"locked","battery":80}"#,
            json!([["lock.front_door", null, "locked"], ["lock.front_door", "battery", 80]]),
        ),
        ("zigbee2mqtt/door", r#"{"lock_state":null}"#, json!([["lock.door", null, null]])),
        ("zigbee2mqtt/door", r#"{"linkquality":80}"#, json!([])),
        ("zigbee2mqtt/door", "offline", json!([])),
    ] {
        for retain in [false, true] {
            let message = Message { retain, ..Message::live(topic, payload) };
            let facts = registry.read_facts(&message).into_iter();
            let seen: Vec<_> = facts.map(|fact| json!([fact.entity, fact.attribute, fact.value])).collect();
            assert_eq!(json!(seen), expected, "{topic} {payload}");
        }
    }
    let message = Message::live("homeassistant_statestream/lock/front_door/state", vec![0xff]);
    assert_eq!(registry.read_facts(&message)[0].value, None, "no text is no state");
}

#[test]
fn names_of_facts_are_bounded() {
    let registry = built_in();
    let facts = |object: usize, attribute: usize| {
        let topic = format!("homeassistant_statestream/a/{}/{}", "x".repeat(object), "y".repeat(attribute));
        registry.read_facts(&Message::live(topic, "1")).len()
    };
    assert_eq!(facts(facts::ENTITY_BYTES_MAX - 2, facts::ATTRIBUTE_BYTES_MAX), 1);
    assert_eq!(facts(facts::ENTITY_BYTES_MAX - 1, 1), 0);
    assert_eq!(facts(1, facts::ATTRIBUTE_BYTES_MAX + 1), 0);
}

/// An owner's own words for what a program tells.
const EVENTS: &str = r#"events:
  - {topic: "hermes/hotword/{wakeword}/detected", event: voice.wake_word, speaker: "{payload.siteId}", data: {wakeword: "{wakeword}"}}
  - {topic: hermes/asr/textCaptured, event: voice.transcript, speaker: "{payload.siteId}", text: "{payload.text}", confidence: "{payload.likelihood}"}
  - {topic: "hermes/intent/{intent}", event: voice.intent, speaker: "{payload.siteId}", text: "{payload.input}", confidence: "{payload.intent.confidenceScore}", data: {intent: "{intent}"}}
  - {topic: hermes/nlu/intentNotRecognized, event: voice.intent_not_recognized, speaker: "{payload.siteId}", text: "{payload.input}"}
"#;

#[test]
fn events_are_read_from_live_messages_only() {
    let registry = registry(EVENTS);
    for (topic, payload, expected) in [
        (
            "hermes/hotword/alexa/detected",
            r#"{"modelId":"alexa","siteId":"kitchen"}"#,
            json!([{"name": "voice.wake_word", "speaker": "kitchen", "data": {"wakeword": "alexa"}}]),
        ),
        (
            "hermes/asr/textCaptured",
            r#"{"text":"call bob","likelihood":0.93,"siteId":"kitchen"}"#,
            json!([{"name": "voice.transcript", "speaker": "kitchen", "text": "call bob", "confidence": 0.93}]),
        ),
        (
            "hermes/asr/textCaptured",
            r#"{"text":"call bob","likelihood":93,"siteId":""}"#,
            json!([{"name": "voice.transcript", "text": "call bob"}]),
        ),
        (
            "hermes/intent/Call",
            r#"{"input":"call bob","intent":{"intentName":"Call","confidenceScore":0.9},"siteId":"kitchen"}"#,
            json!([{"name": "voice.intent", "speaker": "kitchen", "text": "call bob", "confidence": 0.9, "data": {"intent": "Call"}}]),
        ),
        (
            "hermes/nlu/intentNotRecognized",
            r#"{"input":"x","siteId":"kitchen"}"#,
            json!([{"name": "voice.intent_not_recognized", "speaker": "kitchen", "text": "x"}]),
        ),
        (
            "hermes/hotword/alexa/detected",
            "not json",
            json!([{"name": "voice.wake_word", "data": {"wakeword": "alexa"}}]),
        ),
        ("hermes/hotword/alexa/detected", "", json!([])),
        ("hermes/hotword/toggleOff", "{}", json!([])),
    ] {
        let message = Message::live(topic, payload);
        assert_eq!(json!(registry.read_events(&message)), expected, "{topic} {payload}");
        assert!(registry.read_events(&Message { retain: true, ..message }).is_empty(), "{topic} was stored");
    }
    let long = format!(r#"{{"siteId":"{}"}}"#, "x".repeat(SPEAKER_BYTES_MAX + 1));
    let events = registry.read_events(&Message::live("hermes/hotword/alexa/detected", long));
    assert_eq!(events[0].speaker, None, "a name beyond its bound is no name");
}

#[test]
fn facts_and_events_are_subscribed_to() {
    let filters: Vec<String> = built_in().subscriptions().iter().map(ToString::to_string).collect();
    for filter in ["homeassistant_statestream/+/+/+", "zigbee2mqtt/+", "alarmo/state", "doorbell/+/ring"] {
        assert!(filters.iter().any(|found| found == filter), "{filter} in {filters:?}");
    }
    assert!(!filters.iter().any(|filter| filter.ends_with("/set")), "commands come by the gate alone");
}
