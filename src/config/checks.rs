//! What ties the sections of a configuration together: names that must exist, topics that must be free, and patterns
//! that would open more than they say.
//!
//! Whether every confirmation finds a channel needs the policies and is asked elsewhere.

use super::pattern::TopicPattern;
use super::reader::{Cursor, Fields, Reader};
use super::{Config, is_heard_twice, keys};
use crate::model::action::{ACCEPT, Class, KNOWN_ACTIONS, RELEASE, SET_MODE, TURN_OFF_POLICY, UNMUTE, UNREADABLE};
use crate::model::glob::Glob;
use crate::model::mode::Mode;
use crate::model::topic::{self, DISCOVERY_PREFIX};
use crate::script::nearest::did_you_mean_one_of;

/// Actions that no floor may let through: with them in it, nobody could stop the bridge from being switched off or
/// a command that it cannot read.
const NEVER_FLOOR: [&str; 6] = [SET_MODE, TURN_OFF_POLICY, UNMUTE, RELEASE, ACCEPT, UNREADABLE];

pub(super) fn check(reader: &mut Reader<'_>, fields: &Fields<'_>, config: &Config) {
    if let (Mode::Enforce, None, Some(cursor)) = (config.mode, fields.get("time_zone"), fields.get("mode")) {
        let help = Some("add `time_zone: Europe/Berlin`, or whichever is yours".to_owned());
        reader.error(cursor, "expected `time_zone` with `mode: enforce`, found none", help);
    }
    check_channels(reader, fields, config);
    check_topics(reader, fields, &config.base);
    check_opening(reader, fields, config);
}

fn list<'n>(reader: &mut Reader<'_>, fields: &Fields<'n>, key: &str) -> Vec<Cursor<'n>> {
    // What is wrong with the list itself was said when it was read.
    fields.get(key).filter(|cursor| cursor.is_list()).map(|cursor| reader.list(cursor, usize::MAX)).unwrap_or_default()
}

/// Every `channel:` names one that exists.
fn check_channels(reader: &mut Reader<'_>, fields: &Fields<'_>, config: &Config) {
    let mut users = list(reader, fields, "commands");
    if let Some(cursor) = fields.get("speakers").filter(|cursor| cursor.is_mapping()) {
        users.extend(reader.entries(cursor, usize::MAX).into_iter().map(|(_, entry)| entry));
    }
    users.extend(fields.get("home_assistant").cloned());
    for user in users {
        let Some(cursor) = user.child("channel") else { continue };
        let Some(name) = reader.peek(&cursor) else { continue };
        if !config.channels.contains_key(&name.text) {
            let help = did_you_mean_one_of(&name.text, config.channels.keys().map(String::as_str))
                .or_else(|| Some("add it under `channels:`".to_owned()));
            reader.error(&cursor, format!("expected a configured channel, found {}", name.shown()), help);
        }
    }
}

/// No entry reads or writes the bridge's own topics or Home Assistant's discovery.
fn check_topics(reader: &mut Reader<'_>, fields: &Fields<'_>, base: &str) {
    let commands = list(reader, fields, "commands");
    let mut heard = list(reader, fields, "events");
    if let Some(facts) = fields.get("facts") {
        if let Some(topics) = facts.child("topics").filter(Cursor::is_list) {
            heard.extend(reader.list(&topics, usize::MAX));
        }
        if let Some(statestream) = facts.child("statestream") {
            check_topic(reader, &statestream, base);
        }
    }
    if let Some(eventstream) = fields.get("home_assistant").and_then(|section| section.child("eventstream")) {
        check_topic(reader, &eventstream, base);
    }
    for cursor in heard.iter().filter_map(|entry| entry.child("topic")) {
        check_heard(reader, &cursor, base);
    }
    for cursor in commands.iter().chain(&heard).filter_map(|entry| entry.child("topic")) {
        check_topic(reader, &cursor, base);
    }
    let mut outgoing = list(reader, fields, "notify");
    if let Some(cursor) = fields.get("speakers").filter(|cursor| cursor.is_mapping()) {
        for (_, speaker) in reader.entries(cursor, usize::MAX) {
            let lists = keys::SPEAKER.iter().filter_map(|key| speaker.child(key)).filter(Cursor::is_list);
            let messages: Vec<_> = lists.flat_map(|list| reader.list(&list, usize::MAX)).collect();
            outgoing.extend(messages);
        }
    }
    for entry in &outgoing {
        let Some(cursor) = entry.child("topic") else { continue };
        let Some(topic) = reader.peek(&cursor) else { continue };
        // There Home Assistant carries out what the bridge wants done.
        if topic.text == format!("{base}/act") {
            check_act(reader, entry);
            continue;
        }
        // The names of speakers are fit for a topic, so one letter stands for them all.
        if let Err(error) = topic::check_name(&topic.text.replace("{speaker}", "x")) {
            let help = Some("write the device's own topic".to_owned());
            reader.error(&cursor, format!("expected a topic, found {}: {error}", topic.shown()), help);
        } else {
            check_topic(reader, &cursor, base);
        }
    }
}

/// What Home Assistant carries out must not be stored: it would be carried out again at its next start.
fn check_act(reader: &mut Reader<'_>, entry: &Cursor<'_>) {
    let Some(cursor) = entry.child("retain") else { return };
    if reader.flag(&cursor) == Some(true) {
        let help = Some("leave `retain` out".to_owned());
        reader.error(&cursor, "expected a message that is not stored, found `true`", help);
    }
}

/// What is subscribed to must not make a command of the gate come twice.
fn check_heard(reader: &mut Reader<'_>, cursor: &Cursor<'_>, base: &str) {
    let Some(topic) = reader.peek(cursor) else { return };
    // Whether it is a pattern at all was said when it was read.
    if TopicPattern::parse(&topic.text).is_ok_and(|pattern| is_heard_twice(base, pattern.filter())) {
        let problem =
            format!("expected topics of the house, found {}: it reaches into the bridge's own", topic.shown());
        let help = Some("begin it with the first level that you mean".to_owned());
        reader.error(cursor, problem, help);
    }
}

fn check_topic(reader: &mut Reader<'_>, cursor: &Cursor<'_>, base: &str) {
    let Some(topic) = reader.peek(cursor) else { return };
    let first = topic.text.split('/').next().unwrap_or_default();
    // What a place in the first level could reach is refused when a message comes.
    let problem = if topic::is_under(&topic.text, base) {
        "the bridge's own topics lie there"
    } else if topic::is_discovery(&topic.text) || topic.text == DISCOVERY_PREFIX {
        "Home Assistant's discovery lies there"
    } else if first.starts_with('{') && first.ends_with("*}") {
        "it fits every topic of the broker"
    } else {
        return;
    };
    let help = Some("write the device's own topic".to_owned());
    reader.error(cursor, format!("expected a topic of the house, found {}: {problem}", topic.shown()), help);
}

/// `floor` and `ordinary` open the gate. A sensitive action must be named there, never caught by a pattern.
fn check_opening(reader: &mut Reader<'_>, fields: &Fields<'_>, config: &Config) {
    let mut sensitive: Vec<&str> =
        KNOWN_ACTIONS.iter().filter(|(_, class)| *class == Class::Sensitive).map(|(name, _)| *name).collect();
    sensitive.extend(config.commands.iter().filter(|entry| entry.sensitive).map(|entry| entry.action.as_str()));
    for key in ["floor", "ordinary"] {
        for cursor in list(reader, fields, key) {
            let Some(pattern) = reader.peek(&cursor) else { continue };
            let glob = Glob::new(pattern.text.as_str());
            if !glob.is_exact() {
                if let Some(caught) = sensitive.iter().find(|action| glob.matches(action)) {
                    let help = Some("name each action that you mean".to_owned());
                    let message = format!(
                        "expected a pattern without sensitive actions, found {}: it fits `{caught}`",
                        pattern.shown()
                    );
                    reader.error(&cursor, message, help);
                }
            } else if key == "floor" && NEVER_FLOOR.contains(&pattern.text.as_str()) {
                let help = Some("leave it out: with it, no policy could stop the bridge from being opened".to_owned());
                reader.error(&cursor, format!("expected an action of the house, found {}", pattern.shown()), help);
            }
        }
    }
}
