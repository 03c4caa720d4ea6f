//! The roles of instances: who acts in which, and the temporary keys that they are given.
//!
//! A role is called as the instance profile that names it, and has no policy yet: whoever acts in
//! it may do what the keys of its account may. While the service is open, each instance acts in
//! one, so that its programs need no keys, and that we know which of them receives a message.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tidemill_base::{Clock, Timestamp};
use tidemill_fleet::{Instance, InstanceId, Profile};
use tidemill_identity::{IdentityStore, Session, SessionKey, unique_id};

/// The variable that SDKs look in for where keys are to be had.
pub(crate) const KEYS_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// The variable that says what is shown there.
pub(crate) const KEYS_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
/// The path of the keys at an instance's own port.
pub(crate) const KEYS_PATH: &str = "/tidemill/credentials";

/// The role of an instance that was given none.
const USUAL: &str = "instance";
/// A new key is given so often within the life of one: each is good for most of it.
const KEYS_PER_LIFE: u64 = 6;

/// Who acts in which role.
#[derive(Debug)]
pub(crate) struct Roles {
    identity: Arc<IdentityStore>,
    clock: Clock,
    /// How long a key is good.
    life: Duration,
}

impl Roles {
    pub(crate) fn new(identity: Arc<IdentityStore>, clock: Clock, life: Duration) -> Self {
        Self { identity, clock, life }
    }

    /// The key of an instance by now, if it acts in a role: every instance at an open service,
    /// otherwise one that was launched with a profile.
    pub(crate) fn key(&self, instance: &Instance) -> Option<SessionKey> {
        let profile = instance.recipe.profile.as_ref().map(Profile::name);
        let role = match profile {
            Some(role) => role,
            None if !self.identity.has_credentials() => USUAL,
            None => return None,
        };
        let (now, life) = (self.clock.now().as_millis(), millis(self.life));
        let issued = now - now % (life / KEYS_PER_LIFE).max(1);
        let issued = Timestamp::from_millis(issued);
        self.identity.session_key(Session {
            account: instance.owner.account,
            role: role.to_owned(),
            name: instance.id.to_string(),
            issued,
            expires: issued + self.life,
        })
    }

    /// What an instance's programs are told: where they are given keys, and what to show there.
    pub(crate) fn told(
        &self,
        instance: &Instance,
        door: &str,
    ) -> Option<[(&'static str, String); 2]> {
        self.key(instance)?;
        let pass = self.identity.pass(&instance.id.to_string())?;
        let uri = format!("{door}{KEYS_PATH}");
        Some([(KEYS_URI, uri), (KEYS_TOKEN, pass.reveal().to_owned())])
    }

    /// Whether this is what the programs of an instance show to be given its keys.
    pub(crate) fn is_pass(&self, id: InstanceId, shown: &str) -> bool {
        let pass = self.identity.pass(&id.to_string());
        pass.is_some_and(|pass| pass.reveal().as_bytes().ct_eq(shown.as_bytes()).into())
    }
}

/// A key as SDKs read it where containers ask.
pub(crate) fn for_container(key: &SessionKey) -> Value {
    let SessionKey { session, id, secret, token } = key;
    json!({
        "RoleArn": format!("arn:aws:iam::{}:role/{}", session.account, session.role),
        "AccessKeyId": id,
        "SecretAccessKey": secret.reveal(),
        "Token": token.reveal(),
        "Expiration": written(session.expires),
    })
}

/// A key as the metadata service tells it.
pub(crate) fn for_metadata(key: &SessionKey) -> Value {
    let SessionKey { session, id, secret, token } = key;
    json!({
        "Code": "Success",
        "LastUpdated": written(session.issued),
        "Type": "AWS-HMAC",
        "AccessKeyId": id,
        "SecretAccessKey": secret.reveal(),
        "Token": token.reveal(),
        "Expiration": written(session.expires),
    })
}

/// The profile of an instance as the metadata service tells it.
pub(crate) fn profile(instance: &Instance, profile: &Profile, key: &SessionKey) -> Value {
    let arn = match profile {
        Profile::Arn(arn) => arn.clone(),
        Profile::Name(name) => {
            format!("arn:aws:iam::{}:instance-profile/{name}", instance.owner.account)
        }
    };
    json!({
        "Code": "Success",
        "LastUpdated": written(key.session.issued),
        "InstanceProfileId": unique_id("AIPA", &arn),
        "InstanceProfileArn": arn,
    })
}

fn written(at: Timestamp) -> String {
    let at = std::time::UNIX_EPOCH + Duration::from_secs(at.as_secs());
    humantime::format_rfc3339_seconds(at).to_string()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
