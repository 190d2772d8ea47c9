//! How the device is announced, taken back, and put right where somebody else writes its topics.

use serde_json::{Value, json};

use super::super::super::Decoded;
use super::super::announcement::parts_of;
use super::*;
use crate::model::event::Event;

/// Key, platform and category of each part.
fn parts(announcement: &Value) -> Vec<String> {
    let components = announcement["components"].as_object().expect("components");
    let word = |part: &Value, field: &str| part[field].as_str().unwrap_or("-").to_owned();
    components
        .iter()
        .map(|(key, part)| format!("{key} {} {}", word(part, "platform"), word(part, "entity_category")))
        .collect()
}

#[test]
fn one_device_has_all_that_the_bridge_shows() {
    let wire = started();
    let expected = [
        "accept button config",
        "approval_rate sensor -",
        "decisions event -",
        "denied_today sensor -",
        "enforcement sensor diagnostic",
        "grants sensor -",
        "last_decision sensor -",
        "mode select config",
        "mute_kitchen switch config",
        "pending sensor -",
        "policy_doors switch config",
        "policy_errors sensor diagnostic",
        "policy_quiet switch config",
        "problem binary_sensor diagnostic",
        "prompts_today sensor -",
        "question sensor -",
        "relay switch config",
    ];
    for topic in [PLAIN, MIRROR] {
        let announcement = stored(&wire, topic);
        assert_eq!(parts(&announcement), expected, "{topic}");
        assert_eq!(announcement["device"]["identifiers"], json!(["hushgate"]));
        assert_eq!(announcement["origin"]["name"], "Hushgate");
        assert_eq!(announcement["availability"], json!([{"topic": "hushgate/status"}]));
    }
    assert_eq!(parts(&stored(&wire, BUTTONS)), ["approve button config", "reject button config"]);
    assert_eq!(stored(&wire, BUTTONS)["device"], stored(&wire, PLAIN)["device"], "they belong to the same device");
    for message in [PLAIN, MIRROR, BUTTONS].map(|topic| wire.own.get(topic).expect("a message")) {
        assert!(message.retain);
    }
}

#[test]
fn ids_are_unique_and_commands_go_to_the_bridge_alone() {
    let wire = started();
    let mut ids = BTreeSet::new();
    for topic in [PLAIN, BUTTONS] {
        let announcement = stored(&wire, topic);
        for (key, part) in announcement["components"].as_object().expect("components") {
            let id = part["unique_id"].as_str().expect("an id");
            assert_eq!(id, format!("hushgate_{key}"));
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
            for (name, value) in part.as_object().expect("an object") {
                let is_topic = name.ends_with("_topic");
                assert!(
                    !is_topic || value.as_str().is_some_and(|topic| topic.starts_with("hushgate/")),
                    "{key} {name}"
                );
            }
        }
    }
    assert_eq!(ids.len(), 19);
}

/// Home Assistant exposes to its assistants: entities without a category, of these domains; and sensors of some device
/// classes, none of which is used here.
const EXPOSED_DOMAINS: [&str; 11] = [
    "climate",
    "cover",
    "fan",
    "humidifier",
    "light",
    "media_player",
    "scene",
    "switch",
    "todo",
    "vacuum",
    "water_heater",
];

#[test]
fn nothing_that_switches_the_bridge_is_exposed_to_voice() {
    let wire = started();
    let mut controls = 0;
    for topic in [PLAIN, MIRROR, BUTTONS] {
        for (key, part) in stored(&wire, topic)["components"].as_object().expect("components") {
            let platform = part["platform"].as_str().expect("a platform");
            let category = part["entity_category"].as_str();
            if part.get("command_topic").is_some() {
                controls += 1;
                assert_eq!(category, Some("config"), "{key} switches something");
            }
            let is_exposed = category.is_none() && EXPOSED_DOMAINS.contains(&platform);
            assert!(!is_exposed, "{key} would be offered to voice assistants");
            let class = part["device_class"].as_str();
            assert!(matches!(class, None | Some("enum" | "problem")), "{key} has the class {class:?}");
        }
    }
    assert_eq!(controls, 14, "twice six, and two buttons");
}

#[test]
fn a_policy_that_goes_is_taken_back_and_may_return() {
    let mut wire = started();
    wire.publication(Publication::PolicyGone { name: "quiet".to_owned() });
    let messages = wire.publication(info(&["doors"]));
    for topic in [PLAIN, MIRROR] {
        assert!(messages.iter().any(|message| message.topic == topic), "{topic} is announced again");
        assert_eq!(stored(&wire, topic)["components"]["policy_quiet"], json!({"platform": "switch"}));
    }
    wire.publication(info(&["doors", "quiet"]));
    assert_eq!(stored(&wire, PLAIN)["components"]["policy_quiet"]["name"], "Policy quiet");
    assert!(wire.publication(info(&["doors", "quiet"])).iter().all(|message| message.topic == "hushgate/info"));
}

fn replayed(topic: &str, payload: &Value) -> Message {
    Message::retained(topic, payload.to_string())
}

#[test]
fn what_an_earlier_run_announced_is_taken_back_once() {
    let mut wire = started();
    let mut earlier = stored(&wire, PLAIN);
    let components = earlier["components"].as_object_mut().expect("components");
    components.insert("mute_attic".to_owned(), json!({"platform": "switch", "name": "Mute attic"}));
    components.insert("policy_old".to_owned(), json!({"platform": "switch"}));
    components.insert("odd".to_owned(), json!({"platform": "Not a word", "name": "x"}));
    let decoded = wire.decode(&replayed(PLAIN, &earlier), &[]);
    assert_eq!(decoded.events, [], "an earlier run is no forger");
    let topics: Vec<&str> = decoded.repairs.iter().map(|message| message.topic.as_str()).collect();
    assert_eq!(topics, [PLAIN, MIRROR]);
    let announced = stored(&wire, MIRROR);
    assert_eq!(announced["components"]["mute_attic"], json!({"platform": "switch"}));
    assert!(announced["components"].get("policy_old").is_none(), "it was taken back already");
    assert!(announced["components"].get("odd").is_none());
    let same = replayed(MIRROR, &announced);
    assert_eq!(wire.decode(&same, &[]), Decoded::default());
}

#[test]
fn parts_that_are_gone_are_bounded() {
    let mut wire = started();
    let parts: serde_json::Map<String, Value> = (0..300)
        .map(|index| (format!("policy_{index:03}"), json!({"platform": "switch", "name": "x"})))
        .chain([("k".repeat(257), json!({"platform": "switch", "name": "x"}))])
        .collect();
    wire.decode(&replayed(PLAIN, &json!({"components": parts})), &[]);
    let announced = stored(&wire, PLAIN);
    let gone = announced["components"].as_object().expect("components").values();
    assert_eq!(gone.filter(|part| part.as_object().is_some_and(|part| part.len() == 1)).count(), GONE_MAX);
}

#[test]
fn nonsense_names_no_parts() {
    for payload in
        ["", "no", "[]", "{}", r#"{"components": []}"#, r#"{"components": {"a": 1, "b": {"platform": 1, "c": 2}}}"#]
    {
        assert_eq!(parts_of(payload.as_bytes()), BTreeMap::new(), "{payload}");
    }
}

#[test]
fn forged_announcements_are_put_right_and_a_deleted_device_comes_back() {
    let mut wire = started();
    for topic in [PLAIN, MIRROR, BUTTONS, "hushgate/home_assistant/state"] {
        let ours = wire.own.get(topic).cloned().expect("ours");
        let forged = wire.decode(&Message::live(topic, r#"{"components":{"x":{"platform":"lock","name":"x"}}}"#), &[]);
        assert_eq!(forged.events, [Event::Forged { topic: topic.to_owned() }]);
        assert_eq!(forged.repairs, std::slice::from_ref(&ours));
        let deleted = wire.decode(&Message::live(topic, ""), &[]);
        assert_eq!(deleted.repairs, [ours], "{topic}");
        let is_announcement = topic.ends_with("/config");
        assert_eq!(deleted.events.is_empty(), is_announcement, "{topic}: Home Assistant empties announcements alone");
    }
    let decision = wire.decode(&Message::live("hushgate/home_assistant/decision", "{}"), &[]);
    assert_eq!(decision.repairs, [Message::retained("hushgate/home_assistant/decision", "")]);
    let act = wire.decode(&Message::retained("hushgate/act", "{}"), &[]);
    assert_eq!(
        (act.events, act.repairs),
        (vec![], vec![Message::retained("hushgate/act", "")]),
        "a stored act is a trap"
    );
}

#[test]
fn the_device_is_announced_again_when_home_assistant_comes() {
    let mut wire = started();
    let topics = |wire: &mut Wire, message: Message| {
        let repairs = wire.decode(&message, &[]).repairs;
        repairs.into_iter().map(|message| message.topic).collect::<Vec<_>>()
    };
    let online = || Message::live("homeassistant/status", "online");
    assert_eq!(topics(&mut wire, online()), [PLAIN, MIRROR, BUTTONS]);
    let asked = wire.publication(prompt("phone", "p1", 1)).remove(0);
    wire.publication(prompt("panel", "p1", 1));
    let told = wire.decode(&online(), &[]).repairs;
    assert_eq!(told.len(), 4);
    assert_eq!(told.last(), Some(&asked), "its phone is asked again, and nobody else's channel");
    wire.publication(Publication::PendingOver { id: "p1".to_owned() });
    for message in [
        Message::live("homeassistant/status", "offline"),
        Message::retained("homeassistant/status", "online"),
        Message::live("other/status", "online"),
    ] {
        assert_eq!(topics(&mut wire, message), Vec::<String>::new());
    }
    let subscriptions = wire.subscriptions(&[]);
    for topic in ["homeassistant/status", PLAIN, MIRROR, BUTTONS, "hushgate/home_assistant/state", "hushgate/act"] {
        let heard = subscriptions.iter().filter(|subscription| subscription.filter.matches(topic)).count();
        assert_eq!(heard, 1, "{topic}");
    }
}

#[test]
fn another_base_is_another_device() {
    let mut wire = wire_of(&format!("base: home/gate\n{}", CONFIG.replace("{channel", "{discovery: ha, channel")));
    wire.publication(info(&[]));
    let announced = stored(&wire, "ha/device/home_gate/config");
    assert_eq!(announced["device"]["name"], "Hushgate (home/gate)");
    assert_eq!(announced["components"]["mode"]["command_topic"], "home/gate/mode/set");
    assert_eq!(announced["components"]["mode"]["unique_id"], "home_gate_mode");
    assert!(wire.own.get("home/gate/homeassistant/device/home_gate_question/config").is_some());
}
