//! What an API is, as data: services, operations, shapes and their names on each wire. Statics of
//! these types are generated from `models/`; every codec walks them, so that a format is written
//! once and knows no service.

use std::sync::OnceLock;

use http::StatusCode;
use regex::Regex;

use crate::Protocol;

/// One API.
#[derive(Debug)]
pub struct Service {
    /// Our short name for it, which is also the Rust module's.
    pub name: &'static str,
    /// AWS's name for it in code, which RPC-v2 paths may carry.
    pub id: &'static str,
    /// What comes before `#` in the JSON name of an error.
    pub namespace: &'static str,
    /// The API's version, a date, which Query requests carry.
    pub version: &'static str,
    /// The name in a credential scope.
    pub signing_name: &'static str,
    /// What comes before the dot in `X-Amz-Target`, and in RPC-v2 paths; empty if it has none.
    pub target: &'static str,
    /// The namespace of its XML; empty if it speaks none.
    pub xml_namespace: &'static str,
    /// The protocols it speaks, its favourite first.
    pub protocols: &'static [Protocol],
    /// Whether a JSON or CBOR error carries the code of the Query protocol beside its own.
    pub query_compatible: bool,
    /// Which constraints are checked, and how a broken one is answered.
    pub checks: Checks,
    /// Whether an empty list or map is left out of an answer.
    pub omits_empty: bool,
    /// The member that the request's path stands for, where a call goes to a resource's own URL
    /// and not to `/`.
    pub path_member: Option<&'static str>,
    /// Its operations, in the order of [`Operation::index`].
    pub operations: &'static [Operation],
}

impl Service {
    /// The operation called `name`.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// Whether it speaks `protocol`.
    pub fn speaks(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }
}

/// Which of a model's constraints a service checks, and how it answers a broken one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// All of them: one ValidationException that lists what is wrong.
    Validation,
    /// Only that required parameters are there: MissingParameter names the first that is not. The
    /// rest is the service's own business.
    MissingParameter,
    /// All of them: MissingParameter or InvalidParameterValue, with a line for each that is wrong.
    Parameters,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// Its place in [`Service::operations`].
    pub index: usize,
    /// The HTTP method, which matters to REST.
    pub method: &'static str,
    /// The path's template, which matters to REST: `/v2/things/{Name}?list`.
    pub uri: &'static str,
    /// The status of success.
    pub status: StatusCode,
    /// How its constraints are checked, if not as the service's others.
    pub checks: Option<Checks>,
    /// What it takes: a structure.
    pub input: &'static Member,
    /// What it gives: a structure, or nothing.
    pub output: Option<&'static Member>,
}

/// A place for a value: a structure's member, a list's item, a map's key or value, or the whole.
#[derive(Debug)]
pub struct Member {
    /// The model's name for it.
    pub name: &'static str,
    /// Its name in JSON and CBOR.
    pub json: &'static str,
    /// Its name in a Query request and in XML. For a flattened list, the items' name.
    pub xml: &'static str,
    /// Its name in an EC2 Query request.
    pub ec2: &'static str,
    /// What kind of place this is.
    pub role: Role,
    /// What stands there.
    pub shape: &'static Shape,
    /// Whether it must be there.
    pub required: bool,
    /// Whether a list or map stands in Query and XML without an element around it.
    pub flattened: bool,
    /// Where in an HTTP message REST puts it.
    pub place: Place,
    /// How a timestamp is written here, if not as is usual.
    pub time: Option<TimeFormat>,
}

/// What kind of place a [`Member`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The whole input or output.
    Root,
    /// A structure's member.
    Field,
    /// A list's item.
    Item,
    /// A map's key.
    Key,
    /// A map's value.
    Value,
}

/// Where REST puts a member of an operation's input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body, beside others.
    Body,
    /// In the header of this name.
    Header(&'static str),
    /// A map, in all headers whose names begin so.
    Headers(&'static str),
    /// In the query parameter of this name.
    Param(&'static str),
    /// A map, in all query parameters that no other member claims.
    Params,
    /// In the path, where the template has this label.
    Label(&'static str),
    /// The body is this member.
    Payload,
    /// The status of the answer.
    Status,
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2024-05-01T12:00:00Z`, with milliseconds when there are any.
    Iso8601,
    /// `Wed, 01 May 2024 12:00:00 GMT`.
    HttpDate,
    /// Seconds since 1970, with a fraction when there is one.
    EpochSeconds,
}

/// A type of value, with the constraints on it.
#[derive(Debug)]
pub struct Shape {
    /// The model's name for it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The least and the greatest: of a number its value, else its length.
    pub limit: Limit,
    /// What a string has to match, all of it.
    pub pattern: Option<Pattern>,
    /// The strings that are allowed, if not all.
    pub values: &'static [&'static str],
    /// How a timestamp of this shape is written, if not as is usual.
    pub time: Option<TimeFormat>,
}

/// The kinds of shape.
#[derive(Debug)]
pub enum Kind {
    /// Named members. A union is one too, of which one member is there.
    Structure(&'static [Member]),
    /// Any number of the item.
    List(&'static Member),
    /// From a key, which is a string, to a value.
    Map(&'static Member, &'static Member),
    /// Text.
    String,
    /// Bytes.
    Blob,
    /// True or false.
    Boolean,
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits.
    Long,
    /// A number of 32 bits.
    Float,
    /// A number of 64 bits.
    Double,
    /// A point in time.
    Timestamp,
}

/// The least and the greatest, both allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// The least.
    pub min: Option<i64>,
    /// The greatest.
    pub max: Option<i64>,
}

/// A regular expression that is compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The pattern that the model wrote as `source`.
    pub const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    /// As the model wrote it.
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// The compiled pattern; `None` if it is none that we can run, and then it is not checked.
    pub fn regex(&self) -> Option<&Regex> {
        let compile = || {
            // The models are written for sixteen-bit characters: the rest are pairs to them.
            let whole = r"\x{10000}-\x{10FFFF}";
            let source = self.source.replace(r"\uD800\uDC00-\uDBFF\uDFFF", whole);
            Regex::new(&format!(r"\A(?:{source})\z")).ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

impl Member {
    /// A place of kind `role`, called `name` everywhere.
    pub const fn new(role: Role, name: &'static str, shape: &'static Shape) -> Self {
        Self {
            name,
            json: name,
            xml: name,
            ec2: name,
            role,
            shape,
            required: false,
            flattened: false,
            place: Place::Body,
            time: None,
        }
    }

    /// A structure's member.
    pub const fn field(name: &'static str, shape: &'static Shape) -> Self {
        Self::new(Role::Field, name, shape)
    }

    /// The same, required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, flattened in Query and XML.
    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.flattened = true;
        self
    }

    /// The same, under these names in JSON, in XML and in EC2 requests.
    #[must_use]
    pub const fn named(mut self, json: &'static str, xml: &'static str, ec2: &'static str) -> Self {
        self.json = json;
        self.xml = xml;
        self.ec2 = ec2;
        self
    }

    /// The same, at `place` of an HTTP message.
    #[must_use]
    pub const fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// The same, its time written as `format`.
    #[must_use]
    pub const fn time(mut self, format: TimeFormat) -> Self {
        self.time = Some(format);
        self
    }

    /// How a timestamp here is written, where a protocol's habit is `usual`.
    pub fn time_format(&self, usual: TimeFormat) -> TimeFormat {
        self.time.or(self.shape.time).unwrap_or(usual)
    }
}

impl Shape {
    /// A shape without constraints.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        let limit = Limit { min: None, max: None };
        Self { name, kind, limit, pattern: None, values: &[], time: None }
    }

    /// Text that matches `pattern`.
    pub const fn matching(name: &'static str, pattern: &'static str) -> Self {
        let limit = Limit { min: None, max: None };
        let pattern = Some(Pattern::new(pattern));
        Self { name, kind: Kind::String, limit, pattern, values: &[], time: None }
    }

    /// The same, within `min` and `max`.
    #[must_use]
    pub const fn limit(mut self, min: Option<i64>, max: Option<i64>) -> Self {
        self.limit = Limit { min, max };
        self
    }

    /// The same, one of `values`.
    #[must_use]
    pub const fn values(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }

    /// The same, its times written as `format`.
    #[must_use]
    pub const fn time(mut self, format: TimeFormat) -> Self {
        self.time = Some(format);
        self
    }

    /// A structure's members; none for anything else.
    pub const fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure(members) => members,
            _ => &[],
        }
    }
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident $kind:ident $text:literal)*) => {
        $($(#[$doc])* pub static $name: Shape = Shape::new($text, Kind::$kind);)*
    };
}

plain! {
    /// Any text.
    STRING String "String"
    /// Any bytes.
    BLOB Blob "Blob"
    /// True or false.
    BOOLEAN Boolean "Boolean"
    /// Any whole number of 32 bits.
    INTEGER Integer "Integer"
    /// Any whole number of 64 bits.
    LONG Long "Long"
    /// Any number of 32 bits.
    FLOAT Float "Float"
    /// Any number of 64 bits.
    DOUBLE Double "Double"
    /// Any point in time.
    TIMESTAMP Timestamp "Timestamp"
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_covers_the_whole_text_and_characters_beyond_sixteen_bits() {
        let pattern = Pattern::new(r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*");
        let regex = pattern.regex().unwrap();
        assert!(regex.is_match("a\t é 𝄞"));
        assert!(!regex.is_match("a\u{0}"));
        assert!(!Pattern::new("[a-z]+").regex().unwrap().is_match("abC"));
    }
}
