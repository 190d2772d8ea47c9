//! The thread that keeps the index up to date while the bridge runs.
//!
//! It is told that something was written, and nobody waits for it: however long it stalls, the bridge goes on, and whoever
//! asks reads what is not indexed from the segments.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::index::{self, Failure, Index};
use super::{index_file, journal_folder, segments};

/// From the first record that is not indexed until it is: many come together, and each commit costs.
const GATHER: Duration = Duration::from_millis(500);

/// The running thread. It ends when this is dropped, after the batch that it is in.
#[derive(Debug)]
pub struct Indexer {
    wake: SyncSender<()>,
    /// The thread holds it as long as it lives.
    stop: SyncSender<()>,
}

impl Indexer {
    /// Starts it for this folder of data. It begins with what was written before.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(data: &Path) -> Result<Indexer, String> {
        // One wake-up that waits is enough: it finds everything that was written before it.
        let (wake, woken) = sync_channel(1);
        let (stop, stopped) = sync_channel(0);
        let data = data.to_owned();
        std::thread::Builder::new()
            .name("journal-index".to_owned())
            .spawn(move || follow(&data, &woken, &stopped))
            .map_err(|error| format!("no thread for the index of the journal: {error}"))?;
        let indexer = Indexer { wake, stop };
        indexer.wake();
        Ok(indexer)
    }

    /// Something was written, or the segments were changed. Never waits.
    pub fn wake(&self) {
        // Where one is waiting already, or the thread is gone, there is nothing to add.
        self.wake.try_send(()).unwrap_or(());
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        // Nobody listens unless the thread gathers just now; it sees that the channel is closed then.
        self.stop.try_send(()).unwrap_or(());
    }
}

fn follow(data: &Path, woken: &Receiver<()>, stopped: &Receiver<()>) {
    let mut index = None;
    let mut told = None;
    while woken.recv().is_ok() {
        match catch_up(&mut index, data) {
            Ok(()) => told = None,
            Err(failure) => {
                index = None;
                if failure.is_damaged {
                    // The next pass makes it anew. If it cannot be removed, that pass says so.
                    index::remove(&index_file(data)).unwrap_or(());
                }
                if told.as_ref() != Some(&failure) {
                    tracing::warn!("{}; `hushgate log` reads the journal itself meanwhile", failure.text);
                    told = Some(failure);
                }
            }
        }
        if stopped.recv_timeout(GATHER) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn catch_up(index: &mut Option<Index>, data: &Path) -> Result<(), Failure> {
    // Where nothing was ever written, nothing is made.
    if index.is_none() && segments::list(&journal_folder(data))?.is_empty() {
        return Ok(());
    }
    let open = match index.take() {
        Some(open) => open,
        None => Index::open(&index_file(data))?,
    };
    index.insert(open).catch_up(&journal_folder(data), &mut |_| {})?;
    Ok(())
}
