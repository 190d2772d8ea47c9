//! `hushgate check`: what is wrong with policies and integrations, before they are in force.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;

use super::{ConfigArguments, Exit, Format, settings, terminal};
use crate::config::Config;
use crate::integration;
use crate::model::event::ScriptSource;
use crate::policy::{self, Catalog};
use crate::script::diagnostics::{Diagnostic, Severity};
use crate::shell::files;

/// A folder of this name holds integrations, as does the one that the configuration names.
const INTEGRATIONS: &str = "integrations";

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Policies, integrations, or folders of them; what stands in a folder `integrations` is one. Without any: what the
    /// configuration names.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// The scripts to look at.
#[derive(Debug, Default)]
struct Scripts {
    policies: Vec<ScriptSource>,
    integrations: Vec<ScriptSource>,
}

/// What was found, and in how many scripts.
#[derive(Debug, Default)]
struct Found {
    findings: Vec<Diagnostic>,
    policies: usize,
    integrations: usize,
}

impl Found {
    fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }
}

/// Writes all findings to standard output. Warnings alone are no failure.
pub fn execute(arguments: &CheckArguments) -> Exit {
    let config = match settings::load(&arguments.config) {
        Ok(config) => Rc::new(config),
        Err(exit) => return exit,
    };
    if let Err(error) = settings::check_mode(&config) {
        terminal::error(&error);
        return Exit::Configuration;
    }
    let found = match find(&arguments.paths, &config) {
        Ok(found) => found,
        Err(error) => {
            terminal::error(&error);
            return Exit::Failure;
        }
    };
    let text = match arguments.format {
        Format::Human => {
            let notes = config.channel_remarks().into_iter().map(|remark| format!("note: {remark}\n"));
            notes.chain([to_people(&found)]).collect()
        }
        Format::Json => match serde_json::to_string_pretty(&found.findings) {
            Ok(json) => json + "\n",
            Err(error) => {
                terminal::error(&format!("the findings cannot be written: {error}"));
                return Exit::Failure;
            }
        },
    };
    terminal::print(&text);
    if found.errors() == 0 { Exit::Done } else { Exit::Failure }
}

/// Looks at what the paths name, or without any at everything. Rules are held against the integrations in either case:
/// these tell events that rules name.
fn find(paths: &[PathBuf], config: &Rc<Config>) -> Result<Found, String> {
    let own = files::read_integrations(&config.integrations_folder)?;
    let (scripts, checked) = if paths.is_empty() {
        let policies = files::read_scripts(&config.policies)?;
        (Scripts { policies, integrations: Vec::new() }, integration::check(config, &own))
    } else {
        let mut scripts = Scripts::default();
        for path in paths {
            read_path(path, config, &mut scripts)?;
        }
        let named = |source: &ScriptSource| scripts.integrations.iter().any(|named| named.name == source.name);
        let beside = own.iter().filter(|source| !named(source));
        let own: Vec<ScriptSource> = scripts.integrations.iter().chain(beside).cloned().collect();
        let mut checked = integration::check(config, &own);
        checked.count = scripts.integrations.len();
        let concerns = |finding: &Diagnostic| {
            let is_named = scripts.integrations.iter().any(|source| source.file == finding.file);
            is_named || checked.count > 0 && finding.file == integration::CONFIGURATION
        };
        checked.findings.retain(concerns);
        (scripts, checked)
    };
    let mut findings = checked.findings;
    findings.extend(policy::check(&scripts.policies, &Catalog::of(config, checked.told)));
    Ok(Found { findings, policies: scripts.policies.len(), integrations: checked.count })
}

fn to_people(found: &Found) -> String {
    let mut text: String = found.findings.iter().map(|finding| finding.render(true)).collect();
    let errors = found.errors();
    let mut counts = vec![counted(found.policies, "policy", "policies")];
    if found.integrations > 0 {
        counts.push(counted(found.integrations, "integration", "integrations"));
    } else if found.policies == 0 {
        text.push_str("there is no policy here: nothing that ends in `.rhai`\n");
    }
    counts.push(counted(errors, "error", "errors"));
    counts.push(counted(found.findings.len() - errors, "warning", "warnings"));
    text.push_str(&counts.join(", "));
    text.push('\n');
    text
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn read_path(path: &Path, config: &Config, scripts: &mut Scripts) -> Result<(), String> {
    let sources = if path.is_dir() {
        files::read_scripts(path)?
    } else if !path.exists() {
        let help = "name a policy, an integration, or a folder of them";
        return Err(format!("there is no file or folder `{}`\nhelp: {help}", path.display()));
    } else if files::is_script(path) {
        vec![files::read_script(path)?]
    } else {
        return Err(format!("expected a script (`*.rhai`) or a folder, found `{}`", path.display()));
    };
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let of = if folder.is_some_and(|folder| holds_integrations(folder, config)) {
        &mut scripts.integrations
    } else {
        &mut scripts.policies
    };
    of.extend(sources);
    Ok(())
}

fn holds_integrations(folder: &Path, config: &Config) -> bool {
    // The folder of a plain file name is here, whatever that is called.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (whole, configured) = (files::whole_path(folder), files::whole_path(&config.integrations_folder));
    whole == configured || whole.file_name().is_some_and(|name| name == INTEGRATIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, NoSecrets};

    #[test]
    fn a_place_without_policies_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let config = Rc::new(config::parse("test.yaml", "", &NoSecrets).unwrap());
        let paths = |path: &Path| [path.to_owned()];
        assert_eq!(find(&paths(folder.path()), &config).unwrap().policies, 0);
        let (empty, full) = (to_people(&Found::default()), to_people(&Found { policies: 1, ..Found::default() }));
        assert_eq!(empty, "there is no policy here: nothing that ends in `.rhai`\n0 policies, 0 errors, 0 warnings\n");
        assert_eq!(full, "1 policy, 0 errors, 0 warnings\n");
        let error = find(&paths(&folder.path().join("none")), &config).unwrap_err();
        assert!(error.starts_with("there is no file or folder `") && error.contains("\nhelp: "), "{error}");
    }

    /// A house in a folder: an integration that tells an event, a rule that names it.
    #[expect(clippy::disallowed_methods, reason = "the test writes the files that are read")]
    fn house(integration: &str) -> (tempfile::TempDir, Rc<Config>) {
        let folder = tempfile::tempdir().unwrap();
        let (policies, integrations) = (folder.path().join("policies"), folder.path().join("own"));
        for (path, name, text) in [
            (&policies, "rule.rhai", "const EVENTS = \"room.party\";\nfn on_event(event) { notify(\"a party\") }"),
            (&integrations, "room.rhai", integration),
            (&integrations, "spare.rhai", "fn enforce(speaker) { act(\"switch.turn_on\", \"switch.x\") }"),
        ] {
            std::fs::create_dir_all(path).unwrap();
            std::fs::write(path.join(name), text).unwrap();
        }
        let text = format!(
            "policies: \"{}\"\nintegrations: {{folder: \"{}\"}}\nspeakers: {{hall: {{integration: room, settings: {{romo: x}}}}}}\n",
            policies.display(),
            integrations.display(),
        );
        (folder, Rc::new(config::parse("test.yaml", &text, &NoSecrets).unwrap()))
    }

    fn codes(found: &Found) -> Vec<&'static str> {
        found.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn integrations_are_looked_at_and_rules_know_what_they_tell() {
        let room = "const TOPICS = \"room/+\";\nfn on_message(message) { event(\"room.party\", #{ speaker: speaker_by(\"room\", message.topic) }) }";
        let (folder, config) = house(room);
        let found = find(&[], &config).unwrap();
        assert_eq!((codes(&found), found.policies, found.integrations), (vec!["unused", "unknown-setting"], 1, 2));
        assert!(to_people(&found).ends_with("1 policy, 2 integrations, 0 errors, 2 warnings\n"));
        let (_folder, broken) = house(&room.replace("event(", "evnt("));
        let found = find(&[], &broken).unwrap();
        assert_eq!(codes(&found), ["unknown-word", "unused", "unknown-event"], "a rule cannot name what nobody tells");
        assert_eq!(found.errors(), 2);
        // What a path names is looked at as what stands in its folder.
        let own = folder.path().join("own");
        let policy = folder.path().join("policies/rule.rhai");
        for (paths, expected, counts) in [
            (vec![own.join("spare.rhai")], vec!["unused", "unknown-setting"], (0, 1)),
            (vec![own.clone()], vec!["unused", "unknown-setting"], (0, 2)),
            (vec![policy.clone()], vec![], (1, 0)),
            (vec![policy, own.join("room.rhai")], vec!["unknown-setting"], (1, 1)),
        ] {
            let found = find(&paths, &config).unwrap();
            assert_eq!((codes(&found), (found.policies, found.integrations)), (expected, counts), "{paths:?}");
        }
    }
}
