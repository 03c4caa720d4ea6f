//! The fleet over a driver that does at once what it is told, and a clock that the test moves.

use std::time::Duration;

use tidemill_base::{ByteSize, Timestamp};
use tidemill_journal::{Keep, MemoryDriver};

use super::*;
use crate::fake::FakeDriver;
use crate::instance::{Phase, Reason};
use crate::keeper::Memory;
use crate::recipe::Recipe;

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
    assert_eq!(bench.driver.all(), []);
}

#[tokio::test]
async fn an_instance_that_cannot_be_started_ends_and_says_why() {
    let mut bench = Bench::new();
    bench.driver.break_down("no room");
    let id = bench.launch(1).await[0];
    bench.settle().await;
    assert_eq!(bench.phase(id), Some((Phase::Terminated, 1)));
    let reason = bench.fleet.look(|state| state.instance(id).unwrap().reason.clone());
    assert!(matches!(reason, Some(Reason::Failed(why)) if why.contains("no room")));
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
    assert_eq!(bench.driver.all(), []);
}

#[tokio::test]
async fn what_is_forgotten_is_gone_once_it_was_waited_for() {
    let mut bench = Bench::new();
    bench.launch(3).await;
    bench.settle().await;
    let fleet = bench.fleet.clone();
    let keeper = tokio::spawn(async move { fleet.run().await });
    bench.fleet.clear().await.unwrap();
    bench.fleet.until_swept().await;
    assert_eq!(bench.driver.all(), []);
    keeper.abort();
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
