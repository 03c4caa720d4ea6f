//! A credential as it is presented: an access key's id and the scope it signed for.

use http::header::AUTHORIZATION;
use tidemill_base::{Region, header_text};

use crate::canonical::parameters;
use crate::rejection::Rejection;
use crate::request::Request;

/// What closes every scope of this version of the signature.
pub(crate) const TERMINATOR: &str = "aws4_request";

/// An access key's id and the scope of a signature: `AKID/20150830/us-east-1/sqs/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    text: String,
    /// Where the parts of `text` end: the key id, the date, the region, the service.
    ends: [usize; 4],
    region: Region,
}

impl Credential {
    /// Reads a credential. It must have its five parts, a region that can be one, a service, and
    /// the terminator.
    pub(crate) fn parse(text: &str) -> Result<Self, Rejection> {
        let malformed = || Rejection::MalformedCredential { credential: text.to_owned() };
        let mut ends = [0; 4];
        // A search for a letter takes longer to begin than these few bytes to look at.
        let bytes = text.bytes().enumerate();
        let mut slashes = bytes.filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
        for end in &mut ends {
            *end = slashes.next().ok_or_else(malformed)?;
        }
        if slashes.next().is_some() || ends[0] == 0 {
            return Err(malformed());
        }
        let terminator = &text[ends[3] + 1..];
        if terminator != TERMINATOR {
            return Err(Rejection::WrongTerminator { terminator: terminator.to_owned() });
        }
        let region = &text[ends[1] + 1..ends[2]];
        let region = region
            .parse::<Region>()
            .map_err(|_| Rejection::InvalidRegion { region: region.to_owned() })?;
        if ends[2] + 1 == ends[3] {
            return Err(malformed());
        }
        Ok(Self { text: text.to_owned(), ends, region })
    }

    /// The credential that a request claims, wherever it stands, with nothing verified; `None` if
    /// there is none, or none that can be read. For those who ask nobody who they are, and much
    /// cheaper than [`crate::Presented::of`].
    pub fn claimed(request: &Request<'_>) -> Option<Self> {
        let Some(authorization) = request.headers.get(AUTHORIZATION) else {
            let mut parameters = parameters(request.query);
            let (_, text) = parameters.find(|(name, _)| name == b"X-Amz-Credential")?;
            return Self::parse(str::from_utf8(&text).ok()?).ok();
        };
        // Every client that we know begins so; a search takes longer.
        let rest = match authorization.strip_prefix(b"AWS4-HMAC-SHA256 Credential=") {
            Some(rest) => rest,
            None => header_text(authorization)?.split_once("Credential=")?.1.as_bytes(),
        };
        let end = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
        Self::parse(header_text(&rest[..end])?.trim()).ok()
    }

    /// The access key's id.
    pub fn key_id(&self) -> &str {
        &self.text[..self.ends[0]]
    }

    /// The day that the scope is for, as `20150830`.
    pub fn date(&self) -> &str {
        &self.text[self.ends[0] + 1..self.ends[1]]
    }

    /// The region that the scope is for.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The service that the scope is for, by its signing name.
    pub fn service(&self) -> &str {
        &self.text[self.ends[2] + 1..self.ends[3]]
    }

    /// The whole credential.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The credential without the key's id.
    pub(crate) fn scope(&self) -> &str {
        &self.text[self.ends[0] + 1..]
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::request::Payload;

    #[test]
    fn a_credential_has_five_parts() {
        let text = "AKIDEXAMPLE/20150830/eu-west-1/service/aws4_request";
        let credential = Credential::parse(text).unwrap();
        assert_eq!(credential.key_id(), "AKIDEXAMPLE");
        assert_eq!(credential.date(), "20150830");
        assert_eq!(credential.region().as_str(), "eu-west-1");
        assert_eq!(credential.service(), "service");
        assert_eq!(credential.scope(), "20150830/eu-west-1/service/aws4_request");
        assert_eq!(credential.as_str(), text);
    }

    #[test]
    fn a_credential_with_a_part_too_few_or_too_many_is_malformed() {
        for bad in ["", "a", "a/b/c/d", "a/b/c/d/e/aws4_request", "/d/r/s/aws4_request"] {
            let refused = Credential::parse(bad);
            assert!(matches!(refused, Err(Rejection::MalformedCredential { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_claimed_credential_is_found_in_the_header_and_in_the_query() {
        let claimed = |query: &str, authorization: Option<&str>| {
            let value = authorization.map(|text| HeaderValue::from_str(text).unwrap());
            let headers: HeaderMap =
                value.map(|value| (AUTHORIZATION, value)).into_iter().collect();
            let payload = Payload::Body(b"");
            let request = Request {
                method: &Method::GET,
                path: "/",
                query,
                headers: (&headers).into(),
                payload,
            };
            Credential::claimed(&request).map(|credential| credential.key_id().to_owned())
        };
        let header = "AWS4-HMAC-SHA256 Credential=AKID/20150830/r/s/aws4_request, Signature=0";
        assert_eq!(claimed("", Some(header)).as_deref(), Some("AKID"));
        let query = "a=b&X-Amz-Credential=QID%2F20150830%2Fr%2Fs%2Faws4_request";
        assert_eq!(claimed(query, None).as_deref(), Some("QID"));
        assert_eq!(claimed("", None), None);
        assert_eq!(claimed("", Some("Basic x")), None);
        assert_eq!(claimed("", Some("AWS4-HMAC-SHA256 Credential=a/b")), None);
    }

    #[test]
    fn a_credential_says_what_is_wrong_with_its_scope() {
        assert_eq!(
            Credential::parse("a/20150830/r/s/aws5_request").unwrap_err().to_string(),
            "Credential should be scoped with a valid terminator: 'aws4_request', \
             not 'aws5_request'."
        );
        assert_eq!(
            Credential::parse("a/20150830//s/aws4_request").unwrap_err().to_string(),
            "Credential should be scoped to a valid region, not ''."
        );
    }
}
