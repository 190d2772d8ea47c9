//! Reading the owner's log: its segments, the index over them, questions, verification, forgetting.
//!
//! What a line holds is the affair of `journal`; writing and pruning are that of the shell's `journal`. Nothing here
//! decides anything, and nothing here is needed for the bridge to run: without an index everything is read.

pub mod forget;
pub mod index;
pub mod indexer;
pub mod outline;
pub mod reading;
pub mod segments;
pub mod select;
pub mod verify;

use std::path::{Path, PathBuf};

/// The index, in the folder of the data. It can be made again from the segments at any time.
pub const INDEX_FILE: &str = "index.db";

/// Where the segments lie.
pub fn journal_folder(data: &Path) -> PathBuf {
    data.join(super::journal::segments::FOLDER)
}

/// Where the index lies.
pub fn index_file(data: &Path) -> PathBuf {
    data.join(INDEX_FILE)
}

#[cfg(test)]
mod tests;
