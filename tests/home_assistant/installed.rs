//! The Home Assistant that `tests/home_assistant/setup` has made, or why there is none.

use std::path::{Path, PathBuf};

/// Says that the cases with Home Assistant shall run, `1` with the newest that is installed, or which version of it.
const WANTED: &str = "HUSHGATE_HOME_ASSISTANT";
/// How to run them.
const HOW: &str = "tests/home_assistant/setup && HUSHGATE_HOME_ASSISTANT=1 cargo test --test home_assistant";

/// A virtual environment with Home Assistant.
#[derive(Clone)]
pub struct Installed {
    pub folder: PathBuf,
}

impl Installed {
    /// Finds the newest one. The error says why the cases are left out, and what to do.
    pub fn find() -> Result<Installed, String> {
        let wanted = std::env::var(WANTED).unwrap_or_default();
        if wanted.is_empty() || wanted == "0" {
            return Err(format!("these take minutes; run: {HOW}"));
        }
        if crate::broker::program().is_none() {
            return Err("`mosquitto` is not installed; `tests/run` installs it, or says how to".to_owned());
        }
        let mut ready: Vec<PathBuf> = std::fs::read_dir(target().join("home-assistant"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|folder| folder.join("ready").is_file())
            .filter(|folder| wanted == "1" || shown(&version(folder)) == wanted)
            .collect();
        ready.sort_by_key(|folder| version(folder));
        let folder = ready.pop().ok_or("Home Assistant is not installed; `tests/home_assistant/setup` says why")?;
        Ok(Installed { folder })
    }

    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    pub fn version(&self) -> String {
        shown(&version(&self.folder))
    }
}

fn shown(version: &[u32]) -> String {
    version.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// Home Assistant's version in that folder, as numbers that can be compared.
fn version(folder: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(folder.join("version")).unwrap_or_default();
    text.trim().split('.').map_while(|number| number.parse().ok()).collect()
}

/// Cargo's folder for what is built.
fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
