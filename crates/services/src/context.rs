//! What a handler may know of a request besides its parameters.

use std::fmt;

use tidemill_base::{AccountId, Region};
use tidemill_fleet::InstanceId;
use tidemill_queue::Holder;
use tidemill_wire::Protocol;

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The owner of an account, who may do all in it.
    Root(AccountId),
    /// Somebody who acts in a role, as the programs of instances do.
    Role(Box<RoleSession>),
    /// Somebody at an open service: whatever account the key named, nothing was verified.
    Anyone(AccountId),
}

/// Somebody who acts in a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSession {
    /// The account that the role belongs to.
    pub account: AccountId,
    /// The role, by its name.
    pub role: String,
    /// What AWS calls the role besides: `AROA` and 16 of `A-Z 2-7`.
    pub role_id: String,
    /// What the session is called: of an instance's, the instance's id.
    pub name: String,
    /// Whether the request was signed by it. At an open service nothing is looked at but the token,
    /// which nobody else can make up.
    pub is_verified: bool,
}

impl Principal {
    /// The account that the principal acts in.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Root(account) | Self::Anyone(account) => *account,
            Self::Role(session) => session.account,
        }
    }

    /// What AWS calls it in few characters: an account, or a role and its session.
    pub fn user_id(&self) -> String {
        match self {
            Self::Root(account) | Self::Anyone(account) => account.text(),
            Self::Role(session) => format!("{}:{}", session.role_id, session.name),
        }
    }

    /// Whether it may do things in `account`. There are no policies yet: whoever is of an account
    /// may do all in it, and at an open service nobody is asked.
    pub fn is_of(&self, account: AccountId) -> bool {
        match self {
            Self::Root(own) => *own == account,
            Self::Role(session) => !session.is_verified || session.account == account,
            Self::Anyone(_) => true,
        }
    }

    /// The instance whose programs ask, if it is one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Role(session) => session.name.parse().ok(),
            Self::Root(_) | Self::Anyone(_) => None,
        }
    }

    /// The same, as the engine of queues knows those who receive.
    pub fn holder(&self) -> Option<Holder> {
        self.instance().and_then(holder_of)
    }
}

/// An instance as the engine of queues knows those who receive.
pub fn holder_of(instance: InstanceId) -> Option<Holder> {
    Holder::from_u64(instance.as_u64())
}

/// The instance that receives as this holder.
pub fn instance_of(holder: Holder) -> InstanceId {
    InstanceId::from_u64(holder.as_u64())
}

/// The principal as AWS names it: an ARN.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account();
        match self {
            Self::Root(_) | Self::Anyone(_) => write!(f, "arn:aws:iam::{account}:root"),
            Self::Role(session) => {
                let RoleSession { role, name, .. } = &**session;
                write!(f, "arn:aws:sts::{account}:assumed-role/{role}/{name}")
            }
        }
    }
}

/// Scheme and host that a client used. Queue URLs begin with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseUrl<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host, with its port if it has one.
    pub host: &'a str,
}

impl fmt::Display for BaseUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)
    }
}

/// A request's surroundings.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Who asks.
    pub principal: Principal,
    /// The region that the caller signed for, or the default one.
    pub region: Region,
    /// Where the client found us.
    pub base_url: BaseUrl<'a>,
    /// How the caller speaks: some answers differ by it.
    pub protocol: Protocol,
    /// What the caller traces, as its `X-Amzn-Trace-Id` says.
    pub trace_header: Option<&'a str>,
}

impl Context<'_> {
    /// The account that the caller acts in.
    pub const fn account(&self) -> AccountId {
        self.principal.account()
    }

    /// Whether the caller speaks Query, where a list without items is no list.
    pub const fn speaks_query(&self) -> bool {
        matches!(self.protocol, Protocol::Query | Protocol::QueryJson)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, is_verified: bool) -> Principal {
        Principal::Role(Box::new(RoleSession {
            account: AccountId::DEFAULT,
            role: "worker".to_owned(),
            role_id: "AROAAAAAAAAAAAAAAAAA".to_owned(),
            name: name.to_owned(),
            is_verified,
        }))
    }

    #[test]
    fn a_session_is_called_as_on_aws() {
        let session = role("i-00000000000000abc", true);
        let arn = "arn:aws:sts::000000000000:assumed-role/worker/i-00000000000000abc";
        assert_eq!(session.to_string(), arn);
        assert_eq!(session.user_id(), "AROAAAAAAAAAAAAAAAAA:i-00000000000000abc");
    }

    #[test]
    fn a_session_is_its_instance_if_it_is_called_so() {
        let holder = role("i-00000000000000abc", true).holder().unwrap();
        assert_eq!(instance_of(holder), InstanceId::from_u64(0xabc));
        assert_eq!(role("somebody", true).holder(), None);
        assert_eq!(Principal::Root(AccountId::DEFAULT).holder(), None);
    }

    #[test]
    fn a_session_that_was_verified_stays_in_its_account() {
        let other = AccountId::from_u64(42).unwrap();
        assert!(role("i-00000000000000abc", true).is_of(AccountId::DEFAULT));
        assert!(!role("i-00000000000000abc", true).is_of(other));
        assert!(role("i-00000000000000abc", false).is_of(other));
    }
}
