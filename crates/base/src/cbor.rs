//! Names, ids and times as CBOR, for records and snapshots.

use minicbor::decode::Error as Wrong;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::{AccountId, QueueName, Region, Timestamp, Uuid};

impl<C> Encode<C> for AccountId {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.u64(self.as_u64())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for AccountId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        Self::from_u64(d.u64()?).ok_or_else(|| Wrong::message("an account has twelve digits"))
    }
}

/// Milliseconds since 1970.
impl<C> Encode<C> for Timestamp {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.u64(self.as_millis())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Timestamp {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        d.u64().map(Self::from_millis)
    }
}

impl<C> Encode<C> for Uuid {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.bytes(self.as_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Uuid {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        let bytes = d.bytes()?.try_into();
        bytes.map(Self::from_bytes).map_err(|_| Wrong::message("a UUID has 16 bytes"))
    }
}

macro_rules! names {
    ($($name:ident)*) => {
        $(
            impl<C> Encode<C> for $name {
                fn encode<W: Write>(
                    &self,
                    e: &mut Encoder<W>,
                    _: &mut C,
                ) -> Result<(), Error<W::Error>> {
                    e.str(self.as_str())?.ok()
                }
            }

            impl<'b, C> Decode<'b, C> for $name {
                fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
                    d.str()?.parse().map_err(|_| Wrong::message("a name in it cannot be one"))
                }
            }
        )*
    };
}

names! { QueueName Region }

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn has_bytes<T>(value: &T, expected: &[u8])
    where
        T: Encode<()> + for<'b> Decode<'b, ()> + Debug + PartialEq,
    {
        assert_eq!(minicbor::to_vec(value).unwrap(), expected, "{value:?}");
        assert_eq!(&minicbor::decode::<T>(expected).unwrap(), value);
    }

    #[test]
    fn the_bytes_stay_what_they_are() {
        has_bytes(&AccountId::from_u64(42).unwrap(), b"\x18\x2a");
        has_bytes(&Timestamp::from_millis(1000), b"\x19\x03\xe8");
        has_bytes(&Uuid::from_bytes([7; 16]), &[&b"\x50"[..], &[7; 16]].concat());
        has_bytes(&"eu-west-1".parse::<Region>().unwrap(), b"\x69eu-west-1");
        has_bytes(&"orders.fifo".parse::<QueueName>().unwrap(), b"\x6borders.fifo");
    }

    #[test]
    fn what_nothing_can_have_been_is_not_read() {
        let much = minicbor::to_vec(1_000_000_000_000_u64).unwrap();
        assert!(minicbor::decode::<AccountId>(&much).is_err());
        assert!(minicbor::decode::<Uuid>(&[&b"\x4f"[..], &[7; 15]].concat()).is_err());
        assert!(minicbor::decode::<QueueName>(b"\x60").is_err());
        assert!(minicbor::decode::<Region>(b"\x61/").is_err());
    }
}
