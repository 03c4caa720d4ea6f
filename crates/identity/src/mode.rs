//! Whether callers are asked who they are, and whom they are taken for where they are not.

use tidemill_base::AccountId;

use crate::identity::Identity;

/// How callers are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No key was ever made: whoever reaches us may call. That only the machine itself can reach
    /// us is for the server to see to.
    Open,
    /// Each request must be signed with a key of ours.
    Guarded,
}

impl Identity {
    /// How callers are treated. Once a key was made the way is never open again: revoking the
    /// last key locks everybody out rather than letting everybody in.
    pub fn mode(&self) -> Mode {
        if self.has_credentials() { Mode::Guarded } else { Mode::Open }
    }
}

/// The account that a caller is taken for in [`Mode::Open`] if the key's id names one, with its
/// twelve digits.
pub fn account_named_by(key_id: &str) -> Option<AccountId> {
    key_id.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_name_their_account_and_anything_else_names_none() {
        assert_eq!(account_named_by("000000000042").map(AccountId::as_u64), Some(42));
        assert_eq!(account_named_by("111122223333").map(AccountId::as_u64), Some(111_122_223_333));
        for other in ["", "test", "42", "AKIAIOSFODNN7EXAMPLE", "1111222233334"] {
            assert_eq!(account_named_by(other), None, "{other:?}");
        }
    }
}
