//! The state: every access key that was ever made, and what seals the tokens of sessions.

use std::collections::BTreeMap;

use tidemill_base::{AccountId, Chance, Timestamp};

use crate::encoding::{Malformed, Reader, put_number};
use crate::key::{AccessKey, AccessKeyId, Principal, random_secret};
use crate::record::{Event, put_key, read_key};
use crate::session::Seal;

/// Every access key that was ever made, revoked ones too: that there was one is remembered, and
/// no id is given out twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    keys: BTreeMap<AccessKeyId, AccessKey>,
    /// There is one from the first start of a service on.
    seal: Option<Seal>,
}

/// Why a key cannot be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeRefusal {
    /// There is no such key.
    #[error("there is no such access key")]
    NoSuchKey,
    /// It was revoked before.
    #[error("the access key is revoked already")]
    AlreadyRevoked,
}

impl Identity {
    /// The key with this id, if it may be used.
    pub fn find(&self, key_id: &str) -> Option<&AccessKey> {
        self.keys.get(key_id).filter(|key| key.active)
    }

    /// Every key that was ever made, in the order of their ids.
    pub fn keys(&self) -> impl Iterator<Item = &AccessKey> {
        self.keys.values()
    }

    /// Whether a key was ever made.
    pub fn has_credentials(&self) -> bool {
        !self.keys.is_empty()
    }

    /// What seals the tokens of sessions.
    pub(crate) fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// A new key for an account's root, not yet part of the state.
    pub(crate) fn new_root_key(
        &self,
        account: AccountId,
        created: Timestamp,
        chance: &Chance,
    ) -> AccessKey {
        let id = loop {
            let id = AccessKeyId::random(chance);
            if !self.keys.contains_key(&id) {
                break id;
            }
        };
        let principal = Principal::Root;
        AccessKey { id, secret: random_secret(chance), account, principal, created, active: true }
    }

    /// What happens when this key is revoked.
    pub(crate) fn revoke(&self, key_id: &str) -> Result<Event, RevokeRefusal> {
        let key = self.keys.get(key_id).ok_or(RevokeRefusal::NoSuchKey)?;
        if !key.active {
            return Err(RevokeRefusal::AlreadyRevoked);
        }
        Ok(Event::KeyRevoked(key.id.clone()))
    }

    /// Takes in what happened.
    pub(crate) fn happened(&mut self, event: Event) -> Result<(), Malformed> {
        match event {
            Event::KeyMade(key) => {
                if self.keys.insert(key.id.clone(), key).is_some() {
                    return Err(Malformed("it makes a key that was made before"));
                }
            }
            Event::KeyRevoked(id) => {
                let revoked = self.keys.get_mut(&id);
                revoked.ok_or(Malformed("it revokes a key that was never made"))?.active = false;
            }
            Event::Sealed(seal) => self.seal = Some(seal),
        }
        Ok(())
    }

    /// The whole state as bytes: a version, then each key and whether it is active, then whether
    /// there is a seal, and it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![SNAPSHOT_VERSION];
        put_number(&mut out, self.keys.len() as u64);
        for key in self.keys.values() {
            put_key(&mut out, key);
            out.push(u8::from(key.active));
        }
        out.push(u8::from(self.seal.is_some()));
        out.extend(self.seal.iter().flat_map(Seal::as_bytes));
        out
    }

    /// Reads what [`Identity::encode`] wrote, in this version or an earlier one.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if !(1..=SNAPSHOT_VERSION).contains(&version) {
            return Err(Malformed("its version is unknown"));
        }
        let mut keys = BTreeMap::new();
        for _ in 0..reader.number()? {
            let mut key = read_key(&mut reader)?;
            key.active = match reader.byte()? {
                0 => false,
                1 => true,
                _ => return Err(Malformed("a key in it is neither active nor revoked")),
            };
            keys.insert(key.id.clone(), key);
        }
        let seal = match if version == 1 { 0 } else { reader.byte()? } {
            0 => None,
            1 => Some(Seal::from_bytes(reader.array()?)),
            _ => return Err(Malformed("there is neither a seal in it nor none")),
        };
        reader.end()?;
        Ok(Self { keys, seal })
    }
}

/// The version of the snapshot that is written; version 1 had no seal. To change it: count up, and
/// keep reading the older ones.
const SNAPSHOT_VERSION: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;

    fn with_a_key() -> (Identity, AccessKey) {
        let mut identity = Identity::default();
        let key = identity.new_root_key(AccountId::DEFAULT, Timestamp::EPOCH, &Chance::seeded(1));
        identity.happened(Event::KeyMade(key.clone())).unwrap();
        (identity, key)
    }

    fn revoke(identity: &mut Identity, key: &AccessKey) {
        let event = identity.revoke(key.id.as_str()).unwrap();
        identity.happened(event).unwrap();
    }

    #[test]
    fn a_key_is_found_by_its_id_until_it_is_revoked() {
        let (mut identity, key) = with_a_key();
        assert_eq!(identity.find(key.id.as_str()), Some(&key));
        assert_eq!(identity.find("AKIAIOSFODNN7EXAMPLE"), None);
        revoke(&mut identity, &key);
        assert_eq!(identity.find(key.id.as_str()), None);
        assert!(identity.keys().eq([&AccessKey { active: false, ..key }]));
    }

    #[test]
    fn a_key_is_revoked_once() {
        let (mut identity, key) = with_a_key();
        revoke(&mut identity, &key);
        assert_eq!(identity.revoke(key.id.as_str()), Err(RevokeRefusal::AlreadyRevoked));
        assert_eq!(identity.revoke("nobody"), Err(RevokeRefusal::NoSuchKey));
    }

    #[test]
    fn the_way_is_open_until_the_first_key_and_never_again() {
        assert_eq!(Identity::default().mode(), Mode::Open);
        let (mut identity, key) = with_a_key();
        assert_eq!(identity.mode(), Mode::Guarded);
        revoke(&mut identity, &key);
        assert_eq!(identity.mode(), Mode::Guarded);
    }

    #[test]
    fn a_snapshot_holds_the_whole_state() {
        let (mut identity, key) = with_a_key();
        revoke(&mut identity, &key);
        let account = AccountId::from_u64(42).unwrap();
        let other = identity.new_root_key(account, Timestamp::from_millis(7), &Chance::seeded(2));
        identity.happened(Event::KeyMade(other)).unwrap();
        identity.happened(Event::Sealed(Seal::from_bytes([7; 32]))).unwrap();
        let bytes = identity.encode();
        assert_eq!(Identity::decode(&bytes), Ok(identity.clone()));
        for length in 0..bytes.len() {
            assert!(Identity::decode(&bytes[..length]).is_err(), "{length}");
        }
        assert_eq!(Identity::decode(&[3]), Err(Malformed("its version is unknown")));
        let unsealed = Identity { seal: None, ..identity };
        let mut first = unsealed.encode();
        (first[0], _) = (1, first.pop());
        assert_eq!(Identity::decode(&first), Ok(unsealed));
    }

    #[test]
    fn what_cannot_have_happened_is_not_taken_in() {
        let (mut identity, key) = with_a_key();
        assert!(identity.happened(Event::KeyMade(key)).is_err());
        let stranger = "AKIAIOSFODNN7EXAMPLE".parse().unwrap();
        assert!(identity.happened(Event::KeyRevoked(stranger)).is_err());
    }
}
