//! What may be done with policies and scheduled actions, by those who ask for it.

use tidemill_base::Timestamp;

use super::cron::Cron;
use super::engine::{GroupError, Groups};
use super::ids::{ActivityId, GroupKey};
use super::policy::{Invocation, POLICIES, Policy, PolicyPut, Way, decide_by_policies};
use super::record::What;
use super::refusal::Refusal;
use super::scheduled::{SCHEDULED, Scheduled, ScheduledPut, decide_by_schedule};
use crate::Workers;

/// A scheduled action to be put.
#[derive(Clone, Debug, Default)]
pub struct NewScheduled {
    /// When it begins.
    pub start: Option<Timestamp>,
    /// After this it is no more.
    pub end: Option<Timestamp>,
    /// When it is again and again.
    pub recurrence: Option<String>,
    /// The time zone as its owner wrote it.
    pub zone: Option<String>,
    /// The fewest, the most and the size from then on.
    pub sizes: [Option<Workers>; 3],
}

impl Groups {
    /// Makes a policy of a group, or sets it to something else: its id stays. Gives it, and what
    /// it was before.
    ///
    /// # Errors
    /// If the group is not there, or has too many, or another of them is a target for this metric.
    pub async fn put_policy(
        &self,
        key: &GroupKey,
        name: &str,
        enabled: bool,
        way: Way,
    ) -> Result<(Policy, Option<Policy>), GroupError> {
        let new = self.new_id();
        let mut put = None;
        self.change(key, |group, _| {
            if group.closing {
                return Err(Refusal::Closing(key.name.clone()));
            }
            let same = |other: &Policy| match (&other.way, &way) {
                (Way::Tracking(one), Way::Tracking(other)) => one.metric == other.metric,
                _ => false,
            };
            let mut others = group.policies().filter(|(other, _)| *other != name);
            if others.any(|(_, other)| same(other)) {
                return Err(Refusal::SameMetric);
            }
            let before = group.policy(name).cloned();
            if before.is_none() && group.policies().count() >= POLICIES {
                return Err(Refusal::TooManyPolicies(POLICIES));
            }
            let id = before.as_ref().map_or(new, |before| before.id);
            let policy = Policy { id, enabled, way };
            put = Some((policy.clone(), before));
            Ok(vec![What::PolicyPut(PolicyPut { name: name.to_owned(), policy })])
        })
        .await?;
        Ok(put.expect("what was put is known"))
    }

    /// Deletes a policy of a group; gives it.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn drop_policy(&self, key: &GroupKey, name: &str) -> Result<Policy, GroupError> {
        let mut dropped = None;
        self.change(key, |group, _| {
            dropped = group.policy(name).cloned();
            match dropped {
                None => Err(Refusal::NoPolicy(name.to_owned())),
                Some(_) => Ok(vec![What::PolicyDropped(name.to_owned())]),
            }
        })
        .await?;
        Ok(dropped.expect("what was dropped is known"))
    }

    /// Has policies of a group decide, all at once. `is_content` says of another policy whether it
    /// is where it should be; `None` where nobody knows. `now` is when the alarms were looked at.
    ///
    /// # Errors
    /// If the group is not there.
    pub async fn invoke(
        &self,
        key: &GroupKey,
        invocations: &[Invocation],
        is_content: impl Fn(&str) -> Option<bool>,
        now: Timestamp,
    ) -> Result<(), GroupError> {
        self.change(key, |group, _| {
            let decided = decide_by_policies(group, invocations, is_content, now);
            Ok(decided.into_iter().collect())
        })
        .await
    }

    /// Has a policy decide since somebody asked. Where the cooldown is honoured, a change has to
    /// wait for the one before.
    ///
    /// # Errors
    /// If the group or the policy is not there, or the group cools down.
    pub async fn execute(
        &self,
        key: &GroupKey,
        invocation: Invocation,
        honours_cooldown: bool,
    ) -> Result<(), GroupError> {
        self.change(key, |group, now| {
            if group.policy(&invocation.policy).is_none() {
                return Err(Refusal::NoPolicy(invocation.policy.clone()));
            }
            if honours_cooldown {
                super::verbs::cooled_down(group, now)?;
            }
            let decided = decide_by_policies(group, &[invocation], |_| None, now);
            Ok(decided.into_iter().collect())
        })
        .await
    }

    /// Makes scheduled actions of a group, or sets them to something else, all or none.
    ///
    /// # Errors
    /// If the group is not there or has too many, or one would never be.
    pub async fn schedule(
        &self,
        key: &GroupKey,
        actions: Vec<(String, NewScheduled)>,
    ) -> Result<(), GroupError> {
        let ids: Vec<ActivityId> = actions.iter().map(|_| self.new_id()).collect();
        self.change(key, |group, now| {
            if group.closing {
                return Err(Refusal::Closing(key.name.clone()));
            }
            let known = |name: &String| group.scheduled(name).is_some();
            let more = actions.iter().filter(|(name, _)| !known(name)).count();
            if group.scheduled_actions().count() + more > SCHEDULED {
                return Err(Refusal::TooManyScheduled(SCHEDULED));
            }
            let mut whats = Vec::new();
            for ((name, new), id) in actions.into_iter().zip(ids) {
                let recurrence: Option<Cron> =
                    new.recurrence.as_deref().map(str::parse).transpose().map_err(|_| {
                        Refusal::BadRecurrence(new.recurrence.clone().unwrap_or_default())
                    })?;
                let id = group.scheduled(&name).map_or(id, |before| before.id);
                let next = Scheduled::first((new.start, new.end), recurrence.as_ref(), now);
                let next = next.ok_or(Refusal::NeverScheduled)?;
                let NewScheduled { start, end, recurrence, zone, sizes: [min, max, desired] } = new;
                let action =
                    Scheduled { id, start, end, recurrence, zone, min, max, desired, next };
                whats.push(What::ScheduledPut(ScheduledPut { name, action }));
            }
            Ok(whats)
        })
        .await
    }

    /// Deletes a scheduled action of a group.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn unschedule(&self, key: &GroupKey, name: &str) -> Result<(), GroupError> {
        self.change(key, |group, _| match group.scheduled(name) {
            None => Err(Refusal::NoScheduled(name.to_owned())),
            Some(_) => Ok(vec![What::ScheduledDropped(name.to_owned())]),
        })
        .await
    }

    /// Has every group do what is due by its schedule when it is `now`.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn keep_schedules(&self, now: Timestamp) -> Result<(), GroupError> {
        let due: Vec<GroupKey> = self.look(|state| {
            let due =
                |group: &super::Group| group.scheduled_actions().any(|(_, it)| it.next <= now);
            state.groups().filter(|(_, group)| due(group)).map(|(key, _)| key.clone()).collect()
        });
        for key in due {
            match self.change(&key, |group, _| Ok(decide_by_schedule(group, now))).await {
                // It may be gone by now.
                Ok(()) | Err(GroupError::Refused(_)) => {}
                Err(poisoned) => return Err(poisoned),
            }
        }
        Ok(())
    }
}
