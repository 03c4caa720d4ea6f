//! What a FIFO queue holds: groups, each handed out in its order, one receive at a time.
//!
//! A group can hand out what stands before the first of its messages that is in flight or not due.
//! Groups that can hand out anything stand in line by turn: who joins or is served goes to its end,
//! and since turns are given by records, folding gives the same line. A blocked group stands
//! nowhere, and costs a receive nothing; it comes back when what blocks it goes, is given back, or
//! comes due.
//!
//! Messages that were never received are rows, and come after all others of their group; what was
//! received is loose. A queue's delay counts for all that is not yet due, also if it is changed:
//! the rows from `undue` on wait for it.

mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::{Counts, visit_loose};
use crate::attempts::{Attempt, Attempts};
use crate::deduplication::{Deduplication, Mark, Marks, Original, REMEMBERED};
use crate::groups::{GroupId, Groups};
use crate::holder::Holder;
use crate::key::Sequence;
use crate::loose::{Held, Loose};
use crate::record::{Arriving, Header, Received};
use crate::rows::{Row, Rows};
use crate::settings::{Scope, Settings};

pub(super) use view::FifoView;

/// What is kept of a group.
#[derive(Clone, Debug)]
struct Lane {
    /// Its place in line: no two groups share one.
    turn: u64,
    /// Whether it stands there.
    is_ready: bool,
}

/// The messages of a FIFO queue.
#[derive(Clone, Debug)]
pub(crate) struct Fifo {
    /// Within what a message is a duplicate. Fixed when the queue was made.
    scope: Scope,
    /// The queue's own delay.
    delay: Duration,
    groups: Groups<Lane>,
    /// The groups that can hand something out, by turn.
    ready: BTreeMap<u64, GroupId>,
    /// The turn that the next group gets.
    next_turn: u64,
    /// Durable, and never received.
    rows: Rows,
    /// Rows before are due whatever the delay is now: they were when it was changed.
    due_anyway: Sequence,
    /// The first row that is not due.
    undue: Sequence,
    /// How many rows are not due.
    delayed: usize,
    loose: Loose,
    /// The loose by group.
    by_group: BTreeSet<(GroupId, Sequence)>,
    /// How many groups have messages in flight.
    in_flight: usize,
    /// Not yet durable.
    fresh: VecDeque<Row>,
    /// Came from other queues and are not yet seen here: with the records that brought them.
    arriving: VecDeque<(Position, Held)>,
    deduplication: Deduplication,
    attempts: Attempts,
    /// The time up to which the stock was advanced.
    now: Timestamp,
}

impl Fifo {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            scope: settings.deduplication_scope,
            delay: settings.delay,
            groups: Groups::default(),
            ready: BTreeMap::new(),
            next_turn: 0,
            rows: Rows::default(),
            due_anyway: Sequence::default(),
            undue: Sequence::default(),
            delayed: 0,
            loose: Loose::default(),
            by_group: BTreeSet::new(),
            in_flight: 0,
            fresh: VecDeque::new(),
            arriving: VecDeque::new(),
            deduplication: Deduplication::default(),
            attempts: Attempts::default(),
            now: Timestamp::EPOCH,
        }
    }

    /// Which of its marks a message is known by here.
    pub(crate) fn mark(&self, marks: &Marks) -> Mark {
        marks.within(self.scope)
    }

    /// The message that one with this mark would repeat.
    pub(crate) fn original(&self, mark: Mark, now: Timestamp) -> Option<&Original> {
        self.deduplication.find(mark, now)
    }

    /// What an earlier receive of this mark was given, if all of it is still out and untouched.
    pub(crate) fn attempted(&self, mark: Mark, now: Timestamp) -> Option<Vec<Held>> {
        let attempt = self.attempts.find(mark, now)?;
        let is_out = |held: &Held| {
            let turn = held.group.map(|group| self.groups.get(group).own.turn);
            let is_last = turn.is_some_and(|turn| attempt.turns.contains(&turn));
            held.due > now && held.due == attempt.until && is_last
        };
        let found = attempt.sequences.iter();
        found.map(|one| self.loose.get(*one).copied().filter(is_out)).collect()
    }

    /// When what is remembered of sends and receives is over, if there is anything.
    pub(crate) fn lapses(&self) -> Option<Timestamp> {
        self.deduplication.lapses().max(self.attempts.lapses())
    }

    /// Whether all that is remembered of sends and receives is over, or some of it is of a time
    /// that is to come: the clock went back.
    pub(crate) fn has_lapsed(&self, now: Timestamp) -> bool {
        self.lapses().is_some_and(|lapses| lapses <= now || lapses > now + REMEMBERED)
    }

    /// Forgets some of what is over by `at`.
    pub(crate) fn lapse(&mut self, at: Timestamp) {
        self.deduplication.forget_until(at);
        self.attempts.forget_until(at);
    }

    /// The settings change. What is due stays so; the new delay counts for all the rest.
    pub(crate) fn configure(&mut self, at: Timestamp, settings: &Settings) {
        if settings.delay == self.delay {
            return;
        }
        let waiting = self.rows.iter_from(self.due_anyway).chain(self.fresh.iter().copied());
        let due = waiting.take_while(|row| self.is_due(row, at)).last();
        self.due_anyway = due.map_or(self.due_anyway, |row| row.sequence.next());
        self.delay = settings.delay;
    }

    pub(super) fn add(&mut self, position: Position, header: &Header) {
        let group = self.enter(header.group.as_ref());
        let Header { sequence, sent, .. } = *header;
        self.fresh.push_back(Row { sequence, position, sent, group });
        if let Some((mark, id)) = header.known {
            self.deduplication.add(Original { mark, id, sequence, sent });
        }
    }

    /// A message comes to be, in the group of this name.
    fn enter(&mut self, name: Option<&Arc<str>>) -> GroupId {
        let next_turn = &mut self.next_turn;
        let group = self.groups.enter(&name.cloned().unwrap_or_default(), || {
            let turn = *next_turn;
            *next_turn += 1;
            Lane { turn, is_ready: false }
        });
        self.groups.get_mut(group).members += 1;
        group
    }

    pub(super) fn arrive(&mut self, brought: Position, arriving: &Arriving<'_>) {
        let group = Some(self.enter(arriving.group));
        self.arriving.push_back((brought, Held { group, ..arriving.held }));
    }

    /// The name of a message's group.
    pub(crate) fn group_name(&self, held: &Held) -> Option<Arc<str>> {
        held.group.map(|group| Arc::clone(&self.groups.get(group).name))
    }

    pub(super) fn advance(&mut self, now: Timestamp, durable: Position) {
        self.now = now;
        while let Some(row) = self.fresh.front().copied()
            && row.position < durable
        {
            self.fresh.pop_front();
            self.settle(&row);
        }
        while let Some((brought, held)) = self.arriving.front().copied()
            && brought < durable
        {
            self.arriving.pop_front();
            self.hold(held);
            held.group.into_iter().for_each(|group| self.refresh(group));
        }
        while self.delayed > 0
            && let Some(row) = self.first_undue()
            && (row.sequence < self.due_anyway || self.is_due(&row, now))
        {
            self.undue = row.sequence.next();
            self.delayed -= 1;
            self.refresh(row.group);
        }
        while let Some(held) = self.loose.mature(now) {
            let Some(group) = held.group else { continue };
            if held.receives > 0 {
                self.land(group);
            }
            self.refresh(group);
        }
    }

    fn settle(&mut self, row: &Row) {
        self.rows.push(row, &mut self.groups.get_mut(row.group).chain);
        self.delayed += 1;
    }

    /// Without a delay nothing waits, even if the clock went back.
    fn is_due(&self, row: &Row, now: Timestamp) -> bool {
        self.delay.is_zero() || row.sent + self.delay <= now
    }

    fn first_undue(&self) -> Option<Row> {
        self.rows.iter_from(self.undue).next()
    }

    pub(super) fn counts(&self) -> Counts {
        let visible = self.rows.len() - self.delayed + self.loose.visible();
        Counts {
            visible,
            in_flight: self.loose.in_flight(),
            delayed: self.delayed + self.loose.delayed(),
            oldest: self.oldest(),
            groups_in_flight: self.in_flight,
            noisy_groups: 0,
            visible_quiet: visible,
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn loose(&self) -> &Loose {
        &self.loose
    }

    pub(super) fn visible_again(&self) -> usize {
        self.loose.visible()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.loose.in_flight()
    }

    fn oldest(&self) -> Option<Timestamp> {
        let row = self.rows.first().map(|row| row.sent);
        row.into_iter().chain(self.loose.iter().next().map(|held| held.sent)).min()
    }

    /// What comes from another queue is sent anew here, so all age in the same order.
    pub(super) fn ages_from(&self) -> Option<Timestamp> {
        self.oldest()
    }

    pub(super) fn ages_from_to_be(&self) -> Option<Timestamp> {
        let fresh = self.fresh.front().map(|row| row.sent);
        let arriving = self.arriving.front().map(|(_, held)| held.sent);
        self.oldest().or_else(|| fresh.into_iter().chain(arriving).min())
    }

    pub(super) fn has_fresh(&self) -> bool {
        !self.fresh.is_empty() || !self.arriving.is_empty()
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let undue = if self.delayed > 0 { self.first_undue() } else { None };
        undue.map(|row| row.sent + self.delay).into_iter().chain(self.loose.next_due()).min()
    }

    /// Whole groups, up to `max` messages.
    pub(super) fn heads(&self, max: usize) -> Vec<Held> {
        let mut heads = Vec::with_capacity(max.min(16));
        for group in self.ready.values() {
            heads.extend(self.available(*group).take(max - heads.len()));
            if heads.len() == max {
                break;
            }
        }
        heads
    }

    /// The messages of a group before the first one that is in flight or not due.
    fn available(&self, id: GroupId) -> impl Iterator<Item = Held> + '_ {
        let loose = self.loose_of(id);
        let rows = self.rows.chain(&self.groups.get(id).chain);
        let visible = |held: &Held| !self.loose.is_pending(held);
        let before = rows_before(self.undue);
        // Where damage took records out of the log, what is loose may stand among the rows.
        merge(loose.map(move |held| (held, visible(&held))), rows.map(before))
            .take_while(|(_, is_available)| *is_available)
            .map(|(held, _)| held)
    }

    fn loose_of(&self, id: GroupId) -> impl Iterator<Item = Held> + '_ {
        let all = self.by_group.range((id, Sequence::default())..);
        let of_group = all.take_while(move |(group, _)| *group == id);
        of_group.filter_map(|(_, sequence)| self.loose.get(*sequence).copied())
    }

    /// Finds a group its place in line, or none.
    fn refresh(&mut self, id: GroupId) {
        let is_ready = self.available(id).next().is_some();
        let lane = &self.groups.get(id).own;
        if lane.is_ready == is_ready {
            return;
        }
        if is_ready {
            self.ready.insert(lane.turn, id);
        } else {
            self.ready.remove(&lane.turn);
        }
        self.groups.get_mut(id).own.is_ready = is_ready;
    }

    /// Sends a group that is served to the line's end.
    fn serve(&mut self, served: Option<GroupId>) {
        let Some(id) = served else { return };
        let lane = &mut self.groups.get_mut(id).own;
        if lane.is_ready {
            self.ready.remove(&lane.turn);
        }
        *lane = Lane { turn: self.next_turn, is_ready: false };
        self.next_turn += 1;
        self.refresh(id);
    }

    fn land(&mut self, id: GroupId) {
        let group = self.groups.get_mut(id);
        group.in_flight -= 1;
        self.in_flight -= usize::from(group.in_flight == 0);
    }

    pub(super) fn aging_until(&self, latest: Timestamp, max: usize) -> Vec<Sequence> {
        // Where the clock once went back, some are kept a little longer.
        let held = self.loose.iter().take_while(|held| held.sent <= latest);
        let rows = self.rows.iter().take_while(|row| row.sent <= latest);
        let held = held.map(|held| held.sequence).take(max);
        // In their order: they may go to the dead-letter queue together.
        let mut old: Vec<_> = held.chain(rows.map(|row| row.sequence).take(max)).collect();
        old.sort_unstable();
        old.truncate(max);
        old
    }

    pub(super) fn find(&self, sequence: Sequence) -> Option<Held> {
        let loose = self.loose.get(sequence).copied();
        loose.or_else(|| self.rows.get(sequence).map(|row| self.held(row)))
    }

    /// A row as if it were loose.
    fn held(&self, row: Row) -> Held {
        let due = if row.sequence < self.undue { row.sent } else { row.sent + self.delay };
        Held { due, ..Held::from(row) }
    }

    /// Takes a message out, wherever it stands. Its group stays, if only for a moment.
    fn take(&mut self, sequence: Sequence) -> Option<Held> {
        if let Some((held, was_pending)) = self.loose.remove(sequence) {
            if let Some(group) = held.group {
                self.by_group.remove(&(group, sequence));
                if was_pending && held.receives > 0 {
                    self.land(group);
                }
            }
            return Some(held);
        }
        let group = self.rows.get(sequence)?.group;
        // Rows leave their chain at its front. Only where damage took records out of the log
        // can one be wanted from the middle; those before it then continue among the loose.
        while let Some(row) = self.rows.pop(&mut self.groups.get_mut(group).chain) {
            let held = self.held(row);
            self.delayed -= usize::from(row.sequence >= self.undue);
            if row.sequence == sequence {
                return Some(held);
            }
            self.hold(held);
        }
        None
    }

    /// Puts a message among the loose.
    fn hold(&mut self, held: Held) {
        let is_pending = self.loose.insert(held, self.now);
        let Some(id) = held.group else { return };
        self.by_group.insert((id, held.sequence));
        if is_pending && held.receives > 0 {
            let group = self.groups.get_mut(id);
            self.in_flight += usize::from(group.in_flight == 0);
            group.in_flight += 1;
        }
    }

    pub(super) fn receive(&mut self, received: &Received) {
        let first_turn = self.next_turn;
        let mut last = None;
        for sequence in &received.sequences {
            let Some(held) = self.take(*sequence) else { continue };
            if last != held.group {
                self.serve(last);
                last = held.group;
            }
            self.hold(held.received(received.at, received.until, received.holder));
        }
        self.serve(last);
        if let Some(mark) = received.attempt {
            let Received { at, until, ref sequences, .. } = *received;
            let turns = first_turn..self.next_turn;
            self.attempts.add(mark, Attempt { at, until, turns, sequences: sequences.clone() });
        }
    }

    /// Hands out again what a receive gave.
    pub(crate) fn repeat(&mut self, mark: Mark, until: Timestamp, holder: Option<Holder>) {
        for sequence in self.attempts.repeat(mark, until) {
            self.change(sequence, |held| Held { due: until, holder, ..held });
        }
    }

    pub(super) fn give_back(&mut self, sequence: Sequence, at: Timestamp) {
        self.change(sequence, |held| held.given_back(at));
    }

    pub(super) fn hide(&mut self, sequence: Sequence, until: Timestamp) {
        self.change(sequence, |held| Held { due: until, ..held });
    }

    fn change(&mut self, sequence: Sequence, change: impl FnOnce(Held) -> Held) {
        if let Some(held) = self.take(sequence) {
            self.hold(change(held));
            if let Some(group) = held.group {
                self.refresh(group);
            }
        }
    }

    pub(super) fn forget(&mut self, sequence: Sequence) -> Option<Position> {
        let held = self.take(sequence)?;
        let id = held.group?;
        let group = self.groups.get_mut(id);
        group.members -= 1;
        if group.members > 0 {
            self.refresh(id);
        } else {
            if group.own.is_ready {
                self.ready.remove(&group.own.turn);
            }
            self.groups.remove(id);
        }
        Some(held.position)
    }

    /// Returns everything, and is empty; what was sent lately is forgotten, too.
    pub(super) fn clear(&mut self) -> Self {
        let empty = Self {
            scope: self.scope,
            delay: self.delay,
            next_turn: self.next_turn,
            due_anyway: self.due_anyway,
            now: self.now,
            ..Self::new(&Settings::default())
        };
        std::mem::replace(self, empty)
    }

    pub(super) fn relocate(&mut self, sequence: Sequence, to: Position) -> Option<Position> {
        let from = self.loose.relocate(sequence, to);
        from.or_else(|| self.rows.relocate(sequence, to))
    }

    pub(super) fn for_each_place(&self, visit: &mut impl FnMut(Position, usize)) {
        self.rows.for_each_place(&mut *visit);
        visit_loose(self.loose.iter().map(|held| held.position), visit);
        self.fresh.iter().for_each(|row| visit(row.position, 1));
        self.arriving.iter().for_each(|(_, held)| visit(held.position, 1));
    }

    pub(super) fn list(&self, from: Sequence, limit: usize) -> Vec<Held> {
        let rows = self.rows.iter_from(from).take(limit).map(|row| self.held(row));
        let mut found: Vec<Held> = rows.collect();
        found.extend(self.loose.pages().iter_from(from).take(limit));
        found.sort_unstable_by_key(|held| held.sequence);
        found.truncate(limit);
        found
    }
}

/// A row, and whether it comes before the first that is not due.
fn rows_before(undue: Sequence) -> impl Fn(Row) -> (Held, bool) {
    move |row| (Held::from(row), row.sequence < undue)
}

/// Two lists by sequence as one.
fn merge(
    one: impl Iterator<Item = (Held, bool)>,
    other: impl Iterator<Item = (Held, bool)>,
) -> impl Iterator<Item = (Held, bool)> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some((first, _)), Some((second, _))) if first.sequence > second.sequence => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

#[cfg(test)]
mod tests;
