//! What the journal does when the disk does not do its part.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{open, options, push, try_open};
use tidemill_base::ByteSize;
use tidemill_journal::{
    CheckpointError, Fault, Faults, FaultyDriver, Journal, Keep, Kind, MemoryDriver, Operation,
    Options, PoisonCause, Position, ReadError, SyncMode,
};

fn faulty(memory: &MemoryDriver, faults: &Faults, options: Options) -> Journal {
    try_open(FaultyDriver::new(memory.clone(), faults), options).unwrap().0
}

#[test]
fn after_a_failed_sync_nothing_is_accepted_and_everybody_is_told() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let journal = faulty(&memory, &faults, options());
    let kept = push(&journal, &[b"kept"]);
    journal.wait_durable(journal.end()).unwrap();
    faults.plan(Operation::Sync, 0, Fault::Stall);
    faults.plan(Operation::Sync, 0, Fault::Error);
    push(&journal, &[b"one"]);
    let first = journal.durable_at(journal.end());
    faults.wait_stalled();
    push(&journal, &[b"two"]);
    let waiting: Vec<_> = (0..3).map(|_| journal.durable_at(journal.end())).collect();
    faults.resume();
    first.wait().unwrap();
    for durable in waiting {
        let told = durable.wait().unwrap_err();
        assert!(matches!(*told.0, PoisonCause::Sync(_)), "{told}");
    }
    assert!(journal.append(|group| group.push(Kind(1), 0, |_| {})).is_err());
    assert!(matches!(
        journal.put_section("state", journal.durable(), b""),
        Err(CheckpointError::Poisoned(_))
    ));
    assert_eq!(journal.read(kept[0].0).unwrap().payload, b"kept"[..]);
    assert!(journal.close().is_err());
}

#[test]
fn a_failed_write_is_poison_and_what_it_tore_is_cut() {
    for fault in [Fault::Error, Fault::Full, Fault::Torn(ByteSize::bytes(37))] {
        let (memory, faults) = (MemoryDriver::new(), Faults::none());
        let journal = faulty(&memory, &faults, options());
        let kept = push(&journal, &[b"kept"]);
        journal.wait_durable(journal.end()).unwrap();
        faults.plan(Operation::Append, 0, fault.clone());
        push(&journal, &[vec![1; 100]]);
        let told = journal.write(journal.end()).unwrap_err();
        assert!(matches!(*told.0, PoisonCause::Write(_)), "{told}");
        assert!(journal.wait_durable(journal.end()).is_err());
        assert!(journal.is_poisoned().is_some());
        drop(journal);
        let (journal, folded) = open(&memory, options());
        assert_eq!(folded.records, kept, "{fault:?}");
        journal.close().unwrap();
    }
}

#[test]
fn a_panic_below_is_poison_and_not_a_hang() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let journal = faulty(&memory, &faults, options());
    faults.plan(Operation::Sync, 0, Fault::Panic);
    push(&journal, &[b"one"]);
    let told = journal.wait_durable(journal.end()).unwrap_err();
    assert!(matches!(*told.0, PoisonCause::Panic(_)), "{told}");
}

#[test]
fn a_panic_below_a_write_is_poison_on_the_caller_s_thread_too() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let journal = faulty(&memory, &faults, options());
    faults.plan(Operation::Append, 0, Fault::Panic);
    push(&journal, &[b"one"]);
    let write = AssertUnwindSafe(|| journal.write(journal.end()));
    assert!(catch_unwind(write).is_err());
    assert!(matches!(*journal.is_poisoned().unwrap(), PoisonCause::Panic(_)));
    assert!(journal.append(|_| ()).is_err());
    assert!(journal.wait_durable(journal.end()).is_err());
}

#[test]
fn a_panicking_observer_is_poison_and_not_a_hang() {
    let (journal, _) = open(&MemoryDriver::new(), options());
    journal.on_durable(|_| panic!("on purpose"));
    push(&journal, &[b"one"]);
    journal.wait_durable(journal.end()).unwrap();
    // Refused by now, or accepted and never durable.
    let appended = journal.append(|group| group.push(Kind(1), 0, |_| {}));
    assert!(appended.and_then(|appended| journal.wait_durable(appended.end)).is_err());
}

#[test]
fn a_bit_that_flips_on_its_way_from_the_disk_is_noticed() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let none = Options { recent: ByteSize::bytes(0), ..options() };
    let journal = faulty(&memory, &faults, none);
    let at = push(&journal, &[vec![9; 64]])[0].0;
    journal.wait_durable(journal.end()).unwrap();
    for byte in 0..76 {
        faults.plan(Operation::Read, 0, Fault::Flip(byte));
        match journal.read(at) {
            Err(ReadError::Damaged(damage)) => assert_eq!(damage.position, at),
            other => panic!("byte {byte}: {other:?}"),
        }
        assert_eq!(journal.read(at).unwrap().payload, vec![9; 64]);
    }
    faults.plan(Operation::Read, 0, Fault::Error);
    assert!(matches!(journal.read(at), Err(ReadError::Io(_))));
}

#[test]
fn a_checkpoint_that_fails_leaves_the_one_before_in_force() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let journal = faulty(&memory, &faults, options());
    push(&journal, &[b"one"]);
    let first = journal.end();
    journal.put_section("state", first, b"first").unwrap();
    journal.checkpoint(first, &[("state".into(), first)], &[]).unwrap();
    let rest = push(&journal, &[b"two"]);
    let second = journal.end();
    journal.put_section("state", second, b"second").unwrap();
    faults.plan(Operation::Put, 0, Fault::Full);
    let failed = journal.checkpoint(second, &[("state".into(), second)], &[]);
    assert!(matches!(failed, Err(CheckpointError::Driver(_))));
    memory.crash(&Keep::Synced);
    let (_journal, folded) = open(&memory, options());
    assert_eq!(folded.sections, [("state".into(), first, b"first".to_vec())]);
    assert_eq!(folded.records, rest);
}

#[test]
fn what_a_failed_sync_gave_up_is_written_again_before_it_counts() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let journal = faulty(&memory, &faults, options());
    let mut expected = push(&journal, &[b"before"]);
    journal.wait_durable(journal.end()).unwrap();
    faults.plan(Operation::Sync, 0, Fault::Error);
    expected.extend((0..9_u8).flat_map(|n| push(&journal, &[vec![n; 900]])));
    assert!(journal.wait_durable(journal.end()).is_err());
    // The kernel shows the bytes and will not store them; only the process starts again.
    memory.give_up_unsynced();
    memory.crash(&Keep::Written);
    let (journal, folded) = open(&memory, options());
    assert_eq!(folded.records, expected);
    assert_eq!(journal.durable(), journal.end());
    // What this journal showed as durable must survive the machine.
    memory.crash(&Keep::Synced);
    assert_eq!(open(&memory, options()).1.records, expected);
}

#[test]
fn what_was_given_up_is_written_again_where_nobody_waits_for_syncs_either() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let relaxed = || Options { sync: SyncMode::Written, ..options() };
    let journal = faulty(&memory, &faults, relaxed());
    let expected: Vec<_> = (0..9_u8).flat_map(|n| push(&journal, &[vec![n; 900]])).collect();
    journal.wait_durable(journal.end()).unwrap();
    faults.plan(Operation::Sync, 0, Fault::Error);
    assert!(journal.put_section("state", journal.end(), b"").is_err());
    memory.give_up_unsynced();
    memory.crash(&Keep::Written);
    let (journal, _) = open(&memory, relaxed());
    // A checkpoint says up to where the log was durable: that must not be gone, or what is left
    // would count as damaged.
    journal.put_section("state", journal.end(), b"").unwrap();
    journal.checkpoint(Position::ZERO, &[], &[]).unwrap();
    memory.crash(&Keep::Synced);
    assert_eq!(open(&memory, relaxed()).1.records, expected);
}
