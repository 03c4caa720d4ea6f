//! What may be done with groups, by those who ask for it.

use std::collections::BTreeSet;

use tidemill_base::Timestamp;

use super::Group;
use super::activity::{Activity, Cause, Said, Step};
use super::configuration::Configuration;
use super::decide::terminate_one;
use super::engine::{GroupError, Groups};
use super::hook::{HOOKS, Hook};
use super::ids::{GroupKey, InstanceId};
use super::member::{Health, Lifecycle, Member};
use super::record::{Event, HookSet, Judged, Made, Moved, Spared, Wanted, What};
use super::refusal::Refusal;
use super::settings::{Process, Protection, Settings, Source, Tag, Tags};
use super::state::State;
use crate::Workers;

/// Most tags of a group.
pub const TAGS: usize = 50;
/// Most groups of an account in a region.
pub const GROUPS: usize = 500;
/// Most launch configurations of an account in a region.
pub const CONFIGURATIONS: usize = 200;

/// A group to be made.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// What it is told to be.
    pub settings: Settings,
    /// How many it is told to have.
    pub desired: Workers,
    /// Its tags.
    pub tags: Tags,
    /// Its hooks, by name.
    pub hooks: Vec<(String, Hook)>,
}

impl Groups {
    /// Makes a group.
    ///
    /// # Errors
    /// If there is one of this name, or there are too many, or its limits do not hold, or its hooks
    /// are too many or two of one name.
    pub async fn create(&self, key: &GroupKey, new: NewGroup) -> Result<(), GroupError> {
        let id = self.new_id();
        let trial = self.new_trial();
        self.commit(|state, at| {
            if state.group(key).is_some() {
                return Err(Refusal::GroupExists(key.name.clone()));
            }
            if state.groups_of(key.account, &key.region).count() >= GROUPS {
                return Err(Refusal::TooManyGroups(GROUPS));
            }
            if new.tags.len() > TAGS {
                return Err(Refusal::TooManyTags(TAGS));
            }
            within(&new.settings, new.desired)?;
            has_source(state, key, &new.settings)?;
            if new.hooks.len() > HOOKS {
                return Err(Refusal::TooManyHooks(HOOKS));
            }
            let names: BTreeSet<&String> = new.hooks.iter().map(|(name, _)| name).collect();
            if names.len() < new.hooks.len() {
                return Err(Refusal::BadHook("A lifecycle hook's name is there twice."));
            }
            let step = Step { from: Workers::NONE, to: new.desired };
            let said = Some(Said { at, cause: Cause::Created(step) });
            let made = Made { id, at, settings: new.settings, tags: new.tags };
            let wanted = Wanted { desired: new.desired, said };
            let of = |what| Event::Of(key.clone(), what);
            // Before the first of its instances comes.
            let hooks = new.hooks.into_iter();
            let hooks = hooks.map(|(name, hook)| {
                let trial = hook.target.as_ref().map(|_| trial);
                of(What::HookSet(HookSet { name, hook, trial }))
            });
            let mut events = vec![of(What::Made(made))];
            events.extend(hooks);
            events.push(of(What::Wanted(wanted)));
            Ok(events)
        })
        .await
    }

    /// Tells a group to be something else, and, if that is said, to have so many. Where it is not
    /// said, what is outside of new limits comes within them.
    ///
    /// # Errors
    /// If it is not there, is being deleted, or what it is told does not hold.
    pub async fn update(
        &self,
        key: &GroupKey,
        change: impl FnOnce(Settings) -> (Settings, Option<Workers>),
    ) -> Result<(), GroupError> {
        self.commit(|state, at| {
            let group = open(state, key)?;
            let (settings, told) = change(group.settings.clone());
            let (min, max) = (settings.min, settings.max);
            if min > max {
                return Err(Refusal::Limits { min, max });
            }
            let desired = told.unwrap_or_else(|| group.desired.clamp(min, max));
            within(&settings, desired)?;
            has_source(state, key, &settings)?;
            let changed = group.refreshing().is_some_and(|it| it.desired.is_some());
            if changed && settings.source != group.settings.source {
                return Err(Refusal::ChangedByRefresh);
            }
            let mut events = Vec::new();
            if settings != group.settings {
                events.push(Event::Of(key.clone(), What::Set(settings)));
            }
            if desired != group.desired {
                let step = Step { from: group.desired, to: desired };
                let said = Some(Said { at, cause: Cause::Constraints { min, max, step } });
                events.push(Event::Of(key.clone(), What::Wanted(Wanted { desired, said })));
            }
            Ok(events)
        })
        .await
    }

    /// Deletes a group, with its instances if it is to be `by_force`.
    ///
    /// # Errors
    /// If it is not there, is protected from that, or has instances or activities and is not to be
    /// deleted by force.
    pub async fn delete(&self, key: &GroupKey, by_force: bool) -> Result<(), GroupError> {
        self.change(key, |group, at| {
            match group.settings.protection {
                Protection::NotAtAll => return Err(Refusal::Undeletable),
                Protection::NotByForce if by_force => return Err(Refusal::Undeletable),
                Protection::None | Protection::NotByForce => {}
            }
            if group.closing {
                return Err(Refusal::Closing(key.name.clone()));
            }
            if group.is_empty() {
                return Ok(vec![What::Gone(())]);
            }
            if !by_force {
                let serving = |it: &Member| !it.state.is_going();
                return Err(match group.under_way() {
                    Some(activity) if !group.members().any(serving) => Refusal::UnderWay(activity),
                    _ => Refusal::HasInstances,
                });
            }
            let mut whats = vec![What::Closing(())];
            let step = Step { from: group.desired, to: Workers::NONE };
            for member in group.members().filter(|it| it.state == Lifecycle::TerminatingWait) {
                let Member { id: instance, activity, replaced, .. } = *member;
                let state = Lifecycle::TerminatingProceed;
                whats.push(What::Moved(Moved { instance, state, at, activity, replaced }));
            }
            let said = Some(Said { at, cause: Cause::Deleted(step) });
            let settings = Settings { min: Workers::NONE, ..group.settings.clone() };
            whats.push(What::Set(settings));
            whats.push(What::Wanted(Wanted { desired: Workers::NONE, said }));
            Ok(whats)
        })
        .await
    }

    /// Tells a group to have so many, for the reason that `cause` makes of the step. Where the
    /// cooldown is honoured, a change has to wait for the one before.
    ///
    /// # Errors
    /// If the group is not there or is being deleted, it is outside of its limits, or it cools
    /// down.
    pub async fn set_desired(
        &self,
        key: &GroupKey,
        desired: Workers,
        honours_cooldown: bool,
        cause: impl FnOnce(Step) -> Cause,
    ) -> Result<(), GroupError> {
        self.commit(|state, at| {
            let group = open(state, key)?;
            within(&group.settings, desired)?;
            if honours_cooldown {
                cooled_down(group, at)?;
            }
            let step = Step { from: group.desired, to: desired };
            if step.from == step.to {
                return Ok(Vec::new());
            }
            let said = Some(Said { at, cause: cause(step) });
            Ok(vec![Event::Of(key.clone(), What::Wanted(Wanted { desired, said }))])
        })
        .await
    }

    /// Has a group have so many, and these of its instances go, for the reason that `cause` makes
    /// of the step. Who goes already or is protected is passed over.
    ///
    /// # Errors
    /// If the group is not there or is being deleted.
    pub async fn resize(
        &self,
        key: &GroupKey,
        desired: Workers,
        going: &[InstanceId],
        cause: impl FnOnce(Step) -> Cause,
    ) -> Result<(), GroupError> {
        let mut ids = || self.new_id();
        self.commit(|state, at| {
            let group = open(state, key)?;
            let desired = desired.clamp(group.settings.min, group.settings.max);
            let step = Step { from: group.desired, to: desired };
            let said = Said { at, cause: cause(step) };
            let mut whats = Vec::new();
            if step.from != step.to {
                let said = Some(said.clone());
                whats.push(What::Wanted(Wanted { desired, said }));
            }
            let goes = |id: &&InstanceId| {
                let member = group.member(**id);
                member.is_some_and(|it| !it.state.is_going() && !it.protected)
            };
            let may_terminate = group.does(Process::Terminate);
            for id in going.iter().filter(goes).filter(|_| may_terminate) {
                let selected = Said { at, cause: Cause::Selected(*id) };
                let said = vec![said.clone(), selected];
                whats.extend(terminate_one(group, *id, (said, false), at, &mut ids));
            }
            Ok(whats.into_iter().map(|what| Event::Of(key.clone(), what)).collect())
        })
        .await
    }

    /// Terminates an instance of a group; another follows unless the group is to `shrink`. Gives
    /// the activity that does it.
    ///
    /// # Errors
    /// If the instance is in no state for that, or the group may not shrink.
    pub async fn terminate(
        &self,
        key: &GroupKey,
        instance: InstanceId,
        shrink: bool,
    ) -> Result<Activity, GroupError> {
        let mut begun = None;
        let mut ids = || self.new_id();
        self.commit(|state, at| {
            let group = open(state, key)?;
            let member = group.member(instance).ok_or(Refusal::NotAMember(instance))?;
            if member.state.is_going() {
                return Err(match member.activity {
                    Some(activity) => Refusal::UnderWay(activity),
                    None => Refusal::WrongState(instance),
                });
            }
            let mut whats = Vec::new();
            let mut step = None;
            let counts = member.state != Lifecycle::Standby;
            if shrink && counts {
                let from = group.desired;
                let to = from - Workers::new(1);
                if from == to || to < group.settings.min {
                    return Err(Refusal::BelowMin { wanted: to, min: group.settings.min });
                }
                step = Some(Step { from, to });
                whats.push(What::Wanted(Wanted { desired: to, said: None }));
            }
            let said = Said { at, cause: Cause::Asked { instance, step } };
            let replaced = counts && !shrink;
            whats.extend(terminate_one(group, instance, (vec![said], replaced), at, &mut ids));
            begun = whats.iter().find_map(|what| match what {
                What::Begun(activity) => Some(activity.clone()),
                _ => None,
            });
            Ok(whats.into_iter().map(|what| Event::Of(key.clone(), what)).collect())
        })
        .await?;
        Ok(begun.expect("a termination begins an activity"))
    }

    /// Says how healthy an instance is. Where the grace period is respected, what is said of an
    /// instance that is that young changes nothing.
    ///
    /// # Errors
    /// If the group does not have the instance.
    pub async fn judge(
        &self,
        key: &GroupKey,
        instance: InstanceId,
        healthy: bool,
        respects_grace: bool,
    ) -> Result<(), GroupError> {
        self.change(key, |group, at| {
            let member = group.member(instance).ok_or(Refusal::NotAMember(instance))?;
            let young = member
                .served
                .is_none_or(|served| at.since(served).as_secs() < group.settings.grace.into());
            if !healthy && respects_grace && young {
                return Ok(Vec::new());
            }
            let health = if healthy { Health::Healthy } else { Health::Told };
            Ok(vec![What::Judged(Judged { instance, health })])
        })
        .await
    }

    /// Spares instances when the group shrinks, or does so no more.
    ///
    /// # Errors
    /// If one is not of the group, or neither serves nor stands by.
    pub async fn spare(
        &self,
        key: &GroupKey,
        instances: Vec<InstanceId>,
        protected: bool,
    ) -> Result<(), GroupError> {
        self.change(key, |group, _| {
            for id in &instances {
                let member = group.member(*id).ok_or(Refusal::NotAMember(*id))?;
                if !matches!(member.state, Lifecycle::InService | Lifecycle::Standby) {
                    return Err(Refusal::WrongState(*id));
                }
            }
            Ok(vec![What::Spared(Spared { instances, protected })])
        })
        .await
    }

    /// Sets tags of groups, each of which is named once: of all of them or of none.
    ///
    /// # Errors
    /// If one is not there, or would have too many.
    pub async fn tag(&self, groups: Vec<(GroupKey, Tags)>) -> Result<(), GroupError> {
        self.commit(|state, _| {
            let mut events = Vec::new();
            for (key, tags) in groups {
                let group = there(state, &key)?;
                let more = tags.keys().filter(|name| !group.tags.contains_key(*name)).count();
                if group.tags.len() + more > TAGS {
                    return Err(Refusal::TooManyTags(TAGS));
                }
                events.push(Event::Of(key, What::Tagged(tags)));
            }
            Ok(events)
        })
        .await
    }

    /// Takes tags from groups, each of which is named once: those for which `which` says so of
    /// one; from all groups or from none.
    ///
    /// # Errors
    /// If one is not there.
    pub async fn untag(
        &self,
        groups: &[GroupKey],
        which: impl Fn(&GroupKey, &str, &Tag) -> bool,
    ) -> Result<(), GroupError> {
        self.commit(|state, _| {
            let mut events = Vec::new();
            for key in groups {
                let tags = there(state, key)?.tags.iter();
                let gone = tags.filter(|(name, tag)| which(key, name, tag));
                let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
                if !gone.is_empty() {
                    events.push(Event::Of(key.clone(), What::Untagged(gone)));
                }
            }
            Ok(events)
        })
        .await
    }

    /// Suspends processes of a group, or lets it go on with them.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn suspend(
        &self,
        key: &GroupKey,
        processes: &[Process],
        suspended: bool,
    ) -> Result<(), GroupError> {
        self.change(key, |group, _| {
            let mut now = group.suspended.clone();
            for process in processes {
                if suspended {
                    now.insert(*process)
                } else {
                    now.remove(process)
                };
            }
            Ok(if now == group.suspended { Vec::new() } else { vec![What::Suspended(now)] })
        })
        .await
    }

    /// Has metrics of a group published, or no more.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn measure(
        &self,
        key: &GroupKey,
        metrics: BTreeSet<String>,
        published: bool,
    ) -> Result<(), GroupError> {
        self.change(key, |group, _| {
            let now: BTreeSet<String> = if published {
                group.metrics.union(&metrics).cloned().collect()
            } else {
                group.metrics.difference(&metrics).cloned().collect()
            };
            Ok(if now == group.metrics { Vec::new() } else { vec![What::Measured(now)] })
        })
        .await
    }

    /// Makes a launch configuration.
    ///
    /// # Errors
    /// If there is one of this name, or there are too many.
    pub async fn configure(&self, key: &GroupKey, recipe: Vec<u8>) -> Result<(), GroupError> {
        let id = self.new_id();
        self.commit(|state, made| {
            if state.configuration(key).is_some() {
                return Err(Refusal::ConfigurationExists(key.name.clone()));
            }
            if state.configurations_of(key.account, &key.region).count() >= CONFIGURATIONS {
                return Err(Refusal::TooManyConfigurations(CONFIGURATIONS));
            }
            let configuration = Configuration { id, made, recipe };
            Ok(vec![Event::Of(key.clone(), What::Configured(configuration))])
        })
        .await
    }

    /// Deletes a launch configuration.
    ///
    /// # Errors
    /// If it is not there, or a group launches from it.
    pub async fn unconfigure(&self, key: &GroupKey) -> Result<(), GroupError> {
        self.commit(|state, _| {
            if state.configuration(key).is_none() {
                return Err(Refusal::NoConfiguration(key.name.clone()));
            }
            let used = Source::Configuration(key.name.clone());
            let mut groups = state.groups_of(key.account, &key.region);
            if let Some((user, _)) = groups.find(|(_, group)| group.settings.source == used) {
                let (configuration, group) = (key.name.clone(), user.name.clone());
                return Err(Refusal::ConfigurationInUse { configuration, group });
            }
            Ok(vec![Event::Of(key.clone(), What::Unconfigured(()))])
        })
        .await
    }
}

/// The group of this name, if it may be told anything.
pub(super) fn open<'a>(state: &'a State, key: &GroupKey) -> Result<&'a Group, Refusal> {
    let group = there(state, key)?;
    if group.closing { Err(Refusal::Closing(key.name.clone())) } else { Ok(group) }
}

/// The group of this name.
pub(super) fn there<'a>(state: &'a State, key: &GroupKey) -> Result<&'a Group, Refusal> {
    state.group(key).ok_or_else(|| Refusal::NoGroup(key.name.clone()))
}

fn within(settings: &Settings, wanted: Workers) -> Result<(), Refusal> {
    let Settings { min, max, .. } = *settings;
    if min > max {
        Err(Refusal::Limits { min, max })
    } else if wanted > max {
        Err(Refusal::AboveMax { wanted, max })
    } else if wanted < min {
        Err(Refusal::BelowMin { wanted, min })
    } else {
        Ok(())
    }
}

fn has_source(state: &State, key: &GroupKey, settings: &Settings) -> Result<(), Refusal> {
    let Source::Configuration(name) = &settings.source else { return Ok(()) };
    let configuration = GroupKey { name: name.clone(), ..key.clone() };
    match state.configuration(&configuration) {
        Some(_) => Ok(()),
        None => Err(Refusal::NoConfiguration(name.clone())),
    }
}

pub(super) fn cooled_down(group: &Group, now: Timestamp) -> Result<(), Refusal> {
    if let Some(activity) = group.under_way() {
        return Err(Refusal::UnderWay(activity));
    }
    let cooldown = std::time::Duration::from_secs(group.settings.cooldown.into());
    if group.cooldown().holds(cooldown, now) { Err(Refusal::CoolingDown) } else { Ok(()) }
}
