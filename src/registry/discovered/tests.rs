//! What somebody who may announce devices tries, so that a command is taken for less than it is.

use crate::config::{self, NoSecrets};
use crate::model::message::Message;
use crate::model::request::Door;
use crate::registry::Registry;

fn registry(gate: &str) -> Registry {
    let text = format!("home_assistant: {{gate: {gate}}}");
    Registry::new(&config::parse("test.yaml", &text, &NoSecrets).expect("a configuration"))
}

fn learn(registry: &Registry, topic: &str, payload: &str) {
    let lesson = registry.learn(&Message::retained(format!("homeassistant/{topic}/config"), payload.to_owned()));
    assert_eq!(lesson.refused, None, "{topic}");
}

/// `action target`, and whether it is sensitive.
fn read(registry: &Registry, topic: &str, payload: &str) -> String {
    let Some(request) = registry.read_command(topic, payload.as_bytes(), Door::Gate) else {
        return "unknown".to_owned();
    };
    let sensitive = if request.sensitive { " sensitive" } else { "" };
    format!("{} {}{sensitive}", request.action, request.target.unwrap_or_default())
}

const LOCK: &str = r#"{"name":"Front","uniq_id":"1","cmd_t":"z/front/set","dev":{"ids":"d","name":"Front"}}"#;
/// It sets a code of the lock, and no lock of Home Assistant's says so.
const NEW_CODE: &str = r#"{"pin_code":{"user":1,"pin_code":"8461"}}"#;

/// An entity that gives `NEW_CODE` the name of something that no policy may block, or that is ordinary.
fn disguise(platform: &str, key: &str, device: &str) -> (String, String) {
    let code = NEW_CODE.replace('"', "\\\"");
    let payload =
        format!(r#"{{"name":"X","uniq_id":"x","cmd_t":"z/front/set","{key}":"{code}","dev":{{"ids":"{device}"}}}}"#);
    (format!("{platform}/rogue"), payload)
}

#[test]
fn what_an_accepted_lock_cannot_read_is_nothing_harmless_because_a_stranger_says_so() {
    for (platform, key) in [
        ("siren", "payload_off"),
        ("valve", "payload_close"),
        ("valve", "payload_stop"),
        ("cover", "payload_stop"),
        ("lawn_mower", "payload_pause"),
        ("lock", "payload_lock"),
        ("alarm_control_panel", "payload_arm_away"),
        ("switch", "payload_on"),
    ] {
        // A stranger; and one that says it is of the lock's device, so that it joins the guard.
        for device in ["other", "d"] {
            let registry = registry("sensitive");
            learn(&registry, "lock/front", LOCK);
            let (topic, payload) = disguise(platform, key, device);
            learn(&registry, &topic, &payload);
            let request = registry.read_command("z/front/set", NEW_CODE.as_bytes(), Door::Gate).expect("a request");
            let case = format!("{platform} {key} of {device}: {} {}", request.action, request.sensitive);
            assert!(request.sensitive, "{case}");
            assert!(!registry.config.is_floor(&request.action), "{case}");
            // One that joined is a reader like the first, so it can make this stricter.
            let locked = read(&registry, "z/front/set", "LOCK");
            let expected = "lock.lock lock.front_front";
            assert!(
                locked == expected || (device == "d" && locked == format!("{expected} sensitive")),
                "{case}: {locked}"
            );
        }
    }
}

#[test]
fn nobody_puts_an_ordinary_command_on_the_safety_floor() {
    let registry = registry("[sensitive, switch.heater]");
    learn(&registry, "switch/heater", r#"{"name":"Heater","cmd_t":"z/heater/set","dev":{"ids":"h"}}"#);
    learn(
        &registry,
        "siren/rogue",
        r#"{"name":"X","cmd_t":"z/heater/set","payload_on":"x","payload_off":"ON","dev":{"ids":"h"}}"#,
    );
    assert_eq!(read(&registry, "z/heater/set", "ON"), "switch.turn_on switch.heater");
}

#[test]
fn a_siren_is_silenced_and_a_garage_door_stopped_by_the_safety_floor_all_the_same() {
    let registry = registry("sensitive");
    learn(&registry, "siren/s", r#"{"name":"Siren","cmd_t":"z/s/set","dev":{"ids":"s"}}"#);
    learn(&registry, "number/s", r#"{"name":"Alarm volume","cmd_t":"z/s/set/volume","dev":{"ids":"s"}}"#);
    learn(
        &registry,
        "cover/g",
        r#"{"name":"G","dev_cla":"garage","cmd_t":"z/g/set","set_pos_t":"z/g/set","dev":{"ids":"g"}}"#,
    );
    learn(&registry, "switch/g", r#"{"name":"Lamp","cmd_t":"z/g/set","dev":{"ids":"g"}}"#);
    assert_eq!(read(&registry, "z/s/set", "OFF"), "siren.turn_off siren.siren");
    assert_eq!(read(&registry, "z/g/set", "STOP"), "cover.stop_cover cover.g");
}
