use serde_json::{Value, json};

use super::*;
use crate::config::{NoSecrets, parse};
use crate::model::message::Message;
use crate::model::request::FactChange;

/// A house with these lines in its configuration, these announcements, and these states and attributes in the streams.
fn house(yaml: &str, announced: &[(&str, Value)], seen: &[(&str, Option<&str>, &str)]) -> Coverage {
    let config = parse("home.yaml", yaml, &NoSecrets).expect("a good configuration");
    let registry = Registry::new(&config);
    for (topic, body) in announced {
        let lesson = registry.learn(&Message::retained(format!("homeassistant/{topic}/config"), body.to_string()));
        assert_eq!(lesson.refused, None, "{topic}");
    }
    let mut facts = Home::default();
    for (entity, attribute, value) in seen {
        let change = FactChange {
            entity: (*entity).to_owned(),
            attribute: attribute.map(str::to_owned),
            value: Some(Value::from(*value)),
        };
        facts.fold(0, change).expect("room");
    }
    Coverage::of(&config, &registry, &facts)
}

const STREAMS: &str = "facts: {statestream: states}\n";

fn lock() -> Value {
    json!({
        "name": null, "object_id": "front", "unique_id": "1", "command_topic": "zigbee2mqtt/front/set",
        "state_topic": "zigbee2mqtt/front", "availability": [{"topic": "zigbee2mqtt/bridge/state"}],
        "availability_mode": "all", "device": {"identifiers": ["zigbee2mqtt_0x01"], "name": "Front"},
    })
}

fn group() -> Value {
    json!({
        "name": "Hall", "object_id": "hall", "unique_id": "2", "command_topic": "zigbee2mqtt/hall/set", "schema": "json",
        "device": {"identifiers": ["zigbee2mqtt_1221_9"], "name": "Hall"},
    })
}

fn whats(coverage: &Coverage) -> Vec<&str> {
    coverage.not_covered.iter().map(|gap| gap.what.as_str()).collect()
}

#[test]
fn a_house_with_one_plain_lock_is_covered() {
    let lock = json!({"name": "Door", "object_id": "door", "unique_id": "1", "command_topic": "door/set", "state_topic": "door"});
    let coverage = house(STREAMS, &[("lock/door", lock)], &[("lock.door", None, "locked")]);
    assert_eq!(coverage.not_covered, []);
    assert_eq!(coverage.notes, Vec::<String>::new());
    let covered: Vec<&str> = coverage.covered.iter().map(|covered| covered.entity_id.as_str()).collect();
    assert_eq!(covered, ["lock.door"]);
}

#[test]
fn what_the_streams_show_and_discovery_does_not_is_named() {
    let seen = [
        ("lock.front", None, "locked"),
        ("lock.cloud", None, "locked"),
        ("alarm_control_panel.house", None, "disarmed"),
        ("valve.water", None, "open"),
        ("siren.roof", None, "off"),
        ("cover.garage", None, "closed"),
        ("cover.garage", Some("device_class"), "garage"),
        ("cover.unknown", None, "closed"),
        ("cover.blind", None, "open"),
        ("cover.blind", Some("device_class"), "blind"),
        ("light.lamp", None, "on"),
    ];
    let coverage = house(STREAMS, &[("lock/front", lock())], &seen);
    let named =
        ["alarm_control_panel.house", "cover.garage", "cover.unknown", "lock.cloud", "siren.roof", "valve.water"];
    let expected: Vec<String> =
        named.iter().map(|id| format!("`{id}`, which Home Assistant shows and discovery does not")).collect();
    assert_eq!(whats(&coverage), expected);
    let help = &coverage.not_covered[3].help;
    assert!(help.contains("twins: [lock.cloud]") && help.contains("`hushgate/gate/<its command topic>`"), "{help}");
}

#[test]
fn what_the_owner_has_seen_to_is_not_named() {
    let yaml = "facts: {statestream: states}\nhome_assistant: {twins: [lock.cloud], eventstream: events}\ncommands:\n  - \
                {topic: \"shed/set\", action: lock.unlock, target: lock.shed}\n";
    let seen = [
        ("lock.cloud", None, "locked"),
        ("lock.cloud_gated", None, "locked"),
        ("lock.shed", None, "locked"),
        // Its owner has renamed it in Home Assistant.
        ("lock.haustuer", None, "locked"),
        ("lock.haustuer", Some("friendly_name"), "Front"),
    ];
    let coverage = house(yaml, &[("lock/front", lock())], &seen);
    assert_eq!(whats(&coverage), Vec::<&str>::new());
    let said = |word: &str| coverage.notes.iter().any(|note| note.contains(word));
    assert!(said("`lock.cloud_gated` is gated, the original is not"), "{:?}", coverage.notes);
    assert!(said("leave out `subscribe_topic`"), "{:?}", coverage.notes);
    // Two that could be it, or one that is there under its own id: then it is another lock.
    let twice: Vec<_> = seen.iter().copied().chain([("lock.front", None, "locked")]).collect();
    assert_eq!(house(yaml, &[("lock/front", lock())], &twice).not_covered.len(), 1);
}

#[test]
fn without_streams_nobody_knows() {
    let coverage = house("{}", &[("lock/front", lock())], &[]);
    assert_eq!(whats(&coverage), ["whatever in Home Assistant is not on MQTT"]);
    assert!(coverage.not_covered[0].help.contains("statestream:"));
}

#[test]
fn a_group_that_may_hold_a_lock_is_a_gap_unless_it_is_guarded() {
    let announced = [("lock/front", lock()), ("light/hall", group())];
    let coverage = house(STREAMS, &announced, &[]);
    assert_eq!(whats(&coverage), ["the group `hall` on `zigbee2mqtt/hall/set`"]);
    assert!(coverage.not_covered[0].reason.contains("may hold `lock.front`"));
    let guarded = format!("{STREAMS}home_assistant: {{gate: [sensitive, light.hall]}}\n");
    assert_eq!(whats(&house(&guarded, &announced, &[])), Vec::<&str>::new());
    // Groups that are not announced are shut by the rules, which is a note.
    assert!(coverage.notes.iter().any(|note| note.contains("not announced") && note.contains("hushgate acl")));
}

#[test]
fn what_the_owner_leaves_open_is_named_with_the_line_that_shuts_it() {
    let yaml = format!("{STREAMS}home_assistant: {{gate: [\"light.*\"]}}\n");
    let coverage = house(&yaml, &[("lock/front", lock())], &[]);
    assert_eq!(whats(&coverage), ["`lock.front`, which is sensitive"]);
    assert_eq!(coverage.not_covered[0].help, "write `home_assistant: {gate: [sensitive, \"lock.front\"]}`");
    assert_eq!(coverage.covered, []);
}

#[test]
fn what_shares_a_device_with_something_guarded_is_named_where_it_can_move_it() {
    let relay = |name: &str, topic: &str, device: &str| {
        json!({
            "name": name, "object_id": name, "unique_id": name, "command_topic": topic, "state_topic": "x",
            "availability": [{"topic": "zigbee2mqtt/bridge/state"}], "json_attributes_topic": "zigbee2mqtt/strip",
            "device": {"identifiers": [device], "name": "Strip"},
        })
    };
    let bolt = json!({"name": "Bolt", "object_id": "bolt", "unique_id": "9", "command_topic": "cellar/lock/bolt/command", "state_topic": "y"});
    let bulb = json!({"name": "Bulb", "object_id": "bulb", "unique_id": "8", "command_topic": "cellar/light/bulb/command", "state_topic": "z"});
    let announced = [
        ("switch/garage", relay("garage", "zigbee2mqtt/strip/left/set", "zigbee2mqtt_0x05")),
        ("switch/pump", relay("pump", "zigbee2mqtt/strip/right/set", "zigbee2mqtt_0x05")),
        // Each part of an ESPHome device has a topic of its own.
        ("lock/bolt", bolt),
        ("light/bulb", bulb),
    ];
    let coverage = house(STREAMS, &announced, &[]);
    assert_eq!(whats(&coverage), ["`switch.pump` on `zigbee2mqtt/strip/right/set`"]);
    assert!(coverage.not_covered[0].help.contains("gate: [sensitive, \"switch.pump\"]"));
}

#[test]
fn what_the_mirror_cannot_make_safe_is_noted() {
    let mut lock = lock();
    lock["availability"] = json!([{"topic": "a"}, {"topic": "b"}]);
    lock["availability_mode"] = json!("any");
    let siren = json!({"name": "Roof", "object_id": "roof", "unique_id": "3", "command_topic": "roof/set"});
    let coverage = house(STREAMS, &[("lock/front", lock), ("siren/roof", siren)], &[]);
    let said = |word: &str| coverage.notes.iter().any(|note| note.contains(word));
    assert!(said("lock.front: its availability mode is `any`"), "{:?}", coverage.notes);
    assert!(said("siren.roof: its device tells no state"), "{:?}", coverage.notes);
}

#[test]
fn its_json_has_a_stable_shape() {
    let coverage = house(STREAMS, &[("lock/front", lock())], &[("lock.cloud", None, "locked")]);
    let json = serde_json::to_value(&coverage).expect("JSON");
    assert_eq!(json["covered"][0]["entity_id"], "lock.front");
    assert_eq!(json["covered"][0]["family"], "zigbee2mqtt");
    let shut = json["covered"][0]["shut"].as_array().expect("a list");
    let address = shut.iter().find(|shut| shut["filter"] == "zigbee2mqtt/0x01/set/#").expect("its address");
    assert_eq!(address["what"], "its address");
    assert_eq!(address["is_shared"], false);
    let keys: Vec<&String> = json["not_covered"][0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["help", "reason", "what"]);
    assert!(json["notes"].is_array());
}
