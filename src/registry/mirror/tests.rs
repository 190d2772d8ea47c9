//! Announcements and what Home Assistant reads of them in the mirror.

use std::collections::BTreeMap;

use super::*;

fn settings() -> Settings {
    Settings { base: "hg".to_owned(), discovery: "homeassistant".to_owned() }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("expected an object, found {other}"),
    }
}

fn entity(platform: &str, component: &str, options: Value) -> Entity {
    Entity {
        topic: format!("homeassistant/{platform}/x/config"),
        component: component.to_owned(),
        platform: platform.to_owned(),
        entity_id: format!("{platform}.x"),
        name: "x".to_owned(),
        device: Vec::new(),
        options: object(options),
    }
}

fn single(platform: &str, options: Value) -> Announcement {
    let entity = entity(platform, "", options);
    Announcement {
        topic: entity.topic.clone(),
        is_device: false,
        root: object(json!({"device": {"identifiers": ["d"]}})),
        entities: BTreeMap::from([(String::new(), entity)]),
        removed: BTreeMap::new(),
    }
}

fn is_guarded(topic: &str) -> bool {
    topic.starts_with("g/")
}

fn body(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).expect("JSON")
}

/// What the mirror changes in the options of a guarded entity: `null` where it takes something away.
fn changes(platform: &str, options: Value) -> (Value, Vec<String>) {
    let mirrored = mirrored(&single(platform, options.clone()), &settings(), &is_guarded);
    let (before, mut after) = (object(options), object(body(&mirrored.message)));
    assert_eq!(after.remove("device"), Some(json!({"identifiers": ["d"]})));
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let gone: Vec<(String, Value)> = gone.collect();
    after.retain(|key, value| before.get(key) != Some(value));
    after.extend(gone);
    (Value::Object(after), mirrored.notes)
}

/// The same without what every guarded entity gets.
fn changes_of_state(platform: &str, options: Value) -> (Value, Vec<String>) {
    let (mut changes, notes) = changes(platform, options);
    if let Some(fields) = changes.as_object_mut() {
        fields.retain(|key, value| {
            let is_gate = value.as_str().is_some_and(|text| text.starts_with("hg/gate/"));
            !is_gate && !key.starts_with("availability") && key != "retain"
        });
    }
    (changes, notes)
}

fn bridge() -> Value {
    json!({"topic": "hg/status", "payload_available": "online", "payload_not_available": "offline"})
}

#[test]
fn what_is_not_guarded_is_passed_on_as_it_is() {
    for (platform, options) in [
        ("sensor", json!({"state_topic": "g/s", "availability_topic": "g/a", "unique_id": "u"})),
        ("switch", json!({"command_topic": "free/set", "retain": true, "optimistic": true, "some_new_key": [1]})),
        ("device_automation", json!({"automation_type": "trigger", "topic": "g/t", "type": "a", "subtype": "b"})),
        ("tag", json!({"topic": "g/tag"})),
    ] {
        assert_eq!(changes(platform, options.clone()), (json!({}), Vec::new()), "{platform}");
        let message = mirrored(&single(platform, options), &settings(), &is_guarded).message;
        assert_eq!(message.topic, format!("hg/homeassistant/{platform}/x/config"));
        assert!(message.retain);
    }
}

#[test]
fn commands_of_what_is_guarded_lead_through_the_gate() {
    let lock = json!({
        "command_topic": "g/set", "state_topic": "g/s", "retain": true, "qos": 1, "some_new_key": {"a": 1},
        "some_future_command_topic": "g/new", "other_command_topic": "free/set", "other_state_topic": "free/s",
        "some_future_state_topic": "g/f",
    });
    let expected = json!({
        "command_topic": "hg/gate/g/set", "some_future_command_topic": "hg/gate/g/new", "retain": false,
        "availability": [bridge()], "availability_mode": "all",
    });
    assert_eq!(changes("lock", lock.clone()), (expected, Vec::new()));
    let announcement = single("lock", lock.clone());
    let mut free = object(body(&released(&announcement, &settings())));
    free.remove("device");
    assert_eq!(Value::Object(free), lock, "released, the commands go the way that the device says");
}

#[test]
fn a_topic_that_the_gate_makes_too_long_is_told() {
    let topic = format!("g/{}", "x".repeat(TOPIC_BYTES_MAX - 2 - "hg/gate/".len()));
    let (_, notes) = changes("lock", json!({"command_topic": topic.clone(), "state_topic": "s"}));
    assert!(notes.is_empty(), "{notes:?}");
    let (_, notes) = changes("lock", json!({"command_topic": topic + "x", "state_topic": "s"}));
    assert_eq!(notes, ["lock.x: its `command_topic` is too long for the gate, so its commands reach nothing"]);
}

#[test]
fn the_availability_of_the_bridge_joins_that_of_the_device() {
    let one = json!({"topic": "a", "payload_available": "up", "value_template": "{{ value }}"});
    let two = json!({"topic": "b"});
    let kept = |mode: &str| {
        format!("lock.x: its availability mode is `{mode}`, so it stays available while the bridge is away")
    };
    let with = |list: Vec<Value>| json!(list.into_iter().chain([bridge()]).collect::<Vec<Value>>());
    for (options, expected, note) in [
        (json!({}), Some(with(vec![])), None),
        (
            json!({"availability_topic": "a", "payload_available": "up", "availability_template": "{{ value }}"}),
            Some(with(vec![one.clone()])),
            None,
        ),
        (json!({"availability": [one]}), Some(with(vec![one.clone()])), None),
        (json!({"availability": one}), Some(with(vec![one.clone()])), None),
        (json!({"availability": [], "availability_mode": "any"}), Some(with(vec![])), None),
        (
            json!({"availability": [one, two], "availability_mode": "all"}),
            Some(with(vec![one.clone(), two.clone()])),
            None,
        ),
        (json!({"availability": [two, {"topic": "hg/status"}]}), Some(with(vec![two.clone()])), None),
        (json!({"availability": [one, two]}), None, Some(kept("latest"))),
        (json!({"availability": [one, two], "availability_mode": "any"}), None, Some(kept("any"))),
        (
            json!({"availability": [one], "availability_topic": "a"}),
            None,
            Some("lock.x: it has `availability_topic` and `availability`, which Home Assistant refuses".to_owned()),
        ),
        (json!({"encoding": "utf-8"}), Some(with(vec![])), None),
        (
            json!({"encoding": ""}),
            None,
            Some("lock.x: its `encoding` is \"\", so it stays available while the bridge is away".to_owned()),
        ),
    ] {
        let mut all = object(json!({"command_topic": "g/set", "state_topic": "s"}));
        all.extend(object(options.clone()));
        let mirrored = mirrored(&single("lock", Value::Object(all)), &settings(), &is_guarded);
        let body = body(&mirrored.message);
        match expected {
            Some(expected) => {
                assert_eq!(body.get("availability"), Some(&expected), "{options}");
                assert_eq!(body.get("availability_mode"), Some(&json!("all")), "{options}");
                for key in ["availability_topic", "availability_template", "payload_available"] {
                    assert_eq!(body.get(key), None, "{options}: `{key}` belongs to the list now");
                }
            }
            None => assert_eq!(body.get("availability"), options.get("availability"), "{options}"),
        }
        assert_eq!(mirrored.notes, note.into_iter().collect::<Vec<String>>(), "{options}");
    }
}

/// In the mode `latest` Home Assistant would go on believing the last `offline` of a bridge that no longer counts.
#[test]
fn what_is_released_believes_its_own_availability_alone() {
    let mode = |options: Value| {
        let announcement = single("lock", options);
        body(&released(&announcement, &settings())).get("availability_mode").cloned()
    };
    for (options, expected) in [
        (json!({"command_topic": "g/set", "availability_topic": "g/a"}), Some(json!("all"))),
        (json!({"command_topic": "g/set", "availability": [{"topic": "g/a"}]}), Some(json!("all"))),
        (json!({"command_topic": "g/set", "availability": {"topic": "g/a"}}), Some(json!("all"))),
        (
            json!({"command_topic": "g/set", "availability": [{"topic": "g/a"}], "availability_mode": "latest"}),
            Some(json!("all")),
        ),
        (
            json!({"command_topic": "g/set", "availability": [{"topic": "g/a"}], "availability_mode": "any"}),
            Some(json!("any")),
        ),
        (json!({"command_topic": "g/set", "availability": [{"topic": "g/a"}, {"topic": "g/b"}]}), None),
        (json!({"command_topic": "g/set"}), None),
        (json!({"state_topic": "g/s", "availability_topic": "g/a"}), None),
    ] {
        assert_eq!(mode(options.clone()), expected, "{options}");
    }
}

#[test]
fn a_device_is_written_out_component_by_component() {
    let mut announcement = single("lock", json!({"command_topic": "g/set", "state_topic": "s", "unique_id": "1"}));
    announcement.topic = "homeassistant/device/x/config".to_owned();
    announcement.is_device = true;
    announcement.root = object(json!({
        "device": {"identifiers": ["d"]}, "origin": {"name": "o"}, "command_topic": "g/set", "state_topic": "s",
        "availability_topic": "a", "payload_available": "up", "qos": 1, "other": 2,
    }));
    let components = [
        entity("lock", "door", json!({"command_topic": "g/set", "state_topic": "s", "availability_topic": "a"})),
        entity("sensor", "battery", json!({"state_topic": "b", "availability_topic": "a"})),
    ];
    announcement.entities = components.into_iter().map(|entity| (entity.component.clone(), entity)).collect();
    announcement.removed = BTreeMap::from([("old".to_owned(), "switch".to_owned())]);
    let mirrored = mirrored(&announcement, &settings(), &is_guarded);
    assert_eq!(mirrored.message.topic, "hg/homeassistant/device/x/config");
    assert_eq!(
        body(&mirrored.message),
        json!({
            "device": {"identifiers": ["d"]}, "origin": {"name": "o"}, "other": 2,
            "components": {
                "door": {
                    "platform": "lock", "command_topic": "hg/gate/g/set", "state_topic": "s", "retain": false,
                    "availability": [{"topic": "a"}, bridge()], "availability_mode": "all",
                },
                "battery": {"platform": "sensor", "state_topic": "b", "availability_topic": "a"},
                "old": {"platform": "switch"},
            },
        })
    );
    assert!(mirrored.notes.is_empty(), "{:?}", mirrored.notes);
}

#[test]
fn what_tells_no_state_gets_one_from_the_bridge() {
    let command = |more: Value| {
        let mut options = object(json!({"command_topic": "g/set"}));
        options.extend(object(more));
        Value::Object(options)
    };
    let ours = |platform: &str, more: Value| {
        let mut options = object(json!({"state_topic": format!("hg/state/{platform}/x"), "optimistic": false}));
        options.extend(object(more));
        Value::Object(options)
    };
    for (platform, options, expected) in [
        (
            "lock",
            command(json!({"value_template": "{{ 1 }}", "state_locked": "zu"})),
            ours(
                "lock",
                json!({"value_template": null, "state_locked": "locked", "state_unlocked": "unlocked", "state_open": "open"}),
            ),
        ),
        ("lock", command(json!({"state_topic": "s", "optimistic": true})), json!({"optimistic": false})),
        ("lock", command(json!({"state_topic": "s"})), json!({})),
        ("switch", command(json!({})), ours("switch", json!({"state_on": "on", "state_off": "off"}))),
        (
            "siren",
            command(json!({"state_value_template": "{{ 1 }}"})),
            ours("siren", json!({"state_value_template": null, "state_on": "on", "state_off": "off"})),
        ),
        ("cover", command(json!({})), ours("cover", json!({"state_open": "open", "state_closed": "closed"}))),
        ("cover", command(json!({"position_topic": "p"})), json!({})),
        ("valve", command(json!({})), ours("valve", json!({"state_open": "open", "state_closed": "closed"}))),
        ("fan", command(json!({"payload_on": "an"})), ours("fan", json!({}))),
        ("light", command(json!({})), ours("light", json!({}))),
        ("select", command(json!({"options": ["a"]})), ours("select", json!({}))),
        (
            "lawn_mower",
            json!({"dock_command_topic": "g/dock"}),
            json!({"activity_state_topic": "hg/state/lawn_mower/x", "optimistic": false}),
        ),
        ("button", command(json!({})), json!({})),
        ("notify", command(json!({})), json!({})),
        ("alarm_control_panel", command(json!({"state_topic": "s"})), json!({})),
    ] {
        assert_eq!(changes_of_state(platform, options.clone()), (expected, Vec::new()), "{platform} {options}");
    }
}

#[test]
fn what_stays_optimistic_is_told() {
    let no_state =
        |platform: &str| format!("{platform}.x: it tells no state, so Home Assistant shows a denied command as done");
    let silent = |platform: &str, keys: &str| {
        format!("{platform}.x: `{keys}` has no state topic, so Home Assistant shows a denied command there as done")
    };
    for (platform, options, expected) in [
        ("text", json!({"command_topic": "g/set"}), no_state("text")),
        ("light", json!({"command_topic": "g/set", "schema": "json"}), no_state("light")),
        ("valve", json!({"command_topic": "g/set", "reports_position": true}), no_state("valve")),
        ("fan", json!({"command_topic": "g/set", "payload_on": 1}), no_state("fan")),
        (
            "fan",
            json!({"command_topic": "g/set", "state_topic": "s", "percentage_command_topic": "g/p"}),
            silent("fan", "percentage_command_topic"),
        ),
        (
            "climate",
            json!({"mode_command_topic": "g/m", "mode_state_topic": "s", "power_command_topic": "g/p", "temperature_command_topic": "g/t"}),
            silent("climate", "temperature_command_topic"),
        ),
        (
            "cover",
            json!({"command_topic": "g/set", "state_topic": "s", "tilt_command_topic": "g/t", "tilt_optimistic": true}),
            silent("cover", "tilt_command_topic"),
        ),
    ] {
        assert_eq!(changes(platform, options.clone()).1, [expected], "{platform} {options}");
    }
}

#[test]
fn the_state_is_told_in_the_words_that_the_mirror_has_announced() {
    for (platform, options, state, expected) in [
        ("lock", json!({"command_topic": "c"}), "unlocked", Some("unlocked")),
        ("lock", json!({"command_topic": "c"}), "jammed", None),
        ("lock", json!({"command_topic": "c", "state_topic": "s"}), "unlocked", None),
        ("cover", json!({"command_topic": "c"}), "open", Some("open")),
        ("light", json!({"command_topic": "c"}), "on", Some("ON")),
        ("light", json!({"command_topic": "c", "schema": "json"}), "on", None),
        ("fan", json!({"command_topic": "c", "payload_off": "aus"}), "off", Some("aus")),
        ("select", json!({"command_topic": "c"}), "eco", Some("eco")),
        ("button", json!({"command_topic": "c"}), "on", None),
    ] {
        let seen = told(&entity(platform, "", options.clone()), &settings(), state);
        let expected = expected.map(|word| Message::retained(format!("hg/state/{platform}/x"), word));
        assert_eq!(seen, expected, "{platform} {options} {state}");
    }
}

#[test]
fn topics_of_the_mirror_lead_back_to_their_originals() {
    let settings = Settings { base: "a/b".to_owned(), discovery: "x/y".to_owned() };
    let mirror = settings.mirror_topic("x/y/lock/n/o/config").expect("a topic");
    assert_eq!(mirror, "a/b/homeassistant/lock/n/o/config");
    assert_eq!(settings.original_topic(&mirror).as_deref(), Some("x/y/lock/n/o/config"));
    assert_eq!(settings.mirror_topic("homeassistant/lock/o/config"), None);
    assert_eq!(settings.original_topic("a/b/homeassistant"), None);
    let longest = format!("x/y/{}", "o".repeat(TOPIC_BYTES_MAX - "a/b/homeassistant/".len()));
    assert!(settings.mirror_topic(&longest).is_some());
    assert_eq!(settings.mirror_topic(&format!("{longest}o")), None);
}

#[test]
fn components_have_state_topics_of_their_own() {
    let topic = |component: &str| settings().state_topic(&entity("lock", component, json!({})));
    assert_eq!(topic(""), "hg/state/lock/x");
    assert_eq!(topic("front_door"), "hg/state/lock/x/front_door");
    assert_eq!(topic("a/b+#"), "hg/state/lock/x/a%2Fb%2B%23");
}
