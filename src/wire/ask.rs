//! Questions on `<base>/ask` and `<base>/ask/<channel>`, and where their answers may go.
//!
//! An answer is the bridge's own publish, so an asker must not be able to aim it at a device, at discovery or at the
//! bridge itself: a response topic counts only where the owner has opened a place for it.

use serde_json::Value;

use super::object::{Object, wrong_kind};
use super::{ASK_ID_BYTES_MAX, Decoded, Wire, shown, staleness, unknown};
use crate::model::action::{KNOWN_ACTIONS, is_action};
use crate::model::event::Event;
use crate::model::message::Message;
use crate::model::request::{Arrival, Door, Held, Reply, Request, Source, SourceKind};
use crate::model::topic;

/// Fields of `data` in one question.
pub(super) const DATA_FIELDS_MAX: usize = 64;

const FIELDS: [&str; 7] = ["action", "target", "text", "data", "confidence", "id", "source"];

impl Wire {
    pub(super) fn decode_ask(&self, message: &Message, channel: Option<&str>) -> Decoded {
        if message.retain {
            return Decoded::ghost(&message.topic);
        }
        let mut object = Object::read(&message.payload);
        let id = object.as_mut().map_or(Ok(None), read_id);
        let known_id = id.as_ref().ok().and_then(Option::as_deref);
        let response = self.response_topic(message, known_id);
        // Bad input is answered too, wherever an answer may go.
        let reply = match &response {
            Ok(Some(reply)) => Some(reply.clone()),
            Ok(None) | Err(_) => known_id.map(|id| self.answer_topic(id)),
        };
        let read = staleness(message)
            .map_or(Ok(()), |reason| Err(reason.to_owned()))
            .and_then(|()| self.source_of(channel))
            .and_then(|source| read_request(object?, source))
            .and_then(|request| id.clone().map(|_| request))
            .and_then(|request| response.map(|_| request))
            .and_then(|request| match &reply {
                Some(reply) => Ok((request, reply.clone())),
                None => Err("expected a response topic or an `id`, found neither: nobody would be answered".to_owned()),
            });
        match read {
            Ok((request, reply)) => {
                let arrival = Arrival { request, held: Held::Question, reply: Some(reply) };
                Decoded::event(Event::Arrival(Box::new(arrival)))
            }
            Err(reason) => Decoded::refused(&message.topic, reason, reply),
        }
    }

    fn source_of(&self, channel: Option<&str>) -> Result<Source, String> {
        match channel {
            None => Ok(Source::default()),
            Some(name) if self.config.channels.contains_key(name) => Ok(self.registry.source(Some(name))),
            Some(name) => Err(self.unknown_channel(name)),
        }
    }

    /// Where the MQTT 5 response topic of a message points. `Ok(None)`: it has none. The error says why it is not fit.
    pub(super) fn response_topic(&self, message: &Message, id: Option<&str>) -> Result<Option<Reply>, String> {
        let Some(response) = &message.reply else { return Ok(None) };
        let found = shown(&response.topic);
        let unfit = |reason: &str| Err(format!("expected a response topic for answers, found `{found}`: {reason}"));
        if let Err(error) = topic::check_name(&response.topic) {
            return unfit(&error.to_string());
        }
        if topic::is_under(&response.topic, &self.config.base) {
            let id = response.topic.strip_prefix(&self.in_base("answer/")).unwrap_or_default();
            if !is_ask_id(id) {
                return unfit("the bridge's own topics lie there, and only `answer/<id>` is for answers");
            }
        } else if !self.config.response_prefixes.iter().any(|prefix| topic::is_under(&response.topic, prefix)) {
            return unfit("it lies under none of `ask.response_prefixes`");
        }
        if self.registry.is_discovery(&response.topic) {
            return unfit("Home Assistant's discovery lies there");
        }
        if self.registry.is_command_topic(&response.topic) {
            return unfit("it commands a device");
        }
        Ok(Some(Reply {
            ask: id.map(str::to_owned),
            topic: response.topic.clone(),
            correlation: response.correlation.clone(),
            retain: false,
        }))
    }

    /// `answer/<id>`: stored for a while, for askers that subscribe after they have asked.
    fn answer_topic(&self, id: &str) -> Reply {
        let topic = self.in_base(&format!("answer/{id}"));
        Reply { ask: Some(id.to_owned()), topic, correlation: None, retain: true }
    }
}

fn is_ask_id(text: &str) -> bool {
    (1..=ASK_ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn read_id(object: &mut Object) -> Result<Option<String>, String> {
    let Some(id) = object.text("id")? else { return Ok(None) };
    if is_ask_id(&id) {
        return Ok(Some(id));
    }
    let found = shown(&id);
    Err(format!("`id`: expected up to {ASK_ID_BYTES_MAX} letters, digits, `_` and `-`, found `{found}`"))
}

fn read_request(mut object: Object, source: Source) -> Result<Request, String> {
    object.only(&FIELDS)?;
    let action = object.text("action")?.ok_or("expected the field `action`, found none")?;
    if !is_action(&action) {
        let known = KNOWN_ACTIONS.iter().map(|(name, _)| *name);
        return Err(unknown("an action such as `lock.unlock`", &action, known));
    }
    let data = match object.take("data") {
        None => serde_json::Map::new(),
        Some(Value::Object(data)) if data.len() <= DATA_FIELDS_MAX => data,
        Some(Value::Object(data)) => {
            return Err(format!("`data`: expected at most {DATA_FIELDS_MAX} fields, found {}", data.len()));
        }
        Some(other) => return Err(wrong_kind("an object", "data", &other)),
    };
    let confidence = match object.take("confidence") {
        None => None,
        Some(value) => match value.as_f64().filter(|number| (0.0..=1.0).contains(number)) {
            Some(number) => Some(number),
            None => return Err(wrong_kind("a number from 0 to 1", "confidence", &value)),
        },
    };
    Ok(Request {
        target: object.text("target")?,
        source: less_trusted(source, object.text("source")?.as_deref()),
        door: Door::Ask,
        data: data.into_iter().collect(),
        text: object.text("text")?,
        confidence,
        sensitive: false,
        heard: None,
        action,
    })
}

/// What an asker says of itself counts only against it.
fn less_trusted(source: Source, claim: Option<&str>) -> Source {
    let kind = match (source.kind, claim) {
        (SourceKind::Voice | SourceKind::Agent, _) => source.kind,
        (_, Some("voice")) => SourceKind::Voice,
        (_, Some("agent")) => SourceKind::Agent,
        (kind, _) => kind,
    };
    Source { kind, ..source }
}
