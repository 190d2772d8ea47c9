//! Speakers: what each of them can do, what they tell of themselves, and new integrations.
//!
//! Whether a mute took and holds is the affair of `feedback`, what a speaker says that of `spoken`, and what it says where
//! something was asked that of `refusals`. Nothing here outlives the process: a new connection tells every speaker again.

use std::collections::{BTreeMap, VecDeque};

use super::{Engine, Turn};
use crate::integration::Ability;
use crate::model::event::{Entry, Publication, ScriptSource};
use crate::model::mode::Mode;
use crate::model::speaker::{SpeakerCommand, SpeakerReport, SpeakerState, What};
use crate::policy::Catalog;
use crate::script::diagnostics::Diagnostic;

mod feedback;
mod refusals;
mod spoken;

pub use feedback::{MUTE_ATTEMPTS_MAX, MUTE_CONFIRM_MS, REASSERT_SLOWLY_MS, REASSERTIONS_MAX, REASSERTIONS_WINDOW_MS};
pub use refusals::{ECHO_MS, REFUSALS_SPOKEN_MAX, REFUSALS_WINDOW_MS};
pub use spoken::{ANNOUNCE_ATTEMPTS_MAX, ANNOUNCEMENTS_MAX, SAID_PER_CHARACTER_MS, SAID_WITHIN_MS};

/// How often the owner is told the same of one speaker.
pub const OWNER_TOLD_EVERY_MS: u64 = 3_600_000;

/// What the owner reads as the teller of what no policy tells.
const BRIDGE: &str = "hushgate";

/// What is known of the speakers, by name. No more of them than the configuration has.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    known: BTreeMap<String, Known>,
    spoken: spoken::Spoken,
}

#[derive(Debug, Default)]
struct Known {
    /// What of it is muted, as it says itself. Only what it has said since it was last told otherwise.
    says_muted: Option<What>,
    /// While the bridge mutes it.
    mute: Option<feedback::Watched>,
    /// When it was told again what stands, in the last minute.
    told_again: Pace,
    /// When what stands is told again that was told too often to be told at once, and why.
    again: Option<(u64, feedback::Because)>,
    refusals: Pace,
    /// It has said too many of them lately.
    is_tired: bool,
    /// When the owner was last told of each matter.
    owner_told_ms: BTreeMap<&'static str, u64>,
}

/// Times of what may not happen too often.
#[derive(Debug, Default)]
struct Pace(VecDeque<u64>);

impl Pace {
    /// Whether it may happen once more now; then it counts.
    fn take(&mut self, now_ms: u64, window_ms: u64, times_max: usize) -> bool {
        while self.0.front().is_some_and(|first_ms| first_ms.saturating_add(window_ms) <= now_ms) {
            self.0.pop_front();
        }
        let is_free = self.0.len() < times_max;
        if is_free {
            self.0.push_back(now_ms);
        }
        is_free
    }
}

/// Something about a speaker whose time can be over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SpeakerDue {
    /// A mute was not confirmed in time.
    Unconfirmed(String),
    /// What stands is told again.
    Again(String),
    /// An announcement was not told of as spoken in time.
    Unsaid(String),
}

impl Speakers {
    /// Everything that ends by itself, with its monotonic time.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (u64, SpeakerDue)> + '_ {
        let of = |(name, known): (&String, &Known)| {
            let awaits_ms = known.mute.as_ref().and_then(feedback::Watched::awaits_ms);
            let awaits = awaits_ms.map(|awaits_ms| (awaits_ms, SpeakerDue::Unconfirmed(name.clone())));
            let again = known.again.map(|(again_ms, _)| (again_ms, SpeakerDue::Again(name.clone())));
            awaits.into_iter().chain(again)
        };
        let unsaid = self.spoken.deadlines().map(|(until_ms, id)| (until_ms, SpeakerDue::Unsaid(id.to_owned())));
        self.known.iter().flat_map(of).chain(unsaid)
    }

    fn of(&mut self, speaker: &str) -> &mut Known {
        self.known.entry(speaker.to_owned()).or_default()
    }

    /// The connection is lost: nothing that waits can come, and a new one tells everything again.
    pub(super) fn disconnected(&mut self) {
        for known in self.known.values_mut() {
            (known.again, known.says_muted) = (None, None);
            if let Some(mute) = &mut known.mute {
                mute.stop_waiting();
            }
        }
    }
}

impl Engine {
    /// Whether what is sent now can reach anybody.
    fn is_connected(&self) -> bool {
        self.unmutes_owed.is_none()
    }

    /// What a speaker can do: as its integration says, or as the messages that the owner has written for it.
    pub(super) fn ability(&self, speaker: &str) -> Ability {
        let Some(configured) = self.config.speakers.get(speaker) else { return Ability::default() };
        self.registry.integrations().ability(speaker).unwrap_or_else(|| Ability {
            mutes_mic: !configured.mute.is_empty(),
            announces: !configured.announce.is_empty(),
            ..Ability::default()
        })
    }

    /// A speaker has told something. One that is not configured is nobody's.
    pub(super) fn report(&mut self, turn: &mut Turn<'_>, report: SpeakerReport) {
        let SpeakerReport { speaker, state } = report;
        if !self.config.speakers.contains_key(&speaker) {
            return;
        }
        let before = self.feedback_of(&speaker);
        match state {
            SpeakerState::Muted { what } => self.note_muted(turn, &speaker, what),
            SpeakerState::Unmuted { what } => self.note_unmuted(turn, &speaker, what),
            SpeakerState::Restarted => self.note_restarted(turn, &speaker),
            SpeakerState::Said { id } => {
                self.confirm_said(turn, &speaker, &id);
                self.show_life(turn, &speaker);
            }
        }
        if self.feedback_of(&speaker) != before {
            self.show_mute(turn, &speaker);
        }
    }

    /// What was to be said to a speaker has no message. What depends on it is told at once: nobody waits for an answer.
    pub(super) fn untold(&mut self, turn: &mut Turn<'_>, speaker: &str, command: &SpeakerCommand) {
        match command {
            SpeakerCommand::Mute { what } => self.mute_untold(turn, speaker, *what),
            SpeakerCommand::Announce { id, .. } => self.announce_untold(turn, speaker, id),
            // It is on the safe side, and nobody would know why it is so quiet.
            SpeakerCommand::Unmute { what } => {
                let text = format!(
                    "`{speaker}` may still be muted ({}): its integration could not tell it otherwise.",
                    what.spoken()
                );
                self.tell_owner(turn, speaker, "not un-muted", text);
            }
            // The record of the failure tells it. What was not prepared is only seen, as its decisions say.
            SpeakerCommand::Enforce | SpeakerCommand::Observe => {}
        }
    }

    /// Something of a speaker's is due.
    pub(super) fn speaker_due(&mut self, turn: &mut Turn<'_>, due: &SpeakerDue) {
        match due {
            SpeakerDue::Unconfirmed(speaker) => self.mute_unconfirmed(turn, speaker),
            SpeakerDue::Again(speaker) => self.tell_again(turn, speaker),
            SpeakerDue::Unsaid(id) => self.unsaid(turn, id),
        }
    }

    /// Makes holding back possible, or puts it back: every speaker that has an integration is told the house's mode.
    pub(super) fn prepare_speakers(&self, turn: &mut Turn<'_>) {
        for speaker in self.config.speakers.keys() {
            self.prepare(turn, speaker);
        }
    }

    fn prepare(&self, turn: &mut Turn<'_>, speaker: &str) {
        let has_integration = self.config.speakers.get(speaker).is_some_and(|known| known.integration.is_some());
        if has_integration && self.is_connected() {
            let command = match self.mode() {
                Mode::Enforce => SpeakerCommand::Enforce,
                Mode::Observe => SpeakerCommand::Observe,
            };
            turn.publish(Publication::Speaker { speaker: speaker.to_owned(), command });
        }
    }

    /// Tells the owner something of a speaker, unless he was told the same lately. The records tell it each time.
    pub(super) fn tell_owner(&mut self, turn: &mut Turn<'_>, speaker: &str, matter: &'static str, text: String) {
        let now_ms = turn.at.monotonic_ms;
        let told_ms = &mut self.speakers.of(speaker).owner_told_ms;
        if told_ms.get(matter).is_some_and(|told_ms| now_ms < told_ms.saturating_add(OWNER_TOLD_EVERY_MS)) {
            return;
        }
        told_ms.insert(matter, now_ms);
        turn.record(Entry::Notice { text: text.clone(), policy: BRIDGE.to_owned(), applied: true });
        turn.publish(Publication::Notice { text, policy: BRIDGE.to_owned() });
    }

    /// Takes over new texts of integrations, or says why not; then the old ones go on.
    pub(super) fn reload_integrations(&mut self, turn: &mut Turn<'_>, sources: Result<Vec<ScriptSource>, String>) {
        let integrations = self.registry.integrations();
        let reloaded = sources.map_err(|error| vec![error]).and_then(|sources| {
            integrations.reload(&sources).map_err(|errors| errors.iter().map(Diagnostic::one_line).collect())
        });
        match reloaded {
            Ok(()) => {
                self.catalog = Catalog::of(&self.config, integrations.told_names());
                turn.record(Entry::IntegrationsReloaded { integrations: integrations.names() });
                self.prepare_speakers(turn);
                self.renew_mutes(turn);
            }
            Err(errors) => turn.record(Entry::ReloadRefused { errors, integrations: true }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_happen_too_often_may_again_when_the_window_has_moved() {
        let mut pace = Pace::default();
        let mut take = |now_ms| pace.take(now_ms, 1_000, 2);
        assert_eq!([0, 500, 999, 1_000, 1_499, 1_500].map(&mut take), [true, true, false, true, false, true]);
    }
}
