//! What is refused, and with which words: requests that are signed wrongly, in part, or not now.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use tidemill_base::Timestamp;
use tidemill_sign::{
    KeyCache, Payload, Presented, Rejection, Request, Secret, Signer, Unsignable, Window,
    sign_request, verify,
};

const MINUTE: Duration = Duration::from_mins(1);
/// 2021-05-02T17:46:43Z.
const NOW: Timestamp = Timestamp::from_millis(1_619_977_603_000);

fn signer() -> Signer {
    Signer {
        key_id: "AKIDEXAMPLE".to_owned(),
        secret: Secret::new("a secret".to_owned()),
        session_token: None,
        region: "us-east-1".parse().unwrap(),
        service: "sqs".to_owned(),
    }
}

fn headers<const N: usize>(pairs: [(&'static str, &str); N]) -> HeaderMap {
    let pairs = pairs.map(|(name, value)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    });
    pairs.into_iter().collect()
}

fn post<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Request<'a> {
    Request {
        method: &Method::POST,
        path: "/",
        query: "",
        headers: headers.into(),
        payload: Payload::Body(body),
    }
}

fn get<'a>(headers: &'a HeaderMap, query: &'a str) -> Request<'a> {
    Request {
        method: &Method::GET,
        path: "/",
        query,
        headers: headers.into(),
        payload: Payload::Body(b""),
    }
}

/// The headers of a request signed at `at`, from the headers that it had before.
fn signed(mut plain: HeaderMap, body: &[u8], at: Timestamp) -> HeaderMap {
    plain.extend(sign_request(&post(&plain, body), &signer(), at).unwrap());
    plain
}

fn verify_at(request: &Request<'_>, now: Timestamp) -> Result<(), Rejection> {
    let presented = Presented::of(request)?.expect("the request is signed");
    let window = Window { now, skew: Window::QUERY_SKEW };
    verify(&presented, request, &signer().secret, window, &KeyCache::default())
}

fn refusal(request: &Request<'_>) -> String {
    verify_at(request, NOW).unwrap_err().to_string()
}

#[test]
fn what_we_sign_is_what_we_verify() {
    let headers = signed(
        headers([
            ("host", "localhost:4566"),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.ListQueues"),
            ("user-agent", "changes on the way"),
        ]),
        b"{}",
        NOW,
    );
    assert_eq!(verify_at(&post(&headers, b"{}"), NOW), Ok(()));
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target,"));
    assert!(matches!(verify_at(&post(&headers, b"[]"), NOW), Err(Rejection::Unequal(_))));
}

#[test]
fn a_session_token_is_signed_with_the_rest() {
    let plain = headers([("host", "h")]);
    let signer = Signer { session_token: Some("token".to_owned()), ..signer() };
    let added = sign_request(&post(&plain, b""), &signer, NOW).unwrap();
    assert_eq!(added["x-amz-security-token"], "token");
    let all: HeaderMap = plain.into_iter().chain(added).map(|(k, v)| (k.unwrap(), v)).collect();
    assert_eq!(verify_at(&post(&all, b""), NOW), Ok(()));
}

#[test]
fn a_request_without_a_host_cannot_be_signed() {
    let refused = sign_request(&post(&HeaderMap::new(), b""), &signer(), NOW);
    assert_eq!(refused.unwrap_err(), Unsignable::NoHost);
    let signer = Signer { service: "s\nqs".to_owned(), ..signer() };
    let refused = sign_request(&post(&headers([("host", "h")]), b""), &signer, NOW);
    assert_eq!(refused.unwrap_err(), Unsignable::NotHeaderText);
}

#[test]
fn a_hash_of_the_body_does_for_the_body() {
    let headers = signed(headers([("host", "h")]), b"body", NOW);
    let payload = Payload::Sha256(Sha256::digest(b"body").into());
    assert_eq!(verify_at(&Request { payload, ..post(&headers, b"") }, NOW), Ok(()));
}

#[test]
fn an_unsigned_request_presents_nothing() {
    let headers = headers([("host", "h"), ("x-amz-date", "20210502T174643Z")]);
    assert_eq!(Presented::of(&get(&headers, "Action=ListQueues")), Ok(None));
}

#[test]
fn a_signature_lasts_as_long_as_the_clocks_may_differ() {
    let headers = signed(headers([("host", "h")]), b"", NOW);
    let at = |now| verify_at(&post(&headers, b""), now);
    assert_eq!(at(NOW + 15 * MINUTE), Ok(()));
    assert_eq!(at(NOW - 15 * MINUTE), Ok(()));
    assert!(matches!(
        at(NOW + 15 * MINUTE + Duration::from_secs(1)),
        Err(Rejection::Expired { .. })
    ));
    assert!(matches!(
        at(NOW - 15 * MINUTE - Duration::from_secs(1)),
        Err(Rejection::NotYetCurrent { .. })
    ));
}

#[test]
fn an_old_signature_is_refused_in_the_words_of_aws() {
    let then = NOW - Duration::from_secs(3 * 3600 + 6 * 60 + 3);
    let old = signed(headers([("host", "h")]), b"", then);
    assert_eq!(
        refusal(&post(&old, b"")),
        "Signature expired: 20210502T144040Z is now earlier than 20210502T173143Z \
         (20210502T174643Z - 15 min.)"
    );
    let early = signed(headers([("host", "h")]), b"", NOW + 60 * MINUTE);
    assert_eq!(
        refusal(&post(&early, b"")),
        "Signature not yet current: 20210502T184643Z is still later than 20210502T180143Z \
         (20210502T174643Z + 15 min.)"
    );
}

const CREDENTIAL: &str = "AWS4-HMAC-SHA256 Credential=A/20210502/us-east-1/sqs/aws4_request";

#[test]
fn a_header_that_lacks_parts_is_told_which() {
    let no_parts = headers([("host", "h"), ("authorization", "AWS4-HMAC-SHA256 ")]);
    assert_eq!(
        refusal(&post(&no_parts, b"")),
        "Authorization header requires 'Credential' parameter. \
         Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. \
         Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. \
         (Hashed with SHA-256 and encoded with Base64) \
         Authorization=CiYVUkvqEFxnqOZfl+qKLWniec690XZ/NzTormsckxs="
    );
    let pair = format!("{CREDENTIAL}, SignedHeaders");
    let no_pair = headers([("host", "h"), ("authorization", &pair)]);
    let refused = refusal(&post(&no_pair, b""));
    assert!(refused.starts_with("Invalid key=value pair (missing equal-sign)"), "{refused}");
    assert!(!refused.contains("Credential="), "{refused}");
}

#[test]
fn a_query_that_lacks_parts_is_told_which() {
    let plain = headers([("host", "h")]);
    assert_eq!(
        refusal(&get(&plain, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x")),
        "AWS query-string parameters must include 'X-Amz-Credential'. \
         AWS query-string parameters must include 'X-Amz-Signature'. \
         AWS query-string parameters must include 'X-Amz-SignedHeaders'. \
         Re-examine the query-string parameters."
    );
    let nothing = refusal(&get(&plain, "X-Amz-Algorithm=AWS4-HMAC-SHA256"));
    assert!(nothing.contains("must include 'X-Amz-Date'"), "{nothing}");
}

#[test]
fn another_way_of_signing_is_refused_by_its_name() {
    for (authorization, named) in
        [("AWS AKID:sig", "AWS"), ("Bearer x", "Bearer"), ("Basic", "Basic")]
    {
        let headers = headers([("host", "h"), ("authorization", authorization)]);
        let expected = format!("Unsupported AWS 'algorithm': '{named}'.");
        assert_eq!(refusal(&post(&headers, b"")), expected);
    }
    let plain = headers([("host", "h")]);
    let refused = refusal(&get(&plain, "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256"));
    assert_eq!(refused, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.");
}

#[test]
fn a_request_that_is_signed_twice_is_refused() {
    let headers = headers([("host", "h"), ("authorization", CREDENTIAL)]);
    let refused = verify_at(&get(&headers, "X-Amz-Algorithm=AWS4-HMAC-SHA256"), NOW);
    assert_eq!(refused, Err(Rejection::SignedTwice));
}

/// A whole `Authorization` header over `names`, with a signature of nothing.
fn authorization(names: &str) -> String {
    format!("{CREDENTIAL}, SignedHeaders={names}, Signature={}", "0".repeat(64))
}

#[test]
fn the_host_and_every_amz_header_must_be_signed() {
    let date = ("x-amz-date", "20210502T174643Z");
    let sent = headers([("host", "h"), date, ("authorization", &authorization("x-amz-date"))]);
    assert_eq!(
        refusal(&post(&sent, b"")),
        "'host' must be a 'SignedHeader' in the AWS Authorization."
    );
    let mut sent = signed(headers([("host", "h")]), b"", NOW);
    sent.insert("x-amz-target", HeaderValue::from_static("AmazonSQS.DeleteQueue"));
    assert_eq!(
        refusal(&post(&sent, b"")),
        "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
    );
    let mut sent = signed(headers([("host", "h")]), b"", NOW);
    sent.insert("x-amz-security-token", HeaderValue::from_static("added after signing"));
    assert_eq!(verify_at(&post(&sent, b""), NOW), Ok(()));
}

#[test]
fn the_day_of_the_scope_is_the_day_of_the_request() {
    let auth = authorization("host;x-amz-date");
    let date = ("x-amz-date", "20210503T000000Z");
    let sent = headers([("host", "h"), date, ("authorization", &auth)]);
    assert_eq!(
        refusal(&post(&sent, b"")),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
         HTTP: '20210502' != '20210503', from '20210503T000000Z'."
    );
}

#[test]
fn a_date_that_cannot_be_read_is_refused() {
    let auth = authorization("host;x-amz-date");
    let date = ("x-amz-date", "2021-05-02T17:46:43Z");
    let sent = headers([("host", "h"), date, ("authorization", &auth)]);
    assert_eq!(
        refusal(&post(&sent, b"")),
        "Date must be in ISO-8601 'basic format'. Got '2021-05-02T17:46:43Z'. \
         See http://en.wikipedia.org/wiki/ISO_8601"
    );
}

#[test]
fn a_signature_that_cannot_be_one_does_not_match() {
    let auth = authorization("host;x-amz-date").replace("0000", "zz");
    let date = ("x-amz-date", "20210502T174643Z");
    let sent = headers([("host", "h"), date, ("authorization", &auth)]);
    assert!(matches!(verify_at(&post(&sent, b""), NOW), Err(Rejection::Unequal(_))));
}

#[test]
fn the_hash_that_stands_for_the_body_must_be_its_hash() {
    let claim = |claim: &str| {
        let plain = headers([("host", "h"), ("x-amz-content-sha256", claim)]);
        signed(plain, b"body", NOW)
    };
    let right = claim(&hex::encode(Sha256::digest(b"body")));
    assert_eq!(verify_at(&post(&right, b"body"), NOW), Ok(()));
    assert_eq!(verify_at(&post(&right, b"other"), NOW), Err(Rejection::WrongPayloadHash));
    let unsigned = claim("UNSIGNED-PAYLOAD");
    assert_eq!(verify_at(&post(&unsigned, b"anything"), NOW), Ok(()));
    let streamed = claim("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    let payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned();
    assert_eq!(
        verify_at(&post(&streamed, b"body"), NOW),
        Err(Rejection::UnsupportedPayload { payload })
    );
}

fn presigned(expires: &str) -> String {
    format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20210502%2Fr%2Fsqs%2Faws4_request\
         &X-Amz-Date=20210502T174643Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00{expires}"
    )
}

#[test]
fn a_presigned_url_is_good_for_at_least_a_second_and_at_most_a_week() {
    let plain = headers([("host", "h")]);
    for bad in ["0", "604801", "-1", "1.5", "", "soon"] {
        let query = presigned(&format!("&X-Amz-Expires={bad}"));
        let expires = bad.to_owned();
        let refused = verify_at(&get(&plain, &query), NOW);
        assert_eq!(refused, Err(Rejection::InvalidExpiry { expires }));
    }
}

#[test]
fn a_presigned_url_ends_when_it_says_and_without_a_word_with_the_clocks() {
    let plain = headers([("host", "h")]);
    for (expires, lifetime) in [("&X-Amz-Expires=60", MINUTE), ("", 15 * MINUTE)] {
        let query = presigned(expires);
        let request = get(&plain, &query);
        let in_time = verify_at(&request, NOW + lifetime);
        assert!(matches!(in_time, Err(Rejection::Unequal(_))), "{in_time:?}");
        let now = NOW + lifetime + Duration::from_secs(1);
        let expired = Rejection::Expired { signed: NOW, now, lifetime };
        assert_eq!(verify_at(&request, now), Err(expired));
    }
}

#[test]
fn another_secret_does_not_pass_with_a_remembered_key() {
    let keys = KeyCache::default();
    let sent = signed(headers([("host", "h")]), b"", NOW);
    let request = post(&sent, b"");
    let presented = Presented::of(&request).unwrap().unwrap();
    let window = Window { now: NOW, skew: Window::QUERY_SKEW };
    let other = Secret::new("another secret".to_owned());
    for _ in 0..2 {
        assert_eq!(verify(&presented, &request, &signer().secret, window, &keys), Ok(()));
        let refused = verify(&presented, &request, &other, window, &keys);
        assert!(matches!(refused, Err(Rejection::Unequal(_))));
    }
}
