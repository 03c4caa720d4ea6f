//! A request's headers, where they are: lines of the request, or a client's map.
//!
//! A request has a dozen headers and is asked for half of them, so a server gains nothing by a map
//! of them: to make it costs several times what it takes to look through the lines.

use http::HeaderMap;

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
    Lines(&'a [Header<'a>]),
    Map(&'a HeaderMap),
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Self = Self(Kept::Lines(&[]));

    /// The value of the first header of this name.
    pub fn get(&self, name: impl AsRef<str>) -> Option<&'a [u8]> {
        let name = name.as_ref();
        match self.0 {
            Kept::Lines(lines) => {
                let mut lines = lines.iter();
                lines.find(|line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
            }
            Kept::Map(map) => map.get(name).map(http::HeaderValue::as_bytes),
        }
    }

    /// The value of the first header of this name, if it is of visible ASCII and blanks.
    pub fn text(&self, name: impl AsRef<str>) -> Option<&'a str> {
        header_text(self.get(name)?)
    }

    /// The values of all headers of this name, in order.
    pub fn all(&self, name: impl AsRef<str>) -> impl Iterator<Item = &'a [u8]> {
        let same = move |header: &Header<'_>| header.name.eq_ignore_ascii_case(name.as_ref());
        self.iter().filter(same).map(|header| header.value)
    }

    /// Each header: those of one name in order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let (lines, map) = match self.0 {
            Kept::Lines(lines) => (Some(lines), None),
            Kept::Map(map) => (None, Some(map)),
        };
        let entries = map.into_iter().flatten();
        let entries =
            entries.map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() });
        lines.into_iter().flatten().copied().chain(entries)
    }
}

/// A header's value as text, if it is of visible ASCII, blanks and tabs.
pub fn header_text(value: &[u8]) -> Option<&str> {
    let visible = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    value.iter().all(visible).then(|| str::from_utf8(value).ok())?
}

impl<'a> From<&'a [Header<'a>]> for Headers<'a> {
    fn from(lines: &'a [Header<'a>]) -> Self {
        Self(Kept::Lines(lines))
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
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, http::HeaderValue::from_bytes(value).unwrap());
        }
        check(Headers::from(&map));
    }
}
