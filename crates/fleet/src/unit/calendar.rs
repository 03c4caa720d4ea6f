//! Calendar expressions, as `OnCalendar=` has them: `Mon..Fri *-*-* 10:00`, `*:0/5`, `hourly`.
//!
//! All times are UTC: an instance knows no other zone.

use time::{Date, Duration, Month, OffsetDateTime, Time};

/// When something happens, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// From Monday; none of them means all.
    weekdays: [bool; 7],
    years: Field,
    months: Field,
    days: Field,
    hours: Field,
    minutes: Field,
    seconds: Field,
}

/// The values that a part of a date or a time may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Field(Vec<Part>);

/// From a value to another, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    from: u16,
    to: u16,
    step: u16,
}

/// Beyond this year nothing is looked for.
const LAST_YEAR: i32 = 2200;

const DAYS: [(&str, &str); 7] = [
    ("mon", "monday"),
    ("tue", "tuesday"),
    ("wed", "wednesday"),
    ("thu", "thursday"),
    ("fri", "friday"),
    ("sat", "saturday"),
    ("sun", "sunday"),
];

impl Calendar {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no calendar expression, such as *-*-* *:0/5:00");
        let full = match text.trim() {
            "minutely" => "*-*-* *:*:00",
            "hourly" => "*-*-* *:00:00",
            "daily" => "*-*-* 00:00:00",
            "weekly" => "Mon *-*-* 00:00:00",
            "monthly" => "*-*-01 00:00:00",
            "quarterly" => "*-01,04,07,10-01 00:00:00",
            "semiannually" | "semi-annually" => "*-01,07-01 00:00:00",
            "yearly" | "annually" => "*-01-01 00:00:00",
            other => other,
        };
        let mut words: Vec<&str> = full.split_whitespace().collect();
        if matches!(words.last(), Some(&("UTC" | "Etc/UTC" | "Z"))) {
            words.pop();
        }
        let mut weekdays = [false; 7];
        if words.first().is_some_and(|word| word.starts_with(|l: char| l.is_ascii_alphabetic())) {
            weekdays = days_of_week(words.remove(0)).ok_or_else(wrong)?;
        }
        let (date, clock) = match words[..] {
            [] => ("*-*-*", "00:00:00"),
            [one] if one.contains(':') => ("*-*-*", one),
            [one] => (one, "00:00:00"),
            [date, clock] if clock.contains(':') => (date, clock),
            _ => {
                return Err(format!("{}; times are UTC, no other zone is known", wrong()));
            }
        };
        let date: Vec<&str> = date.split('-').collect();
        let (year, month, day) = match date[..] {
            [year, month, day] => (year, month, day),
            [month, day] => ("*", month, day),
            _ => return Err(wrong()),
        };
        let clock: Vec<&str> = clock.split(':').collect();
        let (hour, minute, second) = match clock[..] {
            [hour, minute, second] => (hour, minute, second),
            [hour, minute] => (hour, minute, "00"),
            _ => return Err(wrong()),
        };
        let field = |text, least, most| Field::parse(text, least, most).ok_or_else(wrong);
        Ok(Self {
            weekdays,
            years: field(year, 1970, 2199)?,
            months: field(month, 1, 12)?,
            days: field(day, 1, 31)?,
            hours: field(hour, 0, 23)?,
            minutes: field(minute, 0, 59)?,
            seconds: field(second, 0, 59)?,
        })
    }

    /// The first time later than `after`; both are seconds since 1970.
    pub fn next_after(&self, after: u64) -> Option<u64> {
        let after = i64::try_from(after).ok()?;
        let from = OffsetDateTime::from_unix_timestamp(after + 1).ok()?;
        let mut date = from.date();
        let mut earliest = from.time();
        while date.year() < LAST_YEAR {
            if let Some(next) = self.leap(date) {
                (date, earliest) = (next, Time::MIDNIGHT);
                continue;
            }
            if let Some(clock) = self.first_time(earliest) {
                return u64::try_from(date.with_time(clock).assume_utc().unix_timestamp()).ok();
            }
            (date, earliest) = (date.next_day()?, Time::MIDNIGHT);
        }
        None
    }

    /// Where to look on if it does not happen on this day.
    fn leap(&self, date: Date) -> Option<Date> {
        if !self.years.has(u16::try_from(date.year()).unwrap_or(0)) {
            return Date::from_calendar_date(date.year() + 1, Month::January, 1).ok();
        }
        if !self.months.has(u16::from(u8::from(date.month()))) {
            let next = date.replace_day(1).ok()? + Duration::days(32);
            return next.replace_day(1).ok();
        }
        let today = usize::from(date.weekday().number_days_from_monday());
        let weekday = self.weekdays[today] || self.weekdays == [false; 7];
        let fits = weekday && self.days.has(u16::from(date.day()));
        if fits { None } else { date.next_day() }
    }

    /// The first time of day from `from` on.
    fn first_time(&self, from: Time) -> Option<Time> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        for h in hour..24 {
            if !self.hours.has(u16::from(h)) {
                continue;
            }
            for m in if h == hour { minute } else { 0 }..60 {
                if !self.minutes.has(u16::from(m)) {
                    continue;
                }
                let least = if (h, m) == (hour, minute) { second } else { 0 };
                if let Some(s) = (least..60).find(|s| self.seconds.has(u16::from(*s))) {
                    return Time::from_hms(h, m, s).ok();
                }
            }
        }
        None
    }
}

impl Field {
    fn parse(text: &str, least: u16, most: u16) -> Option<Self> {
        let part = |text: &str| {
            let (range, step) = match text.split_once('/') {
                Some((range, step)) => (range, Some(step.parse().ok().filter(|step| *step > 0)?)),
                None => (text, None),
            };
            let number =
                |text: &str| text.parse().ok().filter(|number| (least..=most).contains(number));
            let (from, to) = match range.split_once("..") {
                Some((from, to)) => (number(from)?, number(to)?),
                None if range == "*" => (least, most),
                None => {
                    let one = number(range)?;
                    (one, if step.is_some() { most } else { one })
                }
            };
            (from <= to).then_some(Part { from, to, step: step.unwrap_or(1) })
        };
        text.split(',').map(part).collect::<Option<_>>().map(Self)
    }

    fn has(&self, value: u16) -> bool {
        self.0.iter().any(|part| {
            (part.from..=part.to).contains(&value) && (value - part.from).is_multiple_of(part.step)
        })
    }
}

/// The days of `Mon,Wed..Fri`.
fn days_of_week(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| {
        let name = name.to_ascii_lowercase();
        DAYS.iter().position(|(short, long)| name == *short || name == *long)
    };
    let mut days = [false; 7];
    for part in text.trim_end_matches(',').split(',') {
        let (from, to) = match part.split_once("..") {
            Some((from, to)) => (day(from)?, day(to)?),
            None => (day(part)?, day(part)?),
        };
        // Sat..Mon goes over the end of the week.
        let mut at = from;
        days[at] = true;
        while at != to {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    fn next(expression: &str, after: &str) -> String {
        let after = OffsetDateTime::parse(after, &Rfc3339).unwrap().unix_timestamp();
        let found = Calendar::parse(expression).unwrap().next_after(after.unsigned_abs());
        let found = i64::try_from(found.expect("it happens again")).unwrap();
        OffsetDateTime::from_unix_timestamp(found).unwrap().format(&Rfc3339).unwrap()
    }

    #[test]
    fn expressions_name_the_next_time() {
        let cases = [
            ("minutely", "2024-02-28T23:59:30Z", "2024-02-29T00:00:00Z"),
            ("minutely", "2024-02-28T23:59:00Z", "2024-02-29T00:00:00Z"),
            ("hourly", "2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"),
            ("daily", "2023-12-31T12:00:00Z", "2024-01-01T00:00:00Z"),
            ("weekly", "2024-05-01T00:00:00Z", "2024-05-06T00:00:00Z"),
            ("*:0/5", "2024-05-01T10:07:31Z", "2024-05-01T10:10:00Z"),
            ("*-*-* *:*:0/10", "2024-05-01T10:07:31Z", "2024-05-01T10:07:40Z"),
            ("Mon..Fri 10:00", "2024-05-03T10:00:00Z", "2024-05-06T10:00:00Z"),
            ("Sat,Sun *-*-* 08:30:00 UTC", "2024-05-03T10:00:00Z", "2024-05-04T08:30:00Z"),
            ("*-02-29", "2024-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("2030-01-01 00:00:00", "2024-03-01T00:00:00Z", "2030-01-01T00:00:00Z"),
            ("*-*-01,15 1..3:15", "2024-03-01T03:15:00Z", "2024-03-15T01:15:00Z"),
        ];
        for (expression, after, expected) in cases {
            assert_eq!(next(expression, after), expected, "{expression}");
        }
    }

    #[test]
    fn what_will_not_happen_again_has_no_next_time() {
        assert_eq!(Calendar::parse("2001-01-01").unwrap().next_after(1_700_000_000), None);
        assert_eq!(Calendar::parse("*-02-30").unwrap().next_after(1_700_000_000), None);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for bad in ["x", "25:00", "*-13-01", "10:00 Europe/Berlin", "*:0/0", "5", "*~01"] {
            assert!(Calendar::parse(bad).is_err(), "{bad}");
        }
    }
}
