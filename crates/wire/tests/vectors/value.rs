//! A value of any shape, for the vectors alone: the product has typed ones.

use serde_json::Value as Json;
use tidemill_base::Timestamp;
use tidemill_wire::decode::{DecodeMembers, Read};
use tidemill_wire::schema::{Kind, Member};
use tidemill_wire::{Bytes, Decode, Decoder, Encode, Encoder, Map};

/// Named or keyed values are sorted, so that two that are equal look equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Structure(Vec<(String, Value)>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    Text(String),
    Bytes(Bytes),
    Boolean(bool),
    Whole(i64),
    Float(f32),
    Double(f64),
    Time(Timestamp),
}

/// A structure that is read as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Whole(pub(crate) Vec<(String, Value)>);

impl DecodeMembers for Whole {
    fn decode_member(
        &mut self,
        _: usize,
        member: &'static Member,
        decoder: &mut dyn Decoder,
    ) -> Read<()> {
        self.0.push((member.name.to_owned(), Value::decode(decoder, member)?));
        Ok(())
    }
}

impl Whole {
    pub(crate) fn sorted(self) -> Value {
        Value::Structure(sorted(self.0))
    }
}

fn sorted(mut entries: Vec<(String, Value)>) -> Vec<(String, Value)> {
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    entries
}

impl Decode for Value {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        Ok(match &member.shape.kind {
            Kind::Structure(_) => {
                tidemill_wire::decode::structure::<Whole>(decoder, member)?.sorted()
            }
            Kind::List(_) => Self::List(Decode::decode(decoder, member)?),
            Kind::Map(..) => {
                let map: Map<String, Self> = Decode::decode(decoder, member)?;
                Self::Map(sorted(map.into_iter().collect()))
            }
            Kind::String => Self::Text(Decode::decode(decoder, member)?),
            Kind::Blob => Self::Bytes(Decode::decode(decoder, member)?),
            Kind::Boolean => Self::Boolean(Decode::decode(decoder, member)?),
            Kind::Integer => Self::Whole(i32::decode(decoder, member)?.into()),
            Kind::Long => Self::Whole(Decode::decode(decoder, member)?),
            Kind::Float => Self::Float(Decode::decode(decoder, member)?),
            Kind::Double => Self::Double(Decode::decode(decoder, member)?),
            Kind::Timestamp => Self::Time(Decode::decode(decoder, member)?),
        })
    }
}

impl Encode for Value {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        match (self, &member.shape.kind) {
            (Self::Structure(fields), _) => {
                encoder.begin_structure(member);
                for place in member.shape.members() {
                    if let Some((_, value)) = fields.iter().find(|(name, _)| name == place.name) {
                        value.encode(encoder, place);
                    }
                }
                encoder.end_structure(member);
            }
            (Self::List(list), Kind::List(item)) => {
                encoder.begin_list(member, list.len());
                for value in list {
                    value.encode(encoder, item);
                }
                encoder.end_list(member, list.len());
            }
            (Self::Map(map), Kind::Map(key_place, value_place)) => {
                encoder.begin_map(member, map.len());
                for (key, value) in map {
                    encoder.key(key_place, key);
                    value.encode(encoder, value_place);
                }
                encoder.end_map(member, map.len());
            }
            (Self::Text(text), _) => encoder.string(member, text),
            (Self::Bytes(bytes), _) => encoder.blob(member, bytes),
            (Self::Boolean(value), _) => encoder.boolean(member, *value),
            (Self::Whole(number), _) => encoder.integer(member, *number),
            (Self::Float(number), _) => encoder.float(member, *number),
            (Self::Double(number), _) => encoder.double(member, *number),
            (Self::Time(time), _) => encoder.timestamp(member, *time),
            (Self::List(_) | Self::Map(_), _) => panic!("{} is of another kind", member.name),
        }
    }
}

impl Value {
    /// The value that the vectors write as `json`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "known numbers")]
    pub(crate) fn from_json(json: &Json, shape: &'static tidemill_wire::schema::Shape) -> Self {
        let text = || json.as_str().unwrap().to_owned();
        let number = || match json {
            Json::String(text) => text.parse().unwrap(),
            number => number.as_f64().unwrap(),
        };
        match &shape.kind {
            Kind::Structure(members) => {
                let fields = members.iter().filter(|place| !json[place.name].is_null());
                let field = |place: &'static Member| {
                    (place.name.to_owned(), Self::from_json(&json[place.name], place.shape))
                };
                Self::Structure(sorted(fields.map(field).collect()))
            }
            Kind::List(item) => {
                let items = json.as_array().unwrap().iter().filter(|one| !one.is_null());
                Self::List(items.map(|one| Self::from_json(one, item.shape)).collect())
            }
            Kind::Map(_, value) => {
                let entries = json.as_object().unwrap().iter().filter(|(_, one)| !one.is_null());
                let entry =
                    |(key, one): (&String, &Json)| (key.clone(), Self::from_json(one, value.shape));
                Self::Map(sorted(entries.map(entry).collect()))
            }
            Kind::String => Self::Text(text()),
            Kind::Blob => Self::Bytes(text().into_bytes().into()),
            Kind::Boolean => Self::Boolean(json.as_bool().unwrap()),
            Kind::Integer | Kind::Long => Self::Whole(json.as_i64().unwrap()),
            Kind::Float => Self::Float(number() as f32),
            Kind::Double => Self::Double(number()),
            Kind::Timestamp => {
                Self::Time(Timestamp::from_millis((number() * 1000.0).round() as u64))
            }
        }
    }

    /// Two that are equal look equal, NaN too.
    pub(crate) fn look(&self) -> String {
        format!("{self:?}")
    }
}
