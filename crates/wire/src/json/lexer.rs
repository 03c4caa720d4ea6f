//! JSON's tokens, strictly as RFC 8259 has them.

use std::borrow::Cow;

use memchr::memchr2;

use crate::decode::{Read, Unreadable};

/// Deeper nesting than any API's is refused before it can exhaust the stack.
const DEPTH: usize = 128;

/// A place in a JSON text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(body: &'a [u8]) -> Read<Self> {
        let text = simdutf8::basic::from_utf8(body);
        let text = text.map_err(|_| Unreadable("the body is not UTF-8".into()))?;
        Ok(Self { text, at: 0, depth: 0 })
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The first byte of the next token, which stays; 0 at the end.
    pub(super) fn peek(&mut self) -> u8 {
        let bytes = self.bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Takes `byte` if it is the next token.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == byte;
        self.at += usize::from(there);
        there
    }

    pub(super) fn expect(&mut self, byte: u8) -> Read<()> {
        if self.take(byte) { Ok(()) } else { Err(self.wrong(char::from(byte))) }
    }

    /// What is wrong when `wanted` is not there.
    pub(super) fn wrong(&self, wanted: impl std::fmt::Display) -> Unreadable {
        Unreadable(format!("expected {wanted} at byte {} of the body", self.at))
    }

    /// Nothing but white space may follow the value.
    pub(super) fn end(&mut self) -> Read<()> {
        if self.peek() == 0 && self.at == self.text.len() {
            return Ok(());
        }
        Err(self.wrong("the end"))
    }

    /// Goes into an object or a list.
    pub(super) fn enter(&mut self, open: u8) -> Read<()> {
        self.expect(open)?;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unreadable(format!("nested deeper than {DEPTH}")));
        }
        Ok(())
    }

    /// Whether another entry follows the `first` one or the one before; else goes out.
    pub(super) fn more(&mut self, first: bool, close: u8) -> Read<bool> {
        if self.take(close) {
            self.depth -= 1;
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// Takes `null` if it is next.
    pub(super) fn null(&mut self) -> Read<bool> {
        if self.peek() == b'n' { self.word("null").map(|()| true) } else { Ok(false) }
    }

    pub(super) fn boolean(&mut self) -> Read<bool> {
        if self.peek() == b't' {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    fn word(&mut self, word: &str) -> Read<()> {
        if self.bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.wrong(word))
    }

    /// A number's text.
    pub(super) fn number(&mut self) -> Read<&'a str> {
        self.peek();
        let start = self.at;
        self.at += usize::from(self.byte() == b'-');
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if let b'e' | b'E' = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn byte(&self) -> u8 {
        self.bytes().get(self.at).copied().unwrap_or(0)
    }

    fn digits(&mut self) -> Read<()> {
        let count = self.bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.wrong("a digit")) } else { Ok(()) }
    }

    /// A string: the body's own bytes if it holds no escape.
    pub(super) fn string(&mut self) -> Read<Cow<'a, str>> {
        self.expect(b'"')?;
        let rest = &self.bytes()[self.at..];
        let length = memchr2(b'"', b'\\', rest).ok_or_else(|| self.wrong("the end of a string"))?;
        if has_control(&rest[..length]) {
            return Err(control());
        }
        let run = &self.text[self.at..self.at + length];
        self.at += length;
        if self.byte() == b'"' {
            self.at += 1;
            return Ok(Cow::Borrowed(run));
        }
        let mut text = String::with_capacity(run.len() * 2 + 64);
        text.push_str(run);
        self.escaped(&mut text)?;
        Ok(Cow::Owned(text))
    }

    /// The rest of a string, from an escape on. The runs between escapes are short.
    fn escaped(&mut self, text: &mut String) -> Read<()> {
        loop {
            let rest = &self.bytes()[self.at..];
            let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let length = rest.iter().position(special);
            let length = length.ok_or_else(|| self.wrong("the end of a string"))?;
            text.push_str(&self.text[self.at..self.at + length]);
            self.at += length;
            match rest[length] {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => text.push(self.escape()?),
                _ => return Err(control()),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let kind = self.bytes().get(self.at + 1).copied().unwrap_or(0);
        self.at += 2;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(Unreadable("an unknown escape in a string".into())),
        })
    }

    /// A character by number; two of them for one beyond the sixteen bits.
    fn unicode(&mut self) -> Read<char> {
        let lone = || Unreadable("half a surrogate pair in a string".into());
        let high = self.hex()?;
        if !(0xd800..0xe000).contains(&high) {
            return char::from_u32(high).ok_or_else(lone);
        }
        if high >= 0xdc00 || !self.bytes()[self.at..].starts_with(b"\\u") {
            return Err(lone());
        }
        self.at += 2;
        let low = self.hex()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(lone());
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or_else(lone)
    }

    fn hex(&mut self) -> Read<u32> {
        let digits = self.bytes().get(self.at..self.at + 4).unwrap_or_default();
        let good = digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit);
        let digits = str::from_utf8(digits).ok().filter(|_| good);
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        number.ok_or_else(|| Unreadable("an escape in a string needs four digits".into()))
    }

    /// Passes over any value.
    pub(super) fn skip(&mut self) -> Read<()> {
        match self.peek() {
            b'{' => {
                self.enter(b'{')?;
                let mut first = true;
                while self.more(first, b'}')? {
                    first = false;
                    self.string()?;
                    self.expect(b':')?;
                    self.skip()?;
                }
                Ok(())
            }
            b'[' => {
                self.enter(b'[')?;
                let mut first = true;
                while self.more(first, b']')? {
                    first = false;
                    self.skip()?;
                }
                Ok(())
            }
            b'"' => self.string().map(drop),
            b't' | b'f' => self.boolean().map(drop),
            b'n' => self.null().map(drop),
            _ => self.number().map(drop),
        }
    }
}

/// To choose among the vectors of a processor is worth it for texts that are longer than most.
const LONG: usize = 256;

fn has_control(bytes: &[u8]) -> bool {
    if bytes.len() < LONG {
        return any_control(bytes);
    }
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || any_control(bytes),
    )
}

#[expect(clippy::inline_always, reason = "only what is inlined is compiled for the vectors")]
#[inline(always)]
fn any_control(bytes: &[u8]) -> bool {
    // No way out of the loop half-way, which lets the compiler make it wide.
    bytes.iter().fold(false, |found, byte| found | (*byte < 0x20))
}

fn control() -> Unreadable {
    Unreadable("a control character in a string must be escaped".into())
}
