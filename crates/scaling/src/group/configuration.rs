//! Launch configurations: what instances are made from, under a name, never changed.

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use super::ids::ActivityId;

/// A launch configuration.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Configuration {
    /// What sets it apart from another of the same name.
    #[n(0)]
    pub id: ActivityId,
    /// When it was made.
    #[n(1)]
    pub made: Timestamp,
    /// What instances are made from, in the words of whoever launches them.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub recipe: Vec<u8>,
}
