//! What verification finds, and what it lets pass: forgetting and pruning.

use super::*;
use crate::shell::log::forget::{Forgotten, forget};
use crate::shell::log::select::{NamePattern, Selection};
use crate::shell::log::verify::{Fault, Head, Report, verify};

fn report(house: &House, heads: &[Head]) -> Report {
    verify(&house.journal(), heads, &mut |_| {}).unwrap()
}

/// The fault, the file and its line.
fn found(house: &House, heads: &[Head]) -> Option<(Fault, String, u64)> {
    report(house, heads).finding.map(|finding| (finding.fault, finding.file, finding.line))
}

/// Five records in two files.
fn house() -> House {
    let mut house = House::new();
    house.write([decision("lock.unlock", "kitchen", Verdict::Deny, None), notice("told"), Entry::Connected], false);
    house.write([notice("told again"), Entry::Disconnected { reason: "x".to_owned() }], true);
    house
}

fn lines_of(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn write_lines(path: &Path, lines: &[String]) {
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

#[test]
fn what_was_written_is_verified() {
    let house = house();
    let report = report(&house, &[house.head()]);
    assert_eq!(report.finding, None);
    assert_eq!((report.lines, report.segments, report.head), (5, 2, Some(house.head())));
    assert_eq!(verify(&house.data().join("none"), &[], &mut |_| {}), Ok(Report::default()));
}

#[test]
fn a_flipped_bit_is_found_at_every_byte() {
    let house = house();
    for first in [1, 4] {
        let path = house.segment(first);
        let whole = fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << (position % 7);
            fs::write(&path, &bytes).unwrap();
            let line = whole[..position].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            let report = report(&house, &[]);
            let Some(finding) = report.finding else { panic!("byte {position} of segment {first}: not found") };
            assert_eq!((finding.file, finding.line), (file_name(first), line), "byte {position}: {}", finding.reason);
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(found(&house, &[]), None);
}

#[test]
fn lines_that_are_gone_double_or_elsewhere_are_named() {
    type Change = fn(&mut Vec<String>);
    let cases: [(Change, Fault, u64); 7] = [
        (|lines| drop(lines.remove(1)), Fault::Missing, 2),
        (|lines| drop(lines.remove(2)), Fault::Missing, 1),
        (|lines| lines.insert(1, lines[0].clone()), Fault::Added, 2),
        (|lines| lines.insert(2, lines[1].replace("told", "told off")), Fault::Added, 3),
        (|lines| lines.swap(0, 1), Fault::Reordered, 1),
        (|lines| lines.swap(1, 2), Fault::Reordered, 2),
        (|lines| lines.insert(1, String::new()), Fault::Changed, 2),
    ];
    for (position, (change, fault, line)) in cases.into_iter().enumerate() {
        let house = house();
        let mut lines = lines_of(&house.segment(1));
        change(&mut lines);
        write_lines(&house.segment(1), &lines);
        // What is gone from the end of a file is missed at the beginning of the next one.
        let file = file_name(if position == 1 { 4 } else { 1 });
        assert_eq!(found(&house, &[]), Some((fault, file, line)), "case {position}");
    }
}

#[test]
fn files_that_are_gone_or_named_otherwise_are_found() {
    let first_gone = house();
    fs::remove_file(first_gone.segment(1)).unwrap();
    assert_eq!(found(&first_gone, &[]), Some((Fault::Missing, file_name(4), 1)));
    let renamed = house();
    fs::rename(renamed.segment(4), renamed.segment(5)).unwrap();
    let finding = report(&renamed, &[]).finding.unwrap();
    assert_eq!(finding.reason, "the file's name says 5, its first line is 4");
}

#[test]
fn an_end_that_is_gone_is_found_by_the_head_alone() {
    let house = house();
    let mut lines = lines_of(&house.segment(4));
    lines.pop();
    write_lines(&house.segment(4), &lines);
    assert_eq!(found(&house, &[]), None, "nobody can tell without a head");
    let finding = report(&house, &[house.head()]).finding.unwrap();
    assert_eq!(
        (finding.fault, finding.reason.as_str()),
        (Fault::Truncated, "the journal ends at line 4, the head is 5")
    );
    fs::remove_file(house.segment(4)).unwrap();
    assert_eq!(found(&house, &[house.head()]), Some((Fault::Truncated, file_name(1), 3)));
}

#[test]
fn a_journal_that_was_written_anew_is_found_by_the_head() {
    let (house, mut other) = (house(), House::new());
    other.write([Entry::Connected, Entry::Connected, Entry::Connected, Entry::Connected, Entry::Connected], false);
    assert_eq!(found(&other, &[]), None, "its own chain holds");
    assert_eq!(found(&other, &[house.head()]), Some((Fault::Changed, file_name(1), 5)));
}

#[test]
fn a_torn_end_is_found() {
    let house = house();
    let path = house.segment(4);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end_matches('\n')).unwrap();
    assert_eq!(found(&house, &[]), Some((Fault::Truncated, file_name(4), 2)));
}

#[test]
fn what_is_forgotten_is_gone_and_the_chain_holds() {
    let house = house();
    let before = fs::read_to_string(house.segment(1)).unwrap();
    assert!(before.contains("kitchen says"));
    let kitchen = Selection { speakers: vec![NamePattern::new("kitchen")], ..Selection::default() };
    let trial = forget(&house.journal(), &kitchen, true, &mut |_| {}).unwrap();
    assert_eq!(
        (trial.lines, fs::read_to_string(house.segment(1)).unwrap() == before),
        (1, true),
        "a trial only counts"
    );
    assert_eq!(forget(&house.journal(), &kitchen, false, &mut |_| {}), Ok(trial));
    let after = fs::read_to_string(house.segment(1)).unwrap();
    assert_eq!(after.len(), before.len(), "every line stays where it is");
    assert!(!after.contains("kitchen says") && after.contains("told"), "{after}");
    let report = report(&house, &[house.head()]);
    assert_eq!((report.finding, report.forgotten), (None, 1));
    let all = Selection { until: Some(at(5)), ..Selection::default() };
    let rest = forget(&house.journal(), &all, false, &mut |_| {}).unwrap();
    assert_eq!(rest.lines, 2, "the notices; the decision was forgotten already");
    assert_eq!(forget(&house.journal(), &all, false, &mut |_| {}), Ok(Forgotten::default()));
    assert!(!fs::read_to_string(house.segment(4)).unwrap().contains("told"));
}

#[test]
fn forgetting_waits_for_nobody_who_prunes() {
    let house = house();
    let lock = fs::File::create(house.journal().join("lock")).unwrap();
    lock.lock().unwrap();
    let error = forget(&house.journal(), &Selection::default(), false, &mut |_| {}).unwrap_err();
    assert!(error.contains("just now\nhelp: try again"), "{error}");
}

#[test]
fn forgetting_beside_a_writer_spoils_no_line() {
    let mut house = House::new();
    let path = house.write((0..50).map(|number| notice(&format!("secret {number}"))), false);
    let (mut rest, folder) = (House::new(), house.journal());
    // The same chain once more, longer: its further lines are appended meanwhile.
    let longer = rest.write((0..400).map(|number| notice(&format!("secret {number}"))), false);
    let longer = fs::read(longer).unwrap();
    let already = fs::metadata(&path).unwrap().len();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        for piece in longer[usize::try_from(already).unwrap()..].chunks(97) {
            file.write_all(piece).unwrap();
        }
    });
    while !writer.is_finished() {
        forget(&folder, &Selection::default(), false, &mut |_| {}).unwrap();
    }
    writer.join().unwrap();
    forget(&folder, &Selection::default(), false, &mut |_| {}).unwrap();
    let report = report(&house, &[rest.head()]);
    assert_eq!((report.finding, report.lines, report.forgotten), (None, 400, 400));
    assert!(!fs::read_to_string(house.segment(1)).unwrap().contains("secret"));
}

#[test]
fn pruned_bodies_leave_the_chain_whole_and_changed_ones_do_not() {
    let house = house();
    let mut lines = lines_of(&house.segment(1));
    let first = line::read(&lines[0]).unwrap();
    let body = format!("#{}", chain::hexadecimal(&first.body.digest()));
    lines[0] = line::write(first.seq, &first.link, &body, "").trim_end_matches('\n').to_owned();
    write_lines(&house.segment(1), &lines);
    let pruned = report(&house, &[house.head()]);
    assert_eq!((pruned.finding, pruned.pruned), (None, 1));
    lines[0] = lines[0].clone() + "{}";
    write_lines(&house.segment(1), &lines);
    assert_eq!(found(&house, &[]), Some((Fault::Changed, file_name(1), 1)));
}

#[test]
fn segments_that_were_pruned_must_be_vouched_for() {
    for (chain, is_right) in [(true, true), (false, false)] {
        let mut house = House::new();
        house.write([Entry::Connected, notice("old")], false);
        let through = house.head();
        house.write([Entry::Connected], true);
        let link = if chain { through.link } else { chain::genesis() };
        let chain = Some(chain::hexadecimal(&link));
        house.write([Entry::Pruned { entries: 2, through: Some(through.seq), chain }], false);
        fs::remove_file(house.segment(1)).unwrap();
        let report = report(&house, &[house.head()]);
        assert_eq!(report.begins_at, Some(3));
        let fault = report.finding.map(|finding| finding.fault);
        assert_eq!(fault, (!is_right).then_some(Fault::Changed));
    }
}

#[test]
fn a_crash_amid_pruning_leaves_a_whole_journal() {
    let mut house = House::new();
    house.write([Entry::Connected], false);
    house.write([Entry::Connected, notice("old")], true);
    let through = house.head();
    let chain = Some(chain::hexadecimal(&through.link));
    house.write([Entry::Pruned { entries: 3, through: Some(through.seq), chain }], true);
    assert_eq!(found(&house, &[]), None, "nothing is gone yet");
    fs::remove_file(house.segment(1)).unwrap();
    assert_eq!(found(&house, &[]), None, "a part is gone");
    fs::remove_file(house.segment(2)).unwrap();
    assert_eq!(found(&house, &[]), None, "all is gone");
}

#[test]
fn heads_are_read_as_they_are_told() {
    let head = house().head();
    assert_eq!(head.to_string().parse(), Ok(head));
    for text in ["", "1", "1:00", ":", "x:0000000000000000000000000000000000000000000000000000000000000000"] {
        assert!(text.parse::<Head>().unwrap_err().contains("expected `<number>:<64 hexadecimal digits>`"), "{text}");
    }
}
