//! `hushgate log follow`: records as they are written. It waits for changes of the folder, not for time.

use std::path::Path;
use std::sync::mpsc::sync_channel;

use clap::Args;
use notify::{RecursiveMode, Watcher};

use super::filter::{FilterArguments, has_words};
use super::list::open;
use super::output::Output;
use super::place::PlaceArguments;
use super::{Format, Stop};
use crate::cli::Exit;
use crate::journal::line;
use crate::shell::clock::Clock;
use crate::shell::log::reading::Records;
use crate::shell::log::segments::{self, Found, Lines, Place, Segment};
use crate::shell::log::select::Selection;
use crate::shell::log::{journal_folder, outline};

/// Records that are told first.
const LIMIT_DEFAULT: usize = 10;

#[derive(Debug, Args)]
pub(super) struct FollowArguments {
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    filter: FilterArguments,
    /// The last so many are told first.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = LIMIT_DEFAULT)]
    limit: usize,
    /// For whom it is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn execute(arguments: &FollowArguments) -> Result<Exit, Stop> {
    let place = arguments.place.find()?;
    let selection = arguments.filter.selection(Clock::new().now().utc, &place.zone)?;
    let words = arguments.filter.words();
    let folder = journal_folder(&place.data);
    let reading = open(&place.data)?;
    let (changed, changes) = sync_channel(1);
    // One change that waits is enough: all that was written before it is read then.
    let tell = move |event: notify::Result<notify::Event>| {
        // Reading is an event too, and must not wake up the reader.
        if event.is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        changed.try_send(()).unwrap_or(());
    };
    let mut watcher = notify::recommended_watcher(tell).map_err(watch_failed)?;
    watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(watch_failed)?;
    let mut tail = Tail::at_end(&folder)?;
    let (mut records, mut searched) = (Records::new(&place.data), Records::new(&place.data));
    let mut output = Output::new(arguments.format, place.zone);
    let mut accept = |place: Place| {
        if words.is_empty() {
            return Ok::<bool, String>(true);
        }
        Ok(searched.fetch(place)?.is_some_and(|kept| has_words(&kept.opened.value, &words)))
    };
    let last_seq = tail.last_seq;
    let mut accept_before = |place: Place| Ok(place.seq <= last_seq && accept(place)?);
    for place in reading.latest(&selection, arguments.limit, &mut accept_before, &mut |_| {})? {
        output.write(&mut records, place)?;
    }
    loop {
        tail.read(&selection, &mut |place| {
            if accept(place)? {
                output.write(&mut records, place)?;
            }
            Ok(())
        })?;
        // Where nobody reads any more, there is nothing left to do.
        if !output.flush() || changes.recv().is_err() {
            return Ok(Exit::Done);
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn watch_failed(error: notify::Error) -> String {
    format!("the folder of the journal cannot be watched: {error}")
}

/// The end of the journal, wherever it is.
struct Tail<'a> {
    folder: &'a Path,
    segment: Segment,
    lines: Lines,
    /// The last line that was read.
    last_seq: u64,
}

impl Tail<'_> {
    fn at_end(folder: &Path) -> Result<Tail<'_>, String> {
        let segment = segments::list(folder)?.pop().ok_or("the journal is gone")?;
        let lines = Lines::open(&segment.path, 0)?;
        let mut tail = Tail { folder, segment, lines, last_seq: 0 };
        tail.read_segment(&mut |_, _| Ok(()))?;
        Ok(tail)
    }

    /// What was written since the last time.
    fn read(&mut self, selection: &Selection, each: &mut dyn FnMut(Place) -> Result<(), String>) -> Result<(), String> {
        let mut take = |line: &line::Line<'_>, place: Place| match outline::of(line) {
            Some(outline) if selection.fits(&outline) => each(place),
            _ => Ok(()),
        };
        loop {
            // Looked for first: what stands in this segment after the next one has begun is all that ever will.
            let next = segments::list(self.folder)?.into_iter().find(|segment| segment.first > self.segment.first);
            self.read_segment(&mut take)?;
            let Some(next) = next else { return Ok(()) };
            self.lines = Lines::open(&next.path, 0)?;
            self.segment = next;
        }
    }

    fn read_segment(
        &mut self,
        each: &mut dyn FnMut(&line::Line<'_>, Place) -> Result<(), String>,
    ) -> Result<(), String> {
        while let Some(found) = self.lines.next_line()? {
            match found {
                Found::Torn { .. } => break,
                Found::Unreadable { .. } => {}
                Found::Line { offset, text } => {
                    let Ok(line) = line::read(text) else { continue };
                    self.last_seq = line.seq;
                    each(&line, Place { seq: line.seq, segment: self.segment.first, offset })?;
                }
            }
        }
        Ok(())
    }
}
