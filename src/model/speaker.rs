//! Speakers: what of them can be muted, what is said to them, and what they report.
//!
//! How that is said and read on topics is an integration's affair, or the configuration's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What of a speaker is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    #[default]
    Mic,
    Sound,
    Both,
}

impl What {
    pub const ALL: [What; 3] = [What::Mic, What::Sound, What::Both];

    pub const fn name(self) -> &'static str {
        match self {
            What::Mic => "mic",
            What::Sound => "sound",
            What::Both => "both",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<What> {
        What::ALL.into_iter().find(|what| what.name() == name)
    }

    /// This and the other one together.
    #[must_use]
    pub fn with(self, other: What) -> What {
        if self == other { self } else { What::Both }
    }

    /// Whether the other one is a part of this.
    pub fn covers(self, other: What) -> bool {
        self == other || self == What::Both
    }

    /// What is part of both. `None`: nothing is.
    pub fn common(self, other: What) -> Option<What> {
        match (self, other) {
            (What::Both, other) => Some(other),
            (own, What::Both) => Some(own),
            (own, other) => (own == other).then_some(own),
        }
    }

    /// What is left of this without the other one. `None`: nothing is.
    pub fn without(self, other: What) -> Option<What> {
        match (self, other) {
            (What::Both, What::Mic) => Some(What::Sound),
            (What::Both, What::Sound) => Some(What::Mic),
            (own, other) => (!other.covers(own)).then_some(own),
        }
    }

    /// For people.
    pub const fn spoken(self) -> &'static str {
        match self {
            What::Mic => "microphone",
            What::Sound => "sound",
            What::Both => "microphone and sound",
        }
    }
}

/// Whether a speaker has said that it is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    Confirmed,
    /// It was told, and has not said so, or not yet.
    Unconfirmed,
    /// It was told, and can say nothing of it.
    Unverified,
}

/// What a speaker is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeakerCommand {
    Mute {
        what: What,
    },
    Unmute {
        what: What,
    },
    /// `id` names the announcement, for speakers that tell when it was spoken.
    Announce {
        id: String,
        text: String,
    },
    /// The house enforces: what makes holding back possible.
    Enforce,
    /// The house observes only: what `Enforce` has changed is put back.
    Observe,
}

/// What a speaker tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeakerReport {
    /// Its configured name.
    pub speaker: String,
    pub state: SpeakerState,
}

/// The state that a speaker reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeakerState {
    Muted {
        what: What,
    },
    /// It listens or sounds, whoever made it so.
    Unmuted {
        what: What,
    },
    /// It has forgotten what it was told.
    Restarted,
    /// An announcement was spoken to its end.
    Said {
        id: String,
    },
}

/// How a request came to be heard: wake word, words, request. What is not known stays out, and so do the words.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Heard {
    /// The speaker that heard it; its configured name, if it has one.
    pub speaker: String,
    /// The dialogue that it belongs to, as the speaker's program names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub woke: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// How sure recognition was, from 0 to 1: of the words or of what they mean, whichever is lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What played near the speaker when it woke: entities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playing: Vec<String>,
    /// When it happened, where its source says so and it was before the bridge heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub happened: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::What::{Both, Mic, Sound};

    #[test]
    fn parts_are_told_apart() {
        for (one, other, common, left) in [
            (Mic, Mic, Some(Mic), None),
            (Mic, Sound, None, Some(Mic)),
            (Mic, Both, Some(Mic), None),
            (Sound, Mic, None, Some(Sound)),
            (Both, Mic, Some(Mic), Some(Sound)),
            (Both, Sound, Some(Sound), Some(Mic)),
            (Both, Both, Some(Both), None),
        ] {
            assert_eq!((one.common(other), one.without(other)), (common, left), "{one:?} and {other:?}");
        }
    }
}
