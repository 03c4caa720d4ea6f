//! How long a connection may rest.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::{Sleep, sleep};

/// Tells when a connection is not to rest any longer: when it did for too long, which is once its
/// patience at least and twice at most, or when all are to stop.
///
/// The time is looked at only when the timer rings. To set one anew for each request would cost
/// more than to read its head.
pub(crate) struct Idle {
    patience: Duration,
    sleep: Pin<Box<Sleep>>,
    stop: watch::Receiver<bool>,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whether the task is told of both. A task's waker stays the same for its life.
    is_set: bool,
    /// Whether there was a request since the timer was set.
    served: bool,
}

impl Idle {
    pub(crate) fn new(patience: Duration, stop: watch::Receiver<bool>) -> Self {
        let mut told = stop.clone();
        let stopping = async move {
            // An error is that nobody is left to stop us, which is as good.
            drop(told.wait_for(|stop| *stop).await);
        };
        Self {
            patience,
            sleep: Box::pin(sleep(patience)),
            stop,
            stopping: Box::pin(stopping),
            is_set: false,
            served: false,
        }
    }

    /// Whether all are to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.has_changed().unwrap_or(true)
    }

    /// The connection did something.
    pub(crate) fn serves(&mut self) {
        self.served = true;
    }

    /// Ready when the rest is over. Always polled by the same task.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let told = !self.is_set && certainly(&mut self.stopping, cx).is_ready();
        if told || self.is_stopped() {
            return Poll::Ready(());
        }
        while !self.is_set || self.sleep.is_elapsed() {
            if self.is_set {
                if !self.served {
                    return Poll::Ready(());
                }
                self.served = false;
                self.sleep.set(sleep(self.patience));
            }
            // Should it ring at once, the loop sees it.
            let _ = certainly(&mut self.sleep, cx);
            self.is_set = true;
        }
        Poll::Pending
    }
}

/// Polls even if the task has done as much as one may at a time: tokio would have it come again
/// without a look at the future then, which is polled once only and would never wake anyone.
fn certainly<F: Future + Unpin>(future: F, cx: &mut Context<'_>) -> Poll<F::Output> {
    pin!(unconstrained(future)).poll(cx)
}
