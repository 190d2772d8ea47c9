//! The shipped policies in a folder of their own: for the demo, which runs from anywhere, and for a first `run` without any.

use std::path::{Path, PathBuf};

use crate::shell::seed;

/// The policies that the program ships, as they were compiled in.
const SHIPPED: [(&str, &str); 12] = [
    ("agent-burst", include_str!("../../policies/agent-burst.rhai")),
    ("communications-off", include_str!("../../policies/communications-off.rhai")),
    ("echo", include_str!("../../policies/echo.rhai")),
    ("heating-bounds", include_str!("../../policies/heating-bounds.rhai")),
    ("lights-flapping", include_str!("../../policies/lights-flapping.rhai")),
    ("misfire", include_str!("../../policies/misfire.rhai")),
    ("no-silent-sends", include_str!("../../policies/no-silent-sends.rhai")),
    ("nobody-home", include_str!("../../policies/nobody-home.rhai")),
    ("quiet-nights", include_str!("../../policies/quiet-nights.rhai")),
    ("second-channel", include_str!("../../policies/second-channel.rhai")),
    ("two-ears", include_str!("../../policies/two-ears.rhai")),
    ("unsure", include_str!("../../policies/unsure.rhai")),
];

/// A temporary folder, removed with the value.
#[derive(Debug)]
pub(super) struct PolicyFolder(PathBuf);

impl PolicyFolder {
    /// Writes the policies.
    ///
    /// # Errors
    /// The system's folder for temporary files cannot be written to, or somebody has taken the name.
    #[expect(clippy::disallowed_methods, reason = "the program brings its own files")]
    pub(super) fn write() -> Result<PolicyFolder, String> {
        let path = std::env::temp_dir().join(format!("hushgate-policies-{:016x}", seed::draw()?.jitter));
        let failed = |error: std::io::Error| format!("the folder `{}` cannot be written: {error}", path.display());
        std::fs::create_dir(&path).map_err(failed)?;
        let folder = PolicyFolder(path.clone());
        for (name, text) in SHIPPED {
            std::fs::write(path.join(format!("{name}.rhai")), text).map_err(failed)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    #[cfg(feature = "embedded-broker")]
    pub(super) fn count(&self) -> usize {
        SHIPPED.len()
    }
}

impl Drop for PolicyFolder {
    fn drop(&mut self) {
        // A folder that is left behind among temporary files does no harm.
        std::fs::remove_dir_all(&self.0).unwrap_or(());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks into the project's own folder")]
    fn every_policy_that_is_shipped_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let names: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".rhai").map(str::to_owned))
            .collect();
        assert_eq!(names, SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks into the project's own folder")]
    fn every_integration_that_is_shipped_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations");
        let names: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".rhai").map(str::to_owned))
            .collect();
        assert_eq!(names, crate::integration::SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
}
