//! The gate: `<base>/gate/<real topic>` carries a command that is held until it is judged.
//!
//! Only topics pass that the owner has named or that are guarded: under the broker's access list the bridge may write everywhere, so it must
//! not become everyone's deputy.

use super::{Decoded, Wire, shown, staleness};
use crate::model::event::Event;
use crate::model::message::{Command, Message};
use crate::model::request::{Arrival, Door, Held};
use crate::model::topic;

impl Wire {
    pub(super) fn decode_gate(&self, message: &Message, real_topic: &str) -> Decoded {
        if message.retain {
            return Decoded::ghost(&message.topic);
        }
        if let Some(reason) = self.gate_refusal(message, real_topic) {
            return Decoded::refused(&message.topic, reason, None);
        }
        let read = || self.registry.read_command(real_topic, &message.payload, Door::Gate);
        let Some(request) = self.registry.passes_gate(real_topic).then(read).flatten() else {
            let found = shown(real_topic);
            let reason = format!("expected a topic that `commands:` names or that is guarded, found `{found}`");
            return Decoded::refused(&message.topic, reason, None);
        };
        let command = Command {
            topic: real_topic.to_owned(),
            payload: message.payload.clone(),
            qos: message.qos,
            expiry_s: message.expiry_s,
        };
        // A response topic that is not fit costs the asker its answer, not its command.
        let reply = self.response_topic(message, None).ok().flatten();
        Decoded::event(Event::Arrival(Box::new(Arrival { request, held: Held::Command(command), reply })))
    }

    fn gate_refusal(&self, message: &Message, real_topic: &str) -> Option<String> {
        let refused =
            |expected: &str, why: &str| Some(format!("expected {expected}, found `{}`: {why}", shown(real_topic)));
        if let Err(error) = topic::check_name(real_topic) {
            return refused("a device's topic behind `gate/`", &error.to_string());
        }
        if topic::is_under(real_topic, &self.config.base) {
            return refused("a device's topic", "a gate loop into the bridge itself");
        }
        if self.registry.is_discovery(real_topic) {
            return refused("a device's topic", "discovery commands nothing");
        }
        staleness(message).map(str::to_owned)
    }
}
