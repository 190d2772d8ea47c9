//! Plays every scenario of the project: those of the core, in `tests/scenarios`, and those beside the policies.
//!
//! `BLESS=1 cargo test --test scenarios` rewrites what they expect to what was seen. Read the difference before you keep it.
#![expect(clippy::disallowed_methods, reason = "its switch comes from the environment")]
#![expect(clippy::panic, reason = "a test fails by a panic, also in the functions that help it")]

use std::path::Path;

use hushgate::cli::test;

/// Plays all scenario files of a folder. Gives what came of it; fails where a scenario does.
fn play(folder: &str) -> test::Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let bless = std::env::var("BLESS").is_ok_and(|value| value == "1");
    let Ok(outcome) = test::run(&[folder], bless) else { panic!("the folder cannot be read") };
    let mut failed = outcome.errors.clone();
    for (file, reports) in &outcome.played {
        for report in reports {
            let told = |failure: &hushgate::scenario::Failure| {
                format!("{file}:{}: {}\n{}", failure.line, report.name, failure.text)
            };
            failed.extend(report.failures.iter().map(told));
        }
    }
    assert!(failed.is_empty(), "{}\n`-` is expected, `+` was seen; BLESS=1 rewrites", failed.join("\n"));
    assert!(outcome.blessed.is_empty(), "rewritten: {:?}; read what has changed", outcome.blessed);
    outcome
}

#[test]
fn the_core_does_what_its_scenarios_say() {
    let outcome = play("tests/scenarios");
    assert!(outcome.passed() >= 100, "only {} scenarios were found", outcome.passed());
}

#[test]
fn the_policies_do_what_their_scenarios_say() {
    let outcome = play("policies");
    assert!(outcome.untested.is_empty(), "without a scenario: {:?}", outcome.untested);
    assert!(outcome.passed() >= 20, "only {} scenarios were found", outcome.passed());
}
