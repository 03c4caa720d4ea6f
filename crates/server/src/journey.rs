//! A request's journey: listen → identify → verify → decode → authorise → handle → encode.
//!
//! The order is the whole design of the server, and stands in one function. Authorisation happens
//! where a handler names the resource, since only it knows which one a request means.

use std::borrow::Cow;

use http::{HeaderName, StatusCode};
use tidemill_api::{SERVICES, autoscaling, cloudwatch, ec2, sns, sqs, sts};
use tidemill_base::{Region, RequestId};
use tidemill_http::{Answer, Request, Untaken};
use tidemill_queue::Failure;
use tidemill_services::Context;
use tidemill_sign::Credential;
use tidemill_wire::{
    Call, ErrorShape, Fault, Head, Reply, Unidentified, encode_fault, fault, identify, plain_body,
};
use tracing::{debug, error};

use crate::app::App;
use crate::metrics::OK;
use crate::{host, verify};

/// Where tracing tools put what they follow; a queue passes it on with the message.
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// A body that did not come in time.
static TIMEOUT: ErrorShape =
    ErrorShape::sender("RequestTimeout", "RequestTimeout", StatusCode::REQUEST_TIMEOUT);

/// Answers a request to an API.
pub(crate) async fn travel(app: &App, request: &Request<'_>) -> Answer {
    let started = app.clock.monotonic();
    let id = RequestId::random(&app.chance).text();
    let mut call = None;
    let (reply, result) = match steps(app, request, &id, &mut call).await {
        Ok(reply) => (reply, OK),
        Err(refused) => {
            let name = refused.fault.error.name;
            report(app, &refused.fault, call.as_ref(), &id);
            let Unidentified { protocol, service, fault } = refused;
            (encode_fault(protocol, service, &fault, &id), name)
        }
    };
    app.metrics.answered(call.as_ref(), result, app.clock.monotonic().saturating_sub(started));
    let Reply { status, headers, body } = reply;
    Answer { status, headers, body: app.budget.keep(body) }
}

/// The journey. `called` tells what the request calls as soon as that is known.
async fn steps(
    app: &App,
    request: &Request<'_>,
    id: &str,
    called: &mut Option<Call>,
) -> Result<Reply, Unidentified> {
    let Request { method, path, query, headers, body } = *request;
    let head = Head { method, path, query, headers };
    let raw = body.map_err(|untaken| unread(&head, refusal(app, untaken)))?;
    let plain = plain_body(headers, raw, app.settings.max_body);
    let plain = plain.map_err(|fault| unread(&head, fault))?;
    // A body that was packed takes more than was counted.
    let held = match &plain {
        Cow::Borrowed(_) => Ok(None),
        Cow::Owned(unzipped) => app.budget.take(unzipped.len()).map(Some),
    };
    let held = held.map_err(|untaken| unread(&head, refusal(app, untaken)))?;
    let signed = signed(&head, raw);
    let claimed = Credential::claimed(&signed);
    let signed_for = claimed.as_ref().map(Credential::service);
    let call = identify(SERVICES, &head, &plain, signed_for)?;
    *called = Some(call);
    let refused =
        |fault| Unidentified { protocol: call.protocol, service: Some(call.service), fault };
    let principal = verify::principal(app, &call, &signed, claimed.as_ref()).map_err(refused)?;
    let region = claimed.map_or_else(Region::default, |claimed| claimed.region().clone());
    let trace_header = head.header(&X_AMZN_TRACE_ID);
    let (base_url, protocol) = (host::base_url(app, headers), call.protocol);
    let cx = Context { principal, region, base_url, protocol, trace_header };
    let reply = handle(app, &cx, &call, &head, &plain, id).await.map_err(refused);
    drop(held);
    reply
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
        "cloudwatch" => {
            let request = cloudwatch::Request::decode(call, head, body)?;
            // It is large, as those below are: not everybody's journey has to carry it.
            Ok(Box::pin(app.cloudwatch.handle(cx, request)).await?.encode(call, id))
        }
        "ec2" => {
            let request = ec2::Request::decode(call, head, body)?;
            Ok(Box::pin(app.ec2.handle(cx, request)).await?.encode(call, id))
        }
        "autoscaling" => {
            let request = autoscaling::Request::decode(call, head, body)?;
            Ok(Box::pin(app.autoscaling.handle(cx, request)).await?.encode(call, id))
        }
        "sns" => {
            let request = sns::Request::decode(call, head, body)?;
            Ok(Box::pin(app.sns.handle(cx, request)).await?.encode(call, id))
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
fn signed<'a>(head: &Head<'a>, raw: &'a [u8]) -> tidemill_sign::Request<'a> {
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

/// What is answered when a body was not taken.
pub(crate) fn refusal(app: &App, untaken: Untaken) -> Fault {
    let shape = match untaken {
        Untaken::TooLarge(_) => &fault::TOO_LARGE,
        Untaken::TooSlow(_) => &TIMEOUT,
        Untaken::TooMuch => {
            app.crowd.overfull(app.clock.monotonic());
            &fault::UNAVAILABLE
        }
        Untaken::BrokenOff => &fault::SERIALIZATION,
    };
    Fault::new(shape, untaken.to_string())
}

fn report(app: &App, fault: &Fault, call: Option<&Call>, id: &str) {
    let operation = call.map_or("none", |call| call.operation.name);
    let (code, message) = (fault.error.name, &*fault.message);
    // What is wrong with a disk is told once, and that memory is short now and then: a line a
    // request would only make it worse.
    let is_told = || match fault.error.status {
        StatusCode::SERVICE_UNAVAILABLE => true,
        _ => matches!(app.logs.failure(), Some(Failure::Poisoned(_))),
    };
    if fault.error.sender || is_told() {
        debug!(request = id, operation, code, message, "refused");
    } else {
        error!(request = id, operation, code, message, "failed");
    }
}
