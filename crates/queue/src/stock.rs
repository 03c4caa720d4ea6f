//! What a queue holds, and where each message stands.
//!
//! A message begins as fresh, until its record is durable: nobody sees it. Then it stands in one of
//! the lines until it is first received, and among the loose after. `advance` moves what time and
//! the disk have moved; what that changes can be told from the records and the time, so it is
//! neither recorded nor part of a snapshot.

mod view;

use std::collections::VecDeque;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::ground::Ground;
use crate::key::Sequence;
use crate::line::{Entry, Line};
use crate::loose::{Held, Loose};

pub(crate) use view::StockView;

/// How many messages stand where. Exact, once the stock was advanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The next receives may get them.
    pub visible: usize,
    /// Received, and not yet visible again.
    pub in_flight: usize,
    /// Kept back since they were sent.
    pub delayed: usize,
    /// When the oldest of them all was sent.
    pub oldest: Option<Timestamp>,
    /// Groups that have messages in flight. Counted in FIFO queues.
    pub groups_in_flight: usize,
    /// Groups that take more than their share. Counted in standard queues.
    pub noisy_groups: usize,
    /// How many of the visible are not of a noisy group.
    pub visible_quiet: usize,
}

/// Where a fresh message goes once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Prompt,
    Delayed,
    Loose,
}

/// The messages of a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stock {
    /// Sent without delay.
    prompt: Line,
    /// Were delayed, and are visible now.
    ripe: Line,
    /// Delayed, in the order in which they become visible.
    delayed: Line,
    loose: Loose,
    /// Not yet durable.
    fresh: VecDeque<(Entry, Place)>,
    /// When the last message in `delayed`, or that ever was there, becomes visible. Remembered
    /// even when the line is empty: whether the next one fits must not depend on the time at
    /// which somebody looks.
    delayed_until: Timestamp,
    /// The time up to which the stock was advanced.
    now: Timestamp,
}

impl Stock {
    /// Takes in a message that was just recorded.
    pub(crate) fn add(&mut self, entry: Entry, ground: &mut Ground) {
        let place = if entry.delay == 0 {
            Place::Prompt
        } else if entry.available() >= self.delayed_until {
            self.delayed_until = entry.available();
            Place::Delayed
        } else {
            Place::Loose
        };
        ground.settle(entry.position, 1);
        self.fresh.push_back((entry, place));
    }

    /// Moves on to `now`, with the log durable up to `durable`.
    pub(crate) fn advance(&mut self, now: Timestamp, durable: Position) {
        self.now = now;
        while let Some((entry, place)) = self.fresh.front()
            && entry.position < durable
        {
            match place {
                Place::Prompt => self.prompt.push(entry),
                Place::Delayed => self.delayed.push(entry),
                Place::Loose => self.loose.insert(Held::from(*entry), self.now),
            }
            self.fresh.pop_front();
        }
        while let Some(entry) = self.delayed.front()
            && entry.available() <= self.now
        {
            self.delayed.pop();
            self.ripe.push(&entry);
        }
        self.loose.mature(self.now);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            visible: self.visible(),
            in_flight: self.loose.in_flight(),
            delayed: self.delayed.len() + self.loose.delayed(),
            oldest: self.oldest(),
            groups_in_flight: 0,
            noisy_groups: 0,
            visible_quiet: self.visible(),
        }
    }

    /// How many messages a receive could have.
    pub(crate) fn visible(&self) -> usize {
        self.prompt.len() + self.ripe.len() + self.loose.visible()
    }

    /// How many messages somebody has.
    pub(crate) fn in_flight(&self) -> usize {
        self.loose.in_flight()
    }

    /// When the oldest message was sent.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let lines = self.lines().into_iter().filter_map(Line::front).map(|entry| entry.sent);
        lines.chain(self.loose.iter().next().map(|held| held.sent)).min()
    }

    /// The same, also of messages that are not durable yet.
    pub(crate) fn oldest_to_be(&self) -> Option<Timestamp> {
        self.oldest().or_else(|| self.fresh.front().map(|(entry, _)| entry.sent))
    }

    pub(crate) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// When time alone makes the next message visible.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let delayed = self.delayed.front().map(|entry| entry.available());
        delayed.into_iter().chain(self.loose.next_due()).min()
    }

    /// The first `max` visible messages, that which became visible first first: so one that
    /// keeps coming back goes behind those that were waiting when it did.
    pub(crate) fn heads(&self, max: usize) -> Vec<Held> {
        let mut prompt = self.prompt.iter().map(Held::from).peekable();
        let mut ripe = self.ripe.iter().map(Held::from).peekable();
        let mut loose = self.loose.iter_visible().copied().peekable();
        let mut heads = Vec::with_capacity(max.min(self.visible()));
        while heads.len() < max {
            let order = |held: &Held| (held.due, held.sequence);
            let fronts = [prompt.peek(), ripe.peek(), loose.peek()];
            let first = fronts.iter().flatten().map(|held| order(held)).min();
            let Some(first) = first else { break };
            let next = if prompt.peek().map(order) == Some(first) {
                prompt.next()
            } else if ripe.peek().map(order) == Some(first) {
                ripe.next()
            } else {
                loose.next()
            };
            heads.extend(next);
        }
        heads
    }

    /// Up to `max` messages that were sent at or before `latest`.
    pub(crate) fn sent_until(&self, latest: Timestamp, max: usize) -> Vec<Sequence> {
        // In each of the places messages stand in the order in which they were sent. Where the
        // clock once went back, some are kept a little longer.
        let mut old = Vec::new();
        for line in self.lines() {
            let entries = line.iter().take_while(|entry| entry.sent <= latest);
            old.extend(entries.map(|entry| entry.sequence).take(max - old.len()));
        }
        let held = self.loose.iter().take_while(|held| held.sent <= latest);
        old.extend(held.map(|held| held.sequence).take(max - old.len()));
        old
    }

    /// Finds a message that is durable, wherever it stands.
    pub(crate) fn find(&self, sequence: Sequence) -> Option<Held> {
        let loose = self.loose.get(sequence).copied();
        loose.or_else(|| {
            self.lines().into_iter().find_map(|line| line.get(sequence)).map(Held::from)
        })
    }

    /// Takes a message out, wherever it stands.
    fn take(&mut self, sequence: Sequence) -> Option<Held> {
        for line in [&mut self.prompt, &mut self.ripe, &mut self.delayed] {
            if line.front().is_some_and(|front| front.sequence == sequence) {
                return line.pop().map(Held::from);
            }
        }
        if let Some(held) = self.loose.remove(sequence) {
            return Some(held);
        }
        // Messages leave a line at its front. Only where damage took records out of the log can
        // one be wanted from the middle; those before it then continue among the loose.
        for line in [&mut self.prompt, &mut self.ripe, &mut self.delayed] {
            if line.get(sequence).is_some() {
                while let Some(entry) = line.pop() {
                    if entry.sequence == sequence {
                        return Some(Held::from(entry));
                    }
                    self.loose.insert(Held::from(entry), self.now);
                }
            }
        }
        None
    }

    /// Hands a message out.
    pub(crate) fn receive(&mut self, sequence: Sequence, at: Timestamp, until: Timestamp) {
        if let Some(held) = self.take(sequence) {
            let first_received = held.first_received.min(at);
            let receives = held.receives.saturating_add(1);
            self.loose.insert(Held { due: until, receives, first_received, ..held }, self.now);
        }
    }

    /// Undoes a receive.
    pub(crate) fn give_back(&mut self, sequence: Sequence, at: Timestamp) {
        if let Some(held) = self.take(sequence) {
            let receives = held.receives.saturating_sub(1);
            let first_received = if receives == 0 { Timestamp::NEVER } else { held.first_received };
            self.loose.insert(Held { due: at, receives, first_received, ..held }, self.now);
        }
    }

    /// Changes when a message becomes visible.
    pub(crate) fn hide(&mut self, sequence: Sequence, until: Timestamp) {
        if let Some(held) = self.take(sequence) {
            self.loose.insert(Held { due: until, ..held }, self.now);
        }
    }

    /// Forgets a message.
    pub(crate) fn forget(&mut self, sequence: Sequence, ground: &mut Ground) {
        if let Some(held) = self.take(sequence) {
            ground.leave(held.position, 1);
        }
    }

    /// Forgets every message. What is returned is of no use; but there may be millions, which
    /// take a while to drop.
    #[must_use = "is dropped where nobody waits"]
    pub(crate) fn clear(&mut self, ground: &mut Ground) -> Self {
        self.for_each_place(|at, count| ground.leave(at, count));
        let (now, delayed_until) = (self.now, self.delayed_until);
        std::mem::replace(self, Self { delayed_until, now, ..Self::default() })
    }

    /// Notes that a message's record is at `to` now.
    pub(crate) fn relocate(&mut self, sequence: Sequence, to: Position, ground: &mut Ground) {
        let mut lines = [&mut self.prompt, &mut self.ripe, &mut self.delayed].into_iter();
        let from = self.loose.relocate(sequence, to);
        let from = from.or_else(|| lines.find_map(|line| line.relocate(sequence, to)));
        if let Some(from) = from {
            ground.leave(from, 1);
            ground.settle(to, 1);
        }
    }

    /// Tells `visit` where messages are, many at a time where they are close together.
    pub(crate) fn for_each_place(&self, mut visit: impl FnMut(Position, usize)) {
        for line in self.lines() {
            line.for_each_place(&mut visit);
        }
        let mut loose = self.loose.iter().map(|held| held.position).peekable();
        while let Some(first) = loose.next() {
            let mut count = 1;
            while loose.next_if(|next| Ground::together(first, *next)).is_some() {
                count += 1;
            }
            visit(first, count);
        }
        self.fresh.iter().for_each(|(entry, _)| visit(entry.position, 1));
    }

    /// Up to `limit` durable messages from `from` on, in the order in which they were sent.
    pub(crate) fn list(&self, from: Sequence, limit: usize) -> Vec<Held> {
        let mut found: Vec<Held> = Vec::new();
        for line in self.lines() {
            found.extend(line.iter_from(from).take(limit).map(Held::from));
        }
        found.extend(self.loose.pages().iter_from(from).take(limit));
        found.sort_unstable_by_key(|held| held.sequence);
        found.truncate(limit);
        found
    }

    fn lines(&self) -> [&Line; 3] {
        [&self.prompt, &self.ripe, &self.delayed]
    }
}

/// How long a message is kept back, in the whole seconds that are stored.
pub(crate) fn delay_seconds(delay: Duration) -> u16 {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    u16::try_from(seconds).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
