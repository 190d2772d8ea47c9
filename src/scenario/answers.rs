//! Answers in a scenario: which token one carries, which code, and the message that it is.
//!
//! It keeps the tokens that channels were really sent. Whether an answer counts is the bridge's affair.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Secret, TOTP};

use super::steps::payload_text;
use crate::model::control::Says;
use crate::model::message::Message;

/// A token that nobody was sent.
const WRONG_TOKEN: &str = "00000000000000000000000000000000";

/// An answer to a held request. The right token is the one that was really sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerText {
    channel: String,
    says: Says,
    #[serde(default)]
    token: Token,
    /// `last` is the request that was asked about last; `$1` the first decision's; anything else is sent as it is.
    #[serde(default = "AnswerText::id_default")]
    id: String,
    /// A PIN, or a code of TOTP as it is typed.
    #[serde(default)]
    code: Value,
    /// A secret in Base32: the code that an app with it shows now.
    totp: Option<String>,
    #[serde(default)]
    retain: bool,
}

impl AnswerText {
    fn id_default() -> String {
        "last".to_owned()
    }

    /// The message that it is. `with_ids` puts ids in the place of `$1`, `$2`, …
    pub(super) fn message(
        &self,
        base: &str,
        tokens: &Tokens,
        utc: Timestamp,
        with_ids: impl Fn(&str) -> String,
    ) -> Result<Message, String> {
        let id = match self.id.as_str() {
            "last" => tokens.asked_last.clone().ok_or("nothing was asked yet")?,
            id => with_ids(id),
        };
        let token = |channel: &str, id: &str, back: usize| {
            let what = if self.id == "last" { "what was asked last" } else { &self.id };
            tokens.get(channel, id, back).ok_or_else(|| {
                let which = if back == 0 { "token" } else { "earlier token" };
                format!("no {which} was sent to `{channel}` for `{what}`")
            })
        };
        let token = match &self.token {
            Token::None => None,
            Token::Wrong => Some(WRONG_TOKEN.to_owned()),
            Token::Right => Some(token(&self.channel, &id, 0)?),
            Token::Old => Some(token(&self.channel, &id, 1)?),
            Token::Of(other) if other.starts_with('$') => Some(token(&self.channel, &with_ids(other), 0)?),
            Token::Of(other) => Some(token(other, &id, 0)?),
        };
        let word = match self.says {
            Says::Approve => "approve",
            Says::Reject => "reject",
            Says::Seen => "seen",
        };
        let payload = match (token, self.code(utc)?) {
            (None, None) => word.to_owned(),
            (Some(token), None) => format!("{word} {token}"),
            (Some(token), Some(code)) => json!({"answer": word, "token": token, "code": code}).to_string(),
            (None, Some(code)) => json!({"answer": word, "code": code}).to_string(),
        };
        let topic = format!("{base}/confirm/{}/{id}", self.channel);
        Ok(Message { retain: self.retain, ..Message::live(topic, payload) })
    }

    fn code(&self, utc: Timestamp) -> Result<Option<String>, String> {
        match (&self.code, &self.totp) {
            (Value::Null, None) => Ok(None),
            (Value::String(_) | Value::Number(_), None) => Ok(Some(payload_text(&self.code))),
            (Value::Null, Some(secret)) => totp(secret, utc).map(Some),
            (_, None) => Err(format!("expected a text as `code`, found `{}`", self.code)),
            (_, Some(_)) => Err("expected `code` or `totp`, found both".to_owned()),
        }
    }
}

/// The code of RFC 6238 at one time: SHA-1, six digits, thirty seconds.
fn totp(secret: &str, utc: Timestamp) -> Result<String, String> {
    let bytes = Secret::Encoded(secret.to_owned()).to_bytes();
    let bytes = bytes.map_err(|_| "expected a secret in Base32 as `totp`, found another text".to_owned())?;
    let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, bytes).map_err(|error| error.to_string())?;
    Ok(totp.generate(u64::try_from(utc.as_second()).unwrap_or_default()))
}

/// Which token an answer carries.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Token {
    /// `right`: the latest that this channel was sent.
    #[default]
    Right,
    /// `wrong`: one that nobody was sent.
    Wrong,
    /// `none`
    None,
    /// `old`: one that this channel was sent before the latest.
    Old,
    /// `of panel`: the latest that another channel was sent. `of $1`: the latest for another request.
    Of(String),
}

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(text: String) -> Result<Token, String> {
        match (text.as_str(), text.strip_prefix("of ")) {
            ("right", _) => Ok(Token::Right),
            ("wrong", _) => Ok(Token::Wrong),
            ("none", _) => Ok(Token::None),
            ("old", _) => Ok(Token::Old),
            (_, Some(other)) => Ok(Token::Of(other.to_owned())),
            _ => Err(format!("expected `right`, `wrong`, `none`, `old`, `of <channel>` or `of $1`, found `{text}`")),
        }
    }
}

/// The tokens that were sent.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// By channel and request, oldest first.
    sent: BTreeMap<(String, String), Vec<String>>,
    asked_last: Option<String>,
    /// By channel: the latest of all.
    latest: BTreeMap<String, String>,
}

impl Tokens {
    /// Keeps the token of a question that is put to a channel.
    pub(super) fn note(&mut self, base: &str, message: &Message) {
        let Some(channel) = message.topic.strip_prefix(&format!("{base}/prompt/")) else { return };
        let Ok(prompt) = serde_json::from_slice::<Value>(&message.payload) else { return };
        let text = |name: &str| prompt.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(id), Some(token)) = (text("id"), text("token")) {
            let tokens = self.sent.entry((channel.to_owned(), id.clone())).or_default();
            if tokens.last() != Some(&token) {
                tokens.push(token.clone());
            }
            self.latest.insert(channel.to_owned(), token);
            self.asked_last = Some(id);
        }
    }

    /// A token that a channel was sent: the latest for `back` 0, the one before it for 1.
    fn get(&self, channel: &str, id: &str, back: usize) -> Option<String> {
        let tokens = self.sent.get(&(channel.to_owned(), id.to_owned()))?;
        tokens.iter().rev().nth(back).cloned()
    }

    /// The channels whose tokens stand in a text.
    pub(super) fn told_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let is_told = |tokens: &Vec<String>| tokens.iter().any(|token| text.contains(token));
        self.sent.iter().filter(move |(_, tokens)| is_told(tokens)).map(|((channel, _), _)| channel.as_str())
    }

    /// The text with the token that a channel was sent last in each place `{token of phone}`.
    pub(super) fn filled_in(&self, text: &str) -> Result<String, String> {
        let mut parts = text.split("{token of ");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (channel, rest) =
                part.split_once('}').ok_or_else(|| format!("expected `}}` after `{{token of`, found `{part}`"))?;
            let token = self.latest.get(channel).ok_or_else(|| format!("no token was sent to `{channel}` yet"))?;
            filled.push_str(token);
            filled.push_str(rest);
        }
        Ok(filled)
    }
}
