//! Integrations on the wire: what their scripts read from messages, and what they send to speakers.
//!
//! What was stored tells facts and states; it asks for nothing, answers nothing and is no event: it happened some other
//! time. Who asks by a speaker is never vouched for, since the name of the speaker stands in a payload.

use super::Wire;
use crate::config::payload::Payload;
use crate::integration::{Items, Question, SeenRequest, Token};
use crate::model::control::{Answer, Code};
use crate::model::durable::Pending;
use crate::model::event::{Event, Refusal};
use crate::model::message::{Command, Message, Qos};
use crate::model::request::{Arrival, Certainty, Clue, Door, Evidence, Held, Source};
use crate::model::speaker::{SpeakerCommand, SpeakerState};

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
        let is_state = |state: &SpeakerState| !message.retain || !matches!(state, SpeakerState::Said { .. });
        let facts = facts.into_iter().filter(|fact| self.registry.counts(fact)).map(Event::Fact);
        let reports = reports.into_iter().filter(|report| is_state(&report.state)).map(Event::Speaker);
        let mut told: Vec<Event> = facts.chain(reports).collect();
        if !message.retain {
            told.extend(events.into_iter().map(Event::House));
            told.extend(answers.iter().flat_map(|answer| self.answers_of(answer)).map(Event::Answer));
            told.extend(requests.into_iter().map(|request| self.arrival_of(request)).map(Box::new).map(Event::Arrival));
        }
        told
    }

    /// The answer of each channel that is asked through the speaker.
    fn answers_of(&self, answer: &Token) -> Vec<Answer> {
        let is_asked = |speaker: &Option<String>| speaker.as_deref() == Some(&answer.speaker);
        let channels = self.config.channels.iter().filter(|(_, channel)| is_asked(&channel.speaker));
        let of = |name: &String| Answer {
            channel: name.clone(),
            pending: None,
            says: answer.says,
            token: Some(answer.token.clone()),
            code: answer.code.clone().map(Code::new),
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

    /// What is sent to a speaker: by its integration, or the messages that the owner has written.
    pub(super) fn to_speaker(&self, speaker: &str, command: &SpeakerCommand) -> Vec<Message> {
        let has_integration = self.config.speakers.get(speaker).is_some_and(|speaker| speaker.integration.is_some());
        if has_integration {
            self.registry.integrations().to_speaker(speaker, command)
        } else {
            self.config.to_speaker(speaker, command)
        }
    }

    /// What puts a question through a channel's speaker.
    pub(super) fn ask_speaker(&mut self, channel: &str, pending: &Pending, token: &str) -> Vec<Message> {
        let Some(speaker) = self.speaker_of(channel) else { return Vec::new() };
        let request = &pending.first.arrival.request;
        let question = Question {
            id: pending.id.clone(),
            token: token.to_owned(),
            text: pending.question.clone(),
            action: request.action.clone(),
            target: request.target.clone(),
        };
        let messages = self.registry.integrations().ask(&speaker, &question);
        self.asked.insert((channel.to_owned(), pending.id.clone()), question);
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
