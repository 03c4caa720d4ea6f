//! The lists that sections of both kinds of queue are made of.

use std::collections::HashMap;
use std::sync::Arc;

use tidemill_base::Timestamp;

use crate::codec::{Put, Reader, Unreadable};
use crate::groups::{GroupId, GroupPages};
use crate::key::Sequence;
use crate::line::Entry;
use crate::loose::Held;
use crate::passage::Passage;
use crate::rows::Row;

/// The groups that a section speaks of, numbered from 1 in the order in which it meets them: so it
/// does not depend on which numbers they have in memory.
pub(super) struct Met {
    ids: Vec<GroupId>,
    numbers: HashMap<GroupId, u64>,
}

impl Met {
    /// Meets the groups of the rows, then those of the loose.
    pub(super) fn with(rows: &[Row], loose: &[Held]) -> Self {
        let mut met = Self { ids: Vec::new(), numbers: HashMap::new() };
        let groups = rows.iter().map(|row| row.group);
        for id in groups.chain(loose.iter().filter_map(|held| held.group)) {
            if !met.numbers.contains_key(&id) {
                met.ids.push(id);
                met.numbers.insert(id, u64::try_from(met.ids.len()).unwrap_or(u64::MAX));
            }
        }
        met
    }

    /// 0 is no group.
    fn number(&self, id: Option<GroupId>) -> u64 {
        id.map_or(0, |id| self.numbers[&id])
    }

    /// How many, and of each: its name, then what `own` writes of it.
    pub(super) fn write<G>(
        &self,
        groups: &GroupPages<G>,
        out: &mut Vec<u8>,
        own: impl Fn(&G, &mut Vec<u8>),
    ) {
        out.put_len(self.ids.len());
        for id in &self.ids {
            let group = groups.get(*id);
            out.put_text(&group.name);
            own(&group.own, out);
        }
    }
}

/// The groups of a section that is read: `enter` makes one of its name and what it reads itself.
pub(super) fn read_groups(
    reader: &mut Reader<'_>,
    mut enter: impl FnMut(Arc<str>, &mut Reader<'_>) -> Result<GroupId, Unreadable>,
) -> Result<Vec<GroupId>, Unreadable> {
    (0..reader.len()?)
        .map(|_| {
            let name = reader.text()?.into();
            enter(name, reader)
        })
        .collect()
}

fn read_group(reader: &mut Reader<'_>, groups: &[GroupId]) -> Result<Option<GroupId>, Unreadable> {
    let number = usize::try_from(reader.varint()?).map_err(|_| reader.bad())?;
    match number.checked_sub(1) {
        None => Ok(None),
        Some(index) => groups.get(index).copied().map(Some).ok_or_else(|| reader.bad()),
    }
}

/// A line: how many, and of each: sequence and time sent as distances from the one before, where
/// its record is, its delay (varints).
pub(super) fn write_entries(count: usize, entries: impl Iterator<Item = Entry>, out: &mut Vec<u8>) {
    out.put_len(count);
    let (mut sequence, mut sent) = (0, 0);
    for entry in entries {
        out.put_varint(entry.sequence.0 - sequence);
        // The clock may have gone back.
        out.put_varint(entry.sent.as_millis().wrapping_sub(sent));
        out.put_varint(entry.position.as_u64());
        out.put_varint(entry.delay.into());
        (sequence, sent) = (entry.sequence.0, entry.sent.as_millis());
    }
}

/// `push` says whether the entry is where no other is.
pub(super) fn read_entries(
    reader: &mut Reader<'_>,
    mut push: impl FnMut(&Entry) -> bool,
) -> Result<(), Unreadable> {
    let (mut sequence, mut sent) = (Sequence(0), 0_u64);
    for _ in 0..reader.len()? {
        sequence = reader.next_sequence(sequence)?;
        sent = sent.wrapping_add(reader.varint()?);
        let is_new = push(&Entry {
            sequence,
            sent: Timestamp::from_millis(sent),
            position: reader.position()?,
            delay: u16::try_from(reader.varint()?).map_err(|_| reader.bad())?,
        });
        if !is_new {
            return Err(reader.bad());
        }
    }
    Ok(())
}

/// Rows: how many, and of each: sequence and time sent as distances from the one before, where its
/// record is, its group (varints).
pub(super) fn write_rows(rows: &[Row], met: &Met, out: &mut Vec<u8>) {
    out.put_len(rows.len());
    let (mut sequence, mut sent) = (0, 0);
    for row in rows {
        out.put_varint(row.sequence.0 - sequence);
        out.put_varint(row.sent.as_millis().wrapping_sub(sent));
        out.put_varint(row.position.as_u64());
        out.put_varint(met.number(Some(row.group)));
        (sequence, sent) = (row.sequence.0, row.sent.as_millis());
    }
}

/// `push` says whether the row is where no other is.
pub(super) fn read_rows(
    reader: &mut Reader<'_>,
    groups: &[GroupId],
    mut push: impl FnMut(Row) -> bool,
) -> Result<(), Unreadable> {
    let (mut sequence, mut sent) = (Sequence(0), 0_u64);
    for _ in 0..reader.len()? {
        sequence = reader.next_sequence(sequence)?;
        sent = sent.wrapping_add(reader.varint()?);
        let row = Row {
            sequence,
            sent: Timestamp::from_millis(sent),
            position: reader.position()?,
            group: read_group(reader, groups)?.ok_or_else(|| reader.bad())?,
        };
        if !push(row) {
            return Err(reader.bad());
        }
    }
    Ok(())
}

/// Which version of a queue's section is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout(pub(crate) u8);

impl Layout {
    /// Whether it speaks of groups, and of other queues.
    pub(super) fn has_groups(self) -> bool {
        self.0 > 1
    }

    fn has_holders(self) -> bool {
        self.0 > 2
    }
}

/// The loose: how many, and of each: sequence as a distance, where its record is, when it was
/// sent, when it is due, its group or 0, four times how often it was received, two more if it is
/// known by whom and one more if it came from another queue, if it was received when first and how
/// long after that last (varints), if it is known by whom (u64), if it came how.
pub(super) fn write_held(all: &[Held], met: &Met, out: &mut Vec<u8>) {
    out.put_len(all.len());
    let mut sequence = 0;
    for held in all {
        out.put_varint(held.sequence.0 - sequence);
        out.put_varint(held.position.as_u64());
        out.put_varint(held.sent.as_millis());
        out.put_varint(held.due.as_millis());
        out.put_varint(met.number(held.group));
        let came = u64::from(held.passage.is_some());
        let is_known = u64::from(held.holder.is_some());
        out.put_varint(u64::from(held.receives) << 2 | is_known << 1 | came);
        if held.receives > 0 {
            let first = held.first_received.as_millis();
            out.put_varint(first);
            // The clock may have gone back.
            out.put_varint(held.received.as_millis().wrapping_sub(first));
        }
        if let Some(holder) = held.holder {
            out.put_u64(holder.as_u64());
        }
        if let Some(passage) = &held.passage {
            passage.write(out);
        }
        sequence = held.sequence.0;
    }
}

/// `groups` are those of the section; `insert` says whether the message is where no other is.
pub(super) fn read_held(
    reader: &mut Reader<'_>,
    layout: Layout,
    groups: &[GroupId],
    mut insert: impl FnMut(Held) -> bool,
) -> Result<(), Unreadable> {
    let mut sequence = Sequence(0);
    for _ in 0..reader.len()? {
        sequence = reader.next_sequence(sequence)?;
        let position = reader.position()?;
        let sent = Timestamp::from_millis(reader.varint()?);
        let due = Timestamp::from_millis(reader.varint()?);
        let group = if layout.has_groups() { read_group(reader, groups)? } else { None };
        let receives = reader.varint()?;
        let (receives, has_holder, has_passage) = match layout {
            _ if layout.has_holders() => (receives >> 2, receives & 2 > 0, receives & 1 > 0),
            _ if layout.has_groups() => (receives >> 1, false, receives & 1 > 0),
            _ => (receives, false, false),
        };
        let receives = u32::try_from(receives).map_err(|_| reader.bad())?;
        let (mut first_received, mut received) = (Timestamp::NEVER, Timestamp::NEVER);
        if receives > 0 {
            first_received = Timestamp::from_millis(reader.varint()?);
            // A section that knows no groups does not know this either.
            let since = if layout.has_groups() { reader.varint()? } else { 0 };
            received = Timestamp::from_millis(first_received.as_millis().wrapping_add(since));
        }
        let holder = has_holder.then(|| reader.holder()).transpose()?;
        let passage = has_passage.then(|| Passage::read(reader)).transpose()?;
        let held = Held {
            sequence,
            position,
            sent,
            due,
            receives,
            group,
            first_received,
            received,
            holder,
            passage,
        };
        if !insert(held) {
            return Err(reader.bad());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holder::Holder;

    fn read(layout: Layout, bytes: &[u8]) -> Vec<Held> {
        let (mut reader, mut all) = (Reader::new("the loose", bytes), Vec::new());
        read_held(&mut reader, layout, &[], |held| {
            all.push(held);
            true
        })
        .unwrap();
        reader.finish().unwrap();
        all
    }

    #[test]
    fn what_older_versions_wrote_is_still_read() {
        // Sequence, position, sent, due, in version 2 the group, receives, when first and since.
        let first = read(Layout(1), &[1, 7, 8, 1, 2, 3, 1]);
        let second = read(Layout(2), &[1, 7, 8, 1, 2, 0, 3 << 1, 1, 0]);
        assert_eq!(first, second);
        assert_eq!((first[0].sequence, first[0].receives), (Sequence(7), 3));
    }

    #[test]
    fn what_is_written_reads_back() {
        let holder = Holder::from_u64(u64::MAX);
        let held = read(Layout(2), &[1, 7, 8, 1, 2, 0, 3 << 1, 1, 0])[0];
        let held = [held, Held { sequence: Sequence(9), holder, ..held }];
        let mut bytes = Vec::new();
        write_held(&held, &Met::with(&[], &held), &mut bytes);
        assert_eq!(read(Layout(3), &bytes), held);
    }
}
