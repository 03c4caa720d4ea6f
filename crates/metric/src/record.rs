//! What is written down: that values came in, that all grew older, what was done about alarms, that
//! all was emptied.

use tidemill_base::{AccountId, Region, Timestamp};
use tidemill_journal::{Kind, RecordRef};

use crate::alarms::Change;
use crate::codec::{
    Malformed, Reader, length, put_dimensions, put_double, put_text, put_time, put_u32, put_u64,
};
use crate::point::{Measurement, Point, Resolution};
use crate::series::read_unit;
use crate::tier::Retention;

/// Something that happened. The state is what these add up to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// Values came in.
    Stored(Batch),
    /// What is too old for its tier at `now` moved on.
    Aged {
        now: Timestamp,
        /// From now on, too.
        retention: Retention,
    },
    /// Something was done about an alarm.
    Alarm { now: Timestamp, change: Change },
    /// All was emptied, as between two tests.
    Cleared,
}

/// Values of one account, region and namespace, as they came in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) namespace: Box<str>,
    /// When they came in.
    pub(crate) now: Timestamp,
    pub(crate) points: Vec<Point>,
}

const STORED: Kind = Kind(0x01);
const AGED: Kind = Kind(0x02);
const CLEARED: Kind = Kind(0x03);
const ALARM: Kind = Kind(0x04);

/// The version that is written. A record that changes gets the next number in its own kind, and
/// [`Event::read`] an arm for it beside the one of the old, which stays: old journals open.
pub(crate) const VERSION: u8 = 1;

impl Event {
    /// The event's kind in the journal, and its payload.
    pub(crate) fn encode(&self) -> (Kind, Vec<u8>) {
        let mut out = Vec::new();
        let kind = match self {
            Self::Stored(batch) => {
                batch.encode(&mut out);
                STORED
            }
            Self::Aged { now, retention } => {
                put_time(&mut out, *now);
                out.push(retention.halvings());
                AGED
            }
            Self::Alarm { now, change } => {
                put_time(&mut out, *now);
                change.encode(&mut out);
                ALARM
            }
            Self::Cleared => CLEARED,
        };
        (kind, out)
    }

    /// Reads what [`Event::encode`] wrote, in this version or an earlier one.
    pub(crate) fn read(record: RecordRef<'_>) -> Result<Self, Malformed> {
        let mut reader = Reader::new(record.payload);
        let event = match (record.kind, record.version) {
            (STORED, 1) => Self::Stored(Batch::decode(&mut reader)?),
            (AGED, 1) => {
                let now = reader.time()?;
                let retention = read_retention(&mut reader)?;
                Self::Aged { now, retention }
            }
            (ALARM, 1) => Self::Alarm { now: reader.time()?, change: Change::decode(&mut reader)? },
            (CLEARED, 1) => Self::Cleared,
            _ => return Err(Malformed("its kind or version is unknown")),
        };
        reader.end()?;
        Ok(event)
    }
}

pub(crate) fn read_retention(reader: &mut Reader<'_>) -> Result<Retention, Malformed> {
    Retention::halved(reader.byte()?).ok_or(Malformed("it halves what is kept too often"))
}

impl Batch {
    fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.account.as_u64());
        put_text(out, self.region.as_str());
        put_text(out, &self.namespace);
        put_time(out, self.now);
        put_u32(out, length(self.points.len()));
        for point in &self.points {
            put_text(out, &point.name);
            put_dimensions(out, &point.dimensions);
            out.push(point.unit.number());
            put_time(out, point.at);
            out.push(match point.resolution {
                Resolution::Second => 0,
                Resolution::Minute => 1,
            });
            put_measurement(out, &point.measured);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (account, region) = (reader.account()?, reader.region()?);
        let (namespace, now) = (reader.text()?.into(), reader.time()?);
        let mut points = Vec::new();
        for _ in 0..reader.u32()? {
            points.push(Point {
                name: reader.text()?.into(),
                dimensions: reader.dimensions()?,
                unit: read_unit(reader)?,
                at: reader.time()?,
                resolution: match reader.byte()? {
                    0 => Resolution::Second,
                    1 => Resolution::Minute,
                    _ => return Err(Malformed("a resolution in it is unknown")),
                },
                measured: read_measurement(reader)?,
            });
        }
        Ok(Self { account, region, namespace, now, points })
    }
}

fn put_measurement(out: &mut Vec<u8>, measured: &Measurement) {
    match measured {
        Measurement::Value(value) => {
            out.push(0);
            put_double(out, *value);
        }
        Measurement::Values(values) => {
            out.push(1);
            put_u32(out, length(values.len()));
            for (value, count) in values {
                put_double(out, *value);
                put_double(out, *count);
            }
        }
        Measurement::Statistics { samples, sum, minimum, maximum } => {
            out.push(2);
            for number in [samples, sum, minimum, maximum] {
                put_double(out, *number);
            }
        }
    }
}

fn read_measurement(reader: &mut Reader<'_>) -> Result<Measurement, Malformed> {
    Ok(match reader.byte()? {
        0 => Measurement::Value(reader.double()?),
        1 => {
            let count = reader.u32()?;
            let values = (0..count).map(|_| Ok((reader.double()?, reader.double()?)));
            Measurement::Values(values.collect::<Result<_, _>>()?)
        }
        2 => Measurement::Statistics {
            samples: reader.double()?,
            sum: reader.double()?,
            minimum: reader.double()?,
            maximum: reader.double()?,
        },
        _ => return Err(Malformed("a measurement in it is unknown")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmKey;
    use crate::key::Dimension;
    use crate::unit::Unit;

    fn point(measured: Measurement) -> Point {
        Point {
            name: "m".into(),
            dimensions: vec![Dimension::new("d", "v")],
            unit: Unit::COUNT,
            at: Timestamp::from_millis(0x0102),
            resolution: Resolution::Minute,
            measured,
        }
    }

    fn stored(points: Vec<Point>) -> Event {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let now = Timestamp::from_millis(7);
        Event::Stored(Batch { account, region, namespace: "n".into(), now, points })
    }

    fn events() -> [Event; 4] {
        let statistics =
            Measurement::Statistics { samples: 10.0, sum: 55.0, minimum: 1.0, maximum: 10.0 };
        [
            stored(vec![
                point(Measurement::Value(-1.5)),
                point(Measurement::Values(vec![(1.0, 2.0), (10.0, 4.0)])),
                point(statistics),
            ]),
            Event::Aged {
                now: Timestamp::from_millis(9),
                retention: Retention::halved(3).unwrap(),
            },
            Event::Alarm { now: Timestamp::from_millis(9), change: Change::Acted(1, None) },
            Event::Cleared,
        ]
    }

    fn read(kind: Kind, version: u8, payload: &[u8]) -> Result<Event, Malformed> {
        Event::read(RecordRef { kind, version, payload })
    }

    #[test]
    fn an_event_reads_as_it_was_written() {
        for event in events() {
            let (kind, payload) = event.encode();
            assert_eq!(read(kind, VERSION, &payload), Ok(event));
        }
    }

    #[test]
    fn a_record_that_is_cut_has_more_than_its_due_or_is_unknown_is_malformed() {
        for event in events() {
            let (kind, mut payload) = event.encode();
            for length in 0..payload.len() {
                assert!(read(kind, VERSION, &payload[..length]).is_err(), "{length}");
            }
            payload.push(0);
            assert_eq!(read(kind, VERSION, &payload), Err(Malformed("it goes on past its end")));
            assert!(read(kind, VERSION + 1, &payload).is_err());
        }
        assert!(read(Kind(9), 1, b"").is_err());
    }

    #[test]
    fn the_bytes_of_a_change_of_an_alarm_stay_what_they_are() {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let key = AlarmKey { account, region, name: "a".into() };
        let now = Timestamp::from_millis(7);
        let event = Event::Alarm { now, change: Change::Enabled(key, true) };
        let mut expected = vec![7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        expected.extend(b"\x09\0\0\0us-east-1\x01\0\0\0a\x01");
        assert_eq!(event.encode(), (Kind(4), expected));
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let (kind, payload) = stored(vec![point(Measurement::Value(1.0))]).encode();
        let mut expected = vec![0; 8];
        expected.extend(b"\x09\0\0\0us-east-1\x01\0\0\0n\x07\0\0\0\0\0\0\0\x01\0\0\0");
        expected.extend(b"\x01\0\0\0m\x01\0\0\0\x01\0\0\0d\x01\0\0\0v");
        expected.extend([15, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!((kind, payload), (Kind(1), expected));
    }
}
