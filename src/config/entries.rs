//! The lists that give topics a meaning: commands, facts, events, and the answers of channels.
//!
//! Whether the channels they name exist, and whether their topics are free, is asked in `checks`.

use std::collections::BTreeMap;

use super::pattern::TopicPattern;
use super::payload::{FieldCondition, PayloadCondition};
use super::reader::{Cursor, Fields, Reader};
use super::template::Template;
use super::{AnswerEntry, CommandEntry, EventEntry, FactEntry, keys};
use crate::model::action::{KNOWN_ACTIONS, is_action};
use crate::model::control::Says;
use crate::model::topic;
use crate::script::nearest::did_you_mean_one_of;

/// Entries of `commands`.
pub(super) const COMMANDS_MAX: usize = 1_024;
/// Entries of `facts.topics`.
pub(super) const FACT_TOPICS_MAX: usize = 1_024;
/// Entries of `events`.
pub(super) const EVENTS_MAX: usize = 1_024;
/// Entries of `channels.<name>.answers`.
pub(super) const ANSWERS_MAX: usize = 16;
/// Fields in one `when` or `data`.
pub(super) const FIELDS_MAX: usize = 32;

pub(super) fn commands(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Vec<CommandEntry> {
    reader.list(cursor, COMMANDS_MAX).iter().filter_map(|item| command(reader, item)).collect()
}

fn command(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Option<CommandEntry> {
    let entry = Entry::read(reader, cursor, keys::COMMAND)?;
    let action = entry.dotted(reader, "action", "an action such as `lock.unlock`");
    Some(CommandEntry {
        when: entry.condition(reader),
        beside: entry.beside(reader),
        target: entry.template(reader, "target"),
        text: entry.template(reader, "text"),
        data: entry.data(reader),
        sensitive: entry.fields.get("sensitive").and_then(|cursor| reader.flag(cursor)).unwrap_or(false),
        channel: entry.fields.get("channel").and_then(|cursor| reader.text(cursor)).map(|scalar| scalar.text),
        topic: entry.topic?,
        action: action?,
    })
}

/// The base topic of the statestream, and the owner's own topics.
pub(super) fn facts(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> (Option<String>, Vec<FactEntry>) {
    let fields = reader.fields(cursor, keys::FACTS);
    let statestream = fields.get("statestream").and_then(|cursor| {
        let scalar = reader.text(cursor)?;
        if let Err(error) = topic::check_name(&scalar.text) {
            let help = Some("write the `base_topic` of Home Assistant's `mqtt_statestream`".to_owned());
            reader.error(cursor, format!("expected a topic, found {}: {error}", scalar.shown()), help);
            return None;
        }
        Some(scalar.text.trim_end_matches('/').to_owned())
    });
    let topics = fields.get("topics").map(|cursor| reader.list(cursor, FACT_TOPICS_MAX)).unwrap_or_default();
    (statestream, topics.iter().filter_map(|item| fact(reader, item)).collect())
}

fn fact(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Option<FactEntry> {
    let entry = Entry::read(reader, cursor, keys::FACT)?;
    let entity = reader.required(&entry.fields, "entity").and_then(|_| entry.template(reader, "entity"));
    if let (Some(cursor), Some(entity)) = (entry.fields.get("entity"), &entity) {
        let is_name = entity.as_str().contains('{') || is_action(entity.as_str());
        if !is_name {
            let help = Some("write it as Home Assistant does: `lock.front_door`".to_owned());
            reader.error(cursor, format!("expected an entity, found `{}`", entity.as_str()), help);
        }
    }
    let value = entry.template(reader, "value").or_else(|| Template::parse("{payload}", &["payload"]).ok());
    Some(FactEntry {
        when: entry.condition(reader),
        attribute: entry.template(reader, "attribute"),
        value: value?,
        entity: entity?,
        topic: entry.topic?,
    })
}

pub(super) fn events(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Vec<EventEntry> {
    reader.list(cursor, EVENTS_MAX).iter().filter_map(|item| event(reader, item)).collect()
}

fn event(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Option<EventEntry> {
    let entry = Entry::read(reader, cursor, keys::EVENT)?;
    let event = entry.dotted(reader, "event", "an event such as `voice.wake_word`");
    Some(EventEntry {
        when: entry.condition(reader),
        speaker: entry.template(reader, "speaker"),
        text: entry.template(reader, "text"),
        confidence: entry.template(reader, "confidence"),
        data: entry.data(reader),
        event: event?,
        topic: entry.topic?,
    })
}

/// What counts as an answer of a channel. `has_code`: its approvals need one.
pub(super) fn answers(reader: &mut Reader<'_>, cursor: &Cursor<'_>, has_code: bool) -> Vec<AnswerEntry> {
    reader.list(cursor, ANSWERS_MAX).iter().filter_map(|item| answer(reader, item, has_code)).collect()
}

fn answer(reader: &mut Reader<'_>, cursor: &Cursor<'_>, has_code: bool) -> Option<AnswerEntry> {
    let entry = Entry::read(reader, cursor, keys::ANSWER)?;
    let says = read_says(reader, &entry.fields);
    let (token, code) = (entry.template(reader, "token"), entry.template(reader, "code"));
    let when = entry.condition(reader);
    let has = |key: &str| entry.fields.get(key).is_some();
    if !has("token") && !has("when") && !has("payload") {
        let help = Some("add `payload:` or `when:`, or `token:` with the place where the token stands".to_owned());
        reader.error(cursor, "expected a condition or a token, found neither: every message would answer", help);
    }
    if says == Some(Says::Approve) && has_code && !has("code") {
        let help = Some("add `code:` with the place where it stands, or leave this entry out".to_owned());
        reader.error(cursor, "expected `code` in what approves on a channel with a PIN or TOTP, found none", help);
    }
    if let (Some(cursor), false) = (entry.fields.get("code"), has_code) {
        let help = Some("add `pin:` or `totp:` to the channel, or leave `code` out".to_owned());
        reader.key_error(cursor, "expected `code` only on a channel with a PIN or TOTP, found it on another", help);
    }
    Some(AnswerEntry { when, says: says?, token, code, topic: entry.topic? })
}

fn read_says(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Says> {
    let cursor = reader.required(fields, "says")?;
    let scalar = reader.text(cursor)?;
    let says = [Says::Approve, Says::Reject, Says::Seen].into_iter().find(|says| says.name() == scalar.text);
    if says.is_none() {
        let help = did_you_mean_one_of(&scalar.text, ["approve", "reject", "seen"]);
        reader.error(cursor, format!("expected `approve`, `reject` or `seen`, found {}", scalar.shown()), help);
    }
    says
}

/// What commands, facts and events have in common: a topic pattern whose names the templates may use.
struct Entry<'n> {
    fields: Fields<'n>,
    topic: Option<TopicPattern>,
}

impl<'n> Entry<'n> {
    fn read(reader: &mut Reader<'_>, cursor: &Cursor<'n>, keys: &[&'static str]) -> Option<Entry<'n>> {
        if !cursor.is_mapping() {
            reader.wrong_kind(cursor, "an entry (`topic: …`)");
            return None;
        }
        let fields = reader.fields(cursor, keys);
        let topic = reader.required(&fields, "topic").cloned().and_then(|cursor| {
            let scalar = reader.text(&cursor)?;
            TopicPattern::parse(&scalar.text).map_err(|error| reader.malformed(&cursor, &scalar, error)).ok()
        });
        Some(Entry { fields, topic })
    }

    /// A required name of the shape `domain.word`.
    fn dotted(&self, reader: &mut Reader<'_>, key: &str, expected: &str) -> Option<String> {
        let cursor = reader.required(&self.fields, key)?;
        let scalar = reader.text(cursor)?;
        if is_action(&scalar.text) {
            return Some(scalar.text);
        }
        let known: Vec<&str> = KNOWN_ACTIONS.iter().map(|(name, _)| *name).collect();
        let near = crate::script::nearest::nearest(&scalar.text, known.iter().copied()).filter(|_| key == "action");
        let help = near.map_or_else(
            || "write lower-case letters, digits and `_`, with one dot".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        reader.error(cursor, format!("expected {expected}, found {}", scalar.shown()), Some(help));
        None
    }

    fn template(&self, reader: &mut Reader<'_>, key: &str) -> Option<Template> {
        let cursor = self.fields.get(key)?;
        self.read_template(reader, cursor)
    }

    fn read_template(&self, reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Option<Template> {
        let scalar = reader.scalar(cursor)?;
        // Without a pattern every name would be reported as unknown; the pattern's error is enough.
        let topic = self.topic.as_ref()?;
        let names: Vec<&str> = topic.names().chain(["payload"]).collect();
        Template::parse(&scalar.text, &names).map_err(|error| reader.malformed(cursor, &scalar, error)).ok()
    }

    fn data(&self, reader: &mut Reader<'_>) -> BTreeMap<String, Template> {
        let Some(cursor) = self.fields.get("data") else { return BTreeMap::new() };
        let entries = reader.entries(cursor, FIELDS_MAX);
        let read = |(name, cursor): &(&str, Cursor<'_>)| {
            self.read_template(reader, cursor).map(|template| ((*name).to_owned(), template))
        };
        entries.iter().filter_map(read).collect()
    }

    /// `beside: [field, other.field]`.
    fn beside(&self, reader: &mut Reader<'_>) -> Vec<Vec<String>> {
        let Some(cursor) = self.fields.get("beside") else { return Vec::new() };
        if self.fields.get("when").is_none() {
            let help = Some("leave it out: without `when` the entry reads whatever the payload says".to_owned());
            reader.key_error(cursor, "expected `beside` only with `when`, found it alone", help);
        }
        let items = reader.list(cursor, FIELDS_MAX);
        let read = |item: &Cursor<'_>| {
            let scalar = reader.text(item)?;
            let path = field_path(&scalar.text);
            if path.is_none() {
                let message = format!("expected a field, found {}", scalar.shown());
                reader.error(item, message, Some(WRITE_A_FIELD.to_owned()));
            }
            path
        };
        items.iter().filter_map(read).collect()
    }

    /// `payload: TEXT` or `when: {field: value}`.
    fn condition(&self, reader: &mut Reader<'_>) -> Option<PayloadCondition> {
        let text = self.fields.get("payload");
        let when = self.fields.get("when");
        if let (Some(_), Some(when)) = (text, when) {
            let help = Some("keep one: `payload` for the whole text, `when` for fields of JSON".to_owned());
            reader.key_error(when, "expected `when` or `payload`, found both", help);
        }
        if let Some(cursor) = text {
            return reader.scalar(cursor).map(|scalar| PayloadCondition::Text(scalar.text));
        }
        let cursor = when?;
        if !cursor.is_mapping() {
            let help = Some("write `when: {state: UNLOCK}`, or `payload: UNLOCK` for the whole text".to_owned());
            reader.error(cursor, "expected fields and their values, found something else", help);
            return None;
        }
        let mut fields = Vec::new();
        for (name, cursor) in reader.entries(cursor, FIELDS_MAX) {
            let Some(path) = field_path(name) else {
                reader.key_error(&cursor, format!("expected a field, found `{name}`"), Some(WRITE_A_FIELD.to_owned()));
                continue;
            };
            let Some(value) = reader.value(&cursor) else { continue };
            let condition = if value == "*" { FieldCondition::Present } else { FieldCondition::Equals(value) };
            fields.push((path, condition));
        }
        Some(PayloadCondition::Fields(fields))
    }
}

const WRITE_A_FIELD: &str = "write a field such as `state` or `command.name`";

/// The steps of a dotted path. `None`: one of them is empty.
fn field_path(text: &str) -> Option<Vec<String>> {
    let path: Vec<String> = text.split('.').map(str::to_owned).collect();
    path.iter().all(|step| !step.is_empty()).then_some(path)
}
