//! The bytes of records and snapshots: CBOR, each member of a structure under a number of its own.
//! A new member gets the next number and may be missing; a number is never used again.

use std::str::FromStr;

use minicbor::decode::Error as Wrong;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use tidemill_base::{AccountId, Region};

use crate::subscription::{Queue, SubscriptionId};
use crate::topic::TopicKey;

impl<C> Encode<C> for SubscriptionId {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        e.bytes(self.as_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for SubscriptionId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        let bytes = d.bytes()?.try_into();
        bytes.map(Self::from_bytes).map_err(|_| Wrong::message("an id has 16 bytes"))
    }
}

impl<C> Encode<C> for TopicKey {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        write(e, self.account, &self.region, self.name.as_str())
    }
}

impl<'b, C> Decode<'b, C> for TopicKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        let (account, region, name) = read(d)?;
        Ok(Self { account, region, name })
    }
}

impl<C> Encode<C> for Queue {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), Error<W::Error>> {
        write(e, self.account, &self.region, self.name.as_str())
    }
}

impl<'b, C> Decode<'b, C> for Queue {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Wrong> {
        let (account, region, name) = read(d)?;
        Ok(Self { account, region, name })
    }
}

fn write<W: Write>(
    e: &mut Encoder<W>,
    account: AccountId,
    region: &Region,
    name: &str,
) -> Result<(), Error<W::Error>> {
    e.array(3)?.u64(account.as_u64())?.str(region.as_str())?.str(name)?.ok()
}

/// What is named in an account and a region.
fn read<N: FromStr>(d: &mut Decoder<'_>) -> Result<(AccountId, Region, N), Wrong> {
    if d.array()? != Some(3) {
        return Err(Wrong::message("a name has three parts"));
    }
    let account = AccountId::from_u64(d.u64()?);
    let account = account.ok_or_else(|| Wrong::message("an account has twelve digits"))?;
    let region = d.str()?.parse();
    let region = region.map_err(|_| Wrong::message("a region in it cannot be one"))?;
    let name = d.str()?.parse();
    let name = name.map_err(|_| Wrong::message("a name in it cannot be one"))?;
    Ok((account, region, name))
}
