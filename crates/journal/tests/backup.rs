//! Copies of a log that is written meanwhile, recycled meanwhile, or damaged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{Folded, options, push, try_open};
use tidemill_journal::{BackupError, FileDriver, Journal, SegmentId, back_up, check};

const LOGS: [&str; 2] = ["log", "none"];

fn open(dir: &Path) -> (Journal, Folded) {
    try_open(FileDriver::new(dir.join("log")), options()).unwrap()
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    back_up(from, &LOGS, to, |_, _| {}).map(drop)
}

fn append(journal: &Journal, number: u64) {
    push(journal, &[[&number.to_le_bytes()[..], &[7; 300]].concat()]);
    journal.wait_durable(journal.end()).unwrap();
}

/// Puts a checkpoint in force after which nothing is replayed, and lets go of all it can.
fn forget_before(journal: &Journal, next: u64) {
    let at = journal.end();
    journal.put_section("next", at, &next.to_le_bytes()).unwrap();
    let first = journal.segment_of(at);
    let segments = journal.segments().into_iter().map(|segment| segment.id);
    let old: Vec<SegmentId> = segments.filter(|id| *id < first).collect();
    journal.checkpoint(at, &[("next".to_owned(), at)], &old).unwrap();
}

/// The number that comes after those of a log, none of which is missing.
fn next_of(folded: &Folded) -> u64 {
    let word = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().unwrap());
    let mut next = folded.sections.first().map_or(0, |(_, _, bytes)| word(bytes));
    for (_, record) in &folded.records {
        assert_eq!(word(record), next, "one follows the other");
        next += 1;
    }
    next
}

/// A log of a few segments, the first of which is a spare by now.
fn some(dir: &Path) -> Journal {
    let (journal, _) = open(dir);
    (0..40).for_each(|number| append(&journal, number));
    forget_before(&journal, 40);
    (40..60).for_each(|number| append(&journal, number));
    journal
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(dir.join("log/segments")).unwrap();
    let mut paths: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_copy_of_a_log_that_is_written_and_recycled_meanwhile_holds_what_was_durable_before() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let (go_on, durable) = (AtomicBool::new(true), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 0;
            while go_on.load(Ordering::Relaxed) {
                for _ in 0..8 {
                    append(&journal, next);
                    next += 1;
                    durable.store(next, Ordering::Release);
                }
                forget_before(&journal, next);
            }
        });
        for number in 0..30 {
            let before = durable.load(Ordering::Acquire);
            let to = dir.path().join(format!("copy-{number}"));
            copy(dir.path(), &to).unwrap();
            assert!(check(&to.join("log"), |_| {}).unwrap().is_whole());
            let (copied, folded) = open(&to);
            let next = next_of(&folded);
            assert!(next >= before, "{next} is less than {before}, which was durable before");
            append(&copied, next);
            copied.close().unwrap();
        }
        go_on.store(false, Ordering::Relaxed);
    });
    assert!(durable.load(Ordering::Acquire) > 100, "it was written meanwhile");
    assert!(!dir.path().join("log/backup").exists());
}

#[test]
fn a_copy_opens_as_the_log_does_and_neither_is_the_other_s() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = to.path().join("deep/copy");
    let journal = some(dir.path());
    copy(dir.path(), &to).unwrap();
    append(&journal, 60);
    journal.close().unwrap();
    let (copied, folded) = open(&to);
    assert_eq!(next_of(&folded), 60);
    append(&copied, 60);
    append(&copied, 61);
    copied.close().unwrap();
    assert_eq!(next_of(&open(dir.path()).1), 61);
    assert_eq!(next_of(&open(&to).1), 62);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&to), mode(&segments(&to)[0])), (0o700, 0o600));
}

#[test]
fn a_log_at_rest_and_one_that_is_new_are_copied_too() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    copy(dir.path(), &dir.path().join("new")).unwrap();
    assert_eq!(next_of(&open(&dir.path().join("new")).1), 0);
    append(&journal, 0);
    journal.close().unwrap();
    copy(dir.path(), &dir.path().join("rests")).unwrap();
    assert_eq!(next_of(&open(&dir.path().join("rests")).1), 1);
}

#[test]
fn nothing_is_overwritten_and_nothing_half_done_stays() {
    let dir = tempfile::tempdir().unwrap();
    let journal = some(dir.path());
    let to = dir.path().join("copy");
    fs::write(&to, b"mine").unwrap();
    assert!(matches!(copy(dir.path(), &to), Err(BackupError::Exists(_))));
    assert_eq!(fs::read(&to).unwrap(), b"mine");
    fs::remove_file(&to).unwrap();
    let unfinished = dir.path().join("copy.unfinished");
    fs::create_dir(&unfinished).unwrap();
    assert!(matches!(copy(dir.path(), &to), Err(BackupError::Unfinished(_))));
    fs::remove_dir(&unfinished).unwrap();
    assert!(matches!(copy(&dir.path().join("log"), &to), Err(BackupError::NoLogs(_))));

    let file = fs::OpenOptions::new().write(true).open(&segments(dir.path())[0]).unwrap();
    file.write_all_at(b"rot", 200).unwrap();
    let told = copy(dir.path(), &to).unwrap_err();
    assert!(matches!(told, BackupError::Damaged { .. }), "{told}");
    assert!(told.to_string().contains("tidemill check"), "{told}");
    assert!(!to.exists() && !unfinished.exists());
    drop(journal);
}

#[test]
fn a_segment_that_is_being_copied_is_not_used_again_and_one_that_was_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let journal = some(dir.path());
    for spare in fs::read_dir(dir.path().join("log/spare")).unwrap() {
        fs::remove_file(spare.unwrap().path()).unwrap();
    }
    // As a backup leaves it that is killed, or under way.
    let links = dir.path().join("log/backup");
    fs::create_dir(&links).unwrap();
    let link = links.join("first");
    fs::hard_link(&segments(dir.path())[0], &link).unwrap();
    let bytes = fs::read(&link).unwrap();
    let lock = fs::File::create(dir.path().join("log/BACKUP")).unwrap();
    lock.lock().unwrap();
    (60..90).for_each(|number| append(&journal, number));
    forget_before(&journal, 90);
    (90..200).for_each(|number| append(&journal, number));
    assert!(fs::read(&link).unwrap() == bytes, "under way: the bytes stay as they were");
    assert_eq!(fs::metadata(&link).unwrap().nlink(), 1, "the log has done with it");

    drop(lock);
    fs::hard_link(&segments(dir.path())[0], links.join("second")).unwrap();
    forget_before(&journal, 200);
    assert!(!links.exists(), "killed: whoever discards next takes the names away");
    fs::create_dir(&links).unwrap();
    journal.close().unwrap();
    drop(journal);
    open(dir.path()).0.close().unwrap();
    assert!(!links.exists(), "and so does the next start");
}
