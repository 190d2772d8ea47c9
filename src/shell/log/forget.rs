//! Forgetting: what people said, and what rules read, is overwritten where it stands.
//!
//! Only the open column of a line is touched, with as many spaces as it had bytes, so lines stay where they are and a
//! bridge may go on writing behind them. Copies, backups and old blocks of the disk are out of reach.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use super::outline;
use super::segments::{self, Found, Lines};
use super::select::Selection;
use crate::journal::line;
use crate::shell::journal::segments::{self as journal, UPKEEP_LOCK};

/// Spaces that are written at once.
const SPACES: [u8; 4096] = [b' '; 4096];

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    pub lines: u64,
    pub bytes: u64,
}

/// Overwrites what is open in every record that is wanted. `is_trial`: only counts. `read` hears of bytes as they are read.
///
/// # Errors
/// For the owner: somebody else changes segments just now, or a file cannot be read or written.
pub fn forget(
    folder: &Path,
    selection: &Selection,
    is_trial: bool,
    read: &mut dyn FnMut(u64),
) -> Result<Forgotten, String> {
    // Held to the end of this function.
    let _lock = if is_trial { None } else { Some(lock(folder)?) };
    let mut forgotten = Forgotten::default();
    for segment in segments::list(folder)? {
        let mut lines = Lines::open(&segment.path, 0)?;
        let mut file = None;
        while let Some(found) = lines.next_line()? {
            let (offset, text) = match found {
                Found::Torn { .. } => break,
                Found::Unreadable { .. } => continue,
                Found::Line { offset, text } => (offset, text),
            };
            let Some(open) = open_column(text, selection) else { continue };
            forgotten.lines += 1;
            forgotten.bytes += open.len() as u64;
            if !is_trial {
                let file = match &mut file {
                    Some(file) => file,
                    empty => empty.insert(writable(&segment.path)?),
                };
                let at = offset + (text.len() - open.len()) as u64;
                overwrite(file, at, open.len()).map_err(|error| failed(&segment.path, &error))?;
            }
        }
        if let Some(file) = file {
            file.sync_data().map_err(|error| failed(&segment.path, &error))?;
        }
        read(lines.offset());
    }
    Ok(forgotten)
}

/// The last column of a line that is wanted, if something stands in it.
fn open_column<'a>(text: &'a str, selection: &Selection) -> Option<&'a str> {
    let (_, open) = text.rsplit_once('\t')?;
    if open.bytes().all(|byte| byte == b' ') {
        return None;
    }
    let line = line::read(text).ok()?;
    outline::of(&line).filter(|outline| selection.fits(outline)).map(|_| open)
}

fn overwrite(file: &mut File, at: u64, bytes: usize) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    let mut left = bytes;
    while left > 0 {
        let piece = SPACES.get(..left.min(SPACES.len())).unwrap_or(&SPACES);
        file.write_all(piece)?;
        left -= piece.len();
    }
    Ok(())
}

fn writable(path: &Path) -> Result<File, String> {
    OpenOptions::new().write(true).open(path).map_err(|error| failed(path, &error))
}

/// Waits for nobody: pruning takes its time, and the owner can ask again.
fn lock(folder: &Path) -> Result<File, String> {
    journal::lock(folder, UPKEEP_LOCK).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => {
            "the journal is being pruned or forgotten from just now\nhelp: try again in a minute".to_owned()
        }
        _ => failed(&folder.join(UPKEEP_LOCK), &error),
    })
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("`{}` cannot be written: {error}", path.display())
}
