//! The buckets of one tier. Most hold one value, and often the same as the one before: a run of
//! such takes no more memory than one.

use std::collections::BTreeMap;

use crate::codec::{Malformed, Reader, put_double, put_u32};
use crate::summary::Summary;

/// Buckets by their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Buckets {
    /// By the first bucket of the run. No two overlap, and none could be joined with the next.
    runs: BTreeMap<u32, Run>,
    weight: usize,
}

/// Buckets in a row that hold the same.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    length: u32,
    cell: Cell,
}

/// What a bucket holds.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    One(f64),
    Many(Box<Summary>),
}

/// What a run takes in a map, roughly.
const RUN: usize = size_of::<(u32, Run)>() * 3 / 2;

impl Cell {
    fn of(summary: &Summary) -> Self {
        summary.single().map_or_else(|| Self::Many(Box::new(summary.clone())), Self::One)
    }

    fn summary(&self) -> Summary {
        match self {
            Self::One(value) => Summary::of(*value, 1.0),
            Self::Many(summary) => (**summary).clone(),
        }
    }

    fn weight(&self) -> usize {
        RUN + match self {
            Self::One(_) => 0,
            Self::Many(summary) => summary.weight(),
        }
    }

    fn joins(&self, other: &Self) -> bool {
        matches!((self, other), (Self::One(a), Self::One(b)) if a.to_bits() == b.to_bits())
    }
}

impl Buckets {
    /// About how many bytes they take.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The first bucket that holds anything.
    pub(crate) fn first(&self) -> Option<u32> {
        self.runs.first_key_value().map(|(&first, _)| first)
    }

    /// Adds to what a bucket holds.
    pub(crate) fn add(&mut self, bucket: u32, summary: &Summary) {
        let cell = match self.take(bucket) {
            None => Cell::of(summary),
            Some(cell) => {
                let mut whole = cell.summary();
                whole.add(summary);
                Cell::of(&whole)
            }
        };
        self.put(bucket, 1, cell);
    }

    /// Puts a run where none is, and joins it with its neighbours.
    fn put(&mut self, mut first: u32, mut length: u32, cell: Cell) {
        if let Some((&start, run)) = self.runs.range(..first).next_back()
            && start + run.length == first
            && run.cell.joins(&cell)
        {
            length += run.length;
            first = start;
            self.remove(start);
        }
        if let Some(run) = self.runs.get(&(first + length))
            && run.cell.joins(&cell)
        {
            let next = first + length;
            length += run.length;
            self.remove(next);
        }
        self.insert(first, Run { length, cell });
    }

    /// Takes a bucket out.
    fn take(&mut self, bucket: u32) -> Option<Cell> {
        let (&start, run) = self.runs.range(..=bucket).next_back()?;
        let end = start + run.length;
        if end <= bucket {
            return None;
        }
        let run = self.remove(start)?;
        if start < bucket {
            self.insert(start, Run { length: bucket - start, cell: run.cell.clone() });
        }
        if bucket + 1 < end {
            self.insert(bucket + 1, Run { length: end - bucket - 1, cell: run.cell.clone() });
        }
        Some(run.cell)
    }

    fn insert(&mut self, first: u32, run: Run) {
        self.weight += run.cell.weight();
        self.runs.insert(first, run);
    }

    fn remove(&mut self, first: u32) -> Option<Run> {
        let run = self.runs.remove(&first)?;
        self.weight -= run.cell.weight();
        Some(run)
    }

    /// Takes out all buckets before `first`.
    pub(crate) fn take_before(&mut self, first: u32) -> Vec<(u32, Summary)> {
        let mut taken = Vec::new();
        while let Some((&start, run)) = self.runs.first_key_value()
            && start < first
        {
            let end = start + run.length;
            let Some(run) = self.remove(start) else { break };
            let cut = end.min(first);
            taken.extend((start..cut).map(|bucket| (bucket, run.cell.summary())));
            if cut < end {
                self.insert(cut, Run { length: end - cut, cell: run.cell });
            }
        }
        taken
    }

    /// The buckets from `first` up to `end`, in order.
    pub(crate) fn range(&self, first: u32, end: u32) -> impl Iterator<Item = (u32, Summary)> {
        let before = self.runs.range(..first).next_back().map(|(&start, _)| start);
        let runs = self.runs.range(before.unwrap_or(first)..end.max(first));
        runs.flat_map(move |(&start, run)| {
            let buckets = start.max(first)..(start + run.length).min(end);
            buckets.map(|bucket| (bucket, run.cell.summary()))
        })
    }

    /// Their number of runs, then each: its first bucket, its length, and what it holds.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_u32(out, u32::try_from(self.runs.len()).expect("no more runs than buckets"));
        for (first, run) in &self.runs {
            put_u32(out, *first);
            put_u32(out, run.length);
            match &run.cell {
                Cell::One(value) => {
                    out.push(0);
                    put_double(out, *value);
                }
                Cell::Many(summary) => {
                    out.push(1);
                    summary.encode(out);
                }
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (mut all, mut free) = (Self::default(), 0);
        for _ in 0..reader.u32()? {
            let (first, length) = (reader.u32()?, reader.u32()?);
            let cell = match reader.byte()? {
                0 => Cell::One(reader.double()?),
                1 => Cell::Many(Box::new(Summary::decode(reader)?)),
                _ => return Err(Malformed("a bucket in it holds nothing that there is")),
            };
            let end = first.checked_add(length).filter(|_| length > 0 && first >= free);
            free = end.ok_or(Malformed("a run in it overlaps another"))?;
            all.insert(first, Run { length, cell });
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: f64) -> Summary {
        Summary::of(value, 1.0)
    }

    fn sums(buckets: &Buckets, first: u32, end: u32) -> Vec<(u32, f64)> {
        buckets.range(first, end).map(|(bucket, summary)| (bucket, summary.sum)).collect()
    }

    #[test]
    fn the_same_value_in_a_row_takes_the_memory_of_one() {
        let mut buckets = Buckets::default();
        for bucket in (0..1000).step_by(2).chain((1..1000).step_by(2)) {
            buckets.add(bucket, &one(0.0));
        }
        assert_eq!(buckets.runs.len(), 1);
        assert_eq!(buckets.weight(), RUN);
        assert_eq!(buckets.range(0, u32::MAX).count(), 1000);
        assert_eq!(sums(&buckets, 998, 2000), [(998, 0.0), (999, 0.0)]);
    }

    #[test]
    fn a_value_within_a_run_divides_it() {
        let mut buckets = Buckets::default();
        (10..20).for_each(|bucket| buckets.add(bucket, &one(1.0)));
        buckets.add(15, &one(2.0));
        assert_eq!(buckets.runs.len(), 3);
        assert_eq!(sums(&buckets, 14, 17), [(14, 1.0), (15, 3.0), (16, 1.0)]);
        assert_eq!(buckets.range(0, 100).map(|(_, summary)| summary.samples).sum::<f64>(), 11.0);
    }

    #[test]
    fn what_is_old_is_taken_out_and_the_rest_stays() {
        let mut buckets = Buckets::default();
        (10..20).for_each(|bucket| buckets.add(bucket, &one(1.0)));
        buckets.add(3, &one(7.0));
        let taken: Vec<u32> = buckets.take_before(12).into_iter().map(|(at, _)| at).collect();
        assert_eq!(taken, [3, 10, 11]);
        assert_eq!(sums(&buckets, 0, 100).len(), 8);
        assert_eq!(buckets.take_before(100).len(), 8);
        assert!(buckets.is_empty());
        assert_eq!(buckets.weight(), 0);
    }

    #[test]
    fn buckets_read_as_they_were_written() {
        let mut buckets = Buckets::default();
        (10..20).for_each(|bucket| buckets.add(bucket, &one(f64::from(bucket / 5))));
        (0..40).for_each(|value| buckets.add(30, &one(f64::from(value))));
        buckets.add(31, &one(-1.0));
        let mut bytes = Vec::new();
        buckets.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Buckets::decode(&mut reader), Ok(buckets));
        assert_eq!(reader.end(), Ok(()));
        for length in 0..bytes.len() {
            assert!(Buckets::decode(&mut Reader::new(&bytes[..length])).is_err(), "{length}");
        }
    }
}
