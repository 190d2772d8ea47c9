//! The built program beside a real Home Assistant, on a real Mosquitto, in a house of simulated devices.
//!
//! Each case has a broker, a Home Assistant and devices of its own, on free loopback ports. It acts as people do, through
//! Home Assistant's REST interface, and waits for messages and states, never for time to pass. The cases take minutes, so
//! they run only where `HUSHGATE_HOME_ASSISTANT` is set; what is left out is said by name.
//!
//! `tests/home_assistant/setup` installs Home Assistant; `HUSHGATE_HOME_ASSISTANT=1 cargo test --test home_assistant [PART
//! OF A NAME]` runs the cases.
#![expect(unreachable_pub, reason = "a test has no outside; `pub` says what a module offers the others")]
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the tests stand outside: they have files, threads and a clock")]

use std::process::ExitCode;
use std::sync::OnceLock;

#[expect(dead_code, reason = "`tests/real.rs` uses the rest")]
#[path = "real/bridge.rs"]
mod bridge;
#[path = "home_assistant/broker.rs"]
mod broker;
#[path = "support/cases.rs"]
mod cases;
#[expect(dead_code, reason = "`tests/real.rs` uses the rest")]
#[path = "real/client.rs"]
mod client;
#[path = "home_assistant/devices.rs"]
mod devices;
#[path = "home_assistant/hass.rs"]
mod hass;
#[path = "home_assistant/house.rs"]
mod house;
#[path = "home_assistant/installed.rs"]
mod installed;
#[path = "home_assistant/phone.rs"]
mod phone;
#[path = "home_assistant/prepared.rs"]
mod prepared;
#[path = "support/prompt.rs"]
mod prompt;
#[path = "home_assistant/rest.rs"]
mod rest;
#[path = "home_assistant/settings.rs"]
mod settings;

#[path = "home_assistant/access.rs"]
mod access;
#[path = "home_assistant/bypass.rs"]
mod bypass;
#[path = "home_assistant/doctor.rs"]
mod doctor;
#[path = "home_assistant/entities.rs"]
mod entities;
#[path = "home_assistant/gate.rs"]
mod gate;
#[path = "home_assistant/observe.rs"]
mod observe;
#[path = "home_assistant/package.rs"]
mod package;
#[path = "home_assistant/release.rs"]
mod release;
#[path = "home_assistant/restart.rs"]
mod restart;
#[path = "home_assistant/rig.rs"]
mod rig;
#[path = "home_assistant/speakers.rs"]
mod speakers;
#[path = "home_assistant/twin.rs"]
mod twin;
#[path = "home_assistant/voice.rs"]
mod voice;
#[path = "home_assistant/zoo.rs"]
mod zoo;

use cases::Planned;
use installed::Installed;
use prepared::Prepared;

/// Cases that run at one time. Each has a Home Assistant of 240 MiB, which is busy while it starts.
const PARALLEL_MAX: usize = 2;

/// One case: its name, and what it does with a copy of the prepared Home Assistant.
type Case = (&'static str, fn(&Prepared));

/// All cases, by the name of their module.
const CASES: &[(&str, &[Case])] = &[
    ("rig", rig::CASES),
    ("observe", observe::CASES),
    ("gate", gate::CASES),
    ("zoo", zoo::CASES),
    ("voice", voice::CASES),
    ("twin", twin::CASES),
    ("speakers", speakers::CASES),
    ("bypass", bypass::CASES),
    ("access", access::CASES),
    ("entities", entities::CASES),
    ("package", package::CASES),
    ("release", release::CASES),
    ("doctor", doctor::CASES),
    ("restart", restart::CASES),
];

/// Made by the first case that needs it.
static PREPARED: OnceLock<Prepared> = OnceLock::new();

fn main() -> ExitCode {
    let installed = Installed::find();
    if let Ok(installed) = &installed {
        println!("Home Assistant {}", installed.version());
    }
    let planned = CASES.iter().flat_map(|(module, cases)| cases.iter().map(move |case| (*module, *case)));
    let planned = planned.map(|(module, (name, case))| {
        let installed = installed.clone();
        Planned {
            name: format!("{module}::{name}"),
            left_out: installed.as_ref().err().cloned(),
            run: Box::new(move || {
                let installed = installed.as_ref().expect("left out otherwise");
                case(PREPARED.get_or_init(|| Prepared::get(installed)));
            }),
        }
    });
    cases::wanted(planned.collect()).map_or(ExitCode::SUCCESS, |planned| cases::run(&planned, PARALLEL_MAX))
}
