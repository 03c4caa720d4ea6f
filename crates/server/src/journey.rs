//! A request's journey: listen → identify → verify → decode → authorise → handle → encode.
//!
//! The order is the whole design of the server, and stands in one function. Authorisation happens
//! where a handler names the resource, since only it knows which one a request means.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderName;
use http::request::Parts;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use tidemill_api::{SERVICES, sqs, sts};
use tidemill_base::{Region, RequestId};
use tidemill_services::Context;
use tidemill_sign::Credential;
use tidemill_wire::{
    Call, Fault, Head, Reply, Unidentified, encode_fault, fault, identify, plain_body,
};
use tracing::{debug, error};

use crate::app::{Answer, App};
use crate::body::{self, BodyError, Whole};
use crate::budget::Spent;
use crate::metrics::OK;
use crate::{host, verify};

/// Where tracing tools put what they follow; a queue passes it on with the message.
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Answers a request to an API.
pub(crate) async fn travel(app: &App, parts: Parts, incoming: Incoming) -> Answer {
    let started = app.clock.monotonic();
    let id = RequestId::random(&app.chance).to_string();
    let mut call = None;
    let (reply, result) = match steps(app, &parts, incoming, &id, &mut call).await {
        Ok(reply) => (reply, OK),
        Err(refused) => {
            let name = refused.fault.error.name;
            report(app, &refused.fault, call.as_ref(), &id);
            let Unidentified { protocol, service, fault } = refused;
            (encode_fault(protocol, service, &fault, &id), name)
        }
    };
    app.metrics.answered(call.as_ref(), result, app.clock.monotonic().saturating_sub(started));
    let mut answer = Response::new(Full::new(app.budget.keep(reply.body)));
    *answer.status_mut() = reply.status;
    *answer.headers_mut() = reply.headers;
    answer
}

/// The journey. `called` tells what the request calls as soon as that is known.
async fn steps(
    app: &App,
    parts: &Parts,
    incoming: Incoming,
    id: &str,
    called: &mut Option<Call>,
) -> Result<Reply, Unidentified> {
    let head = Head {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    };
    let limit = app.settings.max_body;
    let read = body::read(app, incoming).await;
    let Whole { bytes: raw, mut held } = read.map_err(|error| unread(&head, error.into()))?;
    let plain = plain_body(&parts.headers, &raw, limit).map_err(|fault| unread(&head, fault))?;
    if let Cow::Owned(unzipped) = &plain {
        let held = held.more(unzipped.len());
        held.map_err(|Spent| unread(&head, BodyError::TooMuch.into()))?;
    }
    let signed = signed(&head, &raw);
    let claimed = Credential::claimed(&signed);
    let signed_for = claimed.as_ref().map(Credential::service);
    let call = identify(SERVICES, &head, &plain, signed_for)?;
    *called = Some(call);
    let refused =
        |fault| Unidentified { protocol: call.protocol, service: Some(call.service), fault };
    let principal = verify::principal(app, &call, &signed, claimed.as_ref()).map_err(refused)?;
    let region = claimed.map_or_else(Region::default, |claimed| claimed.region().clone());
    let trace_header = head.header(&X_AMZN_TRACE_ID);
    let (base_url, protocol) = (host::base_url(app, parts), call.protocol);
    let cx = Context { principal, region, base_url, protocol, trace_header };
    handle(app, &cx, &call, &head, &plain, id).await.map_err(refused)
}

/// Decodes the request, has its service answer it, and encodes the answer.
async fn handle(
    app: &App,
    cx: &Context<'_>,
    call: &Call,
    head: &Head<'_>,
    body: &[u8],
    id: &str,
) -> Result<Reply, Fault> {
    match call.service.name {
        "sqs" => {
            let request = sqs::Request::decode(call, head, body)?;
            Ok(app.sqs.handle(cx, request).await?.encode(call, id))
        }
        "sts" => {
            let request = sts::Request::decode(call, head, body)?;
            Ok(tidemill_services::sts::handle(cx, &request)?.encode(call, id))
        }
        // A model without a service behind it.
        name => Err(Fault::new(
            &fault::UNKNOWN_OPERATION,
            format!("Tidemill does not serve {name} yet."),
        )),
    }
}

/// The request as its signature sees it.
fn signed<'a>(head: &Head<'a>, raw: &'a Bytes) -> tidemill_sign::Request<'a> {
    tidemill_sign::Request {
        method: head.method,
        path: head.path,
        query: head.query.unwrap_or_default(),
        headers: head.headers,
        payload: tidemill_sign::Payload::Body(raw),
    }
}

/// Refuses a request whose body was not read, in the protocol that its head speaks.
fn unread(head: &Head<'_>, fault: Fault) -> Unidentified {
    match identify(SERVICES, head, &[], None) {
        Ok(call) => Unidentified { protocol: call.protocol, service: Some(call.service), fault },
        Err(unidentified) => Unidentified { fault, ..unidentified },
    }
}

fn report(app: &App, fault: &Fault, call: Option<&Call>, id: &str) {
    let operation = call.map_or("none", |call| call.operation.name);
    let (code, message) = (fault.error.name, &*fault.message);
    // What is wrong with the disk is told once: a line a request would only fill it further.
    if fault.error.sender || app.engine.failure().is_some() {
        debug!(request = id, operation, code, message, "refused");
    } else {
        error!(request = id, operation, code, message, "failed");
    }
}
