//! A copy of a standard queue's stock, for a snapshot: taken under the lock, written outside.

use std::collections::VecDeque;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::super::arrivals::{Arrivals, ArrivalsView};
use super::super::codec::{
    Layout, Met, read_entries, read_groups, read_held, read_rows, write_entries, write_held,
    write_rows,
};
use super::super::fair::Share;
use super::{Place, Standard, row};
use crate::codec::{Put, Reader, Unreadable};
use crate::groups::GroupPages;
use crate::key::Sequence;
use crate::line::{Entry, Line};
use crate::loose::{Held, Pages};
use crate::rows::{Row, Rows};

/// What is persisted of a stock.
#[derive(Clone, Debug)]
pub(crate) struct StandardView {
    prompt: Line,
    ripe: Line,
    delayed: Line,
    rows: Rows,
    loose: Pages,
    fresh: VecDeque<(Entry, Place)>,
    delayed_until: Timestamp,
    groups: GroupPages<Share>,
    arrivals: ArrivalsView,
}

impl StandardView {
    pub(in super::super) fn places(&self) -> impl Iterator<Item = (Sequence, Position)> + '_ {
        let lines = [&self.prompt, &self.ripe, &self.delayed].into_iter().flat_map(Line::iter);
        let entries = lines.chain(self.fresh.iter().map(|(entry, _)| *entry));
        let entries = entries.map(|entry| (entry.sequence, entry.position));
        let rows = self.rows.iter().map(|row| (row.sequence, row.position));
        let held = self.loose.iter().chain(self.arrivals.iter());
        entries.chain(rows).chain(held.map(|held| (held.sequence, held.position)))
    }

    /// Layout: end of the delayed line (u64 ms), the prompt line, the delayed line, the names of
    /// the groups, the rows, the loose, the arrivals.
    pub(in super::super) fn write(mut self, out: &mut Vec<u8>) {
        out.put_time(self.delayed_until);
        let mut loose: Vec<Held> = self.loose.iter().copied().collect();
        let mut rows: Vec<Row> = self.rows.iter().collect();
        let mut late = Vec::new();
        for (entry, place) in &self.fresh {
            match place {
                Place::Prompt => self.prompt.push(entry),
                Place::Delayed => late.push(*entry),
                Place::Loose(group) => loose.push(Held { group: *group, ..Held::from(*entry) }),
                Place::Row(group) => rows.push(row(entry, *group)),
            }
        }
        write_entries(self.prompt.len(), self.prompt.iter(), out);
        let count = self.ripe.len() + self.delayed.len() + late.len();
        write_entries(count, self.ripe.iter().chain(self.delayed.iter()).chain(late), out);
        loose.sort_unstable_by_key(|held| held.sequence);
        let met = Met::with(&rows, &loose);
        met.write(&self.groups, out, |_, _| {});
        write_rows(&rows, &met, out);
        write_held(&loose, &met, out);
        self.arrivals.write(out);
    }
}

impl Standard {
    pub(in super::super) fn view(&self) -> StandardView {
        StandardView {
            prompt: self.prompt.clone(),
            ripe: self.ripe.clone(),
            delayed: self.delayed.clone(),
            rows: self.fair.rows.clone(),
            loose: self.loose.pages().clone(),
            fresh: self.fresh.clone(),
            delayed_until: self.delayed_until,
            groups: self.fair.pages().clone(),
            arrivals: self.arrivals.view(),
        }
    }

    /// Reads what [`StandardView::write`] wrote, or wrote once.
    pub(in super::super) fn read(
        layout: Layout,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Unreadable> {
        let mut stock = Self { delayed_until: reader.time()?, ..Self::default() };
        read_entries(reader, |entry| {
            stock.prompt.push(entry);
            true
        })?;
        read_entries(reader, |entry| {
            stock.delayed.push(entry);
            stock.prompt.get(entry.sequence).is_none()
        })?;
        let mut groups = Vec::new();
        if layout.has_groups() {
            let met = read_groups(reader, |name, _| Ok(stock.fair.declare(&name)))?;
            read_rows(reader, &met, |row| {
                stock.fair.restore(row.group, row.sent);
                stock.fair.push(&row);
                stock.lines().iter().all(|line| line.get(row.sequence).is_none())
            })?;
            groups = met;
        }
        read_held(reader, layout, &groups, |held| {
            let is_new = held.passage.is_none()
                && stock.lines().iter().all(|line| line.get(held.sequence).is_none())
                && stock.fair.rows.get(held.sequence).is_none();
            if let Some(group) = held.group {
                stock.fair.restore(group, held.sent);
            }
            stock.hold(held);
            is_new
        })?;
        if layout.has_groups() {
            let arrivals = Arrivals::read(layout, reader)?;
            if arrivals.iter().any(|held| stock.find(held.sequence).is_some()) {
                return Err(reader.bad());
            }
            stock.arrivals = arrivals;
        }
        stock.fair.is_sound().then_some(stock).ok_or_else(|| reader.bad())
    }
}
