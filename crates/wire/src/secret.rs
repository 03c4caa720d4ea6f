//! Text that is nobody's to read in a log.

use std::fmt;

use crate::decode::{Decode, Decoder, Read};
use crate::encode::{Encode, Encoder};
use crate::schema::Member;

/// Text that a model calls sensitive: a key, a token. It does not show when it is formatted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Decode for Secret {
    fn decode(decoder: &mut dyn Decoder, member: &'static Member) -> Read<Self> {
        let text = decoder.string(member)?;
        let found = decoder.violations().len();
        decoder.violations().check_text(member, &text);
        decoder.violations().conceal(found);
        Ok(Self(text))
    }
}

impl Encode for Secret {
    fn encode(&self, encoder: &mut dyn Encoder, member: &'static Member) {
        encoder.string(member, &self.0);
    }
}
