//! What the tests share: small segments, a fold that remembers everything, a push that waits for
//! nothing.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;

use tidemill_base::{ByteSize, Chance};
use tidemill_journal::{Driver, Event, Journal, Kind, OpenError, Options, Position};

/// Everything a fold was handed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    pub(crate) sections: Vec<(String, Position, Vec<u8>)>,
    pub(crate) records: Vec<(Position, Vec<u8>)>,
}

/// Segments of 4 KiB, a known salt, and no syncs but those that are asked for.
pub(crate) fn options() -> Options {
    Options {
        segment_size: ByteSize::kib(4),
        chance: Chance::seeded(1),
        linger: std::time::Duration::from_hours(1),
        ..Options::default()
    }
}

pub(crate) fn try_open(
    driver: impl Driver + 'static,
    options: Options,
) -> Result<(Journal, Folded), OpenError<Infallible>> {
    let mut folded = Folded::default();
    let journal = Journal::open(driver, options, |event| {
        match event {
            Event::Section { name, at, bytes } => {
                folded.sections.push((name.into(), at, bytes.into()));
            }
            Event::Record { at, record } => folded.records.push((at, record.payload.into())),
        }
        Ok(())
    })?;
    Ok((journal, folded))
}

pub(crate) fn open(
    driver: &(impl Driver + Clone + 'static),
    options: Options,
) -> (Journal, Folded) {
    try_open(driver.clone(), options).unwrap()
}

/// Appends a group of records of kind 1 and returns them with their positions.
pub(crate) fn push(journal: &Journal, bodies: &[impl AsRef<[u8]>]) -> Vec<(Position, Vec<u8>)> {
    let push = |group: &mut tidemill_journal::Group<'_>| {
        let push = |body: &[u8]| group.push(Kind(1), 0, |buffer| buffer.extend_from_slice(body));
        let bodies = bodies.iter().map(AsRef::as_ref);
        let mut push = push;
        bodies.map(|body| (push(body), body.to_vec())).collect()
    };
    journal.append(push).unwrap().value
}
