//! Answers of people on `<base>/confirm/<channel>/<id>`.
//!
//! Whether the token is right, the channel may answer and the request still waits is the engine's affair. The channel
//! is the one that the topic names; the broker's access list says who may write there. What a channel answers on topics
//! of the house is in `answers`.

use super::object::Object;
use super::{Decoded, Wire, shown, staleness};
use crate::model::control::{Answer, Code, Says};
use crate::model::event::Event;
use crate::model::message::Message;

/// Longest token that is looked at, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 256;
/// Longest code that is looked at, in bytes.
pub(super) const CODE_BYTES_MAX: usize = 128;
/// Longest id that is looked at, in bytes.
pub(super) const PENDING_ID_BYTES_MAX: usize = 128;
/// The id under which the canary writes, to see whether others can read what is answered. It is nobody's answer.
pub const CANARY_ID: &str = "hushgate_canary";

impl Wire {
    pub(super) fn decode_confirm(&self, message: &Message, rest: &str) -> Decoded {
        if message.retain {
            return Decoded::ghost(&message.topic);
        }
        if rest.split_once('/').is_some_and(|(_, id)| id == CANARY_ID) {
            return Decoded::default();
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
        let Words { answer, token, code } = read_words(&message.payload)?;
        let says = [Says::Approve, Says::Reject, Says::Seen];
        let says = says.into_iter().find(|says| says.name() == answer.to_lowercase());
        // The word is not repeated: it may be the token.
        let says = says.ok_or("expected `approve`, `reject` or `seen` first, found another word")?;
        let (token, code) = bounded(token, code)?;
        Ok(Answer { channel: channel.to_owned(), pending: Some(id.to_owned()), says, token, code })
    }
}

fn is_pending_id(id: &str) -> bool {
    (1..=PENDING_ID_BYTES_MAX).contains(&id.len()) && !id.contains('/')
}

/// What comes with an answer is bounded before anything is computed from it. No error repeats it.
pub(super) fn bounded(token: Option<String>, code: Option<String>) -> Result<(Option<String>, Option<Code>), String> {
    if token.as_ref().is_some_and(|token| token.len() > TOKEN_BYTES_MAX) {
        return Err(format!("expected a token of at most {TOKEN_BYTES_MAX} bytes, found a longer one"));
    }
    if code.as_ref().is_some_and(|code| code.len() > CODE_BYTES_MAX) {
        return Err(format!("expected a PIN or code of at most {CODE_BYTES_MAX} bytes, found a longer one"));
    }
    Ok((token, code.map(Code::new)))
}

struct Words {
    answer: String,
    token: Option<String>,
    code: Option<String>,
}

/// `approve`, `approve <token>`, `approve <token> <code>` or JSON. No error repeats a token or a code.
fn read_words(payload: &[u8]) -> Result<Words, String> {
    let text = std::str::from_utf8(payload).map_err(|_| "expected text, found bytes that are not UTF-8")?;
    if text.trim_start().starts_with('{') {
        let mut object = Object::read(payload).map_err(|_| "expected a JSON object with `answer`, found other text")?;
        object.only(&["answer", "token", "code", "pin"])?;
        let mut text =
            |name: &str| object.text(name).map_err(|_| format!("`{name}`: expected text, found another kind"));
        let answer = text("answer")?.ok_or("expected the field `answer`, found none")?;
        let (token, code, pin) = (text("token")?, text("code")?, text("pin")?);
        if code.is_some() && pin.is_some() {
            return Err("expected `code` or `pin`, found both".to_owned());
        }
        return Ok(Words { answer, token, code: code.or(pin) });
    }
    let mut words = text.split_whitespace().map(str::to_owned);
    let answer = words.next().ok_or("expected `approve`, `reject` or `seen`, found only spaces")?;
    let (token, code) = (words.next(), words.next());
    if words.next().is_some() {
        return Err("expected an answer, its token and a code, found more words".to_owned());
    }
    Ok(Words { answer, token, code })
}
