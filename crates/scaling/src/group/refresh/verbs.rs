//! What may be done with refreshes, by those who ask for it.

use std::collections::BTreeSet;

use tidemill_base::Timestamp;

use super::roll::{fail, is_calm, turn_back};
use super::{Halt, Preferences, Progress, Refresh, Stage};
use crate::group::Group;
use crate::group::engine::{GroupError, Groups};
use crate::group::ids::{ActivityId, GroupKey};
use crate::group::record::{Event, What};
use crate::group::refusal::Refusal;
use crate::group::settings::{Settings, Source};
use crate::group::verbs::open;

/// A refresh to be begun.
#[derive(Clone, Debug)]
pub struct NewRefresh {
    /// What new instances are made from, if that is to be something else.
    pub desired: Option<Source>,
    /// The very version of it, or of what the group's instances are made from, if somebody knows.
    pub target: Option<Source>,
}

impl Groups {
    /// Begins to replace a group's instances, as `prefer` says of the group's settings. Gives what
    /// it is known by.
    ///
    /// # Errors
    /// If the group is not there or is being deleted, one goes on already, or what it does is to
    /// be undone if it fails and could not be.
    pub async fn start_refresh(
        &self,
        key: &GroupKey,
        new: NewRefresh,
        prefer: impl FnOnce(&Settings) -> Preferences,
    ) -> Result<ActivityId, GroupError> {
        let id = self.new_id();
        self.commit(|state, at| {
            let group = open(state, key)?;
            if group.refreshing().is_some() {
                return Err(Refusal::Refreshing);
            }
            let before = group.refreshes.back().map_or(0, |last| last.number);
            let refresh = Refresh {
                id,
                number: before + 1,
                asked: at,
                preferences: prefer(&group.settings),
                desired: new.desired,
                before: group.settings.source.clone(),
                target: new.target,
                stage: Stage::Pending,
                began: None,
                ended: None,
                halt: None,
                progress: Progress::default(),
                rollback: None,
                rests: None,
                old: BTreeSet::new(),
                kept: BTreeSet::new(),
                stale: BTreeSet::new(),
                passed: 0,
                best: None,
                stuck: None,
                trouble: None,
            };
            if refresh.preferences.rolls_back && !refresh.is_reversible() {
                return Err(Refusal::Irreversible);
            }
            Ok(vec![of(key, refresh)])
        })
        .await?;
        Ok(id)
    }

    /// Gives a refresh up, or its way back; what was done stays. What is under way is waited for if
    /// that is asked. Gives what it is known by.
    ///
    /// # Errors
    /// If none goes on.
    pub async fn cancel_refresh(
        &self,
        key: &GroupKey,
        patient: bool,
    ) -> Result<ActivityId, GroupError> {
        self.turn(key, |group, refresh, at| {
            let halt = Halt::Asked { patient };
            if patient && refresh.stage != Stage::Pending && !is_calm(group) {
                (refresh.stage, refresh.halt, refresh.rests) =
                    (Stage::Cancelling, Some(halt), None);
            } else {
                refresh.end(Stage::Cancelled, Some(halt), at);
            }
            Ok(())
        })
        .await
    }

    /// Has what a refresh did be undone. Gives what it is known by.
    ///
    /// # Errors
    /// If none goes on, or it cannot be undone.
    pub async fn roll_back(&self, key: &GroupKey) -> Result<ActivityId, GroupError> {
        self.turn(key, |group, refresh, at| {
            if matches!(refresh.stage, Stage::Cancelling | Stage::RollingBack) {
                return Err(Refusal::NotRefreshing(key.name.clone()));
            }
            if !refresh.is_reversible() {
                return Err(Refusal::Irreversible);
            }
            turn_back(group, refresh, Halt::Asked { patient: true }, at);
            Ok(())
        })
        .await
    }

    /// Has a refresh fail, because this alarm was raised.
    ///
    /// # Errors
    /// If none goes on that heeds alarms.
    pub async fn alarm_refresh(&self, key: &GroupKey, alarm: &str) -> Result<(), GroupError> {
        let done = self.turn(key, |group, refresh, at| {
            if !refresh.stage.heeds_alarms() {
                return Err(Refusal::NotRefreshing(key.name.clone()));
            }
            fail(group, refresh, Halt::Alarm(alarm.to_owned()), at);
            Ok(())
        });
        done.await.map(|_| ())
    }

    /// Changes the refresh that goes on.
    async fn turn(
        &self,
        key: &GroupKey,
        change: impl FnOnce(&Group, &mut Refresh, Timestamp) -> Result<(), Refusal>,
    ) -> Result<ActivityId, GroupError> {
        let mut id = None;
        self.commit(|state, at| {
            let missing = || Refusal::NoGroup(key.name.clone());
            let group = state.group(key).ok_or_else(missing)?;
            let none = || Refusal::NotRefreshing(key.name.clone());
            let mut refresh = group.refreshing().cloned().ok_or_else(none)?;
            change(group, &mut refresh, at)?;
            id = Some(refresh.id);
            Ok(vec![of(key, refresh)])
        })
        .await?;
        Ok(id.expect("what was changed has an id"))
    }
}

fn of(key: &GroupKey, refresh: Refresh) -> Event {
    Event::Of(key.clone(), What::Refreshed(Box::new(refresh)))
}
