//! What a request presents: who it says signed it, for what, when, and with which signature.
//!
//! Reading it needs no secret, so that a server which verifies nothing still learns the key's id,
//! the region and the service from it.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use http::header::{AUTHORIZATION, DATE};
use sha2::{Digest, Sha256};
use tidemill_base::{Headers, Timestamp, header_text};

use crate::canonical::{ALGORITHM, parameters};
use crate::credential::Credential;
use crate::rejection::{Missing, MissingParts, Rejection};
use crate::request::{AMZ_DATE, Request, SECURITY_TOKEN};
use crate::stamp::{from_basic, from_date_header};

/// Where a request carries its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query string (a presigned URL).
    Query,
}

/// A signature as a request presents it, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    form: Form,
    credential: Credential,
    /// Sorted, without doubles.
    signed_headers: Vec<HeaderName>,
    /// `None` if what was sent cannot be a signature.
    signature: Option<[u8; 32]>,
    time: Timestamp,
    lifetime: Option<Duration>,
    session_token: Option<String>,
}

impl Presented {
    /// Reads the signature of a request; `None` if it carries none.
    ///
    /// # Errors
    /// If there is one, but it is not of this version or not whole.
    pub fn of(request: &Request<'_>) -> Result<Option<Self>, Rejection> {
        let authorization = request.headers.get(AUTHORIZATION);
        let query = QueryParts::of(request.query);
        match (authorization, query.algorithm.as_deref()) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(Rejection::SignedTwice),
            (Some(value), None) => Self::from_header(value, request.headers).map(Some),
            (None, Some(ALGORITHM)) => Self::from_query(query).map(Some),
            (None, Some(other)) => {
                Err(Rejection::UnsupportedAlgorithm { algorithm: other.to_owned() })
            }
        }
    }

    /// Where the signature is.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Who says that they signed, and for which day, region and service.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The headers that the signature covers, sorted.
    pub fn signed_headers(&self) -> &[HeaderName] {
        &self.signed_headers
    }

    /// When the request says that it was signed, to the second.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// How long after [`Presented::time`] the signature is good, where it says so itself.
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// The session token that belongs to a temporary access key.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    pub(crate) fn signature(&self) -> Option<&[u8; 32]> {
        self.signature.as_ref()
    }

    fn from_header(authorization: &[u8], headers: Headers<'_>) -> Result<Self, Rejection> {
        let text = header_text(authorization)
            .map_or_else(|| String::from_utf8_lossy(authorization), Cow::Borrowed);
        let digest = || STANDARD.encode(Sha256::digest(authorization));
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme != ALGORITHM {
            return Err(Rejection::UnsupportedAlgorithm { algorithm: scheme.to_owned() });
        }
        let mut parts = Parts::default();
        for pair in rest.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Rejection::MalformedHeader { digest: digest() })?;
            let value = Some(Cow::Borrowed(value));
            match key {
                "Credential" => parts.credential = value,
                "Signature" => parts.signature = value,
                "SignedHeaders" => parts.signed_headers = value,
                // AWS ignores what it does not know here, too.
                _ => {}
            }
        }
        let amz_date = headers.text(AMZ_DATE);
        parts.date = amz_date.or_else(|| headers.text(DATE)).map(Cow::Borrowed);
        let read_date = if amz_date.is_some() { from_basic } else { from_date_header };
        let whole = parts.whole().map_err(|parts| {
            Rejection::Incomplete(MissingParts {
                form: Form::Header,
                parts,
                digest: Some(digest()),
            })
        })?;
        let token = headers.text(SECURITY_TOKEN).map(str::to_owned);
        Self::from_parts(Form::Header, whole, read_date, None, token)
    }

    fn from_query(query: QueryParts) -> Result<Self, Rejection> {
        let whole = query.parts.whole().map_err(|parts| {
            Rejection::Incomplete(MissingParts { form: Form::Query, parts, digest: None })
        })?;
        let lifetime = query.expires.map(Cow::into_owned).map(read_lifetime).transpose()?;
        let token = query.session_token.map(Cow::into_owned);
        Self::from_parts(Form::Query, whole, from_basic, lifetime, token)
    }

    fn from_parts(
        form: Form,
        whole: Whole<'_>,
        read_date: fn(&str) -> Option<Timestamp>,
        lifetime: Option<Duration>,
        session_token: Option<String>,
    ) -> Result<Self, Rejection> {
        let Some(time) = read_date(&whole.date) else {
            return Err(Rejection::MalformedDate { date: whole.date.into_owned() });
        };
        // A name that cannot be one is left out: what the client signed then differs from what
        // is verified, which is the answer that it should get.
        let names = whole.signed_headers.split(';');
        let mut signed_headers: Vec<HeaderName> =
            names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
        signed_headers.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        signed_headers.dedup();
        let mut signature = [0; 32];
        let decoded = hex::decode_to_slice(whole.signature.as_bytes(), &mut signature);
        Ok(Self {
            form,
            credential: Credential::parse(&whole.credential)?,
            signed_headers,
            signature: decoded.is_ok().then_some(signature),
            time,
            lifetime,
            session_token,
        })
    }
}

/// A week, the longest that a presigned URL is good for.
const LONGEST_LIFETIME: u64 = 604_800;

fn read_lifetime(text: String) -> Result<Duration, Rejection> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=LONGEST_LIFETIME) => Ok(Duration::from_secs(seconds)),
        _ => Err(Rejection::InvalidExpiry { expires: text }),
    }
}

/// The parts of a signature, as far as they are there.
#[derive(Default)]
struct Parts<'a> {
    credential: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    signed_headers: Option<Cow<'a, str>>,
    date: Option<Cow<'a, str>>,
}

/// The parts of a signature, all there.
struct Whole<'a> {
    credential: Cow<'a, str>,
    signature: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    date: Cow<'a, str>,
}

impl<'a> Parts<'a> {
    /// All the parts, or the names of those that are missing, in the order of AWS's answer.
    fn whole(self) -> Result<Whole<'a>, Vec<Missing>> {
        match (self.credential, self.signature, self.signed_headers, self.date) {
            (Some(credential), Some(signature), Some(signed_headers), Some(date)) => {
                Ok(Whole { credential, signature, signed_headers, date })
            }
            (credential, signature, signed_headers, date) => Err([
                (credential.is_none(), Missing::Credential),
                (signature.is_none(), Missing::Signature),
                (signed_headers.is_none(), Missing::SignedHeaders),
                (date.is_none(), Missing::Date),
            ]
            .into_iter()
            .filter_map(|(missing, part)| missing.then_some(part))
            .collect()),
        }
    }
}

/// What a query string says of a signature. The first of several values counts.
#[derive(Default)]
struct QueryParts {
    algorithm: Option<Decoded>,
    parts: Parts<'static>,
    expires: Option<Decoded>,
    session_token: Option<Decoded>,
}

/// A decoded value: never borrowed, but of the type of those that are.
type Decoded = Cow<'static, str>;

impl QueryParts {
    fn of(query: &str) -> Self {
        let mut found = Self::default();
        for (name, value) in parameters(query) {
            let place = match name.as_slice() {
                b"X-Amz-Algorithm" => &mut found.algorithm,
                b"X-Amz-Credential" => &mut found.parts.credential,
                b"X-Amz-Signature" => &mut found.parts.signature,
                b"X-Amz-SignedHeaders" => &mut found.parts.signed_headers,
                b"X-Amz-Date" => &mut found.parts.date,
                b"X-Amz-Expires" => &mut found.expires,
                b"X-Amz-Security-Token" => &mut found.session_token,
                _ => continue,
            };
            place.get_or_insert_with(|| Cow::Owned(String::from_utf8_lossy(&value).into_owned()));
        }
        found
    }
}
