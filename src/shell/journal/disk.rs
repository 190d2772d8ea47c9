//! The calls by which the journal is written, and nothing of what it says. Tests put a disk here that fails.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A disk with one segment open.
pub trait Disk {
    /// Opens a segment for appending, and creates it where there is none. It takes the place of the one before.
    fn open(&mut self, path: &Path) -> io::Result<()>;
    /// One `write(2)` at the end of the open segment. How many bytes were taken.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the open segment to this length.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
    /// Waits until the open segment's content is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug, Default)]
pub struct Files(Option<File>);

impl Files {
    fn open_one(&mut self) -> io::Result<&mut File> {
        self.0.as_mut().ok_or_else(|| io::Error::other("no segment is open"))
    }
}

impl Disk for Files {
    fn open(&mut self, path: &Path) -> io::Result<()> {
        let is_new = !path.exists();
        self.0 = Some(private(OpenOptions::new().append(true).create(true), path)?);
        match path.parent() {
            Some(folder) if is_new => sync_folder(folder),
            _ => Ok(()),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open_one()?.write(bytes)
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.open_one()?.set_len(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.open_one()?.sync_data()
    }
}

/// Opens a file that only its owner may read, where it is new.
pub fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path)
}

/// Creates a folder that only its owner may enter, and what is missing above it.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A new name is on the disk only when its folder is.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "a folder can be synced only when it is open")]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
