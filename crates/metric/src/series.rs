//! What is known of one metric: its values by unit, each in four tiers of buckets.

use tidemill_base::Timestamp;

use crate::buckets::Buckets;
use crate::codec::{Malformed, Reader, length, put_u32};
use crate::summary::Summary;
use crate::tier::{Retention, Tier};
use crate::unit::Unit;

/// One metric's values, by unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    units: Vec<(Unit, [Buckets; 4])>,
}

impl Series {
    pub(crate) fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// About how many bytes they take.
    pub(crate) fn weight(&self) -> usize {
        let buckets = self.units.iter().flat_map(|(_, tiers)| tiers);
        buckets.map(Buckets::weight).sum::<usize>()
            + self.units.len() * size_of::<(Unit, [Buckets; 4])>()
    }

    /// Adds values of the time `at` to a tier.
    pub(crate) fn add(&mut self, (unit, at): (Unit, Timestamp), tier: Tier, summary: &Summary) {
        let at_unit = match self.units.binary_search_by_key(&unit, |(unit, _)| *unit) {
            Ok(found) => found,
            Err(place) => {
                self.units.insert(place, (unit, Default::default()));
                place
            }
        };
        self.units[at_unit].1[tier as usize].add(tier.bucket(at), summary);
    }

    /// Whether anything is too old for its tier.
    pub(crate) fn has_older(&self, retention: Retention, now: Timestamp) -> bool {
        self.units.iter().any(|(_, tiers)| {
            Tier::ALL.into_iter().any(|tier| {
                let first = tiers[tier as usize].first();
                first.is_some_and(|first| first < retention.first(tier, now))
            })
        })
    }

    /// Moves to coarser tiers what is too old for its own, and forgets what is too old for any.
    pub(crate) fn age(&mut self, retention: Retention, now: Timestamp) {
        for (_, tiers) in &mut self.units {
            for tier in Tier::ALL {
                let old = tiers[tier as usize].take_before(retention.first(tier, now));
                for (bucket, summary) in old {
                    let start = tier.start(bucket);
                    if let Some(next) = retention.tier_at(tier, start, now) {
                        tiers[next as usize].add(next.bucket(start), &summary);
                    }
                }
            }
        }
        self.units.retain(|(_, tiers)| !tiers.iter().all(Buckets::is_empty));
    }

    /// The buckets of `unit`, or of all, that begin between `from` and `until`, each in the tier
    /// where it belongs at `now`, whether it was moved there yet or not.
    pub(crate) fn between(
        &self,
        unit: Option<Unit>,
        (from, until): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> impl Iterator<Item = (Unit, Tier, Timestamp, Summary)> {
        let units = self.units.iter().filter(move |(one, _)| unit.is_none_or(|unit| unit == *one));
        let tiers = units.flat_map(|(unit, tiers)| {
            Tier::ALL.into_iter().map(move |tier| (*unit, tier, &tiers[tier as usize]))
        });
        tiers.flat_map(move |(unit, tier, buckets)| {
            let range = buckets.range(tier.bucket(from), tier.bucket(until).saturating_add(1));
            range.filter_map(move |(bucket, summary)| {
                let start = tier.start(bucket);
                let tier = Retention::default().tier_at(tier, start, now)?;
                let start = tier.start(tier.bucket(start));
                (from <= start && start < until).then_some((unit, tier, start, summary))
            })
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_u32(out, length(self.units.len()));
        for (unit, tiers) in &self.units {
            out.push(unit.number());
            for buckets in tiers {
                buckets.encode(out);
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut units: Vec<(Unit, [Buckets; 4])> = Vec::new();
        for _ in 0..reader.u32()? {
            let unit = read_unit(reader)?;
            if units.last().is_some_and(|(last, _)| *last >= unit) {
                return Err(Malformed("its units are out of order"));
            }
            let mut tiers: [Buckets; 4] = Default::default();
            for buckets in &mut tiers {
                *buckets = Buckets::decode(reader)?;
            }
            units.push((unit, tiers));
        }
        Ok(Self { units })
    }
}

pub(crate) fn read_unit(reader: &mut Reader<'_>) -> Result<Unit, Malformed> {
    Unit::from_number(reader.byte()?).ok_or(Malformed("a unit in it is unknown"))
}
