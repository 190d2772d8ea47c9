//! A house in virtual time: a bridge, its clock, and what was sent to the channels.
//!
//! What happens goes in as MQTT messages wherever a message can bring it. Some things must never happen, whatever a
//! scenario expects; they show as `fault` among what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::answers::Tokens;
use super::header::sources;
use super::item::Item;
use super::steps::{Ask, Happening, Publish, Restart, SeenCommand, Step, payload_text};
use crate::bridge::{Bridge, Output, Setup};
use crate::config::Config;
use crate::model::decision::{Grade, Verdict};
use crate::model::event::{Canary, Entry, Event, ScriptSource};
use crate::model::message::{Command, Message, Qos, ReplyTo};
use crate::model::request::{Arrival, FactChange, Held};
use crate::model::time::At;
use crate::model::topic;
use crate::script::diagnostics::Diagnostic;
use crate::wire::announcement_topic;

/// The monotonic clock when a scenario begins, and after each restart: unlike each other.
const START_MS: u64 = At::MONOTONIC_START_MS + 1_000_000;
const RESTART_MS: u64 = At::MONOTONIC_START_MS + 4_000;

/// Deadlines that one step may pass.
const TICKS_MAX: usize = 10_000;

pub(super) struct House {
    config: Rc<Config>,
    zone: TimeZone,
    policies: Vec<ScriptSource>,
    /// The owner's own. The shipped ones are always there.
    integrations: Vec<ScriptSource>,
    bridge: Bridge,
    at: At,
    runs: u8,
    /// Ids of decisions, in the order in which they were recorded: `$1`, `$2`, …
    decisions: Vec<String>,
    /// Ids of announcements, in the order in which they were recorded: `@1`, `@2`, …
    announcements: Vec<String>,
    /// Decisions that were recorded as allowed and have let nothing out yet.
    allowed: BTreeSet<String>,
    tokens: Tokens,
    /// Whether the journal was last said to be writable.
    has_journal: bool,
}

impl House {
    /// A house with a running and connected bridge.
    pub(super) fn open(
        config: Rc<Config>,
        policies: Vec<ScriptSource>,
        integrations: Vec<ScriptSource>,
        utc: Timestamp,
        zone: TimeZone,
    ) -> Result<House, String> {
        let at = At { monotonic_ms: START_MS, utc };
        let mut out = Vec::new();
        let setup = Setup {
            config: Rc::clone(&config),
            sources: policies.clone(),
            seed: [1; 32],
            integrations: integrations.clone(),
            stopwatch: None,
            saved: None,
        };
        let bridge = start(setup, at, &mut out)?;
        let mut house = House {
            config,
            zone,
            policies,
            integrations,
            bridge,
            at,
            runs: 1,
            decisions: Vec::new(),
            announcements: Vec::new(),
            allowed: BTreeSet::new(),
            tokens: Tokens::default(),
            has_journal: true,
        };
        house.bridge.event(at, Event::Connected, &mut out);
        match house.look_at(out).into_iter().find(|item| item.fields.contains_key("fault")) {
            Some(fault) => Err(format!("{:?}", fault.fields)),
            None => Ok(house),
        }
    }

    /// Whether the bridge says there how it is doing itself.
    pub(super) fn is_own_topic(&self, topic: &str) -> bool {
        topic::is_under(topic, &self.config.base) || topic == announcement_topic(&self.config)
    }

    /// Lets a step happen, and tells what was seen.
    pub(super) fn take(&mut self, step: &Step) -> Result<Vec<Item>, String> {
        let mut seen = Vec::new();
        for _ in 0..step.times {
            let mut out = Vec::new();
            self.happen(&step.happening, &mut out)?;
            seen.extend(self.look_at(out));
        }
        Ok(seen)
    }

    fn happen(&mut self, happening: &Happening, out: &mut Vec<Output>) -> Result<(), String> {
        let base = self.config.base.clone();
        match happening {
            Happening::Gate(publish) => self.receive(&publish.message(format!("{base}/gate/{}", publish.topic))?, out),
            Happening::Publish(publish) => {
                let message = publish.message(self.with_ids(&publish.topic))?;
                let payload = self.with_ids(&self.tokens.filled_in(&payload_text(&publish.payload))?);
                self.receive(&Message { payload: payload.into(), ..message }, out);
            }
            Happening::Seen(seen) => self.see(seen, out)?,
            Happening::Canary(canary) => {
                let canary = Canary { enforcement: canary.enforcement, reason: canary.reason.clone() };
                self.bridge.event(self.at, Event::Canary(canary), out);
            }
            Happening::Ask(ask) => self.receive(&ask.message(&base), out),
            Happening::Facts(facts) => self.learn(facts, out)?,
            Happening::Event(event) => self.bridge.event(self.at, Event::House(event.clone()), out),
            Happening::Answer(answer) => {
                let message =
                    answer.message(&self.config.base, &self.tokens, self.at.utc, |text| self.with_ids(text))?;
                self.receive(&message, out);
            }
            Happening::Reload(texts) => {
                // A refused set leaves the old one, and the next start finds what was refused.
                self.policies = sources(texts);
                self.bridge.event(self.at, Event::Reload(Ok(self.policies.clone())), out);
            }
            Happening::Integrations(texts) => {
                self.integrations = sources(texts);
                self.bridge.event(self.at, Event::Integrations(Ok(self.integrations.clone())), out);
            }
            Happening::Clock(civil) => {
                self.at.utc = self.zone.to_timestamp(*civil).map_err(|error| error.to_string())?;
                self.bridge.event(self.at, Event::Tick, out);
            }
            Happening::After(duration_ms) => self.pass(*duration_ms, out)?,
            Happening::Restart(restart) => self.restart(restart, out)?,
            Happening::Journal(writable) => {
                self.has_journal = writable.is_ok();
                self.bridge.event(self.at, Event::Journal(writable.clone()), out);
            }
            Happening::Connected => self.bridge.event(self.at, Event::Connected, out),
            Happening::Disconnected(reason) => {
                self.bridge.event(self.at, Event::Disconnected { reason: reason.clone() }, out);
            }
        }
        Ok(())
    }

    fn receive(&mut self, message: &Message, out: &mut Vec<Output>) {
        self.bridge.message(self.at, message, out);
    }

    /// A command is seen on a topic of the house, as the wire tells of it.
    fn see(&mut self, seen: &SeenCommand, out: &mut Vec<Output>) -> Result<(), String> {
        if seen.door.holds() {
            return Err("expected `door: watch` or `door: bypass` in `seen`".to_owned());
        }
        let payload = payload_text(&seen.payload);
        let request = self.bridge.engine().registry().read_command(&seen.topic, payload.as_bytes(), seen.door);
        let request = request.ok_or_else(|| format!("expected a known command topic, found `{}`", seen.topic))?;
        let undo = seen.undo.as_ref().map(|undo| Command {
            topic: undo.topic.clone(),
            payload: payload_text(&undo.payload).into(),
            qos: Qos::AtLeastOnce,
            expiry_s: None,
        });
        let arrival = Arrival { request, held: Held::Seen { undo }, reply: None };
        self.bridge.event(self.at, Event::Arrival(Box::new(arrival)), out);
        Ok(())
    }

    /// Lets time pass, and stops at each deadline on the way.
    fn pass(&mut self, duration_ms: u64, out: &mut Vec<Output>) -> Result<(), String> {
        let end_ms = self.at.monotonic_ms.saturating_add(duration_ms);
        for _ in 0..TICKS_MAX {
            let Some(deadline_ms) = self.bridge.next_deadline().filter(|deadline_ms| *deadline_ms <= end_ms) else {
                self.at = self.at.plus_ms(end_ms.saturating_sub(self.at.monotonic_ms));
                return Ok(());
            };
            self.at = self.at.plus_ms(deadline_ms.saturating_sub(self.at.monotonic_ms));
            self.bridge.event(self.at, Event::Tick, out);
        }
        Err(format!("expected at most {TICKS_MAX} deadlines in one step"))
    }

    fn restart(&mut self, restart: &Restart, out: &mut Vec<Output>) -> Result<(), String> {
        // Through its written form, as a store keeps it.
        let kept = serde_json::to_string(&self.bridge.engine().durable()).map_err(|error| error.to_string())?;
        let kept = serde_json::from_str(&kept).map_err(|error| error.to_string())?;
        let saved = (!restart.lost).then_some((kept, self.at));
        let utc = match restart.clock {
            Some(civil) => self.zone.to_timestamp(civil).map_err(|error| error.to_string())?,
            None => {
                let away = SignedDuration::from_millis(i64::try_from(restart.away).unwrap_or(i64::MAX));
                self.at.utc.checked_add(away).map_err(|error| error.to_string())?
            }
        };
        self.at = At { monotonic_ms: RESTART_MS, utc };
        self.runs = self.runs.wrapping_add(1);
        let setup = Setup {
            config: Rc::clone(&self.config),
            sources: self.policies.clone(),
            seed: [self.runs; 32],
            integrations: self.integrations.clone(),
            stopwatch: None,
            saved,
        };
        self.bridge = start(setup, self.at, out)?;
        self.bridge.event(self.at, Event::Connected, out);
        Ok(())
    }

    /// Facts come as Home Assistant's statestream sends them, or without one straight to the core.
    fn learn(&mut self, facts: &BTreeMap<String, Value>, out: &mut Vec<Output>) -> Result<(), String> {
        for (entity, told) in facts {
            let attributes = match told {
                Value::Object(attributes) => attributes.clone(),
                _ => serde_json::Map::from_iter([("state".to_owned(), told.clone())]),
            };
            let (domain, object) = entity
                .split_once('.')
                .ok_or_else(|| format!("expected an entity such as `lock.front_door`, found `{entity}`"))?;
            for (name, value) in attributes {
                let is_state = name == "state";
                let Some(stream) = &self.config.statestream else {
                    let attribute = (!is_state).then_some(name);
                    let value = (!value.is_null()).then_some(value);
                    let change = FactChange { entity: entity.clone(), attribute, value };
                    self.bridge.event(self.at, Event::Fact(change), out);
                    continue;
                };
                let payload = match &value {
                    Value::Null => "unknown".to_owned(),
                    value if is_state => payload_text(value),
                    value => value.to_string(),
                };
                let message = Message::live(format!("{stream}/{domain}/{object}/{name}"), payload);
                self.receive(&message, out);
            }
        }
        Ok(())
    }

    /// The text with the ids of decisions for `$1`, `$2`, …, and those of announcements for `@1`, `@2`, …
    fn with_ids(&self, text: &str) -> String {
        let named = self.names().rev();
        named.fold(text.to_owned(), |text, (name, id)| text.replace(&name, id))
    }

    /// The ids that have names, with these.
    fn names(&self) -> impl DoubleEndedIterator<Item = (String, &str)> {
        let decisions = self.decisions.iter().enumerate().map(|(index, id)| (format!("${}", index + 1), id.as_str()));
        let announcements = self.announcements.iter().enumerate();
        decisions.chain(announcements.map(|(index, id)| (format!("@{}", index + 1), id.as_str())))
    }

    /// What was put out, as items, with faults where the bridge broke a promise.
    fn look_at(&mut self, out: Vec<Output>) -> Vec<Item> {
        let mut seen = Vec::new();
        for output in out {
            let item = match output {
                Output::Store(_) => continue,
                Output::Journal(record) => {
                    if let Entry::Decision { decision } = &record.entry {
                        self.decisions.push(decision.id.clone());
                        // A revert is the bridge's own hand: it leaves by the decision that it puts right.
                        let is_held = decision.request.door.holds() && decision.applied == Verdict::Allow;
                        if is_held || decision.grade == Grade::Reverted {
                            self.allowed.insert(decision.id.clone());
                        }
                    }
                    if let Entry::Announced { announcement: Some(id), .. } = &record.entry {
                        self.announcements.push(id.clone());
                    }
                    Item::record(&record)
                }
                Output::Forward(permit) => {
                    let allowed_by = permit.decision().to_owned();
                    if permit.needs_record() && !self.has_journal {
                        seen.push(Item::fault("a sensitive command left while the journal cannot be written"));
                    }
                    if !self.allowed.remove(&allowed_by) {
                        seen.push(Item::fault("a command left without a recorded decision of its own that allows it"));
                    }
                    Item::forward(&permit.into_message(), &allowed_by)
                }
                Output::Send(message) | Output::SendRecorded(message) => {
                    self.tokens.note(&self.config.base, &message);
                    Item::message(&message)
                }
            };
            if let Some(fault) = self.leak(&item) {
                seen.push(fault);
            }
            seen.push(self.with_names(item));
        }
        seen
    }

    /// A token is seen by the channel to which it was sent, and by nobody else: by its prompt, by what is configured to be
    /// sent to it, by the speaker through which it is asked, and where the owner has given the channel to the buttons in Home
    /// Assistant, behind the mirror prefix.
    fn leak(&self, item: &Item) -> Option<Item> {
        let text = Value::Object(item.fields.clone()).to_string();
        let own = item.message_topic().unwrap_or_default();
        let is_mirrored = topic::is_under(own, &format!("{}/homeassistant", self.config.base));
        let may_see = |channel: &str| {
            let is_button = is_mirrored && self.config.home_assistant.channel.as_deref() == Some(channel);
            let is_prompt = own == format!("{}/prompt/{channel}", self.config.base);
            let channel = self.config.channels.get(channel);
            let asks = channel.map(|channel| channel.ask.as_slice()).unwrap_or_default();
            // What an integration sends is on topics of its own, or is carried out by Home Assistant.
            let is_outside = !topic::is_under(own, &self.config.base) || own == format!("{}/act", self.config.base);
            let is_spoken = is_outside && channel.is_some_and(|channel| channel.speaker.is_some());
            is_prompt || is_button || is_spoken || asks.iter().any(|ask| ask.topic.as_str() == own)
        };
        let channel = self.tokens.told_in(&text).find(|channel| !may_see(channel))?;
        Some(Item::fault(&format!("a token of `{channel}` was told elsewhere")))
    }

    /// The item with `$1` for the first decision's id, and `@1` for the first announcement's.
    fn with_names(&self, item: Item) -> Item {
        let fields = item.fields.into_iter().map(|(name, value)| (name, self.renamed(value))).collect();
        Item { fields }
    }

    fn renamed(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.named(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.renamed(item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (name, self.renamed(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other,
        }
    }

    fn named(&self, text: &str) -> String {
        let mut named = text.to_owned();
        for (name, id) in self.names() {
            if named.contains(id) {
                named = named.replace(id, &name);
            }
        }
        named
    }
}

fn start(setup: Setup, at: At, out: &mut Vec<Output>) -> Result<Bridge, String> {
    Bridge::start(setup, at, out).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(Diagnostic::one_line).collect();
        errors.join("\n")
    })
}

impl Publish {
    fn message(&self, topic: String) -> Result<Message, String> {
        let qos = match self.qos {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            other => return Err(format!("expected `qos` 0 or 1, found `{other}`")),
        };
        Ok(Message {
            topic,
            payload: payload_text(&self.payload).into(),
            qos,
            retain: self.retain,
            expiry_s: self.expiry_s,
            reply: reply(self.reply.as_ref(), self.correlation.as_ref()),
        })
    }
}

impl Ask {
    fn message(&self, base: &str) -> Message {
        let topic = self.channel.as_ref().map_or_else(|| format!("{base}/ask"), |name| format!("{base}/ask/{name}"));
        Message {
            retain: self.retain,
            reply: reply(self.reply.as_ref(), self.correlation.as_ref()),
            ..Message::live(topic, self.payload().to_string())
        }
    }
}

fn reply(topic: Option<&String>, correlation: Option<&String>) -> Option<ReplyTo> {
    let correlation = correlation.map(|text| text.clone().into_bytes().into());
    topic.map(|topic| ReplyTo { topic: topic.clone(), correlation })
}
