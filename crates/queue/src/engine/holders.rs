//! Who has how many messages, and who is given no more of them.
//!
//! What somebody has is recorded with the receive, and so known after a restart; who is given
//! nothing is remembered alone: whoever wanted that says so again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Inner};
use crate::holder::Holder;
use crate::key::QueueNumber;

impl Engine {
    /// From now on gives this holder nothing, at any queue, or again what there is: to its
    /// receives, also to those that wait, each queue is empty. What it was given before stays with
    /// it and is counted, also if the answer has not left yet. So after this [`Engine::held`] only
    /// falls, but for one thing: a holder may hide anew a message that was visible again and that
    /// nobody else received. It works on it still.
    ///
    /// A restart forgets it.
    pub fn drain(&self, holder: Holder, is_draining: bool) {
        let mut shard = self.0.lock();
        let mut awaited = Vec::new();
        if is_draining {
            // Whoever asks from then on is set aside by itself.
            if shard.draining.insert(holder) {
                shard.machine.queues_mut().for_each(|it| it.memory.waiters.set_aside(holder));
            }
        } else if shard.draining.remove(&holder) {
            let queues = shard.machine.queues_mut();
            let those = queues.filter_map(|it| it.memory.waiters.let_back(holder).then_some(it));
            awaited.extend(those.map(|it| it.facts.number));
        }
        #[cfg(feature = "model")]
        if let Some(mirror) = &shard.machine.mirror {
            mirror.drains(holder, is_draining);
        }
        for queue in awaited {
            self.0.attend(&mut shard, queue);
        }
    }

    /// Who is given nothing.
    pub fn draining(&self) -> BTreeSet<Holder> {
        self.0.lock().draining.clone()
    }

    /// How many messages this holder has in flight, in all queues: handed to it, and neither
    /// deleted, nor visible again, nor handed to somebody else since.
    pub fn held(&self, holder: Holder) -> usize {
        let of_queue = |inner: &Inner, number| {
            let theirs = inner.holders_at(number).into_iter();
            theirs.filter(|(one, _)| *one == holder).map(|(_, count)| count).sum::<usize>()
        };
        self.0.queues_with_holders().into_iter().map(|number| of_queue(&self.0, number)).sum()
    }

    /// The same of every holder that has any.
    pub fn holders(&self) -> BTreeMap<Holder, usize> {
        let mut all = BTreeMap::new();
        for number in self.0.queues_with_holders() {
            for (holder, count) in self.0.holders_at(number) {
                *all.entry(holder).or_default() += count;
            }
        }
        all
    }
}

impl Inner {
    fn queues_with_holders(&self) -> Vec<QueueNumber> {
        let shard = self.lock();
        let queues = shard.machine.queues();
        let known = queues.filter(|queue| queue.stock.holders().next().is_some());
        known.map(|queue| queue.facts.number).collect()
    }

    /// The lock is let go between queues, for others to get a turn. That makes no number of one
    /// who is given nothing too small: at each queue it only falls.
    fn holders_at(&self, number: QueueNumber) -> Vec<(Holder, usize)> {
        let shard = &mut *self.lock();
        shard.machine.advance(Some(number), self.clock.now(), self.journal.durable());
        let queue = shard.machine.queue(number).ok();
        queue.into_iter().flat_map(|queue| queue.stock.holders()).collect()
    }
}
