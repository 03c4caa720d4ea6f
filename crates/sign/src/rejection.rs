//! Why a signature was not accepted, as facts.
//!
//! What a rejection is called on the wire, and with which status, belongs to whoever speaks a
//! protocol. The texts are those that AWS answers with, so that they can be used as they are.

use std::fmt;
use std::time::Duration;

use http::HeaderName;
use tidemill_base::Timestamp;

use crate::presented::Form;
use crate::stamp::to_basic;

/// Why a signature was not accepted. A new reason is meant to break whoever matches on these: it
/// needs a name on the wire, too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The request is signed in a way that is not Signature Version 4 with HMAC and SHA-256.
    #[error("Unsupported AWS 'algorithm': '{algorithm}'.")]
    UnsupportedAlgorithm {
        /// The algorithm or the scheme that the request names.
        algorithm: String,
    },
    /// The request carries both an `Authorization` header and a signature in its query string.
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the \
             Authorization header should be specified"
    )]
    SignedTwice,
    /// Something in the `Authorization` header is not `key=value`.
    #[error(
        "Invalid key=value pair (missing equal-sign) in Authorization header \
             (hashed with SHA-256 and encoded with Base64): '{digest}'."
    )]
    MalformedHeader {
        /// The header's SHA-256 in Base64: the text may hold a credential, and is not repeated.
        digest: String,
    },
    /// The signature lacks parts.
    #[error("{0}")]
    Incomplete(MissingParts),
    /// The credential does not have its five parts.
    #[error(
        "Credential must have exactly 5 slash-delimited elements, \
             e.g. keyid/date/region/service/term, got '{credential}'"
    )]
    MalformedCredential {
        /// The credential as presented.
        credential: String,
    },
    /// The credential's scope does not end as it should.
    #[error(
        "Credential should be scoped with a valid terminator: 'aws4_request', \
             not '{terminator}'."
    )]
    WrongTerminator {
        /// What the scope ends with.
        terminator: String,
    },
    /// The credential's region cannot be one.
    #[error("Credential should be scoped to a valid region, not '{region}'.")]
    InvalidRegion {
        /// The region as presented.
        region: String,
    },
    /// The credential is scoped to another service than the one that was asked.
    #[error("Credential should be scoped to correct service: '{expected}'.")]
    WrongService {
        /// The signing name of the service that was asked.
        expected: String,
    },
    /// The request's time cannot be read.
    #[error(
        "Date must be in ISO-8601 'basic format'. Got '{date}'. \
             See http://en.wikipedia.org/wiki/ISO_8601"
    )]
    MalformedDate {
        /// The time as presented.
        date: String,
    },
    /// The scope is for another day than the one of the request's time.
    #[error("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
             from HTTP: '{scope}' != '{}', from '{}'.", day(*.signed), to_basic(*.signed))]
    DateMismatch {
        /// The scope's day.
        scope: String,
        /// The request's time.
        signed: Timestamp,
    },
    /// `X-Amz-Expires` is not a number of seconds from 1 to 604800 (a week).
    #[error("X-Amz-Expires must be a number of seconds between 1 and 604800, not '{expires}'")]
    InvalidExpiry {
        /// The expiry as presented.
        expires: String,
    },
    /// A header that must be covered by the signature is not.
    #[error("'{header}' must be a 'SignedHeader' in the AWS Authorization.")]
    UnsignedHeader {
        /// The header.
        header: HeaderName,
    },
    /// The request was signed too long ago.
    #[error("Signature expired: {} is now earlier than {} ({} - {}.)", to_basic(*.signed),
            to_basic(*.now - *.lifetime), to_basic(*.now), minutes(*.lifetime))]
    Expired {
        /// When the request says it was signed.
        signed: Timestamp,
        /// The server's time.
        now: Timestamp,
        /// For how long a signature is good.
        lifetime: Duration,
    },
    /// The request says that it was signed in the future.
    #[error("Signature not yet current: {} is still later than {} ({} + {}.)", to_basic(*.signed),
            to_basic(*.now + *.skew), to_basic(*.now), minutes(*.skew))]
    NotYetCurrent {
        /// When the request says it was signed.
        signed: Timestamp,
        /// The server's time.
        now: Timestamp,
        /// How far the two clocks may be apart.
        skew: Duration,
    },
    /// `x-amz-content-sha256` is not the hash of the body that came.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    WrongPayloadHash,
    /// `x-amz-content-sha256` names a way of sending a body that is not understood.
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value, \
             not '{payload}'."
    )]
    UnsupportedPayload {
        /// The header's value.
        payload: String,
    },
    /// The signature is not the one that this secret gives.
    #[error(
        "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. \
             Consult the service documentation for details."
    )]
    Unequal(Box<Unequal>),
}

/// What was signed on our side when a signature did not match: for whoever has to find out where
/// a client or a proxy differs. It repeats only what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unequal {
    /// The canonical form of the request.
    pub canonical_request: String,
    /// The text that was signed.
    pub string_to_sign: String,
}

/// A part that a signature cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Who signed, and for what.
    Credential,
    /// The signature itself.
    Signature,
    /// The list of the headers that it covers.
    SignedHeaders,
    /// When it was made.
    Date,
}

/// The parts that a signature lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingParts {
    /// Where the signature is.
    pub form: Form,
    /// What it lacks, at least one part.
    pub parts: Vec<Missing>,
    /// The `Authorization` header's SHA-256 in Base64, if it is there.
    pub digest: Option<String>,
}

impl fmt::Display for MissingParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            f.write_str(match (self.form, part) {
                (Form::Header, Missing::Credential) => {
                    "Authorization header requires 'Credential' parameter. "
                }
                (Form::Header, Missing::Signature) => {
                    "Authorization header requires 'Signature' parameter. "
                }
                (Form::Header, Missing::SignedHeaders) => {
                    "Authorization header requires 'SignedHeaders' parameter. "
                }
                (Form::Header, Missing::Date) => {
                    "Authorization header requires existence of either a 'X-Amz-Date' \
                     or a 'Date' header. "
                }
                (Form::Query, Missing::Credential) => {
                    "AWS query-string parameters must include 'X-Amz-Credential'. "
                }
                (Form::Query, Missing::Signature) => {
                    "AWS query-string parameters must include 'X-Amz-Signature'. "
                }
                (Form::Query, Missing::SignedHeaders) => {
                    "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
                }
                (Form::Query, Missing::Date) => {
                    "AWS query-string parameters must include 'X-Amz-Date'. "
                }
            })?;
        }
        match &self.digest {
            Some(digest) => {
                let hashed = "(Hashed with SHA-256 and encoded with Base64)";
                write!(f, "{hashed} Authorization={digest}")
            }
            None => f.write_str("Re-examine the query-string parameters."),
        }
    }
}

fn day(time: Timestamp) -> String {
    to_basic(time)[..8].to_owned()
}

fn minutes(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} sec"),
    }
}
