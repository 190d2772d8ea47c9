use std::rc::Rc;

use super::super::{Engine, Setup};
use crate::config::{self, NoSecrets};
use crate::model::control::{Answer, Control, Says};
use crate::model::decision::{Outcome, Verdict};
use crate::model::event::{Effect, Entry, Event, Publication, ScriptSource};
use crate::model::message::{Command, Qos};
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Door, Held, Reply};
use crate::model::time::At;

const NOW: At = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };
const REASON: &str = "the journal cannot be written: the disk is full";
const CONFIG: &str = "
time_zone: Europe/Berlin
channels:
  phone: {kind: person, independent: true, confirms: true}
  panel: {kind: person}
speakers: {kitchen: {mute: [{topic: k, payload: 'off'}], unmute: [{topic: k, payload: 'on'}]}}
commands:
  - {topic: lamp/set, action: light.turn_on}
  - {topic: valve/set, action: valve.close_valve, sensitive: true}
  - {topic: terrace/set, action: lock.open}
  - {topic: door/set, action: lock.unlock}
";
const POLICY: &str =
    "//! Lets go.\nconst ACTIONS = [\"hushgate.*\", \"lock.open\"];\nfn on_request(request) { allow() }\n";

fn engine(mode: &str) -> Engine {
    let text = format!("mode: {mode}\n{CONFIG}");
    let source = ScriptSource { name: "doors".to_owned(), file: "doors.rhai".to_owned(), text: POLICY.to_owned() };
    let setup = Setup {
        config: Rc::new(config::parse("test.yaml", &text, &NoSecrets).expect("a configuration")),
        sources: vec![source],
        seed: [0; 32],
        integrations: Vec::new(),
        stopwatch: None,
        saved: None,
    };
    Engine::start(setup, NOW, &mut Vec::new()).expect("an engine")
}

fn effects(engine: &mut Engine, after_ms: u64, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    engine.handle(NOW.plus_ms(after_ms), event, &mut effects);
    effects
}

fn entries(effects: Vec<Effect>) -> Vec<Entry> {
    let entry = |effect| if let Effect::Record(record) = effect { Some(record.entry) } else { None };
    effects.into_iter().filter_map(entry).collect()
}

fn arrival(engine: &Engine, topic: &str, door: Door) -> Event {
    let request = engine.registry.read_command(topic, b"x", door).expect("a request");
    let command = Command { topic: topic.to_owned(), payload: "x".into(), qos: Qos::AtLeastOnce, expiry_s: None };
    let (held, reply) = match door {
        Door::Ask => {
            let reply = Reply { ask: None, topic: "hushgate/answer/1".to_owned(), correlation: None, retain: false };
            (Held::Question, Some(reply))
        }
        _ => (Held::Command(command), None),
    };
    Event::Arrival(Box::new(Arrival { request, held, reply }))
}

fn fails() -> Event {
    Event::Journal(Err("the disk is full".to_owned()))
}

/// What became of a command: the verdict that was applied, its reason, and of what leaves whether it needs its record.
fn judged(effects: &[Effect]) -> (Verdict, String, Option<bool>) {
    let decision = effects.iter().find_map(|effect| match effect {
        Effect::Record(record) => match &record.entry {
            Entry::Decision { decision } => Some((decision.applied, decision.reason.clone())),
            _ => None,
        },
        _ => None,
    });
    let (applied, reason) = decision.expect("a decision");
    let leaves = effects.iter().find_map(|effect| match effect {
        Effect::Forward(permit) => Some(permit.needs_record()),
        Effect::Publish(Publication::Answer { needs_record, .. }) => Some(*needs_record),
        _ => None,
    });
    (applied, reason, leaves)
}

#[test]
fn while_the_journal_fails_only_what_is_ordinary_or_of_the_floor_passes() {
    use Verdict::{Allow, Confirm, Deny};
    for (mode, topic, before, leaves_before, while_it_fails, leaves) in [
        ("enforce", "lamp/set", Allow, Some(false), Allow, Some(false)),
        ("enforce", "valve/set", Allow, Some(false), Allow, Some(false)),
        ("enforce", "terrace/set", Allow, Some(true), Deny, None),
        ("enforce", "door/set", Confirm, None, Deny, None),
        ("observe", "terrace/set", Allow, Some(false), Allow, Some(false)),
        ("observe", "door/set", Allow, Some(false), Allow, Some(false)),
    ] {
        let case = format!("{topic} in {mode}");
        let mut engine = engine(mode);
        let command = arrival(&engine, topic, Door::Gate);
        let seen = judged(&effects(&mut engine, 0, command.clone()));
        assert_eq!((seen.0, seen.2), (before, leaves_before), "{case}");
        let told = entries(effects(&mut engine, 1, fails()));
        assert!(matches!(told.first(), Some(Entry::Journal { failure: Some(_) })), "{told:?}");
        let seen = judged(&effects(&mut engine, 2, command.clone()));
        assert_eq!((seen.0, seen.2), (while_it_fails, leaves), "{case}");
        assert_eq!(seen.1 == REASON, while_it_fails == Deny, "{case}: {}", seen.1);
        assert_eq!(entries(effects(&mut engine, 3, Event::Journal(Ok(())))), [Entry::Journal { failure: None }]);
        assert_eq!(judged(&effects(&mut engine, 4, command)).0, before, "{case}");
    }
}

#[test]
fn an_answer_that_lets_an_asker_act_needs_its_record_too() {
    for (topic, needs_record) in [("lamp/set", false), ("valve/set", false), ("terrace/set", true)] {
        let mut engine = engine("enforce");
        let question = arrival(&engine, topic, Door::Ask);
        assert_eq!(judged(&effects(&mut engine, 0, question.clone())).2, Some(needs_record), "{topic}");
        effects(&mut engine, 1, fails());
        let (applied, _, answered) = judged(&effects(&mut engine, 2, question));
        assert_eq!((applied == Verdict::Deny, answered), (needs_record, Some(false)), "{topic}: a no needs no record");
    }
}

#[test]
fn what_is_held_stays_held_until_the_journal_works_again() {
    let mut engine = engine("enforce");
    let command = arrival(&engine, "door/set", Door::Gate);
    let asked = effects(&mut engine, 0, command);
    let prompt = asked.iter().find_map(|effect| match effect {
        Effect::Publish(Publication::Prompt { channel, pending, token }) => {
            Some((channel.clone(), pending.id.clone(), token.clone()))
        }
        _ => None,
    });
    let (channel, id, token) = prompt.expect("a prompt");
    let answer = |says| {
        let (pending, token) = (Some(id.clone()), Some(token.clone()));
        Event::Answer(Answer { channel: channel.clone(), pending, says, token, code: None })
    };
    effects(&mut engine, 1, fails());
    let refused = Entry::AnswerRefused { pending: id.clone(), channel: channel.clone(), reason: REASON.to_owned() };
    assert_eq!(entries(effects(&mut engine, 2, answer(Says::Approve))), [refused]);
    assert!(engine.durable().pendings.contains_key(&id));
    assert_eq!(entries(effects(&mut engine, 4, Event::Journal(Ok(())))), [Entry::Journal { failure: None }]);
    let done = effects(&mut engine, 5, answer(Says::Approve));
    assert!(done.iter().any(|effect| matches!(effect, Effect::Forward(permit) if permit.needs_record())));
    let [Entry::Decision { decision }] = &entries(done)[..] else { panic!("one decision") };
    assert_eq!(decision.settles.as_ref().map(|settles| settles.outcome), Some(Outcome::Approved));
}

#[test]
fn what_the_rules_came_to_say_meanwhile_counts_when_the_journal_works_again() {
    for (verdict, expected, leaves) in
        [("allow()", Verdict::Allow, 1), ("deny(\"no\")", Verdict::Deny, 0), ("confirm(\"?\")", Verdict::Confirm, 0)]
    {
        let mut engine = engine("enforce");
        let rules = |text: &str| {
            let text = format!("//! Doors.\nconst ACTIONS = [\"lock.*\"];\nfn on_request(request) {{ {text} }}\n");
            Event::Reload(Ok(vec![ScriptSource { name: "doors".to_owned(), file: "doors.rhai".to_owned(), text }]))
        };
        effects(&mut engine, 0, rules("confirm(#{ ask: \"?\", group: \"g\" })"));
        for topic in ["door/set", "terrace/set"] {
            let command = arrival(&engine, topic, Door::Gate);
            effects(&mut engine, 1, command);
        }
        let held = |engine: &Engine| engine.durable().pendings.values().map(|open| open.items().count()).sum::<usize>();
        assert_eq!((engine.durable().pendings.len(), held(&engine)), (1, 2), "one question for both");
        effects(&mut engine, 2_000, fails());
        let text = format!("if request.action == \"lock.open\" {{ return allow(); }} {verdict}");
        effects(&mut engine, 2_001, rules(&text));
        assert_eq!(held(&engine), 2, "what the rules would let go has no record");
        let done = effects(&mut engine, 2_002, Event::Journal(Ok(())));
        let forwards = done.iter().filter(|effect| matches!(effect, Effect::Forward(_))).count();
        assert_eq!(forwards, 1 + leaves, "{verdict}: the terrace, and the door where the rules say so");
        assert_eq!(held(&engine), usize::from(expected == Verdict::Confirm), "{verdict}");
    }
}

#[test]
fn a_held_request_can_be_rejected_while_the_journal_fails() {
    let mut engine = engine("enforce");
    let command = arrival(&engine, "door/set", Door::Gate);
    effects(&mut engine, 0, command);
    effects(&mut engine, 1, fails());
    let (id, pending) = engine.durable().pendings.pop_first().expect("a pending");
    let channel = pending.tokens.keys().next().expect("a channel").clone();
    let token = engine.ids.token(&id, &channel, pending.round);
    let (pending, token) = (Some(id), Some(token));
    let answer = Answer { channel, pending, says: Says::Reject, token, code: None };
    let told = effects(&mut engine, 2, Event::Answer(answer));
    assert_eq!(judged(&told).0, Verdict::Deny);
    assert!(engine.durable().pendings.is_empty());
}

#[test]
fn what_was_loosened_ends_when_the_journal_fails() {
    let mut engine = engine("enforce");
    let off = Control::SetPolicy { policy: "doors".to_owned(), on: false, for_ms: None };
    let told = entries(effects(&mut engine, 0, Event::Control(off)));
    assert!(matches!(told.last(), Some(Entry::PolicySet { on: false, .. })), "{told:?}");
    let told = entries(effects(&mut engine, 1_000, fails()));
    assert!(
        told.iter().any(|entry| matches!(entry, Entry::PolicySet { on: true, by, .. } if by == "journal")),
        "{told:?}"
    );
    assert!(engine.durable().policies.is_empty());

    let mut engine = self::engine("enforce");
    let observe = Control::SetMode { mode: Mode::Observe, for_ms: None };
    effects(&mut engine, 0, Event::Control(observe.clone()));
    assert_eq!(engine.mode(), Mode::Observe);
    effects(&mut engine, 1_000, fails());
    assert_eq!(engine.mode(), Mode::Enforce);
    effects(&mut engine, 1_001, Event::Control(observe));
    assert_eq!(engine.mode(), Mode::Enforce, "nothing is loosened meanwhile");
}

#[test]
fn what_was_lifted_or_granted_without_a_record_is_taken_back_and_what_has_one_is_not() {
    let grant = Control::Grant {
        channel: "panel".to_owned(),
        action: "lock.unlock".to_owned(),
        target: None,
        for_ms: Some(600_000),
        until: None,
    };
    for is_recorded in [false, true] {
        let mut engine = engine("enforce");
        let mute = Control::Mute { speaker: "kitchen".to_owned(), what: None, for_ms: Some(600_000), reason: None };
        effects(&mut engine, 0, Event::Control(mute));
        effects(&mut engine, 10, Event::Control(Control::Unmute { speaker: "kitchen".to_owned() }));
        effects(&mut engine, 10, Event::Control(grant.clone()));
        let durable = engine.durable();
        assert_eq!((durable.mutes.len(), durable.grants.len()), (0, 1), "in one instant, by one message");
        if is_recorded {
            effects(&mut engine, 11, Event::Tick);
        }
        let told = entries(effects(&mut engine, 12, fails()));
        let durable = engine.durable();
        assert_eq!((durable.mutes.len(), durable.grants.len()), if is_recorded { (0, 1) } else { (1, 0) }, "{told:?}");
        if !is_recorded {
            assert_eq!(durable.mutes["kitchen"].until, NOW.plus_ms(600_000).utc, "it ends when it said");
            assert!(told.iter().any(|entry| matches!(entry, Entry::Revoked { by, .. } if by == "journal")));
        }
    }
}
