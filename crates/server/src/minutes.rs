//! What is done each minute, by the clock: the queues are measured, and what was measured before
//! grows older. A clock that is moved by hand brings every minute that it passed.

use std::sync::Arc;
use std::time::Duration;

use tidemill_base::{Clock, Timestamp};
use tidemill_metric::Metrics;
use tidemill_queue::Engine;
use tidemill_services::QueueMinutes;
use tokio::sync::{Mutex, Notify};
use tracing::{error, warn};

const MINUTE: Duration = Duration::from_mins(1);
/// Of a longer leap only so much is gone through, the last of it.
const LEAP: Duration = Duration::from_hours(24);

/// The minutes as they pass.
pub(crate) struct Minutes {
    clock: Clock,
    metrics: Metrics,
    /// Held while minutes are gone through: one after the other.
    turn: Mutex<Turn>,
    moved: Arc<Notify>,
}

struct Turn {
    /// The end of the minute that comes next.
    next: Timestamp,
    queues: QueueMinutes,
    /// When what was measured was moved on last.
    aged: Timestamp,
}

impl Minutes {
    pub(crate) fn new(clock: &Clock, engine: Engine, metrics: Metrics) -> Self {
        let moved = Arc::new(Notify::new());
        let wake = Arc::clone(&moved);
        clock.on_advance(move || wake.notify_one());
        let now = clock.now();
        let queues = QueueMinutes::new(engine, metrics.clone());
        let turn = Mutex::new(Turn { next: whole(now) + MINUTE, queues, aged: now });
        Self { clock: clock.clone(), metrics, turn, moved }
    }

    /// Goes through the minutes as they end; never returns.
    pub(crate) async fn run(&self) {
        loop {
            self.catch_up().await;
            let next = self.turn.lock().await.next;
            let pause = async {
                match self.clock.until(next) {
                    Some(span) => tokio::time::sleep(span).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.moved.notified() => {}
            }
        }
    }

    /// Goes through every minute that has ended by now and was not gone through before.
    pub(crate) async fn catch_up(&self) {
        let mut turn = self.turn.lock().await;
        let now = self.clock.now();
        // A clock that was set back begins anew.
        let next = turn.next.min(whole(now) + MINUTE);
        turn.next = next.max(whole(now - LEAP));
        while turn.next <= now {
            let start = turn.next - MINUTE;
            turn.next = turn.next + MINUTE;
            if let Err(error) = turn.queues.tell(start).await {
                warn!(%error, "a minute of the queues was not measured");
            }
        }
        self.tidy(&mut turn).await;
    }

    /// Has another thread tidy up the metrics: that blocks.
    async fn tidy(&self, turn: &mut Turn) {
        let (metrics, mut aged) = (self.metrics.clone(), turn.aged);
        let tidied = tokio::task::spawn_blocking(move || (metrics.tidy(&mut aged), aged)).await;
        match tidied {
            Ok((tidied, aged)) => {
                turn.aged = aged;
                if let Err(error) = tidied {
                    warn!(%error, "the metrics were not tidied");
                }
            }
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(failure) => error!(%failure, "the metrics were not tidied"),
            },
        }
    }
}

/// The minute's beginning.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_secs() / 60 * 60_000)
}
