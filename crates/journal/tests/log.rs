//! The log through its front door: append, wait, read, close, open again.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Folded, open, options, push};
use tidemill_base::ByteSize;
use tidemill_journal::{
    Fault, Faults, FaultyDriver, Journal, Keep, Kind, MemoryDriver, Operation, Options,
    PoisonCause, Position, ReadError, SyncMode,
};

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

#[test]
fn a_record_as_large_as_allowed_fits_wherever_the_log_ends() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    let largest = vec![7; journal.max_payload().as_usize()];
    let mut appended = Vec::new();
    for small in 0..40 {
        appended.extend(push(&journal, &[vec![1; small * 8]]));
        appended.extend(push(&journal, &[&largest]));
        journal.write(journal.end()).unwrap();
    }
    journal.close().unwrap();
    let (_journal, folded) = open(&memory, options());
    assert_eq!(folded.records, appended);
}

#[test]
fn a_group_larger_than_a_segment_is_one_group_all_the_same() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    let appended = push(&journal, &vec![vec![3; 700]; 50]);
    journal.wait_durable(journal.end()).unwrap();
    assert!(journal.segments().len() > 5);
    assert!(journal.segments().iter().rev().skip(1).all(|segment| segment.sealed));
    assert_eq!(journal.stats().batches, 1);
    journal.close().unwrap();
    assert_eq!(open(&memory, options()).1.records, appended);
}

#[test]
fn a_record_can_hold_its_own_position() {
    let (journal, _) = open(&MemoryDriver::new(), options());
    for length in (8..2_000).step_by(24) {
        let (told, got) = journal
            .append(|group| {
                let told = group.next_position(length);
                let fill = |bytes: &mut Vec<u8>| {
                    bytes.extend_from_slice(&told.as_u64().to_le_bytes());
                    bytes.resize(bytes.len() + length - 8, 0);
                };
                (told, group.push(Kind(1), 0, fill))
            })
            .unwrap()
            .value;
        assert_eq!(told, got);
    }
}

#[test]
fn a_group_whose_fill_panics_leaves_nothing() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    let before = push(&journal, &[b"before"]);
    let end = journal.end();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        journal.append(|group| {
            for _ in 0..20 {
                group.push(Kind(1), 0, |bytes| bytes.resize(bytes.len() + 900, 1));
            }
            group.push(Kind(1), 0, |_| panic!("on purpose"));
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(journal.end(), end);
    assert_eq!(journal.segments().len(), 1);
    let after = push(&journal, &[b"after"]);
    journal.close().unwrap();
    assert_eq!(open(&memory, options()).1.records, [before, after].concat());
}

#[test]
fn many_threads_share_syncs_and_each_record_is_there() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let journal = journal.clone();
            scope.spawn(move || {
                for number in 0..200_u64 {
                    let body = (thread * 1000 + number).to_le_bytes();
                    let at = push(&journal, &[body])[0].0;
                    let end = journal.end();
                    journal.wait_durable(end).unwrap();
                    assert!(journal.durable() >= end);
                    assert_eq!(journal.read(at).unwrap().payload, body[..]);
                }
            });
        }
    });
    assert_eq!(journal.stats().records, 1600);
    journal.close().unwrap();
    assert_eq!(open(&memory, options()).1.records.len(), 1600);
}

#[test]
fn what_gathers_during_a_sync_shares_the_next_one() {
    let faults = Faults::none();
    let journal = common::try_open(FaultyDriver::new(MemoryDriver::new(), &faults), options());
    let (journal, _) = journal.unwrap();
    let syncs = journal.stats().syncs;
    faults.plan(Operation::Sync, 0, Fault::Stall);
    push(&journal, &[b"first"]);
    let first = journal.durable_at(journal.end());
    faults.wait_stalled();
    for number in 0..100_u8 {
        push(&journal, &[[number]]);
    }
    // Written while the sync stalls, which is to say, without waiting for it.
    journal.write(journal.end()).unwrap();
    let rest: Vec<_> = (0..10).map(|_| journal.durable_at(journal.end())).collect();
    faults.resume();
    first.wait().unwrap();
    for durable in rest {
        durable.wait().unwrap();
    }
    assert_eq!(journal.stats().syncs - syncs, 2);
}

#[test]
fn what_was_appended_while_a_batch_was_written_is_not_durable_with_it() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let faulty = FaultyDriver::new(memory.clone(), &faults);
    let (journal, _) = common::try_open(faulty, options()).unwrap();
    faults.plan(Operation::Append, 0, Fault::Stall);
    let first = push(&journal, &[b"first"]);
    let end = journal.end();
    let durable = journal.durable_at(end);
    faults.wait_stalled();
    push(&journal, &[b"second"]);
    faults.resume();
    durable.wait().unwrap();
    assert_eq!(journal.durable(), end);
    memory.crash(&Keep::Synced);
    assert_eq!(open(&memory, options()).1.records, first);
}

#[test]
fn the_watermark_is_told_to_observers_after_it_has_moved() {
    let (journal, _) = open(&MemoryDriver::new(), options());
    let seen = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = std::sync::mpsc::channel();
    journal.on_durable({
        let seen = Arc::clone(&seen);
        move |position| {
            seen.store(position.as_u64(), Ordering::SeqCst);
            sender.send(position).unwrap();
        }
    });
    push(&journal, &[b"one"]);
    let end = journal.end();
    journal.wait_durable(end).unwrap();
    assert_eq!(receiver.recv().unwrap(), end);
    assert_eq!(seen.load(Ordering::SeqCst), end.as_u64());
}

#[test]
fn what_nobody_waits_for_becomes_durable_by_itself() {
    let linger = std::time::Duration::from_millis(1);
    let (journal, _) = open(&MemoryDriver::new(), Options { linger, ..options() });
    let (sender, receiver) = std::sync::mpsc::channel();
    journal.on_durable(move |position| sender.send(position).unwrap());
    push(&journal, &[b"one"]);
    assert_eq!(receiver.recv().unwrap(), journal.end());
}

#[test]
fn appends_beyond_the_limit_write_what_is_pending_themselves() {
    let max_pending = ByteSize::kib(8);
    let (journal, _) = open(&MemoryDriver::new(), Options { max_pending, ..options() });
    for _ in 0..100 {
        push(&journal, &[vec![1; 1000]]);
    }
    let stats = journal.stats();
    assert!(stats.batches >= 9, "{stats:?}");
}

#[test]
fn written_counts_as_durable_where_that_was_asked_for_and_costs_no_sync() {
    let memory = MemoryDriver::new();
    let written = Options { sync: SyncMode::Written, ..options() };
    let (journal, _) = open(&memory, written);
    let syncs = journal.stats().syncs;
    push(&journal, &[b"one"]);
    journal.wait_durable(journal.end()).unwrap();
    assert_eq!(journal.stats().syncs, syncs);
    assert!(memory.unsynced() > ByteSize::bytes(0));
    // A checkpoint must be true after a power cut too.
    journal.put_section("state", journal.end(), b"state").unwrap();
    assert_eq!(memory.unsynced(), ByteSize::bytes(0));
}

#[test]
fn a_closed_journal_refuses_appends_and_still_reads() {
    let (journal, _) = open(&MemoryDriver::new(), options());
    let at = push(&journal, &[b"one"])[0].0;
    let end = journal.end();
    journal.close().unwrap();
    journal.close().unwrap();
    let refused = journal.append(|group| group.push(Kind(1), 0, |_| {})).unwrap_err();
    assert!(matches!(*refused.0, PoisonCause::Closed));
    assert_eq!(journal.read(at).unwrap().payload, b"one"[..]);
    journal.wait_durable(end).unwrap();
    assert!(journal.wait_durable(Position::from_u64(1 << 40)).is_err());
}

#[test]
fn opening_and_closing_again_and_again_does_not_make_the_log_longer() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    push(&journal, &[b"one"]);
    journal.close().unwrap();
    let end = |journal: Journal| {
        journal.close().unwrap();
        journal.end()
    };
    let first = end(open(&memory, options()).0);
    assert_eq!(first, end(open(&memory, options()).0));
}

#[test]
fn a_later_writer_shuts_out_the_earlier_one() {
    let memory = MemoryDriver::new();
    let (earlier, _) = open(&memory, options());
    push(&earlier, &[b"one"]);
    earlier.wait_durable(earlier.end()).unwrap();
    let (later, folded) = open(&memory, options());
    assert_eq!(folded.records.len(), 1);
    push(&earlier, &[b"two"]);
    let refused = earlier.wait_durable(earlier.end()).unwrap_err();
    assert!(refused.to_string().contains("another writer has taken over"), "{refused}");
    later.close().unwrap();
    assert_eq!(open(&memory, options()).1.records.len(), 1);
}

#[test]
fn waiting_for_more_than_there_is_waits_for_the_appends_that_bring_it() {
    let (journal, _) = open(&MemoryDriver::new(), options());
    push(&journal, &[b"one"]);
    let beyond = Position::from_u64(journal.end().as_u64() + 100);
    let waiting = journal.durable_at(beyond);
    journal.wait_durable(journal.end()).unwrap();
    push(&journal, &[vec![2; 200]]);
    waiting.wait().unwrap();
    assert!(journal.durable() >= beyond);
}

#[test]
fn the_last_clone_may_go_on_the_sync_thread() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    let only = Arc::new(std::sync::Mutex::new(Some(journal.clone())));
    let (sender, receiver) = std::sync::mpsc::channel();
    journal.on_durable(move |_| {
        drop(only.lock().unwrap().take());
        sender.send(()).unwrap();
    });
    let one = push(&journal, &[b"one"]);
    let durable = journal.durable_at(journal.end());
    drop(journal);
    durable.wait().unwrap();
    receiver.recv().unwrap();
    assert_eq!(open(&memory, options()).1.records, one);
}
