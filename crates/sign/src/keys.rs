//! Signing keys: derived from a secret for one scope, and remembered, because a client signs
//! every request of a day with the same one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::credential::{Credential, TERMINATOR};
use crate::secret::Secret;

/// The HMAC of `message`.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// A key that signs for one access key, day, region and service.
#[derive(Clone)]
pub(crate) struct SigningKey(Arc<Zeroizing<[u8; 32]>>);

impl SigningKey {
    /// Derives the key of a scope: four HMACs, one for each of its parts.
    pub(crate) fn derive(secret: &Secret, date: &str, region: &str, service: &str) -> Self {
        let start = Zeroizing::new(format!("AWS4{}", secret.reveal()));
        let mut key = Zeroizing::new(hmac(start.as_bytes(), date.as_bytes()));
        for part in [region, service, TERMINATOR] {
            *key = hmac(&*key, part.as_bytes());
        }
        Self(Arc::new(key))
    }

    /// The signature of `text`.
    pub(crate) fn sign(&self, text: &str) -> [u8; 32] {
        hmac(&**self.0, text.as_bytes())
    }
}

/// The signing keys that were used lately, by credential. Bounded; forgets the least used.
pub struct KeyCache {
    /// Held for a look-up or an insertion, never while a key is derived.
    generations: Mutex<Generations>,
    /// How many keys a generation holds.
    half: usize,
}

/// What was used since the last turn, and what only before it. A turn drops the old generation:
/// almost the least recently used, for the price of a map.
#[derive(Default)]
struct Generations {
    young: HashMap<String, Known>,
    old: HashMap<String, Known>,
}

struct Known {
    /// The key belongs to this secret: a credential alone does not say whose it is.
    secret: Secret,
    key: SigningKey,
}

impl KeyCache {
    /// A cache of at most `capacity` keys; it takes about 300 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self { generations: Mutex::default(), half: capacity.div_ceil(2) }
    }

    /// The key of `credential`, remembered or derived.
    pub(crate) fn get(&self, credential: &Credential, secret: &Secret) -> SigningKey {
        self.remembered(credential, secret).unwrap_or_else(|| {
            let region = credential.region().as_str();
            SigningKey::derive(secret, credential.date(), region, credential.service())
        })
    }

    /// Remembers a key. Called only once a signature made with it has been accepted, so that
    /// whoever holds no secret cannot push out the keys of those who do.
    pub(crate) fn remember(&self, credential: &Credential, secret: &Secret, key: SigningKey) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let known = generations.young.get(credential.as_str());
        if self.half == 0 || known.is_some_and(|known| known.secret == *secret) {
            return;
        }
        if generations.young.len() >= self.half {
            generations.old = std::mem::take(&mut generations.young);
        }
        let known = Known { secret: secret.clone(), key };
        generations.young.insert(credential.as_str().to_owned(), known);
    }

    fn remembered(&self, credential: &Credential, secret: &Secret) -> Option<SigningKey> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let name = credential.as_str();
        let known = generations.young.get(name).or_else(|| generations.old.get(name))?;
        (known.secret == *secret).then(|| known.key.clone())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let generations = self.generations.lock().unwrap();
        generations.young.len() + generations.old.len()
    }
}

impl Default for KeyCache {
    /// Room for a thousand keys.
    fn default() -> Self {
        Self::new(1024)
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned())
    }

    fn credential(id: usize) -> Credential {
        Credential::parse(&format!("AKID{id}/20150830/us-east-1/iam/aws4_request")).unwrap()
    }

    #[test]
    fn a_key_is_derived_as_the_documentation_shows() {
        let key = SigningKey::derive(&secret(), "20150830", "us-east-1", "iam");
        let expected = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        assert_eq!(hex::encode(**key.0), expected);
    }

    #[test]
    fn a_cache_stays_within_its_capacity_and_keeps_what_is_used() {
        let cache = KeyCache::new(8);
        for id in 0..100 {
            for id in [0, id] {
                let key = cache.get(&credential(id), &secret());
                cache.remember(&credential(id), &secret(), key);
            }
        }
        assert!(cache.len() <= 8, "{}", cache.len());
        assert!(cache.remembered(&credential(0), &secret()).is_some());
        assert!(cache.remembered(&credential(1), &secret()).is_none());
    }

    #[test]
    fn a_remembered_key_is_not_given_for_another_secret() {
        let cache = KeyCache::default();
        let key = cache.get(&credential(1), &secret());
        cache.remember(&credential(1), &secret(), key);
        assert!(cache.remembered(&credential(1), &Secret::new("other".to_owned())).is_none());
    }

    #[test]
    fn a_cache_without_room_remembers_nothing() {
        let cache = KeyCache::new(0);
        let key = cache.get(&credential(1), &secret());
        cache.remember(&credential(1), &secret(), key);
        assert_eq!(cache.len(), 0);
    }
}
