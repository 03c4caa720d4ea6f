//! Groups over instances that are words, and a clock that the test moves.

use std::time::Duration;

use tidemill_base::{AccountId, ByteSize, Chance, Clock, Region};
use tidemill_journal::{Keep, MemoryDriver, Options};

use super::samples::{id, member, settings, template};
use super::*;

mod activities;
mod deletion;
mod desired;
mod hooks;
mod launches;
mod notices;
mod policies;
mod processes;
mod records;
mod recovery;
mod refresh;
mod replacements;
mod schedules;
mod tags;
mod termination;

/// A service that may die at any moment, and the machines, which go on.
struct Bench {
    journal: MemoryDriver,
    clock: Clock,
    groups: Groups,
    machines: Seen,
    /// Which activity each was launched for: a launch that is repeated is made once.
    launched: BTreeMap<ActivityId, InstanceId>,
    /// Why nothing can be launched, if nothing can.
    broken: Option<&'static str>,
    /// How many things may still be done before the service dies.
    left: usize,
}

fn open(journal: &MemoryDriver, clock: &Clock) -> Groups {
    let options = Options { segment_size: ByteSize::kib(256), ..Options::default() };
    Groups::open(journal.clone(), options, clock.clone(), Chance::system()).unwrap()
}

fn key() -> GroupKey {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    GroupKey { account, region, name: "workers".to_owned() }
}

impl Bench {
    fn new() -> Self {
        let (journal, clock) = (MemoryDriver::new(), Clock::manual(Timestamp::from_millis(1_000)));
        let groups = open(&journal, &clock);
        let (machines, launched) = (Seen::new(), BTreeMap::new());
        Self { journal, clock, groups, machines, launched, broken: None, left: usize::MAX }
    }

    async fn with_group(desired: u32) -> Self {
        let bench = Self::new();
        bench.make(settings(0, 10), desired).await;
        bench
    }

    async fn make(&self, settings: Settings, desired: u32) {
        self.make_with(settings, desired, &[]).await.unwrap();
    }

    /// Makes a group with hooks of these names and transitions.
    async fn make_with(
        &self,
        settings: Settings,
        desired: u32,
        hooks: &[(&str, Transition)],
    ) -> Result<(), GroupError> {
        let (desired, tags) = (Workers::new(desired), Tags::new());
        let hooks = hooks.iter().map(|(name, at)| ((*name).to_owned(), hook(*at))).collect();
        self.groups.create(&key(), NewGroup { settings, desired, tags, hooks }).await
    }

    /// The one instance of the group.
    fn only(&self) -> Member {
        let members: Vec<Member> = self.group().members().cloned().collect();
        let [one] = &members[..] else { panic!("one is expected: {members:?}") };
        one.clone()
    }

    /// The service dies, and another takes its place.
    fn restart(&mut self) {
        self.journal.crash(&Keep::Synced);
        self.groups = open(&self.journal, &self.clock);
        self.left = usize::MAX;
    }

    fn group(&self) -> Group {
        self.groups.look(|state| state.group(&key()).unwrap().clone())
    }

    fn activities(&self) -> Vec<Activity> {
        self.groups.look(|state| state.activities(&key()).cloned().collect())
    }

    /// The instances that run.
    fn running(&self) -> Vec<InstanceId> {
        let runs = |(_, sight): &(&InstanceId, &Sight)| **sight == Sight::Running;
        self.machines.iter().filter(runs).map(|(id, _)| *id).collect()
    }

    /// Whether it may do one thing more; it dies where it may not.
    fn lives(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }

    /// Looks, decides and acts, once; says whether anything was done. The service may die anywhere.
    async fn pass(&mut self) -> Option<bool> {
        let exists = self.groups.look(|state| state.group(&key()).is_some());
        if !exists {
            return Some(false);
        }
        let seen: Seen = self.group().members().map(|it| (it.id, self.sight(it.id))).collect();
        if !self.lives() {
            return None;
        }
        self.groups.settle(&key(), &seen).await.unwrap();
        let acts = self.groups.look(|state| state.group(&key()).map(|group| acts(group, &seen)));
        let acts = acts.unwrap_or_default();
        for act in &acts {
            match *act {
                Act::Launch(activity) => self.launch(activity).await?,
                Act::Terminate(id) => {
                    self.machines.insert(id, Sight::Ending);
                }
            }
            if !self.lives() {
                return None;
            }
        }
        Some(!acts.is_empty() || seen.values().any(|sight| *sight != Sight::Running))
    }

    async fn launch(&mut self, activity: ActivityId) -> Option<()> {
        if let Some(why) = self.broken {
            self.groups.failed(&key(), activity, why.to_owned()).await.unwrap();
            return Some(());
        }
        let number = self.launched.len() as u64 + 1;
        let id = *self.launched.entry(activity).or_insert(InstanceId::from_u64(number));
        self.machines.entry(id).or_insert(Sight::Starting);
        if !self.lives() {
            return None;
        }
        let origin = match self.group().source() {
            Source::Template(template) => Origin::Template(template.clone()),
            Source::Configuration(name) => Origin::Configuration(name.clone(), None),
        };
        let member = Member { origin, ..member(id.as_u64(), self.clock.now()) };
        assert!(self.groups.joined(&key(), activity, member).await.unwrap());
        Some(())
    }

    fn sight(&self, id: InstanceId) -> Sight {
        self.machines.get(&id).cloned().unwrap_or(Sight::Gone(None))
    }

    /// The machines go on their way.
    fn machines_go_on(&mut self) {
        for sight in self.machines.values_mut() {
            match sight {
                Sight::Starting => *sight = Sight::Running,
                Sight::Ending => *sight = Sight::Gone(None),
                _ => {}
            }
        }
    }

    /// Goes on until nothing more happens.
    async fn settle(&mut self) {
        for _ in 0..50 {
            let before = self.groups.look(State::clone);
            let Some(_) = self.pass().await else { return };
            self.machines_go_on();
            if self.groups.look(State::clone) == before && self.pass().await == Some(false) {
                return;
            }
        }
        panic!("it does not settle: {:?}", self.group());
    }

    async fn want(&self, desired: u32) {
        let desired = Workers::new(desired);
        self.groups.set_desired(&key(), desired, false, Cause::Set).await.unwrap();
    }
}

fn hook(transition: Transition) -> Hook {
    Hook {
        transition,
        heartbeat: 30,
        default: Answer::Abandon,
        metadata: None,
        target: None,
        role: None,
    }
}

fn steps(activity: &Activity) -> Vec<&Cause> {
    activity.causes.iter().map(|said| &said.cause).collect()
}

fn step(from: u32, to: u32) -> Step {
    Step { from: Workers::new(from), to: Workers::new(to) }
}
