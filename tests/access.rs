//! The rules for the broker: who may do what by them, as they are written and, where Mosquitto is installed, as it acts.
#![expect(unreachable_pub, reason = "a test has no outside; `pub` says what a module offers the others")]
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests stand outside: they have files, threads and a clock")]

use hushgate::access::{Plan, USER_BYTES_MAX, Users, dynsec, mosquitto};
use hushgate::config::{self, NoSecrets};
use hushgate::integration::Traffic;
use hushgate::model::entity::Entity;
use hushgate::model::topic::TopicFilter;
use hushgate::registry::platform;
use serde_json::{Value, json};

#[path = "access/real.rs"]
mod real;

const HOUSE: &str = r#"
home_assistant:
  eventstream: events
  channel: phone
facts:
  statestream: states
  topics:
    - {topic: "presence/{name}", entity: "person.{name}"}
channels:
  phone: {kind: person, confirms: true, independent: true}
  panel: {kind: person, confirms: true}
  echo: {kind: voice}
  tablet: {kind: person, confirms: true, carried_by: home_assistant}
  button:
    kind: person
    confirms: true
    ask: [{topic: lamps/hall, payload: blink}]
    over: [{topic: hushgate/act, payload: "{id}"}]
    answers: [{topic: "buttons/{name}/action", payload: single, says: approve}]
commands:
  - {topic: "kitchen_echo/send/{to}", action: communication.send_message, channel: echo}
"#;

fn entity(entity_id: &str, device: &str, options: Value) -> Entity {
    let Value::Object(options) = options else { panic!("an object") };
    let (platform, object) = entity_id.split_once('.').expect("a domain");
    Entity {
        topic: format!("homeassistant/{platform}/{object}/config"),
        component: String::new(),
        platform: platform.to_owned(),
        entity_id: entity_id.to_owned(),
        name: object.to_owned(),
        device: vec![device.to_owned()],
        options,
    }
}

fn entities() -> Vec<Entity> {
    let availability = json!([{"topic": "zigbee2mqtt/bridge/state"}]);
    let zigbee = |entity_id: &str, id: &str, command: &str, state: &str| {
        let options = json!({"command_topic": command, "state_topic": state, "availability": availability});
        entity(entity_id, &format!("zigbee2mqtt_{id}"), options)
    };
    vec![
        zigbee("lock.front", "0x01", "zigbee2mqtt/front/set", "zigbee2mqtt/front"),
        zigbee("light.lamp", "0x02", "zigbee2mqtt/lamp/set", "zigbee2mqtt/lamp"),
        zigbee("switch.permit_join", "0x00", "zigbee2mqtt/bridge/request/permit_join", "zigbee2mqtt/bridge/info"),
        entity(
            "lock.cellar",
            "esp",
            json!({"command_topic": "cellar/lock/bolt/command", "state_topic": "cellar/lock/bolt/state"}),
        ),
        // Beside the lock, and of another device that looks like its family.
        entity(
            "light.cellar",
            "esp",
            json!({"command_topic": "cellar/light/bulb/command", "state_topic": "cellar/light/bulb/state"}),
        ),
        // Two relays, of which one is guarded: Zigbee2MQTT moves either by a message to the other.
        zigbee("switch.garage", "0x05", "zigbee2mqtt/strip/left/set", "zigbee2mqtt/strip"),
        zigbee("switch.pump", "0x05", "zigbee2mqtt/strip/right/set", "zigbee2mqtt/strip"),
        // Its state lies below its command topic, and is the same as it.
        entity("lock.shed", "x1", json!({"command_topic": "shed", "state_topic": "shed/state"})),
        entity("siren.echo", "x2", json!({"command_topic": "loud", "state_topic": "loud"})),
        entity("switch.plug", "x3", json!({"command_topic": "plug/set", "state_topic": "plug"})),
    ]
}

/// Discovery that wants rights.
fn forged() -> Vec<Entity> {
    let command = |number: usize, topic: &str| {
        entity(&format!("light.rogue_{number}"), "rogue", json!({"command_topic": topic, "state_topic": topic}))
    };
    let topics = [
        "hushgate/mode/set",
        "hushgate/prompt/phone",
        "homeassistant/lock/x/config",
        "$CONTROL/dynamic-security/v1",
        " zigbee2mqtt/front/set",
        "zigbee2mqtt/front/set ",
        "zigbee2mqtt/front/set/state",
        "%u/x",
        "states/lock/front/state",
        "presence/anna",
        "a\ntopic write #",
        "zigbee2mqtt/#",
        "cmnd/tasmotas/POWER1",
        "buttons/hall/action",
    ];
    let z_wave = entity("light.rogue_node", "zwavejs2mqtt_1", json!({"command_topic": "zigbee2mqtt/0x01/set"}));

    topics.iter().enumerate().map(|(number, topic)| command(number, topic)).chain([z_wave]).collect()
}

/// What integrations declare: one of a program of its own, one of Home Assistant's streams, and one that wants too much.
fn traffic() -> Vec<Traffic> {
    let filters = |texts: &[&str]| texts.iter().map(|text| TopicFilter::new(text).expect("a filter")).collect();
    let of = |name: &str, reads: &[&str], commands: &[&str], sends: &[&str]| Traffic {
        name: name.to_owned(),
        reads: filters(reads),
        commands: filters(commands),
        sends: filters(sends),
    };
    vec![
        of("hermes", &["hermes/intent/#", "hermes/tts/sayFinished"], &["hermes/command"], &["hermes/tts/say"]),
        of("satellites", &["states/assist_satellite/#"], &[], &[]),
        of(
            "greedy",
            &["#", "hushgate/mode/set", "zigbee2mqtt/front/set", "presence/+", "greedy/said"],
            &[],
            &["hushgate/#"],
        ),
    ]
}

fn plan(entities: &[Entity]) -> Plan {
    let config = config::parse("home.yaml", HOUSE, &NoSecrets).expect("a good configuration");
    Plan::new(&config, entities, &traffic(), &platform::is_sensitive, &Users::default())
}

/// Whether the text lets a user do something, as Mosquitto reads it.
fn may(text: &str, user: &str, access: &str, topic: &str) -> bool {
    let mut rules: Vec<(&str, TopicFilter)> = Vec::new();
    let mut section = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(' ') {
            Some(("user", name)) => section = name,
            Some(("topic", rule)) if section == user => {
                let (access, filter) = rule.split_once(' ').expect("an access and a filter");
                rules.push((access, TopicFilter::new(filter.trim()).expect("a filter")));
            }
            _ => {}
        }
    }
    let fits = |wanted: &[&str]| rules.iter().any(|(access, filter)| wanted.contains(access) && filter.matches(topic));
    !fits(&["deny"]) && fits(&[access, "readwrite"])
}

/// Whether the roles let a user do something, as the plugin reads them: the highest priority that fits decides.
fn may_by_role(commands: &Value, user: &str, access: &str, topic: &str) -> bool {
    let role = json!(format!("hushgate-{user}"));
    let commands = commands["commands"].as_array().expect("a list");
    let Some(command) =
        commands.iter().find(|command| command["command"] == "modifyRole" && command["rolename"] == role)
    else {
        return false;
    };
    let kind = json!(if access == "write" { "publishClientSend" } else { "publishClientReceive" });
    let fits = |rule: &&Value| {
        let filter = TopicFilter::new(rule["topic"].as_str().expect("a topic")).expect("a filter");
        rule["acltype"] == kind && filter.matches(topic)
    };
    let rules = command["acls"].as_array().expect("a list").iter().filter(fits);
    rules.max_by_key(|rule| rule["priority"].as_i64()).is_some_and(|rule| rule["allow"] == true)
}

const TABLE: &[(&str, &str, &str, bool)] = &[
    // The bridge is the only one to command what is guarded, by any door.
    ("hushgate", "write", "zigbee2mqtt/front/set", true),
    ("hushgate", "write", "zigbee2mqtt/front/set/hushgate_canary", true),
    ("hushgate", "read", "zigbee2mqtt/front/set/hushgate_canary", true),
    ("homeassistant", "write", "zigbee2mqtt/front/set", false),
    ("homeassistant", "write", "zigbee2mqtt/front/set/hushgate_canary", false),
    ("homeassistant", "write", "zigbee2mqtt/front/set/state", false),
    ("homeassistant", "write", "zigbee2mqtt/front/left/set", false),
    ("homeassistant", "write", "zigbee2mqtt/0x01/set", false),
    ("homeassistant", "write", "zigbee2mqtt/a_group/set", false),
    ("homeassistant", "write", "zigbee2mqtt/bridge/request/device/rename", false),
    ("homeassistant", "write", "zigbee2mqtt/bridge/request/permit_join", false),
    ("homeassistant", "write", "cellar/lock/bolt/command", false),
    ("homeassistant", "write", "cellar/switch/relay/command", false),
    ("homeassistant", "write", "shed", false),
    ("homeassistant", "write", "loud", false),
    ("guest", "write", "zigbee2mqtt/front/set", false),
    ("esphome", "write", "zigbee2mqtt/front/set", false),
    ("devices", "write", "zigbee2mqtt/front/set", false),
    ("homeassistant", "write", "zigbee2mqtt/strip/left/set", false),
    ("homeassistant", "write", "zigbee2mqtt/strip/right/set", false),
    // What is not guarded is commanded as before.
    ("homeassistant", "write", "cellar/light/bulb/command", true),
    ("homeassistant", "write", "cellar/light/bulb/command/x", false),
    ("homeassistant", "write", "zigbee2mqtt/lamp/set", true),
    ("homeassistant", "write", "plug/set", true),
    // The gate, questions, switches.
    ("homeassistant", "write", "hushgate/gate/zigbee2mqtt/front/set", true),
    ("homeassistant", "read", "hushgate/gate/zigbee2mqtt/front/set", false),
    ("homeassistant", "write", "hushgate/gate/kitchen_echo/send/bob", false),
    ("echo", "write", "hushgate/gate/kitchen_echo/send/bob", true),
    ("echo", "write", "hushgate/gate/zigbee2mqtt/front/set", false),
    ("homeassistant", "write", "hushgate/twin/lock.back/set", true),
    ("homeassistant", "write", "hushgate/mode/set", true),
    ("homeassistant", "write", "hushgate/mode", false),
    ("homeassistant", "write", "hushgate/info", false),
    ("homeassistant", "write", "hushgate/act", false),
    ("homeassistant", "read", "hushgate/act", true),
    ("homeassistant", "read", "hushgate/decision/deny/lock.unlock", true),
    // Speakers and programs of integrations tell what they hear and are told what to do; intents are let go by the bridge.
    ("hermes", "write", "hermes/intent/Lights", true),
    ("hermes", "write", "hermes/tts/sayFinished", true),
    ("hermes", "read", "hermes/tts/say", true),
    ("hermes", "write", "hermes/tts/say", false),
    ("hermes", "read", "hermes/command", true),
    ("hermes", "write", "hermes/command", false),
    ("hermes", "read", "hushgate/intent/Lights", true),
    ("hermes", "write", "hushgate/intent/Lights", false),
    ("homeassistant", "read", "hushgate/intent/Lights", true),
    ("homeassistant", "write", "hushgate/intent/Lights", false),
    ("hushgate", "write", "hushgate/intent/Lights", true),
    ("guest", "write", "hushgate/intent/Lights", false),
    ("satellites", "write", "states/assist_satellite/kitchen/state", false),
    ("satellites", "read", "hushgate/intent/Lights", false),
    ("greedy", "write", "greedy/said", true),
    ("greedy", "write", "hushgate/mode/set", false),
    ("greedy", "write", "zigbee2mqtt/front/set", false),
    ("greedy", "write", "presence/anna", false),
    ("greedy", "read", "hushgate/prompt/phone", false),
    ("greedy", "write", "anything/else", false),
    // Tokens go to their channel alone.
    ("homeassistant", "read", "hushgate/prompt/phone", true),
    ("homeassistant", "write", "hushgate/confirm/phone/1", true),
    ("homeassistant", "read", "hushgate/prompt/panel", false),
    ("homeassistant", "write", "hushgate/confirm/panel/1", false),
    ("panel", "read", "hushgate/prompt/panel", true),
    ("panel", "write", "hushgate/confirm/panel/1", true),
    ("panel", "read", "hushgate/prompt/phone", false),
    // So do those that Home Assistant carries, and a button answers where the owner says so.
    ("homeassistant", "read", "hushgate/prompt/tablet", true),
    ("homeassistant", "write", "hushgate/confirm/tablet/1", true),
    ("tablet", "read", "hushgate/prompt/tablet", false),
    ("button", "write", "buttons/hall/action", true),
    ("button", "read", "lamps/hall", true),
    ("button", "read", "hushgate/act", false),
    ("homeassistant", "write", "buttons/hall/action", false),
    ("devices", "write", "buttons/hall/action", false),
    ("house", "write", "buttons/hall/action", false),
    ("echo", "read", "hushgate/prompt/echo", false),
    ("echo", "write", "hushgate/ask/echo", true),
    ("devices", "read", "hushgate/prompt/phone", false),
    // Discovery, the mirror, the streams, mapped facts.
    ("homeassistant", "read", "hushgate/homeassistant/lock/front/config", true),
    ("homeassistant", "write", "homeassistant/status", true),
    ("homeassistant", "write", "homeassistant/lock/front/config", false),
    ("zigbee2mqtt", "write", "homeassistant/lock/0x01/lock/config", true),
    ("zigbee2mqtt", "write", "hushgate/homeassistant/lock/front/config", false),
    ("zigbee2mqtt", "write", "homeassistant/status", false),
    ("homeassistant", "write", "states/lock/front/state", true),
    ("homeassistant", "write", "events", true),
    // A twin shows its original's state.
    ("homeassistant", "read", "states/lock/back/state", true),
    ("homeassistant", "read", "events", false),
    ("devices", "write", "states/lock/front/state", false),
    ("devices", "read", "events", false),
    ("house", "write", "presence/anna", true),
    ("homeassistant", "write", "presence/anna", false),
    // Devices go on working.
    ("zigbee2mqtt", "read", "zigbee2mqtt/front/set", true),
    ("zigbee2mqtt", "write", "zigbee2mqtt/front", true),
    ("esphome", "read", "cellar/lock/bolt/command", true),
    ("esphome", "write", "cellar/lock/bolt/state", true),
    ("esphome", "write", "cellar/lock/bolt/command", false),
    ("devices", "read", "shed", true),
    ("devices", "write", "shed/state", true),
    ("devices", "write", "loud", true),
    ("devices", "read", "plug/set", true),
    ("homeassistant", "read", "zigbee2mqtt/front", true),
    ("homeassistant", "read", "shed/state", true),
    ("homeassistant", "read", "loud", true),
    ("homeassistant", "read", "zigbee2mqtt/front/set", false),
];

#[test]
fn everybody_may_do_what_he_needs_and_nobody_goes_round() {
    let plan = plan(&entities());
    let (text, roles) = (mosquitto(&plan), dynsec(&plan));
    let roles: Value = serde_json::from_str(&roles).expect("JSON");
    for (user, access, topic, expected) in TABLE {
        assert_eq!(may(&text, user, access, topic), *expected, "mosquitto: {user} {access} {topic}\n{text}");
        assert_eq!(may_by_role(&roles, user, access, topic), *expected, "dynsec: {user} {access} {topic}\n{roles:#}");
    }
}

#[test]
fn forged_discovery_gives_no_rights() {
    let honest = plan(&entities());
    let both: Vec<Entity> = entities().into_iter().chain(forged()).collect();
    let plan = plan(&both);
    let (text, roles) = (mosquitto(&plan), dynsec(&plan));
    let roles: Value = serde_json::from_str(&roles).expect("JSON");
    for (user, access, topic, expected) in TABLE {
        assert_eq!(may(&text, user, access, topic), *expected, "mosquitto: {user} {access} {topic}\n{text}");
        assert_eq!(may_by_role(&roles, user, access, topic), *expected, "dynsec: {user} {access} {topic}");
    }
    assert!(!may(&text, "homeassistant", "write", "anything/else"), "{text}");
    let rules: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(rules.iter().all(|rule| !rule.contains("%u") && !rule.contains("$CONTROL")), "{text}");
    let trimmed = rules.iter().all(|rule| rule.trim_end() == *rule && !rule.contains("  "));
    assert!(trimmed, "a rule has white space that the broker takes away:\n{text}");
    assert!(plan.notes.len() > honest.notes.len(), "{:?}", plan.notes);
    assert!(plan.notes.iter().all(|note| !note.contains('\n')), "{:?}", plan.notes);
}

#[test]
fn what_costs_something_is_said() {
    let plan = plan(&entities());
    let said = |words: &[&str]| plan.notes.iter().any(|note| words.iter().all(|word| note.contains(word)));
    assert!(said(&["switch.pump", "gate: [sensitive, \"switch.pump\"]"]), "{:?}", plan.notes);
    assert!(mosquitto(&plan).contains("# Note: `switch.pump`"));
    for refused in ["`#`", "`hushgate/mode/set`", "`zigbee2mqtt/front/set`", "`presence/+`"] {
        assert!(said(&["`greedy` may not write", refused]), "{refused}: {:?}", plan.notes);
    }
    assert!(!said(&["`hermes`"]) && !said(&["`satellites`"]), "{:?}", plan.notes);
    assert!(!said(&["light.cellar"]) && !said(&["switch.permit_join"]), "{:?}", plan.notes);
}

#[test]
fn a_device_of_no_known_kind_can_have_its_own_user() {
    let config = config::parse("home.yaml", HOUSE, &NoSecrets).expect("a good configuration");
    let named = |pairs: &[(&str, &str)]| {
        let devices = pairs.iter().map(|(root, user)| ((*root).to_owned(), (*user).to_owned())).collect();
        let users = Users { devices, ..Users::default() };
        Plan::new(&config, &entities(), &[], &platform::is_sensitive, &users)
    };
    let plan = named(&[("shed", "hut"), ("shed/state", "witness"), ("zigbee2mqtt", "mesh"), ("she", "nobody")]);
    let text = mosquitto(&plan);
    for (user, access, topic, expected) in [
        ("hut", "read", "shed", true),
        ("hut", "write", "shed/state", false),
        ("witness", "write", "shed/state", true),
        ("devices", "read", "shed", false),
        ("devices", "write", "shed/state", false),
        ("devices", "read", "plug/set", true),
        ("hut", "read", "plug/set", false),
        ("hut", "write", "shed", false),
        ("mesh", "read", "zigbee2mqtt/front/set", true),
        ("zigbee2mqtt", "read", "zigbee2mqtt/front/set", false),
    ] {
        assert_eq!(may(&text, user, access, topic), expected, "{user} {access} {topic}\n{text}");
    }
    let unused: Vec<&String> = plan.notes.iter().filter(|note| note.contains("changes nothing")).collect();
    assert!(unused.len() == 1 && unused.iter().all(|note| note.contains("`she`")), "{unused:?}");
}

#[test]
fn names_of_users_end_at_their_bound() {
    let named = |name: &str| Users { bridge: name.to_owned(), ..Users::default() };
    assert_eq!(Users::default().malformed(), None);
    assert_eq!(named(&"x".repeat(USER_BYTES_MAX)).malformed(), None);
    for name in ["", " x", "x ", "a\nb", "a+", "#", &"x".repeat(USER_BYTES_MAX + 1)] {
        assert_eq!(named(name).malformed(), Some(name), "{name:?}");
    }
}

#[test]
fn a_real_mosquitto_acts_by_its_file() {
    let Some(broker) = real::with_file(&mosquitto(&plan(&entities()))) else { return };
    real::holds(&broker, TABLE);
}

#[test]
fn a_real_mosquitto_acts_by_its_roles() {
    let Some(broker) = real::with_roles(&dynsec(&plan(&entities()))) else { return };
    real::holds(&broker, TABLE);
}
