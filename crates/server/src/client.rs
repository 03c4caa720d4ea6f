//! A small client of the service, for the commands that look after a queue at hand.

use anyhow::{Context as _, bail};
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
    pub(crate) fn new(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let address = &endpoint.endpoint_url;
        let uri: Uri = address.parse().with_context(|| format!("the address {address:?}"))?;
        if uri.authority().is_none() {
            bail!("the address {address:?} is not a URL, such as http://127.0.0.1:4566");
        }
        // A secret on the command line would be in every list of processes: only from here.
        let secret = std::env::var("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|_| "open".to_owned());
        let region = endpoint.region.parse::<Region>();
        let signer = Signer {
            key_id: endpoint.access_key_id.clone(),
            secret: Secret::new(secret),
            session_token: std::env::var("AWS_SESSION_TOKEN").ok(),
            region: region.with_context(|| format!("the region {:?}", endpoint.region))?,
            service: "sqs".to_owned(),
        };
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Ok(Self { agent: config.into(), endpoint: uri, signer })
    }

    /// Calls an operation of SQS.
    pub(crate) fn sqs(&self, operation: &str, parameters: &Value) -> anyhow::Result<Value> {
        let target = HeaderValue::try_from(format!("AmazonSQS.{operation}"))?;
        self.post("/", Some(target), parameters)
    }

    /// Calls one of the service's own paths.
    pub(crate) fn own(&self, path: &str, parameters: &Value) -> anyhow::Result<Value> {
        self.post(path, None, parameters)
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
    ) -> anyhow::Result<Value> {
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
            headers: &headers,
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
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        if answer.status().is_success() {
            return Ok(value);
        }
        let code = value["__type"].as_str().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let message = value["message"].as_str().unwrap_or(&text);
        match code {
            "" => bail!("{message}"),
            code => bail!("{message} ({code})"),
        }
    }
}
