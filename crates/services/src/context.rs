//! What a handler may know of a request besides its parameters.

use std::fmt;

use tidemill_base::{AccountId, Region};

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

/// A request's surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who asks.
    pub principal: Principal,
    /// The region that the caller signed for, or the default one.
    pub region: Region,
    /// Scheme and host that the client used, which the queue URLs carry; no slash at the end.
    pub base_url: String,
}

impl Context {
    /// The account that the caller acts in.
    pub const fn account(&self) -> AccountId {
        self.principal.account()
    }
}
