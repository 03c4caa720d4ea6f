//! The fleet over a driver that does at once what it is told, and a clock that the test moves.

use std::time::Duration;

use tidemill_base::{ByteSize, Timestamp};
use tidemill_journal::{Keep, MemoryDriver};

use super::*;
use crate::fake::FakeDriver;
use crate::instance::{Phase, Reason};
use crate::keeper::Memory;
use crate::recipe::Recipe;
use crate::record::VersionMade;
use crate::template::Version;

struct Bench {
    journal: MemoryDriver,
    driver: FakeDriver,
    clock: Clock,
    fleet: Fleet,
    memory: Memory,
}

fn open(journal: &MemoryDriver, driver: &FakeDriver, clock: &Clock) -> Fleet {
    let options = Options { segment_size: ByteSize::kib(256), ..Options::default() };
    let chance = Chance::system();
    let environment = Box::new(|_: &Instance| Vec::new());
    let given = (clock.clone(), chance);
    Fleet::open(journal.clone(), options, given, Box::new(driver.clone()), environment, 5).unwrap()
}

impl Bench {
    fn new() -> Self {
        let (journal, driver) = (MemoryDriver::new(), FakeDriver::default());
        let clock = Clock::manual(Timestamp::from_millis(1_000_000));
        let fleet = open(&journal, &driver, &clock);
        Self { journal, driver, clock, fleet, memory: Memory::default() }
    }

    /// The service dies, and another takes its place.
    fn restart(self) -> Self {
        let Self { journal, driver, clock, fleet, .. } = self;
        drop(fleet);
        journal.crash(&Keep::Synced);
        let fleet = open(&journal, &driver, &clock);
        Self { journal, driver, clock, fleet, memory: Memory::default() }
    }

    async fn launch(&self, count: usize) -> Vec<InstanceId> {
        let launch = Launch {
            recipe: Recipe::default(),
            template: None,
            least: count,
            most: count,
            token: None,
        };
        let launched = self.fleet.launch(&Owner::default(), launch).await.unwrap();
        launched.instances.iter().map(|instance| instance.id).collect()
    }

    /// The keeper looks until nothing is on its way.
    async fn settle(&mut self) {
        while self.fleet.0.pass(&mut self.memory).await {}
    }

    fn phase(&self, id: InstanceId) -> Option<(Phase, u32)> {
        self.fleet.look(|state| state.instance(id).map(|it| (it.phase, it.boot)))
    }
}

#[tokio::test]
async fn what_is_launched_runs_and_survives_the_service() {
    let mut bench = Bench::new();
    let ids = bench.launch(2).await;
    assert_eq!(bench.phase(ids[0]), Some((Phase::Pending, 1)));
    bench.settle().await;
    let mut bench = bench.restart();
    bench.settle().await;
    for id in ids {
        assert_eq!(bench.phase(id), Some((Phase::Running, 1)));
        assert_eq!(bench.driver.runs(id), Some(1));
    }
}

#[tokio::test]
async fn an_instance_whose_machine_went_down_starts_again_with_the_service() {
    let mut bench = Bench::new();
    let id = bench.launch(1).await[0];
    bench.settle().await;
    bench.driver.crash(id);
    let mut bench = bench.restart();
    bench.settle().await;
    bench.settle().await;
    assert_eq!(bench.phase(id), Some((Phase::Running, 2)));
    assert_eq!(bench.driver.runs(id), Some(2));
}

#[tokio::test]
async fn a_terminated_instance_is_forgotten_after_an_hour() {
    let mut bench = Bench::new();
    let id = bench.launch(1).await[0];
    bench.settle().await;
    bench.fleet.terminate(&Owner::default(), &[id], false).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.phase(id), Some((Phase::Terminated, 1)));
    bench.clock.advance(Duration::from_mins(59));
    bench.settle().await;
    assert!(bench.phase(id).is_some());
    bench.clock.advance(Duration::from_mins(1));
    bench.settle().await;
    assert_eq!(bench.phase(id), None);
    assert_eq!(bench.driver.all().unwrap(), []);
}

#[tokio::test]
async fn an_instance_that_cannot_be_started_ends_and_says_why() {
    let mut bench = Bench::new();
    bench.driver.break_down(|| std::io::Error::other("no room"));
    let id = bench.launch(1).await[0];
    bench.settle().await;
    assert_eq!(bench.phase(id), Some((Phase::Terminated, 1)));
    let reason = bench.fleet.look(|state| state.instance(id).unwrap().reason.clone());
    assert!(matches!(reason, Some(Reason::Failed(why)) if why.contains("no room")));
}

#[tokio::test]
async fn an_instance_that_cannot_be_started_for_want_of_files_waits_for_some() {
    let mut bench = Bench::new();
    for number in [24, 23, 28, 11] {
        bench.driver.break_down(move || std::io::Error::from_raw_os_error(number));
        let id = bench.launch(1).await[0];
        assert!(bench.fleet.0.pass(&mut bench.memory).await);
        assert_eq!(bench.phase(id), Some((Phase::Pending, 1)), "error {number}");
        bench.driver.repair();
        // It does not try again at once.
        bench.memory = Memory::default();
        bench.settle().await;
        assert_eq!(bench.phase(id), Some((Phase::Running, 1)));
    }
}

#[tokio::test]
async fn an_instance_has_ended_when_nothing_is_left_of_what_its_shim_ran() {
    let mut bench = Bench::new();
    let ids = bench.launch(3).await;
    bench.settle().await;
    bench.fleet.terminate(&Owner::default(), &ids[..1], false).await.unwrap();
    bench.fleet.stop(&Owner::default(), &ids[1..2], false).await.unwrap();
    for (id, passing) in [(ids[0], Phase::ShuttingDown), (ids[1], Phase::Stopping)] {
        bench.driver.orphan(id, 3);
        assert_eq!(bench.phase(id), Some((passing, 1)));
    }
    for _ in 0..2 {
        bench.fleet.0.pass(&mut bench.memory).await;
        assert_eq!(bench.phase(ids[0]), Some((Phase::ShuttingDown, 1)));
        assert_eq!(bench.phase(ids[1]), Some((Phase::Stopping, 1)));
    }
    bench.settle().await;
    assert_eq!(bench.phase(ids[0]), Some((Phase::Terminated, 1)));
    assert_eq!(bench.phase(ids[1]), Some((Phase::Stopped, 1)));
    assert_eq!((bench.driver.left(ids[0]), bench.driver.left(ids[1])), (0, 0));
    // Those that nobody knows any more are removed as late; the driver looks that it is so.
    bench.driver.orphan(ids[2], 3);
    bench.fleet.clear().await.unwrap();
    while !bench.driver.all().unwrap().is_empty() {
        bench.fleet.0.pass(&mut bench.memory).await;
    }
}

#[tokio::test]
async fn what_runs_and_nobody_knows_is_ended() {
    let mut bench = Bench::new();
    let ids = bench.launch(3).await;
    bench.settle().await;
    bench.fleet.clear().await.unwrap();
    // Ended first, and then removed.
    bench.settle().await;
    bench.settle().await;
    assert_eq!(bench.phase(ids[0]), None);
    assert_eq!(bench.driver.all().unwrap(), []);
}

#[tokio::test]
async fn what_is_forgotten_is_gone_once_it_was_waited_for() {
    let mut bench = Bench::new();
    bench.launch(3).await;
    bench.settle().await;
    let fleet = bench.fleet.clone();
    let keeper = tokio::spawn(async move { fleet.run().await });
    // While nobody can look, something may be left.
    bench.driver.hide(5);
    bench.fleet.clear().await.unwrap();
    bench.fleet.until_swept().await;
    assert_eq!(bench.driver.all().unwrap(), []);
    keeper.abort();
}

#[tokio::test]
async fn what_is_being_started_when_all_is_to_end_ends_too() {
    let mut bench = Bench::new();
    let id = bench.launch(1).await[0];
    let (over, ended) = std::sync::mpsc::channel::<()>();
    let (fleet, runtime) = (bench.fleet.clone(), tokio::runtime::Handle::current());
    bench.driver.meanwhile(move || {
        runtime.spawn(async move {
            fleet.stop_all().await;
            drop(over);
        });
        // It waits for this one, however long it takes.
        let early = ended.recv_timeout(Duration::from_millis(200));
        assert_eq!(early, Err(std::sync::mpsc::RecvTimeoutError::Timeout));
    });
    bench.fleet.0.pass(&mut bench.memory).await;
    bench.fleet.stop_all().await;
    assert_eq!(bench.driver.runs(id), None);
}

#[tokio::test]
async fn an_end_waits_while_nobody_can_tell_what_runs() {
    let mut bench = Bench::new();
    let id = bench.launch(1).await[0];
    bench.settle().await;
    bench.driver.hide(2);
    bench.fleet.stop_all().await;
    assert_eq!(bench.driver.runs(id), None);
}

#[tokio::test]
#[should_panic(expected = "what is wrong here")]
async fn a_panic_of_what_blocks_goes_on_in_whoever_waits() {
    blocking(|| panic!("what is wrong here")).await.unwrap_or(());
}

#[tokio::test]
async fn terminated_instances_do_not_count_and_others_do() {
    let mut bench = Bench::new();
    let ids = bench.launch(5).await;
    bench.settle().await;
    let launch =
        Launch { recipe: Recipe::default(), template: None, least: 1, most: 1, token: None };
    let refused = bench.fleet.launch(&Owner::default(), launch.clone()).await;
    assert!(matches!(refused, Err(FleetError::Refused(Refusal::TooMany(5)))));
    bench.fleet.terminate(&Owner::default(), &ids[..1], false).await.unwrap();
    bench.settle().await;
    bench.fleet.launch(&Owner::default(), launch).await.unwrap();
}

#[tokio::test]
async fn instances_of_a_launch_need_not_fit_into_one_segment() {
    let bench = Bench::new();
    let recipe = Recipe { user_data: Some(vec![b'#'; 64 << 10]), ..Recipe::default() };
    let launch = Launch { recipe, template: None, least: 5, most: 5, token: None };
    let launched = bench.fleet.launch(&Owner::default(), launch).await.unwrap();
    let before = bench.fleet.look(State::clone);
    let bench = bench.restart();
    assert_eq!(bench.fleet.look(State::clone), before);
    assert_eq!(before.instances().count(), launched.instances.len());
}

#[tokio::test]
async fn an_owner_has_so_many_templates_and_a_template_so_many_versions() {
    let bench = Bench::new();
    let (fleet, owner) = (&bench.fleet, Owner::default());
    let template = |name: &str| NewTemplate {
        name: name.to_owned(),
        description: None,
        recipe: Recipe::default(),
        tags: Tags::new(),
        token: None,
    };
    let id = fleet.create_template(&owner, template("first")).await.unwrap();
    let made = fleet.look(|state| state.template(id).unwrap().clone());
    let more = |number: u64| {
        Event::TemplateMade(Template {
            id: TemplateId::from_u64(number),
            name: format!("{number}"),
            ..made.clone()
        })
    };
    fleet.0.commit(|_| Ok((1..5000).map(more).collect())).await.unwrap();
    let refused = fleet.create_template(&owner, template("last")).await;
    assert!(matches!(refused, Err(FleetError::Refused(Refusal::TooManyTemplates(5000)))));
    let version = |number| {
        let version = Version { number, ..made.versions[&1].clone() };
        Event::VersionMade(VersionMade { template: id, version })
    };
    fleet.0.commit(|_| Ok((2..=10_000).map(version).collect())).await.unwrap();
    let new = NewVersion {
        template: id,
        source: None,
        description: None,
        recipe: Recipe::default(),
        token: None,
    };
    let refused = fleet.create_version(&owner, new.clone()).await;
    assert!(matches!(refused, Err(FleetError::Refused(Refusal::TooManyVersions(10_000)))));
    // Room is made by letting go of some.
    fleet.delete_versions(&owner, id, &[7]).await.unwrap();
    assert_eq!(fleet.create_version(&owner, new).await.unwrap(), 10_001);
    fleet.delete_template(&owner, TemplateId::from_u64(7)).await.unwrap();
    fleet.create_template(&owner, template("last")).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_holds_what_the_records_before_it_said() {
    let mut bench = Bench::new();
    let id = bench.launch(1).await[0];
    bench.settle().await;
    bench.fleet.checkpoint().unwrap();
    bench.fleet.stop(&Owner::default(), &[id], false).await.unwrap();
    bench.settle().await;
    let before = bench.fleet.look(State::clone);
    let bench = bench.restart();
    assert_eq!(bench.fleet.look(State::clone), before);
}
