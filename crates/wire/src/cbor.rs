//! CBOR, both ways, on minicbor. Lengths may be definite or not when reading; a structure is
//! written without one, because its members are not counted beforehand.

use std::borrow::Cow;
use std::convert::Infallible;

use bytes::Bytes;
use minicbor::data::{Tag, Type};
use minicbor::decode::Error;
use minicbor::encode;
use tidemill_base::Timestamp;

use crate::constraint::Violations;
use crate::decode::{Decoder, Read, Unreadable, VisitEntry, VisitItem, VisitMember};
use crate::encode::Encoder;
use crate::fault::Fault;
use crate::schema::Member;
use crate::text;

/// The tag of seconds since 1970.
const EPOCH: Tag = Tag::new(1);
/// Deeper nesting than any API's is refused before it can exhaust the stack.
const DEPTH: usize = 128;

/// A CBOR body being read.
pub(crate) struct CborDecoder<'a> {
    items: minicbor::Decoder<'a>,
    depth: usize,
    violations: Violations,
}

impl<'a> CborDecoder<'a> {
    /// Reads `body`.
    pub(crate) fn new(body: &'a [u8]) -> Self {
        let items = minicbor::Decoder::new(body);
        Self { items, depth: 0, violations: Violations::default() }
    }

    fn kind(&self) -> Read<Type> {
        self.items.datatype().map_err(unreadable)
    }

    fn mismatch(&self, wanted: &str) -> Unreadable {
        match self.kind() {
            Ok(kind) => Unreadable(format!("{kind} can not be converted to {wanted}")),
            Err(error) => error,
        }
    }

    /// Takes null if it is next.
    fn null(&mut self) -> Read<bool> {
        match self.kind()? {
            Type::Null => self.items.null().map(|()| true).map_err(unreadable),
            Type::Undefined => self.items.undefined().map(|()| true).map_err(unreadable),
            _ => Ok(false),
        }
    }

    fn text(&mut self, wanted: &str) -> Read<Cow<'a, str>> {
        match self.kind()? {
            Type::String => self.items.str().map(Cow::Borrowed).map_err(unreadable),
            Type::StringIndef => {
                let parts = self.items.str_iter().map_err(unreadable)?;
                let whole: Result<String, Error> = parts.collect();
                whole.map(Cow::Owned).map_err(unreadable)
            }
            _ => Err(self.mismatch(wanted)),
        }
    }

    /// Goes through a list or map of `length` entries, or of as many as come before the break.
    fn entries(
        &mut self,
        length: Option<u64>,
        mut each: impl FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unreadable(format!("nested deeper than {DEPTH}")));
        }
        let mut left = length;
        loop {
            match &mut left {
                Some(0) => break,
                Some(left) => *left -= 1,
                None if self.kind()? == Type::Break => {
                    self.items.skip().map_err(unreadable)?;
                    break;
                }
                None => {}
            }
            each(self)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn number(&mut self, wanted: &str) -> Read<f64> {
        match self.kind()? {
            Type::F16 => self.items.f16().map(f64::from).map_err(unreadable),
            Type::F32 => self.items.f32().map(f64::from).map_err(unreadable),
            Type::F64 => self.items.f64().map_err(unreadable),
            #[expect(clippy::cast_precision_loss, reason = "the nearest number is what is meant")]
            _ => self.whole(wanted).map(|number| number as f64),
        }
    }

    fn whole(&mut self, wanted: &str) -> Read<i64> {
        let unsigned = [Type::U8, Type::U16, Type::U32, Type::U64];
        let signed = [Type::I8, Type::I16, Type::I32, Type::I64, Type::Int];
        let kind = self.kind()?;
        if !unsigned.contains(&kind) && !signed.contains(&kind) {
            return Err(self.mismatch(wanted));
        }
        let number = i128::from(self.items.int().map_err(unreadable)?);
        i64::try_from(number).map_err(|_| Unreadable(format!("{number} is out of range")))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn unreadable(error: Error) -> Unreadable {
    Unreadable(format!("the body is not CBOR: {error}"))
}

impl Decoder for CborDecoder<'_> {
    fn structure(&mut self, member: &'static Member, visit: &mut VisitMember<'_>) -> Read<()> {
        if !matches!(self.kind()?, Type::Map | Type::MapIndef) {
            return Err(self.mismatch("a structure"));
        }
        let length = self.items.map().map_err(unreadable)?;
        let members = member.shape.members();
        self.entries(length, |inner| {
            let key = inner.text("a member's name")?;
            if inner.null()? {
                return Ok(());
            }
            match members.iter().position(|member| member.json == key) {
                Some(index) => visit(index, inner),
                None => inner.items.skip().map_err(unreadable),
            }
        })
    }

    fn list(&mut self, _: &'static Member, visit: &mut VisitItem<'_>) -> Read<()> {
        if !matches!(self.kind()?, Type::Array | Type::ArrayIndef) {
            return Err(self.mismatch("a list"));
        }
        let length = self.items.array().map_err(unreadable)?;
        self.entries(length, |inner| if inner.null()? { Ok(()) } else { visit(inner) })
    }

    fn map(&mut self, _: &'static Member, visit: &mut VisitEntry<'_>) -> Read<()> {
        if !matches!(self.kind()?, Type::Map | Type::MapIndef) {
            return Err(self.mismatch("a map"));
        }
        let length = self.items.map().map_err(unreadable)?;
        self.entries(length, |inner| {
            let key = inner.text("a key")?;
            if inner.null()? { Ok(()) } else { visit(&key, inner) }
        })
    }

    fn string(&mut self, _: &'static Member) -> Read<String> {
        self.text("a String").map(String::from)
    }

    fn blob(&mut self, _: &'static Member) -> Read<Bytes> {
        match self.kind()? {
            Type::Bytes => self.items.bytes().map(Bytes::copy_from_slice).map_err(unreadable),
            Type::BytesIndef => {
                let mut whole = Vec::new();
                for part in self.items.bytes_iter().map_err(unreadable)? {
                    whole.extend_from_slice(part.map_err(unreadable)?);
                }
                Ok(whole.into())
            }
            _ => Err(self.mismatch("a Blob")),
        }
    }

    fn boolean(&mut self, _: &'static Member) -> Read<bool> {
        if self.kind()? != Type::Bool {
            return Err(self.mismatch("a Boolean"));
        }
        self.items.bool().map_err(unreadable)
    }

    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers in range get there")]
    fn integer(&mut self, _: &'static Member) -> Read<i64> {
        if let Type::F16 | Type::F32 | Type::F64 = self.kind()? {
            let number = self.number("an Integer")?;
            if number.fract() != 0.0 || number.abs() >= 9.0e18 {
                return Err(Unreadable(format!("{number} can not be converted to an Integer")));
            }
            return Ok(number as i64);
        }
        self.whole("an Integer")
    }

    fn double(&mut self, _: &'static Member) -> Read<f64> {
        self.number("a Double")
    }

    fn timestamp(&mut self, _: &'static Member) -> Read<Timestamp> {
        if self.kind()? == Type::Tag && self.items.tag().map_err(unreadable)? != EPOCH {
            return Err(Unreadable("a tag that is not a time's".into()));
        }
        text::from_seconds(self.number("a Timestamp")?)
    }

    fn ignore(&mut self) -> Read<()> {
        self.items.skip().map_err(unreadable)
    }

    fn end(&mut self) -> Read<()> {
        if self.items.position() == self.items.input().len() {
            return Ok(());
        }
        Err(Unreadable("something follows the body".into()))
    }

    fn violations(&mut self) -> &mut Violations {
        &mut self.violations
    }
}

/// CBOR being written.
pub(crate) struct CborEncoder {
    items: minicbor::Encoder<Vec<u8>>,
    omits_empty: bool,
}

impl CborEncoder {
    /// Writes; leaves out a structure's empty lists and maps if `omits_empty`.
    pub(crate) fn new(omits_empty: bool) -> Self {
        Self { items: minicbor::Encoder::new(Vec::new()), omits_empty }
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.items.into_writer()
    }

    /// Writes the name before a structure's member.
    fn lead(&mut self, member: &'static Member) {
        if member.role == crate::schema::Role::Field {
            sure(self.items.str(member.json));
        }
    }

    fn omits(&self, member: &'static Member, length: usize) -> bool {
        length == 0 && self.omits_empty && member.role == crate::schema::Role::Field
    }
}

/// Writing to memory does not fail.
#[expect(clippy::needless_pass_by_value, reason = "a result is to be consumed")]
fn sure<T>(result: Result<T, encode::Error<Infallible>>) {
    debug_assert!(result.is_ok(), "writing to memory does not fail");
}

impl Encoder for CborEncoder {
    fn begin_structure(&mut self, member: &'static Member) {
        self.lead(member);
        sure(self.items.begin_map());
    }

    fn end_structure(&mut self, _: &'static Member) {
        sure(self.items.end());
    }

    fn begin_list(&mut self, member: &'static Member, length: usize) {
        if !self.omits(member, length) {
            self.lead(member);
            sure(self.items.array(length as u64));
        }
    }

    fn end_list(&mut self, _: &'static Member, _: usize) {}

    fn begin_map(&mut self, member: &'static Member, length: usize) {
        if !self.omits(member, length) {
            self.lead(member);
            sure(self.items.map(length as u64));
        }
    }

    fn key(&mut self, _: &'static Member, key: &str) {
        sure(self.items.str(key));
    }

    fn end_map(&mut self, _: &'static Member, _: usize) {}

    fn string(&mut self, member: &'static Member, text: &str) {
        self.lead(member);
        sure(self.items.str(text));
    }

    fn blob(&mut self, member: &'static Member, bytes: &[u8]) {
        self.lead(member);
        sure(self.items.bytes(bytes));
    }

    fn boolean(&mut self, member: &'static Member, value: bool) {
        self.lead(member);
        sure(self.items.bool(value));
    }

    fn integer(&mut self, member: &'static Member, number: i64) {
        self.lead(member);
        sure(self.items.i64(number));
    }

    fn float(&mut self, member: &'static Member, number: f32) {
        self.lead(member);
        sure(self.items.f32(number));
    }

    fn double(&mut self, member: &'static Member, number: f64) {
        self.lead(member);
        sure(self.items.f64(number));
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any near year are exact")]
    fn timestamp(&mut self, member: &'static Member, time: Timestamp) {
        self.lead(member);
        sure(self.items.tag(EPOCH));
        match time.as_millis() % 1000 {
            0 => sure(self.items.u64(time.as_secs())),
            _ => sure(self.items.f64(time.as_millis() as f64 / 1000.0)),
        }
    }
}

/// A refusal in CBOR.
pub(crate) fn fault(kind: &str, fault: &Fault) -> Vec<u8> {
    let mut items = minicbor::Encoder::new(Vec::new());
    sure(items.map(2 + fault.details.len() as u64));
    let fixed = [("__type", kind), ("message", fault.message.as_ref())];
    let details = fault.details.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in fixed.into_iter().chain(details) {
        sure(items.str(name));
        sure(items.str(value));
    }
    items.into_writer()
}
