//! The watermark, up to which the log is durable, and those who wait for it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::Position;
use crate::error::{PoisonCause, Poisoned};

/// Waits until the log is durable up to a position. Dropping it stops waiting, nothing else.
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
    wakers: BTreeMap<Key, Waker>,
    next: u64,
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
            let later = waiters.wakers.split_off(&(durable + 1, 0));
            std::mem::replace(&mut waiters.wakers, later)
        };
        woken.into_values().for_each(Waker::wake);
        true
    }

    /// Gives up for good; the first cause stays. Wakes everybody.
    pub(crate) fn give_up(&self, cause: PoisonCause) -> Poisoned {
        let cause = Arc::clone(self.poison.get_or_init(|| Arc::new(cause)));
        let woken = std::mem::take(&mut self.waiters().wakers);
        woken.into_values().for_each(Waker::wake);
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
            return Poll::Ready(outcome);
        }
        let mut waiters = this.watermark.waiters();
        if let Some(outcome) = this.watermark.outcome(this.upto) {
            return Poll::Ready(outcome);
        }
        let key = *this.key.get_or_insert_with(|| {
            waiters.next += 1;
            (this.upto, waiters.next)
        });
        match waiters.wakers.get_mut(&key) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                waiters.wakers.insert(key, context.waker().clone());
            }
        }
        Poll::Pending
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.watermark.waiters().wakers.remove(&key);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
