//! Platforms with one command topic and one kind of command: buttons, scenes, selects, numbers, texts, dates and
//! times, notifications, updates.

use serde_json::Value;

use super::grammar::{Grammar, Kind, Meaning};
use super::{TEXT_BYTES_MAX, is_sensitive, option_number, option_text, payload_text, secret, texts};
use crate::config::payload::scalar_text;
use crate::model::entity::Entity;

pub(super) fn commands(entity: &Entity) -> Grammar<'_> {
    let is_door = is_sensitive(entity);
    let template = Grammar::new(entity.text("command_template"));
    match entity.platform.as_str() {
        "button" => template
            .word(payload_text(entity, "payload_press", "PRESS"), Meaning::of("button.press").sensitive(is_door)),
        // A scene has no template and no default: what it is not told it does not send.
        "scene" => Grammar::new(None)
            .word(payload_text(entity, "payload_on", "ON"), Meaning::of("scene.turn_on").sensitive(is_door)),
        "update" => Grammar::new(None).word(option_text(entity, "payload_install"), Meaning::of("update.install")),
        "select" => select(entity, template, is_door),
        "number" => template.free(Kind::Number, move |value| number(entity, value, is_door)),
        "text" => template.free(Kind::Text, move |value| text(entity, value, is_door)),
        "notify" => template.free(Kind::Text, |value| {
            Some(Meaning { text: Some(value.as_str()?.to_owned()), ..Meaning::of("notify.send_message") })
        }),
        "date" => moment(template, "date.set_value", "date"),
        "time" => moment(template, "time.set_value", "time"),
        "datetime" => moment(template, "datetime.set_value", "datetime"),
        _ => Grammar::default(),
    }
}

fn select<'a>(entity: &Entity, grammar: Grammar<'a>, is_door: bool) -> Grammar<'a> {
    let meaning =
        move |option: &str| Meaning::of("select.select_option").with("option", option).then(option).sensitive(is_door);
    texts(entity, "options").unwrap_or_default().into_iter().fold(grammar, |grammar, option| {
        let meaning = meaning(&option);
        grammar.word(Some(option), meaning)
    })
}

/// `None`: beyond the entity's bounds, so Home Assistant would not send it.
fn number(entity: &Entity, value: &Value, is_door: bool) -> Option<Meaning> {
    let (low, high) = (option_number(entity, "min", 1.0), option_number(entity, "max", 100.0));
    if !(low..=high).contains(&value.as_f64()?) {
        return None;
    }
    let meaning = Meaning::of("number.set_value").sensitive(is_door);
    Some(if is_secret(entity) {
        meaning.with("code_given", true)
    } else {
        meaning.with("value", value.clone()).then(&scalar_text(value))
    })
}

fn text(entity: &Entity, value: &Value, is_door: bool) -> Option<Meaning> {
    let meaning = Meaning::of("text.set_value").sensitive(is_door);
    if is_secret(entity) {
        return Some(meaning.with("code_given", true));
    }
    let text = value.as_str().filter(|text| text.len() <= TEXT_BYTES_MAX)?;
    Some(meaning.with("value", text).then(text))
}

/// A text or number that is itself a secret: a password field, or one named `PIN`.
pub(super) fn is_secret(entity: &Entity) -> bool {
    entity.text("mode") == Some("password") || secret::is_secret(&entity.name) || secret::is_secret(&entity.entity_id)
}

/// Dates and times are text in ISO 8601, so digits and a few signs.
fn moment<'a>(grammar: Grammar<'a>, action: &'static str, field: &'static str) -> Grammar<'a> {
    grammar.free(Kind::Text, move |value| {
        let text = value.as_str()?.trim();
        let is_part =
            |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b'+' | b'T' | b'Z' | b' ');
        let is_moment = (1..=40).contains(&text.len()) && text.bytes().all(is_part);
        is_moment.then(|| Meaning::of(action).with(field, text))
    })
}
