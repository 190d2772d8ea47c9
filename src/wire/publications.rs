//! What the bridge says: publications and records as topics and payloads.
//!
//! The token of a held request leaves by `prompt/<channel>` alone, but for the buttons of `wire::home_assistant`, where
//! the owner has given them that channel, and for the messages that the owner has written in the channel's `ask`.

use serde_json::{Value, json};

use super::{ANSWER_KEPT_S, Wire};
use crate::model::control::Says;
use crate::model::durable::{Grant, Item, Mute, Pending};
use crate::model::event::{AnswerBody, Entry, Publication, Record};
use crate::model::message::{Message, Qos, ReplyTo};
use crate::model::request::Reply;
use crate::model::speaker::{Feedback, What};
use crate::model::topic;

impl Wire {
    pub(super) fn write(&mut self, publication: Publication) -> Vec<Message> {
        match publication {
            Publication::Pending(pending) => {
                let expiry_s = Some(seconds_open(&pending));
                let message = stored(self.in_base(&format!("pending/{}", pending.id)), &pending_body(&pending));
                vec![self.own.store(Message { expiry_s, ..message })]
            }
            Publication::PendingOver { id } => vec![self.own.clear(self.in_base(&format!("pending/{id}")))],
            Publication::Prompt { channel, pending, token } => {
                let expiry_s = Some(seconds_open(&pending));
                let asks = self.config.to_channel(&channel, &pending, &token);
                let asks = asks.into_iter().map(|message| Message { expiry_s, ..message });
                let mut messages = vec![self.prompt(&channel, &pending, &token)];
                messages.extend(asks);
                messages.extend(self.ask_speaker(&channel, &pending, &token));
                messages
            }
            Publication::PromptOver { channel, id } => {
                let over = live(self.in_base(&format!("prompt/{channel}")), &json!({"kind": "over", "id": id}));
                let cancelled = self.cancel_speaker(&channel, &id);
                std::iter::once(over).chain(self.config.over_to_channel(&channel, &id)).chain(cancelled).collect()
            }
            Publication::Answer { reply, answer, .. } => vec![write_answer(reply, &answer)],
            Publication::MuteState { speaker, mute } => {
                let body = self.mute_body(&speaker, mute.as_ref());
                vec![self.own.store(stored(self.in_base(&format!("mute/{speaker}")), &body))]
            }
            Publication::Speaker { speaker, command } => self.tell_speaker(&speaker, command),
            Publication::PolicyState { name, on, mode } => {
                let body = json!({"state": if on { "on" } else { "off" }, "mode": mode});
                vec![self.own.store(stored(self.in_base(&format!("policy/{name}")), &body))]
            }
            Publication::PolicyGone { name } => vec![self.own.clear(self.in_base(&format!("policy/{name}")))],
            Publication::ModeState { mode, until } => {
                self.see_mode(mode);
                let body = without_nulls(json!({"mode": mode, "until": until}));
                vec![self.own.store(stored(self.in_base("mode"), &body))]
            }
            Publication::Info { revision, policies } => {
                let body = json!({
                    "version": env!("CARGO_PKG_VERSION"),
                    "instance": self.own.instance(),
                    "revision": revision,
                    "policies": policies,
                });
                vec![self.own.store(stored(self.in_base("info"), &body))]
            }
            Publication::RelayState { on, until } => {
                let body = without_nulls(json!({"state": if on { "on" } else { "off" }, "until": until}));
                let state = self.own.store(stored(self.in_base("relay"), &body));
                std::iter::once(state).chain(self.switch_relay(on)).collect()
            }
            Publication::Bypass(decision) => {
                let body = serde_json::to_vec(&decision).unwrap_or_default();
                vec![Message::live(self.in_base("bypass"), body)]
            }
            Publication::Notice { text, policy } => self.notice(&text, &policy),
            Publication::Plain(message) if self.is_plain(&message.topic) => vec![message],
            Publication::GrantState { id, grant: Some(grant) } => {
                let message = stored(self.in_base(&format!("grant/{id}")), &grant_body(&grant));
                vec![self.own.store(message)]
            }
            Publication::GrantState { id, grant: None } => vec![self.own.clear(self.in_base(&format!("grant/{id}")))],
            Publication::Plain(_) | Publication::Prompts(_) => Vec::new(),
            Publication::Clear { topic } => vec![self.own.clear(topic)],
        }
    }

    /// A policy's message must never be a command, whatever the engine has let through.
    fn is_plain(&self, topic: &str) -> bool {
        topic::check_name(topic).is_ok()
            && !topic::is_under(topic, &self.config.base)
            && !self.registry.is_discovery(topic)
            && !self.registry.is_command_topic(topic)
    }

    pub(super) fn prompt(&self, channel: &str, pending: &Pending, token: &str) -> Message {
        let mut body = asked(pending);
        body.insert("kind".to_owned(), json!("ask"));
        body.insert("token".to_owned(), json!(token));
        let answer_topic = self.in_base(&format!("confirm/{channel}/{}", pending.id));
        body.insert("answer_topic".to_owned(), json!(answer_topic));
        body.insert("may_say".to_owned(), json!([Says::Approve, Says::Reject, Says::Seen]));
        let code = self.config.channels.get(channel).and_then(|channel| channel.code.as_ref());
        if let Some(code) = code {
            body.insert("needs_code".to_owned(), json!(code.name()));
        }
        let message = live(self.in_base(&format!("prompt/{channel}")), &Value::Object(body));
        Message { expiry_s: Some(seconds_open(pending)), ..message }
    }

    /// With what muting the microphone achieves, as the speaker's integration says honestly.
    fn mute_body(&self, speaker: &str, mute: Option<&(Mute, Feedback)>) -> Value {
        let Some((mute, feedback)) = mute else { return json!({"state": "unmuted"}) };
        let ability = self.registry.integrations().ability(speaker);
        let achieves = ability.and_then(|ability| ability.grade).filter(|_| mute.what.covers(What::Mic));
        without_nulls(json!({
            "state": "muted",
            "what": mute.what,
            "until": mute.until,
            "reason": mute.reason,
            "by": mute.by,
            "achieves": achieves,
            "feedback": feedback,
        }))
    }

    fn notice(&self, text: &str, policy: &str) -> Vec<Message> {
        let body = json!({"text": text, "policy": policy});
        let mut messages = vec![live(self.in_base("notice"), &body)];
        messages.extend(self.config.to_owner(text, policy));
        messages
    }
}

/// A decision goes to `decision/<verdict>/<action>`; everything else to `log`.
pub(super) fn record(base: &str, record: &Record) -> Option<Message> {
    let log = format!("{base}/log");
    match &record.entry {
        Entry::Decision { decision } => {
            let topic = format!("{base}/decision/{}/{}", decision.verdict.name(), decision.request.action);
            Some(Message::live(topic, serde_json::to_vec(decision).ok()?))
        }
        Entry::Dropped { topic, .. } if *topic == log => None,
        _ => Some(Message { qos: Qos::AtMostOnce, ..Message::live(log, serde_json::to_vec(record).ok()?) }),
    }
}

fn live(topic: String, body: &Value) -> Message {
    Message::live(topic, body.to_string())
}

fn stored(topic: String, body: &Value) -> Message {
    Message::retained(topic, body.to_string())
}

fn without_nulls(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

fn write_answer(reply: Reply, answer: &AnswerBody) -> Message {
    let body = serde_json::to_vec(answer).unwrap_or_default();
    Message {
        retain: reply.retain,
        expiry_s: reply.retain.then_some(ANSWER_KEPT_S),
        reply: reply.correlation.map(|correlation| ReplyTo { topic: String::new(), correlation: Some(correlation) }),
        ..Message::live(reply.topic, body)
    }
}

/// What people are told of a held request, or of a group: then `items` lists all of it. The token is not among it.
fn asked(pending: &Pending) -> serde_json::Map<String, Value> {
    let request = &pending.first.arrival.request;
    let item = |item: &Item| {
        let request = &item.arrival.request;
        without_nulls(json!({
            "id": item.id,
            "action": request.action,
            "target": request.target,
            "question": item.question,
        }))
    };
    let items = (!pending.joined.is_empty()).then(|| pending.items().map(item).collect::<Vec<_>>());
    let body = without_nulls(json!({
        "id": pending.id,
        "action": request.action,
        "target": request.target,
        "source": request.source,
        "question": pending.question,
        "until": pending.until,
        "items": items,
    }));
    match body {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    }
}

/// Nothing of what is held: a digest of it would let anybody try all PINs of an alarm against it.
fn pending_body(pending: &Pending) -> Value {
    let mut body = asked(pending);
    body.insert("channels".to_owned(), json!(pending.channels));
    Value::Object(body)
}

fn grant_body(grant: &Grant) -> Value {
    without_nulls(json!({
        "channel": grant.channel,
        "action": grant.action,
        "target": grant.target,
        "until": grant.until,
    }))
}

/// How long a question is open, rounded up, so that its messages do not outlive it by more than a second.
fn seconds_open(pending: &Pending) -> u32 {
    let open_ms = pending.expires_ms.saturating_sub(pending.asked_ms);
    u32::try_from(open_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
}
