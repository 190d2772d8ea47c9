#![expect(clippy::disallowed_methods, reason = "tests look at the files that are written")]

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

use jiff::SignedDuration;

use super::*;
use crate::journal::line::Body;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

fn record(name: &str) -> Record {
    Record { at: now(), entry: Entry::Disconnected { reason: name.to_owned() } }
}

fn writer_on<D: Disk>(data: &Path, disk: D) -> Writer<D> {
    Writer::new(data, Log::default(), Salts::new([1; 32]), disk)
}

fn writer(data: &Path) -> Writer {
    writer_on(data, Files::default())
}

/// What each line of a journal tells, in order; the chain must hold from its first to its last line.
fn told_in(data: &Path) -> Vec<String> {
    let (mut told, mut seq, mut chain) = (Vec::new(), 0, chain::genesis());
    for segment in segments::list(&data.join(segments::FOLDER)).expect("segments") {
        let text = fs::read_to_string(&segment.path).expect("a segment");
        assert!(text.is_empty() || text.ends_with('\n'), "a torn line in {}", segment.path.display());
        assert!(text.is_empty() || segment.first == seq + 1, "{} after {seq}", segment.path.display());
        for line in text.lines() {
            let line = line::read(line).expect("a line");
            seq += 1;
            chain = chain::link(&chain, seq, &line.body.digest());
            assert_eq!((line.seq, line.link), (seq, chain), "the chain");
            let Body::Whole(body) = line.body else { panic!("pruned") };
            let opened = seal::open(body, line.open).and_then(seal::Opened::into_record).expect("a record");
            told.push(match opened.entry {
                Entry::Disconnected { reason } => reason,
                Entry::Gap { lost, .. } => format!("gap {lost}"),
                Entry::Torn { bytes } => format!("torn {bytes}"),
                Entry::StateLost { .. } => "damaged".to_owned(),
                other => panic!("{other:?}"),
            });
        }
    }
    told
}

/// A disk that does one thing wrong: the call of this name and number, from 0, or every call once so many bytes are taken.
#[derive(Debug, Default)]
struct Faults {
    fails: Option<(&'static str, usize)>,
    /// The call fails, and all later ones of its kind until it is healed.
    stays: bool,
    room_bytes: Option<usize>,
    calls: Vec<&'static str>,
}

#[derive(Debug, Clone, Default)]
struct Faulty(Rc<RefCell<Faults>>, Rc<RefCell<Files>>);

impl Faulty {
    fn call(&self, name: &'static str) -> io::Result<()> {
        let mut faults = self.0.borrow_mut();
        let number = faults.calls.iter().filter(|call| **call == name).count();
        faults.calls.push(name);
        match faults.fails {
            Some((fails, at)) if fails == name && (number == at || (faults.stays && number > at)) => {
                Err(io::Error::other("the disk is broken"))
            }
            _ => Ok(()),
        }
    }

    fn heal(&self) {
        let mut faults = self.0.borrow_mut();
        (faults.fails, faults.room_bytes) = (None, None);
    }
}

impl Disk for Faulty {
    fn open(&mut self, path: &Path) -> io::Result<()> {
        self.call("open")?;
        self.1.borrow_mut().open(path)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call("append")?;
        let room = self.0.borrow().room_bytes;
        let part = match room {
            Some(0) => return Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(room) => bytes.get(..room.min(bytes.len())).unwrap_or(bytes),
            None => bytes,
        };
        self.0.borrow_mut().room_bytes = room.map(|room| room - part.len());
        self.1.borrow_mut().append(part)
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.call("cut")?;
        self.1.borrow_mut().cut(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.call("sync")?;
        self.1.borrow_mut().sync()
    }
}

#[test]
fn a_batch_is_one_write_and_only_its_owner_may_read_it() {
    let data = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    let mut writer = writer_on(data.path(), disk.clone());
    assert_eq!(writer.head(), None);
    assert_eq!(writer.write(now(), [&record("a"), &record("b"), &record("c")]), Ok(()));
    assert_eq!(disk.0.borrow().calls, ["open", "append"]);
    assert_eq!(writer.write(now(), [&record("d")]), Ok(()));
    assert_eq!(disk.0.borrow().calls, ["open", "append", "append"]);
    assert_eq!(told_in(data.path()), ["a", "b", "c", "d"]);
    assert_eq!(writer.head().map(|head| head.seq), Some(4));
    #[cfg(unix)]
    for (path, expected) in [("journal", 0o700), ("journal/000000000001.log", 0o600), ("journal/writer", 0o600)] {
        let metadata = fs::metadata(data.path().join(path)).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, expected, "{path}");
    }
}

#[test]
fn whatever_fails_is_told_and_when_it_works_again_nothing_is_missing() {
    // The calls of a run: open, append (a), append (b), and at the next day sync, open, append (c), sync.
    for (fails, stays, room_bytes) in [
        (Some(("open", 0)), false, None),
        (Some(("open", 0)), true, None),
        (Some(("open", 1)), true, None),
        (Some(("append", 0)), true, None),
        (Some(("append", 1)), false, None),
        (Some(("append", 2)), true, None),
        (Some(("sync", 0)), true, None),
        (Some(("cut", 0)), true, Some(0)),
        (Some(("cut", 0)), true, Some(1)),
        (Some(("cut", 0)), true, Some(400)),
        (Some(("cut", 0)), false, Some(200)),
        (None, false, Some(0)),
        (None, false, Some(1)),
        (None, false, Some(300)),
    ] {
        let case = format!("{fails:?} {stays} {room_bytes:?}");
        let data = tempfile::tempdir().unwrap();
        let disk = Faulty(Rc::new(RefCell::new(Faults { fails, stays, room_bytes, calls: Vec::new() })), Rc::default());
        let mut writer = writer_on(data.path(), disk.clone());
        let tomorrow = now() + SignedDuration::from_hours(24);
        let mut results = Vec::new();
        for (name, at) in [("a", now()), ("b", now()), ("c", tomorrow)] {
            let written = writer.write(at, [&record(name)]);
            assert_eq!(written.as_ref().err().map(String::as_str), writer.failure(), "{case}");
            let is_on_disk = fs::read_dir(writer.folder()).unwrap().any(|entry| {
                fs::read_to_string(entry.unwrap().path()).unwrap().contains(&format!("\"reason\":\"{name}\""))
            });
            assert!(is_on_disk || written.is_err(), "{case}: `{name}` is not on the disk, and nobody was told");
            results.push(written);
        }
        assert!(results.iter().any(Result::is_err), "{case}: the fault was not met");
        disk.heal();
        assert_eq!(writer.retry(tomorrow), Ok(()), "{case}");
        assert_eq!(writer.write(tomorrow, [&record("d")]), Ok(()), "{case}");
        assert_eq!(writer.sync(), Ok(()), "{case}");
        assert_eq!(writer.failure(), None, "{case}");
        assert_eq!(told_in(data.path()), ["a", "b", "c", "d"], "{case}");
        drop(writer);
        let mut next = self::writer(data.path());
        assert_eq!(next.write(tomorrow, [&record("e")]), Ok(()), "{case}");
        assert_eq!(told_in(data.path()), ["a", "b", "c", "d", "e"], "{case}");
    }
}

#[test]
fn a_failed_sync_is_told_to_whoever_waits_for_it() {
    let data = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    disk.0.borrow_mut().fails = Some(("sync", 0));
    let mut writer = writer_on(data.path(), disk.clone());
    assert_eq!(writer.sync(), Ok(()), "there is nothing to wait for");
    writer.write(now(), [&record("a")]).unwrap();
    let error = writer.sync().unwrap_err();
    assert!(error.ends_with("000000000001.log`: the disk is broken"), "{error}");
    assert_eq!(writer.failure(), Some(error.as_str()));
    assert_eq!((writer.sync(), writer.sync()), (Ok(()), Ok(())));
    assert_eq!(disk.0.borrow().calls.iter().filter(|call| **call == "sync").count(), 2, "once is enough");
}

#[test]
fn beyond_what_can_wait_records_are_lost_and_counted() {
    let data = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    disk.0.borrow_mut().room_bytes = Some(0);
    let mut writer = writer_on(data.path(), disk.clone());
    assert!(writer.write(now(), [&record("waits"), &record("waits")]).is_err());
    // As if `WAITING_MAX` waited.
    (0..3).for_each(|_| writer.waiting.lose(now()));
    assert!(writer.write(now(), [&record("lost")]).is_err());
    disk.heal();
    assert_eq!(writer.write(now(), [&record("later")]), Ok(()));
    assert_eq!(told_in(data.path()), ["waits", "waits", "gap 4", "later"]);
}

#[test]
fn a_torn_tail_is_cut_at_whatever_byte_and_told() {
    let whole = tempfile::tempdir().unwrap();
    writer(whole.path()).write(now(), [&record("a"), &record("b")]).unwrap();
    let bytes = fs::read(whole.path().join("journal/000000000001.log")).unwrap();
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in 1..=bytes.len() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(segments::FOLDER);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("000000000001.log"), &bytes[..length]).unwrap();
        let mut writer = writer(data.path());
        writer.write(now(), [&record("c")]).unwrap();
        let kept = if length < first { vec![] } else { vec!["a"] };
        let torn = match length {
            length if length < first => format!("torn {length}"),
            length if length == first => String::new(),
            length => format!("torn {}", length - first),
        };
        let expected: Vec<&str> = match length {
            length if length == bytes.len() => vec!["a", "b", "c"],
            _ => kept.into_iter().chain([torn.as_str()]).chain(["c"]).filter(|told| !told.is_empty()).collect(),
        };
        assert_eq!(told_in(data.path()), expected, "cut at {length}");
    }
}

#[test]
fn what_is_no_journal_is_left_or_put_aside_and_told() {
    let line = {
        let data = tempfile::tempdir().unwrap();
        writer(data.path()).write(now(), [&record("a")]).unwrap();
        fs::read_to_string(data.path().join("journal/000000000001.log")).unwrap()
    };
    let zeros = "\0".repeat(LINE_BYTES_MAX + 1);
    for (content, is_aside, told) in [
        (format!("{line}no line\n"), false, vec!["damaged", "b"]),
        (format!("{line}no line\ntorn"), false, vec!["damaged", "b"]),
        ("no line\n".to_owned(), true, vec!["damaged", "b"]),
        (zeros.clone(), true, vec!["damaged", "b"]),
        (line.replacen('1', "0", 1), true, vec!["damaged", "b"]),
        (String::new(), false, vec!["b"]),
    ] {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(segments::FOLDER);
        fs::create_dir(&folder).unwrap();
        let path = folder.join("000000000001.log");
        fs::write(&path, &content).unwrap();
        writer(data.path()).write(now(), [&record("b")]).unwrap();
        let shown = content.chars().take(40).collect::<String>();
        let aside = folder.join(format!("000000000001.log.damaged-{}", now().as_second()));
        assert_eq!(aside.exists(), is_aside, "{shown}");
        if is_aside {
            assert_eq!(fs::read_to_string(aside).unwrap(), content, "nothing of it is lost");
        } else if !content.is_empty() {
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "it stays as it is");
            fs::write(&path, &line).unwrap();
        }
        let expected: Vec<&str> = if content.starts_with(&line) { vec!["a"] } else { vec![] };
        assert_eq!(told_in(data.path()), expected.into_iter().chain(told).collect::<Vec<_>>(), "{shown}");
    }
}

#[test]
fn a_segment_ends_with_its_day_and_when_it_is_full() {
    let data = tempfile::tempdir().unwrap();
    let mut writer = writer(data.path());
    writer.write(now(), [&record("a")]).unwrap();
    let tomorrow = now() + SignedDuration::from_hours(12);
    writer.write(tomorrow, [&record("b")]).unwrap();
    assert!(!writer.take_filled(), "a day was over");
    let second = data.path().join("journal/000000000002.log");
    let room = SEGMENT_BYTES_MAX - fs::metadata(&second).unwrap().len();
    // As if so much had been written: the file itself need not be so large.
    let open = |writer: &mut Writer, bytes: u64| {
        writer.opened.as_mut().unwrap().segment.as_mut().unwrap().bytes = bytes;
    };
    let line_bytes = fs::metadata(&second).unwrap().len();
    open(&mut writer, line_bytes + room - line_bytes);
    writer.write(tomorrow, [&record("c")]).unwrap();
    assert_eq!(fs::metadata(&second).unwrap().len(), 2 * line_bytes, "it just fits");
    assert!(!writer.take_filled());
    open(&mut writer, SEGMENT_BYTES_MAX - line_bytes + 1);
    writer.write(tomorrow, [&record("d")]).unwrap();
    assert_eq!((writer.take_filled(), writer.take_filled()), (true, false), "it is said once");
    let firsts: Vec<u64> = segments::list(writer.folder()).unwrap().iter().map(|segment| segment.first).collect();
    assert_eq!(firsts, [1, 2, 4]);
    assert_eq!(told_in(data.path()), ["a", "b", "c", "d"]);
}

#[test]
fn two_programs_do_not_write_one_journal() {
    let data = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (writer(data.path()), writer(data.path()));
    one.write(now(), [&record("a")]).unwrap();
    let error = other.write(now(), [&record("c")]).unwrap_err();
    assert!(error.starts_with("another program writes the journal in `"), "{error}");
    one.write(now(), [&record("b")]).unwrap();
    drop(one);
    assert_eq!(other.retry(now()), Ok(()));
    assert_eq!(told_in(data.path()), ["a", "b", "c"]);
}

#[test]
fn where_somebody_removes_the_open_segment_a_new_one_begins() {
    let data = tempfile::tempdir().unwrap();
    let mut writer = writer(data.path());
    writer.write(now(), [&record("a")]).unwrap();
    fs::remove_file(data.path().join("journal/000000000001.log")).unwrap();
    assert_eq!(writer.retry(now()), Ok(()));
    writer.write(now(), [&record("b")]).unwrap();
    assert!(data.path().join("journal/000000000002.log").exists());
}

#[test]
fn a_record_longer_than_a_line_loses_what_can_be_erased() {
    let sealed = |body: usize, open: usize| Sealed { body: "b".repeat(body), open: "o".repeat(open) };
    let room = LINE_BYTES_MAX - FRAME_BYTES_MAX;
    assert_eq!(within_a_line(sealed(room - 1, 1)), Some(sealed(room - 1, 1)));
    assert_eq!(within_a_line(sealed(room - 1, 2)), Some(sealed(room - 1, 0)));
    assert_eq!(within_a_line(sealed(room + 1, 0)), None);
    let widest = line::write(u64::MAX, &chain::genesis(), "", "");
    assert_eq!(widest.len(), FRAME_BYTES_MAX);
}

#[test]
fn what_a_gap_stands_for_counts_as_not_written_and_the_journal_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let mut writer = writer(data.path());
    // Each of these characters takes six in JSON.
    let long = record(&"\u{1}".repeat(LINE_BYTES_MAX / 6));
    assert_eq!(writer.write(now(), [&long]), Err(TOO_LONG.to_owned()), "what needs it on record must not leave");
    assert_eq!(writer.failure(), None);
    assert_eq!(writer.write(now(), [&record("b")]), Ok(()));
    let text = fs::read_to_string(data.path().join("journal/000000000001.log")).unwrap();
    assert!(text.contains("\"record\":\"gap\"") && text.contains("longer than 1 MiB"), "{text}");
    assert_eq!(text.lines().count(), 2);
}
