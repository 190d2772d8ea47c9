#![expect(clippy::disallowed_methods, reason = "tests look at the files that are written")]

use std::path::PathBuf;

use jiff::SignedDuration;

use super::*;
use crate::journal::seal::{Salts, check};
use crate::model::event::Record;
use crate::shell::journal::disk::Files;
use crate::shell::journal::writer::Writer;

fn day(count: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
    start + SignedDuration::from_hours(24 * count)
}

fn ordinary(at: Timestamp) -> Record {
    Record { at, entry: Entry::Connected }
}

fn sensitive(at: Timestamp) -> Record {
    Record { at, entry: Entry::Notice { text: "hello".to_owned(), policy: "p".to_owned(), applied: true } }
}

fn kept(at: Timestamp) -> Record {
    Record { at, entry: Entry::Unmuted { speaker: "s".to_owned(), by: "b".to_owned() } }
}

/// Makes a record of that time.
type Kind = fn(Timestamp) -> Record;

/// A journal of one segment a day.
fn journal(days: &[&[Kind]]) -> (tempfile::TempDir, PathBuf) {
    let data = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::new(data.path(), Log::default(), Salts::new([3; 32]), Files::default());
    for (count, records) in (0..).zip(days) {
        let records: Vec<Record> = records.iter().map(|record| record(day(count))).collect();
        writer.write(day(count), &records).expect("a written journal");
    }
    let folder = writer.folder().to_owned();
    (data, folder)
}

/// Each segment: its first number, and for each line whether its body is whole. The chain holds from `before` on.
fn look(folder: &Path, mut before: (u64, Link)) -> Vec<(u64, Vec<bool>)> {
    let mut seen = Vec::new();
    for segment in segments::list(folder).expect("segments") {
        let mut lines = Vec::new();
        for text in fs::read_to_string(&segment.path).expect("a segment").lines() {
            let line = line::read(text).expect("a line");
            before = (before.0 + 1, chain::link(&before.1, line.seq, &line.body.digest()));
            assert_eq!((line.seq, line.link), before, "the chain");
            if let Body::Whole(body) = line.body {
                assert_eq!(check(body, line.open), Ok(()));
            } else {
                assert_eq!(line.open, "", "what was open of it is gone too");
            }
            lines.push(matches!(line.body, Body::Whole(_)));
        }
        seen.push((segment.first, lines));
    }
    seen
}

fn prune_at(folder: &Path, log: &Log, now: Timestamp) -> Plan {
    prune(folder, log, now, &AtomicBool::new(false)).expect("a plan")
}

#[test]
fn what_is_past_leaves_its_digest_and_what_is_wholly_past_may_go() {
    let genesis = (0, chain::genesis());
    let (_data, folder) = journal(&[&[ordinary, kept, sensitive], &[ordinary], &[ordinary, ordinary], &[ordinary]]);
    assert_eq!(prune_at(&folder, &Log::default(), day(90)), Plan::default(), "not a day too early");
    let untouched = look(&folder, genesis);

    // The first and the second day are past for what is ordinary.
    let plan = prune_at(&folder, &Log::default(), day(91) + SignedDuration::from_secs(1));
    assert_eq!((plan.entries, plan.remove.len(), plan.through), (3, 0, None), "the first day keeps one record");
    let expected = [(1, vec![false, true, false]), (4, vec![false]), (5, vec![true, true]), (7, vec![true])];
    assert_eq!(look(&folder, genesis), expected);
    assert_eq!(untouched.len(), 4);
    assert!(plan.entry().is_some_and(|entry| matches!(entry, Entry::Pruned { entries: 3, through: None, .. })));

    // Everything is past; the open segment stays.
    let plan = prune_at(&folder, &Log::default(), day(1_000));
    let firsts: Vec<u64> = plan.remove.iter().map(|segment| segment.first).collect();
    assert_eq!((plan.entries, firsts), (3, vec![1, 4, 5]));
    let (seq, link) = plan.through.expect("the last one that goes");
    assert_eq!(seq, 6);
    assert_eq!(look(&folder, genesis).len(), 4, "it is only planned: the journal must say so first");
    remove(&folder, &plan.remove).expect("removed segments");
    assert_eq!(look(&folder, (6, link)), [(7, vec![true])], "the chain goes on from the checkpoint");
    assert_eq!(prune_at(&folder, &Log::default(), day(1_000)), Plan::default());
}

#[test]
fn the_oldest_go_where_all_are_too_large() {
    let (_data, folder) = journal(&[&[ordinary, ordinary], &[kept], &[ordinary], &[ordinary]]);
    let sizes: Vec<u64> =
        segments::list(&folder).unwrap().iter().map(|segment| fs::metadata(&segment.path).unwrap().len()).collect();
    let closed: u64 = sizes[..3].iter().sum();
    for (size_bytes, firsts, entries) in [
        (closed, vec![], 0),
        (closed - 1, vec![1], 2),
        (closed - sizes[0], vec![1], 2),
        (closed - sizes[0] - 1, vec![1, 3], 3),
        (0, vec![1, 3, 4], 4),
    ] {
        let plan = prune_at(&folder, &Log { size_bytes, ..Log::default() }, day(3));
        assert_eq!(plan.remove.iter().map(|segment| segment.first).collect::<Vec<_>>(), firsts, "{size_bytes}");
        assert_eq!(plan.entries, entries, "{size_bytes}");
    }
}

#[test]
fn what_is_ordinary_makes_room_before_anything_sensitive_goes() {
    let (_data, folder) = journal(&[&[sensitive, kept, sensitive], &[kept, sensitive], &[sensitive], &[ordinary]]);
    let size = || -> u64 {
        let closed = segments::list(&folder).unwrap();
        closed[..3].iter().map(|segment| fs::metadata(&segment.path).unwrap().len()).sum()
    };
    // A notice is ordinary. One byte too many: those of the oldest segment go, and nothing else.
    let plan = prune_at(&folder, &Log { size_bytes: size() - 1, ..Log::default() }, day(3));
    assert_eq!((plan.entries, plan.remove.len(), plan.through), (2, 0, None));
    let expected = [(1, vec![false, true, false]), (4, vec![true, true]), (6, vec![true]), (7, vec![true])];
    assert_eq!(look(&folder, (0, chain::genesis())), expected);
    // Only where that is not enough the oldest goes, with what is sensitive in it.
    let plan = prune_at(&folder, &Log { size_bytes: size() / 2, ..Log::default() }, day(3));
    assert_eq!(plan.entries, 3, "two that were ordinary in the rest, and the one that was left in the oldest");
    assert_eq!(plan.remove.iter().map(|segment| segment.first).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_is_cut_short_leaves_the_old_or_the_new_and_what_cannot_be_read_stays() {
    let (_data, folder) = journal(&[&[ordinary, ordinary], &[ordinary]]);
    let segment = folder.join("000000000001.log");
    let text = fs::read_to_string(&segment).unwrap();
    // A run that ended while it wrote the new file.
    fs::write(segment.with_extension("log.new"), "half").unwrap();
    fs::write(&segment, format!("{text}no line\n")).unwrap();
    let plan = prune_at(&folder, &Log::default(), day(1_000));
    assert_eq!((plan.entries, plan.remove.len()), (2, 0), "what cannot be read is not thrown away");
    let pruned = fs::read_to_string(&segment).unwrap();
    assert!(pruned.ends_with("\nno line\n") && pruned.matches("\t#").count() == 2, "{pruned}");
    assert!(!segment.with_extension("log.new").exists());
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&segment).unwrap().permissions()) & 0o777, 0o600);
}

#[test]
fn nothing_is_done_while_another_program_is_at_it_or_the_bridge_ends() {
    let (_data, folder) = journal(&[&[ordinary], &[ordinary]]);
    let stopped = prune(&folder, &Log::default(), day(1_000), &AtomicBool::new(true));
    assert_eq!(stopped, Ok(Plan::default()));
    let held = segments::lock(&folder, UPKEEP_LOCK).unwrap();
    let error = prune(&folder, &Log::default(), day(1_000), &AtomicBool::new(false)).unwrap_err();
    assert!(error.starts_with("old records cannot be taken out of `"), "{error}");
    drop(held);
    assert_eq!(prune_at(&folder, &Log::default(), day(1_000)).entries, 1);
    assert_eq!(prune_at(Path::new("nowhere"), &Log::default(), day(1_000)), Plan::default());
}
