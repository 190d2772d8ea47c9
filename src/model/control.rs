//! Control of the bridge over MQTT: its mode, its policies' switches, its mutes.
//!
//! Tightening happens at once. Loosening is a request like any other: judged, announced, and over by itself.

use jiff::Timestamp;
use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::speaker::What;

/// How long a loosening lasts where the sender does not say.
pub const LOOSEN_DEFAULT_MS: u64 = 3_600_000;
/// The longest loosening that a control message can ask for. The configuration has no such limit.
pub const LOOSEN_MAX_MS: u64 = 24 * 3_600_000;

/// One control message, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// `mode/set`
    SetMode { mode: Mode, for_ms: Option<u64> },
    /// `policy/<name>/set`
    SetPolicy { policy: String, on: bool, for_ms: Option<u64> },
    /// `mute/<speaker>/set`
    Mute {
        speaker: String,
        /// `None`: the microphone, or the sound of what has no microphone that can be muted.
        #[serde(default)]
        what: Option<What>,
        for_ms: Option<u64>,
        reason: Option<String>,
    },
    /// `mute/<speaker>/set`
    Unmute { speaker: String },
    /// `relay/set`: whether the mirrored discovery points at the gate.
    SetRelay { on: bool, for_ms: Option<u64> },
    /// `guard/set`: what is announced now for a guarded topic, or for all, is as the owner wants it.
    Accept {
        topic: Option<String>,
        /// A digest of what was announced when it was asked for. The engine fills it in: what is announced later is not
        /// what somebody has looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        announced: Option<String>,
    },
    /// `grant/set`: a channel may do something for a while without a confirmation.
    Grant {
        channel: String,
        /// An action or a pattern of actions.
        action: String,
        target: Option<String>,
        for_ms: Option<u64>,
        /// The engine puts an instant in the place of a time of day: what is approved later ends no later.
        until: Option<Until>,
    },
    /// `grant/<id>/set`
    Revoke { id: String },
}

/// When something ends, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The next time that the clocks of the house show this.
    Clock(Time),
    Utc(Timestamp),
}

/// An answer to a held request, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The channel whose topic it came on.
    pub channel: String,
    /// The id that the topic names. `None`: the one that the token belongs to, or the only one open on this channel.
    pub pending: Option<String>,
    pub says: Says,
    /// The one-time token. It was sent to this channel alone.
    pub token: Option<String>,
    /// A PIN or a code of TOTP.
    pub code: Option<Code>,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    Approve,
    Reject,
    /// The question has reached a person: the proof of notice that a veto window needs.
    Seen,
}

impl Says {
    pub const fn name(self) -> &'static str {
        match self {
            Says::Approve => "approve",
            Says::Reject => "reject",
            Says::Seen => "seen",
        }
    }
}

/// A PIN, or a code of TOTP, as somebody typed it. It is never printed and never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    pub fn new(text: String) -> Code {
        Code(text)
    }

    /// The code itself, for the one who compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Code(…)")
    }
}
