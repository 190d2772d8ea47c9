//! Integrations on the wire: what their scripts read from messages, and what they send to speakers.
//!
//! What was stored tells facts and states; it asks for nothing, answers nothing and is no event: it happened some other
//! time. Who asks by a speaker is never vouched for, since the name of the speaker stands in a payload.

use super::Wire;
use super::confirm::bounded;
use crate::config::payload::Payload;
use crate::integration::{Items, Question, SeenRequest, Token};
use crate::model::control::{Answer, Says};
use crate::model::decision::PolicyError;
use crate::model::durable::Pending;
use crate::model::event::{Event, Refusal};
use crate::model::message::{Command, Message, Qos};
use crate::model::request::{Arrival, Certainty, Clue, Door, Evidence, Held, Source};
use crate::model::speaker::{SpeakerCommand, SpeakerState};

/// How long the proof of a spoken question is, in hexadecimal digits.
const PROOF_CHARACTERS: usize = 32;

impl Wire {
    /// What the integrations read in a message.
    pub(super) fn read_integrations(&self, message: &Message) -> Vec<Event> {
        let integrations = self.registry.integrations();
        if !integrations.reads(&message.topic) || (message.payload.is_empty() && !message.retain) {
            return Vec::new();
        }
        if Payload::new(&message.payload).is_ambiguous() {
            let reason = "expected JSON with one meaning, found a key twice".to_owned();
            return vec![Event::Refused(Refusal { topic: message.topic.clone(), reason, reply: None })];
        }
        let Items { facts, reports, events, answers, requests } = integrations.on_message(message);
        let facts = facts.into_iter().filter(|fact| self.registry.counts(fact)).map(Event::Fact);
        let mut told: Vec<Event> = facts.collect();
        for report in reports {
            match &report.state {
                SpeakerState::Said { .. } if message.retain => {}
                SpeakerState::Said { id } => told.push(match self.spoken_question(&report.speaker, id) {
                    Some(seen) => Event::Answer(seen),
                    None => Event::Speaker(report),
                }),
                _ => told.push(Event::Speaker(report)),
            }
        }
        if !message.retain {
            told.extend(events.into_iter().map(Event::House));
            told.extend(answers.iter().flat_map(|answer| self.answers_of(answer)).map(Event::Answer));
            told.extend(requests.into_iter().map(|request| self.arrival_of(request)).map(Box::new).map(Event::Arrival));
        }
        told
    }

    /// What was spoken to its end may be a question that a channel is asked through this speaker: then it has reached
    /// somebody. It is known by its token, or by its proof: never by its id, which is public. By that, whoever may write what
    /// a speaker tells of itself could tell of a notice that nobody got. No record of speakers ever holds the token.
    fn spoken_question(&self, speaker: &str, said: &str) -> Option<Answer> {
        if said.is_empty() {
            return None;
        }
        let is_said = |((channel, _), question): &(&(String, String), &Question)| {
            (question.token == said || question.proof == said) && self.speaker_of(channel).as_deref() == Some(speaker)
        };
        let ((channel, id), question) = self.asked.iter().find(is_said)?;
        Some(Answer {
            channel: channel.clone(),
            pending: Some(id.clone()),
            says: Says::Seen,
            token: Some(question.token.clone()),
            code: None,
        })
    }

    /// The answer of each channel that is asked through the speaker.
    fn answers_of(&self, answer: &Token) -> Vec<Answer> {
        // No question has so long a token, and no channel so long a code.
        let Ok((token, code)) = bounded(Some(answer.token.clone()), answer.code.clone()) else { return Vec::new() };
        let is_asked = |speaker: &Option<String>| speaker.as_deref() == Some(&answer.speaker);
        let channels = self.config.channels.iter().filter(|(_, channel)| is_asked(&channel.speaker));
        let of = |name: &String| Answer {
            channel: name.clone(),
            pending: None,
            says: answer.says,
            token: token.clone(),
            code: code.clone(),
        };
        channels.map(|(name, _)| of(name)).collect()
    }

    fn arrival_of(&self, seen: SeenRequest) -> Arrival {
        let SeenRequest { mut request, hold } = seen;
        request.source = request.heard.as_ref().map_or_else(Source::default, |heard| self.source_by(&heard.speaker));
        let held = match hold {
            Some(Message { topic, payload, .. }) => {
                request.door = Door::Intent;
                Held::Command(Command { topic, payload, qos: Qos::AtLeastOnce, expiry_s: None })
            }
            None => Held::Seen { undo: None },
        };
        Arrival { request, held, reply: None }
    }

    /// Who seems to ask by a speaker.
    fn source_by(&self, speaker: &str) -> Source {
        let channel = self.config.speakers.get(speaker).and_then(|speaker| speaker.channel.as_ref());
        let Some((name, channel)) = channel.and_then(|name| self.config.channels.get_key_value(name)) else {
            return Source::default();
        };
        let evidence = Evidence { certainty: Certainty::Likely, age_ms: 0 };
        Source {
            kind: channel.kind,
            evidence: Some(evidence),
            satellite: Some(Clue { name: speaker.to_owned(), evidence }),
            likely_channels: vec![name.clone()],
            ..Source::default()
        }
    }

    /// What is sent to a speaker: by its integration, or the messages that the owner has written. What an integration should
    /// say and does not is kept for `take_untold`.
    pub(super) fn tell_speaker(&mut self, speaker: &str, command: SpeakerCommand) -> Vec<Message> {
        let has_integration = self.config.speakers.get(speaker).is_some_and(|speaker| speaker.integration.is_some());
        if !has_integration {
            return self.config.to_speaker(speaker, &command);
        }
        let integrations = self.registry.integrations();
        let failures = integrations.failures();
        let messages = integrations.to_speaker(speaker, &command);
        // Preparing is optional, and so has no message where there is nothing to prepare.
        let is_optional = matches!(command, SpeakerCommand::Enforce | SpeakerCommand::Observe);
        if integrations.failures() > failures || (messages.is_empty() && !is_optional) {
            self.untold.push((speaker.to_owned(), command));
        }
        messages
    }

    /// What speakers should have been told since this was last asked, and were not, or not all of it.
    pub fn take_untold(&mut self) -> Vec<(String, SpeakerCommand)> {
        std::mem::take(&mut self.untold)
    }

    /// An error as it may be told: without the token of any question that is open through a speaker.
    pub fn without_tokens(&self, mut error: PolicyError) -> PolicyError {
        for question in self.asked.values().filter(|question| !question.token.is_empty()) {
            error.message = error.message.replace(&question.token, "…");
        }
        error
    }

    /// What puts a question through a channel's speaker. What was put there before under the same id is ended first: its
    /// token may be void, and two dialogues about one thing are one too many.
    pub(super) fn ask_speaker(&mut self, channel: &str, pending: &Pending, token: &str) -> Vec<Message> {
        let mut messages = self.cancel_speaker(channel, &pending.id);
        let Some(speaker) = self.speaker_of(channel) else { return messages };
        let request = &pending.first.arrival.request;
        let kept = pending.tokens.get(channel).map(String::as_str).unwrap_or_default();
        let question = Question {
            id: pending.id.clone(),
            token: token.to_owned(),
            // Of the digest that is kept of the token: from it nobody finds the token.
            proof: kept.chars().take(PROOF_CHARACTERS).collect(),
            text: pending.question.clone(),
            action: request.action.clone(),
            target: request.target.clone(),
        };
        let asks = self.registry.integrations().ask(&speaker, &question);
        if !asks.is_empty() {
            self.asked.insert((channel.to_owned(), pending.id.clone()), question);
        }
        messages.extend(asks);
        messages
    }

    /// What ends a question that was put through a channel's speaker.
    pub(super) fn cancel_speaker(&mut self, channel: &str, id: &str) -> Vec<Message> {
        let question = self.asked.remove(&(channel.to_owned(), id.to_owned()));
        let (Some(question), Some(speaker)) = (question, self.speaker_of(channel)) else { return Vec::new() };
        self.registry.integrations().cancel(&speaker, &question)
    }

    fn speaker_of(&self, channel: &str) -> Option<String> {
        self.config.channels.get(channel)?.speaker.clone()
    }
}
