//! The log in a directory: locks, modes, recycling, checking and salvaging.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Folded, options, push, try_open};
use tidemill_base::{ByteSize, Clock};
use tidemill_journal::{
    Driver, DriverError, FileDriver, Journal, OpenError, Options, Position, ReadError, Section,
    SegmentId, check, salvage,
};

fn open(dir: &Path) -> (Journal, Folded) {
    try_open(FileDriver::new(dir), options()).unwrap()
}

fn segment(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("segments/{base:016x}.seg"))
}

/// Changes a byte of a file.
fn flip(file: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// A closed log of twenty records over several segments of 4 KiB.
fn twenty(dir: &Path) -> Vec<(Position, Vec<u8>)> {
    let (journal, _) = open(dir);
    let mut appended = Vec::new();
    for n in 0..20_u8 {
        appended.extend(push(&journal, &[vec![n; 700]]));
        journal.wait_durable(journal.end()).unwrap();
    }
    journal.close().unwrap();
    appended
}

#[test]
fn a_hundred_sections_are_stored_together_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    {
        let (journal, _) = open(dir.path());
        for round in 0..3_u8 {
            push(&journal, &[[round]]);
            let at = journal.end();
            let section = |number: u8| Section {
                name: format!("queue-{number:03}"),
                at,
                bytes: vec![number, round],
            };
            all = (0..100).map(section).collect();
            journal.put_sections(&all).unwrap();
            let names: Vec<_> = all.iter().map(|section| (section.name.clone(), at)).collect();
            journal.checkpoint(at, &names, &[]).unwrap();
        }
        journal.close().unwrap();
    }
    let blobs = fs::read_dir(dir.path().join("checkpoint")).unwrap().count();
    assert_eq!(blobs, 100 + 2, "those of the rounds before are gone");
    let folded = open(dir.path()).1.sections;
    let expected: Vec<_> = all.into_iter().map(|one| (one.name, one.at, one.bytes)).collect();
    assert_eq!(folded, expected);
}

#[test]
fn what_was_appended_is_there_when_the_directory_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let appended = twenty(dir.path());
    let (journal, folded) = open(dir.path());
    assert_eq!(folded.records, appended);
    for (at, body) in &appended {
        assert_eq!(journal.read(*at).unwrap().payload, *body);
    }
    assert!(journal.stats().disk.unwrap() >= ByteSize::kib(16));
}

#[test]
fn a_second_server_is_refused_and_told_who_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let refused = try_open(FileDriver::new(dir.path()), options()).unwrap_err();
    assert!(matches!(refused, OpenError::Driver(DriverError::Held(_))));
    let text = refused.to_string();
    assert!(text.contains(&dir.path().display().to_string()), "{text}");
    assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
    for refused in [check(dir.path(), |_| {}).unwrap_err(), salvage(dir.path()).unwrap_err()] {
        assert!(matches!(refused, OpenError::Driver(DriverError::Held(_))));
    }
    journal.close().unwrap();
    open(dir.path());
}

#[test]
fn files_are_for_their_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    twenty(&dir);
    let mut left = vec![dir];
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        seen += 1;
    }
    assert!(seen > 8);
}

#[test]
fn dead_segments_are_used_again_and_disk_use_stays_small() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    for round in 0..50_u8 {
        for _ in 0..10 {
            push(&journal, &[vec![round; 700]]);
        }
        let end = journal.end();
        journal.put_section("round", end, &[round]).unwrap();
        let old = journal.segments().into_iter().map(|segment| segment.id);
        let old: Vec<_> = old.filter(|id| *id < journal.segment_of(end)).collect();
        journal.checkpoint(end, &[("round".into(), end)], &old).unwrap();
    }
    let count = |name: &str| fs::read_dir(dir.path().join(name)).unwrap().count();
    assert_eq!((count("segments"), count("spare")), (1, 2));
    assert_eq!(count("checkpoint"), 3, "the root, its copy and one section");
    let last = push(&journal, &[b"last"]);
    journal.close().unwrap();
    let (_journal, folded) = open(dir.path());
    assert_eq!(folded.sections[0].2, [49]);
    assert_eq!(folded.records, last);
}

#[test]
fn the_next_segment_is_made_ready_while_one_fills() {
    let dir = tempfile::tempdir().unwrap();
    let spare = dir.path().join("spare");
    let (journal, _) = open(dir.path());
    let mut appended = push(&journal, &[[7; 700]]);
    journal.wait_durable(journal.end()).unwrap();
    let ready = spare.join("ready.seg");
    let clock = Clock::system();
    let deadline = clock.monotonic() + Duration::from_secs(30);
    while !ready.exists() {
        assert!(clock.monotonic() < deadline, "none is made");
        std::thread::yield_now();
    }
    let made = fs::metadata(&ready).unwrap();
    assert_eq!((made.len(), made.permissions().mode() & 0o777), (4096, 0o600));
    for n in 0..6_u8 {
        appended.extend(push(&journal, &[vec![n; 700]]));
        journal.wait_durable(journal.end()).unwrap();
    }
    assert_eq!(fs::metadata(segment(dir.path(), 4096)).unwrap().ino(), made.ino());
    for (at, body) in &appended {
        assert_eq!(journal.read(*at).unwrap().payload, *body);
    }
    journal.close().unwrap();
    // What was not whole when somebody died is not used.
    fs::write(spare.join("ready.seg.tmp"), "half").unwrap();
    assert_eq!(open(dir.path()).1.records, appended);
    assert!(!spare.join("ready.seg.tmp").exists());
}

#[test]
fn what_is_read_in_order_is_what_was_written_wherever_one_begins() {
    let dir = tempfile::tempdir().unwrap();
    let appended = twenty(dir.path());
    // Nothing of it is in memory.
    let (journal, _) = open(dir.path());
    for first in [0, 5, 11] {
        for (at, body) in &appended[first..] {
            assert_eq!(journal.read(*at).unwrap().payload, *body);
        }
        // Where no record begins there is none, whatever was read with the others.
        let within = Position::from_u64(appended[first].0.as_u64() + 8);
        assert!(journal.read(within).is_err());
    }
}

#[test]
fn a_checked_whole_log_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let appended = twenty(dir.path());
    let mut last = None;
    let report = check(dir.path(), |progress| last = Some(progress)).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.records, appended.len() as u64);
    let last = last.unwrap();
    assert_eq!(last.done, last.total);
}

#[test]
fn damage_is_located_and_a_salvage_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let appended = twenty(dir.path());
    let hit = [2, 7, 8, 19];
    for index in hit {
        let at = appended[index].0.as_u64();
        flip(&segment(dir.path(), at - at % 4096), at % 4096 + 300);
    }
    // And a segment's header.
    flip(&segment(dir.path(), 4096), 20);
    let error = try_open(FileDriver::new(dir.path()), options()).unwrap_err();
    let OpenError::Damaged(damages) = &error else { panic!("{error}") };
    assert_eq!(damages.0.len(), 5, "the two neighbours are a segment apart: {error}");
    assert!(error.to_string().contains("tidemill check DIR --salvage"), "{error}");
    let report = check(dir.path(), |_| {}).unwrap();
    assert_eq!(report.damage, damages.0);

    assert_eq!(salvage(dir.path()).unwrap().damage, damages.0);
    assert!(check(dir.path(), |_| {}).unwrap().is_whole());
    assert_eq!(fs::read_dir(dir.path().join("salvaged")).unwrap().count(), 5);
    let (journal, folded) = open(dir.path());
    let mut rest = appended.clone();
    rest.retain(|record| !hit.iter().any(|index| appended[*index] == *record));
    assert_eq!(folded.records, rest);
    assert_eq!(journal.lost().len(), 4);
    for index in hit {
        let at = appended[index].0;
        assert!(journal.lost().iter().any(|range| range.contains(&at)));
        assert!(matches!(journal.read(at), Err(ReadError::Lost(_))));
    }
    let more = push(&journal, &[b"more"]);
    journal.close().unwrap();
    assert_eq!(open(dir.path()).1.records, [rest, more].concat());
}

#[test]
fn lost_and_shortened_segments_can_be_salvaged() {
    for shorten in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let appended = twenty(dir.path());
        for base in [4096, 12_288] {
            let path = segment(dir.path(), base);
            if shorten {
                fs::OpenOptions::new().write(true).open(path).unwrap().set_len(200).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        assert!(try_open(FileDriver::new(dir.path()), options()).is_err());
        assert_eq!(salvage(dir.path()).unwrap().damage.len(), 2);
        let (journal, folded) = open(dir.path());
        let gone = |at: u64| (4096..8192).contains(&at) || at >= 12_288;
        let mut rest = appended.clone();
        rest.retain(|(at, _)| !gone(at.as_u64()));
        assert_eq!(folded.records, rest);
        let more = push(&journal, &[b"more"]);
        journal.close().unwrap();
        assert_eq!(open(dir.path()).1.records, [rest, more].concat());
    }
}

#[test]
fn a_broken_section_is_named_and_a_salvage_goes_on_without_it() {
    let dir = tempfile::tempdir().unwrap();
    twenty(dir.path());
    let (journal, _) = open(dir.path());
    let end = journal.end();
    for name in ["a", "b"] {
        journal.put_section(name, end, name.as_bytes()).unwrap();
    }
    let both = [("a".to_owned(), end), ("b".to_owned(), end)];
    journal.checkpoint(end, &both, &[]).unwrap();
    journal.close().unwrap();
    flip(&dir.path().join(format!("checkpoint/section-{:016x}-a", end.as_u64())), 30);
    assert_eq!(check(dir.path(), |_| {}).unwrap().broken_sections, ["a"]);
    assert!(try_open(FileDriver::new(dir.path()), options()).is_err());
    salvage(dir.path()).unwrap();
    assert_eq!(open(dir.path()).1.sections, [("b".into(), end, b"b".to_vec())]);
}

#[test]
fn files_of_a_later_version_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    twenty(dir.path());
    for (path, name) in [
        (segment(dir.path(), 4096), "segments/0000000000001000.seg"),
        (dir.path().join("checkpoint/root"), "root"),
    ] {
        let whole = fs::read(&path).unwrap();
        let mut later = whole.clone();
        later[8] = 9;
        let checked = if name == "root" { later.len() - 4 } else { 60 };
        let sum = crc32fast::hash(&later[..checked]).to_le_bytes();
        later[checked..checked + 4].copy_from_slice(&sum);
        fs::write(&path, later).unwrap();
        match try_open(FileDriver::new(dir.path()), options()) {
            Err(OpenError::Version { name: named, found: 9, known: 1 }) => assert_eq!(named, name),
            other => panic!("{other:?}"),
        }
        fs::write(&path, whole).unwrap();
    }
    open(dir.path());
}

#[test]
fn a_damaged_root_is_salvaged_from_its_copy() {
    for missing in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let appended = twenty(dir.path());
        let root = dir.path().join("checkpoint/root");
        if missing {
            fs::remove_file(&root).unwrap();
        } else {
            flip(&root, 20);
        }
        assert!(try_open(FileDriver::new(dir.path()), options()).is_err());
        assert!(salvage(dir.path()).unwrap().is_whole());
        assert_eq!(open(dir.path()).1.records, appended);
    }
}

#[test]
fn a_file_that_is_no_segment_of_this_log_is_refused_by_name() {
    for name in ["ffffffffffffffff.seg", "0000000000001001.seg", "0000000100000000.seg"] {
        let dir = tempfile::tempdir().unwrap();
        twenty(dir.path());
        fs::write(dir.path().join("segments").join(name), b"").unwrap();
        let refused = try_open(FileDriver::new(dir.path()), options()).unwrap_err();
        assert!(matches!(refused, OpenError::Stray(id) if id.file_name() == name), "{refused}");
        assert!(matches!(check(dir.path(), |_| {}), Err(OpenError::Stray(_))));
    }
}

#[test]
fn a_missing_root_is_an_error_and_not_an_empty_log() {
    let dir = tempfile::tempdir().unwrap();
    twenty(dir.path());
    fs::remove_file(dir.path().join("checkpoint/root")).unwrap();
    let error = try_open(FileDriver::new(dir.path()), options()).unwrap_err();
    assert!(matches!(error, OpenError::Checkpoint { .. }), "{error}");
    let nothing = tempfile::tempdir().unwrap();
    assert!(check(nothing.path(), |_| {}).is_err());
}

#[test]
fn the_blocks_ahead_of_the_log_exist_before_they_are_needed() {
    use std::os::unix::fs::MetadataExt;

    let dir = tempfile::tempdir().unwrap();
    let sixteen = Options { segment_size: ByteSize::mib(16), ..options() };
    let (journal, _) = try_open(FileDriver::new(dir.path()), sixteen).unwrap();
    push(&journal, &[b"one"]);
    journal.wait_durable(journal.end()).unwrap();
    let metadata = fs::metadata(segment(dir.path(), 0)).unwrap();
    assert_eq!(metadata.len(), 16 << 20);
    let blocks = metadata.blocks() * 512;
    assert!((1 << 20..2 << 20).contains(&blocks), "{blocks}");
}

#[test]
fn appending_reading_checkpointing_and_discarding_at_once_get_along() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options { recent: ByteSize::kib(8), ..options() };
    let (journal, _) = try_open(FileDriver::new(dir.path()), small).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4_u8)
            .map(|thread| {
                let journal = &journal;
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for n in 0..250_usize {
                        kept.extend(push(journal, &[vec![thread; n % 90 * 10], vec![thread; 9]]));
                        match n % 3 {
                            0 => journal.wait_durable(journal.end()).unwrap(),
                            1 => journal.write(journal.end()).unwrap(),
                            _ => {}
                        }
                        let (at, body) = &kept[n * 7 % kept.len()];
                        match journal.read(*at) {
                            Ok(record) => assert_eq!(record.payload, *body),
                            Err(ReadError::Absent(_)) => {
                                let first = journal.segments()[0].range.start;
                                assert!(*at < first, "{at} is gone, but not {first}");
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let mut last = false;
            while !last {
                last = done.load(Ordering::Relaxed);
                let end = journal.end();
                journal.put_section("state", end, &end.as_u64().to_le_bytes()).unwrap();
                let old = journal.segments().into_iter().map(|segment| segment.id);
                // The last three before stay, to be read from the disk.
                let mut old: Vec<_> = old.filter(|id| *id < journal.segment_of(end)).collect();
                old.truncate(old.len().saturating_sub(3));
                journal.checkpoint(end, &[("state".into(), end)], &old).unwrap();
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let stats = journal.stats();
    assert_eq!(stats.records, 2000);
    assert!(stats.cache_hits > 0, "{stats:?}");
    journal.close().unwrap();
    assert!(check(dir.path(), |_| {}).unwrap().is_whole());
    let (_journal, folded) = open(dir.path());
    assert_eq!(folded.sections[0].2, folded.sections[0].1.as_u64().to_le_bytes());
}

#[test]
fn after_a_sync_that_failed_none_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let driver = FileDriver::new(dir.path());
    driver.claim().unwrap();
    driver.create(SegmentId::from_base(Position::ZERO), ByteSize::kib(4)).unwrap();
    let (there, away) = (dir.path().join("segments"), dir.path().join("away"));
    fs::rename(&there, &away).unwrap();
    assert!(driver.sync().is_err());
    fs::rename(&away, &there).unwrap();
    assert!(driver.sync().is_err());
    driver.release();
    // Whoever opens next writes again what is not known to be stored.
    let next = FileDriver::new(dir.path());
    next.claim().unwrap();
    next.sync().unwrap();
}
