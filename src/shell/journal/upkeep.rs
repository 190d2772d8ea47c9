//! Retention, beside the bridge: at its start and once a day, on a thread of its own.
//!
//! What it must not do is in `prune`. Here is when, and that the journal speaks before segments go.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Sleep;

use super::prune::{self, Plan};
use super::segments::Segment;
use crate::config::Log;

/// How often old records are looked for.
const INTERVAL: Duration = Duration::from_hours(24);

/// Looks for old records.
pub struct Upkeep {
    folder: PathBuf,
    log: Log,
    state: State,
    stop: Arc<AtomicBool>,
}

impl std::fmt::Debug for Upkeep {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Upkeep").field("folder", &self.folder).finish_non_exhaustive()
    }
}

enum State {
    Idle(Pin<Box<Sleep>>),
    Pruning(JoinHandle<Result<Plan, String>>),
    Removing(JoinHandle<Result<(), String>>),
}

impl Upkeep {
    /// `folder`: that of the segments. The first look is at once. Must be called within the runtime.
    pub fn new(folder: PathBuf, log: Log) -> Upkeep {
        Upkeep { folder, log, state: idle(Duration::ZERO), stop: Arc::default() }
    }

    /// The next result: what was taken out, and what is to go when the journal has said so (`remove`).
    ///
    /// # Errors
    /// For the owner: why nothing was taken out, this time.
    pub async fn next(&mut self, now: impl Fn() -> Timestamp) -> Result<Plan, String> {
        loop {
            match &mut self.state {
                State::Idle(sleep) => {
                    sleep.await;
                    let (folder, log, stop) = (self.folder.clone(), self.log.clone(), Arc::clone(&self.stop));
                    let now = now();
                    self.state = State::Pruning(spawn_blocking(move || prune::prune(&folder, &log, now, &stop)));
                }
                State::Pruning(pruning) => {
                    let plan = pruning.await.unwrap_or_else(|error| Err(broke_off(&error)));
                    self.state = idle(INTERVAL);
                    return plan;
                }
                State::Removing(removing) => {
                    let removed = removing.await.unwrap_or_else(|error| Err(broke_off(&error)));
                    self.state = idle(INTERVAL);
                    removed?;
                }
            }
        }
    }

    /// Lets planned segments go. Their record is in the journal.
    pub fn remove(&mut self, planned: Vec<Segment>) {
        let folder = self.folder.clone();
        self.state = State::Removing(spawn_blocking(move || prune::remove(&folder, &planned)));
    }
}

impl Drop for Upkeep {
    /// The program ends: what is not looked through yet waits for the next start.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn idle(duration: Duration) -> State {
    State::Idle(Box::pin(tokio::time::sleep(duration)))
}

fn broke_off(error: &tokio::task::JoinError) -> String {
    format!("taking old records out of the journal broke off: {error}")
}
