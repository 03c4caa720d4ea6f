//! The public protocol test cases of the AWS SDKs, from the server's side: what a client sends is
//! read, what it expects is written. The cases are not part of the sources: they are looked for
//! where TIDEMILL_WIRE_VECTORS says, else beside the sources, and without them this test says that
//! it was skipped. `crates/wire/tests/formats.rs` has cases of our own.

#![allow(clippy::unwrap_used, reason = "a test")]

mod compare;
mod schema;
mod value;

use std::path::PathBuf;
use std::{env, fs};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value as Json;
use tidemill_wire::schema::{Checks, Member};
use tidemill_wire::{
    Call, ErrorShape, Fault, Head, Operation, Protocol, Service, encode_fault, identify, read,
    write,
};

use schema::{Shapes, leak, text};
use value::{Value, Whole};

/// Cases that do not apply to a server, and why. A star stands for anything.
const NOT_OURS: &[(&str, &str)] = &[
    ("*ContentEncoding_*", "tells headers, but no body that they would be of"),
    ("SDKAppend*", "tells headers, but no body that they would be of"),
    ("*AutoFill", "the client makes up the value that it sends"),
    ("*EmptyQueryLists", "the client sends nothing for the empty list"),
    ("*EmptyQueryMaps", "the client sends nothing for the empty map"),
    ("RestJsonOmitsEmptyListQueryValues", "the client sends nothing for the empty list"),
    ("RestJsonHttpPrefixHeadersAreNotPresent", "the client sends nothing for the empty map"),
    ("RestJsonQueryPrecedence", "which of two values a client sends"),
    ("RestJsonHttpWithEmptyStructurePayload", "absent and empty look the same in the request"),
    ("RestJsonHttpWithHeadersButNoPayload", "absent and empty look the same in the request"),
    ("AwsJson10EndpointTrait*", "tells no headers, in which the protocol would be"),
    ("AwsJson10HostWithPath", "tells no headers, in which the protocol would be"),
    ("RestJsonHostWithPath", "the base path is the endpoint's, which a server has none of"),
    ("*Document*", "no API here has documents, and a schema has no such kind"),
    ("MediaTypeHeader*", "no API here has JSON in a header"),
    ("*DateTimeWith*Offset", "other ways to write a time, of which a server chooses one"),
    ("*IgnoreType", "what a client ignores, which a server does not send"),
    ("*DoesntDeserializeNull*", "what a client ignores, which a server does not send"),
    ("*DontDeserializeNullValues", "what a client ignores, which a server does not send"),
    ("*SkipsNull", "what a client ignores, which a server does not send"),
    (
        "*ErrorUsingXAmznErrorTypeWith*",
        "other ways to name an error, of which a server chooses one",
    ),
    ("AwsJson1*ErrorUsingXAmznErrorType", "other ways to name an error"),
    ("*ErrorUsingCode*", "other ways to name an error, of which a server chooses one"),
    ("*ComplexError*", "no API here has structures or headers in an error"),
    ("RestJsonQueryParamsStringListMap", "a server's map has all parameters, a client's has not"),
    ("*AllowNulls", "what a client ignores, which a server does not send"),
    ("*Handles*Output*", "an answer without a body may have one, which a client ignores"),
    ("handles_*", "an answer without a body may have one, which a client ignores"),
    ("AwsJson11IntEnums", "tells a request's header in the answer"),
    ("parses_the_request_id_from_the_response", "tells an id that is not the test's"),
    ("*PayloadWithUnsetUnion", "the length is the HTTP server's to tell"),
    ("NoOutputClientAllowsEmpty*", "an answer without output has no content type"),
];

fn not_ours(id: &str) -> bool {
    NOT_OURS.iter().any(|(pattern, _)| fits(pattern, id))
}

fn fits(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == id,
        Some((before, rest)) => id.strip_prefix(before).is_some_and(|id| {
            (0..=id.len()).any(|at| id.is_char_boundary(at) && fits(rest, &id[at..]))
        }),
    }
}

fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire-vectors");
    let folder = env::var_os("TIDEMILL_WIRE_VECTORS").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Runs `check` on each suite and case in `side`; says how many failed.
fn run(side: &str, check: fn(&Json, &Json) -> Result<(), String>) {
    let Some(folder) = folder() else {
        eprintln!("SKIPPED: no wire vectors here; TIDEMILL_WIRE_VECTORS can say where they are");
        return;
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.join(side)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut passed, mut left_out, mut failed) = (0, 0, Vec::new());
    for file in files {
        let suites: Json = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for suite in suites.as_array().unwrap() {
            for case in suite["cases"].as_array().unwrap() {
                let id = case["id"].as_str().unwrap_or("case");
                if not_ours(id) {
                    left_out += 1;
                    continue;
                }
                let result = std::panic::catch_unwind(|| check(suite, case));
                match result.unwrap_or_else(|_| Err("panicked".to_owned())) {
                    Ok(()) => passed += 1,
                    Err(why) => failed.push(format!("{id}: {why}")),
                }
            }
        }
    }
    eprintln!("{side}: {passed} passed, {left_out} do not apply to a server");
    assert!(failed.is_empty(), "{} of {side} failed:\n{}", failed.len(), failed.join("\n"));
}

fn protocol(suite: &Json) -> Protocol {
    let meta = &suite["metadata"];
    match (meta["protocol"].as_str().unwrap(), meta["jsonVersion"].as_str()) {
        ("json", Some("1.0")) => Protocol::AwsJson10,
        ("json", _) => Protocol::AwsJson11,
        ("query", _) => Protocol::Query,
        ("ec2", _) => Protocol::Ec2Query,
        ("rest-json", _) => Protocol::RestJson,
        ("smithy-rpc-v2-cbor", _) => Protocol::RpcV2Cbor,
        (other, _) => panic!("{other} is no protocol"),
    }
}

fn service(suite: &Json, case: &Json) -> &'static Service {
    let shapes = Shapes(&suite["shapes"]);
    let given = &case["given"];
    let output = &given["output"]["shape"];
    let status = given["http"]["responseCode"].as_u64().unwrap_or(200);
    let operation = Operation {
        name: text(&given["name"]).unwrap(),
        index: 0,
        method: text(&given["http"]["method"]).unwrap_or("POST"),
        uri: text(&given["http"]["requestUri"]).unwrap_or("/"),
        status: StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap(),
        checks: None,
        input: shapes.root(&given["input"]["shape"]),
        output: output.as_str().map(|_| shapes.root(output)),
    };
    leak(Service {
        name: "vectors",
        id: "Vectors",
        namespace: "vectors",
        version: text(&suite["metadata"]["apiVersion"]).unwrap_or(""),
        signing_name: "vectors",
        target: text(&suite["metadata"]["targetPrefix"]).unwrap_or(""),
        xml_namespace: "https://example.com/",
        protocols: leak([protocol(suite)]),
        query_compatible: !suite["metadata"]["awsQueryCompatible"].is_null(),
        checks: Checks::Validation,
        omits_empty: false,
        path_member: None,
        operations: leak([operation]),
    })
}

/// The body of a request or response: CBOR is in base64.
fn body(protocol: Protocol, message: &Json) -> Vec<u8> {
    use base64::Engine as _;
    let text = message["body"].as_str().unwrap_or_default();
    if protocol == Protocol::RpcV2Cbor {
        return base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    }
    text.as_bytes().to_vec()
}

fn headers(message: &Json) -> HeaderMap {
    let pairs = message["headers"].as_object().into_iter().flatten();
    let pair = |(name, value): (&String, &Json)| {
        let name = HeaderName::try_from(name).unwrap();
        (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    };
    pairs.map(pair).collect()
}

#[test]
fn what_clients_send_is_read() {
    run("input", |suite, case| {
        let service = service(suite, case);
        let protocol = protocol(suite);
        let sent = &case["serialized"];
        let method: Method = sent["method"].as_str().unwrap_or("POST").parse().unwrap();
        let uri = sent["uri"].as_str().unwrap_or("/");
        let (path, query) = match uri.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (uri, None),
        };
        let headers = headers(sent);
        let head = Head { method: &method, path, query, headers: (&headers).into() };
        let body = body(protocol, sent);
        let call = identify(&[service], &head, &body, Some("vectors"))
            .map_err(|refusal| format!("not identified: {}", refusal.fault.message))?;
        if call.protocol != protocol {
            return Err(format!("taken for {:?}", call.protocol));
        }
        let value: Whole =
            read(&call, &head, &body).map_err(|fault| format!("refused: {}", fault.message))?;
        let wanted = Value::from_json(&case["params"], call.operation.input.shape);
        same(&wanted, &value.sorted())
    });
}

fn same(wanted: &Value, found: &Value) -> Result<(), String> {
    let (wanted, found) = (wanted.look(), found.look());
    if wanted == found { Ok(()) } else { Err(format!("\n  wanted {wanted}\n  found  {found}")) }
}

#[test]
fn what_clients_expect_is_written() {
    run("output", |suite, case| {
        let service = service(suite, case);
        let protocol = protocol(suite);
        let reply = if case["errorCode"].is_null() {
            let operation = &service.operations[0];
            let call = Call { service, operation, protocol };
            let value = operation
                .output
                .map(|place: &'static Member| Value::from_json(&case["result"], place.shape));
            write(&call, value.as_ref().map(|value| value as _), "id")
        } else {
            encode_fault(protocol, Some(service), &fault(suite, case), "id")
        };
        compare::reply(service, protocol, &case["response"], &reply, case)
    });
}

/// The refusal that a client is to understand.
fn fault(suite: &Json, case: &Json) -> Fault {
    let name = text(&case["given"]["errors"][0]["shape"]).unwrap();
    let status = case["response"]["status_code"].as_u64().unwrap();
    let status = StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
    let code = text(&suite["shapes"][name]["error"]["code"]).unwrap_or(name);
    let error = leak(ErrorShape::sender(name, code, status));
    let mut fault = Fault::new(error, case["errorMessage"].as_str().unwrap_or("").to_owned());
    for (name, value) in case["error"].as_object().into_iter().flatten() {
        if !name.eq_ignore_ascii_case("message")
            && let Some(value) = value.as_str()
        {
            fault = fault.with(leak(name.clone()), value);
        }
    }
    fault
}
