//! The built program against real brokers: the embedded one always, Mosquitto where it is installed.
//!
//! Each case starts its own broker on a free loopback port and its own bridge, speaks to them through ordinary MQTT
//! clients, and waits for messages and log lines, never for time to pass. What is left out is said by name.
//!
//! `cargo test --test real [PART OF A NAME]` runs them; `HUSHGATE_BIN` names another binary than the one just built.
#![expect(unreachable_pub, reason = "a test has no outside; `pub` says what a module offers the others")]
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests stand outside: they have files, threads and a clock")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[path = "real/bridge.rs"]
mod bridge;
#[path = "real/broker.rs"]
mod broker;
#[path = "real/client.rs"]
mod client;
#[path = "real/house.rs"]
mod house;

#[path = "real/ask.rs"]
mod ask;
#[path = "real/control.rs"]
mod control;
#[path = "real/crash.rs"]
mod crash;
#[path = "real/gate.rs"]
mod gate;
#[path = "real/life.rs"]
mod life;
#[path = "real/login.rs"]
mod login;

use broker::Kind;

/// Cases that run at one time. They wait far more than they compute.
const PARALLEL_MAX: usize = 3;

/// One case: its name, and what it does with a kind of broker.
type Case = (&'static str, fn(Kind));

/// The cases of one module, with its name.
type Cases = (&'static str, &'static [Case]);

/// Cases that need nothing of the broker but MQTT.
const ANY_BROKER: &[Cases] = &[
    ("gate", gate::CASES),
    ("ask", ask::CASES),
    ("control", control::CASES),
    ("life", life::CASES),
    ("crash", crash::CASES),
];
/// Cases that need Mosquitto: passwords, certificates.
const MOSQUITTO_ONLY: &[Cases] = &[("login", login::CASES)];
/// Cases that bring their own broker.
const ALONE: &[Cases] = &[("life", life::ALONE)];

struct Planned {
    name: String,
    kind: Kind,
    case: fn(Kind),
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|part| name.contains(part.as_str()));
    let planned: Vec<Planned> = plan().into_iter().filter(|planned| wanted(&planned.name)).collect();
    if words.iter().any(|word| word == "--list") {
        planned.iter().for_each(|planned| println!("{}: test", planned.name));
        return ExitCode::SUCCESS;
    }
    run(&planned)
}

/// Every case on every broker that it can run on.
fn plan() -> Vec<Planned> {
    let on = |kind: Kind, sets: &[Cases]| -> Vec<Planned> {
        let all = sets.iter().flat_map(|(module, cases)| cases.iter().map(move |case| (module, case)));
        let broker = kind.name();
        all.map(|(module, (name, case))| Planned { name: format!("{broker}::{module}::{name}"), kind, case: *case })
            .collect()
    };
    let mut planned = on(Kind::Embedded, ALONE);
    planned.extend(on(Kind::Embedded, ANY_BROKER));
    planned.extend(on(Kind::Mosquitto, ANY_BROKER));
    planned.extend(on(Kind::Mosquitto, MOSQUITTO_ONLY));
    planned
}

/// Runs the cases, a few at a time, and prints one line for each.
fn run(planned: &[Planned]) -> ExitCode {
    let began = Instant::now();
    let missing: Vec<(Kind, String)> =
        Kind::ALL.into_iter().filter_map(|kind| kind.missing().map(|why| (kind, why))).collect();
    let next = AtomicUsize::new(0);
    let (failed, left_out) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    println!("\nrunning {} tests", planned.len());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL_MAX {
            scope.spawn(|| {
                while let Some(Planned { name, kind, case }) = planned.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some((_, why)) = missing.iter().find(|(without, _)| without == kind) {
                        left_out.fetch_add(1, Ordering::Relaxed);
                        println!("test {name} ... ignored, {why}");
                        continue;
                    }
                    let started = Instant::now();
                    let outcome = catch_unwind(AssertUnwindSafe(|| case(*kind)));
                    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
                    println!("test {name} ... {word} ({:.1} s)", started.elapsed().as_secs_f32());
                    if outcome.is_err() {
                        failed.lock().expect("no thread panics while it holds this").push(name.clone());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no thread panics while it holds this");
    let left_out = left_out.into_inner();
    let passed = planned.len() - failed.len() - left_out;
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    println!(
        "\ntest result: {}. {passed} passed; {} failed; {left_out} ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        began.elapsed().as_secs_f32()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
