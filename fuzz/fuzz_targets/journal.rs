//! A journal whose bytes were changed anywhere is refused, or gives what was appended, in order
//! and from the beginning; then it goes on.
//! `cargo fuzz run journal`

#![no_main]

use std::convert::Infallible;
use std::time::Duration;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use tidemill_base::{ByteSize, Chance};
use tidemill_journal::{
    Event, Journal, Keep, Kind, MemoryDriver, OpenError, Options, Position, SegmentId,
};

const SEGMENT: u64 = 1024;

#[derive(Arbitrary, Debug)]
struct Input {
    /// The groups, each of records of these sizes, and whether each is waited for.
    groups: Vec<(Vec<u16>, bool)>,
    /// After how many groups a checkpoint is made.
    checkpoint: Option<u8>,
    /// Whether the process ends as it should.
    closes: bool,
    flips: Vec<(u16, u8)>,
    blob: Option<(bool, u16, u8)>,
    lose: Option<u8>,
}

type Records = Vec<(Position, Vec<u8>)>;

fn options() -> Options {
    Options {
        segment_size: ByteSize::bytes(SEGMENT),
        chance: Chance::seeded(1),
        linger: Duration::from_hours(1),
        ..Options::default()
    }
}

fn open(store: &MemoryDriver) -> Result<(Journal, Records), OpenError<Infallible>> {
    let mut records = Records::new();
    let journal = Journal::open(store.clone(), options(), |event| {
        if let Event::Record { at, record } = event {
            records.push((at, record.payload.to_vec()));
        }
        Ok(())
    })?;
    Ok((journal, records))
}

fn push(journal: &Journal, payloads: &[Vec<u8>]) -> Records {
    let push = |group: &mut tidemill_journal::Group<'_>| {
        let one = |payload: &Vec<u8>| {
            let at = group.push(Kind(1), 0, |out| out.extend_from_slice(payload));
            (at, payload.clone())
        };
        payloads.iter().map(one).collect()
    };
    journal.append(push).expect("the store works").value
}

/// What was appended from where a checkpoint says to replay.
fn write(store: &MemoryDriver, input: &Input) -> Records {
    let (journal, _) = open(store).expect("the store is new");
    let mut written = Records::new();
    for (number, (sizes, waits)) in input.groups.iter().take(12).enumerate() {
        let payload = |size: &u16| vec![number as u8 + 1; usize::from(*size) % 900];
        let payloads: Vec<_> = sizes.iter().take(4).map(payload).collect();
        written.extend(push(&journal, &payloads));
        if *waits {
            journal.wait_durable(journal.end()).expect("the store works");
        }
        if input.checkpoint.is_some_and(|after| usize::from(after) == number) {
            let at = journal.end();
            journal.put_section("state", at, b"state").expect("the store works");
            let old: Vec<_> = journal.segments().iter().map(|segment| segment.id).collect();
            let first = journal.segment_of(at);
            let old: Vec<_> = old.into_iter().filter(|id| *id < first).collect();
            journal.checkpoint(at, &[("state".into(), at)], &old).expect("the store works");
            written.clear();
        }
    }
    if input.closes {
        journal.close().expect("the store works");
    } else {
        journal.write(journal.end()).expect("the store works");
        store.crash(&Keep::Written);
    }
    written
}

fuzz_target!(|input: Input| {
    let store = MemoryDriver::new();
    let written = write(&store, &input);
    for (at, mask) in input.flips.iter().take(8) {
        store.flip(Position::from_u64(u64::from(*at)), *mask);
    }
    if let Some((root, index, mask)) = input.blob {
        store.flip_blob(if root { "root" } else { "root-copy" }, usize::from(index), mask);
    }
    if let Some(number) = input.lose {
        store.lose(SegmentId::from_base(Position::from_u64(u64::from(number) * SEGMENT)));
    }
    let untouched = input.flips.is_empty() && input.blob.is_none() && input.lose.is_none();
    match open(&store) {
        Err(error) => assert!(!untouched, "{error}"),
        Ok((journal, mut read)) => {
            assert!(written.starts_with(&read), "something else was read");
            assert!(!untouched || written == read, "something is missing");
            read.extend(push(&journal, &[vec![0xFF; 100]]));
            journal.close().expect("the store works");
            let again = open(&store).expect("what opened opens again").1;
            assert_eq!(again, read);
        }
    }
});
