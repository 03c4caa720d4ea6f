//! Refreshes over instances that are words.

use tidemill_journal::cbor::Written as _;

use super::*;

/// A version of the group's template.
fn version(number: u32) -> Source {
    let (id, name) = ("lt-1".to_owned(), "worker".to_owned());
    Source::Template(TemplateSource { id, name, version: Some(number.to_string()) })
}

/// One at a time of ten, without a warm-up.
fn usual() -> Preferences {
    Preferences {
        least: 90,
        most: None,
        warm_up: 0,
        checkpoints: Vec::new(),
        delay: 0,
        skips: false,
        rolls_back: false,
        protected: Treatment::Wait,
        standby: Treatment::Wait,
        alarms: Vec::new(),
        bake: 0,
    }
}

impl Bench {
    /// A group that has had its instances, made from the template's first version, for an hour.
    async fn aged(desired: u32) -> Self {
        let mut bench = Self::new();
        bench.make(Settings { source: version(1), ..settings(0, 10) }, desired).await;
        bench.settle().await;
        bench.clock.advance(Duration::from_hours(1));
        bench
    }

    /// Has its instances be replaced by such of the second version.
    async fn start(&self, preferences: Preferences) -> Result<ActivityId, GroupError> {
        let (desired, target) = (Some(version(2)), Some(version(2)));
        let new = NewRefresh { desired, target };
        self.groups.start_refresh(&key(), new, |_| preferences).await
    }

    fn refresh(&self) -> Refresh {
        self.group().refreshes().next().unwrap().clone()
    }

    fn stage(&self) -> Stage {
        self.refresh().stage
    }

    /// Who serves, made from which version.
    fn versions(&self) -> Vec<String> {
        let group = self.group();
        let serving = group.members().filter(|it| it.state == Lifecycle::InService);
        let version = |it: &Member| match &it.origin {
            Origin::Template(template) => template.version.clone().unwrap_or_default(),
            _ => String::new(),
        };
        serving.map(version).collect()
    }

    fn serving(&self) -> usize {
        self.versions().len()
    }

    /// Looks each ten seconds until the refresh is at that stage; says how few served, and of how
    /// many there were too many, at worst.
    async fn roll_to(&mut self, stage: Stage) -> (usize, usize) {
        let (mut least, mut most) = (usize::MAX, 0);
        for _ in 0..400 {
            self.pass().await.unwrap();
            least = least.min(self.serving());
            let group = self.group();
            let there = group.members().filter(|it| !it.state.is_going()).count();
            most = most.max(there + group.launching().count());
            if self.stage() == stage {
                return (least, most);
            }
            self.machines_go_on();
            self.clock.advance(Duration::from_secs(10));
        }
        panic!("it does not come to {stage:?}: {:?}", self.refresh());
    }

    async fn settle_after(&mut self, minutes: u64) {
        self.settle().await;
        self.clock.advance(Duration::from_mins(minutes));
        self.settle().await;
    }
}

#[tokio::test]
async fn every_instance_is_replaced_while_enough_of_them_serve() {
    let mut bench = Bench::aged(4).await;
    let id = bench.start(Preferences { least: 75, warm_up: 60, ..usual() }).await.unwrap();
    assert_eq!((bench.stage(), bench.refresh().began), (Stage::Pending, None));
    // One is gone before its successor serves, and nobody more.
    assert_eq!(bench.roll_to(Stage::Successful).await, (3, 4));
    let refresh = bench.refresh();
    assert_eq!(refresh.id, id);
    let done = Progress { percent: 100, left: Workers::NONE };
    assert_eq!((refresh.progress, refresh.halt.is_none()), (done, true));
    // Each took its warm-up.
    assert!(refresh.ended.unwrap().since(refresh.began.unwrap()) >= Duration::from_mins(4));
    assert_eq!(bench.versions(), ["2"; 4]);
    assert_eq!((bench.launched.len(), bench.group().settings.source), (8, version(2)));
    for activity in &bench.activities()[..8] {
        if activity.deed == Deed::Launch {
            assert_eq!(steps(activity), [&Cause::LaunchedByRefresh]);
        } else {
            let selected = Cause::Selected(activity.instance.unwrap());
            assert_eq!(steps(activity), [&Cause::TakenByRefresh, &selected]);
        }
    }
    bench.settle().await;
    assert_eq!((bench.serving(), bench.launched.len()), (4, 8));
}

#[tokio::test]
async fn new_ones_come_first_where_there_may_be_more_than_the_groups_size() {
    for (least, most, extent) in [(100, Some(150), (4, 6)), (50, None, (2, 4)), (0, None, (0, 4))] {
        let mut bench = Bench::aged(4).await;
        bench.start(Preferences { least, most, warm_up: 30, ..usual() }).await.unwrap();
        assert_eq!(bench.roll_to(Stage::Successful).await, extent, "{least} to {most:?}");
        bench.settle().await;
        assert_eq!((bench.versions(), bench.launched.len()), (vec!["2".to_owned(); 4], 8));
    }
}

#[tokio::test]
async fn where_the_bounds_leave_no_room_one_goes_at_a_time() {
    // Who says the most has the new one come first, and who does not has the old one go.
    for (least, most, extent) in [(100, Some(100), (1, 2)), (100, None, (0, 1)), (90, None, (0, 1))]
    {
        let mut bench = Bench::aged(1).await;
        bench.start(Preferences { least, most, ..usual() }).await.unwrap();
        assert_eq!(bench.roll_to(Stage::Successful).await, extent, "{least} to {most:?}");
        bench.settle().await;
        assert_eq!(bench.versions(), ["2"]);
    }
}

#[tokio::test]
async fn it_rests_after_each_checkpoint() {
    let mut bench = Bench::aged(4).await;
    let checkpoints = vec![10, 50, 100];
    bench.start(Preferences { least: 0, checkpoints, delay: 600, ..usual() }).await.unwrap();
    bench.settle().await;
    // A tenth of four is one.
    assert_eq!(bench.refresh().progress, Progress { percent: 25, left: Workers::new(3) });
    let until = bench.refresh().rests.unwrap();
    assert_eq!(bench.group().awaited(bench.clock.now()), Some(Awaited::Checkpoint(until)));
    bench.settle_after(9).await;
    assert_eq!(bench.refresh().progress.percent, 25);
    bench.settle_after(1).await;
    assert_eq!(bench.refresh().progress.percent, 50);
    bench.settle_after(10).await;
    assert_eq!((bench.stage(), bench.serving()), (Stage::Successful, 4));
    // One that does not go to the end ends at its last checkpoint.
    let mut bench = Bench::aged(4).await;
    let checkpoints = vec![50];
    bench.start(Preferences { least: 0, checkpoints, delay: 600, ..usual() }).await.unwrap();
    bench.settle().await;
    assert_eq!((bench.stage(), bench.versions().concat()), (Stage::Successful, "1122".to_owned()));
}

#[tokio::test]
async fn who_is_as_it_should_be_is_left_alone_if_that_is_preferred() {
    let mut bench = Bench::aged(2).await;
    bench.start(Preferences { least: 50, ..usual() }).await.unwrap();
    bench.settle().await;
    bench.start(Preferences { skips: true, ..usual() }).await.unwrap();
    bench.settle().await;
    assert_eq!((bench.stage(), bench.launched.len()), (Stage::Successful, 4));
    assert_eq!(bench.refresh().progress.percent, 100);
    bench.start(usual()).await.unwrap();
    bench.settle().await;
    assert_eq!((bench.stage(), bench.launched.len()), (Stage::Successful, 6));
    // Without a group's size there is nothing to do.
    bench.want(0).await;
    bench.settle().await;
    bench.start(usual()).await.unwrap();
    bench.settle().await;
    assert_eq!((bench.stage(), bench.launched.len()), (Stage::Successful, 6));
}

#[tokio::test]
async fn who_is_protected_or_stands_by_is_replaced_or_left_alone_or_waited_for() {
    for treatment in [Treatment::Replace, Treatment::Ignore, Treatment::Wait] {
        let mut bench = Bench::aged(3).await;
        let (one, other) = (bench.running()[0], bench.running()[1]);
        bench.groups.spare(&key(), vec![one], true).await.unwrap();
        let how = Stand::Enter { shrink: true };
        bench.groups.stand(&key(), &[other], how).await.unwrap();
        let (protected, standby) = (treatment, treatment);
        bench.start(Preferences { least: 0, protected, standby, ..usual() }).await.unwrap();
        bench.settle().await;
        let there = [one, other].map(|id| bench.running().contains(&id));
        match treatment {
            Treatment::Replace => {
                assert_eq!((bench.stage(), there), (Stage::Successful, [false, false]));
                assert_eq!(bench.versions(), ["2", "2"]);
            }
            Treatment::Ignore => {
                assert_eq!((bench.stage(), there), (Stage::Successful, [true, true]));
                assert_eq!(bench.versions(), ["1", "2"]);
            }
            Treatment::Wait => {
                let done = Stage::Successful;
                assert_eq!((bench.stage(), there), (Stage::Replacing, [true, true]));
                assert_eq!(bench.refresh().progress.left, Workers::new(2));
                let awaited = |bench: &Bench| bench.group().awaited(bench.clock.now());
                assert_eq!(awaited(&bench), Some(Awaited::Protected(one)));
                bench.settle_after(59).await;
                bench.groups.spare(&key(), vec![one], false).await.unwrap();
                bench.settle().await;
                assert_eq!(awaited(&bench), Some(Awaited::Standby(other)));
                // It moved, and has an hour again.
                bench.settle_after(59).await;
                bench.groups.stand(&key(), &[other], Stand::Exit).await.unwrap();
                bench.settle().await;
                assert_eq!((bench.stage(), bench.versions().concat()), (done, "222".to_owned()));
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_go_on_for_an_hour_fails_and_leaves_what_was_done() {
    let mut bench = Bench::aged(2).await;
    let (one, waits) = (bench.running()[0], Treatment::Wait);
    bench.groups.spare(&key(), vec![one], true).await.unwrap();
    bench.start(Preferences { least: 50, protected: waits, ..usual() }).await.unwrap();
    bench.settle_after(59).await;
    assert_eq!(bench.stage(), Stage::Replacing);
    bench.settle_after(1).await;
    let refresh = bench.refresh();
    assert_eq!(refresh.stage, Stage::Failed);
    assert_eq!(refresh.halt, Some(Halt::Stuck(Awaited::Protected(one))));
    assert_eq!((bench.versions().concat(), refresh.progress.percent), ("12".to_owned(), 50));
    assert_eq!(bench.group().settings.source, version(1));
    // So does one whose launches fail, and who served goes on.
    let mut bench = Bench::aged(4).await;
    bench.start(Preferences { least: 50, ..usual() }).await.unwrap();
    bench.broken = Some("There is no room.");
    assert_eq!(bench.roll_to(Stage::Failed).await.0, 2);
    assert_eq!(bench.refresh().halt, Some(Halt::Stuck(Awaited::Launches)));
    bench.broken = None;
    bench.settle_after(5).await;
    assert_eq!(bench.versions(), ["1"; 4]);
}

#[tokio::test]
async fn one_whose_new_instances_do_not_stay_healthy_fails() {
    let mut bench = Bench::aged(2).await;
    bench.start(Preferences { least: 50, warm_up: 30, ..usual() }).await.unwrap();
    for _ in 0..1000 {
        bench.pass().await.unwrap();
        if bench.stage() != Stage::Replacing {
            break;
        }
        bench.machines_go_on();
        let group = bench.group();
        let young = |it: &&Member| it.id.as_u64() > 2 && it.state == Lifecycle::InService;
        for member in group.members().filter(young) {
            bench.machines.insert(member.id, Sight::Gone(None));
        }
        bench.clock.advance(Duration::from_secs(5));
    }
    let refresh = bench.refresh();
    assert_eq!(refresh.stage, Stage::Failed);
    assert!(matches!(refresh.halt, Some(Halt::Stuck(_))), "{refresh:?}");
    // Only the one that was the first to go is missing.
    assert!(bench.versions().contains(&"1".to_owned()));
}

#[tokio::test]
async fn an_instance_that_dies_while_a_refresh_rests_does_not_fail_it() {
    let mut bench = Bench::aged(4).await;
    let prefer = Preferences { least: 0, checkpoints: vec![50, 100], delay: 21_600, ..usual() };
    bench.start(prefer).await.unwrap();
    bench.settle().await;
    let new = bench.group().members().map(|it| it.id).max().unwrap();
    bench.machines.insert(new, Sight::Gone(None));
    for _ in 0..5 {
        bench.settle_after(60).await;
        assert_eq!((bench.stage(), bench.serving()), (Stage::Replacing, 4));
    }
    bench.settle_after(90).await;
    assert_eq!((bench.stage(), bench.versions()), (Stage::Successful, vec!["2".to_owned(); 4]));
}

#[tokio::test]
async fn what_was_done_is_undone_by_hand_or_where_it_fails() {
    for by_hand in [true, false] {
        let mut bench = Bench::aged(4).await;
        let rolls_back = !by_hand;
        let (least, checkpoints, delay) = (75, vec![50, 100], 60);
        let prefer = Preferences { least, checkpoints, delay, rolls_back, ..usual() };
        bench.start(prefer).await.unwrap();
        bench.settle().await;
        assert_eq!(bench.versions().concat(), "1122");
        let why = if by_hand {
            bench.groups.roll_back(&key()).await.unwrap();
            Halt::Asked { patient: true }
        } else {
            bench.groups.alarm_refresh(&key(), "high").await.unwrap();
            Halt::Alarm("high".to_owned())
        };
        assert_eq!((bench.stage(), bench.refresh().progress.percent), (Stage::RollingBack, 50));
        bench.settle().await;
        let refresh = bench.refresh();
        assert_eq!((refresh.stage, refresh.halt), (Stage::RolledBack, None));
        assert_eq!(refresh.progress, Progress { percent: 0, left: Workers::new(4) });
        let rollback = refresh.rollback.unwrap();
        assert_eq!((rollback.why, rollback.progress.left), (why, Workers::new(2)));
        // Those that were not reached yet are still there.
        assert_eq!((bench.versions(), bench.launched.len()), (vec!["1".to_owned(); 4], 8));
        assert_eq!(bench.group().settings.source, version(1));
    }
}

#[tokio::test]
async fn a_way_back_that_does_not_go_on_fails() {
    let mut bench = Bench::aged(2).await;
    bench.start(Preferences { least: 50, rolls_back: true, ..usual() }).await.unwrap();
    bench.pass().await;
    bench.broken = Some("There is no room.");
    bench.roll_to(Stage::RollingBack).await;
    bench.roll_to(Stage::RollbackFailed).await;
    let refresh = bench.refresh();
    assert_eq!(refresh.halt, Some(Halt::Stuck(Awaited::Launches)));
    assert_eq!(refresh.rollback.unwrap().why, Halt::Stuck(Awaited::Launches));
}

#[tokio::test]
async fn one_that_is_given_up_waits_for_what_is_under_way_or_does_not() {
    for patient in [true, false] {
        let mut bench = Bench::aged(2).await;
        bench.start(Preferences { least: 50, ..usual() }).await.unwrap();
        bench.pass().await;
        bench.groups.cancel_refresh(&key(), patient).await.unwrap();
        let stage = if patient { Stage::Cancelling } else { Stage::Cancelled };
        assert_eq!(bench.stage(), stage);
        let refused = bench.groups.roll_back(&key()).await;
        assert!(matches!(refused, Err(GroupError::Refused(Refusal::NotRefreshing(_)))));
        bench.settle().await;
        assert_eq!(bench.stage(), Stage::Cancelled);
        assert_eq!(bench.refresh().halt, Some(Halt::Asked { patient }));
        let refused = bench.groups.cancel_refresh(&key(), true).await;
        assert!(matches!(refused, Err(GroupError::Refused(Refusal::NotRefreshing(_)))));
        // Nobody else goes, and the group stays what it was told to be.
        assert_eq!((bench.serving(), bench.launched.len()), (2, 3));
        assert_eq!(bench.group().settings.source, version(1));
    }
}

#[tokio::test]
async fn suspended_processes_have_it_rest() {
    for process in [Process::InstanceRefresh, Process::Launch, Process::Terminate] {
        let mut bench = Bench::aged(2).await;
        bench.groups.suspend(&key(), &[process], true).await.unwrap();
        bench.start(Preferences { most: Some(150), ..usual() }).await.unwrap();
        bench.settle_after(59).await;
        let awaited = bench.group().awaited(bench.clock.now());
        assert_eq!(awaited, Some(Awaited::Suspended(process)));
        assert_eq!(bench.versions(), ["1", "1"]);
        bench.settle_after(2).await;
        // Who has a refresh rest means it; the others are in its way.
        if process == Process::InstanceRefresh {
            assert_eq!((bench.stage(), bench.launched.len()), (Stage::Replacing, 2));
            bench.groups.suspend(&key(), &[process], false).await.unwrap();
            bench.settle().await;
            assert_eq!(bench.stage(), Stage::Successful);
        } else {
            assert_eq!(bench.stage(), Stage::Failed);
        }
    }
}

#[tokio::test]
async fn a_group_may_grow_and_shrink_meanwhile() {
    let mut bench = Bench::aged(4).await;
    let (least, checkpoints) = (50, vec![50, 100]);
    bench.start(Preferences { least, checkpoints, delay: 60, ..usual() }).await.unwrap();
    bench.settle().await;
    // Who comes from now on is new.
    bench.want(6).await;
    bench.settle().await;
    assert_eq!(bench.versions().concat(), "112222");
    let launch = bench.activities()[0].clone();
    assert_eq!(steps(&launch)[0], &Cause::Set(step(4, 6)));
    bench.want(2).await;
    bench.settle().await;
    assert_eq!(bench.versions().concat(), "22");
    bench.settle_after(2).await;
    assert_eq!((bench.stage(), bench.versions().concat()), (Stage::Successful, "22".to_owned()));
}

#[tokio::test]
async fn it_bakes_before_its_success() {
    let mut bench = Bench::aged(2).await;
    bench.start(Preferences { least: 0, bake: 600, ..usual() }).await.unwrap();
    bench.settle_after(9).await;
    let until = bench.refresh().rests.unwrap();
    assert_eq!(bench.group().awaited(bench.clock.now()), Some(Awaited::Baking(until)));
    assert_eq!(bench.group().settings.source, version(1));
    bench.settle_after(1).await;
    assert_eq!((bench.stage(), bench.group().settings.source), (Stage::Successful, version(2)));
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let bench = Bench::aged(1).await;
    let refused = |done: Result<ActivityId, GroupError>, refusal: Refusal| match done {
        Err(GroupError::Refused(why)) => assert_eq!(why, refusal),
        other => panic!("{other:?}"),
    };
    let none = Refusal::NotRefreshing(key().name);
    refused(bench.groups.cancel_refresh(&key(), true).await, none.clone());
    refused(bench.groups.roll_back(&key()).await, none);
    // Without another configuration there is nothing to go back to.
    let same = NewRefresh { desired: None, target: None };
    let rolls_back = |_: &Settings| Preferences { rolls_back: true, ..usual() };
    let done = bench.groups.start_refresh(&key(), same.clone(), rolls_back).await;
    refused(done, Refusal::Irreversible);
    bench.groups.start_refresh(&key(), same, |_| usual()).await.unwrap();
    refused(bench.start(usual()).await, Refusal::Refreshing);
    refused(bench.groups.roll_back(&key()).await, Refusal::Irreversible);
    bench.groups.cancel_refresh(&key(), false).await.unwrap();
    bench.start(usual()).await.unwrap();
    let other = |settings| (Settings { source: version(3), ..settings }, None);
    let done = bench.groups.update(&key(), other).await;
    assert!(matches!(done, Err(GroupError::Refused(Refusal::ChangedByRefresh))));
    // What is to be undone has to have been one thing.
    bench.groups.cancel_refresh(&key(), false).await.unwrap();
    bench.groups.update(&key(), |old| (Settings { source: latest(), ..old }, None)).await.unwrap();
    bench.start(usual()).await.unwrap();
    refused(bench.groups.roll_back(&key()).await, Refusal::Irreversible);
}

fn latest() -> Source {
    let Source::Template(template) = version(1) else { unreachable!() };
    Source::Template(TemplateSource { version: Some("$Latest".to_owned()), ..template })
}

#[tokio::test]
async fn a_group_that_is_deleted_ends_its_refresh() {
    let mut bench = Bench::aged(2).await;
    bench.start(Preferences { most: Some(150), ..usual() }).await.unwrap();
    bench.pass().await;
    bench.groups.delete(&key(), true).await.unwrap();
    bench.pass().await;
    assert_eq!((bench.stage(), bench.refresh().halt), (Stage::Cancelled, Some(Halt::Deleted)));
    for _ in 0..4 {
        bench.machines_go_on();
        bench.pass().await;
    }
    assert!(bench.groups.look(|state| state.group(&key()).is_none()));
    assert_eq!(bench.running(), []);
}

#[tokio::test]
async fn refreshes_are_remembered_for_six_weeks_and_so_many_at_most() {
    let bench = Bench::aged(0).await;
    for _ in 0..=REFRESHES {
        bench.start(usual()).await.unwrap();
        bench.groups.cancel_refresh(&key(), false).await.unwrap();
    }
    assert_eq!(bench.group().refreshes().count(), REFRESHES);
    bench.clock.advance(REMEMBERED + Duration::from_secs(1));
    let id = bench.start(usual()).await.unwrap();
    let known: Vec<ActivityId> = bench.group().refreshes().map(|it| it.id).collect();
    assert_eq!(known, [id]);
}

/// Dies after each number of steps in turn, until it gets through.
#[tokio::test]
async fn a_service_that_dies_anywhere_neither_doubles_nor_loses_a_replacement() {
    for (least, most) in [(50, None), (100, Some(150))] {
        for back in [false, true] {
            for left in 1..40 {
                let mut bench = Bench::aged(3).await;
                bench.start(Preferences { least, most, ..usual() }).await.unwrap();
                bench.left = left;
                bench.settle().await;
                bench.machines_go_on();
                bench.restart();
                let turned = back && bench.refresh().stage.is_active();
                if turned {
                    bench.groups.roll_back(&key()).await.unwrap();
                    bench.left = left;
                    bench.settle().await;
                    bench.machines_go_on();
                    bench.restart();
                }
                bench.settle().await;
                let (stage, number) =
                    if turned { (Stage::RolledBack, "1") } else { (Stage::Successful, "2") };
                assert_eq!((bench.stage(), bench.versions()), (stage, vec![number.to_owned(); 3]));
                let known: Vec<InstanceId> = bench.group().members().map(|it| it.id).collect();
                assert_eq!(known, bench.running(), "{left}: nobody else runs");
                assert!(bench.launched.len() <= 9, "{left}: {:?}", bench.launched);
                if !turned {
                    assert_eq!(bench.launched.len(), 6, "{left}: each is replaced once");
                }
            }
        }
    }
}

#[tokio::test]
async fn one_that_waits_for_a_hook_waits_as_long_as_the_hook() {
    let mut bench = Bench::aged(1).await;
    let hook = Hook {
        transition: Transition::Launching,
        heartbeat: 7200,
        default: Answer::Continue,
        metadata: None,
        target: None,
        role: None,
    };
    bench.groups.put_hook(&key(), "up".to_owned(), |_| Ok(hook)).await.unwrap();
    bench.start(usual()).await.unwrap();
    bench.settle_after(119).await;
    let group = bench.group();
    let id = group.members().next().unwrap().id;
    assert_eq!(group.awaited(bench.clock.now()), Some(Awaited::Coming(id)));
    bench.settle_after(1).await;
    assert_eq!((bench.stage(), bench.versions().concat()), (Stage::Successful, "2".to_owned()));
}

/// Whatever happens to a group meanwhile, its refresh ends, and it has as many as it should.
#[tokio::test]
async fn a_refresh_ends_whatever_happens_to_its_group_meanwhile() {
    for seed in 0..40 {
        let chance = Chance::seeded(seed);
        let one_of = |many: usize| chance.bytes::<1>()[0] as usize % many;
        let mut bench = Bench::aged(4).await;
        let treatments = [Treatment::Replace, Treatment::Ignore, Treatment::Wait];
        let treatment = treatments[one_of(3)];
        let prefer = Preferences {
            least: [0, 50, 90, 100][one_of(4)],
            most: [None, Some(100), Some(150)][one_of(3)],
            warm_up: [0, 20][one_of(2)],
            checkpoints: [vec![], vec![50, 100], vec![30]][one_of(3)].clone(),
            delay: 60,
            rolls_back: one_of(2) == 0,
            protected: treatment,
            standby: treatment,
            ..usual()
        };
        bench.start(prefer).await.unwrap();
        for _ in 0..30 {
            bench.pass().await;
            let running = bench.running();
            let one = running.get(one_of(8)).copied();
            match (one_of(10), one) {
                (0, _) => bench.want(1 + u32::try_from(one_of(6)).unwrap()).await,
                (1, Some(id)) => drop(bench.machines.insert(id, Sight::Gone(None))),
                (2, Some(id)) => drop(bench.groups.spare(&key(), vec![id], one_of(2) == 0).await),
                (3, Some(id)) => {
                    let how = [Stand::Enter { shrink: false }, Stand::Exit][one_of(2)];
                    drop(bench.groups.stand(&key(), &[id], how).await);
                }
                (4, _) => bench.broken = [None, Some("no")][one_of(2)],
                (5, _) if one_of(4) == 0 => drop(bench.groups.roll_back(&key()).await),
                (6, _) if one_of(4) == 0 => drop(bench.groups.cancel_refresh(&key(), true).await),
                (7, _) => bench.restart(),
                _ => {}
            }
            bench.machines_go_on();
            bench.clock.advance(Duration::from_secs(7));
        }
        bench.broken = None;
        for _ in 0..300 {
            bench.pass().await;
            bench.machines_go_on();
            bench.clock.advance(Duration::from_mins(1));
        }
        let group = bench.group();
        assert!(!bench.stage().is_active(), "{seed}: {:?} {group:#?}", bench.refresh());
        let spared = group.members().filter(|it| it.protected).count();
        let (serving, desired) = (bench.serving(), group.desired.count() as usize);
        // Too many may be spared when it shrinks.
        assert!(serving == desired || serving > desired && serving <= spared, "{seed}: {group:#?}");
        let known: Vec<InstanceId> = group.members().map(|it| it.id).collect();
        assert_eq!(known, bench.running(), "{seed}: nobody else runs");
    }
}

#[tokio::test]
async fn a_refresh_reads_as_it_was_written() {
    let mut bench = Bench::aged(3).await;
    let alarms = vec!["high".to_owned()];
    let prefer = Preferences { most: Some(200), checkpoints: vec![50], alarms, ..usual() };
    bench.start(prefer).await.unwrap();
    bench.pass().await;
    bench.groups.roll_back(&key()).await.unwrap();
    let event = Event::Of(key(), What::Refreshed(Box::new(bench.refresh())));
    let record = event.record();
    assert_eq!((record.kind, record.version), (tidemill_journal::Kind(70), 1));
    assert_eq!(Event::read(record.as_ref()), Ok(event));
    for awaited in [Awaited::Launches, Awaited::Checkpoint(bench.clock.now())] {
        let halt = Halt::Stuck(awaited);
        let bytes = minicbor::to_vec(&halt).unwrap();
        assert_eq!(minicbor::decode::<Halt>(&bytes).unwrap(), halt);
    }
}
