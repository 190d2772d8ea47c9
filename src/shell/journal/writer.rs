//! Writes the journal: each batch of records with one `write(2)`, chained to what was there, before anything else is done.
//!
//! A batch is written whole or not at all: what a failed write leaves is cut off again before the next one. What cannot
//! be written waits and goes first when the disk works again. It does not know what a record means, nor what is held back
//! meanwhile: the engine is told that the journal fails, and decides that.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::disk::{self, Disk, Files};
use super::segments::{self, Head, SEGMENT_BYTES_MAX};
use super::waiting::{Lost, Waiting, Waits};
use crate::config::Log;
use crate::journal::chain;
use crate::journal::line::{self, LINE_BYTES_MAX};
use crate::journal::seal::{self, Salts, Sealed};
use crate::model::event::{Entry, Record};

/// Bytes that are written at once when many records have waited.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The bytes of a line besides its body and what is open: a number, a link, three tabs and the line feed.
const FRAME_BYTES_MAX: usize = 20 + 64 + 4;

/// Writes one journal.
pub struct Writer<D = Files> {
    folder: PathBuf,
    log: Log,
    salts: Salts,
    disk: D,
    /// `None`: the folder was not opened yet.
    opened: Option<Opened>,
    waiting: Waiting,
    failure: Option<String>,
    /// Kept between calls, so that a batch allocates no new one.
    buffer: String,
}

impl<D> std::fmt::Debug for Writer<D> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Writer")
            .field("folder", &self.folder)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

struct Opened {
    head: Head,
    segment: Option<Open>,
    /// A segment was full before its day was over: much is written, and there may be too much of it.
    is_filled: bool,
    /// Held as long as this runs.
    _lock: File,
}

/// The segment that is written to.
struct Open {
    path: PathBuf,
    /// Up to here all lines are whole.
    bytes: u64,
    day: Date,
    /// A write failed, and may have left something behind `bytes`.
    is_torn: bool,
    is_synced: bool,
}

impl<D: Disk> Writer<D> {
    /// `data`: the configured folder. Nothing is opened before the first record is written.
    pub fn new(data: &Path, log: Log, salts: Salts, disk: D) -> Writer<D> {
        Writer {
            folder: data.join(segments::FOLDER),
            log,
            salts,
            disk,
            opened: None,
            waiting: Waiting::default(),
            failure: None,
            buffer: String::new(),
        }
    }

    /// The folder of the segments.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why the journal cannot be written. `None`: it can.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The last record that is written. `None`: nobody could look yet, or there is none.
    pub fn head(&self) -> Option<Head> {
        self.opened.as_ref().map(|opened| opened.head).filter(|head| head.seq > 0)
    }

    /// Whether a segment was full before its day was over, since the last call.
    pub fn take_filled(&mut self) -> bool {
        self.opened.as_mut().is_some_and(|opened| std::mem::take(&mut opened.is_filled))
    }

    /// Writes a batch of records, after those that wait.
    ///
    /// # Errors
    /// Why they are not written, for the owner. They wait then, and nothing that needs them on record may happen. So it is
    /// where a record was longer than any line, and a gap stands for it, though the journal goes on.
    pub fn write<'r>(&mut self, now: Timestamp, records: impl IntoIterator<Item = &'r Record>) -> Result<(), String> {
        // What waits goes first, and makes room.
        let mut written = if self.waiting.is_empty() { Ok(()) } else { self.flush(now) };
        let mut is_too_long = false;
        for record in records {
            match seal::seal(record, &self.log, &mut self.salts) {
                Ok(sealed) => {
                    let sealed = within_a_line(sealed).unwrap_or_else(|| {
                        is_too_long = true;
                        gap(Lost { count: 1, since: record.at }, record.at, TOO_LONG.to_owned()).sealed
                    });
                    self.waiting.push(Waits { at: record.at, sealed });
                }
                Err(error) => {
                    self.waiting.lose(record.at);
                    written = Err(error);
                }
            }
        }
        if written.is_ok() {
            written = self.flush(now);
        }
        self.conclude(written)?;
        if is_too_long { Err(TOO_LONG.to_owned()) } else { Ok(()) }
    }

    /// Tries again, where writing has failed, and looks whether the segment is still there.
    ///
    /// # Errors
    /// As for `write`.
    pub fn retry(&mut self, now: Timestamp) -> Result<(), String> {
        if let Some(opened) = &mut self.opened {
            // Somebody has removed it: what is written from now on must not go where nobody can read it.
            opened.segment.take_if(|segment| !segment.path.exists());
        }
        if self.failure.is_none() {
            return Ok(());
        }
        let flushed = self.flush(now);
        self.conclude(flushed)
    }

    /// Waits until everything that was written is on the disk.
    ///
    /// # Errors
    /// As for `write`.
    pub fn sync(&mut self) -> Result<(), String> {
        let Some(segment) = self.opened.as_mut().and_then(|opened| opened.segment.as_mut()) else { return Ok(()) };
        if segment.is_synced {
            return Ok(());
        }
        let synced = self.disk.sync().map_err(|error| told(&segment.path, &error));
        segment.is_synced = synced.is_ok();
        self.conclude(synced)
    }

    fn conclude(&mut self, result: Result<(), String>) -> Result<(), String> {
        self.failure = result.as_ref().err().cloned();
        result
    }

    fn flush(&mut self, now: Timestamp) -> Result<(), String> {
        if self.opened.is_none() {
            self.open(now)?;
        }
        let Some(opened) = &mut self.opened else { return Ok(()) };
        // While it fails, one record is enough to find out whether it works again.
        let mut bytes_max = if self.failure.is_none() { BATCH_BYTES_MAX } else { 0 };
        loop {
            if let Some(lost) = self.waiting.take_lost() {
                let reason = self.failure.clone().unwrap_or_else(|| "it could not be written".to_owned());
                self.waiting.push_first(gap(lost, now, reason));
            }
            let (count, head) = batch(&mut self.buffer, &self.waiting, opened.head, bytes_max);
            mend(&mut self.disk, opened)?;
            if count == 0 {
                return Ok(());
            }
            turn_over(&mut self.disk, &self.folder, opened, now, self.buffer.len())?;
            append(&mut self.disk, opened, self.buffer.as_bytes())?;
            opened.head = head;
            self.waiting.written(count);
            bytes_max = BATCH_BYTES_MAX;
        }
    }

    /// Takes the lock, and finds where an earlier run stopped.
    fn open(&mut self, now: Timestamp) -> Result<(), String> {
        let failed = |error: io::Error| told(&self.folder, &error);
        disk::create_folder(&self.folder).map_err(failed)?;
        let lock = segments::lock(&self.folder, segments::WRITER_LOCK).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => format!("another program writes the journal in `{}`", self.folder.display()),
            _ => failed(error),
        })?;
        let tail = segments::find_tail(&self.folder, now).map_err(failed)?;
        // Told in the order in which it was found, before what waits.
        for entry in tail.found.into_iter().rev() {
            let record = Record { at: now, entry };
            self.waiting.push_first(Waits { at: now, sealed: seal::seal(&record, &self.log, &mut self.salts)? });
        }
        let segment = match tail.open {
            Some((path, bytes)) => {
                self.disk.open(&path).map_err(|error| told(&path, &error))?;
                // Whether the last run has synced is not known.
                Some(Open { path, bytes, day: day(tail.head.at), is_torn: false, is_synced: false })
            }
            None => None,
        };
        self.opened = Some(Opened { head: tail.head, segment, is_filled: false, _lock: lock });
        Ok(())
    }
}

/// Cuts off what a failed write has left.
fn mend(disk: &mut impl Disk, opened: &mut Opened) -> Result<(), String> {
    if let Some(segment) = opened.segment.as_mut().filter(|segment| segment.is_torn) {
        disk.cut(segment.bytes).map_err(|error| told(&segment.path, &error))?;
        segment.is_torn = false;
    }
    Ok(())
}

/// Begins a new segment where there is none, where the day has changed, or where the open one is full.
fn turn_over(
    disk: &mut impl Disk,
    folder: &Path,
    opened: &mut Opened,
    now: Timestamp,
    bytes: usize,
) -> Result<(), String> {
    let goes_on = opened.segment.as_ref().is_some_and(|segment| {
        segment.day == day(now) && segment.bytes.saturating_add(bytes as u64) <= SEGMENT_BYTES_MAX
    });
    if goes_on {
        return Ok(());
    }
    if let Some(segment) = opened.segment.as_mut().filter(|segment| !segment.is_synced) {
        disk.sync().map_err(|error| told(&segment.path, &error))?;
        segment.is_synced = true;
    }
    opened.is_filled |= opened.segment.as_ref().is_some_and(|segment| segment.day == day(now));
    let path = segments::path(folder, opened.head.seq.saturating_add(1));
    // Until it is open, the disk may have neither.
    opened.segment = None;
    disk.open(&path).map_err(|error| told(&path, &error))?;
    opened.segment = Some(Open { path, bytes: 0, day: day(now), is_torn: false, is_synced: true });
    Ok(())
}

/// One write, unless the disk takes it in parts. Where it fails, what it left is cut off at once, or before the next one.
fn append(disk: &mut impl Disk, opened: &mut Opened, bytes: &[u8]) -> Result<(), String> {
    let Some(segment) = &mut opened.segment else { return Err("no segment is open".to_owned()) };
    let mut rest = bytes;
    while !rest.is_empty() {
        let appended = match disk.append(rest) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            appended => appended,
        };
        match appended {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) => {
                segment.is_torn = disk.cut(segment.bytes).is_err();
                return Err(told(&segment.path, &error));
            }
        }
    }
    segment.bytes = segment.bytes.saturating_add(bytes.len() as u64);
    segment.is_synced = false;
    Ok(())
}

/// Writes lines of what waits into the buffer, at least one: how many, and where the chain stands after them.
fn batch(buffer: &mut String, waiting: &Waiting, head: Head, bytes_max: usize) -> (usize, Head) {
    buffer.clear();
    let (mut count, mut head) = (0, head);
    for waits in waiting.records() {
        let Sealed { body, open } = &waits.sealed;
        if count > 0 && buffer.len() + body.len() + open.len() > bytes_max {
            break;
        }
        head.seq = head.seq.saturating_add(1);
        head.chain = chain::link(&head.chain, head.seq, &chain::digest(body.as_bytes()));
        head.at = waits.at;
        line::push(buffer, head.seq, &head.chain, body, open);
        count += 1;
    }
    (count, head)
}

/// A record that no reader would take for a line loses what can be erased of it. `None`: that does not help.
fn within_a_line(sealed: Sealed) -> Option<Sealed> {
    let fits = |sealed: &Sealed| sealed.body.len() + sealed.open.len() + FRAME_BYTES_MAX <= LINE_BYTES_MAX;
    if fits(&sealed) {
        return Some(sealed);
    }
    let without = Sealed { open: String::new(), ..sealed };
    Some(without).filter(fits)
}

/// Why a gap stands for a record.
const TOO_LONG: &str = "a record was longer than 1 MiB";

fn gap(lost: Lost, at: Timestamp, reason: String) -> Waits {
    let record = Record { at, entry: Entry::Gap { lost: lost.count, since: lost.since, reason } };
    // Nothing in it can be erased.
    let body = serde_json::to_string(&record).unwrap_or_default();
    Waits { at, sealed: Sealed { body, open: String::new() } }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("`{}`: {error}", path.display())
}

#[cfg(test)]
mod tests;
