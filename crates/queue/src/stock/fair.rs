//! The groups of a standard queue, and whose turn it is: a group that takes more than its share
//! waits while others have something, however much of it is waiting.
//!
//! A group is *noisy* from when it has more than a tenth of all that is in flight, and at least 30
//! messages of its own, or has taken more than a tenth of recent work: until it has no more than a
//! tenth of either, nothing of it waits any more, or it was sent nothing for five minutes. The
//! others are *quiet*; they, and messages of no group, always come first. Who is noisy is judged
//! when the queue moves on, from what is recorded, and is not itself recorded: what a receive was
//! given is.
//!
//! Only few have to be looked at. A group's part of the work grows only while it has more than
//! that part of what is in flight; and more than a tenth of anything at most nine can have.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use tidemill_base::Timestamp;

use super::work::{Shift, Work};
use crate::groups::{GroupId, GroupPages, Groups};
use crate::key::Sequence;
use crate::loose::{Held, Loose};
use crate::rows::{Row, Rows};

/// A group with fewer in flight does not become noisy by their number.
const NOISY_FROM: usize = 30;
/// A group with at most this part of what is in flight, and of recent work, is quiet.
const SHARE_PERCENT: u8 = 10;
/// The work of a group that is no more is remembered if it is more than this part of all.
const REMEMBERED_PERCENT: u8 = 1;
/// Of so many that are remembered some are not worth it any more: fewer than a hundred can have
/// more than a hundredth.
const MOST_REMEMBERED: usize = 128;
/// A noisy group that was sent nothing for so long is quiet.
const QUIET_AFTER: Duration = Duration::from_mins(5);

/// When a group's next message has its turn: the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// 0 if the group is quiet; else one more than it has in flight.
    noise: usize,
    turn: Timestamp,
    sequence: Sequence,
}

/// What is kept of a group.
#[derive(Clone, Debug)]
pub(super) struct Share {
    /// Where it stands among those that have something visible.
    rank: Option<Rank>,
    /// How many of its messages were received before and are visible again.
    shown: usize,
    last_sent: Timestamp,
    /// Up to when the group was last judged, or its messages in flight became more or fewer.
    work: Work,
    is_noisy: bool,
}

/// The messages that have a group, but for what is loose: that is with all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Fair {
    groups: Groups<Share>,
    /// Never received, and visible.
    pub(super) rows: Rows,
    /// The loose that are visible.
    shown: BTreeSet<(GroupId, Timestamp, Sequence)>,
    ready: BTreeSet<(Rank, GroupId)>,
    /// Groups with anything in flight.
    in_flight: BTreeSet<(usize, GroupId)>,
    /// The queue's own time and all its work, also that on messages of no group.
    shift: Shift,
    /// What groups did that are no more and may come again.
    gone: BTreeMap<Arc<str>, Work>,
    noisy: BTreeSet<GroupId>,
    /// Groups that had more than their share of recent work when they were last judged.
    busy: BTreeSet<GroupId>,
    /// Groups to which something has happened since they were last judged.
    touched: BTreeSet<GroupId>,
    /// When all were last judged, and how many messages were in flight then.
    judged: Option<(Timestamp, usize)>,
}

impl Rank {
    /// Of a message that has no group, or a quiet one.
    pub(super) fn quiet(held: &Held) -> Self {
        Self { noise: 0, turn: held.turn(), sequence: held.sequence }
    }
}

impl Fair {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn pages(&self) -> &GroupPages<Share> {
        self.groups.pages()
    }

    /// The group of this name. It must not stay without messages.
    pub(super) fn declare(&mut self, name: &Arc<str>) -> GroupId {
        let begin = || {
            let mut work = self.gone.remove(name).unwrap_or_default();
            work.settle(self.shift.moment(), 0);
            if !work.exceeds(REMEMBERED_PERCENT, self.shift.all()) {
                work = Work::none(self.shift.moment());
            }
            Share { rank: None, shown: 0, last_sent: Timestamp::EPOCH, work, is_noisy: false }
        };
        self.groups.enter(name, begin)
    }

    /// Whether each group has a message: so it is unless a section says otherwise.
    pub(super) fn is_sound(&self) -> bool {
        self.groups.ids().all(|id| self.groups.get(id).members > 0)
    }

    /// A message comes to be, in the group of this name.
    pub(super) fn enter(&mut self, name: &Arc<str>, sent: Timestamp) -> GroupId {
        let id = self.declare(name);
        self.restore(id, sent);
        id
    }

    /// A message comes to be, in a group that is there.
    pub(super) fn restore(&mut self, id: GroupId, sent: Timestamp) {
        let group = self.groups.get_mut(id);
        group.members += 1;
        group.own.last_sent = sent;
        self.touched.insert(id);
    }

    /// A message is no more.
    pub(super) fn leave(&mut self, id: GroupId) {
        let group = self.groups.get_mut(id);
        group.members -= 1;
        if group.members > 0 {
            self.touched.insert(id);
            return;
        }
        let mut work = group.own.work;
        work.settle(self.shift.moment(), 0);
        if work.exceeds(REMEMBERED_PERCENT, self.shift.all()) {
            self.remember(id, work);
        }
        for set in [&mut self.noisy, &mut self.busy, &mut self.touched] {
            set.remove(&id);
        }
        self.groups.remove(id);
    }

    /// A group ends that may come again. It must not be quiet then for having been away.
    fn remember(&mut self, id: GroupId, work: Work) {
        self.gone.insert(Arc::clone(&self.groups.get(id).name), work);
        if self.gone.len() >= MOST_REMEMBERED {
            let (moment, all) = (self.shift.moment(), self.shift.all());
            self.gone.retain(|_, work| {
                work.settle(moment, 0);
                work.exceeds(REMEMBERED_PERCENT, all)
            });
        }
    }

    pub(super) fn push(&mut self, row: &Row) {
        let group = self.groups.get_mut(row.group);
        self.rows.push(row, &mut group.chain);
        self.rank(row.group);
    }

    /// Takes out a row. Those of its group before it, if there are any, go to `before`: only
    /// where damage took records out of the log can that be.
    pub(super) fn take(&mut self, sequence: Sequence, mut before: impl FnMut(Row)) -> Option<Row> {
        let id = self.rows.get(sequence)?.group;
        let chain = &mut self.groups.get_mut(id).chain;
        let mut row = self.rows.pop(chain)?;
        while row.sequence != sequence {
            before(row);
            row = self.rows.pop(chain)?;
        }
        self.rank(id);
        Some(row)
    }

    /// A loose message is visible.
    pub(super) fn show(&mut self, id: GroupId, held: &Held) {
        self.shown.insert((id, held.turn(), held.sequence));
        self.groups.get_mut(id).own.shown += 1;
        self.rank(id);
    }

    /// It is so no more.
    pub(super) fn cover(&mut self, id: GroupId, held: &Held) {
        self.shown.remove(&(id, held.turn(), held.sequence));
        self.groups.get_mut(id).own.shown -= 1;
        self.rank(id);
    }

    /// Somebody has a message.
    pub(super) fn fly(&mut self, id: GroupId) {
        self.set_in_flight(id, self.groups.get(id).in_flight + 1);
    }

    /// Somebody has it no more.
    pub(super) fn land(&mut self, id: GroupId) {
        self.set_in_flight(id, self.groups.get(id).in_flight - 1);
    }

    fn set_in_flight(&mut self, id: GroupId, after: usize) {
        let group = self.groups.get_mut(id);
        group.own.work.settle(self.shift.moment(), group.in_flight);
        let before = std::mem::replace(&mut group.in_flight, after);
        self.in_flight.remove(&(before, id));
        if after > 0 {
            self.in_flight.insert((after, id));
        }
        self.touched.insert(id);
        self.rank(id);
    }

    /// The clock goes on to `to`, if it is not past that; so many messages of the queue were in
    /// flight since it was last looked at.
    pub(super) fn pass(&mut self, to: Timestamp, in_flight: usize) {
        self.shift.pass(to, in_flight);
    }

    /// The clock shows `now`, be it that it went back.
    pub(super) fn look(&mut self, now: Timestamp, in_flight: usize) {
        self.shift.look(now, in_flight);
    }

    /// Finds a group its place again.
    fn rank(&mut self, id: GroupId) {
        let group = self.groups.get(id);
        let shown = self.shown.range((id, Timestamp::EPOCH, Sequence(0))..).next();
        let shown =
            shown.filter(|(of, ..)| *of == id).map(|(_, turn, sequence)| (*turn, *sequence));
        let row = group.chain.first().and_then(|first| self.rows.get(first));
        let waits = row.map(|row| (row.sent, row.sequence));
        let noise = if group.own.is_noisy { 1 + group.in_flight } else { 0 };
        let rank = shown.into_iter().chain(waits).min();
        let rank = rank.map(|(turn, sequence)| Rank { noise, turn, sequence });
        if rank != group.own.rank {
            let before = std::mem::replace(&mut self.groups.get_mut(id).own.rank, rank);
            if let Some(before) = before {
                self.ready.remove(&(before, id));
            }
            if let Some(rank) = rank {
                self.ready.insert((rank, id));
            }
        }
    }

    /// Judges who is noisy, when `total` messages are in flight.
    pub(super) fn judge(&mut self, now: Timestamp, total: usize) {
        let mut suspects = std::mem::take(&mut self.touched);
        if self.judged.replace((now, total)) != Some((now, total)) {
            suspects.extend(self.noisy.iter().chain(&self.busy));
            let loud = self.in_flight.iter().rev();
            let loud = loud.take_while(|(count, _)| is_too_much(*count, total));
            suspects.extend(loud.map(|(_, id)| *id));
        }
        for id in suspects {
            self.judge_one(id, now, total);
        }
    }

    fn judge_one(&mut self, id: GroupId, now: Timestamp, total: usize) {
        let all = self.shift.all();
        let group = self.groups.get_mut(id);
        group.own.work.settle(self.shift.moment(), group.in_flight);
        let works = group.own.work.exceeds(SHARE_PERCENT, all);
        let flies = is_too_much(group.in_flight, total);
        let waits = group.members > group.in_flight;
        let is_active = group.own.last_sent + QUIET_AFTER > now;
        let begins = (flies && group.in_flight >= NOISY_FROM) || (works && all.is_enough());
        let goes_on = group.own.is_noisy && (flies || works);
        let is_noisy = waits && is_active && (begins || goes_on);
        if works {
            self.busy.insert(id);
        } else {
            self.busy.remove(&id);
        }
        if is_noisy != group.own.is_noisy {
            self.set_noisy(id, is_noisy);
        }
    }

    fn set_noisy(&mut self, id: GroupId, is_noisy: bool) {
        self.groups.get_mut(id).own.is_noisy = is_noisy;
        if is_noisy {
            self.noisy.insert(id);
        } else {
            self.noisy.remove(&id);
        }
        self.rank(id);
    }

    /// Recovery's end: time begins, and with it work. Takes from `sent` when each group was last
    /// sent something: every message that has a group, in the order of sending.
    pub(super) fn recovered(&mut self, sent: &BTreeMap<GroupId, Timestamp>) {
        for id in std::mem::take(&mut self.noisy) {
            self.set_noisy(id, false);
        }
        self.shift = Shift::default();
        self.touched.clear();
        self.judged = None;
        for (id, sent) in sent {
            self.groups.get_mut(*id).own.last_sent = *sent;
        }
    }

    pub(super) fn noisy_groups(&self) -> usize {
        self.noisy.len()
    }

    /// How many visible messages noisy groups have.
    pub(super) fn visible_noisy(&self) -> usize {
        let groups = self.noisy.iter().map(|id| self.groups.get(*id));
        groups.map(|group| group.chain.len() + group.own.shown).sum()
    }

    /// The visible messages of a group, in their order.
    fn of<'a>(&'a self, id: GroupId, loose: &'a Loose) -> impl Iterator<Item = Held> + 'a {
        let shown = self.shown.range((id, Timestamp::EPOCH, Sequence(0))..);
        let shown = shown.take_while(move |(of, ..)| *of == id);
        let mut shown = shown.filter_map(|(_, _, sequence)| loose.get(*sequence)).peekable();
        let mut rows = self.rows.chain(&self.groups.get(id).chain).map(Held::from).peekable();
        std::iter::from_fn(move || match (shown.peek(), rows.peek()) {
            (Some(one), Some(other)) if Rank::quiet(one) > Rank::quiet(other) => rows.next(),
            (Some(_), _) => shown.next().copied(),
            (None, _) => rows.next(),
        })
    }

    pub(super) fn turns<'a>(&'a self, loose: &'a Loose) -> Turns<'a> {
        Turns { fair: self, loose, ready: self.ready.iter().peekable(), begun: Vec::new() }
    }
}

/// Whether so many are more than a group's share of what is in flight.
fn is_too_much(count: usize, total: usize) -> bool {
    count * 100 > total * usize::from(SHARE_PERCENT)
}

/// What a group has left.
type Left<'a> = Peekable<Box<dyn Iterator<Item = Held> + 'a>>;

/// Messages in the order in which groups have their turns. Each one that is taken counts as in
/// flight for the turns after it; who is noisy stays as it is.
pub(super) struct Turns<'a> {
    fair: &'a Fair,
    loose: &'a Loose,
    ready: Peekable<std::collections::btree_set::Iter<'a, (Rank, GroupId)>>,
    /// Groups that had a turn, and what they have left.
    begun: Vec<(Rank, Left<'a>)>,
}

impl Turns<'_> {
    pub(super) fn peek(&mut self) -> Option<Rank> {
        let begun = self.begun.iter().map(|(rank, _)| *rank).min();
        begun.into_iter().chain(self.ready.peek().map(|(rank, _)| *rank)).min()
    }

    pub(super) fn next(&mut self) -> Option<Held> {
        let rank = self.peek()?;
        let begun = self.begun.iter().position(|(other, _)| *other == rank);
        let mut left = if let Some(index) = begun {
            self.begun.swap_remove(index).1
        } else {
            let (_, id) = self.ready.next()?;
            let all: Box<dyn Iterator<Item = Held> + '_> = Box::new(self.fair.of(*id, self.loose));
            all.peekable()
        };
        let next = left.next();
        if let Some(after) = left.peek() {
            let noise = if rank.noise == 0 { 0 } else { rank.noise + 1 };
            let rank = Rank { noise, ..Rank::quiet(after) };
            self.begun.push((rank, left));
        }
        next
    }
}
