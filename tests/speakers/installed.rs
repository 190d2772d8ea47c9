//! What `tests/speakers/setup` has made, or why the cases are left out.

use std::path::{Path, PathBuf};

use crate::broker::Kind;

/// Says that the cases with speakers shall run.
const WANTED: &str = "HUSHGATE_SPEAKERS";
/// How to run them.
const HOW: &str = "tests/speakers/setup && HUSHGATE_SPEAKERS=1 cargo test --test speakers";

/// Why the cases cannot run here. `None`: they can.
pub fn missing() -> Option<String> {
    let wanted = std::env::var(WANTED).unwrap_or_default();
    if wanted.is_empty() || wanted == "0" {
        return Some(format!("these need programs of others; run: {HOW}"));
    }
    let no_python =
        || python().is_none().then(|| "`tests/speakers/setup` has made nothing yet, and says why".to_owned());
    Kind::Mosquitto.missing().or_else(no_python)
}

/// The Python in which the speakers' own packages are. `None`: nothing is installed.
pub fn python() -> Option<PathBuf> {
    let folders = std::fs::read_dir(target().join("speakers")).into_iter().flatten();
    let ready = folders.filter_map(|entry| Some(entry.ok()?.path())).filter(|folder| folder.join("ready").is_file());
    ready.max().map(|folder| folder.join("bin/python"))
}

/// A program of these tests.
pub fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/speakers").join(name)
}

/// Cargo's folder for what is built.
fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
