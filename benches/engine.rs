//! The engine alone, in one process: what judging costs beside the bare scripts, and that it grows with neither the
//! policies installed nor the facts known.
//!
//! Each pair is measured in turns, A B A B …, and the medians are compared: what slows the machine slows both. There is
//! no broker in what is measured, and no clock but the stopwatch that the bridge itself hands to its scripts.
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement that cannot be made must not look like one")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use hushgate::config::{self, Secrets};
use hushgate::engine::{Engine, Setup};
use hushgate::model::action::KNOWN_ACTIONS;
use hushgate::model::decision::Verdict;
use hushgate::model::event::{Effect, Entry, Event, ScriptSource};
use hushgate::model::message::{Command, Qos};
use hushgate::model::request::{Arrival, Door, FactChange, Held, Request, Source, SourceKind};
use hushgate::model::time::At;

/// Turns of each pair.
const TURNS: usize = 301;
/// Calls in one turn: enough that reading the clock does not count.
const CALLS_PER_TURN: u32 = 100;
/// Policies that match the request.
const MATCHING: usize = 10;

const CONFIG: &str = "broker: { url: \"embedded://127.0.0.1:0\" }\nmode: enforce\ntime_zone: America/Los_Angeles\n\
                      channels:\n  phone: { kind: person, independent: true, confirms: true }\n";

/// A rule in two forms: as a policy, and as a bare script with its constants written out.
struct Rule {
    policy: &'static str,
    /// The line of the policy that says for which actions it is asked.
    header: &'static str,
    bare: &'static str,
    /// What it says on the request of this benchmark.
    verdict: Verdict,
}

/// The five lines that the README begins with.
const SHORT: Rule = Rule {
    policy: r#"//! No calls leave the house while it sleeps.
const ACTIONS = ["communication.*"];
fn on_request(request) {
    if request.by_voice && between("22:00", "07:00") { deny("no calls between ten and seven") }
}
"#,
    header: r#"const ACTIONS = ["communication.*"];"#,
    bare: r#"
fn on_request(request) {
    if request.by_voice && between("22:00", "07:00") { deny("no calls between ten and seven") }
}
"#,
    verdict: Verdict::Deny,
};

/// The longest of the shipped rules that answer a request.
const SHIPPED: Rule = Rule {
    policy: include_str!("../policies/quiet-nights.rhai"),
    header: r#"const ACTIONS = ["notify.*", "communication.send_message", "communication.call"];"#,
    bare: r#"
fn on_request(request) {
    let is_doubtful = request.by_voice || request.by_agent || request.by_unknown;
    let recipient = request.target_or("nobody");
    if !is_doubtful || recipient in [] {
        return;
    }
    if recipient in ["112", "911"] {
        return allow(`${recipient} is an emergency contact`);
    }
    if between("22:00", "07:00") {
        deny(`no messages or calls between ${"22:00"} and ${"07:00"}`);
    }
}
"#,
    verdict: Verdict::Allow,
};

fn main() {
    let turns = if std::env::args().any(|word| word == "--test") { 3 } else { TURNS };
    println!("\nengine: medians of {turns} turns of {CALLS_PER_TURN} calls");
    for (name, rule) in [("short rule", &SHORT), ("shipped rule", &SHIPPED)] {
        println!("ten times the {name}:");
        let (mut bare, mut handle) = (bare(rule), House::new(rule, MATCHING, 0));
        compare(turns, "ten bare rhai calls", &mut bare, "handle, ten matching policies", &mut || handle.judge(), 1.5);
    }
    let (mut few, mut many) = (House::new(&SHIPPED, MATCHING, 0), House::new(&SHIPPED, 1_000, 0));
    compare(turns, "handle, 10 installed", &mut || few.judge(), "handle, 1,000 installed", &mut || many.judge(), 1.2);
    let (mut few, mut many) = (House::new(&SHIPPED, MATCHING, 1), House::new(&SHIPPED, MATCHING, 100_000));
    compare(turns, "handle, 1 fact", &mut || few.judge(), "handle, 100,000 facts", &mut || many.judge(), 1.2);
}

/// Measures two things in turns, and prints their medians and the ratio beside its target.
fn compare<'a>(turns: usize, name_a: &str, a: &'a mut dyn FnMut(), name_b: &str, b: &'a mut dyn FnMut(), target: f64) {
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..=turns {
        for (times, work) in times.iter_mut().zip([&mut *a, &mut *b]) {
            let began = Instant::now();
            (0..CALLS_PER_TURN).for_each(|_| work());
            let each_us = began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS_PER_TURN);
            // The first turn fills caches.
            if turn > 0 {
                times.push(each_us);
            }
        }
    }
    let [a_us, b_us] = times.map(median);
    let ratio = b_us / a_us;
    let word = if ratio <= target { "met" } else { "MISSED" };
    println!(
        "{name_a:<22} {a_us:>7.2} us   {name_b:<30} {b_us:>7.2} us   ratio {ratio:.2} (target {target:.2}: {word})"
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("at least one turn")
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("there are none".to_owned())
    }
}

/// An engine with its request.
struct House {
    engine: Engine,
    at: At,
    effects: Vec<Effect>,
    verdict: Verdict,
}

impl House {
    /// `installed` policies, ten of which match the request, and so many facts.
    fn new(rule: &Rule, installed: usize, facts: usize) -> House {
        let config = config::parse("bench.yaml", CONFIG, &NoSecrets).expect("a right configuration");
        let at = At { monotonic_ms: 0, utc: "2026-11-23T07:14:00Z".parse().expect("a time") };
        let sources = (0..installed).map(|index| source(rule, index)).collect();
        let began = Instant::now();
        let stopwatch = Rc::new(move || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        let setup = Setup {
            config: Rc::new(config),
            sources,
            seed: [7; 32],
            integrations: Vec::new(),
            stopwatch: Some(stopwatch),
            saved: None,
        };
        let mut effects = Vec::new();
        let mut engine = Engine::start(setup, at, &mut effects).expect("right policies");
        for index in 0..facts {
            let entity = format!("sensor.number_{index}");
            let change = FactChange { entity, attribute: None, value: Some(index.into()) };
            engine.handle(at, Event::Fact(change), &mut effects);
        }
        effects.clear();
        House { engine, at, effects, verdict: rule.verdict }
    }

    /// One command through the engine, which must end as the rule says after ten policies were asked.
    fn judge(&mut self) {
        self.at = self.at.plus_ms(1);
        self.engine.handle(self.at, Event::Arrival(Box::new(arrival())), &mut self.effects);
        let Some(Effect::Record(record)) = self.effects.first() else { panic!("no decision: {:?}", self.effects) };
        let Entry::Decision { decision } = &record.entry else { panic!("no decision: {record:?}") };
        assert!(decision.applied == self.verdict && decision.opinions.len() == MATCHING, "{decision:?}");
        black_box(&self.effects);
        self.effects.clear();
    }
}

/// The policies: ten times the rule, and the same for actions that nobody asks for.
fn source(rule: &Rule, index: usize) -> ScriptSource {
    assert!(rule.policy.contains(rule.header), "the header of the policy has changed");
    let spoken = |action: &str| action.starts_with("notify.") || action.starts_with("communication.");
    let other = KNOWN_ACTIONS.iter().map(|(action, _)| *action).filter(|action| !spoken(action)).cycle().nth(index);
    let others = format!("const ACTIONS = [\"{}\"];", other.expect("a cycle has no end"));
    let text = if index < MATCHING { rule.policy.to_owned() } else { rule.policy.replace(rule.header, &others) };
    ScriptSource { name: format!("rule_{index}"), file: format!("rule_{index}.rhai"), text }
}

fn arrival() -> Arrival {
    let source = Source { kind: SourceKind::Voice, channel: Some("kitchen".to_owned()), ..Source::default() };
    let request = Request {
        action: "communication.call".to_owned(),
        target: Some("112".to_owned()),
        source,
        door: Door::Gate,
        data: std::collections::BTreeMap::new(),
        text: None,
        confidence: None,
        sensitive: false,
        heard: None,
    };
    let topic = "kitchen_echo/call/112".to_owned();
    let payload = "";
    let command = Command { topic, payload: payload.into(), qos: Qos::AtLeastOnce, expiry_s: None };
    Arrival { request, held: Held::Command(command), reply: None }
}

/// The same rule as somebody would call it from Rust without any of this: one engine, a request type with the getters that
/// it uses, the words that it uses, a verdict as a value, its constants written out.
fn bare(rule: &Rule) -> impl FnMut() + use<> {
    #[derive(Clone)]
    struct Ask(Rc<Request>);

    let mut engine = rhai::Engine::new();
    engine.register_type_with_name::<Ask>("Request");
    engine.register_get("by_voice", |ask: &mut Ask| ask.0.source.kind == SourceKind::Voice);
    engine.register_get("by_agent", |ask: &mut Ask| ask.0.source.kind == SourceKind::Agent);
    engine.register_get("by_unknown", |ask: &mut Ask| ask.0.source.kind == SourceKind::Unknown);
    engine.register_fn("target_or", |ask: &mut Ask, or: &str| ask.0.target.clone().unwrap_or_else(|| or.to_owned()));
    // A span that passes midnight; the request comes within it.
    engine.register_fn("between", |from: &str, to: &str| from > to);
    engine.register_fn("deny", |reason: &str| (Verdict::Deny, reason.to_owned()));
    engine.register_fn("allow", |reason: &str| (Verdict::Allow, reason.to_owned()));
    let scripts: Vec<rhai::AST> = (0..MATCHING).map(|_| engine.compile(rule.bare).expect("a right script")).collect();
    move || {
        let request = Rc::new(arrival().request);
        for script in &scripts {
            let options = rhai::CallFnOptions::new().eval_ast(false);
            let mut scope = rhai::Scope::new();
            let ask = Ask(Rc::clone(&request));
            let verdict: (Verdict, String) =
                engine.call_fn_with_options(options, &mut scope, script, "on_request", (ask,)).expect("a verdict");
            black_box(verdict);
        }
    }
}
