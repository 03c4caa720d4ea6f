//! Names: of a queue, of a region.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

/// Not a name of its kind; the text says what one is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(&'static str);

/// A queue's name: 1 to 80 of `A-Z a-z 0-9 - _`; a FIFO queue's ends in `.fifo`, which counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(SmolStr);

impl QueueName {
    /// The longest name, in characters.
    pub const MAX: usize = 80;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the name of a FIFO queue.
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(".fifo")
    }
}

impl FromStr for QueueName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let stem = text.strip_suffix(".fifo").unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if stem.is_empty() || text.len() > Self::MAX || !stem.bytes().all(plain) {
            return Err(BadName(
                "a queue's name has 1 to 80 letters, digits, hyphens or underscores, \
                 and may end in .fifo",
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A region: whatever the caller's credential scope says, as `eu-west-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(SmolStr);

impl Region {
    /// The region of whoever names no other.
    pub const DEFAULT: &'static str = "us-east-1";

    /// The region as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    fn default() -> Self {
        Self(SmolStr::new_static(Self::DEFAULT))
    }
}

impl FromStr for Region {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(plain) {
            return Err(BadName("a region's name has 1 to 64 letters, digits or hyphens"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_has_letters_digits_hyphens_and_underscores() {
        for good in ["a", "Orders-2_b", "orders.fifo", &"q".repeat(80)] {
            assert_eq!(good.parse::<QueueName>().unwrap().as_str(), good);
        }
        let long_fifo = format!("{}.fifo", "q".repeat(76));
        for bad in ["", ".fifo", "a.b", "a b", "é", &"q".repeat(81), &long_fifo] {
            assert!(bad.parse::<QueueName>().is_err(), "{bad:?}");
        }
        assert!("orders.fifo".parse::<QueueName>().unwrap().is_fifo());
    }

    #[test]
    fn a_region_is_a_short_word() {
        assert_eq!("eu-west-1".parse::<Region>().unwrap().as_str(), "eu-west-1");
        assert!("eu/west".parse::<Region>().is_err());
        assert!("".parse::<Region>().is_err());
    }
}
