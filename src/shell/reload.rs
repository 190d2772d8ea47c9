//! Notices that policies or integrations were changed: by a change in their folders, or by SIGHUP.
//!
//! It reads the texts and hands them on; whether they are taken over is the engine's decision.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::files;
use crate::model::event::ScriptSource;

/// How long after the first change the folders are read, so that a file that is being written is whole by then.
pub const SETTLE_MS: u64 = 250;

/// The texts of a folder, or why they cannot be read.
pub type Texts = Result<Vec<ScriptSource>, String>;

/// The folders of policies and integrations, watched.
pub struct ScriptWatch {
    policies: Folder,
    integrations: Folder,
    /// What the system watches now.
    places: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<()>,
    watcher: RecommendedWatcher,
    settling: Option<Pin<Box<Sleep>>>,
    hangup: Hangup,
}

/// What is to be taken over. `None`: nothing of it has changed.
#[derive(Debug, Default)]
pub struct Changed {
    pub policies: Option<Texts>,
    /// To be taken over first: rules name what integrations tell.
    pub integrations: Option<Texts>,
}

/// A folder, and what was read in it last.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    current: Vec<ScriptSource>,
    /// Whether there may be no such folder.
    may_be_missing: bool,
}

impl Folder {
    /// What is to be taken over; with `always` whatever is there.
    fn read(&mut self, always: bool) -> Option<Texts> {
        // Where something was read before, a folder that is gone is a mistake and no wish for what is shipped.
        let read = if self.may_be_missing && self.current.is_empty() {
            files::read_integrations(&self.path)
        } else {
            files::read_scripts(&self.path)
        };
        match read {
            Ok(sources) if !always && sources == self.current => None,
            Ok(sources) => {
                self.current.clone_from(&sources);
                Some(Ok(sources))
            }
            // In a record all stands on one line.
            Err(error) => Some(Err(error.replace("\nhelp: ", "; help: "))),
        }
    }

    /// Where a change of it can be seen: in itself, or where it would be made.
    fn place(&self) -> PathBuf {
        let parent =
            self.path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
        match parent {
            Some(parent) if self.may_be_missing && !self.path.exists() => parent.to_owned(),
            _ => self.path.clone(),
        }
    }
}

impl std::fmt::Debug for ScriptWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ScriptWatch").field("places", &self.places).finish_non_exhaustive()
    }
}

impl ScriptWatch {
    /// Watches two folders whose scripts have just been read. There may be no folder of integrations; it is noticed when
    /// it is made.
    ///
    /// # Errors
    /// The system cannot watch them.
    pub fn new(
        (policies, rules): (&Path, Vec<ScriptSource>),
        (integrations, own): (&Path, Vec<ScriptSource>),
    ) -> Result<ScriptWatch, String> {
        // One place is enough: a change that finds it taken will be read with the one that is in it.
        let (sender, changes) = mpsc::channel(1);
        let changed = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&event)) {
                sender.try_send(()).unwrap_or(());
            }
        };
        let folder = |path: &Path, current, may_be_missing| Folder { path: path.to_owned(), current, may_be_missing };
        let (policies, integrations) = (folder(policies, rules, false), folder(integrations, own, true));
        let failed =
            |place: &Path, error: notify::Error| format!("the folder `{}` cannot be watched: {error}", place.display());
        let mut watcher = notify::recommended_watcher(changed).map_err(|error| failed(&policies.path, error))?;
        let places = BTreeSet::from([policies.place(), integrations.place()]);
        for place in &places {
            watcher.watch(place, RecursiveMode::NonRecursive).map_err(|error| failed(place, error))?;
        }
        let hangup = Hangup::new()?;
        Ok(ScriptWatch { policies, integrations, places, changes, watcher, settling: None, hangup })
    }

    /// Waits until scripts have changed, and reads them. On SIGHUP they are read whether they have changed or not.
    /// Cancelling it loses nothing.
    pub async fn changed(&mut self) -> Changed {
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
            self.watch_again();
            let integrations = self.integrations.read(was_asked);
            let policies = self.policies.read(was_asked);
            if integrations.is_some() || policies.is_some() {
                return Changed { policies, integrations };
            }
        }
    }

    /// A folder that was removed and made again is another one to the system. If it is not there now, reading it says so.
    fn watch_again(&mut self) {
        for place in &self.places {
            self.watcher.unwatch(place).unwrap_or(());
        }
        self.places = BTreeSet::from([self.policies.place(), self.integrations.place()]);
        for place in &self.places {
            self.watcher.watch(place, RecursiveMode::NonRecursive).unwrap_or(());
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

    async fn changed(watch: &mut ScriptWatch) -> Changed {
        tokio::time::timeout(PATIENCE, watch.changed()).await.expect("a change in time")
    }

    async fn policies(watch: &mut ScriptWatch) -> Texts {
        let changed = changed(watch).await;
        assert!(changed.integrations.is_none(), "{changed:?}");
        changed.policies.expect("changed policies")
    }

    async fn integrations(watch: &mut ScriptWatch) -> Texts {
        let changed = changed(watch).await;
        assert!(changed.policies.is_none(), "{changed:?}");
        changed.integrations.expect("changed integrations")
    }

    /// Watches `policies` and `integrations` in a folder.
    fn watched(folder: &Path) -> ScriptWatch {
        let (policies, integrations) = (folder.join("policies"), folder.join("integrations"));
        if !policies.exists() {
            fs::create_dir(&policies).unwrap();
        }
        let rules = files::read_scripts(&policies).unwrap();
        let own = files::read_integrations(&integrations).unwrap();
        ScriptWatch::new((&policies, rules), (&integrations, own)).unwrap()
    }

    fn names(texts: Texts) -> Vec<String> {
        texts.unwrap().into_iter().map(|source| format!("{}: {}", source.name, source.text)).collect()
    }

    #[tokio::test]
    async fn changed_new_and_removed_policies_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watched(folder.path());
        let path = folder.path().join("policies/a.rhai");
        fs::write(&path, "// 2").unwrap();
        assert_eq!(names(policies(&mut watch).await), ["a: // 2"]);
        fs::write(folder.path().join("policies/b.rhai"), "// b").unwrap();
        assert_eq!(names(policies(&mut watch).await).len(), 2);
        fs::remove_file(&path).unwrap();
        assert_eq!(names(policies(&mut watch).await), ["b: // b"]);
    }

    #[tokio::test]
    async fn integrations_are_noticed_in_a_folder_that_is_made_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watched(folder.path());
        let made = folder.path().join("integrations");
        fs::create_dir(&made).unwrap();
        fs::write(made.join("room.rhai"), "// 1").unwrap();
        assert_eq!(names(integrations(&mut watch).await), ["room: // 1"]);
        fs::write(made.join("room.rhai"), "// 2").unwrap();
        assert_eq!(names(integrations(&mut watch).await), ["room: // 2"]);
        fs::write(folder.path().join("policies/a.rhai"), "// a").unwrap();
        assert_eq!(names(policies(&mut watch).await), ["a: // a"]);
        // The folder goes: what was taken from it is not silently given up for what is shipped.
        fs::rename(&made, folder.path().join("elsewhere")).unwrap();
        let error = integrations(&mut watch).await.unwrap_err();
        assert!(error.contains("integrations` cannot be read") && !error.contains('\n'), "{error}");
        fs::rename(folder.path().join("elsewhere"), &made).unwrap();
        fs::write(made.join("room.rhai"), "// 3").unwrap();
        assert_eq!(names(integrations(&mut watch).await), ["room: // 3"]);
    }

    #[tokio::test]
    async fn what_changes_no_script_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = watched(folder.path());
        let path = folder.path().join("policies/a.rhai");
        fs::write(&path, "// 1").unwrap();
        assert_eq!(names(policies(&mut watch).await), ["a: // 1"]);
        fs::write(folder.path().join("policies/notes.md"), "x").unwrap();
        // The same text again: the folder is read, and nothing is told.
        fs::write(&path, "// 1").unwrap();
        let quiet = Duration::from_millis(SETTLE_MS * 3);
        assert!(tokio::time::timeout(quiet, watch.changed()).await.is_err());
        fs::write(&path, "// 2").unwrap();
        assert_eq!(names(policies(&mut watch).await), ["a: // 2"]);
    }

    #[tokio::test]
    async fn a_folder_that_goes_is_an_error_and_not_an_empty_set() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("policies");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.rhai"), "// 1").unwrap();
        let mut watch = watched(parent.path());
        fs::rename(&folder, parent.path().join("elsewhere")).unwrap();
        fs::write(parent.path().join("elsewhere/a.rhai"), "// 2").unwrap();
        let error = policies(&mut watch).await.unwrap_err();
        assert!(error.contains("cannot be read") && error.contains("; help: ") && !error.contains('\n'), "{error}");
    }
}
