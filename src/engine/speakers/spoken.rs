//! What speakers say, and the proof that it was said.
//!
//! Everything that is spoken goes through `speak`. A speaker that tells what it has spoken is told once more where it does
//! not, and then the owner is told. That something was spoken tells that it could be heard, and never that somebody agrees.

use std::collections::BTreeMap;

use super::super::{Engine, Turn};
use crate::model::event::{Entry, Publication};
use crate::model::speaker::SpeakerCommand;

/// How long a speaker has to begin and end a short announcement.
pub const SAID_WITHIN_MS: u64 = 15_000;
/// How much longer for each character.
pub const SAID_PER_CHARACTER_MS: u64 = 100;
/// How often an announcement is sent, where nobody says that it was spoken.
pub const ANNOUNCE_ATTEMPTS_MAX: u32 = 2;
/// Announcements whose end is awaited at one time. The end of one more is not.
pub const ANNOUNCEMENTS_MAX: usize = 64;

/// Announcements that were sent and not yet told of as spoken, by id.
#[derive(Debug, Default)]
pub(super) struct Spoken(BTreeMap<String, Awaited>);

#[derive(Debug)]
struct Awaited {
    speaker: String,
    text: String,
    attempts: u32,
    until_ms: u64,
}

impl Spoken {
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (u64, &str)> {
        self.0.iter().map(|(id, awaited)| (awaited.until_ms, id.as_str()))
    }
}

impl Engine {
    /// A policy lets a speaker speak.
    pub(in crate::engine) fn announce(&mut self, turn: &mut Turn<'_>, speaker: &str, text: &str, policy: String) {
        let applied = self.acts(&policy);
        let id = applied.then(|| self.ids.next(turn.at));
        turn.record(Entry::Announced {
            speaker: speaker.to_owned(),
            text: text.to_owned(),
            policy,
            applied,
            announcement: id.clone(),
        });
        let Some(id) = id else { return };
        if self.ability(speaker).confirms_announcements && self.is_connected() {
            self.await_said(turn, speaker, text, &id);
        }
        speak(turn, speaker, text, &id);
    }

    fn await_said(&mut self, turn: &mut Turn<'_>, speaker: &str, text: &str, id: &str) {
        if self.speakers.spoken.0.len() >= ANNOUNCEMENTS_MAX {
            self.tell_full(turn, "announcements whose end is awaited", ANNOUNCEMENTS_MAX, speaker);
            return;
        }
        let until_ms = said_by(turn, text);
        let awaited = Awaited { speaker: speaker.to_owned(), text: text.to_owned(), attempts: 1, until_ms };
        self.speakers.spoken.0.insert(id.to_owned(), awaited);
    }

    /// A speaker says that an announcement was spoken. What it was not told to say is no news.
    pub(super) fn confirm_said(&mut self, turn: &mut Turn<'_>, speaker: &str, id: &str) {
        let spoken = &mut self.speakers.spoken.0;
        if spoken.get(id).is_some_and(|awaited| awaited.speaker == speaker) {
            spoken.remove(id);
            turn.record(Entry::Said { speaker: speaker.to_owned(), announcement: id.to_owned() });
        }
    }

    /// The time in which an announcement had to be spoken is over.
    pub(super) fn unsaid(&mut self, turn: &mut Turn<'_>, id: &str) {
        let is_connected = self.is_connected();
        let Some(awaited) = self.speakers.spoken.0.get_mut(id) else { return };
        if awaited.attempts >= ANNOUNCE_ATTEMPTS_MAX || !is_connected {
            let times = if awaited.attempts == 1 { "once".to_owned() } else { format!("{} times", awaited.attempts) };
            let (speaker, reason) = (awaited.speaker.clone(), format!("it was told {times}, and has not said so"));
            self.speakers.spoken.0.remove(id);
            self.tell_unspoken(turn, &speaker, id, reason);
            return;
        }
        awaited.attempts = awaited.attempts.saturating_add(1);
        awaited.until_ms = said_by(turn, &awaited.text);
        let (speaker, text) = (awaited.speaker.clone(), awaited.text.clone());
        speak(turn, &speaker, &text, id);
    }

    /// An announcement has no message, or not all of them.
    pub(super) fn announce_untold(&mut self, turn: &mut Turn<'_>, speaker: &str, id: &str) {
        self.speakers.spoken.0.remove(id);
        self.tell_unspoken(turn, speaker, id, "its integration could not tell it to speak".to_owned());
    }

    fn tell_unspoken(&mut self, turn: &mut Turn<'_>, speaker: &str, id: &str, reason: String) {
        let text = format!("`{speaker}` may not have spoken what it should have: {reason}.");
        let announcement = id.to_owned();
        turn.record(Entry::AnnounceUnconfirmed { speaker: speaker.to_owned(), announcement, reason });
        self.tell_owner(turn, speaker, "unspoken", text);
    }
}

/// Says something through a speaker.
pub(super) fn speak(turn: &mut Turn<'_>, speaker: &str, text: &str, id: &str) {
    let command = SpeakerCommand::Announce { id: id.to_owned(), text: text.to_owned() };
    turn.publish(Publication::Speaker { speaker: speaker.to_owned(), command });
}

/// When a text must have been spoken, on the monotonic clock.
fn said_by(turn: &Turn<'_>, text: &str) -> u64 {
    let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    let within_ms = SAID_WITHIN_MS.saturating_add(characters.saturating_mul(SAID_PER_CHARACTER_MS));
    turn.at.monotonic_ms.saturating_add(within_ms)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::{self, NoSecrets};
    use crate::engine::{Setup, Turn};
    use crate::model::event::{Effect, Event, ScriptSource};
    use crate::model::speaker::{SpeakerReport, SpeakerState};
    use crate::model::time::At;

    const NOW: At = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };

    fn engine() -> Engine {
        let text = "mode: enforce\ntime_zone: UTC\nspeakers: {hall: {integration: voice}}";
        let script = |name: &str, text: &str| ScriptSource {
            name: name.to_owned(),
            file: format!("{name}.rhai"),
            text: text.to_owned(),
        };
        let voice = "const CONFIRMS = [\"announce\"]; const SENDS = [\"say\"];\n\
                     fn announce(speaker, text, id) { send(\"say\", text) }";
        let policy = "const EVENTS = [\"voice.intent\"];\nfn on_event(event) { announce(\"hall\", \"x\") }";
        let setup = Setup {
            config: Rc::new(config::parse("test.yaml", text, &NoSecrets).expect("a configuration")),
            sources: vec![script("p", policy)],
            integrations: vec![script("voice", voice)],
            seed: [0; 32],
            stopwatch: None,
            saved: None,
        };
        let mut engine = Engine::start(setup, NOW, &mut Vec::new()).expect("an engine");
        engine.handle(NOW, Event::Connected, &mut Vec::new());
        engine
    }

    fn entries(effects: Vec<Effect>) -> Vec<Entry> {
        let entry = |effect| if let Effect::Record(record) = effect { Some(record.entry) } else { None };
        effects.into_iter().filter_map(entry).collect()
    }

    #[test]
    fn one_announcement_more_than_is_awaited_is_spoken_and_not_awaited() {
        let mut engine = engine();
        let mut effects = Vec::new();
        let turn = &mut Turn { at: NOW, config: Rc::clone(&engine.config), effects: &mut effects, publishes: 0 };
        for _ in 0..=ANNOUNCEMENTS_MAX {
            engine.announce(turn, "hall", "x", "p".to_owned());
        }
        let spoken = effects.iter().filter(|effect| matches!(effect, Effect::Publish(Publication::Speaker { .. })));
        assert_eq!((spoken.count(), engine.speakers.spoken.0.len()), (ANNOUNCEMENTS_MAX + 1, ANNOUNCEMENTS_MAX));
        let full = |entry: &Entry| matches!(entry, Entry::Full { what, .. } if what == "hall");
        let told = entries(effects);
        assert_eq!(told.iter().filter(|entry| full(entry)).count(), 1, "{told:?}");
        let until_ms = NOW.monotonic_ms + SAID_WITHIN_MS + SAID_PER_CHARACTER_MS;
        assert_eq!(engine.next_deadline(), Some(until_ms), "and only for those the bridge wakes");
    }

    #[test]
    fn an_announcement_ends_with_its_proof_and_waits_no_longer() {
        let mut engine = engine();
        let mut effects = Vec::new();
        let turn = &mut Turn { at: NOW, config: Rc::clone(&engine.config), effects: &mut effects, publishes: 0 };
        engine.announce(turn, "hall", "x", "p".to_owned());
        let id = engine.speakers.spoken.0.keys().next().cloned().expect("an announcement");
        let said = |id: &str| {
            let state = SpeakerState::Said { id: id.to_owned() };
            Event::Speaker(SpeakerReport { speaker: "hall".to_owned(), state })
        };
        let mut effects = Vec::new();
        engine.handle(NOW, said("another"), &mut effects);
        engine.handle(NOW, said(&id), &mut effects);
        engine.handle(NOW, said(&id), &mut effects);
        assert_eq!(entries(effects), [Entry::Said { speaker: "hall".to_owned(), announcement: id }]);
        assert_eq!(engine.next_deadline(), None);
    }
}
