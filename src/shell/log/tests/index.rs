//! The index, and that questions have the same answer with it, without it and with a part of it.

use super::*;
use crate::model::request::SourceKind;
use crate::shell::log::index::Index;
use crate::shell::log::indexer::Indexer;
use crate::shell::log::outline;
use crate::shell::log::reading::{Reading, Records};
use crate::shell::log::segments::Place;
use crate::shell::log::select::{NamePattern, Selection};

/// Eight records in three files.
fn house() -> House {
    let mut house = House::new();
    house
        .write([decision("lock.unlock", "kitchen_echo", Verdict::Deny, None), notice("told"), Entry::Connected], false);
    house.write(
        [
            decision("notify.send_message", "phone", Verdict::Allow, None),
            decision("light.turn_on", "kitchen_echo", Verdict::Allow, Some(12)),
            Entry::Noticed { pending: "0000000000c-00000b-aabbccdd".to_owned(), channel: "phone".to_owned() },
        ],
        true,
    );
    house.write([Entry::Stopped { reason: "x".to_owned() }, notice("told again")], true);
    house
}

fn catch_up(house: &House) -> u64 {
    Index::open(&house.index()).unwrap().catch_up(&house.journal(), &mut |_| {}).unwrap()
}

fn numbers(house: &House, selection: &Selection) -> Vec<u64> {
    let reading = Reading::open(house.data()).unwrap();
    let mut found = Vec::new();
    let mut each = |place: Place| {
        found.push(place.seq);
        Ok(true)
    };
    reading.each(selection, &mut each, &mut |_| {}).unwrap();
    for count in 0..=found.len() + 1 {
        let latest = reading.latest(selection, count, &mut |_| Ok(true), &mut |_| {}).unwrap();
        let latest: Vec<u64> = latest.iter().map(|place| place.seq).collect();
        assert_eq!(latest, found[found.len().saturating_sub(count)..], "the last {count}");
    }
    found
}

fn patterns(text: &str) -> Vec<NamePattern> {
    vec![NamePattern::new(text)]
}

fn questions() -> Vec<(Selection, Vec<u64>)> {
    let all = Selection::default;
    let key = outline::key("0000000000c-00000b-aabbccdd");
    vec![
        (all(), (1..=8).collect()),
        (Selection { verdicts: vec![Verdict::Deny], ..all() }, vec![1]),
        (Selection { applied: vec![Verdict::Allow, Verdict::Confirm], ..all() }, vec![4, 5]),
        (Selection { actions: patterns("l*"), ..all() }, vec![1, 5]),
        (Selection { actions: patterns("nothing.*"), ..all() }, vec![]),
        (Selection { targets: patterns("front_door"), ..all() }, vec![1, 4, 5]),
        (Selection { speakers: patterns("kitchen"), ..all() }, vec![1, 5]),
        (Selection { speakers: patterns("phone"), ..all() }, vec![4, 6]),
        (Selection { policies: patterns("doors"), ..all() }, vec![1, 4, 5]),
        (Selection { policies: patterns("night"), records: vec!["notice".to_owned()], ..all() }, vec![2, 8]),
        (Selection { sources: vec![SourceKind::Voice], verdicts: vec![Verdict::Allow], ..all() }, vec![4, 5]),
        (Selection { since: Some(at(3)), until: Some(at(6)), ..all() }, vec![3, 4, 5]),
        (Selection { since: Some(at(9)), ..all() }, vec![]),
        (Selection { until: Some(at(1)), ..all() }, vec![]),
        (Selection { seq: Some(4), ..all() }, vec![4]),
        (Selection { keys: vec![key], ..all() }, vec![1, 6]),
    ]
}

#[test]
fn questions_have_one_answer_with_and_without_an_index() {
    let mut house = house();
    for (position, (selection, expected)) in questions().iter().enumerate() {
        assert_eq!(&numbers(&house, selection), expected, "question {position}, without an index");
    }
    assert_eq!(catch_up(&house), 8);
    assert_eq!(catch_up(&house), 0);
    let reading = Reading::open(house.data()).unwrap();
    assert_eq!((reading.bytes_to_scan(), reading.problem), (Ok(0), None));
    for (position, (selection, expected)) in questions().iter().enumerate() {
        assert_eq!(&numbers(&house, selection), expected, "question {position}, by the index");
    }
    house.write([Entry::Connected], false);
    house.write([Entry::Connected], true);
    let reading = Reading::open(house.data()).unwrap();
    assert!(reading.problem.is_none() && reading.bytes_to_scan().unwrap() > 0);
    let connected = Selection { records: vec!["connected".to_owned()], ..Selection::default() };
    assert_eq!(numbers(&house, &connected), [3, 9, 10]);
    assert_eq!(catch_up(&house), 2);
}

#[test]
fn a_record_of_the_index_is_read_where_it_stands() {
    let house = house();
    catch_up(&house);
    let reading = Reading::open(house.data()).unwrap();
    let mut records = Records::new(house.data());
    let mut texts = Vec::new();
    let mut each = |place| {
        let kept = records.fetch(place)?.ok_or("it was not pruned")?;
        texts.extend(kept.opened.value.pointer("/decision/request/text").map(ToString::to_string));
        Ok(true)
    };
    reading.each(&Selection::default(), &mut each, &mut |_| {}).unwrap();
    let expected =
        ["kitchen_echo says lock.unlock", "phone says notify.send_message", "kitchen_echo says light.turn_on"];
    assert_eq!(texts, expected.map(|text| format!("\"{text}\"")));
}

#[test]
fn a_segment_that_was_rewritten_or_removed_is_indexed_anew() {
    let house = house();
    catch_up(&house);
    let text = fs::read_to_string(house.segment(4)).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let line = line::read(first).unwrap();
    let body = format!("#{}", chain::hexadecimal(&line.body.digest()));
    fs::write(house.segment(4), line::write(line.seq, &line.link, &body, "") + rest).unwrap();
    fs::remove_file(house.segment(1)).unwrap();
    let problem = Reading::open(house.data()).unwrap().problem;
    assert_eq!(problem.as_deref(), Some("the index does not fit its segments"));
    assert_eq!(numbers(&house, &Selection::default()), [5, 6, 7, 8], "all is read instead");
    assert_eq!(catch_up(&house), 2);
    assert_eq!(Reading::open(house.data()).unwrap().problem, None);
    assert_eq!(numbers(&house, &Selection::default()), [5, 6, 7, 8]);
}

#[test]
fn a_damaged_index_is_told_and_made_anew() {
    let house = house();
    for damage in [b"no database".to_vec(), vec![0xA5; 8192]] {
        fs::write(house.index(), damage).unwrap();
        let problem = Reading::open(house.data()).unwrap().problem.unwrap();
        assert!(problem.starts_with("the index cannot be used"), "{problem}");
        assert_eq!(numbers(&house, &Selection { seq: Some(4), ..Selection::default() }), [4]);
        assert_eq!(catch_up(&house), 8);
        assert_eq!(Reading::open(house.data()).unwrap().problem, None);
    }
    let connection = rusqlite::Connection::open(house.index()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert_eq!(catch_up(&house), 8, "another version's index is not believed");
}

#[test]
fn an_index_that_was_emptied_by_somebody_else_goes_on() {
    let mut house = house();
    let mut bridge = Index::open(&house.index()).unwrap();
    bridge.catch_up(&house.journal(), &mut |_| {}).unwrap();
    let mut owner = Index::open(&house.index()).unwrap();
    owner.clear().unwrap();
    assert_eq!(owner.catch_up(&house.journal(), &mut |_| {}), Ok(8));
    house.write([decision("lock.unlock", "kitchen_echo", Verdict::Deny, None)], false);
    assert_eq!(bridge.catch_up(&house.journal(), &mut |_| {}), Ok(1));
    let denied = Selection { actions: patterns("lock.unlock"), speakers: patterns("kitchen"), ..Selection::default() };
    assert_eq!(numbers(&house, &denied), [1, 9]);
}

#[test]
fn the_thread_follows_what_is_written() {
    let mut house = house();
    let indexer = Indexer::start(house.data()).unwrap();
    // It wakes nobody up when it is done, so the test looks again and again.
    let wait_for = |house: &House, last: u64| {
        while !Index::look(&house.index()).ok().flatten().is_some_and(|index| {
            index.known().is_ok_and(|known| known.last().is_some_and(|known| known.last_seq == last))
        }) {
            std::thread::yield_now();
        }
    };
    wait_for(&house, 8);
    house.write([Entry::Connected], true);
    indexer.wake();
    wait_for(&house, 9);
    drop(indexer);
}

#[test]
fn the_thread_makes_nothing_where_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let indexer = Indexer::start(&folder.path().join("data")).unwrap();
    let mut house = House::new();
    let other = Indexer::start(house.data()).unwrap();
    house.write([Entry::Connected], false);
    other.wake();
    while !house.index().exists() {
        std::thread::yield_now();
    }
    drop((indexer, other));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_index() {
    use std::os::unix::fs::PermissionsExt;
    let house = house();
    catch_up(&house);
    assert_eq!(fs::metadata(house.index()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_house_without_a_journal_is_told_how_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = Reading::open(folder.path()).unwrap_err();
    assert!(error.starts_with("there is no journal in `") && error.contains("\nhelp: name the bridge's"), "{error}");
}
