//! Instance refresh: every instance of a group is replaced by a new one, a few at a time, so that
//! enough of them serve all the while.
//!
//! What is remembered of a refresh is one structure, written down whole each time that it changes.
//! Who is to be replaced stands in it; all else is counted anew at each look, so that whatever
//! happens to the group meanwhile is simply seen: `tally` counts, `roll` decides.

mod roll;
mod tally;
mod verbs;

use std::collections::BTreeSet;
use std::time::Duration;

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

pub use verbs::NewRefresh;

use super::Group;
use super::ids::{ActivityId, InstanceId};
use super::member::Origin;
use super::record::Joined;
use super::settings::{Process, Source};
use crate::Workers;

/// Most refreshes of a group that are remembered; the oldest go first.
pub const REFRESHES: usize = 100;
/// How long a refresh is remembered: six weeks.
pub const REMEMBERED: Duration = Duration::from_hours(6 * 7 * 24);

/// A refresh of a group's instances.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Refresh {
    /// Its id.
    #[n(0)]
    pub id: ActivityId,
    /// When somebody asked for it.
    #[n(1)]
    pub asked: Timestamp,
    /// How it goes about it.
    #[n(2)]
    pub preferences: Preferences,
    /// What new instances are made from, and the group's from its success on; if it is not said,
    /// what the group's are made from anyway.
    #[n(3)]
    pub desired: Option<Source>,
    /// What the group's instances were made from before.
    #[n(4)]
    pub before: Source,
    /// The very version that new instances are made from: who is made from it is not replaced if
    /// that is preferred. None if nobody could tell.
    #[n(5)]
    pub target: Option<Source>,
    /// How far it is.
    #[n(6)]
    pub stage: Stage,
    /// When it began to replace instances.
    #[n(7)]
    pub began: Option<Timestamp>,
    /// When it ended.
    #[n(8)]
    pub ended: Option<Timestamp>,
    /// Why it did not come to its success, if it did not.
    #[n(9)]
    pub halt: Option<Halt>,
    /// How much of it is done, as it was seen last.
    #[n(10)]
    pub progress: Progress,
    /// Its way back, if it is or was on that.
    #[n(11)]
    pub rollback: Option<Rollback>,
    /// Until when it rests, after a checkpoint or before its success.
    #[n(12)]
    pub rests: Option<Timestamp>,
    /// Who is to be replaced.
    #[n(13)]
    old: BTreeSet<InstanceId>,
    /// Who was there when it began and is not to be replaced.
    #[n(14)]
    kept: BTreeSet<InstanceId>,
    /// Launches that were under way when it began: what comes of them may be to be replaced too.
    #[n(15)]
    stale: BTreeSet<ActivityId>,
    /// So many checkpoints are behind it.
    #[n(16)]
    passed: u32,
    /// The fewest that were ever left.
    #[n(17)]
    best: Option<Workers>,
    /// Since when nothing moves.
    #[n(18)]
    stuck: Option<Timestamp>,
    /// Since when new instances do not stay healthy.
    #[n(19)]
    trouble: Option<Timestamp>,
    /// Its number among the group's: each has one more than the one before.
    #[n(20)]
    pub number: u64,
}

/// How a refresh goes about it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Preferences {
    /// The percentage of the group's size that is to be ready at least.
    #[n(0)]
    pub least: u8,
    /// The percentage that may be in service or on its way there at most, if that is said.
    #[n(1)]
    pub most: Option<u8>,
    /// Seconds that a new instance takes to be ready once it serves.
    #[n(2)]
    pub warm_up: u32,
    /// Percentages after which it rests, in ascending order.
    #[n(3)]
    pub checkpoints: Vec<u8>,
    /// For so many seconds.
    #[n(4)]
    pub delay: u32,
    /// Whether instances that are as they should be are left alone.
    #[n(5)]
    pub skips: bool,
    /// Whether what it did is undone if it fails.
    #[n(6)]
    pub rolls_back: bool,
    /// What becomes of instances that are protected.
    #[n(7)]
    pub protected: Treatment,
    /// What becomes of instances that stand by.
    #[n(8)]
    pub standby: Treatment,
    /// Alarms that have it fail.
    #[n(9)]
    pub alarms: Vec<String>,
    /// Seconds that it rests before its success.
    #[n(10)]
    pub bake: u32,
}

/// What becomes of an instance that is not like the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Treatment {
    /// It is replaced, or terminated.
    #[n(0)]
    Replace,
    /// It is left alone.
    #[n(1)]
    Ignore,
    /// It is waited for.
    #[n(2)]
    Wait,
}

/// How far a refresh is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Stage {
    /// Somebody asked for it.
    #[n(0)]
    Pending,
    /// Instances are replaced.
    #[n(1)]
    Replacing,
    /// All are, and it waits to see how they do.
    #[n(2)]
    Baking,
    /// Nothing more is begun, and what was begun is waited for.
    #[n(3)]
    Cancelling,
    /// What was done is undone.
    #[n(4)]
    RollingBack,
    /// It ended well.
    #[n(5)]
    Successful,
    /// It failed.
    #[n(6)]
    Failed,
    /// It was given up.
    #[n(7)]
    Cancelled,
    /// What was done was undone.
    #[n(8)]
    RolledBack,
    /// It could not be undone.
    #[n(9)]
    RollbackFailed,
}

/// How much of a refresh is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Progress {
    /// The percentage of instances that were replaced and are ready.
    #[n(0)]
    pub percent: u8,
    /// How many are left.
    #[n(1)]
    pub left: Workers,
}

/// How a refresh turned back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Rollback {
    /// Why.
    #[n(0)]
    pub why: Halt,
    /// When.
    #[n(1)]
    pub at: Timestamp,
    /// How much was done by then.
    #[n(2)]
    pub progress: Progress,
}

/// Why a refresh did not come to its success.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Halt {
    /// Somebody asked for that, and that what is under way be waited for or not.
    #[n(0)]
    Asked {
        /// Whether it is.
        #[n(0)]
        patient: bool,
    },
    /// The group is deleted.
    #[n(1)]
    Deleted,
    /// This alarm was raised.
    #[n(2)]
    Alarm(#[n(0)] String),
    /// It waited for this for too long.
    #[n(3)]
    Stuck(#[n(0)] Awaited),
    /// It took too long.
    #[n(4)]
    TooLong,
}

/// What a refresh waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Awaited {
    /// This one serves, and is not ready yet.
    #[n(0)]
    Warming(#[n(0)] InstanceId),
    /// This one is on its way into service.
    #[n(1)]
    Coming(#[n(0)] InstanceId),
    /// This one is on its way out.
    #[n(2)]
    Going(#[n(0)] InstanceId),
    /// This one is new and not healthy.
    #[n(3)]
    Unhealthy(#[n(0)] InstanceId),
    /// This one is protected.
    #[n(4)]
    Protected(#[n(0)] InstanceId),
    /// This one stands by.
    #[n(5)]
    Standby(#[n(0)] InstanceId),
    /// The group does not do this by itself now.
    #[n(6)]
    Suspended(#[n(0)] Process),
    /// Launches fail.
    #[n(7)]
    Launches,
    /// There are too few that are ready.
    #[n(8)]
    Capacity,
    /// It rests after a checkpoint, until then.
    #[n(9)]
    Checkpoint(#[n(0)] Timestamp),
    /// It rests before its success, until then.
    #[n(10)]
    Baking(#[n(0)] Timestamp),
}

impl Stage {
    /// Whether it goes on.
    pub const fn is_active(self) -> bool {
        self.replaces() || matches!(self, Self::Pending | Self::Baking | Self::Cancelling)
    }

    /// Whether an alarm has it fail.
    pub const fn heeds_alarms(self) -> bool {
        matches!(self, Self::Pending | Self::Replacing | Self::Baking)
    }

    /// Whether instances are replaced.
    pub const fn replaces(self) -> bool {
        matches!(self, Self::Replacing | Self::RollingBack)
    }
}

impl Refresh {
    /// What new instances are made from because of it, if that is not what the group says.
    fn source(&self) -> Option<&Source> {
        match self.stage {
            Stage::Replacing | Stage::Baking => self.desired.as_ref(),
            Stage::RollingBack => Some(&self.before),
            _ => None,
        }
    }

    /// Whether what it does can be undone: there has to be something to go back from, and one
    /// thing to go back to.
    fn is_reversible(&self) -> bool {
        self.desired.is_some() && is_fixed(&self.before)
    }

    /// Whether an instance is made from what new ones are made from.
    fn matches(&self, origin: &Origin) -> bool {
        let target = match self.stage {
            Stage::RollingBack => Some(&self.before),
            _ => self.target.as_ref(),
        };
        match (target, origin) {
            (Some(Source::Template(target)), Origin::Template(origin)) => {
                target.id == origin.id && target.version == origin.version
            }
            (Some(Source::Configuration(target)), Origin::Configuration(origin, _)) => {
                target == origin
            }
            _ => false,
        }
    }

    /// Takes in who came of a launch.
    pub(super) fn joined(&mut self, joined: &Joined) {
        let member = &joined.member;
        if self.stale.remove(&joined.activity) && !self.matches(&member.origin) {
            self.old.insert(member.id);
        }
    }

    /// Ends.
    fn end(&mut self, stage: Stage, halt: Option<Halt>, now: Timestamp) {
        (self.stage, self.halt, self.ended) = (stage, halt, Some(now));
        (self.rests, self.stuck, self.trouble) = (None, None, None);
        self.old.clear();
        self.kept.clear();
        self.stale.clear();
    }
}

/// Whether a source says the same whenever it is asked.
fn is_fixed(source: &Source) -> bool {
    match source {
        Source::Configuration(_) => true,
        Source::Template(template) => {
            template.version.as_deref().is_some_and(|version| version.parse::<u64>().is_ok())
        }
    }
}

impl Group {
    /// The refresh that goes on, if one does.
    pub fn refreshing(&self) -> Option<&Refresh> {
        self.refreshes.back().filter(|refresh| refresh.stage.is_active())
    }

    /// Its refreshes, the newest first.
    pub fn refreshes(&self) -> impl Iterator<Item = &Refresh> {
        self.refreshes.iter().rev()
    }

    /// What its next instance is made from.
    pub fn source(&self) -> &Source {
        self.refreshing().and_then(Refresh::source).unwrap_or(&self.settings.source)
    }

    /// Takes in how a refresh is from now on.
    pub(super) fn refreshed(&mut self, refresh: &Refresh) {
        let known = self.refreshes.back().filter(|it| it.id == refresh.id).map(|it| it.stage);
        if known != Some(refresh.stage) {
            if let (Stage::Successful, Some(desired)) = (refresh.stage, &refresh.desired) {
                self.settings.source = desired.clone();
            }
            // What was wrong may be mended by that.
            (self.failures, self.failed) = (0, None);
        }
        if known.is_some() {
            self.refreshes.pop_back();
        }
        self.refreshes.push_back(refresh.clone());
        let is_over = |first: &Refresh| refresh.asked.since(first.asked) > REMEMBERED;
        while self.refreshes.len() > REFRESHES || self.refreshes.front().is_some_and(is_over) {
            self.refreshes.pop_front();
        }
    }
}
