//! What outlives the process, through the file and back: random states, random absences, clocks that are right and wrong.
//!
//! `HUSHGATE_SEED` chooses another run.
#![expect(clippy::expect_used, reason = "a test fails by a panic, also in the functions that help it")]
#![expect(clippy::disallowed_methods, reason = "the seed comes from the environment")]

use std::collections::BTreeMap;
use std::rc::Rc;

use fastrand::Rng;
use hushgate::bridge::{Bridge, Output, Setup};
use hushgate::config::{self, Config, NoSecrets};
use hushgate::model::decision::{Outcome, Verdict};
use hushgate::model::durable::{Away, Change, Codes, Durable, Grant, Memory, Mute, Prompt, Switch};
use hushgate::model::event::{Entry, Event, ScriptSource};
use hushgate::model::message::Message;
use hushgate::model::mode::Mode;
use hushgate::model::time::At;
use hushgate::shell::store::Store;
use jiff::{SignedDuration, Timestamp};

const HOME: &str = include_str!("scenarios/home.yaml");
const RULE: &str = r#"const ACTIONS = ["lock.*", "light.*"];
fn on_request(request) {
    if request.target == "front" { confirm(#{ ask: "?", within: "10m" }) }
    else { confirm(#{ ask: "?", within: "5m", otherwise: "allow_sensitive" }) }
}"#;
const ROUNDS: u64 = 60;
/// A time at which every right clock shows more than the program was written.
const START_S: i64 = 1_900_000_000;

fn seed() -> u64 {
    let seed = std::env::var("HUSHGATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_181_105);
    println!("HUSHGATE_SEED={seed}");
    seed
}

fn at(monotonic_ms: u64, utc_s: i64) -> At {
    let utc = Timestamp::from_second(START_S + utc_s).expect("in range");
    At { monotonic_ms: At::MONOTONIC_START_MS + monotonic_ms, utc }
}

struct House {
    config: Rc<Config>,
    runs: u8,
}

/// One run of the bridge, and what its start has caused.
struct Run {
    bridge: Bridge,
    out: Vec<Output>,
}

impl House {
    fn new() -> House {
        House { config: Rc::new(config::parse("home.yaml", HOME, &NoSecrets).expect("a good configuration")), runs: 0 }
    }

    fn start(&mut self, saved: Option<(Durable, At)>, now: At) -> Run {
        self.start_with(RULE, saved, now)
    }

    fn start_with(&mut self, rule: &str, saved: Option<(Durable, At)>, now: At) -> Run {
        self.runs = self.runs.wrapping_add(1);
        let sources =
            vec![ScriptSource { name: "rule".to_owned(), file: "rule.rhai".to_owned(), text: rule.to_owned() }];
        let config = Rc::clone(&self.config);
        let setup = Setup { config, sources, seed: [self.runs; 32], integrations: Vec::new(), stopwatch: None, saved };
        let mut out = Vec::new();
        let bridge = Bridge::start(setup, now, &mut out).expect("good policies");
        Run { bridge, out }
    }

    /// A state that a run could have at `now`.
    fn state(&mut self, random: &mut Rng, now: At) -> Durable {
        let mut run = self.start(None, now);
        let mut out = Vec::new();
        for _ in 0..random.usize(0..4) {
            let room = random.choice(["front", "shed"]).expect("one of them");
            let message = Message::live(format!("hushgate/gate/kitchen/unlock/{room}"), "now");
            run.bridge.message(now, &message, &mut out);
        }
        let mut durable = run.bridge.engine().durable();
        for change in (0..random.usize(0..20)).map(|_| change(random, now)) {
            durable.apply(change);
        }
        durable
    }
}

/// A time up to an hour from now, and the same instant for people.
fn later(random: &mut Rng, now: At) -> At {
    now.plus_ms(random.u64(1..3_600_000))
}

fn change(random: &mut Rng, now: At) -> Change {
    let id = random.u32(0..5).to_string();
    let (until, by) = (later(random, now), "control".to_owned());
    match random.u32(0..9) {
        0 | 1 => {
            let speaker = (*random.choice(&["kitchen", "bedroom", "attic"]).expect("one of them")).to_owned();
            let mute = Mute {
                before: None,
                what: hushgate::model::speaker::What::Mic,
                until_ms: until.monotonic_ms,
                until: until.utc,
                reason: id,
                by,
            };
            Change::Mute { speaker, mute }
        }
        2 => Change::Count { policy: "rule".to_owned(), name: id, at_ms: now.monotonic_ms - random.u64(0..100_000) },
        3 => Change::Remember { policy: "rule".to_owned(), key: id, value: random.u64(..).into() },
        4 => Change::Mode { switch: Some(Switch { value: Mode::Observe, until_ms: Some(until.monotonic_ms) }) },
        5 => {
            let name = random.choice(["rule", "gone"]).expect("one of them").to_owned();
            Change::Policy { name, switch: Some(Switch { value: false, until_ms: Some(until.monotonic_ms) }) }
        }
        6 => {
            let channel = random.choice(["phone", "nobody"]).expect("one of them").to_owned();
            let (until_ms, until, action) = (until.monotonic_ms, until.utc, "lock.unlock".to_owned());
            Change::Grant { id, grant: Grant { channel, action, target: None, until_ms, until, by } }
        }
        7 => {
            let prompt = Prompt {
                id,
                at_ms: now.monotonic_ms - random.u64(0..100_000),
                asker: "kitchen".to_owned(),
                action: "lock.unlock".to_owned(),
                target: None,
                joined: Vec::new(),
                policies: Vec::new(),
                outcome: random.bool().then_some(Outcome::Rejected),
                ended_ms: random.bool().then_some(now.monotonic_ms),
            };
            Change::Prompt { prompt }
        }
        _ => {
            let locked_until_ms = random.bool().then_some(until.monotonic_ms);
            let codes =
                Codes { wrong_ms: [now.monotonic_ms].into(), locked_until_ms, totp_step: Some(random.u64(0..9)) };
            Change::Codes { channel: "phone".to_owned(), codes }
        }
    }
}

/// Through the file, as a bridge that ends and one that starts.
fn through_the_file(durable: Durable, saved: At) -> Option<(Durable, At)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut store = Store::open(folder.path(), saved).store;
    store.begin(durable);
    runtime.block_on(store.close(saved)).expect("a writable folder");
    let opened = Store::open(folder.path(), saved);
    assert_eq!(opened.trouble, None);
    opened.saved
}

fn forwards(out: &[Output]) -> usize {
    out.iter().filter(|output| matches!(output, Output::Forward(_))).count()
}

/// What is left of a mute, by speaker.
fn mutes(durable: &Durable, now: At) -> BTreeMap<String, u64> {
    let left = |mute: &Mute| mute.until_ms.saturating_sub(now.monotonic_ms);
    durable.mutes.iter().map(|(speaker, mute)| (speaker.clone(), left(mute))).collect()
}

#[test]
fn what_was_kept_is_what_goes_on() {
    let mut random = Rng::with_seed(seed());
    let mut house = House::new();
    for round in 0..ROUNDS {
        let saved = at(random.u64(0..1_000_000), 0);
        // What a start ends is ended by the first; the second has nothing to end.
        let state = house.state(&mut random, saved);
        let first = house.start(Some((state, saved)), saved);
        let kept = first.bridge.engine().durable();
        let (read, read_at) = through_the_file(kept.clone(), saved).unwrap_or((Durable::default(), saved));
        assert_eq!((&read, read_at), (&kept, saved), "round {round}");

        let away_ms = random.u64(0..1_000);
        let now = At { monotonic_ms: At::MONOTONIC_START_MS + random.u64(0..9_000), ..saved.plus_ms(away_ms) };
        let second = house.start(Some((read, read_at)), now);
        let left = |deadline_ms: Option<u64>, now: At, away_ms: u64| {
            deadline_ms.map(|deadline_ms| (deadline_ms - now.monotonic_ms).saturating_sub(away_ms))
        };
        let before = left(first.bridge.engine().next_deadline(), saved, away_ms);
        let after = left(second.bridge.engine().next_deadline(), now, 0);
        assert_eq!(before, after, "round {round}: the next deadline");

        let mut moved = kept;
        moved.rebase(saved, now);
        let mut durable = second.bridge.engine().durable();
        // Asked anew: with other tokens, on the same terms, until the same time.
        for (id, pending) in &mut durable.pendings {
            let asked = &moved.pendings[id];
            assert_eq!(pending.round, asked.round + 1, "round {round}");
            assert_ne!(pending.tokens, asked.tokens, "round {round}");
            pending.clone_from(asked);
        }
        assert_eq!(durable, moved, "round {round}");
    }
}

#[test]
fn whatever_the_clock_shows_nothing_leaves_and_no_mute_ends_early() {
    let mut random = Rng::with_seed(seed());
    let mut house = House::new();
    for round in 0..ROUNDS {
        let saved = at(random.u64(0..1_000_000), 0);
        let state = house.state(&mut random, saved);
        let jump_s = *random
            .choice(&[0, 10, 500, 7_200, -5, -61, -3_600, -START_S, 366 * 86_400, 3_000 * 86_400])
            .expect("one of them");
        let utc = saved.utc.checked_add(SignedDuration::from_secs(jump_s)).expect("in range");
        let now = At { monotonic_ms: At::MONOTONIC_START_MS + random.u64(0..9_000), utc };
        let away = Away::between(saved, now);
        let mut run = house.start(through_the_file(state.clone(), saved), now);
        let durable = run.bridge.engine().durable();
        let context = format!("round {round}, a clock that moved by {jump_s} s");

        let passed_ms = if let Away::Known(passed_ms) = away { passed_ms } else { 0 };
        let expected =
            mutes(&state, saved).into_iter().map(|(speaker, left_ms)| (speaker, left_ms.saturating_sub(passed_ms)));
        let expected: BTreeMap<String, u64> = expected.filter(|(_, left_ms)| *left_ms > 0).collect();
        assert_eq!(mutes(&durable, now), expected, "{context}");
        assert!(
            durable.pendings.values().all(|pending| pending.first.arrival.request.target.as_deref() == Some("front"))
        );
        if away == Away::Unknown {
            assert!(durable.pendings.is_empty() && durable.grants.is_empty(), "{context}");
        }
        assert!(durable.grants.values().all(|grant| grant.channel == "phone"), "{context}");
        assert_eq!(durable.mode, None, "{context}: the configuration is the floor");
        let locks = |durable: &Durable| durable.codes.values().filter(|codes| codes.locked_until_ms.is_some()).count();
        assert_eq!(locks(&durable), locks(&state), "{context}");
        let counted =
            |durable: &Durable| durable.memories.values().map(|memory: &Memory| memory.counters.len()).sum::<usize>();
        assert_eq!(counted(&durable), counted(&state), "{context}");

        // Its time passes, and nobody answers.
        run.bridge.event(now, Event::Connected, &mut run.out);
        for speaker in expected.keys().filter(|speaker| *speaker != "attic") {
            let is_told = |output: &Output| {
                matches!(output, Output::Send(message)
                if message.topic == format!("speakers/{speaker}/microphone") && message.payload == "off")
            };
            assert!(run.out.iter().any(is_told), "{context}: `{speaker}` is muted again");
        }
        let mut at = now;
        for _ in 0..100 {
            let Some(deadline_ms) = run.bridge.next_deadline() else { break };
            at = at.plus_ms(deadline_ms.saturating_sub(at.monotonic_ms));
            run.bridge.event(at, Event::Tick, &mut run.out);
        }
        assert_eq!(forwards(&run.out), 0, "{context}: silence is no yes after a restart");
        assert!(run.bridge.engine().durable().pendings.is_empty(), "{context}");
    }
}

#[test]
fn what_the_rules_allow_now_does_not_go_by_itself() {
    let mut house = House::new();
    let (saved, mut out) = (at(0, 0), Vec::new());
    let mut run = house.start(None, saved);
    run.bridge.message(saved, &Message::live("hushgate/gate/kitchen/unlock/front", "now"), &mut out);
    let kept = run.bridge.engine().durable();
    assert_eq!(kept.pendings.len(), 1);
    let rule = "const ACTIONS = [\"lock.*\"];\nfn on_request(request) { allow(\"anybody may\") }";
    let mut run = house.start_with(rule, Some((kept, saved)), at(5, 1));
    let told = |output: &Output| match output {
        Output::Journal(record) => match &record.entry {
            Entry::Decision { decision } => Some((decision.applied, decision.reason.clone())),
            _ => None,
        },
        _ => None,
    };
    let decisions: Vec<(Verdict, String)> = run.out.iter().filter_map(told).collect();
    let reason =
        "the bridge was restarted: anybody may; nobody knows what became of it before, so it does not go by itself";
    assert_eq!(decisions, [(Verdict::Deny, reason.to_owned())]);
    assert_eq!(forwards(&run.out), 0);
    // What is asked from now on is judged as the rules say.
    run.bridge.message(at(6, 1), &Message::live("hushgate/gate/kitchen/unlock/front", "now"), &mut run.out);
    assert_eq!(forwards(&run.out), 1);
}
