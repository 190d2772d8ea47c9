//! Locks: lock, unlock, open the latch, each with a code perhaps.

use super::grammar::{Grammar, Meaning};
use super::{option_text, payload_text, template};
use crate::model::entity::Entity;

/// Words that open whatever they are configured to mean, where the lock has no other use for them: devices know them
/// without discovery.
const NATURAL: [(&str, &str, &str); 3] =
    [("OPEN", "lock.open", "open"), ("UNLOCK", "lock.unlock", "unlocked"), ("TOGGLE", "lock.unlock", "unlocked")];

pub(super) fn commands(entity: &Entity) -> Grammar<'_> {
    let mut grammar = Grammar::new(entity.text("command_template"))
        .word(option_text(entity, "payload_open"), Meaning::of("lock.open").then("open"))
        .word(payload_text(entity, "payload_unlock", "UNLOCK"), Meaning::of("lock.unlock").then("unlocked"))
        .word(payload_text(entity, "payload_lock", "LOCK"), Meaning::of("lock.lock").then("locked"));
    for (payload, action, state) in NATURAL {
        grammar = grammar.word(Some(payload.to_owned()), Meaning::of(action).then(state));
    }
    grammar
}

/// A payload as Home Assistant would send it without a code.
pub(super) fn payload(entity: &Entity, key: &str, default: &str) -> Option<String> {
    let payload = payload_text(entity, key, default)?;
    rendered(entity, "command_template", payload)
}

/// A payload through the template under this key, where there is one.
pub(super) fn rendered(entity: &Entity, key: &str, payload: String) -> Option<String> {
    let Some(source) = entity.text(key).filter(|source| !source.is_empty()) else { return Some(payload) };
    let variables = [
        ("value", payload.as_str().into()),
        ("state", payload.as_str().into()),
        ("code", serde_json::Value::Null),
        ("entity_id", entity.entity_id.as_str().into()),
        ("name", entity.name.as_str().into()),
    ];
    template::render(source, &variables).filter(|rendered| !rendered.is_empty())
}
