//! The built program against real brokers: the embedded one always, Mosquitto where it is installed.
//!
//! Each case starts its own broker on a free loopback port and its own bridge, speaks to them through ordinary MQTT
//! clients, and waits for messages and log lines, never for time to pass. What is left out is said by name.
//!
//! `cargo test --test real [PART OF A NAME]` runs them; `HUSHGATE_BIN` names another binary than the one just built.
#![expect(unreachable_pub, reason = "a test has no outside; `pub` says what a module offers the others")]
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests stand outside: they have files, threads and a clock")]

use std::process::ExitCode;

#[path = "real/bridge.rs"]
mod bridge;
#[path = "real/broker.rs"]
mod broker;
#[path = "support/cases.rs"]
mod cases;
#[path = "real/client.rs"]
mod client;
#[path = "real/house.rs"]
mod house;
#[path = "real/journal.rs"]
mod journal;
#[path = "support/page.rs"]
mod page;
#[path = "support/prompt.rs"]
mod prompt;

#[path = "real/ask.rs"]
mod ask;
#[path = "real/canary.rs"]
mod canary;
#[path = "real/commands.rs"]
mod commands;
#[path = "real/confirming.rs"]
mod confirming;
#[path = "real/control.rs"]
mod control;
#[path = "real/crash.rs"]
mod crash;
#[path = "real/disk.rs"]
mod disk;
#[path = "real/gate.rs"]
mod gate;
#[path = "real/grants.rs"]
mod grants;
#[path = "real/integrations.rs"]
mod integrations;
#[path = "real/kills.rs"]
mod kills;
#[path = "real/life.rs"]
mod life;
#[path = "real/logged.rs"]
mod logged;
#[path = "real/login.rs"]
mod login;
#[path = "real/mirror.rs"]
mod mirror;
#[path = "real/store.rs"]
mod store;
#[path = "real/visit.rs"]
mod visit;

use broker::Kind;
use cases::Planned;

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
    ("integrations", integrations::CASES),
    ("crash", crash::CASES),
    ("store", store::CASES),
    ("logged", logged::CASES),
    ("mirror", mirror::CASES),
    ("commands", commands::CASES),
    ("grants", grants::CASES),
    ("confirming", confirming::CASES),
    ("kills", kills::CASES),
    ("disk", disk::CASES),
];
/// Cases that need Mosquitto: passwords, certificates.
const MOSQUITTO_ONLY: &[Cases] =
    &[("login", login::CASES), ("canary", canary::CASES), ("visit", visit::CASES), ("confirming", confirming::RULED)];
/// Cases that bring their own broker.
const ALONE: &[Cases] = &[("life", life::ALONE), ("canary", canary::ALONE)];

fn main() -> ExitCode {
    cases::wanted(plan()).map_or(ExitCode::SUCCESS, |planned| cases::run(&planned, PARALLEL_MAX))
}

/// Every case on every broker that it can run on.
fn plan() -> Vec<Planned> {
    let on = |kind: Kind, sets: &[Cases]| -> Vec<Planned> {
        let all = sets.iter().flat_map(|(module, cases)| cases.iter().map(move |case| (*module, *case)));
        let (broker, left_out) = (kind.name(), kind.missing());
        all.map(|(module, (name, case))| Planned {
            name: format!("{broker}::{module}::{name}"),
            left_out: left_out.clone(),
            run: Box::new(move || case(kind)),
        })
        .collect()
    };
    let mut planned = on(Kind::Embedded, ALONE);
    let mut full = on(Kind::Embedded, &[("disk", disk::FULL)]);
    full.iter_mut().for_each(|planned| planned.left_out = disk::missing());
    planned.append(&mut full);
    planned.extend(on(Kind::Embedded, ANY_BROKER));
    planned.extend(on(Kind::Mosquitto, ANY_BROKER));
    planned.extend(on(Kind::Mosquitto, MOSQUITTO_ONLY));
    planned
}
