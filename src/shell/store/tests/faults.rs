//! Damage, and what cannot be written.

use rusqlite::Connection;

use super::*;
use crate::shell::store::disk::STATE_FILE;

/// A way to spoil what was written, and what is told of it.
type Spoiling = (&'static str, fn(&Path), &'static str);

fn in_database(file: &Path, commands: &str) {
    Connection::open(file).unwrap().execute_batch(commands).unwrap();
}

fn write_ahead(file: &Path) -> PathBuf {
    file.with_file_name("state.db-wal")
}

fn cut_off(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() - 4_096]).unwrap();
}

fn overwrite_a_page(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[4_096..8_192].fill(0x5A);
    fs::write(file, bytes).unwrap();
}

fn put_a_folder_there(file: &Path) {
    fs::remove_file(file).unwrap();
    fs::create_dir(file).unwrap();
}

fn enlarge(file: &Path) {
    fs::OpenOptions::new().append(true).open(file).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
}

const SPOILINGS: &[Spoiling] = &[
    ("no database", |file| fs::write(file, "{\"version\": 1, \"gua").unwrap(), "is damaged: file is not a database"),
    ("empty", |file| fs::write(file, "").unwrap(), "is damaged: it is empty"),
    ("zeros", |file| fs::write(file, vec![0; 8_192]).unwrap(), "is damaged: "),
    ("cut off", cut_off, "is damaged: "),
    ("a page overwritten", overwrite_a_page, "is damaged: "),
    ("no tables", |file| in_database(file, "DROP TABLE state"), "is damaged: no such table: state"),
    (
        "another version",
        |file| in_database(file, "UPDATE meta SET value = '2' WHERE name = 'version'"),
        "expected version 1, found `2`",
    ),
    (
        "one value",
        |file| in_database(file, "UPDATE state SET value = '{\"until_ms\":1}'"),
        "is damaged: the mute `kitchen` cannot be read: missing field",
    ),
    (
        "a value of another type",
        |file| in_database(file, "UPDATE state SET value = x'00'"),
        "is damaged: Invalid column type Blob",
    ),
    (
        "an unknown kind",
        |file| in_database(file, "UPDATE state SET kind = 'spell'"),
        "expected a kind that is known, found `spell`",
    ),
    (
        "another time",
        |file| in_database(file, "UPDATE meta SET value = 'noon' WHERE name = 'saved'"),
        "is damaged: when it was saved cannot be read",
    ),
    ("too large", enlarge, "is larger than 67108864 bytes"),
    ("a folder", put_a_folder_there, "is no file"),
    (
        "only what stood beside it",
        |file| fs::rename(file, write_ahead(file)).unwrap(),
        "is gone, and what stood beside it is not",
    ),
];

#[tokio::test]
async fn a_file_that_is_not_what_was_written_is_put_aside_and_told_once() {
    for (name, spoil, expected) in SPOILINGS {
        let folder = tempfile::tempdir().unwrap();
        write_one(folder.path()).await;
        let file = folder.path().join(STATE_FILE);
        spoil(&file);
        let looked = Store::look(folder.path()).unwrap_err();
        assert!(looked.contains(expected), "{name}: {looked}");
        let opened = Store::open(folder.path(), at(42));
        let Some(Trouble::Lost { file: told, reason, problem }) = opened.trouble else {
            panic!("{name}: {:?}", opened.trouble)
        };
        assert_eq!(told, file.display().to_string());
        assert!(reason.contains(expected), "{name}: {reason}");
        assert!(problem.contains("a muted speaker may listen again") && problem.contains("\nhelp: "), "{problem}");
        assert_eq!(opened.saved, None, "{name}");
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let other: Vec<String> = names.filter(|name| !name.starts_with("state.db.damaged-42")).collect();
        assert_eq!(other, Vec::<String>::new(), "{name}");

        let mut store = opened.store;
        store.begin(Durable::default());
        store.keep(mute("hall"));
        store.close(at(43)).await.unwrap();
        assert_eq!(muted(&kept_in(folder.path()).0), ["hall"], "{name}: the bridge goes on");
    }
}

#[tokio::test]
async fn a_file_at_its_limit_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write_one(folder.path()).await;
    let file = fs::OpenOptions::new().append(true).open(folder.path().join(STATE_FILE)).unwrap();
    // SQLite passes over what it has not written.
    file.set_len(FILE_BYTES_MAX).unwrap();
    assert_eq!(muted(&kept_in(folder.path()).0), ["kitchen"]);
}

#[tokio::test]
async fn more_than_fits_is_not_written_and_less_is_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_in(folder.path());
    store.keep(mute("kitchen"));
    assert_eq!(written(&mut store, 1).await, Ok(()));
    let remember = |bytes: u64| Change::Remember {
        policy: "p".to_owned(),
        key: "k".to_owned(),
        value: "x".repeat(usize::try_from(bytes).unwrap()).into(),
    };
    store.keep(remember(FILE_BYTES_MAX));
    store.keep(mute("hall"));
    let error = written(&mut store, 2).await.unwrap_err();
    assert!(error.ends_with("state.db` cannot be written: database or disk is full"), "{error}");
    assert_eq!(muted(&kept_in(folder.path()).0), ["kitchen"], "all of it or nothing");
    store.keep(remember(5));
    assert_eq!(written(&mut store, 3).await, Ok(()));
    assert_eq!(kept_in(folder.path()).0, store.kept.durable);
    assert_eq!(muted(&store.kept.durable), ["hall", "kitchen"]);
}

#[tokio::test]
async fn where_nothing_can_be_written_it_is_said_at_each_attempt_and_once_it_can_everything_is() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("data");
    fs::write(&folder, "").unwrap();
    let mut store = Store::open(&folder, at(0)).store;
    store.begin(Durable::default());
    for speaker in ["a", "b"] {
        store.keep(mute(speaker));
        let error = written(&mut store, 1).await.unwrap_err();
        assert!(error.contains("state.db` cannot be written: "), "{error}");
        assert!(!store.is_due, "no attempt without a reason");
    }
    fs::remove_file(&folder).unwrap();
    store.pass_time(at(2));
    assert_eq!(written(&mut store, 2).await, Ok(()));
    assert_eq!(muted(&kept_in(&folder).0), ["a", "b"]);
}

#[tokio::test]
async fn what_cannot_be_read_now_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write_one(folder.path()).await;
    let beside = write_ahead(&folder.path().join(STATE_FILE));
    // What SQLite would write beside the file cannot be written there.
    fs::create_dir(&beside).unwrap();
    let opened = Store::open(folder.path(), at(1));
    let Some(Trouble::Unavailable(reason)) = opened.trouble else { panic!("{:?}", opened.trouble) };
    assert!(reason.contains("state.db` cannot be read: ") && reason.contains("may listen again"), "{reason}");
    let mut store = opened.store;
    store.begin(Durable::default());
    store.keep(mute("hall"));
    let error = written(&mut store, 2).await.unwrap_err();
    assert!(error.contains("cannot be written: "), "{error}");
    fs::remove_dir(&beside).unwrap();
    assert_eq!(muted(&kept_in(folder.path()).0), ["kitchen"], "nothing was changed");
    store.pass_time(at(3));
    assert_eq!(written(&mut store, 3).await, Ok(()));
    assert_eq!(muted(&kept_in(folder.path()).0), ["hall"]);
}

#[tokio::test]
async fn a_file_that_another_program_holds_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_in(folder.path());
    store.keep(mute("kitchen"));
    assert_eq!(written(&mut store, 1).await, Ok(()));
    let other = Connection::open(folder.path().join(STATE_FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.keep(mute("hall"));
    let error = written(&mut store, 2).await.unwrap_err();
    assert!(error.ends_with("cannot be written: database is locked"), "{error}");
    drop(other);
    store.pass_time(at(3));
    assert_eq!(written(&mut store, 3).await, Ok(()));
    assert_eq!(muted(&kept_in(folder.path()).0), ["hall", "kitchen"]);
}

#[tokio::test]
async fn a_file_that_is_removed_or_spoilt_while_the_bridge_runs_is_written_anew() {
    fn spoil(file: &Path) {
        let length = fs::metadata(file).unwrap().len();
        fs::write(file, vec![0x5A; usize::try_from(length).unwrap()]).unwrap();
    }
    // SQLite holds in memory what it has read, so only what it has not opened yet can be found spoilt.
    let spoilings: [(Spoiling, bool); 2] = [
        (("removed", |file| fs::remove_file(file).unwrap(), "is gone; it is written anew"), true),
        (("spoilt", spoil, "cannot be written: file is not a database; it is now `"), false),
    ];
    for ((name, spoil, expected), is_open) in spoilings {
        let folder = tempfile::tempdir().unwrap();
        write_one(folder.path()).await;
        let opened = Store::open(folder.path(), at(0));
        let mut store = opened.store;
        store.begin(opened.saved.unwrap().0);
        if is_open {
            assert_eq!(written(&mut store, 1).await, Ok(()));
        }
        spoil(&folder.path().join(STATE_FILE));
        store.keep(mute("hall"));
        let error = written(&mut store, 2).await.unwrap_err();
        assert!(error.contains(expected) && error.ends_with("is written anew"), "{name}: {error}");
        assert_eq!(written(&mut store, 3).await, Ok(()), "{name}");
        assert_eq!(muted(&kept_in(folder.path()).0), ["hall", "kitchen"], "{name}");
    }
}
