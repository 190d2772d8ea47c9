//! Notices that policies were changed: by a change in their folder, or by SIGHUP.
//!
//! It reads the texts and hands them on; whether they are taken over is the engine's decision.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::files;
use crate::model::event::ScriptSource;

/// How long after the first change the folder is read, so that a file that is being written is whole by then.
pub const SETTLE_MS: u64 = 250;

/// The folder of the policies, watched.
pub struct PolicyWatch {
    folder: PathBuf,
    current: Vec<ScriptSource>,
    changes: mpsc::Receiver<()>,
    watcher: RecommendedWatcher,
    settling: Option<Pin<Box<Sleep>>>,
    hangup: Hangup,
}

impl std::fmt::Debug for PolicyWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PolicyWatch").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl PolicyWatch {
    /// Watches a folder whose policies have just been read.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub fn new(folder: &Path, current: Vec<ScriptSource>) -> Result<PolicyWatch, String> {
        // One place is enough: a change that finds it taken will be read with the one that is in it.
        let (sender, changes) = mpsc::channel(1);
        let changed = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&event)) {
                sender.try_send(()).unwrap_or(());
            }
        };
        let failed = |error: notify::Error| format!("the folder `{}` cannot be watched: {error}", folder.display());
        let mut watcher = notify::recommended_watcher(changed).map_err(failed)?;
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
        let hangup = Hangup::new()?;
        Ok(PolicyWatch { folder: folder.to_owned(), current, changes, watcher, settling: None, hangup })
    }

    /// Waits until policies have changed, and reads them. On SIGHUP they are read whether they have changed or not.
    /// Cancelling it loses nothing.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn changed(&mut self) -> Result<Vec<ScriptSource>, String> {
        loop {
            let was_asked = tokio::select! {
                Some(()) = self.changes.recv() => {
                    if self.settling.is_none() {
                        self.settling = Some(Box::pin(tokio::time::sleep(Duration::from_millis(SETTLE_MS))));
                    }
                    continue;
                }
                () = settled(&mut self.settling) => false,
                () = self.hangup.recv() => true,
            };
            self.settling = None;
            // A folder that was removed and made again is another one to the system. If it is not there now, reading it
            // says so.
            self.watcher.unwatch(&self.folder).unwrap_or(());
            self.watcher.watch(&self.folder, RecursiveMode::NonRecursive).unwrap_or(());
            match files::read_policies(&self.folder) {
                Ok(sources) if !was_asked && sources == self.current => {}
                Ok(sources) => {
                    self.current.clone_from(&sources);
                    return Ok(sources);
                }
                // In a record all stands on one line.
                Err(error) => return Err(error.replace("\nhelp: ", "; help: ")),
            }
        }
    }
}

/// Reading a file is an event too, and must not cause the next reading.
fn matters(event: &Event) -> bool {
    let is_change =
        matches!(event.kind, EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_));
    is_change && event.paths.iter().any(|path| files::is_script(path) || path.is_dir() || !path.exists())
}

async fn settled(settling: &mut Option<Pin<Box<Sleep>>>) {
    match settling {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

/// SIGHUP, where there is one.
#[cfg(unix)]
struct Hangup(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangup {
    fn new() -> Result<Hangup, String> {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        signal.map(Hangup).map_err(|error| format!("SIGHUP cannot be heard: {error}"))
    }

    async fn recv(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
struct Hangup;

#[cfg(not(unix))]
impl Hangup {
    fn new() -> Result<Hangup, String> {
        Ok(Hangup)
    }

    async fn recv(&mut self) {
        std::future::pending().await
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write the files that are watched")]
mod tests {
    use std::fs;

    use super::*;

    /// Long enough for a busy machine; a test that reaches it has failed.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn changed(watch: &mut PolicyWatch) -> Result<Vec<ScriptSource>, String> {
        tokio::time::timeout(PATIENCE, watch.changed()).await.expect("a change in time")
    }

    #[tokio::test]
    async fn changed_new_and_removed_policies_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rhai");
        fs::write(&path, "// 1").unwrap();
        let mut watch = PolicyWatch::new(folder.path(), files::read_policies(folder.path()).unwrap()).unwrap();
        fs::write(&path, "// 2").unwrap();
        assert_eq!(changed(&mut watch).await.unwrap()[0].text, "// 2");
        fs::write(folder.path().join("b.rhai"), "// b").unwrap();
        assert_eq!(changed(&mut watch).await.unwrap().len(), 2);
        fs::remove_file(&path).unwrap();
        let left = changed(&mut watch).await.unwrap();
        assert_eq!(left.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[tokio::test]
    async fn what_changes_no_policy_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rhai");
        fs::write(&path, "// 1").unwrap();
        let mut watch = PolicyWatch::new(folder.path(), files::read_policies(folder.path()).unwrap()).unwrap();
        fs::write(folder.path().join("notes.md"), "x").unwrap();
        // The same text again: the folder is read, and nothing is told.
        fs::write(&path, "// 1").unwrap();
        let quiet = Duration::from_millis(SETTLE_MS * 3);
        assert!(tokio::time::timeout(quiet, watch.changed()).await.is_err());
        fs::write(&path, "// 2").unwrap();
        assert_eq!(changed(&mut watch).await.unwrap()[0].text, "// 2");
    }

    #[tokio::test]
    async fn a_folder_that_goes_is_an_error_and_not_an_empty_set() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("policies");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.rhai"), "// 1").unwrap();
        let mut watch = PolicyWatch::new(&folder, files::read_policies(&folder).unwrap()).unwrap();
        fs::rename(&folder, parent.path().join("elsewhere")).unwrap();
        fs::write(parent.path().join("elsewhere/a.rhai"), "// 2").unwrap();
        let error = changed(&mut watch).await.unwrap_err();
        assert!(error.contains("cannot be read") && error.contains("; help: ") && !error.contains('\n'), "{error}");
    }
}
