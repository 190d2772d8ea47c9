//! What somebody who may announce devices tries, so that a command is taken for less than it is.

use super::understanding::TEMPLATED_MAX;
use crate::config::{self, NoSecrets};
use crate::model::message::Message;
use crate::model::request::Door;
use crate::registry::Registry;
use crate::registry::guards::JOIN_MS;

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
            assert_eq!(
                (request.action.as_str(), request.target.as_deref()),
                ("lock.unreadable", Some("lock.front_front")),
                "{case}"
            );
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

#[test]
fn who_joins_a_guard_joins_it_at_once() {
    let child = r#"{"name":"Bolt","pl_on":"x","cmd_t":"z/front/set","dev":{"ids":"d"}}"#;
    for (later_ms, problem) in
        [(JOIN_MS - 1, None), (JOIN_MS, Some("`switch.bolt` claims the topic too, as a `switch`"))]
    {
        let registry = registry("sensitive");
        registry.pass_time(5);
        learn(&registry, "lock/front", LOCK);
        registry.pass_time(5 + later_ms);
        learn(&registry, "switch/bolt", child);
        let guards = registry.discovered.borrow();
        let found = guards.guards().get("z/front/set").and_then(|guard| guard.problem.clone());
        assert_eq!(found.as_deref(), problem, "{later_ms}");
    }
}

#[test]
fn nobody_takes_the_id_of_a_guarded_entity_by_being_announced_first() {
    let first = registry("sensitive");
    learn(&first, "lock/front", LOCK);
    let guards = first.discovered.borrow().guards().get("z/front/set").cloned().expect("a guard");
    let registry = registry("sensitive");
    registry.restore(&[("z/front/set".to_owned(), guards)].into());
    learn(
        &registry,
        "lock/aaa",
        r#"{"name":"Front","cmd_t":"evil/set","stat_t":"evil","dev":{"ids":"e","name":"Front"}}"#,
    );
    learn(&registry, "lock/front", LOCK);
    assert_eq!(read(&registry, "z/front/set", "UNLOCK"), "lock.unlock lock.front_front sensitive");
    assert_eq!(read(&registry, "evil/set", "UNLOCK"), "lock.unlock lock.front_front_2 sensitive");
}

#[test]
fn an_unchanged_lock_is_called_by_its_own_name_whoever_else_claims_its_topic() {
    let registry = registry("sensitive");
    learn(&registry, "lock/front", LOCK);
    learn(&registry, "lock/aaa", r#"{"name":"Shed","cmd_t":"z/front/set","dev":{"ids":"e"}}"#);
    assert_eq!(read(&registry, "z/front/set", "UNLOCK"), "lock.unlock lock.front_front sensitive");
}

/// What a message tells of states: `entity attribute=value`.
fn told(registry: &Registry, topic: &str, payload: &str) -> Vec<String> {
    let facts = registry.read_facts(&Message::live(topic, payload.to_owned()));
    let told = |fact: crate::model::request::FactChange| {
        let value = fact.value.map(|value| value.to_string()).unwrap_or_default();
        format!("{} {}={value}", fact.entity, fact.attribute.unwrap_or_default())
    };
    facts.into_iter().map(told).collect()
}

#[test]
fn a_stranger_with_the_unique_id_of_a_guarded_lock_does_not_tell_its_state() {
    let registry = registry("sensitive");
    let lock = LOCK.replace("\"cmd_t\"", "\"stat_t\":\"z/front\",\"cmd_t\"");
    learn(&registry, "lock/front", &lock);
    learn(&registry, "lock/moved", &lock.replace("z/front", "evil"));
    assert_eq!(told(&registry, "evil", "LOCKED"), [""; 0]);
    assert_eq!(told(&registry, "z/front", "UNLOCKED"), ["lock.front_front =\"unlocked\""]);
}

#[test]
fn a_guarded_lock_that_is_announced_otherwise_tells_its_state_as_it_was_accepted() {
    let registry = registry("sensitive");
    let lock = LOCK.replace("\"cmd_t\"", "\"stat_t\":\"z/front\",\"cmd_t\"");
    learn(&registry, "lock/front", &lock);
    for changed in [
        lock.replace("\"z/front\"", "\"evil\""),
        lock.replace("z/front", "evil"),
        lock.replace("\"cmd_t\"", "\"stat_locked\":\"UNLOCKED\",\"stat_unlocked\":\"LOCKED\",\"cmd_t\""),
    ] {
        learn(&registry, "lock/front", &changed);
        assert_eq!(told(&registry, "evil", "LOCKED"), [""; 0], "{changed}");
        let own = told(&registry, "z/front", "UNLOCKED");
        assert!(own.iter().all(|fact| fact == "lock.front_front =\"unlocked\""), "{changed}: {own:?}");
    }
}

#[test]
fn no_entity_is_told_tokens_or_codes_nor_forges_streams_nor_stands_for_the_bridge() {
    let text = "facts: {statestream: stream}\nhome_assistant: {eventstream: events}";
    let registry = Registry::new(&config::parse("test.yaml", text, &NoSecrets).expect("a configuration"));
    for (platform, options, is_refused) in [
        ("sensor", r#""stat_t":"hushgate/prompt/phone""#, true),
        ("sensor", r#""stat_t":"x","json_attr_t":"hushgate/act""#, true),
        ("sensor", r#""stat_t":"hushgate/homeassistant/device/hushgate_question/config""#, true),
        ("sensor", r#""stat_t":"+/prompt/#""#, true),
        ("sensor", r##""stat_t":"#""##, true),
        ("sensor", r#""~":"hushgate/gate","stat_t":"~/alarm/set""#, true),
        ("device_automation", r#""topic":"hushgate/act""#, true),
        ("sensor", r#""stat_t":"x","avty_t":"hushgate/twin/lock.x/set""#, true),
        ("sensor", r#""stat_t":"x","avty":[{"t":"hushgate/prompt/phone"}]"#, true),
        ("sensor", r#""stat_t":"x","uniq_id":"hushgate_question""#, true),
        ("button", r#""cmd_t":"x","uniq_id":"hushgate_reject""#, true),
        ("sensor", r#""stat_t":"x","dev":{"ids":["hushgate"]}"#, true),
        ("switch", r#""cmd_t":"events""#, true),
        ("switch", r#""cmd_t":"stream/lock/front/state""#, true),
        ("sensor", r#""stat_t":"x","uniq_id":"hushgate_thing""#, false),
        ("sensor", r#""stat_t":"hushgate/health","avty_t":"hushgate/status""#, false),
        ("sensor", r#""stat_t":"hushgate/decision/deny/lock.unlock""#, false),
    ] {
        let topic = format!("homeassistant/{platform}/x/config");
        let lesson = registry.learn(&Message::retained(topic, format!("{{{options}}}")));
        assert_eq!(lesson.refused.is_some(), is_refused, "{options}");
        assert_eq!(lesson.announced.is_none(), is_refused, "{options}");
    }
}

#[test]
fn what_a_device_tells_itself_nobody_else_tells_neither_state_nor_attribute() {
    let text = "facts: {statestream: stream}";
    let registry = Registry::new(&config::parse("test.yaml", text, &NoSecrets).expect("a configuration"));
    learn(&registry, "cover/g", r#"{"name":"G","cmd_t":"g/set","pos_t":"g/position","stat_t":"g"}"#);
    assert_eq!(told(&registry, "stream/cover/g/current_position", "1"), ["cover.g current_position=1"]);
    let own = told(&registry, "g/position", "40");
    assert!(own.contains(&"cover.g current_position=40".to_owned()), "{own:?}");
    assert_eq!(told(&registry, "stream/cover/g/current_position", "1"), [""; 0]);
    assert_eq!(told(&registry, "stream/cover/g/other", "1"), ["cover.g other=1"]);
}

#[test]
fn what_is_accepted_is_bounded_in_bytes() {
    let registry = registry("sensitive");
    let large = |name: &str| {
        let topics: Vec<String> = (0..64).map(|n| format!("\"x{n}_command_topic\":\"{name}/{n}\"")).collect();
        format!("{{\"name\":\"{name}\",\"pad\":\"{}\",{}}}", "x".repeat(100_000), topics.join(","))
    };
    let accept = |name: &str| {
        let topic = format!("homeassistant/lock/{name}/config");
        registry.learn(&Message::retained(topic, large(name))).refused
    };
    assert_eq!(accept("a"), None, "64 times 100 KB");
    let refused = accept("b").expect("no room");
    assert!(refused.contains("12582912 bytes"), "{refused}");
    assert!(!registry.is_command_topic("b/0"), "what cannot be guarded is not known");
    learn(&registry, "lock/front", LOCK);
    assert!(registry.is_guarded("z/front/set"), "what fits is guarded");
}

#[test]
fn a_code_is_not_shown_because_a_stranger_takes_it_for_a_text() {
    for (platform, device) in [("text", "other"), ("notify", "other"), ("text", "p"), ("notify", "p")] {
        let registry = registry("sensitive");
        learn(&registry, "alarm_control_panel/p", r#"{"name":"Panel","cmd_t":"panel/set","dev":{"ids":"p"}}"#);
        let stranger = format!(r#"{{"name":"X","cmd_t":"panel/set","max":255,"dev":{{"ids":"{device}"}}}}"#);
        learn(&registry, &format!("{platform}/x"), &stranger);
        let request = registry.read_command("panel/set", b"8461#", Door::Gate).expect("a request");
        assert!(request.sensitive, "{platform} of {device}");
        assert!(!format!("{request:?}").contains("8461"), "{platform} of {device}: {request:?}");
    }
}

#[test]
fn no_crowd_of_templates_keeps_a_lock_waiting() {
    let registry = registry("sensitive");
    learn(&registry, "lock/front", LOCK);
    for index in 0..=TEMPLATED_MAX {
        assert_eq!(read(&registry, "z/front/set", "LOCK"), "lock.lock lock.front_front", "{index}");
        let payload = r#"{"name":"X","cmd_t":"z/front/set","cmd_tpl":"{{ value }}!","options":["a","b"]}"#;
        learn(&registry, &format!("select/s{index}"), payload);
    }
    assert_eq!(read(&registry, "z/front/set", "LOCK"), "lock.lock lock.front_front sensitive", "one was not asked");
    assert_eq!(read(&registry, "z/front/set", "UNLOCK"), "lock.unlock lock.front_front sensitive");
}
