//! `hushgate completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Exit};

#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell to write for.
    shell: Shell,
}

/// Writes the completions to standard output.
pub fn execute(arguments: &CompletionsArguments) -> Exit {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut command, name, &mut std::io::stdout());
    Exit::Done
}
