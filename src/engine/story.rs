//! The story of a request that a microphone heard: it woke, it heard words, somebody wanted something.
//!
//! What speakers tell of wake words, words and dialogues is kept for a minute, in memory alone, and goes with the request
//! into its decision. The story holds no words. Whoever can write an event can forge it, so a story vouches for nobody and
//! takes confidence away, never gives it: of two the lower one counts.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, Turn};
use crate::config::Config;
use crate::home::Home;
use crate::model::event::{Effect, Publication};
use crate::model::request::{HouseEvent, Request, Source};
use crate::model::speaker::{Heard, SpeakerCommand, SpeakerReport, SpeakerState};
use crate::model::time::At;
use crate::policy::voice::{HEARD_KEPT_MS, SENTENCES_MAX};

/// Dialogues of one speaker that are remembered. The newest are those that count.
pub const DIALOGUES_MAX: usize = 8;
/// Speakers that nobody has configured, of which something is remembered.
pub const STRANGERS_MAX: usize = 64;
/// Of a sentence no more is compared.
const WORDS_CHARACTERS_MAX: usize = 512;
/// How long one character takes to be spoken. Slow speech: too long is the safe side.
const SPEECH_MS_PER_CHARACTER: u64 = 80;
/// The longest time that one announcement is taken to last.
const SPEECH_MS_MAX: u64 = 60_000;
/// What a player near a speaker is like that can be taken for a voice.
const PLAYING: &str = "playing";
/// What happened no longer before the bridge heard of it than this, happened when it heard of it.
const DELAY_MIN: SignedDuration = SignedDuration::from_secs(1);

/// What an event adds to a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Woke,
    Began,
    Heard,
    Understood,
    Ended,
}

impl Part {
    fn of(event: &HouseEvent) -> Option<Part> {
        Some(match event.name.as_str() {
            "voice.wake_word" => Part::Woke,
            "voice.session_started" => Part::Began,
            "voice.transcript" => Part::Heard,
            "voice.intent" | "voice.intent_not_recognized" => Part::Understood,
            "voice.session_ended" => Part::Ended,
            _ => return None,
        })
    }
}

/// What one speaker heard from its wake word on.
#[derive(Debug, Clone, Default, PartialEq)]
struct Dialogue {
    session: Option<String>,
    woke: Option<Timestamp>,
    heard: Option<Timestamp>,
    confidence: Option<f64>,
    playing: Vec<String>,
    is_over: bool,
    /// When it was last told of.
    told_ms: u64,
}

impl Dialogue {
    fn is_recent(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.told_ms) <= HEARD_KEPT_MS
    }

    fn add(&mut self, part: Part, event: &HouseEvent, at: At) {
        let moment = event.happened.filter(|happened| *happened <= at.utc).unwrap_or(at.utc);
        self.told_ms = at.monotonic_ms;
        if self.session.is_none() {
            self.session.clone_from(&event.session);
        }
        match part {
            Part::Woke => self.woke = self.woke.or(Some(moment)),
            Part::Began => {}
            Part::Heard => {
                // Within a named dialogue the least sure of all that was said counts. Without a name nobody knows whether
                // what was said before belongs to it.
                let earlier = self.confidence.filter(|_| self.session.is_some());
                self.heard = Some(moment);
                self.confidence = lower(earlier, event.confidence);
            }
            Part::Understood => {
                self.heard = self.heard.or(Some(moment));
                self.confidence = lower(self.confidence, event.confidence);
            }
            Part::Ended => self.is_over = true,
        }
    }
}

/// The lower one of what is known.
fn lower(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What speakers heard lately.
#[derive(Debug, Default)]
pub(super) struct Stories(BTreeMap<String, VecDeque<Dialogue>>);

impl Stories {
    /// Adds what an event tells. `playing`: what plays near the speaker now. `Err`: somebody's story had to be forgotten.
    fn add(&mut self, part: Part, event: &HouseEvent, at: At, playing: Vec<String>, config: &Config) -> Result<(), ()> {
        let Some(speaker) = &event.speaker else { return Ok(()) };
        self.0.retain(|_, dialogues| {
            dialogues.retain(|dialogue| dialogue.is_recent(at.monotonic_ms));
            !dialogues.is_empty()
        });
        let known = self.0.get_mut(speaker).and_then(|dialogues| find(dialogues, part, event.session.as_deref()));
        if let Some(dialogue) = known {
            dialogue.add(part, event, at);
            return Ok(());
        }
        if part == Part::Ended {
            return Ok(());
        }
        let room = if config.speakers.contains_key(speaker) || self.0.contains_key(speaker) {
            Ok(())
        } else {
            self.make_room(config)
        };
        let mut dialogue = Dialogue { playing, ..Dialogue::default() };
        dialogue.add(part, event, at);
        let dialogues = self.0.entry(speaker.clone()).or_default();
        if dialogues.len() >= DIALOGUES_MAX {
            dialogues.pop_front();
        }
        dialogues.push_back(dialogue);
        room
    }

    /// Forgets the stranger of whom nothing was heard for the longest time, where there are too many.
    fn make_room(&mut self, config: &Config) -> Result<(), ()> {
        let strangers = || self.0.iter().filter(|(name, _)| !config.speakers.contains_key(*name));
        if strangers().count() < STRANGERS_MAX {
            return Ok(());
        }
        let told_ms = |dialogues: &VecDeque<Dialogue>| dialogues.iter().map(|dialogue| dialogue.told_ms).max();
        let oldest = strangers().min_by_key(|(_, dialogues)| told_ms(dialogues)).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
        Err(())
    }

    /// What a speaker heard last, in this dialogue if it has a name.
    fn latest(&self, speaker: &str, session: Option<&str>, now_ms: u64) -> Option<&Dialogue> {
        let recent = || self.0.get(speaker).into_iter().flatten().filter(|dialogue| dialogue.is_recent(now_ms));
        match session {
            None => recent().max_by_key(|dialogue| dialogue.told_ms),
            Some(name) => recent()
                .rfind(|dialogue| dialogue.session.as_deref() == Some(name))
                // Its wake word may have come without a name.
                .or_else(|| recent().rfind(|dialogue| dialogue.session.is_none())),
        }
    }
}

/// The dialogue that an event belongs to: the one of this name, or one that waits for a name. A wake word begins a new one.
fn find<'d>(dialogues: &'d mut VecDeque<Dialogue>, part: Part, session: Option<&str>) -> Option<&'d mut Dialogue> {
    let named = |dialogue: &Dialogue| session.is_some() && dialogue.session.as_deref() == session;
    let open = |dialogue: &Dialogue| !dialogue.is_over && (session.is_none() || dialogue.session.is_none());
    let index = dialogues.iter().rposition(named).or_else(|| match part {
        Part::Woke => None,
        Part::Began | Part::Heard | Part::Understood | Part::Ended => dialogues.iter().rposition(open),
    });
    dialogues.get_mut(index?)
}

/// What plays near a configured speaker, as far as the house knows.
fn playing(home: &Home, config: &Config, speaker: &str) -> Vec<String> {
    let near = config.speakers.get(speaker).map(|speaker| speaker.near.as_slice()).unwrap_or_default();
    let plays = |entity: &&String| {
        let state = home.get(entity, None).and_then(|known| known.value.as_ref());
        state.and_then(serde_json::Value::as_str) == Some(PLAYING)
    };
    near.iter().filter(plays).cloned().collect()
}

/// The configured speakers whose microphone asks by a channel that is known or likely.
fn speakers_of<'c>(config: &'c Config, source: &Source) -> Vec<&'c str> {
    let asks = |channel: &String| source.channel.as_ref() == Some(channel) || source.likely_channels.contains(channel);
    let named = config.speakers.iter().filter(|(_, speaker)| speaker.channel.as_ref().is_some_and(asks));
    named.map(|(name, _)| name.as_str()).collect()
}

/// Words as they are compared: small letters and digits, one space between.
fn normalised(text: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter } else { ' ' };
    let text: String = text.chars().take(WORDS_CHARACTERS_MAX).flat_map(char::to_lowercase).map(plain).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// When something happened, where that was before it was heard of.
fn earlier(happened: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    happened.filter(|happened| now.duration_since(*happened) >= DELAY_MIN)
}

/// What is told of a request that had happened before the bridge heard of it.
pub(super) fn told_late(request: &Request, now: Timestamp) -> Option<String> {
    let happened = request.heard.as_ref()?.happened.filter(|_| !request.door.holds())?;
    Some(format!("seen {} s after; could not be prevented", now.duration_since(happened).as_secs()))
}

impl Engine {
    /// Remembers what a voice event tells.
    pub(super) fn note_voice(&mut self, turn: &mut Turn<'_>, event: &HouseEvent) {
        let (Some(part), Some(speaker)) = (Part::of(event), &event.speaker) else { return };
        let config = Rc::clone(&turn.config);
        let playing = playing(&self.world.borrow().home, &config, speaker);
        if self.stories.add(part, event, turn.at, playing, &config).is_err() {
            self.tell_full(turn, "speakers that are not configured", STRANGERS_MAX, speaker);
        }
        if let (Part::Heard | Part::Understood, Some(text)) = (part, &event.text)
            && self.note_words(turn.at, speaker, text)
        {
            self.tell_full(turn, "sentences that were heard", SENTENCES_MAX, speaker);
        }
    }

    /// Whether another sentence had to be forgotten for these words.
    fn note_words(&mut self, at: At, speaker: &str, text: &str) -> bool {
        let words = normalised(text);
        if words.is_empty() {
            return false;
        }
        let digest = self.ids.words_digest(&words);
        let is_configured = self.config.speakers.contains_key(speaker);
        self.world.borrow_mut().voice.note_words(speaker, is_configured, digest, at.monotonic_ms)
    }

    /// Tells with a request how it came to be heard, where a speaker heard it.
    pub(super) fn tell_story(&mut self, at: At, request: &mut Request) {
        let (now_ms, config) = (at.monotonic_ms, &self.config);
        let session = request.heard.as_ref().and_then(|heard| heard.session.clone());
        let candidates = match &request.heard {
            Some(heard) => vec![heard.speaker.as_str()],
            None => speakers_of(config, &request.source),
        };
        let told =
            |speaker: &&&str| self.stories.latest(speaker, session.as_deref(), now_ms).map(|story| story.told_ms);
        let speaker = match candidates.as_slice() {
            [] => return,
            [only] => Some(only),
            several => several.iter().filter(|speaker| told(speaker).is_some()).max_by_key(told),
        };
        let Some(speaker) = speaker.map(|speaker| (*speaker).to_owned()) else { return };
        let story = self.stories.latest(&speaker, session.as_deref(), now_ms).cloned().unwrap_or_default();
        let happened = earlier(request.heard.as_ref().and_then(|heard| heard.happened), at.utc);
        request.confidence = lower(request.confidence, story.confidence);
        if let (None, Some(text)) = (story.heard, &request.text) {
            self.note_words(at, &speaker, text);
        }
        request.heard = Some(Box::new(Heard {
            speaker,
            session: session.or(story.session),
            woke: story.woke,
            heard: story.heard,
            confidence: story.confidence,
            playing: story.playing,
            happened,
        }));
    }

    /// Remembers through which speakers the bridge speaks, in what this turn has caused since `from`.
    pub(super) fn note_speech(&mut self, turn: &Turn<'_>, from: usize) {
        for effect in turn.effects.iter().skip(from) {
            match effect {
                Effect::Publish(Publication::Speaker { speaker, command: SpeakerCommand::Announce { text, .. } }) => {
                    self.note_spoken(turn.at, speaker, text);
                }
                Effect::Publish(Publication::Prompt { channel, pending, .. }) => {
                    let own = turn.config.channels.get(channel).and_then(|channel| channel.speaker.as_ref());
                    let of = |(name, speaker): &(&String, &crate::config::Speaker)| {
                        own == Some(*name) || speaker.channel.as_ref() == Some(channel)
                    };
                    for (speaker, _) in turn.config.speakers.iter().filter(of) {
                        self.note_spoken(turn.at, speaker, &pending.question);
                    }
                }
                _ => {}
            }
        }
    }

    fn note_spoken(&self, at: At, speaker: &str, text: &str) {
        let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        let lasts_ms = characters.saturating_mul(SPEECH_MS_PER_CHARACTER).min(SPEECH_MS_MAX);
        self.world.borrow_mut().voice.note_spoken(speaker, at.monotonic_ms.saturating_add(lasts_ms));
    }

    /// A speaker tells that it has spoken.
    pub(super) fn note_ended_speech(&self, at: At, report: &SpeakerReport) {
        if let SpeakerState::Said { .. } = report.state {
            self.world.borrow_mut().voice.note_said(&report.speaker, at.monotonic_ms);
        }
    }
}

#[cfg(test)]
mod tests;
