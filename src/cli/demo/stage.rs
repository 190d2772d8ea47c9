//! The house of the demo: its devices and people, and how the story is printed.
//!
//! A line is printed only after a client has received what it tells.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::actor::Actor;
use crate::config::{Config, Remote};
use crate::model::decision::{Decision, Verdict};
use crate::model::event::Record;
use crate::model::message::Message;
use crate::shell::clock::Clock;
use crate::shell::lines::{self, Palette, harmless};

/// How long a line stands before the next one, so that a person can follow.
const READING: Duration = Duration::from_millis(350);
const TITLE: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const QUIET: Style = Style::new().dimmed();

/// The actors, by what they are.
#[derive(Debug)]
pub(super) struct Stage {
    /// The Echo on the kitchen shelf, with its Hermes topics.
    pub(super) kitchen: Actor,
    /// The owner's phone: it is asked, and it is told.
    pub(super) phone: Actor,
    pub(super) lock: Actor,
    pub(super) light: Actor,
    /// What sends messages to people outside.
    pub(super) messenger: Actor,
    /// Somebody who reads what the bridge says.
    pub(super) reader: Actor,
    clock: Clock,
    zone: TimeZone,
}

impl Stage {
    pub(super) async fn build(config: &Config, broker: &Remote, at: Timestamp) -> Result<Stage, String> {
        let connect = |name, filters| Actor::connect(name, broker, filters);
        Ok(Stage {
            kitchen: connect("kitchen", &["hermes/hotword/toggleOff", "hermes/asr/toggleOff", "hermes/tts/say"])
                .await?,
            phone: connect("phone", &["hushgate/prompt/phone", "house/notice"]).await?,
            lock: connect("lock", &["kitchen_echo/unlock", "zigbee2mqtt/front_door/set"]).await?,
            light: connect("light", &["zigbee2mqtt/kitchen_light/set"]).await?,
            messenger: connect("messenger", &["kitchen_echo/message/+", "signal/out/#", "hushgate/intent/SendMessage"])
                .await?,
            reader: connect("reader", &["hushgate/decision/#", "hushgate/log", "hushgate/status"]).await?,
            clock: Clock::showing(at),
            zone: config.place.zone.clone().unwrap_or(TimeZone::UTC),
        })
    }

    pub(super) fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    pub(super) fn title(&self, text: &str) {
        anstream::println!("{TITLE}A house in Portland{TITLE:#} {QUIET}· {}{QUIET:#}", harmless(text));
    }

    /// Begins a scene.
    pub(super) async fn scene(&self, text: &str) {
        anstream::println!("\n{TITLE}{} · {text}{TITLE:#}", self.time("%H:%M"));
        tokio::time::sleep(READING).await;
    }

    /// Tells what somebody did or received.
    pub(super) async fn tell(&self, who: &str, what: &str) {
        anstream::println!("{QUIET}{}{QUIET:#}  {NAME}{who:<10}{NAME:#} {what}", self.time("%H:%M:%S"));
        tokio::time::sleep(READING).await;
    }

    fn time(&self, format: &str) -> String {
        self.clock.now().utc.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// Waits until the bridge says that it is there.
    pub(super) async fn bridge_is_up(&mut self) -> Result<(), String> {
        let is_up = |message: &Message| !message.retain && message.payload == "online".as_bytes();
        self.reader.expect_where("hushgate/status", is_up).await.map(drop)
    }

    /// Waits for a decision on an action, and tells it. It must be this one, and say this in its reason.
    pub(super) async fn decided(&mut self, action: &str, verdict: Verdict, because: &str) -> Result<Decision, String> {
        let filter = format!("hushgate/decision/+/{action}");
        let message = self.reader.expect(&filter).await?;
        let decision: Decision =
            serde_json::from_slice(&message.payload).map_err(|error| format!("no decision came: {error}"))?;
        self.tell("hushgate", &lines::decision(&decision, &Palette::COLOURED)).await;
        if decision.applied == verdict && decision.reason.contains(because) {
            return Ok(decision);
        }
        Err(format!(
            "expected `{}` because of `{because}`, found `{}`: {}",
            verdict.name(),
            decision.applied.name(),
            decision.reason
        ))
    }

    /// Waits for an entry of the bridge's log, and tells it. It must say this.
    pub(super) async fn recorded(&mut self, kind: &str, because: &str) -> Result<(), String> {
        let is_kind = |message: &Message| text_in(message, "record").as_deref() == Some(kind);
        let message = self.reader.expect_where("hushgate/log", is_kind).await?;
        let record: Record =
            serde_json::from_slice(&message.payload).map_err(|error| format!("no record came: {error}"))?;
        let (_, line) = lines::record(&record, &Palette::COLOURED, Some(&self.zone));
        self.tell("hushgate", &line).await;
        if line.contains(because) { Ok(()) } else { Err(format!("expected `{because}`, found {line}")) }
    }

    /// The end: what has arrived at the devices, and that nothing else has.
    pub(super) async fn finish(&mut self) -> Result<(), String> {
        // What the bridge sent went before these on its way to each device.
        for topic in ["kitchen_echo/message/end", "kitchen_echo/unlock"] {
            self.reader.publish(topic, "end")?;
        }
        let is_end = |message: &Message| message.payload == "end".as_bytes();
        self.messenger.expect_where("kitchen_echo/message/end", is_end).await?;
        self.lock.expect_where("kitchen_echo/unlock", is_end).await?;
        for (name, actor) in [("the messenger", &mut self.messenger), ("the lock", &mut self.lock)] {
            if let Some(message) = actor.unasked().front() {
                return Err(format!("{name} received something on `{}` that nobody allowed", message.topic));
            }
        }
        anstream::println!(
            "\n{TITLE}No message left the house; the door opened once, for a person; the light never waited.{TITLE:#}"
        );
        Ok(())
    }
}

/// A text in the JSON of a message. `None`: it is not there.
pub(super) fn text_in(message: &Message, key: &str) -> Option<String> {
    let json: Value = serde_json::from_slice(&message.payload).ok()?;
    json.get(key)?.as_str().map(str::to_owned)
}
