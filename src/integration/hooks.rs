//! Calling the functions of an integration. A failure gives nothing, is told, and stops nobody else.

use rhai::{Array, Dynamic, Scope};

use super::Integrations;
use super::compile::Integration;
use super::items::{Items, SeenRequest};
use super::said::{ItemValue, SendValue};
use super::values::{Question, QuestionValue, SpeakerValue};
use crate::model::decision::PolicyError;
use crate::model::message::Message;
use crate::model::speaker::{SpeakerCommand, What};
use crate::model::topic;
use crate::script::diagnostics::Place;
use crate::script::failure::Failure;
use crate::script::kinds::shown;
use crate::script::message::MessageValue;

/// Items that one message can give, and messages that one call can send.
pub const ITEMS_MAX: usize = 32;

/// Where held intents are let go to, whatever `SENDS` says.
pub(super) fn intents(base: &str) -> String {
    format!("{base}/intent")
}

impl Integrations {
    /// What mutes a speaker, lets it speak or prepares it. A speaker without an integration is sent nothing here.
    pub fn to_speaker(&self, speaker: &str, command: &SpeakerCommand) -> Vec<Message> {
        let of = |what: &What| Dynamic::from(what.name());
        match command {
            SpeakerCommand::Mute { what } => self.send(speaker, "mute", vec![of(what)]),
            SpeakerCommand::Unmute { what } => self.send(speaker, "unmute", vec![of(what)]),
            SpeakerCommand::Announce { id, text } => {
                self.send(speaker, "announce", vec![text.clone().into(), id.clone().into()])
            }
            SpeakerCommand::Enforce => self.send(speaker, "enforce", Vec::new()),
            SpeakerCommand::Observe => self.send(speaker, "observe", Vec::new()),
        }
    }

    /// What puts a question through a speaker.
    pub fn ask(&self, speaker: &str, question: &Question) -> Vec<Message> {
        let failed = self.failures.borrow().len();
        let messages = self.put(speaker, "ask", question);
        // Nobody must think that a person was asked there.
        if messages.is_empty() && self.failures.borrow().len() == failed {
            let running = self.running();
            let named = self.config.speakers.get(speaker).and_then(|speaker| speaker.integration.as_ref());
            let asking = named.and_then(|name| running.get(name)).filter(|own| own.functions.contains_key("ask"));
            if let Some(integration) = asking {
                let message = format!("`ask` sends nothing: through `{speaker}` nobody is asked");
                self.fail(error(integration, place_of(integration, "ask"), message));
            }
        }
        messages
    }

    /// What ends a question that no answer is wanted to any more.
    pub fn cancel(&self, speaker: &str, question: &Question) -> Vec<Message> {
        self.put(speaker, "cancel", question)
    }

    /// Calls a function that is handed a token. What goes wrong is told without it.
    fn put(&self, speaker: &str, function: &'static str, question: &Question) -> Vec<Message> {
        let messages = self.send(speaker, function, vec![Dynamic::from(QuestionValue(question.clone()))]);
        for secret in [&question.token, &question.proof].into_iter().filter(|secret| !secret.is_empty()) {
            for failure in self.failures.borrow_mut().iter_mut() {
                failure.message = failure.message.replace(secret, "…");
            }
        }
        messages
    }

    /// Calls a function of a speaker's integration that sends.
    fn send(&self, speaker: &str, function: &'static str, arguments: Vec<Dynamic>) -> Vec<Message> {
        let running = self.running();
        let named = self.config.speakers.get(speaker).and_then(|speaker| speaker.integration.as_ref());
        let Some(integration) = named.and_then(|name| running.get(name)) else { return Vec::new() };
        let speaker = Dynamic::from(SpeakerValue { name: speaker.into() });
        let arguments = std::iter::once(speaker).chain(arguments).collect();
        let Some(values) = self.call(integration, function, arguments) else { return Vec::new() };
        let mut messages = Vec::new();
        for value in values {
            match value.clone().try_cast::<SendValue>() {
                Some(send) if send.is_act || integration.may_send(&send.message.topic) => messages.push(send.message),
                Some(send) => {
                    let reason = format!("expected a topic of `SENDS`, found `{}`", send.message.topic);
                    self.fail(error(
                        integration,
                        place_of(integration, function),
                        format!("`{function}` sends nothing: {reason}"),
                    ));
                }
                None => {
                    let message = format!("expected `send(…)` or `act(…)` from `{function}`, found {}", shown(&value));
                    self.fail(error(integration, place_of(integration, function), message));
                }
            }
        }
        messages
    }

    /// What a function gives back, as a list. `None`: there is no such function, or it failed.
    fn call(&self, integration: &Integration, function: &'static str, arguments: Vec<Dynamic>) -> Option<Vec<Dynamic>> {
        let entry = integration.functions.get(function)?;
        let mut scope = Scope::new();
        for (name, argument) in entry.parameters.iter().zip(arguments) {
            scope.push_dynamic(name.as_str(), argument);
        }
        let host = &integration.host;
        host.meter.begin();
        let evaluate = || host.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &entry.body);
        let values = match host.current.during(&integration.context, evaluate) {
            Ok(value) if value.is_unit() => Vec::new(),
            Ok(value) if value.is_array() => value.try_cast::<Array>().unwrap_or_default(),
            Ok(value) => vec![value],
            Err(failed) => {
                let Failure { place, message } = Failure::of(&failed);
                let place = if place.line == 0 { entry.place } else { place };
                self.fail(error(integration, place, message));
                return None;
            }
        };
        if values.len() > ITEMS_MAX {
            let message = format!("expected at most {ITEMS_MAX} items from `{function}`, found `{}`", values.len());
            self.fail(error(integration, entry.place, message));
            return None;
        }
        Some(values)
    }
}

pub(super) fn on_message(integrations: &Integrations, message: &Message) -> Items {
    let mut items = Items::default();
    for integration in integrations.running().values().filter(|integration| integration.reads(&message.topic)) {
        let argument = Dynamic::from(MessageValue::of(message));
        for value in integrations.call(integration, "on_message", vec![argument]).unwrap_or_default() {
            match value.clone().try_cast::<ItemValue>() {
                Some(item) => take(integrations, integration, item, &mut items),
                None => {
                    let message =
                        format!("expected `event(…)`, `fact(…)`, … from `on_message`, found {}", shown(&value));
                    integrations.fail(error(integration, place_of(integration, "on_message"), message));
                }
            }
        }
    }
    items
}

fn take(integrations: &Integrations, integration: &Integration, item: ItemValue, items: &mut Items) {
    match item {
        ItemValue::Event(event) => items.events.push(event),
        ItemValue::Fact(fact) => items.facts.push(fact),
        ItemValue::Report(report) => items.reports.push(report),
        ItemValue::Answer(answer) => items.answers.push(answer),
        ItemValue::Request(request) => {
            let intents = intents(&integrations.config.base);
            let is_own = |hold: &Message| topic::is_under(&hold.topic, &intents);
            let refused = request.hold.as_ref().filter(|hold| !is_own(hold) && !integration.may_send(&hold.topic));
            if let Some(hold) = refused {
                let message = format!("expected a topic of `SENDS` to hold for, found `{}`", hold.topic);
                integrations.fail(error(integration, place_of(integration, "on_message"), message));
            } else {
                items.requests.push(*request);
            }
        }
    }
}

pub(super) fn on_command(integrations: &Integrations, message: &Message) -> Option<Vec<SeenRequest>> {
    let running = integrations.running();
    let mut readers = running.values().filter(|integration| integration.reads_commands(&message.topic)).peekable();
    readers.peek()?;
    let mut requests = Vec::new();
    for integration in readers {
        let argument = Dynamic::from(MessageValue::of(message));
        // Where one of several fails, nobody knows what it would have read: the command is unreadable for all.
        let values = integrations.call(integration, "on_command", vec![argument]);
        let Some(values) = values else { return Some(Vec::new()) };
        for value in values {
            match value.clone().try_cast::<ItemValue>() {
                Some(ItemValue::Request(request)) if request.hold.is_none() => requests.push(*request),
                _ => {
                    let message =
                        format!("expected `request(…)` without `hold` from `on_command`, found {}", shown(&value));
                    integrations.fail(error(integration, place_of(integration, "on_command"), message));
                    return Some(Vec::new());
                }
            }
        }
    }
    Some(requests)
}

/// Where a function begins: what it gives back has no place of its own.
fn place_of(integration: &Integration, function: &str) -> Place {
    integration.functions.get(function).map_or_else(Place::default, |entry| entry.place)
}

fn error(integration: &Integration, place: Place, message: String) -> PolicyError {
    PolicyError {
        policy: integration.context.name.clone(),
        file: integration.file.clone(),
        line: place.line,
        column: place.column,
        message,
    }
}
