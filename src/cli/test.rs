//! `hushgate test`: whether policies do what their scenarios say.
//!
//! Playing a scenario is the affair of `scenario`; here files are found, read and, if asked for, written anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::{Exit, terminal};
use crate::config::Secrets;
use crate::scenario::{self, Library, Suite};
use crate::shell::files::{self, SystemSecrets};

/// With the value `1` in this environment variable, what is expected is rewritten to what was seen.
const BLESS_VARIABLE: &str = "BLESS";
/// Largest text that a scenario names: a configuration or a policy.
const TEXT_BYTES_MAX: u64 = files::CONFIG_BYTES_MAX;

const PASSED: Style = AnsiColor::Green.on_default();
const FAILED: Style = AnsiColor::Red.on_default().bold();

#[derive(Debug, Args)]
#[command(after_long_help = "With BLESS=1 in the environment, each file is rewritten to expect what was seen.")]
pub struct TestArguments {
    /// Scenario files (`*.scenarios.yaml`), or folders of them.
    #[arg(value_name = "PATH", default_value = "policies")]
    paths: Vec<PathBuf>,
}

/// Texts beside a scenario file.
struct Beside(PathBuf);

impl Library for Beside {
    fn text(&self, path: &str) -> Result<String, String> {
        files::read_text(&self.0.join(path), TEXT_BYTES_MAX)
    }
}

/// How many scenarios were played, and how they went.
#[derive(Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
}

/// Plays all scenarios and writes how they went to standard output.
pub fn execute(arguments: &TestArguments) -> Exit {
    let bless = SystemSecrets.environment(BLESS_VARIABLE).is_some_and(|value| value == "1");
    match run(&arguments.paths, bless) {
        Ok(count) if count.failed == 0 => Exit::Done,
        Ok(_) => Exit::Failure,
        Err(error) => {
            terminal::error(&error);
            Exit::Failure
        }
    }
}

fn run(paths: &[PathBuf], bless: bool) -> Result<Count, String> {
    let mut count = Count::default();
    for path in scenario_files(paths)? {
        let name = path.display().to_string();
        let text = files::read_text(&path, scenario::FILE_BYTES_MAX as u64)?;
        let suite = scenario::parse(&name, &text).map_err(|error| error.to_string())?;
        let beside = Beside(path.parent().map(Path::to_owned).unwrap_or_default());
        terminal::print(&play(&suite, &beside, &mut count, bless.then_some(&path))?);
    }
    let style = if count.failed == 0 { PASSED } else { FAILED };
    terminal::print(&format!("{style}{} passed, {} failed{style:#}\n", count.passed, count.failed));
    Ok(count)
}

fn scenario_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files::scenario_paths(path)?);
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        return Err("expected at least one `*.scenarios.yaml`, found none\n\
                    help: write one beside the policy that it is about"
            .to_owned());
    }
    Ok(found)
}

/// Plays one file. With `rewrite`, what it expects is rewritten there if it differs from what was seen.
fn play(suite: &Suite, beside: &Beside, count: &mut Count, rewrite: Option<&PathBuf>) -> Result<String, String> {
    let reports = suite.run(beside);
    let mut text = format!("{}\n", suite.file());
    for report in &reports {
        let (style, word) = if report.is_passed() { (PASSED, "ok") } else { (FAILED, "FAILED") };
        writeln!(text, "  {style}{word}{style:#} {}", report.name).unwrap_or(());
        for failure in &report.failures {
            writeln!(text, "    {}:{}", suite.file(), failure.line).unwrap_or(());
            failure.text.lines().for_each(|line| text.push_str(&difference(line)));
        }
        if report.is_passed() { count.passed += 1 } else { count.failed += 1 }
    }
    if let Some(path) = rewrite.filter(|_| reports.iter().any(|report| !report.is_passed())) {
        let blessed = suite.blessed(&reports).map_err(|error| error.to_string())?;
        files::write_text(path, &blessed)?;
        text.push_str("  rewritten: read what has changed\n");
    }
    Ok(text)
}

/// One line of a difference: `-` was expected, `+` was seen.
fn difference(line: &str) -> String {
    let style = match line.chars().next() {
        Some('-') => AnsiColor::Red.on_default(),
        Some('+') => AnsiColor::Green.on_default(),
        _ => Style::new(),
    };
    format!("    {style}{line}{style:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &str = "time_zone: UTC\ncommands:\n  - {topic: \"lamp/set\", action: light.turn_on, target: lamp}\n";
    const SCENARIO: &str = "scenario: the lamp goes on\nconfig: home.yaml\nsteps:\n  - gate: {topic: lamp/set, payload: ON}\n    expect: []\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files::write_text(&folder.path().join("home.yaml"), HOUSE).unwrap();
        files::write_text(&folder.path().join("lamp.scenarios.yaml"), SCENARIO).unwrap();
        folder
    }

    #[test]
    fn a_failing_scenario_is_a_failure_until_it_is_blessed() {
        let folder = folder();
        let paths = [folder.path().to_owned()];
        assert_eq!(run(&paths, false).unwrap().failed, 1);
        assert_eq!(run(&paths, true).unwrap().failed, 1, "rewriting is no success yet");
        let count = run(&paths, false).unwrap();
        assert_eq!((count.passed, count.failed), (1, 0));
        let blessed = files::read_text(&folder.path().join("lamp.scenarios.yaml"), 10_000).unwrap();
        assert!(blessed.contains("light.turn_on"), "{blessed}");
    }

    #[test]
    fn no_scenario_at_all_is_no_success() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(&[folder.path().to_owned()], false).unwrap_err();
        assert!(error.starts_with("expected at least one `*.scenarios.yaml`, found none"), "{error}");
    }
}
