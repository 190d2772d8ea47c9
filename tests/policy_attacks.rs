//! How long the heaviest scripts take: with a stopwatch every one of them ends within 50 ms in a release build.
//!
//! Where they end, and with which words, is tested beside the policies; here is only the time.
#![expect(clippy::expect_used, reason = "a test fails by a panic, also in the functions that help it")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hushgate::model::durable::Change;
use hushgate::model::event::ScriptSource;
use hushgate::model::request::{Door, FactChange, Request, Source};
use hushgate::model::time::At;
use hushgate::policy::{Catalog, PolicySet, Stopwatch, View, World};
use serde_json::json;

/// Builds of tests are not optimised; what matters there is that everything ends.
const LIMIT: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 50 });
/// The machine may be busy with something else: the best of some rounds counts.
const ROUNDS: usize = 5;

/// The largest values that a script can hold, by short names.
const LARGE: &str = "
    let s = \"0123456789abcdef\"; for i in 0..8 { s += s; }
    let l = []; for i in 0..127 { l += [`item ${i}`]; }
    let m = #{}; for i in 0..120 { m[`field ${i}`] = i; }\n";

const HEAVY: &[&str] = &[
    "loop {}",
    "loop { s == s + \"x\" }",
    "loop { s.to_upper(); }",
    "loop { s.matches(\"*1*2*3*4*5*6*7*z\"); }",
    "loop { s.replace(\"0\", \"1\"); }",
    "loop { s.split(\"none\"); }",
    "loop { s[4000] = 'x'; }",
    "loop { `${s}`; }",
    "loop { \"none\" in l }",
    "loop { l == l }",
    "loop { l + []; }",
    "loop { [l]; }",
    "loop { l.join(\",\"); }",
    "loop { l.any(|x| x == \"none\"); }",
    "loop { l.filter(|x| true); }",
    "for a in l { for b in l { for c in l { a == b } } }",
    "loop { m == m }",
    "loop { let k = m; }",
    "loop { f(s, l, m); }",
    "loop { request.data; }",
    "loop { request.data_or(\"list\", 1); }",
    "loop { state(\"sensor.large\"); }",
    "loop { attribute(\"sensor.large\", \"list\"); }",
    "loop { anybody_home(); }",
    "loop { sun_is_up(); }",
    "loop { counted(\"n\", \"1h\"); }",
    "loop { recall(\"large\"); }",
    "loop { CONSTANT.len(); }",
];

fn view() -> View {
    let mut world = World::default();
    let list = json!((0..100).map(|index| format!("item {index} {}", "x".repeat(50))).collect::<Vec<_>>());
    let fact = |entity: &str, attribute: Option<&str>, value| FactChange {
        entity: entity.to_owned(),
        attribute: attribute.map(str::to_owned),
        value: Some(value),
    };
    world.home.fold(0, fact("sensor.large", None, json!("x".repeat(8_000)))).expect("room");
    world.home.fold(0, fact("sensor.large", Some("list"), list)).expect("room");
    for index in 0..64 {
        world.home.fold(0, fact(&format!("person.p{index}"), None, json!("away"))).expect("room");
    }
    let policy = || "heavy".to_owned();
    for _ in 0..1_024 {
        world.durable.apply(Change::Count { policy: policy(), name: "n".to_owned(), at_ms: 5 });
    }
    world.durable.apply(Change::Remember {
        policy: policy(),
        key: "large".to_owned(),
        value: json!("x".repeat(4_000)),
    });
    View {
        at: At { monotonic_ms: 5, utc: jiff::Timestamp::UNIX_EPOCH },
        civil: Some("2026-11-23T23:14[America/Los_Angeles]".parse().expect("a zoned time")),
        coordinates: Some((45.52, -122.68)),
        world: Rc::new(RefCell::new(world)),
    }
}

fn request() -> Rc<Request> {
    Rc::new(Request {
        action: "notify.send_message".to_owned(),
        target: None,
        source: Source::default(),
        door: Door::Ask,
        data: BTreeMap::from([("list".to_owned(), json!((0..100).collect::<Vec<_>>()))]),
        text: None,
        confidence: None,
        sensitive: false,
        heard: None,
    })
}

#[test]
fn the_heaviest_scripts_end_in_time() {
    let start = Instant::now();
    let stopwatch: Stopwatch = Rc::new(move || u64::try_from(start.elapsed().as_millis()).expect("not that long"));
    let (view, request) = (view(), request());
    let actions = [request.action.clone()].into();
    let catalog = Catalog { actions, ..Catalog::default() };
    let constant = (0..127).map(|index| format!("\"item {index}\"")).collect::<Vec<_>>().join(", ");
    for body in HEAVY {
        let text = format!(
            "const ACTIONS = \"*\"; const CONSTANT = [{constant}];\nfn f(s, l, m) {{ s }}\nfn on_request(request) {{ {LARGE} {body} }}"
        );
        let source = ScriptSource { name: "heavy".to_owned(), file: "heavy.rhai".to_owned(), text };
        let set = PolicySet::compile(&[source], &catalog, Some(Rc::clone(&stopwatch))).expect(body);
        let policy = set.get("heavy").expect("the policy");
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let reaction = policy.on_request(&request, &view);
            best = best.min(begun.elapsed());
            let message = reaction.error.expect(body).message;
            assert!(
                message.starts_with("the rule does not end") || message.starts_with("the rule takes too long"),
                "{body}: {message}"
            );
        }
        assert!(best <= LIMIT, "{body} took {best:?}");
    }
}
