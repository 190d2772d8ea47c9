//! The steps of a scenario: what can happen to the bridge.
//!
//! Here they are read and checked; `house` makes them happen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::answers::AnswerText;
use super::item::{Item, KINDS};
use crate::model::decision::Enforcement;
use crate::model::request::{Door, HouseEvent};
use crate::time::parse_duration_ms;

/// How often one step, or one expected item, may be repeated.
pub(super) const TIMES_MAX: usize = 2_000;

/// One step: what happens, and what must follow.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) happening: Happening,
    pub(super) times: usize,
    pub(super) expect: Vec<Item>,
    /// Topics of the bridge's own on which nothing may be sent.
    pub(super) silent: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Happening {
    Gate(Publish),
    Ask(Ask),
    Publish(Publish),
    Seen(SeenCommand),
    Canary(CanaryText),
    Facts(BTreeMap<String, Value>),
    Event(HouseEvent),
    Answer(AnswerText),
    /// The whole new set: names and texts.
    Reload(BTreeMap<String, String>),
    /// The whole new set of the owner's own integrations.
    Integrations(BTreeMap<String, String>),
    /// The civil clock is set; the monotonic one goes on.
    Clock(DateTime),
    After(u64),
    Restart(Restart),
    Journal(Result<(), String>),
    Connected,
    Disconnected(String),
}

/// A message. On `gate`, `topic` is the device's own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    pub(super) topic: String,
    /// Objects and lists are sent as JSON, everything else as its text.
    #[serde(default)]
    pub(super) payload: Value,
    #[serde(default)]
    pub(super) retain: bool,
    /// 0 or 1.
    #[serde(default = "Publish::qos_default")]
    pub(super) qos: u8,
    pub(super) expiry_s: Option<u32>,
    /// The MQTT 5 response topic.
    pub(super) reply: Option<String>,
    pub(super) correlation: Option<String>,
}

impl Publish {
    fn qos_default() -> u8 {
        1
    }
}

/// A command that was seen on a device's real topic, and what would undo it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenCommand {
    /// `watch` or `bypass`.
    pub(super) door: Door,
    pub(super) topic: String,
    #[serde(default)]
    pub(super) payload: Value,
    pub(super) undo: Option<Undo>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Undo {
    pub(super) topic: String,
    #[serde(default)]
    pub(super) payload: Value,
}

/// What the canary found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CanaryText {
    pub(super) enforcement: Enforcement,
    pub(super) reason: String,
}

/// A question on `ask`, or on `ask/<channel>`. All keys but the first four are its JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    pub(super) channel: Option<String>,
    pub(super) reply: Option<String>,
    pub(super) correlation: Option<String>,
    #[serde(default)]
    pub(super) retain: bool,
    action: String,
    target: Option<Value>,
    text: Option<Value>,
    data: Option<Value>,
    confidence: Option<Value>,
    id: Option<Value>,
    source: Option<Value>,
}

impl Ask {
    /// The payload of the question.
    pub(super) fn payload(&self) -> Value {
        let fields = [
            ("target", &self.target),
            ("text", &self.text),
            ("data", &self.data),
            ("confidence", &self.confidence),
            ("id", &self.id),
            ("source", &self.source),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        let action = [("action".to_owned(), Value::from(self.action.as_str()))];
        Value::Object(action.into_iter().chain(fields).collect())
    }
}

/// The bridge stops and starts again with what it had stored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restart {
    /// How long it was down.
    #[serde(default, deserialize_with = "duration_ms")]
    pub(super) away: u64,
    /// What the clock on the wall shows then, where that is not what it showed before and `away`.
    #[serde(default, deserialize_with = "civil")]
    pub(super) clock: Option<DateTime>,
    /// Whether what was stored is lost.
    #[serde(default)]
    pub(super) lost: bool,
}

/// A step as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepText {
    gate: Option<Publish>,
    ask: Option<Ask>,
    publish: Option<Publish>,
    seen: Option<SeenCommand>,
    canary: Option<CanaryText>,
    facts: Option<BTreeMap<String, Value>>,
    event: Option<EventText>,
    answer: Option<AnswerText>,
    reload: Option<BTreeMap<String, String>>,
    integrations: Option<BTreeMap<String, String>>,
    clock: Option<String>,
    after: Option<String>,
    restart: Option<Restart>,
    journal: Option<Value>,
    connected: Option<bool>,
    disconnected: Option<String>,
    times: Option<usize>,
    #[serde(default)]
    expect: Vec<Map<String, Value>>,
    #[serde(default)]
    silent: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventText {
    name: String,
    speaker: Option<String>,
    text: Option<String>,
    confidence: Option<f64>,
    #[serde(default)]
    data: BTreeMap<String, Value>,
    session: Option<String>,
    happened: Option<Timestamp>,
}

impl StepText {
    /// Checks what serde cannot.
    pub(super) fn read(self) -> Result<Step, String> {
        let event = self.event.map(|EventText { name, speaker, text, confidence, data, session, happened }| {
            Happening::Event(HouseEvent { name, speaker, text, confidence, data, session, happened })
        });
        let clock = self.clock.map(|text| date_time(&text).map(Happening::Clock)).transpose()?;
        let after = self.after.map(|text| parse_duration_ms(&text).map(Happening::After)).transpose()?;
        let journal = self.journal.as_ref().map(journal).transpose()?;
        let happenings = [
            self.gate.map(Happening::Gate),
            self.ask.map(Happening::Ask),
            self.publish.map(Happening::Publish),
            self.seen.map(Happening::Seen),
            self.canary.map(Happening::Canary),
            self.facts.map(Happening::Facts),
            event,
            self.answer.map(Happening::Answer),
            self.reload.map(Happening::Reload),
            self.integrations.map(Happening::Integrations),
            clock,
            after,
            self.restart.map(Happening::Restart),
            journal,
            self.connected.map(|_| Happening::Connected),
            self.disconnected.map(Happening::Disconnected),
        ];
        let mut happenings = happenings.into_iter().flatten();
        let (Some(happening), None) = (happenings.next(), happenings.next()) else {
            return Err("expected exactly one thing that happens in a step, such as `gate:` or `after:`".to_owned());
        };
        let times = self.times.unwrap_or(1);
        check_times(times)?;
        let mut expect = Vec::new();
        for fields in self.expect {
            expect_item(fields, &mut expect)?;
        }
        Ok(Step { happening, times, expect, silent: self.silent })
    }
}

/// A civil time such as `2026-11-22 23:14`.
pub(super) fn date_time(text: &str) -> Result<DateTime, String> {
    text.parse().map_err(|_| format!("expected a date and a time such as `2026-11-22 23:14`, found `{text}`"))
}

/// What is sent for a payload as it is written.
pub(super) fn payload_text(payload: &Value) -> String {
    match payload {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => payload.to_string(),
    }
}

fn expect_item(mut fields: Map<String, Value>, expect: &mut Vec<Item>) -> Result<(), String> {
    let mut kinds = KINDS.iter().filter(|kind| fields.contains_key(**kind));
    let (Some(_), None) = (kinds.next(), kinds.next()) else {
        let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
        return Err(format!(
            "expected one of `{}` in each expected item, found `{}`",
            KINDS.join("`, `"),
            keys.join("`, `")
        ));
    };
    let times = match fields.remove("times") {
        None => 1,
        Some(times) => times.as_u64().and_then(|times| usize::try_from(times).ok()).unwrap_or(0),
    };
    check_times(times)?;
    // An object is compared as JSON, everything else as the text that is sent.
    if let Some(payload) = fields.get_mut("payload")
        && !payload.is_object()
        && !payload.is_array()
    {
        *payload = Value::from(payload_text(payload));
    }
    let item = Item { fields };
    expect.extend(std::iter::repeat_n(item, times));
    Ok(())
}

/// Whether the journal can be written: `ok`, or `{broken: why}`.
fn journal(written: &Value) -> Result<Happening, String> {
    let broken = written.get("broken").and_then(Value::as_str).map(str::to_owned);
    match (broken, written) {
        (Some(reason), Value::Object(fields)) if fields.len() == 1 => Ok(Happening::Journal(Err(reason))),
        (None, Value::String(word)) if word == "ok" => Ok(Happening::Journal(Ok(()))),
        _ => Err(format!("expected `journal: ok` or `journal: {{broken: why}}`, found `{written}`")),
    }
}

fn check_times(times: usize) -> Result<(), String> {
    if (1..=TIMES_MAX).contains(&times) {
        return Ok(());
    }
    Err(format!("expected `times` from 1 to {TIMES_MAX}"))
}

fn duration_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration_ms(&text).map_err(de::Error::custom)
}

fn civil<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime>, D::Error> {
    let text = String::deserialize(deserializer)?;
    date_time(&text).map(Some).map_err(de::Error::custom)
}
