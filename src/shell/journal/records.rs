//! The journal as the loop has it: its writer, its upkeep, and what the bridge knows of them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::disk::Files;
use super::upkeep::Upkeep;
use super::writer::Writer;
use crate::config::Config;
use crate::journal::seal::Salts;
use crate::model::event::{Event, Record};
use crate::shell::log::indexer::Indexer;
use crate::shell::seed::Seeds;

/// What the loop has of the journal.
#[derive(Debug)]
pub(in crate::shell) struct Records {
    pub(in crate::shell) writer: Writer<Files>,
    pub(in crate::shell) upkeep: Upkeep,
    /// `None`: it could not be started. Whoever asks reads the journal itself then.
    indexer: Option<Indexer>,
    sync_sensitive: bool,
    /// `false`: nothing is written, and it counts as written.
    pub(in crate::shell) is_kept: bool,
    /// The bridge was told that it fails.
    is_told: bool,
    /// The bridge is being told: what it answers is written, and may change again what there is to tell.
    is_telling: bool,
    /// The day whose head was told.
    day: Option<Date>,
}

impl Records {
    /// Must be called within the runtime.
    pub(in crate::shell) fn new(config: &Config, seeds: &Seeds) -> Records {
        let writer = Writer::new(&config.data, config.log.clone(), Salts::new(seeds.salts), Files::default());
        let upkeep = Upkeep::new(writer.folder().to_owned(), config.log.clone());
        let indexer = Indexer::start(&config.data).inspect_err(|error| tracing::warn!("{error}")).ok();
        let sync_sensitive = config.log.sync_sensitive;
        Records { writer, upkeep, indexer, sync_sensitive, is_kept: true, is_told: false, is_telling: false, day: None }
    }

    /// Writes a batch, and wakes up who indexes it. Nobody waits for the index.
    ///
    /// # Errors
    /// As for `Writer::write`.
    pub(in crate::shell) fn write<'r>(
        &mut self,
        now: Timestamp,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> Result<(), String> {
        if !self.is_kept {
            return Ok(());
        }
        let written = self.writer.write(now, records);
        if self.writer.take_filled() {
            self.upkeep.hurry();
        }
        if let Some(indexer) = &self.indexer {
            indexer.wake();
        }
        written
    }

    /// Whether a batch is in the journal, as surely as the owner wants it of what is sensitive. `recorded`: whether it was
    /// written.
    ///
    /// # Errors
    /// Why what needs its record must not leave.
    pub(in crate::shell) fn surely(&mut self, recorded: &mut Result<(), String>) -> Result<(), String> {
        if self.sync_sensitive && recorded.is_ok() {
            *recorded = self.writer.sync();
        }
        recorded.clone().map_err(|reason| format!("its record cannot be written: {reason}"))
    }

    /// What the bridge does not know yet: that the journal fails, or works again.
    pub(in crate::shell) fn news(&mut self) -> Option<Event> {
        let failure = self.writer.failure();
        if self.is_telling || failure.is_some() == self.is_told {
            return None;
        }
        (self.is_told, self.is_telling) = (failure.is_some(), true);
        Some(Event::Journal(failure.map_or(Ok(()), |failure| Err(failure.to_owned()))))
    }

    /// The bridge was told, and what it said of it is done.
    pub(in crate::shell) fn told(&mut self) {
        self.is_telling = false;
    }

    /// Whether a day has begun since the last call.
    pub(in crate::shell) fn is_new_day(&mut self, now: Timestamp) -> bool {
        let today = now.to_zoned(TimeZone::UTC).date();
        self.day.replace(today).is_some_and(|day| day != today)
    }
}
