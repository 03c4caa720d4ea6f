//! A small client of the service, for the commands that look after a queue at hand.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde_json::Value;
use tidemill_base::Region;
use tidemill_sign::{Payload, Request, Secret, Signer, sign_request};

use crate::cli::Endpoint;
use crate::serve::now;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// Speaks to one service as one key.
pub(crate) struct Client {
    agent: ureq::Agent,
    endpoint: Uri,
    signer: Signer,
}

impl Client {
    /// A client that waits for an answer as long as it takes.
    pub(crate) fn new(given: &Endpoint) -> anyhow::Result<Self> {
        Self::waiting(given, None)
    }

    /// A client for whom a request that takes longer has failed.
    pub(crate) fn impatient(given: &Endpoint, patience: Duration) -> anyhow::Result<Self> {
        Self::waiting(given, Some(patience))
    }

    fn waiting(given: &Endpoint, patience: Option<Duration>) -> anyhow::Result<Self> {
        let address = &given.endpoint_url;
        let uri = address.parse().ok().filter(|uri: &Uri| uri.authority().is_some());
        let Some(endpoint) = uri else {
            bail!("the address {address:?} is not a URL, such as http://127.0.0.1:4566");
        };
        // A secret on the command line would be in every list of processes: only from here.
        let secret = std::env::var("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|_| "open".to_owned());
        let region = region(given.region.as_deref())?;
        let signer = Signer {
            key_id: given.access_key_id.clone(),
            secret: Secret::new(secret),
            session_token: std::env::var("AWS_SESSION_TOKEN").ok(),
            region,
            service: "sqs".to_owned(),
        };
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_global(patience).build();
        Ok(Self { agent: config.into(), endpoint, signer })
    }

    /// Calls an operation of SQS.
    pub(crate) fn sqs(&self, operation: &str, parameters: &Value) -> anyhow::Result<Value> {
        self.try_sqs(operation, parameters)?.map_err(|refusal| {
            match (&*refusal.code, parameters["QueueUrl"].as_str()) {
                ("QueueDoesNotExist", Some(queue)) => {
                    let region = self.region();
                    anyhow!(
                        "there is no queue {queue} in {region}: `aws sqs list-queues` names those \
                     that are there"
                    )
                }
                ("UnrecognizedClientException", _) => anyhow!(
                    "the service knows no access key {}: set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY to a key that `tidemill init` made",
                    self.signer.key_id
                ),
                _ => refusal.into(),
            }
        })
    }

    /// Calls an operation of SQS; what the service refuses is no error of the call.
    pub(crate) fn try_sqs(
        &self,
        operation: &str,
        parameters: &Value,
    ) -> anyhow::Result<Result<Value, Refusal>> {
        let target = HeaderValue::try_from(format!("AmazonSQS.{operation}"))?;
        self.post("/", Some(target), parameters)
    }

    /// Calls one of the service's own paths.
    pub(crate) fn own(&self, path: &str, parameters: &Value) -> anyhow::Result<Value> {
        Ok(self.post(path, None, parameters)??)
    }

    /// The region that is signed for.
    pub(crate) fn region(&self) -> &str {
        self.signer.region.as_str()
    }

    fn post(
        &self,
        path: &str,
        target: Option<HeaderValue>,
        parameters: &Value,
    ) -> anyhow::Result<Result<Value, Refusal>> {
        let body = parameters.to_string();
        let authority = self.endpoint.authority().context("an address has a host")?.as_str();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(authority)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
        headers.extend(target.map(|target| (TARGET, target)));
        let request = Request {
            method: &Method::POST,
            path,
            query: "",
            headers: (&headers).into(),
            payload: Payload::Body(body.as_bytes()),
        };
        headers.extend(sign_request(&request, &self.signer, now())?);
        let scheme = self.endpoint.scheme_str().unwrap_or("http");
        let mut post = self.agent.post(format!("{scheme}://{authority}{path}"));
        for (name, value) in &headers {
            post = post.header(name, value);
        }
        let mut answer = post.send(&body).with_context(|| {
            format!("cannot reach {scheme}://{authority}: is the service running? (tidemill serve)")
        })?;
        let text = answer.body_mut().with_config().limit(u64::MAX).read_to_string()?;
        let parsed = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
        let status = answer.status();
        let value: Value = parsed.map_err(|_| {
            anyhow!("{scheme}://{authority} answers {status}, and not as Tidemill does: is it one?")
        })?;
        if status.is_success() {
            return Ok(Ok(value));
        }
        let code = value["__type"].as_str().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        let message = value["message"].as_str().unwrap_or(&text).to_owned();
        Ok(Err(Refusal { code, message }))
    }
}

/// What the service refuses with.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The error's name; none where one of the service's own paths refuses.
    pub(crate) code: String,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.code.is_empty() { Ok(()) } else { write!(f, " ({})", self.code) }
    }
}

impl std::error::Error for Refusal {}

/// The region that was named, or else the one that AWS's clients would take.
fn region(named: Option<&str>) -> anyhow::Result<Region> {
    let usual = std::env::var("AWS_DEFAULT_REGION").ok().filter(|region| !region.is_empty());
    match named.or(usual.as_deref()) {
        None => Ok(Region::default()),
        Some(name) => name.parse().with_context(|| format!("the region {name:?}")),
    }
}
