//! What outlives the process, on disk: the guarded topics, in `guards.json` in the configured folder.
//!
//! Nothing else of `Durable` is kept yet. The file is written whole, beside the old one, and takes its place only when it
//! is on the disk; the thread of link and engine does not wait for that. What is kept is a help for the next start and
//! never a condition of this run: a file that cannot be read or written is told, and the bridge goes on. Changes of the
//! last moments before a crash may be missing. Then a new claim counts as an old one, or what the owner accepted is asked
//! again; the topic itself is guarded anew from what is announced.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::files;
use crate::model::durable::{Change, Durable};
use crate::model::entity::Guard;
use crate::model::time::At;

/// The file in the folder.
const GUARDS_FILE: &str = "guards.json";
/// Largest file that is written or read.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// From the first change until it is written: at a start many come together.
const GATHER_MS: u64 = 500;
/// The form of the file.
const VERSION: u32 = 1;

/// The content of the file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    version: u32,
    /// When it was written.
    saved: At,
    guards: BTreeMap<String, Guard>,
}

enum State {
    Written,
    Gathering(Pin<Box<Sleep>>),
    Writing { writing: JoinHandle<Result<(), String>>, is_behind: bool },
}

/// Follows the changes of `Durable`.
pub struct Store {
    folder: PathBuf,
    guards: BTreeMap<String, Guard>,
    state: State,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What an earlier run left.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    /// The guarded topics alone, and when they were saved.
    pub saved: Option<(Durable, At)>,
    /// The file was there and could not be used. For the owner.
    pub problem: Option<String>,
}

impl Store {
    /// Reads what an earlier run left in the folder. A file that cannot be used is put aside: what is announced now then
    /// counts as accepted, which the owner must hear of.
    pub fn open(folder: &Path, now: At) -> Opened {
        let mut store = Store { folder: folder.to_owned(), guards: BTreeMap::new(), state: State::Written };
        let file = folder.join(GUARDS_FILE);
        if !file.exists() {
            return Opened { store, saved: None, problem: None };
        }
        match read(&file) {
            Ok(kept) => {
                store.guards.clone_from(&kept.guards);
                let durable = Durable { guards: kept.guards, ..Durable::default() };
                Opened { store, saved: Some((durable, kept.saved)), problem: None }
            }
            Err(reason) => {
                let aside = folder.join(format!("{GUARDS_FILE}.damaged-{}", now.utc.as_second()));
                let put = match put_aside(&file, &aside) {
                    Ok(()) => format!("it is now `{}`", aside.display()),
                    Err(error) => format!("and cannot be put aside: {error}"),
                };
                let problem = format!(
                    "{reason}; {put}; what was accepted earlier is not known, so what is announced now counts as accepted\n\
                     help: look with `hushgate doctor` whether each guarded entity is what it should be"
                );
                Opened { store, saved: None, problem: Some(problem) }
            }
        }
    }

    /// The guarded topics that a bridge with this folder has kept, for those who only look. Nothing is put aside.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub fn look(folder: &Path) -> Result<BTreeMap<String, Guard>, String> {
        let file = folder.join(GUARDS_FILE);
        if file.exists() { Ok(read(&file)?.guards) } else { Ok(BTreeMap::new()) }
    }

    /// Takes note of a change. Those that are not kept are passed over.
    pub fn keep(&mut self, change: Change) {
        let Change::Guard { topic, guard } = change else { return };
        // A guard that accepts nobody and has no problem is none any more.
        if guard == Guard::default() {
            self.guards.remove(&topic);
        } else {
            self.guards.insert(topic, guard);
        }
        match &mut self.state {
            State::Written => self.state = gathering(),
            State::Gathering(_) => {}
            State::Writing { is_behind, .. } => *is_behind = true,
        }
    }

    /// Writes what is due, and says how each writing ended. Cancelling it loses nothing.
    ///
    /// # Errors
    /// For the owner: it cannot be written. The next change is another attempt.
    pub async fn next(&mut self, now: impl Fn() -> At) -> Result<(), String> {
        loop {
            match &mut self.state {
                State::Written => std::future::pending().await,
                State::Gathering(until) => {
                    until.as_mut().await;
                    let (folder, text) = (self.folder.clone(), self.text(now()));
                    let writing = tokio::task::spawn_blocking(move || write(&folder, &text?));
                    self.state = State::Writing { writing, is_behind: false };
                }
                State::Writing { writing, is_behind } => {
                    let written = writing.await.unwrap_or_else(|error| Err(format!("the writing broke off: {error}")));
                    self.state = if *is_behind { gathering() } else { State::Written };
                    return written;
                }
            }
        }
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// As for `next`.
    pub async fn close(mut self, now: At) -> Result<(), String> {
        if let State::Writing { writing, is_behind } = &mut self.state {
            let written = writing.await.unwrap_or_else(|error| Err(format!("the writing broke off: {error}")));
            if !*is_behind {
                return written;
            }
            self.state = gathering();
        }
        match self.state {
            State::Gathering(_) => write(&self.folder, &self.text(now)?),
            State::Written | State::Writing { .. } => Ok(()),
        }
    }

    fn text(&self, now: At) -> Result<Vec<u8>, String> {
        let kept = Kept { version: VERSION, saved: now, guards: self.guards.clone() };
        let text =
            serde_json::to_vec(&kept).map_err(|error| format!("the guarded topics cannot be written: {error}"))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(format!("the guarded topics need {} bytes, expected at most {FILE_BYTES_MAX}", text.len()));
        }
        Ok(text)
    }
}

fn gathering() -> State {
    State::Gathering(Box::pin(tokio::time::sleep(Duration::from_millis(GATHER_MS))))
}

fn read(file: &Path) -> Result<Kept, String> {
    let bytes = files::read_bytes(file, FILE_BYTES_MAX)?;
    let damaged = |reason: String| format!("`{}` is damaged: {reason}", file.display());
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if kept.version != VERSION {
        return Err(damaged(format!("expected version {VERSION}, found `{}`", kept.version)));
    }
    Ok(kept)
}

fn put_aside(file: &Path, aside: &Path) -> std::io::Result<()> {
    fs::rename(file, aside)
}

/// Writes the file so that after a crash either the old or the new one is there, whole. Only the owner may read it: it
/// says how the house is locked.
fn write(folder: &Path, text: &[u8]) -> Result<(), String> {
    let place = folder.join(GUARDS_FILE);
    let new = folder.join(format!("{GUARDS_FILE}.new"));
    let written = create_folder(folder)
        .and_then(|()| create_file(&new))
        .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, &place))
        .and_then(|()| sync_folder(folder));
    written.map_err(|error| format!("`{}` cannot be written: {error}", place.display()))
}

fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn create_file(path: &Path) -> std::io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A new name is on the disk only when its folder is.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "a folder can be synced only when it is open")]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the files that are written")]
mod tests {
    use super::*;

    fn at(utc_s: i64) -> At {
        At { monotonic_ms: At::MONOTONIC_START_MS, utc: jiff::Timestamp::from_second(utc_s).unwrap() }
    }

    fn guard(problem: Option<&str>) -> Guard {
        Guard { accepted: Vec::new(), problem: problem.map(str::to_owned) }
    }

    fn change(topic: &str) -> Change {
        Change::Guard { topic: topic.to_owned(), guard: guard(Some("swapped")) }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_comes_back_and_only_its_owner_may_read_it() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("deep/data");
        let mut store = Store::open(&folder, at(5)).store;
        store.keep(Change::Release { id: "1".to_owned() });
        assert!(matches!(store.state, State::Written), "what is not kept is not written");
        assert!(!folder.exists(), "nothing to keep, no folder");
        store.keep(change("a/set"));
        store.keep(change("b/set"));
        assert_eq!(store.next(|| at(7)).await, Ok(()));

        let opened = Store::open(&folder, at(9));
        let (durable, saved) = opened.saved.unwrap();
        assert_eq!((saved, opened.problem), (at(7), None));
        let expected = [("a/set".to_owned(), guard(Some("swapped"))), ("b/set".to_owned(), guard(Some("swapped")))];
        assert_eq!(durable, Durable { guards: expected.into(), ..Durable::default() });
        assert_eq!(Store::look(&folder).unwrap(), durable.guards);
        let mut store = opened.store;
        store.keep(Change::Guard { topic: "b/set".to_owned(), guard: Guard::default() });
        assert_eq!(store.next(|| at(8)).await, Ok(()));
        let (durable, _) = Store::open(&folder, at(9)).saved.unwrap();
        assert_eq!(durable.guards.into_keys().collect::<Vec<_>>(), ["a/set"], "what is guarded no more is not kept");
        #[cfg(unix)]
        for (path, expected) in [(folder.clone(), 0o700), (folder.join(GUARDS_FILE), 0o600)] {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
            assert_eq!(mode & 0o777, expected);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_during_the_writing_is_written_too_and_so_is_one_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), at(0)).store;
        store.keep(change("a"));
        {
            let mut next = std::pin::pin!(store.next(|| at(1)));
            // Long enough to begin, and cancelled before it is known how it ended.
            let begun = tokio::time::timeout(Duration::from_millis(GATHER_MS), next.as_mut()).await;
            assert!(begun.is_err() || begun == Ok(Ok(())));
        }
        store.keep(change("b"));
        while !matches!(store.state, State::Written) {
            assert_eq!(store.next(|| at(2)).await, Ok(()));
        }
        assert_eq!(Store::open(folder.path(), at(3)).saved.unwrap().0.guards.len(), 2);
        store.keep(change("c"));
        assert_eq!(store.close(at(4)).await, Ok(()));
        let (durable, saved) = Store::open(folder.path(), at(5)).saved.unwrap();
        assert_eq!((durable.guards.len(), saved), (3, at(4)));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_put_aside_and_told() {
        let whole = r#"{"version": 2, "saved": {"monotonic_ms": 0, "utc": "2026-11-22T00:00:00Z"}, "guards": {}}"#;
        let large = " ".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1);
        for (text, reason) in [
            ("{\"version\": 1", "is damaged: EOF"),
            ("", "is damaged: EOF"),
            (whole, "expected version 1, found `2`"),
            (&large, "is larger than 16777216 bytes"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(GUARDS_FILE), text).unwrap();
            assert!(Store::look(folder.path()).unwrap_err().contains(reason));
            let opened = Store::open(folder.path(), at(42));
            let problem = opened.problem.unwrap();
            assert!(problem.contains(reason) && problem.contains("\nhelp: "), "{problem}");
            assert!(problem.contains("counts as accepted"), "{problem}");
            assert!(opened.saved.is_none());
            let aside = folder.path().join("guards.json.damaged-42");
            assert_eq!(fs::read_to_string(aside).unwrap(), text, "nothing of it is lost");
            assert!(Store::open(folder.path(), at(43)).problem.is_none(), "it is told once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_can_be_written_it_is_said_at_each_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taken");
        fs::write(&file, "").unwrap();
        let mut store = Store::open(&file.join("data"), at(0)).store;
        for topic in ["a", "b"] {
            store.keep(change(topic));
            let error = store.next(|| at(1)).await.unwrap_err();
            assert!(error.contains("guards.json` cannot be written: "), "{error}");
            assert!(matches!(store.state, State::Written), "no attempt without a change");
        }
    }

    #[test]
    fn more_than_fits_is_not_written() {
        let mut store = Store::open(Path::new("nowhere"), at(0)).store;
        let text = "x".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() - 400);
        store.guards.insert("a".to_owned(), guard(Some(&text)));
        let size = store.text(at(0)).unwrap().len() as u64;
        let room = usize::try_from(FILE_BYTES_MAX - size).unwrap();
        for (more, fits) in [(room, true), (room + 1, false)] {
            store.guards.insert("a".to_owned(), guard(Some(&format!("{text}{}", "x".repeat(more)))));
            assert_eq!(store.text(at(0)).is_ok(), fits);
        }
    }
}
