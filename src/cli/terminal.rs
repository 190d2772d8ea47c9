//! What the commands say to people: errors with their help, findings, results.

use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::ConfigError;
use crate::script::diagnostics::Diagnostic;
use crate::shell::clock::Clock;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default();

/// After so long a person wants to see that something happens.
const MOMENT_MS: u64 = 700;
/// Between two pictures of the spinner.
const TICK_MS: u64 = 120;

/// Waits for something, and shows so to a person at a terminal if it takes longer than a moment.
pub(super) async fn wait<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = tokio::time::timeout(Duration::from_millis(MOMENT_MS), work.as_mut()).await {
        return done;
    }
    // It shows nothing where standard error is no terminal.
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(TICK_MS));
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// Long work on bytes, with a bar for a person at a terminal once it takes longer than a moment.
pub(super) struct Progress {
    what: &'static str,
    clock: Clock,
    bytes: u64,
    bytes_total: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(what: &'static str, bytes_total: u64) -> Progress {
        Progress { what, clock: Clock::new(), bytes: 0, bytes_total, bar: None }
    }

    /// So many more bytes are done.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bar.is_none() && self.clock.elapsed() >= Duration::from_millis(MOMENT_MS) {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}");
            // It shows nothing where standard error is no terminal.
            let bar = ProgressBar::new(self.bytes_total).with_message(self.what);
            self.bar = Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Says what is wrong. The text may have a line that begins with `help: `.
pub(super) fn error(text: &str) {
    let (message, help) = text.split_once("\nhelp: ").map_or((text, None), |(message, help)| (message, Some(help)));
    say(&format!("{ERROR}error{ERROR:#}: {message}"));
    if let Some(help) = help {
        self::help(help);
    }
}

pub(super) fn help(text: &str) {
    say(&format!("  {HELP}help{HELP:#}: {text}"));
}

/// One line on standard error. If nobody reads it any more, there is nobody to be told.
pub(super) fn say(line: &str) {
    writeln!(anstream::stderr(), "{line}").unwrap_or(());
}

/// Writes one line of a result to standard output.
pub(super) fn print_line(line: &str) {
    print(&format!("{line}\n"));
}

/// Writes a result to standard output, without colours where nobody wants them. `false`: nobody reads it any more.
pub(super) fn print(text: &str) -> bool {
    let mut output = anstream::stdout();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_ok()
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
        say(finding.render(true).trim_end());
    }
}
