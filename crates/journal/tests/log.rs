//! The log through its front door: append, wait, read, close, open again.

mod common;

use common::{Folded, open, options, push};
use tidemill_base::ByteSize;
use tidemill_journal::{Kind, MemoryDriver, Options, ReadError};

#[test]
fn what_was_appended_is_folded_in_order_when_it_is_opened_again() {
    let memory = MemoryDriver::new();
    let (journal, folded) = open(&memory, options());
    assert_eq!(folded, Folded::default());
    let mut appended = push(&journal, &[b"one"]);
    appended.extend(push(&journal, &[&b"two"[..], b"three"]));
    journal.close().unwrap();

    let (_journal, folded) = open(&memory, options());
    assert_eq!(folded.records, appended);
}

#[test]
fn a_record_reads_the_same_pending_recent_and_on_disk() {
    for recent in [ByteSize::mib(1), ByteSize::bytes(0)] {
        let memory = MemoryDriver::new();
        let (journal, _) = open(&memory, Options { recent, ..options() });
        let bodies: Vec<Vec<u8>> = (0..200_u8).map(|n| vec![n; usize::from(n) * 2]).collect();
        for body in &bodies {
            let at = push(&journal, &[body])[0].0;
            assert_eq!(journal.read(at).unwrap().payload, *body);
            journal.write(journal.end()).unwrap();
            assert_eq!(journal.read(at).unwrap().payload, *body);
        }
        journal.close().unwrap();
        let (journal, folded) = open(&memory, Options { recent, ..options() });
        for ((at, body), expected) in folded.records.iter().zip(&bodies) {
            assert_eq!(body, expected);
            let record = journal.read(*at).unwrap();
            assert_eq!((record.kind, record.version), (Kind(1), 0));
            assert_eq!(record.payload, *expected);
        }
        assert_eq!(folded.records.len(), 200);
        assert!(matches!(journal.read(journal.end()), Err(ReadError::Absent(_))));
    }
}
