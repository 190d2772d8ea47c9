//! What of a record can be erased: sealed into the body as salted digests, and kept open beside it.
//!
//! The body says of each erasable field that is kept `{"sealed": "<SHA-256 of salt and JSON>"}`, of a masked text
//! `{"masked": <words>}`, and nothing of what is dropped. So a line can lose what people said, for ever, and the chain
//! over the bodies still holds; without the salt nobody can try sentences against the digest.
//!
//! It does not know where salts come from, nor how lines are stored.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::chain::{self, Link};
use super::sorted::{self, Instead};
use crate::config::{Keep, Log};
use crate::model::event::{Entry, Record};
use crate::model::request::SourceKind;

mod fields;

use fields::{Erasable, Field};

/// Random bytes that make a short text as hard to guess as a long one.
pub type Salt = [u8; SALT_BYTES];
const SALT_BYTES: usize = 16;

/// Names of fields that hold what only its owner may know. They are left out of every record, at any depth, in any case,
/// with or without `_` and `-`. Keypads call what was typed `action_code`, and locks theirs `pin_code` or `user_code`.
pub const CODE_KEYS: [&str; 16] = [
    "accesscode",
    "actioncode",
    "alarmcode",
    "code",
    "lockcode",
    "otp",
    "passcode",
    "passwd",
    "password",
    "pin",
    "pincode",
    "secret",
    "token",
    "totp",
    "usercode",
    "accesstoken",
];

/// Why a decision was made.
const REASON: &str = "/decision/reason";

/// What a reader is shown in place of a text that was forgotten.
pub const FORGOTTEN: &str = "(forgotten)";

/// Salts without end, from one random seed.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "who knows the seed can guess what was forgotten")]
pub struct Salts {
    seed: Link,
    count: u64,
}

impl Salts {
    /// `seed`: fresh random bytes of this run.
    pub fn new(seed: [u8; 32]) -> Salts {
        Salts { seed, count: 0 }
    }

    fn next(&mut self) -> Salt {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.count.to_be_bytes());
        self.count = self.count.wrapping_add(1);
        let digest: Link = hash.finalize().into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

/// A record as two fields of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The record's JSON without what can be erased. The chain covers it.
    pub body: String,
    /// What can be erased: a JSON object, JSON pointer → `[salt, value]`. Empty where there is nothing.
    pub open: String,
}

/// A record as a reader gets it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// In the shape of `Record`'s JSON. What is not kept any more stands in words: `(5 words, not kept)`, `(forgotten)`.
    pub value: Value,
    /// JSON pointers of what was forgotten.
    pub forgotten: Vec<String>,
}

impl Opened {
    /// # Errors
    /// For the owner: why it is no record of this program.
    pub fn into_record(self) -> Result<Record, String> {
        serde_json::from_value(self.value).map_err(|error| format!("expected a record, found something else: {error}"))
    }
}

/// What kind of thing an erasable field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// What somebody has said, or words of a rule.
    Text,
    /// Fields by name.
    Data,
    /// Facts that were read.
    Facts,
}

/// Seals one record.
///
/// # Errors
/// It has no form in JSON. Records are made of texts, numbers and times, so no record is known that fails.
pub fn seal(record: &Record, log: &Log, salts: &mut Salts) -> Result<Sealed, String> {
    let failed = |error| format!("a record has no form in JSON: {error}");
    let keep = match &record.entry {
        Entry::Decision { decision } => log.keep(decision.request.source.kind),
        // An event tells what a microphone has heard, or may do so.
        _ => log.text_default.max(log.keep(SourceKind::Voice)),
    };
    let mut open = String::new();
    let mut instead = Vec::new();
    for Erasable { pointer, field } in fields::erasable(record) {
        let json = match (field, keep) {
            (Field::Utterance(_), Keep::Drop) => None,
            (Field::Utterance(text), Keep::Mask) => Some(format!("{{\"masked\":{}}}", text.split_whitespace().count())),
            (field, _) => field.json().map_err(failed)?.map(|kept| {
                let salt = salts.next();
                open.push(if open.is_empty() { '{' } else { ',' });
                // Pointers are made of names of ours and numbers: nothing in them needs an escape.
                open.extend(["\"", &pointer, "\":[\""]);
                chain::push_hexadecimal(&mut open, &salt);
                open.extend(["\",", &kept, "]"]);
                format!("{{\"sealed\":\"{}\"}}", chain::hexadecimal(&digest(&salt, &kept)))
            }),
        };
        instead.push(Instead { pointer, json });
    }
    if !open.is_empty() {
        open.push('}');
    }
    Ok(Sealed { body: sorted::write(record, &instead).map_err(failed)?, open })
}

/// Puts a record together again, as far as it is kept. What is open but cannot be read counts as forgotten: `forget` may
/// have been cut short.
///
/// # Errors
/// For the owner: why the body is no record.
pub fn open(body: &str, open: &str) -> Result<Opened, String> {
    let mut value: Value = serde_json::from_str(body)
        .map_err(|error| format!("expected a record in JSON, found something else: {error}"))?;
    let fields = read_open(open).unwrap_or_default();
    let mut forgotten = Vec::new();
    for (pointer, holds) in erasable(&value) {
        let Some(field) = value.pointer_mut(&pointer) else { continue };
        if let Some(words) = field.get("masked").and_then(Value::as_u64) {
            let word = if words == 1 { "word" } else { "words" };
            *field = format!("({words} {word}, not kept)").into();
        } else if sealed_in(field).is_some() {
            let kept = fields.iter().find(|kept| kept.pointer == pointer);
            *field = kept.and_then(|kept| serde_json::from_str(kept.json).ok()).unwrap_or_else(|| {
                forgotten.push(pointer);
                match holds {
                    Holds::Data => Value::Object(Map::new()),
                    Holds::Facts => Value::Array(Vec::new()),
                    Holds::Text => FORGOTTEN.into(),
                }
            });
        }
    }
    Ok(Opened { value, forgotten })
}

/// Holds what is open against what is sealed. What was forgotten is no error.
///
/// # Errors
/// For the owner: what does not fit.
pub fn check(body: &str, open: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(body)
        .map_err(|error| format!("expected a record in JSON, found something else: {error}"))?;
    let fields = read_open(open).ok_or("what can be erased cannot be read")?;
    let erasable = erasable(&value);
    for field in fields {
        let is_known = erasable.iter().any(|(pointer, _)| pointer == field.pointer);
        let sealed = value.pointer(field.pointer).filter(|_| is_known).and_then(sealed_in);
        match sealed {
            None => return Err(format!("`{}` is told and was never sealed", field.pointer)),
            Some(sealed) if sealed != digest(&field.salt, field.json) => {
                return Err(format!("`{}` is not what was sealed", field.pointer));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Takes out what only its owner may know. Facts are told by attribute, so the value of such an attribute goes too.
pub fn remove_codes(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !is_code(key));
            if fields.get("attribute").and_then(Value::as_str).is_some_and(is_code) {
                fields.insert("value".to_owned(), Value::Null);
            }
            fields.values_mut().for_each(remove_codes);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_codes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a field of this name holds what only its owner may know.
pub fn is_code(key: &str) -> bool {
    let is_it = |code: &str| {
        let letters = key.bytes().filter(|byte| !matches!(byte, b'_' | b'-')).map(|byte| byte.to_ascii_lowercase());
        letters.eq(code.bytes())
    };
    CODE_KEYS.iter().any(|code| is_it(code))
}

/// JSON pointers of all that can be erased in a record that is read. Of one that is sealed, `fields::erasable` says the
/// same.
fn erasable(record: &Value) -> Vec<(String, Holds)> {
    let fixed: &[(&str, Holds)] = match record.get("record").and_then(Value::as_str) {
        Some("decision") => &[
            ("/decision/request/text", Holds::Text),
            ("/decision/request/data", Holds::Data),
            ("/decision/request/heard/playing", Holds::Facts),
            ("/decision/facts", Holds::Facts),
            ("/decision/confirm/question", Holds::Text),
        ],
        Some("event") => &[("/event/text", Holds::Text), ("/event/data", Holds::Data)],
        Some("notice" | "announced" | "refusal_spoken") => &[("/text", Holds::Text)],
        _ => &[],
    };
    let mut all: Vec<(String, Holds)> = fixed.iter().map(|(pointer, holds)| ((*pointer).to_owned(), *holds)).collect();
    let opinions = record.pointer("/decision/opinions").and_then(Value::as_array);
    let asks = |opinion: &Value| opinion.get("terms").is_some_and(Value::is_object);
    let asking = opinions.into_iter().flatten().enumerate().filter(|(_, opinion)| asks(opinion));
    for (index, _) in asking {
        // Why a rule asks is its question again, and that may quote what was said.
        let fields = ["terms/ask", "reason"].map(|field| format!("/decision/opinions/{index}/{field}"));
        all.extend(fields.map(|pointer| (pointer, Holds::Text)));
        if !all.iter().any(|(pointer, _)| pointer == REASON) {
            all.push((REASON.to_owned(), Holds::Text));
        }
    }
    all
}

fn is_empty(field: &Value) -> bool {
    match field {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn digest(salt: &Salt, json: &str) -> Link {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(json);
    hash.finalize().into()
}

fn sealed_in(field: &Value) -> Option<Link> {
    chain::read_link(field.get("sealed")?.as_str()?)
}

/// One erasable field that is kept. The value's JSON is as it was written: read and written again, a number could differ.
#[derive(Debug, PartialEq, Eq)]
struct Kept<'a> {
    pointer: &'a str,
    salt: Salt,
    json: &'a str,
}

/// Reads what `seal` writes, and nothing else. `None`: it is something else.
fn read_open(open: &str) -> Option<Vec<Kept<'_>>> {
    if open.trim_matches(' ').is_empty() {
        return Some(Vec::new());
    }
    let mut rest = open.trim_matches(' ').strip_prefix('{')?;
    let mut fields = Vec::new();
    loop {
        let (pointer, after) = rest.strip_prefix('"')?.split_once("\":[\"")?;
        let (salt, after) = after.split_once("\",")?;
        let (json, after) = after.split_at_checked(json_bytes(after)?)?;
        fields.push(Kept { pointer, salt: read_salt(salt)?, json });
        match after.strip_prefix(']')? {
            "}" => return Some(fields),
            more => rest = more.strip_prefix(',')?,
        }
    }
}

/// The length of the JSON value at the beginning of a text.
fn json_bytes(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

fn read_salt(text: &str) -> Option<Salt> {
    // A salt is half a link.
    let link = chain::read_link(&format!("{text}{}", "0".repeat(2 * SALT_BYTES)))?;
    link.first_chunk().copied()
}

#[cfg(test)]
mod tests;
