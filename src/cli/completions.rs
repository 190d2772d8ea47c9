//! `hushgate completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Exit, terminal};

#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell to write for.
    shell: Shell,
}

/// Writes the completions to standard output.
pub fn execute(arguments: &CompletionsArguments) -> Exit {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    terminal::print(&String::from_utf8_lossy(&script));
    Exit::Done
}
