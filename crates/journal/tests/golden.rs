//! Old formats always open: a log of each version, as it was written then, is kept here.
//!
//! A test that fails here means that existing logs no longer open, or that what is written has
//! changed without a new version (`docs/formats.md`). Neither is mended by changing the files in
//! `golden/`; a new version gets new ones beside them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Folded, options, push, try_open};
use tidemill_base::ByteSize;
use tidemill_journal::{FileDriver, Journal, Options, Position, check};

const FILES: [&str; 5] = [
    "segments/0000000000000000.seg",
    "segments/0000000000000400.seg",
    "segments/0000000000000800.seg",
    "checkpoint/root",
    "checkpoint/section-00000000000000e0-a%2Fb",
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn open(dir: &Path) -> (Journal, Folded) {
    let options = Options { segment_size: ByteSize::kib(1), ..options() };
    try_open(FileDriver::new(dir), options).unwrap()
}

/// The life that the golden files are of: groups, a checkpoint, three segments.
fn live(dir: &Path) -> Folded {
    let (journal, _) = open(dir);
    let mut records = push(&journal, &[vec![1; 50], vec![2; 57]]);
    let at = journal.end();
    journal.put_section("a/b", at, b"a state").unwrap();
    journal.checkpoint(at, &[("a/b".into(), at)], &[]).unwrap();
    records.clear();
    for n in 3..9_u8 {
        records.extend(push(&journal, &[vec![n; 100], vec![n; 200]]));
        journal.wait_durable(journal.end()).unwrap();
    }
    journal.close().unwrap();
    Folded { sections: vec![("a/b".into(), at, b"a state".to_vec())], records }
}

#[test]
fn a_log_of_version_1_opens() {
    let dir = tempfile::tempdir().unwrap();
    for file in FILES {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(golden().join(file), path).unwrap();
    }
    assert!(check(dir.path(), |_| {}).unwrap().is_whole());
    let (journal, folded) = open(dir.path());
    assert_eq!(folded.sections[0].0, "a/b");
    assert_eq!(folded.sections[0].2, b"a state");
    let bodies: Vec<_> = folded.records.iter().map(|(_, body)| (body[0], body.len())).collect();
    let expected: Vec<_> = (3..9).flat_map(|n| [(n, 100), (n, 200)]).collect();
    assert_eq!(bodies, expected);
    let first = journal.read(Position::from_u64(88)).unwrap();
    assert_eq!(first.payload, vec![1; 50]);
}

#[test]
fn what_is_written_is_still_version_1_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let lived = live(dir.path());
    assert_eq!(open(dir.path()).1, lived);
    for file in FILES {
        let (written, kept) = (fs::read(dir.path().join(file)), fs::read(golden().join(file)));
        assert!(written.unwrap() == kept.unwrap(), "{file} is not what it was");
    }
}
