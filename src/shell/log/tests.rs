//! Journals made by hand, with the real seal and the real chain, and what is found in them.
#![expect(clippy::disallowed_methods, reason = "tests write and change the files that are read")]

mod index;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::segments::{self, file_name};
use super::{index_file, journal_folder};
use crate::config::{Keep, Log};
use crate::journal::chain::{self, Link};
use crate::journal::line;
use crate::journal::seal::{Salts, seal};
use crate::model::decision::{Opinion, Settlement, Verdict};
use crate::model::event::{Entry, Record};
use crate::model::mode::Mode;
use crate::shell::lines;

/// When the first record was written.
pub(super) const BEGIN: &str = "2026-11-22T00:00:00Z";

/// A folder of data with a journal in it.
pub(super) struct House {
    pub(super) folder: tempfile::TempDir,
    link: Link,
    seq: u64,
    salts: Salts,
}

impl House {
    pub(super) fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(journal_folder(folder.path())).unwrap();
        House { folder, link: chain::genesis(), seq: 0, salts: Salts::new([7; 32]) }
    }

    pub(super) fn data(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn journal(&self) -> PathBuf {
        journal_folder(self.data())
    }

    pub(super) fn index(&self) -> PathBuf {
        index_file(self.data())
    }

    pub(super) fn segment(&self, first: u64) -> PathBuf {
        self.journal().join(file_name(first))
    }

    /// Writes records to the last segment, or to a new one.
    pub(super) fn write(&mut self, entries: impl IntoIterator<Item = Entry>, is_new: bool) -> PathBuf {
        let last = segments::list(&self.journal()).unwrap().pop().filter(|_| !is_new);
        let path = last.map_or_else(|| self.segment(self.seq + 1), |segment| segment.path);
        let mut text = fs::read_to_string(&path).unwrap_or_default();
        let log = Log { text_default: Keep::Keep, ..Log::default() };
        for entry in entries {
            self.seq += 1;
            let sealed = seal(&Record { at: at(self.seq), entry }, &log, &mut self.salts).unwrap();
            self.link = chain::link(&self.link, self.seq, &chain::digest(sealed.body.as_bytes()));
            text.push_str(&line::write(self.seq, &self.link, &sealed.body, &sealed.open));
        }
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn head(&self) -> super::verify::Head {
        super::verify::Head { seq: self.seq, link: self.link }
    }
}

/// One hour after the other.
pub(super) fn at(seq: u64) -> Timestamp {
    let begin: Timestamp = BEGIN.parse().unwrap();
    begin + SignedDuration::from_hours(i64::try_from(seq).unwrap())
}

/// A decision with something that can be erased.
pub(super) fn decision(action: &str, channel: &str, verdict: Verdict, settles: Option<u64>) -> Entry {
    let mut decision = lines::tests::example();
    decision.id = id(channel, action);
    decision.request.action = action.to_owned();
    decision.request.text = Some(format!("{channel} says {action}"));
    decision.request.source.channel = Some(channel.to_owned());
    (decision.verdict, decision.applied) = (verdict, verdict);
    let opinion = |policy: &str| Opinion {
        policy: policy.to_owned(),
        verdict,
        reason: "so".to_owned(),
        instead: None,
        mode: Mode::Enforce,
        error: None,
        terms: None,
    };
    decision.opinions = vec![opinion("night"), opinion("doors")];
    decision.settles = settles.map(|seq| Settlement {
        pending: format!("{seq:011x}-000001-aabbccdd"),
        outcome: crate::model::decision::Outcome::Approved,
        channel: Some("phone".to_owned()),
    });
    Entry::Decision { decision: Box::new(decision) }
}

fn id(channel: &str, action: &str) -> String {
    format!("{:011x}-{:06x}-aabbccdd", channel.len(), action.len())
}

pub(super) fn notice(text: &str) -> Entry {
    Entry::Notice { text: text.to_owned(), policy: "night".to_owned(), applied: true }
}
