//! A decision: what all opinions say together, and why.
//!
//! Its JSON form is the one shape that the bridge publishes and records; `docs/mqtt.md` names each field.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mode::Mode;
use super::request::Request;

/// What a policy, or all of them together, say. Ordered by strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Allow,
    Confirm,
    Deny,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Confirm => "confirm",
            Verdict::Deny => "deny",
        }
    }
}

/// How strong the door is by which the request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// The command cannot reach its target without the bridge.
    Prevented,
    /// It happened and was undone.
    Reverted,
    /// It happens elsewhere, or the asker acts for itself; the bridge has seen it and said its word.
    Alerted,
}

/// Whether the way around the bridge is shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// A probe as an unprivileged client found the real topic closed.
    Proven,
    /// Nobody has looked.
    Unproven,
    /// The verdict was not acted on: the house, or the deciding rule, only observes.
    NotEnforced,
}

/// What one policy says on one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    pub policy: String,
    pub verdict: Verdict,
    pub reason: String,
    /// For `deny`: what would make it work, in the words of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The policy's own mode. Its opinion is acted on only where this and the house's mode are `enforce`.
    pub mode: Mode,
    /// Set where the policy failed and this is the opinion of its `ON_ERROR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<PolicyError>,
    /// For `confirm`: how the policy wants it confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
}

/// How long a held request waits where no policy says how long.
pub const CONFIRM_WITHIN_DEFAULT_MS: u64 = 60_000;

/// How a policy wants a request confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The question that is put to the person.
    pub ask: String,
    pub within_ms: u64,
    /// Channels that may answer. Empty means every configured one that is fit to.
    pub from: Vec<String>,
    /// Only channels with a PIN or TOTP may approve.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pin: bool,
    /// What happens when nobody answers in time.
    #[serde(default, skip_serializing_if = "Otherwise::is_deny")]
    pub otherwise: Otherwise,
    /// Requests of one asker under the same name are asked as one question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Terms {
    /// A plain question: any fit channel, the usual time, and silence is a no.
    pub fn new(ask: String) -> Terms {
        Terms {
            ask,
            within_ms: CONFIRM_WITHIN_DEFAULT_MS,
            from: Vec::new(),
            pin: false,
            otherwise: Otherwise::Deny,
            group: None,
        }
    }
}

/// What becomes of a held request when nobody answers in time. Ordered by strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// A veto window that holds for sensitive actions too.
    AllowSensitive,
    /// A veto window for ordinary actions: once a person was told of it for sure, silence lets it go.
    Allow,
    #[default]
    Deny,
}

impl Otherwise {
    fn is_deny(&self) -> bool {
        *self == Otherwise::Deny
    }
}

/// A policy failed. The text names what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyError {
    pub policy: String,
    pub file: String,
    /// From 1. 0 where the script gave none.
    pub line: usize,
    /// From 1. 0 where the script gave none.
    pub column: usize,
    pub message: String,
}

/// A fact that a policy has read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FactRead {
    pub entity: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// `null` where the house does not know.
    pub value: Option<Value>,
    /// Age when it was read, in milliseconds. `null` where it was never heard of.
    pub age_ms: Option<u64>,
}

/// Until when and by whom a held request can be confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmBy {
    pub question: String,
    pub until: Timestamp,
    pub channels: Vec<String>,
    /// The id of the question that it joined, where it is not its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<String>,
}

/// How a held request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A person said yes.
    Approved,
    /// A person said no.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// It was judged again, after a reload, a mode change or a restart.
    JudgedAgain,
    /// Nobody objected within a veto window of which somebody was told for sure.
    Unopposed,
    /// A contrary command on the same target was allowed meanwhile.
    Cancelled,
}

/// The end of a held request, inside the decision that ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The id of the decision that held it.
    pub pending: String,
    pub outcome: Outcome,
    /// The channel that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// The verdict on one request, with everything that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub id: String,
    pub at: Timestamp,
    pub request: Request,
    /// What all opinions say together, whether it is acted on or not.
    pub verdict: Verdict,
    /// What was done. Differs from `verdict` where the house or a rule only observes.
    pub applied: Verdict,
    /// The house's mode.
    pub mode: Mode,
    pub reason: String,
    /// The policies that made the verdict what it is; empty where the class default or the floor did.
    pub deciding: Vec<String>,
    pub opinions: Vec<Opinion>,
    pub facts: Vec<FactRead>,
    pub grade: Grade,
    pub enforcement: Enforcement,
    /// Names the exact set of policies: changes with every byte of them.
    pub revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<ConfirmBy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles: Option<Settlement>,
}
