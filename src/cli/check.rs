//! `hushgate check`: what is wrong with policies, before they are in force.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{ConfigArguments, Exit, Format, settings, terminal};
use crate::config::Config;
use crate::model::event::PolicySource;
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

/// Writes all findings to standard output. Warnings alone are no failure.
pub fn execute(arguments: &CheckArguments) -> Exit {
    let config = match settings::load(&arguments.config) {
        Ok(config) => config,
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
    let findings = policy::check(&sources, &Catalog::of(&config));
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let text = match arguments.format {
        Format::Human => to_people(&findings, sources.len(), errors),
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
    text.push_str(&counts.join(", "));
    text.push('\n');
    text
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn read(arguments: &CheckArguments, config: &Config) -> Result<Vec<PolicySource>, String> {
    if arguments.paths.is_empty() {
        return files::read_policies(&config.policies);
    }
    let mut sources = Vec::new();
    for path in &arguments.paths {
        sources.extend(read_path(path)?);
    }
    Ok(sources)
}

fn read_path(path: &Path) -> Result<Vec<PolicySource>, String> {
    if path.is_dir() {
        return files::read_policies(path);
    }
    if !files::is_policy(path) {
        return Err(format!("expected a policy (`*.rhai`) or a folder, found `{}`", path.display()));
    }
    files::read_policy(path).map(|source| vec![source])
}
