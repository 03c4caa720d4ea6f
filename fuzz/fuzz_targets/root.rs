//! A root of any content, with a checksum that is right, opens a journal or is refused.
//! `cargo fuzz run root`

#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use tidemill_base::{ByteSize, Chance};
use tidemill_journal::{Driver, Event, Journal, MemoryDriver, Options, Position, SegmentId};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    salt: u64,
    size: u8,
    replay_from: u64,
    durable: u64,
    rest: &'a [u8],
    segments: Vec<(u8, &'a [u8])>,
}

fuzz_target!(|input: Input<'_>| {
    let size = 1_u64 << (input.size % 16);
    let mut root = b"TIDEROOT\x01\0\0\0\0\0\0\0".to_vec();
    for word in [input.salt, size, input.replay_from, input.durable] {
        root.extend_from_slice(&word.to_le_bytes());
    }
    root.extend_from_slice(input.rest);
    root.extend_from_slice(&crc32fast::hash(&root).to_le_bytes());
    let store = MemoryDriver::new();
    store.claim().expect("nobody else has it");
    store.put("root", &root).expect("there is room");
    for (number, bytes) in input.segments.iter().take(4) {
        let id = SegmentId::from_base(Position::from_u64(u64::from(*number) * size));
        store.create(id, ByteSize::bytes(size)).expect("there is room");
        let bytes = &bytes[..bytes.len().min(1 << (input.size % 16))];
        store.append(id, 0, bytes).expect("it was just made");
    }
    let options = Options { chance: Chance::seeded(1), ..Options::default() };
    let fold = |_: Event<'_>| Ok::<(), Infallible>(());
    if let Ok(journal) = Journal::open(store.clone(), options.clone(), fold) {
        journal.close().expect("the store works");
        drop(journal);
        Journal::open(store, options, fold).expect("what opened opens again");
    }
});
