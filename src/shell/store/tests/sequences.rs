//! Random changes: what is read is what the engine has, also where the bridge is killed between two writings, and where
//! what was written last is cut off anywhere.

use fastrand::Rng;
use serde_json::{Value, json};

use super::*;
use crate::model::decision::Outcome;
use crate::model::durable::{Codes, Grant, Memory, Mute, Pending, Prompt, Switch};
use crate::model::mode::Mode;

const ROUNDS: u64 = 8;
const CHANGES: usize = 60;

fn name(random: &mut Rng) -> String {
    (*random.choice(&["a", "b", "c/d", "ü \"q\"", ""]).unwrap()).to_owned()
}

fn pending(random: &mut Rng) -> Pending {
    let (id, time_ms) = (name(random), random.u64(0..1_000_000));
    let request = json!({
        "action": "lock.unlock", "target": "lock.front", "source": {"kind": "voice", "channel": "kitchen"},
        "door": "gate", "data": {"state": "UNLOCK", "n": 1.5}, "text": name(random),
    });
    let held = json!({"command": {"topic": "z/set", "payload": [1, 0, 255], "qos": "at_least_once", "expiry_s": 5}});
    let item = json!({"id": id, "arrival": {"request": request, "held": held, "reply": null}, "question": "?", "at_ms": time_ms});
    let value = json!({
        "id": id, "first": item, "joined": vec![item.clone(); random.usize(0..3)],
        "terms": {"ask": "?", "within_ms": 60_000, "from": ["phone"], "otherwise": "allow"},
        "policies": ["p"], "question": "?", "channels": ["phone"], "tokens": {"phone": "ab"}, "round": random.u32(..), "opened_ms": time_ms,
        "expires_ms": time_ms + 60_000, "until": "2026-11-22T22:00:00Z", "ask_ms": null, "noticed_ms": time_ms,
    });
    serde_json::from_value(value).unwrap()
}

fn prompt(random: &mut Rng) -> Prompt {
    Prompt {
        id: name(random),
        at_ms: random.u64(0..1_000),
        asker: "kitchen".to_owned(),
        action: "lock.unlock".to_owned(),
        target: random.bool().then(|| "lock.front".to_owned()),
        joined: vec![name(random); random.usize(0..2)],
        policies: vec![name(random)],
        ended_ms: random.bool().then(|| random.u64(0..1_000)),
        outcome: random.bool().then_some(Outcome::Approved),
    }
}

fn switch<T>(random: &mut Rng, value: T) -> Option<Switch<T>> {
    let until_ms = random.bool().then(|| random.u64(..));
    random.bool().then_some(Switch { value, until_ms })
}

fn codes(random: &mut Rng) -> Codes {
    Codes {
        wrong_ms: (0..random.usize(0..4)).map(|_| random.u64(..)).collect(),
        locked_until_ms: random.bool().then(|| random.u64(..)),
        totp_step: random.bool().then(|| random.u64(..)),
    }
}

fn change(random: &mut Rng) -> Change {
    let (policy, key, until) = (name(random), name(random), at(random.i64(0..10_000_000_000)).utc);
    match random.u32(0..19) {
        0 => Change::Hold { pending: Box::new(pending(random)) },
        1 => Change::Release { id: key },
        2 => {
            let mute = Mute {
                before: None,
                what: crate::model::speaker::What::Mic,
                until_ms: random.u64(..),
                until,
                reason: name(random),
                by: policy,
            };
            Change::Mute { speaker: key, mute }
        }
        3 => Change::Unmute { speaker: key },
        4 | 5 => Change::Count { policy, name: key, at_ms: random.u64(..) },
        6 => {
            let values = [Value::Null, json!({"a": [1, -2.5, "x"]}), json!(u64::MAX), json!("\0")];
            Change::Remember { policy, key, value: random.choice(values).unwrap() }
        }
        7 => Change::Forget { policy, key },
        8 => Change::Mode { switch: switch(random, Mode::Observe) },
        9 => Change::Policy { name: key, switch: switch(random, true) },
        10 => Change::Relay { switch: switch(random, false) },
        11 => Change::Guard { topic: key, guard: if random.bool() { guard() } else { Guard::default() } },
        12 => {
            let (channel, action) = (name(random), "lock.*".to_owned());
            let grant = Grant { channel, action, target: None, until_ms: random.u64(..), until, by: key.clone() };
            Change::Grant { id: key, grant }
        }
        13 => Change::Revoke { id: key },
        14 | 15 => Change::Prompt { prompt: prompt(random) },
        16 => Change::Prompted { id: key, outcome: Outcome::Expired, at_ms: random.u64(0..1_000) },
        17 => Change::PromptJoined { id: key, target: name(random) },
        _ => Change::Codes { channel: key, codes: codes(random) },
    }
}

/// What a kill leaves: the file and what stands beside it, as they are now. `cut_bytes`: how much is missing at the end.
fn leave(folder: &Path, cut_bytes: Option<u64>) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for name in ["state.db", "state.db-wal"] {
        if folder.join(name).exists() {
            fs::copy(folder.join(name), left.path().join(name)).unwrap();
        }
    }
    if let Some(cut_bytes) = cut_bytes {
        let beside = fs::OpenOptions::new().append(true).open(left.path().join("state.db-wal")).unwrap();
        let length = beside.metadata().unwrap().len();
        beside.set_len(length.saturating_sub(cut_bytes)).unwrap();
    }
    left
}

fn seed() -> u64 {
    let seed = std::env::var("HUSHGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(20_181_105);
    println!("HUSHGATE_SEED={seed}");
    seed
}

#[tokio::test]
async fn what_is_read_is_what_the_engine_had_when_it_was_written() {
    let mut random = Rng::with_seed(seed());
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = Durable::default();
        // A run that begins with something.
        (0..random.usize(0..CHANGES)).for_each(|_| engine.apply(change(&mut random)));
        let mut store = Store::open(folder.path(), at(0)).store;
        store.begin(engine.clone());
        let mut read = Durable::default();
        for _ in 0..CHANGES {
            let change = change(&mut random);
            engine.apply(change.clone());
            store.keep(change);
            assert_eq!(store.kept.durable, engine, "round {round}");
            if store.is_due && random.u32(0..4) == 0 {
                assert_eq!(written(&mut store, 1).await, Ok(()));
                read.clone_from(&engine);
            }
            if random.u32(0..8) == 0 && folder.path().join("state.db").exists() {
                let left = leave(folder.path(), None);
                assert_eq!(kept_in(left.path()).0, read, "round {round}");
            }
        }
        store.close(at(2)).await.unwrap();
        assert_eq!(kept_in(folder.path()).0, engine, "round {round}");
    }
}

#[tokio::test]
async fn what_was_written_last_can_be_cut_off_anywhere_and_what_is_read_was_there_once() {
    let mut random = Rng::with_seed(seed());
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_in(folder.path());
    let mut states = Vec::new();
    for _ in 0..12 {
        (0..3).for_each(|_| store.keep(change(&mut random)));
        if store.is_due {
            assert_eq!(written(&mut store, 1).await, Ok(()));
            states.push(store.kept.durable.clone());
        }
    }
    let length = fs::metadata(folder.path().join("state.db-wal")).unwrap().len();
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let left = leave(folder.path(), Some(random.u64(0..=length)));
        let opened = Store::open(left.path(), at(0));
        assert_eq!(opened.trouble, None);
        // Cut off before the first batch: the file was made, and nothing was written.
        let state = opened.saved.map(|(durable, _)| states.iter().position(|state| *state == durable));
        assert_ne!(state, Some(None), "a state that never was");
        seen.insert(state);
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[tokio::test]
async fn the_oldest_questions_go_where_there_are_too_many() {
    use crate::model::durable::PROMPTS_MAX;
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_in(folder.path());
    let question = |number: usize| {
        let prompt = Prompt { id: number.to_string(), outcome: None, ..prompt(&mut Rng::with_seed(0)) };
        Change::Prompt { prompt }
    };
    (0..PROMPTS_MAX).for_each(|number| store.keep(question(number)));
    assert_eq!(written(&mut store, 1).await, Ok(()));
    (PROMPTS_MAX..PROMPTS_MAX + 3).for_each(|number| store.keep(question(number)));
    store.keep(Change::Prompted { id: "3".to_owned(), outcome: Outcome::Rejected, at_ms: 0 });
    assert_eq!(written(&mut store, 2).await, Ok(()));
    let prompts = kept_in(folder.path()).0.prompts;
    assert_eq!(prompts, store.kept.durable.prompts);
    let oldest = prompts.front().map(|prompt| (prompt.id.as_str(), prompt.outcome));
    assert_eq!((oldest, prompts.len()), (Some(("3", Some(Outcome::Rejected))), PROMPTS_MAX));
}

#[test]
fn a_policy_that_remembers_nothing_any_more_is_gone() {
    let mut durable = Durable::default();
    let [policy, key] = ["p", "k"].map(str::to_owned);
    durable.apply(Change::Remember { policy: policy.clone(), key: key.clone(), value: json!(1) });
    durable.apply(Change::Forget { policy: policy.clone(), key: key.clone() });
    assert_eq!(durable, Durable::default());
    durable.apply(Change::Count { policy: policy.clone(), name: key.clone(), at_ms: 1 });
    durable.apply(Change::Forget { policy, key });
    assert_eq!(durable.memories.values().map(|memory: &Memory| memory.counters.len()).sum::<usize>(), 1);
}
