//! The file `state.db`: an SQLite database with the rows of `Durable`.
//!
//! What the rows mean is not known here. All calls block; `store` makes them on a thread where that is no harm.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::rows::{self, Row};
use crate::model::durable::Durable;
use crate::model::time::At;

/// The file in the folder.
pub(super) const STATE_FILE: &str = "state.db";
/// Where it is made, until it is whole.
const NEW_FILE: &str = "state.db.new";
/// What SQLite keeps beside a database: what was written last, and an index of that.
const BESIDE: [&str; 2] = ["-wal", "-shm"];
/// Pages of the file; SQLite's own size of a page.
const PAGES_MAX: u32 = 16_384;
const PAGE_BYTES: u32 = 4_096;
/// Largest file that is written or read.
pub const FILE_BYTES_MAX: u64 = PAGES_MAX as u64 * PAGE_BYTES as u64;
/// The form of the rows.
const VERSION: u32 = 1;
/// What is written beside the database before it goes into it. Little: what is gone shall not stand there for long.
const WAL_PAGES: u32 = 256;
/// How long another program may hold the file: a doctor that looks.
const BUSY_MS: u64 = 2_000;

/// What is written together: all of it, or nothing.
#[derive(Debug)]
pub(super) struct Batch {
    /// The rows are all that there are; what else stands in the file goes.
    pub(super) is_everything: bool,
    pub(super) rows: Vec<Row>,
    /// Now. The times in the rows are of the same run.
    pub(super) saved: At,
}

/// What was found at a start.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Saved(Box<Durable>, At),
    /// It is there, and is not what was written.
    Damaged(String),
    /// Whether something is there cannot be known.
    Unavailable(String),
}

/// Why something was not written.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the owner.
    pub(super) reason: String,
    /// The next attempt begins with a new file, and may come at once.
    pub(super) is_new: bool,
}

/// The file.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    connection: Option<Connection>,
    /// Once in a run is enough: a disk that spoils what is written is not filled with what it has spoilt.
    has_put_aside: bool,
}

impl Disk {
    pub(super) fn new(folder: &Path) -> Disk {
        Disk { folder: folder.to_owned(), connection: None, has_put_aside: false }
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join(STATE_FILE)
    }

    /// Reads everything.
    pub(super) fn read(&self) -> Found {
        let file = self.file();
        match check(&file) {
            Ok(true) => {}
            Ok(false) => return Found::Nothing,
            Err(found) => return found,
        }
        // What a killed bridge has left beside the file is taken in by opening it for writing. Where that cannot be, a
        // file with nothing beside it can still be read.
        let opened = open(&file, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let read = match opened.and_then(|connection| read_from(&connection)) {
            Err(Unread::Unavailable(reason)) => look_into(&file).map_err(|_| Unread::Unavailable(reason)),
            read => read,
        };
        found(&file, read)
    }

    /// Reads everything, beside a bridge that may be running, and changes nothing.
    pub(super) fn look(&self) -> Found {
        let file = self.file();
        match check(&file) {
            Ok(true) => found(&file, look_into(&file)),
            Ok(false) => Found::Nothing,
            Err(found) => found,
        }
    }

    /// Gives the file another name, and what SQLite keeps beside it too.
    ///
    /// # Errors
    /// The file stands where it stood.
    pub(super) fn put_aside(&mut self, now: At) -> Result<PathBuf, String> {
        self.connection = None;
        self.has_put_aside = true;
        let aside = self.folder.join(format!("{STATE_FILE}.damaged-{}", now.utc.as_second()));
        let mut moved = Ok(());
        for end in BESIDE.into_iter().chain([""]) {
            let from = with_end(&self.file(), end);
            if from.symlink_metadata().is_ok() {
                moved = moved.and_then(|()| fs::rename(&from, with_end(&aside, end)));
            }
        }
        moved.map(|()| aside).map_err(|error| error.to_string())
    }

    /// Writes a batch. When this returns, it is on the disk.
    ///
    /// # Errors
    /// Nothing of it was written.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), Failure> {
        let file = self.file();
        if self.connection.is_some() && !file.exists() {
            self.connection = None;
            let reason = format!("`{}` is gone; it is written anew", file.display());
            return Err(Failure { reason, is_new: true });
        }
        let written = match self.connected() {
            Ok(connection) => write_to(connection, batch).map_err(Unwritten::Sqlite),
            Err(error) => Err(error),
        };
        written.map_err(|error| {
            let failed = format!("`{}` cannot be written: {error}", file.display());
            // The next attempt opens it again: whatever was in the way may be gone by then.
            self.connection = None;
            if !error.is_damage() || self.has_put_aside {
                return Failure { reason: failed, is_new: false };
            }
            match self.put_aside(batch.saved) {
                Ok(aside) => {
                    let reason = format!("{failed}; it is now `{}`, and is written anew", aside.display());
                    Failure { reason, is_new: true }
                }
                Err(error) => {
                    Failure { reason: format!("{failed}; and it cannot be put aside: {error}"), is_new: false }
                }
            }
        })
    }

    fn connected(&mut self) -> Result<&mut Connection, Unwritten> {
        if self.connection.is_none() {
            if !self.file().exists() {
                create(&self.folder)?;
            }
            self.connection = Some(prepared(&self.file())?);
        }
        // It was put there just now.
        self.connection.as_mut().ok_or(Unwritten::Sqlite(rusqlite::Error::InvalidQuery))
    }
}

#[derive(Debug)]
enum Unwritten {
    Sqlite(rusqlite::Error),
    Folder(std::io::Error),
}

impl Unwritten {
    fn is_damage(&self) -> bool {
        matches!(self, Unwritten::Sqlite(error) if is_damage(error))
    }
}

impl std::fmt::Display for Unwritten {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unwritten::Sqlite(error) => write!(formatter, "{error}"),
            Unwritten::Folder(error) => write!(formatter, "{error}"),
        }
    }
}

impl From<rusqlite::Error> for Unwritten {
    fn from(error: rusqlite::Error) -> Unwritten {
        Unwritten::Sqlite(error)
    }
}

impl From<std::io::Error> for Unwritten {
    fn from(error: std::io::Error) -> Unwritten {
        Unwritten::Folder(error)
    }
}

#[derive(Debug)]
enum Unread {
    Damaged(String),
    Unavailable(String),
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Unread {
        // A table or a column that is missing, or a value of another type, is not what was written.
        let is_other = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => failure.code == ErrorCode::Unknown,
            _ => true,
        };
        let reason = error.to_string();
        if is_other || is_damage(&error) { Unread::Damaged(reason) } else { Unread::Unavailable(reason) }
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The same path with an end as SQLite adds it.
fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Whether there is a file to open.
fn check(file: &Path) -> Result<bool, Found> {
    let named = |reason: &str| format!("`{}` {reason}", file.display());
    match fs::metadata(file) {
        Ok(metadata) if !metadata.is_file() => Err(Found::Damaged(named("is no file"))),
        Ok(metadata) if metadata.len() == 0 => Err(Found::Damaged(named("is damaged: it is empty"))),
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
            Err(Found::Damaged(named(&format!("is larger than {FILE_BYTES_MAX} bytes"))))
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Without the file it belongs to, what was written last says nothing.
            let is_left = BESIDE.iter().any(|end| with_end(file, end).exists());
            if is_left { Err(Found::Damaged(named("is gone, and what stood beside it is not"))) } else { Ok(false) }
        }
        Err(error) => Err(Found::Unavailable(named(&format!("cannot be read: {error}")))),
    }
}

fn found(file: &Path, read: Result<Option<(Durable, At)>, Unread>) -> Found {
    match read {
        Ok(None) => Found::Nothing,
        Ok(Some((durable, saved))) => Found::Saved(Box::new(durable), saved),
        Err(Unread::Damaged(reason)) => Found::Damaged(format!("`{}` is damaged: {reason}", file.display())),
        Err(Unread::Unavailable(reason)) => {
            Found::Unavailable(format!("`{}` cannot be read: {reason}", file.display()))
        }
    }
}

fn open(file: &Path, access: OpenFlags) -> Result<Connection, Unread> {
    let connection = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    Ok(connection)
}

/// Reads without writing anything, not even beside the file where nothing stands there.
fn look_into(file: &Path) -> Result<Option<(Durable, At)>, Unread> {
    if with_end(file, "-wal").exists() {
        return read_from(&open(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?);
    }
    let path = percent_encoding::utf8_percent_encode(&file.display().to_string(), percent_encoding::NON_ALPHANUMERIC)
        .to_string();
    let address = format!("file:{path}?immutable=1");
    let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    read_from(&open(Path::new(&address), access)?)
}

fn read_from(connection: &Connection) -> Result<Option<(Durable, At)>, Unread> {
    let checked: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if checked != "ok" {
        return Err(Unread::Damaged(checked));
    }
    // One look at one state of the file, also where a bridge writes meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let meta = |name: &str| -> rusqlite::Result<Option<String>> {
        transaction.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
    };
    let version = meta("version")?.unwrap_or_default();
    if version != VERSION.to_string() {
        return Err(Unread::Damaged(format!("expected version {VERSION}, found `{version}`")));
    }
    // Made, and nothing written into it yet.
    let Some(saved) = meta("saved")? else { return Ok(None) };
    let saved: At = serde_json::from_str(&saved)
        .map_err(|error| Unread::Damaged(format!("when it was saved cannot be read: {error}")))?;
    let mut durable = Durable::default();
    let mut statement = transaction.prepare("SELECT kind, key, value FROM state ORDER BY kind, key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, key, value): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        rows::put(&mut durable, &kind, &key, &value).map_err(Unread::Damaged)?;
    }
    Ok(Some((durable, saved)))
}

/// Makes the file under another name, and gives it its own when it is whole: a file without tables is damaged.
/// Only the owner may read it: it says how the house is locked.
fn create(folder: &Path) -> Result<(), Unwritten> {
    create_folder(folder)?;
    let new = folder.join(NEW_FILE);
    create_file(&new)?;
    let mut connection = Connection::open_with_flags(&new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
         CREATE TABLE state (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key))
         WITHOUT ROWID;",
    )?;
    put_meta(&transaction, "version", &VERSION.to_string())?;
    transaction.commit()?;
    drop(connection);
    fs::rename(&new, folder.join(STATE_FILE))?;
    sync_folder(folder)?;
    Ok(())
}

fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// SQLite gives what it keeps beside a database the same mode.
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

/// Opened for writing.
fn prepared(file: &Path) -> Result<Connection, Unwritten> {
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, access)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is taken out is written over: a held command may carry what somebody has said.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_PAGES * PAGE_BYTES)?;
    connection.pragma_update(None, "max_page_count", PAGES_MAX)?;
    Ok(connection)
}

fn write_to(connection: &mut Connection, batch: &Batch) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if batch.is_everything {
        transaction.execute("DELETE FROM state", [])?;
    }
    {
        let mut put =
            transaction.prepare_cached("INSERT OR REPLACE INTO state (kind, key, value) VALUES (?1, ?2, ?3)")?;
        let mut remove = transaction.prepare_cached("DELETE FROM state WHERE kind = ?1 AND key = ?2")?;
        for row in &batch.rows {
            match &row.value {
                Some(value) => put.execute(params![row.kind, row.key, value])?,
                None => remove.execute(params![row.kind, row.key])?,
            };
        }
    }
    // An `At` always has a form in JSON; a file without one would count as never written.
    let saved = serde_json::to_string(&batch.saved)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    put_meta(&transaction, "saved", &saved)?;
    transaction.commit()?;
    let ends_pending = batch.rows.iter().any(|row| row.kind == rows::PENDING && row.value.is_none());
    if ends_pending {
        // A held command can have a code in it. `secure_delete` takes it out of the file, and this out of what was written
        // ahead of it. Where a reader is in the way, the next one does it.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn put_meta(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", [name, value])?;
    Ok(())
}
