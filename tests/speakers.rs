//! The built program beside the speakers of a house: each family's own messages, through a real broker.
//!
//! Each case has a broker, a bridge and speakers of its own. Speakers are MQTT clients that speak the formats of the real
//! programs, where there is one with the program's own code; cases wait for messages and events, never for time to pass.
//! Those with a program's own code run where `HUSHGATE_SPEAKERS` is set; what is left out is said by name.
//!
//! `tests/speakers/setup` installs that code; `HUSHGATE_SPEAKERS=1 cargo test --test speakers [PART OF A NAME]` runs all.
#![expect(unreachable_pub, reason = "a test has no outside; `pub` says what a module offers the others")]
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests stand outside: they have files, threads and a clock")]

use std::process::ExitCode;

#[expect(dead_code, reason = "`tests/real.rs` uses the rest")]
#[path = "real/bridge.rs"]
mod bridge;
#[expect(dead_code, reason = "`tests/real.rs` uses the rest")]
#[path = "real/broker.rs"]
mod broker;
#[path = "support/cases.rs"]
mod cases;
#[expect(dead_code, reason = "`tests/real.rs` uses the rest")]
#[path = "real/client.rs"]
mod client;
#[expect(dead_code, reason = "`tests/real.rs` uses the rest")]
#[path = "real/house.rs"]
mod house;
#[path = "speakers/household.rs"]
mod household;
#[path = "speakers/installed.rs"]
mod installed;
#[path = "support/prompt.rs"]
mod prompt;
#[path = "speakers/site.rs"]
mod site;

#[path = "speakers/alarmo.rs"]
mod alarmo;
#[path = "speakers/frigate.rs"]
mod frigate;
#[path = "speakers/hass_agent.rs"]
mod hass_agent;
#[path = "speakers/hermes.rs"]
mod hermes;
#[path = "speakers/messengers.rs"]
mod messengers;
#[path = "speakers/portland.rs"]
mod portland;
#[path = "speakers/snapcast.rs"]
mod snapcast;
#[path = "speakers/sonos.rs"]
mod sonos;

use cases::Planned;

/// Cases that run at one time. They wait far more than they compute.
const PARALLEL_MAX: usize = 3;

/// One case: its name, and what it does.
type Case = (&'static str, fn());

/// The cases of one module: its name, and why they cannot run here, if they cannot.
type Cases = (&'static str, fn() -> Option<String>, &'static [Case]);

const CASES: &[Cases] = &[
    ("hermes", installed::missing, hermes::CASES),
    ("portland", installed::missing, portland::CASES),
    ("sonos", no_broker, sonos::CASES),
    ("snapcast", no_broker, snapcast::CASES),
    ("hass_agent", no_broker, hass_agent::CASES),
    ("frigate", no_broker, frigate::CASES),
    ("alarmo", no_broker, alarmo::CASES),
    ("messengers", no_broker, messengers::CASES),
];

/// Why what needs nothing but Mosquitto cannot run here.
fn no_broker() -> Option<String> {
    broker::Kind::Mosquitto.missing()
}

fn main() -> ExitCode {
    let planned = CASES.iter().flat_map(|(module, missing, cases)| {
        let left_out = missing();
        cases.iter().map(move |(name, case)| Planned {
            name: format!("{module}::{name}"),
            left_out: left_out.clone(),
            run: Box::new(case),
        })
    });
    cases::wanted(planned.collect()).map_or(ExitCode::SUCCESS, |planned| cases::run(&planned, PARALLEL_MAX))
}
