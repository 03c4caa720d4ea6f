//! Crashes and damage: whole groups or nothing, nothing durable lost, nothing wrong unnoticed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use common::{Folded, open, options, push, try_open};
use tidemill_base::{ByteSize, Chance};
use tidemill_journal::{
    CheckpointError, Driver, Fault, Faults, FaultyDriver, FileDriver, Journal, Keep, MemoryDriver,
    OpenError, Operation, Options, Position, ReadError, SegmentId,
};

#[test]
fn a_batch_torn_at_any_byte_leaves_whole_groups_and_a_log_that_goes_on() {
    let whole = MemoryDriver::new();
    let options = || Options { segment_size: ByteSize::kib(1), ..options() };
    let (journal, _) = open(&whole, options());
    let kept = push(&journal, &[b"kept"]);
    journal.wait_durable(journal.end()).unwrap();
    let groups: Vec<_> = (1..=3_u8).map(|n| push(&journal, &vec![vec![n; 200]; 2])).collect();
    journal.write(journal.end()).unwrap();
    let torn = whole.unsynced().as_u64();
    assert!(torn > 1024, "the batch crosses a segment");
    for bytes in (0..=torn).rev() {
        // A smaller and smaller part of the same batch.
        whole.crash(&Keep::Written);
        let memory = whole.fork();
        memory.crash(&Keep::First(ByteSize::bytes(bytes)));
        let (journal, folded) = open(&memory, options());
        let survived = (0..=3)
            .find(|count| folded.records == [kept.clone(), groups[..*count].concat()].concat());
        assert!(survived.is_some(), "torn at {bytes}: {} records", folded.records.len());
        let more = push(&journal, &[b"more"]);
        journal.close().unwrap();
        let again = open(&memory, options()).1.records;
        assert_eq!(again, [folded.records, more].concat(), "torn at {bytes}");
    }
}

#[test]
fn what_reads_well_after_a_torn_record_never_comes_back() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    let kept = push(&journal, &[b"kept"]);
    journal.wait_durable(journal.end()).unwrap();
    let torn = push(&journal, &[vec![1; 100]])[0].0;
    push(&journal, &[vec![2; 100]]);
    journal.write(journal.end()).unwrap();
    memory.crash(&Keep::Written);
    assert!(memory.flip(Position::from_u64(torn.as_u64() + 50), 1));
    let (journal, folded) = open(&memory, options());
    assert_eq!(folded.records, kept);
    // With its batch record (24 bytes) as long as the torn one: it ends where the next begins.
    let filling = push(&journal, &[vec![3; 100 - 24]]);
    journal.close().unwrap();
    assert_eq!(open(&memory, options()).1.records, [kept, filling].concat());
}

#[test]
fn a_segment_after_a_torn_record_never_comes_back() {
    let (memory, faults) = (MemoryDriver::new(), Faults::none());
    let (journal, _) = open(&memory, options());
    let torn = push(&journal, &[vec![1; 3000]])[0].0;
    push(&journal, &[vec![2; 3000]]);
    journal.write(journal.end()).unwrap();
    assert_eq!(journal.segments().len(), 2);
    memory.crash(&Keep::Written);
    assert!(memory.flip(Position::from_u64(torn.as_u64() + 50), 1));
    let faulty = FaultyDriver::new(memory.clone(), &faults);
    let (journal, folded) = try_open(faulty, options()).unwrap();
    assert_eq!(folded, Folded::default());
    // The first segment is sealed again, and then the next cannot be begun.
    faults.plan(Operation::Create, 0, Fault::Full);
    let filling = push(&journal, &[vec![3; 3000]]);
    push(&journal, &[vec![4; 3000]]);
    assert!(journal.write(journal.end()).is_err());
    drop(journal);
    assert_eq!(open(&memory, options()).1.records, filling);
}

#[test]
fn a_segment_that_is_begun_again_holds_nothing_of_its_former_life() {
    let (memory, dir) = (MemoryDriver::new(), tempfile::tempdir().unwrap());
    begins_a_segment_again(&|| Arc::new(memory.clone()), &|at| assert!(memory.flip(at, 1)));
    let flip = |at: Position| {
        let path = dir.path().join("segments").join("0000000000000000.seg");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[usize::try_from(at.as_u64()).unwrap()] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    begins_a_segment_again(&|| Arc::new(FileDriver::new(dir.path())), &flip);
}

/// The machine dies while the second segment is stored and the first is not. Both are written
/// again, with a batch that ends where a record of the lost one begins.
fn begins_a_segment_again(store: &dyn Fn() -> Arc<dyn Driver>, flip: &dyn Fn(Position)) {
    let faults = Faults::none();
    let (journal, _) = try_open(FaultyDriver::new(store(), &faults), options()).unwrap();
    let lost = push(&journal, &[vec![1; 3000]])[0].0;
    let never = push(&journal, &[vec![2; 1000], vec![2; 1000]]);
    journal.write(journal.end()).unwrap();
    assert_eq!(journal.segments().len(), 2);
    faults.die_after(0);
    drop(journal);
    flip(Position::from_u64(lost.as_u64() + 50));
    let (journal, folded) = try_open(store(), options()).unwrap();
    assert_eq!(folded, Folded::default());
    let mut again = push(&journal, &[vec![3; 3000]]);
    again.extend(push(&journal, &[vec![4; 1000]]));
    assert_eq!(again[1].0, never[0].0);
    journal.close().unwrap();
    assert_eq!(try_open(store(), options()).unwrap().1.records, again);
}

/// A log of a few small groups over five segments, closed; with what a fold of it gives.
fn small_log() -> (MemoryDriver, Folded) {
    let memory = MemoryDriver::new();
    let options = Options { segment_size: ByteSize::kib(1), ..options() };
    let (journal, _) = open(&memory, options.clone());
    for n in 0..30_u8 {
        push(&journal, &[vec![n; 40], vec![n; 60]]);
        journal.wait_durable(journal.end()).unwrap();
    }
    journal.close().unwrap();
    let folded = open(&memory.fork(), options).1;
    (memory, folded)
}

#[test]
fn a_changed_byte_anywhere_is_detected_or_harmless() {
    let (memory, expected) = small_log();
    let mut detected = 0;
    for at in 0..8 * 1024 {
        let memory = memory.fork();
        if !memory.flip(Position::from_u64(at), 1 << (at % 8)) {
            continue;
        }
        match try_open(memory, options()) {
            Ok((_journal, folded)) => assert_eq!(folded, expected, "byte {at}"),
            Err(OpenError::Damaged(damages)) => {
                detected += 1;
                let ranges = damages.0.iter().map(tidemill_journal::Damage::range);
                let near = |range: std::ops::Range<Position>| {
                    range.start.as_u64() <= at && at < range.end.as_u64()
                };
                assert_eq!(ranges.filter(|range| near(range.clone())).count(), 1, "byte {at}");
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(detected > 3000, "{detected}");
}

#[test]
fn after_a_crash_a_changed_byte_costs_at_most_what_nobody_confirmed() {
    let memory = MemoryDriver::new();
    let options = || Options { segment_size: ByteSize::kib(1), ..options() };
    let (journal, _) = open(&memory, options());
    let mut expected = Vec::new();
    for n in 0..12_u8 {
        expected.extend(push(&journal, &[vec![n; 40], vec![n; 60]]));
        journal.wait_durable(journal.end()).unwrap();
    }
    memory.crash(&Keep::Written);
    let (last, whole) = (expected.len() - 2, expected.len());
    let (mut detected, mut cut) = (0, 0);
    for at in 0..2 * 1024 {
        let memory = memory.fork();
        if !memory.flip(Position::from_u64(at), 1 << (at % 8)) {
            continue;
        }
        match try_open(memory, options()) {
            Ok((_journal, folded)) => {
                // The last batch is in no later one's word that it was synced.
                assert!([last, whole].contains(&folded.records.len()), "byte {at}");
                assert_eq!(folded.records, expected[..folded.records.len()], "byte {at}");
                cut += usize::from(folded.records.len() == last);
            }
            Err(OpenError::Damaged(_)) => detected += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(detected > 1200 && cut > 100, "{detected} {cut}");
}

#[test]
fn garbage_anywhere_is_an_error_or_harmless_and_never_a_panic() {
    let (memory, expected) = small_log();
    let chance = Chance::seeded(3);
    for run in 0..1500 {
        let memory = memory.fork();
        let (start, length) = (chance.number() % 5000, chance.number() % 300);
        for at in start..start + length {
            memory.flip(Position::from_u64(at), chance.bytes::<1>()[0]);
        }
        match try_open(memory, options()) {
            Ok((_journal, folded)) => assert_eq!(folded, expected, "run {run}"),
            Err(OpenError::Damaged(_)) => {}
            Err(error) => panic!("run {run}: {error}"),
        }
    }
}

#[test]
fn a_changed_byte_in_the_root_or_a_section_is_an_error_that_names_it() {
    let (memory, _) = small_log();
    let (journal, _) = open(&memory, options());
    let end = journal.end();
    journal.put_section("queues/a", end, b"state of a").unwrap();
    journal.checkpoint(end, &[("queues/a".into(), end)], &[]).unwrap();
    journal.close().unwrap();
    let section = format!("section-{:016x}-queues%2Fa", end.as_u64());
    for (blob, name) in [("root", "root"), (&section, "queues/a")] {
        let mut index = 0;
        loop {
            let memory = memory.fork();
            if !memory.flip_blob(blob, index, 1) {
                break;
            }
            match try_open(memory, options()) {
                Err(OpenError::Checkpoint { name: named, .. }) => assert_eq!(named, name),
                other => panic!("byte {index} of {blob}: {other:?}"),
            }
            index += 1;
        }
        assert!(index > 40, "{blob} has {index} bytes");
    }
}

#[test]
fn a_lost_segment_is_named_wherever_it_was() {
    let (memory, _) = small_log();
    let id = |base| SegmentId::from_base(Position::from_u64(base));
    for base in [0, 1024, 3072] {
        let memory = memory.fork();
        assert!(memory.lose(id(base)));
        match try_open(memory, options()) {
            Err(OpenError::Damaged(damages)) => assert_eq!(damages.0[0].segment, id(base)),
            other => panic!("{other:?}"),
        }
    }
    let last = memory.fork();
    assert!(last.lose(id(4096)));
    match try_open(last, options()) {
        Err(OpenError::MissingSegment(missing)) => assert_eq!(missing, id(4096)),
        other => panic!("{other:?}"),
    }
    let (journal, _) = open(&memory, options());
    journal.checkpoint(journal.end(), &[], &[]).unwrap();
    journal.close().unwrap();
    for base in [0, 1024, 4096] {
        let memory = memory.fork();
        assert!(memory.lose(id(base)));
        match try_open(memory, options()) {
            Err(OpenError::MissingSegment(missing)) => assert_eq!(missing, id(base)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn damage_in_a_kept_segment_is_noticed_when_it_is_read() {
    let (memory, folded) = small_log();
    let (journal, _) = open(&memory, options());
    journal.checkpoint(journal.end(), &[], &[]).unwrap();
    let (at, body) = &folded.records[3];
    assert_eq!(journal.read(*at).unwrap().payload, *body);
    assert!(memory.flip(Position::from_u64(at.as_u64() + 20), 4));
    assert!(matches!(journal.read(*at), Err(ReadError::Damaged(damage)) if damage.position == *at));
}

#[test]
fn what_must_stay_cannot_be_discarded_and_what_was_not_put_cannot_be_named() {
    let (memory, _) = small_log();
    let (journal, _) = open(&memory, options());
    let (end, segments) = (journal.end(), journal.segments());
    let last = segments.last().unwrap().id;
    let refused = journal.checkpoint(end, &[], &[last]).unwrap_err();
    assert!(matches!(refused, CheckpointError::StillNeeded(id) if id == last));
    let gone = SegmentId::from_base(Position::from_u64(0));
    journal.checkpoint(end, &[], &[gone]).unwrap();
    journal.checkpoint(end, &[], &[gone]).unwrap();
    let refused = journal.checkpoint(segments[1].range.start, &[], &[]).unwrap_err();
    assert!(matches!(refused, CheckpointError::Behind(_)));
    let refused = journal.checkpoint(end, &[("a".into(), end)], &[]).unwrap_err();
    assert!(matches!(refused, CheckpointError::NoSuchSection { .. }));
    let beyond = Position::from_u64(end.as_u64() + 8);
    let refused = journal.checkpoint(beyond, &[], &[]).unwrap_err();
    assert!(matches!(refused, CheckpointError::Beyond(_)));
    assert!(matches!(journal.put_section("", end, b""), Err(CheckpointError::BadName(_))));
}

/// Appends, checkpoints with what was appended as the state, discards, and so on. Counts in
/// `durable` the records that it was told are.
fn checkpointing_life(
    journal: &Journal,
    durable: &mut usize,
) -> Result<(), Box<dyn std::error::Error>> {
    for round in 0..6_u8 {
        for n in 0..8 {
            journal.append(|group| {
                group.push(tidemill_journal::Kind(1), 0, |bytes| {
                    bytes.extend_from_slice(&[round * 8 + n; 500]);
                });
            })?;
        }
        let end = journal.end();
        journal.wait_durable(end)?;
        *durable += 8;
        journal.put_section("count", end, &[(round + 1) * 8])?;
        let old = journal.segments().into_iter().map(|segment| segment.id);
        let old: Vec<_> = old.filter(|id| *id < journal.segment_of(end)).collect();
        journal.checkpoint(end, &[("count".into(), end)], &old)?;
    }
    Ok(())
}

/// How many records a fold saw, one way or the other; they must be the first ones, in order.
fn counted(folded: &Folded) -> usize {
    let before = folded.sections.first().map_or(0, |(_, _, bytes)| usize::from(bytes[0]));
    for (index, (_, body)) in folded.records.iter().enumerate() {
        assert_eq!(usize::from(body[0]), before + index);
    }
    before + folded.records.len()
}

#[test]
fn a_crash_at_any_step_of_appending_checkpointing_and_recycling_loses_nothing_durable() {
    let mut steps = 0;
    loop {
        let (memory, faults) = (MemoryDriver::new(), Faults::none());
        let (journal, _) = try_open(FaultyDriver::new(memory.clone(), &faults), options()).unwrap();
        let before = faults.changes();
        faults.die_after(steps);
        let mut durable = 0;
        let finished = checkpointing_life(&journal, &mut durable).is_ok();
        let changes = faults.changes() - before;
        drop(journal);
        for keep in [Keep::Written, Keep::Synced] {
            memory.crash(&keep);
            let (journal, folded) = open(&memory, options());
            let count = counted(&folded);
            assert!(count >= durable, "step {steps}: {count} of {durable}");
            assert!(journal.segments().len() < 5);
            // Nothing is left behind for ever.
            assert_eq!(memory.segments().unwrap().len(), journal.segments().len());
            assert_eq!(memory.blobs().unwrap().len(), 2 + folded.sections.len());
            journal.close().unwrap();
        }
        if finished {
            assert_eq!(counted(&open(&memory, options()).1), 48);
            assert!(changes > 30);
            return;
        }
        steps += 1;
    }
}

#[test]
fn the_stale_bytes_of_a_recycled_segment_are_never_taken_for_records() {
    let memory = MemoryDriver::new();
    let (journal, _) = open(&memory, options());
    checkpointing_life(&journal, &mut 0).unwrap();
    assert!(journal.end().as_u64() > 20_000, "segments were used again");
    push(&journal, &[b"last"]);
    journal.write(journal.end()).unwrap();
    drop(journal);
    for seed in 0..50 {
        let memory = memory.fork();
        memory.crash(&Keep::Sectors(Chance::seeded(seed)));
        let folded = open(&memory, options()).1;
        assert_eq!(folded.sections[0].2, [48]);
        assert!(folded.records.iter().all(|(_, body)| body == b"last"), "seed {seed}");
    }
}
