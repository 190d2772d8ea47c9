//! Twins: `<base>/twin/<entity>/set` carries a command to an entity that is not on MQTT. It is held until it is judged,
//! and what is allowed goes to `<base>/act`, where Home Assistant carries it out.
//!
//! This is the only place that makes a command to `<base>/act`. A payload that nobody has announced is refused, since
//! nobody else could read it either.

use super::{Decoded, Wire, shown, staleness, unknown};
use crate::model::event::Event;
use crate::model::message::{Command, Message};
use crate::model::request::{Arrival, Door, FactChange, Held, Request};
use crate::registry::twins;

impl Wire {
    pub(super) fn decode_twin(&self, message: &Message, rest: &str) -> Decoded {
        if message.retain {
            return Decoded::ghost(&message.topic);
        }
        match self.read_twin(message, rest) {
            Ok(arrival) => Decoded::event(Event::Arrival(Box::new(arrival))),
            Err(reason) => Decoded::refused(&message.topic, reason, None),
        }
    }

    fn read_twin(&self, message: &Message, rest: &str) -> Result<Arrival, String> {
        let entity = rest.strip_suffix("/set").ok_or_else(|| {
            format!("expected a topic such as `twin/lock.front_door/set`, found `twin/{}`", shown(rest))
        })?;
        if !self.twins.has(entity) {
            let known = self.config.home_assistant.twins.iter().map(String::as_str);
            return Err(unknown("an entity of `home_assistant.twins`", entity, known));
        }
        if let Some(reason) = staleness(message) {
            return Err(reason.to_owned());
        }
        let wish = twins::read(entity, self.twins.device_class(entity), &message.payload)?;
        let request = Request {
            action: wish.action,
            target: Some(entity.to_owned()),
            source: self.registry.source(None),
            door: Door::Twin,
            data: wish.data,
            text: None,
            confidence: None,
            sensitive: wish.sensitive,
            heard: None,
        };
        let command = Command {
            topic: self.in_base("act"),
            payload: wish.act.into(),
            qos: message.qos,
            expiry_s: message.expiry_s,
        };
        Ok(Arrival { request, held: Held::Command(command), reply: None })
    }

    /// Announces a twin anew where a fact about its original changes it.
    pub(super) fn teach_twins(&mut self, fact: &FactChange) -> Option<Message> {
        self.twins.learn(fact).map(|message| self.own.store(message))
    }
}
