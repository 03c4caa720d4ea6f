//! What may be done with instances.

use std::collections::BTreeSet;

use super::{Fleet, FleetError, Inner};
use crate::id::{InstanceId, ReservationId, TemplateId};
use crate::instance::{Instance, Phase, Reason};
use crate::owner::Owner;
use crate::recipe::Recipe;
use crate::record::{Event, Moved};
use crate::refusal::Refusal;
use crate::state::State;
use crate::template::{self, Which};

/// Instances to be launched.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What they are made from.
    pub recipe: Recipe,
    /// The template that this comes from, and its version.
    pub template: Option<(TemplateId, u64)>,
    /// At least so many, or none.
    pub least: usize,
    /// At most so many.
    pub most: usize,
    /// What their launcher knows the request by, and a checksum of that.
    pub token: Option<(String, u32)>,
}

/// A template by one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// By its id.
    Id(TemplateId),
    /// By its name.
    Name(String),
}

/// Instances that were launched together.
#[derive(Clone, Debug)]
pub struct Launched {
    /// The launch.
    pub reservation: ReservationId,
    /// They.
    pub instances: Vec<Instance>,
}

/// An instance on its way: from how it was, to how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub id: InstanceId,
    /// How it was.
    pub before: Phase,
    /// How it is.
    pub now: Phase,
}

impl State {
    /// The template of an owner that is meant.
    ///
    /// # Errors
    /// If there is none.
    pub fn find_template<'a>(
        &'a self,
        owner: &Owner,
        meant: &Template,
    ) -> Result<&'a template::Template, Refusal> {
        match meant {
            Template::Id(id) => self.owned_template(owner, *id),
            Template::Name(name) => {
                let mut all = self.templates().filter(|template| template.owner == *owner);
                let found = all.find(|template| template.name == *name);
                found.ok_or_else(|| Refusal::NoTemplateCalled(name.clone()))
            }
        }
    }

    /// The recipe of a version of a template, and which one that is.
    ///
    /// # Errors
    /// If it is not there.
    pub fn find_recipe(
        &self,
        owner: &Owner,
        (template, which): &(Template, Which),
    ) -> Result<(TemplateId, u64, &Recipe), Refusal> {
        let template = self.find_template(owner, template)?;
        let version = template.version(*which);
        let version =
            version.ok_or(Refusal::NoVersion { template: template.id, version: *which })?;
        Ok((template.id, version.number, &version.recipe))
    }

    fn launched_before(
        &self,
        owner: &Owner,
        token: &(String, u32),
    ) -> Result<Option<Launched>, Refusal> {
        let known =
            |instance: &&Instance| instance.token.as_ref().is_some_and(|known| known.0 == token.0);
        let mut instances: Vec<Instance> =
            self.instances_of(owner).filter(known).cloned().collect();
        instances.sort_by_key(|instance| instance.index);
        let Some(first) = instances.first() else { return Ok(None) };
        if first.token.as_ref() != Some(token) {
            return Err(Refusal::OtherRequest(token.0.clone()));
        }
        Ok(Some(Launched { reservation: first.reservation, instances }))
    }
}

impl Fleet {
    /// Launches instances; they are pending once this returns. What was launched by the same
    /// request before is given again.
    ///
    /// # Errors
    /// If the template is not there, there would be too many instances, the token was used for
    /// another request, or the journal accepts nothing more.
    pub async fn launch(&self, owner: &Owner, launch: Launch) -> Result<Launched, FleetError> {
        let inner = &*self.0;
        let mut launched = None;
        let decide = |state: &State| {
            if let Some(token) = &launch.token
                && let Some(before) = state.launched_before(owner, token)?
            {
                launched = Some(before);
                return Ok(Vec::new());
            }
            let alive = state.instances().filter(|it| it.phase != Phase::Terminated).count();
            let count = launch.most.min(inner.most.saturating_sub(alive));
            if count < launch.least {
                return Err(Refusal::TooMany(inner.most));
            }
            let made = inner.make(owner, &launch, count);
            launched = Some(made.clone());
            // A record each, which fits whatever there are; together they are made, or not at all.
            Ok(made.instances.into_iter().map(|one| Event::Launched(vec![one])).collect())
        };
        inner.commit(decide).await?;
        Ok(launched.expect("a launch is decided on before it is made"))
    }

    /// Stops instances: `abrupt` does not ask them. Those that are stopped already stay so.
    ///
    /// # Errors
    /// If one is not there, may not be stopped or is gone, or the journal accepts nothing more.
    pub async fn stop(
        &self,
        owner: &Owner,
        ids: &[InstanceId],
        abrupt: bool,
    ) -> Result<Vec<Change>, FleetError> {
        let to = |instance: &Instance| {
            if instance.recipe.keeps_running == Some(true) {
                return Err(Refusal::KeepsRunning(instance.id));
            }
            match instance.phase {
                Phase::Pending | Phase::Running => Ok(Some((Phase::Stopping, instance.boot))),
                // Whom asking did not stop may be stopped without it.
                Phase::Stopping if abrupt => Ok(Some((Phase::Stopping, instance.boot))),
                Phase::Stopping | Phase::Stopped => Ok(None),
                phase @ (Phase::ShuttingDown | Phase::Terminated) => {
                    Err(Refusal::WrongPhase { id: instance.id, phase })
                }
            }
        };
        self.change(owner, ids, abrupt, to).await
    }

    /// Starts stopped instances. Those that run already go on.
    ///
    /// # Errors
    /// If one is not there or neither stopped nor running, or the journal accepts nothing more.
    pub async fn start(
        &self,
        owner: &Owner,
        ids: &[InstanceId],
    ) -> Result<Vec<Change>, FleetError> {
        let to = |instance: &Instance| match instance.phase {
            Phase::Stopped => Ok(Some((Phase::Pending, instance.boot + 1))),
            Phase::Pending | Phase::Running => Ok(None),
            phase => Err(Refusal::WrongPhase { id: instance.id, phase }),
        };
        self.change(owner, ids, false, to).await
    }

    /// Starts running instances anew.
    ///
    /// # Errors
    /// If one is not there or does not run, or the journal accepts nothing more.
    pub async fn reboot(&self, owner: &Owner, ids: &[InstanceId]) -> Result<(), FleetError> {
        let to = |instance: &Instance| match instance.phase {
            Phase::Running => Ok(Some((Phase::Running, instance.boot + 1))),
            Phase::Pending => Ok(None),
            phase => Err(Refusal::WrongPhase { id: instance.id, phase }),
        };
        self.change(owner, ids, false, to).await.map(|_| ())
    }

    /// Terminates instances: `abrupt` does not ask them. Those that are gone stay so.
    ///
    /// # Errors
    /// If one is not there or may not be terminated, or the journal accepts nothing more.
    pub async fn terminate(
        &self,
        owner: &Owner,
        ids: &[InstanceId],
        abrupt: bool,
    ) -> Result<Vec<Change>, FleetError> {
        let to = |instance: &Instance| match instance.phase {
            Phase::Terminated => Ok(None),
            Phase::ShuttingDown if !abrupt => Ok(None),
            _ if instance.recipe.keeps_living == Some(true) => {
                Err(Refusal::KeepsLiving(instance.id))
            }
            _ => Ok(Some((Phase::ShuttingDown, instance.boot))),
        };
        self.change(owner, ids, abrupt, to).await
    }

    /// Has instances go where `to` says, all of them or none.
    async fn change(
        &self,
        owner: &Owner,
        ids: &[InstanceId],
        abrupt: bool,
        to: impl Fn(&Instance) -> Result<Option<(Phase, u32)>, Refusal>,
    ) -> Result<Vec<Change>, FleetError> {
        let at = self.now();
        let mut changes = Vec::new();
        let decide = |state: &State| {
            let mut events = Vec::new();
            let mut seen = BTreeSet::new();
            for instance in state.owned_instances(owner, ids)? {
                if !seen.insert(instance.id) {
                    continue;
                }
                let target = to(instance)?;
                let now = target.map_or(instance.phase, |(phase, _)| phase);
                changes.push(Change { id: instance.id, before: instance.phase, now });
                if let Some((phase, boot)) = target {
                    let (instance, reason) = (instance.id, Some(Reason::Asked));
                    events.push(Event::Moved(Moved { instance, phase, boot, at, reason, abrupt }));
                }
            }
            Ok(events)
        };
        self.0.commit(decide).await?;
        Ok(changes)
    }
}

impl Inner {
    fn make(&self, owner: &Owner, launch: &Launch, count: usize) -> Launched {
        let reservation = ReservationId::random(&self.chance);
        let now = self.clock.now();
        let instance = |index: u32| Instance {
            id: InstanceId::random(&self.chance),
            owner: owner.clone(),
            reservation,
            index,
            recipe: launch.recipe.clone(),
            template: launch.template,
            tags: launch.recipe.tags_for("instance"),
            launched: now,
            token: launch.token.clone(),
            mark: self.chance.bytes::<16>().map(|byte| format!("{byte:02x}")).concat(),
            phase: Phase::Pending,
            boot: 1,
            since: now,
            reason: None,
            abrupt: false,
        };
        let instances = (0..).take(count).map(instance).collect();
        Launched { reservation, instances }
    }
}
