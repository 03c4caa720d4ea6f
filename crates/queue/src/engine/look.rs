//! Looking without changing anything: lists, descriptions, messages, metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidemill_base::{AccountId, QueueName, Region, Timestamp};
use tidemill_journal::Stats;

use super::receive::{once, renamed};
use super::{DiskMetrics, Engine};
use crate::key::{QueueId, QueueKey, QueueNumber, Sequence};
use crate::loose::Held;
use crate::message::{Peeked, Standing};
use crate::queue::Tally;
use crate::refusal::Refusal;
use crate::settings::{Settings, Tags};
use crate::stock::Counts;

/// A queue as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What the engine calls it.
    pub id: QueueId,
    /// What people call it.
    pub key: QueueKey,
    /// How it behaves.
    pub settings: Arc<Settings>,
    /// Its labels.
    pub tags: Arc<Tags>,
    /// When it was made.
    pub created: Timestamp,
    /// When its settings or tags last changed.
    pub modified: Timestamp,
    /// How many messages it holds.
    pub counts: Counts,
}

/// What a queue did and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMetrics {
    /// What the engine calls it.
    pub id: QueueId,
    /// What people call it.
    pub key: QueueKey,
    /// How many messages it holds.
    pub counts: Counts,
    /// How many receivers wait.
    pub waiting_receivers: usize,
    /// When it was last purged.
    pub purged: Option<Timestamp>,
    /// What happened since the process started.
    pub tally: Tally,
}

/// What the engine did and holds.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Each queue, in the order in which they were made.
    pub queues: Vec<QueueMetrics>,
    /// The journal's own.
    pub journal: Stats,
    /// How often a message could not be read because its bytes were damaged.
    pub damaged_reads: u64,
    /// The disk, as it was last looked at.
    pub disk: DiskMetrics,
}

impl Engine {
    /// The queues of an account and region whose names begin with `prefix`, by name, from the
    /// one behind `after` on.
    pub fn list(
        &self,
        account: AccountId,
        region: &Region,
        prefix: &str,
        after: Option<&QueueName>,
        limit: usize,
    ) -> Vec<(QueueName, QueueId)> {
        let shard = self.0.lock();
        let machine = &shard.machine;
        machine
            .queues_in(account, region, after.max(prefix.parse().ok().as_ref()))
            .map(|queue| (&queue.facts.key.name, queue.facts.number))
            .filter(|(name, _)| after.is_none_or(|after| *name > after))
            // By name, those with the prefix stand together.
            .skip_while(|(name, _)| !name.as_str().starts_with(prefix))
            .take_while(|(name, _)| name.as_str().starts_with(prefix))
            .take(limit)
            .map(|(name, number)| (name.clone(), machine.id(number)))
            .collect()
    }

    /// A queue as it is now; its counts are exact.
    pub fn describe(&self, id: QueueId) -> Result<Description, Refusal> {
        let number = self.0.number(id)?;
        let mut shard = self.0.lock();
        self.0.attend(&mut shard, number);
        let queue = shard.machine.queue(number)?;
        Ok(Description {
            id,
            key: queue.facts.key.clone(),
            settings: Arc::clone(&queue.facts.settings),
            tags: Arc::clone(&queue.facts.tags),
            created: queue.facts.created,
            modified: queue.facts.modified,
            counts: queue.stock.counts(),
        })
    }

    /// A queue's settings, for those who need nothing else.
    pub fn settings(&self, id: QueueId) -> Result<Arc<Settings>, Refusal> {
        let number = self.0.number(id)?;
        let shard = self.0.lock();
        Ok(Arc::clone(&shard.machine.queue(number)?.facts.settings))
    }

    /// Up to `limit` messages sent after the one with the sequence `after`, in the order in
    /// which they were sent, wherever they stand. Nothing changes for anybody.
    ///
    /// Reads from the disk what is not in memory. A message whose bytes are damaged is left out.
    pub fn peek(
        &self,
        id: QueueId,
        after: Option<Sequence>,
        limit: usize,
    ) -> Result<Vec<Peeked>, Refusal> {
        let number = self.0.number(id)?;
        let (found, now, sources) = {
            let mut shard = self.0.lock();
            self.0.attend(&mut shard, number);
            let queue = shard.machine.queue(number)?;
            let from = after.map_or(Sequence::default(), Sequence::next);
            let sources = Arc::clone(&queue.facts.sources);
            (queue.stock.list(from, limit), shard.machine.now(), sources)
        };
        let peeked = |held: Held| {
            let (id, content) = self.0.content(number, held.sequence, held.position)?;
            Some(Peeked {
                id,
                sequence: held.sequence,
                standing: standing(&held, now),
                receive_count: held.receives,
                first_received: once(held.first_received),
                sent: held.sent,
                source: held.passage.and_then(|passage| sources.get(&passage.source)).cloned(),
                content: if held.passage.is_some() { renamed(id, content) } else { content },
            })
        };
        Ok(found.into_iter().filter_map(peeked).collect())
    }

    /// What happened at one queue, and what it holds; `None` if it is not there.
    pub fn measure(&self, id: QueueId) -> Option<QueueMetrics> {
        self.of_queue(self.0.number(id).ok()?)
    }

    fn of_queue(&self, number: QueueNumber) -> Option<QueueMetrics> {
        // The lock is let go between queues, for others to get a turn.
        let mut shard = self.0.lock();
        self.0.attend(&mut shard, number);
        let queue = shard.machine.queue(number).ok()?;
        Some(QueueMetrics {
            id: shard.machine.id(number),
            key: queue.facts.key.clone(),
            counts: queue.stock.counts(),
            waiting_receivers: queue.memory.waiters.len(),
            purged: queue.facts.purged,
            tally: queue.memory.tally,
        })
    }

    /// What the engine did and holds.
    pub fn metrics(&self) -> Metrics {
        let numbers: Vec<_> =
            self.0.lock().machine.queues().map(|queue| queue.facts.number).collect();
        Metrics {
            queues: numbers.into_iter().filter_map(|number| self.of_queue(number)).collect(),
            journal: self.0.journal.stats(),
            damaged_reads: self.0.damaged_reads.load(Ordering::Relaxed),
            disk: self.0.disk_metrics(),
        }
    }
}

fn standing(held: &Held, now: Timestamp) -> Standing {
    match held.due {
        due if due <= now => Standing::Visible,
        until if held.receives == 0 => Standing::Delayed { until },
        until => Standing::InFlight { until },
    }
}
