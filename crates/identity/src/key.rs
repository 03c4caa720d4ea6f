//! An access key: what a caller signs with, and whom it makes them.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidemill_base::{AccountId, Chance, Timestamp};
use tidemill_sign::Secret;

/// An access key as it is remembered. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub id: AccessKeyId,
    /// Its secret half: 40 characters of the Base64 alphabet.
    pub secret: Secret,
    /// The account it belongs to.
    pub account: AccountId,
    /// Whom in the account it makes its holder.
    pub principal: Principal,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it may be used: from its making until it is revoked, and never again.
    pub active: bool,
}

/// Whom in an account an access key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The account itself, which may do everything in it.
    Root,
}

/// The id of an access key: `AKIA` and 16 of `A-Z 2-7`. It is no secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(Arc<str>);

/// Not the id of an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an access key's id is AKIA and 16 of A to Z and 2 to 7")]
pub struct BadAccessKeyId;

const PREFIX: &str = "AKIA";
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl AccessKeyId {
    /// A new id: 80 random bits.
    pub(crate) fn random(chance: &Chance) -> Self {
        let random = chance.bytes::<16>().map(base_32);
        Self(PREFIX.chars().chain(random).collect::<String>().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One of `A-Z 2-7`.
pub(crate) fn base_32(byte: u8) -> char {
    char::from(BASE_32[usize::from(byte % 32)])
}

/// A new secret: 240 random bits.
pub(crate) fn random_secret(chance: &Chance) -> Secret {
    Secret::new(STANDARD.encode(chance.bytes::<30>()))
}

impl FromStr for AccessKeyId {
    type Err = BadAccessKeyId;

    fn from_str(text: &str) -> Result<Self, BadAccessKeyId> {
        let rest = text.strip_prefix(PREFIX).ok_or(BadAccessKeyId)?;
        if rest.len() != 16 || !rest.bytes().all(|byte| BASE_32.contains(&byte)) {
            return Err(BadAccessKeyId);
        }
        Ok(Self(text.into()))
    }
}

/// So that a map of keys can be asked with whatever text a request presents.
impl Borrow<str> for AccessKeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_has_the_form_of_an_id() {
        let chance = Chance::seeded(1);
        let id = AccessKeyId::random(&chance);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_ne!(AccessKeyId::random(&chance), id);
    }

    #[test]
    fn an_id_is_akia_and_sixteen_more() {
        for bad in ["", "AKIA", "AKIAIOSFODNN7EX", "AKIAIOSFODNN7EXAMPL1", "BKIAIOSFODNN7EXAMPLE"] {
            assert_eq!(bad.parse::<AccessKeyId>(), Err(BadAccessKeyId), "{bad:?}");
        }
        assert!("AKIAIOSFODNN7EXAMPLE".parse::<AccessKeyId>().is_ok());
    }

    #[test]
    fn a_secret_has_forty_characters_and_is_not_printed() {
        let secret = random_secret(&Chance::seeded(1));
        assert_eq!(secret.reveal().len(), 40);
        let key = AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            secret: secret.clone(),
            account: AccountId::DEFAULT,
            principal: Principal::Root,
            created: Timestamp::EPOCH,
            active: true,
        };
        assert!(!format!("{key:?}").contains(secret.reveal()));
    }
}
