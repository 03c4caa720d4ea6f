//! Names, ids and times as CBOR, for records and snapshots; and how those of other crates are
//! written alike.

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

/// Has types stored as the text that they are read from.
#[macro_export]
macro_rules! cbor_texts {
    ($($name:ident)*) => {$(
        impl<C> ::minicbor::Encode<C> for $name {
            fn encode<W: ::minicbor::encode::Write>(
                &self,
                e: &mut ::minicbor::Encoder<W>,
                _: &mut C,
            ) -> ::core::result::Result<(), ::minicbor::encode::Error<W::Error>> {
                e.str(self.as_str())?.ok()
            }
        }

        impl<'b, C> ::minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut ::minicbor::Decoder<'b>,
                _: &mut C,
            ) -> ::core::result::Result<Self, ::minicbor::decode::Error> {
                let read = d.str()?.parse();
                read.map_err(|_| ::minicbor::decode::Error::message("a name in it cannot be one"))
            }
        }
    )*};
}

/// Has types stored as the number of 64 bits that they are.
#[macro_export]
macro_rules! cbor_numbers {
    ($($name:ident)*) => {$(
        impl<C> ::minicbor::Encode<C> for $name {
            fn encode<W: ::minicbor::encode::Write>(
                &self,
                e: &mut ::minicbor::Encoder<W>,
                _: &mut C,
            ) -> ::core::result::Result<(), ::minicbor::encode::Error<W::Error>> {
                e.u64(self.as_u64())?.ok()
            }
        }

        impl<'b, C> ::minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut ::minicbor::Decoder<'b>,
                _: &mut C,
            ) -> ::core::result::Result<Self, ::minicbor::decode::Error> {
                d.u64().map(Self::from_u64)
            }
        }
    )*};
}

/// Has a type stored as the list of its parts. One of more or fewer parts is not read: it would be
/// something else's name.
#[macro_export]
macro_rules! cbor_list {
    ($name:ident { $($part:ident),* }) => {
        impl $name {
            const PARTS: u64 = [$(stringify!($part)),*].len() as u64;
        }

        impl<C> ::minicbor::Encode<C> for $name {
            fn encode<W: ::minicbor::encode::Write>(
                &self,
                e: &mut ::minicbor::Encoder<W>,
                cx: &mut C,
            ) -> ::core::result::Result<(), ::minicbor::encode::Error<W::Error>> {
                e.array(Self::PARTS)?;
                $(e.encode_with(&self.$part, cx)?;)*
                Ok(())
            }
        }

        impl<'b, C> ::minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut ::minicbor::Decoder<'b>,
                cx: &mut C,
            ) -> ::core::result::Result<Self, ::minicbor::decode::Error> {
                if d.array()? != Some(Self::PARTS) {
                    let wrong = "a name in it has other parts";
                    return Err(::minicbor::decode::Error::message(wrong));
                }
                Ok(Self { $($part: d.decode_with(cx)?),* })
            }
        }
    };
}

cbor_texts! { QueueName Region }

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

    #[derive(Debug, PartialEq)]
    struct Key {
        account: AccountId,
        name: QueueName,
    }

    cbor_list! { Key { account, name } }

    #[test]
    fn a_list_has_its_parts_and_no_others() {
        let (account, name) = (AccountId::from_u64(42).unwrap(), "a".parse().unwrap());
        has_bytes(&Key { account, name }, b"\x82\x18\x2a\x61a");
        for wrong in [&b"\x81\x18\x2a"[..], b"\x83\x18\x2a\x61a\x61b", b"\x9f\x18\x2a\x61a\xff"] {
            assert!(minicbor::decode::<Key>(wrong).is_err(), "{wrong:x?}");
        }
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
