//! When something is again and again: `30 6-18/4 * * MON-FRI`, five fields as cron has them, in
//! UTC.

use std::str::FromStr;
use std::time::Duration;

use tidemill_base::Timestamp;
use time::{Date, OffsetDateTime};

/// Times that come again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day has to be one of both: of the month and of the week. One of either is enough
    /// where both are said.
    both: bool,
}

/// Not times that come again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not five fields as cron has them: minute, hour, day, month, day of the week")]
pub struct BadCron;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MINUTE: Duration = Duration::from_mins(1);
/// The 29th of February comes at least once in so many days.
const DAYS: usize = 366 * 8 + 2;

impl FromStr for Cron {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Self, BadCron> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else { return Err(BadCron) };
        let both = days.starts_with('*') || weekdays.starts_with('*');
        let weekdays = field(weekdays, (0, 7), (0, &WEEKDAYS))?;
        let cron = Self {
            minutes: field(minutes, (0, 59), (0, &[]))?,
            hours: field(hours, (0, 23), (0, &[]))?,
            days: field(days, (1, 31), (0, &[]))?,
            months: field(months, (1, 12), (1, &MONTHS))?,
            // Sunday is 0, and 7, too.
            weekdays: (weekdays & 0x7f) | (weekdays >> 7),
            both,
        };
        // The 30th of February is never.
        cron.after(Timestamp::EPOCH).map(|_| cron).ok_or(BadCron)
    }
}

/// The numbers of a field, one a bit: a list of numbers, ranges and stars, each with a step or not.
fn field(text: &str, (low, high): (u32, u32), names: (u32, &[&str])) -> Result<u64, BadCron> {
    let digits = |text: &str| -> Option<u32> {
        // Signs are none.
        let plain = text.bytes().all(|digit| digit.is_ascii_digit());
        text.parse().ok().filter(|_| plain)
    };
    let number = |text: &str| {
        let named = names.1.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|at| u32::try_from(at).ok()).map(|at| at + names.0);
        let number = named.or_else(|| digits(text));
        number.filter(|number| (low..=high).contains(number)).ok_or(BadCron)
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(digits(step).ok_or(BadCron)?)),
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            // `5/10` goes on to the end.
            None if step.is_some() => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        let step = step.unwrap_or(1);
        if step == 0 || from > to {
            return Err(BadCron);
        }
        for number in (from..=to).step_by(step as usize) {
            bits |= 1 << number;
        }
    }
    Ok(bits)
}

impl Cron {
    /// The first of the times at `time` or after it.
    pub fn at_or_after(&self, time: Timestamp) -> Option<Timestamp> {
        self.after(time - Duration::from_millis(1))
    }

    /// The first of the times after `time`.
    pub fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let next = Timestamp::from_millis(time.as_millis() / 60_000 * 60_000) + MINUTE;
        let at = i64::try_from(next.as_secs()).ok()?;
        let at = OffsetDateTime::from_unix_timestamp(at).ok()?;
        let mut date = at.date();
        let mut from = (at.hour(), at.minute());
        for _ in 0..DAYS {
            if self.is_day(date)
                && let Some((hour, minute)) = self.time_of_day(from)
            {
                let midnight = date.midnight().assume_utc().unix_timestamp();
                let seconds = u64::try_from(midnight).ok()? + hour * 3600 + minute * 60;
                return Some(Timestamp::from_millis(seconds * 1000));
            }
            date = date.next_day()?;
            from = (0, 0);
        }
        None
    }

    /// The last of the times until `until`, itself included, one of which is `known`. It is found
    /// by halving: how many there are in between is no matter.
    pub fn last(&self, known: Timestamp, until: Timestamp) -> Timestamp {
        let (mut last, mut after) = (known, until);
        while after.since(last) >= MINUTE {
            let middle = last + after.since(last) / 2;
            match self.after(middle).filter(|next| *next <= until) {
                Some(next) => last = next,
                None => after = middle,
            }
        }
        last
    }

    fn is_day(&self, date: Date) -> bool {
        let has = |bits: u64, number: u8| (bits >> number) & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().number_days_from_sunday());
        let is_one = if self.both { day && weekday } else { day || weekday };
        has(self.months, u8::from(date.month())) && is_one
    }

    /// The first time of a day from there on: hour and minute.
    fn time_of_day(&self, (hour, minute): (u8, u8)) -> Option<(u64, u64)> {
        let first = |bits: u64, from: u8| {
            let rest = bits.checked_shr(from.into()).unwrap_or(0);
            (rest != 0).then(|| u64::from(from) + u64::from(rest.trailing_zeros()))
        };
        let found = first(self.hours, hour)?;
        if found > u64::from(hour) {
            return Some((found, first(self.minutes, 0)?));
        }
        match first(self.minutes, minute) {
            Some(minute) => Some((found, minute)),
            None => Some((first(self.hours, hour + 1)?, first(self.minutes, 0)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn at(time: OffsetDateTime) -> Timestamp {
        Timestamp::from_millis(u64::try_from(time.unix_timestamp()).unwrap() * 1000)
    }

    /// Some of the times after the 25th of February 2024, a Sunday, at noon.
    fn some(text: &str, count: usize) -> Vec<Timestamp> {
        let cron: Cron = text.parse().unwrap();
        let start = at(datetime!(2024-02-25 12:00 UTC));
        let next = |time: &Timestamp| cron.after(*time);
        std::iter::successors(cron.after(start), next).take(count).collect()
    }

    #[test]
    fn times_come_again_as_they_are_written() {
        let cases = [
            ("* * * * *", datetime!(2024-02-25 12:01 UTC), datetime!(2024-02-25 12:02 UTC)),
            ("0 9 * * *", datetime!(2024-02-26 9:00 UTC), datetime!(2024-02-27 9:00 UTC)),
            ("*/20 12 * * *", datetime!(2024-02-25 12:20 UTC), datetime!(2024-02-25 12:40 UTC)),
            ("30 6-18/6 * * *", datetime!(2024-02-25 12:30 UTC), datetime!(2024-02-25 18:30 UTC)),
            ("0 0 29 2 *", datetime!(2024-02-29 0:00 UTC), datetime!(2028-02-29 0:00 UTC)),
            ("0 0 1 1 0", datetime!(2025-01-01 0:00 UTC), datetime!(2025-01-05 0:00 UTC)),
            (
                "5,10 0 * MAR sat-sat",
                datetime!(2024-03-02 0:05 UTC),
                datetime!(2024-03-02 0:10 UTC),
            ),
            ("0 12 * * 7", datetime!(2024-03-03 12:00 UTC), datetime!(2024-03-10 12:00 UTC)),
            (
                "50/5 23 * * MON-FRI",
                datetime!(2024-02-26 23:50 UTC),
                datetime!(2024-02-26 23:55 UTC),
            ),
        ];
        for (text, first, second) in cases {
            assert_eq!(some(text, 2), [at(first), at(second)], "{text}");
        }
        let cron: Cron = "0 12 * * *".parse().unwrap();
        let noon = at(datetime!(2024-02-25 12:00 UTC));
        assert_eq!(cron.at_or_after(noon), Some(noon));
    }

    #[test]
    fn the_last_of_many_times_is_found_without_going_through_them() {
        let known = at(datetime!(2024-02-25 12:00 UTC));
        for (text, until, last) in [
            ("* * * * *", datetime!(2054-02-25 12:00:59 UTC), datetime!(2054-02-25 12:00 UTC)),
            ("0 12 * * *", datetime!(2024-02-26 11:59:59 UTC), datetime!(2024-02-25 12:00 UTC)),
            ("0 12 * * *", datetime!(2024-02-26 12:00 UTC), datetime!(2024-02-26 12:00 UTC)),
            ("0 12 25 2 *", datetime!(2029-02-25 11:59 UTC), datetime!(2028-02-25 12:00 UTC)),
            ("*/7 * * 2 *", datetime!(2024-12-31 0:00 UTC), datetime!(2024-02-29 23:56 UTC)),
        ] {
            let cron: Cron = text.parse().unwrap();
            assert_eq!(cron.last(known, at(until)), at(last), "{text} until {until}");
        }
    }

    #[test]
    fn what_never_comes_or_is_not_five_fields_is_none() {
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "*/+5 * * * *",
            "*/ * * * *",
            "5-1 * * * *",
            "a * * * *",
            "1,, * * * *",
            "0 0 30 2 *",
            "+1 * * * *",
            "@daily",
            "MON * * * *",
        ] {
            assert_eq!(bad.parse::<Cron>(), Err(BadCron), "{bad}");
        }
    }
}
