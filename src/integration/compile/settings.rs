//! Settings that nobody asks for: most often one that is misspelt, so that the integration goes on with its default.

use std::collections::{BTreeMap, BTreeSet};

use super::{CONFIGURATION, Integration};
use crate::config::Config;
use crate::integration::check::Asked;
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::nearest::did_you_mean;

pub(super) fn check(config: &Config, loaded: &BTreeMap<String, Integration>, findings: &mut Vec<Diagnostic>) {
    for (name, settings) in &config.integrations {
        let Some(Integration { asked, .. }) = loaded.get(name) else { continue };
        let place = format!("integrations.use.{name}");
        let elsewhere = (&asked.of_speakers, "speakers.<name>.settings");
        let keys = settings.keys().map(String::as_str);
        findings.extend(keys.filter_map(|key| unasked(name, key, &place, asked, &asked.of_itself, elsewhere)));
    }
    for (speaker, said) in &config.speakers {
        let Some(name) = &said.integration else { continue };
        let Some(Integration { asked, .. }) = loaded.get(name) else { continue };
        let place = format!("speakers.{speaker}.settings");
        let own = format!("integrations.use.{name}");
        let elsewhere = (&asked.of_itself, own.as_str());
        let keys = said.settings.keys().map(String::as_str);
        findings.extend(keys.filter_map(|key| unasked(name, key, &place, asked, &asked.of_speakers, elsewhere)));
    }
}

fn unasked(
    name: &str,
    key: &str,
    place: &str,
    asked: &Asked,
    names: &BTreeSet<String>,
    (others, elsewhere): (&BTreeSet<String>, &str),
) -> Option<Diagnostic> {
    if asked.may_be(names, key) {
        return None;
    }
    let script = Script { file: CONFIGURATION, text: "" };
    let message = format!("expected a setting that `{name}` asks for in `{place}`, found `{key}`");
    let help = if others.contains(key) {
        Some(format!("write it under `{elsewhere}`"))
    } else {
        did_you_mean(key, names.iter().map(String::as_str)).or_else(|| Some(all(names)))
    };
    Some(script.warning("unknown-setting", Place::default(), message).with_help(help))
}

fn all(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() { "it asks for none there".to_owned() } else { format!("it asks for `{}`", names.join("`, `")) }
}
