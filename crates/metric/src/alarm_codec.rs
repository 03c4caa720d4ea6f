//! The bytes of alarms and of what is done about them. `docs/formats.md` has the layouts.

use std::time::Duration;

use crate::alarm::{
    Alarm, AlarmKey, AlarmSettings, Due, Happening, HistoryItem, Reason, Standing, Tags, Watched,
};
use crate::alarms::{Alarms, Change};
use crate::check::{Check, Comparison, Gives, Measure, Missing, Query, Source};
use crate::codec::{
    Malformed, Reader, length, put_double, put_key, put_text, put_time, put_u32, put_u64,
};
use crate::series::read_unit;

fn put_alarm_key(out: &mut Vec<u8>, key: &AlarmKey) {
    put_u64(out, key.account.as_u64());
    put_text(out, key.region.as_str());
    put_text(out, &key.name);
}

fn read_alarm_key(reader: &mut Reader<'_>) -> Result<AlarmKey, Malformed> {
    let (account, region) = (reader.account()?, reader.region()?);
    Ok(AlarmKey { account, region, name: reader.text()?.into() })
}

/// Writes 0, or 1 and the value.
fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    if flag(reader)? { read(reader).map(Some) } else { Ok(None) }
}

fn read_text_option(reader: &mut Reader<'_>) -> Result<Option<Box<str>>, Malformed> {
    read_option(reader, |reader| reader.text().map(Box::from))
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed("a flag in it is neither set nor not")),
    }
}

const STANDINGS: [Standing; 3] = [Standing::Fine, Standing::Alarming, Standing::Unknown];
const COMPARISONS: [Comparison; 4] =
    [Comparison::AtLeast, Comparison::Above, Comparison::Below, Comparison::AtMost];
const MISSING: [Missing; 4] =
    [Missing::Missing, Missing::Ignored, Missing::Breaching, Missing::NotBreaching];

/// The one of `all` that a byte stands for: its place, which never changes.
fn one_of<T: Copy>(reader: &mut Reader<'_>, all: &[T]) -> Result<T, Malformed> {
    let at = usize::from(reader.byte()?);
    all.get(at).copied().ok_or(Malformed("a choice in it is none that there is"))
}

/// What an alarm watches. Others will come.
const ONE_METRIC: u8 = 0;
const QUERIES: u8 = 1;
const ALARMS: u8 = 2;

fn put_settings(out: &mut Vec<u8>, settings: &AlarmSettings) {
    put_option(out, settings.description.as_deref(), put_text);
    out.push(u8::from(settings.actions_enabled));
    for actions in &settings.actions {
        put_u32(out, length(actions.len()));
        for action in actions {
            put_text(out, action);
        }
    }
    match &settings.watched {
        Watched::Values(check) => put_check(out, check),
        Watched::Alarms(rule) => {
            out.push(ALARMS);
            put_text(out, rule);
        }
    }
}

fn put_check(out: &mut Vec<u8>, check: &Check) {
    match &check.source {
        Source::Metric(measure) => {
            out.push(ONE_METRIC);
            put_measure(out, measure);
        }
        Source::Queries(queries) => {
            out.push(QUERIES);
            put_u32(out, length(queries.len()));
            for query in queries {
                put_query(out, query);
            }
        }
    }
    put_u32(out, check.periods);
    put_option(out, check.breaching, put_u32);
    put_double(out, check.threshold);
    out.push(check.comparison as u8);
    put_option(out, check.missing, |out, missing| out.push(missing as u8));
    put_option(out, check.few_values_count, |out, count| out.push(u8::from(count)));
}

fn put_measure(out: &mut Vec<u8>, measure: &Measure) {
    put_key(out, &measure.metric);
    put_text(out, &measure.statistic);
    put_option(out, measure.unit, |out, unit| out.push(unit.number()));
    put_u64(out, measure.period.as_secs());
}

fn put_query(out: &mut Vec<u8>, query: &Query) {
    put_text(out, &query.id);
    put_option(out, query.label.as_deref(), put_text);
    out.push(u8::from(query.returned));
    out.push(u8::from(query.own_account));
    match &query.gives {
        Gives::Measure(measure) => {
            out.push(0);
            put_measure(out, measure);
        }
        Gives::Expression { text, period } => {
            out.push(1);
            put_text(out, text);
            put_option(out, *period, |out, period| put_u64(out, period.as_secs()));
        }
    }
}

fn read_settings(reader: &mut Reader<'_>) -> Result<AlarmSettings, Malformed> {
    let description = read_text_option(reader)?;
    let actions_enabled = flag(reader)?;
    let mut actions: [Vec<Box<str>>; 3] = Default::default();
    for actions in &mut actions {
        for _ in 0..reader.u32()? {
            actions.push(reader.text()?.into());
        }
    }
    let watched = match reader.byte()? {
        ONE_METRIC => {
            let source = Source::Metric(read_measure(reader)?);
            Watched::Values(read_check(reader, source)?)
        }
        QUERIES => {
            let count = reader.u32()?;
            let queries = (0..count).map(|_| read_query(reader)).collect::<Result<_, _>>()?;
            Watched::Values(read_check(reader, Source::Queries(queries))?)
        }
        ALARMS => Watched::Alarms(reader.text()?.into()),
        _ => return Err(Malformed("an alarm in it watches something unknown")),
    };
    Ok(AlarmSettings { description, actions_enabled, actions, watched })
}

fn read_check(reader: &mut Reader<'_>, source: Source) -> Result<Check, Malformed> {
    Ok(Check {
        source,
        periods: reader.u32()?,
        breaching: read_option(reader, Reader::u32)?,
        threshold: reader.double()?,
        comparison: one_of(reader, &COMPARISONS)?,
        missing: read_option(reader, |reader| one_of(reader, &MISSING))?,
        few_values_count: read_option(reader, flag)?,
    })
}

fn read_measure(reader: &mut Reader<'_>) -> Result<Measure, Malformed> {
    Ok(Measure {
        metric: reader.key()?,
        statistic: reader.text()?.into(),
        unit: read_option(reader, read_unit)?,
        period: Duration::from_secs(reader.u64()?),
    })
}

fn read_query(reader: &mut Reader<'_>) -> Result<Query, Malformed> {
    let (id, label) = (reader.text()?.into(), read_text_option(reader)?);
    let (returned, own_account) = (flag(reader)?, flag(reader)?);
    let gives = match reader.byte()? {
        0 => Gives::Measure(read_measure(reader)?),
        1 => {
            let text = reader.text()?.into();
            let seconds = read_option(reader, Reader::u64)?;
            Gives::Expression { text, period: seconds.map(Duration::from_secs) }
        }
        _ => return Err(Malformed("a query in it gives something unknown")),
    };
    Ok(Query { id, label, returned, own_account, gives })
}

fn put_reason(out: &mut Vec<u8>, reason: &Reason) {
    out.push(reason.standing as u8);
    put_text(out, &reason.text);
    put_option(out, reason.data.as_deref(), put_text);
}

fn read_reason(reader: &mut Reader<'_>) -> Result<Reason, Malformed> {
    let (standing, text) = (one_of(reader, &STANDINGS)?, reader.text()?.into());
    let data = read_text_option(reader)?;
    Ok(Reason { standing, text, data })
}

fn put_tags(out: &mut Vec<u8>, tags: &Tags) {
    put_u32(out, length(tags.len()));
    for (key, value) in tags {
        put_text(out, key);
        put_text(out, value);
    }
}

fn read_tags(reader: &mut Reader<'_>) -> Result<Tags, Malformed> {
    let count = reader.u32()?;
    (0..count).map(|_| Ok((reader.text()?.into(), reader.text()?.into()))).collect()
}

impl Change {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Put(key, settings, tags) => {
                out.push(0);
                put_alarm_key(out, key);
                put_settings(out, settings);
                put_tags(out, tags);
            }
            Self::Enabled(key, enabled) => {
                out.push(1);
                put_alarm_key(out, key);
                out.push(u8::from(*enabled));
            }
            Self::Deleted(key) => {
                out.push(2);
                put_alarm_key(out, key);
            }
            Self::Judged(key, reason) => {
                out.push(3);
                put_alarm_key(out, key);
                put_reason(out, reason);
            }
            Self::Acted(number, failure) => {
                out.push(4);
                put_u64(out, *number);
                put_option(out, failure.as_deref(), put_text);
            }
            Self::Tagged(key, tags) => {
                out.push(5);
                put_alarm_key(out, key);
                put_tags(out, tags);
            }
            Self::Untagged(key, names) => {
                out.push(6);
                put_alarm_key(out, key);
                put_u32(out, length(names.len()));
                for name in names {
                    put_text(out, name);
                }
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let key = read_alarm_key;
        Ok(match reader.byte()? {
            0 => Self::Put(key(reader)?, Box::new(read_settings(reader)?), read_tags(reader)?),
            1 => Self::Enabled(key(reader)?, flag(reader)?),
            2 => Self::Deleted(key(reader)?),
            3 => Self::Judged(key(reader)?, read_reason(reader)?),
            4 => Self::Acted(reader.u64()?, read_text_option(reader)?),
            5 => Self::Tagged(key(reader)?, read_tags(reader)?),
            6 => {
                let (key, count) = (key(reader)?, reader.u32()?);
                let names = (0..count).map(|_| Ok(reader.text()?.into()));
                Self::Untagged(key, names.collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed("a change of an alarm in it is unknown")),
        })
    }
}

/// The version of the section that is written. The next one gets an arm of its own in
/// [`Alarms::decode`], and the old one stays.
const SECTION_VERSION: u8 = 2;
/// Before alarms watched alarms: neither history nor what is due said so.
const ALL_OF_METRICS: u8 = 1;

impl Alarms {
    /// All of it as bytes: a version, each alarm, and the history.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![SECTION_VERSION];
        put_u32(&mut out, length(self.by_key.len()));
        for (key, alarm) in &self.by_key {
            put_alarm(&mut out, key, alarm);
        }
        put_u64(&mut out, self.items);
        put_u32(&mut out, length(self.history.len()));
        for item in &self.history {
            put_item(&mut out, item);
        }
        put_u32(&mut out, length(self.due.len()));
        for due in &self.due {
            put_due(&mut out, due);
        }
        out
    }

    /// Reads what [`Alarms::encode`] wrote, in this version or an earlier one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let composites = match reader.byte()? {
            SECTION_VERSION => true,
            ALL_OF_METRICS => false,
            _ => return Err(Malformed("its version is unknown")),
        };
        let mut all = Self::default();
        for _ in 0..reader.u32()? {
            let key = read_alarm_key(&mut reader)?;
            let (settings, reason) = (read_settings(&mut reader)?, read_reason(&mut reader)?);
            let (configured, updated, turned) = (reader.time()?, reader.time()?, reader.time()?);
            let tags = read_tags(&mut reader)?;
            let alarm = Alarm { settings, configured, reason, updated, turned, tags };
            all.weight += alarm.weight(&key);
            all.by_key.insert(key, alarm);
        }
        all.items = reader.u64()?;
        for _ in 0..reader.u32()? {
            let item = read_item(&mut reader, composites)?;
            all.past += item.weight();
            all.history.push_back(item);
        }
        for _ in 0..reader.u32()? {
            all.due.push_back(read_due(&mut reader, composites)?);
        }
        reader.end()?;
        Ok(all)
    }
}

fn put_alarm(out: &mut Vec<u8>, key: &AlarmKey, alarm: &Alarm) {
    put_alarm_key(out, key);
    put_settings(out, &alarm.settings);
    put_reason(out, &alarm.reason);
    for time in [alarm.configured, alarm.updated, alarm.turned] {
        put_time(out, time);
    }
    put_tags(out, &alarm.tags);
}

impl Alarm {
    /// About how many bytes of memory it takes: as many as are stored, and what points to them.
    pub(crate) fn weight(&self, key: &AlarmKey) -> usize {
        let mut stored = Vec::new();
        put_alarm(&mut stored, key, self);
        // A tag is two texts of their own, in a tree.
        stored.len() + size_of::<(AlarmKey, Self)>() + self.tags.len() * TAG
    }
}

impl HistoryItem {
    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let mut stored = Vec::new();
        put_item(&mut stored, self);
        stored.len() + size_of::<Self>()
    }
}

/// About how many bytes a tag takes besides what it says.
const TAG: usize = 64;

fn put_item(out: &mut Vec<u8>, item: &HistoryItem) {
    put_u64(out, item.number);
    put_alarm_key(out, &item.key);
    out.push(u8::from(item.composite));
    put_time(out, item.at);
    match &item.what {
        Happening::Created => out.push(0),
        Happening::Updated => out.push(1),
        Happening::Deleted => out.push(2),
        Happening::Turned { from, to } => {
            out.push(3);
            put_reason(out, from);
            put_reason(out, to);
        }
        Happening::Acted { action, turned, failure } => {
            out.push(4);
            put_text(out, action);
            put_time(out, *turned);
            put_option(out, failure.as_deref(), put_text);
        }
    }
}

fn read_item(reader: &mut Reader<'_>, composites: bool) -> Result<HistoryItem, Malformed> {
    let (number, key) = (reader.u64()?, read_alarm_key(reader)?);
    let composite = composites && flag(reader)?;
    let at = reader.time()?;
    let what = match reader.byte()? {
        0 => Happening::Created,
        1 => Happening::Updated,
        2 => Happening::Deleted,
        3 => Happening::Turned { from: read_reason(reader)?, to: read_reason(reader)? },
        4 => Happening::Acted {
            action: reader.text()?.into(),
            turned: reader.time()?,
            failure: read_text_option(reader)?,
        },
        _ => return Err(Malformed("something in it happened to an alarm that cannot")),
    };
    Ok(HistoryItem { number, key, composite, at, what })
}

fn put_due(out: &mut Vec<u8>, due: &Due) {
    put_u64(out, due.number);
    put_alarm_key(out, &due.key);
    out.push(u8::from(due.composite));
    put_time(out, due.at);
    put_text(out, &due.action);
    out.push(due.from as u8);
    put_reason(out, &due.to);
}

fn read_due(reader: &mut Reader<'_>, composites: bool) -> Result<Due, Malformed> {
    Ok(Due {
        number: reader.u64()?,
        key: read_alarm_key(reader)?,
        composite: composites && flag(reader)?,
        at: reader.time()?,
        action: reader.text()?.into(),
        from: one_of(reader, &STANDINGS)?,
        to: read_reason(reader)?,
    })
}

#[cfg(test)]
mod tests {
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
            Change::Put(
                key("a"),
                Box::new(settings(Watched::Values(check))),
                tags(&["one", "two"]),
            ),
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
}
