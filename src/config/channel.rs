//! Channels: the ways by which requests come and answers arrive.
//!
//! Reading them from the text is the affair of `devices`; which of them is fit to answer, the engine decides.

use super::pattern::TopicPattern;
use super::payload::PayloadCondition;
use super::template::Template;
use super::{Outgoing, Secret};
use crate::model::control::Says;
use crate::model::glob::Glob;
use crate::model::request::SourceKind;

/// A way by which requests come and answers arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    pub kind: SourceKind,
    /// It shares no microphone, account or device with any channel that asks. Only such channels may confirm
    /// what nobody knows the asker of.
    pub independent: bool,
    /// It may answer questions.
    pub confirms: bool,
    /// The `assist_satellite` that it is in Home Assistant.
    pub satellite: Option<String>,
    /// The id of the user whom Home Assistant knows it by.
    pub person: Option<String>,
    /// The actions that it may confirm. Empty: all.
    pub may_confirm: Vec<Glob>,
    /// Who carries its questions and answers: the channel is as strong as that.
    pub carrier: Carrier,
    /// The user of the broker who is this channel, for `hushgate acl`. `None`: one of the channel's name.
    pub user: Option<String>,
    /// What its answers must bring besides the token.
    pub code: Option<ChannelCode>,
    /// The speaker through whose integration it is asked and answers.
    pub speaker: Option<String>,
    /// What is sent besides `prompt/<channel>` when it is asked: to a speaker, a display, a dialogue.
    pub ask: Vec<Outgoing>,
    /// What is sent when no answer is wanted any more.
    pub over: Vec<Outgoing>,
    /// What counts as its answer besides `confirm/<channel>/<id>`: a button, a dialogue.
    pub answers: Vec<AnswerEntry>,
}

/// Who carries the questions and answers of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// The broker alone.
    #[default]
    Mqtt,
    /// Home Assistant: whoever holds it can answer.
    HomeAssistant,
}

/// What an answer must bring besides the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelCode {
    /// The hash of a PIN, in the PHC form of argon2id that `hushgate hash-pin` writes.
    Pin(Secret),
    /// The shared secret of TOTP (RFC 6238): SHA-1, six digits, 30 seconds; in Base32.
    Totp(Secret),
}

/// How a message of some device is read as the answer of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerEntry {
    pub topic: TopicPattern,
    pub when: Option<PayloadCondition>,
    pub says: Says,
    /// Where the token stands; a message without one there is refused. `None`: it answers the only question that is open on this channel, if there is just one.
    pub token: Option<Template>,
    /// Where the code stands.
    pub code: Option<Template>,
}

impl ChannelCode {
    /// As it is written: `pin` or `totp`.
    pub const fn name(&self) -> &'static str {
        match self {
            ChannelCode::Pin(_) => "pin",
            ChannelCode::Totp(_) => "totp",
        }
    }
}

impl Channel {
    /// Whether it may confirm this action, as far as the action goes.
    pub fn may_confirm(&self, action: &str) -> bool {
        self.may_confirm.is_empty() || self.may_confirm.iter().any(|glob| glob.matches(action))
    }

    /// Whether some message counts as its approval that brings no token: whoever may write that topic can approve.
    pub fn approves_without_token(&self) -> bool {
        self.answers.iter().any(|entry| entry.says == Says::Approve && entry.token.is_none())
    }
}
