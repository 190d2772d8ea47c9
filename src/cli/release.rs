//! `hushgate release`: Home Assistant commands its devices without the gate, with the bridge alive or dead.
//!
//! A living bridge is asked, and judges it like any loosening; it ends by itself. Without one the mirror is written from
//! here, and stands until a bridge runs again.

use std::collections::BTreeMap;

use bytes::Bytes;
use clap::Args;

use super::control::{self, Order, Told};
use super::{BridgeArguments, Exit, settings, terminal};
use crate::config::Config;
use crate::model::action::RELEASE;
use crate::model::message::Message;
use crate::registry::mirror;
use crate::shell::lines::harmless;
use crate::shell::seed;
use crate::shell::survey::{self, Survey};
use crate::shell::visitor::{Stored, VisitError, Visitor};
use crate::time::parse_duration_ms;

/// What the target of a release is called.
const DISCOVERY: &str = "discovery";
/// What the owner must know.
const MEANWHILE: &str = "meanwhile nothing that Home Assistant commands is held, asked about or refused, and the broker's \
                         rules must let Home Assistant write the devices' topics";

#[derive(Debug, Args)]
pub struct ReleaseArguments {
    /// How long: `30m`, `2h`, up to 24 hours. Without it: an hour.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "end")]
    duration: Option<String>,
    /// End a release: Home Assistant commands through the gate again.
    #[arg(long)]
    end: bool,
    #[command(flatten)]
    bridge: BridgeArguments,
}

fn duration(text: &str) -> Result<String, String> {
    parse_duration_ms(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Releases, or ends a release.
pub fn execute(arguments: &ReleaseArguments) -> Exit {
    match settings::configure(&arguments.bridge) {
        Ok(config) => control::block_on(run(arguments, &config)),
        Err(exit) => exit,
    }
}

async fn run(arguments: &ReleaseArguments, config: &Config) -> Exit {
    let ask = async |visitor: &mut Visitor, _: &Stored| control::send(visitor, config, &order(arguments)).await;
    match control::meet(config, &[], ask).await {
        Ok(Some(Told::Done | Told::Granted { .. })) => {
            terminal::print_line(if arguments.end {
                "Home Assistant commands through the gate"
            } else {
                "released: Home Assistant commands its devices itself"
            });
            if !arguments.end {
                terminal::say(MEANWHILE);
            }
            Exit::Done
        }
        Ok(Some(Told::Refused(reason))) => control::failure(&format!("not released: {}", harmless(&reason))),
        Ok(None | Some(Told::Silent)) if arguments.end => control::failure(
            "no bridge answers, so nothing could be gated\nhelp: start it with `hushgate run`; it points the mirror at \
             the gate by itself",
        ),
        Ok(None | Some(Told::Silent)) => without_bridge(config).await,
        Err(exit) => exit,
    }
}

fn order(arguments: &ReleaseArguments) -> Order<'static> {
    let payload = match (arguments.end, &arguments.duration) {
        (true, _) => "on".to_owned(),
        (false, None) => "off".to_owned(),
        (false, Some(duration)) => serde_json::json!({"on": false, "for": duration}).to_string(),
    };
    Order { topic: "relay/set", payload, action: RELEASE, target: DISCOVERY }
}

/// Writes the mirror from the originals, and reads it back.
async fn without_bridge(config: &Config) -> Exit {
    terminal::say("no bridge answers; the mirror is written from here");
    match terminal::wait("writing the mirror", rewrite(config)).await {
        Ok(Rewritten { gap: Some(gap), .. }) => {
            control::failure(&format!("not everything was released: {}\nhelp: try again", harmless(&gap)))
        }
        Ok(Rewritten { released: 0, .. }) => control::failure(&format!(
            "nothing is announced under `{}`\nhelp: `home_assistant.discovery` is the prefix under which devices announce \
             themselves",
            harmless(&config.home_assistant.discovery)
        )),
        Ok(Rewritten { released, changed, gap: None }) => {
            terminal::print_line(&format!(
                "released: {released} announcements point at their devices, {changed} of them were changed"
            ));
            terminal::say(MEANWHILE);
            terminal::say("it stands until a bridge runs again; twins stay unavailable");
            Exit::Done
        }
        Err(error) => control::no_visit(&error),
    }
}

/// What a rewriting of the mirror came to.
#[derive(Debug, PartialEq, Eq)]
struct Rewritten {
    released: usize,
    changed: usize,
    /// Why not everything was.
    gap: Option<String>,
}

async fn rewrite(config: &Config) -> Result<Rewritten, VisitError> {
    let name = seed::draw().map_err(VisitError::Failed)?.jitter;
    let (survey, mut visitor) = survey::look(config, settings::remote(config), name).await?;
    let wanted = wanted(config, &survey);
    let differing: Vec<Message> = wanted
        .iter()
        .filter(|(topic, payload)| survey.mirror.get(*topic) != Some(payload))
        .map(|(topic, payload)| Message::retained(topic.as_str(), payload.clone()))
        .collect();
    let changed = differing.len();
    for message in differing {
        visitor.send(message)?;
    }
    visitor.settle().await?;
    visitor.leave().await;
    // Only what a stranger would read now is released.
    let filters = [format!("{}/#", survey::settings(config).root())];
    let (again, stored) =
        Visitor::connect(settings::remote(config), &config.base, &filters, name.wrapping_add(1)).await?;
    again.leave().await;
    let found: BTreeMap<String, Bytes> =
        stored.messages.into_iter().map(|message| (message.topic, message.payload)).collect();
    let missed = wanted.iter().find(|(topic, payload)| found.get(*topic) != Some(payload));
    let missed = missed.map(|(topic, _)| format!("on `{topic}` stands something else than what was written"));
    Ok(Rewritten { released: wanted.len(), changed, gap: missed.or(survey.gap).or(stored.gap) })
}

/// The mirror of every announcement as it is without a gate, by topic.
fn wanted(config: &Config, survey: &Survey) -> BTreeMap<String, Bytes> {
    let settings = survey::settings(config);
    let announcements = survey.registry.announcements();
    let released = announcements.iter().map(|announcement| mirror::released(announcement, &settings));
    // One without a topic has no mirror: it would be too long.
    released.filter(|message| !message.topic.is_empty()).map(|message| (message.topic, message.payload)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_what_the_bridge_reads() {
        for (end, duration, expected) in
            [(true, None, "on"), (false, None, "off"), (false, Some("30m"), r#"{"for":"30m","on":false}"#)]
        {
            let arguments =
                ReleaseArguments { duration: duration.map(str::to_owned), end, bridge: BridgeArguments::default() };
            assert_eq!(order(&arguments).payload, expected);
        }
        assert!(duration("soon").is_err());
    }
}
