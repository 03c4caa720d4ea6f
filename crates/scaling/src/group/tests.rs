//! Groups over instances that are words, and a clock that the test moves.

use std::time::Duration;

use tidemill_base::{AccountId, ByteSize, Chance, Clock, Region};
use tidemill_journal::cbor::{Fold as _, Written as _};
use tidemill_journal::{Keep, MemoryDriver, Options};

use super::samples::{id, member, settings, template};
use super::*;

mod refresh;

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
        let mut others: Vec<_> = (1..=3).map(InstanceId::from_u64).collect();
        others.retain(|id| *id != gone);
        assert_eq!(bench.running(), others, "{policy:?}");
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
    for left in 1..1000 {
        let mut bench = Bench::with_group(3).await;
        let mut died = false;
        for (desired, kill) in [(3, true), (1, false), (5, true), (2, true), (0, true)] {
            if bench.group().desired != Workers::new(desired) {
                bench.want(desired).await;
            }
            if kill {
                bench.left = left;
                bench.settle().await;
                died |= bench.left == 0;
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
        if !died {
            assert!(left > 10, "it had little to do: {left}");
            return;
        }
    }
    panic!("it never gets through");
}

#[tokio::test]
async fn nothing_keeps_an_instance_of_a_group_that_is_deleted_by_force() {
    for is_there in [false, true] {
        let mut bench = Bench::new();
        bench.make(Settings { protects_new: true, ..settings(0, 10) }, 1).await;
        if is_there {
            bench.settle().await;
            bench.groups.delete(&key(), true).await.unwrap();
            bench.groups.spare(&key(), bench.running(), true).await.unwrap();
        } else {
            // Its machine was launched, and the group does not know of it yet.
            bench.left = 2;
            assert_eq!((bench.pass().await, bench.launched.len()), (None, 1));
            bench.left = usize::MAX;
            bench.groups.delete(&key(), true).await.unwrap();
        }
        bench.groups.suspend(&key(), &Process::ALL, true).await.unwrap();
        for _ in 0..5 {
            bench.pass().await;
            bench.machines_go_on();
        }
        assert_eq!(bench.running(), []);
        assert!(bench.groups.look(|state| state.group(&key()).is_none()), "{is_there}");
    }
}

#[tokio::test]
async fn launches_that_are_given_up_are_tried_again_after_longer_and_longer() {
    let mut bench = Bench::new();
    let hooks = [("wait", Transition::Launching)];
    bench.make_with(settings(0, 10), 1, &hooks).await.unwrap();
    let mut waited = Vec::new();
    for _ in 0..4 {
        bench.settle().await;
        let who = Waiter::Instance(bench.only().id);
        bench.groups.answer(&key(), "wait", who, Answer::Abandon).await.unwrap();
        bench.settle().await;
        let pause = bench.group().launches_from().unwrap().since(bench.clock.now());
        waited.push(pause.as_secs());
        bench.clock.advance(pause);
    }
    assert_eq!(waited, [2, 4, 8, 16]);
}

#[tokio::test]
async fn one_that_is_stopped_before_it_serves_is_terminated_and_has_failed() {
    let mut bench = Bench::with_group(1).await;
    bench.pass().await;
    let id = bench.only().id;
    bench.machines.insert(id, Sight::Stopped);
    bench.pass().await;
    assert_eq!(bench.sight(id), Sight::Ending);
    let end = bench.activities()[1].end.clone().unwrap();
    let why = "The instance was stopped before it served.";
    assert_eq!((end.outcome, end.message.as_deref()), (Outcome::Failed, Some(why)));
    bench.settle().await;
    // The next is launched after a pause.
    assert!(bench.group().is_empty() && bench.group().launches_from().is_some());
}

#[test]
fn what_a_group_does_not_launch_from_any_more_goes_before_what_it_does() {
    let at = Timestamp::from_millis;
    let from = |id: &str, version: &str| Origin::Template(template(id, Some(version)));
    let named = |name: &str, made| Origin::Configuration(name.to_owned(), Some(at(made)));
    let source = |name: &str| Source::Configuration(name.to_owned());
    let of_template = Source::Template(template("lt-1", None));
    for (source, policy, origins, order) in [
        (
            of_template.clone(),
            Termination::OldestTemplate,
            [from("lt-1", "2"), from("lt-1", "10"), from("lt-2", "70"), from("lt-1", "1")],
            [3, 4, 1, 2],
        ),
        (
            source("now"),
            Termination::OldestConfiguration,
            [named("now", 1), named("newer", 3), named("older", 2), Origin::Elsewhere],
            [3, 2, 1, 4],
        ),
        (
            of_template,
            Termination::Default,
            [from("lt-1", "1"), Origin::Elsewhere, named("b", 2), named("a", 1)],
            [4, 3, 1, 2],
        ),
    ] {
        let mut group =
            samples::group(Settings { source, termination: vec![policy], ..settings(0, 9) }, at(0));
        for (number, origin) in (1..).zip(origins) {
            let state = Lifecycle::InService;
            let member = Member { state, origin, ..member(number, at(0)) };
            group.happened(&What::Joined(Joined { activity: id(number), member })).unwrap();
        }
        let chosen = choose::choose(&group, 9, at(0));
        assert_eq!(chosen, order.map(InstanceId::from_u64), "{policy:?}");
    }
}

#[tokio::test]
async fn a_token_is_of_one_hook_and_good_once() {
    let mut bench = Bench::new();
    let hooks = [("one", Transition::Launching), ("two", Transition::Launching)];
    bench.make_with(settings(0, 10), 1, &hooks).await.unwrap();
    bench.settle().await;
    let token = bench.only().waits.iter().find(|wait| wait.hook == "one").unwrap().token;
    let who = Waiter::Token(token);
    let answer =
        async |hook| bench.groups.answer(&key(), hook, who, Answer::Continue).await.is_ok();
    assert!(!answer("two").await);
    assert!(answer("one").await);
    assert!(!answer("one").await && bench.groups.renew(&key(), "one", who).await.is_err());
}

#[tokio::test]
async fn who_waits_for_a_hook_that_is_deleted_goes_the_way_it_was_on() {
    for (first, then) in [
        (Transition::Launching, Transition::Terminating),
        (Transition::Terminating, Transition::Launching),
    ] {
        let mut bench = Bench::new();
        bench.make_with(settings(0, 10), 1, &[("wait", first)]).await.unwrap();
        bench.settle().await;
        let one = bench.only().id;
        if first == Transition::Terminating {
            bench.want(0).await;
            bench.settle().await;
        }
        assert!(bench.only().state.waits());
        bench.groups.put_hook(&key(), "wait".to_owned(), |_| Ok(hook(then))).await.unwrap();
        bench.groups.delete_hook(&key(), "wait").await.unwrap();
        bench.settle().await;
        // One that came is given up; one that went is gone.
        assert_eq!(bench.sight(one), Sight::Gone(None), "{first:?}");
        let failed = bench.activities().iter().any(|it| it.end.as_ref().unwrap().message.is_some());
        assert_eq!(failed, first == Transition::Launching);
    }
}

#[tokio::test]
async fn one_that_goes_does_so_since_it_began_to() {
    let mut bench = Bench::new();
    let hooks = [("wait", Transition::Terminating)];
    bench.make_with(settings(0, 10), 1, &hooks).await.unwrap();
    bench.settle().await;
    bench.want(0).await;
    bench.settle().await;
    let since = bench.only().since;
    bench.clock.advance(Duration::from_secs(10));
    let who = Waiter::Instance(bench.only().id);
    bench.groups.answer(&key(), "wait", who, Answer::Continue).await.unwrap();
    bench.pass().await;
    assert_eq!((bench.only().state, bench.only().since), (Lifecycle::TerminatingProceed, since));
}

#[tokio::test]
async fn hooks_of_a_new_group_are_as_few_as_of_any_and_each_has_a_name_of_its_own() {
    let bench = Bench::new();
    let refused = async |hooks: &[(&str, Transition)]| {
        bench.make_with(settings(0, 10), 0, hooks).await.unwrap_err()
    };
    let twice = [("one", Transition::Launching), ("one", Transition::Terminating)];
    assert!(matches!(refused(&twice).await, GroupError::Refused(Refusal::BadHook(_))));
    let names: Vec<String> = (0..=HOOKS).map(|number| number.to_string()).collect();
    let many: Vec<_> = names.iter().map(|name| (&**name, Transition::Launching)).collect();
    assert!(matches!(refused(&many).await, GroupError::Refused(Refusal::TooManyHooks(HOOKS))));
    bench.make_with(settings(0, 10), 0, &many[1..]).await.unwrap();
}

#[tokio::test]
async fn who_has_lived_long_enough_is_replaced_a_few_at_a_time() {
    let mut bench = Bench::new();
    bench.make(Settings { lifetime: Some(86_400), ..settings(0, 10) }, 3).await;
    bench.settle().await;
    bench.clock.advance(Duration::from_hours(24));
    for _ in 0..20 {
        bench.pass().await;
        bench.machines_go_on();
        assert!(bench.group().counts().in_service >= Workers::new(2), "{:?}", bench.group());
    }
    assert_eq!(bench.running(), [4, 5, 6].map(InstanceId::from_u64));
}

#[tokio::test]
async fn one_that_was_to_be_followed_is_not_where_fewer_are_wanted_by_then() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    bench.groups.judge(&key(), bench.running()[0], false, false).await.unwrap();
    bench.pass().await;
    bench.want(1).await;
    bench.settle().await;
    bench.want(2).await;
    bench.settle().await;
    let activities = bench.activities();
    assert_eq!(activities[0].deed, Deed::Launch);
    assert_eq!(steps(&activities[0]), [&Cause::Set(step(1, 2)), &Cause::Short(step(1, 2))]);
}

#[tokio::test]
async fn who_is_to_come_is_known_before_its_launch_begins() {
    let mut bench = Bench::with_group(3).await;
    assert_eq!(bench.group().to_come(), Workers::new(3));
    bench.settle().await;
    assert_eq!(bench.group().to_come(), Workers::NONE);
    bench.groups.judge(&key(), bench.running()[0], false, false).await.unwrap();
    bench.pass().await;
    // Two serve; who goes is followed by another, unless fewer are wanted by then.
    assert_eq!((bench.group().capacity().count(), bench.group().to_come().count()), (3, 1));
    bench.want(2).await;
    assert_eq!(bench.group().to_come(), Workers::NONE);
}

#[tokio::test]
async fn launches_that_fail_keep_nobody_waiting_who_honours_the_cooldown() {
    let mut bench = Bench::new();
    bench.broken = Some("There is no room.");
    bench.make(settings(0, 10), 1).await;
    bench.settle().await;
    bench.groups.set_desired(&key(), Workers::new(2), true, Cause::Set).await.unwrap();
}

#[tokio::test]
async fn who_asks_in_vain_has_nobody_look_again() {
    let bench = Bench::with_group(0).await;
    bench.groups.changed().await;
    let looks = || {
        let mut changed = std::pin::pin!(bench.groups.changed());
        let waker = std::task::Waker::noop();
        changed.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
    };
    assert!(bench.groups.set_desired(&key(), Workers::new(11), false, Cause::Set).await.is_err());
    bench.want(0).await;
    assert!(!looks());
    bench.want(1).await;
    assert!(looks());
}

#[tokio::test]
async fn tags_are_set_and_taken_of_all_groups_or_of_none() {
    let bench = Bench::with_group(0).await;
    let tag = Tag { value: "blue".to_owned(), propagates: true };
    let tags = Tags::from([("team".to_owned(), tag)]);
    let nobody = GroupKey { name: "nobody".to_owned(), ..key() };
    let both = [key(), nobody];
    let given = both.clone().map(|key| (key, tags.clone())).to_vec();
    assert!(bench.groups.tag(given).await.is_err());
    assert_eq!(bench.group().tags, Tags::new());
    bench.groups.tag(vec![(key(), tags.clone())]).await.unwrap();
    assert!(bench.groups.untag(&both, |_, _, _| true).await.is_err());
    assert_eq!(bench.group().tags, tags);
}

#[tokio::test]
async fn two_targets_of_a_group_are_for_two_metrics() {
    let bench = Bench::with_group(0).await;
    let target = |metric: u8| Target {
        target: 1.0,
        disable_scale_in: true,
        warm_up: None,
        metric: vec![metric],
        high: "high".to_owned(),
        low: None,
    };
    let put = async |name, metric| {
        bench.groups.put_policy(&key(), name, true, Way::Tracking(target(metric))).await
    };
    put("one", 1).await.unwrap();
    put("one", 1).await.unwrap();
    let refused = put("two", 1).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::SameMetric))));
    put("two", 2).await.unwrap();
}

#[test]
fn what_was_missed_is_done_once_in_the_order_of_its_last_time() {
    let start = Timestamp::EPOCH;
    let mut group = samples::group(settings(0, 10), start);
    let action = |text: &str, desired| {
        let cron: cron::Cron = text.parse().unwrap();
        Scheduled {
            id: id(2),
            start: None,
            end: None,
            recurrence: Some(text.to_owned()),
            zone: None,
            min: None,
            max: None,
            desired: Some(Workers::new(desired)),
            next: cron.after(start).unwrap(),
        }
    };
    for (name, action) in [
        ("always", action("* * * * *", 3)),
        ("morning", action("0 9 * * *", 5)),
        ("evening", action("0 18 * * *", 1)),
    ] {
        group.happened(&What::ScheduledPut(ScheduledPut { name: name.to_owned(), action }));
    }
    // Thirty years of minutes later, at half past nine.
    let now = start + Duration::from_hours(30 * 365 * 24) + Duration::from_mins(9 * 60 + 30);
    let mut done = Vec::new();
    for what in decide_by_schedule(&group, now) {
        match what {
            What::ScheduledPut(put) => assert!(put.action.next > now, "{put:?}"),
            What::Wanted(wanted) => done.push((wanted.said.unwrap().at, wanted.desired.count())),
            other => panic!("{other:?}"),
        }
    }
    let before = |minutes| now - Duration::from_mins(minutes);
    assert_eq!(done, [(before(930), 1), (before(30), 5), (now, 3)]);
}

#[test]
fn what_groups_did_that_are_gone_is_forgotten_in_the_end() {
    let mut state = State::default();
    let named = |number: usize| GroupKey { name: format!("{number:04}"), ..key() };
    let activity = |began| Activity {
        id: id(1),
        group: id(2),
        deed: Deed::Spare,
        instance: None,
        causes: Vec::new(),
        began,
        end: None,
        zone: String::new(),
    };
    let mut lives_and_goes = |number: usize, at: Timestamp| {
        let made = Made { id: id(2), at, settings: settings(0, 1), tags: Tags::new() };
        for what in [What::Made(made), What::Begun(activity(at)), What::Gone(())] {
            state.happened(Event::Of(named(number), what)).unwrap();
        }
        let first = state.active(key().account, &key().region).next().unwrap();
        (first.name.clone(), state.active(key().account, &key().region).count())
    };
    let at = |second: usize| Timestamp::from_millis(second as u64 * 1000);
    for number in 0..GONE {
        assert_eq!(lives_and_goes(number, at(number)).1, number + 1);
    }
    // The one that did nothing for longest goes.
    assert_eq!(lives_and_goes(GONE, at(GONE)), ("0001".to_owned(), GONE));
    // What is older than six weeks goes as well.
    let later = at(GONE) + Duration::from_hours(6 * 7 * 24 + 1);
    assert_eq!(lives_and_goes(GONE + 1, later), (format!("{:04}", GONE + 1), 1));
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

/// What is owed, as the kinds of notices and whom they are for.
fn owed(groups: &Groups) -> Vec<(u64, String, &'static str)> {
    groups.look(|state| {
        let each = state.owed().map(|(number, owed)| {
            let what = match &owed.notice {
                Notice::Trial(_) => "trial",
                Notice::Done { kind: Kind::Launched, .. } => "launched",
                Notice::Done { kind: Kind::LaunchFailed, .. } => "not launched",
                Notice::Done { kind: Kind::Terminated, .. } => "terminated",
                Notice::Done { .. } => "other",
                Notice::Waits { .. } => "waits",
            };
            (number, owed.target.clone(), what)
        });
        each.collect()
    })
}

fn words(owed: &[(u64, String, &'static str)]) -> Vec<&'static str> {
    owed.iter().map(|(_, _, what)| *what).collect()
}

#[tokio::test]
async fn what_a_group_does_is_owed_until_it_is_told_through_a_crash_and_a_checkpoint() {
    let mut bench = Bench::with_group(0).await;
    let kinds = BTreeSet::from([Kind::Launched, Kind::Terminated]);
    bench.groups.notify(&key(), "one".into(), kinds).await.unwrap();
    bench.groups.notify(&key(), "two".into(), BTreeSet::from([Kind::LaunchFailed])).await.unwrap();
    assert_eq!(words(&owed(&bench.groups)), ["trial", "trial"]);
    let trials = owed(&bench.groups).iter().map(|(number, ..)| *number).collect();
    bench.groups.told(trials).await.unwrap();
    bench.want(2).await;
    bench.settle().await;
    assert_eq!(words(&owed(&bench.groups)), ["launched", "launched"]);
    let before = owed(&bench.groups);
    bench.restart();
    assert_eq!(owed(&bench.groups), before);
    bench.groups.told(vec![before[0].0]).await.unwrap();
    bench.groups.told(vec![before[0].0, 99]).await.unwrap();
    bench.groups.checkpoint().unwrap();
    bench.restart();
    assert_eq!(owed(&bench.groups), before[1..]);
    bench.want(1).await;
    bench.settle().await;
    assert_eq!(words(&owed(&bench.groups)), ["launched", "terminated"]);
    bench.groups.stop_notifying(&key(), "one").await.unwrap();
    bench.groups.stop_notifying(&key(), "one").await.unwrap();
    bench.want(2).await;
    bench.settle().await;
    assert_eq!(owed(&bench.groups).len(), 2);
    bench.groups.clear().await.unwrap();
    assert_eq!(owed(&bench.groups), []);
}

#[tokio::test]
async fn a_launch_that_fails_is_owed_to_those_who_asked_for_that() {
    let mut bench = Bench::with_group(0).await;
    bench.groups.notify(&key(), "one".into(), BTreeSet::from([Kind::LaunchFailed])).await.unwrap();
    bench.broken = Some("there is no room");
    bench.want(1).await;
    bench.pass().await;
    bench.pass().await;
    assert_eq!(words(&owed(&bench.groups))[1..], ["not launched"]);
    let targets = |number: usize| format!("listener-{number}");
    for number in 1..LISTENERS {
        let kinds = BTreeSet::from([Kind::Launched]);
        bench.groups.notify(&key(), targets(number), kinds).await.unwrap();
    }
    let more = bench.groups.notify(&key(), "more".into(), BTreeSet::from([Kind::Launched])).await;
    let refused = matches!(more, Err(GroupError::Refused(Refusal::TooManyListeners(LISTENERS))));
    assert!(refused, "{more:?}");
}

#[tokio::test]
async fn who_waits_is_owed_to_whom_the_hook_names() {
    let mut bench = Bench::with_group(0).await;
    let asked = Hook { target: Some("one".into()), ..hook(Transition::Launching) };
    bench.groups.put_hook(&key(), "in".into(), |_| Ok(asked)).await.unwrap();
    let silent = hook(Transition::Launching);
    bench.groups.put_hook(&key(), "silent".into(), |_| Ok(silent)).await.unwrap();
    bench.want(1).await;
    bench.settle().await;
    assert_eq!(words(&owed(&bench.groups)), ["trial", "waits"]);
    bench.groups.look(|state| {
        let (_, owed) = state.owed().last().unwrap();
        let Notice::Waits { instance, wait, .. } = &owed.notice else { panic!("{owed:?}") };
        let member = state.group(&key()).unwrap().member(*instance).unwrap();
        assert_eq!(member.waits.iter().find(|it| it.hook == "in"), Some(&**wait));
    });
}
