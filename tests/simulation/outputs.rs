//! What leaves the bridge, as the oracle sees it: mutes, forwards, prompts, and everything else that is sent.

use std::collections::BTreeMap;

use hushgate::model::message::Message;
use hushgate::model::mode::Mode;
use hushgate::model::permit::Permit;
use hushgate::model::time::At;

use super::{Cause, Oracle, POLICY_MUTE_MS, STALE_AFTER_S};
use crate::watch::Trace;

impl Oracle {
    pub(super) fn mute(&mut self, at: At, cause: &Cause, (speaker, by, applied): (&str, &str, bool), trace: &Trace) {
        if !applied {
            trace.check(by == "watching" || self.mode == Mode::Observe, || format!("`{by}` was not obeyed"));
            return;
        }
        let for_ms = match cause {
            Cause::Mute { for_ms } if by == "control" => *for_ms,
            _ => {
                trace.check(by == "wake" && self.acts("wake"), || format!("`{by}` muted without a right to"));
                POLICY_MUTE_MS
            }
        };
        let until_ms = self.muted.entry(speaker.to_owned()).or_default();
        *until_ms = (*until_ms).max(at.monotonic_ms + for_ms);
        self.told_muted.insert(speaker.to_owned());
        self.seen.count("muted");
    }

    pub(super) fn unmute(&mut self, at: At, speaker: &str, by: &str, trace: &Trace) {
        let Some(until_ms) = self.muted.remove(speaker) else { trace.fail("un-muted what was not muted") };
        let what = match by {
            "timer" => {
                trace.check(until_ms <= at.monotonic_ms, || format!("`{speaker}` was un-muted before its time"));
                "unmuted by timer"
            }
            "wake" => {
                trace.check(self.acts("wake"), || "a policy un-muted that does not act".to_owned());
                "unmuted by a policy"
            }
            decision => {
                trace.check(self.allowed_controls.contains(decision), || format!("un-muted by `{by}`"));
                "unmuted by a decision"
            }
        };
        self.seen.count(what);
        self.unmuted.insert(speaker.to_owned());
        if self.away {
            self.owed.insert(speaker.to_owned());
        }
    }

    pub(crate) fn forward(&mut self, at: At, permit: Permit, trace: &Trace) {
        self.has_forwarded = true;
        let (decision, topic) = (permit.decision().to_owned(), permit.topic().to_owned());
        trace.check(self.allowed.remove(&decision), || format!("`{topic}` left without a decision of its own"));
        let Some(command) = self.commands.remove(&topic) else {
            trace.fail(&format!("`{topic}` left, but no such command waits: twice, or never sent"))
        };
        trace.check(command.granted.as_ref() == Some(&decision), || format!("`{topic}` left by another's decision"));
        let message = permit.into_message();
        trace.check(message.payload == command.payload, || format!("`{topic}` left with another payload"));
        trace.check(!message.retain, || format!("`{topic}` left as a stored message"));
        let left_ms = command.expires_ms.map_or(u64::MAX, |expires_ms| expires_ms.saturating_sub(at.monotonic_ms));
        let expiry_s = message.expiry_s.unwrap_or(u32::MAX);
        let in_time = expiry_s <= STALE_AFTER_S && u64::from(expiry_s) * 1_000 <= left_ms && expiry_s > 0;
        trace.check(in_time, || format!("`{topic}` left with {expiry_s} s, of {left_ms} ms"));
    }

    pub(crate) fn sent(&mut self, at: At, message: &Message, trace: &Trace) {
        let topic = message.topic.as_str();
        if let Some(speaker) = topic.strip_prefix("speakers/").and_then(|rest| rest.strip_suffix("/microphone")) {
            let is_off = message.payload == "off";
            let cause = if is_off {
                self.told_muted.contains(speaker) || (self.connected && self.muted.contains_key(speaker))
            } else {
                self.unmuted.contains(speaker) || (self.connected && self.owed.remove(speaker))
            };
            trace.check(cause, || format!("`{topic}` was told {:?} without a recorded cause", message.payload));
        } else if let Some(channel) = topic.strip_prefix("hushgate/prompt/") {
            self.prompted(at, channel, message, trace);
        } else if topic.starts_with("hushgate/answer/") || topic.starts_with("replies/") {
            self.seen.count("answered");
        } else if topic == "house/said" {
            trace.check(self.acts("sender"), || "a policy published that does not act".to_owned());
        } else {
            let own = topic.starts_with("hushgate/")
                || topic == "homeassistant/device/hushgate/config"
                || topic == "owner/notice";
            trace.check(own, || format!("`{topic}` was sent, and not by a permit"));
        }
    }

    fn prompted(&mut self, at: At, channel: &str, message: &Message, trace: &Trace) {
        let prompt: serde_json::Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        let text = |name: &str| prompt.get(name).and_then(serde_json::Value::as_str);
        let (Some("ask"), Some(id), Some(token), Some(until)) =
            (text("kind"), text("id"), text("token"), text("until"))
        else {
            return;
        };
        let asked_anew = self.asked_anew.contains(id);
        let Some(pending) = self.pendings.get_mut(id) else {
            // Asked and ended in the same event; nothing can come of it.
            return;
        };
        if asked_anew {
            let until: jiff::Timestamp = until.parse().unwrap_or_default();
            let within_ms = u64::try_from(until.duration_since(at.utc).as_millis()).unwrap_or(0);
            (pending.opened_ms, pending.until_ms) = (at.monotonic_ms, at.monotonic_ms + within_ms);
        }
        if pending.ask_ms.is_some_and(|ask_ms| ask_ms <= at.monotonic_ms) {
            (pending.ask_ms, pending.tokens) = (None, BTreeMap::new());
            self.seen.count("asked what has gathered");
        }
        trace.check(pending.ask_ms.is_none(), || format!("`{id}` was asked while it gathers"));
        let known = pending.tokens.insert(channel.to_owned(), token.to_owned());
        // At a restart it can be asked anew twice: a switch falls, then the tokens of the old run are void.
        let same = asked_anew || known.is_none_or(|known| known == token);
        trace.check(same, || format!("the token of `{id}` changed without its being asked anew"));
    }
}
