//! Instances that are taken out of service, put back, taken in and let go, by those who ask for it.

use tidemill_base::Timestamp;

use super::activity::{Activity, Cause, Deed, End, Outcome, Said, Step};
use super::engine::{GroupError, Groups};
use super::ids::{GroupKey, InstanceId};
use super::member::{Lifecycle, Member};
use super::record::{Event, Joined, Left, Moved, Wanted, What};
use super::refusal::Refusal;
use super::verbs::open;
use super::{ActivityId, Group, workers};
use crate::Workers;

/// What is done with instances, each with an activity of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// They are taken out of service; the group shrinks, or others follow.
    Enter {
        /// Whether it shrinks.
        shrink: bool,
    },
    /// They are put back into service; the group grows.
    Exit,
    /// They are let go, and live on; the group shrinks, or others follow.
    Detach {
        /// Whether it shrinks.
        shrink: bool,
    },
}

impl Groups {
    /// Has instances of a group stand otherwise, all of them or none. Gives the activities.
    ///
    /// # Errors
    /// If one is not of the group or in no state for that, or the group's limits forbid it.
    pub async fn stand(
        &self,
        key: &GroupKey,
        instances: &[InstanceId],
        how: Stand,
    ) -> Result<Vec<Activity>, GroupError> {
        let mut begun = Vec::new();
        let ids: Vec<ActivityId> = instances.iter().map(|_| self.new_id()).collect();
        self.commit(|state, at| {
            let group = open(state, key)?;
            let whats = stand(group, instances, how, at, &ids)?;
            begun = activities(&whats);
            Ok(whats.into_iter().map(|what| Event::Of(key.clone(), what)).collect())
        })
        .await?;
        Ok(begun)
    }

    /// Takes instances in that somebody else made; the group grows by them. They serve.
    ///
    /// # Errors
    /// If one is of a group already, or the group would have more than the most.
    pub async fn attach(&self, key: &GroupKey, members: Vec<Member>) -> Result<(), GroupError> {
        let ids: Vec<ActivityId> = members.iter().map(|_| self.new_id()).collect();
        self.commit(|state, at| {
            let group = open(state, key)?;
            let from = group.desired;
            let to = from + workers(members.len());
            if to > group.settings.max {
                return Err(Refusal::AboveMax { wanted: to, max: group.settings.max });
            }
            let mut whats = vec![What::Wanted(Wanted { desired: to, said: None })];
            for (member, id) in members.into_iter().zip(ids) {
                let instance = member.id;
                let mut groups = state.groups();
                if groups.any(|(_, group)| group.member(instance).is_some()) {
                    return Err(Refusal::InAGroup(instance));
                }
                let said = Said { at, cause: Cause::Attached(Step { from, to }) };
                let activity =
                    whole(group, id, (Deed::Attach, instance), said, member.zone.clone());
                let protected = group.settings.protects_new;
                let member = Member { protected, ..member };
                whats.push(What::Begun(activity));
                whats.push(What::Joined(Joined { activity: id, member }));
            }
            Ok(whats.into_iter().map(|what| Event::Of(key.clone(), what)).collect())
        })
        .await
    }
}

fn stand(
    group: &Group,
    instances: &[InstanceId],
    how: Stand,
    at: Timestamp,
    ids: &[ActivityId],
) -> Result<Vec<What>, Refusal> {
    let mut found = Vec::new();
    for id in instances {
        let member = group.member(*id).ok_or(Refusal::NotAMember(*id))?;
        let fit = matches!(
            (how, member.state),
            (Stand::Enter { .. } | Stand::Detach { .. }, Lifecycle::InService)
                | (Stand::Exit | Stand::Detach { .. }, Lifecycle::Standby)
        );
        if !fit {
            return Err(Refusal::WrongState(*id));
        }
        found.push(member);
    }
    // Who stands by counts for nothing, and takes nothing along.
    let serving = found.iter().filter(|member| member.state == Lifecycle::InService).count();
    let desired = resized(group, how, workers(serving), workers(found.len()))?;
    let mut whats = Vec::new();
    if desired != group.desired {
        whats.push(What::Wanted(Wanted { desired, said: None }));
    }
    let shrunk = (desired < group.desired).then_some(Step { from: group.desired, to: desired });
    for (member, id) in found.into_iter().zip(ids) {
        let instance = member.id;
        let (deed, cause) = match how {
            Stand::Enter { .. } => (Deed::EnterStandby, Cause::Standby { instance, step: shrunk }),
            Stand::Exit => {
                let step = Step { from: group.desired, to: desired };
                (Deed::ExitStandby, Cause::Returned { instance, step })
            }
            Stand::Detach { .. } => (Deed::Detach, Cause::Detached { instance, step: shrunk }),
        };
        let said = Said { at, cause };
        whats.push(What::Begun(whole(group, *id, (deed, instance), said, member.zone.clone())));
        let state = match how {
            Stand::Enter { .. } => Lifecycle::Standby,
            Stand::Exit => Lifecycle::InService,
            Stand::Detach { .. } => {
                whats.push(What::Left(Left { instance }));
                continue;
            }
        };
        whats.push(What::Moved(Moved { instance, state, at, activity: None, replaced: false }));
    }
    Ok(whats)
}

/// How many the group is told to have afterwards.
fn resized(group: &Group, how: Stand, serving: Workers, all: Workers) -> Result<Workers, Refusal> {
    let (desired, settings) = (group.desired, &group.settings);
    match how {
        Stand::Enter { shrink: false } | Stand::Detach { shrink: false } => Ok(desired),
        Stand::Enter { shrink: true } | Stand::Detach { shrink: true } => {
            if desired < settings.min + serving {
                let wanted = desired - serving;
                return Err(Refusal::BelowMin { wanted, min: settings.min });
            }
            Ok(desired - serving)
        }
        Stand::Exit => {
            let wanted = desired + all;
            if wanted > settings.max {
                return Err(Refusal::AboveMax { wanted, max: settings.max });
            }
            Ok(wanted)
        }
    }
}

/// An activity that is done as soon as it is written down.
fn whole(
    group: &Group,
    id: ActivityId,
    (deed, instance): (Deed, InstanceId),
    said: Said,
    zone: String,
) -> Activity {
    let (began, causes) = (said.at, vec![said]);
    let end = Some(End { at: began, outcome: Outcome::Successful, message: None });
    Activity { id, group: group.id, deed, instance: Some(instance), causes, began, end, zone }
}

fn activities(whats: &[What]) -> Vec<Activity> {
    let begun = |what: &What| match what {
        What::Begun(activity) => Some(activity.clone()),
        _ => None,
    };
    whats.iter().filter_map(begun).collect()
}
