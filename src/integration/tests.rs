//! Integrations as an owner writes them: read, told to speak, and doing what they may not.

mod check;
mod home_assistant;
mod limits;
mod shipped;
mod soup;

use std::rc::Rc;

use super::{Integrations, Question};
use crate::config::{self, NoSecrets};
use crate::model::event::ScriptSource;
use crate::model::message::Message;
use crate::model::speaker::{SpeakerCommand, What};
use crate::script::diagnostics::Diagnostic;

const ROOM: &str = r#"//! A speaker of the house that talks on room/<name>/….
const GRADE = "stops listening";
const TOPICS = ["room/+/heard"];
const SENDS = ["room/+/quiet"];
const MUTES = ["mic"];
fn on_message(message) {
    event("voice.transcript", #{ speaker: speaker_by("room", split(message.topic, "/")[1]), text: message.payload })
}
fn mute(speaker, what) { send(`room/${speaker.setting("room", speaker.name)}/quiet`, "on") }
fn unmute(speaker, what) { send(`room/${speaker.setting("room", speaker.name)}/quiet`, "off") }
fn announce(speaker, text, id) { send("else" + "where", text) }
fn ask(speaker, question) { send(`room/${speaker.name}/quiet`, #{ token: question.token, text: question.text }) }
"#;
const SPEAKERS: &str =
    "speakers: {kitchen: {integration: room, settings: {room: cellar}}, hall: {integration: room}}\n";

fn compile(text: &str, configuration: &str) -> Result<Integrations, String> {
    let config = Rc::new(config::parse("test.yaml", configuration, &NoSecrets).expect("a configuration"));
    let source = ScriptSource { name: "room".to_owned(), file: "room.rhai".to_owned(), text: text.to_owned() };
    Integrations::compile(&config, &[source], None)
        .map_err(|errors| errors.iter().map(Diagnostic::one_line).collect::<Vec<_>>().join("\n"))
}

fn shown(messages: &[Message]) -> Vec<String> {
    let show = |message: &Message| format!("{} {}", message.topic, String::from_utf8_lossy(&message.payload));
    messages.iter().map(show).collect()
}

#[test]
fn a_speaker_is_read_and_told_by_its_settings() {
    let integrations = compile(ROOM, SPEAKERS).expect("a good integration");
    let items = integrations.on_message(&Message::live("room/cellar/heard", "call bob"));
    let events: Vec<_> = items.events.iter().map(|event| (event.name.as_str(), event.speaker.as_deref())).collect();
    assert_eq!(events, [("voice.transcript", Some("kitchen"))]);
    let mute = SpeakerCommand::Mute { what: What::Mic };
    assert_eq!(shown(&integrations.to_speaker("kitchen", &mute)), ["room/cellar/quiet on"]);
    assert_eq!(shown(&integrations.to_speaker("hall", &mute)), ["room/hall/quiet on"]);
    let question = Question { token: "t".to_owned(), text: "Open?".to_owned(), ..Question::default() };
    assert_eq!(shown(&integrations.ask("hall", &question)), [r#"room/hall/quiet {"text":"Open?","token":"t"}"#]);
    let ability = integrations.ability("hall").expect("an integration");
    assert_eq!((ability.mutable(What::Both), ability.mutable(What::Sound)), (Some(What::Mic), None));
    assert_eq!(ability.grade.as_deref(), Some("stops listening"));
    assert!(integrations.take_failures().is_empty());
}

#[test]
fn what_it_may_not_send_is_not_sent_and_told() {
    let integrations = compile(ROOM, SPEAKERS).expect("a good integration");
    let announce = SpeakerCommand::Announce { id: "a1".to_owned(), text: "Hello.".to_owned() };
    assert!(integrations.to_speaker("hall", &announce).is_empty());
    let failures: Vec<String> = integrations.take_failures().into_iter().map(|error| error.message).collect();
    assert_eq!(failures, ["`announce` sends nothing: expected a topic of `SENDS`, found `elsewhere`"]);
}

#[test]
fn an_integration_that_is_wrong_or_not_there_is_refused() {
    for (text, configuration, expected) in [
        ("fn mute(", SPEAKERS, "room.rhai:1:"),
        ("const MUTES = [\"ears\"];", SPEAKERS, "expected `mic` or `sound` in `MUTES`, found `ears`"),
        ("const TOPICS = [\"a/#/b\"];", SPEAKERS, "room.rhai:1:17: expected a topic filter, found `a/#/b`"),
        (ROOM, "integrations: {use: {roon: {}}}", "did you mean `room`?"),
    ] {
        let error = compile(text, configuration).expect_err("an error");
        assert!(error.contains(expected), "{expected} in: {error}");
    }
}
