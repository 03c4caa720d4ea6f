//! What is written down: each thing that happened to a group, as a kind and CBOR.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;
use tidemill_journal::cbor::{self, Written};
use tidemill_journal::{Record, RecordRef, Unreadable};

use super::activity::{Activity, End, Said};
use super::configuration::Configuration;
use super::hook::{Answer, Hook, Wait};
use super::ids::{ActivityId, GroupKey, InstanceId};
use super::member::{Health, Lifecycle, Member};
use super::notice::{Notified, Trial};
use super::policy::PolicyPut;
use super::refresh::Refresh;
use super::scheduled::ScheduledPut;
use super::settings::{Process, Settings, Tags};
use crate::Workers;

/// Something that happened. The state is what these add up to.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "few of them are held, and none for long")]
pub enum Event {
    /// It happened to a group, or to the configuration of that name.
    Of(GroupKey, What),
    /// What was owed under these numbers was told.
    Told(Vec<u64>),
    /// Everything was forgotten.
    Cleared,
}

/// What happened to a group.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It was made.
    Made(Made),
    /// It is told to be something else.
    Set(Settings),
    /// It is told to have so many.
    Wanted(Wanted),
    /// An activity began, or began and ended.
    Begun(Activity),
    /// What an activity launched or took in is there.
    Joined(Joined),
    /// An instance came into another state.
    Moved(Moved),
    /// An activity ended.
    Ended(Ended),
    /// An instance is of the group no more.
    Left(Left),
    /// Something is thought of an instance's health.
    Judged(Judged),
    /// Instances are spared when the group shrinks, or no more.
    Spared(Spared),
    /// It has more tags, or other values of them.
    Tagged(Tags),
    /// It has fewer tags.
    Untagged(Vec<String>),
    /// These processes are suspended, and no others.
    Suspended(BTreeSet<Process>),
    /// These metrics are published, and no others.
    Measured(BTreeSet<String>),
    /// It is to be deleted with all that it has.
    Closing(()),
    /// It is there no more.
    Gone(()),
    /// It has a hook, or another one of that name.
    HookSet(HookSet),
    /// It has a hook less.
    HookGone(String),
    /// An instance waits.
    Waiting(Waiting),
    /// Something was said of an instance that waits.
    Answered(Answered),
    /// An instance that waits does so anew.
    Renewed(Renewed),
    /// A launch configuration was made.
    Configured(Configuration),
    /// A launch configuration is there no more.
    Unconfigured(()),
    /// A policy was made, or set to something else.
    PolicyPut(PolicyPut),
    /// A policy is there no more.
    PolicyDropped(String),
    /// A scheduled action was made, or set to something else; or it comes again later.
    ScheduledPut(ScheduledPut),
    /// A scheduled action is there no more.
    ScheduledDropped(String),
    /// A refresh was asked for, or is something else from now on.
    Refreshed(Box<Refresh>),
    /// Somebody is told of what it does.
    Notified(Notified),
    /// Somebody is told of it no more.
    Unnotified(String),
}

/// A group was made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Made {
    /// What sets it apart from one of the same name before and after it.
    #[n(0)]
    pub id: ActivityId,
    /// When.
    #[n(1)]
    pub at: Timestamp,
    /// What it is told to be.
    #[n(2)]
    pub settings: Settings,
    /// Its tags.
    #[n(3)]
    pub tags: Tags,
}

/// A group is told to have so many.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Wanted {
    /// So many.
    #[n(0)]
    pub desired: Workers,
    /// Why and when; nothing is said where somebody asked for one instance to come or go.
    #[n(1)]
    pub said: Option<Said>,
}

/// An instance is of the group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Joined {
    /// By which activity.
    #[n(0)]
    pub activity: ActivityId,
    /// As what.
    #[n(1)]
    pub member: Member,
}

/// An instance came into another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Moved {
    /// Which.
    #[n(0)]
    pub instance: InstanceId,
    /// Which state.
    #[n(1)]
    pub state: Lifecycle,
    /// When.
    #[n(2)]
    pub at: Timestamp,
    /// The activity that it is the object of from now on.
    #[n(3)]
    pub activity: Option<ActivityId>,
    /// Whether it is to be followed by another once it is gone.
    #[n(4)]
    pub replaced: bool,
}

/// An activity ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ended {
    /// Which.
    #[n(0)]
    pub activity: ActivityId,
    /// How.
    #[n(1)]
    pub end: End,
}

/// An instance is of the group no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Left {
    /// Which.
    #[n(0)]
    pub instance: InstanceId,
}

/// Something is thought of an instance's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Judged {
    /// Which.
    #[n(0)]
    pub instance: InstanceId,
    /// What.
    #[n(1)]
    pub health: Health,
}

/// Instances are spared when the group shrinks, or no more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Spared {
    /// Which.
    #[n(0)]
    pub instances: Vec<InstanceId>,
    /// Whether.
    #[n(1)]
    pub protected: bool,
}

/// A group has a hook, or another one of that name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HookSet {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// The hook.
    #[n(1)]
    pub hook: Hook,
    /// What is told first of all, if anybody is told of those who wait.
    #[n(2)]
    pub trial: Option<Trial>,
}

/// An instance waits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Waiting {
    /// Which.
    #[n(0)]
    pub instance: InstanceId,
    /// For what.
    #[n(1)]
    pub waits: Vec<Wait>,
}

/// Something was said of an instance that waits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Answered {
    /// Which.
    #[n(0)]
    pub instance: InstanceId,
    /// Which hook it waits for.
    #[n(1)]
    pub hook: String,
    /// What.
    #[n(2)]
    pub answer: Answer,
    /// When.
    #[n(3)]
    pub at: Timestamp,
    /// Whether nobody said it in time.
    #[n(4)]
    pub timed_out: bool,
}

/// An instance that waits does so anew.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Renewed {
    /// Which.
    #[n(0)]
    pub instance: InstanceId,
    /// Which hook it waits for.
    #[n(1)]
    pub hook: String,
    /// When.
    #[n(2)]
    pub at: Timestamp,
}

/// The version that is written. What can be said by a new member needs no new one.
const VERSION: u8 = 1;
const TOLD: u8 = 126;
const CLEARED: u8 = 127;

macro_rules! whats {
    ($($kind:literal $name:ident)*) => {
        impl Written for Event {
            fn record(&self) -> Record {
                match self {
                    $(Self::Of(key, What::$name(what)) => {
                        cbor::write($kind, VERSION, &(key, what))
                    })*
                    Self::Told(numbers) => cbor::write(TOLD, VERSION, numbers),
                    Self::Cleared => cbor::bare(CLEARED, VERSION),
                }
            }

            fn read(record: RecordRef<'_>) -> Result<Self, Unreadable> {
                match (record.kind.0, record.version) {
                    $(($kind, VERSION) => cbor::read(record)
                        .map(|(key, what)| Self::Of(key, What::$name(what))),)*
                    (TOLD, VERSION) => cbor::read(record).map(Self::Told),
                    (CLEARED, VERSION) => Ok(Self::Cleared),
                    _ => Err(cbor::unknown(record)),
                }
            }
        }
    };
}

// 1 to 39 are of groups and their instances, 40 to 59 of policies, 60 to 69 of hooks, 70 of
// refreshes, 80 to 89 of whom they tell.
whats! {
    1 Made
    2 Set
    3 Wanted
    4 Begun
    5 Joined
    6 Moved
    7 Ended
    8 Left
    9 Judged
    10 Spared
    11 Tagged
    12 Untagged
    13 Suspended
    14 Measured
    15 Closing
    16 Gone
    17 Configured
    18 Unconfigured
    40 PolicyPut
    41 PolicyDropped
    42 ScheduledPut
    43 ScheduledDropped
    60 HookSet
    61 HookGone
    62 Waiting
    63 Answered
    64 Renewed
    70 Refreshed
    80 Notified
    81 Unnotified
}
