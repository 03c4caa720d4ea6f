//! Everything that happens because time passes, and the one loop that sees to it.

use std::sync::Arc;

use tidemill_base::Timestamp;

use super::{Engine, Inner};

impl Engine {
    /// The engine's background work, to be spawned once: deadlines, and housekeeping each time a
    /// segment of the log is full. Returns after [`Engine::shut_down`].
    pub async fn run(self) {
        let mut stopped = self.0.stopped.subscribe();
        tokio::select! {
            // It ends when the engine is dropped, too; but we hold it.
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = keep_time(&self.0) => {}
            () = keep_house(&self.0) => {}
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

/// Keeps house each time a segment is full: once for all that were, while it was at it.
async fn keep_house(inner: &Arc<Inner>) {
    loop {
        inner.segment_full.notified().await;
        let working = Arc::clone(inner);
        let pass = tokio::task::spawn_blocking(move || working.keep_house());
        match pass.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "housekeeping failed"),
            Err(error) => tracing::error!(%error, "housekeeping did not end"),
        }
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
