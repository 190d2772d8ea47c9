//! Approved commands that wait until the store no longer has them as held.
//!
//! A command that left before would be asked about again after a crash, and a second yes would let it out twice. What
//! cannot be stored keeps nothing back: the store says when a writing has ended, well or badly.

use std::collections::VecDeque;

use crate::model::permit::Permit;
use crate::shell::store::Store;

#[derive(Debug, Default)]
pub(super) struct HeldBack(VecDeque<(u64, Permit)>);

impl HeldBack {
    /// This command leaves when all that the store was told so far is written.
    pub(super) fn push(&mut self, permit: Permit, store: &Store) {
        self.0.push_back((store.noted(), permit));
    }

    /// The next command that may leave now.
    pub(super) fn next(&mut self, store: &Store) -> Option<Permit> {
        let is_written = self.0.front().is_some_and(|(noted, _)| store.has_tried(*noted));
        if is_written { self.drop_next() } else { None }
    }

    /// The next command, whether it may leave or not: it will not.
    pub(super) fn drop_next(&mut self) -> Option<Permit> {
        self.0.pop_front().map(|(_, permit)| permit)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
