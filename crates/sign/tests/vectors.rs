//! The signatures of others: AWS's own test suite, and what botocore signs.
//!
//! Each vector is verified as it stands, and again with one thing changed at a time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use tidemill_base::{Chance, Timestamp};
use tidemill_sign::{
    Form, KeyCache, Payload, Presented, Rejection, Request, Secret, Window, verify,
};

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    canonical: Option<String>,
}

/// A vector as a request that a test can change.
struct Sent {
    name: String,
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl From<Vector> for Sent {
    fn from(vector: Vector) -> Self {
        let headers = vector.headers.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        Self {
            name: vector.name,
            method: vector.method.parse().unwrap(),
            path: vector.path,
            query: vector.query,
            headers: headers.fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            }),
            body: vector.body.into_bytes(),
        }
    }
}

impl Sent {
    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: (&self.headers).into(),
            payload: Payload::Body(&self.body),
        }
    }

    fn presented(&self) -> Presented {
        let presented = Presented::of(&self.request());
        presented
            .unwrap_or_else(|rejection| panic!("{}: {rejection}", self.name))
            .unwrap_or_else(|| panic!("{}: unsigned", self.name))
    }

    /// Verifies the request a second after it was signed.
    fn verify(&self) -> Result<(), Rejection> {
        let presented = self.presented();
        let now = presented.time() + Duration::from_secs(1);
        let window = Window { now, skew: Window::JSON_SKEW };
        verify(&presented, &self.request(), &secret(), window, &KeyCache::default())
    }
}

fn secret() -> Secret {
    Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned())
}

fn suite() -> Vec<Vector> {
    serde_json::from_str(include_str!("../testdata/suite.json")).unwrap()
}

fn botocore() -> Vec<Vector> {
    serde_json::from_str(include_str!("../testdata/botocore.json")).unwrap()
}

#[test]
fn every_request_of_the_aws_suite_is_verified() {
    let suite = suite();
    assert_eq!(suite.len(), 29);
    for vector in suite {
        let sent = Sent::from(vector);
        if let Err(rejection) = sent.verify() {
            panic!("{}: {rejection:#?}", sent.name);
        }
    }
}

#[test]
fn every_request_of_the_aws_suite_has_the_canonical_form_that_it_says() {
    for mut vector in suite() {
        let expected = vector.canonical.take().unwrap();
        let sent = Sent::from(vector);
        let window = Window { now: sent.presented().time(), skew: Window::QUERY_SKEW };
        let wrong = Secret::new("not it".to_owned());
        let refused =
            verify(&sent.presented(), &sent.request(), &wrong, window, &KeyCache::default());
        let Err(Rejection::Unequal(unequal)) = refused else { panic!("{}", sent.name) };
        assert_eq!(unequal.canonical_request, expected, "{}", sent.name);
    }
}

#[test]
fn every_request_that_botocore_signs_is_verified() {
    for vector in botocore() {
        let sent = Sent::from(vector);
        if let Err(rejection) = sent.verify() {
            panic!("{}: {rejection:#?}", sent.name);
        }
    }
}

type Change = fn(&mut Sent);

#[test]
fn a_request_that_was_changed_on_the_way_is_refused() {
    let changes: [(&str, Change); 5] = [
        ("method", |sent| sent.method = Method::PUT),
        ("path", |sent| sent.path.push('x')),
        ("query", |sent| sent.query.push_str("&x=1")),
        ("host", |sent| {
            sent.headers.insert("host", HeaderValue::from_static("elsewhere"));
        }),
        ("body", |sent| sent.body.push(b'x')),
    ];
    for (what, change) in changes {
        for vector in suite().into_iter().chain(botocore()) {
            let mut sent = Sent::from(vector);
            if what == "body" && sent.headers.contains_key("x-amz-content-sha256") {
                continue;
            }
            change(&mut sent);
            let refused = sent.verify();
            let name = &sent.name;
            assert!(matches!(refused, Err(Rejection::Unequal(_))), "{name}, {what}: {refused:?}");
        }
    }
}

#[test]
fn whatever_is_sent_is_answered_and_hardly_anything_accepted() {
    let chance = Chance::seeded(0x71de);
    let number = |below: usize| usize::try_from(chance.number() % below as u64).unwrap();
    let break_one = |text: &[u8]| {
        let mut text = text.to_vec();
        if !text.is_empty() {
            let at = number(text.len());
            match number(3) {
                0 => text.truncate(at),
                _ => text[at] = b' ' + u8::try_from(number(95)).unwrap(),
            }
        }
        text
    };
    let (mut sent, mut accepted) = (0, 0);
    for _ in 0..100 {
        for vector in suite().into_iter().chain(botocore()) {
            let mut broken = Sent::from(vector);
            let whole = format!("{:?}", broken.request());
            let name = ["authorization", "x-amz-date", "host", "query"][number(4)];
            if let Some(value) = broken.headers.get(name) {
                let value = HeaderValue::from_bytes(&break_one(value.as_bytes())).unwrap();
                broken.headers.insert(HeaderName::from_static(name), value);
            } else {
                let query = break_one(broken.query.as_bytes());
                broken.query = String::from_utf8_lossy(&query).into_owned();
            }
            let request = broken.request();
            if format!("{request:?}") == whole {
                continue;
            }
            let Ok(Some(presented)) = Presented::of(&request) else { continue };
            let window = Window { now: presented.time(), skew: Window::JSON_SKEW };
            if !["AKIDEXAMPLE", "ASIAEXAMPLE"].contains(&presented.credential().key_id()) {
                // The key's id is not signed: it says which secret to verify with.
                continue;
            }
            sent += 1;
            let verified = verify(&presented, &request, &secret(), window, &KeyCache::default());
            accepted += u32::from(verified.is_ok());
        }
    }
    // A byte in place of one that means the same: a blank, a digit in the other case.
    assert!(sent > 1000, "{sent}");
    assert!(accepted < sent / 200, "{accepted} of {sent}");
}

#[test]
fn a_presented_signature_says_who_and_for_what() {
    let vectors = botocore();
    let find = |name: &str| vectors.iter().position(|vector| vector.name == name).unwrap();
    let (header, query) = (find("a form"), find("a presigned URL of a temporary key"));
    let sent: Vec<Sent> = vectors.into_iter().map(Sent::from).collect();

    let presented = sent[header].presented();
    assert_eq!(presented.form(), Form::Header);
    assert_eq!(presented.credential().key_id(), "AKIDEXAMPLE");
    assert_eq!(presented.credential().region().as_str(), "eu-west-1");
    assert_eq!(presented.credential().service(), "sqs");
    assert_eq!(presented.time(), Timestamp::from_millis(1_772_323_198_000));
    assert_eq!(presented.session_token(), None);
    assert_eq!(presented.lifetime(), None);
    assert_eq!(presented.signed_headers(), ["content-type", "host", "x-amz-date"]);
    assert_eq!(presented.check_service("sqs"), Ok(()));

    let presented = sent[query].presented();
    assert_eq!(presented.form(), Form::Query);
    assert_eq!(presented.credential().key_id(), "ASIAEXAMPLE");
    assert_eq!(presented.session_token(), Some("Fwo/+token=="));
    assert_eq!(presented.lifetime(), Some(Duration::from_hours(7 * 24)));
    let refused = presented.check_service("sqs").unwrap_err();
    assert_eq!(refused.to_string(), "Credential should be scoped to correct service: 'sqs'.");
}
