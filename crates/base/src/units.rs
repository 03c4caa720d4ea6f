//! Units: a size in bytes, as people write it.

use std::fmt;
use std::str::FromStr;

/// Not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number of bytes, or of KiB, MiB or GiB, as in 64MiB")]
pub struct BadSize;

/// A size in bytes. Reads `4096`, `64KiB`, `2 MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl ByteSize {
    /// `bytes` bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `count` times 1024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// `count` times 1024 × 1024 bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The size as a number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The size as a number of bytes in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number = number.parse::<u64>().map_err(|_| BadSize)?;
        let unit = match unit.trim_start() {
            "" | "B" => 1,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or(BadSize)?.1,
        };
        number.checked_mul(unit).map(Self).ok_or(BadSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole =
            UNITS.iter().rev().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match whole {
            Some((name, unit)) => write!(f, "{} {name}", self.0 / unit),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_reads_as_people_write_it() {
        for (text, bytes) in [("0", 0), ("4096", 4096), ("64KiB", 65_536), ("2 MiB", 2_097_152)] {
            assert_eq!(text.parse(), Ok(ByteSize::bytes(bytes)), "{text:?}");
        }
        for bad in ["", "KiB", "1 kb", "-1", "99999999999GiB"] {
            assert_eq!(bad.parse::<ByteSize>(), Err(BadSize), "{bad:?}");
        }
        assert_eq!(ByteSize::mib(16).to_string(), "16 MiB");
        assert_eq!(ByteSize::bytes(1000).to_string(), "1000 B");
    }
}
