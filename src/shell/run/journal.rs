//! The loop's part of the journal: records are written, shown and counted, and the bridge hears when that fails.
//!
//! How they are written, and what goes when there is too much, is the journal's own affair.

use super::Run;
use crate::journal::{chain, told};
use crate::model::event::{Entry, Record};
use crate::shell::journal::prune::Plan;

impl Run {
    /// Tells the bridge when the journal begins to fail, and when it works again. What the bridge says of it is written at
    /// once; where that turns the tide, it is told the next time.
    pub(super) fn tell_journal(&mut self) {
        if self.records.writer.failure().is_some() {
            self.retry.ask();
        }
        if let Some(event) = self.records.news() {
            self.tell(event);
            self.records.told();
        }
    }

    /// Tries to write what could not be written.
    pub(super) fn retry_journal(&mut self) {
        // Whether it fails is told from what the writer then says of itself.
        self.records.writer.retry(self.clock.now().utc).unwrap_or_default();
        self.tell_journal();
    }

    /// Once a minute: what could not be written is tried again, and at a new day the head of the chain is told.
    pub(super) fn look_after_journal(&mut self) {
        self.retry_journal();
        if self.records.is_new_day(self.clock.now().utc) {
            self.tell_head();
        }
    }

    pub(super) fn tell_head(&mut self) {
        if let Some(head) = self.records.writer.head() {
            let message = self.bridge.journal_head(head.seq, &chain::hexadecimal(&head.chain), head.at);
            self.send(message);
        }
    }

    /// Old records were taken out. Segments go only when the journal says so.
    pub(super) fn pruned(&mut self, plan: Result<Plan, String>) {
        match plan {
            Ok(plan) => {
                if let Some(entry) = plan.entry() {
                    self.record(entry);
                }
                if !plan.remove.is_empty() && self.records.writer.failure().is_none() {
                    self.records.upkeep.remove(plan.remove);
                }
            }
            Err(error) => tracing::error!("{error}; the next attempt is tomorrow"),
        }
    }

    pub(super) fn record(&mut self, entry: Entry) {
        let record = Record { at: self.clock.now().utc, entry };
        // Nothing waits for this record; the bridge is told after the next batch that the journal fails.
        self.write([&record]).unwrap_or_default();
        self.show(&record);
    }

    /// Writes records into the journal, with one write.
    pub(super) fn write<'r>(&mut self, records: impl IntoIterator<Item = &'r Record>) -> Result<(), String> {
        let mut records = records.into_iter().peekable();
        if records.peek().is_none() {
            return Ok(());
        }
        self.records.write(self.clock.now().utc, records)
    }

    /// Counts a record, and tells of it in the program's own log.
    pub(super) fn show(&mut self, record: &Record) {
        self.health.recorded(record.at, &record.entry);
        self.journal.write(&told::told(record, &self.config.log));
    }
}
