//! The client's half: signing a request, so that our own commands can talk to any endpoint.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use tidemill_base::{Header, Headers, Region, Timestamp};

use crate::canonical::{ALGORITHM, canonical_request, joined, string_to_sign, to_hex};
use crate::credential::TERMINATOR;
use crate::keys::SigningKey;
use crate::request::{AMZ_DATE, CONTENT_SHA256, Request, SECURITY_TOKEN};
use crate::secret::Secret;
use crate::stamp::to_basic;

/// Who signs, and for what.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The access key's id.
    pub key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// The session token, if the key is a temporary one.
    pub session_token: Option<String>,
    /// The region that the request is for.
    pub region: Region,
    /// The signing name of the service that the request is for.
    pub service: String,
}

/// Why a request cannot be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsignable {
    /// There is no `host` header, which every signature covers.
    #[error("a request without a host header cannot be signed")]
    NoHost,
    /// The key's id, the service or the session token has characters that no header can carry.
    #[error("the key's id, the service or the session token cannot stand in a header")]
    NotHeaderText,
}

/// Signs a request: returns the headers to add to it, which are `x-amz-date`, `authorization` and,
/// for a temporary key, `x-amz-security-token`. They replace any of the same name.
///
/// The signature covers `host`, `content-type` and every `x-amz-*` header, as AWS asks, and none
/// that something between here and there might change.
///
/// # Errors
/// If the request has no `host`, or the signer's texts do not fit into headers.
pub fn sign_request(
    request: &Request<'_>,
    signer: &Signer,
    now: Timestamp,
) -> Result<HeaderMap, Unsignable> {
    if request.headers.get(HOST).is_none() {
        return Err(Unsignable::NoHost);
    }
    let time = to_basic(now);
    let mut added = HeaderMap::new();
    added.insert(AMZ_DATE, value(&time)?);
    if let Some(token) = &signer.session_token {
        added.insert(SECURITY_TOKEN, value(token)?);
    }
    let mut headers: Vec<Header<'_>> = request.headers.iter().collect();
    headers.retain(|header| !added.contains_key(header.name));
    headers.extend(Headers::from(&added).iter());
    let name = |header: &Header<'_>| HeaderName::from_bytes(header.name.as_bytes()).ok();
    let mut signed: Vec<HeaderName> = headers.iter().filter_map(name).filter(covers).collect();
    signed.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    signed.dedup();

    let request = Request { headers: headers.as_slice().into(), ..*request };
    let payload_hash = payload_hash(&request);
    let canonical = canonical_request(&request, &signed, &payload_hash);
    let Signer { key_id, secret, region, service, .. } = signer;
    let day = &time[..8];
    let scope = format!("{day}/{region}/{service}/{TERMINATOR}");
    let key = SigningKey::derive(secret, day, region.as_str(), service);
    let signature = to_hex(&key.sign(&string_to_sign(&time, &scope, &canonical)));
    let authorization = format!(
        "{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={}, Signature={signature}",
        joined(&signed)
    );
    added.insert(AUTHORIZATION, value(&authorization)?);
    Ok(added)
}

fn covers(name: &HeaderName) -> bool {
    *name == HOST || *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-")
}

/// What stands for the body: what the caller says of it, or its hash.
fn payload_hash(request: &Request<'_>) -> String {
    let said = request.headers.text(CONTENT_SHA256);
    said.map_or_else(|| to_hex(&request.payload.sha256()), str::to_owned)
}

fn value(text: &str) -> Result<HeaderValue, Unsignable> {
    HeaderValue::from_str(text).map_err(|_| Unsignable::NotHeaderText)
}
