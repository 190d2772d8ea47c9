//! What is sent to speakers, to channels and to the owner: the configured messages with their places filled in.
//!
//! Whether something is said, and to whom, is decided elsewhere.

use super::pattern::Names;
use super::{Config, Outgoing};
use crate::model::durable::Pending;
use crate::model::message::Message;
use crate::model::speaker::SpeakerCommand;
use crate::model::topic;

impl Config {
    /// What mutes a speaker, un-mutes it or lets it speak. A speaker that is not configured is sent nothing.
    pub fn to_speaker(&self, speaker: &str, command: &SpeakerCommand) -> Vec<Message> {
        let Some(configured) = self.speakers.get(speaker) else { return Vec::new() };
        let mut names = Names::from([("speaker".to_owned(), speaker.to_owned())]);
        let templates = match command {
            SpeakerCommand::Mute { .. } => &configured.mute,
            SpeakerCommand::Unmute { .. } => &configured.unmute,
            SpeakerCommand::Announce { text, .. } => {
                names.insert("text".to_owned(), text.clone());
                &configured.announce
            }
            SpeakerCommand::Enforce | SpeakerCommand::Observe => return Vec::new(),
        };
        fill_in(templates, &names)
    }

    /// What tells the owner something, besides the bridge's own topic.
    pub fn to_owner(&self, text: &str, policy: &str) -> Vec<Message> {
        let names = Names::from([("text".to_owned(), text.to_owned()), ("policy".to_owned(), policy.to_owned())]);
        fill_in(&self.notify, &names)
    }

    /// What asks a channel, besides its topic `prompt/<channel>`.
    pub fn to_channel(&self, channel: &str, pending: &Pending, token: &str) -> Vec<Message> {
        let Some(configured) = self.channels.get(channel) else { return Vec::new() };
        let request = &pending.first.arrival.request;
        let names = [
            ("id", pending.id.as_str()),
            ("token", token),
            ("question", &pending.question),
            ("channel", channel),
            ("action", &request.action),
            ("target", request.target.as_deref().unwrap_or_default()),
        ];
        fill_in(&configured.ask, &names.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    /// What tells a channel that no answer to this question is wanted any more.
    pub fn over_to_channel(&self, channel: &str, id: &str) -> Vec<Message> {
        let Some(configured) = self.channels.get(channel) else { return Vec::new() };
        let names = [("id", id), ("channel", channel)];
        fill_in(&configured.over, &names.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    /// Whether something that is sent to a speaker, a channel or the owner goes to this topic.
    pub fn sends_to(&self, topic: &str) -> bool {
        let speakers = self.speakers.values();
        let of_speakers =
            speakers.flat_map(|speaker| speaker.mute.iter().chain(&speaker.unmute).chain(&speaker.announce));
        let of_channels = self.channels.values().flat_map(|channel| channel.ask.iter().chain(&channel.over));
        of_speakers.chain(of_channels).chain(&self.notify).any(|outgoing| outgoing.topic.as_str() == topic)
    }
}

fn fill_in(templates: &[Outgoing], names: &Names) -> Vec<Message> {
    let message = |template: &Outgoing| Message {
        retain: template.retain,
        ..Message::live(template.topic.outgoing(names), template.payload.outgoing(names))
    };
    templates.iter().map(message).filter(|message| topic::check_name(&message.topic).is_ok()).collect()
}
