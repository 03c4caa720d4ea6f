//! What groups, their instances and their activities are known by.

use tidemill_base::{AccountId, Region, Uuid};

/// A group, by whose it is, where, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The name.
    pub name: String,
}

/// An instance, by the number that those who run it know it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(u64);

impl InstanceId {
    /// The id as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The id of this number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

/// What an activity is known by, and whatever else of groups has an id of its own.
pub type ActivityId = Uuid;
