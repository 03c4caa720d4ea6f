//! A holder: whoever messages were handed to, where that is somebody whom the caller knows.
//!
//! To the engine it is a number, remembered with each message that was handed to it, so that one
//! can ask how many a worker still has before it is stopped.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

/// Somebody who receives messages, by a number of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder(NonZeroU64);

impl Holder {
    /// The holder of this number; 0 is nobody.
    pub const fn from_u64(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }
}

/// How many messages each holder has. Who has none is not here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holders(BTreeMap<Holder, usize>);

impl Holders {
    pub(crate) fn add(&mut self, holder: Holder) {
        *self.0.entry(holder).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, holder: Holder) {
        let count = self.0.get_mut(&holder).expect("who has a message is counted");
        *count -= 1;
        if *count == 0 {
            self.0.remove(&holder);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Holder, usize)> + '_ {
        self.0.iter().map(|(holder, count)| (*holder, *count))
    }
}
