//! Which operation of which service, in which protocol, a request calls.

use http::header::ACCEPT;
use http::{HeaderName, Method};

use crate::call::{Call, Head};
use crate::fault::{Fault, INVALID_ACTION, UNKNOWN_OPERATION};
use crate::form;
use crate::protocol::Protocol;
use crate::rest;
use crate::schema::{Member, Service};

const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// A request that calls nothing we have, with what is needed to say so in its own protocol by
/// [`crate::encode_fault`].
#[derive(Clone, Debug)]
pub struct Unidentified {
    /// The protocol that it seems to speak.
    pub protocol: Protocol,
    /// The service that it seems to mean.
    pub service: Option<&'static Service>,
    /// What to answer.
    pub fault: Fault,
}

/// Finds what a request calls among the operations of `services`.
///
/// `signed_for` is the service in the request's credential scope, where there is one: it tells
/// services apart that share a protocol. The body is as [`crate::plain_body`] gives it.
pub fn identify(
    services: &[&'static Service],
    head: &Head<'_>,
    body: &[u8],
    signed_for: Option<&str>,
) -> Result<Call, Unidentified> {
    if let Some(protocol) = head.header(&SMITHY_PROTOCOL) {
        if protocol == "rpc-v2-cbor" {
            return by_rpc_path(services, head, signed_for);
        }
        let message = format!("The protocol {protocol} is not supported.");
        return Err(unknown(Protocol::RestJson, None, message));
    }
    if let Some(target) = head.header(&X_AMZ_TARGET) {
        return by_target(services, head, target);
    }
    if let Some(found) = by_action(services, head, body, signed_for) {
        return found;
    }
    if let Some(found) = by_path(services, head, signed_for) {
        return found;
    }
    let (protocol, message) = match head.content_type() {
        "application/x-amz-json-1.0" => (Protocol::AwsJson10, "No X-Amz-Target was given."),
        "application/x-amz-json-1.1" => (Protocol::AwsJson11, "No X-Amz-Target was given."),
        "application/json" => (Protocol::RestJson, "No operation has this method and path."),
        // A form without an action, or a browser.
        _ => (Protocol::Query, "No Action was given."),
    };
    Err(unknown(protocol, None, message.to_owned()))
}

fn unknown(protocol: Protocol, service: Option<&'static Service>, message: String) -> Unidentified {
    Unidentified { protocol, service, fault: Fault::new(&UNKNOWN_OPERATION, message) }
}

/// RPC-v2: `.../service/SERVICE/operation/OPERATION`.
fn by_rpc_path(
    services: &[&'static Service],
    head: &Head<'_>,
    signed_for: Option<&str>,
) -> Result<Call, Unidentified> {
    let protocol = Protocol::RpcV2Cbor;
    let mut steps = head.path.rsplit('/');
    let operation = steps.next().unwrap_or_default();
    let word = steps.next();
    let name = steps.next().unwrap_or_default();
    if word != Some("operation") || steps.next() != Some("service") {
        return Err(unknown(protocol, None, "The path names no operation.".to_owned()));
    }
    let mut speakers = services.iter().copied().filter(|service| service.speaks(protocol));
    let meant = |service: &&'static Service| {
        service.target == name || service.id == name || Some(service.signing_name) == signed_for
    };
    let service = speakers.find(meant);
    let found = service.and_then(|service| Some((service, service.operation(operation)?)));
    match found {
        Some((service, operation)) => Ok(Call { service, operation, protocol }),
        None => Err(unknown(protocol, service, format!("There is no operation {operation}."))),
    }
}

/// AWS JSON: `X-Amz-Target: PREFIX.OPERATION`.
fn by_target(
    services: &[&'static Service],
    head: &Head<'_>,
    target: &str,
) -> Result<Call, Unidentified> {
    // A search for a letter takes longer to begin than these few bytes to look at.
    let dot = target.bytes().rposition(|byte| byte == b'.');
    let (prefix, operation) = dot.map_or(("", target), |at| (&target[..at], &target[at + 1..]));
    let mut all = services.iter().copied();
    let service = all.find(|service| !service.target.is_empty() && service.target == prefix);
    let favourite = service.and_then(|service| {
        let json = [Protocol::AwsJson10, Protocol::AwsJson11];
        service.protocols.iter().copied().find(|protocol| json.contains(protocol))
    });
    let protocol = match head.content_type() {
        "application/x-amz-json-1.0" => Protocol::AwsJson10,
        "application/x-amz-json-1.1" => Protocol::AwsJson11,
        _ => favourite.unwrap_or(Protocol::AwsJson10),
    };
    match service.and_then(|service| Some((service, service.operation(operation)?))) {
        Some((service, operation)) => Ok(Call { service, operation, protocol }),
        None => Err(unknown(protocol, service, format!("There is no operation {target}."))),
    }
}

/// Query and EC2 Query: the parameter `Action`, in the form or in the URL.
fn by_action(
    services: &[&'static Service],
    head: &Head<'_>,
    body: &[u8],
    signed_for: Option<&str>,
) -> Option<Result<Call, Unidentified>> {
    let form = head.content_type() == "application/x-www-form-urlencoded";
    // Without a content type, a body may still be a form; a query string always is one.
    let body = if form || head.content_type().is_empty() { body } else { &[] };
    let url = head.query.unwrap_or_default().as_bytes();
    let parameter = |name: &str| form::peek(body, name).or_else(|| form::peek(url, name));
    let action = parameter("Action")?;
    let action = action.as_ref();
    let version = parameter("Version").unwrap_or_default();
    let service = speaker_of(services, action, &version, signed_for);
    let protocol = match service {
        Some(service) if service.speaks(Protocol::Ec2Query) => Protocol::Ec2Query,
        _ if accepts_json(head) => Protocol::QueryJson,
        _ => Protocol::Query,
    };
    let found = service.and_then(|service| Some((service, service.operation(action)?)));
    Some(match found {
        Some((service, operation)) if is_at_home(service, operation, head.path) => {
            Ok(Call { service, operation, protocol })
        }
        _ => {
            let message = format!("The action {action} is not valid for this endpoint.");
            Err(Unidentified { protocol, service, fault: Fault::new(&INVALID_ACTION, message) })
        }
    })
}

/// At a resource's own URL only what takes the resource can be called, and what looks one up.
fn is_at_home(service: &Service, operation: &crate::schema::Operation, path: &str) -> bool {
    let Some(member) = service.path_member else { return true };
    let has = |whole: &Member| whole.shape.members().iter().any(|field| field.name == member);
    // What makes a resource tells its address too, and is not for another's.
    let looks_up = || operation.name.starts_with("Get") && operation.output.is_some_and(has);
    path == "/" || path.is_empty() || has(operation.input) || looks_up()
}

fn accepts_json(head: &Head<'_>) -> bool {
    let accept = head.header(&ACCEPT).unwrap_or_default();
    accept.split(',').next().is_some_and(|best| best.trim().starts_with("application/json"))
}

/// The service that `action` is for: the one it was signed for, else the one of that version, else
/// the first that has such an operation. If none has it, the one that must say so.
fn speaker_of(
    services: &[&'static Service],
    action: &str,
    version: &str,
    signed_for: Option<&str>,
) -> Option<&'static Service> {
    let speakers = || {
        let forms = |service: &&'static Service| {
            service.speaks(Protocol::Query) || service.speaks(Protocol::Ec2Query)
        };
        services.iter().copied().filter(forms)
    };
    let signed = |service: &&'static Service| Some(service.signing_name) == signed_for;
    let versioned = |service: &&'static Service| service.version == version;
    let has = |service: &&'static Service| service.operation(action).is_some();
    // Several services may sign under one name; the version or the action tells them apart.
    speakers()
        .filter(signed)
        .find(versioned)
        .or_else(|| speakers().filter(signed).find(has))
        .or_else(|| speakers().find(signed))
        .or_else(|| speakers().filter(versioned).find(has))
        .or_else(|| speakers().find(has))
        .or_else(|| speakers().find(versioned))
}

/// REST: the method and the path. The template that fixes most of the path wins.
fn by_path(
    services: &[&'static Service],
    head: &Head<'_>,
    signed_for: Option<&str>,
) -> Option<Result<Call, Unidentified>> {
    let protocol = Protocol::RestJson;
    let speakers = || services.iter().copied().filter(|service| service.speaks(protocol));
    let method = if head.method == Method::HEAD { "GET" } else { head.method.as_str() };
    let signed = |service: &Service| signed_for.is_none_or(|name| name == service.signing_name);
    let mut best: Option<(usize, Call)> = None;
    for service in speakers().filter(|service| signed(service)) {
        for operation in service.operations.iter().filter(|one| one.method == method) {
            let Some(fixed) = rest::fits(operation.uri, head) else { continue };
            if best.is_none_or(|(most, _)| fixed > most) {
                best = Some((fixed, Call { service, operation, protocol }));
            }
        }
    }
    if let Some((_, call)) = best {
        return Some(Ok(call));
    }
    let service = speakers().find(|service| Some(service.signing_name) == signed_for)?;
    let message = format!("No operation has the method {method} and this path.");
    Some(Err(unknown(protocol, Some(service), message)))
}
