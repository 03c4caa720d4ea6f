//! The threads that serve: one fewer than there are cores, since one is the journal's. Each has a
//! runtime of its own, and keeps a connection for its life.
//!
//! Work is not passed around between threads: a request is read, decided and answered where its
//! connection lives, which costs less than letting any thread pick it up. What could pile up on
//! one thread is small: no request computes for long, and none blocks but for reading a body that
//! is in no cache.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// The serving threads. They end when this is dropped.
pub(crate) struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    _running: watch::Sender<()>,
}

impl Workers {
    /// Starts `number` threads; else one a core, but for the one that the journal works on.
    pub(crate) fn start(number: Option<usize>) -> io::Result<Self> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let most = || cores().saturating_sub(1).max(1);
        let (running, stopped) = watch::channel(());
        let mut handles = Vec::new();
        for index in 0..number.unwrap_or_else(most) {
            let mut runtime = Builder::new_current_thread();
            // Those whom the journal wakes have waited longest: they come before the rest.
            let runtime = runtime.enable_all().global_queue_interval(1).build()?;
            handles.push(runtime.handle().clone());
            let mut stopped = stopped.clone();
            let serve = move || {
                // Only ever ends in an error: when there is nobody left to tell it anything.
                runtime.block_on(async { while stopped.changed().await.is_ok() {} });
            };
            thread::Builder::new().name(format!("serve-{index}")).spawn(serve)?;
        }
        Ok(Self { handles, next: AtomicUsize::new(0), _running: running })
    }

    /// The thread that the next connection goes to: each in turn.
    pub(crate) fn next(&self) -> &Handle {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.handles[next % self.handles.len()]
    }
}
