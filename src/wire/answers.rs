//! Answers of channels on topics of the house: a button, a dialogue, a keypad.
//!
//! The owner says in `channels.<name>.answers` what counts. Such a message means what it meant before as well: it stays a
//! fact or an event. What is stored is never an answer: it was given some other time.

use super::confirm::bounded;
use super::{Wire, staleness};
use crate::config::AnswerEntry;
use crate::config::pattern::Names;
use crate::config::payload::Payload;
use crate::model::control::{Answer, Says};
use crate::model::event::{Event, Refusal};
use crate::model::message::Message;
use crate::model::topic::TopicFilter;

impl Wire {
    /// Where channels answer.
    pub(super) fn answer_topics(&self) -> Vec<TopicFilter> {
        self.config.answers().map(|(_, entry)| entry.topic.filter().clone()).collect()
    }

    /// The answers in a message, one for each channel at most. Where it can be read in two ways, the stricter one counts.
    pub(super) fn read_answers(&self, message: &Message) -> Vec<Event> {
        if message.retain || staleness(message).is_some() {
            return Vec::new();
        }
        let payload = Payload::new(&message.payload);
        let of_channel = |(channel, entries): (&String, &Vec<AnswerEntry>)| {
            let fitting = entries.iter().filter_map(|entry| Some((entry, fit(entry, message, &payload)?)));
            let (entry, names) = fitting.max_by_key(|(entry, _)| (strictness(entry.says), entry.token.is_some()))?;
            Some(match read(channel, entry, &names, &payload) {
                Ok(answer) => Event::Answer(answer),
                Err(reason) => Event::Refused(Refusal { topic: message.topic.clone(), reason, reply: None }),
            })
        };
        let channels = self.config.channels.iter().map(|(name, channel)| (name, &channel.answers));
        channels.filter_map(of_channel).collect()
    }
}

fn fit(entry: &AnswerEntry, message: &Message, payload: &Payload<'_>) -> Option<Names> {
    let names = entry.topic.read(&message.topic)?;
    entry.when.as_ref().is_none_or(|condition| condition.holds(payload)).then_some(names)
}

fn strictness(says: Says) -> u8 {
    match says {
        Says::Seen => 0,
        Says::Approve => 1,
        Says::Reject => 2,
    }
}

fn read(channel: &str, entry: &AnswerEntry, names: &Names, payload: &Payload<'_>) -> Result<Answer, String> {
    let token = match &entry.token {
        None => None,
        // Without it, what was meant for one question would answer another.
        Some(template) => Some(template.text(names, payload).ok_or("expected a token in this answer, found none")?),
    };
    let code = entry.code.as_ref().and_then(|template| template.text(names, payload));
    let (token, code) = bounded(token, code)?;
    Ok(Answer { channel: channel.to_owned(), pending: None, says: entry.says, token, code })
}
