//! `hushgate check`: what is wrong with policies, before they are in force.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;

use super::{ConfigArguments, Exit, Format, settings, terminal};
use crate::config::Config;
use crate::integration::Integrations;
use crate::model::event::ScriptSource;
use crate::policy::{self, Catalog};
use crate::script::diagnostics::{Diagnostic, Severity};
use crate::shell::files;

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Policies, or folders of policies. Without any: the folder that the configuration names.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
    /// How findings are written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// The names that rules may use. What is wrong with integrations is not for here: then they add none.
fn catalog(config: &Rc<Config>) -> Catalog {
    let own = files::read_integrations(&config.integrations_folder).unwrap_or_default();
    let (actions, events) = Integrations::compile(config, &own, None).map(|used| used.vocabulary()).unwrap_or_default();
    Catalog::of(config).with(config, actions, events)
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
    let sources = match read(arguments, &config) {
        Ok(sources) => sources,
        Err(error) => {
            terminal::error(&error);
            return Exit::Failure;
        }
    };
    let findings = policy::check(&sources, &catalog(&config));
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let text = match arguments.format {
        Format::Human => {
            let notes = config.channel_remarks().into_iter().map(|remark| format!("note: {remark}\n"));
            notes.chain([to_people(&findings, sources.len(), errors)]).collect()
        }
        Format::Json => match serde_json::to_string_pretty(&findings) {
            Ok(json) => json + "\n",
            Err(error) => {
                terminal::error(&format!("the findings cannot be written: {error}"));
                return Exit::Failure;
            }
        },
    };
    terminal::print(&text);
    if errors == 0 { Exit::Done } else { Exit::Failure }
}

fn to_people(findings: &[Diagnostic], policies: usize, errors: usize) -> String {
    let mut text: String = findings.iter().map(|finding| finding.render(true)).collect();
    let counts = [
        counted(policies, "policy", "policies"),
        counted(errors, "error", "errors"),
        counted(findings.len() - errors, "warning", "warnings"),
    ];
    if policies == 0 {
        text.push_str("there is no policy here: nothing that ends in `.rhai`\n");
    }
    text.push_str(&counts.join(", "));
    text.push('\n');
    text
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn read(arguments: &CheckArguments, config: &Config) -> Result<Vec<ScriptSource>, String> {
    if arguments.paths.is_empty() {
        return files::read_policies(&config.policies);
    }
    let mut sources = Vec::new();
    for path in &arguments.paths {
        sources.extend(read_path(path)?);
    }
    Ok(sources)
}

fn read_path(path: &Path) -> Result<Vec<ScriptSource>, String> {
    if path.is_dir() {
        return files::read_policies(path);
    }
    if !path.exists() {
        let help = "name a policy or a folder of policies";
        return Err(format!("there is no file or folder `{}`\nhelp: {help}", path.display()));
    }
    if !files::is_policy(path) {
        return Err(format!("expected a policy (`*.rhai`) or a folder, found `{}`", path.display()));
    }
    files::read_policy(path).map(|source| vec![source])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_policies_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_path(folder.path()).unwrap().is_empty());
        let (empty, full) = (to_people(&[], 0, 0), to_people(&[], 1, 0));
        assert_eq!(empty, "there is no policy here: nothing that ends in `.rhai`\n0 policies, 0 errors, 0 warnings\n");
        assert_eq!(full, "1 policy, 0 errors, 0 warnings\n");
        let error = read_path(&folder.path().join("none")).unwrap_err();
        assert!(error.starts_with("there is no file or folder `") && error.contains("\nhelp: "), "{error}");
    }
}
