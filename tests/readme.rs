//! The README's table of integrations, held against the scripts and against what their scenarios show.
//!
//! Each `yes` must be declared by the script and be seen in a scenario of it; each `no` must be declared by none.

#![expect(clippy::disallowed_methods, reason = "it reads the project's own files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One column: how a script declares it, and what a scenario shows where it works.
struct Column {
    name: &'static str,
    declares: fn(&str) -> bool,
    shows: &'static [&'static str],
}

fn mutes(script: &str, what: &str) -> bool {
    let list = script.lines().find(|line| line.starts_with("const MUTES"));
    list.is_some_and(|list| list.contains(&format!("\"{what}\"")))
}

const COLUMNS: &[Column] = &[
    Column { name: "hears", declares: |script| script.contains("event("), shows: &["record: event"] },
    Column {
        name: "prevents",
        declares: |script| script.contains("fn on_command(") || script.contains("hold"),
        shows: &["decision: confirm", "forward: "],
    },
    Column { name: "mutes mic", declares: |script| mutes(script, "mic"), shows: &["record: muted", "what: mic"] },
    Column { name: "mutes sound", declares: |script| mutes(script, "sound"), shows: &["record: muted", "what: sound"] },
    Column {
        name: "announces",
        declares: |script| script.contains("fn announce("),
        shows: &["record: announced", "Dinner is ready."],
    },
    Column { name: "confirms", declares: |script| script.contains("fn ask("), shows: &["outcome: approved"] },
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations")
}

#[test]
fn each_yes_of_the_table_is_declared_and_shown_and_each_no_is_neither() {
    let page = include_str!("../README.md");
    let mut lines = page.lines().skip_while(|line| !line.starts_with("| integration |"));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let head = cells(lines.next().expect("the table of integrations"));
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(head.get(1..=COLUMNS.len()).expect("columns"), names);
    let mut listed = BTreeSet::new();
    for line in lines.skip(1).take_while(|line| line.starts_with('|')) {
        let cells = cells(line);
        let name = cells[0].split('`').nth(1).expect("a name in backticks").to_owned();
        let read = |ending: &str| fs::read_to_string(folder().join(format!("{name}{ending}"))).expect("a file");
        let (script, scenarios) = (read(".rhai"), read(".scenarios.yaml"));
        for (column, cell) in COLUMNS.iter().zip(&cells[1..]) {
            assert!(cell == "yes" || cell == "no", "{name}: {}: found `{cell}`", column.name);
            assert_eq!((column.declares)(&script), cell == "yes", "{name}: {}: the script says otherwise", column.name);
            let missing: Vec<&&str> = column.shows.iter().filter(|shown| !scenarios.contains(**shown)).collect();
            assert!(cell == "no" || missing.is_empty(), "{name}: {}: no scenario shows {missing:?}", column.name);
        }
        listed.insert(name);
    }
    let files = fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("an entry").path());
    let scripts = files.filter(|path| path.extension().is_some_and(|ending| ending == "rhai"));
    let shipped: BTreeSet<String> =
        scripts.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(listed, shipped);
}
