//! A request as far as the server has read it, which operation it calls, and the answer: the parts
//! that all protocols share. [`read`] and [`write`] choose the format.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, Method, StatusCode};
use tidemill_base::{ByteSize, Fields, Headers, header_text};

use crate::cbor::{CborDecoder, CborEncoder};
use crate::decode::{self, DecodeMembers, Decoder, Unreadable};
use crate::encode::Encode;
use crate::fault::{Fault, SERIALIZATION, TOO_LARGE};
use crate::form::{self, FormDecoder};
use crate::json::{JsonDecoder, JsonEncoder, push_string};
use crate::protocol::Protocol;
use crate::rest::{RestDecoder, RestEncoder};
use crate::schema::{Operation, Service};
use crate::xml::{XmlEncoder, push_element};

/// A request without its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path, still percent-encoded.
    pub path: &'a str,
    /// What follows the question mark, still percent-encoded.
    pub query: Option<&'a str>,
    /// Its headers.
    pub headers: Headers<'a>,
}

impl<'a> Head<'a> {
    /// The header `name` as text; nothing if it is absent or not ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&'a str> {
        self.headers.text(name)
    }

    /// The content type, without its parameters.
    pub(crate) fn content_type(&self) -> &'a str {
        let whole = self.header(&CONTENT_TYPE).unwrap_or_default();
        // A search for a letter takes longer to begin than these few bytes to look at.
        let end = whole.bytes().position(|byte| byte == b';').unwrap_or(whole.len());
        whole[..end].trim_ascii()
    }
}

/// What a request calls.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Whose operation.
    pub service: &'static Service,
    /// Which operation.
    pub operation: &'static Operation,
    /// In which protocol.
    pub protocol: Protocol,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, the content type and the request's id among them.
    pub headers: Fields,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// An answer without a body yet.
    pub(crate) fn new(status: StatusCode, protocol: Protocol, request_id: &str) -> Self {
        let mut headers = Fields::new();
        headers.insert(CONTENT_TYPE, protocol.content_type());
        headers.insert(HeaderName::from_static("x-amzn-requestid"), request_id.to_owned());
        if protocol == Protocol::RpcV2Cbor {
            let name = HeaderName::from_static("smithy-protocol");
            headers.insert(name, "rpc-v2-cbor");
        }
        Self { status, headers, body: Bytes::new() }
    }
}

/// The body without its content encoding: clients compress large requests with gzip. A body that
/// would be longer than `limit` is refused, before it takes the memory.
pub fn plain_body<'a>(
    headers: Headers<'_>,
    body: &'a [u8],
    limit: ByteSize,
) -> Result<Cow<'a, [u8]>, Fault> {
    let too_large = || Fault::new(&TOO_LARGE, format!("the body is longer than {limit}"));
    // Some clients list gzip behind another encoding that they only named.
    let coding = headers.all(CONTENT_ENCODING).last().and_then(header_text).unwrap_or_default();
    let last = coding.rsplit(',').next().unwrap_or_default().trim();
    if !last.eq_ignore_ascii_case("gzip") {
        return if body.len() > limit.as_usize() { Err(too_large()) } else { Ok(body.into()) };
    }
    let mut plain = Vec::new();
    let most = limit.as_u64().saturating_add(1);
    let read = GzDecoder::new(body).take(most).read_to_end(&mut plain);
    if read.is_err() {
        return Err(Fault::new(&SERIALIZATION, "the body is not gzip"));
    }
    if plain.len() > limit.as_usize() { Err(too_large()) } else { Ok(plain.into()) }
}

/// Reads the input of `call`. The body is as [`plain_body`] gives it.
pub fn read<T>(call: &Call, head: &Head<'_>, body: &[u8]) -> Result<T, Fault>
where
    T: DecodeMembers + Default,
{
    let unreadable = |error: Unreadable| Fault::new(&SERIALIZATION, error.0);
    match call.protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            let body = if body.is_empty() { b"{}" } else { body };
            input(call, &mut JsonDecoder::new(body).map_err(unreadable)?)
        }
        Protocol::RpcV2Cbor if body.is_empty() => {
            input(call, &mut FormDecoder::new(Vec::new(), false))
        }
        Protocol::RpcV2Cbor => input(call, &mut CborDecoder::new(body)),
        Protocol::Query | Protocol::QueryJson | Protocol::Ec2Query => {
            let mut pairs = parameters(head, body).map_err(unreadable)?;
            if let Some(member) = call.service.path_member
                && head.path != "/"
                && form::find(&pairs, member).is_none()
            {
                pairs.push((member.into(), head.path.into()));
            }
            input(call, &mut FormDecoder::new(pairs, call.protocol == Protocol::Ec2Query))
        }
        Protocol::RestJson => {
            let mut decoder = RestDecoder::new(call.operation, head, body).map_err(unreadable)?;
            input(call, &mut decoder)
        }
    }
}

/// The parameters of a Query request, wherever they stand.
fn parameters<'a>(head: &Head<'a>, body: &'a [u8]) -> Result<Vec<form::Pair<'a>>, Unreadable> {
    let mut pairs = form::pairs(body)?;
    pairs.extend(form::pairs(head.query.unwrap_or_default().as_bytes())?);
    Ok(pairs)
}

fn input<T>(call: &Call, decoder: &mut dyn Decoder) -> Result<T, Fault>
where
    T: DecodeMembers + Default,
{
    let input = decode::structure(decoder, call.operation.input);
    let input = input.and_then(|input| decoder.end().map(|()| input));
    let input = input.map_err(|error| Fault::new(&SERIALIZATION, error.0))?;
    let checks = call.operation.checks.unwrap_or(call.service.checks);
    match decoder.violations().fault(checks) {
        Some(fault) => Err(fault),
        None => Ok(input),
    }
}

/// Writes the output of `call`, which is nothing for an operation that gives nothing.
pub fn write(call: &Call, output: Option<&dyn Encode>, request_id: &str) -> Reply {
    let mut reply = Reply::new(call.operation.status, call.protocol, request_id);
    let output = output.zip(call.operation.output);
    let omits_empty = call.service.omits_empty;
    match call.protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            if let Some((output, place)) = output {
                reply.body = in_room(|room| {
                    let mut encoder = JsonEncoder::new(room, omits_empty);
                    output.encode(&mut encoder, place);
                    encoder.into_bytes()
                });
            }
        }
        Protocol::RpcV2Cbor => {
            let mut encoder = CborEncoder::new(omits_empty);
            if let Some((output, place)) = output {
                output.encode(&mut encoder, place);
                reply.body = encoder.into_bytes().into();
            } else {
                reply.headers.remove(&CONTENT_TYPE);
            }
        }
        Protocol::RestJson => {
            if let Some((output, place)) = output {
                let mut encoder = RestEncoder::new(&mut reply, place, omits_empty);
                output.encode(&mut encoder, place);
                encoder.finish();
            }
        }
        Protocol::Query => reply.body = query(call, output, request_id),
        Protocol::QueryJson => reply.body = query_json(call, output, request_id),
        Protocol::Ec2Query => reply.body = ec2(call, output, request_id),
    }
    reply
}

/// Of what is longer, memory is not kept for the next answer.
const ROOM: usize = 64 << 10;

/// Writes in room that is kept from one answer to the next, so that it does not have to grow each
/// time, and takes no more memory than there is to keep.
fn in_room(write: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Bytes {
    thread_local! {
        static KEPT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut written = write(KEPT.take());
    if written.capacity() > ROOM {
        return written.into();
    }
    let answer = Bytes::copy_from_slice(&written);
    written.clear();
    KEPT.set(written);
    answer
}

type Output<'a> = Option<(&'a dyn Encode, &'static crate::schema::Member)>;

fn query(call: &Call, output: Output<'_>, request_id: &str) -> Bytes {
    let name = call.operation.name;
    let mut out = Vec::with_capacity(512);
    let namespace = call.service.xml_namespace;
    out.extend_from_slice(b"<?xml version=\"1.0\"?>");
    out.extend_from_slice(format!("<{name}Response xmlns=\"{namespace}\">").as_bytes());
    if let Some((output, place)) = output {
        let mut encoder = XmlEncoder::new(out, Some(format!("{name}Result")));
        output.encode(&mut encoder, place);
        out = encoder.into_bytes();
    }
    out.extend_from_slice(b"<ResponseMetadata>");
    push_element(&mut out, "RequestId", request_id);
    out.extend_from_slice(format!("</ResponseMetadata></{name}Response>").as_bytes());
    out.into()
}

fn query_json(call: &Call, output: Output<'_>, request_id: &str) -> Bytes {
    let name = call.operation.name;
    let mut out = format!("{{\"{name}Response\":{{").into_bytes();
    if let Some((output, place)) = output {
        out.extend_from_slice(format!("\"{name}Result\":").as_bytes());
        let mut encoder = JsonEncoder::of_query(out, call.service.omits_empty);
        output.encode(&mut encoder, place);
        out = encoder.into_bytes();
        out.push(b',');
    }
    out.extend_from_slice(b"\"ResponseMetadata\":{\"RequestId\":");
    push_string(&mut out, request_id);
    out.extend_from_slice(b"}}}");
    out.into()
}

fn ec2(call: &Call, output: Output<'_>, request_id: &str) -> Bytes {
    let name = call.operation.name;
    let namespace = call.service.xml_namespace;
    let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_vec();
    out.extend_from_slice(format!("<{name}Response xmlns=\"{namespace}\">").as_bytes());
    push_element(&mut out, "requestId", request_id);
    if let Some((output, place)) = output {
        let mut encoder = XmlEncoder::new(out, None);
        output.encode(&mut encoder, place);
        out = encoder.into_bytes();
    }
    out.extend_from_slice(format!("</{name}Response>").as_bytes());
    out.into()
}
