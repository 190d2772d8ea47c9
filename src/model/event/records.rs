//! What the owner's log can tell: each thing that was decided, asked, done or refused, with its time.
//!
//! How it is written, sealed and kept is the affair of `journal` and of the shell.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Overheard;
use crate::model::decision::{Decision, Enforcement, PolicyError};
use crate::model::mode::Mode;
use crate::model::request::HouseEvent;
use crate::model::speaker::What;

/// One entry of the owner's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub at: Timestamp,
    #[serde(flatten)]
    pub entry: Entry,
}

/// What can be told in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Entry {
    Decision {
        decision: Box<Decision>,
    },
    /// Bad input: nothing was made of it.
    Refused {
        topic: String,
        reason: String,
    },
    /// An answer without effect.
    AnswerRefused {
        pending: String,
        channel: String,
        reason: String,
    },
    /// A policy's wish without effect.
    WishRefused {
        policy: String,
        wish: String,
        reason: String,
    },
    Ghost {
        topic: String,
    },
    Forged {
        topic: String,
    },
    PolicyFailed {
        error: PolicyError,
    },
    Muted {
        speaker: String,
        #[serde(default)]
        what: What,
        until: Timestamp,
        reason: String,
        by: String,
        applied: bool,
    },
    Unmuted {
        speaker: String,
        by: String,
    },
    /// A part of a speaker cannot be muted: nothing was done about that part.
    MuteRefused {
        speaker: String,
        what: What,
        reason: String,
        by: String,
    },
    /// A speaker was told to be quiet, and has not said that it is.
    MuteUnconfirmed {
        speaker: String,
        what: What,
        reason: String,
    },
    /// A speaker that was told of as unconfirmed has said now that it is muted.
    MuteConfirmed {
        speaker: String,
        what: What,
    },
    /// A mute was sent again, since somebody else ended it or the speaker has forgotten it.
    MuteReasserted {
        speaker: String,
        what: What,
        /// How often since it began.
        count: u64,
        reason: String,
    },
    /// Somebody else ends a mute again and again. It is sent again more slowly, and goes on.
    MuteContested {
        speaker: String,
        what: What,
        count: u64,
    },
    ModeSet {
        mode: Mode,
        by: String,
        until: Option<Timestamp>,
    },
    PolicySet {
        policy: String,
        on: bool,
        by: String,
        until: Option<Timestamp>,
    },
    /// A policy told the owner something. Here and below, `applied` is false where house or policy only observe.
    Notice {
        text: String,
        policy: String,
        applied: bool,
    },
    /// A policy let a speaker speak.
    Announced {
        speaker: String,
        text: String,
        policy: String,
        applied: bool,
        /// Names it in `said` and `announce_unconfirmed`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        announcement: Option<String>,
    },
    /// A speaker says that an announcement was spoken to its end.
    Said {
        speaker: String,
        announcement: String,
    },
    /// A speaker that tells what it has spoken has not told it of this announcement.
    AnnounceUnconfirmed {
        speaker: String,
        announcement: String,
        reason: String,
    },
    /// Where something was asked it was said that it is refused, or that somebody else is asked.
    RefusalSpoken {
        speaker: String,
        text: String,
        /// The decision that it tells.
        by: String,
        applied: bool,
    },
    /// A policy published to a topic that commands nothing, or in `observe` would have published.
    Published {
        topic: String,
        policy: String,
        applied: bool,
    },
    Reloaded {
        revision: String,
        policies: Vec<String>,
    },
    /// The old set goes on.
    ReloadRefused {
        errors: Vec<String>,
        /// It is integrations that were not taken over, and not policies.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        integrations: bool,
    },
    Connected,
    Disconnected {
        reason: String,
    },
    Dropped {
        topic: String,
        reason: String,
    },
    /// A table is full; `what` was refused or forgotten.
    Full {
        table: String,
        limit: u64,
        what: String,
    },
    /// A topic is guarded. `problem`: what is announced for it now is not what was accepted; it stays guarded.
    Guarded {
        topic: String,
        entities: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// The decision by which the owner has accepted what is announced now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    RelaySet {
        on: bool,
        by: String,
        until: Option<Timestamp>,
    },
    /// What the canary found about the way around the bridge.
    Canary {
        enforcement: Enforcement,
        reason: String,
    },
    /// An allowed command was sent, and the state did not follow.
    Unconfirmed {
        /// The decision that allowed it.
        by: String,
        action: String,
        target: String,
        expected: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<String>,
    },
    /// What went round the bridge was undone, by the bridge's own command.
    Reverted {
        /// The decision that says so.
        by: String,
        topic: String,
        action: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
    },
    /// The civil clock cannot be right, or is right again.
    Clock {
        plausible: bool,
        utc: Timestamp,
    },
    /// A house event was heard, and these policies reacted.
    Event {
        event: HouseEvent,
        policies: Vec<String>,
    },
    /// A channel may do something for a while without a confirmation.
    Granted {
        /// The decision that allowed it.
        id: String,
        channel: String,
        action: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        until: Timestamp,
    },
    Revoked {
        id: String,
        /// `control`, `timer`, `restart`.
        by: String,
    },
    /// Too many wrong codes: nothing is approved on this channel until then.
    ChannelLocked {
        channel: String,
        until: Timestamp,
    },
    /// Whether others can read what is answered on a channel with a PIN or TOTP.
    ChannelOverheard {
        #[serde(flatten)]
        overheard: Overheard,
    },
    /// An integration failed, or wished what it may not.
    IntegrationFailed {
        error: PolicyError,
    },
    /// New integrations are in force.
    IntegrationsReloaded {
        integrations: Vec<String>,
    },
    /// A question has reached a person.
    Noticed {
        pending: String,
        channel: String,
    },
    /// The program began to run.
    Started {
        version: String,
        revision: String,
        mode: Mode,
    },
    /// The program ends.
    Stopped {
        reason: String,
    },
    /// The journal cannot be written, for this reason; `None`: it can again.
    Journal {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    /// Records that could not be written, and are lost.
    Gap {
        lost: u64,
        since: Timestamp,
        reason: String,
    },
    /// What lay at the end of the journal was no whole record, and was cut off.
    Torn {
        bytes: u64,
    },
    /// Old records were taken out. `chain`: where the chain stood after the last segment that is gone altogether.
    Pruned {
        entries: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        through: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chain: Option<String>,
    },
    /// What was kept of an earlier run could not be used, and was put aside.
    StateLost {
        file: String,
        reason: String,
    },
    /// A held request is asked anew: the rules changed, or the bridge was restarted. Earlier tokens are void.
    AskedAnew {
        pending: String,
        channels: Vec<String>,
        reason: String,
    },
}
