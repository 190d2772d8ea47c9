//! What outlives the process, on disk: `Durable`, in `state.db` in the configured folder.
//!
//! The store follows the changes with a copy of its own, and writes the rows that are different on another thread, all that
//! wait in one transaction; the thread of link and engine never waits for a disk. What is kept is a help for the next start
//! and never a condition of this run: a file that cannot be read or written is told, and the bridge goes on.
//!
//! It deliberately does not know what is to be done with what an earlier run left; the engine does (`engine/reload.rs`).
//! Changes of the last moments before a crash may be missing: what was recorded of them stands in the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use crate::model::durable::{Change, Durable};
use crate::model::entity::Guard;
use crate::model::time::At;

mod disk;
mod ends;
mod rows;
#[cfg(test)]
mod tests;

pub use disk::FILE_BYTES_MAX;
use disk::{Batch, Disk, Failure, Found};
use rows::{Kept, Key};

/// How far the two sides of the clock may move against each other until the pair is saved anew. What passes while the
/// bridge is away is counted from that pair.
const DRIFT_MS: u64 = 30_000;
/// The pair is saved at least so often, so that a clock that shows an earlier time at the next start is seen to be wrong.
const SAVED_AGE_MAX_MS: u64 = 24 * 3_600_000;

/// Follows the changes of `Durable`.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    kept: Kept,
    changed: BTreeSet<Key>,
    /// What is on the disk is not known to be what was kept before: the next batch is everything.
    is_everything: bool,
    /// There is something to write, and a reason to try.
    is_due: bool,
    has_failed: bool,
    /// When something was written last.
    saved: Option<At>,
    place: Place,
}

/// Where the file is handled.
#[derive(Debug)]
enum Place {
    Here(Disk),
    /// On the thread that writes. It gives the file back.
    Writing(JoinHandle<(Disk, At, Result<(), Failure>)>),
}

/// What an earlier run left.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    /// And when it was saved.
    pub saved: Option<(Durable, At)>,
    pub trouble: Option<Trouble>,
}

/// What stood in the way of reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It was not what was written, and is put aside. `problem` is for the owner.
    Lost { file: String, reason: String, problem: String },
    /// It cannot be read now. For the owner; it is over when something can be written.
    Unavailable(String),
}

/// What is not known where nothing of an earlier run is.
const FORGOTTEN: &str = "what was muted, held, granted or accepted earlier is not known: a muted speaker may listen again, \
                         a held command is lost, and what is announced now counts as accepted";

impl Store {
    /// Reads what an earlier run left in the folder. A file that is not what was written is put aside. Nothing is written
    /// until there is something to keep.
    pub fn open(folder: &Path, now: At) -> Opened {
        let mut disk = Disk::new(folder);
        let (saved, trouble) = match disk.read() {
            Found::Nothing => (None, None),
            Found::Saved(mut durable, saved) => {
                ends::take_out(&mut durable, folder);
                (Some((*durable, saved)), None)
            }
            Found::Damaged(reason) => (None, Some(lost(&mut disk, reason, now))),
            Found::Unavailable(reason) => (None, Some(Trouble::Unavailable(format!("{reason}; {FORGOTTEN}")))),
        };
        let store = Store {
            folder: folder.to_owned(),
            kept: Kept::default(),
            changed: BTreeSet::new(),
            is_everything: true,
            is_due: false,
            has_failed: false,
            saved: None,
            place: Place::Here(disk),
        };
        Opened { store, saved, trouble }
    }

    /// The guarded topics that a bridge with this folder has kept, for those who only look. Nothing is put aside.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub fn look(folder: &Path) -> Result<BTreeMap<String, Guard>, String> {
        match Disk::new(folder).look() {
            Found::Nothing => Ok(BTreeMap::new()),
            Found::Saved(durable, _) => Ok(durable.guards),
            Found::Damaged(reason) | Found::Unavailable(reason) => Err(reason),
        }
    }

    /// This is what the run begins with: what an earlier one left, moved into this one, and what the start has changed.
    /// It takes the place of everything on the disk.
    pub fn begin(&mut self, durable: Durable) {
        let is_there = matches!(&self.place, Place::Here(disk) if disk.file().exists());
        self.is_due = is_there || durable != Durable::default();
        self.is_everything = true;
        self.changed.clear();
        self.kept = Kept::new(durable);
    }

    /// Takes note of a change.
    pub fn keep(&mut self, change: Change) {
        self.kept.apply(change, &mut self.changed);
        self.is_due |= !self.changed.is_empty();
    }

    /// Time has passed: what could not be written is tried again, and the two sides of the clock are saved anew where they
    /// have moved against each other.
    pub fn pass_time(&mut self, now: At) {
        self.is_due |= self.has_failed || self.saved.is_some_and(|saved| is_old(saved, now));
    }

    /// Writes what is due, and says how each writing ended. Cancelling it loses nothing.
    ///
    /// # Errors
    /// For the owner: it cannot be written. The next change is another attempt, and so is `pass_time`.
    pub async fn next(&mut self, now: impl Fn() -> At) -> Result<(), String> {
        if let Place::Here(_) = self.place {
            if !self.is_due {
                std::future::pending::<()>().await;
            }
            self.write(now())?;
        }
        self.written().await
    }

    /// Writes what is not written yet, and closes the file.
    ///
    /// # Errors
    /// As for `next`.
    pub async fn close(mut self, now: At) -> Result<(), String> {
        let written = self.written().await;
        if !self.is_due {
            return written;
        }
        self.write(now)?;
        self.written().await
    }

    /// Hands what has changed to another thread.
    fn write(&mut self, saved: At) -> Result<(), String> {
        self.is_due = false;
        let is_everything = std::mem::take(&mut self.is_everything);
        let changed = std::mem::take(&mut self.changed);
        let keys = if is_everything { self.kept.keys() } else { changed };
        let rows = self.kept.rows(&keys).inspect_err(|_| self.is_everything = true)?;
        let batch = Batch { is_everything, rows, saved };
        if let Place::Here(mut disk) = std::mem::replace(&mut self.place, Place::Here(Disk::new(&self.folder))) {
            self.place = Place::Writing(tokio::task::spawn_blocking(move || {
                let written = disk.write(&batch);
                (disk, batch.saved, written)
            }));
        }
        Ok(())
    }

    /// Waits for the thread that writes, if it does.
    async fn written(&mut self) -> Result<(), String> {
        let Place::Writing(writing) = &mut self.place else { return Ok(()) };
        let (disk, saved, written) = match writing.await {
            Ok((disk, saved, written)) => (disk, Some(saved), written),
            Err(error) => {
                let reason = format!("the writing of what is kept broke off: {error}");
                (Disk::new(&self.folder), None, Err(Failure { reason, is_new: false }))
            }
        };
        self.place = Place::Here(disk);
        self.has_failed = written.is_err();
        let Err(Failure { reason, is_new }) = written else {
            self.saved = saved;
            return Ok(());
        };
        self.is_everything = true;
        self.is_due |= is_new;
        Err(reason)
    }
}

/// Whether a pair that was saved says too little about now.
fn is_old(saved: At, now: At) -> bool {
    let monotonic_ms = i128::from(now.monotonic_ms) - i128::from(saved.monotonic_ms);
    let civil_ms = now.utc.duration_since(saved.utc).as_millis();
    monotonic_ms > i128::from(SAVED_AGE_MAX_MS) || monotonic_ms.abs_diff(civil_ms) > u128::from(DRIFT_MS)
}

fn lost(disk: &mut Disk, reason: String, now: At) -> Trouble {
    let file = disk.file();
    let put = match disk.put_aside(now) {
        Ok(aside) => format!("it is now `{}`", aside.display()),
        Err(error) => format!("and cannot be put aside: {error}"),
    };
    let problem = format!(
        "{reason}; {put}; {FORGOTTEN}\nhelp: mute again what shall not listen, and look with `hushgate doctor` whether each \
         guarded entity is what it should be"
    );
    Trouble::Lost { file: file.display().to_string(), reason, problem }
}
