//! Takes old records out of the journal: a body whose time is over leaves its digest, so that the chain holds; segments of
//! which nothing else is left go, oldest first. Where all of them are too large, the bodies of what is ordinary go first,
//! then whole segments: a flood of the one must not push out the other.
//!
//! The segment that is written to is never touched. A segment is rewritten beside the old one and takes its place whole.
//! What goes altogether is only planned here: the journal must say so first, so that a chain that begins late is never
//! without its reason.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::disk;
use super::segments::{self, Segment, UPKEEP_LOCK};
use crate::config::Log;
use crate::journal::chain::{self, Link};
use crate::journal::line::{self, Body, Line};
use crate::journal::retention::Outline;
use crate::model::action::Class;
use crate::model::event::Entry;

/// What stands for a body that is gone: `#` and its digest.
const DIGEST_CHARACTERS: usize = 65;

/// What was taken out, and what may go altogether.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Records that are not in the journal any more, or will not be when `remove` is gone.
    pub entries: u64,
    pub remove: Vec<Segment>,
    /// The last record of the last segment that goes, and its link.
    pub through: Option<(u64, Link)>,
}

impl Plan {
    /// What the journal must say of it. `None`: nothing.
    pub fn entry(&self) -> Option<Entry> {
        (self.entries > 0 || self.through.is_some()).then(|| Entry::Pruned {
            entries: self.entries,
            through: self.through.map(|(seq, _)| seq),
            chain: self.through.map(|(_, link)| chain::hexadecimal(&link)),
        })
    }
}

/// Takes out what is past, and says which segments may go. Ends early, with what it has, where `stop` is set.
///
/// # Errors
/// For the owner: a file could not be read or written, or another program is at it.
pub fn prune(folder: &Path, log: &Log, now: Timestamp, stop: &AtomicBool) -> Result<Plan, String> {
    let failed = |error: io::Error| format!("old records cannot be taken out of `{}`: {error}", folder.display());
    let mut closed = segments::list(folder).map_err(failed)?;
    if closed.pop().is_none() || closed.is_empty() {
        return Ok(Plan::default());
    }
    let _lock = segments::lock(folder, UPKEEP_LOCK).map_err(failed)?;
    let mut plan = Plan::default();
    let mut is_oldest = true;
    for segment in &closed {
        if stop.load(Ordering::Relaxed) {
            return Ok(plan);
        }
        let pruned = prune_segment(segment, &|line| is_past(line, log, now)).map_err(failed)?;
        plan.entries = plan.entries.saturating_add(pruned.entries);
        is_oldest &= pruned.is_empty;
        if is_oldest {
            plan.remove.push(segment.clone());
            plan.through = pruned.last.or(plan.through);
        }
    }
    make_room(&mut plan, &closed, log.size_bytes, stop).map_err(failed)?;
    Ok(plan)
}

/// Removes what was planned. A crash in between leaves the newer ones, which go the next time.
///
/// # Errors
/// As for `prune`.
pub fn remove(folder: &Path, planned: &[Segment]) -> Result<(), String> {
    let failed = |error: io::Error| format!("old records cannot be taken out of `{}`: {error}", folder.display());
    let _lock = segments::lock(folder, UPKEEP_LOCK).map_err(failed)?;
    for segment in planned {
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    disk::sync_folder(folder).map_err(failed)
}

/// Takes out what is ordinary, and then plans to remove whole segments, oldest first, until the closed ones are small
/// enough.
fn make_room(plan: &mut Plan, closed: &[Segment], bytes_max: u64, stop: &AtomicBool) -> io::Result<()> {
    let (_, rest) = closed.split_at(plan.remove.len().min(closed.len()));
    let mut bytes = 0_u64;
    for segment in rest {
        bytes = bytes.saturating_add(fs::metadata(&segment.path)?.len());
    }
    for segment in rest {
        if bytes <= bytes_max || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let before = fs::metadata(&segment.path)?.len();
        plan.entries = plan.entries.saturating_add(prune_segment(segment, &makes_room)?.entries);
        bytes = bytes.saturating_sub(before).saturating_add(fs::metadata(&segment.path)?.len());
    }
    for segment in rest {
        if bytes <= bytes_max {
            break;
        }
        bytes = bytes.saturating_sub(fs::metadata(&segment.path)?.len());
        let mut last = None;
        each_line(&segment.path, |_, line| {
            plan.entries += u64::from(line.is_some_and(|line| matches!(line.body, Body::Whole(_))));
            last = line.map(|line| (line.seq, line.link)).or(last);
            Ok(())
        })?;
        plan.through = last.or(plan.through);
        plan.remove.push(segment.clone());
    }
    Ok(())
}

/// One segment after it was looked through.
struct Pruned {
    entries: u64,
    /// Nothing but digests is left.
    is_empty: bool,
    last: Option<(u64, Link)>,
}

/// Takes out of a segment the bodies of the lines that go.
fn prune_segment(segment: &Segment, goes: &dyn Fn(&Line<'_>) -> bool) -> io::Result<Pruned> {
    let mut pruned = Pruned { entries: 0, is_empty: true, last: None };
    each_line(&segment.path, |_, line| {
        match line {
            Some(line) if goes(&line) => pruned.entries += 1,
            Some(Line { body: Body::Pruned(_), .. }) => {}
            // What cannot be read is not thrown away by a program.
            Some(_) | None => pruned.is_empty = false,
        }
        pruned.last = line.map(|line| (line.seq, line.link)).or(pruned.last);
        Ok(())
    })?;
    if pruned.entries > 0 {
        rewrite(&segment.path, goes)?;
    }
    Ok(pruned)
}

fn is_past(line: &Line<'_>, log: &Log, now: Timestamp) -> bool {
    match line.body {
        Body::Whole(body) => Outline::read(body).is_some_and(|outline| outline.is_past(now, log)),
        Body::Pruned(_) => false,
    }
}

/// Whether a line is ordinary, and smaller without its body.
fn makes_room(line: &Line<'_>) -> bool {
    match line.body {
        Body::Whole(body) if body.len() + line.open.len() > DIGEST_CHARACTERS => {
            Outline::read(body).is_some_and(|outline| outline.class == Class::Ordinary)
        }
        Body::Whole(_) | Body::Pruned(_) => false,
    }
}

fn rewrite(path: &Path, goes: &dyn Fn(&Line<'_>) -> bool) -> io::Result<()> {
    let new = path.with_extension("log.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // Nothing, or what a run left that ended here.
        _ => {}
    }
    let mut file = BufWriter::new(disk::private(OpenOptions::new().write(true).create_new(true), &new)?);
    each_line(path, |bytes, line| match line {
        Some(line) if goes(&line) => {
            let digest = format!("#{}", chain::hexadecimal(&line.body.digest()));
            file.write_all(line::write(line.seq, &line.link, &digest, "").as_bytes())
        }
        _ => file.write_all(bytes),
    })?;
    let file: File = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), disk::sync_folder)
}

/// Goes through a file, line by line, with line feeds; `None`: it is no line of a journal.
fn each_line(path: &Path, mut take: impl FnMut(&[u8], Option<Line<'_>>) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufReader::new(OpenOptions::new().read(true).open(path)?);
    let mut bytes = Vec::new();
    while file.read_until(b'\n', &mut bytes)? > 0 {
        let text = std::str::from_utf8(&bytes).ok().map(|text| text.strip_suffix('\n').unwrap_or(text));
        take(&bytes, text.and_then(|text| line::read(text).ok()))?;
        bytes.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
