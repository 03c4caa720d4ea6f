//! The bytes of this crate's records and snapshots: numbers in little-endian order, texts after
//! their length. `docs/formats.md` has the layouts.

use crate::key::{Dimension, MetricKey};
use crate::spread::Spread;
use crate::summary::Summary;
use tidemill_base::{AccountId, Region, Timestamp};

/// Bytes that are not what this version writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    put_u64(out, time.as_millis());
}

pub(crate) fn put_double(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_bits().to_le_bytes());
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u32(out, length(text.len()));
    out.extend_from_slice(text.as_bytes());
}

/// The length of a list or a text, as it is written.
pub(crate) fn length(length: usize) -> u32 {
    u32::try_from(length).expect("memory holds far fewer than that")
}

pub(crate) fn put_dimensions(out: &mut Vec<u8>, dimensions: &[Dimension]) {
    put_u32(out, length(dimensions.len()));
    for Dimension { name, value } in dimensions {
        put_text(out, name);
        put_text(out, value);
    }
}

pub(crate) fn put_key(out: &mut Vec<u8>, key: &MetricKey) {
    put_u64(out, key.account.as_u64());
    put_text(out, key.region.as_str());
    put_text(out, &key.namespace);
    put_text(out, &key.name);
    put_dimensions(out, key.dimensions());
}

/// What is left to read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Malformed("it ends too soon"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed("it ends too soon"))?;
        self.0 = rest;
        Ok(*array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn double(&mut self) -> Result<f64, Malformed> {
        self.u64().map(f64::from_bits)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Malformed> {
        self.u64().map(Timestamp::from_millis)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u32()? as usize;
        str::from_utf8(self.bytes(length)?).map_err(|_| Malformed("a text in it is not UTF-8"))
    }

    pub(crate) fn account(&mut self) -> Result<AccountId, Malformed> {
        let account = AccountId::from_u64(self.u64()?);
        account.ok_or(Malformed("an account in it has more than twelve digits"))
    }

    pub(crate) fn region(&mut self) -> Result<Region, Malformed> {
        self.text()?.parse().map_err(|_| Malformed("a region in it cannot be one"))
    }

    pub(crate) fn dimensions(&mut self) -> Result<Vec<Dimension>, Malformed> {
        let count = self.u32()?;
        (0..count).map(|_| Ok(Dimension::new(self.text()?, self.text()?))).collect()
    }

    pub(crate) fn key(&mut self) -> Result<MetricKey, Malformed> {
        let (account, region) = (self.account()?, self.region()?);
        let (namespace, name) = (self.text()?, self.text()?);
        Ok(MetricKey::new(account, region, namespace, name, self.dimensions()?))
    }

    /// Checks that everything was read.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("it goes on past its end")) }
    }
}

impl Summary {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for number in [self.samples, self.sum, self.minimum, self.maximum] {
            put_double(out, number);
        }
        match &self.spread {
            Spread::Unknown => out.push(0),
            Spread::Exact(values) => {
                out.push(1);
                put_u32(out, length(values.len()));
                for (value, count) in values {
                    put_double(out, *value);
                    put_double(out, *count);
                }
            }
            Spread::Binned { scale, zeros, bins } => {
                out.push(2);
                out.extend_from_slice(&scale.to_le_bytes());
                put_double(out, *zeros);
                put_u32(out, length(bins.len()));
                for (bin, count) in bins {
                    out.extend_from_slice(&bin.to_le_bytes());
                    put_double(out, *count);
                }
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (samples, sum) = (reader.double()?, reader.double()?);
        let (minimum, maximum) = (reader.double()?, reader.double()?);
        let spread = match reader.byte()? {
            0 => Spread::Unknown,
            1 => {
                let count = reader.u32()?;
                let pairs = (0..count).map(|_| Ok((reader.double()?, reader.double()?)));
                Spread::Exact(pairs.collect::<Result<_, _>>()?)
            }
            2 => {
                let scale = i8::from_le_bytes(reader.array()?);
                let (zeros, count) = (reader.double()?, reader.u32()?);
                let bins =
                    (0..count).map(|_| Ok((i32::from_le_bytes(reader.array()?), reader.double()?)));
                Spread::Binned { scale, zeros, bins: bins.collect::<Result<_, _>>()? }
            }
            _ => return Err(Malformed("a distribution in it is unknown")),
        };
        if !spread.is_sound() {
            return Err(Malformed("a distribution in it cannot be one"));
        }
        Ok(Self { samples, sum, minimum, maximum, spread })
    }
}
