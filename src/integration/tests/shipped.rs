//! The shipped integrations: whatever stands on their topics, none of them fails.

use std::fmt::Write as _;
use std::rc::Rc;

use super::shown;
use crate::config::{self, NoSecrets};
use crate::integration::{Integrations, Question, SHIPPED};
use crate::model::message::Message;
use crate::model::speaker::{SpeakerCommand, What};

/// One speaker of an integration with the settings that a test wants.
pub(super) fn load(name: &str, settings: &str) -> Integrations {
    let text = format!(
        "facts: {{statestream: states}}\nspeakers: {{kitchen: {{integration: {name}, settings: {{{settings}}}}}}}\n\
         integrations: {{use: {{{name}: {{}}}}}}\n"
    );
    let config = Rc::new(config::parse("test.yaml", &text, &NoSecrets).expect("a configuration"));
    Integrations::compile(&config, &[], None).expect("a shipped integration is right")
}

/// What integrations read in a message, in short.
pub(super) fn read(integrations: &Integrations, message: &Message) -> String {
    let items = integrations.on_message(message);
    let mut told = Vec::new();
    for event in &items.events {
        let mut line = format!("{} by {}", event.name, event.speaker.as_deref().unwrap_or("nobody"));
        let _ = event.text.iter().try_for_each(|text| write!(line, ": {text}"));
        let _ = event.happened.iter().try_for_each(|at| write!(line, " at {at}"));
        told.push(line);
    }
    told.extend(items.reports.iter().map(|report| format!("{} {:?}", report.speaker, report.state)));
    told.extend(items.answers.iter().map(|answer| format!("{} {:?} {}", answer.speaker, answer.says, answer.token)));
    for request in &items.requests {
        let text = request.request.text.as_deref().unwrap_or_default();
        let sensitive = if request.request.sensitive { " sensitive" } else { "" };
        told.push(format!("{}{sensitive} wanted: {text}", request.request.action));
    }
    let failures = integrations.take_failures();
    assert!(failures.is_empty(), "{}: {failures:?}", message.topic);
    told.join("; ")
}

/// Payloads that no program sends, or only a broken one.
const BROKEN: &[&[u8]] = &[
    b"",
    b" ",
    b"\xff\xfe",
    b"null",
    b"0",
    b"-1",
    b"1.5e300",
    b"\"\"",
    b"\"text\"",
    b"[]",
    b"[[1], {}]",
    b"{}",
    b"{",
    b"true",
    b"on",
    b"unavailable",
    b"{\"event_type\": 5, \"siteId\": [], \"intent\": 1}",
    b"{\"event_type\": \"call_service\", \"event_data\": \"send_text_command play_media\"}",
];

#[test]
fn no_payload_makes_one_fail() {
    for (name, _) in SHIPPED {
        let integrations = load(name, "");
        let long = format!("\"{}\"", "é ".repeat(8_000)).into_bytes();
        for filter in integrations.topics() {
            for word in ["kitchen", "kitchen_mute", "a"] {
                let topic = filter.as_str().replace('+', word).replace('#', "a/b");
                for payload in BROKEN.iter().copied().chain([long.as_slice()]) {
                    let live = Message { payload: payload.to_vec().into(), ..Message::live(&topic, "") };
                    read(&integrations, &Message { retain: true, ..live.clone() });
                    read(&integrations, &live);
                }
            }
        }
    }
}

#[test]
fn what_each_says_of_itself_holds() {
    for (name, _) in SHIPPED {
        let integrations = load(name, "");
        let ability = integrations.ability("kitchen").expect("it is loaded");
        assert!(
            ability.grade.is_some() || !(ability.mutes_mic || ability.mutes_sound),
            "{name} says not what a mute is"
        );
        for what in What::ALL {
            integrations.to_speaker("kitchen", &SpeakerCommand::Mute { what });
            integrations.to_speaker("kitchen", &SpeakerCommand::Unmute { what });
        }
        let announce = SpeakerCommand::Announce { id: "a1".to_owned(), text: "é ".repeat(2_000) };
        let announced = integrations.to_speaker("kitchen", &announce);
        assert!(announced.is_empty() || ability.announces, "{name}");
        let question = Question { token: "t".to_owned(), text: "Open?".to_owned(), ..Question::default() };
        let asked = integrations.ask("kitchen", &question);
        assert!(asked.iter().all(|message| !message.retain), "{name} stores a question: {:?}", shown(&asked));
        integrations.cancel("kitchen", &question);
        integrations.to_speaker("kitchen", &SpeakerCommand::Enforce);
        integrations.to_speaker("kitchen", &SpeakerCommand::Observe);
        let failures = integrations.take_failures();
        assert!(failures.is_empty(), "{name}: {failures:?}");
    }
}
