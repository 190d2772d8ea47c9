//! What a bridge has kept on disk, read from outside: `state.db`, beside the running bridge or after it.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::client::PATIENCE;

/// How often the file is looked at. Nothing tells a second process that a row has come.
const LOOK: Duration = Duration::from_millis(10);

/// Opens the file as a reader beside the bridge does.
pub fn open(data: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(data.join("state.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// One value, as it is written. `None`: it is not there, or the file is not there yet.
fn value(data: &Path, kind: &str, key: &str) -> Option<String> {
    let found = open(data).and_then(|connection| {
        let query = "SELECT value FROM state WHERE kind = ?1 AND key = ?2";
        connection.query_row(query, [kind, key], |row| row.get(0)).optional()
    });
    found.ok().flatten()
}

/// Waits until something is on disk: from then on a kill cannot take it away.
pub fn wait_until_kept(data: &Path, kind: &str, key: &str) {
    let deadline = Instant::now() + PATIENCE;
    while value(data, kind, key).is_none() {
        assert!(Instant::now() < deadline, "`{kind}` `{key}` was never kept");
        std::thread::sleep(LOOK);
    }
}
