//! The bytes of records and snapshots: CBOR, each member of a structure under a number of its own.
//! A new member gets the next number and may be missing; a number is never used again.

use tidemill_base::{cbor_list, cbor_texts};

use crate::subscription::Queue;
use crate::topic::{TopicKey, TopicName};

cbor_texts! { TopicName }
cbor_list! { TopicKey { account, region, name } }
cbor_list! { Queue { account, region, name } }
