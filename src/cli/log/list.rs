//! `hushgate log` itself: the records that are wanted, in order.

use clap::Args;

use super::filter::{FilterArguments, has_words};
use super::output::Output;
use super::place::PlaceArguments;
use super::{Format, Stop};
use crate::cli::Exit;
use crate::cli::terminal::{self, Progress};
use crate::shell::clock::Clock;
use crate::shell::log::reading::{Reading, Records};
use crate::shell::log::segments::Place;

/// How many are told where neither a moment nor a number is given.
const LIMIT_DEFAULT: usize = 50;

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    filter: FilterArguments,
    /// Only the last so many. Without this and without `--since`: 50.
    #[arg(short = 'n', long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// For whom it is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn execute(arguments: &ListArguments) -> Result<Exit, Stop> {
    let place = arguments.place.find()?;
    let selection = arguments.filter.selection(Clock::new().now().utc, &place.zone)?;
    let words = arguments.filter.words();
    let reading = open(&place.data)?;
    let (mut records, mut searched) = (Records::new(&place.data), Records::new(&place.data));
    let mut output = Output::new(arguments.format, place.zone);
    let mut accept = |place: Place| {
        if words.is_empty() {
            return Ok(true);
        }
        Ok(searched.fetch(place)?.is_some_and(|kept| has_words(&kept.opened.value, &words)))
    };
    let mut progress = Progress::new("reading the journal", reading.bytes_to_scan()?);
    let mut scanned = |bytes| progress.advance(bytes);
    match arguments.limit.or_else(|| arguments.filter.since.is_none().then_some(LIMIT_DEFAULT)) {
        Some(limit) => {
            let places = reading.latest(&selection, limit, &mut accept, &mut scanned)?;
            drop(progress);
            for place in places {
                if !output.write(&mut records, place)? {
                    break;
                }
            }
        }
        None => {
            let mut write = |place: Place| Ok(!accept(place)? || output.write(&mut records, place)?);
            reading.each(&selection, &mut write, &mut scanned)?;
        }
    }
    output.flush();
    Ok(Exit::Done)
}

/// Opens the journal, and says if there is an index that cannot be used.
pub(super) fn open(data: &std::path::Path) -> Result<Reading, Stop> {
    let reading = Reading::open(data)?;
    if let Some(problem) = &reading.problem {
        terminal::say(&format!("{problem}; all of the journal is read instead"));
        terminal::help("the bridge makes the index anew while it runs, and so does `hushgate log rebuild`");
    }
    Ok(reading)
}
