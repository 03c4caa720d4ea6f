//! How long a sync may wait for company.
//!
//! A sync costs the same for one request as for fifty, and that is the dearest part of a durable
//! request. Clients that each wait for their answer before they ask again fall into two parties:
//! while one is being synced the other gathers, and each sync serves half of them. So the sync
//! thread gives those who are about to come a moment: until seven eighths of the clients that
//! there seem to be wait, and never for longer than four syncs take, or a millisecond. One client
//! alone never waits, and neither do few.

use std::time::Duration;

/// For how many syncs' time to wait at most.
const SYNCS: u32 = 4;
/// Fewer clients than this are not worth a wait: the disk is idle while it lasts.
const FEW: usize = 4;
/// However slow the disk, nobody waits longer for others.
const LONGEST: Duration = Duration::from_millis(1);

/// What the sync thread remembers from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// How many wait for the batch that is being synced.
    pub(crate) serves: usize,
    /// How many waited at the end of the last sync, served or come meanwhile.
    clients: usize,
    /// How long it took.
    took: Duration,
}

impl Pace {
    /// A sync took so long, and `came` have begun to wait meanwhile.
    pub(crate) fn synced(&mut self, took: Duration, came: usize) {
        self.clients = self.serves + came;
        self.took = took;
    }

    /// For how many to wait, and for how long at most; `None` not to wait.
    pub(crate) fn gathering(&self) -> Option<(usize, Duration)> {
        let moment = (self.took * SYNCS).min(LONGEST);
        (self.clients >= FEW && !moment.is_zero()).then_some((self.clients * 7 / 8, moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_micros(200);

    fn pace(serves: usize, came: usize) -> Option<(usize, Duration)> {
        let mut pace = Pace { serves, ..Pace::default() };
        pace.synced(SYNC, came);
        pace.gathering()
    }

    #[test]
    fn one_client_and_few_never_wait() {
        assert_eq!(Pace::default().gathering(), None);
        assert_eq!(pace(1, 0), None);
        assert_eq!(pace(1, 2), None);
    }

    #[test]
    fn many_wait_for_most_of_the_others_but_not_for_long() {
        assert_eq!(pace(16, 16), Some((28, 4 * SYNC)));
        let mut slow = Pace { serves: 8, ..Pace::default() };
        slow.synced(Duration::from_secs(1), 0);
        assert_eq!(slow.gathering(), Some((7, LONGEST)));
    }
}
