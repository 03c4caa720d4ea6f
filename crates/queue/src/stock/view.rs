//! A copy of a stock, for a snapshot: taken under the lock, written outside.

use std::collections::VecDeque;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::{Place, Stock};
use crate::codec::{Put, Reader, Unreadable};
use crate::key::Sequence;
use crate::line::{Entry, Line};
use crate::loose::{Held, Pages};

/// A copy of what is persisted of a stock. It costs little to take, and shares what it can.
#[derive(Clone, Debug)]
pub(crate) struct StockView {
    prompt: Line,
    ripe: Line,
    delayed: Line,
    loose: Pages,
    fresh: VecDeque<(Entry, Place)>,
    delayed_until: Timestamp,
}

impl StockView {
    /// Every message, with where its record is.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Sequence, Position)> + '_ {
        let lines = [&self.prompt, &self.ripe, &self.delayed].into_iter().flat_map(Line::iter);
        let entries = lines.chain(self.fresh.iter().map(|(entry, _)| *entry));
        let loose = self.loose.iter().map(|held| (held.sequence, held.position));
        entries.map(|entry| (entry.sequence, entry.position)).chain(loose)
    }

    /// Layout: end of the delayed line (u64 ms), the prompt line, the delayed line, the loose.
    ///
    /// Written as if everything were durable and nothing had come due: a checkpoint holds only
    /// what is durable by the time it is in force, and the rest is time's to tell.
    pub(crate) fn write(mut self, out: &mut Vec<u8>) {
        out.put_time(self.delayed_until);
        let mut loose: Vec<Held> = self.loose.iter().copied().collect();
        let mut late = Vec::new();
        for (entry, place) in &self.fresh {
            match place {
                Place::Prompt => self.prompt.push(entry),
                Place::Delayed => late.push(*entry),
                Place::Loose => loose.push(Held::from(*entry)),
            }
        }
        write_entries(self.prompt.len(), self.prompt.iter(), out);
        let count = self.ripe.len() + self.delayed.len() + late.len();
        write_entries(count, self.ripe.iter().chain(self.delayed.iter()).chain(late), out);
        loose.sort_unstable_by_key(|held| held.sequence);
        write_held(&loose, out);
    }
}

impl Stock {
    pub(crate) fn view(&self) -> StockView {
        StockView {
            prompt: self.prompt.clone(),
            ripe: self.ripe.clone(),
            delayed: self.delayed.clone(),
            loose: self.loose.pages().clone(),
            fresh: self.fresh.clone(),
            delayed_until: self.delayed_until,
        }
    }

    /// Reads what [`StockView::write`] wrote.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut stock = Self { delayed_until: reader.time()?, ..Self::default() };
        read_entries(reader, |entry| {
            stock.prompt.push(entry);
            true
        })?;
        read_entries(reader, |entry| {
            stock.delayed.push(entry);
            stock.prompt.get(entry.sequence).is_none()
        })?;
        read_held(reader, |held| {
            let is_new = stock.lines().iter().all(|line| line.get(held.sequence).is_none());
            stock.loose.insert(held, Timestamp::EPOCH);
            is_new
        })?;
        Ok(stock)
    }
}

/// A line: how many, and of each: sequence and time sent as distances from the one before, where
/// its record is, its delay (varints).
fn write_entries(count: usize, entries: impl Iterator<Item = Entry>, out: &mut Vec<u8>) {
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
fn read_entries(
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

/// The loose: how many, and of each: sequence as a distance, where its record is, when it was
/// sent, when it is due, how often it was received and, if it was, when first (varints).
fn write_held(all: &[Held], out: &mut Vec<u8>) {
    out.put_len(all.len());
    let mut sequence = 0;
    for held in all {
        out.put_varint(held.sequence.0 - sequence);
        out.put_varint(held.position.as_u64());
        out.put_varint(held.sent.as_millis());
        out.put_varint(held.due.as_millis());
        out.put_varint(held.receives.into());
        if held.receives > 0 {
            out.put_varint(held.first_received.as_millis());
        }
        sequence = held.sequence.0;
    }
}

/// `insert` says whether the message is where no other is.
fn read_held(
    reader: &mut Reader<'_>,
    mut insert: impl FnMut(Held) -> bool,
) -> Result<(), Unreadable> {
    let mut sequence = Sequence(0);
    for _ in 0..reader.len()? {
        sequence = reader.next_sequence(sequence)?;
        let position = reader.position()?;
        let sent = Timestamp::from_millis(reader.varint()?);
        let due = Timestamp::from_millis(reader.varint()?);
        let receives = u32::try_from(reader.varint()?).map_err(|_| reader.bad())?;
        let first_received =
            if receives > 0 { Timestamp::from_millis(reader.varint()?) } else { Timestamp::NEVER };
        if !insert(Held { sequence, position, sent, due, receives, first_received }) {
            return Err(reader.bad());
        }
    }
    Ok(())
}
