//! `hushgate accept`: what is announced for guarded topics now is as the owner wants it.
//!
//! It loosens, so the running bridge judges it like any request. Without an argument it says what waits to be accepted.

use clap::Args;

use super::control::{self, Order, SILENT, Told};
use super::{BridgeArguments, Exit, settings, terminal};
use crate::config::Config;
use crate::model::action::ACCEPT;
use crate::shell::health::{Problem, Report};
use crate::shell::lines::harmless;
use crate::shell::visitor::{Stored, VisitError, Visitor};

/// What the target of an acceptance of everything is called.
const EVERYTHING: &str = "everything";

#[derive(Debug, Args)]
pub struct AcceptArguments {
    /// Guarded topics, such as `zigbee2mqtt/front_door/set`. Without any: says what waits to be accepted.
    #[arg(value_name = "TOPIC", conflicts_with = "all")]
    topics: Vec<String>,
    /// Everything that waits.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    bridge: BridgeArguments,
}

/// Asks the running bridge, and waits for its word.
pub fn execute(arguments: &AcceptArguments) -> Exit {
    match settings::configure(&arguments.bridge) {
        Ok(config) => control::block_on(run(arguments, &config)),
        Err(exit) => exit,
    }
}

async fn run(arguments: &AcceptArguments, config: &Config) -> Exit {
    let is_question = arguments.topics.is_empty() && !arguments.all;
    let work = async |visitor: &mut Visitor, stored: &Stored| {
        if is_question { Ok(list(config, stored)) } else { accept(arguments, config, visitor).await }
    };
    match control::meet(config, &["health"], work).await {
        Ok(Some(exit)) | Err(exit) => exit,
        Ok(None) => control::failure(&format!(
            "no bridge runs on the base `{}`\nhelp: start it with `hushgate run`; it must have seen what is announced",
            harmless(&config.base)
        )),
    }
}

/// What waits to be accepted. There is something: 1.
fn list(config: &Config, stored: &Stored) -> Exit {
    let topic = format!("{}/health", config.base);
    let report = stored.messages.iter().rev().find(|message| message.topic == topic);
    let Some(report) = report.and_then(|message| serde_json::from_slice::<Report>(&message.payload).ok()) else {
        return control::failure("the bridge has not said yet how it is doing\nhelp: try again in a minute");
    };
    if report.problems.is_empty() {
        terminal::print_line("nothing waits to be accepted");
        return Exit::Done;
    }
    for Problem { about, problem } in &report.problems {
        terminal::print_line(&format!("{}: {}", harmless(about), harmless(problem)));
    }
    terminal::help("what is as you want it: `hushgate accept <topic>`, or `hushgate accept --all`");
    Exit::Failure
}

async fn accept(arguments: &AcceptArguments, config: &Config, visitor: &mut Visitor) -> Result<Exit, VisitError> {
    let orders: Vec<(String, String)> = if arguments.all {
        vec![("accept".to_owned(), EVERYTHING.to_owned())]
    } else {
        let order = |topic: &String| (serde_json::json!({"accept": topic}).to_string(), topic.clone());
        arguments.topics.iter().map(order).collect()
    };
    let mut exit = Exit::Done;
    for (payload, target) in orders {
        let order = Order { topic: "guard/set", payload, action: ACCEPT, target: &target };
        match control::send(visitor, config, &order).await? {
            Told::Done | Told::Granted { .. } => terminal::print_line(&format!("accepted: {}", harmless(&target))),
            Told::Refused(reason) => {
                exit = control::failure(&format!("not accepted: {}: {}", harmless(&target), harmless(&reason)));
            }
            Told::Silent => exit = control::failure(SILENT),
        }
    }
    Ok(exit)
}
