//! `hushgate log`: the owner's log, read.
//!
//! It reads what the bridge has written, beside it or without it, and changes nothing but by `forget` and `rebuild`.

mod filter;
mod follow;
mod forget;
mod index;
mod list;
mod moment;
mod output;
mod place;
mod show;
mod verify;

use clap::{Args, Subcommand, ValueEnum};

use super::{Exit, terminal};

/// Stands at the end of the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  hushgate log --since 1d --verdict deny
  hushgate log --action 'notify.*' --speaker kitchen
  hushgate log --since 2026-11-20 --until 2026-11-21 --format csv
  hushgate log show 1234
  hushgate log follow
  hushgate log verify --head 1234:5f0c…
  hushgate log forget --before 30d

Exit codes:
  0  done
  1  `verify` has found something, or something failed
  2  the command line is wrong
  3  the configuration is refused";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ReadArguments {
    #[command(subcommand)]
    command: Option<LogCommand>,
    #[command(flatten)]
    list: list::ListArguments,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Tell everything about one decision: opinions, facts, the question, its answers, what followed.
    Show(show::ShowArguments),
    /// Tell what is recorded, as it happens.
    Follow(follow::FollowArguments),
    /// Say whether each record is the one that was written, and whether all are there.
    #[command(
        after_help = "Exit codes: 0 all is well, 1 something is wrong. What this can find and what not: docs/log.md"
    )]
    Verify(verify::VerifyArguments),
    /// Erase what people said, and what rules read, in place. The records stay, and the chain holds.
    Forget(forget::ForgetArguments),
    /// Make the index anew.
    Rebuild(index::RebuildArguments),
    /// Where the chain stands: number and link of the last record. Keep it elsewhere; `verify` takes it.
    Head(verify::HeadArguments),
}

/// For whom the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// People.
    Human,
    /// Programs: one JSON object a line.
    Json,
    /// Spreadsheets.
    Csv,
}

/// Reads the log.
pub fn execute(arguments: &ReadArguments) -> Exit {
    let done = match &arguments.command {
        None => list::execute(&arguments.list),
        Some(LogCommand::Show(arguments)) => show::execute(arguments),
        Some(LogCommand::Follow(arguments)) => follow::execute(arguments),
        Some(LogCommand::Verify(arguments)) => verify::execute(arguments),
        Some(LogCommand::Forget(arguments)) => forget::execute(arguments),
        Some(LogCommand::Rebuild(arguments)) => index::execute(arguments),
        Some(LogCommand::Head(arguments)) => verify::execute_head(arguments),
    };
    match done {
        Ok(exit) | Err(Stop::Told(exit)) => exit,
        Err(Stop::Failed(error)) => {
            terminal::error(&error);
            Exit::Failure
        }
    }
}

/// Why a command ends early.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// For the owner.
    Failed(String),
    /// The owner was told already.
    Told(Exit),
}

impl From<String> for Stop {
    fn from(error: String) -> Stop {
        Stop::Failed(error)
    }
}

/// The command line is wrong.
fn usage(error: &str) -> Stop {
    terminal::error(error);
    Stop::Told(Exit::Usage)
}
