//! The files of the journal: their names, their locks, and where the last run stopped writing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk;
use crate::journal::chain::{self, Link};
use crate::journal::line::{self, Body, LINE_BYTES_MAX};
use crate::journal::retention::Outline;
use crate::model::event::Entry;

/// The folder of the segments, in the folder `data`.
pub const FOLDER: &str = "journal";
/// Who writes the journal has locked this file, so that no second program does.
pub const WRITER_LOCK: &str = "writer";
/// Who takes old records out, or makes the program forget, has locked this file meanwhile.
pub const UPKEEP_LOCK: &str = "lock";
/// A segment of this size is closed, and a new one begun. One batch of records can go beyond it.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Digits of the number in a segment's name.
const NAME_DIGITS: usize = 12;
const NAME_ENDING: &str = ".log";
/// How much of a segment's end is read to find its last line: that line, and one before it.
const TAIL_BYTES_MAX: u64 = 2 * LINE_BYTES_MAX as u64;

/// One file of the journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// The number of its first record.
    pub first: u64,
    pub path: PathBuf,
}

impl Segment {
    /// Its name without the folder, for messages.
    pub fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// The name of the segment that begins with this record.
pub fn file_name(first: u64) -> String {
    format!("{first:0NAME_DIGITS$}{NAME_ENDING}")
}

/// The segment that begins with this record.
pub fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(file_name(first))
}

fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(NAME_ENDING)?;
    let is_name = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_name { digits.parse().ok() } else { None }
}

/// All segments of a folder, oldest first. Other files are left out.
///
/// # Errors
/// The folder cannot be read. One that is not there has no segments.
#[expect(clippy::disallowed_methods, reason = "the folder is the journal's own")]
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry?;
        let first = entry.file_name().to_str().and_then(first_of);
        segments.extend(first.map(|first| Segment { first, path: entry.path() }));
    }
    segments.sort();
    Ok(segments)
}

/// Takes a lock of the folder, for as long as the file that is given back is open.
///
/// # Errors
/// It cannot be taken; `WouldBlock` where another program has it.
pub fn lock(folder: &Path, name: &str) -> io::Result<File> {
    let file = disk::private(OpenOptions::new().write(true).create(true), &folder.join(name))?;
    file.try_lock()?;
    Ok(file)
}

/// Where the chain stands: the last record that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// 0: there is none yet.
    pub seq: u64,
    pub chain: Link,
    pub at: Timestamp,
}

/// Where an earlier run stopped.
#[derive(Debug)]
pub struct Tail {
    pub head: Head,
    /// The segment that can be gone on with, and its length. `None`: a new one must be begun.
    pub open: Option<(PathBuf, u64)>,
    /// What was found to be wrong, to be told in the journal itself.
    pub found: Vec<Entry>,
}

/// Finds the last line, cuts off what is torn behind it, and puts aside what cannot be used. `now` names what is put
/// aside, and stands for a time that is not known any more.
///
/// # Errors
/// A file or the folder cannot be read, cut or renamed.
pub fn find_tail(folder: &Path, now: Timestamp) -> io::Result<Tail> {
    let mut found = Vec::new();
    let mut is_last = true;
    for Segment { first, path } in list(folder)?.into_iter().rev() {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        let (end, last) = match look(&mut file, first)? {
            Look::Empty => {
                fs::remove_file(&path)?;
                continue;
            }
            Look::Torn { whole_bytes, torn_bytes, last } => {
                file.set_len(whole_bytes)?;
                file.sync_data()?;
                found.push(Entry::Torn { bytes: torn_bytes });
                (whole_bytes, last)
            }
            Look::Whole { bytes, last } => (bytes, Some(last)),
            Look::Damaged { last } => {
                is_last = false;
                let reason = "its last lines are no records; a new segment begins".to_owned();
                found.push(Entry::StateLost { file: path.display().to_string(), reason });
                (0, last)
            }
        };
        let Some(head) = last.map(|last| last.head(now)) else {
            // Nothing in it tells where the chain stands. Its name is wanted for what goes on from the segment before.
            if end == 0 && fs::metadata(&path)?.len() == 0 {
                fs::remove_file(&path)?;
            } else {
                fs::rename(&path, path.with_extension(format!("log.damaged-{}", now.as_second())))?;
            }
            continue;
        };
        return Ok(Tail { head, open: is_last.then_some((path, end)), found });
    }
    Ok(Tail { head: Head { seq: 0, chain: chain::genesis(), at: now }, open: None, found })
}

/// What is at the end of a segment.
enum Look {
    Empty,
    Whole {
        bytes: u64,
        last: Last,
    },
    /// A line without its end. `last`: the one before it.
    Torn {
        whole_bytes: u64,
        torn_bytes: u64,
        last: Option<Last>,
    },
    /// `last`: the last line that can be read.
    Damaged {
        last: Option<Last>,
    },
}

/// A line, as far as the chain needs it.
struct Last {
    seq: u64,
    link: Link,
    at: Option<Timestamp>,
}

impl Last {
    fn head(self, now: Timestamp) -> Head {
        Head { seq: self.seq, chain: self.link, at: self.at.unwrap_or(now) }
    }
}

fn look(file: &mut File, first: u64) -> io::Result<Look> {
    let bytes = file.metadata()?.len();
    let from = bytes.saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut end)?;
    if end.is_empty() {
        return Ok(Look::Empty);
    }
    let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let torn = end.len() - whole;
    if torn > LINE_BYTES_MAX {
        return Ok(Look::Damaged { last: None });
    }
    let lines = end.get(..whole).unwrap_or_default();
    let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
    let mut readable = lines.rsplit(|byte| *byte == b'\n').map(|line| read(line, first));
    let last = readable.next().flatten();
    let (whole_bytes, torn_bytes) = (from + whole as u64, torn as u64);
    Ok(match last {
        Some(last) if torn == 0 => Look::Whole { bytes: whole_bytes, last },
        Some(last) => Look::Torn { whole_bytes, torn_bytes, last: Some(last) },
        None if whole_bytes == 0 => Look::Torn { whole_bytes, torn_bytes, last: None },
        None => Look::Damaged { last: readable.flatten().next() },
    })
}

/// A segment holds no record from before its first one.
fn read(line: &[u8], first: u64) -> Option<Last> {
    let line = line::read(std::str::from_utf8(line).ok()?).ok().filter(|line| line.seq >= first)?;
    let at = match line.body {
        Body::Whole(body) => Some(Outline::read(body)?.at),
        Body::Pruned(_) => None,
    };
    Some(Last { seq: line.seq, link: line.link, at })
}
