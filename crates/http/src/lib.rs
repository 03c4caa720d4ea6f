//! HTTP/1.1, as a server of small requests speaks it: requests read within limits, each answered
//! in order, whole.
//!
//! Floor 1. One task a connection goes from request to request. A request that has come whole is
//! answered from the bytes it came in: nothing of it is copied, and its headers become no map. It
//! knows no API, opens no socket, and speaks over whatever stream it is given.
//!
//! What it does with a request that can be read in two ways is to refuse it, since whoever stands
//! before us may have read it in the other: see [`Malformed`].

mod answer;
mod budget;
mod chunks;
mod connection;
mod head;
mod idle;
mod patient;
mod room;

use std::future::Future;
use std::time::Duration;

use http::Method;
use tidemill_base::{ByteSize, Clock, Headers};

pub use answer::Answer;
pub use budget::{Budget, Held};
pub use chunks::{Chunks, Progress};
pub use connection::{linger, serve};
pub use head::{Framing, Head, Malformed, Version};

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, still percent-encoded.
    pub path: &'a str,
    /// What follows the question mark, still percent-encoded.
    pub query: Option<&'a str>,
    /// Its headers.
    pub headers: Headers<'a>,
    /// Its body, or why it was not taken: then the connection ends with the answer.
    pub body: Result<&'a [u8], Untaken>,
}

/// Answers requests.
pub trait Handler: Send + Sync {
    /// Answers one. Dropped when the client hangs up first.
    fn answer(&self, request: Request<'_>) -> impl Future<Output = Answer> + Send;
}

/// What connections may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How large a head may be: request line and headers.
    pub head: ByteSize,
    /// How large a body may be.
    pub body: ByteSize,
    /// How long a head may take to come, and a connection to rest: up to twice as long.
    pub head_timeout: Duration,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// How long nothing of an answer may be taken.
    pub write_timeout: Duration,
}

/// What all connections share.
pub struct Door<H> {
    /// Answers.
    pub handler: H,
    /// What a connection may take.
    pub limits: Limits,
    /// What they may take together.
    pub budget: Budget,
    /// The time that answers carry.
    pub clock: Clock,
}

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untaken {
    /// It is larger than allowed.
    #[error("the request body is larger than {0}")]
    TooLarge(ByteSize),
    /// It did not arrive in time.
    #[error("the request body did not arrive within {0:?}")]
    TooSlow(Duration),
    /// Others hold what memory there is.
    #[error("the requests under way take all the memory they may: try again")]
    TooMuch,
    /// The connection broke, or what came is no body.
    #[error("the request body broke off")]
    BrokenOff,
}
