//! What the configuration knows by name: actions, events, channels, speakers.
//!
//! For `check`, and for words that name a channel. It holds names only, no meaning.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Channel, Config};
use crate::model::action::{Class, KNOWN_ACTIONS};
use crate::model::request::{ToldNames, VOICE_EVENTS};

/// Events that the bridge tells of itself.
const OWN_EVENTS: [&str; 1] = ["command.unconfirmed"];

/// Events that are known besides those that the configuration and the integrations name.
pub fn known_events() -> impl Iterator<Item = &'static str> {
    OWN_EVENTS.into_iter().chain(VOICE_EVENTS)
}

/// Names that rules may use, and the base of the topics that are the bridge's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    pub actions: BTreeSet<String>,
    pub events: BTreeSet<String>,
    pub channels: BTreeSet<String>,
    /// Those of the channels that may confirm.
    pub confirming: BTreeSet<String>,
    /// Those of them that have a PIN or TOTP.
    pub coded: BTreeSet<String>,
    /// Those of the actions that are sensitive by their names.
    pub sensitive: BTreeSet<String>,
    pub speakers: BTreeSet<String>,
    /// Of each speaker the players in the same room, by their entities.
    pub near: BTreeMap<String, Vec<String>>,
    pub base: String,
}

impl Catalog {
    /// The names of a configuration and its integrations, with the actions and events that are known anyway.
    pub fn of(config: &Config, told: ToldNames) -> Catalog {
        let known_actions = KNOWN_ACTIONS.iter().map(|(action, _)| (*action).to_owned());
        // An owner who gives an action a class by its name knows that it exists.
        let classed = [&config.sensitive, &config.ordinary, &config.floor].into_iter().flatten();
        let named = classed.filter(|glob| glob.is_exact()).map(|glob| glob.as_str().to_owned());
        let known_events = known_events().map(str::to_owned);
        let actions: BTreeSet<String> = known_actions
            .chain(config.commands.iter().map(|entry| entry.action.clone()))
            .chain(named)
            .chain(told.actions)
            .collect();
        let is_coded = |(_, channel): &(&str, &Channel)| channel.code.is_some();
        let coded = config.confirming_channels().filter(is_coded).map(|(name, _)| name.to_owned()).collect();
        let is_sensitive = |action: &&String| config.class_of(action) == Class::Sensitive;
        Catalog {
            sensitive: actions.iter().filter(is_sensitive).cloned().collect(),
            actions,
            coded,
            events: known_events
                .chain(config.events.iter().map(|entry| entry.event.clone()))
                .chain(told.events)
                .collect(),
            channels: config.channels.keys().cloned().collect(),
            confirming: config.confirming_channels().map(|(name, _)| name.to_owned()).collect(),
            speakers: config.speakers.keys().cloned().collect(),
            near: config.speakers.iter().map(|(name, speaker)| (name.clone(), speaker.near.clone())).collect(),
            base: config.base.clone(),
        }
    }
}
