//! Writes a model's shapes as Rust types that walk the schema, and its operations as the variants
//! of a request and a response.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::model::{Kind, Member, Model, Shape};
use crate::names::{camel, constant, snake, type_name, variants};
use crate::schema::status_path;

/// The module of `model`.
pub(crate) fn write(model: &Model) -> String {
    let mut writer = Writer { model, out: String::new() };
    put!(writer, "pub use schema::SERVICE;");
    writer.requests();
    writer.responses();
    writer.errors();
    let inputs = reached(model, model.operations.iter().filter_map(|one| one.input.as_deref()));
    let outputs = reached(model, model.operations.iter().filter_map(|one| one.output.as_deref()));
    for shape in &model.shapes {
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

/// How the generated code writes the type of a place in the schema.
const PLACE: &str = "&'static wire::schema::Member";

struct Writer<'a> {
    model: &'a Model,
    out: String,
}

impl Writer<'_> {
    fn requests(&mut self) {
        put!(self, "/// A call of one of the operations, with its input.");
        put!(self, "#[derive(Clone, Debug, PartialEq)]\npub enum Request {{");
        for operation in &self.model.operations {
            let input = operation.input.as_deref().map(type_name);
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
    }

    fn responses(&mut self) {
        put!(self, "/// The answer of one of the operations, with its output.");
        put!(self, "#[derive(Clone, Debug, PartialEq)]\npub enum Response {{");
        for operation in &self.model.operations {
            let output = operation.output.as_deref().map(type_name);
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
            Kind::Structure(_) => type_name(&shape.name),
            Kind::List(of) => format!("Vec<{}>", self.type_of(of)),
            Kind::Map(key, value) => {
                format!("wire::Map<{}, {}>", self.type_of(key), self.type_of(value))
            }
            Kind::Plain(kind, values) if kind == "string" && !values.is_empty() => {
                type_name(&shape.name)
            }
            Kind::Plain(kind, _) if kind == "string" && shape.facts.has("secret") => {
                "wire::Secret".to_owned()
            }
            Kind::Plain(kind, _) => plain(kind),
        }
    }

    fn structure(&mut self, shape: &Shape, members: &[Member], read: bool, written: bool) {
        let name = type_name(&shape.name);
        put!(self, "#[derive(Clone, Debug, Default, PartialEq)]\npub struct {name} {{");
        for member in members {
            let held = self.held(shape, member);
            put!(self, "    pub {}: {held},", snake(&member.name));
        }
        put!(self, "}}");
        if read {
            put!(self, "impl wire::decode::DecodeMembers for {name} {{");
            put!(self, "    #[inline(never)]");
            put!(self, "    fn decode_member(&mut self, index: usize,\n        member: {PLACE},");
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
            put!(self, "    fn decode(decoder: &mut dyn wire::Decoder,\n        member: {PLACE})");
            put!(self, "        -> wire::decode::Read<Self> {{");
            put!(self, "        wire::decode::structure(decoder, member)\n    }}\n}}");
        }
        if written {
            put!(self, "impl wire::Encode for {name} {{");
            put!(
                self,
                "    fn encode(&self, encoder: &mut dyn wire::Encoder,\n        member: {PLACE}) {{"
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
        let name = type_name(&shape.name);
        let variants = variants(values);
        put!(self, "/// One of the known values, or any other text.");
        put!(self, "#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]");
        put!(self, "pub enum {name} {{");
        for variant in &variants {
            put!(self, "    {variant},");
        }
        put!(self, "    /// A value that the model does not know.\n    Unknown(Box<str>),\n}}");
        put!(self, "impl {name} {{");
        put!(self, "    /// As it stands on the wire.\n    pub fn as_str(&self) -> &str {{");
        put!(self, "        match self {{");
        for (variant, value) in variants.iter().zip(values) {
            put!(self, "            Self::{variant} => {value:?},");
        }
        put!(self, "            Self::Unknown(text) => text,\n        }}\n    }}\n}}");
        put!(self, "impl From<&str> for {name} {{\n    fn from(text: &str) -> Self {{");
        put!(self, "        match text {{");
        for (variant, value) in variants.iter().zip(values) {
            put!(self, "            {value:?} => Self::{variant},");
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
