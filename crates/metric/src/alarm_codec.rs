//! The bytes of alarms and of what is done about them. `docs/formats.md` has the layouts.

use std::time::Duration;

use crate::alarm::{
    Alarm, AlarmKey, AlarmSettings, Comparison, Due, Happening, HistoryItem, Missing, Reason,
    Standing, Tags,
};
use crate::alarms::{Alarms, Change};
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

fn put_settings(out: &mut Vec<u8>, settings: &AlarmSettings) {
    put_option(out, settings.description.as_deref(), put_text);
    out.push(u8::from(settings.actions_enabled));
    for actions in &settings.actions {
        put_u32(out, length(actions.len()));
        for action in actions {
            put_text(out, action);
        }
    }
    out.push(ONE_METRIC);
    put_key(out, &settings.metric);
    put_text(out, &settings.statistic);
    put_option(out, settings.unit, |out, unit| out.push(unit.number()));
    put_u64(out, settings.period.as_secs());
    put_u32(out, settings.periods);
    put_option(out, settings.breaching, put_u32);
    put_double(out, settings.threshold);
    out.push(settings.comparison as u8);
    put_option(out, settings.missing, |out, missing| out.push(missing as u8));
    put_option(out, settings.few_values_count, |out, count| out.push(u8::from(count)));
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
    if reader.byte()? != ONE_METRIC {
        return Err(Malformed("an alarm in it watches something unknown"));
    }
    Ok(AlarmSettings {
        description,
        actions_enabled,
        actions,
        metric: reader.key()?,
        statistic: reader.text()?.into(),
        unit: read_option(reader, read_unit)?,
        period: Duration::from_secs(reader.u64()?),
        periods: reader.u32()?,
        breaching: read_option(reader, Reader::u32)?,
        threshold: reader.double()?,
        comparison: one_of(reader, &COMPARISONS)?,
        missing: read_option(reader, |reader| one_of(reader, &MISSING))?,
        few_values_count: read_option(reader, flag)?,
    })
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
const SECTION_VERSION: u8 = 1;

impl Alarms {
    /// All of it as bytes: a version, each alarm, and the history.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![SECTION_VERSION];
        put_u32(&mut out, length(self.by_key.len()));
        for (key, alarm) in &self.by_key {
            put_alarm_key(&mut out, key);
            put_settings(&mut out, &alarm.settings);
            put_reason(&mut out, &alarm.reason);
            for time in [alarm.configured, alarm.updated, alarm.turned] {
                put_time(&mut out, time);
            }
            put_tags(&mut out, &alarm.tags);
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
        if reader.byte()? != SECTION_VERSION {
            return Err(Malformed("its version is unknown"));
        }
        let mut all = Self::default();
        for _ in 0..reader.u32()? {
            let key = read_alarm_key(&mut reader)?;
            let (settings, reason) = (read_settings(&mut reader)?, read_reason(&mut reader)?);
            let (configured, updated, turned) = (reader.time()?, reader.time()?, reader.time()?);
            let tags = read_tags(&mut reader)?;
            let alarm = Alarm { settings, configured, reason, updated, turned, tags };
            all.by_key.insert(key, alarm);
        }
        all.items = reader.u64()?;
        for _ in 0..reader.u32()? {
            all.history.push_back(read_item(&mut reader)?);
        }
        for _ in 0..reader.u32()? {
            all.due.push_back(read_due(&mut reader)?);
        }
        reader.end()?;
        Ok(all)
    }
}

fn put_item(out: &mut Vec<u8>, item: &HistoryItem) {
    put_u64(out, item.number);
    put_alarm_key(out, &item.key);
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

fn read_item(reader: &mut Reader<'_>) -> Result<HistoryItem, Malformed> {
    let (number, key, at) = (reader.u64()?, read_alarm_key(reader)?, reader.time()?);
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
    Ok(HistoryItem { number, key, at, what })
}

fn put_due(out: &mut Vec<u8>, due: &Due) {
    put_u64(out, due.number);
    put_alarm_key(out, &due.key);
    put_time(out, due.at);
    put_text(out, &due.action);
    out.push(due.from as u8);
    put_reason(out, &due.to);
}

fn read_due(reader: &mut Reader<'_>) -> Result<Due, Malformed> {
    Ok(Due {
        number: reader.u64()?,
        key: read_alarm_key(reader)?,
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
        let settings = AlarmSettings {
            description: Some("of a test".into()),
            actions_enabled: true,
            actions: [vec!["fine".into()], vec!["one".into(), "two".into()], Vec::new()],
            metric: MetricKey::new(account, region.clone(), "n", "m", dimensions),
            statistic: "p99".into(),
            unit: Some(Unit::SECONDS),
            period: Duration::from_secs(30),
            periods: 3,
            breaching: Some(2),
            threshold: -1.5,
            comparison: Comparison::Below,
            missing: Some(Missing::NotBreaching),
            few_values_count: Some(false),
        };
        let tags = |names: &[&str]| names.iter().map(|&name| (name.into(), "v".into())).collect();
        let key = |name: &str| AlarmKey { account, region: region.clone(), name: name.into() };
        let reason = |standing, data: Option<&str>| Reason {
            standing,
            text: "why".into(),
            data: data.map(Box::from),
        };
        vec![
            Change::Put(key("a"), Box::new(settings.clone()), tags(&["one", "two"])),
            Change::Tagged(key("a"), tags(&["three"])),
            Change::Untagged(key("a"), vec!["one".into()]),
            Change::Judged(key("a"), reason(Standing::Alarming, Some("{}"))),
            Change::Acted(2, None),
            Change::Acted(2, None),
            Change::Acted(3, Some("nobody is there".into())),
            Change::Enabled(key("a"), false),
            Change::Judged(key("a"), reason(Standing::Fine, None)),
            Change::Put(key("b"), Box::new(settings), Tags::new()),
            Change::Deleted(key("b")),
            Change::Judged(key("b"), reason(Standing::Fine, None)),
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
        // Made, alarming, two actions taken, no actions any more, fine; another made and gone.
        let told: Vec<_> = alarms.history().map(|item| &item.what).collect();
        assert_eq!(told.len(), 8, "{told:?}");
        let acted = |what: &&&Happening| matches!(what, Happening::Acted { .. });
        assert_eq!((told.iter().filter(acted).count(), alarms.due().count()), (2, 0));
        let tags: Vec<&str> =
            alarms.all().flat_map(|(_, alarm)| alarm.tags.keys().map(|key| &**key)).collect();
        assert_eq!(tags, ["three", "two"]);
        alarms.forget(now + Duration::from_hours(15 * 24));
        assert_eq!(alarms.history().count(), 0);
        assert_eq!(alarms.all().count(), 1);
    }
}
