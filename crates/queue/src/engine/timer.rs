//! Everything that happens because time passes, and the loops that see to it.

use std::sync::Arc;
use std::time::Duration;

use tidemill_base::Timestamp;

use super::moves::Next;
use super::{Engine, Inner, disk};
use crate::refusal::Failure;

/// How long after a failure housekeeping is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// How often the disk is looked at, and the log.
const LOOK: Duration = Duration::from_secs(1);

impl Engine {
    /// The engine's background work, to be spawned once: deadlines, moves, housekeeping each time a
    /// segment of the log is full, and a look at the disk each second, with a line in the log when
    /// that is not fit any more or again. Returns after [`Engine::shut_down`].
    ///
    /// # Panics
    /// If a part of it does. The engine then still serves, but must not for long.
    pub async fn run(self) {
        let mut stopped = self.0.stopped.subscribe();
        tokio::select! {
            // It ends when the engine is dropped, too; but we hold it.
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = keep_time(&self.0) => {}
            () = keep_house(&self.0) => {}
            () = keep_moving(&self.0) => {}
            () = keep_watch(&self.0) => {}
            () = tell_of_disk(&self.0) => {}
        }
    }

    /// Does what is due now. [`Engine::run`] calls it, and so does a manual clock that is moved.
    pub fn tick(&self) {
        self.0.tick();
    }
}

/// Does what is due, when it is.
async fn keep_time(inner: &Inner) {
    loop {
        inner.tick();
        tokio::select! {
            () = sleep_until_next(inner) => {}
            () = inner.rearmed.notified() => {}
        }
    }
}

async fn sleep_until_next(inner: &Inner) {
    let next = inner.lock().timers.first().map(|(deadline, _)| *deadline);
    match next.and_then(|deadline| inner.clock.until(deadline)) {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

/// Keeps house each time a segment is full: once for all that were, while it was at it. A pass
/// that failed is tried again before long. One that panicked takes us with it: a log that nobody
/// tidies fills the disk, so whoever spawned us had better know.
async fn keep_house(inner: &Arc<Inner>) {
    loop {
        inner.untidy.notified().await;
        while let Err(error) = blocking(inner, Inner::keep_house).await {
            tracing::error!(%error, "housekeeping failed");
            if matches!(error, Failure::Poisoned(_)) {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Looks at the disk now and then, how much room it has, and at the log, whether it should be
/// tidied though no segment is full.
async fn keep_watch(inner: &Arc<Inner>) {
    loop {
        let look = |inner: &Inner| {
            inner.look_at_disk();
            inner.look_at_log(inner.clock.monotonic());
        };
        blocking(inner, look).await;
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells the log what becomes of the disk. A loop of its own: a disk that hangs may hold whoever
/// looks at it, too.
async fn tell_of_disk(inner: &Inner) {
    let mut before = None;
    loop {
        let now = inner.failure();
        disk::tell(before.as_ref(), now.as_ref());
        before = now;
        tokio::time::sleep(LOOK).await;
    }
}

/// Takes moves further, as fast as they may go. On a disk that failed nothing moves any more.
async fn keep_moving(inner: &Arc<Inner>) {
    loop {
        let has_moves = !inner.lock().movers.is_empty();
        let next =
            if has_moves { blocking(inner, Inner::move_some).await } else { Ok(Next::Never) };
        let span = match next {
            Ok(Next::AtOnce) => continue,
            Ok(Next::At(until)) => inner.clock.until(until),
            Ok(Next::Never) => None,
            Err(error) => {
                tracing::error!(%error, "messages could not be moved");
                return std::future::pending().await;
            }
        };
        let pause = async {
            match span {
                Some(span) => tokio::time::sleep(span).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause => {}
            () = inner.moves.notified() => {}
        }
    }
}

/// Has another thread do what blocks.
async fn blocking<T: Send + 'static>(inner: &Arc<Inner>, work: fn(&Inner) -> T) -> T {
    let inner = Arc::clone(inner);
    match tokio::task::spawn_blocking(move || work(&inner)).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

impl Inner {
    pub(super) fn tick(&self) {
        // The lock is let go between queues, for others to get a turn.
        while self.attend_next() {}
    }

    /// Reads the clock each time: were it to go back meanwhile, a deadline that is not met any
    /// more would be tried again until it is.
    fn attend_next(&self) -> bool {
        let mut shard = self.lock();
        let Some(&(deadline, number)) = shard.timers.first() else { return false };
        if deadline > self.clock.now() {
            return false;
        }
        shard.timers.pop_first();
        if let Ok(queue) = shard.machine.queue_mut(number) {
            queue.memory.armed = Timestamp::NEVER;
        }
        self.attend(&mut shard, number);
        true
    }
}
