//! Alarms that watch alarms, where a client of the real door cannot reach: a caller that hangs up
//! while the disk is at it, what a crash leaves half done, and limits that take hundreds of alarms.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::time::Duration;

use tidemill_api::cloudwatch::{
    PutCompositeAlarmInput, PutMetricAlarmInput, Request, SetAlarmStateInput, StateValue,
};
use tidemill_base::{AccountId, ByteSize, Chance, Clock, Region, Timestamp};
use tidemill_journal::{Fault, Faults, FaultyDriver, MemoryDriver, Operation, Options};
use tidemill_metric::{
    Alarm, AlarmKey, AlarmSettings, Happening, Metrics, Reason, Standing, Tags, Watched,
};
use tidemill_queue::{Config, Engine};
use tidemill_services::{BaseUrl, CloudWatch, Context, Principal};
use tidemill_wire::Protocol;

/// The beginning of an hour.
const START: Timestamp = Timestamp::from_millis(1_700_002_800_000);
const MINUTE: Duration = Duration::from_mins(1);

struct World {
    clock: Clock,
    /// Of the disk on which alarms are.
    faults: Faults,
    metrics: Metrics,
    cloudwatch: CloudWatch,
}

fn world() -> World {
    let (clock, faults) = (Clock::manual(START), Faults::none());
    let config = Config { clock: clock.clone(), chance: Chance::seeded(1), ..Config::default() };
    let queues = Engine::open(MemoryDriver::new(), config).unwrap();
    let driver = FaultyDriver::new(MemoryDriver::new(), &faults);
    let limit = ByteSize::mib(16);
    let metrics = Metrics::open(driver, Options::default(), clock.clone(), limit).unwrap();
    let cloudwatch = CloudWatch::new(metrics.clone(), queues);
    World { clock, faults, metrics, cloudwatch }
}

fn key(name: &str) -> AlarmKey {
    AlarmKey { account: AccountId::DEFAULT, region: Region::default(), name: name.into() }
}

impl World {
    /// Asks for something; gives why it is refused, if it is.
    async fn ask(&self, request: Request) -> Result<(), String> {
        let cx = Context {
            principal: Principal::Root(AccountId::DEFAULT),
            region: Region::default(),
            base_url: BaseUrl { scheme: "http", host: "localhost" },
            protocol: Protocol::AwsJson10,
            trace_header: None,
        };
        let answer = self.cloudwatch.handle(&cx, request).await;
        answer.map(drop).map_err(|fault| fault.message.into_owned())
    }

    async fn put_metric_alarm(&self, name: &str) {
        let asked = PutMetricAlarmInput {
            alarm_name: name.into(),
            namespace: Some("Test".into()),
            metric_name: Some("m".into()),
            statistic: Some("Sum".into()),
            period: Some(3600),
            evaluation_periods: Some(1),
            threshold: Some(1.0),
            comparison_operator: Some("GreaterThanThreshold".into()),
            treat_missing_data: Some("ignore".into()),
            ..PutMetricAlarmInput::default()
        };
        self.ask(Request::PutMetricAlarm(asked)).await.unwrap();
    }

    async fn put(&self, name: &str, rule: &str) -> Result<(), String> {
        let (alarm_name, alarm_rule) = (name.into(), rule.into());
        let asked =
            PutCompositeAlarmInput { alarm_name, alarm_rule, ..PutCompositeAlarmInput::default() };
        self.ask(Request::PutCompositeAlarm(asked)).await
    }

    /// Puts an alarm past the checks of what it may watch.
    async fn put_unchecked(&self, name: &str, rule: &str) {
        let settings = AlarmSettings {
            description: None,
            actions_enabled: true,
            actions: Default::default(),
            watched: Watched::Alarms(rule.into()),
        };
        self.metrics.put_alarm(key(name), settings, Tags::new()).await.unwrap();
    }

    async fn set(&self, name: &str, state_value: StateValue) -> Result<(), String> {
        let (alarm_name, state_reason) = (name.into(), "of a test".into());
        let asked =
            SetAlarmStateInput { alarm_name, state_value, state_reason, state_reason_data: None };
        self.ask(Request::SetAlarmState(asked)).await
    }

    fn look<T>(&self, name: &str, look: impl FnOnce(&Alarm) -> T) -> Option<T> {
        self.metrics.look(|state| state.alarms().find(&key(name)).map(look))
    }

    fn standing(&self, name: &str) -> Option<Standing> {
        self.look(name, |alarm| alarm.reason.standing)
    }

    /// How often an alarm turned.
    fn turns(&self, name: &str) -> usize {
        self.metrics.look(|state| {
            let items = state.alarms().history().filter(|item| *item.key.name == *name);
            items.filter(|item| matches!(item.what, Happening::Turned { .. })).count()
        })
    }
}

#[tokio::test]
async fn what_a_service_left_half_done_that_ended_is_done_the_next_minute() {
    let world = world();
    world.put_metric_alarm("child").await;
    world.put("top", "ALARM(middle)").await.unwrap_err();
    world.put("middle", "ALARM(child)").await.unwrap();
    world.put("top", "ALARM(middle)").await.unwrap();
    world.clock.advance(MINUTE / 2);
    // The child turns, and then there is nobody who looks at who watches it.
    let reason = Reason { standing: Standing::Alarming, text: "x".into(), data: None };
    world.metrics.judge(vec![(key("child"), reason)], world.clock.now()).await.unwrap();
    assert_eq!(world.standing("top"), Some(Standing::Fine));
    world.clock.advance(MINUTE / 2);
    world.cloudwatch.watch(START + MINUTE).await;
    assert_eq!(world.standing("middle"), Some(Standing::Alarming));
    assert_eq!(world.standing("top"), Some(Standing::Alarming));
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_no_room_for_a_circle() {
    let world = world();
    for name in ["a", "b"] {
        world.put(name, "FALSE").await.unwrap();
    }
    world.faults.plan(Operation::Sync, 0, Fault::Stall);
    let faults = world.faults.clone();
    tokio::select! {
        biased;
        _ = world.put("b", "NOT ALARM(a)") => unreachable!("the disk is at it"),
        stalled = tokio::task::spawn_blocking(move || faults.wait_stalled()) => stalled.unwrap(),
    }
    // Nobody waits for that answer any more, and the disk has not taken it in yet.
    let go_on = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        world.faults.resume();
    };
    let (refused, ()) = tokio::join!(world.put("a", "ALARM(b)"), go_on);
    assert!(refused.unwrap_err().contains("depend on itself"));
    // What was begun was done to its end.
    assert_eq!(world.look("b", |alarm| alarm.reason.standing), Some(Standing::Alarming));
}

#[tokio::test]
async fn one_is_looked_at_once_behind_those_that_it_watches() {
    let world = world();
    world.put_metric_alarm("child").await;
    world.put("middle", "ALARM(child)").await.unwrap();
    world.put("top", "ALARM(child) AND NOT ALARM(middle)").await.unwrap();
    let before = world.turns("top");
    world.set("child", StateValue::Alarm).await.unwrap();
    assert_eq!(world.standing("middle"), Some(Standing::Alarming));
    assert_eq!((world.standing("top"), world.turns("top")), (Some(Standing::Fine), before));
}

#[tokio::test]
async fn what_watches_itself_stays_as_it_is_and_nothing_waits_for_it() {
    let world = world();
    world.put_metric_alarm("child").await;
    world.put_unchecked("a", "ALARM(b) OR ALARM(child)").await;
    world.put_unchecked("b", "NOT ALARM(a)").await;
    world.put("c", "ALARM(child)").await.unwrap();
    let set = world.set("child", StateValue::Alarm);
    tokio::time::timeout(MINUTE, set).await.unwrap().unwrap();
    let standings = ["a", "b", "c"].map(|name| world.standing(name).unwrap());
    assert_eq!(standings, [Standing::Unknown, Standing::Unknown, Standing::Alarming]);
}

#[tokio::test]
async fn a_hundred_and_fifty_may_watch_one_and_no_more() {
    let world = world();
    world.put_metric_alarm("child").await;
    for number in 0..150 {
        world.put(&format!("parent-{number}"), "OK(child)").await.unwrap();
    }
    let told = world.put("one-more", "ALARM(child)").await.unwrap_err();
    assert!(told.contains("named by 150 composite alarms already"), "{told}");
    // Those that do may do so otherwise.
    world.put("parent-0", "ALARM(child)").await.unwrap();
}

#[tokio::test]
async fn a_program_is_told_of_as_many_children_as_there_is_room_for() {
    let world = world();
    let names: Vec<String> = (0..30).map(|number| format!("{number:\"<255}")).collect();
    for name in &names {
        world.put_metric_alarm(name).await;
    }
    let plain: Vec<String> = names.iter().map(|name| format!("OK({name})")).collect();
    world.put("top", &plain.join(" OR ")).await.unwrap();
    let data = world.look("top", |alarm| alarm.reason.data.clone().unwrap()).unwrap();
    let read: serde_json::Value = serde_json::from_str(&data).unwrap();
    let count = read["triggeringAlarms"].as_array().unwrap().len();
    assert!(data.len() <= 4000 && (4..30).contains(&count), "{} {count}", data.len());
}
