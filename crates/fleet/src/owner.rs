//! Whose something is, and where: an account and a region.

use tidemill_base::{AccountId, Region};

/// An account in a region. What is in one is not seen from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Default for Owner {
    fn default() -> Self {
        Self { account: AccountId::DEFAULT, region: Region::default() }
    }
}
