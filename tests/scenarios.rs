//! Plays every scenario of the project: those of the core, in `tests/scenarios`, and those beside the policies.
//!
//! `BLESS=1 cargo test --test scenarios` rewrites what they expect to what was seen. Read the difference before you keep it.
#![expect(clippy::expect_used, reason = "a test fails by a panic, also in the functions that help it")]
#![expect(clippy::disallowed_methods, reason = "it reads the scenarios, and its switch from the environment")]

use std::fs;
use std::path::{Path, PathBuf};

use hushgate::scenario::{self, Library};

/// Texts beside a scenario file.
struct Folder(PathBuf);

impl Library for Folder {
    fn text(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|error| format!("cannot read `{path}`: {error}"))
    }
}

/// Plays all scenario files of a folder. Gives the number of scenarios.
fn play(folder: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).expect("the folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".scenarios.yaml"));
    files.sort();
    let bless = std::env::var("BLESS").is_ok_and(|value| value == "1");
    let (mut played, mut failed) = (0, Vec::new());
    for path in files {
        let text = fs::read_to_string(&path).expect("a scenario file");
        let suite = scenario::parse(&path.to_string_lossy(), &text).unwrap_or_else(|error| panic!("{error}"));
        let reports = suite.run(&Folder(folder.clone()));
        if bless {
            let blessed = suite.blessed(&reports).unwrap_or_else(|error| panic!("{error}"));
            fs::write(&path, blessed).expect("the scenario file is written");
            continue;
        }
        played += reports.len();
        for report in reports.iter().filter(|report| !report.is_passed()) {
            for failure in &report.failures {
                failed.push(format!("{}:{}: {}\n{}", suite.file(), failure.line, report.name, failure.text));
            }
        }
    }
    assert!(failed.is_empty(), "{}\n`-` is expected, `+` was seen; BLESS=1 rewrites", failed.join("\n"));
    assert!(!bless, "blessed {}: read what has changed, and run again without BLESS", folder.display());
    played
}

#[test]
fn the_core_does_what_its_scenarios_say() {
    let played = play("tests/scenarios");
    assert!(played >= 90, "only {played} scenarios were found");
}
