//! The index: what can be asked of the journal's records, in SQLite, one compact row for each.
//!
//! It holds nothing that can be erased, and nothing that does not stand in the segments: whoever deletes it loses time
//! alone. It follows each segment to its last whole line. A segment that was rewritten or removed is indexed anew, a
//! damaged index is made anew.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior, params};

use super::outline::{self, Outline};
use super::segments::{self, Found, Lines, Segment};
use crate::journal::line;
use crate::model::decision::Verdict;
use crate::model::request::SourceKind;
use crate::shell::journal::disk::private;

/// Lines that are indexed in one transaction: readers wait for none of it, and a crash loses no more.
const BATCH_LINES_MAX: usize = 20_000;
/// Texts whose numbers are remembered while indexing. Beyond, they are looked up again.
pub const TEXTS_REMEMBERED_MAX: usize = 50_000;
/// Pages of the index that are held in memory, in KiB.
const CACHE_KIB: i64 = 16 * 1024;
/// The form of the index. Another one is made anew.
const VERSION: i64 = 1;
/// Between the policies of one entry. No file's name holds it.
pub(super) const POLICY_SEPARATOR: char = '\n';

const TABLES: &str = "
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, record INTEGER NOT NULL, verdict INTEGER, applied INTEGER,
    action INTEGER, target INTEGER, speaker INTEGER, source INTEGER, policies INTEGER, own INTEGER, about INTEGER,
    segment INTEGER NOT NULL, place INTEGER NOT NULL);
CREATE TABLE segments (
    first INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, last_place INTEGER NOT NULL, end INTEGER NOT NULL,
    at_min_ms INTEGER NOT NULL, at_max_ms INTEGER NOT NULL);
";

/// Made when all entries are there: one sort is quicker than a million insertions.
const INDEXES: &str = "
CREATE INDEX IF NOT EXISTS by_record ON entries (record);
CREATE INDEX IF NOT EXISTS by_verdict ON entries (verdict) WHERE verdict IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_action ON entries (action) WHERE action IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_target ON entries (target) WHERE target IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_speaker ON entries (speaker) WHERE speaker IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_policies ON entries (policies) WHERE policies IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_own ON entries (own) WHERE own IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_about ON entries (about) WHERE about IS NOT NULL;
";

const INSERT: &str = "INSERT OR REPLACE INTO entries VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)";

/// How far one segment is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub first: u64,
    pub last_seq: u64,
    last_place: u64,
    /// The offset behind its last indexed line.
    pub end: u64,
    pub at_min_ms: i64,
    pub at_max_ms: i64,
}

/// Why the index could not be made or asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For the owner.
    pub text: String,
    /// The file itself is at fault: it is to be made anew.
    pub is_damaged: bool,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        // What has another form than ours was not made by this version.
        let is_other = matches!(error, rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::InvalidQuery);
        let is_damaged = is_other || matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase));
        Failure { text: format!("the index cannot be used: {error}"), is_damaged }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure { text, is_damaged: false }
    }
}

/// The index, for the one who makes it and for those who ask.
#[derive(Debug)]
pub struct Index {
    connection: Connection,
    texts: BTreeMap<String, i64>,
    /// Changes when somebody else has written: the numbers of texts may be others then.
    data_version: i64,
    has_indexes: bool,
}

impl Index {
    /// Opens it for making it. One that cannot be used is thrown away.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn open(file: &Path) -> Result<Index, Failure> {
        match Index::try_open(file) {
            Err(failure) if failure.is_damaged => {
                remove(file)?;
                Index::try_open(file)
            }
            other => other,
        }
    }

    fn try_open(file: &Path) -> Result<Index, Failure> {
        // SQLite gives its other files the same rights. If this fails, so does the opening.
        private(OpenOptions::new().create(true).append(true), file).ok();
        let mut connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        } else {
            check_version(&transaction)?;
        }
        transaction.commit()?;
        Ok(Index { connection, texts: BTreeMap::new(), data_version: 0, has_indexes: false })
    }

    /// Opens it for asking. `None`: there is none, or it is being made for the first time.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn look(file: &Path) -> Result<Option<Index>, Failure> {
        if !file.exists() {
            return Ok(None);
        }
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        check_version(&connection)?;
        let is_made = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'by_about')";
        if !connection.query_row(is_made, [], |row| row.get(0))? {
            return Ok(None);
        }
        // All questions see one state.
        connection.execute_batch("BEGIN")?;
        Ok(Some(Index { connection, texts: BTreeMap::new(), data_version: 0, has_indexes: true }))
    }

    /// How far each segment is indexed, in order.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn known(&self) -> Result<Vec<Known>, Failure> {
        let mut statement = self.connection.prepare_cached("SELECT * FROM segments ORDER BY first")?;
        let rows = statement.query_map([], read_known)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Brings it up to the last whole line of each segment. `indexed` hears of bytes as they are done; gives the number of
    /// entries that were added.
    ///
    /// # Errors
    /// A segment cannot be read, or the index cannot be written.
    pub fn catch_up(&mut self, folder: &Path, indexed: &mut dyn FnMut(u64)) -> Result<u64, Failure> {
        let segments = segments::list(folder)?;
        let ends = self.drop_changed(&segments)?;
        let mut added = 0;
        for segment in &segments {
            let end = ends.get(&segment.first).copied().unwrap_or(0);
            if length(&segment.path)? > end {
                added += self.follow(segment, end, indexed)?;
            }
        }
        if !self.has_indexes {
            self.connection.execute_batch(INDEXES)?;
            self.connection.execute_batch("PRAGMA analysis_limit = 400; ANALYZE;")?;
            self.has_indexes = true;
        }
        Ok(added)
    }

    /// Takes everything out, so that the next `catch_up` begins anew. A bridge that keeps the same index goes on with it.
    ///
    /// # Errors
    /// The index cannot be written.
    pub fn clear(&mut self) -> Result<(), Failure> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch("DROP TABLE entries; DROP TABLE segments; DROP TABLE texts;")?;
        transaction.execute_batch(TABLES)?;
        transaction.commit()?;
        self.texts.clear();
        self.has_indexes = false;
        Ok(())
    }

    /// Takes out the entries of segments that are gone or no longer what was indexed. Gives the ends of the others.
    fn drop_changed(&mut self, segments: &[Segment]) -> Result<BTreeMap<u64, u64>, Failure> {
        let mut ends = BTreeMap::new();
        for known in self.known()? {
            let segment = segments.iter().find(|segment| segment.first == known.first);
            if let Some(segment) = segment
                && is_unchanged(segment, &known, segments.last() == Some(segment))?
            {
                ends.insert(known.first, known.end);
                continue;
            }
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let range = [signed(known.first), signed(known.last_seq)];
            transaction.execute("DELETE FROM entries WHERE seq BETWEEN ?1 AND ?2", range)?;
            transaction.execute("DELETE FROM segments WHERE first = ?1", [signed(known.first)])?;
            transaction.commit()?;
        }
        Ok(ends)
    }

    fn follow(&mut self, segment: &Segment, end: u64, indexed: &mut dyn FnMut(u64)) -> Result<u64, Failure> {
        let mut lines = Lines::open(&segment.path, end)?;
        let mut added = 0;
        loop {
            let before = lines.offset();
            let batch = self.index_batch(segment, &mut lines);
            if batch.is_err() {
                // Numbers that were given in a transaction that failed are nobody's.
                self.texts.clear();
            }
            added += batch?;
            if lines.offset() <= before {
                return Ok(added);
            }
            indexed(lines.offset() - before);
        }
    }

    /// One transaction. Who else indexes meanwhile has waited for it, or is waited for: it goes on from what is there.
    fn index_batch(&mut self, segment: &Segment, lines: &mut Lines) -> Result<u64, Failure> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let data_version = transaction.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if data_version != self.data_version {
            self.texts.clear();
            self.data_version = data_version;
        }
        let mut progress = progress_of(&transaction, segment.first)?;
        if progress.end != lines.offset() {
            *lines = Lines::open(&segment.path, progress.end)?;
        }
        let mut added = 0;
        for _ in 0..BATCH_LINES_MAX {
            let (offset, text) = match lines.next_line()? {
                None | Some(Found::Torn { .. }) => break,
                Some(Found::Unreadable { .. }) => continue,
                Some(Found::Line { offset, text }) => (offset, text),
            };
            let Ok(line) = line::read(text) else { continue };
            (progress.last_seq, progress.last_place) = (line.seq, offset);
            let Some(outline) = outline::of(&line) else { continue };
            progress.at_min_ms = progress.at_min_ms.min(outline.at_ms);
            progress.at_max_ms = progress.at_max_ms.max(outline.at_ms);
            insert(&transaction, &mut self.texts, &outline, [segment.first, offset])?;
            added += 1;
        }
        progress.end = lines.offset();
        note_progress(&transaction, &progress)?;
        transaction.commit()?;
        Ok(added)
    }
}

fn check_version(connection: &Connection) -> Result<(), Failure> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == VERSION { Ok(()) } else { Err(rusqlite::Error::InvalidQuery.into()) }
}

fn read_known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        first: unsigned(row.get(0)?),
        last_seq: unsigned(row.get(1)?),
        last_place: unsigned(row.get(2)?),
        end: unsigned(row.get(3)?),
        at_min_ms: row.get(4)?,
        at_max_ms: row.get(5)?,
    })
}

fn progress_of(transaction: &Transaction<'_>, first: u64) -> rusqlite::Result<Known> {
    match transaction.query_row("SELECT * FROM segments WHERE first = ?1", [signed(first)], read_known) {
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            Ok(Known { first, last_seq: first, last_place: 0, end: 0, at_min_ms: i64::MAX, at_max_ms: i64::MIN })
        }
        other => other,
    }
}

fn note_progress(transaction: &Transaction<'_>, known: &Known) -> rusqlite::Result<()> {
    let Known { first, last_seq, last_place, end, at_min_ms, at_max_ms } = *known;
    transaction.execute(
        "INSERT OR REPLACE INTO segments VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![signed(first), signed(last_seq), signed(last_place), signed(end), at_min_ms, at_max_ms],
    )?;
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    texts: &mut BTreeMap<String, i64>,
    outline: &Outline,
    [segment, offset]: [u64; 2],
) -> rusqlite::Result<()> {
    let mut number = |text: Option<&str>| text.map(|text| number_of(transaction, texts, text)).transpose();
    let separator = String::from(POLICY_SEPARATOR);
    let policies = (!outline.policies.is_empty()).then(|| outline.policies.join(&separator));
    transaction.prepare_cached(INSERT)?.execute(params![
        signed(outline.seq),
        outline.at_ms,
        number(Some(&outline.record))?,
        outline.verdict.map(verdict_number),
        outline.applied.map(verdict_number),
        number(outline.action.as_deref())?,
        number(outline.target.as_deref())?,
        number(outline.speaker.as_deref())?,
        outline.source.map(source_number),
        number(policies.as_deref())?,
        outline.own,
        outline.about,
        signed(segment),
        signed(offset),
    ])?;
    Ok(())
}

/// The number that stands for a text.
fn number_of(transaction: &Transaction<'_>, texts: &mut BTreeMap<String, i64>, text: &str) -> rusqlite::Result<i64> {
    if let Some(number) = texts.get(text) {
        return Ok(*number);
    }
    transaction.prepare_cached("INSERT OR IGNORE INTO texts (text) VALUES (?1)")?.execute([text])?;
    let number =
        transaction.prepare_cached("SELECT id FROM texts WHERE text = ?1")?.query_row([text], |row| row.get(0))?;
    if texts.len() >= TEXTS_REMEMBERED_MAX {
        texts.clear();
    }
    texts.insert(text.to_owned(), number);
    Ok(number)
}

pub(super) const fn verdict_number(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Confirm => 1,
        Verdict::Deny => 2,
    }
}

pub(super) const fn source_number(source: SourceKind) -> i64 {
    match source {
        SourceKind::Voice => 0,
        SourceKind::Person => 1,
        SourceKind::Automation => 2,
        SourceKind::Agent => 3,
        SourceKind::Policy => 4,
        SourceKind::Unknown => 5,
    }
}

/// Whether what was indexed of a segment still stands there. One that is not the last no longer grows, so any other
/// length means that it was rewritten.
pub(super) fn is_unchanged(segment: &Segment, known: &Known, is_last: bool) -> Result<bool, String> {
    let length = length(&segment.path)?;
    if length < known.end {
        return Ok(false);
    }
    // The last segment at the last look may be followed by another one now, and have lines that were not indexed yet: its
    // last line tells whether it is the same file.
    if !is_last && length == known.end {
        return Ok(true);
    }
    let mut lines = Lines::open(&segment.path, known.last_place)?;
    let found = lines.next_line()?;
    let seq = match found {
        Some(Found::Line { text, .. }) => line::read(text).ok().map(|line| line.seq),
        _ => None,
    };
    Ok(known.end == 0 || seq == Some(known.last_seq))
}

pub(super) fn length(path: &Path) -> Result<u64, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    Ok(metadata.len())
}

/// Takes the index away, with SQLite's other files of it.
///
/// # Errors
/// A file cannot be removed.
pub fn remove(file: &Path) -> Result<(), String> {
    for ending in ["", "-wal", "-shm"] {
        let mut path = file.as_os_str().to_owned();
        path.push(ending);
        let path = PathBuf::from(path);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("`{}` cannot be removed: {error}", path.display())),
        }
    }
    Ok(())
}

/// SQLite's numbers have a sign. None of ours is that large.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
