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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_stored_as_a_list_of_two() {
        let bytes = minicbor::to_vec(Owner::default()).unwrap();
        assert_eq!(bytes, b"\x82\x00\x69us-east-1");
        assert_eq!(minicbor::decode::<Owner>(&bytes).unwrap(), Owner::default());
    }
}
