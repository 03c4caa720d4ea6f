//! A request's headers, where they are: lines of the request, or a client's map.
//!
//! A request has a dozen headers and is asked for half of them, so a server gains nothing by a map
//! of them: to make it costs several times what it takes to look through the lines. Half of those
//! asked for are not there, which most often their length tells.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

/// A header as it stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name, in whatever case the client chose.
    pub name: &'a str,
    /// Its value, without the blanks around it.
    pub value: &'a [u8],
}

/// The headers of a request. Names are equal whatever their case.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(Kept<'a>);

#[derive(Clone, Copy, Debug)]
enum Kept<'a> {
    /// The lines, and a bit for each length that one of their names has.
    Lines(&'a [Header<'a>], u64),
    Map(&'a HeaderMap),
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Self = Self(Kept::Lines(&[], 0));

    /// The value of the first header of this name.
    pub fn get(&self, name: impl AsRef<str>) -> Option<&'a [u8]> {
        let name = name.as_ref();
        match self.0 {
            _ if !self.may_have(name) => None,
            Kept::Lines(lines, _) => {
                lines.iter().find(|line| is_same(line.name, name)).map(|line| line.value)
            }
            Kept::Map(map) => map.get(name).map(HeaderValue::as_bytes),
        }
    }

    /// The value of the first header of this name, if it is of visible ASCII and blanks.
    pub fn text(&self, name: impl AsRef<str>) -> Option<&'a str> {
        header_text(self.get(name)?)
    }

    /// The values of all headers of this name, in order.
    pub fn all(&self, name: impl AsRef<str>) -> impl Iterator<Item = &'a [u8]> {
        let headers = if self.may_have(name.as_ref()) { self } else { &Self::NONE };
        let same = move |header: &Header<'_>| is_same(header.name, name.as_ref());
        headers.iter().filter(same).map(|header| header.value)
    }

    /// False if no header has so long a name.
    fn may_have(&self, name: &str) -> bool {
        match self.0 {
            Kept::Lines(_, lengths) => lengths & length(name) != 0,
            Kept::Map(_) => true,
        }
    }

    /// Each header: those of one name in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let (lines, map) = match self.0 {
            Kept::Lines(lines, _) => (Some(lines), None),
            Kept::Map(map) => (None, Some(map)),
        };
        let entries = map.into_iter().flatten();
        let entries =
            entries.map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
        lines.into_iter().flatten().copied().chain(entries)
    }
}

/// Whether two names are one. Most that are not differ in length already.
#[inline]
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.eq_ignore_ascii_case(other)
}

/// The bit of a name's length, which longer names share.
#[inline]
fn length(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// A header's value as text, if it is ASCII: no header has other control characters than tabs.
pub fn header_text(value: &[u8]) -> Option<&str> {
    if value.is_ascii() { str::from_utf8(value).ok() } else { None }
}

/// The headers of an answer: a few, each name once, in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(HeaderName, Cow<'static, str>)>);

impl Fields {
    /// No headers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a header, in place of one of this name. A value that no header can hold, such as one
    /// of two lines, is left empty: what stands in it may be somebody else's words.
    pub fn insert(&mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) {
        let value = value.into();
        let held = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
        // Looking at all of it, without a way out half-way, is what the compiler makes fast.
        let is_held = value.bytes().fold(true, |all, byte| all & held(byte));
        let value = if is_held { value } else { Cow::Borrowed("") };
        if self.0.is_empty() {
            self.0.reserve_exact(3);
        }
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, before)) => *before = value,
            None => self.0.push((name, value)),
        }
    }

    /// Removes the header of this name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(known, _)| known != name);
    }

    /// The value of the header of this name.
    pub fn get(&self, name: impl AsRef<str>) -> Option<&str> {
        let mut fields = self.0.iter();
        fields.find(|(known, _)| is_same(known.as_str(), name.as_ref())).map(|(_, value)| &**value)
    }

    /// Each header.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.iter().map(|(name, value)| (name, &**value))
    }
}

impl<'a> From<&'a [Header<'a>]> for Headers<'a> {
    fn from(lines: &'a [Header<'a>]) -> Self {
        let lengths = lines.iter().fold(0, |lengths, line| lengths | length(line.name));
        Self(Kept::Lines(lines, lengths))
    }
}

impl<'a> From<&'a HeaderMap> for Headers<'a> {
    fn from(map: &'a HeaderMap) -> Self {
        Self(Kept::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: Headers<'_>) {
        assert_eq!(headers.get("HOST"), Some(b"h".as_slice()));
        assert_eq!(headers.get("x-absent"), None);
        assert_eq!(headers.text("x-many"), Some("1"));
        assert_eq!(headers.text("x-bytes"), None);
        assert_eq!(headers.all("X-Many").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(headers.iter().count(), 4);
    }

    #[test]
    fn lines_and_a_map_are_looked_up_alike() {
        let header = |name, value: &'static [u8]| Header { name, value };
        let lines = [
            header("Host", b"h"),
            header("X-Many", b"1"),
            header("x-many", b"2"),
            header("X-Bytes", b"\xff"),
        ];
        check(Headers::from(lines.as_slice()));
        let mut map = HeaderMap::new();
        for Header { name, value } in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        check(Headers::from(&map));
    }

    #[test]
    fn an_answers_headers_are_set_once_and_hold_one_line() {
        let mut fields = Fields::new();
        fields.insert(HeaderName::from_static("x-a"), "1");
        fields.insert(HeaderName::from_static("x-b"), "2\r\nx-c: 3");
        fields.insert(HeaderName::from_static("x-a"), "4\t5".to_owned());
        assert_eq!((fields.get("X-A"), fields.get("x-b")), (Some("4\t5"), Some("")));
        fields.remove(&HeaderName::from_static("x-b"));
        assert_eq!(fields.iter().count(), 1);
    }
}
