//! Verification: whether each line is the one that was written, and whether all are there.
//!
//! Reads every segment from the first line to the last. What it cannot find stands in `docs/log.md`: lines that are gone
//! from the end, where nobody has kept a head; and a journal that was written anew from some line on, with all links.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::segments::{self, Found, Lines, Segment};
use crate::journal::chain::{self, Link};
use crate::journal::line::{self, Body, Line};
use crate::journal::seal;

/// How often an end without a line feed is read again: a bridge may be writing it.
const TORN_READS_MAX: usize = 64;
/// Between two words about the progress.
const TOLD_BYTES: u64 = 4 * 1024 * 1024;

/// Where the chain stood at some line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub link: Link,
}

impl std::str::FromStr for Head {
    type Err = String;

    /// Reads `<number>:<64 hexadecimal digits>`.
    fn from_str(text: &str) -> Result<Head, String> {
        let head = text
            .split_once(':')
            .and_then(|(seq, link)| Some(Head { seq: seq.parse().ok()?, link: chain::read_link(link)? }));
        head.ok_or_else(|| format!("expected `<number>:<64 hexadecimal digits>`, found `{text}`"))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.seq, chain::hexadecimal(&self.link))
    }
}

/// What is wrong, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Changed,
    Missing,
    Added,
    Reordered,
    Truncated,
}

impl Fault {
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Changed => "changed",
            Fault::Missing => "missing",
            Fault::Added => "added",
            Fault::Reordered => "reordered",
            Fault::Truncated => "truncated",
        }
    }
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub fault: Fault,
    /// The segment's file.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// For the owner: what was expected and what was found.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    pub lines: u64,
    pub segments: u64,
    /// Lines whose body was pruned.
    pub pruned: u64,
    /// Lines of which something was forgotten.
    pub forgotten: u64,
    /// The number of the first line, where earlier ones were pruned altogether.
    pub begins_at: Option<u64>,
    /// Where the chain stands at the last good line.
    pub head: Option<Head>,
    pub finding: Option<Finding>,
}

/// Verifies the segments of a folder. `expected`: heads that the owner has kept. `read` hears of bytes as they are read.
///
/// # Errors
/// A file cannot be read.
pub fn verify(folder: &Path, expected: &[Head], read: &mut dyn FnMut(u64)) -> Result<Report, String> {
    let segments = segments::list(folder)?;
    let mut check = Check { expected, ..Check::default() };
    for (position, segment) in segments.iter().enumerate() {
        check.report.segments += 1;
        if let Err(stop) = check.segment(segment, segments.get(position..).unwrap_or_default(), read) {
            match stop {
                Stop::Found(finding) => check.report.finding = Some(finding),
                Stop::Failed(error) => return Err(error),
            }
            return Ok(check.report);
        }
    }
    check.report.finding = check.at_end(segments.last());
    Ok(check.report)
}

enum Stop {
    Found(Finding),
    Failed(String),
}

impl From<String> for Stop {
    fn from(error: String) -> Stop {
        Stop::Failed(error)
    }
}

/// A first line whose predecessors are gone: a record further on must say where the chain stood before it.
struct Beginning {
    seq: u64,
    link: Link,
    digest: Link,
    is_vouched: bool,
    file: String,
}

#[derive(Default)]
struct Check<'a> {
    expected: &'a [Head],
    report: Report,
    beginning: Option<Beginning>,
    /// Where the chain stood at the end of each segment so far.
    ends: BTreeMap<u64, Link>,
}

/// The fields of a record that tells of pruning.
#[derive(Deserialize)]
struct Pruned {
    record: String,
    through: Option<u64>,
    chain: Option<String>,
}

impl Check<'_> {
    fn segment(&mut self, segment: &Segment, rest: &[Segment], read: &mut dyn FnMut(u64)) -> Result<(), Stop> {
        let mut lines = Lines::open(&segment.path, 0)?;
        let (mut number, mut torn, mut told) = (0, 0, 0);
        let is_last = rest.len() == 1;
        while let Some(found) = lines.next_line()? {
            let at = |fault, reason: String| Finding { fault, file: segment.name(), line: number + 1, reason };
            let text = match found {
                Found::Line { text, .. } => text,
                Found::Unreadable { reason, .. } => return Err(Stop::Found(at(Fault::Changed, reason.to_owned()))),
                Found::Torn { .. } if is_last && torn < TORN_READS_MAX => {
                    torn += 1;
                    std::thread::yield_now();
                    continue;
                }
                Found::Torn { bytes, .. } => {
                    let reason = format!("the last {bytes} bytes are no whole line");
                    return Err(Stop::Found(at(Fault::Truncated, reason)));
                }
            };
            let line = line::read(text).map_err(|reason| Stop::Found(at(Fault::Changed, reason.to_owned())))?;
            if number == 0 && line.seq != segment.first {
                let reason = format!("the file's name says {}, its first line is {}", segment.first, line.seq);
                return Err(Stop::Found(at(self.out_of_order(&line, rest)?, reason)));
            }
            if let Err((fault, reason)) = self.line(&line, segment) {
                let fault = if fault == Fault::Missing { self.out_of_order(&line, rest)? } else { fault };
                return Err(Stop::Found(at(fault, reason)));
            }
            number += 1;
            if lines.offset() - told >= TOLD_BYTES {
                read(lines.offset() - told);
                told = lines.offset();
            }
        }
        read(lines.offset() - told);
        self.ends.extend(self.report.head.map(|head| (head.seq, head.link)));
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>, segment: &Segment) -> Result<(), (Fault, String)> {
        let digest = line.body.digest();
        let before = match self.report.head {
            Some(head) => {
                let expected = head.seq + 1;
                if line.seq < expected {
                    return Err((Fault::Added, format!("expected line {expected}, found {} once more", line.seq)));
                }
                if line.seq > expected {
                    return Err((Fault::Missing, format!("expected line {expected}, found {}", line.seq)));
                }
                Some(head.link)
            }
            None if line.seq == 1 => Some(chain::genesis()),
            None => None,
        };
        match before {
            Some(before) if chain::link(&before, line.seq, &digest) != line.link => {
                return Err((Fault::Changed, format!("line {} does not fit the chain", line.seq)));
            }
            Some(_) => {}
            None => {
                let (seq, link, file) = (line.seq, line.link, segment.name());
                self.beginning = Some(Beginning { seq, link, digest, is_vouched: false, file });
                self.report.begins_at = Some(seq);
            }
        }
        self.body(line)?;
        let head = Head { seq: line.seq, link: line.link };
        if self.expected.iter().any(|expected| expected.seq == head.seq && expected.link != head.link) {
            return Err((
                Fault::Changed,
                format!("the chain stands elsewhere at line {} than the head says", head.seq),
            ));
        }
        self.report.head = Some(head);
        self.report.lines += 1;
        Ok(())
    }

    /// What the chain does not cover, and what the record says of the chain.
    fn body(&mut self, line: &Line<'_>) -> Result<(), (Fault, String)> {
        let body = match line.body {
            Body::Pruned(_) => {
                self.report.pruned += 1;
                let is_empty = line.open.is_empty();
                return if is_empty {
                    Ok(())
                } else {
                    Err((Fault::Changed, "it was pruned, yet something is open".to_owned()))
                };
            }
            Body::Whole(body) => body,
        };
        if !line.open.is_empty() {
            seal::check(body, line.open).map_err(|error| (Fault::Changed, format!("line {}: {error}", line.seq)))?;
        } else if body.contains("{\"sealed\":") {
            self.report.forgotten += 1;
        }
        if let Some(beginning) = &mut self.beginning
            && body.contains("\"pruned\"")
            && let Ok(Pruned { record, through: Some(through), chain: Some(chain) }) = serde_json::from_str(body)
            && record == "pruned"
        {
            let before = chain::read_link(&chain);
            if through.checked_add(1) == Some(beginning.seq) {
                let link = before.map(|before| chain::link(&before, beginning.seq, &beginning.digest));
                if link != Some(beginning.link) {
                    let reason = format!("line {} is not the one before which was pruned", beginning.seq);
                    return Err((Fault::Changed, reason));
                }
                beginning.is_vouched = true;
            }
            // It was to be pruned further than it was, and a crash came between.
            beginning.is_vouched |= before.is_some() && self.ends.get(&through).copied() == before;
        }
        Ok(())
    }

    /// Whether the line that was expected comes later. Then nothing is missing.
    fn out_of_order(&self, line: &Line<'_>, rest: &[Segment]) -> Result<Fault, String> {
        let expected = self.report.head.map_or(1, |head| head.seq + 1);
        if line.seq < expected {
            return Ok(Fault::Added);
        }
        for segment in rest {
            let mut lines = Lines::open(&segment.path, 0)?;
            while let Some(found) = lines.next_line()? {
                match found {
                    Found::Line { text, .. } if line::read(text).is_ok_and(|line| line.seq == expected) => {
                        return Ok(Fault::Reordered);
                    }
                    Found::Line { .. } | Found::Unreadable { .. } => {}
                    Found::Torn { .. } => break,
                }
            }
        }
        Ok(Fault::Missing)
    }

    fn at_end(&self, last: Option<&Segment>) -> Option<Finding> {
        let file = last.map_or_else(String::new, Segment::name);
        if let Some(beginning) = self.beginning.as_ref().filter(|beginning| !beginning.is_vouched) {
            let reason = format!("nothing stands before line {}, and no record says that it was pruned", beginning.seq);
            return Some(Finding { fault: Fault::Missing, file: beginning.file.clone(), line: 1, reason });
        }
        let reached = self.report.head.map_or(0, |head| head.seq);
        let head = self.expected.iter().find(|head| head.seq > reached)?;
        let reason = format!("the journal ends at line {reached}, the head is {}", head.seq);
        Some(Finding { fault: Fault::Truncated, file, line: self.report.lines, reason })
    }
}
