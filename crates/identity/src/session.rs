//! A session: somebody who acts in a role for a time, and the temporary key that says so.
//!
//! Nothing is remembered of a session. All that there is to know stands in its token, under a seal
//! that only we can make; the key's id and its secret are derived from that. So a session costs no
//! record and no memory, survives a restart, and is forgotten by ending.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tidemill_base::{AccountId, Chance, Timestamp};
use tidemill_sign::Secret;
use zeroize::Zeroizing;

use crate::encoding::{Malformed, Reader, put_number, put_text};
use crate::key::base_32;

/// Somebody who acts in a role for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The account that the role belongs to.
    pub account: AccountId,
    /// The role, by its name.
    pub role: String,
    /// What the session is called: of an instance's, the instance's id.
    pub name: String,
    /// When it begins.
    pub issued: Timestamp,
    /// When it ends: from then on nothing may be signed with its key.
    pub expires: Timestamp,
}

/// The temporary key of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey {
    /// The session.
    pub session: Session,
    /// The key's public half: `ASIA` and 16 of `A-Z 2-7`.
    pub id: String,
    /// Its secret half: 40 characters of the Base64 alphabet.
    pub secret: Secret,
    /// What a request must show besides. Without the secret it is of no use, yet it is not printed.
    pub token: Secret,
}

/// What is shown is no key of ours: the token was made up or changed, or belongs to another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not ours, or belongs to another key")]
pub struct BadToken;

/// What seals tokens. Whoever knows it can act in any role.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seal(Arc<Zeroizing<[u8; 32]>>);

/// The longest name of a role or of a session, in bytes.
const LONGEST: usize = 128;
/// The longest token, in characters of Base64.
const LONGEST_TOKEN: usize = 512;
/// The layout of a token: version, account, issued, expires (u64 each), role, name (text each,
/// after its length as a byte), tag (16 bytes). To change it: count up, and read the older for as
/// long as sessions last.
const VERSION: u8 = 1;
const TAG: usize = 16;
const PREFIX: &str = "ASIA";

impl Session {
    /// What AWS calls the session's role besides its name: `AROA` and 16 of `A-Z 2-7`.
    pub fn role_id(&self) -> String {
        unique_id("AROA", &format!("{}/{}", self.account, self.role))
    }
}

/// What AWS calls a thing besides its name: a prefix, which says what it is, and 16 of `A-Z 2-7`.
/// The same thing is always called the same.
pub fn unique_id(prefix: &str, thing: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(thing.as_bytes()).into();
    prefix.chars().chain(digest[..16].iter().map(|byte| base_32(*byte))).collect()
}

impl Seal {
    pub(crate) fn random(chance: &Chance) -> Self {
        Self::from_bytes(chance.bytes())
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of a session; none if the name of its role, or its own, is empty or longer than 128
    /// bytes.
    pub(crate) fn key(&self, session: Session) -> Option<SessionKey> {
        let fits = |name: &str| (1..=LONGEST).contains(&name.len());
        if !fits(&session.role) || !fits(&session.name) {
            return None;
        }
        let mut said = vec![VERSION];
        for number in [session.account.as_u64(), session.issued.as_millis()] {
            put_number(&mut said, number);
        }
        put_number(&mut said, session.expires.as_millis());
        put_text(&mut said, &session.role);
        put_text(&mut said, &session.name);
        Some(self.key_of(session, &said))
    }

    /// The key that a token belongs to, whether or not its time is over.
    pub(crate) fn open(&self, key_id: &str, token: &str) -> Result<SessionKey, BadToken> {
        if token.len() > LONGEST_TOKEN {
            return Err(BadToken);
        }
        let bytes = STANDARD.decode(token).map_err(|_| BadToken)?;
        let (said, tag) =
            bytes.split_at_checked(bytes.len().saturating_sub(TAG)).ok_or(BadToken)?;
        let is_ours: bool = self.mac("seal", said)[..TAG].ct_eq(tag).into();
        if !is_ours {
            return Err(BadToken);
        }
        let key = self.key_of(read(said).map_err(|_| BadToken)?, said);
        if key.id == key_id { Ok(key) } else { Err(BadToken) }
    }

    /// What whoever is called `name` shows to be given its keys.
    pub(crate) fn pass(&self, name: &str) -> Secret {
        Secret::new(STANDARD.encode(self.mac("pass", name.as_bytes())))
    }

    fn key_of(&self, session: Session, said: &[u8]) -> SessionKey {
        let id = self.mac("id", said);
        let id = id[..16].iter().map(|byte| base_32(*byte));
        let secret = Zeroizing::new(self.mac("secret", said));
        let token = [said, &self.mac("seal", said)[..TAG]].concat();
        SessionKey {
            session,
            id: PREFIX.chars().chain(id).collect(),
            secret: Secret::new(STANDARD.encode(&secret[..30])),
            token: Secret::new(STANDARD.encode(token)),
        }
    }

    /// Each purpose has codes of its own, so that none can be shown for another.
    fn mac(&self, purpose: &str, said: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("any key will do");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(said);
        mac.finalize().into_bytes().into()
    }
}

fn read(said: &[u8]) -> Result<Session, Malformed> {
    let mut reader = Reader::new(said);
    if reader.byte()? != VERSION {
        return Err(Malformed("its version is unknown"));
    }
    let account =
        AccountId::from_u64(reader.number()?).ok_or(Malformed("there is no such account"))?;
    let issued = Timestamp::from_millis(reader.number()?);
    let expires = Timestamp::from_millis(reader.number()?);
    let (role, name) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    reader.end()?;
    Ok(Session { account, role, name, issued, expires })
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(seed: u64) -> Seal {
        Seal::random(&Chance::seeded(seed))
    }

    fn session() -> Session {
        Session {
            account: AccountId::from_u64(42).unwrap(),
            role: "worker".to_owned(),
            name: "i-00000000000000abc".to_owned(),
            issued: Timestamp::from_millis(1_000),
            expires: Timestamp::from_millis(61_000),
        }
    }

    #[test]
    fn a_token_opens_for_its_key_and_says_whose_it_is() {
        let key = seal(1).key(session()).unwrap();
        let opened = seal(1).open(&key.id, key.token.reveal()).unwrap();
        assert_eq!(opened, key);
        assert_eq!(opened.session, session());
        assert_eq!((key.id.len(), key.secret.reveal().len()), (20, 40));
        assert!(key.id.starts_with("ASIA"));
        assert_eq!(seal(1).key(session()), Some(key));
    }

    #[test]
    fn a_token_that_is_not_ours_or_was_changed_does_not_open() {
        let key = seal(1).key(session()).unwrap();
        let token = key.token.reveal();
        assert_eq!(seal(2).open(&key.id, token), Err(BadToken));
        let later = Session { expires: Timestamp::from_millis(62_000), ..session() };
        let other = seal(1).key(later).unwrap();
        assert_ne!((&other.id, &other.secret), (&key.id, &key.secret));
        assert_eq!(seal(1).open(&other.id, token), Err(BadToken));
        let bytes = STANDARD.decode(token).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(seal(1).open(&key.id, &STANDARD.encode(changed)), Err(BadToken));
        }
        for bad in ["", "A", "garbage", &token[4..], &"A".repeat(10_000)] {
            assert_eq!(seal(1).open(&key.id, bad), Err(BadToken), "{bad:?}");
        }
    }

    #[test]
    fn nothing_that_is_secret_is_printed() {
        let key = seal(1).key(session()).unwrap();
        let printed = format!("{key:?} {:?}", seal(1));
        assert!(!printed.contains(key.secret.reveal()) && !printed.contains(key.token.reveal()));
    }

    #[test]
    fn names_have_their_limits() {
        for role in [String::new(), "r".repeat(129)] {
            assert_eq!(seal(1).key(Session { role, ..session() }), None);
        }
        let longest = Session { role: "r".repeat(128), name: "n".repeat(128), ..session() };
        let key = seal(1).key(longest).unwrap();
        assert!(seal(1).open(&key.id, key.token.reveal()).is_ok());
    }

    #[test]
    fn a_pass_is_of_its_name_alone() {
        assert_eq!(seal(1).pass("i-1"), seal(1).pass("i-1"));
        assert_ne!(seal(1).pass("i-1"), seal(1).pass("i-2"));
        assert_ne!(seal(1).pass("i-1"), seal(2).pass("i-1"));
    }
}
