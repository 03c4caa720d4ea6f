//! Writing: what a format takes ([`Encoder`]) and how a typed value gives itself ([`Encode`]). A
//! value pushes its members one after the other into the bytes of the answer.

use bytes::Bytes;
use tidemill_base::Timestamp;

use crate::decode::Map;
use crate::schema::{Kind, Member};

/// A format being written. `member` is the place of what is written.
pub trait Encoder {
    /// Opens a structure; its members follow.
    fn begin_structure(&mut self, member: &'static Member);
    /// Closes it.
    fn end_structure(&mut self, member: &'static Member);
    /// Opens a list of `length` items, which follow.
    fn begin_list(&mut self, member: &'static Member, length: usize);
    /// Closes it.
    fn end_list(&mut self, member: &'static Member, length: usize);
    /// Opens a map of `length` entries, which follow: each a [`Encoder::key`] and a value.
    fn begin_map(&mut self, member: &'static Member, length: usize);
    /// Writes an entry's key.
    fn key(&mut self, member: &'static Member, key: &str);
    /// Closes a map.
    fn end_map(&mut self, member: &'static Member, length: usize);
    /// Writes text.
    fn string(&mut self, member: &'static Member, text: &str);
    /// Writes bytes.
    fn blob(&mut self, member: &'static Member, bytes: &[u8]);
    /// Writes true or false.
    fn boolean(&mut self, member: &'static Member, value: bool);
    /// Writes a whole number.
    fn integer(&mut self, member: &'static Member, number: i64);
    /// Writes a number of 32 bits.
    fn float(&mut self, member: &'static Member, number: f32);
    /// Writes a number of 64 bits.
    fn double(&mut self, member: &'static Member, number: f64);
    /// Writes a time.
    fn timestamp(&mut self, member: &'static Member, time: Timestamp);
}

/// A value that can be written. Nothing about it can be refused.
pub trait Encode {
    /// Writes the value to `encoder`, at the place `member`.
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member);
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        if let Some(value) = self {
            value.encode(encoder, member);
        }
    }
}

impl<T: Encode> Encode for Box<T> {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        self.as_ref().encode(encoder, member);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        let Kind::List(item) = member.shape.kind else { return };
        encoder.begin_list(member, self.len());
        for value in self {
            value.encode(encoder, item);
        }
        encoder.end_list(member, self.len());
    }
}

impl<K: AsRef<str>, V: Encode> Encode for Map<K, V> {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        let Kind::Map(key_place, value_place) = member.shape.kind else { return };
        encoder.begin_map(member, self.len());
        for (key, value) in self {
            encoder.key(key_place, key.as_ref());
            value.encode(encoder, value_place);
        }
        encoder.end_map(member, self.len());
    }
}

impl Encode for String {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.string(member, self);
    }
}

impl Encode for Bytes {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.blob(member, self);
    }
}

impl Encode for bool {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.boolean(member, *self);
    }
}

impl Encode for i32 {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.integer(member, i64::from(*self));
    }
}

impl Encode for i64 {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.integer(member, *self);
    }
}

impl Encode for f32 {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.float(member, *self);
    }
}

impl Encode for f64 {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.double(member, *self);
    }
}

impl Encode for Timestamp {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.timestamp(member, *self);
    }
}
