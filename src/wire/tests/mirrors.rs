//! The mirror at the broker: what is written, put right, and cleared, and when.

use super::*;
use crate::model::time::At;

const FRONT: &str = "homeassistant/lock/front/config";
const MIRRORED: &str = "hushgate/homeassistant/lock/front/config";
const LOCK: &str = r#"{"cmd_t":"z/front/set","stat_t":"z/front","uniq_id":"f"}"#;
const CHANGED: &str = r#"{"cmd_t":"z/front/set","stat_t":"z/front","uniq_id":"f","name":"Front"}"#;

/// A wire and what the broker has stored of what it has sent.
struct House {
    wire: Wire,
    at: At,
}

impl House {
    fn new() -> House {
        let config = Rc::new(config::parse("test.yaml", "base: hushgate\n", &NoSecrets).expect("a configuration"));
        let registry = Rc::new(Registry::new(&config));
        let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };
        House { wire: Wire::new(config, registry, "one"), at }
    }

    fn hear(&mut self, message: &Message) -> Decoded {
        self.wire.decode(message, &[])
    }

    fn live(&mut self, topic: &str, payload: &str) -> Vec<String> {
        sent(&self.hear(&Message::live(topic, payload.to_owned())))
    }

    fn stored(&mut self, topic: &str, payload: &str) -> Vec<String> {
        sent(&self.hear(&stored(topic, payload)))
    }

    /// What the mirror must hold for an announcement, word for word.
    fn mirror_of(payload: &str) -> String {
        let decoded = House::new().hear(&Message::live(FRONT, payload.to_owned()));
        let message = decoded.repairs.first().expect("a mirror message");
        String::from_utf8(message.payload.to_vec()).expect("text")
    }

    fn reconnect(&mut self) -> Vec<String> {
        self.wire.disconnected();
        self.connect()
    }

    fn pass(&mut self, duration_ms: u64) -> Vec<String> {
        self.at = self.at.plus_ms(duration_ms);
        sent(&self.wire.tick(self.at))
    }

    /// The topics that are sent on a new connection.
    fn connect(&mut self) -> Vec<String> {
        self.wire.connected(self.at);
        self.wire.retained().into_iter().map(|message| message.topic).collect()
    }
}

/// What is sent in answer, and `forged` or `refused` where that is told.
fn sent(decoded: &Decoded) -> Vec<String> {
    let events = decoded.events.iter().filter_map(|event| match event {
        Event::Forged { .. } => Some("forged".to_owned()),
        Event::Refused(refusal) => Some(format!("refused: {}", refusal.reason)),
        _ => None,
    });
    let messages = decoded.repairs.iter().map(|message| {
        assert!(message.retain, "{message:?}");
        let what = if message.payload.is_empty() { "clear" } else { "write" };
        format!("{what} {}", message.topic)
    });
    events.chain(messages).collect()
}

#[test]
fn the_mirror_follows_its_original() {
    let mut house = House::new();
    let write = [format!("write {MIRRORED}")];
    assert_eq!(house.live(FRONT, LOCK), write);
    assert!(house.live(FRONT, LOCK).is_empty(), "announced again as it was, nothing is written");
    assert!(house.stored(FRONT, LOCK).is_empty());
    assert_eq!(house.live(FRONT, CHANGED), write);
    assert!(house.connect().is_empty(), "what was written before the connection was told is not written again");
    assert_eq!(house.reconnect(), [MIRRORED], "a broker that has lost it gets it again");
    assert_eq!(house.live(FRONT, ""), [format!("clear {MIRRORED}")]);
    assert!(house.live(FRONT, "").is_empty());
    assert!(house.reconnect().is_empty());
}

#[test]
fn what_home_assistant_would_not_take_is_not_mirrored() {
    let mut house = House::new();
    for (topic, payload) in [
        (FRONT, "{"),
        (FRONT, "[]"),
        ("homeassistant/lock/a b/config", LOCK),
        ("homeassistant/lock/a/b/c/config", LOCK),
        ("homeassistant/status", "online"),
        ("homeassistant/lock/front/set", LOCK),
    ] {
        let seen = house.live(topic, payload);
        assert!(seen.iter().all(|line| line.starts_with("refused: ")), "{topic} {payload}: {seen:?}");
    }
    let lock = [format!("write {MIRRORED}")];
    assert_eq!(house.live(FRONT, LOCK), lock);
    let seen = house.live(FRONT, "{");
    assert!(seen.iter().all(|line| line.starts_with("refused: ")), "{seen:?}: what stood before goes on");
    assert_eq!(house.reconnect(), [MIRRORED]);
}

#[test]
fn a_migration_is_passed_on_live() {
    let mut house = House::new();
    house.live(FRONT, LOCK);
    let decoded = house.hear(&Message::live(FRONT, r#"{"migr_discvry": true}"#));
    let [message] = decoded.repairs.as_slice() else { panic!("expected one message, found {decoded:?}") };
    assert_eq!((message.topic.as_str(), message.retain), (MIRRORED, false));
    assert_eq!(message.payload, r#"{"migrate_discovery":true}"#);
}

#[test]
fn what_others_write_is_put_right_and_told() {
    let mut house = House::new();
    house.live(FRONT, LOCK);
    let forged = |what: &str, topic: &str| vec!["forged".to_owned(), format!("{what} {topic}")];
    assert_eq!(house.live(MIRRORED, LOCK), forged("write", MIRRORED));
    assert!(house.live(MIRRORED, &House::mirror_of(LOCK)).is_empty(), "what stands there anyway is none");
    let stranger = "hushgate/homeassistant/lock/stranger/config";
    assert_eq!(house.live(stranger, LOCK), forged("clear", stranger));
    assert!(house.live(stranger, "").is_empty());
    let odd = "hushgate/homeassistant/anything";
    assert_eq!(house.live(odd, "x"), forged("clear", odd));
    let large = "x".repeat(PAYLOAD_BYTES_MAX + 1);
    assert_eq!(house.live(MIRRORED, &large), forged("write", MIRRORED));
}

#[test]
fn a_device_deleted_in_home_assistant_stays_deleted_until_its_owner_announces_it() {
    let mut house = House::new();
    house.live(FRONT, LOCK);
    let decoded = house.hear(&Message::live(MIRRORED, ""));
    assert_eq!(sent(&decoded), [format!("clear {FRONT}")], "the next start must not find it");
    assert!(decoded.events.iter().all(|event| matches!(event, Event::Guard { .. })), "{decoded:?}");
    assert!(house.reconnect().is_empty());
    assert!(house.live(MIRRORED, "").is_empty());
    assert_eq!(house.live(FRONT, LOCK), [format!("write {MIRRORED}")]);
}

#[test]
fn the_relay_switch_writes_the_mirror_anew_both_ways() {
    let mut house = House::new();
    house.live(FRONT, LOCK);
    house.live("homeassistant/sensor/s/config", r#"{"stat_t":"s","uniq_id":"s"}"#);
    let command_topic = |messages: &[Message]| -> Vec<(String, String)> {
        let mirrored = messages.iter().filter(|message| message.topic.contains("/homeassistant/"));
        let read = |message: &Message| {
            let body: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
            let topic = body.get("command_topic").and_then(serde_json::Value::as_str).expect("a command topic");
            (message.topic.clone(), topic.to_owned())
        };
        mirrored.map(read).collect()
    };
    for (on, expected) in [(false, "z/front/set"), (true, "hushgate/gate/z/front/set")] {
        let messages = house.wire.publication(Publication::RelayState { on, until: None });
        assert_eq!(command_topic(&messages), [(MIRRORED.to_owned(), expected.to_owned())], "only what changes");
        let again = house.wire.publication(Publication::RelayState { on, until: None });
        assert!(command_topic(&again).is_empty());
    }
    house.wire.publication(Publication::RelayState { on: false, until: None });
    let decoded = house.hear(&Message::live(FRONT, CHANGED));
    assert_eq!(command_topic(&decoded.repairs).first().expect("a message").1, "z/front/set", "released stays released");
}

#[test]
fn a_restart_finds_the_mirror_as_it_stands_and_sends_nothing() {
    for mirror_first in [true, false] {
        let mut house = House::new();
        let mirror = House::mirror_of(LOCK);
        if mirror_first {
            assert!(house.stored(MIRRORED, &mirror).is_empty());
            assert!(house.stored(FRONT, LOCK).is_empty());
        } else {
            house.stored(FRONT, LOCK);
            assert!(house.stored(MIRRORED, &mirror).is_empty());
        }
        assert!(house.connect().is_empty(), "it stands there already");
        assert_eq!(house.wire.next_deadline(), None);
        assert!(house.pass(10 * mirror::STALE_AFTER_MS).is_empty());
        assert_eq!(house.reconnect(), [MIRRORED], "the next broker may have lost it");
    }
}

#[test]
fn a_mirror_message_that_differs_after_a_restart_is_put_right_without_a_word() {
    for mirror_first in [true, false] {
        let mut house = House::new();
        let mut seen = Vec::new();
        if mirror_first {
            seen.extend(house.stored(MIRRORED, LOCK));
        }
        seen.extend(house.stored(FRONT, LOCK));
        if !mirror_first {
            seen.extend(house.stored(MIRRORED, LOCK));
        }
        assert!(seen.contains(&format!("write {MIRRORED}")) && !seen.contains(&"forged".to_owned()), "{seen:?}");
    }
}

#[test]
fn a_stale_mirror_message_is_cleared_once_its_original_has_had_time_to_come() {
    let mut house = House::new();
    assert!(house.stored(MIRRORED, LOCK).is_empty(), "its original may be on its way");
    assert_eq!(house.wire.next_deadline(), None, "not before the connection stands");
    house.connect();
    let deadline_ms = house.at.monotonic_ms + mirror::STALE_AFTER_MS;
    assert_eq!(house.wire.next_deadline(), Some(deadline_ms));
    assert!(house.pass(mirror::STALE_AFTER_MS - 1).is_empty());
    house.stored("homeassistant/lock/back/config", LOCK);
    assert!(house.pass(1).is_empty(), "the broker is still sending what it has stored");
    assert_eq!(house.pass(mirror::STALE_AFTER_MS), [format!("clear {MIRRORED}")]);
    assert_eq!(house.wire.next_deadline(), None);
}

#[test]
fn a_late_original_saves_its_mirror() {
    let mut house = House::new();
    house.stored(MIRRORED, &House::mirror_of(LOCK));
    house.connect();
    assert!(house.pass(mirror::STALE_AFTER_MS - 1).is_empty());
    assert!(house.live(FRONT, LOCK).is_empty());
    assert!(house.pass(10 * mirror::STALE_AFTER_MS).is_empty());
}

#[test]
fn what_was_taken_back_while_the_bridge_was_away_goes_and_what_was_never_stored_stays() {
    for was_stored in [true, false] {
        let mut house = House::new();
        house.connect();
        if was_stored {
            house.stored(FRONT, LOCK);
        } else {
            house.live(FRONT, LOCK);
        }
        house.wire.disconnected();
        house.stored(MIRRORED, &House::mirror_of(LOCK));
        house.connect();
        let expected = if was_stored { vec![format!("clear {MIRRORED}")] } else { Vec::new() };
        assert_eq!(house.pass(mirror::STALE_AFTER_MS), expected, "stored: {was_stored}");
    }
}

#[test]
fn a_broker_that_has_lost_everything_makes_nothing_stale() {
    let mut house = House::new();
    house.stored(FRONT, LOCK);
    house.connect();
    assert_eq!(house.reconnect(), [MIRRORED]);
    assert!(house.pass(10 * mirror::STALE_AFTER_MS).is_empty());
}

#[test]
fn stored_messages_without_an_original_are_bounded() {
    let mut house = House::new();
    let topic = |index: usize| format!("hushgate/homeassistant/lock/x{index}/config");
    for index in 0..mirror::ORPHANS_MAX {
        assert!(house.stored(&topic(index), "x").is_empty());
    }
    assert!(house.stored(&topic(0), "y").is_empty(), "one that is known takes no room");
    let seen = house.stored(&topic(mirror::ORPHANS_MAX), "x");
    assert_eq!(
        seen,
        ["refused: expected at most 8192 mirrored messages without an original, found more"],
        "it stays, and the owner is told"
    );
    house.connect();
    assert_eq!(house.pass(mirror::STALE_AFTER_MS).len(), mirror::ORPHANS_MAX);
}

#[test]
fn the_state_of_a_silent_device_is_told_with_its_command() {
    let mut house = House::new();
    house.live(FRONT, r#"{"cmd_t":"z/front/set","uniq_id":"f"}"#);
    let told = |house: &mut House, payload: &str| -> Vec<(String, String)> {
        let messages = house.wire.tell_states("z/front/set", payload.as_bytes());
        let text = |message: Message| (message.topic, String::from_utf8_lossy(&message.payload).into_owned());
        messages.into_iter().map(text).collect()
    };
    let state = "hushgate/state/lock/front".to_owned();
    assert_eq!(told(&mut house, "UNLOCK"), [(state.clone(), "unlocked".to_owned())]);
    assert_eq!(told(&mut house, "gibberish"), []);
    assert_eq!(house.live(&state, "locked"), ["forged".to_owned(), format!("write {state}")]);
    assert_eq!(house.reconnect(), [MIRRORED.to_owned(), state]);
    house.wire.publication(Publication::RelayState { on: false, until: None });
    assert_eq!(told(&mut house, "LOCK"), [], "released, nobody listens there");
    house.live("homeassistant/lock/front/config", LOCK);
    house.wire.publication(Publication::RelayState { on: true, until: None });
    assert_eq!(told(&mut house, "LOCK"), [], "a device that tells its state needs no help");
}
