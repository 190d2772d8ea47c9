//! The scenario language: what happens to the bridge, and beside it what must follow, in virtual time.
//!
//! A file `<name>.scenarios.yaml` holds YAML documents, one scenario each. The smallest one:
//!
//! ```yaml
//! scenario: nobody unlocks the door by voice at night
//! at: 2026-11-22 23:14
//! policies: [second-channel.rhai]
//! steps:
//!   - gate: {topic: zigbee2mqtt/door/set, payload: {state: UNLOCK}}
//!     expect:
//!       - decision: deny
//!         reason: not at night
//!         deciding: [second-channel]
//! ```
//!
//! Every record, every command that leaves and every message on a topic that is not the bridge's own must be expected,
//! in order; the bridge's own topics are compared where `expect` or `silent` names them. Objects are compared by the keys
//! that are written; a command's payload is compared whole. `$1` stands for the id of the first decision of the scenario,
//! `$2` for the second.
//!
//! It drives `Bridge`, as the live shell does. It opens no file (texts come in through `Library`) and judges nothing.

use std::fmt;

use similar::TextDiff;

mod answers;
mod compare;
mod header;
mod house;
mod item;
mod layout;
mod steps;
#[cfg(test)]
mod tests;
mod yaml;

use header::Header;
use item::Item;
use layout::Layout;
use steps::Step;

/// Largest scenario file, in bytes.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Where the texts come from that a scenario names: configurations, policies, integrations. Paths are relative to its file.
pub trait Library {
    /// The text of a file. The error says why it could not be read.
    fn text(&self, path: &str) -> Result<String, String>;
}

/// What is wrong with a scenario file, or with what it names. Lines and columns count from 1; 0 where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}:{}", self.line, self.column)?;
        }
        write!(formatter, ": {}", self.message)
    }
}

impl std::error::Error for ScenarioError {}

/// One scenario file, read.
#[derive(Debug)]
pub struct Suite {
    file: String,
    text: String,
    scenarios: Vec<Scenario>,
}

#[derive(Debug)]
struct Scenario {
    name: String,
    header: Header,
    steps: Vec<Step>,
    layout: layout::Document,
}

/// How one scenario went.
#[derive(Debug)]
pub struct Report {
    pub name: String,
    /// Where the scenario begins, from 1.
    pub line: usize,
    /// Empty: it passed.
    pub failures: Vec<Failure>,
    /// What was seen after each step, in the form of `expect`. Shorter than the steps where the scenario could not go on.
    seen: Vec<Vec<Item>>,
}

impl Report {
    pub fn is_passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A step after which something else was seen than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where the step stands, from 1.
    pub line: usize,
    /// A diff in which `-` is expected and `+` is seen, or why the step could not be taken.
    pub text: String,
}

/// Reads a scenario file. `file` is its name, for messages.
///
/// # Errors
/// The first thing that is wrong in it, with line and column.
pub fn parse(file: &str, text: &str) -> Result<Suite, ScenarioError> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("expected at most {FILE_BYTES_MAX} bytes, found {}", text.len());
        return Err(ScenarioError { file: file.to_owned(), line: 0, column: 0, message });
    }
    let layout = Layout::of(text);
    let scenarios = header::read(file, text, &layout)?;
    Ok(Suite { file: file.to_owned(), text: text.to_owned(), scenarios })
}

impl Suite {
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The files of policies and integrations that the scenarios name, relative to the scenario file.
    pub fn script_files(&self) -> impl Iterator<Item = &str> {
        self.scenarios.iter().flat_map(|scenario| scenario.header.script_files())
    }

    /// Plays every scenario.
    pub fn run(&self, library: &dyn Library) -> Vec<Report> {
        self.scenarios.iter().map(|scenario| self.play(scenario, library)).collect()
    }

    fn play(&self, scenario: &Scenario, library: &dyn Library) -> Report {
        let mut report =
            Report { name: scenario.name.clone(), line: scenario.layout.line, failures: Vec::new(), seen: Vec::new() };
        let mut house = match scenario.header.open(&self.file, library) {
            Ok(house) => house,
            Err(text) => {
                report.failures.push(Failure { line: scenario.layout.line, text });
                return report;
            }
        };
        for (step, place) in scenario.steps.iter().zip(&scenario.layout.steps) {
            let seen = match house.take(step) {
                Ok(seen) => seen,
                Err(text) => {
                    report.failures.push(Failure { line: place.line, text });
                    return report;
                }
            };
            let comparison = compare::compare(step, &seen, &|topic| house.is_own_topic(topic));
            if comparison.expected != comparison.seen {
                report.failures.push(Failure { line: place.line, text: diff(&comparison) });
            }
            report.seen.push(comparison.items);
        }
        report
    }

    /// The file's text with each `expect` rewritten to what was seen. Comments inside a rewritten `expect` are lost; all
    /// others stay.
    ///
    /// # Errors
    /// A scenario could not be played to its end, or a step is not written as a block.
    pub fn blessed(&self, reports: &[Report]) -> Result<String, ScenarioError> {
        let mut lines: Vec<&str> = self.text.lines().collect();
        let mut blocks = Vec::new();
        for (scenario, report) in self.scenarios.iter().zip(reports) {
            if report.seen.len() < scenario.steps.len() {
                let text = report.failures.last().map_or("", |failure| &failure.text);
                return Err(self.error(report.line, format!("`{}` was not played to its end: {text}", report.name)));
            }
            let changed = |line: usize| report.failures.iter().any(|failure| failure.line == line);
            for (place, seen) in scenario.layout.steps.iter().zip(&report.seen) {
                if changed(place.line) {
                    let block = place
                        .block(seen)
                        .ok_or_else(|| self.error(place.line, "expected a step of the form `- key: …`".to_owned()))?;
                    blocks.push((place.expect_span(), block));
                }
            }
        }
        let mut text = String::with_capacity(self.text.len());
        blocks.sort_by_key(|(span, _)| span.start);
        let mut copied = 0;
        for (span, block) in &blocks {
            for line in lines.iter().take(span.start).skip(copied) {
                text.push_str(line);
                text.push('\n');
            }
            text.push_str(block);
            copied = span.end;
        }
        for line in lines.drain(copied.min(lines.len())..) {
            text.push_str(line);
            text.push('\n');
        }
        parse(&self.file, &text)?;
        Ok(text)
    }

    fn error(&self, line: usize, message: String) -> ScenarioError {
        ScenarioError { file: self.file.clone(), line, column: 1, message }
    }
}

fn diff(comparison: &compare::Comparison) -> String {
    let diff = TextDiff::from_lines(&comparison.expected, &comparison.seen);
    diff.iter_all_changes().map(|change| format!("{}{change}", change.tag())).collect()
}
