//! What is said where something was asked: that it is refused, why, and what would make it work; or that somebody else is
//! asked.
//!
//! It is built from the words of rules and sentences of this file. What the asker has brought is not repeated: where a rule
//! quotes it, a general sentence stands in its place. What is said there is a notice. It asks nobody, and confirms nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::combine::in_one_line;
use super::super::{Engine, Turn};
use super::spoken::speak;
use crate::model::decision::{Decision, Opinion, Outcome, Verdict};
use crate::model::event::{Effect, Entry};
use crate::model::mode::Mode;
use crate::model::request::Request;

/// How often one speaker says such things within `REFUSALS_WINDOW_MS`. What comes more often is not said, and the
/// first such is on record.
pub const REFUSALS_SPOKEN_MAX: usize = 5;
pub const REFUSALS_WINDOW_MS: u64 = 10 * 60_000;
/// What is heard so shortly after the bridge has spoken there may be its own voice. It is not answered: a house must not
/// talk to itself.
pub const ECHO_MS: u64 = 3_000;
/// Characters of what is said: nobody listens for longer.
const SPOKEN_CHARACTERS_MAX: usize = 200;
/// So many words in a row that the asker has said are a quotation. Of shorter texts, all of them are.
const QUOTED_WORDS: usize = 3;

/// What is said where no rule words it, or its words are the asker's.
const GENERAL: &str = "No, that is not allowed now.";

/// What a decision has to say to whoever asked.
struct Said {
    /// The decision.
    by: String,
    speaker: String,
    text: String,
    applied: bool,
    /// Somebody has just been heard; otherwise it was a while ago.
    is_new: bool,
}

impl Engine {
    /// Says where something was asked what was decided about it, in what this turn has caused since `from`.
    pub(in crate::engine) fn tell_askers(&mut self, turn: &mut Turn<'_>, from: usize) {
        let decided = |effect: &Effect| match effect {
            Effect::Record(record) => match &record.entry {
                Entry::Decision { decision } => said(decision),
                _ => None,
            },
            Effect::Durable(_) | Effect::Forward(_) | Effect::Publish(_) => None,
        };
        let all: Vec<Said> = turn.effects.iter().skip(from).filter_map(decided).collect();
        for said in all {
            self.tell_asker(turn, said);
        }
    }

    fn tell_asker(&mut self, turn: &mut Turn<'_>, said: Said) {
        let Said { by, speaker, text, applied, is_new } = said;
        let may_speak = self.config.speakers.get(&speaker).is_some_and(|known| known.refusals);
        if !may_speak || !self.is_connected() || !self.ability(&speaker).announces {
            return;
        }
        let now_ms = turn.at.monotonic_ms;
        let is_echo = is_new && self.world.borrow().voice.spoke(&speaker, ECHO_MS, now_ms);
        // Nobody would hear it where the sound is muted.
        let mut applied = applied && !is_echo && !self.is_silenced(&speaker);
        if applied {
            let known = self.speakers.of(&speaker);
            applied = known.refusals.take(now_ms, REFUSALS_WINDOW_MS, REFUSALS_SPOKEN_MAX);
            // The first one too many is told of, and the rest are like it.
            if std::mem::replace(&mut known.is_tired, !applied) && !applied {
                return;
            }
        }
        // Nobody waits for its end. Its name is not that of the question, of which it could be taken for the proof.
        let id = format!("{by}-told");
        turn.record(Entry::RefusalSpoken { speaker: speaker.clone(), text: text.clone(), by, applied });
        if applied {
            speak(turn, &speaker, &text, &id);
        }
    }
}

/// What is to be said of a decision, if anything is: of requests alone that waited for it, and that a speaker heard.
fn said(decision: &Decision) -> Option<Said> {
    let request = &decision.request;
    let speaker = request.heard.as_ref().filter(|_| request.door.holds())?.speaker.clone();
    let is_denied = decision.verdict == Verdict::Deny || decision.applied == Verdict::Deny;
    let text = match (&decision.settles, decision.applied) {
        (_, Verdict::Confirm) => asked(decision)?,
        (Some(settlement), _) if is_denied => ended(settlement.outcome, request)?,
        (None, _) if is_denied => refused(decision),
        _ => return None,
    };
    // What is held is told only where it is; what is refused also where it only would have been.
    let applied = decision.applied != Verdict::Allow;
    let (by, text) = (decision.id.clone(), in_one_line(&text, SPOKEN_CHARACTERS_MAX));
    Some(Said { by, speaker, text, applied, is_new: decision.settles.is_none() })
}

/// Somebody else is asked. A request that joins a question is part of what was told of that.
fn asked(decision: &Decision) -> Option<String> {
    let confirm = decision.confirm.as_ref().filter(|confirm| confirm.joins.is_none())?;
    let channels: Vec<String> = confirm.channels.iter().map(|channel| channel.replace('_', " ")).collect();
    Some(format!("I have asked on {}.", channels.join(" and ")))
}

/// A held request is over, and was not let go.
fn ended(outcome: Outcome, request: &Request) -> Option<String> {
    let text = match outcome {
        Outcome::Rejected => "No, it was refused.",
        Outcome::Expired => "Nobody confirmed it in time, so it is not done.",
        // Whoever commands the contrary knows of it.
        Outcome::Cancelled => return None,
        Outcome::Approved | Outcome::Unopposed | Outcome::JudgedAgain => GENERAL,
    };
    let is_own = !quotes(text, request);
    Some(if is_own { text } else { GENERAL }.to_owned())
}

/// Why a request is denied at once, and what would make it work, in the words of the rules that denied it.
fn refused(decision: &Decision) -> String {
    let request = &decision.request;
    let is_observed = decision.applied != Verdict::Deny;
    let counts = |opinion: &&Opinion| {
        opinion.verdict == Verdict::Deny && opinion.error.is_none() && (is_observed || opinion.mode == Mode::Enforce)
    };
    let denying = || decision.opinions.iter().filter(counts);
    if denying().next().is_none() {
        let is_unconfirmed = decision.opinions.iter().all(|opinion| opinion.verdict != Verdict::Deny);
        let text = "That needs a confirmation, and nobody can give it now.";
        return if is_unconfirmed && decision.confirm.is_none() { text } else { GENERAL }.to_owned();
    }
    let reasons = own_words(denying().map(|opinion| opinion.reason.as_str()), request);
    let instead = own_words(denying().filter_map(|opinion| opinion.instead.as_deref()), request);
    let mut text = reasons.map_or_else(|| GENERAL.to_owned(), |reasons| format!("No: {reasons}"));
    if let Some(instead) = instead {
        text = format!("{text} Instead: {instead}");
    }
    text
}

/// Several texts as sentences, each once. `None`: there is none, or one of them repeats what the asker has brought.
fn own_words<'t>(texts: impl Iterator<Item = &'t str>, request: &Request) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    for text in texts.map(sentence) {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    let joined = all.join(" ");
    (!joined.is_empty() && !quotes(&joined, request)).then_some(joined)
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// Whether a text repeats what the asker has brought: the sentence, the target, or a field of the data.
fn quotes(text: &str, request: &Request) -> bool {
    let said = words(text);
    let texts = request.text.iter().chain(&request.target).map(String::as_str);
    texts.into_iter().any(|brought| repeats(&said, brought)) || request.data.values().any(|value| has(&said, value))
}

fn has(said: &[String], brought: &Value) -> bool {
    match brought {
        Value::String(text) => repeats(said, text),
        Value::Number(number) => repeats(said, &number.to_string()),
        Value::Array(items) => items.iter().any(|item| has(said, item)),
        Value::Object(fields) => fields.values().any(|field| has(said, field)),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Whether the words of one text stand in another one, in a row.
fn repeats(said: &[String], brought: &str) -> bool {
    let brought_words = words(brought);
    let run = brought_words.len().min(QUOTED_WORDS);
    if run == 0 {
        return false;
    }
    let runs: BTreeSet<&[String]> = said.windows(run).collect();
    // Where no spaces stand between words, a text is one word, and may stand within another.
    let is_within = |word: &String| !word.is_ascii() && said.iter().any(|said| said.contains(word.as_str()));
    brought_words.windows(run).any(|words| runs.contains(words)) || brought_words.iter().any(is_within)
}

/// The words of a text as they are compared: small letters and digits.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::request::{Door, Source};

    fn request(text: Option<&str>, target: Option<&str>, data: Value) -> Request {
        Request {
            action: "a.b".to_owned(),
            target: target.map(str::to_owned),
            source: Source::default(),
            door: Door::Ask,
            data: serde_json::from_value(data).expect("data"),
            text: text.map(str::to_owned),
            confidence: None,
            sensitive: false,
            heard: None,
        }
    }

    #[test]
    fn what_the_asker_has_brought_is_known_again() {
        let none = || json!({});
        for (text, request, expected) in [
            ("no messages to Bob", request(None, Some("bob"), none()), true),
            ("no messages to Bobby", request(None, Some("bob"), none()), false),
            ("not the front door", request(None, Some("lock.front_door"), none()), false),
            ("not lock.front_door", request(None, Some("lock.front_door"), none()), true),
            ("you said: tell her I hate him", request(Some("I hate him and all"), None, none()), true),
            ("no messages between ten and seven", request(Some("no messages at all"), None, none()), false),
            ("not 7 times", request(None, None, json!({"x": [{"y": 7}]})), true),
            ("not seven times", request(None, None, json!({"x": 7, "on": true, "y": null})), false),
            ("not Call-Me", request(None, None, json!({"x": {"y": "call me"}})), true),
            ("不要告诉妈妈我在这里", request(Some("告诉妈妈"), None, none()), true),
            ("anything", request(Some("…"), Some(""), none()), false),
        ] {
            assert_eq!(quotes(text, &request), expected, "{text} of {request:?}");
        }
    }
}
