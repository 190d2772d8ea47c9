//! Control of the bridge: `mode/set`, `policy/<name>/set`, `mute/<speaker>/set`, `grant/set` and their like.
//!
//! What loosens is judged by the engine like any other request; nothing is decided here. Whether a policy of that name
//! is loaded is known only there.

use super::object::Object;
use super::{Decoded, Wire, no_such_topic, shown, staleness, unknown};
use crate::model::control::{Control, LOOSEN_MAX_MS, Until};
use crate::model::event::Event;
use crate::model::message::Message;
use crate::model::mode::Mode;
use crate::model::speaker::What;
use crate::time::parse_time_of_day;

/// Longest reason of a mute, in bytes.
pub(super) const REASON_BYTES_MAX: usize = 1_024;
/// Longest name of a policy in a topic, in bytes.
pub(super) const POLICY_BYTES_MAX: usize = 128;
/// Longest id of a grant in a topic, in bytes.
pub(super) const GRANT_ID_BYTES_MAX: usize = 128;

impl Wire {
    pub(super) fn decode_mode(&self, message: &Message) -> Decoded {
        decoded(message, read_mode)
    }

    pub(super) fn decode_relay(&self, message: &Message) -> Decoded {
        decoded(message, read_relay)
    }

    pub(super) fn decode_accept(&self, message: &Message) -> Decoded {
        decoded(message, read_accept)
    }

    pub(super) fn decode_grant(&self, message: &Message) -> Decoded {
        decoded(message, read_grant)
    }

    /// `policy/<name>/set`, `mute/<speaker>/set` and `grant/<id>/set`.
    pub(super) fn decode_switch(&self, message: &Message, kind: &str, rest: &str) -> Decoded {
        let Some(name) = rest.strip_suffix("/set").filter(|name| !name.is_empty() && !name.contains('/')) else {
            return no_such_topic(message);
        };
        decoded(message, |payload| match kind {
            "mute" if !self.config.speakers.contains_key(name) => {
                Err(unknown("a configured speaker", name, self.config.speakers.keys().map(String::as_str)))
            }
            "mute" => read_mute(name, payload),
            "grant" if name.len() > GRANT_ID_BYTES_MAX => {
                Err(format!("expected a grant's id, found `{}…`", shown(name)))
            }
            "grant" => read_revoke(name, payload),
            _ if name.len() > POLICY_BYTES_MAX => Err(format!("expected a policy's name, found `{}…`", shown(name))),
            _ => read_script(name, payload),
        })
    }
}

fn decoded(message: &Message, read: impl FnOnce(&[u8]) -> Result<Control, String>) -> Decoded {
    if message.retain {
        return Decoded::ghost(&message.topic);
    }
    let control = staleness(message).map_or_else(|| read(&message.payload), |reason| Err(reason.to_owned()));
    match control {
        Ok(control) => Decoded::event(Event::Control(control)),
        Err(reason) => Decoded::refused(&message.topic, reason, None),
    }
}

/// A bare word in lower case, or an object with the given fields.
enum Body {
    Word(String),
    Object(Object),
}

fn read_body(payload: &[u8], fields: &[&str]) -> Result<Body, String> {
    let text = std::str::from_utf8(payload).map_err(|_| "expected text, found bytes that are not UTF-8")?;
    if text.trim_start().starts_with('{') {
        let object = Object::read(payload)?;
        object.only(fields)?;
        return Ok(Body::Object(object));
    }
    Ok(Body::Word(text.trim().to_lowercase()))
}

fn read_mode(payload: &[u8]) -> Result<Control, String> {
    let (word, for_ms) = match read_body(payload, &["mode", "for"])? {
        Body::Word(word) => (word, None),
        Body::Object(mut object) => {
            let mode = object.text("mode")?.ok_or("expected the field `mode`, found none")?;
            (mode, object.duration_ms("for", LOOSEN_MAX_MS)?)
        }
    };
    match word.as_str() {
        "observe" => Ok(Control::SetMode { mode: Mode::Observe, for_ms }),
        "enforce" => Ok(Control::SetMode { mode: Mode::Enforce, for_ms }),
        _ => Err(unknown("`observe` or `enforce`", &word, ["observe", "enforce"])),
    }
}

fn read_relay(payload: &[u8]) -> Result<Control, String> {
    let (on, for_ms) = read_switch(payload)?;
    Ok(Control::SetRelay { on, for_ms })
}

/// `{"channel": "sitter", "action": "lock.unlock", "target": "front_door", "until": "23:00"}`
fn read_grant(payload: &[u8]) -> Result<Control, String> {
    let mut object = Object::read(payload)?;
    object.only(&["channel", "action", "target", "for", "until"])?;
    let channel = object.text("channel")?.ok_or("expected the field `channel`, found none")?;
    let action = object.text("action")?.ok_or("expected the field `action`, found none")?;
    let target = object.text("target")?;
    let for_ms = object.duration_ms("for", LOOSEN_MAX_MS)?;
    let until = object.text("until")?.map(|text| read_until(&text)).transpose()?;
    if for_ms.is_some() && until.is_some() {
        return Err("expected `for` or `until`, found both".to_owned());
    }
    Ok(Control::Grant { channel, action, target, for_ms, until })
}

fn read_until(text: &str) -> Result<Until, String> {
    let clock = parse_time_of_day(text).ok().map(Until::Clock);
    let until = clock.or_else(|| text.parse().ok().map(Until::Utc));
    until.ok_or_else(|| {
        format!("`until`: expected a time such as `23:00` or `2027-03-02T23:00:00Z`, found `{}`", shown(text))
    })
}

fn read_revoke(id: &str, payload: &[u8]) -> Result<Control, String> {
    match read_body(payload, &[])? {
        Body::Word(word) if word == "revoke" => Ok(Control::Revoke { id: id.to_owned() }),
        Body::Word(word) => Err(unknown("`revoke`", &word, ["revoke"])),
        Body::Object(_) => Err("expected `revoke`, found an object".to_owned()),
    }
}

/// `accept` for everything, or `{"accept": "<topic>"}`.
fn read_accept(payload: &[u8]) -> Result<Control, String> {
    match read_body(payload, &["accept"])? {
        Body::Word(word) if word == "accept" => Ok(Control::Accept { topic: None, announced: None }),
        Body::Word(word) => Err(unknown("`accept`", &word, ["accept"])),
        Body::Object(mut object) => {
            let topic = object.text("accept")?.ok_or("expected the field `accept`, found none")?;
            Ok(Control::Accept { topic: Some(topic), announced: None })
        }
    }
}

fn read_script(name: &str, payload: &[u8]) -> Result<Control, String> {
    let (on, for_ms) = read_switch(payload)?;
    Ok(Control::SetPolicy { policy: name.to_owned(), on, for_ms })
}

/// `on`, `off`, or `{"on": false, "for": "30m"}`.
fn read_switch(payload: &[u8]) -> Result<(bool, Option<u64>), String> {
    match read_body(payload, &["on", "for"])? {
        Body::Word(word) if word == "on" => Ok((true, None)),
        Body::Word(word) if word == "off" => Ok((false, None)),
        Body::Word(word) => Err(unknown("`on` or `off`", &word, ["on", "off"])),
        Body::Object(mut object) => {
            let on = object.flag("on")?.ok_or("expected the field `on`, found none")?;
            Ok((on, object.duration_ms("for", LOOSEN_MAX_MS)?))
        }
    }
}

fn read_mute(name: &str, payload: &[u8]) -> Result<Control, String> {
    let speaker = name.to_owned();
    let mut object = match read_body(payload, &["mute", "what", "for", "reason"])? {
        Body::Word(word) if word == "mute" || word == "on" => {
            return Ok(Control::Mute { speaker, what: None, for_ms: None, reason: None });
        }
        Body::Word(word) if word == "unmute" || word == "off" => return Ok(Control::Unmute { speaker }),
        Body::Word(word) => return Err(unknown("`mute` or `unmute`", &word, ["mute", "unmute"])),
        Body::Object(object) => object,
    };
    let mute = object.flag("mute")?.ok_or("expected the field `mute`, found none")?;
    let what = object.text("what")?.map(|word| read_what(&word)).transpose()?;
    let for_ms = object.duration_ms("for", LOOSEN_MAX_MS)?;
    let reason = object.text("reason")?;
    if reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return Err(format!("`reason`: expected at most {REASON_BYTES_MAX} bytes, found more"));
    }
    match (mute, what, for_ms, reason) {
        (true, what, for_ms, reason) => Ok(Control::Mute { speaker, what, for_ms, reason }),
        (false, None, None, None) => Ok(Control::Unmute { speaker }),
        (false, ..) => {
            Err("expected `what`, `for` and `reason` only with `\"mute\": true`, found them with `false`".to_owned())
        }
    }
}

fn read_what(word: &str) -> Result<What, String> {
    What::named(word).ok_or_else(|| unknown("`mic`, `sound` or `both` in `what`", word, What::ALL.map(What::name)))
}
