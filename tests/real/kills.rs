//! Killed -9 at random points under load, and afterwards the journal is held against what the devices received.
//!
//! Every command goes to a device of its own, whose name says what may become of it: `ok-` passes, `no-` is denied by a
//! rule, `ask-` is held, and leaves only if the phone has approved it. What a kill loses stays lost; nothing is doubled.
//!
//! `HUSHGATE_KILLS` says how often it is killed: 10 times where nothing is said, 200 times in `tests/run`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{self, Client};
use crate::house::House;
use crate::journal::{self, Entry};

pub const CASES: &[Case] =
    &[("what_was_received_is_what_the_journal_allows", what_was_received_is_what_the_journal_allows)];

const KILLS_DEFAULT: usize = 10;
/// The most commands that a round lets through before the kill.
const ROUND_MAX: u64 = 60;
/// The latest point of a kill that comes by the clock: in the middle of a start, or of the first questions.
const ROUND_MAX_MS: u64 = 250;
/// Channels that ask: so many that quotas leave most of what they want.
const ASKERS: u64 = 60;
/// Between two commands: enough to be busy, and no more than a journal of some hundred rounds can hold.
const PACE: Duration = Duration::from_millis(2);

/// Whatever is named `no-…` stays as it is; a lock is asked about, and not for long.
const RULE: &str = r#"//! What may happen.

const ACTIONS = ["light.*", "lock.*"];

fn on_request(request) {
    if request.target.starts_with("no-") { return deny("it is named so"); }
    if request.action == "lock.unlock" {
        confirm(#{ ask: "Unlock?", within: if request.target == "ask-last" { "10m" } else { "15s" } })
    }
}
"#;

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A house with many channels that ask for locks: these are held, as no rule allows them.
fn house_on(broker: &Broker) -> House {
    let house = House::on(broker);
    let (mut commands, mut channels) = ("commands:\n".to_owned(), "channels:\n".to_owned());
    for index in 0..ASKERS {
        let _ = writeln!(
            commands,
            "  - {{topic: \"from/a{index}/{{name}}/set\", action: lock.unlock, target: \"{{name}}\", channel: a{index}}}"
        );
        let _ = writeln!(channels, "  a{index}: {{kind: person}}");
    }
    // The last asker has asked for nothing before.
    commands.push_str("  - {topic: \"last/{name}/set\", action: lock.unlock, target: \"{name}\", channel: last}\n");
    channels.push_str("  last: {kind: person}\n");
    let text = std::fs::read_to_string(house.config()).expect("it was just written");
    let text = text.replace("commands:\n", &commands).replace("channels:\n", &channels);
    std::fs::write(house.config(), text).expect("a writable temporary folder");
    house.policy("cellar", RULE);
    house
}

/// Somebody who goes on until the value is dropped.
struct Busy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Busy {
    fn start(mut work: impl FnMut(&AtomicBool) + Send + 'static) -> Busy {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        Busy { stop, thread: Some(std::thread::spawn(move || work(&until))) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Commands without end, each with a number of its own, at QoS 0: a client never repeats one.
fn load(broker: &Broker, serial: &Arc<AtomicU64>) -> Busy {
    let (client, serial) = (Client::connect(broker, &[]), Arc::clone(serial));
    Busy::start(move |stop| {
        while !stop.load(Ordering::Relaxed) {
            let number = serial.fetch_add(1, Ordering::Relaxed);
            let topic = match number % 16 {
                0 => format!("hushgate/gate/from/a{}/ask-{number}/set", number / 16 % ASKERS),
                odd if odd % 2 == 1 => format!("hushgate/gate/lights/ok-{number}/set"),
                _ => format!("hushgate/gate/lights/no-{number}/set"),
            };
            if client.try_send(&topic, &number.to_string()).is_err() {
                return;
            }
            std::thread::sleep(PACE);
        }
    })
}

/// Whether the phone says yes to a command: to most. It leaves some unanswered.
fn is_approved(target: &str) -> Option<bool> {
    let number: u64 = target.strip_prefix("ask-")?.parse().ok()?;
    match number / 16 % 32 {
        0 => None,
        1..=8 => Some(false),
        _ => Some(true),
    }
}

/// The phone answers what it is asked, each time twice. What it has approved is noted before the answer leaves.
fn phone(broker: &Broker, approved: &Arc<Mutex<BTreeSet<String>>>) -> Busy {
    let (mut client, approved) = (Client::connect(broker, &["hushgate/prompt/phone"]), Arc::clone(approved));
    Busy::start(move |stop| {
        while !stop.load(Ordering::Relaxed) {
            let Some(prompt) = client.next_within(Duration::from_millis(20)) else { continue };
            let prompt = prompt.json();
            let text = |key: &str| prompt[key].as_str().map(str::to_owned);
            let (Some(token), Some(topic), Some(target)) = (text("token"), text("answer_topic"), text("target")) else {
                continue;
            };
            let Some(yes) = is_approved(&target) else { continue };
            if yes {
                approved.lock().expect("no thread panics while it holds this").insert(target);
            }
            let answer = format!("{} {token}", if yes { "approve" } else { "reject" });
            client.publish(&topic, &answer);
            client.publish(&topic, &answer);
        }
    })
}

/// What the devices have received: the name of each, once.
#[derive(Default)]
struct Received {
    names: BTreeSet<String>,
}

impl Received {
    fn note(&mut self, topic: &str) {
        let name = topic.split('/').rev().nth(1).unwrap_or_default();
        assert!(!name.starts_with("no-"), "let out, though it is denied: {topic}");
        assert!(self.names.insert(name.to_owned()), "delivered twice: {topic}");
    }
}

fn what_was_received_is_what_the_journal_allows(kind: Kind) {
    let seed = environment("HUSHGATE_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("HUSHGATE_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kills =
        environment("HUSHGATE_KILLS").map_or(KILLS_DEFAULT, |kills| usize::try_from(kills).unwrap_or(usize::MAX));
    let broker = Broker::start(kind);
    let house = house_on(&broker);
    let (serial, approved) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(BTreeSet::new())));
    let mut devices = Client::connect(&broker, &["lights/+/set", "from/+/+/set", "last/+/set"]);
    let (mut received, mut torn) = (Received::default(), Vec::new());

    let answers = phone(&broker, &approved);
    let commands = load(&broker, &serial);
    for _ in 0..kills {
        let bridge = house.run();
        if random.u8(0..3) == 0 {
            // A point in time, so that a start or a standstill is hit too.
            std::thread::sleep(Duration::from_millis(random.u64(0..ROUND_MAX_MS)));
        } else {
            for _ in 0..random.u64(1..ROUND_MAX) {
                received.note(&devices.expect("+/#").topic);
            }
        }
        bridge.kill();
        if random.u8(0..4) == 0 {
            tear(&house.data(), &mut random, &mut torn);
        }
    }
    drop(commands);

    // One more question, whose answer a kill must not lose: it is asked again, with a new token.
    drop(answers);
    let held = held_over_a_kill(&broker, &house, &mut devices, &mut received);
    let mut asked = Client::connect(&broker, &["hushgate/prompt/phone"]);
    let bridge = &mut house.open(&broker);
    let before = Question::of(&held);
    let again = asked.expect_where("hushgate/prompt/phone", |prompt| is_ask(prompt, &before.id)).json();
    let after = Question::of(&again);
    assert_ne!(after.token, before.token, "the token of an earlier run is void");
    approved.lock().expect("no thread panics while it holds this").insert("ask-last".to_owned());
    asked.publish(&after.topic, &format!("approve {}", after.token));
    while !received.names.contains("ask-last") {
        received.note(&devices.expect("+/#").topic);
    }
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    for topic in devices.received("+/#") {
        received.note(&topic.topic);
    }

    let entries = journal::read(&house.data());
    let approved = approved.lock().expect("no thread panics while it holds this").clone();
    hold_against(&entries, &received.names, &approved);
    let told: Vec<u64> = entries.iter().filter(|entry| entry.kind() == "torn").map(Entry::torn_bytes).collect();
    assert_told(&told, &torn);
    let verified = house.command(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    assert_is_whole(&house.data());
    let most = serial.load(Ordering::Relaxed);
    assert!(received.names.len() >= kills, "the load was no load: {} of {most}", received.names.len());
}

/// A question as the phone was asked it.
struct Question {
    id: String,
    token: String,
    topic: String,
}

impl Question {
    fn of(prompt: &Value) -> Question {
        let text = |key: &str| prompt[key].as_str().unwrap_or_else(|| panic!("{key} in {prompt}")).to_owned();
        Question { id: text("id"), token: text("token"), topic: text("answer_topic") }
    }
}

fn is_ask(prompt: &client::Received, id: &str) -> bool {
    let prompt = prompt.json();
    prompt["kind"] == "ask" && prompt["id"] == id
}

/// Starts the bridge, lets it hold one command, waits until that is on disk, and kills it. What the phone was asked.
fn held_over_a_kill(broker: &Broker, house: &House, devices: &mut Client, received: &mut Received) -> Value {
    let bridge = house.open(broker);
    let mut phone = Client::connect(broker, &["hushgate/prompt/phone"]);
    devices.publish("hushgate/gate/last/ask-last/set", "last");
    let prompt = phone.expect_where("hushgate/prompt/phone", |prompt| prompt.json()["target"] == "ask-last").json();
    let id = Question::of(&prompt).id;
    house.until_kept(|kept| kept.pendings.contains_key(&id));
    bridge.kill();
    // Whatever was on its way came before this.
    devices.publish("lights/ok-marker/set", "marker");
    while !received.names.contains("ok-marker") {
        received.note(&devices.expect("+/#").topic);
    }
    received.names.remove("ok-marker");
    prompt
}

/// A part of a line at the end of the newest segment, as a power cut leaves it. Notes how many bytes are no line then.
fn tear(data: &Path, random: &mut fastrand::Rng, torn: &mut Vec<u64>) {
    let Some(newest) = journal::segments(data).pop() else { return };
    let text = std::fs::read_to_string(&newest).expect("a segment");
    let (lines, rest) = text.rsplit_once('\n').unwrap_or_default();
    if !rest.is_empty() {
        // It was killed before it had looked at what was torn before.
        torn.pop();
    }
    // Lines are ASCII but for what people have written; here nobody has.
    let line = lines.lines().next_back().unwrap_or_default();
    let part = line.get(..random.usize(1..line.len().max(2))).unwrap_or("1");
    append(&newest, part);
    torn.extend(u64::try_from(rest.len() + part.len()));
}

/// Each torn tail was cut, and told in order. A kill just after the cut takes its record away, which is rare.
fn assert_told(told: &[u64], torn: &[u64]) {
    let mut left = torn.iter();
    assert!(told.iter().all(|bytes| left.any(|torn| torn == bytes)), "{told:?} of {torn:?}");
    assert!(told.len() + 1 + torn.len() / 20 >= torn.len(), "{told:?} of {torn:?}");
}

fn append(file: &PathBuf, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().append(true).open(file).expect("the segment");
    file.write_all(text.as_bytes()).expect("a writable temporary folder");
}

/// The oracle: each command that was received is allowed by an entry, and each entry that allows was entitled to.
fn hold_against(entries: &[Entry], received: &BTreeSet<String>, approved: &BTreeSet<String>) {
    let mut allowed: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind() == "decision") {
        let decision = entry.decision();
        let target = decision["request"]["target"].as_str().unwrap_or_default();
        if decision["applied"] == "allow" {
            allowed.entry(target.to_owned()).or_default().push(decision);
        }
    }
    for name in received {
        assert!(allowed.contains_key(name), "received, with no entry that allows it: {name}");
    }
    for (name, decisions) in &allowed {
        assert!(!name.starts_with("no-"), "the journal allows what is denied: {name}");
        assert_eq!(decisions.len(), 1, "allowed twice: {name}");
        if name.starts_with("ask-") {
            assert!(approved.contains(name), "nobody has approved it: {name}");
            let settles = decisions.first().map_or(&Value::Null, |decision| &decision["settles"]);
            assert_eq!(settles["outcome"], "approved", "{name}: {settles}");
        }
    }
}

/// `state.db` opens, is whole, and was never put aside.
fn assert_is_whole(data: &Path) {
    let connection = rusqlite::Connection::open(data.join("state.db")).expect("a database");
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
    assert_eq!(check, "ok");
    let names: Vec<String> = std::fs::read_dir(data)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|name| name.contains("damaged")), "{names:?}");
}
