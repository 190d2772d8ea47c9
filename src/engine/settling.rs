//! Did it happen: whether the state follows an allowed command.
//!
//! After a command has left whose effect on a known state is known, the fact must follow within `settle`. If it does
//! not, that is recorded, and policies are told by the event `command.unconfirmed`. Nothing is sent again by itself.
//!
//! The table is not durable: a restart forgets it, since facts are relearned then and would not be the answer to it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Engine, Turn};
use crate::model::event::Entry;
use crate::model::message::Command;
use crate::model::request::{Door, HouseEvent, Request};

/// Commands whose effect is awaited at one time. The effect of one more is not.
pub const SETTLING_MAX: usize = 256;

/// The event that tells policies of a command without effect.
const UNCONFIRMED: &str = "command.unconfirmed";

/// A command that has left, and the state that must follow.
#[derive(Debug)]
struct Awaited {
    by: String,
    action: String,
    expected: String,
    until_ms: u64,
}

/// What is awaited, by entity: a later command to the same one takes the place of an earlier one.
#[derive(Debug, Default)]
pub(super) struct Settling(BTreeMap<String, Awaited>);

impl Settling {
    /// The earliest end of a wait, and whose it is.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (u64, &str)> {
        self.0.iter().map(|(entity, awaited)| (awaited.until_ms, entity.as_str()))
    }
}

impl Engine {
    /// A command has left by the decision `decision`. `request` is what it asks for.
    pub(super) fn await_state(&mut self, turn: &mut Turn<'_>, command: &Command, decision: &str, request: &Request) {
        let Some(target) = &request.target else { return };
        // Whatever was awaited of it before: this command may lead elsewhere.
        self.settling.0.remove(target);
        // Where nobody tells its state nothing would ever follow, and the command need not be read again.
        let Some(found) = self.state_of(target) else { return };
        let expected = self.registry.expected(&command.topic, &command.payload).or_else(|| expected_of_twin(request));
        let Some((entity, expected)) = expected.filter(|(entity, _)| entity == target) else { return };
        if found.as_deref() == Some(&expected) {
            return;
        }
        if self.settling.0.len() >= SETTLING_MAX {
            self.tell_full(turn, "commands whose effect is awaited", SETTLING_MAX, &entity);
            return;
        }
        let until_ms = turn.at.plus_ms(self.config.home_assistant.settle_ms).monotonic_ms;
        let (by, action) = (decision.to_owned(), request.action.clone());
        self.settling.0.insert(entity, Awaited { by, action, expected, until_ms });
    }

    /// A state was told.
    pub(super) fn note_state(&mut self, entity: &str, value: Option<&Value>) {
        let Some(awaited) = self.settling.0.get(entity) else { return };
        if value.and_then(Value::as_str) == Some(&awaited.expected) {
            self.settling.0.remove(entity);
        }
    }

    /// The time in which a state had to follow is over.
    pub(super) fn end_settling(&mut self, turn: &mut Turn<'_>, entity: &str) {
        let Some(awaited) = self.settling.0.remove(entity) else { return };
        let found = self.state_of(entity).flatten();
        if found.as_deref().is_some_and(|found| leads_to(found, &awaited.expected)) {
            return;
        }
        let Awaited { by, action, expected, .. } = awaited;
        let fields = [
            ("decision", Some(&by)),
            ("action", Some(&action)),
            ("expected", Some(&expected)),
            ("found", found.as_ref()),
        ];
        let mut data: BTreeMap<String, Value> =
            fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.as_str().into()))).collect();
        data.insert("target".to_owned(), entity.into());
        turn.record(Entry::Unconfirmed { by, action, target: entity.to_owned(), expected, found });
        self.hear(turn, HouseEvent { name: UNCONFIRMED.to_owned(), data, ..HouseEvent::default() });
    }

    /// The state of an entity as text. The outer `None`: it was never heard of; the inner one: it is not known.
    fn state_of(&self, entity: &str) -> Option<Option<String>> {
        let world = self.world.borrow();
        let known = world.home.get(entity, None)?;
        Some(known.value.as_ref().and_then(Value::as_str).map(str::to_owned))
    }
}

/// Whether a state is the way to another one: a garage door takes longer to open than any lock.
fn leads_to(found: &str, expected: &str) -> bool {
    match found {
        "opening" => expected == "open",
        "closing" => expected == "closed",
        "locking" => expected == "locked",
        "unlocking" => expected == "unlocked",
        "arming" | "pending" => expected.starts_with("armed_") || expected == "triggered",
        "disarming" => expected == "disarmed",
        _ => false,
    }
}

/// What a twin's command leads to: Home Assistant carries it out, and tells the state of the original.
fn expected_of_twin(request: &Request) -> Option<(String, String)> {
    if request.door != Door::Twin {
        return None;
    }
    let (domain, service) = request.action.split_once('.')?;
    let state = match (domain, service) {
        ("lock", "lock") => "locked",
        ("lock", "unlock") => "unlocked",
        ("cover" | "valve", "open_cover" | "open_garage" | "open_valve") => "open",
        ("cover" | "valve", "close_cover" | "close_valve") => "closed",
        ("switch" | "siren", "turn_on") => "on",
        ("switch" | "siren", "turn_off") => "off",
        ("alarm_control_panel", "alarm_disarm") => "disarmed",
        ("alarm_control_panel", "alarm_trigger") => "triggered",
        ("alarm_control_panel", armed) => {
            let mode = armed.strip_prefix("alarm_arm_")?;
            return Some((request.target.clone()?, format!("armed_{mode}")));
        }
        _ => return None,
    };
    Some((request.target.clone()?, state.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::Source;

    #[test]
    fn a_state_that_is_on_its_way_is_no_failure() {
        for (found, expected, follows) in [
            ("opening", "open", true),
            ("opening", "closed", false),
            ("closing", "closed", true),
            ("unlocking", "unlocked", true),
            ("locking", "unlocked", false),
            ("arming", "armed_away", true),
            ("pending", "triggered", true),
            ("locked", "unlocked", false),
            ("jammed", "locked", false),
        ] {
            assert_eq!(leads_to(found, expected), follows, "{found} before {expected}");
        }
    }

    #[test]
    fn what_follows_a_twins_command_is_known_by_its_action() {
        let request = |action: &str, door| Request {
            action: action.to_owned(),
            target: Some("x.y".to_owned()),
            source: Source::default(),
            door,
            data: BTreeMap::new(),
            text: None,
            confidence: None,
            sensitive: false,
            heard: None,
        };
        for (action, expected) in [
            ("lock.lock", Some("locked")),
            ("lock.unlock", Some("unlocked")),
            ("cover.open_garage", Some("open")),
            ("cover.stop_cover", None),
            ("valve.close_valve", Some("closed")),
            ("siren.turn_off", Some("off")),
            ("alarm_control_panel.alarm_arm_night", Some("armed_night")),
            ("alarm_control_panel.alarm_disarm", Some("disarmed")),
            ("button.press", None),
        ] {
            let expected = expected.map(|state| ("x.y".to_owned(), state.to_owned()));
            assert_eq!(expected_of_twin(&request(action, Door::Twin)), expected, "{action}");
            assert_eq!(expected_of_twin(&request(action, Door::Gate)), None, "{action}");
        }
    }
}
