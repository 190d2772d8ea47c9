//! The owner's log when it is long: making the index, questions with it and without it, verification.
//!
//! The journal is made by hand in the form that the bridge writes, a year of it, so nothing here says how fast a bridge
//! writes. `HUSHGATE_LOG_ENTRIES` says how many entries; ten million need about 15 GB of disk under `HUSHGATE_LOG_FOLDER`
//! or, without it, in the system's folder for temporary files.
#![expect(clippy::expect_used, reason = "a measurement that cannot be made must not look like one")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock, a place and something to read")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hushgate::config::{Keep, Log};
use hushgate::journal::chain;
use hushgate::journal::line;
use hushgate::journal::seal::{Salts, Sealed, seal};
use hushgate::model::decision::{Decision, Verdict};
use hushgate::model::event::{Entry, Record};
use hushgate::shell::log::index::Index;
use hushgate::shell::log::reading::{Reading, Records};
use hushgate::shell::log::segments::{self, Place};
use hushgate::shell::log::select::{NamePattern, Selection};
use hushgate::shell::log::verify::verify;
use hushgate::shell::log::{index_file, journal_folder, outline};
use jiff::{SignedDuration, Timestamp};

const ENTRIES_DEFAULT: u64 = 200_000;
/// What `cargo test` runs.
const ENTRIES_TEST: u64 = 2_000;
const DAYS: u64 = 365;
const DAY_MS: u64 = 86_400_000;
/// When the bridge begins another segment, apart from each midnight.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What the bridge may have to catch up with when it starts.
const LATE_ENTRIES: u64 = 1_000;
/// Each question is asked so often; the median counts.
const TURNS: usize = 5;

const ACTIONS: [(&str, &str); 8] = [
    ("light.turn_on", "light.kitchen"),
    ("light.turn_off", "light.kitchen"),
    ("media_player.play_media", "media_player.living_room"),
    ("climate.set_temperature", "climate.bedroom"),
    ("cover.open_cover", "cover.terrace"),
    ("lock.unlock", "lock.front_door"),
    ("notify.send_message", "Bob"),
    ("communication.call", "Anna"),
];
const CHANNELS: [&str; 5] = ["kitchen_echo", "bedroom_echo", "phone", "panel", "agent"];

fn main() {
    let is_test = std::env::args().any(|word| word == "--test");
    let asked = std::env::var("HUSHGATE_LOG_ENTRIES").ok().and_then(|text| text.parse().ok());
    let entries: u64 = if is_test { ENTRIES_TEST } else { asked.unwrap_or(ENTRIES_DEFAULT) };
    let mut builder = tempfile::Builder::new();
    let folder = match std::env::var_os("HUSHGATE_LOG_FOLDER") {
        Some(parent) => builder.prefix("hushgate-log-").tempdir_in(parent),
        None => builder.prefix("hushgate-log-").tempdir(),
    };
    let folder = folder.expect("a folder that can be written");
    let data = folder.path();
    let mut table = Table::default();
    let mut house = House::new(data, entries);
    let took = timed(|| house.write(entries));
    let bytes = house.bytes();
    table.row("entries", &format!("{entries}"));
    table.row("journal", &format!("{} MB in {} files", bytes / 1_000_000, segments_of(data)));
    table.row("writing it by hand (not the bridge)", &rate(took, entries));
    measure_index(data, entries, &mut house, &mut table);
    measure_questions(data, &house, &mut table);
    let mut done = Done::new("verify", bytes);
    let mut report = None;
    let took = timed(|| report = verify(&journal_folder(data), &[], &mut |bytes| done.more(bytes)).ok());
    let report = report.expect("a journal that can be read");
    assert!(report.finding.is_none() && report.lines == entries + LATE_ENTRIES, "{report:?}");
    table.row("verify", &rate(took, report.lines));
    println!("\nlog:\n{}", table.text);
}

fn measure_index(data: &Path, entries: u64, house: &mut House, table: &mut Table) {
    let mut done = Done::new("index", house.bytes());
    let took = timed(|| assert_eq!(catch_up(data, &mut done), entries));
    table.row("making the index anew", &rate(took, entries));
    let size = fs::metadata(index_file(data)).expect("the index").len();
    table.row("index", &format!("{} MB, {} bytes an entry", size / 1_000_000, size / entries));
    let took = timed(|| assert_eq!(catch_up(data, &mut Done::new("index", 0)), 0));
    table.row("start of the bridge, nothing new", &shown(took));
    house.write(LATE_ENTRIES);
    let took = median(|| {
        let reading = Reading::open(data).expect("a journal");
        assert!(reading.bytes_to_scan().is_ok_and(|bytes| bytes > 0));
        latest(&reading, data, &Selection::default());
    });
    table.row(&format!("the last 50, {LATE_ENTRIES} of them not in the index"), &shown(took));
    let took = timed(|| assert_eq!(catch_up(data, &mut Done::new("index", 0)), LATE_ENTRIES));
    table.row(&format!("start of the bridge, {LATE_ENTRIES} new"), &shown(took));
}

fn measure_questions(data: &Path, house: &House, table: &mut Table) {
    let all = Selection::default;
    let middle = house.begin + SignedDuration::from_hours(24 * 180);
    let next_day = middle + SignedDuration::from_hours(24);
    let month = house.begin + SignedDuration::from_hours(24 * 335);
    let (since, until) = (Some(middle), Some(next_day));
    let notify = || vec![NamePattern::new("notify.*")];
    let reading = Reading::open(data).expect("a journal");
    assert_eq!(reading.problem, None);
    for (name, selection) in [
        ("the last 50", all()),
        ("the last 50 that were denied", Selection { verdicts: vec![Verdict::Deny], ..all() }),
        ("the last 50 of notify.*", Selection { actions: notify(), ..all() }),
        ("the last 50 that asked at kitchen", Selection { speakers: vec![NamePattern::new("kitchen")], ..all() }),
        (
            "the last 50 of lock.unlock, denied",
            Selection { actions: vec![NamePattern::new("lock.unlock")], verdicts: vec![Verdict::Deny], ..all() },
        ),
    ] {
        table.row(name, &shown(median(|| latest(&reading, data, &selection))));
    }
    for (name, selection) in [
        ("all of one day", Selection { since, until, ..all() }),
        ("all of one day that were denied", Selection { since, until, verdicts: vec![Verdict::Deny], ..all() }),
        ("all of notify.* in the last 30 days", Selection { since: Some(month), actions: notify(), ..all() }),
        ("one decision by its id", Selection { keys: vec![outline::key(&house.some_id)], ..all() }),
    ] {
        let mut count = 0;
        let took = median(|| count = each(&reading, data, &selection));
        table.row(name, &format!("{} ({count} records, read)", shown(took)));
    }
    let mut count = 0_u64;
    let denied = Selection { verdicts: vec![Verdict::Deny], ..all() };
    let took = timed(|| {
        let mut counted = |_| {
            count += 1;
            Ok(true)
        };
        reading.each(&denied, &mut counted, &mut |_| {}).expect("an index");
    });
    table.row("counting all that were denied", &format!("{} ({count})", shown(took)));
}

fn catch_up(data: &Path, done: &mut Done) -> u64 {
    let mut index = Index::open(&index_file(data)).expect("an index");
    index.catch_up(&journal_folder(data), &mut |bytes| done.more(bytes)).expect("an index")
}

fn latest(reading: &Reading, data: &Path, selection: &Selection) {
    let mut records = Records::new(data);
    let places = reading.latest(selection, 50, &mut |_| Ok(true), &mut |_| {}).expect("an index");
    assert!(!places.is_empty());
    for place in places {
        assert!(records.fetch(place).expect("a record").is_some());
    }
}

fn each(reading: &Reading, data: &Path, selection: &Selection) -> u64 {
    let mut records = Records::new(data);
    let mut count = 0;
    let mut read = |place: Place| {
        count += u64::from(records.fetch(place)?.is_some());
        Ok(true)
    };
    reading.each(selection, &mut read, &mut |_| {}).expect("an index");
    count
}

fn segments_of(data: &Path) -> usize {
    segments::list(&journal_folder(data)).expect("the journal").len()
}

/// A journal that is being made.
struct House {
    folder: std::path::PathBuf,
    begin: Timestamp,
    step_ms: u64,
    seq: u64,
    link: chain::Link,
    templates: Vec<Sealed>,
    some_id: String,
    file: Option<(u64, u64, BufWriter<File>)>,
}

impl House {
    fn new(data: &Path, entries: u64) -> House {
        let folder = journal_folder(data);
        fs::create_dir_all(&folder).expect("a folder that can be written");
        House {
            folder,
            begin: "2026-01-01T00:00:00Z".parse().expect("a time"),
            step_ms: (DAYS * DAY_MS / entries).max(1),
            seq: 0,
            link: chain::genesis(),
            templates: templates(),
            some_id: String::new(),
            file: None,
        }
    }

    fn write(&mut self, count: u64) {
        for _ in 0..count {
            let since_ms = self.seq * self.step_ms;
            let at = self.begin + SignedDuration::from_millis(i64::try_from(since_ms).expect("a year"));
            self.seq += 1;
            let id = format!("{:011x}-{:06x}-aabbccdd", at.as_millisecond(), self.seq);
            // A few primes, so that no two columns go in step.
            let template = usize::try_from(self.seq * 7919 % self.templates.len() as u64).expect("few templates");
            let template = self.templates.get(template).expect("a template");
            let body = template.body.replace(AT, &at.to_string()).replace(ID, &id);
            self.link = chain::link(&self.link, self.seq, &chain::digest(body.as_bytes()));
            let text = line::write(self.seq, &self.link, &body, &template.open);
            if self.seq.is_multiple_of(count / 2 + 1) {
                self.some_id = id;
            }
            self.append(since_ms / DAY_MS, &text);
        }
        if let Some((_, _, file)) = &mut self.file {
            file.flush().expect("enough disk");
        }
    }

    fn append(&mut self, day: u64, text: &str) {
        let fits = |(of, bytes, _): &(u64, u64, _)| *of == day && *bytes < SEGMENT_BYTES_MAX;
        let kept = self.file.take().filter(fits);
        let (of, bytes, mut file) = kept.unwrap_or_else(|| {
            let path = self.folder.join(segments::file_name(self.seq));
            let file = File::options().create_new(true).append(true).open(path).expect("a folder that can be written");
            (day, 0, BufWriter::with_capacity(1024 * 1024, file))
        });
        file.write_all(text.as_bytes()).expect("enough disk");
        self.file = Some((of, bytes + text.len() as u64, file));
    }

    fn bytes(&self) -> u64 {
        let segments = segments::list(&self.folder).expect("the journal");
        segments.iter().map(|segment| fs::metadata(&segment.path).expect("a segment").len()).sum()
    }
}

const AT: &str = "2000-01-01T00:00:00Z";
const ID: &str = "00000000000-000000-00000000";

/// Records as a house has them, mostly decisions. Time and id are put in later: neither is sealed.
fn templates() -> Vec<Sealed> {
    let log = Log { text_default: Keep::Keep, ..Log::default() };
    let mut salts = Salts::new([7; 32]);
    let at: Timestamp = AT.parse().expect("a time");
    let mut entries = Vec::new();
    for (number, (action, target)) in ACTIONS.into_iter().enumerate() {
        for (other, channel) in CHANNELS.into_iter().enumerate() {
            // The quiet ones are many, the others few.
            for copy in 0..if number < 5 { 5 } else { 1 } {
                let verdict = if number >= 5 && (number + other) % 3 == 0 { "deny" } else { "allow" };
                entries.push(Entry::Decision { decision: Box::new(decision(action, target, channel, verdict, copy)) });
            }
        }
    }
    for speaker in ["kitchen_echo", "bedroom_echo"] {
        let event =
            serde_json::json!({"name": "voice.transcript", "speaker": speaker, "text": "turn on the light please"});
        let event = serde_json::from_value(event).expect("an event");
        entries.push(Entry::Event { event, policies: vec!["wake-word".to_owned()] });
        entries.push(Entry::Notice {
            text: "somebody called".to_owned(),
            policy: "quiet-nights".to_owned(),
            applied: true,
        });
    }
    entries.into_iter().map(|entry| seal(&Record { at, entry }, &log, &mut salts).expect("a record")).collect()
}

fn decision(action: &str, target: &str, channel: &str, verdict: &str, copy: usize) -> Decision {
    let opinion = |policy: &str| {
        serde_json::json!({"policy": policy, "verdict": verdict, "mode": "enforce",
            "reason": "no messages or calls between 22:00 and 07:00, unless it is an emergency contact"})
    };
    let fact = |entity: &str| serde_json::json!({"entity": entity, "value": "on", "age_ms": 81_000 + copy});
    serde_json::from_value(serde_json::json!({
        "id": ID, "at": AT, "verdict": verdict, "applied": verdict, "mode": "enforce",
        "request": {"action": action, "target": target, "source": {"kind": "voice", "channel": channel}, "door": "gate",
            "data": {"brightness": 120, "transition": 2}, "text": "please do it for me now", "confidence": 0.87},
        "reason": "no messages or calls between 22:00 and 07:00, unless it is an emergency contact",
        "deciding": ["quiet-nights"], "opinions": [opinion("quiet-nights"), opinion("doors")],
        "facts": [fact("binary_sensor.occupancy"), fact("sun.sun")],
        "grade": "prevented", "enforcement": "proven", "revision": "0123456789abcdef",
    }))
    .expect("a decision")
}

/// What is printed at the end.
#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn row(&mut self, name: &str, value: &str) {
        eprintln!("{name}: {value}");
        self.text.push_str(&format!("| {name} | {value} |\n"));
    }
}

/// Says how far it is, now and then.
struct Done {
    what: &'static str,
    total: u64,
    bytes: u64,
    told: u64,
}

impl Done {
    fn new(what: &'static str, total: u64) -> Done {
        Done { what, total, bytes: 0, told: 0 }
    }

    fn more(&mut self, bytes: u64) {
        self.bytes += bytes;
        let tenths = self.bytes * 10 / self.total.max(1);
        if tenths > self.told && self.total > 1_000_000_000 {
            self.told = tenths;
            eprintln!("  {}: {} %", self.what, tenths * 10);
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..TURNS).map(|_| timed(&mut work)).collect();
    times.sort();
    *times.get(TURNS / 2).expect("several turns")
}

fn rate(took: Duration, count: u64) -> String {
    let each_us = took.as_secs_f64() * 1e6 / count as f64;
    format!("{:.1} s, {each_us:.1} µs an entry", took.as_secs_f64())
}

fn shown(took: Duration) -> String {
    let milliseconds = took.as_secs_f64() * 1e3;
    if milliseconds < 1_000.0 { format!("{milliseconds:.1} ms") } else { format!("{:.1} s", milliseconds / 1e3) }
}
