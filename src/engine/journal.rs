//! While the journal cannot be written: nothing sensitive happens that nobody could read about later.
//!
//! What is ordinary and what no policy may block goes on. Sensitive requests are denied, and what is held stays held:
//! nobody can approve it meanwhile. What was loosened ends, as at a restart, since the record of who allowed it may be
//! lost; a mute that was lifted, and a grant that was given, by what could not be recorded are taken back.
//!
//! A house that only observes holds nothing back for this either; it tells.

use super::{Engine, Turn};
use crate::config::Config;
use crate::model::durable::{Change, Mute};
use crate::model::event::{Entry, Event};
use crate::model::mode::Mode;
use crate::model::request::Request;
use crate::model::time::At;

/// What the engine knows of the journal.
#[derive(Debug, Default)]
pub(super) struct Journal {
    failure: Option<String>,
    /// What this instant has loosened for good. Whether that was recorded is known only after it.
    loosened: Loosened,
}

#[derive(Debug, Default)]
struct Loosened {
    at_ms: u64,
    unmuted: Vec<(String, Mute)>,
    granted: Vec<String>,
}

/// Whether a request may be carried out only if its decision is in the journal, in a house of this mode.
pub(super) fn needs_record(config: &Config, mode: Mode, request: &Request) -> bool {
    mode == Mode::Enforce && request.sensitive && !config.is_floor(&request.action)
}

impl Engine {
    /// Why a request cannot be carried out while the journal fails. `None`: it can.
    pub(super) fn unrecordable(&self, request: &Request) -> Option<String> {
        let failure = self.journal.failure.as_ref()?;
        needs_record(&self.config, self.mode(), request).then(|| format!("the journal cannot be written: {failure}"))
    }

    /// An instant begins. One that the shell has not complained about was recorded.
    pub(super) fn begin_journal(&mut self, at: At, event: &Event) {
        let loosened = &mut self.journal.loosened;
        if loosened.at_ms != at.monotonic_ms && !matches!(event, Event::Journal(_)) {
            *loosened = Loosened { at_ms: at.monotonic_ms, ..Loosened::default() };
        }
    }

    /// Notes what would have to be taken back. What ends by its own time has none left then.
    pub(super) fn note_loosening(&mut self, change: &Change) {
        match change {
            Change::Unmute { speaker } => {
                let mute = self.world.borrow().durable.mutes.get(speaker).cloned();
                self.journal.loosened.unmuted.extend(mute.map(|mute| (speaker.clone(), mute)));
            }
            Change::Grant { id, .. } => self.journal.loosened.granted.push(id.clone()),
            _ => {}
        }
    }

    /// The journal fails, or works again.
    pub(super) fn journal_changed(&mut self, turn: &mut Turn<'_>, failure: Option<&String>) {
        if self.journal.failure.as_ref() == failure {
            return;
        }
        let fails_now = self.journal.failure.is_none();
        self.journal.failure = failure.cloned();
        turn.record(Entry::Journal { failure: failure.cloned() });
        if fails_now {
            self.take_back(turn);
            self.end_loosened(turn, "journal");
            self.judge_pendings_again(turn, "the journal cannot be written", false);
        } else if failure.is_none() {
            // What could not go was left as it was, whatever the rules had come to say of the rest of its group.
            self.judge_pendings_again(turn, "the journal can be written again", false);
        }
    }

    /// Takes back what was loosened in the instant whose records were not written.
    fn take_back(&mut self, turn: &mut Turn<'_>) {
        let Loosened { unmuted, granted, .. } = std::mem::take(&mut self.journal.loosened);
        for (speaker, mute) in unmuted {
            let left_ms = mute.until_ms.saturating_sub(turn.at.monotonic_ms);
            if left_ms > 0 {
                self.mute(turn, &speaker, mute.what, left_ms, &mute.reason, &mute.by);
            }
        }
        for id in granted {
            if self.world.borrow().durable.grants.contains_key(&id) {
                self.revoke(turn, &id, "journal");
            }
        }
    }
}

#[cfg(test)]
mod tests;
