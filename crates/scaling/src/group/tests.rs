//! Groups over instances that are words, and a clock that the test moves.

use std::time::Duration;

use tidemill_base::{AccountId, ByteSize, Chance, Clock, Region};
use tidemill_journal::{Keep, MemoryDriver, Options};

use super::*;

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

fn settings(min: u32, max: u32) -> Settings {
    let (id, name) = ("lt-1".to_owned(), "worker".to_owned());
    Settings {
        min: Workers::new(min),
        max: Workers::new(max),
        source: Source::Template(TemplateSource { id, name, version: None }),
        cooldown: 300,
        grace: 0,
        warm_up: None,
        zones: vec!["us-east-1a".to_owned()],
        subnets: None,
        termination: vec![Termination::Default],
        protects_new: false,
        protection: Protection::None,
        lifetime: None,
        context: None,
        role: None,
        health: HealthCheck::Machine,
    }
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
        let (desired, tags, hooks) = (Workers::new(desired), Tags::new(), Vec::new());
        let new = NewGroup { settings, desired, tags, hooks };
        self.groups.create(&key(), new).await.unwrap();
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
        let now = self.clock.now();
        let member = Member {
            id,
            state: Lifecycle::Pending,
            since: now,
            activity: None,
            joined: now,
            served: None,
            origin: Origin::Elsewhere,
            kind: "t3.micro".to_owned(),
            zone: "us-east-1a".to_owned(),
            image: "process".to_owned(),
            protected: false,
            health: Health::Healthy,
            replaced: false,
            waits: Vec::new(),
        };
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

fn steps(activity: &Activity) -> Vec<&Cause> {
    activity.causes.iter().map(|said| &said.cause).collect()
}

fn step(from: u32, to: u32) -> Step {
    Step { from: Workers::new(from), to: Workers::new(to) }
}

#[tokio::test]
async fn a_group_has_as_many_as_it_is_told_and_says_why() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 2);
    assert_eq!(bench.group().counts().in_service, Workers::new(2));
    for activity in bench.activities() {
        assert_eq!(activity.end.as_ref().unwrap().outcome, Outcome::Successful);
        let created = Cause::Created(step(0, 2));
        assert_eq!(steps(&activity), [&created, &Cause::Short(step(0, 2))]);
    }
    bench.want(1).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    let last = &bench.activities()[0];
    let gone = last.instance.unwrap();
    let causes = [&Cause::Set(step(2, 1)), &Cause::Many(step(2, 1)), &Cause::Selected(gone)];
    assert_eq!((last.deed, steps(last)), (Deed::Terminate, causes.to_vec()));
    assert_eq!(bench.sight(gone), Sight::Gone(None));
}

#[tokio::test]
async fn an_instance_that_does_not_run_is_terminated_first_and_then_replaced() {
    let mut bench = Bench::with_group(1).await;
    bench.settle().await;
    let first = bench.running()[0];
    bench.machines.insert(first, Sight::Stopped);
    bench.pass().await;
    // It is on its way out, and nothing is launched before it is gone.
    assert_eq!((bench.sight(first), bench.launched.len()), (Sight::Ending, 1));
    assert_eq!(bench.group().member(first).unwrap().health, Health::NotRunning);
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    let activities = bench.activities();
    assert_eq!(steps(&activities[0]), [&Cause::Replacement]);
    assert_eq!(steps(&activities[1]), [&Cause::NotRunning]);
}

#[tokio::test]
async fn a_launch_that_fails_is_tried_again_after_longer_and_longer() {
    let mut bench = Bench::new();
    bench.broken = Some("There is no room.");
    bench.make(settings(0, 10), 1).await;
    let mut waited = Vec::new();
    for _ in 0..12 {
        bench.settle().await;
        let from = bench.group().launches_from().unwrap();
        waited.push(from.since(bench.clock.now()).as_secs());
        bench.clock.advance(from.since(bench.clock.now()));
    }
    assert_eq!(waited, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    let failed = &bench.activities()[0];
    let end = failed.end.as_ref().unwrap();
    assert_eq!((end.outcome, end.message.as_deref()), (Outcome::Failed, bench.broken));
    bench.broken = None;
    bench.settle().await;
    assert_eq!((bench.running().len(), bench.group().launches_from()), (1, None));
}

#[tokio::test]
async fn one_that_ends_before_it_serves_counts_as_a_failed_launch() {
    let mut bench = Bench::with_group(1).await;
    bench.pass().await;
    let id = *bench.launched.values().next().unwrap();
    bench.machines.insert(id, Sight::Gone(Some("no such program".to_owned())));
    bench.pass().await;
    let end = bench.activities()[0].end.clone().unwrap();
    assert_eq!((end.outcome, end.message.as_deref()), (Outcome::Failed, Some("no such program")));
    assert!(bench.group().launches_from().is_some() && bench.group().member(id).is_none());
}

#[tokio::test]
async fn protected_instances_stay_and_that_is_told_once() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    bench.groups.spare(&key(), bench.running(), true).await.unwrap();
    bench.want(0).await;
    bench.settle().await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 2);
    let spared = |activity: &&Activity| activity.deed == Deed::Spare;
    assert_eq!(bench.activities().iter().filter(spared).count(), 1);
    let one = bench.running()[0];
    bench.groups.spare(&key(), vec![one], false).await.unwrap();
    bench.settle().await;
    assert!(bench.running().len() == 1 && bench.sight(one) == Sight::Gone(None));
    // Somebody who names one means it.
    let other = bench.running()[0];
    bench.groups.terminate(&key(), other, false).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.running(), []);
}

#[tokio::test]
async fn who_goes_is_chosen_by_the_policies_in_their_order() {
    for (policy, chosen) in [
        (Termination::OldestInstance, 1),
        (Termination::NewestInstance, 3),
        // At 65 minutes the third is 25 minutes into its hour, the second 45, and the first 5.
        (Termination::ClosestToNextHour, 2),
        (Termination::Default, 2),
    ] {
        let mut bench = Bench::new();
        bench.make(Settings { termination: vec![policy], ..settings(0, 10) }, 0).await;
        for (number, wait) in [(1, 20), (2, 20), (3, 25)] {
            bench.want(number).await;
            bench.settle().await;
            bench.clock.advance(Duration::from_mins(wait));
        }
        bench.want(2).await;
        bench.settle().await;
        let gone = InstanceId::from_u64(chosen);
        assert!(!bench.running().contains(&gone), "{policy:?}: {:?}", bench.running());
    }
}

#[tokio::test]
async fn suspended_processes_rest() {
    let mut bench = Bench::with_group(1).await;
    bench.settle().await;
    bench.groups.suspend(&key(), &[Process::Launch, Process::Terminate], true).await.unwrap();
    bench.want(3).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    bench.want(0).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    bench.groups.suspend(&key(), &Process::ALL, false).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.running().len(), 0);
}

#[tokio::test]
async fn a_group_is_deleted_when_it_is_empty_or_by_force() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    let refused = bench.groups.delete(&key(), false).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::HasInstances))));
    bench.groups.spare(&key(), bench.running(), true).await.unwrap();
    let (one, how) = (bench.running()[0], Stand::Enter { shrink: false });
    bench.groups.stand(&key(), &[one], how).await.unwrap();
    bench.groups.delete(&key(), true).await.unwrap();
    let refused = bench.groups.set_desired(&key(), Workers::new(1), false, Cause::Set).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::Closing(_)))));
    for _ in 0..4 {
        bench.pass().await;
        bench.machines_go_on();
    }
    assert_eq!(bench.running(), []);
    assert!(bench.groups.look(|state| state.group(&key()).is_none()));
    // What it did is remembered.
    assert_eq!(bench.activities().len(), 5);
}

#[tokio::test]
async fn a_group_that_is_asked_to_honour_its_cooldown_waits() {
    let mut bench = Bench::with_group(1).await;
    let honoured = async |bench: &Bench| {
        bench.groups.set_desired(&key(), Workers::new(2), true, Cause::Set).await
    };
    bench.pass().await;
    let refused = honoured(&bench).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::UnderWay(_)))));
    bench.settle().await;
    bench.clock.advance(Duration::from_secs(299));
    let refused = honoured(&bench).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::CoolingDown))));
    bench.clock.advance(Duration::from_secs(1));
    honoured(&bench).await.unwrap();
}

/// Dies after each number of steps in turn, until it gets through.
#[tokio::test]
async fn a_service_that_dies_anywhere_neither_doubles_nor_loses_an_instance() {
    for left in 1..60 {
        let mut bench = Bench::with_group(3).await;
        for (desired, kill) in [(3, true), (1, false), (5, true), (2, true), (0, true)] {
            if bench.group().desired != Workers::new(desired) {
                bench.want(desired).await;
            }
            if kill {
                bench.left = left;
                bench.settle().await;
                bench.machines_go_on();
                bench.restart();
            }
            bench.settle().await;
            let running = bench.running();
            assert_eq!(running.len(), desired as usize, "{left}: {:?}", bench.group());
            let known: Vec<InstanceId> = bench.group().members().map(|it| it.id).collect();
            assert_eq!(known, running, "nobody runs that the group does not know");
        }
        let ended = |activity: &Activity| activity.end.is_some();
        assert!(bench.activities().iter().all(ended));
    }
}

#[test]
fn an_event_reads_as_it_was_written() {
    let id = ActivityId::from_bytes([7; 16]);
    let at = Timestamp::from_millis(1000);
    let instance = InstanceId::from_u64(0x0102);
    let moved =
        Moved { instance, state: Lifecycle::InService, at, activity: None, replaced: false };
    let whats = [
        What::Made(Made { id, at, settings: settings(1, 3), tags: Tags::new() }),
        What::Wanted(Wanted { desired: Workers::new(2), said: None }),
        What::Moved(moved),
        What::Suspended(BTreeSet::from([Process::Launch])),
        What::Gone(()),
    ];
    for what in whats {
        let event = Event::Of(key(), what);
        let record = event.record();
        assert_eq!(Event::read(record.as_ref()), Ok(event));
        for length in 0..record.payload.len() {
            let whole = record.payload.clone();
            let cut = tidemill_journal::RecordRef { payload: &whole[..length], ..record.as_ref() };
            assert!(Event::read(cut).is_err(), "{length}");
        }
    }
    let record = Event::Of(key(), What::Moved(moved)).record();
    let mut expected = b"\x82\x83\x00\x69us-east-1\x67workers".to_vec();
    expected.extend(b"\xa4\x00\x19\x01\x02\x01\x03\x02\x19\x03\xe8\x04\xf4");
    assert_eq!((record.kind, record.version), (tidemill_journal::Kind(6), 1));
    assert_eq!(&record.payload[..], expected);
}
