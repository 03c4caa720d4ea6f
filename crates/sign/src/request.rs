//! A request as it is signed: the parts that take part in a signature, and nothing else.

use http::{HeaderName, Method};
use sha2::{Digest, Sha256};
use tidemill_base::Headers;

/// The header that says when a request was signed.
pub(crate) const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// The header that stands for the body.
pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
/// The header with the token of a temporary key.
pub(crate) const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The parts of a request that a signature covers, as they came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path as the client sent it, still percent-encoded.
    pub path: &'a str,
    /// What follows the `?`, still percent-encoded; empty if there is none.
    pub query: &'a str,
    /// The headers. `host` must be among them: over HTTP/2 the caller puts `:authority` there.
    pub headers: Headers<'a>,
    /// The body, or its hash.
    pub payload: Payload<'a>,
}

/// A request's body, or its hash where the caller has it already.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// The whole body.
    Body(&'a [u8]),
    /// The SHA-256 of the whole body.
    Sha256([u8; 32]),
}

impl Payload<'_> {
    pub(crate) fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Body(body) => Sha256::digest(body).into(),
            Self::Sha256(hash) => *hash,
        }
    }
}
