//! The integrations that are shipped, as they were compiled in.

/// Names and texts of files in `integrations/`.
macro_rules! shipped {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../integrations/", $name, ".rhai"))),)*]
    };
}

/// Name and text of each.
pub const SHIPPED: &[(&str, &str)] =
    shipped!["alexa_devices", "alexa_media", "assist_satellite", "hermes", "media_player",];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks into the project's own folder")]
    fn every_integration_that_is_shipped_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations");
        let names: BTreeSet<String> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".rhai").map(str::to_owned))
            .collect();
        assert_eq!(names, SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
}
