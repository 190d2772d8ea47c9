//! `hushgate run`: the bridge, until it is told to stop.

use std::rc::Rc;

use clap::Args;

use super::shipped::PolicyFolder;
use super::{BrokerArguments, ConfigArguments, Exit, LogArguments, settings, stderr, terminal};
use crate::config::Config;
use crate::model::mode::Mode;
use crate::shell::clock::Clock;
use crate::shell::run::{Ended, Run, StartError};
use crate::shell::seed;

#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The mode, instead of the one in the configuration.
    #[arg(long, value_enum)]
    mode: Option<ModeArgument>,
    #[command(flatten)]
    broker: BrokerArguments,
    #[command(flatten)]
    log: LogArguments,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ModeArgument {
    /// Judge, and say what would happen.
    Observe,
    /// Judge, and hold back.
    Enforce,
}

/// Runs the bridge. The exit code says why it ended.
pub fn execute(arguments: &RunArguments) -> Exit {
    let journal = stderr::start(arguments.log.log_format);
    let mut config = match configure(arguments) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    // Kept as long as the bridge may read it.
    let shipped = match bring_policies(arguments, &mut config) {
        Ok(shipped) => shipped,
        Err(error) => return failure(&error),
    };
    let config = Rc::new(config);
    let started = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, seeds) = match (started, seed::draw()) {
        (Ok(runtime), Ok(seeds)) => (runtime, seeds),
        (Err(error), _) => return failure(&format!("the program cannot start: {error}")),
        (_, Err(error)) => return failure(&error),
    };
    let exit = runtime.block_on(async {
        let stop = match stop_signal() {
            Ok(stop) => stop,
            Err(error) => return failure(&format!("signals cannot be heard: {error}")),
        };
        match Run::new(config, Clock::new(), &seeds, journal) {
            Ok(run) => {
                let mut signal = "";
                let ended = run.until(async { signal = stop.await }).await;
                self::ended(&ended, signal)
            }
            Err(error) => refused(&error),
        }
    });
    drop(shipped);
    exit
}

/// Who has written no configuration has copied no policies either: the shipped ones judge then.
fn bring_policies(arguments: &RunArguments, config: &mut Config) -> Result<Option<PolicyFolder>, String> {
    if arguments.config.config.is_some() || config.policies.exists() {
        return Ok(None);
    }
    let folder = PolicyFolder::write()?;
    let missing = config.policies.display();
    tracing::info!(
        "there is no folder `{missing}` here, so the shipped policies judge, out of `{}`",
        folder.path().display()
    );
    config.policies = folder.path().to_owned();
    Ok(Some(folder))
}

fn configure(arguments: &RunArguments) -> Result<Config, Exit> {
    let mut config = settings::load(&arguments.config)?;
    settings::override_broker(&mut config, &arguments.broker)?;
    if let Some(mode) = arguments.mode {
        config.mode = match mode {
            ModeArgument::Observe => Mode::Observe,
            ModeArgument::Enforce => Mode::Enforce,
        };
    }
    if let Err(error) = settings::check_mode(&config) {
        terminal::error(&error);
        return Err(Exit::Configuration);
    }
    Ok(config)
}

fn failure(error: &str) -> Exit {
    terminal::error(error);
    Exit::Failure
}

fn refused(error: &StartError) -> Exit {
    match error {
        StartError::Policies(findings) => terminal::findings_to_stderr(findings),
        StartError::Configuration(error) => terminal::error(error),
    }
    Exit::Configuration
}

/// The last line of the log says why it is the last.
fn ended(ended: &Ended, signal: &str) -> Exit {
    match ended {
        Ended::Stopped => {
            tracing::info!("stopped by {signal}");
            Exit::Done
        }
        Ended::Refused { reason, help } => {
            tracing::error!("stopped: {reason}; help: {help}");
            Exit::Broker
        }
        Ended::TakenOver => {
            tracing::error!(
                "stopped: another bridge has taken over this base; this one forwards nothing any more; \
                 help: stop one of them, or give one another `base`"
            );
            Exit::TakenOver
        }
    }
}

/// Over at the first SIGTERM or SIGINT, and gives its name.
#[cfg(unix)]
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Over at the first Ctrl-C, and gives that name.
#[cfg(not(unix))]
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
        "Ctrl-C"
    })
}
