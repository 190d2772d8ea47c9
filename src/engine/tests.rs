//! Bounds of the engine that no scenario can reach in a few lines.

use super::*;
use crate::config::{self, NoSecrets};
use crate::home::{ATTRIBUTES_MAX, ENTITIES_MAX};
use crate::model::decision::Verdict;
use crate::model::message::{Command, Message, Qos};
use crate::model::request::{Arrival, Door, FactChange, Held};

const NOW: At = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };

fn engine(policy: &str) -> Engine {
    let text = "commands: [{topic: lamp/set, action: light.turn_on}]";
    let source = ScriptSource { name: "p".to_owned(), file: "p.rhai".to_owned(), text: policy.to_owned() };
    let setup = Setup {
        config: Rc::new(config::parse("test.yaml", text, &NoSecrets).expect("a configuration")),
        sources: vec![source],
        seed: [0; 32],
        integrations: Vec::new(),
        stopwatch: None,
        saved: None,
    };
    Engine::start(setup, NOW, &mut Vec::new()).expect("an engine")
}

fn entries(engine: &mut Engine, at: At, event: Event) -> Vec<Entry> {
    let mut effects = Vec::new();
    engine.handle(at, event, &mut effects);
    let entry = |effect| if let Effect::Record(record) = effect { Some(record.entry) } else { None };
    effects.into_iter().filter_map(entry).collect()
}

fn fact(entity: String, attribute: Option<String>) -> Event {
    Event::Fact(FactChange { entity, attribute, value: Some("on".into()) })
}

#[test]
fn a_full_table_is_told_once_an_hour_and_what_is_known_goes_on() {
    let mut engine = engine("//! Nothing.\nfn on_request(request) {}\nconst ACTIONS = [\"light.*\"];\n");
    for index in 0..ENTITIES_MAX {
        assert_eq!(entries(&mut engine, NOW, fact(format!("light.l{index}"), None)), [], "{index}");
    }
    let full = |table: &str, limit: usize, what: &str| {
        [Entry::Full { table: table.to_owned(), limit: limit as u64, what: what.to_owned() }]
    };
    let seen = entries(&mut engine, NOW, fact("light.one_more".to_owned(), None));
    assert_eq!(seen, full("entities", ENTITIES_MAX, "light.one_more"));
    assert_eq!(entries(&mut engine, NOW, fact("light.another".to_owned(), None)), [], "it is no news");
    for index in 0..ATTRIBUTES_MAX {
        assert_eq!(entries(&mut engine, NOW, fact("light.l0".to_owned(), Some(index.to_string()))), []);
    }
    let seen = entries(&mut engine, NOW, fact("light.l0".to_owned(), Some("one more".to_owned())));
    assert_eq!(seen, full("attributes of an entity", ATTRIBUTES_MAX, "light.l0"), "another table is news");
    for (later_ms, told) in [(3_599_999, 0), (3_600_000, 1), (3_600_001, 0)] {
        let seen = entries(&mut engine, NOW.plus_ms(later_ms), fact("light.another".to_owned(), None));
        assert_eq!(seen.len(), told, "after {later_ms} ms");
    }
    assert_eq!(engine.world.borrow().home.len(), ENTITIES_MAX);
}

#[test]
fn a_decision_names_a_bounded_number_of_facts() {
    for (read, named) in [
        (judge::FACTS_IN_DECISION_MAX, judge::FACTS_IN_DECISION_MAX),
        (judge::FACTS_IN_DECISION_MAX + 1, judge::FACTS_IN_DECISION_MAX),
    ] {
        let policy = format!(
            "//! Reads a lot.\nconst ACTIONS = [\"light.*\"];\nfn on_request(request) {{ for index in 0..{read} {{ is_known(`light.l${{index}}`); }} deny(\"read\") }}\n"
        );
        let mut engine = engine(&policy);
        let request = engine.registry.read_command("lamp/set", b"ON", Door::Ask).expect("a request");
        let arrival = Arrival { request, held: Held::Question, reply: None };
        let seen = entries(&mut engine, NOW, Event::Arrival(Box::new(arrival)));
        let [Entry::Decision { decision }] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((decision.facts.len(), decision.reason.as_str()), (named, "read"));
    }
}

fn off(entity: String) -> Event {
    Event::Fact(FactChange { entity, attribute: None, value: Some("off".into()) })
}

#[test]
fn one_effect_more_than_can_be_awaited_is_told_and_not_awaited() {
    let mut engine = engine("//! Nothing.\nconst ACTIONS = [\"lock.*\"];\nfn on_request(request) {}\n");
    let mut turn_on = |index: usize| {
        let entity = format!("switch.s{index}");
        let topic = format!("s{index}/set");
        let announced = format!(r#"{{"name":"s{index}","unique_id":"s{index}","command_topic":"{topic}"}}"#);
        let announced = Message::retained(format!("homeassistant/switch/s{index}/config"), announced);
        assert_eq!(engine.registry.learn(&announced).refused, None);
        assert_eq!(entries(&mut engine, NOW, off(entity)), []);
        let request = engine.registry.read_command(&topic, b"ON", Door::Gate).expect("a request");
        let command = Command { topic, payload: "ON".into(), qos: Qos::AtLeastOnce, expiry_s: None };
        let arrival = Arrival { request, held: Held::Command(command), reply: None };
        entries(&mut engine, NOW, Event::Arrival(Box::new(arrival)))
    };
    for index in 0..SETTLING_MAX {
        let seen = turn_on(index);
        assert!(matches!(seen.as_slice(), [Entry::Decision { .. }]), "{index}: {seen:?}");
    }
    let seen = turn_on(SETTLING_MAX);
    let [Entry::Decision { decision }, Entry::Full { table, limit, what }] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(decision.applied, Verdict::Allow, "the command itself is not touched by it");
    assert_eq!((table.as_str(), *limit), ("commands whose effect is awaited", SETTLING_MAX as u64));
    assert_eq!(*what, format!("switch.s{SETTLING_MAX}"));
    let settle_ms = engine.config.home_assistant.settle_ms;
    assert_eq!(engine.next_deadline(), Some(NOW.monotonic_ms + settle_ms));
    let seen = entries(&mut engine, NOW.plus_ms(settle_ms), Event::Tick);
    assert_eq!(seen.len(), SETTLING_MAX);
    assert!(seen.iter().all(|entry| matches!(entry, Entry::Unconfirmed { .. })), "{:?}", seen.first());
    assert_eq!(engine.next_deadline(), None);
}
