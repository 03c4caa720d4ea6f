//! Scalars as text: what forms, headers, labels, query parameters and XML have in common.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD};
use bytes::Bytes;
use tidemill_base::Timestamp;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::decode::{Read, Unreadable};
use crate::schema::TimeFormat;

/// Some clients leave out base64's padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const ISO_8601: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// Reads true or false.
pub(crate) fn boolean(text: &str) -> Read<bool> {
    match text {
        "true" | "True" | "TRUE" | "1" => Ok(true),
        "false" | "False" | "FALSE" | "0" => Ok(false),
        _ => Err(Unreadable(format!("'{}' is neither true nor false", short(text)))),
    }
}

/// Reads a whole number.
pub(crate) fn integer(text: &str) -> Read<i64> {
    text.parse().map_err(|_| Unreadable(format!("'{}' is not a whole number", short(text))))
}

/// Reads a number, or `NaN`, `Infinity`, `-Infinity`.
pub(crate) fn double(text: &str) -> Read<f64> {
    text.parse().map_err(|_| Unreadable(format!("'{}' is not a number", short(text))))
}

/// Reads base64.
pub(crate) fn blob(text: &str) -> Read<Bytes> {
    let bytes = BASE64.decode(text).map_err(|error| Unreadable(format!("not base64: {error}")))?;
    Ok(bytes.into())
}

/// Writes base64 behind `out`.
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    let room = base64::encoded_len(bytes.len(), true).unwrap_or(0);
    out.resize(start + room, 0);
    let written = STANDARD
        .encode_slice(bytes, &mut out[start..])
        .expect("the room is what the encoder asked for");
    out.truncate(start + written);
}

/// Reads a time written as `format`; anything unmistakable is taken in any format.
pub(crate) fn timestamp(text: &str, format: TimeFormat) -> Read<Timestamp> {
    let bad = || Unreadable(format!("'{}' is not a time", short(text)));
    if let Ok(seconds) = text.parse::<f64>() {
        return from_seconds(seconds);
    }
    let time = if format == TimeFormat::HttpDate || text.ends_with("GMT") {
        PrimitiveDateTime::parse(text, HTTP_DATE).map_err(|_| bad())?.assume_utc()
    } else {
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| bad())?
    };
    // What lies before 1970 happened before anything here did.
    let millis = time.unix_timestamp_nanos().div_euclid(1_000_000).max(0);
    Ok(Timestamp::from_millis(u64::try_from(millis).map_err(|_| bad())?))
}

/// The time `seconds` after the beginning of 1970.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
pub(crate) fn from_seconds(seconds: f64) -> Read<Timestamp> {
    // To the end of the year 9999.
    if seconds.is_nan() || seconds > 253_402_300_799.0 {
        return Err(Unreadable(format!("{seconds} is not a time")));
    }
    Ok(Timestamp::from_millis((seconds * 1000.0).round().max(0.0) as u64))
}

/// Writes a time as `format`.
pub(crate) fn format_timestamp(time: Timestamp, format: TimeFormat) -> String {
    let millis = time.as_millis() % 1000;
    if format == TimeFormat::EpochSeconds {
        let seconds = time.as_secs();
        return match millis {
            0 => seconds.to_string(),
            _ => format!("{seconds}.{millis:03}").trim_end_matches('0').to_owned(),
        };
    }
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    // Past the year 9999 no format can say it.
    let moment = OffsetDateTime::from_unix_timestamp(seconds)
        .unwrap_or_else(|_| PrimitiveDateTime::MAX.assume_utc());
    let items = if format == TimeFormat::HttpDate { HTTP_DATE } else { ISO_8601 };
    let text = moment.format(items).unwrap_or_default();
    match (format, millis) {
        (TimeFormat::Iso8601, 0) => text + "Z",
        (TimeFormat::Iso8601, _) => format!("{text}.{millis:03}Z"),
        _ => text,
    }
}

/// A number of 64 bits as text: the shortest that reads back, `NaN`, `Infinity`, `-Infinity`.
pub(crate) fn format_double(number: f64) -> String {
    match number {
        _ if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => format!("{number:?}"),
    }
}

/// A number of 32 bits as text, likewise.
pub(crate) fn format_float(number: f32) -> String {
    if number.is_finite() { format!("{number:?}") } else { format_double(f64::from(number)) }
}

/// The beginning of what a client sent, for a message.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_in_each_format() {
        let time = Timestamp::from_millis(1_714_564_800_000);
        for format in [TimeFormat::Iso8601, TimeFormat::HttpDate, TimeFormat::EpochSeconds] {
            let text = format_timestamp(time, format);
            assert_eq!(timestamp(&text, format), Ok(time), "{text}");
        }
        assert_eq!(format_timestamp(time, TimeFormat::Iso8601), "2024-05-01T12:00:00Z");
        assert_eq!(format_timestamp(time, TimeFormat::HttpDate), "Wed, 01 May 2024 12:00:00 GMT");
    }

    #[test]
    fn milliseconds_are_kept_where_the_format_has_room() {
        let time = Timestamp::from_millis(1_714_564_800_120);
        assert_eq!(format_timestamp(time, TimeFormat::EpochSeconds), "1714564800.12");
        assert_eq!(format_timestamp(time, TimeFormat::Iso8601), "2024-05-01T12:00:00.120Z");
        assert_eq!(timestamp("1714564800.12", TimeFormat::EpochSeconds), Ok(time));
    }

    #[test]
    fn what_is_no_time_is_refused_and_what_is_too_old_is_1970() {
        for bad in ["", "NaN", "inf", "1e300", "2024-13-01T00:00:00Z", "yesterday"] {
            assert!(timestamp(bad, TimeFormat::Iso8601).is_err(), "{bad:?}");
        }
        assert_eq!(timestamp("1960-01-01T00:00:00Z", TimeFormat::Iso8601), Ok(Timestamp::EPOCH));
        let _ = format_timestamp(Timestamp::NEVER, TimeFormat::Iso8601);
    }
}
