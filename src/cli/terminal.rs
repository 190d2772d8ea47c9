//! What the commands say to people: errors with their help, findings, and the log.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use tracing_subscriber::EnvFilter;

use super::Format;
use crate::config::ConfigError;
use crate::script::diagnostics::Diagnostic;
use crate::shell::journal::Journal;

/// The environment variable that says what is logged, as `tracing` reads it: `debug`, `hushgate=debug`.
const LOG_VARIABLE: &str = "HUSHGATE_LOG";
/// The embedded broker tells a lot that is of no use here.
const LOG_DEFAULT: &str =
    "info,notify=error,rmqtt=error,rmqtt_net=error,rmqtt_retainer=error,rmqtt_shared_subscription=error";

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default();

/// Says what is wrong. The text may have a line that begins with `help: `.
pub(super) fn error(text: &str) {
    let (message, help) = text.split_once("\nhelp: ").map_or((text, None), |(message, help)| (message, Some(help)));
    anstream::eprintln!("{ERROR}error{ERROR:#}: {message}");
    if let Some(help) = help {
        self::help(help);
    }
}

pub(super) fn help(text: &str) {
    anstream::eprintln!("  {HELP}help{HELP:#}: {text}");
}

pub(super) fn config_errors(errors: &[ConfigError]) {
    for error in errors {
        self::error(&error.to_string());
        if let Some(help) = &error.help {
            self::help(help);
        }
    }
}

/// The findings in full, with their source lines.
pub(super) fn findings_to_stderr(findings: &[Diagnostic]) {
    for finding in findings {
        anstream::eprint!("{}", finding.render(true));
    }
}

/// Starts the log on standard error.
pub(super) fn start_log(format: Format) -> Journal {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second log in one process would be a mistake of the program; the first one goes on then.
    match format {
        Format::Human => {
            let wants_colour =
                std::io::stderr().is_terminal() && anstream::stderr().current_choice() != anstream::ColorChoice::Never;
            builder.with_ansi(wants_colour).try_init().unwrap_or(());
            Journal::Human
        }
        Format::Json => {
            builder.json().flatten_event(true).try_init().unwrap_or(());
            Journal::Json
        }
    }
}
