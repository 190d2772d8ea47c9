//! The program `hushgate`: a table of its commands.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use hushgate::cli::{
    Arguments, Command, accept, acl, check, completions, doctor, grant, hash_pin, log, release, run, test, watch,
};

fn main() -> ExitCode {
    let exit = match Arguments::parse().command {
        Command::Run(arguments) => run::execute(&arguments),
        Command::Check(arguments) => check::execute(&arguments),
        Command::Test(arguments) => test::execute(&arguments),
        Command::Watch(arguments) => watch::execute(&arguments),
        Command::Log(arguments) => log::execute(&arguments),
        Command::Doctor(arguments) => doctor::execute(&arguments),
        Command::Accept(arguments) => accept::execute(&arguments),
        Command::Grant(arguments) => grant::execute(&arguments),
        Command::Grants(arguments) => grant::list(&arguments),
        Command::Revoke(arguments) => grant::revoke(&arguments),
        Command::Acl(arguments) => acl::execute(&arguments),
        Command::Release(arguments) => release::execute(&arguments),
        Command::HashPin(arguments) => hash_pin::execute(&arguments),
        #[cfg(feature = "embedded-broker")]
        Command::Demo(arguments) => hushgate::cli::demo::execute(&arguments),
        Command::Completions(arguments) => completions::execute(&arguments),
    };
    exit.into()
}
