//! The bytes of records and snapshots: CBOR, each member of a structure under a number of its own.
//! A new member gets the next number and may be missing; a number is never used again.

use minicbor::decode::Error as Wrong;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use tidemill_base::{AccountId, Region, Timestamp};

use super::ids::{ActivityId, GroupKey, InstanceId};
use crate::Workers;

impl<C> Encode<C> for InstanceId {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.u64(self.as_u64())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for InstanceId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        d.u64().map(Self::from_u64)
    }
}

impl<C> Encode<C> for Workers {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.u32(self.count())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Workers {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        d.u32().map(Self::new)
    }
}

impl<C> Encode<C> for ActivityId {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.bytes(self.as_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ActivityId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        let bytes = d.bytes()?.try_into();
        bytes.map(Self::from_bytes).map_err(|_| Wrong::message("an activity's id has 16 bytes"))
    }
}

impl<C> Encode<C> for GroupKey {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        let (account, region) = (self.account.as_u64(), self.region.as_str());
        e.array(3)?.u64(account)?.str(region)?.str(&self.name)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for GroupKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        d.array()?;
        let account = AccountId::from_u64(d.u64()?);
        let account = account.ok_or_else(|| Wrong::message("an account has twelve digits"))?;
        let region: Result<Region, _> = d.str()?.parse();
        let region = region.map_err(|_| Wrong::message("a region in it cannot be one"))?;
        Ok(Self { account, region, name: d.str()?.to_owned() })
    }
}

/// Times, for `#[cbor(with = ...)]`: milliseconds since 1970.
pub(super) mod time {
    use super::{Decoder, Encoder, Error, Timestamp, Write, Wrong};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as it is called")]
    pub(in super::super) fn encode<C, W: Write>(
        time: &Timestamp,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Error<W::Error>> {
        e.u64(time.as_millis())?.ok()
    }

    pub(in super::super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Timestamp, Wrong> {
        d.u64().map(Timestamp::from_millis)
    }
}

/// Times that may be missing.
pub(super) mod maybe_time {
    use super::{Decoder, Encoder, Error, Timestamp, Write, Wrong};

    #[expect(clippy::ref_option, reason = "as it is called")]
    pub(in super::super) fn encode<C, W: Write>(
        time: &Option<Timestamp>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Error<W::Error>> {
        match time {
            Some(time) => e.u64(time.as_millis())?.ok(),
            None => e.null()?.ok(),
        }
    }

    pub(in super::super) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<Option<Timestamp>, Wrong> {
        if d.datatype()? == minicbor::data::Type::Null {
            d.null()?;
            return Ok(None);
        }
        d.u64().map(Timestamp::from_millis).map(Some)
    }

    #[expect(clippy::ref_option, reason = "as it is called")]
    pub(in super::super) fn is_nil(time: &Option<Timestamp>) -> bool {
        time.is_none()
    }

    /// A time that is not there, as a record without it has.
    #[expect(clippy::option_option, clippy::unnecessary_wraps, reason = "as it is called")]
    pub(in super::super) fn nil() -> Option<Option<Timestamp>> {
        Some(None)
    }
}
