//! Writes a model's schema: the statics that every codec walks.

use std::fmt::Write as _;

use crate::model::{Facts, Kind, Member, Model, Operation, Shape};
use crate::names::{camel, constant};

/// The module `schema` of `model`. It names no type of the model, so that none can be in the way.
pub(crate) fn write(model: &Model) -> String {
    let mut writer = Writer { model, out: String::new() };
    put!(writer, "mod schema {{");
    put!(writer, "use tidemill_wire as wire;");
    put!(writer, "use wire::schema::{{Kind, Member, Place, Role, Shape}};");
    writer.service();
    for shape in &model.shapes {
        writer.schema(shape);
    }
    put!(writer, "}}");
    writer.out
}

struct Writer<'a> {
    model: &'a Model,
    out: String,
}

impl Writer<'_> {
    fn service(&mut self) {
        let model = self.model;
        let protocols: Vec<String> = model
            .fact("protocols")
            .split(' ')
            .map(|protocol| format!("wire::Protocol::{}", protocol_name(protocol)))
            .collect();
        let path_member = match model.fact("path-member") {
            "" => "None".to_owned(),
            member => format!("Some({member:?})"),
        };
        let checks = checks_name(model.fact("checks"));
        put!(self, "/// The API as data.");
        put!(self, "pub static SERVICE: wire::Service = wire::Service {{");
        put!(self, "    name: {:?}, id: {:?},", model.service, model.fact("id"));
        for (field, fact) in [
            ("namespace", "namespace"),
            ("version", "version"),
            ("signing_name", "signing"),
            ("target", "target"),
            ("xml_namespace", "xmlns"),
        ] {
            put!(self, "    {field}: {:?},", model.fact(fact));
        }
        put!(self, "    protocols: &[{}],", protocols.join(", "));
        put!(self, "    query_compatible: {},", model.head.contains_key("query-compatible"));
        put!(self, "    checks: wire::schema::Checks::{checks},");
        put!(self, "    omits_empty: {},", model.head.contains_key("omit-empty"));
        put!(self, "    path_member: {path_member},");
        put!(self, "    operations: &[");
        for (index, operation) in model.operations.iter().enumerate() {
            self.operation(index, operation);
        }
        put!(self, "    ],\n}};");
        put!(self, "static NOTHING: Shape = Shape::new(\"Nothing\", Kind::Structure(&[]));");
    }

    fn operation(&mut self, index: usize, operation: &Operation) {
        let Operation { name, method, uri, status, .. } = operation;
        let root = |name: &str, shape: &str| {
            format!("&Member::new(Role::Root, {name:?}, {})", self.schema_path(shape))
        };
        let input = match &operation.input {
            Some(shape) => root(name, shape),
            None => format!("&Member::new(Role::Root, {name:?}, &NOTHING)"),
        };
        let output = match &operation.output {
            Some(shape) => format!("Some({})", root(name, shape)),
            None => "None".to_owned(),
        };
        let checks = match &operation.checks {
            Some(checks) => format!("Some(wire::schema::Checks::{})", checks_name(checks)),
            None => "None".to_owned(),
        };
        put!(
            self,
            "        wire::Operation {{ name: {name:?}, index: {index}, method: {method:?}, \
             uri: {uri:?}, status: {}, checks: {checks}, input: {input}, output: {output} }},",
            status_path(status)
        );
    }

    /// The static that is the schema of the shape `name`.
    fn schema_path(&self, name: &str) -> String {
        match self.model.shape(name) {
            Some(shape) => format!("&{}_SCHEMA", constant(&shape.name)),
            None => format!("&wire::schema::{}", name.to_ascii_uppercase()),
        }
    }

    fn schema(&mut self, shape: &Shape) {
        let name = &shape.name;
        let place = |role: &str, fact: &str, of: &str| {
            let wire = shape.facts.get(fact).unwrap_or(fact);
            format!("&Member::new(Role::{role}, {wire:?}, {})", self.schema_path(of))
        };
        let pattern = shape.facts.get("pattern");
        let made = match (&shape.kind, pattern) {
            (Kind::Structure(members), _) => {
                assert!(members.len() <= 128, "{name} has more members than a u128 has bits");
                let payload = shape.facts.get("payload");
                let members: Vec<String> =
                    members.iter().map(|member| self.member(member, payload)).collect();
                let members = members.join(",\n    ");
                format!("Shape::new({name:?}, Kind::Structure(&[\n    {members}\n]))")
            }
            (Kind::List(of), _) => {
                format!("Shape::new({name:?}, Kind::List({}))", place("Item", "item", of))
            }
            (Kind::Map(key, value), _) => {
                let (key, value) = (place("Key", "key", key), place("Value", "value", value));
                format!("Shape::new({name:?}, Kind::Map({key}, {value}))")
            }
            (Kind::Plain(kind, _), Some(pattern)) if kind == "string" => {
                format!("Shape::matching({name:?}, {pattern:?})")
            }
            (Kind::Plain(kind, _), _) => format!("Shape::new({name:?}, Kind::{})", camel(kind)),
        };
        let values = match &shape.kind {
            Kind::Plain(_, values) if !values.is_empty() => format!(".values(&{values:?})"),
            _ => String::new(),
        };
        let (limit, time) = (limit(&shape.facts), time(&shape.facts));
        put!(self, "static {}_SCHEMA: Shape = {made}{limit}{values}{time};", constant(name));
    }

    fn member(&self, member: &Member, payload: Option<&str>) -> String {
        let Member { name, shape, facts } = member;
        let mut line = format!("Member::field({name:?}, {})", self.schema_path(shape));
        let json = facts.get("json").unwrap_or(name);
        let xml = facts.get("xml").unwrap_or(json);
        let ec2 = facts.get("ec2").map_or_else(|| capitalised(json), str::to_owned);
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let is_plain = |wire: &str| wire.bytes().all(plain);
        assert!(is_plain(json) && is_plain(xml), "{name}'s name would have to be escaped in JSON");
        if [json, xml, &ec2].iter().any(|wire| wire != name) {
            write!(line, ".named({json:?}, {xml:?}, {ec2:?})").expect(crate::SURE);
        }
        if facts.has("required") {
            line += ".required()";
        }
        if facts.has("flat") {
            line += ".flattened()";
        }
        let places = ["header", "headers", "param", "label"];
        for place in places {
            if let Some(wire) = facts.get(place) {
                write!(line, ".at(Place::{}({wire:?}))", camel(place)).expect(crate::SURE);
            }
        }
        if facts.has("params") {
            line += ".at(Place::Params)";
        }
        if facts.has("status") {
            line += ".at(Place::Status)";
        }
        if payload == Some(name) {
            line += ".at(Place::Payload)";
        }
        line + &time(facts)
    }
}

fn checks_name(checks: &str) -> &'static str {
    match checks {
        "" => "Validation",
        "missing-parameter" => "MissingParameter",
        "parameters" => "Parameters",
        other => panic!("{other} is no way to check"),
    }
}

fn protocol_name(protocol: &str) -> &'static str {
    match protocol {
        "json-1.0" => "AwsJson10",
        "json-1.1" => "AwsJson11",
        "query" => "Query",
        "ec2" => "Ec2Query",
        "rest-json" => "RestJson",
        "rpc-v2-cbor" => "RpcV2Cbor",
        other => panic!("{other} is no protocol"),
    }
}

/// EC2's requests begin each name with a capital.
fn capitalised(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

fn limit(facts: &Facts) -> String {
    let Some((min, max)) = facts.get("limit").and_then(|limit| limit.split_once("..")) else {
        return String::new();
    };
    // A bound that is no whole number is on a number of floating point, which nobody checks.
    let bound = |text: &str| match text.parse::<i64>() {
        Ok(bound) => format!("Some({bound})"),
        Err(_) => "None".to_owned(),
    };
    format!(".limit({}, {})", bound(min), bound(max))
}

fn time(facts: &Facts) -> String {
    let format = match facts.get("time") {
        Some("iso8601") => "Iso8601",
        Some("http-date") => "HttpDate",
        Some("epoch-seconds") => "EpochSeconds",
        Some(other) => panic!("{other} is no time format"),
        None => return String::new(),
    };
    format!(".time(wire::schema::TimeFormat::{format})")
}

/// The path of an HTTP status in Rust.
pub(crate) fn status_path(status: &str) -> String {
    let name = match status {
        "200" => "OK",
        "201" => "CREATED",
        "202" => "ACCEPTED",
        "204" => "NO_CONTENT",
        "400" => "BAD_REQUEST",
        "401" => "UNAUTHORIZED",
        "403" => "FORBIDDEN",
        "404" => "NOT_FOUND",
        "409" => "CONFLICT",
        "410" => "GONE",
        "412" => "PRECONDITION_FAILED",
        "413" => "PAYLOAD_TOO_LARGE",
        "429" => "TOO_MANY_REQUESTS",
        "500" => "INTERNAL_SERVER_ERROR",
        "503" => "SERVICE_UNAVAILABLE",
        other => panic!("status {other} has no name here yet"),
    };
    format!("http::StatusCode::{name}")
}
