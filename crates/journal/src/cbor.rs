//! States that add up from events, both kept in CBOR.
//!
//! For the state of a [`Ledger`](crate::Ledger): who says how its events are written ([`Written`])
//! and what they do to it ([`Fold`]) has a [`State`].

use minicbor::{Decode, Encode};

use crate::ledger::{State, Unreadable};
use crate::record::{Kind, Record, RecordRef};

/// Something that happened, which has a record of its own.
pub trait Written: Sized {
    /// The event as it is written.
    fn record(&self) -> Record;

    /// Reads what [`Written::record`] gave, unless it is something else.
    fn read(record: RecordRef<'_>) -> Result<Self, Unreadable>;
}

/// What events add up to.
pub trait Fold: Encode<()> + for<'b> Decode<'b, ()> {
    /// What can happen.
    type Event: Written;

    /// Takes in what happened; none if it is of what is not there.
    fn happened(&mut self, event: Self::Event) -> Option<()>;
}

impl<F: Fold> State for F {
    fn apply(&mut self, record: RecordRef<'_>) -> Result<(), Unreadable> {
        let kind = record.kind.0;
        let nobody = || Unreadable(format!("a record of kind {kind} is of what is not there"));
        self.happened(F::Event::read(record)?).ok_or_else(nobody)
    }

    fn snapshot(&self) -> Vec<u8> {
        bytes(self)
    }

    fn restore(bytes: &[u8]) -> Result<Self, Unreadable> {
        minicbor::decode(bytes).map_err(|why| Unreadable(format!("the snapshot: {why}")))
    }
}

/// A record of `what`.
pub fn write(kind: u8, version: u8, what: &impl Encode<()>) -> Record {
    Record { kind: Kind(kind), version, payload: bytes(what).into() }
}

/// A record that says all by its kind.
pub fn bare(kind: u8, version: u8) -> Record {
    Record { kind: Kind(kind), version, payload: Vec::new().into() }
}

/// Reads what [`write`] gave, unless it is something else.
pub fn read<'b, T: Decode<'b, ()>>(record: RecordRef<'b>) -> Result<T, Unreadable> {
    minicbor::decode(record.payload).map_err(|why| unreadable(record, why))
}

/// Of a record whose kind or version nobody knows.
pub fn unknown(record: RecordRef<'_>) -> Unreadable {
    unreadable(record, "its kind or version is unknown")
}

fn unreadable(record: RecordRef<'_>, why: impl std::fmt::Display) -> Unreadable {
    let (kind, version) = (record.kind.0, record.version);
    Unreadable(format!("a record of kind {kind}, version {version}: {why}"))
}

fn bytes(what: &impl Encode<()>) -> Vec<u8> {
    minicbor::to_vec(what).expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number is put at an end, or taken from it.
    #[derive(Debug, PartialEq)]
    pub enum Event {
        Put(u64),
        Taken,
    }

    impl Written for Event {
        fn record(&self) -> Record {
            match self {
                Self::Put(number) => write(1, 1, number),
                Self::Taken => bare(2, 1),
            }
        }

        fn read(record: RecordRef<'_>) -> Result<Self, Unreadable> {
            match (record.kind.0, record.version) {
                (1, 1) => read(record).map(Self::Put),
                (2, 1) => Ok(Self::Taken),
                _ => Err(unknown(record)),
            }
        }
    }

    impl Fold for Vec<u64> {
        type Event = Event;

        fn happened(&mut self, event: Event) -> Option<()> {
            match event {
                Event::Put(number) => self.push(number),
                Event::Taken => drop(self.pop()?),
            }
            Some(())
        }
    }

    #[test]
    fn a_state_is_what_its_events_add_up_to() {
        let mut state = Vec::new();
        for event in [Event::Put(1), Event::Taken, Event::Put(7), Event::Put(300)] {
            state.apply(event.record().as_ref()).unwrap();
        }
        assert_eq!(state, [7, 300]);
        assert_eq!(state.snapshot(), b"\x82\x07\x19\x01\x2c");
        assert_eq!(Vec::restore(&state.snapshot()), Ok(state));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let told = |record: Record| {
            let Unreadable(why) = Vec::new().apply(record.as_ref()).unwrap_err();
            why
        };
        let unknown = "its kind or version is unknown";
        assert_eq!(told(bare(9, 1)), format!("a record of kind 9, version 1: {unknown}"));
        assert_eq!(told(bare(2, 3)), format!("a record of kind 2, version 3: {unknown}"));
        assert_eq!(told(bare(2, 1)), "a record of kind 2 is of what is not there");
        assert!(told(bare(1, 1)).starts_with("a record of kind 1, version 1: "));
        let Unreadable(why) = Vec::restore(b"\x82\x07").unwrap_err();
        assert!(why.starts_with("the snapshot: "), "{why}");
    }
}
