//! Writes JSON.

use pulp::{Arch, Simd, WithSimd};
use tidemill_base::Timestamp;

use crate::encode::Encoder;
use crate::schema::{Member, Role, TimeFormat};
use crate::text;

/// A JSON text being written.
pub(crate) struct JsonEncoder {
    out: Vec<u8>,
    /// Whether an empty list or map that is a structure's member is left out.
    omits_empty: bool,
    /// Whether a value came before this one in the same object or list.
    follows: bool,
    /// Whether this answers a Query request. Then AWS writes a map as a list of objects, each
    /// with an entry's name and value, and the names of lists begin with a small letter.
    of_query: bool,
    /// Of each such map that is open, whether an entry of it is.
    entries: Vec<bool>,
}

impl JsonEncoder {
    /// Writes behind `out`.
    pub(crate) const fn new(out: Vec<u8>, omits_empty: bool) -> Self {
        Self { out, omits_empty, follows: false, of_query: false, entries: Vec::new() }
    }

    /// The same, as AWS answers a Query request in JSON.
    pub(crate) const fn of_query(out: Vec<u8>, omits_empty: bool) -> Self {
        Self { out, omits_empty, follows: false, of_query: true, entries: Vec::new() }
    }

    /// Opens a structure, list or map that has no name although it is a member.
    pub(crate) fn begin_unnamed(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.follows = false;
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes what comes before a value: a comma, a name.
    fn lead(&mut self, member: &'static Member) {
        match member.role {
            Role::Field => self.name(member.json),
            Role::Item => self.comma(),
            Role::Value if self.of_query => self.name(member.xml),
            Role::Root | Role::Key | Role::Value => self.follows = true,
        }
    }

    fn comma(&mut self) {
        if self.follows {
            self.out.push(b',');
        }
        self.follows = true;
    }

    /// Writes a member's name, which has nothing to escape: the generator takes no other.
    fn name(&mut self, name: &str) {
        self.comma();
        self.out.reserve(name.len() + 3);
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn open(&mut self, member: &'static Member, bracket: u8) {
        self.lead(member);
        self.out.push(bracket);
        self.follows = false;
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.follows = true;
    }

    fn close_entry(&mut self) {
        if self.entries.pop() == Some(true) {
            self.close(b'}');
        }
    }

    fn omits(&self, member: &'static Member, length: usize) -> bool {
        length == 0 && self.omits_empty && member.role == Role::Field
    }

    /// Writes text that is a number, or a string if it is one of those that JSON has no number for.
    fn number(&mut self, member: &'static Member, finite: bool, text: &str) {
        self.lead(member);
        if finite {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            push_string(&mut self.out, text);
        }
    }
}

impl Encoder for JsonEncoder {
    fn begin_structure(&mut self, member: &'static Member) {
        self.open(member, b'{');
    }

    fn end_structure(&mut self, _: &'static Member) {
        self.close(b'}');
    }

    fn begin_list(&mut self, member: &'static Member, length: usize) {
        if self.omits(member, length) {
            return;
        }
        let from = self.out.len();
        self.open(member, b'[');
        if self.of_query && member.role == Role::Field {
            let name = self.out[from..].iter_mut().find(|byte| byte.is_ascii_alphabetic());
            if let Some(first) = name {
                first.make_ascii_lowercase();
            }
        }
    }

    fn end_list(&mut self, member: &'static Member, length: usize) {
        if !self.omits(member, length) {
            self.close(b']');
        }
    }

    fn begin_map(&mut self, member: &'static Member, length: usize) {
        if !self.omits(member, length) {
            self.open(member, if self.of_query { b'[' } else { b'{' });
            if self.of_query {
                self.entries.push(false);
            }
        }
    }

    fn key(&mut self, member: &'static Member, key: &str) {
        if !self.of_query {
            return self.name(key);
        }
        self.close_entry();
        self.entries.push(true);
        self.comma();
        self.begin_unnamed(b'{');
        self.name(member.xml);
        push_string(&mut self.out, key);
    }

    fn end_map(&mut self, member: &'static Member, length: usize) {
        if !self.omits(member, length) {
            if self.of_query {
                self.close_entry();
            }
            self.close(if self.of_query { b']' } else { b'}' });
        }
    }

    fn string(&mut self, member: &'static Member, text: &str) {
        self.lead(member);
        push_string(&mut self.out, text);
    }

    fn blob(&mut self, member: &'static Member, bytes: &[u8]) {
        self.lead(member);
        self.out.push(b'"');
        text::push_base64(&mut self.out, bytes);
        self.out.push(b'"');
    }

    fn boolean(&mut self, member: &'static Member, value: bool) {
        self.lead(member);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn integer(&mut self, member: &'static Member, number: i64) {
        self.lead(member);
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn float(&mut self, member: &'static Member, number: f32) {
        self.number(member, number.is_finite(), &text::format_float(number));
    }

    fn double(&mut self, member: &'static Member, number: f64) {
        self.number(member, number.is_finite(), &text::format_double(number));
    }

    fn timestamp(&mut self, member: &'static Member, time: Timestamp) {
        let format = member.time_format(TimeFormat::EpochSeconds);
        let text = text::format_timestamp(time, format);
        self.number(member, format == TimeFormat::EpochSeconds, &text);
    }
}

/// Writes `text` as a JSON string behind `out`.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(length) = plain(rest) {
        out.extend_from_slice(&rest[..length]);
        let byte = rest[length];
        rest = &rest[length + 1..];
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// How many bytes come before the first that needs an escape; `None` if none does.
fn plain(bytes: &[u8]) -> Option<usize> {
    let skipped = if bytes.len() < WIDE { 0 } else { Arch::new().dispatch(Clean(bytes)) };
    // To choose among the vectors of a processor takes longer than most strings do with those
    // that each has.
    let skipped = skipped + clean::<NARROW>(&bytes[skipped..]);
    bytes[skipped..].iter().position(|byte| is_special(*byte)).map(|at| skipped + at)
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How many bytes are looked at together, with the widest vectors there are.
const WIDE: usize = 64;
/// And with those that there always are.
const NARROW: usize = 16;

/// How many bytes need no escape, in steps of [`WIDE`]; compiled for each width of vectors.
struct Clean<'a>(&'a [u8]);

impl WithSimd for Clean<'_> {
    type Output = usize;

    #[expect(clippy::inline_always, reason = "only what is inlined is compiled for the vectors")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        clean::<WIDE>(self.0)
    }
}

/// How many bytes need no escape, in steps of `N`.
#[expect(clippy::inline_always, reason = "only what is inlined is compiled for the vectors")]
#[inline(always)]
fn clean<const N: usize>(bytes: &[u8]) -> usize {
    // No way out of the loop half-way, which lets the compiler make it wide.
    let has_none =
        |chunk: &[u8; N]| !chunk.iter().fold(false, |found, byte| found | is_special(*byte));
    bytes.as_chunks().0.iter().take_while(|chunk| has_none(chunk)).count() * N
}
