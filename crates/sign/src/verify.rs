//! Whether a request was signed by the holder of a secret, and now.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderName;
use http::header::HOST;
use subtle::ConstantTimeEq;
use tidemill_base::{Header, Headers, Timestamp, header_text};

use crate::canonical::{canonical_request, string_to_sign, to_hex};
use crate::keys::KeyCache;
use crate::presented::{Form, Presented};
use crate::rejection::{Rejection, Unequal};
use crate::request::{CONTENT_SHA256, Request, SECURITY_TOKEN};
use crate::secret::Secret;
use crate::stamp::to_basic;

/// What `x-amz-content-sha256` says when the body is not covered.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// When a signature counts as fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The server's time.
    pub now: Timestamp,
    /// How far the client's clock may be from it, either way.
    pub skew: Duration,
}

impl Window {
    /// What AWS allows a client of the Query protocol.
    pub const QUERY_SKEW: Duration = Duration::from_mins(15);
    /// What AWS allows a client of the JSON protocols.
    pub const JSON_SKEW: Duration = Duration::from_mins(5);
}

/// Verifies that `request`, which presents `presented`, was signed with `secret` within `window`.
///
/// # Errors
/// The first reason found why not, checked in this order: a header that must be covered is not,
/// the scope's day, the time, the body's hash, the signature.
pub fn verify(
    presented: &Presented,
    request: &Request<'_>,
    secret: &Secret,
    window: Window,
    keys: &KeyCache,
) -> Result<(), Rejection> {
    check_coverage(presented.signed_headers(), request.headers)?;
    let basic_time = to_basic(presented.time());
    check_scope_day(presented, &basic_time)?;
    check_time(presented, window)?;
    let payload_hash = payload_hash(request)?;

    let canonical = canonical_request(request, presented.signed_headers(), &payload_hash);
    let credential = presented.credential();
    let to_sign = string_to_sign(&basic_time, credential.scope(), &canonical);
    let key = keys.get(credential, secret);
    let expected = key.sign(&to_sign);
    let equal = presented.signature().is_some_and(|given| given.ct_eq(&expected).into());
    if !equal {
        return Err(Rejection::Unequal(Box::new(Unequal {
            canonical_request: String::from_utf8_lossy(&canonical).into_owned(),
            string_to_sign: to_sign,
        })));
    }
    keys.remember(credential, secret, key);
    Ok(())
}

impl Presented {
    /// Checks that the signature is scoped to `service`, by its signing name.
    ///
    /// # Errors
    /// [`Rejection::WrongService`] if it is scoped to another.
    pub fn check_service(&self, service: &str) -> Result<(), Rejection> {
        if self.credential().service() == service {
            return Ok(());
        }
        Err(Rejection::WrongService { expected: service.to_owned() })
    }
}

/// `host` is signed, or a request could be sent on to another endpoint; and so is each `x-amz-*`
/// header, or its meaning could be changed on the way. Only the token is free to come unsigned:
/// some clients add it after signing, and whoever looks up a temporary key compares its token.
fn check_coverage(signed: &[HeaderName], headers: Headers<'_>) -> Result<(), Rejection> {
    if !signed.contains(&HOST) {
        return Err(Rejection::UnsignedHeader { header: HOST });
    }
    for Header { name, .. } in headers.iter() {
        let ours = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        let Some(header) = ours.then(|| HeaderName::from_bytes(name.as_bytes()).ok()).flatten()
        else {
            continue;
        };
        if header != SECURITY_TOKEN && !signed.contains(&header) {
            return Err(Rejection::UnsignedHeader { header });
        }
    }
    Ok(())
}

fn check_scope_day(presented: &Presented, basic_time: &str) -> Result<(), Rejection> {
    let scope = presented.credential().date();
    if scope == &basic_time[..8] {
        return Ok(());
    }
    Err(Rejection::DateMismatch { scope: scope.to_owned(), signed: presented.time() })
}

fn check_time(presented: &Presented, Window { now, skew }: Window) -> Result<(), Rejection> {
    let signed = presented.time();
    if signed > now + skew {
        return Err(Rejection::NotYetCurrent { signed, now, skew });
    }
    // A presigned URL that does not say how long it is good is good as long as any signature.
    let lifetime = match presented.form() {
        Form::Header => skew,
        Form::Query => presented.lifetime().unwrap_or(skew),
    };
    if now.since(signed) > lifetime {
        return Err(Rejection::Expired { signed, now, lifetime });
    }
    Ok(())
}

/// What stands for the body in the canonical request: its hash, unless the client says that it
/// left the body out.
fn payload_hash<'a>(request: &Request<'a>) -> Result<Cow<'a, str>, Rejection> {
    let Some(claimed) = request.headers.get(CONTENT_SHA256) else {
        return Ok(Cow::Owned(to_hex(&request.payload.sha256())));
    };
    let unsupported =
        || Rejection::UnsupportedPayload { payload: String::from_utf8_lossy(claimed).into_owned() };
    let claimed = header_text(claimed).ok_or_else(unsupported)?;
    if claimed == UNSIGNED_PAYLOAD {
        return Ok(Cow::Borrowed(claimed));
    }
    let mut hash = [0; 32];
    hex::decode_to_slice(claimed, &mut hash).map_err(|_| unsupported())?;
    if hash != request.payload.sha256() {
        return Err(Rejection::WrongPayloadHash);
    }
    Ok(Cow::Borrowed(claimed))
}
