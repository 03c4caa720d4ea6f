//! Everything that happens because time passes, and the one loop that sees to it.

use std::sync::Arc;

use tidemill_base::Timestamp;

use super::{Engine, Inner};

impl Engine {
    /// The engine's background work, to be spawned once: deadlines, and housekeeping each time a
    /// segment of the log is full. Returns after [`Engine::shut_down`].
    pub async fn run(self) {
        let inner = self.0;
        loop {
            inner.tick();
            let sleep = sleep_until_next(&inner);
            tokio::select! {
                () = inner.stopped.notified() => return,
                () = sleep => {}
                () = inner.rearmed.notified() => {}
                () = inner.segment_full.notified() => {
                    let inner = Arc::clone(&inner);
                    // Beside the timer: a checkpoint takes longer than a deadline can wait.
                    drop(tokio::task::spawn_blocking(move || inner.keep_house_and_log()));
                }
            }
        }
    }

    /// Does what is due now. [`Engine::run`] calls it, and so does a manual clock that is moved.
    pub fn tick(&self) {
        self.0.tick();
    }
}

async fn sleep_until_next(inner: &Inner) {
    let next = inner.lock().timers.first().map(|(deadline, _)| *deadline);
    match next.and_then(|deadline| inner.clock.until(deadline)) {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

impl Inner {
    pub(super) fn tick(&self) {
        let now = self.clock.now();
        // The lock is let go between queues, for others to get a turn.
        while self.attend_next(now) {}
    }

    fn attend_next(&self, now: Timestamp) -> bool {
        let mut shard = self.lock();
        let Some(&(deadline, number)) = shard.timers.first() else { return false };
        if deadline > now {
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
