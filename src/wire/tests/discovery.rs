//! Discovery, and commands that are seen on the topics of discovered devices.

use super::*;
use crate::model::mode::Mode;
use crate::model::time::At;
use crate::registry::discovery::MESSAGE_BYTES_MAX;

const LOCK: &str = r#"{"name":"Front","cmd_t":"front/set","stat_t":"front"}"#;
const LAMP: &str = r#"{"name":"Lamp","cmd_t":"lamp/set"}"#;

fn house() -> Wire {
    let config = Rc::new(config::parse("test.yaml", "base: hushgate", &NoSecrets).expect("a configuration"));
    let registry = Rc::new(Registry::new(&config));
    let mut wire = Wire::new(config, registry, "one");
    for (topic, payload) in [("lock/front", LOCK), ("switch/lamp", LAMP)] {
        wire.decode(&stored(&format!("homeassistant/{topic}/config"), payload), &[]);
    }
    wire
}

fn enforcing(wire: &mut Wire, mode: Mode, is_relaying: bool) {
    wire.publication(Publication::ModeState { mode, until: None });
    wire.publication(Publication::RelayState { on: is_relaying, until: None });
}

fn at(monotonic_ms: u64) -> At {
    At { monotonic_ms, utc: At::UTC_MIN }
}

/// The door, the action, the target and the undo of a seen command.
fn seen(wire: &mut Wire, message: &Message) -> String {
    let decoded = wire.decode(message, &[]);
    let arrivals = decoded.events.iter().filter_map(|event| match event {
        Event::Arrival(arrival) => Some(arrival),
        _ => None,
    });
    let told = arrivals.map(|arrival| {
        let Held::Seen { undo } = &arrival.held else { panic!("expected one that is seen, found {arrival:?}") };
        let undo = undo.as_ref().map_or_else(String::new, |undo| {
            format!(" undo {}={}", undo.topic, String::from_utf8_lossy(&undo.payload))
        });
        let request = &arrival.request;
        format!("{:?} {} {}{undo}", request.door, request.action, request.target.as_deref().unwrap_or("-"))
    });
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_command_on_a_real_topic_is_seen() {
    let bypass = "Bypass lock.unlock lock.front undo front/set=LOCK";
    let watch = "Watch lock.unlock lock.front undo front/set=LOCK";
    for (mode, is_relaying, message, expected) in [
        (Mode::Enforce, true, Message::live("front/set", "UNLOCK"), bypass),
        (Mode::Observe, true, Message::live("front/set", "UNLOCK"), watch),
        (Mode::Enforce, false, Message::live("front/set", "UNLOCK"), watch),
        (Mode::Enforce, true, Message::live("lamp/set", "ON"), "Watch switch.turn_on switch.lamp undo lamp/set=OFF"),
        (Mode::Enforce, true, Message::live("front/set", "4711"), "Bypass lock.unreadable lock.front"),
        // Stored by others some other time, or no command at all.
        (Mode::Enforce, true, stored("front/set", "UNLOCK"), ""),
        (Mode::Enforce, true, Message::live("front/set", ""), ""),
        (Mode::Enforce, true, Message::live("front", "UNLOCKED"), ""),
        (Mode::Enforce, true, Message::live("elsewhere/set", "UNLOCK"), ""),
    ] {
        let mut wire = house();
        enforcing(&mut wire, mode, is_relaying);
        assert_eq!(seen(&mut wire, &message), expected, "{mode:?} {is_relaying} {message:?}");
    }
}

#[test]
fn the_echo_of_a_forwarded_command_is_no_bypass_once() {
    let mut wire = house();
    enforcing(&mut wire, Mode::Enforce, true);
    let unlock = Message::live("front/set", "UNLOCK");
    let bypass = "Bypass lock.unlock lock.front undo front/set=LOCK";
    wire.forwarded(at(1_000), "front/set", b"UNLOCK");
    wire.pass_time(at(1_000 + ECHO_MS));
    assert_eq!(
        seen(&mut wire, &Message::live("front/set", "LOCK")),
        "Bypass lock.lock lock.front",
        "not what was sent"
    );
    let echo = wire.decode(&unlock, &[]);
    assert!(matches!(echo.events.as_slice(), [Event::Refused(refusal)] if refusal.topic == "front/set"), "{echo:?}");
    assert_eq!(seen(&mut wire, &unlock), bypass, "it has one");
    wire.forwarded(at(1_000), "front/set", b"UNLOCK");
    wire.pass_time(at(1_001 + ECHO_MS));
    assert_eq!(seen(&mut wire, &unlock), bypass, "too late");
    wire.forwarded(at(20_000), "front/set", b"UNLOCK");
    for _ in 0..FORWARDS_MAX {
        wire.forwarded(at(20_000), "lamp/set", b"ON");
    }
    assert_eq!(seen(&mut wire, &unlock), bypass, "too many since");
}

#[test]
fn an_empty_request_to_zigbee2mqtt_is_a_request() {
    let mut wire = house();
    enforcing(&mut wire, Mode::Enforce, true);
    let lock = r#"{"name":"Side","cmd_t":"zigbee2mqtt/side/set","dev":{"ids":["zigbee2mqtt_0x1"]}}"#;
    wire.decode(&Message::live("homeassistant/lock/side/config", lock), &[]);
    for (topic, expected) in [
        ("zigbee2mqtt/bridge/request/backup", "Bypass zigbee2mqtt.request -"),
        ("zigbee2mqtt/bridge/request/restart", "Bypass zigbee2mqtt.request -"),
        ("zigbee2mqtt/side/set", ""),
        ("zigbee2mqtt/0x1/set", ""),
    ] {
        assert_eq!(seen(&mut wire, &Message::live(topic, "")), expected, "{topic}");
    }
}

#[test]
fn the_gate_carries_what_is_guarded() {
    let mut wire = house();
    let gate = |wire: &mut Wire, topic: &str, payload: &str| {
        told(&wire.decode(&Message::live(format!("hushgate/gate/{topic}"), payload.to_owned()), &[]))
    };
    let lock = "command front/set AtLeastOnce None: lock.unlock lock.front by unknown/-";
    assert_eq!(gate(&mut wire, "front/set", "UNLOCK"), lock);
    let part = "command front/set/state AtLeastOnce None: command.unreadable lock.front by unknown/-";
    assert_eq!(gate(&mut wire, "front/set/state", "UNLOCK"), part);
    let refused = "refused: expected a topic that `commands:` names or that is guarded, found `lamp/set`";
    assert_eq!(gate(&mut wire, "lamp/set", "ON"), refused, "that somebody announced it is not enough");
    wire.decode(&stored("homeassistant/lock/front/config", ""), &[]);
    assert_eq!(gate(&mut wire, "front/set", "UNLOCK"), lock, "a removal does not take the guard away");
}

#[test]
fn discovery_teaches_and_says_what_it_cannot_read() {
    let mut wire = house();
    for (topic, payload, expected) in [
        ("lock/front", LOCK, "nothing"),
        ("lock/front", "{", "refused: expected a JSON object, found text that is no JSON"),
        (
            "lock/fr/o/nt",
            "{}",
            "refused: expected a topic such as `<prefix>/lock/<object>/config`, found another shape",
        ),
        (
            "light/fake",
            r#"{"name":"x","cmd_t":"front/set"}"#,
            "guard front/set `light.x` claims the topic too, as a `light`",
        ),
        (
            "device/hushgate",
            r#"{"cmps":{"a":{"p":"lock","cmd_t":"mine/set"}}}"#,
            "+ homeassistant/device/hushgate/config= kept",
        ),
    ] {
        let message = stored(&format!("homeassistant/{topic}/config"), payload);
        let told = told(&wire.decode(&message, &[]));
        let (told, _mirror) = told.split_once(" + ").unwrap_or((&told, ""));
        assert_eq!(told, expected, "{topic} {payload}");
    }
    assert!(!wire.registry.is_command_topic("mine/set"), "the bridge's own device is not learned");
    let large = stored("homeassistant/lock/large/config", &"x".repeat(MESSAGE_BYTES_MAX + 1));
    assert_eq!(told(&wire.decode(&large, &[])), "refused: expected at most 131072 bytes, found 131073");
}

#[test]
fn what_is_discovered_is_subscribed_to() {
    let mut wire = house();
    assert!(wire.take_changed_topics() && !wire.take_changed_topics(), "it is said once");
    wire.decode(&stored("homeassistant/lock/front/config", LOCK), &[]);
    assert!(!wire.take_changed_topics(), "nothing has changed");
    let told = |wire: &Wire| {
        let all = wire.subscriptions(&[]).into_iter().filter(|one| !topic::is_under(one.filter.as_str(), "hushgate"));
        all.map(|one| format!("{} {:?}", one.filter, one.retain_handling)).collect::<Vec<_>>().join(", ")
    };
    let discovery = "homeassistant/+/+/config OnSubscribe, homeassistant/+/+/+/config OnSubscribe";
    let birth = "homeassistant/status OnSubscribe";
    assert_eq!(told(&wire), format!("{discovery}, front OnSubscribe, {birth}, lamp/set Never, front/set/# Never"));
    wire.decode(&stored("homeassistant/switch/lamp/config", ""), &[]);
    assert!(wire.take_changed_topics());
    assert_eq!(told(&wire), format!("{discovery}, front OnSubscribe, {birth}, front/set/# Never"));
}

#[test]
fn a_devices_own_state_goes_before_what_others_say() {
    let text = "facts: {statestream: ha}";
    let config = Rc::new(config::parse("test.yaml", text, &NoSecrets).expect("a configuration"));
    let mut wire = Wire::new(Rc::clone(&config), Rc::new(Registry::new(&config)), "one");
    wire.decode(&stored("homeassistant/lock/front/config", LOCK), &[]);
    for (topic, payload, expected) in [
        ("ha/lock/front/state", "unlocked", "lock.front=unlocked"),
        ("front", "LOCKED", "lock.front=locked"),
        ("ha/lock/front/state", "unavailable", ""),
        ("ha/lock/other/state", "locked", "lock.other=locked"),
    ] {
        let decoded = wire.decode(&stored(topic, payload), &[]);
        let facts = decoded.events.iter().filter_map(|event| match event {
            Event::Fact(fact) => Some(format!("{}={}", fact.entity, fact.value.as_ref()?.as_str()?)),
            _ => None,
        });
        assert_eq!(facts.collect::<Vec<_>>().join(" "), expected, "{topic} {payload}");
    }
}
