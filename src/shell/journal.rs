//! The owner's log: on disk, where it is kept (`writer`), and as lines of the program's own log.
//!
//! Of those, the line for people says what happened; for machines the record's JSON stands beside it. Neither says more
//! than what may leave the house (`journal::told`): whoever calls `Journal::write` sees to that.

pub mod disk;
pub mod prune;
pub(super) mod records;
pub mod segments;
pub mod upkeep;
mod waiting;
pub mod writer;

pub use waiting::{WAITING_BYTES_MAX, WAITING_MAX};

use crate::model::event::Record;
use crate::shell::lines::{self, Palette};

/// The field with a record's JSON, which is sent as a text.
pub const RECORD_FIELD: &str = "record";

/// Writes records into the program's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// One line for people.
    Human,
    /// The same line, and the record as JSON in the field `record`.
    Json,
}

impl Journal {
    /// Writes one record. It is written when this returns.
    pub fn write(self, record: &Record) {
        let (is_warning, line) = lines::record(record, &Palette::PLAIN, None);
        match (self, is_warning) {
            (Journal::Human, false) => tracing::info!("{line}"),
            (Journal::Human, true) => tracing::warn!("{line}"),
            (Journal::Json, false) => tracing::info!(record = json(record), "{line}"),
            (Journal::Json, true) => tracing::warn!(record = json(record), "{line}"),
        }
    }
}

fn json(record: &Record) -> String {
    // A record is made of texts, numbers and times, which all have a form in JSON; should one fail all the same, the line
    // beside it still says what happened.
    serde_json::to_string(record).unwrap_or_default()
}
