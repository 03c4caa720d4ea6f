//! Lifecycle hooks: instances wait, on their way into a group and out of it, until somebody says
//! that they may go on.

use std::time::Duration;

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use super::engine::{GroupError, Groups};
use super::ids::{ActivityId, GroupKey, InstanceId};
use super::record::{Answered, HookSet, Renewed, What};
use super::refusal::Refusal;
use super::{Group, Member};

/// Most hooks of a group.
pub const HOOKS: usize = 50;
/// The longest that an instance waits, however often somebody renews it.
const LONGEST: Duration = Duration::from_hours(48);
/// So many heartbeats are the longest, if that is less.
const HEARTBEATS: u32 = 100;

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hook {
    /// Where instances wait.
    #[n(0)]
    pub transition: Transition,
    /// For so many seconds, unless that is renewed.
    #[n(1)]
    pub heartbeat: u32,
    /// What is taken for said when nobody said anything.
    #[n(2)]
    pub default: Answer,
    /// A word for whoever is told, kept and shown.
    #[n(3)]
    pub metadata: Option<String>,
    /// Who is told that an instance waits: an address that means something to whoever tells.
    #[n(4)]
    pub target: Option<String>,
    /// As whom, kept and shown.
    #[n(5)]
    pub role: Option<String>,
}

/// Where instances wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Transition {
    /// Before they serve.
    #[n(0)]
    Launching,
    /// Before they are terminated.
    #[n(1)]
    Terminating,
}

/// What is said of an instance that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Answer {
    /// It may go on.
    #[n(0)]
    Continue,
    /// It is to be given up; one that is to be terminated anyway goes on at once.
    #[n(1)]
    Abandon,
}

/// A wait of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Wait {
    /// The hook that it waits for.
    #[n(0)]
    pub hook: String,
    /// What it is known by.
    #[n(1)]
    pub token: ActivityId,
    /// When it began.
    #[n(2)]
    pub since: Timestamp,
    /// When it was renewed last.
    #[n(3)]
    pub renewed: Timestamp,
    /// For how many seconds, as the hook was when it began.
    #[n(4)]
    pub heartbeat: u32,
    /// What is taken for said in the end.
    #[n(5)]
    pub default: Answer,
    /// What was said.
    #[n(6)]
    pub answer: Option<Answer>,
    /// Whether nobody said it.
    #[n(7)]
    pub timed_out: bool,
}

impl Hook {
    /// Seconds that a wait for this lasts at most.
    pub fn longest(&self) -> u32 {
        let most = u32::try_from(LONGEST.as_secs()).expect("two days are few seconds");
        self.heartbeat.saturating_mul(HEARTBEATS).min(most)
    }
}

impl Wait {
    /// A wait for a hook that begins now.
    pub(super) fn new(name: &str, hook: &Hook, token: ActivityId, now: Timestamp) -> Self {
        Self {
            hook: name.to_owned(),
            token,
            since: now,
            renewed: now,
            heartbeat: hook.heartbeat,
            default: hook.default,
            answer: None,
            timed_out: false,
        }
    }

    /// When it ends by itself.
    pub(super) fn ends(&self) -> Timestamp {
        let heartbeat = Duration::from_secs(self.heartbeat.into());
        let longest = (heartbeat * HEARTBEATS).min(LONGEST);
        (self.renewed + heartbeat).min(self.since + longest)
    }
}

impl Groups {
    /// Sets a hook of a group. An instance that waits already waits as it began.
    ///
    /// # Errors
    /// If the group is not there, or would have too many.
    pub async fn put_hook(
        &self,
        key: &GroupKey,
        name: String,
        change: impl FnOnce(Option<&Hook>) -> Result<Hook, Refusal>,
    ) -> Result<(), GroupError> {
        let trial = self.new_trial();
        self.change(key, |group, _| {
            let known = group.hooks.get(&name);
            if known.is_none() && group.hooks.len() >= HOOKS {
                return Err(Refusal::TooManyHooks(HOOKS));
            }
            let hook = change(known)?;
            let trial = hook.target.as_ref().map(|_| trial);
            Ok(vec![What::HookSet(HookSet { name, hook, trial })])
        })
        .await
    }

    /// Deletes a hook. Who waits for it is given up, or goes on if it is to be terminated anyway.
    ///
    /// # Errors
    /// If the group or the hook is not there.
    pub async fn delete_hook(&self, key: &GroupKey, name: &str) -> Result<(), GroupError> {
        self.change(key, |group, at| {
            if !group.hooks.contains_key(name) {
                return Err(Refusal::NoHook(name.to_owned()));
            }
            let mut whats = vec![What::HookGone(name.to_owned())];
            for member in group.members().filter(|member| waits(member, name)) {
                let (instance, hook) = (member.id, name.to_owned());
                // By where it stands: the hook may be one of the other transition by now.
                let is_coming = member.state.is_coming();
                let answer = if is_coming { Answer::Abandon } else { Answer::Continue };
                whats.push(What::Answered(Answered {
                    instance,
                    hook,
                    answer,
                    at,
                    timed_out: false,
                }));
            }
            Ok(whats)
        })
        .await
    }

    /// Says whether an instance that waits for a hook may go on. It is named by its id or by what
    /// its wait is known by.
    ///
    /// # Errors
    /// If it does not wait for that.
    pub async fn answer(
        &self,
        key: &GroupKey,
        hook: &str,
        who: Waiter,
        answer: Answer,
    ) -> Result<(), GroupError> {
        self.change(key, |group, at| {
            let (instance, hook) = (waiting(group, hook, who)?, hook.to_owned());
            Ok(vec![What::Answered(Answered { instance, hook, answer, at, timed_out: false })])
        })
        .await
    }

    /// Has an instance wait for as long as the hook says from now on.
    ///
    /// # Errors
    /// If it does not wait for that.
    pub async fn renew(&self, key: &GroupKey, hook: &str, who: Waiter) -> Result<(), GroupError> {
        self.change(key, |group, at| {
            let (instance, hook) = (waiting(group, hook, who)?, hook.to_owned());
            Ok(vec![What::Renewed(Renewed { instance, hook, at })])
        })
        .await
    }
}

/// An instance that waits, by one of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// By its id.
    Instance(InstanceId),
    /// By what its wait is known by.
    Token(ActivityId),
}

fn waits(member: &Member, hook: &str) -> bool {
    member.waits.iter().any(|wait| wait.hook == hook && wait.answer.is_none())
}

fn waiting(group: &Group, hook: &str, who: Waiter) -> Result<InstanceId, Refusal> {
    if !group.hooks.contains_key(hook) {
        return Err(Refusal::NoHook(hook.to_owned()));
    }
    let found = match who {
        Waiter::Instance(id) => group.member(id).filter(|member| waits(member, hook)),
        // A token is of one wait, and so of one hook.
        Waiter::Token(token) => group.members().find(|member| {
            let mut open = member.waits.iter().filter(|wait| wait.answer.is_none());
            open.any(|wait| wait.token == token && wait.hook == hook)
        }),
    };
    found.map(|member| member.id).ok_or(Refusal::NotWaiting(who))
}
