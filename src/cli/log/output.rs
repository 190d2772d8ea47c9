//! Records on standard output: sentences, JSON or CSV.

use std::io::{self, BufWriter, Write};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Format;
use crate::model::event::{Entry, Record};
use crate::shell::lines::{Palette, harmless, plain};
use crate::shell::log::reading::{Kept, Records};
use crate::shell::log::segments::Place;

/// The columns of the CSV, and where their values stand in a record: the first place that has one.
const COLUMNS: &[(&str, &[&str])] = &[
    ("at", &["/at"]),
    ("record", &["/record"]),
    ("verdict", &["/decision/verdict"]),
    ("applied", &["/decision/applied"]),
    ("action", &["/decision/request/action", "/event/name", "/action"]),
    ("target", &["/decision/request/target", "/target"]),
    ("source", &["/decision/request/source/kind"]),
    (
        "speaker",
        &[
            "/decision/request/source/channel",
            "/decision/request/source/satellite/name",
            "/event/speaker",
            "/speaker",
            "/channel",
        ],
    ),
    ("policies", &["/decision/deciding", "/policies", "/policy", "/error/policy"]),
    ("reason", &["/decision/reason", "/reason", "/error/message"]),
    ("text", &["/decision/request/text", "/event/text", "/text"]),
    ("id", &["/decision/id", "/pending", "/id", "/by"]),
];

/// Where records are written.
pub(super) struct Output {
    writer: BufWriter<Box<dyn Write>>,
    format: Format,
    zone: TimeZone,
    day: Option<Date>,
    /// Records up to this number were told in the sentence of a decision.
    told_to: u64,
    is_begun: bool,
    /// Nobody reads it any more.
    is_closed: bool,
}

impl Output {
    pub(super) fn new(format: Format, zone: TimeZone) -> Output {
        Output::to(Box::new(anstream::stdout()), format, zone)
    }

    fn to(writer: Box<dyn Write>, format: Format, zone: TimeZone) -> Output {
        let writer = BufWriter::new(writer);
        Output { writer, format, zone, day: None, told_to: 0, is_begun: false, is_closed: false }
    }

    /// Writes the record at a place. `false`: nobody reads it any more.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(super) fn write(&mut self, records: &mut Records, place: Place) -> Result<bool, String> {
        // A pruned record has nothing to tell.
        let Some(kept) = records.fetch(place)? else { return Ok(!self.is_closed) };
        let written = match self.format {
            Format::Json => self.json(kept),
            Format::Csv => self.csv(&kept),
            Format::Human => self.sentence(records, kept)?,
        };
        self.note(&written);
        Ok(!self.is_closed)
    }

    /// Sends out what was written. `false`: nobody reads it any more.
    pub(super) fn flush(&mut self) -> bool {
        let flushed = self.writer.flush();
        self.note(&flushed);
        !self.is_closed
    }

    fn note(&mut self, written: &io::Result<()>) {
        self.is_closed |= written.is_err();
    }

    fn json(&mut self, kept: Kept) -> io::Result<()> {
        writeln!(self.writer, "{}", json_line(kept))
    }

    fn csv(&mut self, kept: &Kept) -> io::Result<()> {
        let mut line = csv::Writer::from_writer(Vec::new());
        if !self.is_begun {
            self.is_begun = true;
            line.write_record(std::iter::once("number").chain(COLUMNS.iter().map(|(name, _)| *name)))?;
        }
        let cells = COLUMNS.iter().map(|(_, pointers)| cell(&kept.opened.value, pointers));
        line.write_record(std::iter::once(kept.place.seq.to_string()).chain(cells))?;
        self.writer.write_all(&line.into_inner().map_err(|error| io::Error::other(error.to_string()))?)
    }

    fn sentence(&mut self, records: &mut Records, kept: Kept) -> Result<io::Result<()>, String> {
        let place = kept.place;
        if place.seq <= self.told_to {
            return Ok(Ok(()));
        }
        let record = kept.opened.into_record().map_err(|error| format!("record {}: {error}", place.seq))?;
        let following = match record.entry {
            Entry::Decision { .. } => records.following(place)?,
            _ => Vec::new(),
        };
        let following: Vec<&(Place, Record)> =
            following.iter().take_while(|(_, record)| plain::is_told_with_decision(record)).collect();
        self.told_to = following.last().map_or(self.told_to, |(place, _)| place.seq);
        let following: Vec<&Record> = following.into_iter().map(|(_, record)| record).collect();
        Ok(self.human(place.seq, &record, &following))
    }

    fn human(&mut self, seq: u64, record: &Record, following: &[&Record]) -> io::Result<()> {
        let palette = Palette::COLOURED;
        let quiet = palette.quiet();
        let day = record.at.to_zoned(self.zone.clone()).date();
        if self.day.replace(day) != Some(day) {
            writeln!(self.writer, "{quiet}{}{quiet:#}", day.strftime("%A, %-d %B %Y"))?;
        }
        let (is_warning, sentence) = plain::sentence(record, following, &palette, &self.zone);
        let mark = if is_warning { "! " } else { "" };
        let clock = plain::clock(&record.at, &self.zone);
        writeln!(self.writer, "{clock} {mark}{sentence}  {quiet}#{seq}{quiet:#}")
    }

    /// One line as it is.
    pub(super) fn line(&mut self, line: &str) {
        let written = writeln!(self.writer, "{line}");
        self.note(&written);
    }
}

/// The record's JSON, with its number, in one line of characters that no terminal obeys: JSON leaves those from
/// U+007F to U+009F as they are. They stand in texts alone, where the escape means the same.
pub(super) fn json_line(kept: Kept) -> String {
    let text = numbered(kept).to_string();
    if !text.contains(char::is_control) {
        return text;
    }
    let escaped = |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// The record's JSON, with its number.
fn numbered(kept: Kept) -> Value {
    let mut value = kept.opened.value;
    if let Value::Object(fields) = &mut value {
        fields.insert("number".to_owned(), kept.place.seq.into());
    }
    value
}

fn cell(record: &Value, pointers: &[&str]) -> String {
    let value = pointers.iter().find_map(|pointer| record.pointer(pointer).filter(|value| !value.is_null()));
    let text = match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join("; ")
        }
        Some(other) => other.to_string(),
    };
    without_formula(&harmless(&text))
}

/// A spreadsheet runs what begins like a formula, whoever said it.
fn without_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::seal::Opened;

    fn kept(value: Value) -> Kept {
        let opened = Opened { value, forgotten: Vec::new() };
        Kept { place: Place { seq: 7, segment: 1, offset: 0 }, opened }
    }

    fn csv_of(value: Value) -> String {
        let shared = Shared::default();
        let mut output = Output::to(Box::new(shared.clone()), Format::Csv, TimeZone::UTC);
        output.csv(&kept(value)).unwrap();
        assert!(output.flush());
        shared.text()
    }

    #[derive(Default, Clone)]
    struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn csv_is_quoted_and_runs_nothing() {
        let head = "number,at,record,verdict,applied,action,target,source,speaker,policies,reason,text,id\n";
        let text = csv_of(serde_json::json!({
            "at": "2026-11-22T22:14:00Z", "record": "decision",
            "decision": {"id": "-1", "verdict": "deny", "applied": "deny", "reason": "no, \"never\"\nnow",
                "deciding": ["a", "b"],
                "request": {"action": "=cmd|' /C calc'!A0", "target": "+1", "source": {"kind": "voice", "satellite": {"name": "@x"}}}},
        }));
        let expected = "7,2026-11-22T22:14:00Z,decision,deny,deny,'=cmd|' /C calc'!A0,'+1,voice,'@x,a; b,\"no, \
                        \"\"never\"\"\\u{a}now\",,'-1\n";
        assert_eq!(text, format!("{head}{expected}"));
    }

    #[test]
    fn no_terminal_obeys_what_stands_in_json() {
        let value = serde_json::json!({"record": "refused", "topic": "a\u{9b}2J\u{7f}\n"});
        let line = json_line(kept(value));
        assert_eq!(line, r#"{"number":7,"record":"refused","topic":"a\u009b2J\u007f\n"}"#);
    }

    #[test]
    fn a_record_in_json_has_its_number() {
        let value = numbered(kept(serde_json::json!({"record": "connected"})));
        assert_eq!(value, serde_json::json!({"record": "connected", "number": 7}));
    }
}
