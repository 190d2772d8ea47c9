//! Commands to twins, and what becomes of them.

use super::*;
use crate::model::request::Door;

const TWINS: &str = "
facts: {statestream: ha}
home_assistant: {twins: [lock.front_door, cover.drive]}
";

fn house() -> Wire {
    let config = Rc::new(config::parse("test.yaml", TWINS, &NoSecrets).expect("a configuration"));
    let registry = Rc::new(Registry::new(&config));
    Wire::new(config, registry, "one")
}

#[test]
fn a_command_to_a_twin_waits_for_its_verdict_and_goes_to_home_assistant() {
    let message = Message {
        qos: Qos::AtMostOnce,
        expiry_s: Some(7),
        ..Message::live("hushgate/twin/lock.front_door/set", r#"{"action":"UNLOCK","code":"4711"}"#)
    };
    let decoded = house().decode(&message, &[]);
    let [Event::Arrival(arrival)] = decoded.events.as_slice() else { panic!("expected an arrival, found {decoded:?}") };
    let request = &arrival.request;
    assert_eq!((request.action.as_str(), request.target.as_deref()), ("lock.unlock", Some("lock.front_door")));
    assert_eq!((request.door, request.sensitive), (Door::Twin, true));
    assert!(!format!("{request:?}").contains("4711"), "{request:?}");
    let Held::Command(command) = &arrival.held else { panic!("expected a command, found {:?}", arrival.held) };
    assert_eq!((command.topic.as_str(), command.qos, command.expiry_s), ("hushgate/act", Qos::AtMostOnce, Some(7)));
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&command.payload).expect("JSON"),
        serde_json::json!({"action": "lock.unlock", "target": {"entity_id": "lock.front_door"}, "data": {"code": "4711"}})
    );
}

#[test]
fn what_is_no_command_to_a_twin_is_refused_and_says_why() {
    for (message, expected) in [
        (
            Message::live("hushgate/twin/lock.frontdoor/set", "UNLOCK"),
            "refused: expected an entity of `home_assistant.twins`, found `lock.frontdoor`; did you mean `lock.front_door`?",
        ),
        (
            Message::live("hushgate/twin/lock.front_door", "UNLOCK"),
            "refused: expected a topic such as `twin/lock.front_door/set`, found `twin/lock.front_door`",
        ),
        (
            Message::live("hushgate/twin", "UNLOCK"),
            "refused: expected a topic such as `twin/lock.front_door/set`, found `twin/`",
        ),
        (Message::live("hushgate/twin/lock.front_door/set", ""), "refused: expected a payload, found an empty one"),
        (
            Message { expiry_s: Some(0), ..Message::live("hushgate/twin/lock.front_door/set", "UNLOCK") },
            "refused: expected a message that is still valid, found one whose expiry has passed: it is too old",
        ),
        (
            Message::live("hushgate/twin/lock.front_door/set", "4711"),
            "refused: expected a word or a JSON object, found something else",
        ),
        (
            stored("hushgate/twin/lock.front_door/set", "UNLOCK"),
            "ghost hushgate/twin/lock.front_door/set + hushgate/twin/lock.front_door/set= kept",
        ),
    ] {
        assert_eq!(told(&house().decode(&message, &[])), expected, "{} {:?}", message.topic, message.payload);
    }
}

#[test]
fn the_gate_leads_to_no_twin_and_nobody_else_acts() {
    let gate = told(&house().decode(&Message::live("hushgate/gate/hushgate/act", "{}"), &[]));
    assert!(gate.starts_with("refused: ") && gate.contains("a gate loop into the bridge itself"), "{gate}");
    let act = told(&house().decode(&Message::live("hushgate/act", r#"{"action":"lock.unlock"}"#), &[]));
    assert_eq!(act, "forged hushgate/act + hushgate/act= kept");
    let intent = |message: &Message| told(&house().decode(message, &[]));
    let (live, stored) =
        (Message::live("hushgate/intent/Lights", "{}"), Message::retained("hushgate/intent/Lights", "{}"));
    assert!(intent(&live).starts_with("refused: expected an intent that the bridge has let go"), "{}", intent(&live));
    assert_eq!(intent(&stored), "ghost hushgate/intent/Lights + hushgate/intent/Lights= kept");
}

#[test]
fn twins_are_announced_on_each_connection_and_anew_when_their_original_changes() {
    let mut wire = house();
    let name = |wire: &Wire| {
        let all = wire.retained();
        let topic = "hushgate/homeassistant/lock/hushgate_twin/front_door/config";
        let message = all.iter().find(|message| message.topic == topic).expect("an announcement");
        let body: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        body.get("name").and_then(serde_json::Value::as_str).expect("a name").to_owned()
    };
    assert_eq!(name(&wire), "lock.front_door");
    let fact = stored("ha/lock/front_door/friendly_name", "\"Haustür\"");
    let decoded = wire.decode(&fact, &[]);
    assert_eq!(decoded.repairs.len(), 1, "{decoded:?}");
    assert_eq!(name(&wire), "Haustür");
    assert!(wire.decode(&fact, &[]).repairs.is_empty(), "what is known changes nothing");
    let class = stored("ha/cover/drive/device_class", "\"garage\"");
    assert_eq!(wire.decode(&class, &[]).repairs.len(), 1);
    let open = told(&wire.decode(&Message::live("hushgate/twin/cover.drive/set", "OPEN"), &[]));
    assert_eq!(open, "command hushgate/act AtLeastOnce None: cover.open_garage cover.drive by unknown/-");
}
