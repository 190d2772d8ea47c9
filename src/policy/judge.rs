//! One policy, and asking it.
//!
//! An evaluation ends with a reaction whatever the script does: a failure is a part of it, never a panic.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Dynamic, Scope};

use super::View;
use super::call::{Call, Hook, Profile, State};
use super::header::{Header, OnError};
use super::host::Host;
use super::reaction::Reaction;
use super::values::{EventValue, RequestValue, VerdictValue};
use crate::model::decision::{PolicyError, Verdict};
use crate::model::glob::Glob;
use crate::model::message::Message;
use crate::model::mode::Mode;
use crate::model::request::{HouseEvent, Request};
use crate::model::topic::TopicFilter;
use crate::script::bodies::Entry;
use crate::script::diagnostics::Place;
use crate::script::failure::Failure;
use crate::script::kinds::shown;
use crate::script::message::MessageValue;

/// One loaded policy.
#[derive(Debug)]
pub struct Policy {
    pub(super) file: String,
    pub(super) summary: String,
    pub(super) header: Header,
    pub(super) hooks: BTreeMap<Hook, Entry>,
    pub(super) host: Rc<Host>,
    pub(super) profile: Rc<Profile>,
}

impl Policy {
    /// The file's name without its ending.
    pub fn name(&self) -> &str {
        &self.profile.name
    }

    /// The path as the owner knows it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether the policy itself wants to be acted on.
    pub fn mode(&self) -> Mode {
        self.header.mode
    }

    /// The configured position of its switch.
    pub fn enabled(&self) -> bool {
        self.header.enabled
    }

    pub fn on_error(&self) -> OnError {
        self.header.on_error
    }

    /// The first line of its `//!` comment; empty where there is none.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Topics that it listens to.
    pub fn topics(&self) -> &[TopicFilter] {
        &self.header.topics
    }

    pub(super) fn handles_action(&self, action: &str) -> bool {
        self.hooks.contains_key(&Hook::Request) && fits(&self.header.actions, action)
    }

    pub(super) fn handles_event(&self, name: &str) -> bool {
        self.hooks.contains_key(&Hook::Event) && fits(&self.header.events, name)
    }

    pub(super) fn handles_topic(&self, topic: &str) -> bool {
        self.hooks.contains_key(&Hook::Message) && self.header.topics.iter().any(|filter| filter.matches(topic))
    }

    /// Asks for an opinion on a request.
    pub fn on_request(&self, request: &Rc<Request>, view: &View) -> Reaction {
        self.evaluate(Hook::Request, Dynamic::from(RequestValue(Rc::clone(request))), view)
    }

    /// Tells of something that happened.
    pub fn on_event(&self, event: &Rc<HouseEvent>, view: &View) -> Reaction {
        self.evaluate(Hook::Event, Dynamic::from(EventValue(Rc::clone(event))), view)
    }

    /// Tells of a message on one of its topics.
    pub fn on_message(&self, message: &Message, view: &View) -> Reaction {
        self.evaluate(Hook::Message, Dynamic::from(MessageValue::of(message)), view)
    }

    fn evaluate(&self, hook: Hook, argument: Dynamic, view: &View) -> Reaction {
        let Some(entry) = self.hooks.get(&hook) else { return Reaction::default() };
        let call = Rc::new(Call {
            profile: Rc::clone(&self.profile),
            hook,
            view: view.clone(),
            state: RefCell::new(State::default()),
        });
        let mut scope = Scope::new();
        if let [parameter] = entry.parameters.as_slice() {
            scope.push_dynamic(parameter.as_str(), argument);
        }
        self.host.meter.begin();
        let engine = &self.host.engine;
        let result = self.host.current.during(&call, || engine.eval_ast_with_scope::<Dynamic>(&mut scope, &entry.body));
        let failure = match result {
            Ok(value) if value.is_unit() || value.is::<VerdictValue>() => None,
            Ok(value) => Some(Failure { place: Place::default(), message: returned(hook, &value) }),
            Err(error) => Some(Failure::of(&error)),
        };
        let state = call.state.take();
        let operations = self.host.meter.operations();
        match failure {
            None => {
                Reaction { stated: state.stated, error: None, wishes: state.wishes, facts: state.facts, operations }
            }
            Some(failure) => {
                let error = Some(self.error(failure, entry.place));
                let stated = state.stated.filter(|stated| stated.verdict > Verdict::Allow);
                Reaction { stated, error, wishes: Vec::new(), facts: state.facts, operations }
            }
        }
    }

    fn error(&self, failure: Failure, fallback: Place) -> PolicyError {
        let place = if failure.place.line == 0 { fallback } else { failure.place };
        PolicyError {
            policy: self.profile.name.clone(),
            file: self.file.clone(),
            line: place.line,
            column: place.column,
            message: failure.message,
        }
    }
}

fn returned(hook: Hook, value: &Dynamic) -> String {
    let expected = if hook == Hook::Request { "a verdict or nothing" } else { "nothing" };
    format!("expected {expected} from `{}`, found {}", hook.name(), shown(value))
}

fn fits(patterns: &[Glob], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}
