//! Opening: folds the journal, then sets everything going.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use tidemill_journal::{Driver, Event, Journal, Position};
use tokio::sync::{Notify, watch};

use super::disk::Disk;
use super::shard::Shard;
use super::{Config, Engine, Inner};
use crate::commands::{DropLost, Found};
use crate::key::{QueueNumber, Sequence};
use crate::machine::Machine;
use crate::receipt::Secret;
use crate::refusal::{Error, OpenError, Refusal};

impl Engine {
    /// Opens the engine whose journal `driver` holds, or begins one.
    ///
    /// Blocks: reads the newest checkpoint and the records after it. [`Engine::run`] must be
    /// spawned for deadlines to pass; all else works without.
    pub fn open(driver: impl Driver + 'static, config: Config) -> Result<Self, OpenError> {
        Self::open_with(driver, config, |_, _| {})
    }

    /// Opens, and has somebody look at what was folded, and up to where, before anything is added.
    pub(super) fn open_with(
        driver: impl Driver + 'static,
        config: Config,
        look: impl FnOnce(&mut Machine, Position),
    ) -> Result<Self, OpenError> {
        let disk = Disk::new(&config);
        let Config { journal: options, clock, chance, .. } = config;
        let mut machine = Machine::default();
        let journal = Journal::open(driver, options, |event| match event {
            Event::Section { name, at, bytes } => machine.fold_section(name, at, bytes),
            Event::Record { at, record } => machine.fold_record(at, record),
        })?;
        machine.recovered();
        look(&mut machine, journal.end());
        let secret = machine.secret.unwrap_or_else(|| Secret(chance.bytes()));
        let names = machine
            .queues()
            .map(|queue| (queue.facts.key.clone(), machine.id(queue.facts.number)))
            .collect::<HashMap<_, _>>();
        let inner = Arc::new(Inner {
            id: machine.shard,
            segment: AtomicU64::new(segment_number(&journal, journal.durable())),
            journal,
            clock,
            chance,
            secret,
            shard: Mutex::new(Shard { machine, ..Shard::default() }),
            names: RwLock::new(names),
            rearmed: Notify::new(),
            moves: Notify::new(),
            untidy: Notify::new(),
            stopped: watch::Sender::new(false),
            housekeeping: Mutex::default(),
            disk,
            damaged_reads: AtomicU64::new(0),
        });
        inner.make_ready()?;
        inner.look_at_disk();
        inner.listen();
        Ok(Self(inner))
    }
}

impl Inner {
    fn make_ready(&self) -> Result<(), OpenError> {
        let mut shard = self.lock();
        let founded = self.commit(&mut shard, &Found { secret: self.secret }, &[]);
        let mut upto = settled(founded.map(|committed| committed.upto))?;
        let lost = self.lost_messages(&shard.machine);
        for (queue, sequences) in lost {
            tracing::error!(
                queue = queue.0,
                messages = sequences.len(),
                "messages were lost to damage"
            );
            let dropped = self.commit(&mut shard, &DropLost { queue, sequences }, &[]);
            upto = upto.max(settled(dropped.map(|committed| committed.upto))?);
        }
        let numbers: Vec<_> = shard.machine.queues().map(|queue| queue.facts.number).collect();
        for number in numbers {
            self.attend(&mut shard, number);
        }
        let now = shard.machine.now();
        let Shard { machine, movers, .. } = &mut *shard;
        for queue in machine.queues().filter(|queue| queue.facts.moves.active().is_some()) {
            movers.resume(queue.facts.number, now);
        }
        drop(shard);
        Ok(self.journal.wait_durable(upto)?)
    }

    /// The messages whose records a salvage gave up.
    fn lost_messages(&self, machine: &Machine) -> Vec<(QueueNumber, Vec<Sequence>)> {
        let lost = self.journal.lost();
        if lost.is_empty() {
            return Vec::new();
        }
        let is_lost = |at: Position| lost.iter().any(|range| range.contains(&at));
        let of_queue = |queue: &crate::queue::Queue| {
            let view = queue.stock.view();
            let places = view.places().filter(|(_, at)| is_lost(*at));
            let sequences: Vec<_> = places.map(|(sequence, _)| sequence).collect();
            (queue.facts.number, sequences)
        };
        machine.queues().map(of_queue).filter(|(_, sequences)| !sequences.is_empty()).collect()
    }

    /// Has the journal and the clock tell us what they do. They are kept by what they call, so
    /// they must not keep it in turn.
    fn listen(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        self.journal.on_durable(move |durable| {
            if let Some(inner) = weak.upgrade() {
                inner.became_durable(durable);
                let segment = segment_number(&inner.journal, durable);
                if inner.segment.swap(segment, Ordering::Relaxed) != segment {
                    inner.untidy.notify_one();
                    inner.look_at_disk();
                }
            }
        });
        let weak = Arc::downgrade(self);
        self.clock.on_advance(move || {
            if let Some(inner) = weak.upgrade() {
                inner.tick();
                inner.moves.notify_one();
            }
        });
    }
}

fn segment_number(journal: &Journal, at: Position) -> u64 {
    journal.segment_of(at).base().as_u64()
}

/// What is committed while opening is about queues that exist.
fn settled(committed: Result<Position, Error>) -> Result<Position, OpenError> {
    match committed {
        Ok(upto) => Ok(upto),
        Err(Error::Failed(failure)) => Err(failure.into()),
        Err(Error::Refused(Refusal::NoSuchQueue | _)) => Ok(Position::ZERO),
    }
}
