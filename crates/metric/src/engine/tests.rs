//! The metrics over a journal: what is durable, what a checkpoint keeps, how much there may be.

use std::collections::BTreeSet;

use tidemill_journal::{Fault, Faults, FaultyDriver, Keep, MemoryDriver, Operation};

use super::*;
use crate::alarm::{HistoryItem, Standing, Watched};
use crate::check::{Check, Comparison, Measure, Source};
use crate::key::{Dimension, MetricKey};
use crate::point::{Measurement, Resolution};
use crate::unit::Unit;

const LIMIT: ByteSize = ByteSize::kib(64);

fn options() -> Options {
    Options { segment_size: ByteSize::kib(64), ..Options::default() }
}

fn open(driver: &MemoryDriver, clock: &Clock) -> Metrics {
    Metrics::open(driver.clone(), options(), clock.clone(), LIMIT).unwrap()
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(1_700_000_000_000))
}

async fn store(metrics: &Metrics, name: &str, values: &[f64]) -> Result<(), Error> {
    let at = metrics.0.clock.now();
    let point = |value: &f64| Point {
        name: name.into(),
        dimensions: vec![Dimension::new("Queue", "orders")],
        unit: Unit::COUNT,
        at,
        resolution: Resolution::Minute,
        measured: Measurement::Value(*value),
    };
    let points = values.iter().map(point).collect();
    metrics.store(AccountId::DEFAULT, Region::default(), "Test", points).await
}

fn sum(metrics: &Metrics, name: &str) -> f64 {
    let dimensions = vec![Dimension::new("Queue", "orders")];
    let key = MetricKey::new(AccountId::DEFAULT, Region::default(), "Test", name, dimensions);
    let now = metrics.0.clock.now();
    let range = (now - Duration::from_hours(24), now + Duration::from_secs(1));
    let hour = Duration::from_hours(1);
    let found = metrics.look(|state| state.measured(&key, None, range, hour, now));
    found.iter().map(|bucket| bucket.summary.sum).sum()
}

#[tokio::test]
async fn values_are_seen_once_they_are_stored_and_survive_the_machine() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    store(&metrics, "m", &[1.0, 2.0]).await.unwrap();
    assert_eq!(sum(&metrics, "m"), 3.0);
    drop(metrics);
    driver.crash(&Keep::Synced);
    let metrics = open(&driver, &clock);
    assert_eq!(sum(&metrics, "m"), 3.0);
    assert_eq!(metrics.stored().metrics, 1);
}

#[tokio::test]
async fn a_checkpoint_holds_the_state_and_lets_the_log_before_it_go() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    for _ in 0..20 {
        store(&metrics, "m", &[1.0; 100]).await.unwrap();
    }
    assert!(metrics.0.journal.segments().len() > 1);
    metrics.checkpoint().unwrap();
    assert_eq!(metrics.0.journal.segments().len(), 1);
    store(&metrics, "m", &[1.0]).await.unwrap();
    let state = metrics.look(State::clone);
    metrics.close().unwrap();
    drop(metrics);
    let metrics = open(&driver, &clock);
    assert_eq!(sum(&metrics, "m"), 2001.0);
    assert_eq!(metrics.look(State::clone), state);
}

#[tokio::test]
async fn memory_stays_within_its_bound_and_what_is_young_is_kept() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    for minute in 0..6_000 {
        store(&metrics, "m", &[f64::from(minute)]).await.unwrap();
        clock.advance(Duration::from_mins(1));
        metrics.tidy().unwrap();
    }
    let stored = metrics.stored();
    assert!(stored.weight.as_u64() <= LIMIT.as_u64() + 1024, "{stored:?}");
    assert!(stored.retention.halvings() > 0, "{stored:?}");
    // Coarser, and all of it there.
    let last_day: f64 = (6_000 - 1_440..6_000).map(f64::from).sum();
    assert!((sum(&metrics, "m") / last_day - 1.0).abs() < 0.05);
    // Of too many metrics none is old enough to go.
    let mut refused = None;
    for number in 0..10_000 {
        if let Err(error) = store(&metrics, &format!("m{number}"), &[1.0]).await {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(Error::Full)));
    // Time makes room.
    clock.advance(Duration::from_hours(455 * 24));
    metrics.tidy().unwrap();
    assert_eq!(metrics.stored().metrics, 0);
    store(&metrics, "m", &[1.0]).await.unwrap();
}

#[tokio::test]
async fn what_is_young_is_not_kept_for_less_where_that_makes_no_room() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    let mut number = 0;
    while store(&metrics, &format!("m{number}"), &[1.0]).await.is_ok() {
        number += 1;
    }
    let stored = metrics.stored();
    assert!(stored.weight > LIMIT, "{stored:?}");
    assert_eq!(stored.retention, Retention::default());
    // It is not looked for again at once, and then in vain.
    for minutes in [0, 2, 20] {
        clock.advance(Duration::from_mins(minutes));
        metrics.tidy().unwrap();
        assert!(matches!(store(&metrics, "m", &[1.0]).await, Err(Error::Full)));
    }
    assert_eq!(metrics.stored().retention, Retention::default());
}

#[tokio::test]
async fn of_many_that_find_no_room_at_once_one_makes_it() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    let mut minute = 0;
    while metrics.stored().weight <= LIMIT {
        store(&metrics, "m", &[f64::from(minute)]).await.unwrap();
        clock.advance(Duration::from_mins(1));
        minute += 1;
    }
    let (inner, now) = (&metrics.0, clock.now());
    let mut shown = inner.shown();
    let retention = inner.make_room(&mut shown, now).unwrap().expect("what is old can go");
    inner.append(&mut shown, Event::Aged { now, retention }).unwrap();
    assert_eq!(inner.make_room(&mut shown, now).unwrap(), None);
}

#[tokio::test]
async fn what_grows_older_is_moved_by_a_clock_that_was_set_back() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    clock.advance(Duration::from_hours(100));
    let metrics = open(&driver, &clock);
    let aged = || metrics.0.checkpoint.lock().unwrap().aged;
    // The clock cannot be set back: it is as if it had been ahead when things were aged.
    metrics.0.checkpoint.lock().unwrap().aged = clock.now() + Duration::from_hours(50);
    metrics.tidy().unwrap();
    assert_eq!(aged(), clock.now());
    clock.advance(AGING);
    metrics.tidy().unwrap();
    assert_eq!(aged(), clock.now());
}

#[tokio::test]
async fn what_is_cleared_is_gone_after_a_restart_too() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    store(&metrics, "m", &[1.0]).await.unwrap();
    metrics.clear().await.unwrap();
    assert_eq!(metrics.stored().metrics, 0);
    metrics.close().unwrap();
    drop(metrics);
    assert_eq!(open(&driver, &clock).stored().metrics, 0);
}

fn alarm_settings() -> AlarmSettings {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    let source = Source::Metric(Measure {
        metric: MetricKey::new(account, region, "Test", "m", Vec::new()),
        statistic: "Sum".into(),
        unit: None,
        period: Duration::from_mins(1),
    });
    let check = Check::new(source, 1, Comparison::Above, 1.0);
    AlarmSettings {
        description: None,
        actions_enabled: true,
        actions: [Vec::new(), vec!["call".into()], Vec::new()],
        watched: Watched::Values(check),
    }
}

fn alarm_key() -> AlarmKey {
    AlarmKey { account: AccountId::DEFAULT, region: Region::default(), name: "a".into() }
}

/// How the alarm stands, and how many actions are due.
fn standing(metrics: &Metrics) -> (Standing, usize) {
    metrics.look(|state| {
        let alarm = state.alarms().find(&alarm_key()).unwrap();
        (alarm.reason.standing, state.alarms().due().count())
    })
}

#[tokio::test]
async fn an_alarm_and_what_is_due_survive_the_machine_with_a_checkpoint_and_without() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let mut metrics = open(&driver, &clock);
    metrics.put_alarm(alarm_key(), alarm_settings(), Tags::new()).await.unwrap();
    let reason = Reason { standing: Standing::Alarming, text: "x".into(), data: None };
    metrics.judge(vec![(alarm_key(), reason)], clock.now()).await.unwrap();
    for checkpoint in [false, true, true] {
        if checkpoint {
            metrics.checkpoint().unwrap();
        }
        drop(metrics);
        driver.crash(&Keep::Synced);
        metrics = open(&driver, &clock);
        assert_eq!(standing(&metrics), (Standing::Alarming, 1));
    }
    let number = metrics.look(|state| state.alarms().due().next().unwrap().number);
    metrics.acted(vec![(number, None)], clock.now()).await.unwrap();
    drop(metrics);
    driver.crash(&Keep::Synced);
    assert_eq!(standing(&open(&driver, &clock)), (Standing::Alarming, 0));
}

#[tokio::test]
async fn an_alarm_that_is_put_as_it_stands_is_there_so_or_not_at_all() {
    let clock = clock();
    let mut found = BTreeSet::new();
    for written in (0..1024).step_by(8) {
        let (driver, faults) = (MemoryDriver::new(), Faults::none());
        let faulty = FaultyDriver::new(driver.clone(), &faults);
        let metrics = Metrics::open(faulty, options(), clock.clone(), LIMIT).unwrap();
        faults.plan(Operation::Append, 0, Fault::Torn(ByteSize::bytes(written)));
        let reason = Reason { standing: Standing::Alarming, text: "x".into(), data: None };
        let put = metrics.put_judged_alarm(alarm_key(), alarm_settings(), Tags::new(), reason);
        assert!(put.await.is_err());
        drop(metrics);
        driver.crash(&Keep::Written);
        let standing = |state: &State| Some(state.alarms().find(&alarm_key())?.reason.standing);
        found.insert(open(&driver, &clock).look(standing).map(|standing| standing as u8));
    }
    assert_eq!(found, BTreeSet::from([None, Some(Standing::Alarming as u8)]));
}

#[tokio::test]
async fn alarms_take_a_part_of_the_memory_and_one_that_goes_makes_room() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    let named = |number| AlarmKey { name: format!("a{number}").into(), ..alarm_key() };
    let put = async |number| {
        let description = Some("x".repeat(1024).into());
        let settings = AlarmSettings { description, ..alarm_settings() };
        metrics.put_alarm(named(number), settings, Tags::new()).await
    };
    let mut count = 0;
    while put(count).await.is_ok() {
        count += 1;
    }
    assert!(matches!(put(count).await, Err(Error::Full)));
    assert!((8..16).contains(&count), "a quarter of 64 KiB has room for {count}");
    let tags = Tags::from([("k".into(), "v".into())]);
    assert!(matches!(metrics.tag_alarm(named(0), tags).await, Err(Error::Full)));
    metrics.delete_alarms((0..count).map(named).collect()).await.unwrap();
    assert_eq!(metrics.look(|state| state.alarms().weight()), ByteSize::bytes(0));
    put(0).await.unwrap();
    // What they take is not there for metrics.
    assert!(metrics.stored().weight > metrics.look(State::weight));
}

#[test]
fn history_takes_no_more_memory_than_it_may() {
    let mut alarms = Alarms::default();
    let now = Timestamp::from_millis(1_700_000_000_000);
    let put = Change::Put(alarm_key(), Box::new(alarm_settings()), Tags::new());
    alarms.changed(put, now);
    let text: Box<str> = "x".repeat(1 << 20).into();
    for turn in 0..40 {
        let standing = if turn % 2 == 0 { Standing::Fine } else { Standing::Alarming };
        let reason = Reason { standing, text: text.clone(), data: None };
        alarms.changed(Change::Judged(alarm_key(), reason), now);
    }
    assert!(alarms.past() <= ByteSize::mib(16), "{:?}", alarms.past());
    assert_eq!(alarms.history().count(), 7);
    let items: usize = alarms.history().map(HistoryItem::weight).sum();
    assert_eq!(alarms.past(), ByteSize::bytes(items as u64));
}

#[tokio::test]
async fn history_grows_too_old_where_nothing_is_measured_too() {
    let (driver, clock) = (MemoryDriver::new(), clock());
    let metrics = open(&driver, &clock);
    metrics.put_alarm(alarm_key(), alarm_settings(), Tags::new()).await.unwrap();
    for (days, left) in [(13, 1), (2, 0)] {
        clock.advance(Duration::from_hours(days * 24));
        metrics.tidy().unwrap();
        assert_eq!(metrics.look(|state| state.alarms().history().count()), left);
    }
}
