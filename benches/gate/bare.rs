//! The bridge's loop without the program around it: with a journal, or without one.
//!
//! The program has no switch that turns the journal off, so what it costs can be seen only here.

use std::rc::Rc;

use hushgate::config;
use hushgate::shell::clock::Clock;
use hushgate::shell::files::SystemSecrets;
use hushgate::shell::journal::Journal;
use hushgate::shell::run::Run;
use hushgate::shell::seed;

/// Says that this program is to be the bridge.
pub const WITH_JOURNAL: &str = "--bare-bridge";
/// The same, and nothing is written down.
pub const WITHOUT_JOURNAL: &str = "--bare-bridge-without-journal";

/// Runs until it is killed.
pub fn run(file: &str, is_kept: bool) {
    let text = std::fs::read_to_string(file).expect("a configuration");
    let config = Rc::new(config::parse(file, &text, &SystemSecrets).expect("a right configuration"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let seeds = seed::draw().expect("entropy");
        let run = Run::new(config, Clock::new(), &seeds, Journal::Human).expect("a bridge that can run");
        let run = if is_kept { run } else { run.without_journal() };
        run.until(std::future::pending()).await;
    });
}
