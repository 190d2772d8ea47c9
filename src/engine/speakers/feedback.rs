//! Whether a mute took, and whether it holds.
//!
//! A speaker that tells whether it is muted is told again until it says so, a few times; then the owner is told, and each
//! sign of life is another chance. Whoever ends a mute that stands is overruled at once, and slowly where that becomes a
//! fight, but never given up. What a speaker says of itself can be forged: it can make the bridge repeat a mute, and
//! nothing else.

use super::super::{Engine, Turn};
use crate::model::durable::Mute;
use crate::model::event::{Entry, Publication};
use crate::model::speaker::{Feedback, SpeakerCommand, What};

/// How long a speaker has to say that it is muted, before it is told again.
pub const MUTE_CONFIRM_MS: u64 = 2_000;
/// How often a speaker is told, before the owner is.
pub const MUTE_ATTEMPTS_MAX: u32 = 3;
/// How often what stands is told again at once within `REASSERTIONS_WINDOW_MS`.
pub const REASSERTIONS_MAX: usize = 10;
pub const REASSERTIONS_WINDOW_MS: u64 = 60_000;
/// How long what stands waits to be told again where that was exceeded.
pub const REASSERT_SLOWLY_MS: u64 = 5_000;
/// How often a fight is put on record once it is slow.
const REASSERTIONS_TOLD_EVERY_MS: u64 = 60_000;

/// A mute that stands, and what came of it so far.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// How often the speaker was told since it last said that it is muted.
    attempts: u32,
    awaits_ms: Option<u64>,
    /// How often it was told again because somebody ended the mute, or the speaker forgot it.
    reassertions: u64,
    recorded_ms: u64,
    is_contested: bool,
    /// It was told of as unconfirmed.
    is_failing: bool,
}

impl Watched {
    pub(super) fn awaits_ms(&self) -> Option<u64> {
        self.awaits_ms
    }

    pub(super) fn stop_waiting(&mut self) {
        self.awaits_ms = None;
    }
}

/// Why a mute is told again. Of two reasons the greater counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Because {
    /// It never took, as far as is known.
    NotYet,
    Ended,
    Restarted,
}

impl Because {
    /// For the record. `None`: it is no news.
    const fn reason(self) -> Option<&'static str> {
        match self {
            Because::NotYet => None,
            Because::Ended => Some("somebody else has ended it"),
            Because::Restarted => Some("the speaker has started anew"),
        }
    }
}

impl Engine {
    fn standing(&self, speaker: &str) -> Option<Mute> {
        self.world.borrow().durable.mutes.get(speaker).cloned()
    }

    /// A mute is over, and this is still muted by somebody else.
    pub(in crate::engine) fn keep_muted(&mut self, speaker: &str, what: What) {
        self.speakers.of(speaker).says_muted = Some(what);
    }

    /// What of it is muted, as it has told itself.
    pub(in crate::engine) fn says_muted(&self, speaker: &str) -> Option<What> {
        self.speakers.known.get(speaker).and_then(|known| known.says_muted)
    }

    /// Whether a speaker has said that it is muted as it should be. `None`: nothing mutes it.
    pub(super) fn feedback_of(&self, speaker: &str) -> Option<Feedback> {
        self.standing(speaker).map(|mute| self.feedback(speaker, &mute))
    }

    /// Whether a speaker has said that it is muted so.
    pub(in crate::engine) fn feedback(&self, speaker: &str, mute: &Mute) -> Feedback {
        let is_failing = || {
            let watched = self.speakers.known.get(speaker).and_then(|known| known.mute.as_ref());
            watched.is_some_and(|watched| watched.is_failing)
        };
        match self.ability(speaker).confirms_mutes {
            true if self.says_muted(speaker).is_some_and(|muted| muted.covers(mute.what)) => Feedback::Confirmed,
            false if !is_failing() => Feedback::Unverified,
            _ => Feedback::Unconfirmed,
        }
    }

    /// Tells a speaker of the mute that stands, as if for the first time, and whoever watches.
    pub(in crate::engine) fn begin_mute(&mut self, turn: &mut Turn<'_>, speaker: &str) {
        if let Some(mute) = self.standing(speaker) {
            self.send_mute(turn, speaker, &mute, 1);
            self.show_mute(turn, speaker);
        }
    }

    /// A mute is over, and with it what was known of it.
    pub(in crate::engine) fn forget_mute(&mut self, speaker: &str) {
        let known = self.speakers.of(speaker);
        (known.mute, known.says_muted) = (None, None);
        // What waits is the mute's, unless the speaker has started anew.
        known.again = known.again.filter(|(_, because)| *because == Because::Restarted);
    }

    /// New integrations may mute in another way: what failed is tried anew, and told anew.
    pub(super) fn renew_mutes(&mut self, turn: &mut Turn<'_>) {
        let muted: Vec<String> = self.world.borrow().durable.mutes.keys().cloned().collect();
        for speaker in muted {
            self.forget_mute(&speaker);
            self.begin_mute(turn, &speaker);
        }
    }

    fn send_mute(&mut self, turn: &mut Turn<'_>, speaker: &str, mute: &Mute, attempts: u32) {
        let awaits = self.is_connected() && self.ability(speaker).confirms_mutes;
        let is_confirmed = self.feedback(speaker, mute) == Feedback::Confirmed;
        let awaits_ms = (awaits && !is_confirmed).then(|| turn.at.monotonic_ms.saturating_add(MUTE_CONFIRM_MS));
        let watched = self.speakers.of(speaker).mute.get_or_insert_default();
        (watched.attempts, watched.awaits_ms) = (attempts, awaits_ms);
        let command = SpeakerCommand::Mute { what: mute.what };
        turn.publish(Publication::Speaker { speaker: speaker.to_owned(), command });
    }

    pub(in crate::engine) fn show_mute(&self, turn: &mut Turn<'_>, speaker: &str) {
        let mute = self.standing(speaker).map(|mute| {
            let feedback = self.feedback(speaker, &mute);
            (mute, feedback)
        });
        turn.publish(Publication::MuteState { speaker: speaker.to_owned(), mute });
    }

    /// A speaker says that it is muted. One that cannot prove it proves nothing by that.
    pub(super) fn note_muted(&mut self, turn: &mut Turn<'_>, speaker: &str, what: What) {
        if !self.ability(speaker).confirms_mutes {
            return;
        }
        let known = self.speakers.of(speaker);
        known.says_muted = Some(known.says_muted.map_or(what, |muted| muted.with(what)));
        let Some(mute) = self.standing(speaker) else { return };
        if self.feedback(speaker, &mute) != Feedback::Confirmed {
            return;
        }
        let watched = self.speakers.of(speaker).mute.get_or_insert_default();
        (watched.attempts, watched.awaits_ms) = (0, None);
        if std::mem::take(&mut watched.is_failing) {
            turn.record(Entry::MuteConfirmed { speaker: speaker.to_owned(), what: mute.what });
        }
    }

    /// A speaker says that it is not muted. Where nothing mutes it, that is as it should be.
    pub(super) fn note_unmuted(&mut self, turn: &mut Turn<'_>, speaker: &str, what: What) {
        let confirms = self.ability(speaker).confirms_mutes;
        let known = self.speakers.of(speaker);
        let earlier = known.says_muted;
        known.says_muted = earlier.and_then(|muted| muted.without(what));
        let Some(ended) = self.standing(speaker).and_then(|mute| mute.what.common(what)) else { return };
        let was_muted = !confirms || earlier.is_some_and(|muted| muted.common(ended).is_some());
        self.assert_again(turn, speaker, if was_muted { Because::Ended } else { Because::NotYet });
    }

    /// A speaker has forgotten what it was told.
    pub(super) fn note_restarted(&mut self, turn: &mut Turn<'_>, speaker: &str) {
        self.speakers.of(speaker).says_muted = None;
        self.assert_again(turn, speaker, Because::Restarted);
    }

    /// A speaker that has not confirmed its mute does something: it may listen to the bridge now.
    pub(in crate::engine) fn show_life(&mut self, turn: &mut Turn<'_>, speaker: &str) {
        let watched = self.speakers.known.get(speaker).and_then(|known| known.mute.as_ref());
        let waits = watched.is_some_and(|watched| watched.is_failing && watched.awaits_ms.is_none());
        if let (true, true, Some(mute)) = (waits, self.ability(speaker).confirms_mutes, self.standing(speaker)) {
            self.send_mute(turn, speaker, &mute, 1);
        }
    }

    /// Tells a speaker again what stands: at once, or slowly where that has happened too often.
    fn assert_again(&mut self, turn: &mut Turn<'_>, speaker: &str, because: Because) {
        let now_ms = turn.at.monotonic_ms;
        let known = self.speakers.of(speaker);
        if let Some((_, waiting)) = &mut known.again {
            *waiting = because.max(*waiting);
            return;
        }
        if known.told_again.take(now_ms, REASSERTIONS_WINDOW_MS, REASSERTIONS_MAX) {
            self.assert_now(turn, speaker, because, false);
            return;
        }
        known.again = Some((now_ms.saturating_add(REASSERT_SLOWLY_MS), because));
        self.note_contest(turn, speaker);
    }

    /// What had to wait is told again.
    pub(super) fn tell_again(&mut self, turn: &mut Turn<'_>, speaker: &str) {
        if let Some((_, because)) = self.speakers.of(speaker).again.take() {
            self.assert_now(turn, speaker, because, true);
        }
    }

    fn assert_now(&mut self, turn: &mut Turn<'_>, speaker: &str, because: Because, is_slow: bool) {
        if because == Because::Restarted {
            self.prepare(turn, speaker);
        }
        let Some(mute) = self.standing(speaker) else { return };
        let now_ms = turn.at.monotonic_ms;
        let watched = self.speakers.of(speaker).mute.get_or_insert_default();
        // What never took goes on being tried, and told of, as that; everything else begins anew.
        let attempts = if because == Because::NotYet { watched.attempts.saturating_add(1) } else { 1 };
        if let Some(reason) = because.reason() {
            watched.reassertions = watched.reassertions.saturating_add(1);
            if !is_slow || now_ms >= watched.recorded_ms.saturating_add(REASSERTIONS_TOLD_EVERY_MS) {
                watched.recorded_ms = now_ms;
                let (count, reason) = (watched.reassertions, reason.to_owned());
                turn.record(Entry::MuteReasserted { speaker: speaker.to_owned(), what: mute.what, count, reason });
            }
        }
        self.send_mute(turn, speaker, &mute, attempts);
        if attempts > MUTE_ATTEMPTS_MAX {
            let reason = format!("it was told more than {MUTE_ATTEMPTS_MAX} times, and says that it is not");
            self.mute_fails(turn, speaker, &mute, reason);
        }
    }

    /// What stands does not last. That is told once for each mute.
    fn note_contest(&mut self, turn: &mut Turn<'_>, speaker: &str) {
        let Some(mute) = self.standing(speaker) else {
            // Without a mute it is the preparation that does not last: what is asked there may be carried out unheld.
            let text = format!(
                "`{speaker}` starts anew again and again, or somebody undoes what makes holding back possible there."
            );
            return self.tell_owner(turn, speaker, "unprepared", text);
        };
        let watched = self.speakers.of(speaker).mute.get_or_insert_default();
        if std::mem::replace(&mut watched.is_contested, true) {
            return;
        }
        let count = watched.reassertions;
        turn.record(Entry::MuteContested { speaker: speaker.to_owned(), what: mute.what, count });
        let what = mute.what.spoken();
        let text = format!(
            "`{speaker}` does not stay muted ({what}): it is ended again and again, and muted again each time."
        );
        self.tell_owner(turn, speaker, "contested", text);
    }

    /// The time in which a mute had to be confirmed is over.
    pub(super) fn mute_unconfirmed(&mut self, turn: &mut Turn<'_>, speaker: &str) {
        let Some(watched) = self.speakers.of(speaker).mute.as_mut() else { return };
        watched.awaits_ms = None;
        let attempts = watched.attempts;
        let Some(mute) = self.standing(speaker) else { return };
        if attempts < MUTE_ATTEMPTS_MAX {
            self.send_mute(turn, speaker, &mute, attempts.saturating_add(1));
        } else {
            let reason = format!("it was told {MUTE_ATTEMPTS_MAX} times, and has not said so");
            self.mute_fails(turn, speaker, &mute, reason);
        }
    }

    /// A speaker could not be told to be quiet, or not all of it.
    pub(super) fn mute_untold(&mut self, turn: &mut Turn<'_>, speaker: &str, what: What) {
        let Some(mute) = self.standing(speaker).filter(|mute| mute.what.common(what).is_some()) else { return };
        let known = self.speakers.of(speaker);
        known.says_muted = None;
        known.mute.get_or_insert_default().stop_waiting();
        self.mute_fails(turn, speaker, &mute, "its integration could not tell it to".to_owned());
        self.show_mute(turn, speaker);
    }

    fn mute_fails(&mut self, turn: &mut Turn<'_>, speaker: &str, mute: &Mute, reason: String) {
        let known = self.speakers.of(speaker);
        let what = known.says_muted.map_or(Some(mute.what), |muted| mute.what.without(muted)).unwrap_or(mute.what);
        if std::mem::replace(&mut known.mute.get_or_insert_default().is_failing, true) {
            return;
        }
        let text = format!("`{speaker}` may not be muted ({}): {reason}.", what.spoken());
        turn.record(Entry::MuteUnconfirmed { speaker: speaker.to_owned(), what, reason });
        self.tell_owner(turn, speaker, "unconfirmed", text);
    }
}
