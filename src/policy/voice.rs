//! What was heard and said lately: which speakers heard the same words, and which spoke for the bridge.
//!
//! It lives in memory alone, for a minute. Of words it holds a digest, never the words; who makes the digest salts it.

use std::collections::{BTreeMap, VecDeque};

/// How long what a microphone heard is remembered.
pub const HEARD_KEPT_MS: u64 = 60_000;
/// Sentences that are remembered at one time. The oldest of a speaker that nobody has configured goes first, then the
/// oldest of the speaker that has the most: who invents sentences pushes out none of another ear.
pub const SENTENCES_MAX: usize = 256;

/// A digest of words.
pub type WordsDigest = [u8; 32];

/// A sentence that a speaker heard.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sentence {
    speaker: String,
    at_ms: u64,
    words: WordsDigest,
    is_configured: bool,
}

/// What was heard and said lately. Times are those of the monotonic side.
#[derive(Debug, Default)]
pub struct Voice {
    sentences: VecDeque<Sentence>,
    /// Until when each speaker has spoken for the bridge. Only configured speakers do.
    spoken: BTreeMap<String, u64>,
}

impl Voice {
    /// A speaker heard words. Whether another sentence had to be forgotten for them.
    pub fn note_words(&mut self, speaker: &str, is_configured: bool, words: WordsDigest, at_ms: u64) -> bool {
        self.sentences.retain(|sentence| at_ms.saturating_sub(sentence.at_ms) <= HEARD_KEPT_MS);
        let is_full = self.sentences.len() >= SENTENCES_MAX;
        if is_full {
            self.sentences.remove(self.least());
        }
        self.sentences.push_back(Sentence { speaker: speaker.to_owned(), at_ms, words, is_configured });
        is_full
    }

    /// The place of the sentence that is missed the least.
    fn least(&self) -> usize {
        if let Some(place) = self.sentences.iter().position(|sentence| !sentence.is_configured) {
            return place;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for sentence in &self.sentences {
            *counts.entry(&sentence.speaker).or_default() += 1;
        }
        let loudest = counts.iter().max_by_key(|(_, count)| **count).map(|(speaker, _)| *speaker);
        self.sentences.iter().position(|sentence| Some(sentence.speaker.as_str()) == loudest).unwrap_or_default()
    }

    /// The speakers that heard the words which `speaker` heard last, no more than `within_ms` before or after it; the
    /// first to hear them comes first. Empty: it heard nothing lately.
    pub fn same_words(&self, speaker: &str, within_ms: u64, now_ms: u64) -> Vec<&str> {
        let is_recent = |sentence: &&Sentence| now_ms.saturating_sub(sentence.at_ms) <= HEARD_KEPT_MS;
        let recent = || self.sentences.iter().filter(is_recent);
        let Some(last) = recent().rfind(|sentence| sentence.speaker == speaker) else { return Vec::new() };
        let mut speakers: Vec<&str> = Vec::new();
        for sentence in recent() {
            let is_same = sentence.words == last.words && sentence.at_ms.abs_diff(last.at_ms) <= within_ms;
            if is_same && !speakers.contains(&sentence.speaker.as_str()) {
                speakers.push(&sentence.speaker);
            }
        }
        speakers
    }

    /// A speaker speaks for the bridge until then, as far as is known.
    pub fn note_spoken(&mut self, speaker: &str, until_ms: u64) {
        let until = self.spoken.entry(speaker.to_owned()).or_default();
        *until = until_ms.max(*until);
    }

    /// A speaker tells that it has just spoken to the end. It counts where it is later than what was expected: an early
    /// word, which anybody can forge, shortens nothing. A speaker that was told nothing has said nothing.
    pub fn note_said(&mut self, speaker: &str, now_ms: u64) {
        if let Some(until_ms) = self.spoken.get_mut(speaker) {
            *until_ms = now_ms.max(*until_ms);
        }
    }

    /// Whether a speaker speaks for the bridge, or did within `within_ms`.
    pub fn spoke(&self, speaker: &str, within_ms: u64, now_ms: u64) -> bool {
        self.spoken.get(speaker).is_some_and(|until_ms| now_ms.saturating_sub(*until_ms) <= within_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_told_in_the_order_in_which_they_were_heard() {
        let (door, lamp) = ([1; 32], [2; 32]);
        let mut voice = Voice::default();
        for (speaker, words, at_ms) in [
            ("attic", door, 0),
            ("kitchen", door, 3_000),
            ("hall", lamp, 3_500),
            ("kitchen", door, 4_000),
            ("hall", door, 5_000),
            ("bath", door, 7_001),
        ] {
            voice.note_words(speaker, true, words, at_ms);
        }
        for (speaker, now_ms, expected) in [
            ("kitchen", 7_001, vec!["kitchen", "hall"]),
            ("hall", 7_001, vec!["kitchen", "hall"]),
            ("bath", 7_001, vec!["bath"]),
            ("attic", 7_001, vec!["attic"]),
            ("cellar", 7_001, vec![]),
            ("hall", 5_000 + HEARD_KEPT_MS, vec!["hall"]),
            ("hall", 5_001 + HEARD_KEPT_MS, vec![]),
        ] {
            assert_eq!(voice.same_words(speaker, 2_000, now_ms), expected, "{speaker} at {now_ms}");
        }
    }

    #[test]
    fn a_flood_of_sentences_pushes_out_none_of_another_ear() {
        let (door, noise) = ([1; 32], [0; 32]);
        for is_configured in [false, true] {
            let mut voice = Voice::default();
            assert!(!voice.note_words("hall", true, door, 0), "there is room");
            for index in 0..2 * SENTENCES_MAX {
                let is_lost = voice.note_words("flood", is_configured, noise, 1);
                assert_eq!(is_lost, index >= SENTENCES_MAX - 1, "{index}");
            }
            voice.note_words("kitchen", true, door, 2);
            assert_eq!(voice.sentences.len(), SENTENCES_MAX);
            assert_eq!(voice.same_words("kitchen", 2_000, 2), ["hall", "kitchen"]);
        }
    }

    #[test]
    fn a_speaker_spoke_until_the_later_of_what_was_expected_and_what_it_tells() {
        let mut voice = Voice::default();
        voice.note_said("hall", 100);
        assert!(!voice.spoke("hall", u64::MAX, 100), "nobody told it to speak");
        voice.note_spoken("kitchen", 5_000);
        voice.note_said("kitchen", 1_000);
        for (now_ms, expected) in [(1_000, true), (5_000, true), (6_000, true), (6_001, false)] {
            assert_eq!(
                voice.spoke("kitchen", 1_000, now_ms),
                expected,
                "at {now_ms}, whatever it tells before its end"
            );
        }
        voice.note_said("kitchen", 9_000);
        assert!(voice.spoke("kitchen", 1_000, 10_000) && !voice.spoke("kitchen", 1_000, 10_001));
    }
}
