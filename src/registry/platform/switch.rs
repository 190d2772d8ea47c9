//! Switches and sirens.

use serde_json::Value;

use super::grammar::{Grammar, Meaning, command};
use super::matching::is_same;
use super::{is_plain, is_sensitive, payload_text};
use crate::config::payload::{Json, Payload, scalar_text};
use crate::model::entity::Entity;

/// What a siren can be told besides its state.
const SIREN_FIELDS: [&str; 3] = ["duration", "tone", "volume_level"];

pub(super) fn commands(entity: &Entity) -> Grammar<'_> {
    // Both ways of a relay that opens a door are sensitive: which of them opens is not known.
    let is_door = is_sensitive(entity);
    let meaning = |action: &str| Meaning::of(action).sensitive(is_door);
    Grammar::new(entity.text("command_template"))
        .word(payload_text(entity, "payload_on", "ON"), meaning("switch.turn_on").then("on"))
        .word(payload_text(entity, "payload_off", "OFF"), meaning("switch.turn_off").then("off"))
        .word(Some("TOGGLE".to_owned()), meaning("switch.toggle"))
}

pub(super) fn siren_commands(entity: &Entity) -> Grammar<'_> {
    let on = Meaning::of("siren.turn_on").then("on");
    let mut grammar = Grammar::new(entity.text("command_template"))
        .word(payload_text(entity, "payload_on", "ON"), on)
        .word(payload_text(entity, "payload_off", "OFF"), Meaning::of("siren.turn_off").then("off"))
        .word(Some("TOGGLE".to_owned()), Meaning::of("siren.turn_on"));
    let off_template = entity.text("command_off_template").filter(|template| !template.is_empty());
    for word in &mut grammar.words {
        if word.meaning.action == "siren.turn_off" {
            word.template = off_template.map(str::to_owned);
        }
    }
    grammar.variables = Some(|_, value| vec![("state", value.clone())]);
    grammar.whole = Some(Box::new(|payload| read_siren(entity, payload)));
    grammar
}

/// Home Assistant's own form, where there is no template: `{"state": "ON", "duration": 5}`.
fn read_siren(entity: &Entity, payload: &Payload<'_>) -> Option<Meaning> {
    let Json::Value { value: Value::Object(fields), has_case_twins: false } = payload.json() else { return None };
    let state = scalar_text(fields.get("state")?);
    let is = |key: &str, default: &str| payload_text(entity, key, default).is_some_and(|word| is_same(&word, &state));
    let is_on = is("payload_on", "ON");
    if is_on || is_same("TOGGLE", &state) {
        let known = fields.iter().filter(|(name, field)| SIREN_FIELDS.contains(&name.as_str()) && is_plain(field));
        let meaning = Meaning::of("siren.turn_on");
        let meaning = if is_on { meaning.then("on") } else { meaning };
        return Some(known.fold(meaning, |meaning, (name, field)| meaning.with(name, field.clone())));
    }
    let is_off = is("payload_off", "OFF") && fields.len() == 1;
    is_off.then(|| Meaning::of("siren.turn_off").then("off"))
}

/// The payload that silences a siren, as Home Assistant would send it.
pub(super) fn siren_off(entity: &Entity) -> Option<String> {
    let off = payload_text(entity, "payload_off", "OFF");
    let has_own = |key: &&&str| entity.text(key).is_some_and(|source| !source.is_empty());
    match ["command_off_template", "command_template"].iter().find(has_own) {
        Some(template) => command(entity, template, off),
        None => Some(serde_json::json!({ "state": off? }).to_string()),
    }
}
