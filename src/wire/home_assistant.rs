//! The bridge as a device in Home Assistant: what it shows there, and how it is switched from there.
//!
//! It decides nothing: its switches and buttons write the bridge's own control and answer topics, and what comes there is
//! judged like everybody else's messages. It shows no code, no data and no text of a command. It reads no clock: what
//! "today" is, it learns from the instants that it is handed.

mod announcement;
mod last;
mod problems;
mod questions;
mod speakers;
mod today;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::Wire;
use crate::config::Config;
use crate::integration::Integrations;
use crate::model::decision::{Decision, Enforcement, Verdict};
use crate::model::durable::PromptCounts;
use crate::model::event::{Entry, Publication, Record};
use crate::model::message::{Message, Qos};
use crate::model::time::At;
use crate::model::topic::TopicFilter;
pub use announcement::announcement_topic;

use announcement::Device;
use last::LastDecision;
use problems::Problems;
use questions::Questions;
use today::Today;

/// Longest text that is shown, in characters. Home Assistant takes no state that is longer.
const TEXT_CHARACTERS_MAX: usize = 255;
/// Parts of the device that went, and are still told to be gone. One more, and the first in the order of their names is
/// no longer told; Home Assistant then keeps it as unavailable until somebody deletes it there.
const GONE_MAX: usize = 256;
/// How long the buttons rest after the question that they answered has gone: whoever is about to press must not answer
/// the next one, which he has not read.
pub(super) const BUTTONS_REST_MS: u64 = 3_000;

/// What Home Assistant is shown, as far as it must be remembered. The tables are as long as there are policies and held
/// requests, or have bounds of their own.
#[derive(Debug)]
pub(super) struct HomeAssistant {
    device: Device,
    /// `<base>/home_assistant`
    root: String,
    /// Where Home Assistant says that it is there.
    birth: String,
    policies: BTreeSet<String>,
    /// Speakers that can be muted.
    speakers: BTreeSet<String>,
    /// Parts that went, with their platforms.
    gone: BTreeMap<String, String>,
    held: BTreeSet<String>,
    /// Ids of what is granted.
    grants: BTreeSet<String>,
    prompts: PromptCounts,
    questions: Questions,
    /// The question that the buttons answer.
    pressable: Option<String>,
    /// The monotonic time until which they rest.
    rest_until_ms: u64,
    now_ms: u64,
    last: LastDecision,
    problems: Problems,
    today: Today,
    enforcement: (Enforcement, String),
    policy_errors: u64,
    policy_error: Option<String>,
}

impl HomeAssistant {
    pub(super) fn new(config: &Rc<Config>, integrations: Rc<Integrations>) -> HomeAssistant {
        let device = Device::new(config, integrations);
        HomeAssistant {
            root: format!("{}/home_assistant", config.base),
            birth: format!("{}/status", config.home_assistant.discovery),
            policies: BTreeSet::new(),
            speakers: device.speakers(),
            device,
            gone: BTreeMap::new(),
            held: BTreeSet::new(),
            grants: BTreeSet::new(),
            prompts: PromptCounts::default(),
            questions: Questions::new(config.home_assistant.channel.clone()),
            pressable: None,
            rest_until_ms: 0,
            now_ms: 0,
            last: LastDecision::default(),
            problems: Problems::default(),
            today: Today::new(config.place.zone.clone()),
            enforcement: (Enforcement::Unproven, "nobody has looked yet".to_owned()),
            policy_errors: 0,
            policy_error: None,
        }
    }

    /// What it listens to.
    pub(super) fn subscriptions(&self) -> Vec<TopicFilter> {
        let topics = self.device.topics().into_iter().chain([self.birth.as_str()]);
        topics.filter_map(|topic| TopicFilter::new(topic).ok()).collect()
    }

    /// Whether the device is announced on this topic.
    pub(super) fn announces_on(&self, topic: &str) -> bool {
        self.device.topics().contains(&topic)
    }

    /// Home Assistant says that it is there, and wants to hear of everything again.
    fn is_birth(&self, message: &Message) -> bool {
        !message.retain && message.topic == self.birth && message.payload == "online"
    }

    /// An announcement that an earlier run has left: what it names and this one does not have is gone.
    fn recall(&mut self, message: &Message) -> Vec<Message> {
        let is_readable = message.retain && message.payload.len() <= super::PAYLOAD_BYTES_MAX;
        if !is_readable || !self.device.is_main(&message.topic) {
            return Vec::new();
        }
        let known = self.device.parts(&self.policies);
        let mut left = announcement::parts_of(&message.payload);
        left.retain(|key, _| !known.contains(key) && !self.gone.contains_key(key));
        if left.is_empty() {
            return Vec::new();
        }
        self.lose(left);
        self.announce()
    }

    fn lose(&mut self, parts: BTreeMap<String, String>) {
        self.gone.extend(parts);
        while self.gone.len() > GONE_MAX {
            self.gone.pop_first();
        }
    }

    /// What Home Assistant is told of a publication.
    fn publication(&mut self, publication: &Publication) -> Vec<Message> {
        match publication {
            Publication::Info { policies, .. } => return self.have_policies(policies),
            Publication::Pending(pending) => {
                self.held.insert(pending.id.clone());
            }
            Publication::PendingOver { id } => {
                self.held.remove(id);
                self.questions.over(id);
            }
            Publication::GrantState { id, grant } => {
                if grant.is_some() {
                    self.grants.insert(id.clone());
                } else {
                    self.grants.remove(id);
                }
                return vec![self.numbers()];
            }
            Publication::Prompts(counts) => {
                self.prompts.clone_from(counts);
                return vec![self.numbers()];
            }
            Publication::Prompt { channel, pending, token } => self.questions.asked(channel, pending, token),
            Publication::PromptOver { channel, id } if self.questions.is_of(channel) => self.questions.over(id),
            _ => return Vec::new(),
        }
        let mut messages = vec![self.numbers()];
        messages.extend(self.question());
        messages
    }

    /// What Home Assistant is told of a record.
    fn record(&mut self, record: &Record) -> Vec<Message> {
        let mut messages = self.time_passes(record.at);
        match &record.entry {
            Entry::Decision { decision } => messages.extend(self.decided(decision)),
            Entry::PolicyFailed { error } => {
                self.policy_errors = self.policy_errors.saturating_add(1);
                let place = format!("{}:{}:{}", error.file, error.line, error.column);
                self.policy_error = Some(cut(&format!("{place}: {}", error.message)).into_owned());
                messages.push(self.numbers());
            }
            Entry::IntegrationsReloaded { .. } => messages.extend(self.have_integrations()),
            Entry::Canary { enforcement, reason } => {
                self.enforcement = (*enforcement, cut(reason).into_owned());
                messages.push(self.numbers());
            }
            _ => {}
        }
        if self.problems.record(record) {
            messages.push(self.problem());
        }
        messages
    }

    /// At midnight what was counted today is over, and so are the forgeries that were told.
    fn time_passes(&mut self, at: Timestamp) -> Vec<Message> {
        if !self.today.passes(at) {
            return Vec::new();
        }
        self.problems.a_day_ends();
        self.prompts.today = 0;
        self.prompts.by_policy.clear();
        vec![self.numbers(), self.problem()]
    }

    fn have_policies(&mut self, policies: &[String]) -> Vec<Message> {
        let policies: BTreeSet<String> = policies.iter().cloned().collect();
        let went = self.policies.difference(&policies).map(|name| Device::policy_part(name));
        let went: BTreeMap<String, String> = went.collect();
        self.policies = policies;
        self.lose(went);
        let mut messages = self.announce_all();
        messages.extend([self.numbers(), self.problem()]);
        messages.extend(self.question());
        messages
    }

    /// Other speakers may be muted now than before.
    fn have_integrations(&mut self) -> Vec<Message> {
        let speakers = self.device.speakers();
        let went = self.speakers.difference(&speakers).map(|name| Device::mute_part(name));
        let went: BTreeMap<String, String> = went.collect();
        self.speakers = speakers;
        self.lose(went);
        self.announce_all()
    }

    /// Announces what is there. What is here again is not gone.
    fn announce_all(&mut self) -> Vec<Message> {
        let known = self.device.parts(&self.policies);
        self.gone.retain(|key, _| !known.contains(key));
        self.announce()
    }

    fn announce(&self) -> Vec<Message> {
        self.device.announce(&self.policies, &self.gone)
    }

    /// Each decision is an event, which nobody waits to be acknowledged: what counts is in the log. The state that shows the
    /// last one is stored, and follows in its own time.
    fn decided(&mut self, decision: &Decision) -> Vec<Message> {
        let body = Bytes::from(last::told(decision));
        self.last.decided(body.clone());
        let event = Message { qos: Qos::AtMostOnce, ..Message::live(format!("{}/decision", self.root), body) };
        let mut messages = vec![event];
        messages.extend(self.last_decision());
        if decision.verdict == Verdict::Deny {
            self.today.count(decision.applied == Verdict::Deny);
            messages.push(self.numbers());
        }
        messages
    }

    fn last_decision(&mut self) -> Option<Message> {
        let body = self.last.take_due(self.now_ms)?;
        Some(Message::retained(format!("{}/last_decision", self.root), body))
    }

    fn numbers(&self) -> Message {
        let (enforcement, reason) = &self.enforcement;
        let body = json!({
            "pending": self.held.len(),
            "grants": self.grants.len(),
            "prompts_today": self.prompts.today,
            "prompts_by_policy": self.prompts.by_policy,
            "approval_rate": self.prompts.approval_rate,
            "denied_today": self.today.denied(),
            "observed_today": self.today.observed(),
            "policy_errors": self.policy_errors,
            "policy_error": self.policy_error,
            "enforcement": enforcement,
            "enforcement_reason": reason,
        });
        Message::retained(format!("{}/state", self.root), body.to_string())
    }

    fn problem(&self) -> Message {
        Message::retained(format!("{}/problem", self.root), self.problems.told().to_string())
    }

    /// The question that waits longest, then the buttons that answer it: in this order, so that no button ever answers a
    /// question that is not shown yet.
    fn question(&mut self) -> Vec<Message> {
        let Some(channel) = self.questions.channel() else { return Vec::new() };
        let shown = self.questions.shown();
        let id = shown.map(|question| question.pending.id.as_str());
        if self.pressable.as_deref() != id {
            if self.pressable.take().is_some() {
                self.rest_until_ms = self.now_ms.saturating_add(BUTTONS_REST_MS);
            }
            if self.now_ms >= self.rest_until_ms {
                self.pressable = id.map(str::to_owned);
            }
        }
        let answered = shown.filter(|question| self.pressable.as_deref() == Some(question.pending.id.as_str()));
        let told = self.questions.told(answered.is_some()).to_string();
        let text = Message::retained(format!("{}/question", self.root), told);
        vec![text, self.device.buttons(channel, answered)]
    }

    /// When something is to be told that waits, on the monotonic clock. `None`: nothing does.
    fn deadline_ms(&self) -> Option<u64> {
        self.rest_ends_ms().into_iter().chain(self.last.due_ms()).min()
    }

    /// When the buttons have rested. `None`: nothing waits for that.
    fn rest_ends_ms(&self) -> Option<u64> {
        (self.pressable.is_none() && self.questions.shown().is_some()).then_some(self.rest_until_ms)
    }

    /// The buttons have rested, or the last decision was kept back for long enough.
    fn wake(&mut self, now_ms: u64) -> Vec<Message> {
        self.now_ms = now_ms;
        let has_rested = self.rest_ends_ms().is_some_and(|end_ms| now_ms >= end_ms);
        let mut messages = if has_rested { self.question() } else { Vec::new() };
        messages.extend(self.last_decision());
        messages
    }
}

/// A text that is no longer than Home Assistant shows.
fn cut(text: &str) -> Cow<'_, str> {
    // No character is shorter than one byte, so most texts need not be counted.
    if text.len() <= TEXT_CHARACTERS_MAX || text.chars().count() <= TEXT_CHARACTERS_MAX {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(TEXT_CHARACTERS_MAX - 1).collect();
    short.push('…');
    Cow::Owned(short)
}

impl Wire {
    /// Time passes without a record. Cheap until a day is over, or something is due that was kept back.
    pub fn time_passes(&mut self, at: At) -> Vec<Message> {
        let mut messages = self.home_assistant.time_passes(at.utc);
        messages.extend(self.home_assistant.wake(at.monotonic_ms));
        self.keep(messages)
    }

    /// When `time_passes` must be called, on the monotonic clock in milliseconds.
    pub(super) fn shown_deadline(&self) -> Option<u64> {
        self.home_assistant.deadline_ms()
    }

    pub(super) fn show_publication(&mut self, publication: &Publication) -> Vec<Message> {
        let messages = self.home_assistant.publication(publication);
        self.keep(messages)
    }

    pub(super) fn show_record(&mut self, record: &Record) -> Vec<Message> {
        let messages = self.home_assistant.record(record);
        self.keep(messages)
    }

    /// What an earlier run has announced and this one must take back.
    pub(super) fn recall(&mut self, message: &Message) -> Vec<Message> {
        let messages = self.home_assistant.recall(message);
        self.keep(messages)
    }

    /// Where Home Assistant says that it is there: everything that is announced, and what its phone is asked, since an
    /// automation that waited for the answer ended with it. Else nothing.
    pub(super) fn greet(&self, message: &Message) -> Vec<Message> {
        let shown = &self.home_assistant;
        if !shown.is_birth(message) {
            return Vec::new();
        }
        let announced = shown.device.topics().into_iter().filter_map(|topic| self.own.get(topic).cloned());
        let channel = shown.questions.channel().unwrap_or_default();
        let asked = shown.questions.all().map(|question| self.prompt(channel, &question.pending, &question.token));
        announced.chain(asked).collect()
    }

    /// Leaves out what is stored already, and remembers the rest.
    fn keep(&mut self, messages: Vec<Message>) -> Vec<Message> {
        let own = &mut self.own;
        let kept = |message: Message| match own.get(&message.topic) {
            Some(stored) if *stored == message => None,
            _ if message.retain => Some(own.store(message)),
            _ => Some(message),
        };
        messages.into_iter().filter_map(kept).collect()
    }
}

#[cfg(test)]
mod tests;
