//! Arrivals: messages that came from another queue, which nobody wanted there.
//!
//! They were sent earlier than their neighbours and were received before, so they fit no line, and
//! among the loose they would spoil the order of age. So they are loose among themselves, and kept
//! besides by the time from which their age counts.

use std::collections::{BTreeSet, VecDeque};

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::codec::{Layout, Met, read_held, write_held};
use crate::codec::{Reader, Unreadable};
use crate::key::Sequence;
use crate::loose::{Held, Loose, Pages};

/// The messages of a queue that came from others.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    loose: Loose,
    /// By when they began to age.
    ages: BTreeSet<(Timestamp, Sequence)>,
    /// Those that nobody sees yet, with the record that brought them: their own is durable.
    fresh: VecDeque<(Position, Held)>,
    /// From when on the oldest of the fresh ages, or one that was fresh together with them.
    oldest_fresh: Option<Timestamp>,
}

/// A copy for a snapshot.
#[derive(Clone, Debug)]
pub(super) struct ArrivalsView {
    pages: Pages,
    fresh: VecDeque<(Position, Held)>,
}

impl Arrivals {
    /// Takes in a message that the record at `brought` carried here.
    pub(super) fn add(&mut self, brought: Position, held: Held) {
        let from = held.ages_from();
        let others = self.oldest_fresh.filter(|_| self.has_fresh());
        self.oldest_fresh = Some(others.map_or(from, |other| other.min(from)));
        self.fresh.push_back((brought, held));
    }

    /// Moves on to `now`, with the log durable up to `durable`.
    pub(super) fn advance(&mut self, now: Timestamp, durable: Position) {
        while let Some((brought, held)) = self.fresh.front()
            && *brought < durable
        {
            self.ages.insert((held.ages_from(), held.sequence));
            self.loose.insert(*held, now);
            self.fresh.pop_front();
        }
        self.mature(now);
    }

    /// Makes visible what is due by `now`.
    pub(super) fn mature(&mut self, now: Timestamp) {
        while self.loose.mature(now).is_some() {}
    }

    pub(super) fn loose(&self) -> &Loose {
        &self.loose
    }

    pub(super) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// When the first of them came here.
    pub(super) fn first_came(&self) -> Option<Timestamp> {
        self.loose.iter().next().map(Held::came)
    }

    /// From when on the one ages that ends first.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.ages.first().map(|(from, _)| *from)
    }

    /// The same, also of those that nobody sees yet. It may be a little too early.
    pub(super) fn oldest_to_be(&self) -> Option<Timestamp> {
        let fresh = self.oldest_fresh.filter(|_| self.has_fresh());
        self.oldest().into_iter().chain(fresh).min()
    }

    /// Those that age from `latest` or before.
    pub(super) fn aging_until(&self, latest: Timestamp) -> impl Iterator<Item = Sequence> + '_ {
        let old = self.ages.iter().take_while(move |(from, _)| *from <= latest);
        old.map(|(_, sequence)| *sequence)
    }

    /// Takes a message out.
    pub(super) fn remove(&mut self, sequence: Sequence) -> Option<Held> {
        let (held, _) = self.loose.remove(sequence)?;
        self.ages.remove(&(held.ages_from(), sequence));
        Some(held)
    }

    /// Puts back, as it stands now, what was taken out.
    pub(super) fn insert(&mut self, held: Held, now: Timestamp) {
        self.ages.insert((held.ages_from(), held.sequence));
        self.loose.insert(held, now);
    }

    pub(super) fn relocate(&mut self, sequence: Sequence, to: Position) -> Option<Position> {
        self.loose.relocate(sequence, to)
    }

    /// Each message, also those that nobody sees yet.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> + '_ {
        self.loose.iter().chain(self.fresh.iter().map(|(_, held)| held))
    }

    pub(super) fn view(&self) -> ArrivalsView {
        ArrivalsView { pages: self.loose.pages().clone(), fresh: self.fresh.clone() }
    }

    /// Reads what [`ArrivalsView::write`] wrote.
    pub(super) fn read(layout: Layout, reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut arrivals = Self::default();
        read_held(reader, layout, &[], |held| {
            arrivals.insert(held, Timestamp::EPOCH);
            held.passage.is_some()
        })?;
        Ok(arrivals)
    }
}

impl ArrivalsView {
    /// Each message, also those that nobody sees yet.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> + '_ {
        self.pages.iter().chain(self.fresh.iter().map(|(_, held)| held))
    }

    /// As a list of the loose, as if everything were durable.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // What is fresh came after everything else.
        let all: Vec<Held> = self.iter().copied().collect();
        write_held(&all, &Met::with(&[], &[]), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::QueueNumber;
    use crate::passage::{CarryReason, Passage};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Came at 1000 milliseconds.
    fn held(number: u64, sent: u64, why: CarryReason) -> Held {
        Held {
            sequence: Sequence(number),
            position: Position::from_u64(number * 8),
            sent: at(sent),
            due: at(1000),
            receives: 3,
            group: None,
            first_received: at(sent + 1),
            received: at(sent + 1),
            holder: None,
            passage: Some(Passage { source: QueueNumber(7), at: at(1000), why, receives: 3 }),
        }
    }

    fn arrivals() -> Arrivals {
        let mut arrivals = Arrivals::default();
        for (number, sent, why) in [
            (1, 500, CarryReason::Exhausted),
            (2, 300, CarryReason::Exhausted),
            (3, 100, CarryReason::TooOld),
            (4, 400, CarryReason::Exhausted),
        ] {
            arrivals.add(Position::from_u64(number * 800), held(number, sent, why));
        }
        arrivals
    }

    #[test]
    fn an_arrival_is_seen_once_the_record_that_brought_it_is_durable() {
        let mut arrivals = arrivals();
        arrivals.advance(at(1000), Position::from_u64(1600));
        assert_eq!(arrivals.loose().visible(), 1);
        assert!(arrivals.has_fresh());
        assert_eq!((arrivals.oldest(), arrivals.oldest_to_be()), (Some(at(500)), Some(at(300))));
        arrivals.advance(at(1000), Position::from_u64(1 << 30));
        assert_eq!(arrivals.loose().visible(), 4);
    }

    #[test]
    fn age_counts_from_the_sending_except_where_a_whole_life_was_over() {
        let mut arrivals = arrivals();
        arrivals.advance(at(1000), Position::from_u64(1 << 30));
        let old: Vec<_> = arrivals.aging_until(at(450)).map(|one| one.0).collect();
        assert_eq!(old, [2, 4]);
        let old: Vec<_> = arrivals.aging_until(at(1000)).map(|one| one.0).collect();
        assert_eq!(old, [2, 4, 1, 3]);
        assert!(arrivals.remove(Sequence(2)).is_some());
        assert_eq!((arrivals.oldest(), arrivals.first_came()), (Some(at(400)), Some(at(1000))));
    }

    #[test]
    fn a_view_reads_back_with_what_was_fresh() {
        let mut arrivals = arrivals();
        arrivals.advance(at(1000), Position::from_u64(1601));
        let mut bytes = Vec::new();
        arrivals.view().write(&mut bytes);
        let mut reader = Reader::new("arrivals", &bytes);
        let mut again = Arrivals::read(Layout(3), &mut reader).unwrap();
        reader.finish().unwrap();
        again.advance(at(1000), Position::ZERO);
        assert_eq!(again.loose().visible(), 4);
        assert!(again.iter().eq(arrivals.iter()));
    }
}
