//! Makes schemas of the vectors' own shapes, at run time. They live as long as the test.

use serde_json::Value as Json;
use tidemill_wire::schema::{self, Kind, Member, Place, Role, Shape, TimeFormat};

/// A shape within itself is followed this far.
const RECURSIONS: usize = 5;

pub(crate) fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

pub(crate) fn text(json: &Json) -> Option<&'static str> {
    json.as_str().map(|text| &**leak(text.to_owned()))
}

/// The shapes of one suite.
pub(crate) struct Shapes<'a>(pub(crate) &'a Json);

impl Shapes<'_> {
    /// The whole input or output called `name`.
    pub(crate) fn root(&self, name: &Json) -> &'static Member {
        let shape = match name.as_str() {
            Some(name) => self.shape(name, &mut Vec::new()),
            None => leak(Shape::new("Nothing", Kind::Structure(&[]))),
        };
        leak(Member::new(Role::Root, "whole", shape))
    }

    fn shape(&self, name: &str, path: &mut Vec<String>) -> &'static Shape {
        let json = &self.0[name];
        let static_name = &**leak(name.to_owned());
        let seen = path.iter().filter(|one| *one == name).count();
        path.push(name.to_owned());
        let kind = match json["type"].as_str().unwrap() {
            "structure" if seen > RECURSIONS => Kind::Structure(&[]),
            "structure" => {
                let payload = json["payload"].as_str();
                let members = json["members"].as_object().unwrap();
                let members: Vec<Member> = members
                    .iter()
                    .map(|(name, of)| self.field(name, of, payload == Some(name), path))
                    .collect();
                Kind::Structure(Vec::leak(members))
            }
            "list" => Kind::List(leak(self.part(Role::Item, "member", &json["member"], path))),
            "map" => Kind::Map(
                leak(self.part(Role::Key, "key", &json["key"], path)),
                leak(self.part(Role::Value, "value", &json["value"], path)),
            ),
            "string" => Kind::String,
            "blob" => Kind::Blob,
            "boolean" => Kind::Boolean,
            "integer" => Kind::Integer,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "timestamp" => Kind::Timestamp,
            other => panic!("{other} is no kind"),
        };
        path.pop();
        let shape = Shape::new(static_name, kind);
        leak(match time(json) {
            Some(format) => shape.time(format),
            None => shape,
        })
    }

    fn part(&self, role: Role, name: &'static str, of: &Json, path: &mut Vec<String>) -> Member {
        let shape = self.shape(of["shape"].as_str().unwrap(), path);
        Member::new(role, text(&of["locationName"]).unwrap_or(name), shape)
    }

    fn field(&self, name: &str, of: &Json, payload: bool, path: &mut Vec<String>) -> Member {
        let inner = &self.0[of["shape"].as_str().unwrap()];
        let shape = self.shape(of["shape"].as_str().unwrap(), path);
        let name = &**leak(name.to_owned());
        let wire = text(&of["locationName"]).unwrap_or(name);
        let flat = [of, inner].iter().any(|one| one["flattened"] == true);
        let mut capital = wire.to_owned();
        if let Some(first) = capital.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let ec2 = text(&of["queryName"]).unwrap_or(leak(capital));
        let mut member = Member::field(name, shape).named(wire, wire, ec2);
        member.flattened = flat;
        member.time = time(of);
        member.place = match of["location"].as_str() {
            Some("header") => Place::Header(wire),
            Some("headers") => Place::Headers(wire),
            Some("querystring") if matches!(shape.kind, Kind::Map(..)) => Place::Params,
            Some("querystring") => Place::Param(wire),
            Some("uri") => Place::Label(wire),
            Some("statusCode") => Place::Status,
            _ if payload => Place::Payload,
            _ => Place::Body,
        };
        member
    }
}

fn time(json: &Json) -> Option<TimeFormat> {
    match json["timestampFormat"].as_str()? {
        "iso8601" => Some(TimeFormat::Iso8601),
        "rfc822" => Some(TimeFormat::HttpDate),
        "unixTimestamp" => Some(schema::TimeFormat::EpochSeconds),
        other => panic!("{other} is no time format"),
    }
}
