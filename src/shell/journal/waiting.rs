//! Records that could not be written yet. They are kept in their order, within bounds; what is beyond is counted.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::journal::seal::Sealed;

/// Records that wait at one time.
pub const WAITING_MAX: usize = 10_000;
/// Their bytes together.
pub const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One sealed record.
#[derive(Debug)]
pub(super) struct Waits {
    pub(super) at: Timestamp,
    pub(super) sealed: Sealed,
}

impl Waits {
    fn bytes(&self) -> usize {
        self.sealed.body.len() + self.sealed.open.len()
    }
}

/// Records that are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) count: u64,
    pub(super) since: Timestamp,
}

/// What is to be written, oldest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    records: VecDeque<Waits>,
    bytes: usize,
    lost: Option<Lost>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.lost.is_none()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Waits> {
        self.records.iter()
    }

    /// After the first one that was lost, all are: the count must not stand among records that came later.
    pub(super) fn push(&mut self, waits: Waits) {
        let is_full = self.records.len() >= WAITING_MAX || self.bytes + waits.bytes() > WAITING_BYTES_MAX;
        if is_full || self.lost.is_some() {
            self.lose(waits.at);
        } else {
            self.bytes += waits.bytes();
            self.records.push_back(waits);
        }
    }

    /// Puts a record before all others, whatever the bounds: it tells of the journal itself.
    pub(super) fn push_first(&mut self, waits: Waits) {
        self.bytes += waits.bytes();
        self.records.push_front(waits);
    }

    pub(super) fn lose(&mut self, at: Timestamp) {
        let lost = self.lost.get_or_insert(Lost { count: 0, since: at });
        lost.count = lost.count.saturating_add(1);
    }

    /// Forgets the oldest `count` records: they are written.
    pub(super) fn written(&mut self, count: usize) {
        self.bytes = self
            .records
            .drain(..count.min(self.records.len()))
            .fold(self.bytes, |bytes, written| bytes - written.bytes());
    }

    /// What was lost, once everything before it is written.
    pub(super) fn take_lost(&mut self) -> Option<Lost> {
        if self.records.is_empty() { self.lost.take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(bytes: usize) -> Waits {
        Waits { at: Timestamp::UNIX_EPOCH, sealed: Sealed { body: "x".repeat(bytes), open: String::new() } }
    }

    #[test]
    fn what_is_beyond_the_bounds_is_counted() {
        for (bytes, fit) in [(1, WAITING_MAX), (WAITING_BYTES_MAX / 2, 2)] {
            let mut waiting = Waiting::default();
            for _ in 0..fit {
                waiting.push(waits(bytes));
            }
            assert_eq!((waiting.records().count(), waiting.lost), (fit, None));
            waiting.push(waits(bytes));
            waiting.push(waits(bytes));
            assert_eq!((waiting.records().count(), waiting.take_lost()), (fit, None), "first what was before it");
            waiting.written(fit);
            assert_eq!(waiting.bytes, 0);
            assert_eq!(waiting.take_lost(), Some(Lost { count: 2, since: Timestamp::UNIX_EPOCH }));
            waiting.push(waits(bytes));
            assert_eq!((waiting.records().count(), waiting.is_empty()), (1, false));
        }
    }

    #[test]
    fn after_the_first_loss_a_small_record_does_not_slip_in() {
        let mut waiting = Waiting::default();
        waiting.push(waits(WAITING_BYTES_MAX));
        waiting.push(waits(1));
        waiting.written(1);
        waiting.push(waits(1));
        assert_eq!(waiting.take_lost().map(|lost| lost.count), Some(2));
    }
}
