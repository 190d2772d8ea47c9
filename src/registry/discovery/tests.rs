//! Tables of messages, and what they say. The shapes of whole devices are in `tests/discovery/`.

use super::*;
use serde_json::json;

fn heard(topic: &str, payload: &str) -> Result<Said, String> {
    read("homeassistant", &Message::retained(topic, payload.to_owned()))
}

/// `platform entity_id {options}` of each entity, then what is removed and left out; or the reason.
fn told(topic: &str, payload: &str) -> String {
    match heard(topic, payload) {
        Err(reason) => format!("refused: {reason}"),
        Ok(Said::Removed) => "removed".to_owned(),
        Ok(Said::Migrating) => "migrating".to_owned(),
        Ok(Said::Announced { announcement, left_out }) => {
            let entities = announcement.entities.values().map(|entity| {
                format!("{} {}", entity.entity_id, serde_json::to_string(&entity.options).expect("JSON"))
            });
            let removed = announcement.removed.iter().map(|(key, platform)| format!("without {platform} {key}"));
            let left_out = left_out.iter().map(|reason| format!("left out: {reason}"));
            entities.chain(removed).chain(left_out).collect::<Vec<_>>().join("; ")
        }
    }
}

const LOCK: &str = "homeassistant/lock/front/config";
const DEVICE: &str = "homeassistant/device/hub/config";

#[test]
fn topics_have_two_shapes() {
    let payload = r#"{"name":"Front","cmd_t":"a/set"}"#;
    let lock = r#"lock.front {"command_topic":"a/set","name":"Front"}"#;
    let shape = "refused: expected a topic such as `<prefix>/lock/<object>/config`, found another shape";
    let letters = "refused: expected letters, digits, `_` and `-` in each level of the topic, found others";
    for (topic, expected) in [
        (LOCK, lock),
        ("homeassistant/lock/node-1/Front_2/config", lock),
        ("homeassistant/lock/a/b/c/config", shape),
        ("homeassistant/lock/config", shape),
        ("homeassistant/config", shape),
        ("homeassistant/lock/front door/config", letters),
        ("homeassistant/lock/tür/config", letters),
        ("homeassistant/lock//config", letters),
        ("homeassistant/lock//front/config", letters),
        ("homeassistant/Lock/front/config", letters),
    ] {
        assert_eq!(told(topic, payload), expected, "{topic}");
    }
    for (topic, expected) in [
        ("home/ha/lock/x/config", true),
        ("home/ha/config", true),
        ("home/ha", false),
        ("home/hat/lock/x/config", false),
        ("home/ha/status", false),
    ] {
        assert_eq!(is_discovery("home/ha", topic), expected, "{topic}");
    }
}

#[test]
fn an_entity_is_read_as_home_assistant_reads_it() {
    for (payload, expected) in [
        ("", "removed"),
        ("{}", "removed"),
        (r#"{"migrate_discovery":true}"#, "migrating"),
        (r#"{"migr_discvry":true}"#, "migrating"),
        (r#"{"migr_discvry":true,"name":"x"}"#, r#"lock.x {"migrate_discovery":true,"name":"x"}"#),
        ("nonsense", "refused: expected a JSON object, found text that is no JSON"),
        (r#"{"name":"x"} "#, r#"lock.x {"name":"x"}"#),
        (r#"{"name":"x"}x"#, "refused: expected a JSON object, found text that is no JSON"),
        ("[1]", "refused: expected a JSON object, found another kind of value"),
        ("7", "refused: expected a JSON object, found another kind of value"),
        // Of a key that stands twice the last one counts.
        (r#"{"name":"x","cmd_t":"a","cmd_t":"b"}"#, r#"lock.x {"command_topic":"b","name":"x"}"#),
        (r#"{"name":"x","command_topic":"long","cmd_t":"short"}"#, r#"lock.x {"command_topic":"short","name":"x"}"#),
        (
            r#"{"~":"a/b","name":"x","cmd_t":"~/set","stat_t":"get/~","pl_lock":"~"}"#,
            r#"lock.x {"command_topic":"a/b/set","name":"x","payload_lock":"~","state_topic":"get/a/b"}"#,
        ),
        (
            r#"{"~":"a","name":"x","avty":[{"t":"~/s","pl_avail":"y"}],"avty_mode":"all"}"#,
            r#"lock.x {"availability":[{"payload_available":"y","topic":"a/s"}],"availability_mode":"all","name":"x"}"#,
        ),
        (r#"{"name":"x","avty":{"t":"a/s"}}"#, r#"lock.x {"availability":{"topic":"a/s"},"name":"x"}"#),
        // A platform in the message does not count, nor does a number make a topic unusable.
        (r#"{"p":"light","name":"x","cmd_t":7}"#, r#"lock.x {"command_topic":"7","name":"x"}"#),
        (
            r#"{"name":"x","cmd_t":"a/+/set"}"#,
            "left out: expected a topic for `command_topic`, found `a/+/set`: the topic has a wildcard (`+` or `#`)",
        ),
        (
            r#"{"name":"x","cmd_t":"$SYS/x"}"#,
            "left out: expected a topic for `command_topic`, found `$SYS/x`: the topic begins with `$`, which belongs to the broker",
        ),
    ] {
        assert_eq!(told(LOCK, payload), expected, "{payload}");
    }
}

#[test]
fn a_device_is_read_component_by_component() {
    for (payload, expected) in [
        ("", "removed"),
        ("{}", "refused: expected `components`, found none"),
        (
            r#"{"dev":{"ids":"a"},"o":{"name":"x"},"cmps":[]}"#,
            "refused: expected `components` as an object, found another kind of value",
        ),
        (r#"{"cmps":{"a":"lock"}}"#, "refused: expected an object for `a`, found another kind of value"),
        (r#"{"cmps":{"a":{"cmd_t":"x"}}}"#, "refused: expected a `platform` for `a`, found none"),
        (r#"{"cmps":{"a":{"p":"Lock!"}}}"#, "refused: expected a platform such as `lock` for `a`, found `Lock!`"),
        (r#"{"cmps":{"a":{"p":"lock"}}}"#, "without lock a"),
        (
            r#"{"dev":{"name":"Hub"},"stat_t":"hub/state","cmd_t":"hub/set","qos":1,"pl_on":"no","cmps":{
                "a":{"p":"switch","name":"A"},"b":{"p":"switch","name":"B","cmd_t":"b/set","qos":0},"c":{"p":"sensor"}}}"#,
            "switch.hub_a {\"command_topic\":\"hub/set\",\"name\":\"A\",\"qos\":1,\"state_topic\":\"hub/state\"}; \
             switch.hub_b {\"command_topic\":\"b/set\",\"name\":\"B\",\"qos\":0,\"state_topic\":\"hub/state\"}; \
             without sensor c",
        ),
        // `~` is a component's own affair; what it inherits is resolved with its own.
        (
            r#"{"~":"root","stat_t":"~/state","cmps":{"a":{"p":"lock","name":"A","~":"own","cmd_t":"~/set"},
                "b":{"p":"lock","name":"B","cmd_t":"~/set"}}}"#,
            "lock.a {\"command_topic\":\"own/set\",\"name\":\"A\",\"state_topic\":\"own/state\"}; \
             lock.b {\"command_topic\":\"~/set\",\"name\":\"B\",\"state_topic\":\"~/state\"}",
        ),
        (
            r#"{"cmps":{"a":{"p":"lock","name":"A","cmd_t":"a/#"},"b":{"p":"lock","name":"B","cmd_t":"b"}}}"#,
            "lock.b {\"command_topic\":\"b\",\"name\":\"B\"}; left out: `a`: expected a topic for `command_topic`, \
             found `a/#`: the topic has a wildcard (`+` or `#`)",
        ),
        (
            r#"{"dev":{"name":"Hub"},"cdevs":[{"ids":["c"],"name":"Door","cmps":{"d":{"p":"lock","name":null,"cmd_t":"d"}}}]}"#,
            "lock.door {\"command_topic\":\"d\",\"name\":null}",
        ),
        (
            r#"{"cmps":{"d":{"p":"lock","cmd_t":"x"}},"cdevs":[{"cmps":{"d":{"p":"light","cmd_t":"y"}}}]}"#,
            "refused: expected each component once, found `d` again",
        ),
    ] {
        assert_eq!(told(DEVICE, payload), expected, "{payload}");
    }
}

#[test]
fn what_is_not_the_entitys_stays_at_the_root() {
    let payload = r#"{"dev":{"ids":["a",7],"cns":[["mac","02:00"],["odd"]],"name":"Hub","sw":"1"},"o":{"name":"z","sw":"2"},
        "cdevs":[{"ids":"c","cmps":{"d":{"p":"lock","cmd_t":"d"}}}],"cmps":{"a":{"p":"lock","dev":{"ids":"other"},"cmd_t":"a"}}}"#;
    let Ok(Said::Announced { announcement, .. }) = heard(DEVICE, payload) else { panic!("an announcement") };
    let expected = json!({
        "device": {"identifiers": ["a", 7], "connections": [["mac", "02:00"], ["odd"]], "name": "Hub", "sw_version": "1"},
        "origin": {"name": "z", "sw_version": "2"},
        "child_devices": [{"identifiers": "c", "components": {"d": {}}}],
    });
    assert_eq!(Value::Object(announcement.root), expected);
    for entity in announcement.entities.values() {
        assert_eq!(entity.device, ["a", "7", "mac=02:00"]);
        assert_eq!(entity.options.keys().collect::<Vec<_>>(), ["command_topic"]);
    }
}

#[test]
fn messages_are_bounded() {
    let padded = |length: usize| {
        let frame = r#"{"name":"x","icon":""}"#;
        format!(r#"{{"name":"x","icon":"{}"}}"#, "y".repeat(length - frame.len()))
    };
    assert!(told(LOCK, &padded(MESSAGE_BYTES_MAX)).starts_with("lock.x "));
    let seen = told(LOCK, &padded(MESSAGE_BYTES_MAX + 1));
    assert_eq!(seen, "refused: expected at most 131072 bytes, found 131073");

    let nested = |depth: usize| format!(r#"{{"name":"x","icon":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(told(LOCK, &nested(DEPTH_MAX)).starts_with("lock.x "));
    let seen = told(LOCK, &nested(DEPTH_MAX + 1));
    assert_eq!(seen, "refused: expected at most 16 levels of nesting, found more");
    assert!(told(LOCK, &nested(60_000)).starts_with("refused: "), "nesting without end");

    let components = |count: usize| {
        let one = |index: usize| format!(r#""c{index}":{{"p":"sensor","name":"s"}}"#);
        format!(r#"{{"cmps":{{{}}}}}"#, (0..count).map(one).collect::<Vec<_>>().join(","))
    };
    assert!(told(DEVICE, &components(COMPONENTS_MAX)).starts_with("sensor.s "));
    let seen = told(DEVICE, &components(COMPONENTS_MAX + 1));
    assert_eq!(seen, "refused: expected at most 256 components, found 257");

    let topics = |count: usize| {
        let one = |index: usize| format!(r#""k{index}_command_topic":"t""#);
        format!(r#"{{"name":"x",{}}}"#, (0..count).map(one).collect::<Vec<_>>().join(","))
    };
    assert!(told(LOCK, &topics(COMMAND_TOPICS_MAX)).starts_with("lock.x "));
    let seen = told(LOCK, &topics(COMMAND_TOPICS_MAX + 1));
    assert_eq!(seen, "left out: expected at most 64 command topics, found more");

    let platform = |length: usize| format!(r#"{{"cmps":{{"a":{{"p":"{}","name":"x"}}}}}}"#, "l".repeat(length));
    assert!(!told(DEVICE, &platform(PLATFORM_BYTES_MAX)).starts_with("refused"));
    assert!(told(DEVICE, &platform(PLATFORM_BYTES_MAX + 1)).starts_with("refused: expected a platform"));
}

#[test]
fn the_bridges_own_device_has_a_topic() {
    assert_eq!(own_topic("homeassistant", "hushgate"), "homeassistant/device/hushgate/config");
    assert_eq!(own_topic("ha", "home/hush gate"), "ha/device/home_hush_gate/config");
}
