//! The bytes of records and snapshots: CBOR, each member of a structure under a number of its own.
//! A new member gets the next number and may be missing; a number is never used again.

use tidemill_base::{cbor_list, cbor_numbers};

use crate::id::{InstanceId, ReservationId, TemplateId};
use crate::owner::Owner;

cbor_numbers! { InstanceId ReservationId TemplateId }
cbor_list! { Owner { account, region } }
