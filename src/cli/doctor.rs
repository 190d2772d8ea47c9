//! `hushgate doctor`: what was found, what is gated, what is not covered and why, and the next step.
//!
//! It looks at what the broker has stored, so it works beside a running bridge and without one. It changes nothing.

use clap::Args;

use super::{BridgeArguments, Exit, Format, control, settings, terminal};
use crate::config::Config;
use crate::model::event::Canary;
use crate::shell::canary::{self, probe};
use crate::shell::seed;
use crate::shell::survey::Survey;

mod diagnosis;
mod report;

#[derive(Debug, Args)]
pub struct DoctorArguments {
    #[command(flatten)]
    bridge: BridgeArguments,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Looks at the house. Something is not covered: 1.
pub fn execute(arguments: &DoctorArguments) -> Exit {
    let config = match settings::configure(&arguments.bridge) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    control::block_on(examine(&config, arguments.format))
}

async fn examine(config: &Config, format: Format) -> Exit {
    let survey = match control::survey(config).await {
        Ok(survey) => survey,
        Err(exit) => return exit,
    };
    let canary = if survey.is_online() { None } else { sing(config, &survey).await };
    let found = diagnosis::diagnose(config, &survey, canary);
    match format {
        Format::Human => {
            terminal::print(&report::human(config, &found));
        }
        Format::Json => match serde_json::to_string_pretty(&found) {
            Ok(text) => terminal::print_line(&text),
            Err(error) => return control::failure(&format!("the result cannot be written: {error}")),
        },
    }
    if found.coverage.not_covered.is_empty() { Exit::Done } else { Exit::Failure }
}

/// A running bridge has looked itself. Without one it is done from here, where the configuration names the users.
async fn sing(config: &Config, survey: &Survey) -> Option<Canary> {
    let (own, unprivileged) = (config.home_assistant.own.as_ref(), config.home_assistant.unprivileged.as_ref());
    let mut topics = survey.registry.guarded_topics();
    topics.truncate(canary::TOPICS_MAX);
    let name = format!("{:016x}", seed::draw().ok()?.jitter);
    let probe = canary::prepare(&settings::remote(config), own, unprivileged, topics, name).ok()?;
    let looked = terminal::wait("trying the way around the bridge", probe::look(&probe)).await;
    looked.ok().map(|finding| finding.canary)
}
