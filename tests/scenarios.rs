//! Plays every scenario of the project: those of the core, in `tests/scenarios`, and those beside policies and integrations.
//!
//! `BLESS=1 cargo test --test scenarios` rewrites what they expect to what was seen. Read the difference before you keep it.
#![expect(clippy::disallowed_methods, reason = "its switch comes from the environment")]
#![expect(clippy::panic, reason = "a test fails by a panic, also in the functions that help it")]

use std::path::Path;

use hushgate::cli::test;
use hushgate::scenario::{self, Library};

/// Plays all scenario files of a folder. Gives what came of it; fails where a scenario does.
fn play(folder: &str) -> test::Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let bless = std::env::var("BLESS").is_ok_and(|value| value == "1");
    let Ok(outcome) = test::run(&[folder], bless) else { panic!("the folder cannot be read") };
    let mut failed = outcome.errors.clone();
    for (file, reports) in &outcome.played {
        for report in reports {
            let told =
                |failure: &scenario::Failure| format!("{file}:{}: {}\n{}", failure.line, report.name, failure.text);
            failed.extend(report.failures.iter().map(told));
        }
    }
    assert!(failed.is_empty(), "{}\n`-` is expected, `+` was seen; BLESS=1 rewrites", failed.join("\n"));
    assert!(outcome.blessed.is_empty(), "rewritten: {:?}; read what has changed", outcome.blessed);
    outcome
}

/// What a reader has who writes down the first policy of the README.
struct Reader;

impl Library for Reader {
    fn text(&self, path: &str) -> Result<String, String> {
        assert_eq!(path, "no-night-messages.rhai");
        Ok(block(include_str!("../README.md"), "rhai").to_owned())
    }
}

/// The first block of code of a page, in a language.
fn block<'page>(page: &'page str, language: &str) -> &'page str {
    let opening = format!("```{language}\n");
    let code = page.split(&opening).nth(1).and_then(|rest| rest.split("```").next());
    code.unwrap_or_else(|| panic!("a page without a block of {language}"))
}

#[test]
fn the_first_policy_and_the_first_scenario_of_the_documents_fit() {
    let text = block(include_str!("../docs/scenarios.md"), "yaml");
    assert!(text.lines().count() <= 12, "it is no example any more but a chapter");
    let suite = scenario::parse("docs/scenarios.md", text).unwrap_or_else(|error| panic!("{error}"));
    let reports = suite.run(&Reader);
    assert_eq!(reports.len(), 1);
    assert!(reports.iter().all(scenario::Report::is_passed), "{reports:#?}");
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

#[test]
fn the_integrations_do_what_their_scenarios_say() {
    let outcome = play("integrations");
    assert!(outcome.untested.is_empty(), "no scenario names them: {:?}", outcome.untested);
    assert!(outcome.passed() >= 50, "only {} scenarios were found", outcome.passed());
}
