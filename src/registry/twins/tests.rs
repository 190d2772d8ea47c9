//! Announcements of twins, and the commands to them.

use super::*;

fn twins(entities: &[&str], statestream: Option<&str>) -> Twins {
    let entities: Vec<String> = entities.iter().map(|entity| (*entity).to_owned()).collect();
    let settings = Settings { base: "hg".to_owned(), discovery: "homeassistant".to_owned() };
    Twins::new(&entities, settings, statestream.map(str::to_owned))
}

fn fact(entity: &str, attribute: &str, value: Value) -> FactChange {
    let value = Some(value).filter(|value| !value.is_null());
    FactChange { entity: entity.to_owned(), attribute: Some(attribute.to_owned()), value }
}

fn body(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).expect("JSON")
}

/// The announcement of one twin after these attributes were learned, without what all twins have.
fn shape(entity: &str, attributes: &Value) -> Value {
    let mut twins = twins(&[entity], Some("ha"));
    for (name, value) in attributes.as_object().expect("an object") {
        twins.learn(&fact(entity, name, value.clone()));
    }
    let mut body = body(twins.announcements().first().expect("an announcement"));
    let common = [
        "unique_id",
        "name",
        "default_entity_id",
        "object_id",
        "origin",
        "command_topic",
        "availability_topic",
        "qos",
        "retain",
        "optimistic",
    ];
    body.as_object_mut().expect("an object").retain(|key, _| !common.contains(&key.as_str()));
    body
}

#[test]
fn a_twin_has_the_name_and_the_state_of_its_original() {
    let mut twins = twins(&["lock.front_door"], Some("ha"));
    let name = fact("lock.front_door", "friendly_name", json!("Haustür"));
    let message = twins.learn(&name).expect("an announcement");
    assert_eq!(message.topic, "hg/homeassistant/lock/hushgate_twin/front_door/config");
    assert!(message.retain);
    assert_eq!(
        body(&message),
        json!({
            "unique_id": "hushgate_twin_lock_front_door", "name": "Haustür",
            "default_entity_id": "lock.front_door_gated", "object_id": "front_door_gated",
            "origin": {"name": "hushgate", "sw_version": env!("CARGO_PKG_VERSION")},
            "command_topic": "hg/twin/lock.front_door/set", "command_template": CODE_TEMPLATE,
            "availability_topic": "hg/status", "qos": 1, "retain": false, "optimistic": false,
            "state_topic": "ha/lock/front_door/state", "value_template": STATE_TEMPLATE,
            "state_locked": "locked", "state_locking": "locking", "state_unlocked": "unlocked",
            "state_unlocking": "unlocking", "state_open": "open", "state_opening": "opening", "state_jammed": "jammed",
        })
    );
    assert_eq!(twins.learn(&name), None, "what is known already changes nothing");
    assert_eq!(twins.learn(&fact("lock.front_door", "battery", json!(3))), None, "nor does what shapes no twin");
    assert_eq!(twins.learn(&fact("lock.back_door", "friendly_name", json!("x"))), None, "nor what has no twin");
    let forgotten = twins.learn(&fact("lock.front_door", "friendly_name", Value::Null)).expect("an announcement");
    assert_eq!(body(&forgotten).get("name"), Some(&json!("lock.front_door")));
}

#[test]
fn a_twin_without_a_statestream_has_no_known_state_and_is_not_optimistic() {
    let message = twins(&["alarm_control_panel.house"], None).announcements().remove(0);
    let body = body(&message);
    assert_eq!(body.get("state_topic"), Some(&json!("hg/state/twin/alarm_control_panel.house")));
    assert_eq!(body.get("optimistic"), Some(&json!(false)));
}

#[test]
fn attributes_are_bounded() {
    let mut twins = twins(&["lock.x"], None);
    let longest = "x".repeat(ATTRIBUTE_BYTES_MAX - 2);
    assert!(twins.learn(&fact("lock.x", "friendly_name", json!(longest))).is_some());
    let message = twins.learn(&fact("lock.x", "friendly_name", json!(longest + "x"))).expect("an announcement");
    assert_eq!(body(&message).get("name"), Some(&json!("lock.x")), "what is too long is unknown");
}

#[test]
fn each_domain_announces_what_its_original_can() {
    let stated = |more: Value| {
        let mut fields = json!({"state_topic": "", "value_template": STATE_TEMPLATE});
        let fields = fields.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        Value::Object(fields.clone())
    };
    for (entity, attributes, expected) in [
        (
            "alarm_control_panel.x",
            json!({"code_format": "number", "code_arm_required": false, "supported_features": 3}),
            stated(json!({
                "command_template": ALARM_TEMPLATE, "code": "REMOTE_CODE", "code_arm_required": false,
                "supported_features": ["arm_home", "arm_away"],
            })),
        ),
        ("alarm_control_panel.x", json!({}), stated(json!({"command_template": ALARM_TEMPLATE}))),
        ("cover.x", json!({"device_class": "garage"}), stated(json!({"device_class": "garage"}))),
        (
            "cover.x",
            json!({"supported_features": 15}),
            stated(json!({
                "set_position_topic": "hg/twin/cover.x/set", "set_position_template": POSITION_TEMPLATE,
                "position_topic": "ha/cover/x/current_position",
            })),
        ),
        (
            "valve.x",
            json!({"supported_features": 11}),
            stated(json!({"payload_open": "OPEN", "payload_close": "CLOSE", "payload_stop": "STOP"})),
        ),
        ("switch.x", json!({}), stated(json!({"state_on": "on", "state_off": "off"}))),
        (
            "siren.x",
            json!({"available_tones": ["a"], "supported_features": 23}),
            json!({
                "state_topic": "", "state_value_template": STATE_TEMPLATE, "state_on": "on", "state_off": "off",
                "available_tones": ["a"], "support_volume_set": false, "support_duration": true,
            }),
        ),
        ("button.x", json!({}), json!({})),
        ("scene.x", json!({}), json!({"payload_on": "ON"})),
    ] {
        let mut expected = expected;
        if let Some(topic) = expected.get_mut("state_topic") {
            *topic = json!(format!("ha/{}/state", entity.replace('.', "/")));
        }
        assert_eq!(shape(entity, &attributes), expected, "{entity} {attributes}");
    }
    let lock = shape("lock.x", &json!({"supported_features": 1, "code_format": "^\\d{4}$"}));
    assert_eq!((lock.get("payload_open"), lock.get("code_format")), (Some(&json!("OPEN")), Some(&json!("^\\d{4}$"))));
}

#[test]
fn every_domain_of_the_configuration_has_commands() {
    for domain in crate::config::TWIN_DOMAINS {
        let error = read(&format!("{domain}.x"), None, b"nonsense").expect_err("an error");
        assert!(error.starts_with("expected one of `"), "{domain}: {error}");
    }
}

#[test]
fn commands_to_a_twin_are_services_of_the_original() {
    for (entity, class, payload, action, sensitive, data) in [
        ("lock.x", None, r#"{"action":"UNLOCK","code":null}"#, "lock.unlock", true, json!({})),
        ("lock.x", None, "LOCK", "lock.lock", false, json!({})),
        ("lock.x", None, r#"{"action":"OPEN"}"#, "lock.open", true, json!({})),
        (
            "alarm_control_panel.x",
            None,
            r#"{"action":"ARM_NIGHT"}"#,
            "alarm_control_panel.alarm_arm_night",
            false,
            json!({}),
        ),
        ("cover.x", Some("blind"), "OPEN", "cover.open_cover", true, json!({})),
        ("cover.x", Some("garage"), "OPEN", "cover.open_garage", true, json!({})),
        ("cover.x", Some("garage"), "CLOSE", "cover.close_cover", false, json!({})),
        ("cover.x", None, "STOP", "cover.stop_cover", false, json!({})),
        (
            "cover.x",
            Some("garage"),
            r#"{"action":"SET_POSITION","position":5}"#,
            "cover.open_garage",
            true,
            json!({"position": 5}),
        ),
        (
            "cover.x",
            Some("garage"),
            r#"{"action":"SET_POSITION","position":0}"#,
            "cover.set_cover_position",
            false,
            json!({"position": 0}),
        ),
        ("valve.x", None, "OPEN", "valve.open_valve", true, json!({})),
        ("switch.x", None, "ON", "switch.turn_on", false, json!({})),
        ("button.x", None, "PRESS", "button.press", false, json!({})),
        ("scene.x", None, "ON", "scene.turn_on", false, json!({})),
        (
            "siren.x",
            None,
            r#"{"state":"ON","tone":"fire","duration":5,"volume_level":0.5}"#,
            "siren.turn_on",
            false,
            json!({"tone": "fire", "duration": 5, "volume_level": 0.5}),
        ),
    ] {
        let wish = read(entity, class, payload.as_bytes()).expect(payload);
        let seen = (wish.action.as_str(), wish.sensitive, json!(wish.data));
        assert_eq!(seen, (action, sensitive, data.clone()), "{entity} {payload}");
        let act: Value = serde_json::from_str(&wish.act).expect("JSON");
        let service = match action {
            "cover.open_garage" if payload == "OPEN" => "cover.open_cover",
            "cover.open_garage" => "cover.set_cover_position",
            other => other,
        };
        let expected = json!({"action": service, "target": {"entity_id": entity}, "data": data});
        assert_eq!(act, expected, "{entity} {payload}: what is carried out is what was judged");
    }
}

#[test]
fn a_code_is_carried_out_and_never_told() {
    for entity in ["lock.x", "alarm_control_panel.x"] {
        let word = if entity == "lock.x" { "UNLOCK" } else { "DISARM" };
        let wish = read(entity, None, format!(r#"{{"action":"{word}","code":"4711"}}"#).as_bytes()).expect("a command");
        assert_eq!(json!(wish.data), json!({"code_given": true}));
        assert!(wish.act.contains(r#""code":"4711""#), "{}", wish.act);
        assert!(!format!("{:?} {}", wish.data, wish.action).contains("4711"));
        let error = read(entity, None, br#"{"action":"4711","code":"4711"}"#).expect_err("an error");
        assert!(!error.contains("4711"), "{error}");
    }
    let code = |bytes: usize| format!(r#"{{"action":"UNLOCK","code":"{}"}}"#, "1".repeat(bytes));
    assert!(read("lock.x", None, code(commands::CODE_BYTES_MAX).as_bytes()).is_ok());
    let error = read("lock.x", None, code(commands::CODE_BYTES_MAX + 1).as_bytes()).expect_err("an error");
    assert_eq!(error, "expected a text of at most 128 bytes in `code`, found something else");
}

#[test]
fn what_a_twin_did_not_announce_is_refused() {
    let known = "expected one of `LOCK`, `OPEN`, `UNLOCK`, found something else";
    for (entity, payload, expected) in [
        ("lock.x", "unlock", known),
        ("lock.x", "OFF", known),
        ("lock.x", r#"{"action":"TOGGLE"}"#, known),
        ("lock.x", r#"{"action":"LOCK","action":"UNLOCK"}"#, "expected JSON with one reading, found another"),
        ("lock.x", r#"{"action":"LOCK","Action":"UNLOCK"}"#, "expected a word or a JSON object, found something else"),
        ("lock.x", r#"{"state":"UNLOCK"}"#, "expected the field `action`, found none"),
        ("lock.x", r#"{"action":1}"#, "expected a text in `action`, found something else"),
        ("lock.x", "[1]", "expected a word or a JSON object, found something else"),
        (
            "lock.x",
            r#"{"action":"LOCK","entity_id":"lock.y"}"#,
            "expected nothing beside the command `LOCK`, found the field `entity_id`",
        ),
        (
            "switch.x",
            r#"{"action":"ON","code":"1"}"#,
            "expected nothing beside the command `ON`, found the field `code`",
        ),
        (
            "lock.x",
            r#"{"action":"LOCK","code":1}"#,
            "expected a text of at most 128 bytes in `code`, found something else",
        ),
        (
            "cover.x",
            r#"{"action":"SET_POSITION","position":101}"#,
            "expected a number from 0 to 100 in `position`, found something else",
        ),
        ("cover.x", r#"{"action":"SET_POSITION"}"#, "expected the field `position`, found none"),
        ("siren.x", r#"{"state":"ON","duration":-1}"#, "expected whole seconds in `duration`, found something else"),
    ] {
        assert_eq!(read(entity, None, payload.as_bytes()), Err(expected.to_owned()), "{entity} {payload}");
    }
    assert!(read("lock.x", None, b"\xff").is_err());
}
