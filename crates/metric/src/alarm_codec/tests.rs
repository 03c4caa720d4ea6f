//! Alarms read as they were written, in this version and the one before.

use super::*;
use crate::key::{Dimension, MetricKey};
use crate::unit::Unit;
use tidemill_base::{AccountId, Region, Timestamp};

fn changes() -> Vec<Change> {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    let dimensions = vec![Dimension::new("d", "v")];
    let measure = Measure {
        metric: MetricKey::new(account, region.clone(), "n", "m", dimensions),
        statistic: "p99".into(),
        unit: Some(Unit::SECONDS),
        period: Duration::from_secs(30),
    };
    let check = Check {
        source: Source::Metric(measure.clone()),
        periods: 3,
        breaching: Some(2),
        threshold: -1.5,
        comparison: Comparison::Below,
        missing: Some(Missing::NotBreaching),
        few_values_count: Some(false),
    };
    let query = |id: &str, label: Option<&str>, gives| Query {
        id: id.into(),
        label: label.map(Box::from),
        returned: label.is_some(),
        own_account: label.is_none(),
        gives,
    };
    let queries = vec![
        query("m1", None, Gives::Measure(measure)),
        query("e1", Some("half"), Gives::Expression { text: "m1 / 2".into(), period: None }),
    ];
    let of_queries = Check { source: Source::Queries(queries), ..check.clone() };
    let settings = |watched| AlarmSettings {
        description: Some("of a test".into()),
        actions_enabled: true,
        actions: [vec!["fine".into()], vec!["one".into(), "two".into()], Vec::new()],
        watched,
    };
    let tags = |names: &[&str]| names.iter().map(|&name| (name.into(), "v".into())).collect();
    let key = |name: &str| AlarmKey { account, region: region.clone(), name: name.into() };
    let reason = |standing, data: Option<&str>| Reason {
        standing,
        text: "why".into(),
        data: data.map(Box::from),
    };
    vec![
        Change::Put(key("a"), Box::new(settings(Watched::Values(check))), tags(&["one", "two"])),
        Change::Tagged(key("a"), tags(&["three"])),
        Change::Untagged(key("a"), vec!["one".into()]),
        Change::Judged(key("a"), reason(Standing::Alarming, Some("{}"))),
        Change::Acted(2, None),
        Change::Acted(2, None),
        Change::Acted(3, Some("nobody is there".into())),
        Change::Enabled(key("a"), false),
        Change::Judged(key("a"), reason(Standing::Fine, None)),
        Change::Put(key("b"), Box::new(settings(Watched::Values(of_queries))), Tags::new()),
        Change::Deleted(key("b")),
        Change::Judged(key("b"), reason(Standing::Fine, None)),
        Change::Put(key("c"), Box::new(settings(Watched::Alarms("TRUE".into()))), Tags::new()),
        Change::Judged(key("c"), reason(Standing::Alarming, None)),
        Change::Deleted(key("c")),
    ]
}

#[test]
fn a_source_by_itself_reads_as_it_was_written() {
    for change in changes() {
        let Change::Put(_, settings, _) = change else { continue };
        let Some(Check { source, .. }) = settings.check() else { continue };
        let mut bytes = source.to_bytes();
        assert_eq!(Source::from_bytes(&bytes).as_ref(), Ok(source));
        bytes.pop();
        assert!(Source::from_bytes(&bytes).is_err());
    }
}

#[test]
fn changes_and_what_they_add_up_to_read_as_they_were_written() {
    let (mut alarms, mut now) = (Alarms::default(), Timestamp::from_millis(1));
    for change in changes() {
        let mut bytes = Vec::new();
        change.encode(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Change::decode(&mut reader), Ok(change.clone()));
        assert_eq!(reader.end(), Ok(()));
        for length in 0..bytes.len() {
            assert!(Change::decode(&mut Reader::new(&bytes[..length])).is_err(), "{length}");
        }
        now = now + Duration::from_secs(1);
        alarms.changed(change, now);
        assert_eq!(Alarms::decode(&alarms.encode()).as_ref(), Ok(&alarms));
    }
    let bytes = alarms.encode();
    for length in 0..bytes.len() {
        assert!(Alarms::decode(&bytes[..length]).is_err(), "{length}");
    }
    // Made, alarming, two actions taken, no actions any more, fine; another made and gone; one
    // of alarms made, alarming and gone, with two actions due.
    let told: Vec<_> = alarms.history().map(|item| &item.what).collect();
    assert_eq!(told.len(), 11, "{told:?}");
    let acted = |what: &&&Happening| matches!(what, Happening::Acted { .. });
    assert_eq!((told.iter().filter(acted).count(), alarms.due().count()), (2, 2));
    assert_eq!(alarms.history().filter(|item| item.composite).count(), 3);
    let tags: Vec<&str> =
        alarms.all().flat_map(|(_, alarm)| alarm.tags.keys().map(|key| &**key)).collect();
    assert_eq!(tags, ["three", "two"]);
    alarms.forget(now + Duration::from_hours(15 * 24));
    assert_eq!(alarms.history().count(), 0);
    assert_eq!(alarms.all().count(), 1);
}

#[test]
fn alarms_of_before_alarms_watched_alarms_read_still() {
    let mut alarms = Alarms::default();
    alarms.changed(changes().swap_remove(0), Timestamp::from_millis(1));
    let mut bytes = alarms.encode();
    // Behind the item there is the number of what is due. It ends with what happened, and
    // before that, when, and whether it watches alarms.
    let flag = bytes.len() - 4 - 1 - 8 - 1;
    assert_eq!(bytes[flag], 0);
    bytes.remove(flag);
    bytes[0] = ALL_OF_METRICS;
    assert_eq!(Alarms::decode(&bytes), Ok(alarms));
}
