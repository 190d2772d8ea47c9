//! Control of the bridge over MQTT: its mode, its policies' switches, its mutes.
//!
//! Tightening happens at once. Loosening is a request like any other: judged, announced, and over by itself.

use serde::{Deserialize, Serialize};

use super::mode::Mode;

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
    Mute { speaker: String, for_ms: Option<u64>, reason: Option<String> },
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
}

/// An answer to a held request, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The channel whose topic it came on.
    pub channel: String,
    /// The id that the topic names.
    pub pending: String,
    pub approve: bool,
    /// The one-time token. It was sent to this channel alone.
    pub token: Option<String>,
}
