//! `hushgate log rebuild`: the index, made anew from the segments.

use clap::Args;

use super::Stop;
use super::place::PlaceArguments;
use super::verify::bytes;
use crate::cli::Exit;
use crate::cli::terminal::{self, Progress};
use crate::shell::log::index::{self, Failure, Index};
use crate::shell::log::reading::Reading;
use crate::shell::log::{index_file, journal_folder};

#[derive(Debug, Args)]
pub(super) struct RebuildArguments {
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn execute(arguments: &RebuildArguments) -> Result<Exit, Stop> {
    let place = arguments.place.find()?;
    // It says so where there is no journal at all.
    Reading::open(&place.data)?;
    let folder = journal_folder(&place.data);
    let file = index_file(&place.data);
    let mut progress = Progress::new("indexing", bytes(&folder)?);
    let mut rebuild = || {
        let mut index = Index::open(&file)?;
        index.clear()?;
        index.catch_up(&folder, &mut |bytes| progress.advance(bytes))
    };
    let rebuilt = rebuild().or_else(|failure: Failure| {
        if !failure.is_damaged {
            return Err(failure);
        }
        index::remove(&file)?;
        rebuild()
    });
    let entries = rebuilt.map_err(|failure| failure.text)?;
    drop(progress);
    terminal::print_line(&format!("{entries} records are in the index"));
    Ok(Exit::Done)
}
