//! Forms, which Query and EC2 Query requests are: `Entry.1.Attribute.2.Name=size&...`, percent
//! encoded, in any order. The pairs are sorted once; a value then is a range of them, and no tree
//! is built.

use std::borrow::Cow;

use bytes::Bytes;
use tidemill_base::Timestamp;

use crate::constraint::Violations;
use crate::decode::{Decoder, Read, Unreadable, VisitEntry, VisitItem, VisitMember};
use crate::schema::{Kind, Member, TimeFormat};
use crate::text;

/// A name and its value, decoded.
pub(crate) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Deeper nesting than any API's is refused before it can exhaust the stack.
const DEPTH: usize = 64;

/// Reads the pairs of a form or a query string. A value that is not UTF-8 is refused.
pub(crate) fn pairs(form: &[u8]) -> Read<Vec<Pair<'_>>> {
    let parts = form.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let equals = memchr::memchr(b'=', part).unwrap_or(part.len());
            let value = part.get(equals + 1..).unwrap_or_default();
            Ok((unescape(&part[..equals])?, unescape(value)?))
        })
        .collect()
}

/// The value of the first pair called `name`.
pub(crate) fn find<'a>(pairs: &'a [Pair<'_>], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
}

/// The value of the first parameter called `name` in a form, without decoding the others.
pub(crate) fn peek<'a>(form: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let mut parts = form.split(|byte| *byte == b'&');
    parts.find_map(|part| {
        let value = part.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        unescape(value).ok()
    })
}

/// Undoes the percent encoding. A percent that two digits do not follow stands for itself.
pub(crate) fn unescape(text: &[u8]) -> Read<Cow<'_, str>> {
    let bad = || Unreadable("a parameter is not UTF-8".into());
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return str::from_utf8(text).map(Cow::Borrowed).map_err(|_| bad());
    }
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'%' => match digit(at).zip(digit(at + 1)) {
                Some((high, low)) => {
                    plain.push(u8::try_from(high * 16 + low).expect("two digits make a byte"));
                    at += 2;
                }
                None => plain.push(byte),
            },
            b'+' => plain.push(b' '),
            _ => plain.push(byte),
        }
    }
    String::from_utf8(plain).map(Cow::Owned).map_err(|_| bad())
}

/// A form being read.
pub(crate) struct FormDecoder<'a> {
    /// Sorted by name.
    pairs: Vec<Pair<'a>>,
    /// The name of the value that stands next.
    name: String,
    ec2: bool,
    depth: usize,
    violations: Violations,
}

impl<'a> FormDecoder<'a> {
    /// Reads `pairs`, with EC2's names for members if `ec2`.
    pub(crate) fn new(mut pairs: Vec<Pair<'a>>, ec2: bool) -> Self {
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        Self { pairs, name: String::new(), ec2, depth: 0, violations: Violations::default() }
    }

    /// Does `work` one name further in.
    fn within<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let length = self.name.len();
        if length > 0 {
            self.name.push('.');
        }
        self.name.push_str(name);
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unreadable(format!("nested deeper than {DEPTH}")));
        }
        let result = work(self);
        self.depth -= 1;
        self.name.truncate(length);
        result
    }

    /// Where the very name stands, the first if there are several.
    fn position(&self) -> Option<usize> {
        let at = self.pairs.partition_point(|(key, _)| key.as_ref() < self.name.as_str());
        self.pairs.get(at).filter(|(key, _)| *key == self.name).map(|_| at)
    }

    fn value(&self) -> Option<&str> {
        self.position().map(|at| self.pairs[at].1.as_ref())
    }

    /// The value under the very name, which is there.
    fn wanted(&self) -> Read<&str> {
        self.value().ok_or_else(|| self.nothing())
    }

    fn nothing(&self) -> Unreadable {
        Unreadable(format!("{} has no value", text::short(&self.name)))
    }

    /// The pairs within the name.
    fn children(&mut self) -> &[Pair<'a>] {
        self.name.push('.');
        let name = self.name.as_str();
        let start = self.pairs.partition_point(|(key, _)| key.as_ref() < name);
        let count = self.pairs[start..].partition_point(|(key, _)| key.starts_with(name));
        self.name.pop();
        &self.pairs[start..start + count]
    }

    fn is_there(&mut self) -> bool {
        self.value().is_some() || !self.children().is_empty()
    }

    /// The numbers that stand next in the names, in order. `01` is none.
    fn indexes(&mut self) -> Vec<u32> {
        let skip = self.name.len() + 1;
        let mut indexes: Vec<u32> = Vec::new();
        for (key, _) in self.children() {
            let step = key[skip..].split('.').next().unwrap_or_default();
            let zero = step.starts_with('0') && step.len() > 1;
            if let Some(index) = step.parse().ok().filter(|_| !zero && !step.starts_with('+'))
                && indexes.last() != Some(&index)
            {
                indexes.push(index);
            }
        }
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }

    /// Visits `Name.1`, `Name.2`, ...; gives how many there were.
    fn numbered(&mut self, visit: &mut dyn FnMut(&mut Self) -> Read<()>) -> Read<usize> {
        let indexes = self.indexes();
        for index in &indexes {
            self.within(itoa::Buffer::new().format(*index), &mut *visit)?;
        }
        Ok(indexes.len())
    }

    /// Reads a map's entry: its key, then its value.
    fn entry(&mut self, member: &'static Member, visit: &mut VisitEntry<'_>) -> Read<()> {
        let Kind::Map(key_place, value_place) = member.shape.kind else {
            return Err(Unreadable(format!("{} is not a map", member.name)));
        };
        let key = self.within(key_place.xml, |inner| inner.wanted().map(str::to_owned))?;
        self.within(
            value_place.xml,
            |inner| {
                if inner.is_there() { visit(&key, inner) } else { Ok(()) }
            },
        )
    }
}

impl Decoder for FormDecoder<'_> {
    fn structure(&mut self, member: &'static Member, visit: &mut VisitMember<'_>) -> Read<()> {
        for (index, member) in member.shape.members().iter().enumerate() {
            let name = if self.ec2 { member.ec2 } else { member.xml };
            self.within(name, |inner| if inner.is_there() { visit(index, inner) } else { Ok(()) })?;
        }
        Ok(())
    }

    fn list(&mut self, member: &'static Member, visit: &mut VisitItem<'_>) -> Read<()> {
        let Kind::List(item) = member.shape.kind else {
            return Err(Unreadable(format!("{} is not a list", member.name)));
        };
        if !self.ec2 && !member.flattened {
            let found = self.within(item.xml, |inner| inner.numbered(&mut |inner| visit(inner)))?;
            if found > 0 {
                return Ok(());
            }
        }
        // Flattened; and a list that is not, written as if it were.
        let found = self.numbered(&mut |inner| visit(inner))?;
        // `Name=` is how clients write an empty list, `Name=value` how people write one item.
        if found == 0 && self.value().is_some_and(|value| !value.is_empty()) {
            visit(self)?;
        }
        Ok(())
    }

    fn map(&mut self, member: &'static Member, visit: &mut VisitEntry<'_>) -> Read<()> {
        let Kind::Map(key_place, _) = member.shape.kind else {
            return Err(Unreadable(format!("{} is not a map", member.name)));
        };
        if !member.flattened {
            let found = self
                .within("entry", |inner| inner.numbered(&mut |inner| inner.entry(member, visit)))?;
            if found > 0 {
                return Ok(());
            }
        }
        let found = self.numbered(&mut |inner| inner.entry(member, visit))?;
        // `Name.Key=..&Name.Value=..` is how people write one entry.
        if found == 0 && self.within(key_place.xml, |inner| Ok(inner.value().is_some()))? {
            self.entry(member, visit)?;
        }
        Ok(())
    }

    fn string(&mut self, _: &'static Member) -> Read<String> {
        // Each value is read once: a long one is taken and not copied.
        let at = self.position().ok_or_else(|| self.nothing())?;
        Ok(std::mem::take(&mut self.pairs[at].1).into_owned())
    }

    fn blob(&mut self, _: &'static Member) -> Read<Bytes> {
        self.wanted().and_then(text::blob)
    }

    fn boolean(&mut self, _: &'static Member) -> Read<bool> {
        self.wanted().and_then(text::boolean)
    }

    fn integer(&mut self, _: &'static Member) -> Read<i64> {
        self.wanted().and_then(text::integer)
    }

    fn double(&mut self, _: &'static Member) -> Read<f64> {
        self.wanted().and_then(text::double)
    }

    fn timestamp(&mut self, member: &'static Member) -> Read<Timestamp> {
        let format = member.time_format(TimeFormat::Iso8601);
        self.wanted().and_then(|value| text::timestamp(value, format))
    }

    fn ignore(&mut self) -> Read<()> {
        Ok(())
    }

    fn end(&mut self) -> Read<()> {
        Ok(())
    }

    fn violations(&mut self) -> &mut Violations {
        &mut self.violations
    }
}
