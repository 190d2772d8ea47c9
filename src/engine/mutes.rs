//! Mutes: a speaker is silenced until a named end. Overlaps extend, nothing shortens but an un-mute.
//!
//! What is published to the speaker is the configuration's affair; here is only that, why and until when.

use super::{Engine, Turn};
use crate::model::durable::{Change, Mute};
use crate::model::event::{Entry, Publication};
use crate::model::speaker::{SpeakerCommand, What};

/// How long a mute lasts where nobody says.
pub const MUTE_DEFAULT_MS: u64 = 10 * 60_000;
/// The longest mute. A longer one is cut to this: a forgotten mute must end.
pub const MUTE_MAX_MS: u64 = 24 * 3_600_000;

impl Engine {
    /// Mutes a speaker for `for_ms`, or longer where it is muted for longer already.
    pub(super) fn mute(&mut self, turn: &mut Turn<'_>, speaker: &str, what: What, for_ms: u64, reason: &str, by: &str) {
        let end = turn.at.plus_ms(for_ms.min(MUTE_MAX_MS));
        let standing = self.world.borrow().durable.mutes.get(speaker).cloned();
        // Of two mutes the later end counts, and what either of them silences.
        let what = standing.as_ref().map_or(what, |mute| mute.what.with(what));
        let wished =
            Mute { what, until_ms: end.monotonic_ms, until: end.utc, reason: reason.to_owned(), by: by.to_owned() };
        let mute = standing
            .filter(|mute| mute.until_ms >= wished.until_ms)
            .map(|mute| Mute { what, ..mute })
            .unwrap_or(wished);
        turn.record(Entry::Muted {
            speaker: speaker.to_owned(),
            what,
            until: mute.until,
            reason: reason.to_owned(),
            by: by.to_owned(),
            applied: true,
        });
        self.change(turn, Change::Mute { speaker: speaker.to_owned(), mute: mute.clone() });
        tell(turn, speaker, Ok(mute));
    }

    /// Ends a mute, whatever its end was.
    pub(super) fn unmute(&mut self, turn: &mut Turn<'_>, speaker: &str, by: &str) {
        let what = self.world.borrow().durable.mutes.get(speaker).map_or(What::Both, |mute| mute.what);
        turn.record(Entry::Unmuted { speaker: speaker.to_owned(), by: by.to_owned() });
        self.change(turn, Change::Unmute { speaker: speaker.to_owned() });
        if let Some(owed) = &mut self.unmutes_owed {
            owed.insert(speaker.to_owned(), what);
        }
        tell(turn, speaker, Err(what));
    }

    pub(super) fn is_muted(&self, speaker: &str) -> bool {
        self.world.borrow().durable.mutes.contains_key(speaker)
    }
}

/// Tells the speaker and whoever watches. An error is what is not muted any more.
pub(super) fn tell(turn: &mut Turn<'_>, speaker: &str, mute: Result<Mute, What>) {
    let command = match &mute {
        Ok(mute) => SpeakerCommand::Mute { what: mute.what },
        Err(what) => SpeakerCommand::Unmute { what: *what },
    };
    let speaker = speaker.to_owned();
    turn.publish(Publication::Speaker { speaker: speaker.clone(), command });
    turn.publish(Publication::MuteState { speaker, mute: mute.ok() });
}
