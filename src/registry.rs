//! What topics and payloads mean: commands, facts and events of the house.
//!
//! It knows what the configuration says, and what devices have announced to Home Assistant by discovery. It judges
//! nothing, sends nothing, and stores nothing: a guard that must outlive the process leaves in a lesson.

mod claims;
mod commands;
pub mod coverage;
mod discovered;
pub mod discovery;
pub mod doors;
mod facts;
mod guards;
mod integrations;
pub mod mirror;
pub mod platform;
mod streams;
mod template;
pub mod twins;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::config::pattern::Names;
use crate::config::payload::{Json, Payload};
use crate::config::template::Template;
use crate::config::{Config, EventEntry};
use crate::integration::Integrations;
use crate::model::action::Class;
use crate::model::entity::{Announcement, Entity, Guard};
use crate::model::message::{Command, Message, Qos};
use crate::model::request::{Door, FactChange, HouseEvent, Request, Source};
use crate::model::topic::{self, TopicFilter};
use commands::{Chosen, Commands};
use discovered::{Discovered, Understood};

pub use discovered::Lesson;

/// Longest name of a speaker that an event tells, in bytes. A longer one is left out.
pub const SPEAKER_BYTES_MAX: usize = 64;

/// The meaning of topics: as the configuration says, and as devices have announced.
#[derive(Debug, Clone)]
pub struct Registry {
    config: Config,
    commands: Commands,
    facts: facts::Facts,
    events: Vec<EventEntry>,
    /// The topic of Home Assistant's event stream.
    eventstream: Option<String>,
    /// Engine and wire share one registry, and discovery goes on while both use it. Never borrowed across a call out.
    discovered: RefCell<Discovered>,
    integrations: Rc<Integrations>,
}

impl Registry {
    /// Without integrations.
    pub fn new(config: &Config) -> Registry {
        Registry::with_integrations(config, Rc::new(Integrations::none(config)))
    }

    pub fn with_integrations(config: &Config, integrations: Rc<Integrations>) -> Registry {
        Registry {
            integrations,
            commands: Commands::new(config),
            facts: facts::Facts::new(config),
            events: config.events.clone(),
            eventstream: config.home_assistant.eventstream.clone(),
            discovered: RefCell::new(Discovered::new(config)),
            config: config.clone(),
        }
    }

    /// What a message on a known command topic asks for. `None`: no known command topic. A known topic whose payload
    /// nobody can read is unreadable, and as sensitive as its topic.
    ///
    /// The owner's `commands:` read it, the entities that discovery has announced, and the other doors to their devices.
    /// Of these readings the strictest class wins, then what a policy may block, then what can be read, then discovery: it
    /// knows the entity by the name that Home Assistant, its streams and the rules use. The owner's channel stays known.
    pub fn read_command(&self, topic: &str, payload: &[u8], door: Door) -> Option<Request> {
        let owner = self.commands.read(topic, payload, door);
        let discovered = self.understand(topic, payload).map(|understood| self.chosen(understood, door));
        let owner = stricter(owner, integrations::read_command(&self.integrations, &self.config, topic, payload, door));
        let chosen = match (owner, discovered) {
            (Some(owner), Some(discovered)) if discovered.strictness >= owner.strictness => {
                Request { source: owner.request.source, ..discovered.request }
            }
            (Some(owner), _) => owner.request,
            (None, discovered) => discovered?.request,
        };
        Some(chosen)
    }

    fn understand(&self, topic: &str, payload: &[u8]) -> Option<Understood> {
        let (class_of, is_floor) =
            (|action: &str| self.config.class_of(action), |action: &str| self.config.is_floor(action));
        self.discovered.borrow().understand(topic, payload, &class_of, &is_floor)
    }

    fn chosen(&self, understood: Understood, door: Door) -> Chosen {
        let Understood { target, reading, is_sensitive, .. } = understood;
        let class = if is_sensitive { Class::Sensitive } else { Class::Ordinary };
        Chosen {
            strictness: (class, !self.config.is_floor(&reading.action), reading.is_readable),
            request: Request {
                action: reading.action,
                target,
                source: Source::default(),
                door,
                data: reading.data,
                text: reading.text,
                confidence: None,
                sensitive: is_sensitive,
                heard: None,
            },
        }
    }

    /// The command that would put right what a command on a discovered topic has done. `None`: nothing does.
    pub fn undo(&self, topic: &str, payload: &[u8]) -> Option<Command> {
        let Understood { entity, key, reading, .. } = self.understand(topic, payload)?;
        let (topic, payload) = platform::undo(entity.as_deref()?, &key, &reading)?;
        Some(Command { topic, payload: payload.into(), qos: Qos::AtLeastOnce, expiry_s: None })
    }

    /// Which entity a command on a discovered topic changes, and the state that should follow.
    pub fn expected(&self, topic: &str, payload: &[u8]) -> Option<(String, String)> {
        let Understood { target, reading, .. } = self.understand(topic, payload)?;
        Some((target?, reading.expected?))
    }

    /// Who asks by a configured channel.
    pub fn source(&self, channel: Option<&str>) -> Source {
        self.commands.source(channel)
    }

    /// Whether something commands on the topic, or on one of which it is a part.
    pub fn is_command_topic(&self, topic: &str) -> bool {
        self.commands.is_command_topic(topic)
            || self.integrations.is_command_topic(topic)
            || self.discovered.borrow().commands_on(topic)
    }

    /// Whether the gate carries commands to the topic: the owner names it in `commands:`, or it is guarded.
    ///
    /// What is only announced is not enough. Who may announce devices would otherwise make the bridge, which may write
    /// everywhere, write for him.
    pub fn passes_gate(&self, topic: &str) -> bool {
        self.commands.is_command_topic(topic) || self.integrations.is_command_topic(topic) || self.is_guarded(topic)
    }

    /// Whether the topic is guarded, or a part of one that is.
    pub fn is_guarded(&self, topic: &str) -> bool {
        let discovered = self.discovered.borrow();
        discovered.guards().contains(topic) || discovered.guards().is_above(topic)
    }

    /// Whether a message on this topic commands a discovered entity: it is announced as a command topic, or it is
    /// another door to the device.
    pub fn is_discovered_command(&self, topic: &str, payload: &[u8]) -> bool {
        let discovered = self.discovered.borrow();
        let is_known = discovered.is_command_topic(topic) || discovered.is_other_door(topic, payload);
        is_known || self.integrations.is_command_topic(topic)
    }

    /// Whether a message on this topic says something though it is empty: a request to Zigbee2MQTT itself.
    pub fn is_empty_request(&self, topic: &str) -> bool {
        let discovered = self.discovered.borrow();
        !discovered.is_command_topic(topic) && discovered.is_other_door(topic, b"")
    }

    /// Whether a command on this topic moves a guarded entity.
    pub fn moves_guarded(&self, topic: &str) -> bool {
        let discovered = self.discovered.borrow();
        discovered.guards().contains(topic) || discovered.leads_to_guarded(topic)
    }

    /// Whether a topic belongs to discovery, by the configured prefix or by Home Assistant's own.
    pub fn is_discovery(&self, topic: &str) -> bool {
        topic::is_discovery(topic) || self.discovered.borrow().is_discovery(topic)
    }

    /// Takes in a message, live or stored, of discovery. Any other message teaches nothing.
    pub fn learn(&self, message: &Message) -> Lesson {
        self.discovered.borrow_mut().learn(message)
    }

    /// Time passes, on the monotonic clock.
    pub fn pass_time(&self, now_ms: u64) {
        self.discovered.borrow_mut().pass_time(now_ms);
    }

    /// The guards that an earlier run has kept. Those that `home_assistant.gate` does not want any more end with that.
    pub fn restore(&self, guards: &BTreeMap<String, Guard>) {
        self.discovered.borrow_mut().restore(guards);
    }

    /// The owner accepts what is announced for a guarded topic now. A guard that accepts nobody is none any more.
    pub fn accept(&self, topic: &str) -> Guard {
        self.discovered.borrow_mut().accept(topic)
    }

    /// The entities that are announced for a command topic now.
    pub fn claimants(&self, topic: &str) -> Vec<Rc<Entity>> {
        self.discovered.borrow().claimants(topic)
    }

    /// The latest message on each discovery topic.
    pub fn announcements(&self) -> Vec<Rc<Announcement>> {
        self.discovered.borrow().claims().announcements().cloned().collect()
    }

    /// The latest message on one discovery topic.
    pub fn announcement(&self, topic: &str) -> Option<Rc<Announcement>> {
        self.discovered.borrow().claims().announcement(topic).cloned()
    }

    /// What is announced for a command topic, and for parts of it.
    pub fn announced_for(&self, topic: &str) -> Vec<Rc<Announcement>> {
        let discovered = self.discovered.borrow();
        let claims = discovered.claims();
        let claimants = claims.on(topic).into_iter().chain(claims.below(topic));
        let topics: BTreeSet<String> = claimants.map(|claim| claim.entity.topic.clone()).collect();
        topics.iter().filter_map(|topic| claims.announcement(topic).cloned()).collect()
    }

    /// The states that should follow a command, of entities whose devices tell none: what the bridge tells for them.
    pub fn silent_states(&self, topic: &str, payload: &[u8]) -> Vec<(Rc<Entity>, String)> {
        let claims = self.discovered.borrow().claims().on(topic);
        let silent = claims.into_iter().filter(|claim| mirror::is_silent(&claim.entity));
        let state = |claim: claims::Claim| {
            let expected = platform::read_command(&claim.entity, &claim.key, payload).expected?;
            Some((claim.entity, expected))
        };
        silent.filter_map(state).collect()
    }

    /// All entities that are announced.
    pub fn entities(&self) -> Vec<Rc<Entity>> {
        self.discovered.borrow().claims().entities().cloned().collect()
    }

    /// The entity with this id.
    pub fn entity(&self, entity_id: &str) -> Option<Rc<Entity>> {
        self.discovered.borrow().claims().by_entity_id(entity_id)
    }

    /// Guarded topics.
    pub fn guarded_topics(&self) -> Vec<String> {
        self.discovered.borrow().guards().topics().map(str::to_owned).collect()
    }

    /// The facts that a message tells, live or stored. Where an entity tells its state itself, nobody else's word for it
    /// counts.
    pub fn read_facts(&self, message: &Message) -> Vec<FactChange> {
        let mut discovered = self.discovered.borrow_mut();
        let own = discovered.read_states(message);
        let (others, mapped) = self.facts.read(message);
        let counts = |fact: &FactChange| !discovered.tells_itself(fact);
        others.into_iter().filter(counts).chain(own).chain(mapped).collect()
    }

    /// The integrations in use.
    pub fn integrations(&self) -> Rc<Integrations> {
        Rc::clone(&self.integrations)
    }

    /// Whether this fact counts: where an entity tells its state itself, nobody else's word for it does.
    pub fn counts(&self, fact: &FactChange) -> bool {
        !self.discovered.borrow().tells_itself(fact)
    }

    /// The events that a live message tells. A stored message tells none: it happened some other time.
    pub fn read_events(&self, message: &Message) -> Vec<HouseEvent> {
        if message.retain || message.payload.is_empty() {
            return Vec::new();
        }
        let payload = Payload::new(&message.payload);
        let read = |entry: &EventEntry| {
            let names = entry.topic.read(&message.topic)?;
            if entry.when.as_ref().is_some_and(|condition| !condition.holds(&payload)) {
                return None;
            }
            let text = |template: &Option<Template>| template.as_ref()?.text(&names, &payload);
            Some(HouseEvent {
                name: entry.event.clone(),
                speaker: text(&entry.speaker).filter(|name| (1..=SPEAKER_BYTES_MAX).contains(&name.len())),
                text: text(&entry.text),
                confidence: text(&entry.confidence)
                    .and_then(|text| text.parse().ok())
                    .filter(|confidence| (0.0..=1.0).contains(confidence)),
                data: read_data(&entry.data, &names, &payload),
                ..HouseEvent::default()
            })
        };
        self.events.iter().filter_map(read).collect()
    }

    /// Whether a command topic that is known leads to this entity, so that what is asked of it is judged there.
    pub fn reaches(&self, entity: &str) -> bool {
        let twins = &self.config.home_assistant.twins;
        let is_twin = || twins.iter().any(|original| twins::entity_id(original) == entity);
        self.commands.reaches(entity) || self.discovered.borrow().reaches(entity) || is_twin()
    }

    /// The entity that stands for this one in Home Assistant as its gated twin.
    pub fn twin_of(&self, entity: &str) -> Option<String> {
        let has_twin = self.config.home_assistant.twins.iter().any(|original| original == entity);
        has_twin.then(|| twins::entity_id(entity))
    }

    /// What must be subscribed to for facts, events, traces and discovery.
    pub fn subscriptions(&self) -> Vec<TopicFilter> {
        let events = self.events.iter().map(|entry| entry.topic.filter().clone());
        let stream = self.eventstream.as_ref().and_then(|topic| TopicFilter::new(topic).ok());
        let configured = self.facts.filters().into_iter().chain(events).chain(stream);
        let discovered = self.discovered.borrow();
        let states = discovered.claims().state_topics().filter_map(|topic| TopicFilter::new(topic).ok());
        let integrations = self.integrations.topics();
        self.discovery_filters().into_iter().chain(configured).chain(states).chain(integrations).collect()
    }

    /// The two shapes of a discovery topic.
    fn discovery_filters(&self) -> Vec<TopicFilter> {
        let prefix = &self.config.home_assistant.discovery;
        let shapes = [format!("{prefix}/+/+/config"), format!("{prefix}/+/+/+/config")];
        shapes.iter().filter_map(|shape| TopicFilter::new(shape).ok()).collect()
    }

    /// Where commands to discovered entities are seen that do not come by the gate. Stored ones are never wanted.
    pub fn watched_topics(&self) -> Vec<TopicFilter> {
        let discovered = self.discovered.borrow();
        let claimed = discovered.claims().command_topics();
        let topics: BTreeSet<&str> = claimed.chain(discovered.guards().topics()).collect();
        let topics = topics.into_iter().filter_map(|topic| TopicFilter::new(topic).ok());
        let doors = discovered.guarded_doors().iter().cloned();
        topics.chain(doors).chain(self.integrations.command_topics()).collect()
    }
}

/// Of two readings by the owner's means the stricter one; of equals the first.
fn stricter(first: Option<Chosen>, second: Option<Chosen>) -> Option<Chosen> {
    match (first, second) {
        (Some(first), Some(second)) if second.strictness > first.strictness => {
            Some(Chosen { request: Request { source: first.request.source, ..second.request }, ..second })
        }
        (first, second) => first.or(second),
    }
}

fn read_data(
    data: &BTreeMap<String, Template>,
    names: &Names,
    payload: &Payload<'_>,
) -> BTreeMap<String, serde_json::Value> {
    let value = |(name, template): (&String, &Template)| {
        let value = template.value(names, payload).filter(|value| !value.is_null())?;
        Some((name.clone(), value))
    };
    data.iter().filter_map(value).collect()
}

/// A value that was written as JSON; other text is itself.
fn value_of(payload: &Payload<'_>) -> Option<serde_json::Value> {
    match payload.json() {
        Json::Value { value, .. } => Some(value.clone()),
        Json::Ambiguous(_) => None,
        Json::None => payload.text().map(serde_json::Value::from),
    }
}

#[cfg(test)]
mod tests;
