//! `hushgate watch`: what a bridge decides, one line each, as it happens.
//!
//! It only listens. Any broker will do that the bridge can use.

use std::collections::BTreeMap;

use bytes::Bytes;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{BridgeArguments, Exit, run, settings, terminal};
use crate::config::Config;
use crate::model::decision::{Decision, Verdict};
use crate::model::event::Record;
use crate::model::message::{Message, Qos};
use crate::model::topic::TopicFilter;
use crate::shell::clock::Clock;
use crate::shell::lines::{self, Palette, harmless};
use crate::shell::link::{self, Link, LinkEvent, LinkSettings};
use crate::shell::seed;
use crate::wire::{RetainHandling, Subscription};

/// Topics whose last state is known. Beyond, a state may be shown twice.
const STATES_MAX: usize = 1_024;
/// What is shown, below the base.
const SHOWN: [&str; 6] = ["decision/#", "pending/#", "mute/+", "log", "notice", "status"];

#[derive(Debug, Args)]
pub struct WatchArguments {
    #[command(flatten)]
    bridge: BridgeArguments,
}

/// Shows decisions until it is interrupted.
pub fn execute(arguments: &WatchArguments) -> Exit {
    let settings = settings::configure(&arguments.bridge).and_then(|config| {
        let seeds = seed::draw().map_err(|error| failure(&error))?;
        let link = open(&config, seeds.jitter).map_err(|error| failure(&error))?;
        Ok((link, config.base))
    });
    let (link, base) = match settings {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(show(link, &base)),
        Err(error) => failure(&format!("the program cannot start: {error}")),
    }
}

fn failure(error: &str) -> Exit {
    terminal::error(error);
    Exit::Failure
}

fn open(config: &Config, seed: u64) -> Result<Link, String> {
    let base = &config.base;
    let subscription = |rest: &str| {
        let filter = TopicFilter::new(&format!("{base}/{rest}"))
            .map_err(|error| format!("`{}` cannot be a base: {error}", harmless(base)))?;
        Ok(Subscription {
            filter,
            qos: Qos::AtLeastOnce,
            no_local: false,
            retain_handling: RetainHandling::OnSubscribe,
        })
    };
    let subscriptions = SHOWN.into_iter().map(subscription).collect::<Result<Vec<_>, String>>()?;
    // Several may watch at once, so each has an identifier of its own.
    let client_id = format!("hushgate-watch-{seed:016x}");
    link::open(LinkSettings { broker: settings::remote(config), client_id, will: None, subscriptions }, seed)
}

async fn show(mut link: Link, base: &str) -> Exit {
    let stop = match run::stop_signal() {
        Ok(stop) => stop,
        Err(error) => return failure(&format!("signals cannot be heard: {error}")),
    };
    let mut stop = std::pin::pin!(stop);
    let (clock, zone) = (Clock::new(), TimeZone::system());
    let mut states = States::default();
    loop {
        let event = tokio::select! {
            event = link.next() => event,
            _ = stop.as_mut() => {
                link.close(Vec::new()).await;
                return Exit::Done;
            }
        };
        match event {
            LinkEvent::Message(message) => {
                if states.are_new(&message)
                    && let Some((at, line)) = line(base, &message, &zone)
                {
                    let at = at.unwrap_or_else(|| clock.now().utc);
                    if !terminal::print(&format!("{} {line}\n", lines::moment(&at, Some(&zone)))) {
                        return Exit::Done;
                    }
                }
            }
            LinkEvent::Connected => terminal::say(&format!("watching `{}`; Ctrl-C ends", harmless(base))),
            LinkEvent::Disconnected { reason } => terminal::say(&format!("connection lost: {reason}")),
            LinkEvent::Unreachable { reason, retry_ms } => {
                terminal::say(&format!("{reason}; next attempt in {retry_ms} ms"));
            }
            LinkEvent::Refused { reason, help, .. } => {
                terminal::error(&reason);
                terminal::help(&help);
                return Exit::Broker;
            }
            LinkEvent::TakenOver => return failure("another program uses the same client identifier"),
            LinkEvent::SubscriptionRefused { filter, reason } => {
                terminal::error(&format!("the broker refused the subscription to `{filter}`: {reason}"));
            }
            LinkEvent::Unreadable { topic, reason } => {
                terminal::say(&format!("unreadable message on `{}`: {reason}", harmless(&topic)));
            }
            // It sends nothing.
            LinkEvent::Undelivered(_) => {}
        }
    }
}

/// The stored state that was shown last, by topic. The bridge tells all of it again on each connection.
#[derive(Default)]
struct States(BTreeMap<String, Bytes>);

impl States {
    /// Whether a message says something new. What is no state always does.
    fn are_new(&mut self, message: &Message) -> bool {
        let is_state = message.topic.ends_with("/status") || message.topic.contains("/mute/");
        if !is_state || self.0.get(&message.topic) == Some(&message.payload) {
            return !is_state;
        }
        if self.0.len() == STATES_MAX {
            self.0.clear();
        }
        self.0.insert(message.topic.clone(), message.payload.clone());
        true
    }
}

/// One message as one line, and the time that it tells. `None`: there is nothing to show.
fn line(base: &str, message: &Message, zone: &TimeZone) -> Option<(Option<Timestamp>, String)> {
    let below = message.topic.strip_prefix(base)?.strip_prefix('/')?;
    let (kind, rest) = below.split_once('/').unwrap_or((below, ""));
    // An empty payload removes what was stored.
    if message.payload.is_empty() {
        return (kind == "pending").then(|| (None, format!("over    {}", harmless(rest))));
    }
    let shown = match kind {
        "decision" => {
            let decision: Decision = serde_json::from_slice(&message.payload).ok()?;
            return Some((Some(decision.at), lines::decision(&decision, &Palette::COLOURED)));
        }
        "log" => {
            let record: Record = serde_json::from_slice(&message.payload).ok()?;
            return Some((
                Some(record.at),
                format!("log     {}", lines::record(&record, &Palette::COLOURED, Some(zone)).1),
            ));
        }
        "pending" => pending(&serde_json::from_slice(&message.payload).ok()?, zone),
        "mute" => mute(rest, &serde_json::from_slice(&message.payload).ok()?, zone),
        "notice" => format!("notice  {}", text(&serde_json::from_slice(&message.payload).ok()?, "text")),
        "status" => format!("status  {}", harmless(&String::from_utf8_lossy(&message.payload))),
        _ => return None,
    };
    Some((None, shown))
}

fn pending(body: &Value, zone: &TimeZone) -> String {
    let style = Palette::COLOURED.verdict(Verdict::Confirm);
    let channels: Vec<&str> =
        body.get("channels").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    format!(
        "{style}asking{style:#}  {} {} · {} · {} until {}",
        text(body, "action"),
        text(body, "target"),
        text(body, "question"),
        harmless(&channels.join(", ")),
        until(body, zone),
    )
}

fn mute(speaker: &str, body: &Value, zone: &TimeZone) -> String {
    match body.get("state").and_then(Value::as_str) {
        Some("muted") => {
            format!("muted   {} until {} · {}", harmless(speaker), until(body, zone), text(body, "reason"))
        }
        _ => format!("mute    {} is not muted", harmless(speaker)),
    }
}

/// When something ends. What is no time is shown as it is.
fn until(body: &Value, zone: &TimeZone) -> String {
    let text = text(body, "until");
    text.parse::<Timestamp>().map_or(text, |at| lines::moment(&at, Some(zone)))
}

fn text(body: &Value, field: &str) -> String {
    harmless(body.get(field).and_then(Value::as_str).unwrap_or("")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::lines::tests::example;

    fn plain(topic: &str, payload: impl Into<Bytes>) -> Option<String> {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let (_, line) = line("hushgate", &Message::live(topic, payload), &zone)?;
        Some(anstream::adapter::strip_str(&line).to_string())
    }

    #[test]
    fn a_state_that_is_told_again_is_shown_once() {
        let mut states = States::default();
        for (topic, payload, expected) in [
            ("hushgate/status", "online", true),
            ("hushgate/status", "online", false),
            ("hushgate/mute/kitchen", "online", true),
            ("hushgate/status", "offline", true),
            ("hushgate/status", "online", true),
            ("hushgate/log", "the same", true),
            ("hushgate/log", "the same", true),
        ] {
            assert_eq!(states.are_new(&Message::live(topic, payload)), expected, "{topic} {payload}");
        }
        for index in 0..=STATES_MAX {
            assert!(states.are_new(&Message::live(format!("hushgate/mute/{index}"), "muted")));
            assert!(states.0.len() <= STATES_MAX);
        }
    }

    #[test]
    fn every_kind_of_message_is_one_line() {
        let decision = serde_json::to_vec(&example()).unwrap();
        let dropped = r#"{"at":"2026-11-22T03:00:00Z","record":"dropped","topic":"a\nb","reason":"r"}"#;
        let pending = r#"{"id":"1","action":"lock.unlock","target":"door","question":"Open?","until":"2026-11-22T03:00:00Z","channels":["phone","panel"]}"#;
        for (topic, payload, expected) in [
            (
                "hushgate/decision/deny/lock.unlock",
                decision.as_slice(),
                Some("deny    lock.unlock front_door · voice kitchen · not by voice · second-channel · only observed"),
            ),
            ("hushgate/log", dropped.as_bytes(), Some("log     not delivered a\\u{a}b · r")),
            (
                "hushgate/pending/1",
                pending.as_bytes(),
                Some("asking  lock.unlock door · Open? · phone, panel until 19:00:00"),
            ),
            ("hushgate/pending/1", b"", Some("over    1")),
            (
                "hushgate/mute/kitchen",
                br#"{"state":"muted","until":"2026-11-22T03:00:00.5Z","reason":"guests"}"#,
                Some("muted   kitchen until 19:00:00 · guests"),
            ),
            (
                "hushgate/mute/kitchen",
                br#"{"state":"muted","until":"a\tb","reason":"r"}"#,
                Some("muted   kitchen until a\\u{9}b · r"),
            ),
            ("hushgate/mute/kitchen", br#"{"state":"unmuted"}"#, Some("mute    kitchen is not muted")),
            ("hushgate/status", b"online", Some("status  online")),
            ("hushgate/decision/deny/x", b"no JSON", None),
            ("elsewhere/decision/deny/x", decision.as_slice(), None),
        ] {
            assert_eq!(plain(topic, payload.to_vec()).as_deref(), expected, "{topic}");
        }
    }
}
