//! Reads JSON against a schema.

use bytes::Bytes;
use tidemill_base::Timestamp;

use super::lexer::Lexer;
use crate::constraint::Violations;
use crate::decode::{Decoder, Read, Unreadable, VisitEntry, VisitItem, VisitMember};
use crate::schema::{Member, Role, TimeFormat};
use crate::text;

/// What AWS says of a structure that stands where something else should.
const STRUCTURE_FOUND: &str = "Start of structure or map found where not expected.";
/// And of a list.
const LIST_FOUND: &str = "Start of list found where not expected";

/// A JSON body being read. A value of another kind than the model's is refused, as AWS does: it
/// does not take `"5"` for 5. It does take 5 for `"5"`, and `true` for `"true"`.
pub(crate) struct JsonDecoder<'a> {
    lexer: Lexer<'a>,
    violations: Violations,
}

impl<'a> JsonDecoder<'a> {
    /// Reads `body`, which is JSON in UTF-8.
    pub(crate) fn new(body: &'a [u8]) -> Read<Self> {
        Ok(Self { lexer: Lexer::new(body)?, violations: Violations::default() })
    }

    /// What is wrong where a structure or a list stands, and a single value should.
    fn collection(&mut self) -> Option<Unreadable> {
        match self.lexer.peek() {
            b'{' => Some(Unreadable(STRUCTURE_FOUND.to_owned())),
            b'[' => Some(Unreadable(LIST_FOUND.to_owned())),
            _ => None,
        }
    }

    /// What stands where a value of `wanted` kind should, in the words of AWS's own parser.
    fn mismatch(&mut self, wanted: &str) -> Unreadable {
        if let Some(found) = self.collection() {
            return found;
        }
        let found = match self.lexer.peek() {
            b'"' => "STRING_VALUE",
            b't' => "TRUE_VALUE",
            b'f' => "FALSE_VALUE",
            b'-' | b'0'..=b'9' => "NUMBER_VALUE",
            _ => return self.lexer.wrong("a value"),
        };
        Unreadable(format!("{found} can not be converted to {wanted}"))
    }

    /// Refuses what is neither the beginning of a structure or list nor null; AWS has `words` for
    /// a single value.
    fn not_single(&mut self, words: &str) -> Unreadable {
        self.collection().unwrap_or_else(|| Unreadable(words.to_owned()))
    }

    fn is_number(&mut self) -> bool {
        matches!(self.lexer.peek(), b'-' | b'0'..=b'9')
    }
}

impl Decoder for JsonDecoder<'_> {
    fn structure(&mut self, member: &'static Member, visit: &mut VisitMember<'_>) -> Read<()> {
        if self.lexer.peek() != b'{' {
            return Err(self.not_single("Expected null"));
        }
        let members = member.shape.members();
        self.lexer.enter(b'{')?;
        // Members mostly come in the model's order: look first where the last one was found.
        let mut next = 0;
        let mut first = true;
        while self.lexer.more(first, b'}')? {
            first = false;
            let key = self.lexer.string()?;
            self.lexer.expect(b':')?;
            if self.lexer.null()? {
                continue;
            }
            let ahead = members.iter().skip(next).position(|member| member.json == key);
            let found = match ahead {
                Some(ahead) => Some(next + ahead),
                None => members.iter().take(next).position(|member| member.json == key),
            };
            match found {
                Some(index) => {
                    next = index + 1;
                    visit(index, self)?;
                }
                None => self.lexer.skip()?,
            }
        }
        Ok(())
    }

    fn list(&mut self, _: &'static Member, visit: &mut VisitItem<'_>) -> Read<()> {
        if self.lexer.peek() != b'[' {
            return Err(self.not_single("Expected list or null"));
        }
        self.lexer.enter(b'[')?;
        let mut first = true;
        while self.lexer.more(first, b']')? {
            first = false;
            if !self.lexer.null()? {
                visit(self)?;
            }
        }
        Ok(())
    }

    fn map(&mut self, _: &'static Member, visit: &mut VisitEntry<'_>) -> Read<()> {
        if self.lexer.peek() != b'{' {
            return Err(self.not_single("Expected null"));
        }
        self.lexer.enter(b'{')?;
        let mut first = true;
        while self.lexer.more(first, b'}')? {
            first = false;
            let key = self.lexer.string()?;
            self.lexer.expect(b':')?;
            if !self.lexer.null()? {
                visit(&key, self)?;
            }
        }
        Ok(())
    }

    fn string(&mut self, member: &'static Member) -> Read<String> {
        match self.lexer.peek() {
            b'"' => self.lexer.string().map(String::from),
            b't' | b'f' => self.lexer.boolean().map(|boolean| boolean.to_string()),
            b'-' | b'0'..=b'9' => self.lexer.number().map(str::to_owned),
            // AWS reads a map's values by another way than a structure's members.
            b'[' if member.role == Role::Value => {
                Err(Unreadable("Unrecognized collection type class java.lang.String".into()))
            }
            _ => Err(self.mismatch("a String")),
        }
    }

    fn blob(&mut self, _: &'static Member) -> Read<Bytes> {
        if self.lexer.peek() != b'"' {
            return Err(self.mismatch("a Blob"));
        }
        text::blob(&self.lexer.string()?)
    }

    fn boolean(&mut self, _: &'static Member) -> Read<bool> {
        if !matches!(self.lexer.peek(), b't' | b'f') {
            return Err(self.mismatch("a Boolean"));
        }
        self.lexer.boolean()
    }

    #[expect(clippy::cast_possible_truncation, reason = "a fraction is cut off, as AWS does")]
    fn integer(&mut self, member: &'static Member) -> Read<i64> {
        if !self.is_number() {
            return Err(self.mismatch("an Integer"));
        }
        let number = self.lexer.number()?;
        if let Ok(whole) = number.parse() {
            return Ok(whole);
        }
        let number = text::double(number)?;
        if number.abs() >= 9.0e18 {
            return Err(Unreadable(format!("{number} is out of range for {}", member.name)));
        }
        Ok(number as i64)
    }

    fn double(&mut self, _: &'static Member) -> Read<f64> {
        if self.is_number() {
            return text::double(self.lexer.number()?);
        }
        // JSON has no other way to write these three.
        if self.lexer.peek() == b'"' {
            let text = self.lexer.string()?;
            if let "NaN" | "Infinity" | "-Infinity" = text.as_ref() {
                return text::double(&text);
            }
            return Err(Unreadable("STRING_VALUE can not be converted to a Double".into()));
        }
        Err(self.mismatch("a Double"))
    }

    fn timestamp(&mut self, member: &'static Member) -> Read<Timestamp> {
        if self.is_number() {
            return text::from_seconds(text::double(self.lexer.number()?)?);
        }
        if self.lexer.peek() != b'"' {
            return Err(self.mismatch("a Timestamp"));
        }
        let format = member.time_format(TimeFormat::Iso8601);
        text::timestamp(&self.lexer.string()?, format)
    }

    fn ignore(&mut self) -> Read<()> {
        self.lexer.skip()
    }

    fn end(&mut self) -> Read<()> {
        self.lexer.end()
    }

    fn violations(&mut self) -> &mut Violations {
        &mut self.violations
    }
}
