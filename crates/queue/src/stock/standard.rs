//! What a standard queue holds: lines and loose messages, and groups beside them.
//!
//! A message of no group stands in one of the lines until it is first received, one of a group
//! among its group's rows; then each is among the loose.

mod view;

use std::collections::{BTreeMap, VecDeque};

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::arrivals::Arrivals;
use super::fair::{Fair, Rank};
use super::{Counts, visit_loose};
use crate::groups::GroupId;
use crate::key::Sequence;
use crate::line::{Entry, Line};
use crate::loose::{Held, Loose};
use crate::record::{Arriving, Header, Received};
use crate::rows::Row;

pub(super) use view::StandardView;

/// Where a fresh message goes once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Prompt,
    Delayed,
    Loose(Option<GroupId>),
    Row(GroupId),
}

/// The messages of a standard queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standard {
    /// Sent without delay.
    prompt: Line,
    /// Were delayed, and are visible now.
    ripe: Line,
    /// Delayed, in the order in which they become visible.
    delayed: Line,
    loose: Loose,
    /// Those that came from other queues. Here they have no group.
    arrivals: Arrivals,
    /// Those that have a group.
    fair: Fair,
    /// Not yet durable.
    fresh: VecDeque<(Entry, Place)>,
    /// When the last message in `delayed`, or that ever was there, becomes visible. Remembered
    /// even when the line is empty: whether the next one fits must not depend on the time at
    /// which somebody looks.
    delayed_until: Timestamp,
    /// The time up to which the stock was advanced.
    now: Timestamp,
}

impl Standard {
    pub(super) fn add(&mut self, position: Position, header: &Header) {
        let Header { sequence, sent, delay, .. } = *header;
        let entry = Entry { sequence, position, sent, delay };
        let group = header.group.as_ref().map(|name| self.fair.enter(name, sent));
        let place = match group {
            Some(group) if delay == 0 => Place::Row(group),
            None if delay == 0 => Place::Prompt,
            None if entry.available() >= self.delayed_until => {
                self.delayed_until = entry.available();
                Place::Delayed
            }
            group => Place::Loose(group),
        };
        self.fresh.push_back((entry, place));
    }

    pub(super) fn arrive(&mut self, brought: Position, arriving: &Arriving<'_>) {
        self.arrivals.add(brought, arriving.held);
    }

    pub(super) fn advance(&mut self, now: Timestamp, durable: Position) {
        self.now = now;
        self.come_back();
        while let Some((entry, place)) = self.fresh.front().copied()
            && entry.position < durable
        {
            self.fresh.pop_front();
            match place {
                Place::Prompt => self.prompt.push(&entry),
                Place::Delayed => self.delayed.push(&entry),
                Place::Loose(group) => self.hold(Held { group, ..Held::from(entry) }),
                Place::Row(group) => self.fair.push(&row(&entry, group)),
            }
        }
        while let Some(entry) = self.delayed.front()
            && entry.available() <= self.now
        {
            self.delayed.pop();
            self.ripe.push(&entry);
        }
        self.arrivals.advance(self.now, durable);
        if !self.fair.is_empty() {
            self.fair.judge(self.now, self.in_flight());
        }
    }

    /// What is due by now becomes visible: one after another, since each was in flight until it
    /// was due, whenever somebody looks.
    fn come_back(&mut self) {
        while let Some(due) = self.next_due_loose().filter(|due| *due <= self.now) {
            self.fair.pass(due, self.in_flight());
            while let Some(held) = self.loose.mature(due) {
                let Some(group) = held.group else { continue };
                if held.receives > 0 {
                    self.fair.land(group);
                }
                self.fair.show(group, &held);
            }
            self.arrivals.mature(due);
        }
        self.fair.look(self.now, self.in_flight());
    }

    fn next_due_loose(&self) -> Option<Timestamp> {
        let loose = [&self.loose, self.arrivals.loose()].into_iter().filter_map(Loose::next_due);
        loose.min()
    }

    /// Begins to remember which groups are noisy.
    pub(super) fn recovered(&mut self) {
        let rows = self.fair.rows.iter().map(|row| (row.sequence, row.group, row.sent));
        let loose = self.loose.iter();
        let loose = loose.filter_map(|held| Some((held.sequence, held.group?, held.sent)));
        let fresh = self.fresh.iter().filter_map(|(entry, place)| match place {
            Place::Loose(Some(group)) | Place::Row(group) => {
                Some((entry.sequence, *group, entry.sent))
            }
            _ => None,
        });
        let mut last: BTreeMap<GroupId, (Sequence, Timestamp)> = BTreeMap::new();
        for (sequence, group, sent) in rows.chain(loose).chain(fresh) {
            let newest = last.entry(group).or_default();
            *newest = (*newest).max((sequence, sent));
        }
        let last = last.into_iter().map(|(group, (_, sent))| (group, sent)).collect();
        self.fair.recovered(&last);
    }

    pub(super) fn counts(&self) -> Counts {
        let visible = self.visible();
        Counts {
            visible,
            in_flight: self.in_flight(),
            delayed: self.delayed.len() + self.loose.delayed() + self.arrivals.loose().delayed(),
            oldest: self.oldest_sent_here().into_iter().chain(self.arrivals.first_came()).min(),
            groups_in_flight: 0,
            noisy_groups: self.fair.noisy_groups(),
            visible_quiet: visible - self.fair.visible_noisy(),
        }
    }

    fn visible(&self) -> usize {
        self.prompt.len() + self.ripe.len() + self.visible_again() + self.fair.rows.len()
    }

    pub(super) fn visible_again(&self) -> usize {
        self.loose.visible() + self.arrivals.loose().visible()
    }

    pub(super) fn loose(&self) -> &Loose {
        &self.loose
    }

    pub(super) fn arrivals(&self) -> &Loose {
        self.arrivals.loose()
    }

    pub(super) fn has_ready(&self) -> bool {
        self.visible() > 0
    }

    pub(super) fn in_flight(&self) -> usize {
        self.loose.in_flight() + self.arrivals.loose().in_flight()
    }

    /// When the oldest was sent of those that came from nowhere else.
    fn oldest_sent_here(&self) -> Option<Timestamp> {
        let lines = self.lines().into_iter().filter_map(Line::front).map(|entry| entry.sent);
        let row = self.fair.rows.first().map(|row| row.sent);
        lines.chain(self.loose.iter().next().map(|held| held.sent)).chain(row).min()
    }

    pub(super) fn ages_from(&self) -> Option<Timestamp> {
        self.oldest_sent_here().into_iter().chain(self.arrivals.oldest()).min()
    }

    pub(super) fn ages_from_to_be(&self) -> Option<Timestamp> {
        let fresh = || self.fresh.front().map(|(entry, _)| entry.sent);
        let sent_here = self.oldest_sent_here().or_else(fresh);
        sent_here.into_iter().chain(self.arrivals.oldest_to_be()).min()
    }

    pub(super) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty() || self.arrivals.has_fresh()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let delayed = self.delayed.front().map(|entry| entry.available());
        delayed.into_iter().chain(self.next_due_loose()).min()
    }

    /// The first `max` visible messages, in the order of their turns. Those of noisy groups come
    /// after all others.
    pub(super) fn heads(&self, max: usize) -> Vec<Held> {
        if self.fair.is_empty() {
            return self.groupless().take(max).collect();
        }
        let mut heads = Vec::with_capacity(max.min(self.visible()));
        let mut groupless = self.groupless().peekable();
        let mut groups = self.fair.turns(&self.loose);
        while heads.len() < max {
            let next = match (groupless.peek().map(Rank::quiet), groups.peek()) {
                (Some(one), Some(other)) if one > other => groups.next(),
                (None, _) => groups.next(),
                (Some(_), _) => groupless.next(),
            };
            let Some(next) = next else { break };
            heads.push(next);
        }
        heads
    }

    /// The visible messages of no group, in the order of their turns.
    fn groupless(&self) -> impl Iterator<Item = Held> + '_ {
        let mut prompt = self.prompt.iter().map(Held::from).peekable();
        let mut ripe = self.ripe.iter().map(Held::from).peekable();
        let mut loose = self.loose.iter_visible().copied().peekable();
        let mut arrivals = self.arrivals.loose().iter_visible().copied().peekable();
        std::iter::from_fn(move || {
            let order = |held: &Held| (held.turn(), held.sequence);
            let fronts = [prompt.peek(), ripe.peek(), loose.peek(), arrivals.peek()];
            let first = fronts.iter().flatten().map(|held| order(held)).min()?;
            if prompt.peek().map(order) == Some(first) {
                prompt.next()
            } else if ripe.peek().map(order) == Some(first) {
                ripe.next()
            } else if loose.peek().map(order) == Some(first) {
                loose.next()
            } else {
                arrivals.next()
            }
        })
    }

    pub(super) fn aging_until(&self, latest: Timestamp, max: usize) -> Vec<Sequence> {
        // In each of the places messages stand in the order in which they were sent. Where the
        // clock once went back, some are kept a little longer.
        let mut old = Vec::new();
        for line in self.lines() {
            let entries = line.iter().take_while(|entry| entry.sent <= latest);
            old.extend(entries.map(|entry| entry.sequence).take(max - old.len()));
        }
        let held = self.loose.iter().take_while(|held| held.sent <= latest);
        old.extend(held.map(|held| held.sequence).take(max - old.len()));
        let rows = self.fair.rows.iter().take_while(|row| row.sent <= latest);
        old.extend(rows.map(|row| row.sequence).take(max - old.len()));
        old.extend(self.arrivals.aging_until(latest).take(max - old.len()));
        old
    }

    pub(super) fn find(&self, sequence: Sequence) -> Option<Held> {
        let loose = self.loose.get(sequence).or_else(|| self.arrivals.loose().get(sequence));
        let loose = loose.copied();
        let line = || self.lines().into_iter().find_map(|line| line.get(sequence));
        loose
            .or_else(|| line().map(Held::from))
            .or_else(|| self.fair.rows.get(sequence).map(Held::from))
    }

    /// Takes a message out, wherever it stands.
    fn take(&mut self, sequence: Sequence) -> Option<Held> {
        for line in [&mut self.prompt, &mut self.ripe, &mut self.delayed] {
            if line.front().is_some_and(|front| front.sequence == sequence) {
                return line.pop().map(Held::from);
            }
        }
        let held = self.let_go(sequence).or_else(|| self.arrivals.remove(sequence));
        if held.is_some() {
            return held;
        }
        let mut before = Vec::new();
        if let Some(row) = self.fair.take(sequence, |row| before.push(Held::from(row))) {
            for held in before {
                self.hold(held);
            }
            return Some(Held::from(row));
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

    /// Puts a message among the loose, or back among the arrivals.
    fn hold(&mut self, held: Held) {
        if held.passage.is_some() {
            return self.arrivals.insert(held, self.now);
        }
        let is_pending = self.loose.insert(held, self.now);
        let Some(group) = held.group else { return };
        if !is_pending {
            self.fair.show(group, &held);
        } else if held.receives > 0 {
            self.fair.fly(group);
        }
    }

    /// Takes a message from among the loose.
    fn let_go(&mut self, sequence: Sequence) -> Option<Held> {
        let (held, was_pending) = self.loose.remove(sequence)?;
        if let Some(group) = held.group {
            if !was_pending {
                self.fair.cover(group, &held);
            } else if held.receives > 0 {
                self.fair.land(group);
            }
        }
        Some(held)
    }

    pub(super) fn receive(&mut self, received: &Received) {
        for sequence in &received.sequences {
            if let Some(held) = self.take(*sequence) {
                self.hold(held.received(received.at, received.until, received.holder));
            }
        }
    }

    pub(super) fn give_back(&mut self, sequence: Sequence, at: Timestamp) {
        if let Some(held) = self.take(sequence) {
            self.hold(held.given_back(at));
        }
    }

    pub(super) fn hide(&mut self, sequence: Sequence, until: Timestamp) {
        if let Some(held) = self.take(sequence) {
            self.hold(Held { due: until, ..held });
        }
    }

    pub(super) fn forget(&mut self, sequence: Sequence) -> Option<Position> {
        let held = self.take(sequence)?;
        if let Some(group) = held.group {
            self.fair.leave(group);
        }
        Some(held.position)
    }

    /// Returns everything, and is empty.
    pub(super) fn clear(&mut self) -> Self {
        let (now, delayed_until) = (self.now, self.delayed_until);
        std::mem::replace(self, Self { delayed_until, now, ..Self::default() })
    }

    pub(super) fn relocate(&mut self, sequence: Sequence, to: Position) -> Option<Position> {
        let mut lines = [&mut self.prompt, &mut self.ripe, &mut self.delayed].into_iter();
        let from = self.loose.relocate(sequence, to);
        let from = from.or_else(|| self.arrivals.relocate(sequence, to));
        let from = from.or_else(|| lines.find_map(|line| line.relocate(sequence, to)));
        from.or_else(|| self.fair.rows.relocate(sequence, to))
    }

    pub(super) fn for_each_place(&self, visit: &mut impl FnMut(Position, usize)) {
        for line in self.lines() {
            line.for_each_place(&mut *visit);
        }
        self.fair.rows.for_each_place(&mut *visit);
        visit_loose(self.loose.iter().map(|held| held.position), visit);
        self.fresh.iter().for_each(|(entry, _)| visit(entry.position, 1));
        visit_loose(self.arrivals.iter().map(|held| held.position), visit);
    }

    pub(super) fn list(&self, from: Sequence, limit: usize) -> Vec<Held> {
        let mut found: Vec<Held> = Vec::new();
        for line in self.lines() {
            found.extend(line.iter_from(from).take(limit).map(Held::from));
        }
        found.extend(self.loose.pages().iter_from(from).take(limit));
        found.extend(self.arrivals.loose().pages().iter_from(from).take(limit));
        found.extend(self.fair.rows.iter_from(from).take(limit).map(Held::from));
        found.sort_unstable_by_key(|held| held.sequence);
        found.truncate(limit);
        found
    }

    fn lines(&self) -> [&Line; 3] {
        [&self.prompt, &self.ripe, &self.delayed]
    }
}

fn row(entry: &Entry, group: GroupId) -> Row {
    Row { sequence: entry.sequence, position: entry.position, sent: entry.sent, group }
}

#[cfg(test)]
mod tests;
