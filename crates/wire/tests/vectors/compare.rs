//! Whether an answer says what a client expects.

use http::{HeaderMap, Method};
use roxmltree::{Document, Node};
use serde_json::Value as Json;
use tidemill_wire::{Call, Head, Operation, Protocol, Reply, Service, read};

use crate::schema::leak;
use crate::value::Whole;

pub(crate) fn reply(
    service: &'static Service,
    protocol: Protocol,
    wanted: &Json,
    found: &Reply,
    case: &Json,
) -> Result<(), String> {
    let status = wanted["status_code"].as_u64().unwrap();
    if status != u64::from(found.status.as_u16()) {
        return Err(format!("status {} instead of {status}", found.status));
    }
    for (name, value) in wanted["headers"].as_object().into_iter().flatten() {
        let theirs = value.as_str().unwrap();
        let ours = found.headers.get(name).unwrap_or_default();
        let media = |text: &str| text.split(';').next().unwrap_or_default().to_owned();
        let kind = name.eq_ignore_ascii_case("content-type");
        let same = if kind { media(theirs) == media(ours) } else { theirs == ours };
        if !same {
            return Err(format!("{name}: '{ours}' instead of '{theirs}'"));
        }
    }
    let error = !case["errorCode"].is_null();
    let body = crate::body(protocol, wanted);
    match protocol {
        _ if body.is_empty() => Ok(()),
        Protocol::Query | Protocol::QueryJson | Protocol::Ec2Query => xml(&body, &found.body),
        Protocol::RpcV2Cbor if error => cbor_error(&found.body, case),
        Protocol::RpcV2Cbor => cbor(service, &body, &found.body),
        _ => json(&body, &found.body, error),
    }
}

fn json(wanted: &[u8], found: &[u8], error: bool) -> Result<(), String> {
    let Ok(mut wanted) = serde_json::from_slice::<Json>(wanted) else {
        let same = wanted == found;
        return if same { Ok(()) } else { Err("another body".to_owned()) };
    };
    let mut found: Json =
        serde_json::from_slice(found).map_err(|error| format!("not JSON: {error}"))?;
    if error {
        for json in [&mut wanted, &mut found] {
            let fields = std::mem::take(json.as_object_mut().unwrap()).into_iter();
            // Where the name of the error stands is the client's to find; its spelling is not.
            let message = |name: String| if name == "Message" { "message".into() } else { name };
            let told = fields.filter(|(name, value)| name != "__type" && value != "");
            *json = Json::Object(told.map(|(name, value)| (message(name), value)).collect());
        }
    }
    if numbers(&wanted) == numbers(&found) {
        return Ok(());
    }
    Err(format!("\n  wanted {wanted}\n  found  {found}"))
}

/// `1` and `1.0` are the same number, and a float's nearest double is that float.
#[expect(clippy::cast_possible_truncation, reason = "that is the point")]
fn numbers(json: &Json) -> Json {
    match json {
        Json::Number(number) => Json::from(number.as_f64().unwrap() as f32),
        Json::Array(list) => list.iter().map(numbers).collect(),
        Json::Object(map) => map.iter().map(|(key, one)| (key.clone(), numbers(one))).collect(),
        other => other.clone(),
    }
}

fn cbor(service: &'static Service, wanted: &[u8], found: &[u8]) -> Result<(), String> {
    // What a client reads of it: the output, read as if it were an input.
    let output = service.operations[0].output.ok_or("there is no output")?;
    let operation: &'static Operation = leak(Operation {
        input: output,
        output: None,
        status: http::StatusCode::OK,
        ..service.operations[0]
    });
    let call = Call { service, operation, protocol: Protocol::RpcV2Cbor };
    let headers = HeaderMap::new();
    let head = Head { method: &Method::POST, path: "/", query: None, headers: (&headers).into() };
    let value = |body: &[u8]| {
        let value: Whole = read(&call, &head, body).map_err(|fault| fault.message.to_string())?;
        Ok::<_, String>(value.sorted())
    };
    crate::same(&value(wanted)?, &value(found)?)
}

fn cbor_error(found: &[u8], case: &Json) -> Result<(), String> {
    let mut items = minicbor::Decoder::new(found);
    let length = items.map().unwrap().unwrap();
    let mut told = Vec::new();
    for _ in 0..length {
        told.push((items.str().unwrap().to_owned(), items.str().unwrap().to_owned()));
    }
    let code = case["given"]["errors"][0]["shape"].as_str().unwrap();
    let named = told[0].0 == "__type" && told[0].1.ends_with(&format!("#{code}"));
    let message = case["errorMessage"].as_str().unwrap_or_default();
    let said = told.iter().any(|(name, value)| name == "message" && value == message);
    if named && said { Ok(()) } else { Err(format!("told {told:?}")) }
}

fn xml(wanted: &[u8], found: &[u8]) -> Result<(), String> {
    let tree = |body: &[u8]| -> Result<String, String> {
        let text = str::from_utf8(body).unwrap();
        let document = Document::parse(text).map_err(|error| format!("{error}: {text}"))?;
        let mut out = String::new();
        outline(document.root_element(), &mut out);
        Ok(out)
    };
    let (wanted, found) = (tree(wanted)?, tree(found)?);
    if wanted == found { Ok(()) } else { Err(format!("\n  wanted {wanted}\n  found  {found}")) }
}

/// Elements in their order, with the text of those that hold no element; what is about the request
/// and not in it is left out, and so are attributes, which clients skip.
fn outline(node: Node<'_, '_>, out: &mut String) {
    let name = node.tag_name().name();
    let about = ["ResponseMetadata", "RequestId", "requestId", "RequestID", "Detail"];
    if about.contains(&name) {
        return;
    }
    out.extend(["<", name, ">"]);
    let mut children: Vec<Node<'_, '_>> = node.children().filter(Node::is_element).collect();
    // Members may come in any order, and so may a map's entries; a list's items are called the
    // same, and stay in theirs.
    let is_key = |first: Node<'_, '_>| ["key", "K", "Attribute"].contains(&first.tag_name().name());
    let key = |child: &Node<'_, '_>| {
        let first = child.first_element_child().filter(|first| is_key(*first))?;
        first.text().map(str::to_owned)
    };
    children.sort_by_key(|child| (child.tag_name().name().to_owned(), key(child)));
    if children.is_empty() {
        out.push_str(node.text().unwrap_or_default().trim());
    }
    for child in children {
        outline(child, out);
    }
    out.push_str("</>");
}
