//! The access keys of a data directory, and its sessions: the state, and the journal that remembers
//! it.

use std::convert::Infallible;

use tidemill_base::{AccountId, Chance, Clock};
use tidemill_journal::{
    CheckpointError, CommitError, Driver, Ledger, OpenError, Options, Poisoned, Record, RecordRef,
    State, Unreadable,
};
use tidemill_sign::Secret;

use crate::identity::{Identity, RevokeRefusal};
use crate::key::AccessKey;
use crate::mode::Mode;
use crate::record::Event;
use crate::session::{BadToken, Seal, Session, SessionKey};

/// The access keys, kept in a journal of their own. What it shows is durable.
///
/// The journal holds the secrets as they are: a signature of the caller cannot be checked with
/// less. Its directory is for the server's user alone.
#[derive(Debug)]
pub struct IdentityStore {
    ledger: Ledger<Identity>,
    clock: Clock,
    chance: Chance,
}

/// Why a key was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// It cannot be.
    #[error(transparent)]
    Refused(#[from] RevokeRefusal),
    /// The journal accepts nothing more.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
}

impl IdentityStore {
    /// Opens the store that the driver holds, or begins an empty one. `clock` says when a key was
    /// made; ids and secrets are drawn from `chance`.
    ///
    /// # Errors
    /// If the journal does not open, or holds what this version does not understand.
    pub fn open(
        driver: impl Driver + 'static,
        options: Options,
        clock: Clock,
        chance: Chance,
    ) -> Result<Self, OpenError<Unreadable>> {
        let ledger = Ledger::open(driver, options, Identity::default())?;
        Ok(Self { ledger, clock, chance })
    }

    /// The key with this id, if it may be used. Takes a lock for as long as a look-up takes.
    pub fn find(&self, key_id: &str) -> Option<AccessKey> {
        self.ledger.read(|identity| identity.find(key_id).cloned())
    }

    /// How callers are treated.
    pub fn mode(&self) -> Mode {
        self.ledger.read(Identity::mode)
    }

    /// Whether a key was ever made.
    pub fn has_credentials(&self) -> bool {
        self.ledger.read(Identity::has_credentials)
    }

    /// Every key that was ever made, in the order of their ids.
    pub fn keys(&self) -> Vec<AccessKey> {
        self.ledger.read(|identity| identity.keys().cloned().collect())
    }

    /// Makes a key for the root of `account`. It can be used once this returns, and the way is no
    /// longer open to others.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn create_root_key(&self, account: AccountId) -> Result<AccessKey, Poisoned> {
        let mut made = None;
        let committed = self.ledger.commit(|identity| {
            let key = identity.new_root_key(account, self.clock.now(), &self.chance);
            made = Some(key.clone());
            Ok::<_, Infallible>(vec![record_of(&Event::KeyMade(key))])
        });
        match committed.await {
            Ok(()) => Ok(made.expect("a change is decided on before it is made")),
            Err(CommitError::Poisoned(poisoned)) => Err(poisoned),
            Err(CommitError::Refused(never)) => match never {},
            Err(CommitError::Unreadable(why)) => {
                unreachable!("a key with an id that no other has is always taken in: {why}")
            }
        }
    }

    /// Revokes a key, for good. It can no longer be used once this returns.
    ///
    /// # Errors
    /// If there is no such key, it was revoked before, or the journal accepts nothing more.
    pub async fn revoke(&self, key_id: &str) -> Result<(), RevokeError> {
        let decide = |identity: &Identity| Ok(vec![record_of(&identity.revoke(key_id)?)]);
        match self.ledger.commit(decide).await {
            Ok(()) => Ok(()),
            Err(CommitError::Refused(refusal)) => Err(RevokeError::Refused(refusal)),
            Err(CommitError::Poisoned(poisoned)) => Err(RevokeError::Poisoned(poisoned)),
            Err(CommitError::Unreadable(why)) => {
                unreachable!("a key that was made can be revoked: {why}")
            }
        }
    }

    /// Sees to it that sessions can be made: to be called when a service starts.
    ///
    /// # Errors
    /// If the journal accepts nothing more.
    pub async fn found(&self) -> Result<(), Poisoned> {
        let committed = self.ledger.commit(|identity| {
            let seal = identity.seal().is_none().then(|| Seal::random(&self.chance));
            let sealed = seal.map(|seal| record_of(&Event::Sealed(seal)));
            Ok::<_, Infallible>(sealed.into_iter().collect())
        });
        match committed.await {
            Ok(()) => Ok(()),
            Err(CommitError::Poisoned(poisoned)) => Err(poisoned),
            Err(CommitError::Refused(never)) => match never {},
            Err(CommitError::Unreadable(why)) => unreachable!("a seal is always taken in: {why}"),
        }
    }

    /// The temporary key of a session: the same for the same session, now and after a restart. None
    /// before [`IdentityStore::found`] was called, and for a role or a session whose name is empty
    /// or longer than 128 bytes.
    pub fn session_key(&self, session: Session) -> Option<SessionKey> {
        self.ledger.read(|identity| identity.seal().cloned())?.key(session)
    }

    /// The session that a request's key id and token name. Whether its time is over is for the
    /// caller to look at.
    ///
    /// # Errors
    /// If they are not ours, or do not belong together.
    pub fn session(&self, key_id: &str, token: &str) -> Result<SessionKey, BadToken> {
        let seal = self.ledger.read(|identity| identity.seal().cloned());
        seal.ok_or(BadToken)?.open(key_id, token)
    }

    /// What whoever is called `name` shows to be given its keys: the same after a restart. None
    /// before [`IdentityStore::found`] was called.
    pub fn pass(&self, name: &str) -> Option<Secret> {
        self.ledger.read(|identity| identity.seal().map(|seal| seal.pass(name)))
    }

    /// Makes a checkpoint, so that the next open replays nothing. Blocks.
    ///
    /// # Errors
    /// If it cannot be stored; the one before stays in force.
    pub fn checkpoint(&self) -> Result<(), CheckpointError> {
        self.ledger.checkpoint()
    }

    /// Why the journal accepts nothing more, if so.
    pub fn failure(&self) -> Option<Poisoned> {
        self.ledger.journal().is_poisoned().map(Poisoned)
    }

    /// Writes and syncs what is pending, and accepts nothing more.
    ///
    /// # Errors
    /// If the journal had stopped before.
    pub fn close(&self) -> Result<(), Poisoned> {
        self.ledger.journal().close()
    }
}

impl State for Identity {
    fn apply(&mut self, record: RecordRef<'_>) -> Result<(), Unreadable> {
        let taken = Event::read(record).and_then(|event| self.happened(event));
        taken.map_err(|why| {
            let (kind, version) = (record.kind.0, record.version);
            Unreadable(format!("a record of kind {kind}, version {version}: {why}"))
        })
    }

    fn snapshot(&self) -> Vec<u8> {
        self.encode()
    }

    fn restore(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::decode(bytes).map_err(|why| Unreadable(format!("the snapshot of the keys: {why}")))
    }
}

fn record_of(event: &Event) -> Record {
    let (kind, version, payload) = event.encode();
    Record { kind, version, payload: payload.into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidemill_base::{ByteSize, Timestamp};
    use tidemill_journal::{Keep, Kind, MemoryDriver};

    use super::*;
    use crate::key::Principal;

    fn open(driver: &MemoryDriver) -> IdentityStore {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        let options = Options { segment_size: ByteSize::kib(64), ..Options::default() };
        let chance = Chance::seeded(1);
        IdentityStore::open(driver.clone(), options, clock, chance).unwrap()
    }

    #[tokio::test]
    async fn a_key_can_be_used_once_it_was_made_and_says_whose_it_is() {
        let store = open(&MemoryDriver::new());
        assert_eq!((store.mode(), store.has_credentials()), (Mode::Open, false));
        store.clock.advance(Duration::from_secs(1));
        let account = AccountId::from_u64(42).unwrap();
        let key = store.create_root_key(account).await.unwrap();
        assert_eq!(key.account, account);
        assert_eq!(key.principal, Principal::Root);
        assert_eq!(key.created, Timestamp::from_millis(2_000));
        assert_eq!(store.find(key.id.as_str()), Some(key));
        assert_eq!((store.mode(), store.has_credentials()), (Mode::Guarded, true));
    }

    #[tokio::test]
    async fn keys_survive_the_machine_and_so_do_revocations() {
        let driver = MemoryDriver::new();
        let store = open(&driver);
        let first = store.create_root_key(AccountId::DEFAULT).await.unwrap();
        let second = store.create_root_key(AccountId::DEFAULT).await.unwrap();
        store.revoke(first.id.as_str()).await.unwrap();
        drop(store);
        driver.crash(&Keep::Synced);
        let store = open(&driver);
        assert_eq!(store.find(first.id.as_str()), None);
        assert_eq!(store.find(second.id.as_str()), Some(second));
        assert_eq!(store.keys().len(), 2);
    }

    #[tokio::test]
    async fn a_checkpoint_holds_what_the_records_before_it_said() {
        let driver = MemoryDriver::new();
        let store = open(&driver);
        let first = store.create_root_key(AccountId::DEFAULT).await.unwrap();
        store.checkpoint().unwrap();
        store.revoke(first.id.as_str()).await.unwrap();
        let keys = store.keys();
        store.close().unwrap();
        drop(store);
        assert_eq!(open(&driver).keys(), keys);
    }

    #[tokio::test]
    async fn what_cannot_be_revoked_is_refused() {
        let store = open(&MemoryDriver::new());
        let key = store.create_root_key(AccountId::DEFAULT).await.unwrap();
        store.revoke(key.id.as_str()).await.unwrap();
        let again = store.revoke(key.id.as_str()).await;
        assert!(matches!(again, Err(RevokeError::Refused(RevokeRefusal::AlreadyRevoked))));
        let nobody = store.revoke("nobody").await;
        assert!(matches!(nobody, Err(RevokeError::Refused(RevokeRefusal::NoSuchKey))));
    }

    #[tokio::test]
    async fn a_session_outlives_the_machine_and_opens_the_way_to_nobody() {
        let driver = MemoryDriver::new();
        let store = open(&driver);
        let session = Session {
            account: AccountId::DEFAULT,
            role: "worker".to_owned(),
            name: "i-1".to_owned(),
            issued: Timestamp::EPOCH,
            expires: Timestamp::from_millis(60_000),
        };
        assert_eq!((store.session_key(session.clone()), store.pass("i-1")), (None, None));
        store.found().await.unwrap();
        let (key, pass) = (store.session_key(session).unwrap(), store.pass("i-1"));
        drop(store);
        driver.crash(&Keep::Synced);
        for _ in 0..2 {
            let store = open(&driver);
            store.found().await.unwrap();
            assert_eq!(store.session(&key.id, key.token.reveal()), Ok(key.clone()));
            assert_eq!(store.session("ASIAAAAAAAAAAAAAAAAA", key.token.reveal()), Err(BadToken));
            assert_eq!((store.pass("i-1"), store.mode()), (pass.clone(), Mode::Open));
            store.checkpoint().unwrap();
            store.close().unwrap();
        }
    }

    #[tokio::test]
    async fn a_closed_store_makes_no_keys() {
        let store = open(&MemoryDriver::new());
        store.close().unwrap();
        assert!(store.create_root_key(AccountId::DEFAULT).await.is_err());
        assert_eq!(store.mode(), Mode::Open);
    }

    #[test]
    fn a_record_that_is_not_understood_is_named() {
        let record = RecordRef { kind: Kind(0x7f), version: 3, payload: b"" };
        assert_eq!(
            Identity::default().apply(record).unwrap_err().to_string(),
            "a record of kind 127, version 3: its kind or version is unknown"
        );
    }
}
