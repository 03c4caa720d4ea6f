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
    line: BTreeMap<Ticket, Waiter>,
    /// Those who are given nothing for now. Each may come back to its place in the line.
    aside: BTreeMap<Ticket, Waiter>,
    deadlines: BTreeSet<(Timestamp, Ticket)>,
}

impl Waiters {
    /// Whether nobody is in line.
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// How many wait, in line and aside.
    pub(crate) fn len(&self) -> usize {
        self.line.len() + self.aside.len()
    }

    /// Everybody, those in line first, in the order in which they came.
    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        self.line.keys().chain(self.aside.keys()).copied().collect()
    }

    pub(crate) fn add(&mut self, ticket: Ticket, waiter: Waiter) {
        self.deadlines.insert((waiter.deadline, ticket));
        self.line.insert(ticket, waiter);
    }

    /// Takes those who are this holder out of the line. They wait on, for nothing.
    pub(crate) fn set_aside(&mut self, holder: Holder) {
        move_those_of(holder, &mut self.line, &mut self.aside);
    }

    /// Lets those who are this holder back into the line, each to its place; says whether there
    /// are any.
    pub(crate) fn let_back(&mut self, holder: Holder) -> bool {
        move_those_of(holder, &mut self.aside, &mut self.line)
    }

    /// Who came first of those in line.
    pub(crate) fn first(&self) -> Option<(Ticket, Waiter)> {
        self.line.first_key_value().map(|(ticket, waiter)| (*ticket, *waiter))
    }

    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        let waiter = self.line.remove(&ticket).or_else(|| self.aside.remove(&ticket))?;
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
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn move_those_of(
    holder: Holder,
    from: &mut BTreeMap<Ticket, Waiter>,
    to: &mut BTreeMap<Ticket, Waiter>,
) -> bool {
    let its: Vec<_> = from.extract_if(.., |_, waiter| waiter.holder == Some(holder)).collect();
    let any = !its.is_empty();
    to.extend(its);
    any
}
