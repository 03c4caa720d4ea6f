//! The state against a naive one that keeps every value it was ever given.

use super::*;
use crate::key::Dimension;
use crate::point::Measurement;
use tidemill_base::Chance;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn key(name: &str, dimension: Option<&str>) -> MetricKey {
    let dimensions = dimension.into_iter().map(|value| Dimension::new("d", value)).collect();
    MetricKey::new(AccountId::DEFAULT, Region::default(), "n", name, dimensions)
}

fn point(key: &MetricKey, at: Timestamp, value: f64) -> Point {
    Point {
        name: (*key.name).into(),
        dimensions: key.dimensions().to_vec(),
        unit: Unit::NONE,
        at,
        resolution: Resolution::Minute,
        measured: Measurement::Value(value),
    }
}

fn store(state: &mut State, now: Timestamp, points: Vec<Point>) {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    state.happened(Event::Stored(Batch { account, region, namespace: "n".into(), now, points }));
}

fn days(days: u64) -> Duration {
    Duration::from_hours(days * 24)
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn what_grows_older_grows_coarser_whether_it_was_moved_or_not() {
    let mut state = State::default();
    let it = key("m", None);
    // The beginning of an hour.
    let at = Timestamp::from_millis(1_700_002_800_000);
    let fine = Point { resolution: Resolution::Second, ..point(&it, at, 1.0) };
    store(&mut state, at, vec![fine, point(&it, at + MINUTE, 2.0)]);
    let mut moved = state.clone();
    let visible = |state: &State, period: u64, now: Timestamp| -> Vec<f64> {
        let range = (at, at + days(1));
        let found = state.measured(&it, None, range, Duration::from_secs(period), now);
        found.iter().map(|bucket| bucket.summary.sum).collect()
    };
    let cases: [(u64, u64, &[f64]); 9] = [
        (0, 1, &[1.0, 2.0]),
        (0, 60, &[1.0, 2.0]),
        (3 * 3600 + 61, 1, &[]),
        (3 * 3600 + 61, 60, &[1.0, 2.0]),
        (15 * 86_400 + 300, 60, &[]),
        (15 * 86_400 + 300, 300, &[3.0]),
        (63 * 86_400 + 3600, 300, &[]),
        (63 * 86_400 + 3600, 3600, &[3.0]),
        (455 * 86_400 + 3600, 3600, &[]),
    ];
    for (age, period, expected) in cases {
        let now = at + Duration::from_secs(age);
        moved.happened(Event::Aged { now, retention: Retention::default() });
        assert_eq!(visible(&state, period, now), expected, "untouched, {age} s, {period} s");
        assert_eq!(visible(&moved, period, now), expected, "moved, {age} s, {period} s");
    }
    assert!(moved.is_empty());
}

#[test]
fn periods_are_counted_from_where_the_range_begins() {
    let mut state = State::default();
    let it = key("m", None);
    let from = Timestamp::from_millis(1_700_002_800_000) + 2 * MINUTE;
    let points = (0..10).map(|minute| point(&it, from + minute * MINUTE, 1.0)).collect();
    store(&mut state, from, points);
    let range = (from, from + 7 * MINUTE);
    let found = state.measured(&it, None, range, 5 * MINUTE, from);
    let found: Vec<_> = found.iter().map(|one| (one.start, one.summary.samples)).collect();
    assert_eq!(found, [(from, 5.0), (from + 5 * MINUTE, 2.0)]);
}

#[test]
fn units_are_kept_apart() {
    let mut state = State::default();
    let it = key("m", None);
    let seconds = Point { unit: Unit::SECONDS, ..point(&it, START, 2.0) };
    store(&mut state, START, vec![point(&it, START, 1.0), seconds]);
    let range = (START - MINUTE, START + MINUTE);
    let sums = |unit| -> Vec<(Unit, f64)> {
        let found = state.measured(&it, unit, range, MINUTE, START);
        found.iter().map(|one| (one.unit, one.summary.sum)).collect()
    };
    assert_eq!(sums(None), [(Unit::NONE, 1.0), (Unit::SECONDS, 2.0)]);
    assert_eq!(sums(Some(Unit::SECONDS)), [(Unit::SECONDS, 2.0)]);
    assert_eq!(sums(Some(Unit::COUNT)), []);
}

#[test]
fn metrics_are_listed_by_their_names_a_page_at_a_time() {
    let mut state = State::default();
    let keys = [key("a", None), key("a", Some("1")), key("a", Some("2")), key("b", None)];
    for (hour, it) in (0..).zip(&keys) {
        store(&mut state, START, vec![point(it, START + hour * 60 * MINUTE, 1.0)]);
    }
    let list = |after, since, limit| {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        state.list(&Listing { account, region, after, since, limit }, |_| true)
    };
    let all: Vec<&MetricKey> = keys.iter().collect();
    assert_eq!(list(None, START, 10), all);
    assert_eq!(list(None, START, 2), all[..2]);
    assert_eq!(list(Some(&keys[1]), START, 10), all[2..]);
    assert_eq!(list(None, START + 90 * MINUTE, 10), all[2..]);
    let elsewhere = Listing {
        account: AccountId::from_u64(1).unwrap(),
        region: Region::default(),
        after: None,
        since: START,
        limit: 9,
    };
    assert!(state.list(&elsewhere, |_| true).is_empty());
}

#[test]
fn an_end_far_ahead_hides_no_seconds() {
    let mut state = State::default();
    let it = key("m", None);
    store(
        &mut state,
        START,
        vec![Point { resolution: Resolution::Second, ..point(&it, START, 1.0) }],
    );
    for years in [0, 90, 130, 500] {
        let range = (START, START + days(years * 365 + 1));
        let found = state.measured(&it, None, range, Duration::from_secs(1), START);
        assert_eq!(found.len(), 1, "{years}");
    }
}

#[test]
fn a_value_that_is_too_old_to_be_kept_makes_no_metric() {
    let mut state = State::default();
    let retention = Retention::halved(10).unwrap();
    state.happened(Event::Aged { now: START, retention });
    store(&mut state, START, vec![point(&key("m", None), START - days(14), 1.0)]);
    assert!(state.is_empty());
    assert_eq!(state.weight(), ByteSize::bytes(0));
}

#[test]
fn what_things_would_weigh_if_kept_for_less_is_what_they_weigh_then() {
    let chance = Chance::seeded(3);
    let mut state = State::default();
    for number in 0..2_000 {
        let it = key(["a", "b", "c"][number % 3], None);
        let at = START - Duration::from_mins(chance.number() % (14 * 1440));
        store(&mut state, START, vec![point(&it, at, f64::from(u32::try_from(number).unwrap()))]);
    }
    for shorter in Retention::default().shorter() {
        let mut aged = state.clone();
        aged.happened(Event::Aged { now: START, retention: shorter });
        assert_eq!(state.weight_after(shorter, START), aged.weight(), "{shorter:?}");
    }
}

/// Every value, as it came.
#[derive(Default)]
struct Naive(Vec<(MetricKey, Timestamp, Resolution, f64)>);

impl Naive {
    fn sums(
        &self,
        key: &MetricKey,
        (from, until): (Timestamp, Timestamp),
        period: u64,
        now: Timestamp,
    ) -> BTreeMap<Timestamp, (f64, f64)> {
        let mut sums = BTreeMap::new();
        for (_, at, resolution, value) in self.0.iter().filter(|(one, ..)| one == key) {
            let mut width = if *resolution == Resolution::Second { 1 } else { 60 };
            for (next, kept) in [(60, 3 * 3600), (300, 15 * 86_400), (3600, 63 * 86_400)] {
                let floor = |secs: u64| secs / width * width;
                if width < next && floor(at.as_secs()) < floor(now.as_secs() - kept) {
                    width = next;
                }
            }
            let start = Timestamp::from_millis(at.as_secs() / width * width * 1000);
            let young = start.as_secs() >= now.as_secs() - 3 * 3600;
            let fine = period.is_multiple_of(width) || (period < 60 && width == 60 && young);
            if fine && from <= start && start < until {
                let index = start.since(from).as_secs() / period;
                let slot = from + Duration::from_secs(index * period);
                let (count, sum) = sums.entry(slot).or_insert((0.0, 0.0));
                *count += 1.0;
                *sum += value;
            }
        }
        sums
    }
}

#[test]
fn whatever_is_stored_at_whatever_age_the_naive_state_says_the_same() {
    for seed in 0..20 {
        let chance = Chance::seeded(seed);
        let pick = |below: u64| chance.number() % below;
        let (mut state, mut naive, mut now) = (State::default(), Naive::default(), START);
        let keys = [key("a", None), key("a", Some("x")), key("b", None)];
        for _ in 0..400 {
            let it = &keys[usize::try_from(pick(3)).unwrap()];
            match pick(8) {
                0 => now = now + Duration::from_secs(pick(3 * 86_400)),
                1 => state.happened(Event::Aged { now, retention: Retention::default() }),
                2 => {
                    let bytes = state.encode();
                    assert_eq!(State::decode(&bytes).as_ref(), Ok(&state), "seed {seed}");
                }
                _ => {
                    let at = now - Duration::from_secs(pick(14 * 86_400) / (1 + pick(1000)));
                    let fine = pick(2) == 0;
                    let resolution = if fine { Resolution::Second } else { Resolution::Minute };
                    let value = f64::from(u32::try_from(pick(3)).unwrap());
                    store(&mut state, now, vec![Point { resolution, ..point(it, at, value) }]);
                    naive.0.push((it.clone(), at, resolution, value));
                }
            }
            let period = [1, 60, 300, 3600][usize::try_from(pick(4)).unwrap()];
            let from = now.as_secs() - pick(80 * 86_400);
            let from = Timestamp::from_millis(from / 3600 * 3600 * 1000);
            let range = (from, from + Duration::from_secs(pick(90 * 86_400)));
            let found = state.measured(it, None, range, Duration::from_secs(period), now);
            let found: BTreeMap<_, _> = found
                .iter()
                .map(|one| (one.start, (one.summary.samples, one.summary.sum)))
                .collect();
            assert_eq!(found, naive.sums(it, range, period, now), "seed {seed}");
        }
        let weight = state.weight();
        state.weigh();
        assert_eq!(state.weight(), weight, "seed {seed}");
    }
}

#[test]
fn a_snapshot_that_is_cut_is_malformed() {
    let mut state = State::default();
    store(&mut state, START, vec![point(&key("m", Some("x")), START, 1.5)]);
    let bytes = state.encode();
    for length in 0..bytes.len() {
        assert!(State::decode(&bytes[..length]).is_err(), "{length}");
    }
    assert_eq!(State::decode(&[2]), Err(Malformed("its version is unknown")));
}
