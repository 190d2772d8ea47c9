//! Bounds of grants that no scenario can reach in a few lines.

use std::rc::Rc;

use super::*;
use crate::config::{self, NoSecrets};
use crate::engine::Setup;
use crate::model::durable::Durable;
use crate::model::event::{Effect, Event, ScriptSource};

const NOW: At = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };

fn engine() -> Engine {
    started(None, NOW).0
}

/// An engine with what an earlier run has left, and what it did with that.
fn started(saved: Option<(Durable, At)>, at: At) -> (Engine, Vec<Entry>) {
    let text = "mode: enforce\ntime_zone: Europe/Berlin\nchannels: {phone: {kind: person, independent: true, confirms: true}, sitter: {kind: person}}";
    let policy =
        "//! Grants.\nconst ACTIONS = [\"hushgate.grant\"];\nfn on_request(request) { allow(\"as you like\") }\n";
    let source = ScriptSource { name: "p".to_owned(), file: "p.rhai".to_owned(), text: policy.to_owned() };
    let setup = Setup {
        config: Rc::new(config::parse("test.yaml", text, &NoSecrets).expect("a configuration")),
        sources: vec![source],
        seed: [0; 32],
        integrations: Vec::new(),
        stopwatch: None,
        saved,
    };
    let mut effects = Vec::new();
    let engine = Engine::start(setup, at, &mut effects).expect("an engine");
    (engine, recorded(effects))
}

fn recorded(effects: Vec<Effect>) -> Vec<Entry> {
    let entry = |effect| if let Effect::Record(record) = effect { Some(record.entry) } else { None };
    effects.into_iter().filter_map(entry).collect()
}

fn asked(target: &str) -> Control {
    let (channel, action) = ("sitter".to_owned(), "lock.unlock".to_owned());
    Control::Grant { channel, action, target: Some(target.to_owned()), for_ms: Some(60_000), until: None }
}

fn entries(engine: &mut Engine, control: Control) -> Vec<Entry> {
    let mut effects = Vec::new();
    engine.handle(NOW, Event::Control(control), &mut effects);
    recorded(effects)
}

fn refused(reason: &str) -> Vec<Entry> {
    vec![Entry::Refused { topic: "hushgate/grant/set".to_owned(), reason: reason.to_owned() }]
}

#[test]
fn one_grant_more_than_can_stand_is_refused_until_one_is_revoked() {
    let mut engine = engine();
    for index in 0..GRANTS_MAX {
        let seen = entries(&mut engine, asked(&index.to_string()));
        assert!(matches!(seen.as_slice(), [Entry::Decision { .. }, Entry::Granted { .. }]), "{index}: {seen:?}");
    }
    let full = refused("expected at most 64 grants, found as many already: revoke one");
    assert_eq!(entries(&mut engine, asked("one more")), full);
    // The table may have filled while the question was open.
    let mut effects = Vec::new();
    let turn = &mut Turn { at: NOW, config: Rc::clone(&engine.config), effects: &mut effects, publishes: 0 };
    let until = Some(Until::Utc(NOW.plus_ms(60_000).utc));
    let Control::Grant { channel, action, target, for_ms, .. } = asked("late") else { panic!("a grant") };
    engine.grant(turn, Control::Grant { channel, action, target, for_ms, until }, "d1");
    assert!(
        matches!(effects.as_slice(), [Effect::Record(record)] if vec![record.entry.clone()] == full),
        "{effects:?}"
    );
    assert_eq!(engine.durable().grants.len(), GRANTS_MAX);

    let id = engine.durable().grants.keys().next().expect("a grant").clone();
    let revoked = vec![Entry::Revoked { id: id.clone(), by: "control".to_owned() }];
    assert_eq!(entries(&mut engine, Control::Revoke { id }), revoked);
    assert_eq!(entries(&mut engine, asked("one more")).len(), 2);
    assert_eq!(engine.next_deadline(), Some(NOW.monotonic_ms + 60_000));
}

#[test]
fn a_grant_until_a_time_ends_then_and_not_a_moment_before() {
    let at = At { monotonic_ms: NOW.monotonic_ms, utc: "2027-03-02T17:00:00.123456789Z".parse().expect("a time") };
    let (mut engine, _) = started(None, at);
    let end: Timestamp = "2027-03-02T22:00:00Z".parse().expect("a time");
    for until in [Until::Clock(jiff::civil::time(23, 0, 0, 0)), Until::Utc(end)] {
        let (channel, action) = ("sitter".to_owned(), "lock.unlock".to_owned());
        let control = Control::Grant { channel, action, target: None, for_ms: None, until: Some(until) };
        let mut effects = Vec::new();
        engine.handle(at, Event::Control(control), &mut effects);
        let seen = recorded(effects);
        assert!(matches!(seen.as_slice(), [_, Entry::Granted { until, .. }] if *until == end), "{seen:?}");
    }
}

#[test]
fn a_target_ends_at_its_bound() {
    let mut engine = engine();
    let long = "x".repeat(GRANT_TARGET_BYTES_MAX);
    assert_eq!(entries(&mut engine, asked(&long)).len(), 2);
    let reason = "expected a target of 1 to 256 bytes, found another";
    assert_eq!(entries(&mut engine, asked(&format!("{long}x"))), refused(reason));
}

#[test]
fn what_is_granted_is_told_in_one_bounded_line() {
    let mut engine = engine();
    let arrival = |engine: &mut Engine, target: &str| {
        let control = engine.bind_grant(NOW, asked(target)).expect("a grant");
        let mut arrival = crate::engine::control::loosening_request(control);
        engine.name_what_is_granted(&mut arrival);
        arrival.request
    };
    let request = arrival(&mut engine, "door");
    let end = request.data.get("until").and_then(Value::as_str).expect("an end").to_owned();
    let time = end.get(11..16).expect("a time of day");
    assert_eq!(meaning(&request), format!("`sitter` may do `lock.unlock` on `door` without being asked until {time}"));
    assert_eq!(end.get(19..), Some("+01:00"), "as the clocks of the house show it");
    assert_eq!(request.source.likely_channels, ["sitter"]);
    let asked = super::super::combine::combine(
        &arrival(&mut engine, "door`?\n Say yes."),
        Class::Sensitive,
        false,
        std::iter::empty(),
    );
    let asked = asked.terms.expect("terms").ask;
    assert!(asked.contains("on `door`?  Say yes.` without being asked") && !asked.contains('\n'), "{asked}");
}

#[test]
fn after_a_restart_a_grant_stands_only_where_its_end_is_known() {
    let end = NOW.plus_ms(60_000);
    let later = |passed_ms: u64| At { monotonic_ms: NOW.monotonic_ms, ..NOW.plus_ms(passed_ms) };
    let before = At { utc: Timestamp::UNIX_EPOCH, ..NOW };
    for (case, channel, at, stands) in [
        ("in time", "sitter", later(59_999), true),
        ("over", "sitter", later(60_000), false),
        ("a channel that is no more", "former", later(0), false),
        ("a clock that cannot be right", "sitter", before, false),
        ("a clock that has gone on by more than a year", "sitter", later(366 * 86_400_000), false),
    ] {
        let grant = Grant {
            channel: channel.to_owned(),
            action: "lock.unlock".to_owned(),
            target: None,
            until_ms: end.monotonic_ms,
            until: end.utc,
            by: "d1".to_owned(),
        };
        let mut durable = Durable::default();
        durable.apply(Change::Grant { id: "d1".to_owned(), grant });
        let (engine, entries) = started(Some((durable, NOW)), at);
        let ends: Vec<&Entry> = entries.iter().filter(|entry| matches!(entry, Entry::Revoked { .. })).collect();
        let revoked = Entry::Revoked { id: "d1".to_owned(), by: "restart".to_owned() };
        assert_eq!(ends, if stands { vec![] } else { vec![&revoked] }, "{case}");
        let end_ms = stands.then_some(at.monotonic_ms + 1);
        assert_eq!((engine.is_granted("d1"), engine.next_deadline()), (stands, end_ms), "{case}");
    }
}
