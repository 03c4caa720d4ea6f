//! What a queue holds, and where each message stands: one way for standard queues, another for
//! FIFO ones.
//!
//! A message begins as fresh, until its record is durable: nobody sees it. `advance` moves what
//! time and the disk have moved; what that changes can be told from the records and the time, so it
//! is neither recorded nor part of a snapshot.

mod arrivals;
mod codec;
mod fair;
mod fifo;
mod standard;
mod work;

use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::codec::{Reader, Unreadable};
use crate::deduplication::Mark;
use crate::ground::Ground;
use crate::holder::Holder;
use crate::key::Sequence;
use crate::loose::Held;
use crate::record::{Arriving, Header, Received};
use crate::settings::{Discipline, Settings};

pub(crate) use codec::Layout;
pub(crate) use fifo::Fifo;
use fifo::FifoView;
use standard::{Standard, StandardView};

/// How many messages stand where. Exact, once the stock was advanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The next receives may get them, unless their group has to wait.
    pub visible: usize,
    /// Received, and not yet visible again.
    pub in_flight: usize,
    /// Kept back since they were sent.
    pub delayed: usize,
    /// When the oldest of them all was sent; one that came from another queue counts from then.
    pub oldest: Option<Timestamp>,
    /// Groups that have messages in flight. Counted in FIFO queues.
    pub groups_in_flight: usize,
    /// Groups that take more than their share. Counted in standard queues.
    pub noisy_groups: usize,
    /// How many of the visible are not of a noisy group.
    pub visible_quiet: usize,
}

/// The messages of a queue.
#[derive(Debug)]
pub(crate) enum Stock {
    Standard(Box<Standard>),
    Fifo(Box<Fifo>),
}

/// A copy of what is persisted of a stock. It costs little to take, and shares what it can.
#[derive(Clone, Debug)]
pub(crate) enum StockView {
    Standard(StandardView),
    Fifo(FifoView),
}

/// The same for both.
macro_rules! either {
    ($this:expr, $stock:ident => $call:expr) => {
        match $this {
            Stock::Standard($stock) => $call,
            Stock::Fifo($stock) => $call,
        }
    };
}

impl Stock {
    /// Of a queue that was just made.
    pub(crate) fn new(settings: &Settings) -> Self {
        match settings.discipline {
            Discipline::Standard => Self::Standard(Box::default()),
            Discipline::Fifo => Self::Fifo(Box::new(Fifo::new(settings))),
        }
    }

    /// What only a FIFO queue can be asked.
    pub(crate) fn fifo(&self) -> Option<&Fifo> {
        match self {
            Self::Standard(_) => None,
            Self::Fifo(fifo) => Some(fifo),
        }
    }

    /// The settings change.
    pub(crate) fn configure(&mut self, at: Timestamp, settings: &Settings) {
        if let Self::Fifo(fifo) = self {
            fifo.configure(at, settings);
        }
    }

    /// Hands out again what the receive of this mark gave.
    pub(crate) fn repeat(&mut self, attempt: Mark, until: Timestamp, by: Option<Holder>) {
        if let Self::Fifo(fifo) = self {
            fifo.repeat(attempt, until, by);
        }
    }

    /// Forgets what was remembered of sends and receives and is over.
    pub(crate) fn lapse(&mut self, at: Timestamp) {
        if let Self::Fifo(fifo) = self {
            fifo.lapse(at);
        }
    }

    /// Takes in a message that was just recorded at `position`.
    pub(crate) fn add(&mut self, position: Position, header: &Header, ground: &mut Ground) {
        ground.settle(position, 1);
        either!(self, stock => stock.add(position, header));
    }

    /// Takes in a message that the record at `brought` carries here from another queue.
    pub(crate) fn arrive(
        &mut self,
        brought: Position,
        arriving: &Arriving<'_>,
        ground: &mut Ground,
    ) {
        ground.settle(arriving.held.position, 1);
        either!(self, stock => stock.arrive(brought, arriving));
    }

    /// Moves on to `now`, with the log durable up to `durable`.
    pub(crate) fn advance(&mut self, now: Timestamp, durable: Position) {
        either!(self, stock => stock.advance(now, durable));
    }

    /// Recovery's end: begins to remember.
    pub(crate) fn recovered(&mut self) {
        if let Self::Standard(stock) = self {
            stock.recovered();
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        either!(self, stock => stock.counts())
    }

    /// Whether a receive would be given something.
    pub(crate) fn has_ready(&self) -> bool {
        either!(self, stock => stock.has_ready())
    }

    /// How many messages somebody has.
    pub(crate) fn in_flight(&self) -> usize {
        either!(self, stock => stock.in_flight())
    }

    /// Who has how many of them, as far as that is known. A holder may come twice.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (Holder, usize)> + '_ {
        let (one, other) = match self {
            Self::Standard(stock) => (stock.loose(), Some(stock.arrivals())),
            Self::Fifo(stock) => (stock.loose(), None),
        };
        one.holders().iter().chain(other.into_iter().flat_map(|loose| loose.holders().iter()))
    }

    #[cfg(any(test, feature = "model"))]
    pub(crate) fn all_holders(&self) -> std::collections::BTreeMap<Holder, usize> {
        let mut all = std::collections::BTreeMap::new();
        self.holders().for_each(|(holder, count)| *all.entry(holder).or_default() += count);
        all
    }

    /// How many visible messages may have been received before: none of the others was.
    pub(crate) fn visible_again(&self) -> usize {
        either!(self, stock => stock.visible_again())
    }

    /// From when on the message ages that is the first to be too old.
    pub(crate) fn ages_from(&self) -> Option<Timestamp> {
        either!(self, stock => stock.ages_from())
    }

    /// The same, also of messages that are not durable yet. It may be a little too early.
    pub(crate) fn ages_from_to_be(&self) -> Option<Timestamp> {
        either!(self, stock => stock.ages_from_to_be())
    }

    /// Whether there is no message at all, not even one that is not durable yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.ages_from_to_be().is_none()
    }

    pub(crate) fn has_fresh(&self) -> bool {
        either!(self, stock => stock.has_fresh())
    }

    /// When time alone makes the next message visible.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        either!(self, stock => stock.next_due())
    }

    /// What a receive of up to `max` messages is given, in this order.
    pub(crate) fn heads(&self, max: usize) -> Vec<Held> {
        either!(self, stock => stock.heads(max))
    }

    /// Up to `max` messages that age from `latest` or before.
    pub(crate) fn aging_until(&self, latest: Timestamp, max: usize) -> Vec<Sequence> {
        either!(self, stock => stock.aging_until(latest, max))
    }

    /// Finds a message that is durable, wherever it stands.
    pub(crate) fn find(&self, sequence: Sequence) -> Option<Held> {
        either!(self, stock => stock.find(sequence))
    }

    /// Hands messages out.
    pub(crate) fn receive(&mut self, received: &Received) {
        either!(self, stock => stock.receive(received));
    }

    /// Undoes a receive.
    pub(crate) fn give_back(&mut self, sequence: Sequence, at: Timestamp) {
        either!(self, stock => stock.give_back(sequence, at));
    }

    /// Changes when a message becomes visible.
    pub(crate) fn hide(&mut self, sequence: Sequence, until: Timestamp) {
        either!(self, stock => stock.hide(sequence, until));
    }

    /// Forgets a message.
    pub(crate) fn forget(&mut self, sequence: Sequence, ground: &mut Ground) {
        if let Some(position) = either!(self, stock => stock.forget(sequence)) {
            ground.leave(position, 1);
        }
    }

    /// Forgets every message. What is returned is of no use; but there may be millions, which
    /// take a while to drop.
    #[must_use = "is dropped where nobody waits"]
    pub(crate) fn clear(&mut self, ground: &mut Ground) -> Self {
        self.for_each_place(|at, count| ground.leave(at, count));
        match self {
            Self::Standard(stock) => Self::Standard(Box::new(stock.clear())),
            Self::Fifo(stock) => Self::Fifo(Box::new(stock.clear())),
        }
    }

    /// Notes that a message's record is at `to` now.
    pub(crate) fn relocate(&mut self, sequence: Sequence, to: Position, ground: &mut Ground) {
        if let Some(from) = either!(self, stock => stock.relocate(sequence, to)) {
            ground.leave(from, 1);
            ground.settle(to, 1);
        }
    }

    /// Tells `visit` where messages are, many at a time where they are close together.
    pub(crate) fn for_each_place(&self, mut visit: impl FnMut(Position, usize)) {
        either!(self, stock => stock.for_each_place(&mut visit));
    }

    /// Up to `limit` durable messages from `from` on, in the order in which they were sent.
    pub(crate) fn list(&self, from: Sequence, limit: usize) -> Vec<Held> {
        either!(self, stock => stock.list(from, limit))
    }

    pub(crate) fn view(&self) -> StockView {
        match self {
            Self::Standard(stock) => StockView::Standard(stock.view()),
            Self::Fifo(stock) => StockView::Fifo(stock.view()),
        }
    }

    /// Reads what [`StockView::write`] wrote, of a queue with these settings.
    pub(crate) fn read(
        settings: &Settings,
        layout: Layout,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Unreadable> {
        Ok(match settings.discipline {
            Discipline::Standard => Self::Standard(Box::new(Standard::read(layout, reader)?)),
            Discipline::Fifo => Self::Fifo(Box::new(Fifo::read(settings, layout, reader)?)),
        })
    }
}

impl StockView {
    /// Every message, with where its record is.
    pub(crate) fn places(&self) -> Box<dyn Iterator<Item = (Sequence, Position)> + '_> {
        match self {
            Self::Standard(view) => Box::new(view.places()),
            Self::Fifo(view) => Box::new(view.places()),
        }
    }

    /// Written as if everything were durable and nothing had come due: a checkpoint holds only
    /// what is durable by the time it is in force, and the rest is time's to tell.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Standard(view) => view.write(out),
            Self::Fifo(view) => view.write(out),
        }
    }
}

/// How long a message is kept back, in the whole seconds that are stored.
pub(crate) fn delay_seconds(delay: Duration) -> u16 {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    u16::try_from(seconds).unwrap_or(u16::MAX)
}

/// Tells `visit` where loose messages are, many at a time where they are close together.
fn visit_loose(loose: impl Iterator<Item = Position>, visit: &mut impl FnMut(Position, usize)) {
    let mut loose = loose.peekable();
    while let Some(first) = loose.next() {
        let mut count = 1;
        while loose.next_if(|next| Ground::together(first, *next)).is_some() {
            count += 1;
        }
        visit(first, count);
    }
}
