//! A journal made by hand, with the real seal and the real chain.

use std::fs;
use std::path::{Path, PathBuf};

use hushgate::config::{Keep, Log};
use hushgate::journal::chain::{self, Link};
use hushgate::journal::line;
use hushgate::journal::seal::{Salts, seal};
use hushgate::model::event::Record;
use hushgate::shell::log::segments::file_name;
use hushgate::shell::log::{index_file, journal_folder};
use serde_json::Value;

/// A folder of data with a journal in it.
pub struct Journal {
    folder: tempfile::TempDir,
    link: Link,
    seq: u64,
    salts: Salts,
}

impl Journal {
    pub fn new() -> Journal {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(journal_folder(folder.path())).expect("a folder that can be written");
        Journal { folder, link: chain::genesis(), seq: 0, salts: Salts::new([7; 32]) }
    }

    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    pub fn index(&self) -> PathBuf {
        index_file(self.data())
    }

    pub fn segment(&self, first: u64) -> PathBuf {
        journal_folder(self.data()).join(file_name(first))
    }

    /// Appends records, each given as its JSON, in one piece to the segment that begins with a number.
    pub fn write(&mut self, first: u64, records: &[Value]) {
        use std::io::Write;
        let log = Log { text_default: Keep::Keep, ..Log::default() };
        let mut text = String::new();
        for record in records {
            self.seq += 1;
            let record: Record = serde_json::from_value(record.clone()).expect("a record");
            let sealed = seal(&record, &log, &mut self.salts).expect("a record");
            self.link = chain::link(&self.link, self.seq, &chain::digest(sealed.body.as_bytes()));
            text.push_str(&line::write(self.seq, &self.link, &sealed.body, &sealed.open));
        }
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.segment(first)).expect("a segment");
        file.write_all(text.as_bytes()).expect("enough disk");
    }
}
