//! Locks: lock, unlock, open the latch, each with a code perhaps.

use super::grammar::{Grammar, Meaning};
use super::{option_text, payload_text};
use crate::model::entity::Entity;

/// Words that open whatever they are configured to mean, where the lock has no other use for them: devices know them
/// without discovery.
const NATURAL: [(&str, &str); 3] = [("OPEN", "lock.open"), ("UNLOCK", "lock.unlock"), ("TOGGLE", "lock.unlock")];

pub(super) fn commands(entity: &Entity) -> Grammar<'_> {
    let mut grammar = Grammar::new(entity.text("command_template"))
        .word(option_text(entity, "payload_open"), Meaning::of("lock.open"))
        .word(payload_text(entity, "payload_unlock", "UNLOCK"), Meaning::of("lock.unlock").then("unlocked"))
        .word(payload_text(entity, "payload_lock", "LOCK"), Meaning::of("lock.lock").then("locked"));
    for (payload, action) in NATURAL {
        grammar = grammar.word(Some(payload.to_owned()), Meaning::of(action));
    }
    grammar
}
