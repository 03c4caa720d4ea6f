//! The ids of what is here: a word for what it is, and seventeen hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use tidemill_base::Chance;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(u64);

            impl $name {
                /// A new id.
                pub fn random(chance: &Chance) -> Self {
                    Self(chance.number())
                }

                /// The id as a number, for storing.
                pub const fn as_u64(self) -> u64 {
                    self.0
                }

                /// The id stored as `number`.
                pub const fn from_u64(number: u64) -> Self {
                    Self(number)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!($prefix, "-0{:016x}"), self.0)
                }
            }

            impl FromStr for $name {
                type Err = BadId;

                fn from_str(text: &str) -> Result<Self, BadId> {
                    parse(text.strip_prefix(concat!($prefix, "-"))).map(Self)
                }
            }
        )*
    };
}

ids! {
    /// An instance.
    InstanceId "i"
    /// The instances of one launch.
    ReservationId "r"
    /// A launch template.
    TemplateId "lt"
}

/// Not an id of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not an id")]
pub struct BadId;

/// Reads the digits: seventeen, or eight as the oldest ids have.
fn parse(digits: Option<&str>) -> Result<u64, BadId> {
    let plain = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    let digits = digits.filter(|digits| digits.bytes().all(plain)).ok_or(BadId)?;
    match digits.len() {
        8 | 17 => u64::from_str_radix(digits, 16).map_err(|_| BadId),
        _ => Err(BadId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written() {
        let id = InstanceId::from_u64(0xabc);
        assert_eq!(id.to_string(), "i-00000000000000abc");
        assert_eq!("i-00000000000000abc".parse(), Ok(id));
        assert_eq!("i-00000abc".parse(), Ok(id));
        for bad in
            ["i-", "i-abc", "lt-00000000000000abc", "i-00000000000000ABC", "i-x0000000000000abc"]
        {
            assert_eq!(bad.parse::<InstanceId>(), Err(BadId), "{bad}");
        }
    }
}
