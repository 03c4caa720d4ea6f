//! The bytes of records and snapshots: CBOR, each member of a structure under a number of its own.
//! A new member gets the next number and may be missing; a number is never used again.

use minicbor::decode::Error as Wrong;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use tidemill_base::{AccountId, Region, Timestamp};

use crate::id::{InstanceId, ReservationId, TemplateId};
use crate::owner::Owner;

macro_rules! numbers {
    ($($name:ident)*) => {
        $(
            impl<C> Encode<C> for $name {
                fn encode<W: Write>(
                    &self,
                    e: &mut Encoder<W>,
                    _: &mut C,
                ) -> Result<(), Error<W::Error>> {
                    e.u64(self.as_u64())?.ok()
                }
            }

            impl<'b, C> Decode<'b, C> for $name {
                fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
                    d.u64().map(Self::from_u64)
                }
            }
        )*
    };
}

numbers! { InstanceId ReservationId TemplateId }

impl<C> Encode<C> for Owner {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.array(2)?.u64(self.account.as_u64())?.str(self.region.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Owner {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        d.array()?;
        let account = AccountId::from_u64(d.u64()?);
        let account = account.ok_or_else(|| Wrong::message("an account has twelve digits"))?;
        let region: Result<Region, _> = d.str()?.parse();
        let region = region.map_err(|_| Wrong::message("a region in it cannot be one"))?;
        Ok(Self { account, region })
    }
}

/// Times, for `#[cbor(with = ...)]`: milliseconds since 1970.
pub(crate) mod time {
    use super::{Decoder, Encoder, Error, Timestamp, Write, Wrong};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as it is called")]
    pub(crate) fn encode<C, W: Write>(
        time: &Timestamp,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Error<W::Error>> {
        e.u64(time.as_millis())?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Timestamp, Wrong> {
        d.u64().map(Timestamp::from_millis)
    }
}
