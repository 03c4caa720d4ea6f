//! Names, ids and times as CBOR, for records and snapshots; and how those of other crates are
//! written alike.

use minicbor::decode::Error as Wrong;

use crate::{AccountId, QueueName, Region, Timestamp, Uuid};

/// How a type is written, and read. Both are given what they may write to or read from, and what
/// goes along with that.
#[doc(hidden)]
#[macro_export]
macro_rules! cbor_as {
    (
        $name:ident,
        |$this:ident, $e:ident, $along:ident| $encode:expr,
        |$d:ident, $with:ident| $decode:expr $(,)?
    ) => {
        impl<C> ::minicbor::Encode<C> for $name {
            fn encode<W: ::minicbor::encode::Write>(
                &$this,
                $e: &mut ::minicbor::Encoder<W>,
                $along: &mut C,
            ) -> ::core::result::Result<(), ::minicbor::encode::Error<W::Error>> {
                $encode
            }
        }

        impl<'b, C> ::minicbor::Decode<'b, C> for $name {
            fn decode(
                $d: &mut ::minicbor::Decoder<'b>,
                $with: &mut C,
            ) -> ::core::result::Result<Self, ::minicbor::decode::Error> {
                $decode
            }
        }
    };
}

/// Has types stored as the text that they are read from.
#[macro_export]
macro_rules! cbor_texts {
    ($($name:ident)*) => {$(
        $crate::cbor_as! { $name, |self, e, _along| e.str(self.as_str())?.ok(), |d, _along| {
            let read = d.str()?.parse();
            read.map_err(|_| ::minicbor::decode::Error::message("a name in it cannot be one"))
        } }
    )*};
}

/// Has types stored as the number of 64 bits that they are.
#[macro_export]
macro_rules! cbor_numbers {
    ($($name:ident)*) => {$(
        $crate::cbor_as! {
            $name,
            |self, e, _along| e.u64(self.as_u64())?.ok(),
            |d, _along| d.u64().map(Self::from_u64),
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

        $crate::cbor_as! { $name, |self, e, along| {
            e.array(Self::PARTS)?;
            $(e.encode_with(&self.$part, along)?;)*
            Ok(())
        }, |d, along| {
            if d.array()? != Some(Self::PARTS) {
                let wrong = "a name in it has other parts";
                return Err(::minicbor::decode::Error::message(wrong));
            }
            Ok(Self { $($part: d.decode_with(along)?),* })
        } }
    };
}

cbor_as! { AccountId, |self, e, _along| e.u64(self.as_u64())?.ok(), |d, _along| {
    Self::from_u64(d.u64()?).ok_or_else(|| Wrong::message("an account has twelve digits"))
} }

// Milliseconds since 1970.
cbor_as! {
    Timestamp,
    |self, e, _along| e.u64(self.as_millis())?.ok(),
    |d, _along| d.u64().map(Self::from_millis),
}

cbor_as! { Uuid, |self, e, _along| e.bytes(self.as_bytes())?.ok(), |d, _along| {
    let bytes = d.bytes()?.try_into();
    bytes.map(Self::from_bytes).map_err(|_| Wrong::message("a UUID has 16 bytes"))
} }

cbor_texts! { QueueName Region }

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use minicbor::{Decode, Encode};

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
