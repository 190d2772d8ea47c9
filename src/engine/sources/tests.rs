//! What is told in the streams, when, and who seems to have asked by it.

use super::*;
use crate::config::{self, NoSecrets};

const CONFIG: &str = "
channels:
  kitchen: {kind: voice, satellite: assist_satellite.kitchen}
  phone: {kind: person, independent: true, confirms: true, person: 0123456789abcdef0123456789abcdef}
";
const ANNA: &str = "0123456789abcdef0123456789abcdef";

/// What the streams tell before a call.
#[derive(Debug, Clone, Copy)]
enum Told {
    Sentence(Option<&'static str>),
    Automation,
    Satellite(&'static str, &'static str),
}
use Told::{Automation, Satellite as Heard, Sentence};

/// Who seems to have made a call at `call_ms` when its command comes at once, in one line.
fn asker(told: &[(u64, Told)], call_ms: u64) -> String {
    let config = config::parse("test.yaml", CONFIG, &NoSecrets).expect("a configuration");
    let mut sources = Sources::default();
    for (now_ms, told) in told {
        match told {
            Sentence(user) => sources.note_sentence(user.map(str::to_owned), *now_ms),
            Automation => sources.note_automation(*now_ms),
            Heard(entity, state) => {
                sources.note_satellite(format!("assist_satellite.{entity}"), (*state).to_owned(), *now_ms);
            }
        }
    }
    let Some(source) = sources.source_of(call_ms, call_ms, &config) else { return "unknown".to_owned() };
    assert!(source.channel.is_none() && !source.is_vouched(), "streams vouch for nobody: {source:?}");
    let clue = |clue: &Option<Clue>| {
        clue.as_ref().map(|clue| {
            let name = if clue.name == ANNA { "anna" } else { &clue.name };
            format!(", {} {name} {} ms ago", clue.evidence.certainty.name(), clue.evidence.age_ms)
        })
    };
    let evidence = source.evidence.expect("evidence");
    format!(
        "{} {} {} ms ago{}{} {:?}",
        evidence.certainty.name(),
        source.kind.name(),
        evidence.age_ms,
        clue(&source.satellite).unwrap_or_default(),
        clue(&source.person).unwrap_or_default(),
        source.likely_channels
    )
}

#[test]
fn who_asked_is_told_by_what_came_before_the_call() {
    let processing = (90, Heard("kitchen", "processing"));
    for (told, call_ms, expected) in [
        (vec![], 100, "unknown"),
        (vec![(100, Sentence(None))], 120, "likely voice 20 ms ago []"),
        (vec![(100, Sentence(None))], 2_100, "likely voice 2000 ms ago []"),
        (vec![(100, Sentence(None))], 2_101, "possible voice 2001 ms ago []"),
        (vec![(100, Sentence(None))], 5_100, "possible voice 5000 ms ago []"),
        (vec![(100, Sentence(None))], 5_101, "unknown"),
        (vec![(100, Sentence(Some(ANNA)))], 120, "likely voice 20 ms ago, likely anna 20 ms ago [\"phone\"]"),
        (
            vec![processing, (100, Sentence(None))],
            120,
            "likely voice 20 ms ago, likely assist_satellite.kitchen 30 ms ago [\"kitchen\"]",
        ),
        (
            vec![(90, Heard("kitchen", "listening")), (100, Sentence(None))],
            120,
            "likely voice 20 ms ago, possible assist_satellite.kitchen 30 ms ago [\"kitchen\"]",
        ),
        (vec![(90, Heard("kitchen", "idle")), (100, Sentence(None))], 120, "likely voice 20 ms ago []"),
        (vec![(0, Heard("kitchen", "processing")), (30_001, Sentence(None))], 30_010, "likely voice 9 ms ago []"),
        (vec![(100, Automation)], 300, "likely automation 200 ms ago []"),
        (vec![(100, Automation)], 301, "possible automation 201 ms ago []"),
        (vec![(100, Automation)], 2_100, "possible automation 2000 ms ago []"),
        (vec![(100, Automation)], 2_101, "unknown"),
        (vec![(101, Automation)], 100, "unknown"),
    ] {
        assert_eq!(asker(&told, call_ms), expected, "{told:?}, called at {call_ms}");
    }
}

#[test]
fn where_two_fit_neither_is_named() {
    let both = "possible voice 20 ms ago []";
    for (told, expected) in [
        // An automation that was triggered after the sentence may have called as well; one before it hardly.
        (vec![(100, Sentence(None)), (110, Automation)], both),
        (vec![(90, Automation), (100, Sentence(None))], "likely voice 20 ms ago []"),
        // The sentence came after the call: it can hardly have led to it.
        (vec![(121, Sentence(None))], "possible voice 0 ms ago []"),
        // Two satellites at work, two people speaking: nobody is named, and the channels of both may not confirm.
        (
            vec![(80, Heard("kitchen", "processing")), (90, Heard("bedroom", "listening")), (100, Sentence(None))],
            "likely voice 20 ms ago [\"kitchen\"]",
        ),
        (vec![(90, Sentence(Some("ben"))), (100, Sentence(Some(ANNA)))], "likely voice 20 ms ago [\"phone\"]"),
        (vec![(90, Sentence(None)), (100, Sentence(Some(ANNA)))], "likely voice 20 ms ago [\"phone\"]"),
    ] {
        assert_eq!(asker(&told, 120), expected, "{told:?}");
    }
}

#[test]
fn a_call_belongs_to_one_command_by_entity_action_and_age() {
    let mut sources = Sources::default();
    let take = |sources: &mut Sources, action, entity, now_ms| sources.take_call(action, entity, now_ms);
    sources.note_call("light.turn_on", "light.kitchen", false, 100);
    assert_eq!(take(&mut sources, "light.turn_on", "light.hall", 110), None, "another entity");
    assert_eq!(take(&mut sources, "light.turn_off", "light.kitchen", 110), None, "another action");
    assert_eq!(take(&mut sources, "light.turn_on", "light.kitchen", 2_101), None, "too late");
    assert_eq!(take(&mut sources, "light.turn_on", "light.kitchen", 2_100), Some(100));
    assert_eq!(take(&mut sources, "light.turn_on", "light.kitchen", 2_100), None, "used up");
    // The earlier of two calls goes with the earlier of two commands, not the last one with both.
    sources.note_call("light.turn_on", "light.kitchen", false, 200);
    sources.note_call("light.turn_on", "light.kitchen", false, 300);
    assert_eq!(take(&mut sources, "light.turn_on", "light.kitchen", 310), Some(200));
    assert_eq!(take(&mut sources, "light.turn_on", "light.kitchen", 310), Some(300));
    // A general call and the one of the domain that follows it are one.
    sources.note_call("light.turn_on", "light.kitchen", true, 400);
    sources.note_call("light.turn_on", "light.kitchen", false, 401);
    assert_eq!(take(&mut sources, "light.turn_on", "light.kitchen", 410), Some(401));
    assert_eq!(take(&mut sources, "light.turn_on", "light.kitchen", 410), None);
    for (called, action, expected) in [
        ("light.toggle", "light.turn_off", true),
        ("cover.toggle", "cover.stop_cover", true),
        ("cover.open_cover", "cover.open_garage", true),
        ("cover.close_cover", "cover.open_garage", false),
        ("light.toggle", "switch.turn_off", false),
        ("lock.lock", "lock.unlock", false),
    ] {
        assert_eq!(may_become(called, action), expected, "{called} as {action}");
    }
}

#[test]
fn the_bridges_own_calls_are_recognised_once_and_in_time() {
    let mut sources = Sources::default();
    for (noted, action, entity, now_ms, expected) in [
        (true, "lock.unlock", "lock.door", 5_000, true),
        (false, "lock.unlock", "lock.door", 5_000, false),
        (true, "lock.unlock", "lock.door", 5_001, false),
        (true, "lock.unlock", "lock.gate", 10, false),
        (false, "lock.unlock", "lock.door", 10, true),
        (true, "lock.lock", "lock.door", 10, false),
    ] {
        if noted {
            sources.note_own("lock.unlock", "lock.door", 0);
        }
        assert_eq!(sources.take_own(action, entity, now_ms), expected, "{action} {entity} at {now_ms}");
    }
}

#[test]
fn every_list_is_bounded_and_the_oldest_goes_first() {
    let mut sources = Sources::default();
    for index in 0..=CALLS_MAX {
        sources.note_call("a.b", &format!("a.e{index}"), false, 0);
    }
    assert_eq!(sources.calls.len(), CALLS_MAX);
    assert_eq!(sources.take_call("a.b", "a.e0", 0), None, "the oldest one went");
    assert_eq!(sources.take_call("a.b", "a.e1", 0), Some(0));
    sources.note_call("a.b", "a.late", false, CALL_AGE_MAX_MS + 1);
    assert_eq!(sources.calls.len(), 1, "what is too old went too");
    for index in 0..=CAUSES_MAX as u64 {
        sources.note_sentence(None, index);
        sources.note_automation(index);
    }
    assert_eq!((sources.sentences.len(), sources.automations.len()), (CAUSES_MAX, CAUSES_MAX));
    assert_eq!(sources.automations.front(), Some(&1));
    for index in 0..=OWN_CALLS_MAX {
        sources.note_own("a.b", &format!("a.e{index}"), 0);
    }
    assert!(sources.own.len() == OWN_CALLS_MAX && !sources.take_own("a.b", "a.e0", 0));
    for index in 0..=SATELLITES_MAX as u64 {
        sources.note_satellite(format!("assist_satellite.s{index}"), "idle".to_owned(), index);
    }
    assert_eq!(sources.satellites.len(), SATELLITES_MAX);
    assert!(!sources.satellites.contains_key("assist_satellite.s0"));
}
