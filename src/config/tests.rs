//! The configuration as an owner meets it: what is read, and what each mistake is answered with.

use super::*;
use crate::model::action::FLOOR_DEFAULT;

struct House;

impl Secrets for House {
    fn environment(&self, name: &str) -> Option<String> {
        match name {
            "PASSWORD" => Some("hunter2".to_owned()),
            "HOST" => Some("broker.lan".to_owned()),
            "FLAG" => Some("true".to_owned()),
            "STAR" => Some("*".to_owned()),
            _ => None,
        }
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "secret.txt" => Ok("hunter3\n".to_owned()),
            path if path.ends_with("-password") => Ok("hunter4\n".to_owned()),
            "large.txt" => Ok("x".repeat(reader::SCALAR_BYTES_MAX + 1)),
            _ => Err("no such file".to_owned()),
        }
    }
}

fn read(text: &str) -> Config {
    match parse("home.yaml", text, &House) {
        Ok(config) => config,
        Err(errors) => panic!("{text}\n{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn errors(text: &str) -> Vec<ConfigError> {
    parse("home.yaml", text, &House).expect_err(text)
}

#[test]
fn the_built_in_configuration_is_right() {
    let config = match parse("examples/home.yaml", BUILT_IN, &NoSecrets) {
        Ok(config) => config,
        Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    assert_eq!(config.broker, Broker::Embedded { listen: ([127, 0, 0, 1], 1883).into() });
    assert_eq!((config.base.as_str(), config.mode), ("hushgate", Mode::Observe));
    assert_eq!(config.place.zone.as_ref().and_then(|zone| zone.iana_name()), Some("America/Los_Angeles"));
    assert_eq!(config.stale_after_ms, STALE_AFTER_DEFAULT_MS);
    let confirming: Vec<&str> = config.confirming_channels().map(|(name, _)| name).collect();
    assert_eq!(confirming, ["panel", "phone"]);
    assert_eq!(config.class_of("assist_satellite.start_conversation"), Class::Sensitive);
    assert!(config.is_floor("siren.turn_off") && !config.is_floor("siren.turn_on"));
    assert_eq!(config.speakers.len(), 1);
}

#[test]
fn what_the_page_on_home_assistant_says_can_be_written() {
    let page = include_str!("../../docs/home-assistant.md");
    let blocks = page.split("```yaml\n# home.yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let configs: Vec<Config> = blocks.map(read).collect();
    assert_eq!(configs.len(), 4);
    let said = |found: &dyn Fn(&Config) -> bool| configs.iter().any(found);
    assert!(said(&|config| config.home_assistant.channel.as_deref() == Some("phone")));
    assert!(said(&|config| config.home_assistant.own.is_some() && config.home_assistant.unprivileged.is_some()));
    assert!(said(&|config| config.home_assistant.twins == ["lock.back_door"]));
    assert!(said(&|config| config.speakers.contains_key("kitchen")));
}

#[test]
fn what_the_page_on_confirmation_says_can_be_written() {
    let page = include_str!("../../docs/confirmation.md");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let channels: Vec<Channel> = blocks.flat_map(|block| read(block).channels.into_values()).collect();
    assert_eq!(channels.len(), 3);
    assert!(channels.iter().all(|channel| channel.confirms));
    assert!(channels.iter().any(Channel::approves_without_token));
    assert!(channels.iter().any(|channel| channel.speaker.as_deref() == Some("bedroom")));
}

#[test]
fn every_key_stands_in_the_example_and_in_the_documents() {
    let documents = include_str!("../../docs/configuration.md");
    for (section, section_keys) in keys::SECTIONS {
        for key in *section_keys {
            assert!(BUILT_IN.contains(&format!("{key}:")), "`{key}` of `{section}` is missing in examples/home.yaml");
            let named = if section.is_empty() { format!("`{key}`") } else { format!("`{section}.{key}`") };
            assert!(documents.contains(&named), "{named} is missing in docs/configuration.md");
        }
    }
}

#[test]
fn an_empty_configuration_has_its_defaults() {
    let config = read("# nothing\n");
    assert_eq!(config.broker, Broker::Embedded { listen: ([127, 0, 0, 1], 1883).into() });
    assert_eq!((config.base.as_str(), config.mode), (BASE_DEFAULT, Mode::Observe));
    assert_eq!(config.place, Place { zone: None, coordinates: None });
    assert_eq!(config.floor, FLOOR_DEFAULT.iter().map(|name| Glob::new(*name)).collect::<Vec<_>>());
    assert!(config.commands.is_empty() && config.response_prefixes.is_empty());
    assert!(read("floor: []\n").floor.is_empty(), "an empty floor is a floor that the owner wrote");
}

#[test]
fn brokers_are_named_by_their_address() {
    let remote = |host: &str, port: u16, tls: Option<Tls>| {
        Broker::Remote(Remote { host: host.to_owned(), port, tls, username: None, password: None })
    };
    let system = Some(Tls { ca_file: None });
    for (text, expected) in [
        ("url: mqtt://broker.lan", remote("broker.lan", 1883, None)),
        ("url: mqtt://broker.lan:1884/", remote("broker.lan", 1884, None)),
        ("url: mqtts://broker.lan", remote("broker.lan", 8883, system)),
        ("url: mqtt://[::1]:1884", remote("::1", 1884, None)),
        ("url: mqtt://${HOST}:1884", remote("broker.lan", 1884, None)),
        ("url: mqtts://b\n  ca_file: ca.pem", remote("b", 8883, Some(Tls { ca_file: Some(PathBuf::from("ca.pem")) }))),
        ("url: embedded://127.0.0.1:0", Broker::Embedded { listen: ([127, 0, 0, 1], 0).into() }),
    ] {
        assert_eq!(read(&format!("broker:\n  {text}\n")).broker, expected, "{text}");
    }
}

#[test]
fn secrets_come_in_and_are_never_told() {
    for (text, expected) in
        [("${PASSWORD}", "hunter2"), ("!file secret.txt", "hunter3"), ("a$${b}${PASSWORD}", "a${b}hunter2")]
    {
        let config = read(&format!("broker:\n  url: mqtt://b\n  password: {text}\n"));
        let Broker::Remote(remote) = &config.broker else { panic!("a remote broker") };
        assert_eq!(remote.password.as_ref().map(Secret::reveal), Some(expected), "{text}");
        assert!(!format!("{config:?}").contains(expected), "a secret in {config:?}");
    }
    // Each of these puts a secret where something else is expected.
    for text in [
        "mode: ${PASSWORD}",
        "time_zone: ${PASSWORD}",
        "base: a/#/${PASSWORD}",
        "stale_after: ${PASSWORD}",
        "broker: {url: \"${PASSWORD}\"}",
        "broker: {url: \"mqtt://u:${PASSWORD}@b\"}",
        "floor: [\"${PASSWORD}\"]",
        "latitude: ${PASSWORD}\nlongitude: 1",
        "channels: {a: {kind: \"${PASSWORD}\"}}",
        "mode: !file secret.txt",
        "commands: [{topic: \"x/+/${PASSWORD}\", action: a.b}]",
        "commands: [{topic: x, action: \"${PASSWORD}\"}]",
        "commands: [{topic: x, action: a.b, target: \"{${PASSWORD}}\"}]",
        "ask: {response_prefixes: [\"#${PASSWORD}\"]}",
        "facts: {statestream: \"${PASSWORD}/#\"}",
        "channels: {a: {kind: voice, confirms: \"${PASSWORD}\"}}",
        "notify: [{topic: \"x/{${PASSWORD}}\", payload: y}]",
    ] {
        let told = errors(text).iter().map(|error| format!("{error} {error:?}")).collect::<String>();
        assert!(!told.contains("hunter"), "{text}: {told}");
    }
    assert!(read("channels: {a: {kind: voice, confirms: \"${FLAG}\"}}").channels["a"].confirms);
}

#[test]
fn each_mistake_is_answered_with_its_place_and_what_to_write() {
    let table = include_str!("mistakes.txt");
    let mut seen = 0;
    for case in table.split("\n---\n").skip(1) {
        let (text, expected) = case.split_once("\n=> ").expect("a case has a line that begins with `=> `");
        let found: Vec<String> = errors(text)
            .iter()
            .map(|error| format!("{error} | {}", error.help.as_deref().expect("every error has a help")))
            .collect();
        let expected: Vec<&str> = expected.trim_end().split("\n=> ").collect();
        assert_eq!(found, expected, "\n{text}");
        seen += 1;
    }
    assert!(seen > 40, "the table was read");
}

#[test]
fn lists_are_bounded() {
    for (key, entry, count_max) in [
        ("commands", "{topic: x, action: a.b}", entries::COMMANDS_MAX),
        ("events", "{topic: x, event: a.b}", entries::EVENTS_MAX),
        ("notify", "{topic: x, payload: y}", devices::OUTGOING_MAX),
        ("sensitive", "a.b", sections::GLOBS_MAX),
    ] {
        let text = |count: usize| format!("{key}:\n{}", format!("  - {entry}\n").repeat(count));
        assert!(parse("home.yaml", &text(count_max), &House).is_ok(), "{key} at its bound");
        let message = &errors(&text(count_max + 1))[0].message;
        assert_eq!(*message, format!("expected at most {count_max} entries, found {}", count_max + 1));
    }
    let channels = |count: usize| {
        "channels:\n".to_owned()
            + (0..count).map(|index| format!("  c{index}: {{kind: voice}}\n")).collect::<String>().as_str()
    };
    assert_eq!(read(&channels(devices::CHANNELS_MAX)).channels.len(), devices::CHANNELS_MAX);
    assert_eq!(errors(&channels(devices::CHANNELS_MAX + 1)).len(), 1);
    let speakers = |count: usize| {
        "speakers:\n".to_owned() + (0..count).map(|index| format!("  s{index}: {{}}\n")).collect::<String>().as_str()
    };
    assert_eq!(read(&speakers(devices::SPEAKERS_MAX)).speakers.len(), devices::SPEAKERS_MAX);
    assert_eq!(errors(&speakers(devices::SPEAKERS_MAX + 1)).len(), 1);
    let facts = |count: usize| format!("facts:\n  topics:\n{}", "    - {topic: x, entity: a.b}\n".repeat(count));
    assert_eq!(read(&facts(entries::FACT_TOPICS_MAX)).facts.len(), entries::FACT_TOPICS_MAX);
    assert_eq!(errors(&facts(entries::FACT_TOPICS_MAX + 1)).len(), 1);
    let base = |bytes: usize| format!("base: {}\n", "b".repeat(bytes));
    assert_eq!(read(&base(sections::BASE_BYTES_MAX)).base.len(), sections::BASE_BYTES_MAX);
    let too_long = &errors(&base(sections::BASE_BYTES_MAX + 1))[0].message;
    assert!(too_long.contains("longer than 128 bytes"), "{too_long}");
    let may_confirm = |count: usize| {
        let actions = vec!["a.b"; count].join(", ");
        format!("channels: {{c: {{kind: person, confirms: true, may_confirm: [{actions}]}}}}\n")
    };
    assert_eq!(read(&may_confirm(sections::GLOBS_MAX)).channels["c"].may_confirm.len(), sections::GLOBS_MAX);
    assert_eq!(errors(&may_confirm(sections::GLOBS_MAX + 1)).len(), 1);
    // An alias stands for all that it repeats.
    let repeated = format!("x: &x [{}]\ny: [{}]\n", "1,".repeat(1_000), "*x,".repeat(120));
    let too_many = &errors(&repeated)[0].message;
    assert!(too_many.contains("expected at most 100000 values, found more"), "{too_many}");
    let many = "x:\n".to_owned() + (0..100).map(|index| format!("k{index}: 1\n")).collect::<String>().as_str();
    assert_eq!(errors(&many).len(), reader::ERRORS_MAX);
}

#[test]
fn an_error_renders_with_its_help() {
    use miette::Diagnostic;
    let error = errors("mode: enfroce\n").remove(0);
    assert_eq!(error.to_string(), "home.yaml:1:7: `mode`: expected `observe` or `enforce`, found `enfroce`");
    assert_eq!(error.help().expect("a help").to_string(), "did you mean `enforce`?");
}
