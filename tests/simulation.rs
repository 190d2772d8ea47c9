//! A seeded simulation of the whole core: commands, questions, answers right and wrong, facts, events, control, reloads,
//! clock jumps, lost connections and restarts, in random order, held against a model of the test's own.
//!
//! `HUSHGATE_SEED` and `HUSHGATE_STEPS` choose another run. A failure names seed, step and what happened last.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic, also in the functions that help it"
)]
#![expect(clippy::disallowed_methods, reason = "seed and steps come from the environment")]

#[path = "simulation/house.rs"]
mod house;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/questions.rs"]
mod questions;
#[path = "simulation/rules.rs"]
mod rules;
#[path = "simulation/watch.rs"]
mod watch;

use house::House;

/// Enough for everything to happen that must; `tests/run` plays a million.
const STEPS_DEFAULT: u64 = 40_000;
const SEED_DEFAULT: u64 = 20_181_105;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("expected a number in `{name}`, found `{text}`")),
        Err(_) => default,
    }
}

#[test]
fn nothing_leaves_that_was_not_allowed() {
    let (seed, steps) = (number("HUSHGATE_SEED", SEED_DEFAULT), number("HUSHGATE_STEPS", STEPS_DEFAULT));
    println!("HUSHGATE_SEED={seed} HUSHGATE_STEPS={steps}");
    let mut house = House::new(seed);
    // The first tenth is played twice: the same seed must give the same bytes.
    let compared = steps / 10;
    for _ in 0..compared {
        house.step();
    }
    let first = house.digest();
    for _ in compared..steps {
        house.step();
    }
    let seen = house.seen();
    println!("{seen:#?}");
    if steps >= STEPS_DEFAULT {
        seen.assert_that_everything_happened();
    }

    let mut again = House::new(seed);
    for _ in 0..compared {
        again.step();
    }
    assert_eq!(first, again.digest(), "two runs of seed {seed} differ within {compared} steps");
}
