//! The loose: messages that were received before, and delayed ones that fit no line.
//!
//! They come and go in any order, so they are kept by sequence, and by the time at which they
//! become visible. The records are on shared pages: a copy, for a snapshot, copies addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::groups::GroupId;
use crate::holder::{Holder, Holders};
use crate::key::Sequence;
use crate::line::Entry;
use crate::passage::{CarryReason, Passage};
use crate::rows::Row;

/// A page covers 64 sequences.
const PAGE_BITS: u32 = 6;

/// A message that was received so often goes to the back of its queue when it comes back.
pub(crate) const TOO_OFTEN: u32 = 3;

/// A message that is not in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) sequence: Sequence,
    pub(crate) position: Position,
    pub(crate) sent: Timestamp,
    /// When it becomes visible, or became.
    pub(crate) due: Timestamp,
    /// How often it was received: 0 if it was only ever delayed.
    pub(crate) receives: u32,
    pub(crate) group: Option<GroupId>,
    /// When it was first received; `Timestamp::NEVER` if it was not.
    pub(crate) first_received: Timestamp,
    /// When it was last received, in this queue; no matter if it was not.
    pub(crate) received: Timestamp,
    /// Who received it last, in this queue, if that is known.
    pub(crate) holder: Option<Holder>,
    /// How it came here, if it came from another queue.
    pub(crate) passage: Option<Passage>,
}

impl From<Entry> for Held {
    fn from(entry: Entry) -> Self {
        Self {
            sequence: entry.sequence,
            position: entry.position,
            sent: entry.sent,
            due: entry.available(),
            receives: 0,
            group: None,
            first_received: Timestamp::NEVER,
            received: Timestamp::NEVER,
            holder: None,
            passage: None,
        }
    }
}

impl From<Row> for Held {
    fn from(row: Row) -> Self {
        let Row { sequence, position, sent, group } = row;
        let entry = Entry { sequence, position, sent, delay: 0 };
        Self { group: Some(group), ..Self::from(entry) }
    }
}

impl Held {
    /// The time by which it has its turn among what is visible. What comes back has the place
    /// that it had, by when it was sent; what was kept back, or comes back again and again, is
    /// behind those that were visible before.
    pub(crate) fn turn(&self) -> Timestamp {
        if (1..TOO_OFTEN).contains(&self.receives_here()) { self.sent } else { self.due }
    }

    /// How often it was received since it came into its queue.
    pub(crate) fn receives_here(&self) -> u32 {
        self.receives.saturating_sub(self.passage.map_or(0, |passage| passage.receives))
    }

    /// Who has it while it is in flight.
    fn had_by(&self) -> Option<Holder> {
        self.holder.filter(|_| self.receives > 0)
    }

    /// From when on its age counts: it is too old at the queue's retention after that. What was
    /// too old when it came begins anew.
    pub(crate) fn ages_from(&self) -> Timestamp {
        match self.passage {
            Some(Passage { why: CarryReason::TooOld, at, .. }) => at,
            _ => self.sent,
        }
    }

    /// When it came into its queue.
    pub(crate) fn came(&self) -> Timestamp {
        self.passage.map_or(self.sent, |passage| passage.at)
    }

    /// As it is once it was handed out.
    pub(crate) fn received(self, at: Timestamp, until: Timestamp, by: Option<Holder>) -> Self {
        let first_received = self.first_received.min(at);
        let receives = self.receives.saturating_add(1);
        Self { due: until, receives, first_received, received: at, holder: by, ..self }
    }

    /// As it is once that was undone.
    pub(crate) fn given_back(self, at: Timestamp) -> Self {
        let receives = self.receives.saturating_sub(1);
        let if_ever = |time| if receives == 0 { Timestamp::NEVER } else { time };
        let (first_received, received) = (if_ever(self.first_received), if_ever(self.received));
        Self { due: at, receives, first_received, received, holder: None, ..self }
    }
}

type Page = Arc<Vec<Held>>;

/// The pages: all that is persisted of the loose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages(BTreeMap<u64, Page>);

/// Messages by sequence and by when they become visible.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loose {
    pages: Pages,
    /// Not yet visible, the next to become so first.
    pending: BTreeSet<(Timestamp, Sequence)>,
    /// Visible and of no group, by their turns.
    visible: BTreeSet<(Timestamp, Sequence)>,
    /// How many others are visible; their groups know in which order.
    grouped: usize,
    /// How many of the pending were never received.
    delayed: usize,
    /// Who has how many of the others, as far as that is known.
    holders: Holders,
}

impl Pages {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Held> + '_ {
        self.0.values().flat_map(|page| page.iter())
    }

    /// Those from `sequence` on.
    pub(crate) fn iter_from(&self, sequence: Sequence) -> impl Iterator<Item = &Held> + '_ {
        self.0
            .range(sequence.0 >> PAGE_BITS..)
            .flat_map(|(_, page)| page.iter())
            .skip_while(move |held| held.sequence < sequence)
    }

    fn get(&self, sequence: Sequence) -> Option<&Held> {
        let page = self.0.get(&(sequence.0 >> PAGE_BITS))?;
        let index = page.binary_search_by_key(&sequence, |held| held.sequence).ok()?;
        Some(&page[index])
    }

    fn get_mut(&mut self, sequence: Sequence) -> Option<&mut Held> {
        let page = self.0.get_mut(&(sequence.0 >> PAGE_BITS))?;
        let index = page.binary_search_by_key(&sequence, |held| held.sequence).ok()?;
        Some(&mut Arc::make_mut(page)[index])
    }

    fn insert(&mut self, held: Held) {
        let page = Arc::make_mut(self.0.entry(held.sequence.0 >> PAGE_BITS).or_default());
        let index = page.partition_point(|other| other.sequence < held.sequence);
        page.insert(index, held);
    }

    fn remove(&mut self, sequence: Sequence) -> Option<Held> {
        let number = sequence.0 >> PAGE_BITS;
        let page = self.0.get_mut(&number)?;
        let index = page.binary_search_by_key(&sequence, |held| held.sequence).ok()?;
        let page = Arc::make_mut(page);
        let held = page.remove(index);
        if page.is_empty() {
            self.0.remove(&number);
        }
        Some(held)
    }
}

impl Loose {
    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) fn visible(&self) -> usize {
        self.visible.len() + self.grouped
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.pending.len() - self.delayed
    }

    /// Who has how many of those in flight, as far as that is known.
    pub(crate) fn holders(&self) -> &Holders {
        &self.holders
    }

    pub(crate) fn delayed(&self) -> usize {
        self.delayed
    }

    /// Takes `held` in, as it stands at `now`; says whether it is still to become visible. Its
    /// sequence is not here yet.
    pub(crate) fn insert(&mut self, held: Held, now: Timestamp) -> bool {
        let is_pending = held.due > now;
        if is_pending {
            self.pending.insert((held.due, held.sequence));
            self.delayed += usize::from(held.receives == 0);
            held.had_by().into_iter().for_each(|holder| self.holders.add(holder));
        } else {
            self.show(&held);
        }
        self.pages.insert(held);
        is_pending
    }

    fn show(&mut self, held: &Held) {
        if held.group.is_some() {
            self.grouped += 1;
        } else {
            self.visible.insert((held.turn(), held.sequence));
        }
    }

    /// Whether one that is here is not yet visible. It may be due: then nobody looked since.
    pub(crate) fn is_pending(&self, held: &Held) -> bool {
        self.pending.contains(&(held.due, held.sequence))
    }

    pub(crate) fn get(&self, sequence: Sequence) -> Option<&Held> {
        self.pages.get(sequence)
    }

    /// Takes a message out; says whether it was still to become visible.
    pub(crate) fn remove(&mut self, sequence: Sequence) -> Option<(Held, bool)> {
        let held = self.pages.remove(sequence)?;
        let was_pending = self.pending.remove(&(held.due, sequence));
        if was_pending {
            self.delayed -= usize::from(held.receives == 0);
            held.had_by().into_iter().for_each(|holder| self.holders.remove(holder));
        } else if held.group.is_some() {
            self.grouped -= 1;
        } else {
            let was_visible = self.visible.remove(&(held.turn(), sequence));
            debug_assert!(was_visible, "what is loose is pending or visible");
        }
        Some((held, was_pending))
    }

    pub(crate) fn relocate(&mut self, sequence: Sequence, to: Position) -> Option<Position> {
        let held = self.pages.get_mut(sequence)?;
        Some(std::mem::replace(&mut held.position, to))
    }

    /// Makes visible the first of what is due; returns it, for its group to know.
    pub(crate) fn mature(&mut self, now: Timestamp) -> Option<Held> {
        let (due, sequence) = *self.pending.first()?;
        if due > now {
            return None;
        }
        self.pending.pop_first();
        let held = *self.pages.get(sequence).expect("what is pending is on a page");
        self.show(&held);
        self.delayed -= usize::from(held.receives == 0);
        held.had_by().into_iter().for_each(|holder| self.holders.remove(holder));
        Some(held)
    }

    /// When the next one becomes visible.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.pending.first().map(|(due, _)| *due)
    }

    /// The visible ones of no group, in the order of their turns.
    pub(crate) fn iter_visible(&self) -> impl Iterator<Item = &Held> + '_ {
        self.visible
            .iter()
            .map(|(_, sequence)| self.pages.get(*sequence).expect("what is visible is on a page"))
    }

    /// All, by sequence.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Held> + '_ {
        self.pages.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(number: u64, due: u64, receives: u32) -> Held {
        Held {
            sequence: Sequence(number),
            position: Position::from_u64(number * 8),
            sent: Timestamp::EPOCH,
            due: Timestamp::from_millis(due),
            receives,
            group: None,
            first_received: Timestamp::NEVER,
            received: Timestamp::NEVER,
            holder: None,
            passage: None,
        }
    }

    #[test]
    fn what_is_due_becomes_visible_in_the_order_of_its_turns() {
        let mut loose = Loose::default();
        for (number, due, receives) in [(900, 30, 1), (5, 20, 0), (70, 10, 3), (6, 40, 1)] {
            loose.insert(held(number, due, receives), Timestamp::EPOCH);
        }
        assert_eq!((loose.in_flight(), loose.delayed(), loose.visible()), (3, 1, 0));
        while loose.mature(Timestamp::from_millis(30)).is_some() {}
        assert_eq!((loose.in_flight(), loose.delayed(), loose.visible()), (1, 0, 3));
        let order: Vec<_> = loose.iter_visible().map(|held| held.sequence.0).collect();
        assert_eq!(order, [900, 70, 5]);
        let order: Vec<_> = loose.iter().map(|held| held.sequence.0).collect();
        assert_eq!(order, [5, 6, 70, 900]);
        assert_eq!(loose.next_due(), Some(Timestamp::from_millis(40)));
    }

    #[test]
    fn removing_leaves_no_trace() {
        let mut loose = Loose::default();
        loose.insert(held(1, 10, 0), Timestamp::EPOCH);
        loose.insert(held(2, 0, 1), Timestamp::EPOCH);
        assert!(loose.remove(Sequence(1)).is_some());
        assert!(loose.remove(Sequence(1)).is_none());
        assert!(loose.remove(Sequence(2)).is_some());
        assert_eq!((loose.in_flight(), loose.delayed(), loose.visible()), (0, 0, 0));
        assert_eq!((loose.iter().count(), loose.next_due()), (0, None));
    }

    #[test]
    fn whoever_has_messages_is_counted_while_they_are_in_flight() {
        let holder = Holder::from_u64(7);
        let mut loose = Loose::default();
        for (number, due) in [(1, 10), (2, 20), (3, 30), (4, 0)] {
            loose.insert(Held { holder, ..held(number, due, 1) }, Timestamp::EPOCH);
        }
        loose.insert(held(5, 40, 1), Timestamp::EPOCH);
        let count = |loose: &Loose| loose.holders().iter().collect::<Vec<_>>();
        assert_eq!(count(&loose), [(holder.unwrap(), 3)]);
        loose.mature(Timestamp::from_millis(10));
        loose.remove(Sequence(2));
        assert_eq!(count(&loose), [(holder.unwrap(), 1)]);
        loose.remove(Sequence(3));
        assert_eq!(count(&loose), []);
    }

    #[test]
    fn a_copy_of_the_pages_stays_as_it_was() {
        let mut loose = Loose::default();
        loose.insert(held(1, 10, 1), Timestamp::EPOCH);
        let copy = loose.pages().clone();
        loose.relocate(Sequence(1), Position::from_u64(800));
        assert_eq!(copy.get(Sequence(1)).unwrap().position, Position::from_u64(8));
        assert_eq!(loose.get(Sequence(1)).unwrap().position, Position::from_u64(800));
        assert_eq!(loose.pages().iter_from(Sequence(2)).count(), 0);
    }
}
