//! The page that teaches the language of rules, run: every example does what it says, and no word is missing.
//!
//! An example is a hook's body, or a whole policy. Its comments say in what house it runs (`// house:`, `// time:`,
//! `// request:`, `// event:`, `// message:`, `// counted:`, `// remembered:`, `// answered:`, `// spoke:`, `// heard:`) and what must come of it (`// =>`).
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by a panic, also in the functions that help it")]
#![expect(clippy::disallowed_methods, reason = "it reads the shipped policies")]

use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

use hushgate::config;
use hushgate::model::durable::{Change, Prompt};
use hushgate::model::event::ScriptSource;
use hushgate::model::message::Message;
use hushgate::model::request::{FactChange, HouseEvent, Request, ToldNames};
use hushgate::model::time::At;
use hushgate::policy::{Catalog, Policy, PolicySet, Reaction, View, Wish, World, check, words};
use hushgate::script::sandbox;
use serde_json::{Value, json};

const PAGE: &str = include_str!("../docs/policy-language.md");
const NOW_MS: u64 = 10_000_000;
/// When everything in the house was last heard.
const HEARD_MS: u64 = NOW_MS - 120_000;

/// The configuration that the program uses where it is given none.
fn catalog() -> Catalog {
    struct NoSecrets;
    impl config::Secrets for NoSecrets {
        fn environment(&self, _: &str) -> Option<String> {
            None
        }
        fn file(&self, path: &str) -> Result<String, String> {
            Err(format!("no file `{path}`"))
        }
    }
    let config = config::parse("built-in", config::BUILT_IN, &NoSecrets).expect("the built-in configuration");
    let mut catalog = Catalog::of(&config, ToldNames::default());
    catalog.near.insert("kitchen".to_owned(), vec!["media_player.kitchen_tv".to_owned()]);
    catalog
}

enum Hook {
    Request,
    Event,
    Message,
}

/// One example: its text, and where it stands on the page.
struct Example {
    line: usize,
    text: String,
}

fn examples() -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut open = false;
    for (index, line) in PAGE.lines().enumerate() {
        match line {
            "```rhai" => {
                open = true;
                examples.push(Example { line: index + 1, text: String::new() });
            }
            "```" => open = false,
            _ if open => {
                let text = &mut examples.last_mut().expect("an open example").text;
                writeln!(text, "{line}").expect("text");
            }
            _ => {}
        }
    }
    examples
}

impl Example {
    /// What stands behind `// <name>` in the comments, in order.
    fn said<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.text.lines().filter_map(move |line| {
            let (_, comment) = line.split_once("// ")?;
            comment.strip_prefix(name).map(str::trim)
        })
    }

    /// The hook that is run: the one that the example writes, or the one that its comments ask for.
    fn hook(&self) -> Hook {
        if self.said("event:").next().is_some() {
            Hook::Event
        } else if self.said("message:").next().is_some() {
            Hook::Message
        } else {
            Hook::Request
        }
    }

    fn source(&self) -> ScriptSource {
        let text = match self.hook() {
            _ if self.text.contains("fn on_") => self.text.clone(),
            Hook::Request => format!("const ACTIONS = [\"*\"];\nfn on_request(request) {{\n{}}}", self.text),
            Hook::Event => format!("const EVENTS = [\"*\"];\nfn on_event(event) {{\n{}}}", self.text),
            Hook::Message => format!("const TOPICS = [\"#\"];\nfn on_message(message) {{\n{}}}", self.text),
        };
        ScriptSource { name: "example".to_owned(), file: "example.rhai".to_owned(), text }
    }

    /// The house of the page, with what this example changes in it.
    fn view(&self) -> View {
        let mut world = World::default();
        let house =
            ["lock.front_door = locked", "sensor.outdoor = 4.5", "light.hall brightness = 128", "person.anna = home"];
        for fact in house.into_iter().chain(self.said("house:")) {
            let (what, value) = fact.split_once(" = ").expect("`entity = state`");
            let (entity, attribute) = what.split_once(' ').map_or((what, None), |(entity, name)| (entity, Some(name)));
            let value = match value {
                "unknown" => None,
                value if attribute.is_some() => Some(serde_json::from_str(value).expect("JSON")),
                value => Some(json!(value)),
            };
            let change = FactChange { entity: entity.to_owned(), attribute: attribute.map(str::to_owned), value };
            world.home.fold(HEARD_MS, change).expect("room");
        }
        let policy = || "example".to_owned();
        for name in self.said("counted:") {
            world.durable.apply(Change::Count { policy: policy(), name: name.to_owned(), at_ms: HEARD_MS });
        }
        for memory in self.said("remembered:") {
            let (key, value) = memory.split_once(" = ").expect("`key = value`");
            let value = serde_json::from_str(value).expect("JSON");
            world.durable.apply(Change::Remember { policy: policy(), key: key.to_owned(), value });
        }
        for answered in self.said("answered:") {
            let (action, outcome) = answered.split_once(' ').expect("`action outcome`");
            let prompt = Prompt {
                id: String::new(),
                at_ms: HEARD_MS,
                asker: String::new(),
                action: action.to_owned(),
                target: None,
                policies: Vec::new(),
                outcome: serde_json::from_value(json!(outcome)).expect("an outcome"),
                joined: Vec::new(),
                ended_ms: None,
            };
            world.durable.apply(Change::Prompt { prompt });
        }
        for speaker in self.said("spoke:") {
            world.voice.note_spoken(speaker, NOW_MS - 4_000);
        }
        for speaker in self.said("heard:").flat_map(|names| names.split(", ")) {
            world.voice.note_words(speaker, true, [0; 32], NOW_MS - 1_000);
        }
        let civil = match self.said("time:").next().unwrap_or("2026-11-23T23:14") {
            "unknown" => None,
            time => Some(format!("{time}[America/Los_Angeles]").parse().expect("a time")),
        };
        View {
            at: At { monotonic_ms: NOW_MS, utc: jiff::Timestamp::UNIX_EPOCH },
            civil,
            coordinates: Some((45.52, -122.68)),
            world: Rc::new(RefCell::new(world)),
        }
    }

    /// Something as the page has it, with the fields that this example gives.
    fn with<T: serde::de::DeserializeOwned>(&self, name: &str, mut value: Value) -> T {
        if let Some(fields) = self.said(name).next() {
            let fields: Value =
                serde_json::from_str(fields).unwrap_or_else(|error| panic!("line {}: {error}", self.line));
            let known = value.as_object_mut().expect("an object");
            known.extend(fields.as_object().expect("an object").clone());
        }
        serde_json::from_value(value).unwrap_or_else(|error| panic!("line {}: {error}", self.line))
    }

    fn react(&self, policy: &Policy) -> Reaction {
        let view = self.view();
        match self.hook() {
            Hook::Request => {
                let request: Request = self.with(
                    "request:",
                    json!({"action": "notify.send_message", "target": "emma", "door": "gate", "confidence": 0.4,
                           "source": {"kind": "voice", "channel": "kitchen_echo"}, "data": {"urgent": true}}),
                );
                policy.on_request(&Rc::new(request), &view)
            }
            Hook::Event => {
                let event: HouseEvent = self.with("event:", json!({"name": "voice.wake_word", "speaker": "kitchen"}));
                policy.on_event(&Rc::new(event), &view)
            }
            Hook::Message => {
                let message = self.said("message:").next().expect("a message");
                let (topic, payload) = message.split_once(' ').expect("`topic payload`");
                policy.on_message(&Message::live(topic, payload.to_owned()), &view)
            }
        }
    }

    /// What comes of it, in the words of the page.
    fn outcome(&self) -> Vec<String> {
        let sources = [self.source()];
        let set = match PolicySet::compile(&sources, &catalog(), None) {
            Ok(set) => set,
            Err(findings) => return findings.iter().map(|finding| format!("refused: {}", finding.message)).collect(),
        };
        let reaction = self.react(set.policies().first().expect("one policy"));
        let failed = reaction.error.map(|error| format!("fails: {}", error.message));
        let stated = reaction.stated.map(|stated| {
            let terms = stated.terms.filter(|terms| !terms.from.is_empty());
            let from = terms.map_or_else(String::new, |terms| {
                format!(" (within {} s, from {})", terms.within_ms / 1_000, terms.from.join(", "))
            });
            format!("{}: {}{from}", stated.verdict.name(), stated.reason)
        });
        let mut outcome: Vec<String> =
            failed.into_iter().chain(stated).chain(reaction.wishes.iter().map(told)).collect();
        if outcome.is_empty() {
            outcome.push("nothing".to_owned());
        }
        outcome
    }
}

fn told(wish: &Wish) -> String {
    match wish {
        Wish::Count { name } => format!("count {name}"),
        Wish::Remember { key, value } => format!("remember {key}: {value}"),
        Wish::Forget { key } => format!("forget {key}"),
        Wish::Mute { speaker, for_ms, reason, .. } => format!("mute {speaker} for {} s: {reason}", for_ms / 1_000),
        Wish::Unmute { speaker } => format!("unmute {speaker}"),
        Wish::Announce { speaker, text } => format!("announce {speaker}: {text}"),
        Wish::Notify { text } => format!("notify: {text}"),
        Wish::Publish { topic, payload } => format!("publish {topic}: {payload}"),
    }
}

#[test]
fn every_example_does_what_it_says() {
    let mut wrong = String::new();
    let examples = examples();
    for example in &examples {
        let expected: Vec<&str> = example.said("=>").collect();
        let found = example.outcome();
        if expected != found {
            let line = example.line;
            writeln!(
                wrong,
                "docs/policy-language.md:{line}\n{}  expected {expected:#?}\n  found {found:#?}",
                example.text
            )
            .expect("text");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(examples.len() > 40, "only {} examples were found", examples.len());
}

#[test]
fn no_word_field_or_limit_is_missing_on_the_page() {
    let examples: String = examples().iter().map(|example| example.text.as_str()).collect();
    let missing: Vec<&str> =
        words::all().map(|word| word.name).filter(|name| !examples.contains(&format!("{name}("))).collect();
    assert!(missing.is_empty(), "words without an example: {missing:?}");
    let missing: Vec<&str> = words::all().map(|word| word.usage).filter(|usage| !PAGE.contains(usage)).collect();
    assert!(missing.is_empty(), "words that are not written as in the messages: {missing:#?}");
    let missing: Vec<String> = words::fields().filter(|field| !PAGE.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "fields: {missing:?}");
    let missing: Vec<&str> =
        sandbox::DISABLED.iter().map(|(word, _)| *word).filter(|word| !PAGE.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "what is left out: {missing:?}");
    for (limit, shown) in [
        (sandbox::OPERATIONS_MAX, "10,000 steps"),
        (sandbox::EVALUATION_MS_MAX, "40 ms"),
        (u64::try_from(sandbox::TEXT_BYTES_MAX / 1024).expect("small"), "8 KiB of text"),
        (u64::try_from(sandbox::LIST_ITEMS_MAX).expect("small"), "128 items"),
        (u64::try_from(sandbox::CALL_LEVELS_MAX).expect("small"), "16 levels"),
    ] {
        let number: String = shown.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(number.parse(), Ok(limit), "{shown}");
        assert!(PAGE.contains(shown), "{shown}");
    }
}

#[test]
fn the_shipped_policies_have_no_findings() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")).expect("the folder");
    let mut sources: Vec<ScriptSource> = folder
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .map(|path| ScriptSource {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            file: path.to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).expect("a policy"),
        })
        .collect();
    sources.sort_by(|left, right| left.name.cmp(&right.name));
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    for name in ["communications-off", "misfire", "quiet-nights", "second-channel", "two-ears", "unsure"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    let findings = check(&sources, &catalog());
    assert!(findings.is_empty(), "{}", findings.iter().map(|finding| finding.render(false)).collect::<String>());
    let set = PolicySet::compile(&sources, &catalog(), None).expect("sound policies");
    for policy in set.policies() {
        assert!(!policy.summary().is_empty(), "{} says what it is for", policy.name());
        let is_off = ["communications-off", "heating-bounds", "no-silent-sends"].contains(&policy.name());
        assert_eq!(policy.enabled(), !is_off, "{}", policy.name());
    }
}
