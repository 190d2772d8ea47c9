//! Traces in Home Assistant's streams: what is remembered of them, and what is judged.
//!
//! A call for an entity that a command topic of ours reaches is only remembered: its command comes through the gate or
//! is seen on its own topic, and is judged there. Every other call is judged here, after the fact. The bridge's own calls
//! are recognised and left alone.

use serde_json::{Map, Value};

use super::{Engine, Turn};
use crate::model::action::Class;
use crate::model::event::Trace;
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Door, Held, Request, SourceKind};
use crate::model::time::At;

/// Calls in the streams that are judged within `WATCHED_WINDOW_MS`. One who lets every decision cause a call would never
/// come to an end.
pub const WATCHED_CALLS_MAX: usize = 64;
/// The window in which judged calls are counted.
pub const WATCHED_WINDOW_MS: u64 = 10_000;

/// The domain whose services work on entities of any other one.
const GENERAL: &str = "homeassistant";

/// How the automations of the bridge's own package begin.
const OWN_AUTOMATIONS: &str = "automation.hushgate_";

/// Where, below the base, Home Assistant is told what to do.
const ACT: &str = "act";

/// Calls that were judged in the present window.
#[derive(Debug, Default)]
pub(super) struct Watched {
    since_ms: u64,
    count: usize,
}

impl Watched {
    fn is_full(&mut self, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.since_ms) >= WATCHED_WINDOW_MS {
            *self = Watched { since_ms: now_ms, count: 0 };
        }
        self.count += 1;
        self.count > WATCHED_CALLS_MAX
    }
}

impl Engine {
    /// The streams told something.
    pub(super) fn trace(&mut self, turn: &mut Turn<'_>, trace: Trace) {
        let now_ms = turn.at.monotonic_ms;
        match trace {
            Trace::Conversation { user } => self.sources.note_sentence(user, now_ms),
            Trace::Satellite { entity, state } => self.sources.note_satellite(entity, state, now_ms),
            // The package carries out what the bridge itself wants; nobody else asks by its automations.
            Trace::Automation { entity } if entity.starts_with(OWN_AUTOMATIONS) => {}
            Trace::Automation { .. } => self.sources.note_automation(now_ms),
            Trace::Call { action, entities, data } => self.note_calls(turn, &action, entities, data),
        }
    }

    fn note_calls(&mut self, turn: &mut Turn<'_>, action: &str, entities: Vec<String>, data: Map<String, Value>) {
        let now_ms = turn.at.monotonic_ms;
        let Some((domain, service)) = action.split_once('.') else { return };
        let is_general = domain == GENERAL;
        if entities.is_empty() {
            // Areas, devices, people: which entities are meant is not known, so only what matters by its name is judged.
            if !is_general && self.concerns_anybody(action) && !self.sources.take_own(action, "", now_ms) {
                self.watch(turn, action, None, data);
            }
            return;
        }
        for entity in entities {
            if self.sources.take_own(action, &entity, now_ms) {
                continue;
            }
            let of_domain = entity.split_once('.').filter(|_| is_general).map(|(own, _)| format!("{own}.{service}"));
            let action = of_domain.as_deref().unwrap_or(action);
            // The call of the entity's own domain follows a general one, and is judged.
            if !is_general && !self.registry.reaches(&entity) {
                self.watch(turn, action, Some(entity.clone()), data.clone());
            }
            // It stays for a command even so: a topic of `commands:` may carry it, whose target is told only then.
            self.sources.note_call(action, &entity, is_general, now_ms);
        }
    }

    fn concerns_anybody(&self, action: &str) -> bool {
        self.config.class_of(action) == Class::Sensitive || self.policies.for_action(action).next().is_some()
    }

    /// A call that no command topic of ours carries: judged after the fact.
    fn watch(&mut self, turn: &mut Turn<'_>, action: &str, target: Option<String>, mut data: Map<String, Value>) {
        let now_ms = turn.at.monotonic_ms;
        if self.watched.is_full(now_ms) {
            self.tell_full(turn, "calls in Home Assistant's streams", WATCHED_CALLS_MAX, action);
            return;
        }
        let text = data.remove("message").or_else(|| data.remove("text_command"));
        let text = text.and_then(|text| text.as_str().map(str::to_owned));
        // The original of a twin is guarded; whoever calls it goes round the twin.
        let is_guarded = target.as_ref().is_some_and(|entity| self.config.home_assistant.twins.contains(entity));
        let is_bypass = is_guarded && self.mode() == Mode::Enforce;
        let request = Request {
            action: action.to_owned(),
            target,
            source: self.sources.source_of(now_ms, now_ms, &self.config).unwrap_or_default(),
            door: if is_bypass { Door::Bypass } else { Door::Watch },
            data: data.into_iter().collect(),
            text,
            confidence: None,
            sensitive: false,
            heard: None,
        };
        self.take_in(turn, Arrival { request, held: Held::Seen { undo: None }, reply: None }, 0);
    }

    /// Fills in who seems to have asked, where nobody vouches for an asker.
    pub(super) fn find_source(&mut self, at: At, request: &mut Request) {
        let is_vouched = request.source.kind != SourceKind::Unknown || request.source.channel.is_some();
        if self.sources.is_silent() || is_vouched || !follows_calls(request.door) {
            return;
        }
        let Some(target) = &request.target else { return };
        let entity = self.registry.twin_of(target).filter(|_| request.door == Door::Twin);
        let entity = entity.as_deref().unwrap_or(target);
        let call_ms = self.sources.take_call(&request.action, entity, at.monotonic_ms);
        let source = call_ms.and_then(|call_ms| self.sources.source_of(call_ms, at.monotonic_ms, &self.config));
        if let Some(source) = source {
            request.source = source;
        }
    }

    /// A message leaves. Where it is Home Assistant that carries it out, its call will show in the streams.
    pub fn note_act(&mut self, at: At, topic: &str, payload: &[u8]) {
        if !self.is_act(topic) {
            return;
        }
        let Ok(act) = serde_json::from_slice::<Value>(payload) else { return };
        let Some(action) = act.get("action").and_then(Value::as_str) else { return };
        match act.pointer("/target/entity_id").or_else(|| act.pointer("/data/entity_id")) {
            None => self.sources.note_own(action, "", at.monotonic_ms),
            Some(Value::String(entity)) => self.sources.note_own(action, entity, at.monotonic_ms),
            Some(Value::Array(entities)) => {
                for entity in entities.iter().filter_map(Value::as_str) {
                    self.sources.note_own(action, entity, at.monotonic_ms);
                }
            }
            Some(_) => {}
        }
    }

    fn is_act(&self, topic: &str) -> bool {
        topic.strip_prefix(&self.config.base).and_then(|rest| rest.strip_prefix('/')) == Some(ACT)
    }
}

/// Whether a request by this door can be what a call in Home Assistant's streams has led to.
const fn follows_calls(door: Door) -> bool {
    match door {
        Door::Gate | Door::Twin | Door::Watch | Door::Bypass => true,
        Door::Ask | Door::Intent | Door::Policy | Door::Control => false,
    }
}
