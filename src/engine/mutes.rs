//! Mutes: a speaker, or a part of it, is silenced until a named end. Overlaps extend, nothing shortens but an un-mute.
//!
//! How that is said to the speaker is its integration's affair, or the configuration's; whether it took, that of
//! `speakers::feedback`. Here is only what, why and until when. What of a speaker cannot be muted is told, never taken for
//! done.

use super::{Engine, Turn};
use crate::model::durable::{Change, Mute};
use crate::model::event::{Entry, Publication};
use crate::model::speaker::{SpeakerCommand, What};

/// How long a mute lasts where nobody says.
pub const MUTE_DEFAULT_MS: u64 = 10 * 60_000;
/// The longest mute. A longer one is cut to this: a forgotten mute must end.
pub const MUTE_MAX_MS: u64 = 24 * 3_600_000;

impl Engine {
    /// Mutes a speaker for `for_ms`, or longer where it is muted for longer already; as much of it as can be muted.
    pub(super) fn mute(&mut self, turn: &mut Turn<'_>, speaker: &str, what: What, for_ms: u64, reason: &str, by: &str) {
        let Some(what) = self.mutable(turn, speaker, what, by, true) else { return };
        let end = turn.at.plus_ms(for_ms.min(MUTE_MAX_MS));
        let standing = self.world.borrow().durable.mutes.get(speaker).cloned();
        // Of two mutes the later end counts, and what either of them silences.
        let what = standing.as_ref().map_or(what, |mute| mute.what.with(what));
        let before = standing.as_ref().map_or_else(|| self.says_muted(speaker), |mute| mute.before);
        let wished = Mute {
            what,
            before,
            until_ms: end.monotonic_ms,
            until: end.utc,
            reason: reason.to_owned(),
            by: by.to_owned(),
        };
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
        self.change(turn, Change::Mute { speaker: speaker.to_owned(), mute });
        self.begin_mute(turn, speaker);
    }

    /// What of `what` can be muted on a speaker. The rest is recorded, and where `is_done` the owner is told.
    pub(super) fn mutable(
        &mut self,
        turn: &mut Turn<'_>,
        speaker: &str,
        what: What,
        by: &str,
        is_done: bool,
    ) -> Option<What> {
        let can = self.ability(speaker).mutable(what);
        let refused = can.map_or(Some(what), |can| what.without(can));
        if let Some(refused) = refused {
            let integration = self.config.speakers.get(speaker).and_then(|known| known.integration.as_ref());
            let reason = integration.map_or_else(
                || format!("the configuration does not say how its {} is muted", refused.spoken()),
                |integration| format!("the integration `{integration}` cannot mute its {}", refused.spoken()),
            );
            let text = format!("`{speaker}` was to be muted, but {reason}.");
            turn.record(Entry::MuteRefused { speaker: speaker.to_owned(), what: refused, reason, by: by.to_owned() });
            if is_done {
                self.tell_owner(turn, speaker, "refused", text);
            }
        }
        can
    }

    /// What is muted where nobody says: the microphone, or the sound of what has no microphone that can be muted.
    pub(super) fn muted_by_default(&self, speaker: &str) -> What {
        let ability = self.ability(speaker);
        if ability.mutes_sound && !ability.mutes_mic { What::Sound } else { What::Mic }
    }

    /// The time of a mute is over. What somebody else had muted before it began is not ours to switch on.
    pub(super) fn mute_ends(&mut self, turn: &mut Turn<'_>, speaker: &str) {
        let mute = self.world.borrow().durable.mutes.get(speaker).cloned();
        let (what, before) = mute.map_or((What::Both, None), |mute| (mute.what, mute.before));
        self.end_mute(turn, speaker, "timer", before.map_or(Some(what), |before| what.without(before)));
        if let Some(before) = before {
            self.keep_muted(speaker, before);
        }
    }

    /// Ends a mute, whatever its end was.
    pub(super) fn unmute(&mut self, turn: &mut Turn<'_>, speaker: &str, by: &str) {
        let what = self.world.borrow().durable.mutes.get(speaker).map_or(What::Both, |mute| mute.what);
        self.end_mute(turn, speaker, by, Some(what));
    }

    /// `what` is switched on again; `None`: nothing of it.
    fn end_mute(&mut self, turn: &mut Turn<'_>, speaker: &str, by: &str, what: Option<What>) {
        turn.record(Entry::Unmuted { speaker: speaker.to_owned(), by: by.to_owned() });
        self.change(turn, Change::Unmute { speaker: speaker.to_owned() });
        self.forget_mute(speaker);
        let Some(what) = what else { return self.show_mute(turn, speaker) };
        if let Some(owed) = &mut self.unmutes_owed {
            owed.insert(speaker.to_owned(), what);
        }
        self.tell_unmuted(turn, speaker, what);
    }

    /// Tells the speaker, and whoever watches, that nothing mutes it any more.
    pub(super) fn tell_unmuted(&self, turn: &mut Turn<'_>, speaker: &str, what: What) {
        turn.publish(Publication::Speaker { speaker: speaker.to_owned(), command: SpeakerCommand::Unmute { what } });
        self.show_mute(turn, speaker);
    }

    pub(super) fn is_muted(&self, speaker: &str) -> bool {
        self.world.borrow().durable.mutes.contains_key(speaker)
    }

    /// Whether nobody would hear what a speaker says.
    pub(super) fn is_silenced(&self, speaker: &str) -> bool {
        self.world.borrow().durable.mutes.get(speaker).is_some_and(|mute| mute.what.covers(What::Sound))
    }
}
