//! Refusals on the wire: what an error is called in each protocol, and how each writes it.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, StatusCode};
use tidemill_base::Fields;

use crate::call::Reply;
use crate::json::push_string;
use crate::protocol::Protocol;
use crate::schema::Service;
use crate::xml::push_element;

/// An error that an API can answer with.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// Its name in JSON and CBOR.
    pub name: &'static str,
    /// Its code in Query and EC2 Query.
    pub code: &'static str,
    /// Its HTTP status.
    pub status: StatusCode,
    /// Whether the caller is to blame, and not the service.
    pub sender: bool,
    /// What comes before `#` in JSON, if not the service's own namespace.
    pub namespace: Option<&'static str>,
}

impl ErrorShape {
    /// An error that the caller is to blame for.
    pub const fn sender(name: &'static str, code: &'static str, status: StatusCode) -> Self {
        Self { name, code, status, sender: true, namespace: None }
    }

    /// An error that the service is to blame for.
    pub const fn receiver(name: &'static str, code: &'static str, status: StatusCode) -> Self {
        Self { name, code, status, sender: false, namespace: None }
    }

    /// The same, of the namespace that all services share.
    const fn common(mut self) -> Self {
        self.namespace = Some("com.amazon.coral.service");
        self
    }
}

macro_rules! common {
    ($($(#[$doc:meta])* $name:ident $side:ident $json:literal $code:literal $status:ident)*) => {
        $($(#[$doc])* pub static $name: ErrorShape =
            ErrorShape::$side($json, $code, StatusCode::$status).common();)*
    };
}

common! {
    /// The body is not what the protocol or the model says.
    SERIALIZATION sender "SerializationException" "MalformedInput" BAD_REQUEST
    /// No such operation, or none was named.
    UNKNOWN_OPERATION sender "UnknownOperationException" "UnknownOperationException" NOT_FOUND
    /// No such action at this URL.
    INVALID_ACTION sender "InvalidAction" "InvalidAction" BAD_REQUEST
    /// A constraint of the model is broken.
    VALIDATION sender "ValidationException" "ValidationError" BAD_REQUEST
    /// The caller may not do this.
    ACCESS_DENIED sender "AccessDeniedException" "AccessDenied" FORBIDDEN
    /// No such access key.
    UNKNOWN_KEY sender "UnrecognizedClientException" "InvalidClientTokenId" FORBIDDEN
    /// The signature is wrong, or its time is.
    BAD_SIGNATURE sender "InvalidSignatureException" "SignatureDoesNotMatch" FORBIDDEN
    /// The session has ended.
    EXPIRED_TOKEN sender "ExpiredTokenException" "ExpiredToken" FORBIDDEN
    /// The request is not signed.
    MISSING_TOKEN
        sender "MissingAuthenticationTokenException" "MissingAuthenticationToken" FORBIDDEN
    /// The signature is not one.
    INCOMPLETE_SIGNATURE sender "IncompleteSignatureException" "IncompleteSignature" BAD_REQUEST
    /// The body is longer than is allowed.
    TOO_LARGE sender "RequestEntityTooLargeException" "RequestEntityTooLarge" PAYLOAD_TOO_LARGE
    /// Too many requests.
    THROTTLED sender "ThrottlingException" "Throttling" BAD_REQUEST
    /// Something of ours broke.
    INTERNAL_FAILURE receiver "InternalFailure" "InternalFailure" INTERNAL_SERVER_ERROR
    /// We cannot serve now.
    UNAVAILABLE receiver "ServiceUnavailableException" "ServiceUnavailable" SERVICE_UNAVAILABLE
}

/// A required parameter is not there, as services answer it that have a code of their own for it.
pub static MISSING_PARAMETER: ErrorShape = ErrorShape::sender(
    "MissingRequiredParameterException",
    "MissingParameter",
    StatusCode::BAD_REQUEST,
);

/// A parameter has a value that it cannot have, as those services answer it.
pub static INVALID_PARAMETER: ErrorShape = ErrorShape::sender(
    "InvalidParameterValueException",
    "InvalidParameterValue",
    StatusCode::BAD_REQUEST,
);

/// A refusal: which error, and what to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which error.
    pub error: &'static ErrorShape,
    /// What a person reads.
    pub message: Cow<'static, str>,
    /// What a person reads in the Query protocols, if something else.
    pub query_message: Option<Cow<'static, str>>,
    /// Further members of the error, all strings.
    pub details: Vec<(&'static str, String)>,
}

impl Fault {
    /// The refusal `error`, saying `message`.
    pub fn new(error: &'static ErrorShape, message: impl Into<Cow<'static, str>>) -> Self {
        Self { error, message: message.into(), query_message: None, details: Vec::new() }
    }

    /// The same, saying `message` to those who speak Query.
    #[must_use]
    pub fn in_query(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.query_message = Some(message.into());
        self
    }

    /// The same, with another member.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    fn query_message(&self) -> &str {
        self.query_message.as_ref().unwrap_or(&self.message)
    }
}

/// Writes `fault` as `service` does in `protocol`. The service is not known where a request could
/// not be told to be of one.
pub fn encode_fault(
    protocol: Protocol,
    service: Option<&'static Service>,
    fault: &Fault,
    request_id: &str,
) -> Reply {
    let mut reply = Reply::new(fault.error.status, protocol, request_id);
    let namespace = fault.error.namespace.or(service.map(|service| service.namespace));
    let kind = match namespace {
        Some(namespace) if protocol != Protocol::RestJson => {
            format!("{namespace}#{}", fault.error.name)
        }
        _ => fault.error.name.to_owned(),
    };
    reply.body = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json(&kind, fault),
        Protocol::RestJson => {
            let name = HeaderName::from_static("x-amzn-errortype");
            reply.headers.insert(name, kind.clone());
            json(&kind, fault)
        }
        Protocol::RpcV2Cbor => crate::cbor::fault(&kind, fault).into(),
        Protocol::Query => xml(service, fault, request_id),
        Protocol::QueryJson => query_json(fault, request_id),
        Protocol::Ec2Query => ec2(fault, request_id),
    };
    if fault.error == &UNKNOWN_OPERATION && protocol.is_form() {
        reply.headers.insert(CONTENT_TYPE, "text/xml");
    }
    if !protocol.is_form() && service.is_some_and(|service| service.query_compatible) {
        add_query_code(&mut reply.headers, fault.error);
    }
    reply
}

/// Clients that moved from Query to JSON still look for the old code.
fn add_query_code(headers: &mut Fields, error: &ErrorShape) {
    let side = if error.sender { "Sender" } else { "Receiver" };
    let name = HeaderName::from_static("x-amzn-query-error");
    headers.insert(name, format!("{};{side}", error.code));
}

fn json(kind: &str, fault: &Fault) -> Bytes {
    let mut out = b"{\"__type\":".to_vec();
    push_string(&mut out, kind);
    out.extend_from_slice(b",\"message\":");
    push_string(&mut out, &fault.message);
    for (name, value) in &fault.details {
        out.push(b',');
        push_string(&mut out, name);
        out.push(b':');
        push_string(&mut out, value);
    }
    out.push(b'}');
    out.into()
}

fn xml(service: Option<&'static Service>, fault: &Fault, request_id: &str) -> Bytes {
    // An action that was not even named is answered from outside the service.
    if fault.error == &UNKNOWN_OPERATION {
        return Bytes::from_static(b"<UnknownOperationException/>\n");
    }
    let mut out = b"<?xml version=\"1.0\"?><ErrorResponse".to_vec();
    if let Some(service) = service.filter(|service| !service.xml_namespace.is_empty()) {
        out.extend_from_slice(format!(" xmlns=\"{}\"", service.xml_namespace).as_bytes());
    }
    out.extend_from_slice(b"><Error>");
    push_element(&mut out, "Type", if fault.error.sender { "Sender" } else { "Receiver" });
    push_element(&mut out, "Code", fault.error.code);
    push_element(&mut out, "Message", fault.query_message());
    for (name, value) in &fault.details {
        push_element(&mut out, name, value);
    }
    out.extend_from_slice(b"<Detail/></Error>");
    push_element(&mut out, "RequestId", request_id);
    out.extend_from_slice(b"</ErrorResponse>");
    out.into()
}

fn query_json(fault: &Fault, request_id: &str) -> Bytes {
    if fault.error == &UNKNOWN_OPERATION {
        return xml(None, fault, request_id);
    }
    let mut out = b"{\"Error\":{\"Code\":".to_vec();
    push_string(&mut out, fault.error.code);
    out.extend_from_slice(b",\"Message\":");
    push_string(&mut out, fault.query_message());
    out.extend_from_slice(b",\"Type\":");
    push_string(&mut out, if fault.error.sender { "Sender" } else { "Receiver" });
    out.extend_from_slice(b",\"Detail\":null},\"RequestId\":");
    push_string(&mut out, request_id);
    out.push(b'}');
    out.into()
}

fn ec2(fault: &Fault, request_id: &str) -> Bytes {
    let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>".to_vec();
    push_element(&mut out, "Code", fault.error.code);
    push_element(&mut out, "Message", fault.query_message());
    for (name, value) in &fault.details {
        push_element(&mut out, name, value);
    }
    out.extend_from_slice(b"</Error></Errors>");
    push_element(&mut out, "RequestID", request_id);
    out.extend_from_slice(b"</Response>");
    out.into()
}
