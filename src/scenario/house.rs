//! A house in virtual time: a bridge, its clock, and what was sent to the channels.
//!
//! What happens goes in as MQTT messages wherever a message can bring it. Some things must never happen, whatever a
//! scenario expects; they show as `fault` among what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::header::sources;
use super::item::Item;
use super::steps::{AnswerText, Ask, Happening, Publish, Says, SeenCommand, Step, Token, payload_text};
use crate::bridge::{Bridge, Output, Setup};
use crate::config::Config;
use crate::model::decision::{Grade, Verdict};
use crate::model::event::{Canary, Entry, Event, PolicySource};
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

/// A token that nobody was sent.
const WRONG_TOKEN: &str = "00000000000000000000000000000000";

pub(super) struct House {
    config: Rc<Config>,
    zone: TimeZone,
    policies: Vec<PolicySource>,
    bridge: Bridge,
    at: At,
    runs: u8,
    /// Ids of decisions, in the order in which they were recorded: `$1`, `$2`, …
    decisions: Vec<String>,
    /// Decisions that were recorded as allowed and have let nothing out yet.
    allowed: BTreeSet<String>,
    /// Tokens by channel and request, oldest first.
    tokens: BTreeMap<(String, String), Vec<String>>,
    asked_last: Option<String>,
}

impl House {
    /// A house with a running and connected bridge.
    pub(super) fn open(
        config: Rc<Config>,
        policies: Vec<PolicySource>,
        utc: Timestamp,
        zone: TimeZone,
    ) -> Result<House, String> {
        let at = At { monotonic_ms: START_MS, utc };
        let mut out = Vec::new();
        let setup = Setup {
            config: Rc::clone(&config),
            sources: policies.clone(),
            seed: [1; 32],
            stopwatch: None,
            saved: None,
        };
        let bridge = start(setup, at, &mut out)?;
        let mut house = House {
            config,
            zone,
            policies,
            bridge,
            at,
            runs: 1,
            decisions: Vec::new(),
            allowed: BTreeSet::new(),
            tokens: BTreeMap::new(),
            asked_last: None,
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
            Happening::Publish(publish) => self.receive(&publish.message(self.with_ids(&publish.topic))?, out),
            Happening::Seen(seen) => self.see(seen, out)?,
            Happening::Canary(canary) => {
                let canary = Canary { enforcement: canary.enforcement, reason: canary.reason.clone() };
                self.bridge.event(self.at, Event::Canary(canary), out);
            }
            Happening::Ask(ask) => self.receive(&ask.message(&base), out),
            Happening::Facts(facts) => self.learn(facts, out)?,
            Happening::Event(event) => self.bridge.event(self.at, Event::House(event.clone()), out),
            Happening::Answer(answer) => self.answer(answer, out)?,
            Happening::Reload(texts) => {
                // A refused set leaves the old one, and the next start finds what was refused.
                self.policies = sources(texts);
                self.bridge.event(self.at, Event::Reload(Ok(self.policies.clone())), out);
            }
            Happening::Clock(civil) => {
                self.at.utc = self.zone.to_timestamp(*civil).map_err(|error| error.to_string())?;
                self.bridge.event(self.at, Event::Tick, out);
            }
            Happening::After(duration_ms) => self.pass(*duration_ms, out)?,
            Happening::Restart(restart) => self.restart(restart.away, out)?,
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

    fn restart(&mut self, away_ms: u64, out: &mut Vec<Output>) -> Result<(), String> {
        let saved = Some((self.bridge.engine().durable(), self.at));
        let away = SignedDuration::from_millis(i64::try_from(away_ms).unwrap_or(i64::MAX));
        let utc = self.at.utc.checked_add(away).map_err(|error| error.to_string())?;
        self.at = At { monotonic_ms: RESTART_MS, utc };
        self.runs = self.runs.wrapping_add(1);
        let setup = Setup {
            config: Rc::clone(&self.config),
            sources: self.policies.clone(),
            seed: [self.runs; 32],
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

    fn answer(&mut self, answer: &AnswerText, out: &mut Vec<Output>) -> Result<(), String> {
        let id = match answer.id.as_str() {
            "last" => self.asked_last.clone().ok_or("nothing was asked yet")?,
            id => self.with_ids(id),
        };
        let channel = &answer.channel;
        let token = match &answer.token {
            Token::None => None,
            Token::Wrong => Some(WRONG_TOKEN.to_owned()),
            Token::Right => Some(self.token(channel, &id, 0)?),
            Token::Old => Some(self.token(channel, &id, 1)?),
            Token::Of(other) => Some(self.token(other, &id, 0)?),
        };
        let word = match answer.says {
            Says::Approve => "approve",
            Says::Reject => "reject",
        };
        let payload = token.map_or_else(|| word.to_owned(), |token| format!("{word} {token}"));
        let topic = format!("{}/confirm/{channel}/{id}", self.config.base);
        self.receive(&Message::live(topic, payload), out);
        Ok(())
    }

    /// A token that a channel was sent: the latest for `back` 0, the one before it for 1.
    fn token(&self, channel: &str, id: &str, back: usize) -> Result<String, String> {
        let tokens = self.tokens.get(&(channel.to_owned(), id.to_owned()));
        let token = tokens.and_then(|tokens| tokens.iter().rev().nth(back));
        token.cloned().ok_or_else(|| {
            let id = self.named(id);
            let which = if back == 0 { "token" } else { "earlier token" };
            format!("no {which} was sent to `{channel}` for `{id}`")
        })
    }

    /// The text with the ids of decisions for `$1`, `$2`, …
    fn with_ids(&self, text: &str) -> String {
        let numbered = self.decisions.iter().enumerate().rev();
        numbered.fold(text.to_owned(), |text, (index, id)| text.replace(&format!("${}", index + 1), id))
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
                    Item::record(&record)
                }
                Output::Forward(permit) => {
                    let allowed_by = permit.decision().to_owned();
                    if !self.allowed.remove(&allowed_by) {
                        seen.push(Item::fault("a command left without a recorded decision of its own that allows it"));
                    }
                    Item::forward(&permit.into_message(), &allowed_by)
                }
                Output::Send(message) | Output::SendRecorded(message) => {
                    self.note_prompt(&message);
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

    /// Keeps the token of a question that is put to a channel.
    fn note_prompt(&mut self, message: &Message) {
        let Some(channel) = message.topic.strip_prefix(&format!("{}/prompt/", self.config.base)) else { return };
        let Ok(prompt) = serde_json::from_slice::<Value>(&message.payload) else { return };
        let text = |name: &str| prompt.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(id), Some(token)) = (text("id"), text("token")) {
            let tokens = self.tokens.entry((channel.to_owned(), id.clone())).or_default();
            if tokens.last() != Some(&token) {
                tokens.push(token);
            }
            self.asked_last = Some(id);
        }
    }

    /// A token is seen by the channel to which it was sent, and by nobody else: by its prompt, and where the owner has given
    /// the channel to the buttons in Home Assistant, behind the mirror prefix.
    fn leak(&self, item: &Item) -> Option<Item> {
        let text = Value::Object(item.fields.clone()).to_string();
        let own = item.message_topic().unwrap_or_default();
        let is_mirrored = topic::is_under(own, &format!("{}/homeassistant", self.config.base));
        let is_told = |((channel, _), tokens): &(&(String, String), &Vec<String>)| {
            let is_button = is_mirrored && self.config.home_assistant.channel.as_ref() == Some(channel);
            let is_prompt = own == format!("{}/prompt/{channel}", self.config.base);
            !is_prompt && !is_button && tokens.iter().any(|token| text.contains(token))
        };
        let ((channel, _), _) = self.tokens.iter().find(is_told)?;
        Some(Item::fault(&format!("a token of `{channel}` was told elsewhere")))
    }

    /// The item with `$1` for the first decision's id.
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
        for (index, id) in self.decisions.iter().enumerate() {
            if named.contains(id.as_str()) {
                named = named.replace(id.as_str(), &format!("${}", index + 1));
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
