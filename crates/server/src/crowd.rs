//! How many connections there may be at once, and what happens to those that are too many.
//!
//! Each connection takes a file descriptor and some memory, whoever opened it. One that is too
//! many is told so and closed, which a client can see, log and try again; left in the kernel's
//! backlog it would only seem that the service had died.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidemill_base::Clock;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::warn;

use crate::data::JOURNALS;
use crate::metadata;

/// Connections, unless the settings say otherwise.
const USUAL: usize = 10_000;
/// File descriptors that are not for connections: logs with up to 64 open files each, and
/// what the runtimes need. A log that may not open a file could not go on.
const RESERVED: usize = 64 * JOURNALS.len() + 32;
/// Connections that there are room for however few descriptors there are.
const FEWEST: usize = 16;
/// How many of those that are refused are told so at a time; more are closed without a word.
const FAREWELLS: i64 = 128;
/// How long it is waited for a refused client to take in the answer.
const FAREWELL: Duration = Duration::from_secs(1);
/// What a refused client is answered.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: text/plain\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 21\r\n\r\n\
    too many connections\n";
/// A thing that goes wrong many times is told once in this time.
const QUIET: Duration = Duration::from_secs(10);

/// The connections there are.
pub(crate) struct Crowd {
    most: i64,
    /// Connections that are served.
    pub(crate) open: Gauge,
    /// Connections that were refused.
    pub(crate) refused: Counter,
    farewells: Gauge,
    /// Requests that there was no memory for.
    unheld: Mutex<Seldom>,
}

/// The place of one connection, free again when it is dropped.
pub(crate) struct Place(Gauge);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Crowd {
    /// Raises the limit of file descriptors as far as it goes, and makes room for as many
    /// connections as asked for, or as the descriptors allow. There may be as many `instances`,
    /// each with a port that its metadata is asked at.
    pub(crate) fn new(asked: Option<usize>, instances: Option<usize>) -> Self {
        let descriptors = raise_descriptors();
        let asking = instances.map_or(0, |most| most.saturating_add(metadata::CONNECTIONS));
        let reserved = RESERVED.saturating_add(asking);
        let spare = |descriptors: u64| {
            usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(reserved).max(FEWEST)
        };
        let allowed = descriptors.map_or(usize::MAX, spare);
        let wanted = asked.unwrap_or(USUAL);
        let most = wanted.min(allowed);
        if most < wanted {
            warn!(
                wanted,
                most,
                descriptors,
                "fewer connections than wanted: raise the limit of open files (ulimit -n)"
            );
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let (open, refused) = (Gauge::default(), Counter::default());
        let (farewells, unheld) = (Gauge::default(), Mutex::default());
        Self { most, open, refused, farewells, unheld }
    }

    /// A request was one too many for the memory that requests may take.
    pub(crate) fn overfull(&self, now: Duration) {
        let mut unheld = self.unheld.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = unheld.happened(now) {
            warn!(times, "requests refused: those under way hold all of --request-memory");
        }
    }

    /// A place for one more connection, if there is one.
    pub(crate) fn admit(&self) -> Option<Place> {
        place(&self.open, self.most)
    }

    /// Tells a connection that there are too many. Returns the work that is left, to be done
    /// aside; none if too many are being told already.
    pub(crate) fn refuse(&self, stream: TcpStream) -> Option<impl Future<Output = ()> + use<>> {
        self.refused.inc();
        let place = place(&self.farewells, FAREWELLS)?;
        let stream = stream.into_std();
        Some(async move {
            // Who does not take it in is closed all the same.
            drop(timeout(FAREWELL, farewell(stream)).await);
            drop(place);
        })
    }
}

fn place(taken: &Gauge, most: i64) -> Option<Place> {
    // Counted first and looked at after, so that two cannot take the last place.
    let before = taken.inc();
    let place = Place(taken.clone());
    (before < most).then_some(place)
}

async fn farewell(stream: io::Result<std::net::TcpStream>) -> io::Result<()> {
    let mut stream = TcpStream::from_std(stream?)?;
    stream.write_all(REFUSAL).await?;
    tidemill_http::linger(stream).await
}

/// Allows this process all the file descriptors that it may allow itself. Says how many those
/// are; nothing if they have no limit.
fn raise_descriptors() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // Some systems allow less than they say; then it stays as it was.
    if raised.is_ok() { maximum } else { current }
}

/// What the accepting loop complains of.
pub(crate) struct Complaints {
    clock: Clock,
    crowded: Seldom,
    failed: Seldom,
}

impl Complaints {
    pub(crate) fn new(clock: &Clock) -> Self {
        let (crowded, failed) = (Seldom::default(), Seldom::default());
        Self { clock: clock.clone(), crowded, failed }
    }

    /// A connection was one too many.
    pub(crate) fn crowded(&mut self) {
        if let Some(times) = self.crowded.happened(self.clock.monotonic()) {
            warn!(times, "connections refused: there are too many");
        }
    }

    /// A connection could not be taken.
    pub(crate) fn failed(&mut self, error: &io::Error) {
        if let Some(times) = self.failed.happened(self.clock.monotonic()) {
            warn!(times, %error, "connections could not be accepted");
        }
    }
}

/// Tells now and then of what happens often.
#[derive(Default)]
struct Seldom {
    told: Option<Duration>,
    untold: u64,
}

impl Seldom {
    /// It happened once more. Says how often since it was told last, if it is to be told.
    fn happened(&mut self, now: Duration) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now.saturating_sub(told) < QUIET) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_places_than_allowed() {
        let crowd = Crowd::new(Some(2), None);
        let (first, second) = (crowd.admit(), crowd.admit());
        assert!(first.is_some() && second.is_some() && crowd.admit().is_none());
        drop(first);
        assert!(crowd.admit().is_some());
        drop(second);
        assert_eq!(crowd.open.get(), 0);
    }

    #[test]
    fn what_happens_often_is_told_seldom() {
        let mut seldom = Seldom::default();
        let told = (0..100).filter_map(|second| seldom.happened(Duration::from_secs(second)));
        assert_eq!(told.collect::<Vec<_>>(), [vec![1], vec![10; 9]].concat());
    }
}
