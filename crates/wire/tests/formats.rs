//! One small API, made here, in all protocols: what they read, what they write, what they refuse.
//! The public cases in `vectors/` go further, but are not part of the sources.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "vectors/value.rs"]
#[allow(dead_code, reason = "shared with the vectors, which use all of it")]
mod value;

use std::io::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value as Json, json};
use tidemill_base::{ByteSize, Chance};
use tidemill_wire::schema::{
    BLOB, BOOLEAN, Checks, DOUBLE, INTEGER, Kind, Member, Place, Role, STRING, Shape, TIMESTAMP,
};
use tidemill_wire::{
    Call, ErrorShape, Fault, Head, Operation, Protocol, Reply, Service, encode_fault, identify,
    plain_body, read, write,
};

use value::{Value, Whole};

static NAME: Shape = Shape::matching("Name", "[a-z]+").limit(Some(2), Some(8));
static COLOR: Shape = Shape::new("Color", Kind::String).values(&["red", "blue"]);
static LINE: Shape = Shape::new(
    "Line",
    Kind::Structure(&[Member::field("Item", &STRING).required(), Member::field("Color", &COLOR)]),
);
static LINES: Shape =
    Shape::new("Lines", Kind::List(&Member::new(Role::Item, "member", &LINE))).limit(None, Some(3));
static NOTES: Shape = Shape::new("Notes", Kind::List(&Member::new(Role::Item, "note", &STRING)));
static TAGS: Shape = Shape::new(
    "Tags",
    Kind::Map(&Member::new(Role::Key, "key", &STRING), &Member::new(Role::Value, "value", &STRING)),
);
static ORDER: Shape = Shape::new(
    "Order",
    Kind::Structure(&[
        Member::field("Name", &NAME).named("name", "Name", "OrderName").required(),
        Member::field("Count", &INTEGER),
        Member::field("Ratio", &DOUBLE),
        Member::field("At", &TIMESTAMP),
        Member::field("Proof", &BLOB),
        Member::field("Urgent", &BOOLEAN),
        Member::field("Lines", &LINES).named("Lines", "Line", "Line").flattened(),
        Member::field("Notes", &NOTES),
        Member::field("Tags", &TAGS),
        Member::field("Parent", &ORDER),
    ]),
);
static REST_ORDER: Shape = Shape::new(
    "RestOrder",
    Kind::Structure(&[
        Member::field("Name", &STRING).required().at(Place::Label("Name")),
        Member::field("Rest", &STRING).at(Place::Label("Rest")),
        Member::field("Notes", &NOTES).at(Place::Param("note")),
        Member::field("Count", &INTEGER).at(Place::Header("x-count")),
        Member::field("Tags", &TAGS).at(Place::Headers("x-tag-")),
        Member::field("Urgent", &BOOLEAN),
        Member::field("Code", &INTEGER).at(Place::Status),
    ]),
);

static PROTOCOLS: [Protocol; 6] = [
    Protocol::AwsJson10,
    Protocol::AwsJson11,
    Protocol::Query,
    Protocol::Ec2Query,
    Protocol::RestJson,
    Protocol::RpcV2Cbor,
];

const fn service(
    name: &'static str,
    protocols: &'static [Protocol],
    operations: &'static [Operation],
) -> Service {
    Service {
        name,
        id: name,
        namespace: "test.shop",
        version: "2020-02-02",
        signing_name: name,
        target: name,
        xml_namespace: "urn:shop",
        protocols,
        query_compatible: true,
        checks: Checks::Validation,
        omits_empty: false,
        path_member: None,
        operations,
    }
}

static WHOLE: Member = Member::new(Role::Root, "Order", &ORDER);
static REST_WHOLE: Member = Member::new(Role::Root, "Order", &REST_ORDER);
static SHOP: Service = service(
    "shop",
    &[Protocol::AwsJson10, Protocol::Query, Protocol::RpcV2Cbor],
    &[operation("PutOrder", 0, "POST", "/", &WHOLE)],
);
static EC2_SHOP: Service =
    service("ec2shop", &[Protocol::Ec2Query], &[operation("PutOrder", 0, "POST", "/", &WHOLE)]);
static REST_SHOP: Service = service(
    "restshop",
    &[Protocol::RestJson],
    &[
        operation("PutOrder", 0, "PUT", "/orders/{Name}/rest/{Rest+}", &REST_WHOLE),
        operation("PutAnyOrder", 1, "PUT", "/orders/{Name}/{Rest}/x", &REST_WHOLE),
        operation("ListOrders", 2, "GET", "/orders?list", &REST_WHOLE),
    ],
);
static SERVICES: [&Service; 3] = [&SHOP, &EC2_SHOP, &REST_SHOP];

const fn operation(
    name: &'static str,
    index: usize,
    method: &'static str,
    uri: &'static str,
    whole: &'static Member,
) -> Operation {
    let status = StatusCode::OK;
    Operation { name, index, method, uri, status, checks: None, input: whole, output: Some(whole) }
}

fn order() -> Json {
    json!({
        "Name": "abc", "Count": -3, "Ratio": 0.5, "At": 1.5, "Proof": "\u{0}\u{ff}", "Urgent": true,
        "Lines": [{"Item": "a\"<\r"}, {"Item": "", "Color": "red"}], "Notes": ["n", "é"],
        "Tags": {"k": "v"}, "Parent": {"Name": "top"},
    })
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

struct Asked {
    method: Method,
    uri: &'static str,
    headers: HeaderMap,
    body: Vec<u8>,
    signed_for: &'static str,
}

impl Asked {
    fn post(headers_of: &[(&'static str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let headers = headers(headers_of);
        Self { method: Method::POST, uri: "/", headers, body: body.into(), signed_for: "shop" }
    }

    fn json(body: &str) -> Self {
        let kind = ("content-type", "application/x-amz-json-1.0");
        Self::post(&[("x-amz-target", "shop.PutOrder"), kind], body)
    }

    fn form(body: &str) -> Self {
        Self::post(&[("content-type", "application/x-www-form-urlencoded")], body)
    }

    fn cbor(body: Vec<u8>) -> Self {
        let asked = Self::post(&[("smithy-protocol", "rpc-v2-cbor")], body);
        Self { uri: "/service/shop/operation/PutOrder", ..asked }
    }

    fn read(&self) -> Result<(Call, Result<Value, Fault>), Fault> {
        let (path, query) = match self.uri.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.uri, None),
        };
        let head = Head { method: &self.method, path, query, headers: (&self.headers).into() };
        let call = identify(&SERVICES, &head, &self.body, Some(self.signed_for))
            .map_err(|refusal| refusal.fault)?;
        Ok((call, read::<Whole>(&call, &head, &self.body).map(Whole::sorted)))
    }

    fn value(&self) -> Value {
        self.read().unwrap().1.unwrap()
    }

    fn fault(&self) -> Fault {
        match self.read() {
            Ok((_, value)) => value.unwrap_err(),
            Err(fault) => fault,
        }
    }
}

const JSON_ORDER: &str = r#"{"name":"abc","Count":-3,"Ratio":0.5,"At":1.5,"Proof":"AMO/",
    "Urgent":true,"Lines":[{"Item":"a\"<\r"},{"Item":"","Color":"red"}],"Notes":["n","é",null],
    "Tags":{"k":"v","none":null},"Parent":{"name":"top"}}"#;

const FORM_ORDER: &str = "Action=PutOrder&Name=abc&Count=-3&Ratio=0.5&At=1970-01-01T00%3A00%3A01.5Z\
    &Proof=AMO%2F&Urgent=true&Line.1.Item=a%22%3C%0D&Line.2.Item=&Line.2.Color=red\
    &Notes.note.1=n&Notes.note.2=%C3%A9&Tags.entry.1.key=k&Tags.entry.1.value=v&Parent.Name=top";

fn written(protocol: Protocol, service: &'static Service, value: &Json, place: &Member) -> Reply {
    let operation = &service.operations[0];
    let call = Call { service, operation, protocol };
    let value = Value::from_json(value, place.shape);
    write(&call, Some(&value), "id")
}

fn text(reply: &Reply) -> &str {
    str::from_utf8(&reply.body).unwrap()
}

#[test]
fn an_order_reads_the_same_in_each_protocol() {
    let wanted = Value::from_json(&order(), &ORDER);
    assert_eq!(Asked::json(JSON_ORDER).value(), wanted);
    assert_eq!(Asked::form(FORM_ORDER).value(), wanted);
    let ec2 = FORM_ORDER.replace("Name=", "OrderName=").replace(".note.", ".");
    assert_eq!(Asked { signed_for: "ec2shop", ..Asked::form(&ec2) }.value(), wanted);
    let cbor = written(Protocol::RpcV2Cbor, &SHOP, &order(), &WHOLE).body;
    assert_eq!(Asked::cbor(cbor.to_vec()).value(), wanted);
}

#[test]
fn an_order_is_written_in_json() {
    let reply = written(Protocol::AwsJson10, &SHOP, &order(), &WHOLE);
    assert_eq!(
        text(&reply),
        "{\"name\":\"abc\",\"Count\":-3,\"Ratio\":0.5,\"At\":1.5,\"Proof\":\"AMO/\",\
         \"Urgent\":true,\"Lines\":[{\"Item\":\"a\\\"<\\r\"},{\"Item\":\"\",\"Color\":\"red\"}],\
         \"Notes\":[\"n\",\"é\"],\"Tags\":{\"k\":\"v\"},\"Parent\":{\"name\":\"top\"}}"
    );
}

#[test]
fn an_order_is_written_in_xml() {
    let body = "<Name>abc</Name><Count>-3</Count><Ratio>0.5</Ratio>\
        <At>1970-01-01T00:00:01.500Z</At><Proof>AMO/</Proof><Urgent>true</Urgent>\
        <Line><Item>a&quot;&lt;&#xD;</Item></Line><Line><Item/><Color>red</Color></Line>\
        <Notes><note>n</note><note>é</note></Notes>\
        <Tags><entry><key>k</key><value>v</value></entry></Tags><Parent><Name>top</Name></Parent>";
    assert_eq!(
        text(&written(Protocol::Query, &SHOP, &order(), &WHOLE)),
        format!(
            "<?xml version=\"1.0\"?><PutOrderResponse xmlns=\"urn:shop\"><PutOrderResult>{body}\
             </PutOrderResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>\
             </PutOrderResponse>"
        )
    );
    assert_eq!(
        text(&written(Protocol::Ec2Query, &EC2_SHOP, &order(), &WHOLE)),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PutOrderResponse xmlns=\"urn:shop\">\
             <requestId>id</requestId>{body}</PutOrderResponse>"
        )
    );
}

#[test]
fn a_rest_request_has_its_members_in_many_places() {
    let asked = Asked {
        method: Method::PUT,
        uri: "/orders/a%2Fb/rest/x/y?note=1&note=2+3",
        headers: headers(&[("x-count", "5"), ("x-tag-k", "v")]),
        body: b"{\"Urgent\":true,\"Name\":\"not from here\"}".to_vec(),
        signed_for: "restshop",
    };
    let wanted = json!({"Name": "a/b", "Rest": "x/y", "Notes": ["1", "2 3"], "Count": 5,
        "Tags": {"k": "v"}, "Urgent": true});
    assert_eq!(asked.value(), Value::from_json(&wanted, &REST_ORDER));
}

#[test]
fn a_rest_answer_has_its_members_in_many_places() {
    let value = json!({"Name": "n", "Count": 5, "Tags": {"k": "v"}, "Urgent": true, "Code": 202});
    let reply = written(Protocol::RestJson, &REST_SHOP, &value, &REST_WHOLE);
    assert_eq!(reply.status, 202);
    assert_eq!(reply.headers.get("x-count").unwrap(), "5");
    assert_eq!(reply.headers.get("x-tag-k").unwrap(), "v");
    // In an answer there is no path; what would be a label is in the body.
    assert_eq!(text(&reply), "{\"Name\":\"n\",\"Urgent\":true}");
}

#[test]
fn the_template_that_fixes_most_of_a_path_wins() {
    let name = |uri: &'static str, method: Method| {
        let asked = Asked::post(&[], "");
        let asked = Asked { method, uri, signed_for: "restshop", ..asked };
        asked.read().map(|(call, _)| call.operation.name).map_err(|fault| fault.error.name)
    };
    assert_eq!(name("/orders/a/rest/x", Method::PUT), Ok("PutOrder"));
    assert_eq!(name("/orders/a/b/x/", Method::PUT), Ok("PutAnyOrder"));
    assert_eq!(name("/orders?list&more", Method::GET), Ok("ListOrders"));
    for uri in ["/orders", "/orders/", "/", "", "/orders//rest/", "orders/a/rest/x", "*"] {
        assert_eq!(name(uri, Method::PUT), Err("UnknownOperationException"), "{uri}");
    }
    assert_eq!(name("/orders", Method::GET), Err("UnknownOperationException"));
}

#[test]
fn what_breaks_constraints_is_told_with_its_place() {
    let fault =
        Asked::json(r#"{"name":"A","Lines":[{"Color":"red"},{"Item":"x","Color":"green"},{},{}]}"#)
            .fault();
    assert_eq!(fault.error.name, "ValidationException");
    let parts: Vec<&str> = fault.message.split("; ").collect();
    assert_eq!(
        parts,
        [
            "7 validation errors detected: Value 'A' at 'name' failed to satisfy constraint: \
             Member must have length greater than or equal to 2",
            "Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-z]+",
            "Value null at 'lines.1.member.item' failed to satisfy constraint: Member must not be \
             null",
            "Value 'green' at 'lines.2.member.color' failed to satisfy constraint: Member must \
             satisfy enum value set: [red, blue]",
            "Value null at 'lines.3.member.item' failed to satisfy constraint: Member must not be \
             null",
            "Value null at 'lines.4.member.item' failed to satisfy constraint: Member must not be \
             null",
            "Value '(4 items)' at 'lines' failed to satisfy constraint: Member must have length \
             less than or equal to 3",
        ]
    );
}

#[test]
fn a_refusal_is_written_in_each_protocol() {
    static GONE: ErrorShape = ErrorShape::sender("Gone", "Shop.Gone", StatusCode::GONE);
    let fault = Fault::new(&GONE, "It's <gone>").with("Since", "noon");
    let reply = |protocol| encode_fault(protocol, Some(&SHOP), &fault, "id");
    for protocol in PROTOCOLS {
        assert_eq!(reply(protocol).status, 410, "{protocol:?}");
        assert_eq!(reply(protocol).headers.get("x-amzn-requestid").unwrap(), "id");
    }
    let json = reply(Protocol::AwsJson11);
    assert_eq!(json.headers.get("content-type").unwrap(), "application/x-amz-json-1.1");
    assert_eq!(json.headers.get("x-amzn-query-error").unwrap(), "Shop.Gone;Sender");
    assert_eq!(
        text(&json),
        r#"{"__type":"test.shop#Gone","message":"It's <gone>","Since":"noon"}"#
    );
    assert_eq!(reply(Protocol::RestJson).headers.get("x-amzn-errortype").unwrap(), "Gone");
    assert_eq!(
        text(&reply(Protocol::Ec2Query)),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error>\
         <Code>Shop.Gone</Code><Message>It's &lt;gone&gt;</Message><Since>noon</Since></Error>\
         </Errors><RequestID>id</RequestID></Response>"
    );
    assert!(text(&reply(Protocol::Query)).contains("<Type>Sender</Type><Code>Shop.Gone</Code>"));
    let cbor = reply(Protocol::RpcV2Cbor);
    assert_eq!(cbor.headers.get("smithy-protocol").unwrap(), "rpc-v2-cbor");
    assert_eq!(cbor.headers.get("content-type").unwrap(), "application/cbor");
    assert!(cbor.body.starts_with(b"\xa3\x66__type\x6etest.shop#Gone"));
}

#[test]
fn a_compressed_body_is_inflated_up_to_a_limit() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![b'x'; 100_000]).unwrap();
    let packed = packed.finish().unwrap();
    let gzip = headers(&[("content-encoding", "aws-chunked, gzip")]);
    let plain = |limit| plain_body((&gzip).into(), &packed, limit).map(|body| body.len());
    assert_eq!(plain(ByteSize::bytes(100_000)), Ok(100_000));
    assert_eq!(plain(ByteSize::bytes(99_999)).unwrap_err().error.status, 413);
    assert_eq!(plain_body((&gzip).into(), b"xx", ByteSize::kib(1)).unwrap_err().error.status, 400);
    let none = HeaderMap::new();
    assert_eq!(
        plain_body((&none).into(), b"as it is", ByteSize::kib(1)).unwrap(),
        &b"as it is"[..]
    );
    assert!(plain_body((&none).into(), b"as it is", ByteSize::bytes(7)).is_err());
}

#[test]
fn nesting_has_an_end_in_each_protocol() {
    let deep = 100_000;
    let json = "{\"Parent\":".repeat(deep);
    assert_eq!(Asked::json(&json).fault().error.name, "SerializationException");
    let form = format!("Action=PutOrder&{}Name=x", "Parent.".repeat(deep));
    assert_eq!(Asked::form(&form).fault().error.name, "SerializationException");
    let cbor = b"\xa1\x66Parent".repeat(deep);
    assert_eq!(Asked::cbor(cbor).fault().error.name, "SerializationException");
}

#[test]
fn a_list_written_carelessly_is_read_nevertheless() {
    let notes = |form: &str| {
        let body = format!("Action=PutOrder&Name=abc&{form}");
        let Value::Structure(fields) = Asked::form(&body).value() else { unreachable!() };
        fields.into_iter().find(|(name, _)| name == "Notes").map(|(_, value)| value)
    };
    let list = |items: &[&str]| {
        Some(Value::List(items.iter().map(|item| Value::Text((*item).to_owned())).collect()))
    };
    assert_eq!(notes("Notes.1=a&Notes.2=b"), list(&["a", "b"]));
    assert_eq!(notes("Notes=a"), list(&["a"]));
    assert_eq!(notes("Notes="), list(&[]));
    assert_eq!(notes("Notes.note.7=b&Notes.note.3=a"), list(&["a", "b"]));
    assert_eq!(notes("NotesX=a"), None);
}

#[test]
fn no_input_makes_it_panic() {
    let chance = Chance::seeded(7);
    let cbor = written(Protocol::RpcV2Cbor, &SHOP, &order(), &WHOLE).body.to_vec();
    let form = "Tags.entry.1.key=k&".to_owned() + FORM_ORDER;
    let seeds = [Asked::json(JSON_ORDER), Asked::form(&form), Asked::cbor(cbor)];
    let (mut read, mut refused) = (0, 0);
    for round in 0..6_000 {
        let seed = &seeds[round % seeds.len()];
        let mut body = seed.body.clone();
        for _ in 0..=chance.number() % 3 {
            let at = usize::try_from(chance.number()).unwrap() % body.len();
            match chance.number() % 4 {
                0 => body[at] = chance.bytes::<1>()[0],
                1 => body.truncate(at.max(1)),
                2 => drop(body.remove(at.min(body.len() - 1))),
                _ => body.insert(at, b"{}[],:\"\\&=.%\xff\x9f1"[at % 15]),
            }
            if body.is_empty() {
                body.push(b'1');
            }
        }
        let asked = Asked { body, headers: seed.headers.clone(), ..Asked::post(&[], "") };
        let asked = Asked { uri: seed.uri, ..asked };
        match asked.read() {
            Ok((_, Ok(_))) => read += 1,
            _ => refused += 1,
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}
