//! Spans of time as systemd writes them: `5min 20s`, `100ms`, `infinity`; a bare number is seconds.

use std::time::Duration;

/// Longer than anything lasts.
pub(super) const FOREVER: Duration = Duration::MAX;

/// Reads a span.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let wrong = || format!("{text:?} is no span of time, such as 5min 20s");
    if text == "infinity" {
        return Ok(FOREVER);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let after = after.trim_start();
        let end = after.find(|letter: char| !letter.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let seconds = number * seconds(unit).ok_or_else(wrong)?;
        let span = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        total = total.checked_add(span).ok_or_else(wrong)?;
        rest = after.trim_start();
    }
    Ok(total)
}

fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "usec" | "us" | "μs" | "µs" => 1e-6,
        "msec" | "ms" => 1e-3,
        "" | "seconds" | "second" | "sec" | "s" => 1.0,
        "minutes" | "minute" | "min" | "m" => 60.0,
        "hours" | "hour" | "hr" | "h" => 3600.0,
        "days" | "day" | "d" => 86_400.0,
        "weeks" | "week" | "w" => 604_800.0,
        "months" | "month" | "M" => 2_629_800.0,
        "years" | "year" | "y" => 31_557_600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_sum_of_numbers_with_units() {
        assert_eq!(parse("20"), Ok(Duration::from_secs(20)));
        assert_eq!(parse("5min 20s"), Ok(Duration::from_secs(320)));
        assert_eq!(parse("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse("1.5s 100ms"), Ok(Duration::from_millis(1600)));
        assert_eq!(parse("2 hours"), Ok(Duration::from_hours(2)));
        assert_eq!(parse("infinity"), Ok(FOREVER));
        for bad in ["", "s", "5 apples", "-1", "1..2s", "1e3"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
