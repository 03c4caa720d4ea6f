//! The watermark, up to which the log is durable, and those who wait for it.
//!
//! Waking a task from another thread costs a system call, and one sync serves many tasks of a few
//! threads. So only one task a thread is woken from here; it wakes the others of its thread when
//! it runs, where that costs next to nothing.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, ThreadId};

use crate::Position;
use crate::error::{PoisonCause, Poisoned};

/// Waits until the log is durable up to a position. Dropping it stops waiting, nothing else.
///
/// Once woken it should be polled again or dropped at once: others of its thread rely on it to
/// wake them, and else wait for some syncs more.
#[derive(Debug)]
#[must_use = "a future waits only while it is awaited"]
pub struct Durable {
    watermark: Arc<Watermark>,
    upto: u64,
    /// Under which its waker is kept, once it is.
    key: Option<Key>,
}

/// How far the log is durable, and whether it ever will be further.
#[derive(Debug)]
pub(crate) struct Watermark {
    durable: AtomicU64,
    poison: OnceLock<Arc<PoisonCause>>,
    /// Taken after `durable` or `poison` has changed, and before either is looked at by whoever
    /// is about to wait, so no waker is missed. Wakers are called outside.
    waiters: Mutex<Waiters>,
}

/// The position waited for, and a number to tell waiters apart.
type Key = (u64, u64);

#[derive(Debug, Default)]
struct Waiters {
    waiting: BTreeMap<Key, Waiting>,
    /// Whom a woken one has still to wake, and since which round.
    relayed: BTreeMap<Key, (u64, Vec<Waker>)>,
    /// How often somebody was served.
    round: u64,
    next: u64,
}

/// After so many rounds whoever was left to another one to wake is woken all the same. A thread
/// that is busy may take a few to get to it.
const ROUNDS: u64 = 16;

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    /// Where it was last polled, and most likely will be again.
    thread: ThreadId,
}

impl Waiters {
    /// Takes those who are served, and returns whom to wake: one a thread, who wakes the others.
    /// Whoever was left to one that does not run is woken from here, in the end.
    fn serve(&mut self, served: BTreeMap<Key, Waiting>) -> Vec<Waker> {
        self.round += 1;
        let round = self.round;
        let overdue = self.relayed.extract_if(.., |_, (since, _)| *since + ROUNDS <= round);
        let overdue: Vec<Waker> = overdue.flat_map(|(_, (_, others))| others).collect();
        let mut first: Vec<(ThreadId, Key, Waker)> = Vec::new();
        for (key, Waiting { waker, thread }) in served {
            match first.iter().find(|(there, ..)| *there == thread) {
                Some((_, leader, _)) => {
                    let (_, others) = self.relayed.entry(*leader).or_insert((round, Vec::new()));
                    others.push(waker);
                }
                None => first.push((thread, key, waker)),
            }
        }
        let first = first.into_iter().map(|(.., waker)| waker);
        first.chain(overdue).collect()
    }

    /// Forgets who waited under `key`, and returns whom they have to wake.
    fn leave(&mut self, key: Key) -> Vec<Waker> {
        self.waiting.remove(&key);
        self.relayed.remove(&key).map(|(_, others)| others).unwrap_or_default()
    }
}

impl Watermark {
    pub(crate) fn new(durable: u64) -> Self {
        let durable = AtomicU64::new(durable);
        Self { durable, poison: OnceLock::new(), waiters: Mutex::default() }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn poison(&self) -> Option<&Arc<PoisonCause>> {
        self.poison.get()
    }

    pub(crate) fn check(&self) -> Result<(), Poisoned> {
        self.poison.get().map_or(Ok(()), |cause| Err(Poisoned(Arc::clone(cause))))
    }

    pub(crate) fn wait(self: &Arc<Self>, upto: Position) -> Durable {
        Durable { watermark: Arc::clone(self), upto: upto.as_u64(), key: None }
    }

    /// Moves the watermark and wakes whoever waited for it. False if it was there already.
    pub(crate) fn advance(&self, durable: u64) -> bool {
        if self.durable.fetch_max(durable, Ordering::AcqRel) >= durable {
            return false;
        }
        let woken = {
            let mut waiters = self.waiters();
            let later = waiters.waiting.split_off(&(durable + 1, 0));
            let served = std::mem::replace(&mut waiters.waiting, later);
            waiters.serve(served)
        };
        woken.into_iter().for_each(Waker::wake);
        true
    }

    /// Gives up for good; the first cause stays. Wakes everybody.
    pub(crate) fn give_up(&self, cause: PoisonCause) -> Poisoned {
        let cause = Arc::clone(self.poison.get_or_init(|| Arc::new(cause)));
        // No further round will come: those who were left to another one are woken too.
        let Waiters { waiting, relayed, .. } = std::mem::take(&mut *self.waiters());
        let relayed = relayed.into_values().flat_map(|(_, others)| others);
        for waker in waiting.into_values().map(|waiting| waiting.waker).chain(relayed) {
            waker.wake();
        }
        Poisoned(cause)
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self, upto: u64) -> Option<Result<(), Poisoned>> {
        if self.durable() >= upto {
            return Some(Ok(()));
        }
        self.check().err().map(Err)
    }
}

impl Durable {
    /// Stops waiting, and wakes whom it was left to this one to wake.
    fn leave(&mut self) {
        if let Some(key) = self.key.take() {
            let others = self.watermark.waiters().leave(key);
            others.into_iter().for_each(Waker::wake);
        }
    }

    /// Waits by blocking the thread. Never call it from an observer: those run on the thread that
    /// it waits for.
    pub fn wait(mut self) -> Result<(), Poisoned> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

impl Future for Durable {
    type Output = Result<(), Poisoned>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(outcome) = this.watermark.outcome(this.upto) {
            this.leave();
            return Poll::Ready(outcome);
        }
        let mut waiters = this.watermark.waiters();
        if let Some(outcome) = this.watermark.outcome(this.upto) {
            drop(waiters);
            this.leave();
            return Poll::Ready(outcome);
        }
        let key = *this.key.get_or_insert_with(|| {
            waiters.next += 1;
            (this.upto, waiters.next)
        });
        let thread = std::thread::current().id();
        if let Some(waiting) = waiters.waiting.get_mut(&key) {
            waiting.waker.clone_from(context.waker());
            waiting.thread = thread;
        } else {
            let waker = context.waker().clone();
            waiters.waiting.insert(key, Waiting { waker, thread });
        }
        Poll::Pending
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.leave();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn woken(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// Three of this thread who wait for the same, and how often each was woken.
    fn three(watermark: &Arc<Watermark>) -> (Vec<Durable>, Vec<Arc<Count>>) {
        let counts: Vec<Arc<Count>> = (0..3).map(|_| Arc::default()).collect();
        let wait = |count: &Arc<Count>| {
            let mut durable = watermark.wait(Position::from_u64(8));
            let waker = Waker::from(Arc::clone(count));
            assert!(Pin::new(&mut durable).poll(&mut Context::from_waker(&waker)).is_pending());
            durable
        };
        (counts.iter().map(wait).collect(), counts)
    }

    fn woken(counts: &[Arc<Count>]) -> Vec<usize> {
        counts.iter().map(|count| count.woken()).collect()
    }

    #[test]
    fn one_of_a_thread_is_woken_and_wakes_the_others_when_it_is_polled() {
        let watermark = Arc::new(Watermark::new(0));
        let (mut waiting, counts) = three(&watermark);
        watermark.advance(8);
        assert_eq!(woken(&counts), [1, 0, 0]);
        let waker = Waker::from(Arc::clone(&counts[0]));
        let polled = Pin::new(&mut waiting[0]).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_ready());
        assert_eq!(woken(&counts), [1, 1, 1]);
    }

    #[test]
    fn one_that_goes_away_unpolled_wakes_the_others_all_the_same() {
        let watermark = Arc::new(Watermark::new(0));
        let (mut waiting, counts) = three(&watermark);
        watermark.advance(8);
        drop(waiting.remove(0));
        assert_eq!(woken(&counts), [1, 1, 1]);
        drop(waiting);
        let waiters = watermark.waiters();
        assert!(waiters.waiting.is_empty() && waiters.relayed.is_empty());
    }

    #[test]
    fn one_that_is_kept_aside_does_not_hold_the_others_up_for_ever() {
        let watermark = Arc::new(Watermark::new(0));
        let (_aside, counts) = three(&watermark);
        watermark.advance(8);
        (1..ROUNDS).for_each(|round| assert!(watermark.advance(8 + round)));
        assert_eq!(woken(&counts), [1, 0, 0]);
        watermark.advance(8 + ROUNDS);
        assert_eq!(woken(&counts), [1, 1, 1]);
    }

    #[test]
    fn poison_wakes_everybody_at_once() {
        let watermark = Arc::new(Watermark::new(0));
        let (_waiting, counts) = three(&watermark);
        watermark.give_up(PoisonCause::Closed);
        assert_eq!(woken(&counts), [1, 1, 1]);
    }
}
