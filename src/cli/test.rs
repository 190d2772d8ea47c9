//! `hushgate test`: plays the scenarios beside policies and integrations, and says which of these have none.
//!
//! A policy `quiet-nights.rhai` has its scenarios in `quiet-nights.scenarios.yaml`, in the same folder. How a scenario is
//! played is `scenario`'s affair; here are files and words.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args};
use serde_json::{Value, json};

use super::{Exit, Format, terminal};
use crate::scenario::{self, FILE_BYTES_MAX, Library, Report, Suite};
use crate::shell::files;

/// How the name of a scenario file ends.
pub const SCENARIOS_ENDING: &str = ".scenarios.yaml";

/// What is played where nothing is named.
const FOLDERS: [&str; 2] = ["policies", "integrations"];

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const EXPECTED: Style = AnsiColor::Red.on_default();
const SEEN: Style = AnsiColor::Green.on_default();

#[derive(Debug, Args)]
pub struct TestArguments {
    /// Scenario files, policies, integrations, or folders of them. Without any: the folders `policies` and `integrations`.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Rewrite what the scenarios expect to what is seen. Read the difference before you keep it.
    #[arg(long, env = "BLESS", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    bless: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What came of all scenario files.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Each file with the reports of its scenarios, in its order.
    pub played: Vec<(String, Vec<Report>)>,
    /// Files that could not be read, for the owner.
    pub errors: Vec<String>,
    /// Policies and integrations that no scenario plays.
    pub untested: Vec<String>,
    /// Files that were rewritten.
    pub blessed: Vec<String>,
}

impl Outcome {
    pub fn passed(&self) -> usize {
        self.reports().filter(|(_, report)| report.is_passed()).count()
    }

    /// Scenarios that failed; a file that could not be read counts as one.
    pub fn failed(&self) -> usize {
        self.reports().filter(|(_, report)| !report.is_passed()).count() + self.errors.len()
    }

    /// Nothing was played, and nothing was wrong with it.
    fn is_empty(&self) -> bool {
        self.played.is_empty() && self.errors.is_empty() && self.blessed.is_empty()
    }

    fn reports(&self) -> impl Iterator<Item = (&str, &Report)> {
        self.played.iter().flat_map(|(file, reports)| reports.iter().map(move |report| (file.as_str(), report)))
    }
}

/// Plays what the arguments name, and writes the result to standard output.
pub fn execute(arguments: &TestArguments) -> Exit {
    let outcome = match run(&chosen(&arguments.paths), arguments.bless) {
        Ok(outcome) => outcome,
        Err(error) => {
            terminal::error(&error);
            return Exit::Failure;
        }
    };
    match arguments.format {
        Format::Human => tell(&outcome),
        Format::Json => terminal::print_line(&format!("{:#}", as_json(&outcome))),
    }
    if outcome.failed() == 0 { Exit::Done } else { Exit::Failure }
}

/// What the owner has named, or else the folders that are there.
fn chosen(paths: &[PathBuf]) -> Vec<PathBuf> {
    if !paths.is_empty() {
        return paths.to_vec();
    }
    let here: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).filter(|folder| folder.is_dir()).collect();
    if here.is_empty() { FOLDERS.iter().take(1).map(PathBuf::from).collect() } else { here }
}

/// Plays the scenarios of files and folders. With `bless`, files whose scenarios fail are rewritten.
///
/// # Errors
/// A path is neither a folder, a script nor a scenario file.
pub fn run(paths: &[PathBuf], bless: bool) -> Result<Outcome, String> {
    let (mut scenario_files, mut scripts) = (BTreeSet::new(), BTreeSet::new());
    for path in paths {
        find(path, &mut scenario_files, &mut scripts)?;
    }
    let mut outcome = Outcome::default();
    for file in &scenario_files {
        match play(file, bless, &mut scripts) {
            Ok((reports, is_blessed)) => {
                let file = file.display().to_string();
                outcome.blessed.extend(is_blessed.then(|| file.clone()));
                outcome.played.push((file, reports));
            }
            Err(error) => outcome.errors.push(error),
        }
    }
    outcome.untested = scripts.iter().map(|path| path.display().to_string()).collect();
    Ok(outcome)
}

/// Plays one file, and takes the scripts that it plays off the list.
fn play(file: &Path, bless: bool, untested: &mut BTreeSet<PathBuf>) -> Result<(Vec<Report>, bool), String> {
    let text = files::read_text(file, FILE_BYTES_MAX as u64)?;
    let folder = Folder(file.parent().map_or_else(PathBuf::new, Path::to_path_buf));
    let suite = scenario::parse(&file.display().to_string(), &text).map_err(|error| error.to_string())?;
    for script in suite.script_files() {
        untested.remove(&folder.0.join(script));
    }
    let reports = suite.run(&folder);
    if !bless || reports.iter().all(Report::is_passed) {
        return Ok((reports, false));
    }
    rewrite(file, &suite, &reports)?;
    Ok((Vec::new(), true))
}

#[expect(clippy::disallowed_methods, reason = "the owner asks for the file to be rewritten")]
fn rewrite(file: &Path, suite: &Suite, reports: &[Report]) -> Result<(), String> {
    let text = suite.blessed(reports).map_err(|error| error.to_string())?;
    fs::write(file, text).map_err(|error| format!("`{}` cannot be written: {error}", file.display()))
}

/// Scenario files and scripts that a path names.
fn find(path: &Path, scenarios: &mut BTreeSet<PathBuf>, scripts: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    if path.is_dir() {
        for path in entries(path)? {
            if is_scenarios(&path) {
                scenarios.insert(path);
            } else if files::is_script(&path) {
                scripts.insert(path);
            }
        }
    } else if is_scenarios(path) {
        scenarios.insert(path.to_owned());
    } else if files::is_script(path) {
        scripts.insert(path.to_owned());
        let beside = path.with_extension(SCENARIOS_ENDING.trim_start_matches('.'));
        if beside.is_file() {
            scenarios.insert(beside);
        }
    } else if !path.exists() {
        let help = "name a folder, a policy, an integration or a scenario file";
        return Err(format!("there is no file or folder `{}`\nhelp: {help}", path.display()));
    } else {
        let expected = format!("expected a folder, a script (`*.rhai`) or scenarios (`*{SCENARIOS_ENDING}`)");
        return Err(format!("{expected}, found `{}`", path.display()));
    }
    Ok(())
}

fn is_scenarios(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SCENARIOS_ENDING))
}

#[expect(clippy::disallowed_methods, reason = "the owner names the folder")]
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("the folder `{}` cannot be read: {error}", folder.display());
    fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

/// Texts beside a scenario file.
struct Folder(PathBuf);

impl Library for Folder {
    fn text(&self, path: &str) -> Result<String, String> {
        files::read_text(&self.0.join(path), files::CONFIG_BYTES_MAX)
    }
}

fn tell(outcome: &Outcome) {
    let mut last_file = "";
    for (file, report) in outcome.reports() {
        if file != last_file {
            terminal::print_line(file);
            last_file = file;
        }
        if report.is_passed() {
            terminal::print_line(&format!("  {GOOD}ok{GOOD:#}      {}", report.name));
        } else {
            terminal::print_line(&format!("  {BAD}FAILED{BAD:#}  {}", report.name));
        }
    }
    for (file, report) in outcome.reports() {
        for failure in &report.failures {
            terminal::print_line(&format!("\n{file}:{}: {}", failure.line, report.name));
            failure.text.lines().for_each(tell_difference);
        }
    }
    for error in &outcome.errors {
        terminal::print_line(&format!("\n{BAD}FAILED{BAD:#}  {error}"));
    }
    for file in &outcome.blessed {
        terminal::print_line(&format!("rewritten: {file}"));
    }
    for script in &outcome.untested {
        terminal::print_line(&format!("no scenario: {script}"));
    }
    if outcome.reports().any(|(_, report)| !report.is_passed()) {
        terminal::print_line("\n`-` is expected, `+` was seen; `--bless` rewrites what is expected");
    }
    if outcome.is_empty() {
        terminal::print_line(&format!("there is no scenario here: no file that ends in `{SCENARIOS_ENDING}`"));
    }
    terminal::print_line(&format!("\n{} passed, {} failed", outcome.passed(), outcome.failed()));
}

fn tell_difference(line: &str) {
    let style = match line.as_bytes().first() {
        Some(b'-') => EXPECTED,
        Some(b'+') => SEEN,
        _ => Style::new(),
    };
    terminal::print_line(&format!("  {style}{line}{style:#}"));
}

fn as_json(outcome: &Outcome) -> Value {
    let scenario = |(file, report): (&str, &Report)| {
        let failure = |failure: &scenario::Failure| json!({"line": failure.line, "text": failure.text});
        let failures: Vec<Value> = report.failures.iter().map(failure).collect();
        let result = if report.is_passed() { "ok" } else { "failed" };
        json!({"file": file, "line": report.line, "name": report.name, "result": result, "failures": failures})
    };
    json!({
        "scenarios": outcome.reports().map(scenario).collect::<Vec<_>>(),
        "errors": outcome.errors,
        "untested": outcome.untested,
        "blessed": outcome.blessed,
        "passed": outcome.passed(),
        "failed": outcome.failed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_scenarios_is_told_from_one_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(run(&[folder.path().to_owned()], false).unwrap().is_empty());
        let error = run(&[folder.path().join("none")], false).unwrap_err();
        assert!(error.starts_with("there is no file or folder `") && error.contains("\nhelp: "), "{error}");
        let broken = Outcome { errors: vec!["it cannot be read".to_owned()], ..Outcome::default() };
        assert!(!broken.is_empty(), "a file that cannot be read was there");
    }
}
