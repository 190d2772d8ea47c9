//! Discovery as it comes and changes, and what stays guarded.

use super::*;
use crate::config::{self, NoSecrets};
use crate::model::message::Message;
use crate::model::request::Door;
use crate::registry::Registry;

fn registry(gate: &str) -> Registry {
    let text = format!("home_assistant: {{gate: {gate}}}");
    Registry::new(&config::parse("test.yaml", &text, &NoSecrets).expect("a configuration"))
}

/// What one message says about guards: `topic: entities! problem`.
fn learned(registry: &Registry, topic: &str, payload: &str) -> String {
    let lesson = registry.learn(&Message::retained(format!("homeassistant/{topic}/config"), payload.to_owned()));
    let guard = |(topic, guard): &(String, Guard)| {
        let entities: Vec<&str> = guard.accepted.iter().map(|entity| entity.entity_id.as_str()).collect();
        let problem = guard.problem.as_ref().map_or_else(String::new, |problem| format!("! {problem}"));
        format!("{topic}: {}{problem}", entities.join(" "))
    };
    let refused = lesson.refused.map(|reason| format!("refused: {reason}"));
    lesson.guards.iter().map(guard).chain(refused).collect::<Vec<_>>().join("; ")
}

/// `action target`, and whether it is sensitive.
fn read(registry: &Registry, topic: &str, payload: &str) -> String {
    let Some(request) = registry.read_command(topic, payload.as_bytes(), Door::Gate) else {
        return "unknown".to_owned();
    };
    let sensitive = if request.sensitive { " sensitive" } else { "" };
    format!("{} {}{sensitive}", request.action, request.target.unwrap_or_default())
}

const LOCK: &str = r#"{"name":"Front","uniq_id":"1","cmd_t":"door/set","dev":{"ids":"d","name":"Front"}}"#;

#[test]
fn what_is_sensitive_is_guarded_and_what_the_owner_names() {
    for (gate, expected) in [
        ("sensitive", vec!["door/set"]),
        ("all", vec!["door/set", "lamp/set"]),
        ("[light.porch]", vec!["lamp/set"]),
        ("[sensitive, \"light.*\"]", vec!["door/set", "lamp/set"]),
        ("[\"switch.*\"]", vec![]),
    ] {
        let registry = registry(gate);
        learned(&registry, "lock/front", LOCK);
        learned(&registry, "light/porch", r#"{"name":"Porch","cmd_t":"lamp/set"}"#);
        assert_eq!(registry.guarded_topics(), expected, "{gate}");
        for topic in ["door/set", "lamp/set"] {
            assert_eq!(registry.passes_gate(topic), expected.contains(&topic), "{gate} {topic}");
            assert!(registry.is_command_topic(topic), "{topic}");
        }
    }
}

/// Steps of one house: a message of discovery, and what it changes.
#[test]
fn no_message_loosens_a_guard() {
    let swapped = LOCK.replace("\"cmd_t\"", r#""pl_lock":"UNLOCK","pl_unlk":"LOCK","cmd_t""#);
    for (name, steps) in [
        (
            "removal",
            vec![
                ("lock/front", LOCK, "door/set: lock.front_front"),
                ("lock/front", "", "door/set: lock.front_front! `lock.front_front` is not announced any more"),
                ("lock/front", LOCK, "door/set: lock.front_front"),
            ],
        ),
        (
            "another platform",
            vec![
                ("lock/front", LOCK, "door/set: lock.front_front"),
                ("lock/front", "", "door/set: lock.front_front! `lock.front_front` is not announced any more"),
                ("light/front", LOCK, ""),
            ],
        ),
        (
            "payloads swapped",
            vec![
                ("lock/front", LOCK, "door/set: lock.front_front"),
                (
                    "lock/front",
                    &swapped,
                    "door/set: lock.front_front! `lock.front_front` was announced with another `payload_lock`",
                ),
                ("lock/front", LOCK, "door/set: lock.front_front"),
            ],
        ),
        (
            "a stranger",
            vec![
                ("lock/front", LOCK, "door/set: lock.front_front"),
                (
                    "light/fake",
                    r#"{"name":"Fake","cmd_t":"door/set","pl_on":"UNLOCK"}"#,
                    "door/set: lock.front_front! `light.fake` claims the topic too, as a `light`",
                ),
                ("light/fake", "", "door/set: lock.front_front"),
            ],
        ),
        (
            "another topic",
            vec![
                ("lock/front", LOCK, "door/set: lock.front_front"),
                (
                    "lock/front",
                    r#"{"name":"Front","uniq_id":"1","cmd_t":"other/set","dev":{"ids":"d","name":"Front"}}"#,
                    "door/set: lock.front_front! `lock.front_front` was announced with another command topic; \
                     other/set: lock.front_front",
                ),
            ],
        ),
        (
            "looks do not count",
            vec![
                ("lock/front", LOCK, "door/set: lock.front_front"),
                ("lock/front", &LOCK.replace("\"uniq_id\"", "\"ic\":\"mdi:x\",\"avty_t\":\"a\",\"uniq_id\""), ""),
            ],
        ),
        (
            "a device tells one entity after the other",
            vec![
                ("lock/front", LOCK, "door/set: lock.front_front"),
                (
                    "switch/child",
                    r#"{"name":"Child lock","cmd_t":"door/set","dev":{"ids":["x","d"],"name":"Front"}}"#,
                    "door/set: lock.front_front switch.front_child_lock",
                ),
            ],
        ),
    ] {
        let registry = registry("sensitive");
        for (topic, payload, expected) in steps {
            assert_eq!(learned(&registry, topic, payload), expected, "{name}: {topic}");
            assert!(registry.is_guarded("door/set"), "{name}");
            assert_eq!(read(&registry, "door/set", "UNLOCK"), "lock.unlock lock.front_front sensitive", "{name}");
        }
    }
}

#[test]
fn a_component_that_turns_into_another_platform_is_told() {
    let registry = registry("sensitive");
    let device = |platform: &str| {
        format!(
            r#"{{"dev":{{"ids":"d","name":"Front"}},"cmps":{{"a":{{"p":"{platform}","name":null,"cmd_t":"door/set"}}}}}}"#
        )
    };
    assert_eq!(learned(&registry, "device/front", &device("lock")), "door/set: lock.front");
    let problem = "door/set: lock.front! `lock.front` was announced as a `light`";
    assert_eq!(learned(&registry, "device/front", &device("light")), problem);
    assert_eq!(read(&registry, "door/set", "UNLOCK"), "lock.unlock lock.front sensitive");
}

#[test]
fn swapped_words_are_read_both_ways() {
    let registry = registry("sensitive");
    let lock = |lock: &str, unlock: &str| {
        format!(r#"{{"name":"Front","cmd_t":"door/set","pl_lock":"{lock}","pl_unlk":"{unlock}"}}"#)
    };
    learned(&registry, "lock/front", &lock("BOLT", "FREE"));
    assert_eq!(read(&registry, "door/set", "BOLT"), "lock.lock lock.front");
    learned(&registry, "lock/front", &lock("FREE", "BOLT"));
    for payload in ["BOLT", "FREE"] {
        assert_eq!(read(&registry, "door/set", payload), "lock.unlock lock.front sensitive", "{payload}");
    }
    assert_eq!(registry.accept("door/set").problem, None);
    assert_eq!(read(&registry, "door/set", "FREE"), "lock.lock lock.front", "as the owner accepted");
    assert_eq!(read(&registry, "door/set", "BOLT"), "lock.unlock lock.front sensitive");
}

#[test]
fn a_guard_outlives_the_process() {
    let before = registry("sensitive");
    let lesson = before.learn(&Message::retained("homeassistant/lock/front/config", LOCK));
    let guards: BTreeMap<String, Guard> = lesson.guards.into_iter().collect();

    let after = registry("sensitive");
    after.restore(&guards);
    assert_eq!(
        read(&after, "door/set", "UNLOCK"),
        "lock.unlock lock.front_front sensitive",
        "before anything is announced"
    );
    assert!(after.passes_gate("door/set"));
    assert_eq!(learned(&after, "lock/front", LOCK), "", "nothing has changed");

    let after = registry("sensitive");
    after.restore(&guards);
    let fake = r#"{"name":"Fake","cmd_t":"door/set","dev":{"ids":"d"}}"#;
    let problem = "door/set: lock.front_front! `light.fake` claims the topic too, as a `light`";
    assert_eq!(learned(&after, "light/fake", fake), problem, "of the same device, but not in the first run");
    assert_eq!(learned(&after, "lock/front", LOCK), "", "the lock was only late");
}

#[test]
fn what_the_owner_no_longer_wants_guarded_is_free_after_a_restart() {
    let before = registry("all");
    let mut guards = BTreeMap::new();
    for (topic, payload) in [("lock/front", LOCK), ("light/porch", r#"{"name":"Porch","cmd_t":"lamp/set"}"#)] {
        guards.extend(before.learn(&Message::retained(format!("homeassistant/{topic}/config"), payload)).guards);
    }
    for (gate, expected) in [("all", vec!["door/set", "lamp/set"]), ("sensitive", vec!["door/set"])] {
        let after = registry(gate);
        after.restore(&guards);
        assert_eq!(after.guarded_topics(), expected, "{gate}");
    }
}

#[test]
fn the_owner_accepts_what_is_announced_now() {
    let registry = registry("sensitive");
    learned(&registry, "lock/front", LOCK);
    learned(&registry, "lock/front", "");
    assert_eq!(registry.accept("door/set"), Guard::default(), "nobody claims the topic any more");
    assert!(!registry.is_guarded("door/set"));
    assert_eq!(read(&registry, "door/set", "UNLOCK"), "unknown");
    learned(&registry, "light/front", LOCK);
    assert!(!registry.is_guarded("door/set"), "a light is not guarded");
}

#[test]
fn as_many_topics_are_guarded_as_fit() {
    let registry = registry("sensitive");
    let lock = |index: usize| format!(r#"{{"name":"l{index}","cmd_t":"l/{index}"}}"#);
    for index in 0..GUARDS_MAX {
        assert_eq!(learned(&registry, &format!("lock/l{index}"), &lock(index)), format!("l/{index}: lock.l{index}"));
    }
    let seen = learned(&registry, "lock/more", &lock(GUARDS_MAX));
    assert_eq!(
        seen,
        "refused: expected at most 4096 guarded topics, and 12582912 bytes of what is announced for them, found more"
    );
    assert!(registry.announcements().iter().all(|announcement| announcement.topic != "homeassistant/lock/more/config"));
    assert_eq!(read(&registry, &format!("l/{GUARDS_MAX}"), "UNLOCK"), "unknown", "the gate refuses it");
    assert_eq!(learned(&registry, "light/more", r#"{"name":"x","cmd_t":"x/set"}"#), "", "others are still learned");
}
