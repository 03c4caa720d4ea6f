//! What a value is counted in.

use std::fmt;
use std::str::FromStr;

/// The unit of a value. Values of one metric in several units are kept apart, and never converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(u8);

/// Not a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such unit")]
pub struct BadUnit;

/// The names, in an order that never changes: a record holds the place.
const NAMES: [&str; 27] = [
    "None",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
];

impl Unit {
    /// Of a value that has none.
    pub const NONE: Self = Self(0);
    /// Seconds.
    pub const SECONDS: Self = Self(1);
    /// Bytes.
    pub const BYTES: Self = Self(4);
    /// How many there are of something.
    pub const COUNT: Self = Self(15);

    /// The unit's name.
    pub fn as_str(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    /// Its number in a record.
    pub(crate) const fn number(self) -> u8 {
        self.0
    }

    /// The unit with a record's number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        (usize::from(number) < NAMES.len()).then_some(Self(number))
    }
}

impl FromStr for Unit {
    type Err = BadUnit;

    fn from_str(text: &str) -> Result<Self, BadUnit> {
        let at = NAMES.iter().position(|name| *name == text).ok_or(BadUnit)?;
        Ok(Self(u8::try_from(at).expect("there are fewer units than that")))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_reads_as_it_is_written_and_by_its_number() {
        for name in NAMES {
            let unit: Unit = name.parse().unwrap();
            assert_eq!(unit.to_string(), name);
            assert_eq!(Unit::from_number(unit.number()), Some(unit));
        }
        assert_eq!("Furlongs".parse::<Unit>(), Err(BadUnit));
        assert_eq!(Unit::from_number(27), None);
    }

    #[test]
    fn the_named_units_are_what_they_are_called() {
        let named = [Unit::NONE, Unit::SECONDS, Unit::BYTES, Unit::COUNT];
        assert_eq!(named.map(Unit::as_str), ["None", "Seconds", "Bytes", "Count"]);
    }
}
