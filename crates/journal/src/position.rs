//! Where a record is: its position in the log's whole life, and the segment that holds it.

use std::fmt;
use std::ops::Range;

/// A byte offset in the log's whole life. It never changes and is never used twice; always a
/// multiple of 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// Where every log begins.
    pub const ZERO: Self = Self(0);

    /// The position stored as `bytes`.
    pub const fn from_u64(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The position as a number of bytes, for storing.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A segment: a stretch of the log of fixed size, kept and discarded as a whole. Named by the
/// position where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(u64);

impl SegmentId {
    /// The segment that begins at `base`.
    pub const fn from_base(base: Position) -> Self {
        Self(base.0)
    }

    /// Where the segment begins.
    pub const fn base(self) -> Position {
        Position(self.0)
    }

    /// The segment that holds `at`, where segments have `size` bytes.
    pub(crate) const fn holding(at: u64, size: u64) -> Self {
        Self(at - at % size)
    }

    /// The name of the segment's file, as in `0000000001000000.seg`.
    pub fn file_name(self) -> String {
        format!("{self}.seg")
    }

    /// The segment whose file has this name.
    pub(crate) fn from_file_name(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(".seg").filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A segment of the log as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which one.
    pub id: SegmentId,
    /// The positions it covers: its full size once sealed, up to the log's end before.
    pub range: Range<Position>,
    /// Whether nothing more is written to it.
    pub sealed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_named_by_where_it_begins() {
        let id = SegmentId::holding((16 << 20) + 4096, 16 << 20);
        assert_eq!(id.file_name(), "0000000001000000.seg");
        assert_eq!(SegmentId::from_file_name(&id.file_name()), Some(id));
        for bad in ["", "1.seg", "0000000001000000", "000000000100000g.seg"] {
            assert_eq!(SegmentId::from_file_name(bad), None, "{bad:?}");
        }
    }
}
