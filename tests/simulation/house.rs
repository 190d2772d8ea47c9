//! The house of the simulation: draws what happens, lets it happen, and shows the oracle what came of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;

use hushgate::bridge::{Bridge, Output, Setup};
use hushgate::config::{self, Config, Secrets};
use hushgate::model::control::Says;
use hushgate::model::durable::Durable;
use hushgate::model::event::{Event, ScriptSource};
use hushgate::model::message::{self, Message, Qos};
use hushgate::model::request::{Arrival, Door, Held};
use hushgate::model::time::At;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::oracle::{Cause, Command, Oracle};
use super::rules;
use super::watch::{Seen, Trace};

const HOME: &str = include_str!("../scenarios/home.yaml");
/// What the house of the scenarios has not: an event stream, and entities by the names that it tells.
const STREAM: &str = "home_assistant: {eventstream: events}\n";
const ENTITIES: &str = "commands:\n  - {topic: \"entities/{name}/set\", action: light.turn_on, target: \"x.{name}\"}\n";
/// How often the durable state is held against the one rebuilt from its changes.
const MIRROR_EVERY_STEPS: u64 = 64;
const LETTERS: &[u8] = b"acdepggwwxxx";
const CHANNELS: &[&str] = &["phone", "panel", "kitchen", "bedroom", "doorbell"];

struct NoSecrets;

impl Secrets for NoSecrets {
    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, _path: &str) -> Result<String, String> {
        Err("there are none".to_owned())
    }
}

pub(crate) struct House {
    random: fastrand::Rng,
    config: Rc<Config>,
    sources: Vec<ScriptSource>,
    bridge: Bridge,
    at: At,
    runs: u64,
    /// Rebuilt from the changes alone, as a store would.
    mirror: Durable,
    oracle: Oracle,
    trace: Trace,
    hash: Sha256,
    out: Vec<Output>,
    /// Tokens that were good once.
    old_tokens: Vec<(String, String, String)>,
    burst: u32,
}

impl House {
    pub(crate) fn new(seed: u64) -> House {
        let config = Rc::new(config::parse("home.yaml", &home(), &NoSecrets).expect("a good configuration"));
        let sources = rules::sources(0, |_| true);
        let utc = "2027-03-02T20:00:00Z".parse().expect("a time");
        let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc };
        let mut out = Vec::new();
        let bridge = start(&config, &sources, 0, None, at, &mut out).expect("good policies");
        let loaded: BTreeSet<String> = sources.iter().map(|source| source.name.clone()).collect();
        let mut house = House {
            random: fastrand::Rng::with_seed(seed),
            config,
            sources,
            bridge,
            at,
            runs: 0,
            mirror: Durable::default(),
            oracle: Oracle::new(loaded),
            trace: Trace::new(seed),
            hash: Sha256::new(),
            out,
            old_tokens: Vec::new(),
            burst: 0,
        };
        house.look_at(&Cause::Other);
        house.event(Event::Connected, &Cause::Other);
        house
    }

    pub(crate) fn digest(&self) -> String {
        self.hash.clone().finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.oracle.seen
    }

    /// Lets one thing happen.
    pub(crate) fn step(&mut self) {
        self.trace.step += 1;
        if self.burst > 0 {
            self.burst -= 1;
            return self.gate();
        }
        match self.random.u32(0..1_000) {
            0..340 => self.gate(),
            340..360 => self.happened(),
            360..380 => self.stream(),
            380..430 => self.ask(),
            430..560 => self.answer(),
            560..600 => self.fact(),
            600..680 => self.house_event(),
            680..730 => self.control(),
            730..750 => self.reload(),
            750..765 => self.jump(),
            765..780 => self.stranger(),
            780..784 => self.reconnect(),
            784..790 => self.restart(),
            790..793 => self.burst = 80,
            _ => self.pass(),
        }
        if self.trace.step.is_multiple_of(MIRROR_EVERY_STEPS) {
            self.compare_mirror();
        }
    }

    fn target(&mut self) -> String {
        let letter = LETTERS[self.random.usize(0..LETTERS.len())] as char;
        format!("{letter}{}", self.trace.step)
    }

    /// A command for the opposite of what waits, or for something new.
    fn gate(&mut self) {
        let waiting = if self.random.u32(0..6) == 0 { self.opposite() } else { None };
        let target = self.target();
        let (topic, payload) = match self.random.u32(0..9) {
            _ if let Some(opposite) = waiting => opposite,
            0 | 1 => (format!("locks/{target}/set"), "UNLOCK"),
            2 => (format!("locks/{target}/set"), "LOCK"),
            3 => (format!("lights/{target}/set"), "ON"),
            4 => (format!("lights/{target}/set"), "TOGGLE"),
            5 => (format!("kitchen/unlock/{target}"), "now"),
            6 => (format!("kitchen/light/{target}"), "now"),
            7 => (format!("panel/unlock/{target}"), "now"),
            _ => (format!("messages/{target}"), "right"),
        };
        let expiry_s = self.random.bool().then(|| self.random.u32(1..90));
        let stored = self.random.u32(0..20) == 0;
        let mut message = Message::live(format!("hushgate/gate/{topic}"), payload);
        message.expiry_s = expiry_s;
        message.retain = stored;
        message.qos = if self.random.bool() { Qos::AtLeastOnce } else { Qos::AtMostOnce };
        if stored {
            return self.message(&message, &Cause::Inert);
        }
        let expires_ms = expiry_s.map(|expiry_s| self.at.monotonic_ms + u64::from(expiry_s) * 1_000);
        self.oracle.commands.insert(topic.clone(), Command::new(payload, expires_ms));
        self.message(&message, &Cause::Gate { topic });
    }

    /// A command on another topic of a target of which something waits.
    fn opposite(&mut self) -> Option<(String, &'static str)> {
        let items: Vec<_> = self.oracle.pendings.values().flat_map(|pending| &pending.items).collect();
        let item = items.get(self.random.usize(0..items.len().max(1)))?;
        let (topic, payload) = match item.action.as_str() {
            "lock.unlock" => (format!("locks/{}/set", item.target), "LOCK"),
            "light.toggle" => (format!("lights/{}/set", item.target), "ON"),
            "light.turn_on" => (format!("kitchen/light/{}", item.target), "now"),
            _ => return None,
        };
        (!self.oracle.commands.contains_key(&topic) && !item.target.contains('.')).then_some((topic, payload))
    }

    fn ask(&mut self) {
        // Often the same, so that somebody has enough of it.
        let target = match self.random.u32(0..4) {
            0 => "c-again".to_owned(),
            1 => "x-again".to_owned(),
            _ => self.target(),
        };
        let action = ["lock.unlock", "light.turn_on", "notify.send_message"][self.random.usize(0..3)];
        let channel = ["", "/panel", "/assistant", "/kitchen"][self.random.usize(0..4)];
        let id = self.trace.step;
        let payload = format!("{{\"action\":\"{action}\",\"target\":\"{target}\",\"id\":\"q{id}\"}}");
        self.message(&Message::live(format!("hushgate/ask{channel}"), payload), &Cause::Other);
    }

    /// A command on a real topic, seen after the fact, once or several times in a row.
    fn happened(&mut self) {
        let letter = LETTERS[self.random.usize(0..LETTERS.len())] as char;
        let name = format!("{letter}-seen");
        let (topic, payload, undo, may_undo) = match self.random.u32(0..4) {
            0 => (format!("locks/{name}/set"), "UNLOCK", Some("LOCK"), true),
            // To undo this would open the door.
            1 => (format!("locks/{name}/set"), "LOCK", Some("UNLOCK"), false),
            2 => (format!("lights/{name}/set"), "ON", Some("OFF"), true),
            _ => (format!("lights/{name}/set"), "ON", None, false),
        };
        let door = if self.random.bool() { Door::Bypass } else { Door::Watch };
        let command = |payload: &'static str| message::Command {
            topic: topic.clone(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            expiry_s: None,
        };
        let registry = self.bridge.engine().registry();
        let request = registry.read_command(&topic, payload.as_bytes(), door).expect("a command");
        let held = Held::Seen { undo: undo.map(command) };
        let event = Event::Arrival(Box::new(Arrival { request, held, reply: None }));
        let undo = undo.filter(|_| may_undo);
        for _ in 0..self.random.u32(1..5) {
            self.event(event.clone(), &Cause::Seen { topic: topic.clone(), undo });
        }
    }

    /// What Home Assistant's event stream tells, and perhaps the command that follows.
    fn stream(&mut self) {
        let target = self.target();
        let sentence = r#"{"event_type":"state_changed","event_data":{"entity_id":"conversation.home_assistant","old_state":{"state":"1"},"new_state":{"state":"2","context":{"user_id":"anna"}}}}"#;
        let call = |entity: &str| {
            format!(
                r#"{{"event_type":"call_service","event_data":{{"domain":"light","service":"turn_on","service_data":{{"entity_id":"{entity}"}}}}}}"#
            )
        };
        match self.random.u32(0..3) {
            0 => self.message(&Message::live("events", sentence), &Cause::Other),
            1 => self.message(&Message::live("events", call(&format!("light.{target}"))), &Cause::Other),
            _ => {
                let topic = format!("entities/{target}/set");
                self.message(&Message::live("events", sentence), &Cause::Other);
                self.message(&Message::live("events", call(&format!("x.{target}"))), &Cause::Other);
                self.oracle.commands.insert(topic.clone(), Command::new("ON", None));
                self.message(&Message::live(format!("hushgate/gate/{topic}"), "ON"), &Cause::Gate { topic });
            }
        }
    }

    fn answer(&mut self) {
        let says = [Says::Approve, Says::Approve, Says::Reject, Says::Seen][self.random.usize(0..4)];
        let word = says.name();
        let open = self.oracle.pendings.len();
        let (pending, channel, token, right) = if open > 0 && self.random.u32(0..4) > 0 {
            let index = self.random.usize(0..open);
            let (id, pending) = self.oracle.pendings.iter().nth(index).expect("within its length");
            let index = self.random.usize(0..pending.tokens.len().max(1));
            let (nobody, nothing) = ("phone".to_owned(), "0".repeat(32));
            let (channel, token) = pending.tokens.iter().nth(index).unwrap_or((&nobody, &nothing));
            match self.random.u32(0..8) {
                _ if pending.tokens.is_empty() => (id.clone(), nobody, nothing, false),
                0 => (id.clone(), channel.clone(), "0".repeat(32), false),
                1 => {
                    let other = CHANNELS[self.random.usize(0..CHANNELS.len())];
                    (id.clone(), other.to_owned(), token.clone(), other == channel)
                }
                2 => (id.clone(), channel.clone(), String::new(), false),
                _ => (id.clone(), channel.clone(), token.clone(), true),
            }
        } else if self.old_tokens.is_empty() {
            return;
        } else {
            let (id, channel, token) = self.old_tokens[self.random.usize(0..self.old_tokens.len())].clone();
            let right = self.oracle.pendings.get(&id).is_some_and(|open| open.tokens.get(&channel) == Some(&token));
            (id, channel, token, right)
        };
        if self.old_tokens.len() > 64 {
            self.old_tokens.remove(0);
        }
        self.old_tokens.push((pending.clone(), channel.clone(), token.clone()));
        let message = Message::live(format!("hushgate/confirm/{channel}/{pending}"), format!("{word} {token}"));
        self.message(&message, &Cause::Answer { pending, says, right });
    }

    fn fact(&mut self) {
        let (entity, value) =
            [("light/porch", "on"), ("light/porch", "off"), ("person/anna", "home"), ("person/anna", "unknown")]
                [self.random.usize(0..4)];
        self.message(&Message::live(format!("statestream/{entity}/state"), value), &Cause::Other);
    }

    fn house_event(&mut self) {
        let message = match self.random.u32(0..6) {
            0..3 => Message::live("wake/kitchen", "1"),
            3 => Message::live("wake/attic", "1"),
            4 => Message::live("house/quiet", "1"),
            _ => Message::live("house/go", self.target()),
        };
        self.message(&message, &Cause::Other);
    }

    fn control(&mut self) {
        let names: Vec<&str> = rules::names().collect();
        let name = names[self.random.usize(0..names.len())];
        let for_ms = self.random.u64(1..300) * 1_000;
        let (topic, payload) = match self.random.u32(0..8) {
            0 => ("mode/set".to_owned(), format!("{{\"mode\":\"observe\",\"for\":\"{for_ms}ms\"}}")),
            1 => ("mode/set".to_owned(), "enforce".to_owned()),
            2 => (format!("policy/{name}/set"), format!("{{\"on\":false,\"for\":\"{for_ms}ms\"}}")),
            3 => (format!("policy/{name}/set"), "on".to_owned()),
            4 => ("mute/kitchen/set".to_owned(), "unmute".to_owned()),
            5 => ("policy/letters".to_owned(), "forged".to_owned()),
            _ => ("mute/kitchen/set".to_owned(), format!("{{\"mute\":true,\"for\":\"{for_ms}ms\"}}")),
        };
        let mut message = Message::live(format!("hushgate/{topic}"), payload);
        message.retain = self.random.u32(0..10) == 0;
        let cause = if message.retain || topic == "policy/letters" {
            Cause::Inert
        } else if topic.starts_with("mute") {
            Cause::Mute { for_ms }
        } else {
            Cause::Other
        };
        self.message(&message, &cause);
    }

    fn reload(&mut self) {
        let broken = self.random.u32(0..4) == 0;
        let mut chosen = BTreeSet::new();
        for name in rules::names() {
            if self.random.u32(0..5) > 0 {
                chosen.insert(name.to_owned());
            }
        }
        let mut sources = rules::sources(self.trace.step, |name| chosen.contains(name));
        if broken {
            let text = rules::BROKEN.to_owned();
            sources.push(ScriptSource { name: "zz".to_owned(), file: "zz.rhai".to_owned(), text });
        } else {
            self.sources.clone_from(&sources);
        }
        self.event(Event::Reload(Ok(sources)), &Cause::Reload { names: chosen, broken });
    }

    /// The civil clock jumps; the monotonic one does not.
    fn jump(&mut self) {
        let seconds = self.random.i64(-30_000..40_000);
        let utc = self.at.utc.checked_add(SignedDuration::from_secs(seconds)).expect("in range");
        self.at.utc = if self.random.u32(0..10) == 0 { jiff::Timestamp::UNIX_EPOCH } else { utc.max(At::UTC_MIN) };
        self.event(Event::Tick, &Cause::Other);
    }

    /// What nobody should send.
    fn stranger(&mut self) {
        let noise: Vec<u8> = (0..self.random.usize(0..40)).map(|_| self.random.u8(..)).collect();
        let topics = [
            "hushgate/gate/hushgate/mode/set",
            "hushgate/gate/nobody/knows",
            "hushgate/gate/lights/+/set",
            "hushgate/gate/homeassistant/x/config",
            "hushgate/confirm/phone",
            "hushgate/ask",
            "hushgate/mode/set",
            "hushgate/pending/x",
            "hushgate/",
            "hushgate",
            "wake/\u{0}",
            "",
        ];
        let topic = topics[self.random.usize(0..topics.len())];
        let mut message = Message::live(topic, noise);
        message.retain = self.random.bool();
        self.message(&message, &Cause::Inert);
    }

    fn reconnect(&mut self) {
        self.event(Event::Disconnected { reason: "the broker went away".to_owned() }, &Cause::Other);
        self.pass();
        self.event(Event::Connected, &Cause::Other);
    }

    /// Time passes, with a stop at each deadline.
    fn pass(&mut self) {
        let scale = [50, 1_000, 20_000, 20_000, 120_000][self.random.usize(0..5)];
        let end_ms = self.at.monotonic_ms + self.random.u64(1..scale);
        while let Some(deadline_ms) = self.bridge.next_deadline().filter(|deadline_ms| *deadline_ms <= end_ms) {
            self.at = self.at.plus_ms(deadline_ms.saturating_sub(self.at.monotonic_ms));
            self.event(Event::Tick, &Cause::Other);
        }
        self.at = self.at.plus_ms(end_ms - self.at.monotonic_ms);
    }

    /// The bridge is killed, and starts again from what was stored.
    fn restart(&mut self) {
        self.compare_mirror();
        let saved = self.at;
        let away_ms = [0, 0, 5_000, 100_000][self.random.usize(0..4)];
        let jump_s = [0, 0, 0, 0, 0, 0, 0, -3_600, -30, 400 * 86_400][self.random.usize(0..10)];
        let jump = SignedDuration::from_secs(jump_s);
        let utc = self.at.plus_ms(away_ms).utc.checked_add(jump).expect("in range");
        self.at = At { monotonic_ms: At::MONOTONIC_START_MS + self.random.u64(0..10_000), utc };
        self.runs += 1;
        self.trace.note(format!("restart after {away_ms} ms"));
        let before_ms = self.bridge.engine().next_deadline();
        let quiet = self.mirror.pendings.is_empty() && self.mirror.mode.is_none() && self.mirror.policies.is_empty();
        let kept = Some((self.mirror.clone(), saved));
        self.bridge = start(&self.config, &self.sources, self.runs, kept, self.at, &mut self.out)
            .unwrap_or_else(|error| self.trace.fail(&error));
        self.mirror.rebase(saved, self.at);
        self.oracle.restart(saved, self.at);
        self.look_at(&Cause::Restart);
        if quiet && away_ms == 0 && jump_s <= 0 {
            let left =
                |deadline_ms: Option<u64>, now: At| deadline_ms.map(|deadline_ms| deadline_ms - now.monotonic_ms);
            let (before, after) = (left(before_ms, saved), left(self.bridge.engine().next_deadline(), self.at));
            self.trace.check(before == after, || format!("the next deadline was in {before:?} ms, now in {after:?}"));
        }
        self.compare_mirror();
        self.oracle.check_floor(&self.trace);
        self.event(Event::Connected, &Cause::Other);
    }

    fn compare_mirror(&self) {
        let same = self.mirror == self.bridge.engine().durable();
        self.trace.check(same, || "the stored changes do not make the state that the engine has".to_owned());
    }

    fn message(&mut self, message: &Message, cause: &Cause) {
        let payload = String::from_utf8_lossy(&message.payload);
        self.trace.note(format!("{} ← {payload}{}", message.topic, if message.retain { " (stored)" } else { "" }));
        self.bridge.message(self.at, message, &mut self.out);
        self.look_at(cause);
    }

    fn event(&mut self, event: Event, cause: &Cause) {
        let text = match &event {
            Event::Reload(_) => format!("{cause:?}"),
            event => format!("{event:?}"),
        };
        self.trace.note(format!("{text} at {}", self.at.monotonic_ms - At::MONOTONIC_START_MS));
        self.bridge.event(self.at, event, &mut self.out);
        self.look_at(cause);
    }

    /// Shows the oracle everything that was put out.
    fn look_at(&mut self, cause: &Cause) {
        self.oracle.begin();
        let mut out = std::mem::take(&mut self.out);
        for output in out.drain(..) {
            match output {
                Output::Journal(record) => {
                    self.digest_in("record", &serde_json::to_vec(&*record).expect("JSON"));
                    self.oracle.record(self.at, cause, &record, &self.trace);
                }
                Output::Store(change) => {
                    self.digest_in("store", &serde_json::to_vec(&change).expect("JSON"));
                    self.mirror.apply(change);
                }
                Output::Forward(permit) => {
                    self.digest_in("forward", permit.topic().as_bytes());
                    self.trace.note(format!("    → {} by {}", permit.topic(), permit.decision()));
                    self.oracle.forward(self.at, permit, &self.trace);
                }
                Output::Send(message) | Output::SendRecorded(message) => {
                    self.digest_in(&message.topic, &message.payload);
                    self.oracle.sent(self.at, &message, &self.trace);
                }
            }
        }
        self.out = out;
        self.oracle.end(self.at, cause, &self.trace);
        let deadline_ms = self.bridge.next_deadline();
        let now_ms = self.at.monotonic_ms;
        self.trace.check(deadline_ms.is_none_or(|deadline_ms| deadline_ms > now_ms), || {
            format!("the next deadline {deadline_ms:?} is not after {now_ms}")
        });
    }

    fn digest_in(&mut self, kind: &str, bytes: &[u8]) {
        self.hash.update(kind.as_bytes());
        self.hash.update([0]);
        self.hash.update(bytes);
        self.hash.update([0]);
    }
}

fn home() -> String {
    format!("{STREAM}{}", HOME.replace("commands:\n", ENTITIES))
}

fn start(
    config: &Rc<Config>,
    sources: &[ScriptSource],
    run: u64,
    saved: Option<(Durable, At)>,
    at: At,
    out: &mut Vec<Output>,
) -> Result<Bridge, String> {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&run.to_be_bytes());
    let setup = Setup {
        config: Rc::clone(config),
        sources: sources.to_vec(),
        seed,
        integrations: Vec::new(),
        stopwatch: None,
        saved,
    };
    Bridge::start(setup, at, out).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}
