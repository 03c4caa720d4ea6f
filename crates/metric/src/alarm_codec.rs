//! The bytes of alarms and of what is done about them. `docs/formats.md` has the layouts.

use std::time::Duration;

use crate::alarm::{
    Alarm, AlarmKey, AlarmSettings, Due, Happening, HistoryItem, Reason, Standing, Tags, Watched,
};
use crate::alarms::{Alarms, Change};
use crate::check::{BadSource, Check, Comparison, Gives, Measure, Missing, Query, Source};
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
    put_source(out, &check.source);
    put_u32(out, check.periods);
    put_option(out, check.breaching, put_u32);
    put_double(out, check.threshold);
    out.push(check.comparison as u8);
    put_option(out, check.missing, |out, missing| out.push(missing as u8));
    put_option(out, check.few_values_count, |out, count| out.push(u8::from(count)));
}

fn put_source(out: &mut Vec<u8>, source: &Source) {
    match source {
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
        ALARMS => Watched::Alarms(reader.text()?.into()),
        kind => {
            let source = read_source(kind, reader)?;
            Watched::Values(read_check(reader, source)?)
        }
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

fn read_source(kind: u8, reader: &mut Reader<'_>) -> Result<Source, Malformed> {
    match kind {
        ONE_METRIC => Ok(Source::Metric(read_measure(reader)?)),
        QUERIES => {
            let count = reader.u32()?;
            let queries = (0..count).map(|_| read_query(reader)).collect::<Result<_, _>>()?;
            Ok(Source::Queries(queries))
        }
        _ => Err(Malformed("what it is of is unknown")),
    }
}

/// The version of a source by itself.
const SOURCE_VERSION: u8 = 1;

impl Source {
    /// The source as bytes, for those who keep it with something of their own.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![SOURCE_VERSION];
        put_source(&mut out, self);
        out
    }

    /// Reads what [`Source::to_bytes`] wrote.
    ///
    /// # Errors
    /// If it is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadSource> {
        let mut reader = Reader::new(bytes);
        let mut read = || {
            if reader.byte()? != SOURCE_VERSION {
                return Err(Malformed("its version is unknown"));
            }
            let kind = reader.byte()?;
            let source = read_source(kind, &mut reader)?;
            reader.end()?;
            Ok(source)
        };
        read().map_err(|Malformed(why)| BadSource(why))
    }
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
mod tests;
