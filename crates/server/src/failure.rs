//! What is wrong with the disk, for whichever log it was: what `/health` answers, what Prometheus
//! is told, and what is told once instead of with every request that is refused for it.

use std::sync::Arc;
use std::time::Duration;

use tidemill_fleet::Fleet;
use tidemill_identity::IdentityStore;
use tidemill_journal::{PoisonCause, Poisoned};
use tidemill_metric::Metrics;
use tidemill_notice::Notices;
use tidemill_queue::{Engine, Failure};
use tidemill_scaling::group::Groups;
use tracing::error;

use crate::data::{FLEET, GROUPS, METRICS, SYSTEM, TOPICS};

/// How often it is looked whether a log has failed.
const LOOK: Duration = Duration::from_secs(1);

/// Everything that is remembered by a log of its own. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Logs {
    pub(crate) engine: Engine,
    pub(crate) measured: Metrics,
    pub(crate) fleet: Option<Fleet>,
    pub(crate) groups: Groups,
    pub(crate) topics: Notices,
    pub(crate) identity: Arc<IdentityStore>,
}

impl Logs {
    /// What is wrong, if anything. A log that failed is told first: it does not come back by
    /// itself. The queues look at the disk's room for all.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match self.engine.failure() {
            Some(failed @ Failure::Poisoned(_)) => Some(failed),
            passing => {
                let failed = self.others().into_iter().find_map(|(_, failed)| failed);
                failed.map(Failure::Poisoned).or(passing).or_else(|| {
                    let (effort, lasts) = self.measured.under_way()?;
                    self.engine.hangs(effort, lasts)
                })
            }
        }
    }

    /// Tells of each log that fails, once; of the queues' their timer tells. Never returns.
    pub(crate) async fn tell(&self) {
        let mut told = self.others().map(|_| false);
        loop {
            for ((log, failed), told) in self.others().into_iter().zip(&mut told) {
                let Some(Poisoned(cause)) = failed else { continue };
                // The service closes them itself when it stops.
                if *told || matches!(*cause, PoisonCause::Closed) {
                    continue;
                }
                *told = true;
                error!(
                    log,
                    reason = %cause,
                    "the disk failed: what this log is to remember is refused until the service \
                     is started again; what was acknowledged is kept. Look at the disk, free some \
                     space or replace it, restart",
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The logs that are not the queues', and why each accepts nothing more, if so.
    fn others(&self) -> [(&'static str, Option<Poisoned>); 5] {
        [
            (METRICS, self.measured.failure()),
            (FLEET, self.fleet.as_ref().and_then(Fleet::failure)),
            (GROUPS, self.groups.failure()),
            (TOPICS, self.topics.failure()),
            (SYSTEM, self.identity.failure()),
        ]
    }
}

/// What is wrong with the disk, in a word.
pub(crate) fn word(failure: &Failure) -> &'static str {
    match failure {
        Failure::Poisoned(_) | Failure::Checkpoint(_) => "failed",
        Failure::Stalled { .. } => "stalled",
        Failure::Full { .. } => "full",
    }
}
