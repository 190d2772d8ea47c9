//! The house: five satellites of Hermes, the shipped policies, and a bridge whose outputs are counted and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use hushgate::bridge::{Bridge, Output, Setup};
use hushgate::config::{self, Secrets};
use hushgate::model::decision::{Decision, Outcome, Verdict};
use hushgate::model::durable::Change;
use hushgate::model::event::{Entry, Event, ScriptSource};
use hushgate::model::message::Message;
use hushgate::model::request::FactChange;
use hushgate::model::time::At;
use serde_json::Value;

/// The satellites, each in a room with a television.
pub(crate) const SITES: [&str; 5] = ["kitchen", "hall", "bedroom", "study", "attic"];

/// What can be understood: the intent, whether what it asks for is sensitive, the sentence, and to whom or what.
pub(crate) const INTENTS: [(&str, bool, &str, &str); 12] = [
    ("SendMessage", true, "send robert a message that we talked about the floor", "Robert"),
    ("Call", true, "please call robert again", "Robert"),
    ("DropIn", true, "drop in on the nursery right now", "nursery"),
    ("Announce", true, "announce everywhere that dinner is late", ""),
    ("Unlock", true, "unlock the old front door", "front_door"),
    ("OpenGarage", true, "open up the garage for me", "garage"),
    ("Disarm", true, "disarm the alarm at once", "alarm"),
    ("ChangeLightState", false, "make it brighter in here", "lamp"),
    ("HassSetVolume", false, "turn it down a little", "radio"),
    ("HassMediaPause", false, "pause that film now", "television"),
    ("HassClimateSetTemperature", false, "warmer by two degrees", "heating"),
    ("AddToShoppingList", false, "put milk on the list", ""),
];

const CONFIG: &str = "
mode: enforce
time_zone: America/Los_Angeles
channels:
  phone: {kind: person, independent: true, confirms: true}
  panel: {kind: person, confirms: true}
  assistant: {kind: agent}
  kitchen_echo: {kind: voice}
  hall_echo: {kind: voice}
  bedroom_echo: {kind: voice, confirms: true, speaker: bedroom}
  study_echo: {kind: voice}
  attic_echo: {kind: voice}
speakers:
  kitchen: {channel: kitchen_echo, integration: hermes, near: [media_player.kitchen_tv]}
  hall: {channel: hall_echo, integration: hermes, near: [media_player.hall_tv]}
  bedroom: {channel: bedroom_echo, integration: hermes, near: [media_player.bedroom_tv]}
  study: {channel: study_echo, integration: hermes, near: [media_player.study_tv]}
  attic: {channel: attic_echo, integration: hermes, near: [media_player.attic_tv]}
integrations: {use: {hermes: {handlers: gate}}}
";

struct NoSecrets;

impl Secrets for NoSecrets {
    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &str) -> Result<String, String> {
        Err(format!("no file `{path}`"))
    }
}

/// The policies that the program ships, as they stand in their folder.
pub(crate) fn shipped() -> Vec<ScriptSource> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut sources: Vec<ScriptSource> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .map(|path| ScriptSource {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            file: path.to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).expect("a policy"),
        })
        .collect();
    sources.sort_by(|left, right| left.name.cmp(&right.name));
    assert!(sources.len() >= 12, "the shipped policies were not found: {}", sources.len());
    sources
}

/// The house, and what was seen of it so far.
pub(crate) struct House {
    bridge: Bridge,
    start: At,
    at: At,
    out: Vec<Output>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Satellites whose wake word is switched off.
    pub(crate) deaf: BTreeSet<String>,
    /// Tokens that were sent to anybody.
    pub(crate) tokens: BTreeSet<String>,
    /// The decisions since they were last taken.
    pub(crate) decisions: Vec<Decision>,
    questions: BTreeSet<String>,
}

impl House {
    pub(crate) fn new(sources: Vec<ScriptSource>, utc: &str) -> House {
        let config = Rc::new(config::parse("month.yaml", CONFIG, &NoSecrets).expect("a good configuration"));
        let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc: utc.parse().expect("a time") };
        let setup = Setup { config, sources, integrations: Vec::new(), seed: [7; 32], stopwatch: None, saved: None };
        let mut out = Vec::new();
        let bridge = Bridge::start(setup, at, &mut out).expect("good policies");
        let mut house = House {
            bridge,
            start: at,
            at,
            out,
            counts: BTreeMap::new(),
            deaf: BTreeSet::new(),
            tokens: BTreeSet::new(),
            decisions: Vec::new(),
            questions: BTreeSet::new(),
        };
        house.event(Event::Connected);
        house
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn counted(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Lets time pass, and all that ends meanwhile end, until so long after the start.
    pub(crate) fn pass_to(&mut self, after_ms: u64) {
        let until_ms = self.start.monotonic_ms + after_ms;
        while let Some(deadline_ms) = self.bridge.next_deadline().filter(|deadline_ms| *deadline_ms <= until_ms) {
            self.at = self.start.plus_ms(deadline_ms.max(self.at.monotonic_ms) - self.start.monotonic_ms);
            self.event(Event::Tick);
        }
        self.at = self.start.plus_ms(after_ms);
    }

    /// Lets so much time pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.pass_to(self.at.monotonic_ms - self.start.monotonic_ms + ms);
    }

    pub(crate) fn fact(&mut self, entity: &str, state: Option<&str>) {
        let value = state.map(Value::from);
        self.event(Event::Fact(FactChange { entity: entity.to_owned(), attribute: None, value }));
    }

    pub(crate) fn tell(&mut self, topic: &str, payload: &Value) {
        let message = Message::live(topic, payload.to_string());
        let mut out = std::mem::take(&mut self.out);
        self.bridge.message(self.at, &message, &mut out);
        self.look_at(out);
    }

    fn event(&mut self, event: Event) {
        let mut out = std::mem::take(&mut self.out);
        self.bridge.event(self.at, event, &mut out);
        self.look_at(out);
    }

    fn look_at(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Journal(record) => self.journal(&record.entry),
                Output::Forward(permit) => {
                    let name = permit.topic().strip_prefix("hushgate/intent/").expect("an intent");
                    let is_sensitive = INTENTS.iter().any(|(intent, sensitive, ..)| *intent == name && *sensitive);
                    assert!(!is_sensitive, "`{name}` has left");
                    self.count(if name == "Yes" { "answers to nobody" } else { "intents carried out" });
                }
                Output::Send(message) | Output::SendRecorded(message) => self.sent(&message),
                Output::Store(change) => no_words_in(&change),
            }
        }
    }

    fn journal(&mut self, entry: &Entry) {
        match entry {
            Entry::Decision { decision } => self.decided(decision),
            Entry::Muted { applied: true, .. } => self.count("mutes"),
            Entry::Notice { applied: true, .. } => self.count("notices to the owner"),
            Entry::PolicyFailed { error } | Entry::IntegrationFailed { error } => panic!("{error:?}"),
            Entry::Full { .. } | Entry::Refused { .. } | Entry::WishRefused { .. } => panic!("{entry:?}"),
            _ => {}
        }
    }

    fn decided(&mut self, decision: &Decision) {
        let outcome = decision.settles.as_ref().map(|settlement| settlement.outcome);
        if let Some(Outcome::Approved | Outcome::Unopposed) = outcome {
            self.count("approved");
        }
        if decision.request.sensitive {
            self.count(match (outcome, decision.applied) {
                (_, Verdict::Allow) => "sensitive, allowed",
                (Some(_), _) => "sensitive, asked and not answered",
                (None, Verdict::Deny) => "sensitive, denied",
                (None, Verdict::Confirm) => "sensitive, asked",
            });
        } else if decision.applied == Verdict::Deny && decision.request.action != "intent.answer" {
            self.count("ordinary, denied");
        }
        self.decisions.push(decision.clone());
    }

    fn sent(&mut self, message: &Message) {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        for (.., sentence, _) in INTENTS {
            assert!(!text.contains(sentence), "what was heard stands on `{}`: {text}", message.topic);
        }
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let field = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        match message.topic.as_str() {
            "hermes/hotword/toggleOff" => {
                self.deaf.insert(field("/siteId"));
            }
            "hermes/hotword/toggleOn" => {
                self.deaf.remove(&field("/siteId"));
            }
            "hermes/tts/say" => self.count("sentences spoken"),
            "hermes/dialogueManager/startSession" => {
                self.count("questions asked by voice");
                self.tokens.insert(field("/customData"));
            }
            topic if topic.starts_with("hushgate/prompt/") && field("/kind") == "ask" => {
                self.tokens.insert(field("/token"));
                if self.questions.insert(field("/id")) {
                    self.count("questions asked");
                }
            }
            _ => {}
        }
    }
}

/// What policies keep for long holds nothing of what was heard.
fn no_words_in(change: &Change) {
    if let Change::Count { .. } | Change::Remember { .. } = change {
        let kept = format!("{change:?}").to_lowercase();
        for (.., sentence, _) in INTENTS {
            assert!(!kept.contains(sentence), "{kept}");
        }
    }
}
