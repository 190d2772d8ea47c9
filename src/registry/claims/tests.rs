//! What happens at the bounds, and which ids entities get.

use super::*;
use crate::model::message::Message;
use crate::registry::discovery::{self, Said};

/// Takes in one message; what came of it, or why not.
fn announce(claims: &mut Claims, topic: &str, payload: &str) -> Result<Vec<String>, String> {
    let message = Message::retained(format!("homeassistant/{topic}/config"), payload.to_owned());
    let Ok(Said::Announced { announcement, .. }) = discovery::read("homeassistant", &message) else {
        panic!("{topic} {payload}")
    };
    claims.announce(announcement, payload.len(), |_| Vec::new()).map(|topics| topics.into_iter().collect())
}

fn claims() -> Claims {
    Claims::new("homeassistant", "hushgate", [])
}

#[test]
fn what_is_announced_again_changes_nothing() {
    let mut claims = claims();
    let lamp = r#"{"name":"Lamp","cmd_t":"lamp/set"}"#;
    assert_eq!(announce(&mut claims, "light/lamp", lamp), Ok(vec!["lamp/set".to_owned()]));
    assert_eq!(announce(&mut claims, "light/lamp", lamp), Ok(Vec::new()));
    let moved = r#"{"name":"Lamp","cmd_t":"other/set"}"#;
    let both = Ok(vec!["lamp/set".to_owned(), "other/set".to_owned()]);
    assert_eq!(announce(&mut claims, "light/lamp", moved), both);
    assert!(claims.on("lamp/set").is_empty() && claims.on("other/set").len() == 1);
    claims.remove("homeassistant/light/lamp/config");
    assert_eq!((claims.entities().count(), claims.announced_bytes), (0, 0), "all of it is gone");
}

#[test]
fn an_entity_that_moves_keeps_its_id() {
    let mut claims = claims();
    let ids = |claims: &Claims| claims.entities().map(|entity| entity.entity_id.clone()).collect::<Vec<_>>().join(" ");
    let lock = r#"{"name":"Front","uniq_id":"f","cmd_t":"f/set"}"#;
    announce(&mut claims, "lock/front", lock).expect("room");
    announce(&mut claims, "lock/other", &lock.replace("\"f\"", "\"g\"")).expect("room");
    announce(&mut claims, "lock/node/front", lock).expect("room");
    assert_eq!(ids(&claims), "lock.front lock.front lock.front_2", "two of one unique id are one");
    claims.remove("homeassistant/lock/front/config");
    assert_eq!(
        claims.by_entity_id("lock.front").map(|entity| entity.topic.clone()).as_deref(),
        Some("homeassistant/lock/node/front/config")
    );
}

#[test]
fn namesakes_are_numbered_and_then_named_by_their_topics() {
    let mut claims = claims();
    for index in 0..=NAMESAKES_MAX {
        announce(&mut claims, &format!("light/l{index}"), r#"{"name":"Lamp"}"#).expect("room");
    }
    let ids: BTreeSet<String> = claims.entities().map(|entity| entity.entity_id.clone()).collect();
    assert_eq!(ids.len(), NAMESAKES_MAX + 1, "no two are the same");
    for expected in ["light.lamp", "light.lamp_2", "light.lamp_100", "light.lamp_homeassistant_light_l100_config_"] {
        assert!(ids.contains(expected), "{expected}");
    }
}

#[test]
fn entities_messages_claimants_and_bytes_are_bounded() {
    let device = |first: usize, count: usize| {
        let one = |index: usize| {
            format!(r#""c{index}":{{"p":"switch","name":"s{index}","uniq_id":"{index}","cmd_t":"s/{index}"}}"#)
        };
        format!(r#"{{"cmps":{{{}}}}}"#, (first..first + count).map(one).collect::<Vec<_>>().join(","))
    };
    let mut full = claims();
    for first in (0..ENTITIES_MAX).step_by(250) {
        announce(&mut full, &format!("device/d{first}"), &device(first, 250)).expect("room");
    }
    let seen = announce(&mut full, "device/more", &device(ENTITIES_MAX, 1));
    assert_eq!(seen, Err("expected at most 5000 entities in all, found 5001".to_owned()));
    assert!(
        announce(&mut full, "device/d0", &device(0, 250).replace("s/0", "t/0")).is_ok(),
        "what is known may change"
    );

    let mut many = claims();
    for index in 0..ANNOUNCEMENTS_MAX {
        announce(&mut many, &format!("device/d{index}"), r#"{"cmps":{"a":{"p":"switch"}}}"#).expect("room");
    }
    let seen = announce(&mut many, "device/more", r#"{"cmps":{"a":{"p":"switch"}}}"#);
    assert_eq!(seen, Err("expected at most 5000 messages of discovery, found more".to_owned()));

    let mut crowd = claims();
    for index in 0..CLAIMANTS_MAX {
        announce(&mut crowd, &format!("switch/s{index}"), r#"{"name":"s","cmd_t":"one/set"}"#).expect("room");
    }
    let seen = announce(&mut crowd, "switch/more", r#"{"name":"s","cmd_t":"one/set"}"#);
    assert_eq!(seen, Err("expected at most 128 entities that command on `one/set`, found more".to_owned()));
    assert_eq!(crowd.on("one/set").len(), CLAIMANTS_MAX);

    let mut heavy = claims();
    let large = format!(r#"{{"name":"s","icon":"{}"}}"#, "x".repeat(discovery::MESSAGE_BYTES_MAX - 100));
    let fitting = ANNOUNCED_BYTES_MAX / (2 * large.len());
    for index in 0..fitting {
        announce(&mut heavy, &format!("switch/s{index}"), &large).expect("room");
    }
    let seen = announce(&mut heavy, "switch/more", &large);
    assert_eq!(seen, Err("expected at most 33554432 bytes of discovery in all, found more".to_owned()));
}
