//! What topics and payloads mean: commands, facts and events of the house.

use crate::config::Config;
use crate::model::message::Message;
use crate::model::request::{Door, FactChange, HouseEvent, Request};
use crate::model::topic::TopicFilter;

/// The meaning of topics, as the configuration says.
#[derive(Debug, Clone)]
pub struct Registry {}

impl Registry {
    pub fn new(_config: &Config) -> Registry {
        Registry {}
    }

    /// What a message on a known command topic asks for. `None`: no known command topic. A known topic whose payload
    /// no entry can read is `command.unreadable`.
    pub fn read_command(&self, _topic: &str, _payload: &[u8], _door: Door) -> Option<Request> {
        None
    }

    /// Whether some `commands:` entry names the topic.
    pub fn is_command_topic(&self, _topic: &str) -> bool {
        false
    }

    /// The facts that a message tells, live or stored.
    pub fn read_facts(&self, _message: &Message) -> Vec<FactChange> {
        Vec::new()
    }

    /// The events that a live message tells. A stored message tells none.
    pub fn read_events(&self, _message: &Message) -> Vec<HouseEvent> {
        Vec::new()
    }

    /// What must be subscribed to for facts and events.
    pub fn subscriptions(&self) -> Vec<TopicFilter> {
        Vec::new()
    }
}
