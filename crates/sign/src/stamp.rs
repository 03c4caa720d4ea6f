//! The time of a signature: `20150830T123600Z`, ISO 8601's basic form, to the second, in UTC.

use tidemill_base::Timestamp;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc2822;
use time::macros::{datetime, format_description};
use time::{OffsetDateTime, PrimitiveDateTime};

const BASIC: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// A time as text in the basic form. What lies past the year 9999 reads as its last second.
pub(crate) fn to_basic(time: Timestamp) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or(datetime!(9999-12-31 23:59:59 UTC))
        .format(BASIC)
        .expect("a date in UTC has every part of the basic form")
}

/// Reads the basic form, exactly.
pub(crate) fn from_basic(text: &str) -> Option<Timestamp> {
    // The library lets a year begin with a sign.
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    from_utc(PrimitiveDateTime::parse(text, BASIC).ok()?.assume_utc())
}

/// Reads a `Date` header: the basic form, or the one that HTTP took from mail.
pub(crate) fn from_date_header(text: &str) -> Option<Timestamp> {
    from_basic(text).or_else(|| from_utc(OffsetDateTime::parse(text, &Rfc2822).ok()?))
}

fn from_utc(time: OffsetDateTime) -> Option<Timestamp> {
    let seconds = u64::try_from(time.unix_timestamp()).ok()?;
    Some(Timestamp::from_millis(seconds * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_and_writes_the_basic_form() {
        let time = from_basic("20150830T123600Z").unwrap();
        assert_eq!(time, Timestamp::from_millis(1_440_938_160_000));
        assert_eq!(to_basic(time), "20150830T123600Z");
        assert_eq!(to_basic(Timestamp::NEVER), "99991231T235959Z");
    }

    #[test]
    fn nothing_else_is_a_stamp() {
        for bad in [
            "",
            "2015-08-30T12:36:00Z",
            "20150830T123600",
            "20151330T123600Z",
            "+0150830T123600Z",
            "20150830T123600Zx",
        ] {
            assert_eq!(from_basic(bad), None, "{bad:?}");
        }
        assert_eq!(from_basic("19691231T235959Z"), None);
    }

    #[test]
    fn a_date_header_may_have_the_form_of_http() {
        let time = from_basic("20150830T123600Z");
        assert_eq!(from_date_header("Sun, 30 Aug 2015 12:36:00 GMT"), time);
        assert_eq!(from_date_header("20150830T123600Z"), time);
        assert_eq!(from_date_header("yesterday"), None);
    }
}
