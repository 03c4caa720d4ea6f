//! Notices: whom a group tells of what it does, and what is still to be told.
//!
//! What is owed follows from what was written down, together with it, and is owed until it was
//! written down that it was told: a service that dies in between tells it again, and leaves nothing
//! untold. Whom to tell is an address that means something to whoever tells.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use super::Group;
use super::activity::{Activity, Deed, Outcome};
use super::engine::{GroupError, Groups};
use super::hook::{Transition, Wait};
use super::ids::{ActivityId, GroupKey, InstanceId};
use super::record::{Event, What};
use super::refusal::Refusal;
use super::state::State;

/// Most whom a group tells.
pub const LISTENERS: usize = 10;

/// What may be told of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Kind {
    /// An instance came.
    #[n(0)]
    Launched,
    /// One could not be launched.
    #[n(1)]
    LaunchFailed,
    /// An instance went.
    #[n(2)]
    Terminated,
    /// One could not be terminated.
    #[n(3)]
    TerminateFailed,
    /// That there is something to be told at all.
    #[n(4)]
    Tested,
}

/// A trial, which whoever is to be told is sent first of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Trial {
    /// What it is known by.
    #[n(0)]
    pub id: ActivityId,
    /// When it was asked for.
    #[n(1)]
    pub at: Timestamp,
}

/// Somebody is told of a group from now on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Notified {
    /// Who.
    #[n(0)]
    pub target: String,
    /// Of what, and of nothing else.
    #[n(1)]
    pub kinds: BTreeSet<Kind>,
    /// What he is told first.
    #[n(2)]
    pub trial: Trial,
}

/// Something that is owed to somebody.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Owed {
    /// By which group. It may be gone by now.
    #[n(0)]
    pub group: GroupKey,
    /// What sets that one apart from others of its name.
    #[n(1)]
    pub id: ActivityId,
    /// To whom.
    #[n(2)]
    pub target: String,
    /// What.
    #[n(3)]
    pub notice: Notice,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Notice {
    /// A trial.
    #[n(0)]
    Trial(#[n(0)] Trial),
    /// An activity ended.
    #[n(1)]
    Done {
        /// Which kind of end that is.
        #[n(0)]
        kind: Kind,
        /// The activity.
        #[n(1)]
        activity: Box<Activity>,
        /// The subnets of its group.
        #[n(2)]
        subnets: Option<String>,
    },
    /// An instance waits for somebody to say that it may go on.
    #[n(2)]
    Waits {
        /// Which.
        #[n(0)]
        instance: InstanceId,
        /// For whom, and since when.
        #[n(1)]
        wait: Box<Wait>,
        /// Where it waits.
        #[n(2)]
        transition: Transition,
        /// A word that the hook has for it.
        #[n(3)]
        metadata: Option<String>,
    },
}

/// What is still to be told, in the order in which it happened.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Debts {
    /// How many there ever were: the number of the latest.
    #[n(0)]
    count: u64,
    #[n(1)]
    owed: BTreeMap<u64, Owed>,
}

impl Debts {
    /// Takes in what happened to a group, which was taken in by it before; `ended` is the activity
    /// that ended by it, if one did.
    pub(super) fn happened(
        &mut self,
        key: &GroupKey,
        group: &Group,
        what: &What,
        ended: Option<&Activity>,
    ) {
        match what {
            What::Notified(Notified { target, trial, .. }) => {
                self.owe(key, group, target, Notice::Trial(*trial));
            }
            What::HookSet(set) => {
                if let (Some(target), Some(trial)) = (&set.hook.target, set.trial) {
                    self.owe(key, group, target, Notice::Trial(trial));
                }
            }
            What::Waiting(waiting) => {
                for wait in &waiting.waits {
                    let hook = group.hooks.get(&wait.hook);
                    let Some((hook, target)) = hook.and_then(|it| Some((it, it.target.as_ref()?)))
                    else {
                        continue;
                    };
                    let (transition, metadata) = (hook.transition, hook.metadata.clone());
                    let (instance, wait) = (waiting.instance, Box::new(wait.clone()));
                    let notice = Notice::Waits { instance, wait, transition, metadata };
                    self.owe(key, group, target, notice);
                }
            }
            What::Ended(_) => {
                let Some((activity, kind)) = ended.and_then(|it| Some((it, kind(it)?))) else {
                    return;
                };
                let told = group.notified().filter(|(_, kinds)| kinds.contains(&kind));
                for (target, _) in told {
                    let (activity, subnets) =
                        (Box::new(activity.clone()), group.settings.subnets.clone());
                    self.owe(key, group, target, Notice::Done { kind, activity, subnets });
                }
            }
            _ => {}
        }
    }

    /// Takes in that these were told.
    pub(super) fn told(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.owed.remove(number);
        }
    }

    fn owe(&mut self, key: &GroupKey, group: &Group, target: &str, notice: Notice) {
        self.count += 1;
        let (target, group, id) = (target.to_owned(), key.clone(), group.id);
        self.owed.insert(self.count, Owed { group, id, target, notice });
    }
}

/// What is told of how an activity ended, if anything is.
fn kind(it: &Activity) -> Option<Kind> {
    match (it.deed, it.end.as_ref()?.outcome) {
        (Deed::Launch, Outcome::Successful) => Some(Kind::Launched),
        (Deed::Launch, Outcome::Failed) => Some(Kind::LaunchFailed),
        (Deed::Terminate, Outcome::Successful) => Some(Kind::Terminated),
        (Deed::Terminate, Outcome::Failed) => Some(Kind::TerminateFailed),
        _ => None,
    }
}

impl State {
    /// What is still to be told, the oldest first, each by its number.
    pub fn owed(&self) -> impl Iterator<Item = (u64, &Owed)> {
        self.debts.owed.iter().map(|(number, owed)| (*number, owed))
    }
}

impl Group {
    /// Whom it tells, and of what.
    pub fn notified(&self) -> impl Iterator<Item = (&str, &BTreeSet<Kind>)> {
        self.notified.iter().map(|(target, kinds)| (&**target, kinds))
    }
}

impl Groups {
    /// Has somebody told of these things that a group does, and of nothing else. He is told first
    /// that he will be.
    ///
    /// # Errors
    /// If the group is not there, or would tell too many.
    pub async fn notify(
        &self,
        key: &GroupKey,
        target: String,
        kinds: BTreeSet<Kind>,
    ) -> Result<(), GroupError> {
        let trial = self.new_trial();
        self.change(key, |group, _| {
            let known = group.notified.contains_key(&target);
            if !known && group.notified.len() >= LISTENERS {
                return Err(Refusal::TooManyListeners(LISTENERS));
            }
            Ok(vec![What::Notified(Notified { target, kinds, trial })])
        })
        .await
    }

    /// Has somebody told of a group no more. Says nothing of who was not.
    ///
    /// # Errors
    /// If the group is not there.
    pub async fn stop_notifying(&self, key: &GroupKey, target: &str) -> Result<(), GroupError> {
        self.change(key, |group, _| {
            let known = group.notified.contains_key(target);
            Ok(known.then(|| What::Unnotified(target.to_owned())).into_iter().collect())
        })
        .await
    }

    /// Writes down that what was owed under these numbers was told, or never can be.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn told(&self, numbers: Vec<u64>) -> Result<(), GroupError> {
        self.commit_quietly(|state, _| {
            let owed: Vec<u64> =
                numbers.into_iter().filter(|it| state.debts.owed.contains_key(it)).collect();
            Ok(if owed.is_empty() { Vec::new() } else { vec![Event::Told(owed)] })
        })
        .await
    }

    /// A trial that is asked for now.
    pub fn new_trial(&self) -> Trial {
        Trial { id: self.new_id(), at: self.now() }
    }
}
