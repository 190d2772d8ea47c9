use serde_json::{Value, json};

use super::*;
use crate::model::action;

/// An entity as the reader of discovery would make it.
fn entity(entity_id: &str, device: &str, options: Value) -> Entity {
    let Value::Object(options) = options else { panic!("an object") };
    let (platform, object) = entity_id.split_once('.').expect("a domain");
    Entity {
        topic: format!("homeassistant/{platform}/{object}/config"),
        component: String::new(),
        platform: platform.to_owned(),
        entity_id: entity_id.to_owned(),
        name: object.replace('_', " "),
        device: vec![device.to_owned()],
        options,
    }
}

fn zigbee(entity_id: &str, id: &str, name: &str, mut options: Value) -> Entity {
    let fields = options.as_object_mut().expect("an object");
    fields.entry("command_topic").or_insert(json!(format!("zigbee2mqtt/{name}/set")));
    fields.entry("state_topic").or_insert(json!(format!("zigbee2mqtt/{name}")));
    fields.insert("availability".to_owned(), json!([{"topic": "zigbee2mqtt/bridge/state"}]));
    entity(entity_id, &format!("zigbee2mqtt_{id}"), options)
}

/// A house with something of every family.
fn house() -> Vec<Rc<Entity>> {
    let light = json!({"schema": "json", "brightness": true});
    let zwave = |entity_id: &str, node: &str, number: u8, options: Value| {
        let mut options = options;
        options["availability"] =
            json!([{"topic": format!("zwave/{node}/status")}, {"topic": "zwave/_CLIENTS/ZWAVE_GATEWAY-home/status"}]);
        entity(entity_id, &format!("zwavejs2mqtt_0xabcd_node{number}"), options)
    };
    [
        zigbee("lock.front", "0x01", "front", json!({})),
        zigbee(
            "switch.front_child_lock",
            "0x01",
            "front",
            json!({"command_topic": "zigbee2mqtt/front/set/child_lock"}),
        ),
        zigbee("light.lamp", "0x02", "hall/lamp", light.clone()),
        zigbee("light.group", "1221_9", "all lamps", light),
        zigbee("switch.strip_left", "0x03", "strip", json!({"command_topic": "zigbee2mqtt/strip/left/set"})),
        zigbee("switch.strip_right", "0x03", "strip", json!({"command_topic": "zigbee2mqtt/strip/right/set"})),
        zigbee(
            "cover.garage",
            "0x04",
            "garage",
            json!({"device_class": "garage", "set_position_topic": "zigbee2mqtt/garage/set/position"}),
        ),
        entity(
            "switch.garage_opener",
            "A1B2C3",
            json!({"command_topic": "cmnd/opener/POWER1", "state_topic": "stat/opener/RESULT"}),
        ),
        entity("switch.desk", "D4E5F6", json!({"command_topic": "desk/cmnd/POWER"})),
        entity(
            "lock.gate",
            "shelly1-AB",
            json!({"command_topic": "shellies/shelly1-AB/relay/0/command", "payload_lock": "off", "payload_unlock": "on"}),
        ),
        entity("cover.blind", "shellyplus2pm-cd", json!({"command_topic": "shellyplus2pm-cd/command/cover:0"})),
        entity(
            "switch.pump",
            "shellyplus1-ef",
            json!({
                "command_topic": "shellyplus1-ef/rpc",
                "payload_on": r#"{"id":1,"src":"ha","method":"Switch.Set","params":{"id":0,"on":true}}"#,
                "payload_off": r#"{"id":1,"src":"ha","method":"Switch.Set","params":{"id":0,"on":false}}"#,
                "state_topic": "shellyplus1-ef/status/switch:0",
            }),
        ),
        zwave(
            "lock.back",
            "hall/back",
            7,
            json!({"command_topic": "zwave/hall/back/98/0/targetMode/set", "payload_lock": "255", "payload_unlock": "0"}),
        ),
        zwave(
            "switch.fan",
            "fan",
            8,
            json!({"command_topic": "zwave/fan/37/0/targetValue/set", "payload_on": true, "payload_off": false}),
        ),
        entity("lock.cellar", "aabbcc", json!({"command_topic": "cellar/lock/door/command"})),
        entity("light.porch", "ddeeff", json!({"command_topic": "porch/light/bulb/command"})),
        entity("switch.plain", "plain", json!({"command_topic": "somewhere/relay/set"})),
    ]
    .map(Rc::new)
    .into()
}

/// `lock.unlock lock.front sensitive`
fn told(doors: &Doors, topic: &str, payload: &str) -> String {
    let Some(found) = doors.read(topic, payload.as_bytes(), &action::class_of) else { return "none".to_owned() };
    let is_sensitive = found.reading.is_sensitive || action::class_of(&found.reading.action) == Class::Sensitive;
    let sensitive = if is_sensitive { "sensitive" } else { "ordinary" };
    format!("{} {} {sensitive}", found.reading.action, found.entity_id.as_deref().unwrap_or("-"))
}

#[test]
fn zigbee2mqtt() {
    let doors = Doors::new(house());
    for (topic, payload, expected) in [
        // The announced form, another letter case, JSON, an attribute, the address.
        ("zigbee2mqtt/front/set", "unlock", "lock.unlock lock.front sensitive"),
        ("zigbee2mqtt/front/set", r#"{"state":"UNLOCK"}"#, "lock.unlock lock.front sensitive"),
        ("zigbee2mqtt/front/set", r#"{"state":"Lock"}"#, "lock.lock lock.front ordinary"),
        ("zigbee2mqtt/front/set/state", "UNLOCK", "lock.unlock lock.front sensitive"),
        ("zigbee2mqtt/front/set/state", r#""UNLOCK""#, "lock.unlock lock.front sensitive"),
        ("zigbee2mqtt/0x01/set", r#"{"state":"UNLOCK"}"#, "lock.unlock lock.front sensitive"),
        ("zigbee2mqtt/0x01/set/state", "LOCK", "lock.lock lock.front ordinary"),
        ("zigbee2mqtt/0x01/1/set", r#"{"state":"UNLOCK"}"#, "lock.unlock lock.front sensitive"),
        // A field beside the harmless one, a field that nobody announced, two readings.
        ("zigbee2mqtt/front/set", r#"{"child_lock":"ON","state":"UNLOCK"}"#, "lock.unlock lock.front sensitive"),
        ("zigbee2mqtt/front/set/child_lock", "ON", "switch.turn_on switch.front_child_lock ordinary"),
        ("zigbee2mqtt/front/set", r#"{"pin_code":{"user":1,"pin_code":1234}}"#, "lock.unreadable lock.front sensitive"),
        ("zigbee2mqtt/front/set", r#"{"state":"LOCK","state":"UNLOCK"}"#, "lock.unreadable lock.front sensitive"),
        ("zigbee2mqtt/front/set", r#"{"state":"TOGGLE"}"#, "lock.unlock lock.front sensitive"),
        ("zigbee2mqtt/front/set", "[1]", "lock.unreadable lock.front sensitive"),
        // Endpoints reach their siblings.
        ("zigbee2mqtt/strip/set", r#"{"state_right":"ON"}"#, "switch.turn_on switch.strip_left ordinary"),
        ("zigbee2mqtt/strip/set/state_left", "off", "switch.turn_off switch.strip_left ordinary"),
        ("zigbee2mqtt/garage/set", r#"{"position":100}"#, "cover.open_garage cover.garage sensitive"),
        ("zigbee2mqtt/0x04/set/position", "100", "cover.open_garage cover.garage sensitive"),
        // Groups may hold anything; a name that nobody announced may be a group.
        ("zigbee2mqtt/hall/lamp/set", r#"{"state":"ON","brightness":5}"#, "light.turn_on light.lamp ordinary"),
        ("zigbee2mqtt/0x02/set", "on", "light.turn_on light.lamp ordinary"),
        ("zigbee2mqtt/all lamps/set", r#"{"state":"ON","transition":2}"#, "light.turn_on light.group ordinary"),
        ("zigbee2mqtt/all lamps/set", r#"{"brightness":1,"transition":2}"#, "none"),
        ("zigbee2mqtt/all lamps/set", r#"{"state":"UNLOCK"}"#, "lock.unlock light.group sensitive"),
        ("zigbee2mqtt/9/set", "open", "lock.open - sensitive"),
        ("zigbee2mqtt/nobody/set", r#"{"state":"UNLOCK","scene_recall":1}"#, "lock.unlock - sensitive"),
        ("zigbee2mqtt/9/set", r#"{"scene_recall":1}"#, "lock.unreadable - sensitive"),
        ("zigbee2mqtt/ärger/set", r#"{"state":"UNLOCK"}"#, "lock.unlock - sensitive"),
        ("zigbee2mqtt/x/settings/set", r#"{"state":"UNLOCK"}"#, "lock.unlock - sensitive"),
        ("zigbee2mqtt/bridge/request/restart", "", "zigbee2mqtt.request - sensitive"),
        // The program.
        (
            "zigbee2mqtt/bridge/request/device/rename",
            r#"{"from":"front","to":"lamp"}"#,
            "zigbee2mqtt.request - sensitive",
        ),
        ("zigbee2mqtt/bridge/request/extension/save", "{}", "zigbee2mqtt.request - sensitive"),
        ("zigbee2mqtt/bridge/request/health_check", "{}", "zigbee2mqtt.query - ordinary"),
        ("zigbee2mqtt/bridge/request/health_check/x", "{}", "zigbee2mqtt.request - sensitive"),
        ("zigbee2mqtt/bridge/config/permit_join", "true", "zigbee2mqtt.request - sensitive"),
        // No commands.
        ("zigbee2mqtt/front/get", r#"{"state":""}"#, "none"),
        ("zigbee2mqtt/front", r#"{"state":"UNLOCK"}"#, "none"),
        ("zigbee2mqtt/front/settings", "UNLOCK", "none"),
        ("zigbee2mqtt/bridge/state", "online", "none"),
        ("zigbee2mqtt/front/set", "", "none"),
        ("other/front/set", "UNLOCK", "none"),
    ] {
        assert_eq!(told(&doors, topic, payload), expected, "{payload} on {topic}");
    }
}

#[test]
fn tasmota() {
    let doors = Doors::new(house());
    for (topic, payload, expected) in [
        ("cmnd/opener/POWER", "1", "switch.turn_on switch.garage_opener sensitive"),
        ("cmnd/opener/power1", "on", "switch.turn_on switch.garage_opener sensitive"),
        ("cmnd/opener/POWER0", "ON", "switch.turn_on switch.garage_opener sensitive"),
        ("cmnd/opener/POWER2", "ON", "switch.unreadable switch.garage_opener sensitive"),
        ("cmnd/opener/POWER", "blink", "switch.unreadable switch.garage_opener sensitive"),
        ("cmnd/DVES_A1B2C3_fb/POWER", "true", "switch.turn_on switch.garage_opener sensitive"),
        ("cmnd/opener/Backlog", "Power1 off; Delay 10; POWER 1", "switch.turn_on switch.garage_opener sensitive"),
        ("cmnd/opener/Backlog", "POWER 1; Rule1 1", "tasmota.command - sensitive"),
        ("cmnd/opener/BACKLOG0", "Status 0; Power", "tasmota.query - ordinary"),
        ("cmnd/opener/Rule1", "ON Power1#state DO Power1 1 ENDON", "tasmota.command - sensitive"),
        ("cmnd/opener/Publish", "zigbee2mqtt/front/set UNLOCK", "tasmota.command - sensitive"),
        ("cmnd/opener/STATUS", "0", "tasmota.query - ordinary"),
        // The group of all, and one that the owner may have made.
        ("cmnd/tasmotas/POWER", "1", "switch.turn_on - sensitive"),
        ("cmnd/sonoffs/Power1", "1", "switch.turn_on - sensitive"),
        ("cmnd/my_group/POWER", "ON", "switch.turn_on - sensitive"),
        // Another order of the topic.
        ("desk/cmnd/power", "1", "switch.turn_on switch.desk ordinary"),
        ("tasmotas/cmnd/POWER", "1", "switch.turn_on - ordinary"),
        ("desk/cmnd/Reset", "1", "tasmota.command - sensitive"),
        ("stat/opener/POWER", "ON", "none"),
    ] {
        assert_eq!(told(&doors, topic, payload), expected, "{payload} on {topic}");
    }
    let long = |parts: usize| "Power1 0;".repeat(parts);
    assert_eq!(told(&doors, "cmnd/opener/Backlog", &long(PARTS_MAX)), "switch.turn_off switch.garage_opener sensitive");
    assert_eq!(
        told(&doors, "cmnd/opener/Backlog", &long(PARTS_MAX + 1)),
        "switch.unreadable switch.garage_opener sensitive"
    );
}

#[test]
fn shelly() {
    let doors = Doors::new(house());
    let call = |method: &str, params: &str| format!(r#"{{"id":9,"src":"x","method":"{method}","params":{params}}}"#);
    for (topic, payload, expected) in [
        ("shellies/shelly1-AB/relay/0/command", "ON".to_owned(), "lock.unlock lock.gate sensitive"),
        ("shellies/shelly1-AB/relay/0/command", "off".to_owned(), "lock.lock lock.gate ordinary"),
        ("shellies/shelly1-AB/relay/0/command", "toggle".to_owned(), "lock.unlock lock.gate sensitive"),
        ("shellies/shelly1-AB/relay/1/command", "on".to_owned(), "lock.unreadable lock.gate sensitive"),
        ("shellies/shelly1-AB/command", "update_fw".to_owned(), "shelly.call - sensitive"),
        ("shellies/command", "announce".to_owned(), "shelly.query - ordinary"),
        ("shellies/command", "update_fw".to_owned(), "shelly.call - sensitive"),
        ("shellies/shelly1-AB/relay/0", "on".to_owned(), "none"),
        ("shellyplus2pm-cd/rpc", call("Cover.Open", r#"{"id":0}"#), "cover.open_cover cover.blind ordinary"),
        ("shellyplus2pm-cd/rpc", call("cover.stop", r#"{"id":0}"#), "cover.stop_cover cover.blind ordinary"),
        ("shellyplus2pm-cd/command/cover:0", "close".to_owned(), "cover.close_cover cover.blind ordinary"),
        ("shellyplus1-ef/rpc", call("Switch.Set", r#"{"id":0,"on":true}"#), "switch.turn_on switch.pump ordinary"),
        ("shellyplus1-ef/command/switch:0", "off".to_owned(), "switch.turn_off switch.pump ordinary"),
        ("shellyplus1-ef/rpc", call("Script.Eval", r#"{"id":1,"code":"x"}"#), "shelly.call - sensitive"),
        ("shellyplus1-ef/rpc", call("Sys.SetConfig", "{}"), "shelly.call - sensitive"),
        ("shellyplus1-ef/rpc", call("Switch.GetStatus", r#"{"id":0}"#), "shelly.query - ordinary"),
        ("shellyplus1-ef/rpc", "[]".to_owned(), "switch.unreadable switch.pump ordinary"),
        ("shellyplus1-ef/events/rpc", call("NotifyStatus", "{}"), "none"),
    ] {
        assert_eq!(told(&doors, topic, &payload), expected, "{payload} on {topic}");
    }
}

#[test]
fn zwave() {
    let doors = Doors::new(house());
    for (topic, payload, expected) in [
        ("zwave/hall/back/98/0/targetMode/set", r#"{"value":0,"options":{}}"#, "lock.unlock lock.back sensitive"),
        ("zwave/hall/back/98/0/currentMode/set", "0", "lock.unlock lock.back sensitive"),
        ("zwave/hall/back/98/0/currentMode/set", "255", "lock.lock lock.back ordinary"),
        ("zwave/hall/back/98/0/currentMode/set", "7", "lock.unreadable lock.back sensitive"),
        ("zwave/hall/back/99/0/userCode/1/set", "1234", "lock.unreadable lock.back sensitive"),
        ("zwave/fan/37/0/currentValue/set", "true", "switch.turn_on switch.fan ordinary"),
        ("zwave/_CLIENTS/ZWAVE_GATEWAY-home/broadcast/98/0/targetMode/set", "0", "lock.unlock - sensitive"),
        ("zwave/_CLIENTS/ZWAVE_GATEWAY-home/broadcast/37/0/targetValue/set", "true", "switch.turn_on - ordinary"),
        (
            "zwave/_CLIENTS/ZWAVE_GATEWAY-home/multicast/set",
            r#"{"nodes":[7,8],"commandClass":98,"endpoint":0,"property":"targetMode","value":0}"#,
            "lock.unlock - sensitive",
        ),
        (
            "zwave/_CLIENTS/ZWAVE_GATEWAY-home/multicast/set",
            r#"{"nodes":[8],"commandClass":37,"endpoint":0,"property":"targetValue","value":false}"#,
            "switch.turn_off - ordinary",
        ),
        (
            "zwave/_CLIENTS/ZWAVE_GATEWAY-home/broadcast/set",
            r#"{"commandClass":112,"endpoint":0,"property":3,"value":1}"#,
            "lock.unreadable - sensitive",
        ),
        ("zwave/_CLIENTS/ZWAVE_GATEWAY-home/multicast/set", "{", "lock.unreadable - sensitive"),
        ("zwave/_CLIENTS/ZWAVE_GATEWAY-home/api/writeValue/set", r#"{"args":[]}"#, "zwave.call - sensitive"),
        ("zwave/Group One/98/0/targetMode/set", "0", "lock.unlock - sensitive"),
        ("zwave/hall/back/98/0/targetMode", "0", "none"),
    ] {
        assert_eq!(told(&doors, topic, payload), expected, "{payload} on {topic}");
    }
}

#[test]
fn esphome() {
    let doors = Doors::new(house());
    for (topic, expected) in [
        ("cellar/switch/bare_relay/command", "lock.unreadable lock.cellar sensitive"),
        ("cellar/cover/door/position/command", "lock.unreadable lock.cellar sensitive"),
        ("cellar/lock/door/command", "none"),
        ("cellar/lock/door/state", "none"),
        ("porch/switch/x/command", "light.unreadable light.porch ordinary"),
        ("attic/switch/x/command", "none"),
    ] {
        assert_eq!(told(&doors, topic, "ON"), expected, "{topic}");
    }
}

#[test]
fn what_is_longer_than_its_bound_is_on_the_safe_side() {
    let doors = Doors::new(house());
    // Fields of one message.
    let fields = |count: usize| {
        let fields: BTreeMap<String, &str> = (1..count).map(|number| (format!("state_{number}"), "LOCK")).collect();
        let mut fields = json!(fields);
        fields["state"] = json!("LOCK");
        fields.to_string()
    };
    assert_eq!(told(&doors, "zigbee2mqtt/front/set", &fields(PARTS_MAX)), "lock.lock lock.front ordinary");
    assert_eq!(told(&doors, "zigbee2mqtt/front/set", &fields(PARTS_MAX + 1)), "lock.unreadable lock.front sensitive");
    // Levels of a topic: what is announced deeper has no other doors, only the topics that it announced.
    let deep = |levels: usize| {
        let root = vec!["x"; levels].join("/");
        let lock = entity("lock.deep", "deep", json!({"command_topic": format!("{root}/lock/bolt/command")}));
        told(&Doors::new([Rc::new(lock)]), &format!("{root}/switch/relay/command"), "ON")
    };
    assert_eq!(deep(LEVELS_MAX), "lock.unreadable lock.deep sensitive");
    assert_eq!(deep(LEVELS_MAX + 1), "none");
    // Entities that are asked whether a message to a group is harmless.
    let group = |others: usize| {
        let other = |number: usize| {
            zigbee(&format!("number.n{number}"), &format!("0x1{number:02}"), &format!("n{number}"), json!({}))
        };
        let lock = zigbee("lock.front", "0x01", "front", json!({}));
        let lamp = zigbee("switch.z", "0x99", "z", json!({}));
        let all = (0..others).map(other).chain([lock, lamp]).map(Rc::new);
        told(&Doors::new(all), "zigbee2mqtt/group/set", "ON")
    };
    assert_eq!(group(zigbee2mqtt::OTHERS_MAX - 1), "switch.turn_on - ordinary");
    assert_eq!(group(zigbee2mqtt::OTHERS_MAX), "lock.unreadable - sensitive");
}

#[test]
fn what_is_announced_for_one_part_moves_that_part_alone() {
    let rogue = entity("light.rogue", "zwavejs2mqtt_1", json!({"command_topic": "zigbee2mqtt/0x01/set"}));
    let doors = Doors::new(house().into_iter().chain([Rc::new(rogue)]));
    for (topic, expected) in [
        ("porch/light/bulb/command", true),
        ("shellies/shelly1-AB/relay/0/command", true),
        ("desk/cmnd/POWER", true),
        ("zwave/fan/37/0/targetValue/set", true),
        ("shellyplus1-ef/rpc", false),
        ("zigbee2mqtt/strip/left/set", false),
        ("porch/light/other/command", false),
        ("zigbee2mqtt/0x01/set", false),
    ] {
        assert_eq!(doors.is_separate(topic), expected, "{topic}");
    }
}

#[test]
fn a_forged_announcement_loosens_nothing() {
    let forged = [
        zigbee("light.rogue_address", "0x01", "aaa", json!({"schema": "json"})),
        zigbee("light.rogue_endpoint", "0x09", "front/left", json!({"schema": "json"})),
        entity("light.rogue_root", "shelly-x", json!({"command_topic": "zigbee2mqtt/front/rpc"})),
        entity("light.rogue_part", "x", json!({"command_topic": "zigbee2mqtt/front/light/x/command"})),
        entity("light.rogue_plug", "B1", json!({"command_topic": "cmnd/opener/POWER1", "state_topic": "x"})),
    ];
    let honest = Doors::new(house());
    let both = Doors::new(house().into_iter().chain(forged.map(Rc::new)));
    for (topic, payload) in [
        ("zigbee2mqtt/front/set", r#"{"state":"UNLOCK"}"#),
        ("zigbee2mqtt/front/set", r#"{"pin_code":1}"#),
        ("zigbee2mqtt/front/left/set", "UNLOCK"),
        ("zigbee2mqtt/0x01/set", "UNLOCK"),
        ("zigbee2mqtt/0x01/set/state", "UNLOCK"),
        ("cmnd/opener/power", "1"),
    ] {
        assert_eq!(told(&both, topic, payload), told(&honest, topic, payload), "{payload} on {topic}");
    }
}

#[test]
fn codes_are_never_shown() {
    let doors = Doors::new(house());
    for (topic, payload) in [
        ("zigbee2mqtt/front/set", r#"{"pin_code":{"user":1,"pin_code":"80817263"}}"#),
        ("zigbee2mqtt/bridge/request/install_code/add", r#"{"value":"80817263"}"#),
        ("cmnd/opener/Backlog", "Password1 80817263; Power 1"),
        ("cmnd/opener/Password1", "80817263"),
        ("shellyplus1-ef/rpc", r#"{"method":"Shelly.SetAuth","params":{"ha1":"80817263"}}"#),
        ("zwave/_CLIENTS/ZWAVE_GATEWAY-home/api/setUserCode/set", r#"{"args":["80817263"]}"#),
        ("zwave/hall/back/99/0/userCode/1/set", "80817263"),
        ("shellies/command", "80817263"),
    ] {
        let found = doors.read(topic, payload.as_bytes(), &action::class_of).expect("a door");
        assert!(!format!("{found:?}").contains("80817263"), "{found:?}");
    }
}

#[test]
fn every_form_of_a_guarded_command_is_in_a_filter() {
    let house = house();
    let doors = Doors::new(house.clone());
    for (entity_id, topics) in [
        (
            "lock.front",
            &[
                "zigbee2mqtt/front/set",
                "zigbee2mqtt/front/set/state",
                "zigbee2mqtt/front/1/set",
                "zigbee2mqtt/front/1/set/state",
                "zigbee2mqtt/0x01/set",
                "zigbee2mqtt/0x01/1/set/state",
                "zigbee2mqtt/bridge/request/device/rename",
                "zigbee2mqtt/front/set/hushgate_canary",
            ][..],
        ),
        (
            "switch.garage_opener",
            &["cmnd/opener/POWER1", "cmnd/opener/Backlog", "cmnd/DVES_A1B2C3_fb/POWER", "cmnd/tasmotas/POWER1"],
        ),
        ("lock.gate", &["shellies/shelly1-AB/relay/0/command", "shellies/shelly1-AB/command", "shellies/command"]),
        ("cover.blind", &["shellyplus2pm-cd/rpc", "shellyplus2pm-cd/command/cover:1"]),
        (
            "lock.back",
            &[
                "zwave/hall/back/98/0/currentMode/set",
                "zwave/hall/back/99/0/userCode/1/set",
                "zwave/_CLIENTS/ZWAVE_GATEWAY-home/multicast/set",
                "zwave/_CLIENTS/ZWAVE_GATEWAY-home/api/x/set",
            ],
        ),
        ("lock.cellar", &["cellar/lock/door/command", "cellar/switch/bare_relay/command"]),
        ("switch.plain", &["somewhere/relay/set", "somewhere/relay/set/x"]),
    ] {
        let entity = house.iter().find(|entity| entity.entity_id == entity_id).expect("it is in the house");
        let filters = doors.filters(entity);
        for topic in topics {
            assert!(filters.iter().any(|found| found.filter.matches(topic)), "{topic} is not shut for {entity_id}");
        }
        // What the device says stays free.
        for topic in ["zigbee2mqtt/front", "zigbee2mqtt/bridge/state", "stat/opener/RESULT", "cellar/lock/door/state"] {
            assert!(filters.iter().all(|found| !found.filter.matches(topic)), "{topic} is shut for {entity_id}");
        }
    }
}
