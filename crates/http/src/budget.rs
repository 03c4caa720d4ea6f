//! What requests and answers may take of memory, all together.
//!
//! A limit of each request alone is none: ten thousand clients with eight mebibytes each are
//! eighty gibibytes. So what has arrived of bodies, and answers until they are sent, are counted
//! in one place, and a request that comes while too much is held is refused with an error that
//! clients try again on. Bytes are counted as they arrive, and not as announced: an announcement
//! costs nothing to make.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use tidemill_base::ByteSize;

use crate::Untaken;

/// Answers below this are not counted one by one: they go with the first write.
const SMALL: usize = 64 << 10;

/// What may be held, and what is.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: i64,
    held: Arc<AtomicI64>,
}

/// Too much is held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spent;

/// Bytes that are held; given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    bytes: i64,
}

impl Budget {
    /// Nothing is held yet, of at most `limit`.
    pub fn new(limit: ByteSize) -> Self {
        let limit = i64::try_from(limit.as_u64()).unwrap_or(i64::MAX);
        Self { limit, held: Arc::default() }
    }

    /// How many bytes are held.
    pub fn held(&self) -> i64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Holds so many bytes, if they fit.
    ///
    /// # Errors
    /// [`Untaken::TooMuch`] if too much is held.
    pub fn take(&self, bytes: usize) -> Result<Held, Untaken> {
        let mut held = self.hold();
        held.more(bytes).map_err(|Spent| Untaken::TooMuch)?;
        Ok(held)
    }

    /// Nothing yet, to hold more with.
    pub(crate) fn hold(&self) -> Held {
        Held { budget: self.clone(), bytes: 0 }
    }

    /// Counts an answer until it is sent. It is there already, so it is not refused.
    pub fn keep(&self, answer: Bytes) -> Bytes {
        if answer.len() < SMALL {
            return answer;
        }
        let mut held = self.hold();
        held.count(answer.len());
        Bytes::from_owner(Kept { answer, _held: held })
    }
}

impl Held {
    /// Holds so many bytes more, if they fit.
    pub(crate) fn more(&mut self, bytes: usize) -> Result<(), Spent> {
        if self.count(bytes) > self.budget.limit { Err(Spent) } else { Ok(()) }
    }

    /// Returns what is held by all.
    fn count(&mut self, bytes: usize) -> i64 {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes += bytes;
        self.budget.held.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An answer's bytes, and that they are held.
struct Kept {
    answer: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back() {
        let budget = Budget::new(ByteSize::kib(100));
        let (mut first, mut second) = (budget.hold(), budget.hold());
        assert_eq!(first.more(100 << 10), Ok(()));
        assert_eq!(second.more(1), Err(Spent));
        drop(first);
        assert_eq!(second.more(1), Ok(()));
        drop(second);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_large_answer_is_held_until_its_last_part_is_gone() {
        let budget = Budget::new(ByteSize::kib(1));
        let mut answer = budget.keep(vec![7; SMALL].into());
        let part = answer.split_to(10);
        drop(answer);
        assert_eq!(budget.held(), 65_536);
        drop(part);
        assert_eq!(budget.held(), 0);
    }
}
