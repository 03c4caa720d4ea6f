//! The machine: the state of a shard, moved by records alone.
//!
//! It does no I/O, reads no clock and draws no dice. A command is decided against the state and
//! gives records; once these are in the journal, `apply` moves the state; recovery folds the very
//! same `apply`. Folding the same records gives the same state, byte for byte.

use std::collections::BTreeMap;

use smallvec::SmallVec;
use tidemill_base::{AccountId, QueueName, Region, Timestamp};
use tidemill_journal::{Position, RecordRef};

use crate::codec::{Put, Reader, Unreadable};
use crate::ground::Ground;
use crate::key::{QueueId, QueueKey, QueueNumber, ShardId};
use crate::queue::Queue;
use crate::receipt::Secret;
use crate::record::{Record, put_key, read_key};
use crate::refusal::{REMOVAL_PAUSE, Refusal};
use crate::stock::Stock;

/// The name of the shard's own section.
pub(crate) const SHARD_SECTION: &str = "shard";
/// The version of the shard's own section.
const SECTION_VERSION: u8 = 1;

/// The name of a queue's section.
pub(crate) fn section_name(queue: QueueNumber) -> String {
    format!("queue-{}", queue.0)
}

/// The state of a shard.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) shard: ShardId,
    /// Seals receipts. There is one from the shard's first record on.
    pub(crate) secret: Option<Secret>,
    pub(crate) next_queue: QueueNumber,
    /// When names became free that may not be used again yet.
    removed: BTreeMap<QueueKey, Timestamp>,
    queues: BTreeMap<QueueNumber, Queue>,
    by_key: BTreeMap<QueueKey, QueueNumber>,
    pub(crate) ground: Ground,
    /// Stocks that were purged or removed: no part of the state, and to be dropped by whoever has
    /// let the lock go.
    pub(crate) remains: Vec<Stock>,
    /// What the clock showed last. Should it go back, so does this: what was to happen by the
    /// former time happens late, but what begins now ends when it should.
    now: Timestamp,
    /// Where the shard's own section was taken that recovery began with.
    section: Position,
    /// Follows along, and complains.
    #[cfg(feature = "model")]
    pub(crate) mirror: Option<crate::model::Mirror>,
}

/// Most commands are about one message and record one thing.
pub(crate) type Few<T> = SmallVec<[T; 1]>;

/// What a command asks to be recorded, and what to answer once it is.
#[derive(Debug)]
pub(crate) struct Decision<R> {
    pub(crate) records: Few<Record>,
    pub(crate) reply: R,
}

/// Something that the machine is asked to do. One command a file, in `commands`.
pub(crate) trait Command {
    /// What is answered.
    type Reply;

    /// The queue that the command is about, if it is about one.
    fn queue(&self) -> Option<QueueNumber>;

    /// Decides, changing nothing.
    fn decide(&self, machine: &Machine) -> Result<Decision<Self::Reply>, Refusal>;

    /// Whether the `nth` content that comes with the command is that of a message it records, or
    /// comes to nothing.
    fn stores(_reply: &Self::Reply, _nth: usize) -> bool {
        true
    }
}

impl Machine {
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn id(&self, number: QueueNumber) -> QueueId {
        QueueId { shard: self.shard, number }
    }

    pub(crate) fn queue(&self, number: QueueNumber) -> Result<&Queue, Refusal> {
        self.queues.get(&number).ok_or(Refusal::NoSuchQueue)
    }

    pub(crate) fn queue_mut(&mut self, number: QueueNumber) -> Result<&mut Queue, Refusal> {
        self.queues.get_mut(&number).ok_or(Refusal::NoSuchQueue)
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = &Queue> + '_ {
        self.queues.values()
    }

    pub(crate) fn queues_mut(&mut self) -> impl Iterator<Item = &mut Queue> + '_ {
        self.queues.values_mut()
    }

    pub(crate) fn find(&self, key: &QueueKey) -> Option<&Queue> {
        self.queues.get(self.by_key.get(key)?)
    }

    /// The queues of an account and region, by name; those before `from` may be left out.
    pub(crate) fn queues_in<'a>(
        &'a self,
        account: AccountId,
        region: &'a Region,
        from: Option<&QueueName>,
    ) -> impl Iterator<Item = &'a Queue> + 'a {
        let least = || "-".parse().expect("a hyphen is a name, and before all others");
        let name = from.cloned().unwrap_or_else(least);
        let from = QueueKey { account, region: region.clone(), name };
        self.by_key
            .range(from..)
            .take_while(move |(key, _)| key.account == account && key.region == *region)
            .filter_map(|(_, number)| self.queues.get(number))
    }

    /// Where dead letters of `queue` go, if there is a queue that can take them, and after how
    /// many receives.
    pub(crate) fn dead_letter_target(&self, queue: &Queue) -> Option<(&Queue, u32)> {
        let redrive = queue.facts.settings.redrive.as_ref()?;
        let target = self.find(&redrive.target)?;
        let is_alike = target.facts.settings.discipline == queue.facts.settings.discipline;
        let is_other = target.facts.number != queue.facts.number;
        (is_alike && is_other).then_some((target, redrive.max_receives))
    }

    /// The queues whose dead letters go to the one that is called `key`, in order of their keys.
    pub(crate) fn dead_letter_sources<'a>(
        &'a self,
        key: &'a QueueKey,
    ) -> impl Iterator<Item = &'a QueueKey> + 'a {
        let queues = self.by_key.values().filter_map(|number| self.queues.get(number));
        let leaves_there = |queue: &&Queue| {
            queue.facts.settings.redrive.as_ref().is_some_and(|redrive| redrive.target == *key)
        };
        queues.filter(leaves_there).map(|queue| &queue.facts.key)
    }

    /// Until when `key` may not be used again.
    pub(crate) fn reserved_until(&self, key: &QueueKey) -> Option<Timestamp> {
        self.removed.get(key).map(|removed| *removed + REMOVAL_PAUSE)
    }

    /// Sets the time, and moves the queue on to it.
    pub(crate) fn advance(
        &mut self,
        number: Option<QueueNumber>,
        now: Timestamp,
        durable: Position,
    ) {
        self.now = now;
        if let Some(queue) = number.and_then(|number| self.queues.get_mut(&number)) {
            queue.stock.advance(self.now, durable);
        }
        #[cfg(feature = "model")]
        if let Some(mirror) = &self.mirror {
            mirror.advanced(number, now, durable);
        }
    }

    /// Moves the state by a record that was appended at `position`.
    pub(crate) fn apply(&mut self, position: Position, record: &Record) {
        #[cfg(feature = "model")]
        if let Some(mirror) = &self.mirror {
            mirror.saw(position, record);
        }
        self.apply_to_shard(position, record);
        for number in [record.queue(), record.target()].into_iter().flatten() {
            self.apply_to_queue(number, position, record);
        }
    }

    fn apply_to_shard(&mut self, position: Position, record: &Record) {
        match record {
            Record::Founded { secret } => self.secret = Some(*secret),
            Record::Created(created) => {
                self.keep_number(created.queue);
                self.removed.remove(&created.key);
            }
            Record::Removed { queue, at } => {
                self.removed.retain(|_, removed| *removed + REMOVAL_PAUSE > *at);
                if let Some(queue) = self.queues.get(queue) {
                    self.removed.insert(queue.facts.key.clone(), *at);
                }
            }
            Record::Forgotten => self.removed.clear(),
            Record::Message(_) | Record::Moved(_) => self.ground.birth(position),
            _ => {}
        }
    }

    /// Sees to it that no later queue gets this number.
    fn keep_number(&mut self, number: QueueNumber) {
        self.next_queue = self.next_queue.max(QueueNumber(number.0.saturating_add(1)));
    }

    /// Moves one of the queues that a record is about.
    fn apply_to_queue(&mut self, number: QueueNumber, position: Position, record: &Record) {
        if let Record::Created(created) = record {
            // A removed queue may live again for a part of recovery, after a newer one of its name.
            let named = self.by_key.entry(created.key.clone()).or_insert(number);
            *named = number.max(*named);
            self.queues.insert(number, Queue::new(created));
        }
        // The end of a removed queue's records may outlive their beginning.
        let Some(queue) = self.queues.get_mut(&number) else { return };
        self.remains.extend(queue.apply(position, record, &mut self.ground));
        if matches!(record, Record::Removed { .. }) {
            if self.by_key.get(&queue.facts.key) == Some(&number) {
                self.by_key.remove(&queue.facts.key);
            }
            self.queues.remove(&number);
        }
    }

    /// Recovery: takes in a section of the checkpoint.
    pub(crate) fn fold_section(
        &mut self,
        name: &str,
        at: Position,
        bytes: &[u8],
    ) -> Result<(), Unreadable> {
        if name == SHARD_SECTION {
            self.section = at;
            return self.read_shard(bytes);
        }
        let mut queue = Queue::read(bytes)?;
        let number = queue.facts.number;
        if section_name(number) != name {
            return Err(Unreadable::new(format!("section {name}")));
        }
        // The shard's own section may have been lost.
        self.keep_number(number);
        queue.memory.coverage.section = Some(at);
        queue.memory.coverage.size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.by_key.insert(queue.facts.key.clone(), number);
        self.queues.insert(number, queue);
        Ok(())
    }

    /// Recovery: takes in a record of the log, unless a section holds its effect already.
    pub(crate) fn fold_record(
        &mut self,
        at: Position,
        record: RecordRef<'_>,
    ) -> Result<(), Unreadable> {
        let record = Record::read(record)?;
        if at >= self.section {
            self.apply_to_shard(at, &record);
        }
        for number in [record.queue(), record.target()].into_iter().flatten() {
            self.fold_into_queue(number, at, &record)?;
        }
        Ok(())
    }

    fn fold_into_queue(
        &mut self,
        number: QueueNumber,
        at: Position,
        record: &Record,
    ) -> Result<(), Unreadable> {
        let covered = self.queues.get(&number).and_then(|queue| queue.memory.coverage.section);
        if covered.is_some_and(|covered| at < covered) {
            return Ok(());
        }
        self.check_order(number, record)?;
        self.apply_to_queue(number, at, record);
        self.remains.clear();
        if (record.has_content() || record.target() == Some(number))
            && let Some(queue) = self.queues.get_mut(&number)
        {
            // What is read back from the log is durable.
            queue.stock.advance(Timestamp::EPOCH, after(at));
        }
        Ok(())
    }

    /// Whether a record can follow what was folded before: a number is never given twice.
    fn check_order(&self, number: QueueNumber, record: &Record) -> Result<(), Unreadable> {
        let Some(queue) = self.queues.get(&number) else { return Ok(()) };
        let given_twice = match record {
            Record::Created(_) => true,
            Record::Message(header) => {
                header.sequence < queue.facts.next || header.sequence.0 == u64::MAX
            }
            Record::Carried(carried) => {
                carried.target == number && carried.first < queue.facts.next
            }
            _ => false,
        };
        if given_twice {
            Err(Unreadable::new("record: its number was given before"))
        } else {
            Ok(())
        }
    }

    /// Recovery's end: counts who lives where.
    pub(crate) fn recovered(&mut self) {
        self.ground.start_counting();
        for queue in self.queues.values_mut() {
            queue.stock.recovered();
            queue.stock.for_each_place(|at, count| self.ground.settle(at, count));
        }
    }

    /// The shard's own section. Layout: version (u8), secret (16 bytes), next queue (u32), number
    /// of removed queues and of each key and time, then births by stretch.
    pub(crate) fn write_shard(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u8(SECTION_VERSION);
        out.put(&self.secret.expect("a shard is founded before its first checkpoint").0);
        out.put_queue(self.next_queue);
        out.put_len(self.removed.len());
        for (key, at) in &self.removed {
            put_key(&mut out, key);
            out.put_time(*at);
        }
        self.ground.write(&mut out);
        out
    }

    fn read_shard(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        let mut reader = Reader::new("shard section", bytes);
        let version = reader.u8()?;
        if version != SECTION_VERSION {
            return Err(Unreadable::new(format!("shard section of version {version}")));
        }
        self.secret = Some(Secret(reader.array()?));
        self.next_queue = self.next_queue.max(reader.queue()?);
        for _ in 0..reader.len()? {
            let key = read_key(&mut reader)?;
            self.removed.insert(key, reader.time()?);
        }
        self.ground = Ground::read(&mut reader)?;
        reader.finish()
    }
}

/// The position behind a record at `at`.
fn after(at: Position) -> Position {
    Position::from_u64(at.as_u64() + 1)
}

#[cfg(test)]
mod rig;
