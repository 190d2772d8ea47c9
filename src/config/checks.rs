//! What ties the sections of a configuration together: names that must exist, topics that must be free, and patterns
//! that would open more than they say.
//!
//! Whether every confirmation finds a channel needs the policies and is asked elsewhere.

use super::pattern::TopicPattern;
use super::reader::{Cursor, Fields, Reader};
use super::{Carrier, ChannelCode, Config, is_heard_twice, keys};
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
    check_speakers(reader, fields, config);
    check_topics(reader, fields, &config.base);
    check_tokens(reader, fields, config);
    check_secrets(reader, fields, config);
    check_opening(reader, fields, config);
}

fn list<'n>(reader: &mut Reader<'_>, fields: &Fields<'n>, key: &str) -> Vec<Cursor<'n>> {
    // What is wrong with the list itself was said when it was read.
    fields.get(key).filter(|cursor| cursor.is_list()).map(|cursor| reader.list(cursor, usize::MAX)).unwrap_or_default()
}

/// The items of these lists of every speaker or channel.
fn lists_of<'n>(reader: &mut Reader<'_>, fields: &Fields<'n>, section: &str, keys: &[&'static str]) -> Vec<Cursor<'n>> {
    let Some(cursor) = fields.get(section).filter(|cursor| cursor.is_mapping()) else { return Vec::new() };
    let mut items = Vec::new();
    for (_, entry) in reader.entries(cursor, usize::MAX) {
        for list in keys.iter().filter_map(|key| entry.child(key)).filter(Cursor::is_list) {
            items.extend(reader.list(&list, usize::MAX));
        }
    }
    items
}

/// A token is for one channel and one time: it is not stored, and Home Assistant sees it only where the owner says so.
fn check_tokens(reader: &mut Reader<'_>, fields: &Fields<'_>, config: &Config) {
    let Some(cursor) = fields.get("channels").filter(|cursor| cursor.is_mapping()) else { return };
    let act = format!("{}/act", config.base);
    for (name, channel) in reader.entries(cursor, usize::MAX) {
        let Some(list) = channel.child("ask").filter(Cursor::is_list) else { continue };
        let carrier = config.channels.get(name).map(|channel| channel.carrier);
        for entry in reader.list(&list, usize::MAX) {
            let payload = entry.child("payload").and_then(|cursor| reader.peek(&cursor));
            if !payload.is_some_and(|payload| payload.text.contains("{token")) {
                continue;
            }
            if let Some(cursor) = entry.child("retain").filter(|cursor| reader.flag(cursor) == Some(true)) {
                let help = Some("leave `retain` out, or the token".to_owned());
                reader.error(&cursor, "expected a message with a token not to be stored, found `true`", help);
            }
            let topic = entry.child("topic").filter(|cursor| reader.peek(cursor).is_some_and(|text| text.text == act));
            if let (Some(cursor), Some(Carrier::Mqtt)) = (topic, carrier) {
                let help = Some("add `carried_by: home_assistant` to the channel, or leave the token out".to_owned());
                reader.error(&cursor, "expected a topic that Home Assistant does not read, found its own", help);
            }
        }
    }
}

/// A code counts once. With one secret in two channels it would count on each.
fn check_secrets(reader: &mut Reader<'_>, fields: &Fields<'_>, config: &Config) {
    let Some(cursor) = fields.get("channels").filter(|cursor| cursor.is_mapping()) else { return };
    let mut seen: Vec<&ChannelCode> = Vec::new();
    for (name, channel) in reader.entries(cursor, usize::MAX) {
        let Some(code @ ChannelCode::Totp(_)) = config.channels.get(name).and_then(|channel| channel.code.as_ref())
        else {
            continue;
        };
        if let (true, Some(cursor)) = (seen.contains(&code), channel.child("totp")) {
            let help = Some("make another secret: `hushgate hash-pin --totp`".to_owned());
            reader.key_error(&cursor, "expected a secret for each channel, found one twice", help);
        }
        seen.push(code);
    }
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

/// The speaker through which a channel is asked exists, and has an integration that can ask. Whether that can is known when
/// it is loaded.
fn check_speakers(reader: &mut Reader<'_>, fields: &Fields<'_>, config: &Config) {
    let Some(cursor) = fields.get("channels").filter(|cursor| cursor.is_mapping()) else { return };
    for (_, channel) in reader.entries(cursor, usize::MAX) {
        let Some(cursor) = channel.child("speaker") else { continue };
        let Some(name) = reader.peek(&cursor) else { continue };
        match config.speakers.get(&name.text) {
            Some(speaker) if speaker.integration.is_some() => {}
            Some(_) => {
                let help = Some("add `integration:` to the speaker, or write the messages under `ask:`".to_owned());
                let message = format!("expected a speaker with an `integration`, found {}", name.shown());
                reader.error(&cursor, message, help);
            }
            None => {
                let help = did_you_mean_one_of(&name.text, config.speakers.keys().map(String::as_str))
                    .or_else(|| Some("add it under `speakers:`".to_owned()));
                reader.error(&cursor, format!("expected a configured speaker, found {}", name.shown()), help);
            }
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
    heard.extend(lists_of(reader, fields, "channels", &["answers"]));
    for cursor in heard.iter().filter_map(|entry| entry.child("topic")) {
        check_heard(reader, &cursor, base);
    }
    for cursor in commands.iter().chain(&heard).filter_map(|entry| entry.child("topic")) {
        check_topic(reader, &cursor, base);
    }
    let mut outgoing = list(reader, fields, "notify");
    outgoing.extend(lists_of(reader, fields, "speakers", keys::SPEAKER));
    outgoing.extend(lists_of(reader, fields, "channels", &["ask", "over"]));
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
