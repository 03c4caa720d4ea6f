//! Receivers that wait for a message, in the order in which they came. Remembered, never recorded:
//! their connections do not survive the process either.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill_base::Timestamp;

use crate::deduplication::Mark;
use crate::holder::Holder;

/// Names a waiting receiver: the later it came, the larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(pub(crate) u64);

/// A receiver that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) max: u8,
    pub(crate) visibility: Option<Duration>,
    /// What the receive can be repeated by.
    pub(crate) attempt: Option<Mark>,
    /// Who it is, if that is known.
    pub(crate) holder: Option<Holder>,
    /// When it goes away with nothing.
    pub(crate) deadline: Timestamp,
}

/// The receivers that wait at one queue.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    waiting: BTreeMap<Ticket, Waiter>,
    deadlines: BTreeSet<(Timestamp, Ticket)>,
}

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Everybody, in the order in which they came.
    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        self.waiting.keys().copied().collect()
    }

    /// Those who are this holder.
    pub(crate) fn of(&self, holder: Holder) -> Vec<Ticket> {
        let its = self.waiting.iter().filter(|(_, waiter)| waiter.holder == Some(holder));
        its.map(|(ticket, _)| *ticket).collect()
    }

    pub(crate) fn add(&mut self, ticket: Ticket, waiter: Waiter) {
        self.deadlines.insert((waiter.deadline, ticket));
        self.waiting.insert(ticket, waiter);
    }

    /// Who came first.
    pub(crate) fn first(&self) -> Option<(Ticket, Waiter)> {
        self.waiting.first_key_value().map(|(ticket, waiter)| (*ticket, *waiter))
    }

    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.waiting.remove(&ticket)?;
        self.deadlines.remove(&(waiter.deadline, ticket));
        Some(waiter)
    }

    pub(crate) fn first_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes out one whose time has come.
    pub(crate) fn pop_overdue(&mut self, now: Timestamp) -> Option<Ticket> {
        let (deadline, ticket) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.remove(ticket);
        Some(ticket)
    }

    /// Takes out everybody.
    pub(crate) fn drain(&mut self) -> Vec<Ticket> {
        self.deadlines.clear();
        std::mem::take(&mut self.waiting).into_keys().collect()
    }
}
