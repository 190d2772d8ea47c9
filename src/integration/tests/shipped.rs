//! The shipped integrations: what each says of itself holds, and what the tests of several of them need.

use std::collections::BTreeSet;
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

#[test]
fn what_the_page_on_speakers_says_can_be_written() {
    let page = include_str!("../../../docs/speakers.md");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut used = BTreeSet::new();
    for block in blocks {
        let config = config::parse("docs/speakers.md", block, &NoSecrets);
        let config = Rc::new(config.unwrap_or_else(|errors| panic!("{block}\n{errors:#?}")));
        let integrations = Integrations::compile(&config, &[], None);
        used.extend(integrations.unwrap_or_else(|errors| panic!("{block}\n{errors:#?}")).names());
    }
    for (name, _) in SHIPPED {
        assert!(page.contains(&format!("[`{name}`](")), "{name} is missing in the table");
    }
    for name in ["assist_satellite", "media_player", "alexa_media", "alexa_devices"] {
        assert!(used.contains(name), "{name} has no example");
    }
}
