#![expect(clippy::disallowed_methods, reason = "tests look at the files that are written, and spoil them")]

use std::fs;
use std::future::Future;
use std::task::Poll;

use super::*;
use crate::model::time::At;

mod ends;
mod faults;
mod sequences;

fn at(utc_s: i64) -> At {
    At { monotonic_ms: At::MONOTONIC_START_MS, utc: jiff::Timestamp::from_second(utc_s).unwrap() }
}

fn mute(speaker: &str) -> Change {
    let mute = crate::model::durable::Mute {
        before: None,
        what: crate::model::speaker::What::Mic,
        until_ms: At::MONOTONIC_START_MS + 1,
        until: at(1).utc,
        reason: "guests".to_owned(),
        by: "control".to_owned(),
    };
    Change::Mute { speaker: speaker.to_owned(), mute }
}

fn muted(durable: &Durable) -> Vec<&str> {
    durable.mutes.keys().map(String::as_str).collect()
}

fn guard() -> Guard {
    let lock = crate::model::entity::Entity {
        topic: "homeassistant/lock/door/config".to_owned(),
        component: String::new(),
        platform: "lock".to_owned(),
        entity_id: "lock.door".to_owned(),
        name: "Door".to_owned(),
        device: Vec::new(),
        options: [("command_topic".to_owned(), "a/set".into())].into_iter().collect(),
    };
    Guard { accepted: vec![lock], problem: Some("swapped".to_owned()) }
}

/// A store of a run that began with nothing.
fn new_in(folder: &Path) -> Store {
    let mut store = Store::open(folder, at(0)).store;
    store.begin(Durable::default());
    store
}

/// What is kept in the folder, which must be in order.
fn kept_in(folder: &Path) -> (Durable, At) {
    let opened = Store::open(folder, at(0));
    assert_eq!(opened.trouble, None);
    opened.saved.expect("something is kept")
}

async fn written(store: &mut Store, utc_s: i64) -> Result<(), String> {
    store.next(|| at(utc_s)).await
}

/// Writes one mute, and ends.
async fn write_one(folder: &Path) {
    let mut store = new_in(folder);
    store.keep(mute("kitchen"));
    store.close(at(7)).await.unwrap();
}

#[tokio::test]
async fn what_is_kept_comes_back_and_only_its_owner_may_read_it() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("deep/data");
    let mut store = new_in(&folder);
    assert!(!store.is_due, "nothing to keep");
    store.keep(mute("kitchen"));
    store.keep(mute("hall"));
    assert_eq!(written(&mut store, 7).await, Ok(()));
    #[cfg(unix)]
    for (path, expected) in [("", 0o700), ("state.db", 0o600), ("state.db-wal", 0o600), ("state.db-shm", 0o600)] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder.join(path)).unwrap().permissions());
        assert_eq!(mode & 0o777, expected, "{path}");
    }
    // Beside a bridge that still has it open, and so as after a kill.
    let (durable, saved) = kept_in(&folder);
    assert_eq!((muted(&durable), saved), (vec!["hall", "kitchen"], at(7)));
    assert_eq!(durable, store.kept.durable);

    store.keep(Change::Unmute { speaker: "hall".to_owned() });
    store.close(at(8)).await.unwrap();
    let (durable, saved) = kept_in(&folder);
    assert_eq!((muted(&durable), saved), (vec!["kitchen"], at(8)));
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["state.db"], "nothing is left beside it");
}

#[tokio::test]
async fn a_house_that_keeps_nothing_leaves_no_folder() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("data");
    let mut store = new_in(&folder);
    store.pass_time(at(100_000));
    store.close(at(5)).await.unwrap();
    assert!(!folder.exists());
    assert_eq!(Store::look(&folder), Ok(BTreeMap::new()));
}

#[tokio::test]
async fn what_a_run_begins_with_takes_the_place_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    write_one(folder.path()).await;
    let mut store = Store::open(folder.path(), at(9)).store;
    // The earlier mute is over: the start has ended it.
    store.begin(Durable::default());
    assert_eq!(written(&mut store, 9).await, Ok(()));
    assert_eq!(kept_in(folder.path()), (Durable::default(), at(9)));
}

#[tokio::test]
async fn what_changes_during_the_writing_is_written_next_and_so_is_what_changes_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_in(folder.path());
    store.keep(mute("a"));
    store.write(at(1)).unwrap();
    store.keep(mute("b"));
    {
        // Cancelled, perhaps before it is known how it ended.
        let mut next = std::pin::pin!(store.next(|| at(2)));
        let begun = std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
        assert!(begun.is_pending(), "the thread that writes is heard at the next turn");
    }
    assert_eq!(written(&mut store, 2).await, Ok(()));
    assert_eq!(muted(&kept_in(folder.path()).0), ["a"]);
    assert_eq!(written(&mut store, 3).await, Ok(()));
    assert_eq!(muted(&kept_in(folder.path()).0), ["a", "b"]);
    store.keep(mute("c"));
    store.write(at(4)).unwrap();
    store.keep(mute("d"));
    assert_eq!(store.close(at(5)).await, Ok(()));
    let (durable, saved) = kept_in(folder.path());
    assert_eq!((muted(&durable), saved), (vec!["a", "b", "c", "d"], at(5)));
}

#[tokio::test]
async fn guards_can_be_looked_at_beside_a_running_bridge_and_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let guard = guard();
    let mut store = new_in(folder.path());
    store.keep(Change::Guard { topic: "a/set".to_owned(), guard: guard.clone() });
    assert_eq!(written(&mut store, 7).await, Ok(()));
    let expected: BTreeMap<String, Guard> = [("a/set".to_owned(), guard)].into();
    assert_eq!(Store::look(folder.path()), Ok(expected.clone()));
    store.keep(mute("kitchen"));
    assert_eq!(written(&mut store, 7).await, Ok(()), "a look is in nobody's way");
    store.close(at(8)).await.unwrap();
    assert_eq!(Store::look(folder.path()), Ok(expected));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a look leaves nothing");
}

#[tokio::test]
async fn the_clock_is_saved_anew_where_its_sides_move_against_each_other_and_once_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_in(folder.path());
    store.keep(mute("kitchen"));
    assert_eq!(written(&mut store, 0).await, Ok(()));
    let drift_s = i64::try_from(DRIFT_MS / 1_000).unwrap();
    let day_ms = SAVED_AGE_MAX_MS;
    for (later_ms, civil_s, expected) in [
        (0, 0, false),
        (60_000, 60, false),
        (0, drift_s, false),
        (0, drift_s + 1, true),
        (60_000, 60 - drift_s, false),
        (60_000, 60 - drift_s - 1, true),
        (day_ms, 86_400, false),
        (day_ms + 1, 86_400, true),
    ] {
        let now = At { monotonic_ms: At::MONOTONIC_START_MS + later_ms, utc: at(civil_s).utc };
        store.is_due = false;
        store.pass_time(now);
        assert_eq!(store.is_due, expected, "after {later_ms} ms, {civil_s} s");
    }
    let now = At { monotonic_ms: At::MONOTONIC_START_MS + 5, utc: at(1_000_000).utc };
    store.pass_time(now);
    assert_eq!(store.next(|| now).await, Ok(()));
    assert_eq!(kept_in(folder.path()).1, now);
}
