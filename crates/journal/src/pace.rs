//! How long a sync may wait for company.
//!
//! A sync costs the same for one request as for fifty, and that is the dearest part of a durable
//! request. Clients that each wait for their answer before they ask again fall into two parties:
//! while one is being synced the other gathers, and each sync serves half of them. So the sync
//! thread gives those who are about to come a moment: until seven eighths of those that there seem
//! to be wait, or enough for a sync to cost each of them little, and never for longer than four
//! syncs take, or a millisecond. Where hardly any come while a sync lasts nobody waits: what it
//! would save is not needed.

use std::time::Duration;

/// For how many syncs' time to wait at most.
const SYNCS: u32 = 4;
/// Fewer clients than this are not worth a wait: the disk is idle while it lasts.
const FEW: usize = 4;
/// Nor is it where fewer than so many come while a sync lasts.
const RUSH: u32 = 3;
/// So many share a sync as well as more would.
const ENOUGH: usize = 32;
/// However slow the disk, nobody waits longer for others.
const LONGEST: Duration = Duration::from_millis(1);
/// Of how many batches what is usual is made, the last ones counting most.
const MEMORY: u32 = 8;

/// What the sync thread remembers from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// How many wait for the batch that is being synced: of a request with several messages, each.
    pub(crate) serves: usize,
    /// How many waited at the end of the last sync, served or come meanwhile.
    clients: usize,
    /// How long it took.
    took: Duration,
    /// When it was done, by the clock that never goes back.
    done: Duration,
    /// How long one takes usually.
    usual: Duration,
    /// How long it usually is from one request to the next.
    between: Duration,
}

impl Pace {
    /// A sync began and was done at these times, and `came` have begun to wait meanwhile.
    pub(crate) fn synced(&mut self, began: Duration, done: Duration, came: usize) {
        self.clients = self.serves + came;
        self.took = done.saturating_sub(began);
        let since = done.saturating_sub(std::mem::replace(&mut self.done, done));
        let mix = |usual: Duration, last: Duration| (usual * (MEMORY - 1) + last) / MEMORY;
        self.usual = mix(self.usual, self.took);
        if let Ok(served @ 1..) = u32::try_from(self.serves) {
            self.between = mix(self.between, (since / served).min(LONGEST));
        }
    }

    /// For how many to wait, and for how long at most; `None` not to wait.
    pub(crate) fn gathering(&self) -> Option<(usize, Duration)> {
        let moment = (self.took * SYNCS).min(LONGEST);
        let is_rush = self.usual >= self.between * RUSH;
        let is_worth_it = is_rush && self.clients >= FEW && !moment.is_zero();
        is_worth_it.then_some(((self.clients * 7 / 8).min(ENOUGH), moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_micros(200);

    /// After many batches of so many, each of them done so long after the one before, and `came`
    /// meanwhile.
    fn pace(serves: usize, came: usize, apart: Duration) -> Option<(usize, Duration)> {
        let mut pace = Pace { serves, ..Pace::default() };
        for nth in 1..100 {
            let done = apart * nth;
            pace.synced(done.saturating_sub(SYNC), done, came);
        }
        pace.gathering()
    }

    #[test]
    fn one_client_and_few_never_wait() {
        assert_eq!(Pace::default().gathering(), None);
        assert_eq!(pace(1, 0, SYNC), None);
        assert_eq!(pace(1, 2, SYNC), None);
    }

    #[test]
    fn many_wait_for_most_of_the_others_but_not_for_long() {
        assert_eq!(pace(16, 16, SYNC), Some((28, 4 * SYNC)));
        assert_eq!(pace(16, 200, SYNC), Some((ENOUGH, 4 * SYNC)));
        let mut slow = Pace { serves: 8, ..Pace::default() };
        slow.synced(Duration::ZERO, Duration::from_secs(1), 0);
        assert_eq!(slow.gathering(), Some((7, LONGEST)));
    }

    #[test]
    fn nobody_waits_where_others_come_seldom() {
        // Sixteen share a sync, as they would if they were waited for: what counts is how many
        // come while one lasts.
        assert_eq!(pace(16, 2, 8 * SYNC), None);
        assert!(pace(16, 3, 5 * SYNC).is_some());
    }
}
