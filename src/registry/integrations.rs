//! What integrations make of commands on their devices' topics.

use super::commands::Chosen;
use crate::config::Config;
use crate::config::payload::Payload;
use crate::integration::{Integrations, SeenRequest};
use crate::model::action::{self, Class};
use crate::model::message::Message;
use crate::model::request::{Door, Request, Source};

/// What a message on a topic that an integration declares asks for. `None`: none declares it.
///
/// Of several readings the strictest counts, then what a policy may block, then the first. What nobody can read, and what
/// can be read in two ways, is `command.unreadable`.
pub(super) fn read_command(
    integrations: &Integrations,
    config: &Config,
    topic: &str,
    payload: &[u8],
    door: Door,
) -> Option<Chosen> {
    if !integrations.is_command_topic(topic) {
        return None;
    }
    let is_ambiguous = Payload::new(payload).is_ambiguous();
    let message = Message::live(topic, payload.to_vec());
    let read = if is_ambiguous { Vec::new() } else { integrations.on_command(&message)? };
    let chosen = |SeenRequest { mut request, .. }: SeenRequest| {
        request.door = door;
        let class = if request.sensitive { Class::Sensitive } else { config.class_of(&request.action) };
        Chosen { strictness: (class, !config.is_floor(&request.action), true), request }
    };
    let strictest =
        read.into_iter().map(chosen).reduce(|best, next| if next.strictness > best.strictness { next } else { best });
    Some(strictest.unwrap_or_else(|| unreadable(door)))
}

fn unreadable(door: Door) -> Chosen {
    let request = Request {
        action: action::UNREADABLE.to_owned(),
        target: None,
        source: Source::default(),
        door,
        data: std::collections::BTreeMap::new(),
        text: None,
        confidence: None,
        sensitive: true,
        heard: None,
    };
    Chosen { request, strictness: (Class::Sensitive, true, false) }
}
