//! The journal as somebody else reads it: by the documented form of its lines, with a chain computed anew.
//!
//! It deliberately shares no code with the program.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// One entry of the journal.
#[derive(Debug)]
pub struct Entry {
    pub body: Value,
}

impl Entry {
    /// What kind of record it is.
    pub fn kind(&self) -> &str {
        self.body["record"].as_str().unwrap_or_default()
    }

    pub fn decision(&self) -> &Value {
        &self.body["decision"]
    }

    /// Of a record of a torn tail: its length.
    pub fn torn_bytes(&self) -> u64 {
        self.body["bytes"].as_u64().unwrap_or_default()
    }
}

/// The segments, oldest first.
pub fn segments(data: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(data.join("journal")) else { return Vec::new() };
    let files = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|ending| ending == "log")).collect();
    files.sort();
    files
}

/// Every entry. Fails where a number is missing, a link is wrong or the last line is not whole.
pub fn read(data: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut link: [u8; 32] = Sha256::digest(b"hushgate journal 1").into();
    for segment in segments(data) {
        let text = std::fs::read_to_string(&segment).expect("a segment");
        assert!(text.is_empty() || text.ends_with('\n'), "{} ends within a line", segment.display());
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [seq, chain, body, _] = fields.as_slice() else { panic!("expected four fields, found {line}") };
            let seq: u64 = seq.parse().expect("a number");
            let expected = entries.len() as u64 + 1;
            assert_eq!(seq, expected, "a number is missing in {}", segment.display());
            let mut hash = Sha256::new();
            hash.update(link);
            hash.update(seq.to_be_bytes());
            hash.update(Sha256::digest(body.as_bytes()));
            link = hash.finalize().into();
            let written: String = link.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(*chain, written, "the chain breaks at {seq} in {}", segment.display());
            entries.push(Entry { body: serde_json::from_str(body).expect("JSON") });
        }
    }
    entries
}
