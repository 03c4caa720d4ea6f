//! A copy of a FIFO queue's stock, for a snapshot: taken under the lock, written outside.

use std::collections::{BTreeSet, VecDeque};

use tidemill_journal::Position;

use super::super::codec::{Layout, Met, read_groups, read_held, read_rows, write_held, write_rows};
use super::{Fifo, Lane};
use crate::attempts::Attempts;
use crate::codec::{Put, Reader, Unreadable};
use crate::deduplication::{Deduplication, Originals};
use crate::groups::GroupPages;
use crate::key::Sequence;
use crate::loose::{Held, Pages};
use crate::rows::{Row, Rows};
use crate::settings::{Scope, Settings};

/// What is persisted of a stock.
#[derive(Clone, Debug)]
pub(crate) struct FifoView {
    scope: Scope,
    next_turn: u64,
    due_anyway: Sequence,
    groups: GroupPages<Lane>,
    rows: Rows,
    fresh: VecDeque<Row>,
    arriving: VecDeque<(Position, Held)>,
    loose: Pages,
    originals: Originals,
    attempts: Attempts,
}

impl FifoView {
    pub(in super::super) fn places(&self) -> impl Iterator<Item = (Sequence, Position)> + '_ {
        let rows = self.rows.iter().chain(self.fresh.iter().copied());
        let rows = rows.map(|row| (row.sequence, row.position));
        let held = self.loose.iter().chain(self.arriving.iter().map(|(_, held)| held));
        rows.chain(held.map(|held| (held.sequence, held.position)))
    }

    /// Layout: scope of deduplication (u8: 0 queue, 1 group), next turn, the first sequence that
    /// has to wait for the delay (varints), the groups with their turns (varints), the rows, the
    /// loose, what was sent lately, what was asked lately.
    pub(in super::super) fn write(self, out: &mut Vec<u8>) {
        out.put_u8(match self.scope {
            Scope::Queue => 0,
            Scope::Group => 1,
        });
        out.put_varint(self.next_turn);
        out.put_varint(self.due_anyway.0);
        let rows: Vec<Row> = self.rows.iter().chain(self.fresh).collect();
        let mut loose: Vec<Held> = self.loose.iter().copied().collect();
        loose.extend(self.arriving.iter().map(|(_, held)| held));
        // After damage a message may be loose that was sent later.
        loose.sort_unstable_by_key(|held| held.sequence);
        let met = Met::with(&rows, &loose);
        met.write(&self.groups, out, |lane, out| out.put_varint(lane.turn));
        write_rows(&rows, &met, out);
        write_held(&loose, &met, out);
        self.originals.write(out);
        self.attempts.write(out);
    }
}

impl Fifo {
    pub(in super::super) fn view(&self) -> FifoView {
        FifoView {
            scope: self.scope,
            next_turn: self.next_turn,
            due_anyway: self.due_anyway,
            groups: self.groups.pages().clone(),
            rows: self.rows.clone(),
            fresh: self.fresh.clone(),
            arriving: self.arriving.clone(),
            loose: self.loose.pages().clone(),
            originals: self.deduplication.originals().clone(),
            attempts: self.attempts.clone(),
        }
    }

    /// Reads what [`FifoView::write`] wrote.
    pub(in super::super) fn read(
        settings: &Settings,
        layout: Layout,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Unreadable> {
        let mut stock = Self::new(settings);
        stock.scope = match reader.u8()? {
            0 => Scope::Queue,
            1 => Scope::Group,
            _ => return Err(reader.bad()),
        };
        stock.next_turn = reader.varint()?;
        // None were given so often, and more are to come.
        if stock.next_turn > u64::MAX / 2 {
            return Err(reader.bad());
        }
        stock.due_anyway = Sequence(reader.varint()?);
        let next_turn = stock.next_turn;
        let groups = read_groups(reader, |name, reader| {
            let turn = reader.varint()?;
            if turn >= next_turn {
                return Err(reader.bad());
            }
            Ok(stock.groups.enter(&name, || Lane { turn, is_ready: false }))
        })?;
        read_rows(reader, &groups, |row| {
            stock.groups.get_mut(row.group).members += 1;
            stock.settle(&row);
            true
        })?;
        read_held(reader, layout, &groups, |held| {
            let is_new = stock.rows.get(held.sequence).is_none();
            let Some(group) = held.group else { return false };
            stock.groups.get_mut(group).members += 1;
            stock.hold(held);
            is_new
        })?;
        stock.deduplication = Deduplication::read(reader)?;
        stock.attempts = Attempts::read(reader)?;
        let ids: Vec<_> = stock.groups.ids().collect();
        for id in ids {
            stock.refresh(id);
        }
        stock.is_sound().then_some(stock).ok_or_else(|| reader.bad())
    }

    /// Whether each group has a message and a turn of its own: so it is unless a section says
    /// otherwise.
    fn is_sound(&self) -> bool {
        let groups: Vec<_> = self.groups.ids().map(|id| self.groups.get(id)).collect();
        let turns: BTreeSet<_> = groups.iter().map(|group| group.own.turn).collect();
        turns.len() == groups.len() && groups.iter().all(|group| group.members > 0)
    }
}
