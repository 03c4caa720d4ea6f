//! Housekeeping: what keeps the log from growing for ever.
//!
//! Each time a segment is full: survivors of nearly empty segments move to the log's end; queues
//! whose log has grown long get a new section; a checkpoint puts the sections in force, and the
//! segments that nothing needs any more go. Only copies of addresses are made under the lock.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;

use tidemill_journal::{CheckpointError, Position, Segment, SegmentId};

use super::Inner;
use crate::commands::Relocate;
use crate::content::Packed;
use crate::key::{QueueNumber, Sequence};
use crate::machine::{SHARD_SECTION, section_name};
use crate::queue::Coverage;
use crate::record::Header;
use crate::refusal::{Error, Failure};

/// A queue gets a new section when its first record that no section holds is this many segments
/// behind the log's end: the price of a restart against that of sections.
const SEGMENTS_BEHIND: u64 = 4;
/// And that many times the size of its last section: or a queue with a large backlog would write
/// more sections than log.
const SECTIONS_BEHIND: u64 = 2;
/// A segment is cleared when at most this part of the messages written there still live.
const CLEAR_BELOW_PERCENT: u64 = 30;
/// At most this many messages move at a time.
const MOVES: usize = 4096;
/// Messages stop moving at this many bytes.
const MOVED_BYTES: usize = 16 << 20;

/// The sections that were made in a pass: where each was taken, and its size in bytes.
type Made = BTreeMap<QueueNumber, (Position, u64)>;

/// What a checkpoint will say.
struct Plan {
    replay_from: Position,
    sections: Vec<(String, Position)>,
    discard: Vec<SegmentId>,
    /// Where the shard's own section is taken, and what it says.
    shard: (Position, Vec<u8>),
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Poisoned(poisoned) => Self::Poisoned(poisoned),
            other => Self::Checkpoint(other.to_string()),
        }
    }
}

impl Inner {
    /// One pass. Blocks on the disk.
    pub(super) fn keep_house(&self) -> Result<(), Failure> {
        let _alone = self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner);
        let segments = self.journal.segments();
        self.move_survivors(&segments)?;
        let made = self.make_sections(&segments);
        let done = made.and_then(|made| {
            let plan = self.plan(&segments, &made);
            let (at, bytes) = &plan.shard;
            // Waits until the log is durable up to here. So the deaths are that let segments go.
            self.journal.put_section(SHARD_SECTION, *at, bytes)?;
            self.journal.checkpoint(plan.replay_from, &plan.sections, &plan.discard)?;
            Ok(made)
        });
        self.conclude(done)
    }

    /// Makes new sections for the queues that need one. Says where each was taken.
    fn make_sections(&self, segments: &[Segment]) -> Result<Made, Failure> {
        let Some(recent) = recent_from(segments) else { return Ok(Made::new()) };
        let end = self.journal.end().as_u64();
        let is_behind = |coverage: &Coverage| {
            coverage.first.is_some_and(|first| {
                first < recent && end - first.as_u64() >= SECTIONS_BEHIND * coverage.size
            })
        };
        let behind: Vec<_> = {
            let shard = self.lock();
            let queues = shard.machine.queues();
            queues
                .filter(|queue| is_behind(&queue.memory.coverage))
                .map(|queue| queue.facts.number)
                .collect()
        };
        let mut made = Made::new();
        for number in behind {
            let (view, at) = {
                let mut shard = self.lock();
                let Ok(queue) = shard.machine.queue_mut(number) else { continue };
                queue.memory.coverage.begin();
                (queue.view(), self.journal.end())
            };
            let bytes = view.write();
            self.journal.put_section(&section_name(number), at, &bytes)?;
            made.insert(number, (at, u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        }
        Ok(made)
    }

    fn plan(&self, segments: &[Segment], made: &Made) -> Plan {
        let shard = self.lock();
        let at = self.journal.end();
        let mut replay_from = at;
        let mut sections = vec![(SHARD_SECTION.to_owned(), at)];
        for queue in shard.machine.queues() {
            let (number, coverage) = (queue.facts.number, &queue.memory.coverage);
            replay_from =
                coverage.first_after().map_or(replay_from, |first| first.min(replay_from));
            if let Some(taken) = made.get(&number).map(|(at, _)| *at).or(coverage.section) {
                sections.push((section_name(number), taken));
            }
        }
        let empty = |segment: &&Segment| {
            let range = &segment.range;
            segment.sealed
                && range.end <= replay_from
                && shard.machine.ground.population(range).live == 0
        };
        let discard = segments.iter().filter(empty).map(|segment| segment.id).collect();
        Plan { replay_from, sections, discard, shard: (at, shard.machine.write_shard()) }
    }

    /// Notes what is in force now.
    fn conclude(&self, done: Result<Made, Failure>) -> Result<(), Failure> {
        let mut shard = self.lock();
        let (made, outcome) = match done {
            Ok(made) => (made, Ok(())),
            Err(failure) => (Made::new(), Err(failure)),
        };
        for queue in shard.machine.queues_mut() {
            match made.get(&queue.facts.number) {
                Some((at, size)) => queue.memory.coverage.finish(*at, *size),
                None => queue.memory.coverage.abandon(),
            }
        }
        let segments = self.journal.segments().into_iter();
        let kept: Vec<_> = segments.map(|segment| segment.range).collect();
        shard.machine.ground.keep_only(&kept);
        outcome
    }

    /// Moves those who survived in nearly empty segments to the log's end.
    fn move_survivors(&self, segments: &[Segment]) -> Result<(), Failure> {
        let victims = self.nearly_empty(segments);
        if victims.is_empty() {
            return Ok(());
        }
        let mut bytes = 0;
        for (queue, sequence, from) in self.survivors(&victims) {
            if bytes > MOVED_BYTES {
                break;
            }
            bytes += self.move_one(queue, sequence, from)?;
        }
        Ok(())
    }

    /// Sealed segments, oldest first, that are worth clearing: few live there, and the log that
    /// is replayed begins after them or soon will.
    fn nearly_empty(&self, segments: &[Segment]) -> Vec<Range<Position>> {
        let Some(recent) = recent_from(segments) else { return Vec::new() };
        let shard = self.lock();
        let mut moving = 0;
        let worth = |segment: &&Segment| {
            let population = shard.machine.ground.population(&segment.range);
            let few = population.live * 100 <= population.born * CLEAR_BELOW_PERCENT;
            population.live > 0 && few
        };
        segments
            .iter()
            .filter(|segment| segment.sealed && segment.range.end <= recent)
            .filter(worth)
            .take_while(|segment| {
                let before = moving;
                moving += shard.machine.ground.population(&segment.range).live;
                before < u64::try_from(MOVES).unwrap_or(u64::MAX)
            })
            .map(|segment| segment.range.clone())
            .collect()
    }

    fn survivors(&self, victims: &[Range<Position>]) -> Vec<(QueueNumber, Sequence, Position)> {
        let numbers: Vec<_> =
            self.lock().machine.queues().map(|queue| queue.facts.number).collect();
        let mut found = Vec::new();
        for number in numbers {
            let Some(view) = self.stock_view(number) else { continue };
            let there = view.places().filter(|(_, at)| is_within(*at, victims));
            found.extend(
                there.map(|(sequence, at)| (number, sequence, at)).take(MOVES - found.len()),
            );
        }
        found
    }

    fn stock_view(&self, number: QueueNumber) -> Option<crate::stock::StockView> {
        self.lock().machine.queue(number).ok().map(|queue| queue.stock.view())
    }

    /// Moves one message, unless it is gone by now; returns how many bytes that wrote.
    fn move_one(
        &self,
        queue: QueueNumber,
        sequence: Sequence,
        from: Position,
    ) -> Result<usize, Failure> {
        let record = match self.journal.read(from) {
            Ok(record) => record,
            Err(error) => {
                // Its segment stays, for a repair to find it there.
                tracing::warn!(queue = queue.0, %sequence, %error, "a message could not be moved");
                return Ok(0);
            }
        };
        let payload = record.payload;
        let parts = Header::read(&payload)
            .and_then(|header| Ok((header, Packed::read(&payload.slice(Header::SIZE..))?)));
        let Ok((header, content)) = parts else {
            tracing::error!(queue = queue.0, %sequence, position = %from, "unreadable message");
            return Ok(0);
        };
        if (header.queue, header.sequence) != (queue, sequence) {
            tracing::error!(queue = queue.0, %sequence, position = %from, "not the message meant");
            return Ok(0);
        }
        let mut shard = self.lock();
        match self.commit(&mut shard, &Relocate { header, from }, &[content]) {
            Ok(_) => Ok(payload.len()),
            Err(Error::Refused(_)) => Ok(0),
            Err(Error::Failed(failure)) => Err(failure),
        }
    }
}

/// Where the last few segments begin; what is older is worth some work.
fn recent_from(segments: &[Segment]) -> Option<Position> {
    let behind = usize::try_from(SEGMENTS_BEHIND).unwrap_or(usize::MAX);
    let index = segments.len().checked_sub(behind)?;
    segments.get(index).map(|segment| segment.range.start)
}

fn is_within(at: Position, ranges: &[Range<Position>]) -> bool {
    // Segments come in order.
    let index = ranges.partition_point(|range| range.end <= at);
    ranges.get(index).is_some_and(|range| range.contains(&at))
}
