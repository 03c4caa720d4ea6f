//! What follows for a refresh from how its group is: who goes, when it rests, and how it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill_base::Timestamp;

use super::tally::View;
use super::{Awaited, Halt, Refresh, Rollback, Stage};
use crate::Workers;
use crate::group::activity::Cause;
use crate::group::choose::in_order;
use crate::group::decide::Draft;
use crate::group::member::Origin;
use crate::group::record::What;
use crate::group::settings::Process;
use crate::group::{Group, InstanceId};

/// How long nothing may move.
const PATIENCE: Duration = Duration::from_hours(1);
/// How long a refresh may replace instances.
const LONGEST: Duration = Duration::from_hours(14 * 24);

impl Draft<'_> {
    /// A refresh goes on: it begins, comes to its end, and has instances go.
    pub(in crate::group) fn refresh(&mut self) {
        let Some(known) = self.group.refreshing() else { return };
        let mut refresh = known.clone();
        let now = self.now;
        match refresh.stage {
            _ if self.group.closing => refresh.end(Stage::Cancelled, Some(Halt::Deleted), now),
            Stage::Pending => {
                begin(&self.group, &mut refresh, now);
                go_on(&self.group, &mut refresh, now);
            }
            Stage::Replacing | Stage::RollingBack => go_on(&self.group, &mut refresh, now),
            Stage::Baking if refresh.rests.is_none_or(|until| until <= now) => {
                refresh.end(Stage::Successful, None, now);
            }
            Stage::Cancelling if is_calm(&self.group) => {
                let halt = refresh.halt.take();
                refresh.end(Stage::Cancelled, halt, now);
            }
            _ => {}
        }
        self.keep(refresh);
        self.have_go();
    }

    /// A refresh that does not go on fails in the end. Asked when all else is decided.
    pub(in crate::group) fn watch(&mut self) {
        let Some(known) = self.group.refreshing().filter(|it| it.stage.replaces()) else { return };
        let mut refresh = known.clone();
        let now = self.now;
        let view = View { group: &self.group, refresh: known, now };
        let rests = refresh.rests.is_some() || !self.group.does(Process::InstanceRefresh);
        if rests {
            // Nobody waits for whoever is unhealthy meanwhile.
            refresh.trouble = None;
        } else if view.unhealthy().is_some() {
            refresh.trouble.get_or_insert(now);
        }
        if rests || view.moves() || view.left() == Workers::NONE {
            refresh.stuck = None;
        } else {
            refresh.stuck.get_or_insert(now);
        }
        let warm_up = Duration::from_secs(refresh.preferences.warm_up.into());
        let lasts = |since: Option<Timestamp>, most| since.is_some_and(|it| now.since(it) >= most);
        let halt = if lasts(refresh.stuck, PATIENCE) || lasts(refresh.trouble, PATIENCE + warm_up) {
            Some(Halt::Stuck(view.awaited().unwrap_or(Awaited::Capacity)))
        } else if lasts(refresh.began, longest(&refresh)) {
            Some(Halt::TooLong)
        } else {
            None
        };
        if let Some(halt) = halt {
            fail(&self.group, &mut refresh, halt, now);
        }
        self.keep(refresh);
    }

    /// Has those go that may go now.
    fn have_go(&mut self) {
        let Some(refresh) = self.group.refreshing().filter(|it| it.stage.replaces()) else {
            return;
        };
        let view = View { group: &self.group, refresh, now: self.now };
        if view.suspended().is_some() || refresh.rests.is_some() {
            return;
        }
        let mut refresh = refresh.clone();
        let vain = self.group.members().filter(|it| view.stands_in_vain(it)).map(|it| it.id);
        let mut going: Vec<InstanceId> = vain.collect();
        let (mut due, mut spare) = (view.due().count(), view.spare().count());
        let fit = self.group.members().filter(|it| view.may_go(it));
        for member in in_order(&self.group, fit, self.now) {
            // One that is not ready is not missed.
            let missed = view.is_ready(member);
            if due > 0 && (!missed || spare > 0) {
                due -= 1;
                spare -= u32::from(missed);
                going.push(member.id);
            }
        }
        if going.is_empty() {
            return;
        }
        for id in going {
            let said = vec![self.said(Cause::TakenByRefresh), self.said(Cause::Selected(id))];
            self.terminate(id, said, false);
        }
        // It moves again.
        (refresh.stuck, refresh.trouble) = (None, None);
        self.keep(refresh);
    }

    /// Has a refresh be so from now on.
    fn keep(&mut self, refresh: Refresh) {
        if self.group.refreshes.back() != Some(&refresh) {
            self.put(What::Refreshed(Box::new(refresh)));
        }
    }
}

/// A refresh begins: says who is to be replaced.
fn begin(group: &Group, refresh: &mut Refresh, now: Timestamp) {
    (refresh.stage, refresh.began) = (Stage::Replacing, Some(now));
    let skips = refresh.preferences.skips;
    for member in group.members() {
        if skips && refresh.matches(&member.origin) {
            refresh.kept.insert(member.id);
        } else {
            refresh.old.insert(member.id);
        }
    }
    refresh.stale.clone_from(&group.launching);
}

/// A refresh that replaces instances comes to a checkpoint, or to its end.
fn go_on(group: &Group, refresh: &mut Refresh, now: Timestamp) {
    // It remembers no more of who is gone than it needs.
    refresh.old.retain(|id| group.member(*id).is_some());
    refresh.stale.retain(|launch| group.launching.contains(launch));
    let view = View { group, refresh, now };
    let (left, progress) = (view.left(), view.progress());
    refresh.progress = progress;
    if refresh.best.is_none_or(|best| left < best) {
        refresh.best = Some(left);
        (refresh.stuck, refresh.trouble) = (None, None);
    }
    if refresh.stage == Stage::RollingBack {
        if left == Workers::NONE {
            refresh.end(Stage::RolledBack, None, now);
        }
        return;
    }
    let is_last = come_to_checkpoint(refresh, progress.percent, now);
    if left == Workers::NONE || is_last {
        if refresh.preferences.bake == 0 {
            return refresh.end(Stage::Successful, None, now);
        }
        let bake = Duration::from_secs(refresh.preferences.bake.into());
        (refresh.stage, refresh.rests) = (Stage::Baking, Some(now + bake));
        (refresh.stuck, refresh.trouble) = (None, None);
    }
}

/// Rests after a checkpoint, or goes on from there. Says whether it was the last of them.
fn come_to_checkpoint(refresh: &mut Refresh, percent: u8, now: Timestamp) -> bool {
    let reached = refresh.preferences.checkpoints.iter().filter(|it| **it <= percent).count();
    let all = refresh.preferences.checkpoints.len();
    let number = u32::try_from(reached).expect("there are not more of them than percent");
    if all > 0 && reached == all {
        refresh.passed = number;
        refresh.rests = None;
        return true;
    }
    if refresh.rests.is_some_and(|until| until <= now) {
        // Those that more instances have put out of reach again stay behind it.
        refresh.passed = number.max(refresh.passed + 1);
        refresh.rests = None;
    } else if refresh.rests.is_none() && number > refresh.passed {
        let delay = Duration::from_secs(refresh.preferences.delay.into());
        if delay.is_zero() {
            refresh.passed = number;
        } else {
            refresh.rests = Some(now + delay);
        }
    }
    false
}

/// A refresh fails, or what it did is undone.
pub(super) fn fail(group: &Group, refresh: &mut Refresh, halt: Halt, now: Timestamp) {
    match refresh.stage {
        Stage::RollingBack => refresh.end(Stage::RollbackFailed, Some(halt), now),
        _ if refresh.preferences.rolls_back => turn_back(group, refresh, halt, now),
        _ => refresh.end(Stage::Failed, Some(halt), now),
    }
}

/// A refresh turns back: who came by it is to be replaced now.
pub(super) fn turn_back(group: &Group, refresh: &mut Refresh, why: Halt, now: Timestamp) {
    let came = group.members().filter(|member| {
        let there = refresh.old.contains(&member.id) || refresh.kept.contains(&member.id);
        !there && member.origin != Origin::Elsewhere
    });
    let came = came.map(|member| member.id).collect();
    // One that was only asked for has done nothing.
    let did = refresh.stage != Stage::Pending;
    refresh.rollback = Some(Rollback { why, at: now, progress: refresh.progress });
    refresh.stage = Stage::RollingBack;
    refresh.began.get_or_insert(now);
    refresh.old = if did { came } else { BTreeSet::new() };
    refresh.stale = if did { group.launching.clone() } else { BTreeSet::new() };
    refresh.kept.clear();
    (refresh.rests, refresh.best) = (None, None);
    (refresh.stuck, refresh.trouble) = (None, None);
}

/// Whether nothing of a group is on its way.
pub(super) fn is_calm(group: &Group) -> bool {
    let moves = group.members().any(|it| it.state.is_coming() || it.state.is_going());
    !moves && group.launching.is_empty()
}

/// How long a refresh may take; its rests do not count.
fn longest(refresh: &Refresh) -> Duration {
    let rest = Duration::from_secs(refresh.preferences.delay.into());
    let back = refresh.rollback.as_ref().zip(refresh.began);
    let forth = back.map_or(Duration::ZERO, |(back, began)| back.at.since(began));
    LONGEST + rest * refresh.passed + forth
}
