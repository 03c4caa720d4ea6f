//! Housekeeping: what keeps the log from growing for ever.
//!
//! Each time a segment is full: survivors of nearly empty segments move to the log's end; queues
//! whose log has grown long get a new section; a checkpoint puts the sections in force, and the
//! segments that nothing needs any more go. Only copies of addresses are made under the lock.
//!
//! Deletions write so little that a segment takes long to fill, and it is they who make room. So a
//! log that has hardly grown for a while gets a pass, too, if there is something to let go.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::PoisonError;
use std::time::Duration;

use tidemill_journal::{CheckpointError, Position, Section, Segment, SegmentId};

use super::Inner;
use crate::commands::Relocate;
use crate::content::Packed;
use crate::ground::Population;
use crate::key::{QueueNumber, Sequence};
use crate::machine::{SHARD_SECTION, section_name};
use crate::queue::Queue;
use crate::record::Header;
use crate::refusal::{Error, Failure};
use crate::settings::Discipline;

/// A queue gets a new section when its first record that no section holds is this many segments
/// behind the log's end: the price of a restart against that of sections.
const SEGMENTS_BEHIND: usize = 4;
/// And that many times the size of its last section: or a queue with a large backlog would write
/// more sections than log.
const SECTIONS_BEHIND: u64 = 2;
/// A log that was not tidied for so long, and is written to, is looked at.
const LULL: Duration = Duration::from_secs(10);
/// What a section of a standard queue takes at most for a message, more or less, in bytes,
const MESSAGE_BYTES: u64 = 64;
/// and for the queue itself.
const QUEUE_BYTES: u64 = 64 << 10;
/// A segment may be cleared when at most this part of the messages written there still live.
const CLEAR_BELOW_PERCENT: u64 = 30;
/// And when they are at most this part of its bytes: each pass then frees more than it writes.
/// Large messages among many small ones would else be moved again and again.
const MOVE_BELOW_PERCENT: u64 = 50;
/// Sections are stored together, and gather until they have this many bytes: each store takes a
/// few syncs, however many sections it stores.
const SECTION_BYTES: usize = 4 << 20;
/// At most this many messages move at a time.
const MOVES: usize = 4096;
/// Messages stop moving at this many bytes.
const MOVED_BYTES: usize = 16 << 20;

/// The sections that were made in a pass: where each was taken, and its size in bytes.
type Made = BTreeMap<QueueNumber, (Position, u64)>;

/// What housekeeping remembers from one pass to the next.
#[derive(Debug, Default)]
pub(super) struct House {
    /// Segments in which few live who take much room, and how many they were. To find out, their
    /// records are read, so it is not tried again before half of them are gone.
    heavy: BTreeMap<SegmentId, u64>,
    /// Segments that were cleared as far as that goes, and how many live there yet: one that cannot
    /// be read stays, for a repair.
    cleared: BTreeMap<SegmentId, u64>,
    /// Where the log ended when the last pass began.
    kept: Position,
    /// When that was, or when the log was looked at last without a pass.
    looked: Duration,
    /// Whether the next pass is to let go of all that it can: the log hardly grows.
    thorough: bool,
}

/// A message that lives in a segment that is to be cleared.
#[derive(Clone, Copy, Debug)]
struct Survivor {
    queue: QueueNumber,
    sequence: Sequence,
    at: Position,
}

/// A survivor's record, ready to be written again.
struct Loaded {
    relocate: Relocate,
    content: Packed,
    /// In bytes.
    size: usize,
}

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
        let started = self.clock.monotonic();
        let mut house = self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner);
        house.kept = self.journal.end();
        house.looked = started;
        let segments = self.journal.segments();
        let recent = self.recent_from(&segments, std::mem::take(&mut house.thorough));
        self.move_survivors(&segments, recent, &mut house)?;
        let made = self.make_sections(recent);
        let done = made.and_then(|made| {
            // Before the shard's section is taken, so that it is behind every death seen here.
            let sealed = segments.iter().filter(|segment| segment.sealed);
            let empty = sealed.filter(|segment| self.population(&segment.range).live == 0);
            let plan = self.plan(empty.collect(), &made);
            let (at, bytes) = &plan.shard;
            // Waits until the log is durable up to here. So the deaths are that let segments go.
            self.journal.put_section(SHARD_SECTION, *at, bytes)?;
            self.journal.checkpoint(plan.replay_from, &plan.sections, &plan.discard)?;
            let took = self.clock.monotonic().saturating_sub(started);
            tracing::debug!(?took, sections = made.len(), gone = plan.discard.len(), "kept house");
            Ok(made)
        });
        self.conclude(done)
    }

    /// Calls for a pass over a log that hardly grows, if there is something to let go. `now` is
    /// the clock's monotonic time.
    pub(super) fn look_at_log(&self, now: Duration) {
        // Whoever holds it keeps house just now.
        let Ok(mut house) = self.housekeeping.try_lock() else { return };
        if self.journal.end() == house.kept || now.saturating_sub(house.looked) < LULL {
            return;
        }
        house.looked = now;
        if self.can_let_go(&house) {
            house.thorough = true;
            self.untidy.notify_one();
        }
    }

    /// Whether a thorough pass would let a segment go, or move somebody out of one. A segment in
    /// which nobody lives may have to stay: an older section is followed by the records in it.
    fn can_let_go(&self, house: &House) -> bool {
        let segments = self.journal.segments();
        let Some(recent) = self.recent_from(&segments, true) else { return false };
        let end = self.journal.end();
        let kept_from = {
            let shard = self.lock();
            let settled = shard.machine.queues().filter(|queue| !is_behind(queue, recent, end));
            settled.filter_map(|queue| queue.memory.coverage.first).min().unwrap_or(end)
        };
        segments.iter().filter(|segment| segment.sealed).any(|segment| {
            // The lock is let go between segments, for others to get a turn.
            let population = self.population(&segment.range);
            match population.live {
                0 => segment.range.end <= kept_from,
                live => {
                    house.is_worth(segment.id, population)
                        && segment.range.end <= recent
                        && house.cleared.get(&segment.id) != Some(&live)
                }
            }
        })
    }

    /// Makes new sections for the queues that need one. Says where each was taken.
    fn make_sections(&self, recent: Option<Position>) -> Result<Made, Failure> {
        let Some(recent) = recent else { return Ok(Made::new()) };
        let end = self.journal.end();
        let behind: Vec<_> = {
            let shard = self.lock();
            let behind = shard.machine.queues().filter(|queue| is_behind(queue, recent, end));
            behind.map(|queue| queue.facts.number).collect()
        };
        let mut made = Made::new();
        let (mut sections, mut waiting) = (Vec::new(), 0);
        for number in behind {
            let (view, at) = {
                let mut shard = self.lock();
                let Ok(queue) = shard.machine.queue_mut(number) else { continue };
                queue.memory.coverage.begin();
                (queue.view(), self.journal.end())
            };
            let bytes = view.write();
            waiting += bytes.len();
            made.insert(number, (at, size(bytes.len())));
            sections.push(Section { name: section_name(number), at, bytes });
            if waiting > SECTION_BYTES {
                self.journal.put_sections(&std::mem::take(&mut sections))?;
                waiting = 0;
            }
        }
        self.journal.put_sections(&sections)?;
        Ok(made)
    }

    /// What the next checkpoint says. Nobody lives in the segments `empty`.
    fn plan(&self, empty: Vec<&Segment>, made: &Made) -> Plan {
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
        let before = empty.into_iter().filter(|segment| segment.range.end <= replay_from);
        let discard = before.map(|segment| segment.id).collect();
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
    fn move_survivors(
        &self,
        segments: &[Segment],
        recent: Option<Position>,
        house: &mut House,
    ) -> Result<(), Failure> {
        let first = segments.first().map(|segment| segment.id);
        for known in [&mut house.heavy, &mut house.cleared] {
            known.retain(|id, _| first.is_some_and(|first| *id >= first));
        }
        let victims = self.nearly_empty(segments, recent, house);
        let ranges: Vec<_> = victims.iter().map(|victim| victim.range.clone()).collect();
        let mut survivors = self.survivors(&ranges);
        // Else some of the last segment's may be missing.
        let complete = survivors.len() < MOVES;
        let mut moved = 0;
        for victim in victims {
            if moved > MOVED_BYTES {
                break;
            }
            let here = survivors.extract_if(.., |survivor| victim.range.contains(&survivor.at));
            let found: Vec<_> = here.filter_map(|survivor| self.load(&survivor)).collect();
            let bytes: usize = found.iter().map(|one| one.size).sum();
            let room = victim.range.end.as_u64() - victim.range.start.as_u64();
            if size(bytes) * 100 > room * MOVE_BELOW_PERCENT {
                house.heavy.insert(victim.id, self.population(&victim.range).live);
                continue;
            }
            for one in found {
                moved += self.move_one(&one)?;
            }
            if complete {
                house.cleared.insert(victim.id, self.population(&victim.range).live);
            }
        }
        Ok(())
    }

    /// Sealed segments, oldest first, that may be worth clearing: few live there, and the log
    /// that is replayed begins after them or soon will.
    fn nearly_empty(
        &self,
        segments: &[Segment],
        recent: Option<Position>,
        house: &House,
    ) -> Vec<Segment> {
        let Some(recent) = recent else { return Vec::new() };
        let mut moving = 0;
        let mut victims = Vec::new();
        for segment in segments {
            if !segment.sealed || segment.range.end > recent || moving >= size(MOVES) {
                break;
            }
            // The lock is let go between segments, for others to get a turn.
            let population = self.population(&segment.range);
            if house.is_worth(segment.id, population) {
                moving += population.live;
                victims.push(segment.clone());
            }
        }
        victims
    }

    fn population(&self, range: &Range<Position>) -> Population {
        self.lock().machine.ground.population(range)
    }

    fn survivors(&self, victims: &[Range<Position>]) -> Vec<Survivor> {
        if victims.is_empty() {
            return Vec::new();
        }
        let numbers: Vec<_> =
            self.lock().machine.queues().map(|queue| queue.facts.number).collect();
        let mut found = Vec::new();
        for queue in numbers {
            let Some(view) = self.stock_view(queue) else { continue };
            let there = view.places().filter(|(_, at)| is_within(*at, victims));
            let there = there.map(|(sequence, at)| Survivor { queue, sequence, at });
            found.extend(there.take(MOVES - found.len()));
        }
        found
    }

    fn stock_view(&self, number: QueueNumber) -> Option<crate::stock::StockView> {
        self.lock().machine.queue(number).ok().map(|queue| queue.stock.view())
    }

    /// Reads a survivor's record. One that cannot be read stays, and its segment with it, for a
    /// repair to find it there.
    fn load(&self, survivor: &Survivor) -> Option<Loaded> {
        let Survivor { queue, sequence, at } = *survivor;
        let record = match self.journal.read(at) {
            Ok(record) => record,
            Err(error) => {
                tracing::warn!(queue = queue.0, %sequence, %error, "a message could not be moved");
                return None;
            }
        };
        let payload = record.payload;
        let parts = Header::read(record.version, &payload)
            .and_then(|(header, rest)| Ok((header, Packed::read(&payload.slice_ref(rest))?)));
        let Ok((header, content)) = parts else {
            tracing::error!(queue = queue.0, %sequence, position = %at, "unreadable message");
            return None;
        };
        let header = self.header_here(survivor, header)?;
        if (header.queue, header.sequence) != (queue, sequence) {
            tracing::error!(queue = queue.0, %sequence, position = %at, "not the message meant");
            return None;
        }
        Some(Loaded { relocate: Relocate { header, from: at }, content, size: payload.len() })
    }

    /// A record's header as it is to be from now on: the record of a message that came from
    /// another queue still names that one. `None` if the message is gone by now, or has not yet
    /// come where it goes.
    fn header_here(&self, survivor: &Survivor, header: Header) -> Option<Header> {
        let Survivor { queue, sequence, at } = *survivor;
        let shard = self.lock();
        let held = shard.machine.queue(queue).ok()?.stock.find(sequence)?;
        if held.position != at {
            return None;
        }
        Some(match held.passage {
            Some(_) => Header { queue, sequence, sent: held.sent, delay: 0, known: None, ..header },
            None => header,
        })
    }

    /// Moves one message, unless it is gone by now; returns how many bytes that wrote.
    fn move_one(&self, one: &Loaded) -> Result<usize, Failure> {
        let mut shard = self.lock();
        match self.commit(&mut shard, &one.relocate, std::slice::from_ref(&one.content)) {
            Ok(_) => Ok(one.size),
            Err(Error::Refused(_)) => Ok(0),
            Err(Error::Failed(failure)) => Err(failure),
        }
    }

    /// Where the last few segments begin; what is older is worth some work. Where space is short
    /// or the pass is thorough everything but the last is: time is not.
    fn recent_from(&self, segments: &[Segment], thorough: bool) -> Option<Position> {
        let behind = if thorough || self.disk.is_short() { 1 } else { SEGMENTS_BEHIND };
        let index = segments.len().checked_sub(behind)?;
        segments.get(index).map(|segment| segment.range.start)
    }
}

impl House {
    /// Whether those who live in a segment are so few that they may be worth moving.
    fn is_worth(&self, id: SegmentId, Population { born, live }: Population) -> bool {
        let is_heavy = || self.heavy.get(&id).is_some_and(|then| live * 2 > *then);
        live > 0 && live * 100 <= born * CLEAR_BELOW_PERCENT && !is_heavy()
    }
}

/// Whether a queue needs a new section: the first record that none holds is before `recent`, and
/// far from the log's `end`.
pub(super) fn is_behind(queue: &Queue, recent: Position, end: Position) -> bool {
    queue.memory.coverage.first.is_some_and(|first| {
        // A queue may have begun after somebody looked where the log ends.
        first < recent
            && end.as_u64().saturating_sub(first.as_u64()) >= SECTIONS_BEHIND * section_size(queue)
    })
}

/// How many bytes a section of a queue would have: as many as the last, but for what is known to
/// have gone since. What a FIFO queue remembers of the past is not counted.
fn section_size(queue: &Queue) -> u64 {
    let last = queue.memory.coverage.size;
    match queue.facts.settings.discipline {
        Discipline::Fifo => last,
        Discipline::Standard => {
            let counts = queue.stock.counts();
            let messages = counts.visible + counts.in_flight + counts.delayed;
            last.min(size(messages) * MESSAGE_BYTES + QUEUE_BYTES)
        }
    }
}

/// A number of things in memory, as the log counts.
fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn is_within(at: Position, ranges: &[Range<Position>]) -> bool {
    // Segments come in order.
    let index = ranges.partition_point(|range| range.end <= at);
    ranges.get(index).is_some_and(|range| range.contains(&at))
}
