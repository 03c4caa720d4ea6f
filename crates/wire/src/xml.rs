//! Writes XML, which Query and EC2 Query answer. Nothing here reads any.

use tidemill_base::Timestamp;

use crate::encode::Encoder;
use crate::schema::{Member, Role, TimeFormat};
use crate::text;

/// An XML text being written.
pub(crate) struct XmlEncoder {
    out: Vec<u8>,
    /// The lists and maps that are open, the innermost last.
    open: Vec<Open>,
    /// The element of the whole; none where its members stand beside others.
    root: Option<String>,
}

struct Open {
    member: &'static Member,
    /// Whether a map's entry is open.
    entry: bool,
}

impl XmlEncoder {
    /// Writes behind `out`, the whole within the element `root`.
    pub(crate) const fn new(out: Vec<u8>, root: Option<String>) -> Self {
        Self { out, open: Vec::new(), root }
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// The element for a value at `member`.
    fn element(&self, member: &'static Member) -> &'static str {
        match (member.role, self.open.last()) {
            (Role::Item, Some(list)) if list.member.flattened => list.member.xml,
            _ => member.xml,
        }
    }

    /// The element of the entries of the innermost map.
    fn entry(&self) -> &'static str {
        match self.open.last() {
            Some(map) if map.member.flattened => map.member.xml,
            _ => "entry",
        }
    }

    fn start(&mut self, element: &str) {
        self.out.push(b'<');
        self.out.extend_from_slice(element.as_bytes());
        self.out.push(b'>');
    }

    fn end(&mut self, element: &str) {
        // An element that holds nothing is written as AWS writes it: <X/>.
        let length = element.len();
        let empty = self.out.len() >= length + 2
            && self.out[self.out.len() - length - 2] == b'<'
            && self.out[self.out.len() - length - 1..].strip_suffix(b">")
                == Some(element.as_bytes());
        if empty {
            self.out.pop();
            self.out.extend_from_slice(b"/>");
            return;
        }
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(element.as_bytes());
        self.out.push(b'>');
    }

    fn whole(&mut self, member: &'static Member, text: &str) {
        let element = self.element(member);
        self.start(element);
        push_escaped(&mut self.out, text);
        self.end(element);
    }

    fn close_entry(&mut self) {
        if self.open.last().is_some_and(|map| map.entry) {
            self.end(self.entry());
        }
    }
}

impl Encoder for XmlEncoder {
    fn begin_structure(&mut self, member: &'static Member) {
        match (member.role, self.root.clone()) {
            (Role::Root, Some(root)) => self.start(&root),
            (Role::Root, None) => {}
            _ => self.start(self.element(member)),
        }
    }

    fn end_structure(&mut self, member: &'static Member) {
        match (member.role, self.root.clone()) {
            (Role::Root, Some(root)) => self.end(&root),
            (Role::Root, None) => {}
            _ => self.end(self.element(member)),
        }
    }

    fn begin_list(&mut self, member: &'static Member, _: usize) {
        if !member.flattened {
            self.start(self.element(member));
        }
        self.open.push(Open { member, entry: false });
    }

    fn end_list(&mut self, member: &'static Member, _: usize) {
        self.open.pop();
        if !member.flattened {
            self.end(self.element(member));
        }
    }

    fn begin_map(&mut self, member: &'static Member, length: usize) {
        self.begin_list(member, length);
    }

    fn key(&mut self, member: &'static Member, key: &str) {
        self.close_entry();
        self.start(self.entry());
        if let Some(map) = self.open.last_mut() {
            map.entry = true;
        }
        self.whole(member, key);
    }

    fn end_map(&mut self, member: &'static Member, length: usize) {
        self.close_entry();
        self.end_list(member, length);
    }

    fn string(&mut self, member: &'static Member, text: &str) {
        self.whole(member, text);
    }

    fn blob(&mut self, member: &'static Member, bytes: &[u8]) {
        let element = self.element(member);
        self.start(element);
        text::push_base64(&mut self.out, bytes);
        self.end(element);
    }

    fn boolean(&mut self, member: &'static Member, value: bool) {
        self.whole(member, if value { "true" } else { "false" });
    }

    fn integer(&mut self, member: &'static Member, number: i64) {
        self.whole(member, itoa::Buffer::new().format(number));
    }

    fn float(&mut self, member: &'static Member, number: f32) {
        self.whole(member, &text::format_float(number));
    }

    fn double(&mut self, member: &'static Member, number: f64) {
        self.whole(member, &text::format_double(number));
    }

    fn timestamp(&mut self, member: &'static Member, time: Timestamp) {
        let format = member.time_format(TimeFormat::Iso8601);
        self.whole(member, &text::format_timestamp(time, format));
    }
}

/// Writes `text` behind `out` so that a parser gives it back. A bare carriage return would come
/// back as a line feed.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escaped: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            b'\r' => b"&#xD;",
            b'\t' | b'\n' | 0x20.. => continue,
            _ => &format!("&#x{byte:X};").into_bytes(),
        };
        out.extend_from_slice(&bytes[start..at]);
        out.extend_from_slice(escaped);
        start = at + 1;
    }
    out.extend_from_slice(&bytes[start..]);
}

/// Writes `<element>text</element>` behind `out`.
pub(crate) fn push_element(out: &mut Vec<u8>, element: &str, text: &str) {
    out.extend_from_slice(format!("<{element}>").as_bytes());
    push_escaped(out, text);
    out.extend_from_slice(format!("</{element}>").as_bytes());
}
