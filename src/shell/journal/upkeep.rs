//! Retention, beside the bridge: at its start, once a day, and whenever a segment was filled within its day, so that a
//! flood of records does not fill the disk until tomorrow. On a thread of its own.
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
    /// Another look is wanted when this one is over.
    is_hurried: bool,
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
        Upkeep { folder, log, state: idle(Duration::ZERO), is_hurried: false, stop: Arc::default() }
    }

    /// Looks at once, or again as soon as what goes on now is over.
    pub fn hurry(&mut self) {
        match self.state {
            State::Idle(_) => self.state = idle(Duration::ZERO),
            State::Pruning(_) | State::Removing(_) => self.is_hurried = true,
        }
    }

    /// How long until the next look.
    fn rest(&mut self) -> State {
        let is_hurried = std::mem::take(&mut self.is_hurried);
        idle(if is_hurried { Duration::ZERO } else { INTERVAL })
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
                    self.state = self.rest();
                    return plan;
                }
                State::Removing(removing) => {
                    let removed = removing.await.unwrap_or_else(|error| Err(broke_off(&error)));
                    self.state = self.rest();
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

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the paused clock of the test is looked at")]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_looks_at_once_daily_and_whenever_it_is_hurried() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut upkeep = Upkeep::new(folder.path().to_owned(), Log::default());
        let mut waited = async |hurries: bool| {
            if hurries {
                upkeep.hurry();
            }
            let begun = tokio::time::Instant::now();
            assert_eq!(upkeep.next(|| Timestamp::UNIX_EPOCH).await, Ok(Plan::default()));
            begun.elapsed().as_secs()
        };
        assert_eq!((waited(false).await, waited(true).await), (0, 0));
        assert_eq!(waited(false).await / 3_600, 24);
    }
}
