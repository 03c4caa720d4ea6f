//! The bytes of records and snapshots: CBOR, each member of a structure under a number of its own.
//! A new member gets the next number and may be missing; a number is never used again.

use minicbor::decode::Error as Wrong;
use minicbor::encode::{Error, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use tidemill_base::{cbor_list, cbor_numbers};

use super::ids::{GroupKey, InstanceId};
use crate::Workers;

cbor_numbers! { InstanceId }
cbor_list! { GroupKey { account, region, name } }

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
