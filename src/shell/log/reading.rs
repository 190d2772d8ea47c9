//! Reading records: by the index as far as it goes, and by the segments themselves from there on.
//!
//! Without an index, or with one that does not fit its segments, every line is looked at. The records are the same.

use std::collections::VecDeque;
use std::path::Path;

use super::index::{self, Index, Known};
use super::outline;
use super::segments::{self, Fetcher, Found, Lines, Place, Segment};
use super::select::{self, Selection};
use super::{index_file, journal_folder};
use crate::journal::line::{self, Body, Line};
use crate::journal::seal::{self, Opened};
use crate::model::event::{Entry, Record};

/// Records after another one that are looked at for what followed from it.
pub const FOLLOWING_MAX: usize = 8;

/// The journal, for one who asks.
#[derive(Debug)]
pub struct Reading {
    segments: Vec<Segment>,
    index: Option<Index>,
    known: Vec<Known>,
    /// Why there is an index that is not used. For the owner.
    pub problem: Option<String>,
}

/// One record, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub place: Place,
    pub opened: Opened,
}

impl Reading {
    /// Looks at what there is.
    ///
    /// # Errors
    /// For the owner: there is no journal, or it cannot be read.
    pub fn open(data: &Path) -> Result<Reading, String> {
        let folder = journal_folder(data);
        let segments = segments::list(&folder)?;
        if segments.is_empty() {
            return Err(format!(
                "there is no journal in `{}`\nhelp: name the bridge's configuration with `--config`, or its folder with \
                 `--data`",
                folder.display()
            ));
        }
        let mut reading = Reading { segments, index: None, known: Vec::new(), problem: None };
        reading.problem = reading.look(&index_file(data)).err();
        Ok(reading)
    }

    /// Takes the index if it has all of the first segments: what it does not have must come after what it has.
    fn look(&mut self, file: &Path) -> Result<(), String> {
        let Some(index) = Index::look(file).map_err(|failure| failure.text)? else { return Ok(()) };
        let known = index.known().map_err(|failure| failure.text)?;
        for (position, known_segment) in known.iter().enumerate() {
            let segment = self.segments.get(position).filter(|segment| segment.first == known_segment.first);
            let is_fit = match segment {
                None => false,
                Some(segment) if position + 1 < known.len() => index::length(&segment.path)? == known_segment.end,
                Some(segment) => index::is_unchanged(segment, known_segment, true)?,
            };
            if !is_fit {
                return Err("the index does not fit its segments".to_owned());
            }
        }
        (self.index, self.known) = (Some(index), known);
        Ok(())
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Bytes that a question must read since they are not in the index.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn bytes_to_scan(&self) -> Result<u64, String> {
        let unread = |(segment, end): (&Segment, u64)| Ok(index::length(&segment.path)?.saturating_sub(end));
        self.beyond_index().map(unread).sum()
    }

    /// The segments that are not wholly in the index, and from where on.
    fn beyond_index(&self) -> impl Iterator<Item = (&Segment, u64)> {
        let end = |segment: &Segment| {
            self.known.iter().find(|known| known.first == segment.first).map_or(0, |known| known.end)
        };
        let last_known = self.known.last().map_or(0, |known| known.first);
        self.segments
            .iter()
            .filter(move |segment| segment.first >= last_known)
            .map(move |segment| (segment, end(segment)))
    }

    /// Every record that is wanted, in order, until `each` says `false`. `scanned` hears of bytes as they are read.
    ///
    /// # Errors
    /// Something cannot be read, or `each` failed.
    pub fn each(
        &self,
        selection: &Selection,
        each: &mut dyn FnMut(Place) -> Result<bool, String>,
        scanned: &mut dyn FnMut(u64),
    ) -> Result<(), String> {
        let mut goes_on = true;
        if let Some(index) = &self.index {
            let mut each_indexed = |place| {
                goes_on = each(place)?;
                Ok(goes_on)
            };
            select::run(index, selection, false, &mut each_indexed).map_err(|failure| failure.text)?;
        }
        if goes_on { self.scan(selection, each, scanned) } else { Ok(()) }
    }

    /// The last records that are wanted and that `accept` takes, in order.
    ///
    /// # Errors
    /// Something cannot be read, or `accept` failed.
    pub fn latest(
        &self,
        selection: &Selection,
        count_max: usize,
        accept: &mut dyn FnMut(Place) -> Result<bool, String>,
        scanned: &mut dyn FnMut(u64),
    ) -> Result<Vec<Place>, String> {
        let mut places = VecDeque::new();
        let mut take_last = |place: Place| {
            if accept(place)? {
                if places.len() >= count_max {
                    places.pop_front();
                }
                places.push_back(place);
            }
            Ok(true)
        };
        if count_max > 0 {
            self.scan(selection, &mut take_last, scanned)?;
        }
        if let Some(index) = &self.index
            && places.len() < count_max
        {
            let mut take_first = |place: Place| {
                if accept(place)? {
                    places.push_front(place);
                }
                Ok(places.len() < count_max)
            };
            select::run(index, selection, true, &mut take_first).map_err(|failure| failure.text)?;
        }
        Ok(places.into())
    }

    fn scan(
        &self,
        selection: &Selection,
        each: &mut dyn FnMut(Place) -> Result<bool, String>,
        scanned: &mut dyn FnMut(u64),
    ) -> Result<(), String> {
        for (segment, end) in self.beyond_index() {
            let mut lines = Lines::open(&segment.path, end)?;
            let mut told = end;
            while let Some(found) = lines.next_line()? {
                let (offset, text) = match found {
                    Found::Torn { .. } => break,
                    Found::Unreadable { .. } => continue,
                    Found::Line { offset, text } => (offset, text),
                };
                if offset - told >= SCAN_TOLD_BYTES {
                    scanned(offset - told);
                    told = offset;
                }
                let outline = line::read(text).ok().and_then(|line| outline::of(&line));
                let Some(outline) = outline.filter(|outline| selection.fits(outline)) else { continue };
                if !each(Place { seq: outline.seq, segment: segment.first, offset })? {
                    return Ok(());
                }
            }
            scanned(lines.offset().saturating_sub(told));
        }
        Ok(())
    }
}

/// Between two words about the progress of a scan.
const SCAN_TOLD_BYTES: u64 = 1024 * 1024;

/// Reads single records.
#[derive(Debug)]
pub struct Records {
    fetcher: Fetcher,
}

impl Records {
    pub fn new(data: &Path) -> Records {
        Records { fetcher: Fetcher::new(&journal_folder(data)) }
    }

    /// Reads a record. `None`: it was pruned meanwhile.
    ///
    /// # Errors
    /// For the owner: it is not there.
    pub fn fetch(&mut self, place: Place) -> Result<Option<Kept>, String> {
        let seq = place.seq;
        let found = self.fetcher.from(place.segment, place.offset)?.next_line()?;
        let line = match found {
            Some(Found::Line { text, .. }) => line::read(text).ok().filter(|line| line.seq == seq),
            _ => None,
        };
        let Some(line) = line else {
            return Err(format!(
                "record {seq} is not where the index says\nhelp: make the index anew with `hushgate log rebuild`"
            ));
        };
        let Body::Whole(body) = line.body else { return Ok(None) };
        let opened = seal::open(body, line.open).map_err(|error| format!("record {seq}: {error}"))?;
        Ok(Some(Kept { place, opened }))
    }

    /// What was recorded in the same moment after a decision, up to the next decision: what followed from it. Only of its
    /// own segment.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub fn following(&mut self, place: Place) -> Result<Vec<(Place, Record)>, String> {
        let lines = self.fetcher.from(place.segment, place.offset)?;
        let mut following: Vec<(Place, Record)> = Vec::new();
        let mut at = None;
        while let Some(Found::Line { offset, text }) = lines.next_line()? {
            let Ok(Line { seq, body: Body::Whole(body), open, .. }) = line::read(text) else { break };
            let Ok(record) = seal::open(body, open).and_then(Opened::into_record) else { break };
            // The first one is the decision itself.
            let Some(at) = at else {
                at = Some(record.at);
                continue;
            };
            let is_decision = matches!(record.entry, Entry::Decision { .. });
            if is_decision || record.at != at || following.len() >= FOLLOWING_MAX {
                break;
            }
            following.push((Place { seq, segment: place.segment, offset }, record));
        }
        Ok(following)
    }
}
