//! Discovery from end to end, as data: each file of `tests/discovery` has messages of discovery and commands; beside it
//! stands what the registry has made of them, and the mirror that Home Assistant reads.
//!
//! `BLESS=1 cargo test --test discovery` rewrites what is expected to what was seen. Read the difference before you keep
//! it.
#![expect(clippy::disallowed_methods, reason = "it reads its own files and one switch from the environment")]
#![expect(clippy::panic, clippy::expect_used, reason = "a test fails by a panic, also in the functions that help it")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hushgate::config::{self, NoSecrets};
use hushgate::model::entity::Entity;
use hushgate::model::message::Message;
use hushgate::model::request::Door;
use hushgate::registry::mirror::{Settings, mirrored};
use hushgate::registry::platform::PLATFORMS;
use hushgate::registry::{Lesson, Registry};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows.
    case: String,
    #[serde(default)]
    config: Option<String>,
    steps: Vec<Step>,
}

/// One thing that happens. `announce` is a topic below the prefix, without `config` at its end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    announce: Option<String>,
    /// JSON as YAML, or the payload word for word where it is text.
    #[serde(default)]
    payload: Value,
    /// A topic and the payloads that are sent there.
    command: Option<String>,
    #[serde(default)]
    payloads: Vec<Value>,
    /// A topic on which a state comes.
    state: Option<String>,
    /// The owner accepts what is announced for this topic.
    accept: Option<String>,
}

fn bytes(payload: &Value) -> Vec<u8> {
    match payload {
        Value::String(text) => text.clone().into_bytes(),
        Value::Null => Vec::new(),
        json => json.to_string().into_bytes(),
    }
}

/// Plays the cases of one file, and tells what came of them.
fn play(file: &Path, seen: &mut BTreeSet<(String, String)>) -> String {
    let text = fs::read_to_string(file).expect("a fixture");
    let cases: Vec<Case> = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut told = String::new();
    for case in cases {
        writeln!(told, "# {}", case.case).expect("text");
        let config = config::parse("test.yaml", case.config.as_deref().unwrap_or_default(), &NoSecrets);
        let registry = Registry::new(&config.unwrap_or_else(|errors| panic!("{}: {errors:?}", case.case)));
        for step in &case.steps {
            told.push_str(&play_step(&registry, step));
        }
        for entity in registry.entities() {
            seen.extend(entity.command_topics().map(|(key, _)| (entity.platform.clone(), key.to_owned())));
        }
        told.push_str(&known(&registry));
        told.push('\n');
    }
    told
}

fn play_step(registry: &Registry, step: &Step) -> String {
    let mut told = String::new();
    if let Some(topic) = &step.announce {
        let message = Message::retained(format!("homeassistant/{topic}/config"), bytes(&step.payload));
        let lesson = registry.learn(&message);
        writeln!(told, "{topic}: {}", tell_lesson(&lesson)).expect("text");
    }
    if let Some(topic) = &step.accept {
        let guard = registry.accept(topic);
        let entities: Vec<String> = guard.accepted.into_iter().map(|entity| entity.entity_id).collect();
        writeln!(told, "{topic} accepted: {}", entities.join(" ")).expect("text");
    }
    if let Some(topic) = &step.command {
        for payload in &step.payloads {
            let payload = bytes(payload);
            let shown = String::from_utf8_lossy(&payload);
            writeln!(told, "{topic} {shown} -> {}", read(registry, topic, &payload)).expect("text");
        }
    }
    if let Some(topic) = &step.state {
        let facts = registry.read_facts(&Message::retained(topic.as_str(), bytes(&step.payload)));
        for fact in facts {
            let attribute = fact.attribute.map_or_else(String::new, |attribute| format!(".{attribute}"));
            let value = fact.value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
            writeln!(told, "{topic}: {}{attribute} is {value}", fact.entity).expect("text");
        }
    }
    told
}

fn tell_lesson(lesson: &Lesson) -> String {
    let mut parts = Vec::new();
    if lesson.announced.is_some() {
        parts.push("announced".to_owned());
    }
    if lesson.is_removed {
        parts.push("removed".to_owned());
    }
    if lesson.is_migrating {
        parts.push("migrating".to_owned());
    }
    parts.extend(lesson.refused.iter().map(|reason| format!("refused, {reason}")));
    for (topic, guard) in &lesson.guards {
        let entities: Vec<&str> = guard.accepted.iter().map(|entity| entity.entity_id.as_str()).collect();
        let problem = guard.problem.as_ref().map_or_else(String::new, |problem| format!(", problem: {problem}"));
        parts.push(format!("guards {topic} of {}{problem}", entities.join(" ")));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

fn read(registry: &Registry, topic: &str, payload: &[u8]) -> String {
    let Some(request) = registry.read_command(topic, payload, Door::Gate) else { return "no command".to_owned() };
    let mut told = format!("{} {}", request.action, request.target.as_deref().unwrap_or("-"));
    if !request.data.is_empty() {
        write!(told, " {}", serde_json::to_string(&request.data).expect("JSON")).expect("text");
    }
    if let Some(text) = &request.text {
        write!(told, " {text:?}").expect("text");
    }
    if request.sensitive {
        told.push_str(", sensitive");
    }
    if let Some((_, state)) = registry.expected(topic, payload) {
        write!(told, ", then {state}").expect("text");
    }
    if let Some(undo) = registry.undo(topic, payload) {
        write!(told, ", undone by {} {}", undo.topic, String::from_utf8_lossy(&undo.payload)).expect("text");
    }
    told
}

/// Everything that is known at the end: entities, guards, the mirror.
fn known(registry: &Registry) -> String {
    let mut told = String::new();
    for entity in registry.entities() {
        let Entity { entity_id, name, component, topic, device, .. } = &*entity;
        let topic = topic.strip_prefix("homeassistant/").unwrap_or(topic);
        let place = if component.is_empty() { topic.to_owned() } else { format!("{topic} {component}") };
        let device = if device.is_empty() { String::new() } else { format!(", device {}", device.join(" ")) };
        writeln!(told, "entity {entity_id} {name:?} from {place}{device}").expect("text");
        for (key, topic) in entity.command_topics() {
            let guarded = if registry.is_guarded(topic) { ", guarded" } else { "" };
            writeln!(told, "  {key} {topic}{guarded}").expect("text");
        }
    }
    let settings = Settings { base: "hushgate".to_owned(), discovery: "homeassistant".to_owned() };
    for announcement in registry.announcements() {
        let mirrored = mirrored(&announcement, &settings, &|topic| registry.is_guarded(topic));
        let payload: Value = serde_json::from_slice(&mirrored.message.payload).expect("JSON");
        let payload = serde_json::to_string_pretty(&payload).expect("JSON");
        writeln!(told, "mirror {} {payload}", mirrored.message.topic).expect("text");
        for note in mirrored.notes {
            writeln!(told, "  note: {note}").expect("text");
        }
    }
    told
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/discovery");
    let entries = fs::read_dir(folder).expect("the folder of fixtures");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
}

#[test]
fn discovery_is_learned_and_mirrored_as_the_fixtures_say() {
    let bless = std::env::var("BLESS").is_ok_and(|value| value == "1");
    let (mut seen, mut failed) = (BTreeSet::new(), Vec::new());
    let files = fixtures();
    assert!(files.len() >= 10, "fixtures were lost: {}", files.len());
    for file in files {
        let told = play(&file, &mut seen);
        let beside = file.with_extension("expected");
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        if told == expected {
            continue;
        }
        if bless {
            fs::write(&beside, &told).expect("the expectation is written");
        }
        let difference = similar::TextDiff::from_lines(&expected, &told);
        failed.push(format!("{}\n{}", file.display(), difference.unified_diff().context_radius(2)));
    }
    assert!(failed.is_empty(), "{}\n`-` is expected, `+` was seen; BLESS=1 rewrites", failed.join("\n"));
    holds_every_key(&seen);
}

/// The corpus is worth something only while it is whole: every platform that takes commands, by every key.
fn holds_every_key(seen: &BTreeSet<(String, String)>) {
    let missing: Vec<&str> =
        PLATFORMS.into_iter().filter(|platform| !seen.iter().any(|(found, _)| found == platform)).collect();
    assert!(missing.is_empty(), "no fixture has a command topic of {missing:?}");
    let missing: Vec<&&str> = KEYS.iter().filter(|key| !seen.iter().any(|(_, found)| found == **key)).collect();
    assert!(missing.is_empty(), "no fixture has {missing:?}");
}

/// Home Assistant's keys that name a command topic.
const KEYS: &[&str] = &[
    "brightness_command_topic",
    "clean_segments_command_topic",
    "color_temp_command_topic",
    "command_topic",
    "direction_command_topic",
    "dock_command_topic",
    "effect_command_topic",
    "fan_mode_command_topic",
    "hs_command_topic",
    "mode_command_topic",
    "oscillation_command_topic",
    "pause_command_topic",
    "percentage_command_topic",
    "power_command_topic",
    "preset_mode_command_topic",
    "rgb_command_topic",
    "rgbw_command_topic",
    "rgbww_command_topic",
    "send_command_topic",
    "set_fan_speed_topic",
    "set_position_topic",
    "start_mowing_command_topic",
    "stop_command_topic",
    "swing_horizontal_mode_command_topic",
    "swing_mode_command_topic",
    "target_humidity_command_topic",
    "temperature_command_topic",
    "temperature_high_command_topic",
    "temperature_low_command_topic",
    "tilt_command_topic",
    "white_command_topic",
    "xy_command_topic",
];
