//! A ledger: decided, appended, durable, shown; and there again after a crash.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use common::options;
use tidemill_journal::{
    CommitError, Fault, Faults, FaultyDriver, Keep, Kind, Ledger, MemoryDriver, Operation, Record,
    RecordRef, State, Unreadable,
};

/// Counts by name; a record is a name to count.
#[derive(Debug, Default)]
struct Counts(BTreeMap<String, u64>);

impl State for Counts {
    fn apply(&mut self, record: RecordRef<'_>) -> Result<(), Unreadable> {
        let name = str::from_utf8(record.payload).map_err(|bad| Unreadable(bad.to_string()))?;
        *self.0.entry(name.to_owned()).or_default() += 1;
        Ok(())
    }

    fn snapshot(&self) -> Vec<u8> {
        let lines = self.0.iter().map(|(name, count)| format!("{name} {count}\n"));
        lines.collect::<String>().into_bytes()
    }

    fn restore(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = str::from_utf8(bytes).map_err(|bad| Unreadable(bad.to_string()))?;
        let pairs = text.lines().map(|line| {
            let (name, count) = line.split_once(' ').unwrap();
            (name.to_owned(), count.parse().unwrap())
        });
        Ok(Self(pairs.collect()))
    }
}

fn record(name: &'static [u8]) -> Record {
    Record { kind: Kind(1), version: 0, payload: Bytes::from_static(name) }
}

fn open(memory: &MemoryDriver) -> Ledger<Counts> {
    Ledger::open(memory.clone(), options(), Counts::default()).unwrap()
}

fn count(ledger: &Ledger<Counts>, name: &str) -> u64 {
    ledger.read(|counts| counts.0.get(name).copied().unwrap_or_default())
}

/// Runs a future that waits only for the journal.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn commit(ledger: &Ledger<Counts>, names: &[&'static [u8]]) {
    let records = names.iter().copied().map(record).collect();
    block_on(ledger.commit(|_| Ok::<_, Infallible>(records))).unwrap();
}

#[test]
fn what_was_committed_survives_a_crash_with_and_without_a_checkpoint() {
    let memory = MemoryDriver::new();
    let ledger = open(&memory);
    commit(&ledger, &[b"a", b"b"]);
    ledger.checkpoint().unwrap();
    commit(&ledger, &[b"a"]);
    memory.crash(&Keep::Synced);
    let ledger = open(&memory);
    assert_eq!((count(&ledger, "a"), count(&ledger, "b")), (2, 1));
}

const NAME: [u8; 3000] = [b'n'; 3000];

#[test]
fn a_long_life_takes_little_space() {
    let memory = MemoryDriver::new();
    let ledger = open(&memory);
    for _ in 0..1000 {
        commit(&ledger, &[&NAME]);
    }
    assert!(ledger.journal().segments().len() < 400);
    drop(ledger);
    let name = String::from_utf8(NAME.to_vec()).unwrap();
    assert_eq!(count(&open(&memory), &name), 1000);
}

#[test]
fn a_change_is_seen_only_once_it_is_durable_but_the_next_is_decided_on_it() {
    let faults = Faults::none();
    let driver = FaultyDriver::new(MemoryDriver::new(), &faults);
    let ledger = Ledger::open(driver, options(), Counts::default()).unwrap();
    faults.plan(Operation::Sync, 0, Fault::Stall);
    let mut first = pin!(ledger.commit(|_| Ok::<_, Infallible>(vec![record(b"a")])));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    faults.wait_stalled();
    assert_eq!(count(&ledger, "a"), 0);
    let second =
        ledger.commit(|counts| if counts.0.contains_key("a") { Err("taken") } else { Ok(vec![]) });
    assert!(matches!(block_on(second), Err(CommitError::Refused("taken"))));
    faults.resume();
    block_on(first).unwrap();
    assert_eq!(count(&ledger, "a"), 1);
}

#[test]
fn a_change_that_the_state_does_not_understand_changes_nothing() {
    let memory = MemoryDriver::new();
    let ledger = open(&memory);
    commit(&ledger, &[b"a"]);
    let bad = vec![record(b"a"), record(b"\xff")];
    let refused = block_on(ledger.commit(|_| Ok::<_, Infallible>(bad)));
    assert!(matches!(refused, Err(CommitError::Unreadable(_))));
    commit(&ledger, &[b"a"]);
    assert_eq!(count(&ledger, "a"), 2);
    drop(ledger);
    assert_eq!(count(&open(&memory), "a"), 2);
}
