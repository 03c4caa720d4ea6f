//! How a refresh stands: who is to be replaced, who is ready, how many may go now, and what is
//! waited for.

use std::time::Duration;

use tidemill_base::Timestamp;

use super::{Awaited, Progress, Refresh, Stage, Treatment};
use crate::Workers;
use crate::group::settings::Process;
use crate::group::{Group, Health, Lifecycle, Member, workers};

/// Processes without which nothing is replaced.
const NEEDED: [Process; 3] = [Process::InstanceRefresh, Process::Launch, Process::Terminate];

/// A group as its refresh sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) group: &'a Group,
    pub(super) refresh: &'a Refresh,
    pub(super) now: Timestamp,
}

impl<'a> View<'a> {
    /// How much is done. On the way back it is how much of what was done is not undone yet.
    pub(super) fn progress(&self) -> Progress {
        let (whole, left) = (self.whole(), self.left());
        let part = |count: Workers| {
            let part = u64::from(count.count()) * 100 / u64::from(whole.count().max(1));
            u8::try_from(part).expect("a part is not more than the whole")
        };
        match &self.refresh.rollback {
            Some(rollback) => {
                let percent = part(left).min(rollback.progress.percent);
                Progress { percent, left: whole - left }
            }
            None if whole == Workers::NONE => Progress { percent: 100, left },
            None => Progress { percent: part(whole - left), left },
        }
    }

    /// How many are to be replaced, or the new ones of which are not ready.
    pub(super) fn left(&self) -> Workers {
        let fresh = |it: &&Member| !self.is_old(it) && self.is_ready(it);
        let old = |it: &&Member| self.is_counted(it) && it.state != Lifecycle::Standby;
        let missing = self.room() - self.count(fresh);
        missing.max(self.count(old)) + self.standing()
    }

    /// How many may go now, as far as checkpoints are concerned.
    pub(super) fn due(&self) -> Workers {
        if self.refresh.rests.is_some() || !self.refresh.stage.replaces() {
            return Workers::NONE;
        }
        let serving = self.whole() - self.standing();
        let kept = serving - self.percent_of(serving, self.checkpoint());
        self.count(|it| self.stays(it)) - kept
    }

    /// Whether an instance is to be replaced and may go, as far as it itself is concerned.
    pub(super) fn may_go(&self, it: &Member) -> bool {
        let fit = match it.state {
            Lifecycle::InService => it.health != Health::Healthy || self.is_ready(it),
            state => state.is_coming(),
        };
        self.stays(it) && fit && self.treatment(it) == Treatment::Replace
    }

    /// Whether an instance stands by and is to be terminated.
    pub(super) fn stands_in_vain(&self, it: &Member) -> bool {
        let stands = it.state == Lifecycle::Standby;
        self.is_counted(it) && stands && self.treatment(it) == Treatment::Replace
    }

    /// How many that are ready may be fewer.
    pub(super) fn spare(&self) -> Workers {
        self.count(|it| self.is_ready(it)) - self.bounds().0
    }

    /// How many the group has beyond its size, so that new ones serve before old ones go.
    pub(super) fn surge(&self) -> Workers {
        let free = self.count(|it| self.stays(it) && self.treatment(it) == Treatment::Replace);
        let most = self.bounds().1 - self.group.desired;
        most.min(self.due()).min(free)
    }

    /// Which process that is needed is suspended, if one is.
    pub(super) fn suspended(&self) -> Option<Process> {
        NEEDED.into_iter().find(|process| !self.group.does(*process))
    }

    /// Whether something goes on that will come to an end by itself.
    pub(super) fn moves(&self) -> bool {
        let fails = self.group.failures > 0;
        let moves = |it: &Member| match it.state {
            Lifecycle::InService => it.health == Health::Healthy && !self.is_ready(it),
            state if state.is_coming() => !fails,
            state => state.is_going(),
        };
        self.group.members().any(moves) || !self.group.launching.is_empty() && !fails
    }

    /// A new instance that is not healthy.
    pub(super) fn unhealthy(&self) -> Option<&'a Member> {
        self.find(|it| !self.is_old(it) && it.health != Health::Healthy)
    }

    /// What is waited for.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        if let Some(until) = self.refresh.rests {
            return Some(match self.refresh.stage {
                Stage::Baking => Awaited::Baking(until),
                _ => Awaited::Checkpoint(until),
            });
        }
        let warming = |it: &Member| it.state == Lifecycle::InService && !self.is_ready(it);
        let waits = |state: Lifecycle| {
            move |it: &Member| {
                let stands = it.state == Lifecycle::Standby;
                let waits = self.is_counted(it) && self.treatment(it) == Treatment::Wait;
                waits && stands == (state == Lifecycle::Standby)
            }
        };
        let of = |found: Option<&Member>, awaited: fn(_) -> Awaited| found.map(|it| awaited(it.id));
        let fails = (self.group.failures > 0).then_some(Awaited::Launches);
        self.suspended()
            .map(Awaited::Suspended)
            .or(fails)
            .or_else(|| of(self.unhealthy(), Awaited::Unhealthy))
            .or_else(|| of(self.find(|it| it.state.is_coming()), Awaited::Coming))
            .or_else(|| of(self.find(warming), Awaited::Warming))
            .or_else(|| of(self.find(|it| it.state.is_going()), Awaited::Going))
            .or_else(|| of(self.find(waits(Lifecycle::InService)), Awaited::Protected))
            .or_else(|| of(self.find(waits(Lifecycle::Standby)), Awaited::Standby))
            .or_else(|| (self.left() > Workers::NONE).then_some(Awaited::Capacity))
    }

    /// The fewest that are to be ready, and the most that there may be. Where both leave no room
    /// to replace anybody, one more comes first, if the most was said, and else one goes first.
    fn bounds(&self) -> (Workers, Workers) {
        let (preferences, size, one) =
            (&self.refresh.preferences, self.group.desired, Workers::new(1));
        let least = self.percent_of(size, preferences.least);
        let most = preferences.most.map_or(size, |percent| {
            let most = u64::from(size.count()) * u64::from(percent) / 100;
            Workers::new(u32::try_from(most).unwrap_or(u32::MAX))
        });
        match preferences.most {
            _ if least < size || most > size => (least, most),
            Some(_) => (least, size + one),
            None => (size - one, size),
        }
    }

    /// The percentage of instances that may be replaced before it rests.
    fn checkpoint(&self) -> u8 {
        let checkpoints = &self.refresh.preferences.checkpoints;
        match self.refresh.stage {
            Stage::RollingBack => 100,
            _ => checkpoints.get(self.refresh.passed as usize).copied().unwrap_or(100),
        }
    }

    /// So many percent, and rather one more than one fewer.
    #[expect(clippy::unused_self, reason = "it reads as what it is part of")]
    fn percent_of(&self, whole: Workers, percent: u8) -> Workers {
        let part = (u64::from(whole.count()) * u64::from(percent)).div_ceil(100);
        Workers::new(u32::try_from(part).unwrap_or(u32::MAX))
    }

    /// How many there are to be replaced when nothing is yet.
    fn whole(&self) -> Workers {
        let old = |it: &&Member| self.is_counted(it) && it.state != Lifecycle::Standby;
        self.room().max(self.count(old)) + self.standing()
    }

    /// How many of the group are to be new.
    fn room(&self) -> Workers {
        let left_out = |it: &&Member| it.state == Lifecycle::InService && self.is_left_out(it);
        self.group.desired - self.count(left_out)
    }

    /// How many stand by that are not left out.
    fn standing(&self) -> Workers {
        self.count(|it| self.is_counted(it) && it.state == Lifecycle::Standby)
    }

    fn is_old(&self, it: &Member) -> bool {
        self.refresh.old.contains(&it.id)
    }

    fn is_left_out(&self, it: &Member) -> bool {
        !it.state.is_going() && self.is_old(it) && self.treatment(it) == Treatment::Ignore
    }

    fn is_counted(&self, it: &Member) -> bool {
        self.is_old(it) && !self.is_left_out(it)
    }

    /// Whether it is to be replaced, and nothing is done about it yet.
    fn stays(&self, it: &Member) -> bool {
        self.is_counted(it) && !it.state.is_going() && it.state != Lifecycle::Standby
    }

    fn treatment(&self, it: &Member) -> Treatment {
        match it.state {
            Lifecycle::Standby => self.refresh.preferences.standby,
            _ if it.protected => self.refresh.preferences.protected,
            _ => Treatment::Replace,
        }
    }

    /// Whether it serves, is healthy, and has had its time to be ready.
    pub(super) fn is_ready(&self, it: &Member) -> bool {
        let warm_up = Duration::from_secs(self.refresh.preferences.warm_up.into());
        let warm = it.served.is_some_and(|served| self.now.since(served) >= warm_up);
        it.state == Lifecycle::InService && it.health == Health::Healthy && warm
    }

    fn count(&self, which: impl Fn(&&'a Member) -> bool) -> Workers {
        workers(self.group.members().filter(which).count())
    }

    fn find(&self, which: impl Fn(&Member) -> bool) -> Option<&'a Member> {
        self.group.members().find(|it| which(it))
    }
}

impl Group {
    /// Whether it does all by itself that a refresh needs.
    pub(in crate::group) fn may_replace(&self) -> bool {
        NEEDED.into_iter().all(|process| self.does(process))
    }

    /// How many it has beyond its size for the sake of a refresh.
    pub(in crate::group) fn surge(&self) -> Workers {
        // That somebody is ready has nothing to do with it, nor has the time.
        let now = self.made;
        let view = self.refreshing().map(|refresh| View { group: self, refresh, now });
        view.map_or(Workers::NONE, |view| view.surge())
    }

    /// What its refresh waits for, if one goes on and waits.
    pub fn awaited(&self, now: Timestamp) -> Option<Awaited> {
        let refresh = self.refreshing().filter(|it| it.stage != Stage::Pending)?;
        View { group: self, refresh, now }.awaited()
    }
}
