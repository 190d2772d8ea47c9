//! The files of the journal, in order, and their lines, read with bounded memory.
//!
//! Nothing is believed of a file but its name; what its lines say is `verify`'s affair.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::journal::line::LINE_BYTES_MAX;
use crate::shell::journal::segments;
pub use crate::shell::journal::segments::{Segment, file_name};

/// What is read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// The segments of a folder, in order. Other files are passed over. A folder that is not there has none.
///
/// # Errors
/// The folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Segment>, String> {
    segments::list(folder).map_err(|error| format!("the folder `{}` cannot be read: {error}", folder.display()))
}

/// What stands at one place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A line, without its line feed.
    Line { offset: u64, text: &'a str },
    /// A line that nobody can read.
    Unreadable { offset: u64, reason: &'static str },
    /// The end of the file has no line feed: it is being written, or was torn.
    Torn { offset: u64, bytes: u64 },
}

/// The lines of one segment, in order.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    offset: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Reads from an offset on, at which a line begins.
    ///
    /// # Errors
    /// The file cannot be read.
    #[expect(clippy::disallowed_methods, reason = "a segment is read in pieces, so it must be open")]
    pub fn open(path: &Path, offset: u64) -> Result<Lines, String> {
        let mut file = File::open(path).map_err(|error| failed(path, &error))?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| failed(path, &error))?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Lines { reader, path: path.to_owned(), offset, buffer: Vec::new() })
    }

    /// Where the next line begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line. At the end `None`; asked again later, what was written meanwhile. A torn end is read again then.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_line(&mut self) -> Result<Option<Found<'_>>, String> {
        self.buffer.clear();
        let offset = self.offset;
        let bytes_max = LINE_BYTES_MAX as u64;
        let read = self.reader.by_ref().take(bytes_max).read_until(b'\n', &mut self.buffer);
        let mut bytes = read.map_err(|error| failed(&self.path, &error))? as u64;
        if bytes == 0 {
            return Ok(None);
        }
        let is_too_long = bytes == bytes_max && !self.buffer.ends_with(b"\n");
        if is_too_long {
            let (skipped, is_whole) = self.skip_line()?;
            bytes += skipped;
            if is_whole {
                self.offset += bytes;
                return Ok(Some(Found::Unreadable { offset, reason: "the line is longer than any that is written" }));
            }
        }
        let Some(line) = self.buffer.strip_suffix(b"\n") else {
            self.reader.seek(SeekFrom::Start(offset)).map_err(|error| failed(&self.path, &error))?;
            return Ok(Some(Found::Torn { offset, bytes }));
        };
        self.offset += bytes;
        Ok(Some(match std::str::from_utf8(line) {
            Ok(text) => Found::Line { offset, text },
            Err(_) => Found::Unreadable { offset, reason: "the line is not UTF-8" },
        }))
    }

    /// Passes over the rest of a line: how many bytes, and whether it had an end.
    fn skip_line(&mut self) -> Result<(u64, bool), String> {
        let mut skipped = 0;
        loop {
            let buffer = self.reader.fill_buf().map_err(|error| failed(&self.path, &error))?;
            if buffer.is_empty() {
                return Ok((skipped, false));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(buffer.len(), |at| at + 1);
            self.reader.consume(count);
            skipped += count as u64;
            if end.is_some() {
                return Ok((skipped, true));
            }
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("`{}` cannot be read: {error}", path.display())
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub seq: u64,
    /// The number in its segment's name.
    pub segment: u64,
    pub offset: u64,
}

/// Reads single lines, and keeps the segment open that was read last.
#[derive(Debug)]
pub struct Fetcher {
    folder: PathBuf,
    open: Option<(u64, Lines)>,
}

impl Fetcher {
    pub fn new(folder: &Path) -> Fetcher {
        Fetcher { folder: folder.to_owned(), open: None }
    }

    /// The lines from one place on.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub fn from(&mut self, segment: u64, offset: u64) -> Result<&mut Lines, String> {
        let path = self.folder.join(file_name(segment));
        let kept = self.open.take().filter(|(open, _)| *open == segment);
        let lines = match kept {
            Some((_, mut lines)) if lines.offset != offset => {
                let by = i64::try_from(offset).unwrap_or(i64::MAX) - i64::try_from(lines.offset).unwrap_or(i64::MAX);
                // What is in the buffer already is not read again.
                lines.reader.seek_relative(by).map_err(|error| failed(&path, &error))?;
                lines.offset = offset;
                lines
            }
            Some((_, lines)) => lines,
            None => Lines::open(&path, offset)?,
        };
        let (_, lines) = self.open.insert((segment, lines));
        Ok(lines)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write the files that are read")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn segments_come_in_order_and_without_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["000000000101.log", "000000000001.log", "lock", "1.log", "00000000000x.log", "000000000001.log.new"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let firsts: Vec<u64> = list(folder.path()).unwrap().iter().map(|segment| segment.first).collect();
        assert_eq!(firsts, [1, 101]);
        assert_eq!(file_name(101), "000000000101.log");
        assert_eq!(list(&folder.path().join("none")), Ok(Vec::new()));
    }

    #[test]
    fn what_is_written_later_is_read_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file_name(1));
        fs::write(&path, "one\nt").unwrap();
        let mut lines = Lines::open(&path, 0).unwrap();
        assert_eq!(lines.next_line(), Ok(Some(Found::Line { offset: 0, text: "one" })));
        assert_eq!(lines.next_line(), Ok(Some(Found::Torn { offset: 4, bytes: 1 })));
        fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(lines.next_line(), Ok(Some(Found::Line { offset: 4, text: "two" })));
        assert_eq!(lines.next_line(), Ok(None));
        assert_eq!(lines.offset(), 8);
    }

    #[test]
    fn a_line_at_the_limit_is_read_and_a_longer_one_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file_name(1));
        let longest = "a".repeat(LINE_BYTES_MAX - 1);
        fs::write(&path, format!("{longest}\n{longest}aa\nnext\n{longest}aaaa")).unwrap();
        let mut lines = Lines::open(&path, 0).unwrap();
        assert_eq!(lines.next_line(), Ok(Some(Found::Line { offset: 0, text: &longest })));
        let at = LINE_BYTES_MAX as u64;
        let reason = "the line is longer than any that is written";
        assert_eq!(lines.next_line(), Ok(Some(Found::Unreadable { offset: at, reason })));
        assert_eq!(lines.next_line(), Ok(Some(Found::Line { offset: 2 * at + 2, text: "next" })));
        assert_eq!(lines.next_line(), Ok(Some(Found::Torn { offset: 2 * at + 7, bytes: at + 3 })));
    }

    #[test]
    fn single_lines_are_fetched_from_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        for (first, text) in [(1, "a\nbb\nccc\n"), (4, "d\n")] {
            fs::write(folder.path().join(file_name(first)), text).unwrap();
        }
        let mut fetcher = Fetcher::new(folder.path());
        for (segment, offset, text) in [(1, 5, "ccc"), (1, 2, "bb"), (4, 0, "d"), (1, 0, "a"), (1, 5, "ccc")] {
            let found = fetcher.from(segment, offset).unwrap().next_line();
            assert_eq!(found, Ok(Some(Found::Line { offset, text })));
        }
    }
}
