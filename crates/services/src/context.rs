//! What a handler may know of a request besides its parameters.

use std::fmt;

use tidemill_base::{AccountId, Region};
use tidemill_wire::Protocol;

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The owner of an account, who may do all in it.
    Root(AccountId),
    /// Somebody at an open service: whatever account the key named, nothing was verified.
    Anyone(AccountId),
}

impl Principal {
    /// The account that the principal acts in.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Root(account) | Self::Anyone(account) => *account,
        }
    }
}

/// The principal as AWS names it: an ARN.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:iam::{}:root", self.account())
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
