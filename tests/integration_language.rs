//! The page that teaches integrations, run: every script on it does what it says, and no word is missing.
//!
//! An example is a whole integration or the body of `on_message`. Its comments say what happens (`// message:`, `// stored:`,
//! `// command:`, `// do:`) and what must come of it (`// =>`).
#![expect(unreachable_pub, reason = "a test has no outside; `pub` says what a module offers the others")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by a panic, also in the functions that help it")]

use std::fmt::Write;
use std::rc::Rc;

use hushgate::config::{self, NoSecrets};
use hushgate::integration::{self, Integrations, Items, Question, SeenRequest, words};
use hushgate::model::control::Says;
use hushgate::model::event::ScriptSource;
use hushgate::model::message::Message;
use hushgate::model::request::{FactChange, HouseEvent};
use hushgate::model::speaker::{SpeakerCommand, SpeakerState, What};
use hushgate::scenario::{self, Library};
use hushgate::script::sandbox;

#[path = "support/page.rs"]
mod page;

const PAGE: &str = include_str!("../docs/integrations.md");
/// The house of the examples.
const HOUSE: &str = "facts: {statestream: states}\n\
    speakers: {kitchen: {integration: example, settings: {room: cellar}}, hall: {integration: example}}\n\
    integrations: {use: {example: {loud: true}}}\n";

fn blocks(language: &str) -> Vec<(usize, String)> {
    page::blocks(PAGE, language)
}

fn load(text: &str, house: &str) -> Result<Integrations, Vec<String>> {
    let config = Rc::new(config::parse("house", house, &NoSecrets).expect("a configuration"));
    let is_whole = text.contains("\nfn ") || text.starts_with("fn ");
    let text = if is_whole {
        text.to_owned()
    } else {
        format!("const TOPICS = \"room/#\";\nfn on_message(message) {{\n{text}}}")
    };
    let source = ScriptSource { name: "example".to_owned(), file: "example.rhai".to_owned(), text };
    let refused = |findings: Vec<hushgate::script::diagnostics::Diagnostic>| {
        findings.into_iter().map(|finding| format!("refused: {}", finding.message)).collect()
    };
    Integrations::compile(&config, &[source], None).map_err(refused)
}

/// What comes of everything that an example lets happen, in the words of the page.
fn outcome(text: &str) -> Vec<String> {
    let integrations = match load(text, HOUSE) {
        Ok(integrations) => integrations,
        Err(refused) => return refused,
    };
    let mut told = Vec::new();
    for line in text.lines() {
        let Some((what, rest)) = line.trim_start().strip_prefix("// ").and_then(|comment| comment.split_once(": "))
        else {
            continue;
        };
        let mut came = match what {
            "message" | "stored" => {
                let (topic, payload) = rest.split_once(' ').expect("a topic and a payload");
                let message = Message { retain: what == "stored", ..Message::live(topic, payload.to_owned()) };
                items(&integrations.on_message(&message))
            }
            "command" => {
                let (topic, payload) = rest.split_once(' ').expect("a topic and a payload");
                let read = integrations.on_command(&Message::live(topic, payload.to_owned())).expect("a command topic");
                read.iter().map(request).collect()
            }
            "do" => done(&integrations, rest).iter().map(sent).collect(),
            _ => continue,
        };
        came.extend(integrations.take_failures().into_iter().map(|failure| format!("fails: {}", failure.message)));
        if came.is_empty() {
            came.push("nothing".to_owned());
        }
        told.extend(came);
    }
    told
}

fn done(integrations: &Integrations, what: &str) -> Vec<Message> {
    let words: Vec<&str> = what.split(' ').collect();
    let question = || Question {
        id: "q1".to_owned(),
        token: "1a2b".to_owned(),
        proof: "9f86d081884c7d65".to_owned(),
        text: "Open the door?".to_owned(),
        action: "lock.unlock".to_owned(),
        target: None,
    };
    let what = |name: &str| What::named(name).expect("mic, sound or both");
    match words[..] {
        ["mute", speaker, name] => integrations.to_speaker(speaker, &SpeakerCommand::Mute { what: what(name) }),
        ["unmute", speaker, name] => integrations.to_speaker(speaker, &SpeakerCommand::Unmute { what: what(name) }),
        ["announce", speaker, id, text] => {
            integrations.to_speaker(speaker, &SpeakerCommand::Announce { id: id.to_owned(), text: text.to_owned() })
        }
        ["enforce", speaker] => integrations.to_speaker(speaker, &SpeakerCommand::Enforce),
        ["observe", speaker] => integrations.to_speaker(speaker, &SpeakerCommand::Observe),
        ["ask", speaker] => integrations.ask(speaker, &question()),
        ["cancel", speaker] => integrations.cancel(speaker, &question()),
        _ => panic!("{words:?} is nothing that the bridge does"),
    }
}

fn sent(message: &Message) -> String {
    let payload = String::from_utf8_lossy(&message.payload);
    if message.topic != "hushgate/act" {
        return format!("sends {}: {payload}", message.topic);
    }
    let act: serde_json::Value = serde_json::from_str(&payload).expect("JSON");
    let text = |path: &str| act.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let data = act.get("data").filter(|data| data.as_object().is_some_and(|data| !data.is_empty()));
    let with = data.map_or_else(String::new, |data| format!(" with {data}"));
    format!("acts {} on {}{with}", text("/action"), text("/target/entity_id"))
}

fn items(items: &Items) -> Vec<String> {
    let Items { facts, reports, events, answers, requests } = items;
    let mut told: Vec<String> = facts.iter().map(fact).collect();
    told.extend(reports.iter().map(|report| match &report.state {
        SpeakerState::Muted { what } => format!("{} is muted: {}", report.speaker, what.name()),
        SpeakerState::Unmuted { what } => format!("{} is not muted: {}", report.speaker, what.name()),
        SpeakerState::Restarted => format!("{} has restarted", report.speaker),
        SpeakerState::Said { id } => format!("{} has said {id}", report.speaker),
    }));
    told.extend(events.iter().map(event));
    told.extend(answers.iter().map(|answer| {
        let says = match answer.says {
            Says::Approve => "approve",
            Says::Reject => "reject",
            Says::Seen => "seen",
        };
        let code = if answer.code.is_some() { " with a code" } else { "" };
        format!("{} answers {says} {}{code}", answer.speaker, answer.token)
    }));
    told.extend(requests.iter().map(request));
    told
}

fn fact(FactChange { entity, attribute, value }: &FactChange) -> String {
    let attribute = attribute.as_ref().map_or_else(String::new, |name| format!(" {name}"));
    let value = value.as_ref().map_or_else(|| "not known".to_owned(), ToString::to_string);
    format!("fact {entity}{attribute} = {value}")
}

fn event(event: &HouseEvent) -> String {
    let fields = [
        event.speaker.as_ref().map(|speaker| format!("speaker {speaker}")),
        event.text.as_ref().map(|text| format!("text \"{text}\"")),
        event.confidence.map(|confidence| format!("confidence {confidence}")),
        event.session.as_ref().map(|session| format!("session {session}")),
        event.happened.map(|at| format!("at {at}")),
        (!event.data.is_empty()).then(|| format!("data {}", serde_json::json!(event.data))),
    ];
    format!("event {}: {}", event.name, fields.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn request(SeenRequest { request, hold }: &SeenRequest) -> String {
    let fields = [
        request.heard.as_ref().map(|heard| format!("speaker {}", heard.speaker)),
        request.target.as_ref().map(|target| format!("target {target}")),
        request.text.as_ref().map(|text| format!("text \"{text}\"")),
        request.sensitive.then(|| "sensitive".to_owned()),
    ];
    let holds = hold.as_ref().map(|hold| format!("; holds {}: {}", hold.topic, String::from_utf8_lossy(&hold.payload)));
    let fields = fields.into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!("request {}: {fields}{}", request.action, holds.unwrap_or_default())
}

#[test]
fn every_example_does_what_it_says() {
    let (mut wrong, examples) = (String::new(), blocks("rhai"));
    for (line, text) in &examples {
        let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("// => "));
        let expected: Vec<&str> = comments.collect();
        let found = outcome(text);
        if expected != found {
            writeln!(wrong, "docs/integrations.md:{line}\n{text}  expected {expected:#?}\n  found {found:#?}")
                .expect("text");
        }
        // It was loaded, so all that `check` says of it could be said of the reader's own.
        let config = Rc::new(config::parse("house", HOUSE, &NoSecrets).expect("a configuration"));
        if text.starts_with("//!") {
            let source =
                ScriptSource { name: "example".to_owned(), file: "example.rhai".to_owned(), text: text.clone() };
            let findings = integration::check(&config, &[source]).findings;
            // The house of the examples has a setting that not all of them ask for.
            let findings: Vec<_> = findings.into_iter().filter(|finding| finding.code != "unknown-setting").collect();
            assert!(findings.is_empty(), "line {line}: {findings:#?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(examples.len() >= 20, "only {} examples were found", examples.len());
}

/// The last whole file of the guide.
fn guide() -> String {
    page::last_block(PAGE, "rhai", "//!")
}

#[test]
fn the_guide_is_short_and_its_configuration_fits() {
    let code = |text: &str| text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("//")).count();
    let text = guide();
    assert!((10..=40).contains(&code(&text)), "{} lines", code(&text));
    let house = page::last_block(PAGE, "yaml", "speakers:");
    let config = config::parse("house", &house, &NoSecrets).expect("a configuration");
    let source = ScriptSource { name: "parrot".to_owned(), file: "parrot.rhai".to_owned(), text };
    let checked = integration::check(&Rc::new(config), &[source]);
    assert_eq!((checked.findings, checked.count), (Vec::new(), 1), "without any finding");
}

/// The guide's file, beside its scenario.
struct Beside;

impl Library for Beside {
    fn text(&self, path: &str) -> Result<String, String> {
        assert_eq!(path, "parrot.rhai");
        Ok(guide())
    }
}

#[test]
fn the_scenario_of_the_guide_passes() {
    let text = page::last_block(PAGE, "yaml", "scenario:");
    let suite = scenario::parse("parrot.scenarios.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
    let reports = suite.run(&Beside);
    let failures: Vec<&str> =
        reports.iter().flat_map(|report| &report.failures).map(|failure| failure.text.as_str()).collect();
    assert!(failures.is_empty() && reports.len() == 1, "{}", failures.join("\n"));
}

#[test]
fn no_word_field_constant_function_or_limit_is_missing_on_the_page() {
    let examples: String = blocks("rhai").into_iter().map(|(_, text)| text).collect();
    let missing: Vec<&str> =
        words::WORDS.iter().map(|word| word.name).filter(|name| !examples.contains(&format!("{name}("))).collect();
    assert!(missing.is_empty(), "words without an example: {missing:?}");
    let missing: Vec<&str> = words::WORDS.iter().map(|word| word.usage).filter(|usage| !PAGE.contains(usage)).collect();
    assert!(missing.is_empty(), "words that are not written as in the messages: {missing:#?}");
    let missing: Vec<String> = words::fields().filter(|field| !PAGE.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "fields: {missing:?}");
    let missing: Vec<String> = words::outline().filter(|text| !PAGE.contains(&format!("`{text}`"))).collect();
    assert!(missing.is_empty(), "constants and functions: {missing:?}");
    for (limit, shown) in [
        (integration::INTEGRATION_BYTES_MAX / 1024, "64 KiB"),
        (integration::FILTERS_MAX, "entries of one constant | 64 |"),
        (integration::ITEMS_MAX, "messages of one call | 32 |"),
        (integration::MEMORY_ENTRIES_MAX, "256 entries"),
        (integration::MEMORY_BYTES_MAX, "at most 1024 bytes"),
        (usize::try_from(sandbox::OPERATIONS_MAX).expect("small"), "10,000 steps"),
        (usize::try_from(sandbox::EVALUATION_MS_MAX).expect("small"), "40 ms"),
    ] {
        let number: String = shown.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(number.parse(), Ok(limit), "{shown}");
        assert!(PAGE.contains(shown), "{shown}");
    }
}
