//! Records come back as they were written, and damage is an error rather than a panic.

use tidemill_base::{AccountId, MessageId, Region};

use super::*;
use crate::message::Content;
use crate::passage::CarryReason;

const QUEUE: QueueNumber = QueueNumber(7);
const AT: Timestamp = Timestamp::from_millis(1_700_000_000_123);

/// What version 1 could say.
fn of_version_1() -> Vec<Record> {
    let key = QueueKey {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: "orders".parse().unwrap(),
    };
    let tags = Tags::from([("team".into(), "tide".into())]);
    let mut settings = Settings { policy: Some("{}".into()), ..Default::default() };
    settings.extras.insert("kms".into(), "key".into());
    let header = header();
    let sequences = vec![Sequence(3), Sequence(4), Sequence(300)];
    let created =
        Created { queue: QUEUE, at: AT, key, settings: settings.clone(), tags: tags.clone() };
    vec![
        Record::Founded { secret: Secret([9; 16]) },
        Record::Created(Box::new(created)),
        Record::Configured { queue: QUEUE, at: AT, settings: Box::new(settings) },
        Record::Tagged { queue: QUEUE, at: AT, tags },
        Record::Removed { queue: QUEUE, at: AT },
        Record::Forgotten,
        Record::Purged { queue: QUEUE, at: AT, before: Sequence(12) },
        Record::Message(header.clone()),
        Record::Moved(header),
        Record::Received(received(sequences.clone())),
        Record::Returned { queue: QUEUE, at: AT, sequences: sequences.clone() },
        Record::Deleted { queue: QUEUE, sequences: sequences.clone() },
        Record::Hidden { queue: QUEUE, until: AT, sequences: sequences.clone() },
        Record::Dropped { queue: QUEUE, why: DropReason::Lost, sequences: sequences.clone() },
        Record::Dropped { queue: QUEUE, why: DropReason::TooOld, sequences },
    ]
}

fn header() -> Header {
    let sequence = Sequence(9);
    Header { queue: QUEUE, sequence, sent: AT, delay: 900, group: None, known: None }
}

fn received(sequences: Vec<Sequence>) -> Received {
    Received { queue: QUEUE, at: AT, until: AT, attempt: None, holder: None, sequences }
}

/// What there is since.
fn of_later_versions() -> Vec<Record> {
    let known = Some((Mark([3; 16]), MessageId::from_bytes([4; 16])));
    let header = Header { group: Some("g".into()), known, ..header() };
    let attempt = Some(Mark([5; 16]));
    let holder = Holder::from_u64(0x0123_4567_89ab_cdef);
    vec![
        Record::Message(Header { known: None, ..header.clone() }),
        Record::Moved(header),
        Record::Received(Received { attempt, ..received(vec![Sequence(9), Sequence(2)]) }),
        Record::Received(Received { attempt, holder, ..received(vec![Sequence(2)]) }),
        Record::Received(Received { holder, ..received(vec![Sequence(2)]) }),
        Record::Repeated { queue: QUEUE, until: AT, attempt: Mark([5; 16]), holder: None },
        Record::Repeated { queue: QUEUE, until: AT, attempt: Mark([5; 16]), holder },
        Record::Lapsed { queue: QUEUE, at: AT },
    ]
}

/// What is about dead letters.
fn of_dead_letters() -> Vec<Record> {
    let key = |name: &str| QueueKey {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: name.parse().unwrap(),
    };
    let carry = Carry {
        sequence: Sequence(9),
        position: tidemill_journal::Position::from_u64(4096),
        sent: AT,
        receives: 3,
        first_received: AT,
        group: Some("g".into()),
    };
    let never = Timestamp::NEVER;
    let untouched = Carry { receives: 0, first_received: never, group: None, ..carry.clone() };
    let carried = Carried {
        source: QUEUE,
        at: AT,
        target: QueueNumber(8),
        why: CarryReason::TooOld,
        key: key("orders"),
        first: Sequence(5),
        messages: vec![carry, untouched],
    };
    let number = MoveNumber(3);
    let plan = Plan {
        number,
        started: AT,
        destination: Some(key("elsewhere")),
        per_second: Some(500),
        before: Sequence(77),
        to_move: 12,
    };
    let anywhere = Plan { destination: None, per_second: None, ..plan.clone() };
    vec![
        Record::Carried(Box::new(Carried { why: CarryReason::Exhausted, ..carried.clone() })),
        Record::Carried(Box::new(carried)),
        Record::MoveBegan { queue: QUEUE, plan: Box::new(plan) },
        Record::MoveBegan { queue: QUEUE, plan: Box::new(anywhere) },
        Record::Redriven { queue: QUEUE, number, sequences: vec![Sequence(9), Sequence(2)] },
        Record::MoveEnded { queue: QUEUE, at: AT, number, status: MoveStatus::Cancelled },
    ]
}

fn one_of_each() -> impl Iterator<Item = Record> {
    of_version_1().into_iter().chain(of_later_versions()).chain(of_dead_letters())
}

fn written(record: &Record) -> Vec<u8> {
    let content = Packed::new(MessageId::from_bytes([1; 16]), Content::default());
    let mut bytes = Vec::new();
    record.write(record.has_content().then_some(&content), &mut bytes);
    bytes
}

#[test]
fn every_record_comes_back_as_it_was_written() {
    for record in one_of_each() {
        let payload = &written(&record)[..];
        let version = record.version();
        let read = Record::read(RecordRef { kind: record.kind(), version, payload });
        assert_eq!(read, Ok(record));
    }
}

#[test]
fn a_record_that_was_cut_is_an_error() {
    for record in one_of_each() {
        let bytes = written(&record);
        let content = Packed::new(MessageId::from_bytes([1; 16]), Content::default()).size();
        let content = if record.has_content() { content } else { 0 };
        let needed = bytes.len() - content;
        for cut in 0..needed {
            let payload = &bytes[..cut];
            let cut_record = RecordRef { kind: record.kind(), version: record.version(), payload };
            assert!(Record::read(cut_record).is_err(), "{record:?} cut to {cut} bytes");
        }
    }
}

#[test]
fn an_unknown_kind_or_version_is_an_error() {
    let payload = &written(&Record::Removed { queue: QUEUE, at: AT })[..];
    assert!(Record::read(RecordRef { kind: Kind(5), version: 2, payload }).is_err());
    assert!(Record::read(RecordRef { kind: Kind(99), version: 1, payload }).is_err());
    assert!(Record::read(RecordRef { kind: Kind(7), version: 3, payload }).is_err());
}

#[test]
fn what_is_carried_goes_elsewhere() {
    for record in of_dead_letters() {
        if let Record::Carried(carried) = record {
            let record = Record::Carried(Box::new(Carried { target: QUEUE, ..*carried }));
            let payload = &written(&record)[..];
            assert!(Record::read(RecordRef { kind: Kind(20), version: 1, payload }).is_err());
        }
    }
}

/// What [`of_version_1`] was written as on the day that version 1 was fixed. Never changed: a
/// later version gets a list of its own.
const VERSION_1: [(u8, &str); 15] = [
    (1, "09090909090909090909090909090909"),
    (
        2,
        "070000007b68e5cf8b01000000000000000000000975732d656173742d31066f726465727301000080804080\
         e0e5a40100b0ea0101027b7d01036b6d73036b657901047465616d0474696465",
    ),
    (3, "070000007b68e5cf8b01000001000080804080e0e5a40100b0ea0101027b7d01036b6d73036b6579"),
    (4, "070000007b68e5cf8b01000001047465616d0474696465"),
    (5, "070000007b68e5cf8b010000"),
    (14, ""),
    (6, "070000007b68e5cf8b0100000c00000000000000"),
    (
        7,
        "0700000009000000000000007b68e5cf8b01000084032300000001010101010101010101010101010101000\
         00000000000000000000000000000000000",
    ),
    (
        8,
        "0700000009000000000000007b68e5cf8b01000084032300000001010101010101010101010101010101000\
         00000000000000000000000000000000000",
    ),
    (9, "070000007b68e5cf8b0100007b68e5cf8b010000030301a802"),
    (10, "070000007b68e5cf8b010000030301a802"),
    (11, "07000000030301a802"),
    (12, "070000007b68e5cf8b010000030301a802"),
    (13, "0700000001030301a802"),
    (13, "0700000000030301a802"),
];

#[test]
fn records_of_version_1_read_for_ever() {
    for (record, (kind, hex)) in of_version_1().into_iter().zip(VERSION_1) {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let payload: Vec<_> = (0..hex.len()).step_by(2).map(byte).collect();
        let old = RecordRef { kind: Kind(kind), version: 1, payload: &payload };
        assert_eq!(Record::read(old), Ok(record));
    }
}
