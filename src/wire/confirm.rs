//! Answers of people on `<base>/confirm/<channel>/<id>`.
//!
//! Whether the token is right, the channel may answer and the request still waits is the engine's affair. The channel
//! is the one that the topic names; the broker's access list says who may write there.

use super::object::Object;
use super::{Decoded, Wire, shown, staleness};
use crate::model::control::{Answer, Says};
use crate::model::event::Event;
use crate::model::message::Message;

/// Longest token that is looked at, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 256;
/// Longest id that is looked at, in bytes.
pub(super) const PENDING_ID_BYTES_MAX: usize = 128;

impl Wire {
    pub(super) fn decode_confirm(&self, message: &Message, rest: &str) -> Decoded {
        if message.retain {
            return Decoded::ghost(&message.topic);
        }
        match self.read_answer(message, rest) {
            Ok(answer) => Decoded::event(Event::Answer(answer)),
            Err(reason) => Decoded::refused(&message.topic, reason, None),
        }
    }

    fn read_answer(&self, message: &Message, rest: &str) -> Result<Answer, String> {
        let (channel, id) = rest
            .split_once('/')
            .filter(|(_, id)| is_pending_id(id))
            .ok_or_else(|| format!("expected `confirm/<channel>/<id>`, found `confirm/{}`", shown(rest)))?;
        if !self.config.channels.contains_key(channel) {
            return Err(self.unknown_channel(channel));
        }
        if let Some(reason) = staleness(message) {
            return Err(reason.to_owned());
        }
        let (answer, token) = read_words(&message.payload)?;
        if token.as_ref().is_some_and(|token| token.len() > TOKEN_BYTES_MAX) {
            return Err(format!("expected a token of at most {TOKEN_BYTES_MAX} bytes, found a longer one"));
        }
        let says = match answer.to_lowercase().as_str() {
            "approve" => Says::Approve,
            "reject" => Says::Reject,
            // The word is not repeated: it may be the token.
            _ => return Err("expected `approve` or `reject` first, found another word".to_owned()),
        };
        Ok(Answer { channel: channel.to_owned(), pending: Some(id.to_owned()), says, token, code: None })
    }
}

fn is_pending_id(id: &str) -> bool {
    (1..=PENDING_ID_BYTES_MAX).contains(&id.len()) && !id.contains('/')
}

/// `approve`, `approve <token>` or JSON. No error repeats a token.
fn read_words(payload: &[u8]) -> Result<(String, Option<String>), String> {
    let text = std::str::from_utf8(payload).map_err(|_| "expected text, found bytes that are not UTF-8")?;
    if text.trim_start().starts_with('{') {
        let mut object = Object::read(payload).map_err(|_| "expected a JSON object with `answer`, found other text")?;
        object.only(&["answer", "token"])?;
        let answer = object.text("answer")?.ok_or("expected the field `answer`, found none")?;
        let token = object.text("token").map_err(|_| "`token`: expected text, found another kind")?;
        return Ok((answer, token));
    }
    let mut words = text.split_whitespace().map(str::to_owned);
    let answer = words.next().ok_or("expected `approve` or `reject`, found only spaces")?;
    let token = words.next();
    if words.next().is_some() {
        return Err("expected `approve` or `reject` and a token, found more words".to_owned());
    }
    Ok((answer, token))
}
