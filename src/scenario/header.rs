//! The head of a scenario: when it begins, in which house, under which policies and with which integrations.
//!
//! A file's first document may hold `defaults:` for all that follow.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_yaml::Value;

use super::house::House;
use super::layout::{self, Layout};
use super::steps::{StepText, date_time};
use super::{Library, Scenario, ScenarioError};
use crate::config::{self, Config, Secrets};
use crate::model::event::ScriptSource;
use crate::model::mode::Mode;

/// When a scenario begins that does not say: a Tuesday.
const AT_DEFAULT: &str = "2027-03-02 12:00";
/// Where the house stands whose configuration names no time zone.
const ZONE_DEFAULT: TimeZone = TimeZone::UTC;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Civil time in the house's zone.
    at: Option<String>,
    /// A configuration file. Without one, the configuration that is built in.
    config: Option<String>,
    /// Keys of the configuration that are written over.
    set: Option<BTreeMap<String, Value>>,
    /// `enforce` unless said otherwise.
    mode: Option<Mode>,
    policies: Option<Scripts>,
    /// Instead of the shipped ones of the same names.
    integrations: Option<Scripts>,
}

/// Policies or integrations, by file or by text.
#[derive(Debug, Clone)]
enum Scripts {
    Files(Vec<String>),
    Texts(BTreeMap<String, String>),
}

impl Scripts {
    fn files(&self) -> &[String] {
        match self {
            Scripts::Files(files) => files,
            Scripts::Texts(_) => &[],
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentText {
    defaults: Option<Header>,
    scenario: Option<String>,
    at: Option<String>,
    config: Option<String>,
    set: Option<BTreeMap<String, Value>>,
    mode: Option<Mode>,
    policies: Option<Scripts>,
    integrations: Option<Scripts>,
    steps: Option<Vec<StepText>>,
}

/// Reads all documents of a file.
pub(super) fn read(file: &str, text: &str, layout: &Layout) -> Result<Vec<Scenario>, ScenarioError> {
    let error =
        |line: usize, column: usize, message: String| ScenarioError { file: file.to_owned(), line, column, message };
    let (mut scenarios, mut defaults) = (Vec::new(), Header::default());
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let place = layout.documents.get(index).cloned().unwrap_or_default();
        let written = DocumentText::deserialize(document).map_err(|reason| {
            let (line, column) = reason.location().map_or((place.line, 1), |place| (place.line(), place.column()));
            // The place stands before the message already.
            let message = reason.to_string();
            error(line, column, message.split(" at line ").next().unwrap_or_default().to_owned())
        })?;
        if let Some(header) = written.defaults {
            defaults = header;
            continue;
        }
        let (Some(name), Some(steps)) = (written.scenario, written.steps) else {
            return Err(error(place.line, 1, "expected `scenario:` with a name and `steps:`".to_owned()));
        };
        let header = Header {
            at: written.at.or_else(|| defaults.at.clone()),
            config: written.config.or_else(|| defaults.config.clone()),
            set: merged(defaults.set.clone(), written.set),
            mode: written.mode.or(defaults.mode),
            policies: written.policies.or_else(|| defaults.policies.clone()),
            integrations: written.integrations.or_else(|| defaults.integrations.clone()),
        };
        if place.steps.len() != steps.len() {
            let message = "expected `steps:` at the margin, and each step as an item of its own below it".to_owned();
            return Err(error(place.line, 1, message));
        }
        let line_of = |place: &layout::StepPlace| place.line;
        let steps = steps
            .into_iter()
            .zip(&place.steps)
            .map(|(step, place)| step.read().map_err(|message| error(line_of(place), 1, message)))
            .collect::<Result<_, _>>()?;
        header.begins().map_err(|message| error(place.line, 1, message))?;
        scenarios.push(Scenario { name, header, steps, layout: place });
    }
    Ok(scenarios)
}

fn merged(
    defaults: Option<BTreeMap<String, Value>>,
    own: Option<BTreeMap<String, Value>>,
) -> Option<BTreeMap<String, Value>> {
    let mut merged = defaults.unwrap_or_default();
    merged.extend(own.unwrap_or_default());
    (!merged.is_empty()).then_some(merged)
}

impl Header {
    /// The files of policies and integrations, relative to the scenario file.
    pub(super) fn script_files(&self) -> impl Iterator<Item = &str> {
        let scripts = self.policies.iter().chain(&self.integrations);
        scripts.flat_map(Scripts::files).map(String::as_str)
    }

    fn begins(&self) -> Result<DateTime, String> {
        date_time(self.at.as_deref().unwrap_or(AT_DEFAULT))
    }

    /// The house in which the scenario plays, before its first step.
    pub(super) fn open(&self, file: &str, library: &dyn Library) -> Result<House, String> {
        let config = Rc::new(self.configuration(library)?);
        let zone = config.place.zone.clone().unwrap_or(ZONE_DEFAULT);
        let utc = zone.to_timestamp(self.begins()?).map_err(|error| error.to_string())?;
        let policies = read_scripts(self.policies.as_ref(), file, library)?;
        let integrations = read_scripts(self.integrations.as_ref(), file, library)?;
        House::open(config, policies, integrations, utc, zone)
    }

    fn configuration(&self, library: &dyn Library) -> Result<Config, String> {
        let (name, text) = match &self.config {
            Some(path) => (path.as_str(), library.text(path)?),
            None => ("the built-in configuration", config::BUILT_IN.to_owned()),
        };
        let mode = self.mode.unwrap_or(Mode::Enforce).name();
        let mut tree: serde_yaml::Mapping = serde_yaml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        tree.insert("mode".into(), mode.into());
        for (key, value) in self.set.iter().flatten() {
            tree.insert(key.as_str().into(), value.clone());
        }
        let text = serde_yaml::to_string(&tree).map_err(|error| error.to_string())?;
        config::parse(name, &text, &NoSecrets).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            errors.join("\n")
        })
    }
}

fn read_scripts(scripts: Option<&Scripts>, file: &str, library: &dyn Library) -> Result<Vec<ScriptSource>, String> {
    match scripts {
        None => Ok(Vec::new()),
        Some(Scripts::Texts(texts)) => Ok(sources(texts)),
        Some(Scripts::Files(paths)) => paths
            .iter()
            .map(|path| {
                let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".rhai"));
                let name =
                    stem.ok_or_else(|| format!("{file}: expected a path such as `quiet-nights.rhai`, found `{path}`"))?;
                Ok(ScriptSource { name: name.to_owned(), file: path.clone(), text: library.text(path)? })
            })
            .collect(),
    }
}

/// Policies or integrations whose texts stand in the scenario.
pub(super) fn sources(texts: &BTreeMap<String, String>) -> Vec<ScriptSource> {
    texts
        .iter()
        .map(|(name, text)| ScriptSource { name: name.clone(), file: format!("{name}.rhai"), text: text.clone() })
        .collect()
}

/// A scenario plays everywhere alike: it has no environment and no secrets.
struct NoSecrets;

impl Secrets for NoSecrets {
    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, _path: &str) -> Result<String, String> {
        Err("scenarios read no secrets".to_owned())
    }
}

impl<'de> Deserialize<'de> for Scripts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scripts, D::Error> {
        deserializer.deserialize_any(ScriptsVisitor)
    }
}

struct ScriptsVisitor;

impl<'de> Visitor<'de> for ScriptsVisitor {
    type Value = Scripts;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of files, or a mapping of names to texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scripts, A::Error> {
        let mut files = Vec::new();
        while let Some(file) = items.next_element()? {
            files.push(file);
        }
        Ok(Scripts::Files(files))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scripts, A::Error> {
        let mut texts = BTreeMap::new();
        while let Some((name, text)) = entries.next_entry()? {
            texts.insert(name, text);
        }
        Ok(Scripts::Texts(texts))
    }
}
