//! The loop that has groups be as they are to be: looks at their instances, has the groups decide,
//! and does what follows.
//!
//! Nothing is remembered here. What is to be done stands in the groups' journal before it is done,
//! and each act may be done again: a launch goes by its activity's id, under which the fleet
//! launches once, and who is asked to end twice ends once. So a service that dies anywhere in
//! between goes on where it was.

use std::collections::HashSet;
use std::time::Duration;

use tidemill_fleet::{Fleet, Instance, Phase, Reason};
use tidemill_scaling::group::{
    Act, ActivityId, Group, GroupKey, Health, InstanceId, Lifecycle, Member, Origin, Seen, Sight,
    acts,
};
use tracing::{info, warn};

use super::drain::Held;
use super::fast::Minds;
use super::{AutoScaling, drain, fault, instance_refresh, launch, names};
use crate::ec2;

/// How often to look while something is on its way.
const SOON: Duration = Duration::from_millis(100);
/// How often to look otherwise.
const LATER: Duration = Duration::from_secs(1);

/// The loop's own memory: what need not survive it.
#[derive(Default)]
struct Memory {
    minds: Minds,
    /// Who was given no more messages at the last look.
    drained: HashSet<InstanceId>,
}

impl AutoScaling {
    /// Has groups be as they are to be; never returns.
    pub async fn run(&self) {
        let Some(fleet) = &self.fleet else { return std::future::pending().await };
        let mut memory = Memory::default();
        loop {
            let pause = if self.pass(fleet, &mut memory).await { SOON } else { LATER };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.groups.changed() => {}
            }
        }
    }

    /// Looks at every group once. Says whether anything is on its way.
    async fn pass(&self, fleet: &Fleet, memory: &mut Memory) -> bool {
        // What the disk may not keep is not begun.
        if self.queues.failure().is_some() {
            return false;
        }
        let keys: Vec<GroupKey> =
            self.groups.look(|state| state.groups().map(|(key, _)| key.clone()).collect());
        let mut passing = false;
        let mut drained = HashSet::new();
        memory.minds.retain(&keys);
        let mut held = Held::default();
        for key in keys {
            passing |= memory.minds.think(self, &key, &mut held).await;
            self.watch_alarms(&key).await;
            let seen = self.see(fleet, &key);
            if let Err(error) = self.groups.settle(&key, &seen).await {
                warn!(group = key.name, %error, "a group was not looked after");
                // Whoever is given no more messages goes on to be given none.
                let known = self.groups.look(|state| {
                    let members = state.group(&key).into_iter().flat_map(Group::members);
                    members.map(|member| member.id).collect::<Vec<_>>()
                });
                drained.extend(known.into_iter().filter(|id| memory.drained.contains(id)));
                continue;
            }
            let now = self.groups.now();
            let acts = self.groups.look(|state| {
                let group = state.group(&key)?;
                passing |= group.under_way().is_some() || instance_refresh::is_busy(group);
                drained.extend(drain::begin(&self.queues, group));
                let mut acts = acts(group, &seen);
                acts.retain(|act| match act {
                    Act::Terminate(id) => drain::is_over(group, *id, &seen, now, |id| {
                        // Who was given something at this look was not looked at yet.
                        memory.drained.contains(&id) && held.of(&self.queues, id) == 0
                    }),
                    Act::Launch(_) => true,
                });
                Some(acts)
            });
            for act in acts.unwrap_or_default() {
                self.act(fleet, &key, act).await;
            }
        }
        for gone in memory.drained.difference(&drained) {
            drain::end(&self.queues, *gone);
        }
        drain::forget(&self.queues, fleet);
        memory.drained = drained;
        passing |= self.tell_owed().await;
        passing
    }

    /// How the instances of a group are.
    fn see(&self, fleet: &Fleet, key: &GroupKey) -> Seen {
        let ids: Vec<InstanceId> = self.groups.look(|state| {
            let group = state.group(key);
            group.map(|group| group.members().map(|member| member.id).collect()).unwrap_or_default()
        });
        fleet.look(|state| {
            let see = |id: &InstanceId| (*id, sight(state.instance(names::to_fleet(*id))));
            ids.iter().map(see).collect()
        })
    }

    async fn act(&self, fleet: &Fleet, key: &GroupKey, act: Act) {
        match act {
            Act::Launch(activity) => self.launch(fleet, key, activity).await,
            Act::Terminate(instance) => {
                let (owner, ids) = (names::owner(key), [names::to_fleet(instance)]);
                let ended = fleet.terminate(&owner, &ids, false);
                if let Err(error) = ended.await {
                    let instance = names::instance_text(instance);
                    warn!(group = key.name, instance, %error, "an instance was not terminated");
                }
            }
        }
    }

    /// Launches an instance for an activity, and writes down what became of that.
    async fn launch(&self, fleet: &Fleet, key: &GroupKey, activity: ActivityId) {
        let prepared = self.groups.look(|state| {
            let group = state.group(key)?;
            Some(launch::prepare(fleet, state, (key, group), activity))
        });
        let Some(prepared) = prepared else { return };
        let launched = match prepared {
            Err(why) => Err(why),
            Ok((launch, origin)) => {
                let launched = fleet.launch(&names::owner(key), launch).await;
                match launched {
                    Ok(launched) => Ok((launched.instances.into_iter().next(), origin)),
                    Err(error) => Err(fault::of_fleet(error)),
                }
            }
        };
        let written = match launched {
            Ok((Some(instance), origin)) => {
                let id = instance.id;
                info!(group = key.name, instance = %id, "a group launched an instance");
                let member = self.member(&instance, origin);
                let joined = self.groups.joined(key, activity, member).await;
                if matches!(joined, Ok(false)) {
                    // The group was forgotten meanwhile, with all else.
                    drop(fleet.terminate(&instance.owner, &[id], false).await);
                }
                joined.map(|_| ())
            }
            Ok((None, _)) => {
                self.groups.failed(key, activity, "Nothing was launched.".to_owned()).await
            }
            Err(why) => {
                warn!(group = key.name, why, "a group could not launch an instance");
                self.groups.failed(key, activity, why).await
            }
        };
        if let Err(error) = written {
            warn!(group = key.name, %error, "what became of a launch was not written down");
        }
    }

    /// An instance as a member of a group, of which it is from now on.
    pub(super) fn member(&self, instance: &Instance, origin: Origin) -> Member {
        let (now, shown) = (self.groups.now(), ec2::facts(instance));
        Member {
            id: names::of_fleet(instance.id),
            state: Lifecycle::Pending,
            since: now,
            activity: None,
            joined: now,
            served: None,
            origin: launched_from(instance, origin),
            kind: shown.kind,
            zone: shown.zone,
            image: shown.image,
            protected: false,
            health: Health::Healthy,
            replaced: false,
            waits: Vec::new(),
        }
    }
}

/// What an instance was in fact launched from: if that was before a crash, its group may launch
/// from something else by now, and its template may say something else.
fn launched_from(instance: &Instance, origin: Origin) -> Origin {
    match (origin, instance.template) {
        (Origin::Template(mut source), Some((id, version))) if id.to_string() == source.id => {
            source.version = Some(version.to_string());
            Origin::Template(source)
        }
        (Origin::Template(_), _) | (Origin::Configuration(..), Some(_)) => Origin::Elsewhere,
        (origin, _) => origin,
    }
}

fn sight(instance: Option<&Instance>) -> Sight {
    let Some(instance) = instance else { return Sight::Gone(None) };
    match instance.phase {
        Phase::Pending => Sight::Starting,
        Phase::Running => Sight::Running,
        Phase::Stopping | Phase::Stopped => Sight::Stopped,
        Phase::ShuttingDown => Sight::Ending,
        Phase::Terminated => Sight::Gone(match &instance.reason {
            Some(Reason::Failed(why)) => Some(why.clone()),
            Some(Reason::Asked) | None => None,
        }),
    }
}
