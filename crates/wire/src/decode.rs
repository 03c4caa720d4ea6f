//! Reading: what a format offers ([`Decoder`]) and how a typed value takes it ([`Decode`]). There
//! is no tree of values between them: a value pulls its members as the format meets them.

use std::hash::Hash;

use bytes::Bytes;
use indexmap::IndexMap;
use tidemill_base::Timestamp;

use crate::constraint::Violations;
use crate::schema::{Kind, Member};

/// A body that cannot be read: not its format, or a value of another kind than the model's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The result of reading.
pub type Read<T> = Result<T, Unreadable>;

/// A map that keeps the order of the wire.
pub type Map<K, V> = IndexMap<K, V>;

/// Called with a structure's member by its place in [`crate::schema::Shape::members`].
pub type VisitMember<'a> = dyn FnMut(usize, &mut dyn Decoder) -> Read<()> + 'a;
/// Called once for each item.
pub type VisitItem<'a> = dyn FnMut(&mut dyn Decoder) -> Read<()> + 'a;
/// Called with each key, to read its value.
pub type VisitEntry<'a> = dyn FnMut(&str, &mut dyn Decoder) -> Read<()> + 'a;

/// A format being read. Each call reads the value that stands next, for which `member` is the
/// place; a visitor has to read exactly one value each time it is called. What is null is absent:
/// it is not visited.
pub trait Decoder {
    /// Visits the members that are there, in any order. Unknown ones are skipped.
    fn structure(&mut self, member: &'static Member, visit: &mut VisitMember<'_>) -> Read<()>;
    /// Visits the items.
    fn list(&mut self, member: &'static Member, visit: &mut VisitItem<'_>) -> Read<()>;
    /// Visits the entries.
    fn map(&mut self, member: &'static Member, visit: &mut VisitEntry<'_>) -> Read<()>;
    /// Reads text.
    fn string(&mut self, member: &'static Member) -> Read<String>;
    /// Reads bytes.
    fn blob(&mut self, member: &'static Member) -> Read<Bytes>;
    /// Reads true or false.
    fn boolean(&mut self, member: &'static Member) -> Read<bool>;
    /// Reads a whole number.
    fn integer(&mut self, member: &'static Member) -> Read<i64>;
    /// Reads a number.
    fn double(&mut self, member: &'static Member) -> Read<f64>;
    /// Reads a time.
    fn timestamp(&mut self, member: &'static Member) -> Read<Timestamp>;
    /// Passes over the value.
    fn ignore(&mut self) -> Read<()>;
    /// Nothing may follow the whole.
    fn end(&mut self) -> Read<()>;
    /// The constraints found broken so far.
    fn violations(&mut self) -> &mut Violations;
}

/// A value that can be read.
pub trait Decode: Sized {
    /// Reads the value that stands next in `decoder`, whose place is `member`.
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self>;
}

/// What the generated structures implement to be read.
pub trait DecodeMembers {
    /// Reads the member at `index` of the structure's members.
    fn decode_member(
        &mut self,
        index: usize,
        member: &'static Member,
        decoder: &mut dyn Decoder,
    ) -> Read<()>;
}

/// Reads a structure. A required member that is not there is a violation; it keeps its default,
/// which nobody sees, because a request with violations is refused.
pub fn structure<T>(decoder: &mut dyn Decoder, member: &'static Member) -> Read<T>
where
    T: DecodeMembers + Default,
{
    let mut value = T::default();
    members_into(&mut value, decoder, member)?;
    Ok(value)
}

/// The untyped part of [`structure`], compiled once.
fn members_into(
    value: &mut dyn DecodeMembers,
    decoder: &mut dyn Decoder,
    member: &'static Member,
) -> Read<()> {
    let members = member.shape.members();
    // The generator refuses structures of more than 128 members.
    let mut seen = 0_u128;
    decoder.structure(member, &mut |index, decoder| {
        seen |= 1 << index;
        let found = decoder.violations().len();
        value.decode_member(index, &members[index], decoder)?;
        decoder.violations().under_member(found, &members[index]);
        Ok(())
    })?;
    for (index, member) in members.iter().enumerate() {
        if member.required && seen & (1 << index) == 0 {
            decoder.violations().missing(member);
        }
    }
    Ok(())
}

impl<T: Decode> Decode for Option<T> {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        T::decode(decoder, member).map(Some)
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        T::decode(decoder, member).map(Self::new)
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        let Kind::List(item) = member.shape.kind else {
            return Err(Unreadable(format!("{} is not a list", member.name)));
        };
        let mut list = Self::new();
        decoder.list(member, &mut |decoder| {
            // A refused request need not fill the memory with what is wrong about it.
            if decoder.violations().is_full() {
                return decoder.ignore();
            }
            let found = decoder.violations().len();
            list.push(T::decode(decoder, item)?);
            decoder.violations().under_index(found, list.len());
            Ok(())
        })?;
        decoder.violations().check_length(member, list.len());
        Ok(list)
    }
}

impl<K: From<String> + Hash + Eq, V: Decode> Decode for Map<K, V> {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        let Kind::Map(key_place, value_place) = member.shape.kind else {
            return Err(Unreadable(format!("{} is not a map", member.name)));
        };
        let mut map = Self::default();
        decoder.map(member, &mut |key, decoder| {
            let found = decoder.violations().len();
            decoder.violations().check_text(key_place, key);
            let value = V::decode(decoder, value_place)?;
            decoder.violations().under_key(found, key);
            map.insert(K::from(key.to_owned()), value);
            Ok(())
        })?;
        decoder.violations().check_length(member, map.len());
        Ok(map)
    }
}

impl Decode for String {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        let text = decoder.string(member)?;
        decoder.violations().check_text(member, &text);
        Ok(text)
    }
}

impl Decode for Bytes {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        let bytes = decoder.blob(member)?;
        decoder.violations().check_length(member, bytes.len());
        Ok(bytes)
    }
}

impl Decode for bool {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        decoder.boolean(member)
    }
}

impl Decode for i32 {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        let number = decoder.integer(member)?;
        decoder.violations().check_number(member, number);
        Self::try_from(number)
            .map_err(|_| Unreadable(format!("{number} is out of range for {}", member.name)))
    }
}

impl Decode for i64 {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        let number = decoder.integer(member)?;
        decoder.violations().check_number(member, number);
        Ok(number)
    }
}

impl Decode for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the nearest of 32 bits is what is meant")]
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        decoder.double(member).map(|number| number as Self)
    }
}

impl Decode for f64 {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        decoder.double(member)
    }
}

impl Decode for Timestamp {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        decoder.timestamp(member)
    }
}
