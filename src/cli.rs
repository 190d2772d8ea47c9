//! The command line: arguments, exit codes, and one module for each command.
//!
//! Results go to standard output, everything said about them to standard error.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub mod accept;
pub mod acl;
pub mod check;
pub mod completions;
mod control;
#[cfg(feature = "embedded-broker")]
pub mod demo;
pub mod doctor;
pub mod grant;
pub mod hash_pin;
pub mod log;
pub mod release;
pub mod run;
mod settings;
mod shipped;
mod stderr;
mod terminal;
pub mod test;
pub mod watch;

pub use settings::{BridgeArguments, BrokerArguments, ConfigArguments};

/// How a command ended, for the one who called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// Something was found, or something failed.
    Failure = 1,
    /// The command line was wrong. `clap` ends the program with the same number.
    Usage = 2,
    /// The configuration, or a policy that it names, is refused.
    Configuration = 3,
    /// The broker refuses, and trying again would not help.
    Broker = 4,
    /// Another bridge has taken the base over.
    TakenOver = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Stands at the end of each `--help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something was found, or something failed
  2  the command line is wrong
  3  the configuration, or a policy that it names, is refused
  4  the broker refuses, and trying again would not help
  5  another bridge has taken over";

/// Stands at the end of the first page of help.
#[cfg(feature = "embedded-broker")]
const FIRST_STEPS: &str = "\
First steps:
  hushgate demo              see it work; needs nothing
  hushgate demo --stay       try it with commands of your own
  hushgate run -c home.yaml  run it in your house";
#[cfg(not(feature = "embedded-broker"))]
const FIRST_STEPS: &str = "\
First steps:
  hushgate check -c home.yaml  is everything right?
  hushgate run -c home.yaml    run it in your house";

/// A policy bridge for the smart home: it judges every MQTT command before the house obeys.
#[derive(Debug, Parser)]
#[command(version, after_help = format!("{FIRST_STEPS}\n\n{EXIT_CODES}"), arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the bridge.
    #[command(after_help = EXIT_CODES)]
    Run(run::RunArguments),
    /// Say what is wrong with policies and with the configuration.
    #[command(after_help = EXIT_CODES)]
    Check(check::CheckArguments),
    /// Play scenarios: do the policies do what they should?
    #[command(after_help = EXIT_CODES)]
    Test(test::TestArguments),
    /// Show what a bridge decides, live.
    #[command(after_help = EXIT_CODES)]
    Watch(watch::WatchArguments),
    /// Read the owner's log: who wanted what, and what became of it.
    #[command(after_help = log::EXAMPLES)]
    Log(Box<log::ReadArguments>),
    /// Say what was found, what is gated, what is not covered and why, and the next step.
    #[command(after_help = EXIT_CODES)]
    Doctor(doctor::DoctorArguments),
    /// Accept what is announced for guarded topics now.
    #[command(after_help = EXIT_CODES)]
    Accept(accept::AcceptArguments),
    /// Let a channel do something for a while without being asked about.
    #[command(after_help = EXIT_CODES)]
    Grant(grant::GrantArguments),
    /// Say what is granted to whom until when.
    #[command(after_help = EXIT_CODES)]
    Grants(grant::GrantsArguments),
    /// End a grant at once.
    #[command(after_help = EXIT_CODES)]
    Revoke(grant::RevokeArguments),
    /// Write rules for the broker, so that nobody goes round the gate.
    #[command(after_help = EXIT_CODES)]
    Acl(acl::AclArguments),
    /// Let Home Assistant command its devices without the gate, with the bridge alive or dead.
    #[command(after_help = EXIT_CODES)]
    Release(release::ReleaseArguments),
    /// Make the hash of a PIN, or a new secret of TOTP, for a channel that confirms.
    #[command(after_help = EXIT_CODES)]
    HashPin(hash_pin::HashPinArguments),
    /// Play a night in Portland: an embedded broker, a bridge with the shipped policies, and the devices of a house.
    #[cfg(feature = "embedded-broker")]
    Demo(demo::DemoArguments),
    /// Write completions for a shell.
    Completions(completions::CompletionsArguments),
}

/// For whom something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// People.
    Human,
    /// Programs.
    Json,
}

/// Where the log goes is standard error; this says how.
#[derive(Debug, Args)]
pub struct LogArguments {
    /// How the log is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub log_format: Format,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_exit_code_is_documented() {
        for exit in [Exit::Done, Exit::Failure, Exit::Usage, Exit::Configuration, Exit::Broker, Exit::TakenOver] {
            assert!(EXIT_CODES.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
