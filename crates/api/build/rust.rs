//! Writes a model as Rust: its schema as statics, its shapes as types that walk it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::model::{Facts, Kind, Member, Model, Operation, Shape};
use crate::names::{camel, constant, snake};

/// The module of `model`.
pub(crate) fn write(model: &Model) -> String {
    let mut writer = Writer { model, out: String::new() };
    writer.service();
    writer.requests();
    writer.responses();
    writer.errors();
    let inputs = reached(model, model.operations.iter().filter_map(|one| one.input.as_deref()));
    let outputs = reached(model, model.operations.iter().filter_map(|one| one.output.as_deref()));
    for shape in &model.shapes {
        writer.schema(shape);
        let (read, written) = (inputs.contains(&*shape.name), outputs.contains(&*shape.name));
        match &shape.kind {
            Kind::Structure(members) => writer.structure(shape, members, read, written),
            Kind::Plain(kind, values) if kind == "string" && !values.is_empty() => {
                writer.strings(shape, values);
            }
            _ => {}
        }
    }
    writer.out
}

struct Writer<'a> {
    model: &'a Model,
    out: String,
}

const SURE: &str = "writing to a string does not fail";

macro_rules! put {
    ($writer:expr, $($arg:tt)*) => {
        writeln!($writer.out, $($arg)*).expect(SURE)
    };
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
        let checks = match model.fact("checks") {
            "missing-parameter" => "MissingParameter",
            _ => "Validation",
        };
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
        put!(
            self,
            "        wire::Operation {{ name: {name:?}, index: {index}, method: {method:?}, \
             uri: {uri:?}, status: {}, input: {input}, output: {output} }},",
            status_path(status)
        );
    }

    fn requests(&mut self) {
        put!(self, "/// A call of one of the operations, with its input.");
        put!(self, "#[derive(Clone, Debug, PartialEq)]\npub enum Request {{");
        for operation in &self.model.operations {
            let input = operation.input.as_deref().map(camel);
            let input = input.map(|input| format!("({input})")).unwrap_or_default();
            put!(self, "    {}{input},", camel(&operation.name));
        }
        put!(self, "}}");
        put!(self, "impl Request {{");
        put!(self, "    /// Reads the input of `call`, which is of this service, and checks it.");
        put!(self, "    pub fn decode(");
        put!(self, "        call: &wire::Call, head: &wire::Head<'_>, body: &[u8],");
        put!(self, "    ) -> Result<Self, wire::Fault> {{");
        put!(self, "        Ok(match call.operation.index {{");
        for (index, operation) in self.model.operations.iter().enumerate() {
            let name = camel(&operation.name);
            match operation.input {
                Some(_) => put!(
                    self,
                    "            {index} => Self::{name}(wire::read(call, head, body)?),"
                ),
                None => put!(self, "            {index} => Self::{name},"),
            }
        }
        put!(self, "            _ => return Err(wire::Fault::new(");
        put!(self, "                &wire::fault::UNKNOWN_OPERATION, call.operation.name)),");
        put!(self, "        }})\n    }}");
        put!(self, "    /// Which operation this calls.");
        put!(self, "    pub fn operation(&self) -> &'static wire::Operation {{");
        put!(self, "        &SERVICE.operations[match self {{");
        for (index, operation) in self.model.operations.iter().enumerate() {
            let input = if operation.input.is_some() { "(_)" } else { "" };
            put!(self, "            Self::{}{input} => {index},", camel(&operation.name));
        }
        put!(self, "        }}]\n    }}\n}}");
        for operation in &self.model.operations {
            let Some(input) = operation.input.as_deref().map(camel) else { continue };
            let name = camel(&operation.name);
            put!(self, "impl From<{input}> for Request {{");
            put!(self, "    fn from(input: {input}) -> Self {{ Self::{name}(input) }}\n}}");
        }
    }

    fn responses(&mut self) {
        put!(self, "/// The answer of one of the operations, with its output.");
        put!(self, "#[derive(Clone, Debug, PartialEq)]\npub enum Response {{");
        for operation in &self.model.operations {
            let output = operation.output.as_deref().map(camel);
            let output = output.map(|output| format!("({output})")).unwrap_or_default();
            put!(self, "    {}{output},", camel(&operation.name));
        }
        put!(self, "}}");
        put!(self, "impl Response {{");
        put!(self, "    /// Writes the answer to `call`, which it is one to.");
        put!(
            self,
            "    pub fn encode(&self, call: &wire::Call, request_id: &str) -> wire::Reply {{"
        );
        put!(self, "        let output: Option<&dyn wire::Encode> = match self {{");
        for operation in &self.model.operations {
            let name = camel(&operation.name);
            match operation.output {
                Some(_) => put!(self, "            Self::{name}(output) => Some(output),"),
                None => put!(self, "            Self::{name} => None,"),
            }
        }
        put!(self, "        }};\n        wire::write(call, output, request_id)\n    }}\n}}");
    }

    fn errors(&mut self) {
        put!(self, "/// The errors that the operations answer with.");
        put!(self, "pub mod errors {{");
        put!(self, "    use tidemill_wire::ErrorShape;");
        for error in &self.model.errors {
            let (name, code) = (&error.name, &error.code);
            let side = if error.receiver { "receiver" } else { "sender" };
            let status = status_path(&error.status);
            put!(self, "    pub static {}: ErrorShape =", constant(name));
            put!(self, "        ErrorShape::{side}({name:?}, {code:?}, {status});");
        }
        put!(self, "}}");
        for operation in &self.model.operations {
            for error in &operation.errors {
                let known = self.model.errors.iter().any(|known| known.name == *error);
                assert!(known, "{} answers {error}, which the model does not hold", operation.name);
            }
        }
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
        if [json, xml, &ec2].iter().any(|wire| wire != name) {
            write!(line, ".named({json:?}, {xml:?}, {ec2:?})").expect(SURE);
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
                write!(line, ".at(Place::{}({wire:?}))", camel(place)).expect(SURE);
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

    /// The Rust type of a value of the shape `name`.
    fn type_of(&self, name: &str) -> String {
        let plain = |kind: &str| {
            match kind {
                "string" => "String",
                "blob" => "wire::Bytes",
                "boolean" => "bool",
                "integer" => "i32",
                "long" => "i64",
                "float" => "f32",
                "double" => "f64",
                "timestamp" => "tidemill_base::Timestamp",
                other => panic!("{other} is no shape"),
            }
            .to_owned()
        };
        let Some(shape) = self.model.shape(name) else { return plain(name) };
        match &shape.kind {
            Kind::Structure(_) => camel(&shape.name),
            Kind::List(of) => format!("Vec<{}>", self.type_of(of)),
            Kind::Map(key, value) => {
                format!("wire::Map<{}, {}>", self.type_of(key), self.type_of(value))
            }
            Kind::Plain(kind, values) if kind == "string" && !values.is_empty() => {
                camel(&shape.name)
            }
            Kind::Plain(kind, _) if kind == "string" && shape.facts.has("secret") => {
                "wire::Secret".to_owned()
            }
            Kind::Plain(kind, _) => plain(kind),
        }
    }

    fn structure(&mut self, shape: &Shape, members: &[Member], read: bool, written: bool) {
        let name = camel(&shape.name);
        put!(self, "#[derive(Clone, Debug, Default, PartialEq)]\npub struct {name} {{");
        for member in members {
            let held = self.held(shape, member);
            put!(self, "    pub {}: {held},", snake(&member.name));
        }
        put!(self, "}}");
        if read {
            put!(self, "impl wire::decode::DecodeMembers for {name} {{");
            put!(self, "    #[inline(never)]");
            put!(self, "    fn decode_member(&mut self, index: usize, member: &'static Member,");
            put!(self, "        decoder: &mut dyn wire::Decoder) -> wire::decode::Read<()> {{");
            // Of a structure without members there is nothing to match.
            for (index, member) in members.iter().enumerate() {
                let field = snake(&member.name);
                let lead = if index == 0 { "match index {\n            " } else { "" };
                let decode = "wire::Decode::decode(decoder, member)?";
                put!(self, "            {lead}{index} => self.{field} = {decode},");
            }
            if members.is_empty() {
                put!(
                    self,
                    "        let _ = (index, member);\n        decoder.ignore()\n    }}\n}}"
                );
            } else {
                put!(self, "            _ => return decoder.ignore(),\n        }}\n        Ok(())");
                put!(self, "    }}\n}}");
            }
            put!(self, "impl wire::Decode for {name} {{");
            put!(self, "    fn decode(decoder: &mut dyn wire::Decoder, member: &'static Member)");
            put!(self, "        -> wire::decode::Read<Self> {{");
            put!(self, "        wire::decode::structure(decoder, member)\n    }}\n}}");
        }
        if written {
            put!(self, "impl wire::Encode for {name} {{");
            put!(
                self,
                "    fn encode(&self, encoder: &mut dyn wire::Encoder, member: &'static Member) {{"
            );
            put!(self, "        encoder.begin_structure(member);");
            if !members.is_empty() {
                put!(self, "        let members = member.shape.members();");
            }
            for (index, member) in members.iter().enumerate() {
                let field = snake(&member.name);
                put!(self, "        self.{field}.encode(encoder, &members[{index}]);");
            }
            put!(self, "        encoder.end_structure(member);\n    }}\n}}");
        }
    }

    /// The type of a member: plain if it is required, else optional; boxed where a structure would
    /// hold itself.
    fn held(&self, shape: &Shape, member: &Member) -> String {
        let mut held = self.type_of(&member.shape);
        if self.holds(&member.shape, &shape.name, &mut BTreeSet::new()) {
            held = format!("Box<{held}>");
        }
        if member.facts.has("required") { held } else { format!("Option<{held}>") }
    }

    /// Whether a value of the shape `name` holds one of `wanted` without a list or map between.
    fn holds(&self, name: &str, wanted: &str, seen: &mut BTreeSet<String>) -> bool {
        if name == wanted {
            return true;
        }
        let Some(Shape { kind: Kind::Structure(members), .. }) = self.model.shape(name) else {
            return false;
        };
        seen.insert(name.to_owned())
            && members.iter().any(|member| self.holds(&member.shape, wanted, seen))
    }

    /// Strings of which some are known: an open enumeration.
    fn strings(&mut self, shape: &Shape, values: &[String]) {
        let name = camel(&shape.name);
        put!(self, "/// One of the known values, or any other text.");
        put!(self, "#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]");
        put!(self, "pub enum {name} {{");
        for value in values {
            put!(self, "    {},", camel(value));
        }
        put!(self, "    /// A value that the model does not know.\n    Unknown(Box<str>),\n}}");
        put!(self, "impl {name} {{");
        put!(self, "    /// As it stands on the wire.\n    pub fn as_str(&self) -> &str {{");
        put!(self, "        match self {{");
        for value in values {
            put!(self, "            Self::{} => {value:?},", camel(value));
        }
        put!(self, "            Self::Unknown(text) => text,\n        }}\n    }}\n}}");
        put!(self, "impl From<&str> for {name} {{\n    fn from(text: &str) -> Self {{");
        put!(self, "        match text {{");
        for value in values {
            put!(self, "            {value:?} => Self::{},", camel(value));
        }
        put!(self, "            other => Self::Unknown(other.into()),\n        }}\n    }}\n}}");
        put!(self, "open_enumeration!({name});");
    }
}

/// The shapes that `roots` hold.
fn reached<'a>(model: &'a Model, roots: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut todo: Vec<&str> = roots.collect();
    while let Some(name) = todo.pop() {
        let Some(shape) = model.shape(name) else { continue };
        if !reached.insert(&*shape.name) {
            continue;
        }
        match &shape.kind {
            Kind::Structure(members) => todo.extend(members.iter().map(|m| &*m.shape)),
            Kind::List(of) => todo.push(of),
            Kind::Map(key, value) => todo.extend([&**key, &**value]),
            Kind::Plain(..) => {}
        }
    }
    reached
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

fn status_path(status: &str) -> String {
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
        "413" => "PAYLOAD_TOO_LARGE",
        "429" => "TOO_MANY_REQUESTS",
        "500" => "INTERNAL_SERVER_ERROR",
        "503" => "SERVICE_UNAVAILABLE",
        other => panic!("status {other} has no name here yet"),
    };
    format!("http::StatusCode::{name}")
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
