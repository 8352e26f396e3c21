//! A moment, read from RFC 3339 and written in a layout of Go: the reference time Monday 2006-01-02 15:04:05.
//!
//! The calendar is the proleptic Gregorian one; the conversions between days and dates are Howard Hinnant's
//! (<https://howardhinnant.github.io/date_algorithms.html>).

use std::time::SystemTime;

const DAY: i64 = 86_400;

/// The end of the year 9999 in seconds since 1970. Later times have no year of four digits.
const MAX_SECONDS: i64 = 253_402_300_799;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// What a layout can hold; longer elements stand before those they begin with.
const ELEMENTS: [&str; 24] = [
    "January", "Jan", "Monday", "Mon", "MST", "2006", "Z07:00", "-07:00", "-0700", "PM", ".000", "01", "02", "03",
    "04", "05", "06", "15", "_2", "1", "2", "3", "4", "5",
];

/// A moment as it is seen at a place with some offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Seconds since 1970 on the local clock.
    local: i64,
    nanoseconds: u32,
    /// Seconds east of UTC.
    offset: i64,
}

impl Moment {
    /// The time in UTC; one that is unimaginably far away is moved to the nearest that can be written.
    pub(super) fn at(time: SystemTime) -> Self {
        let (seconds, nanoseconds) = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => (after.as_secs().min(MAX_SECONDS as u64) as i64, after.subsec_nanos()),
            Err(before) => (-(before.duration().as_secs().min(MAX_SECONDS as u64 / 8) as i64), 0),
        };
        Self { local: seconds, nanoseconds, offset: 0 }
    }

    /// Seconds since 1970, from the year 0 to the year 9999.
    pub(super) fn from_seconds(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let first = days_since_1970(0, 1, 1) * DAY;
        (first..=MAX_SECONDS).contains(&seconds).then_some(Self { local: seconds, nanoseconds, offset: 0 })
    }

    /// Reads RFC 3339, or a date alone.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| -> Option<i64> {
            text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
        };
        let marked = |at: usize, marks: &str| text.get(at..=at).is_some_and(|mark| marks.contains(mark));
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let midnight = days_since_1970(year, month, day) * DAY;
        // Only a date of the calendar comes back as it was.
        if !marked(4, "-") || !marked(7, "-") || date_of(midnight / DAY) != (year, month, day) {
            return None;
        }
        if text.len() == 10 {
            return Some(Self { local: midnight, nanoseconds: 0, offset: 0 });
        }
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !marked(10, "Tt ") || !marked(13, ":") || !marked(16, ":") || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (nanoseconds, zone) = read_fraction(&text[19..])?;
        let local = midnight + hour * 3600 + minute * 60 + second;
        Some(Self { local, nanoseconds, offset: read_offset(zone)? })
    }

    /// Writes the layout with its elements replaced.
    pub(super) fn format(self, layout: &str) -> String {
        let mut out = String::with_capacity(layout.len() + 10);
        let mut rest = layout;
        while let Some(c) = rest.chars().next() {
            if let Some(element) = ELEMENTS.iter().find(|element| rest.starts_with(**element)) {
                out.push_str(&self.element(element));
                rest = &rest[element.len()..];
            } else {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        out
    }

    fn element(self, element: &str) -> String {
        let days = self.local.div_euclid(DAY);
        let (year, month, day) = date_of(days);
        let seconds = self.local.rem_euclid(DAY);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let hour12 = (hour + 11) % 12 + 1;
        match element {
            "2006" => format!("{year:04}"),
            "06" => format!("{:02}", year % 100),
            "January" => MONTHS[(month - 1) as usize].to_owned(),
            "Jan" => MONTHS[(month - 1) as usize][..3].to_owned(),
            "01" => format!("{month:02}"),
            "1" => month.to_string(),
            "Monday" => weekday(days).to_owned(),
            "Mon" => weekday(days)[..3].to_owned(),
            "02" => format!("{day:02}"),
            "_2" => format!("{day:2}"),
            "2" => day.to_string(),
            "15" => format!("{hour:02}"),
            "03" => format!("{hour12:02}"),
            "3" => hour12.to_string(),
            "04" => format!("{minute:02}"),
            "4" => minute.to_string(),
            "05" => format!("{second:02}"),
            "5" => second.to_string(),
            "PM" => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            ".000" => format!(".{:03}", self.nanoseconds / 1_000_000),
            "Z07:00" if self.offset == 0 => "Z".to_owned(),
            "MST" if self.offset == 0 => "UTC".to_owned(),
            "Z07:00" | "-07:00" => self.written_offset(":"),
            _ => self.written_offset(""),
        }
    }

    fn written_offset(self, between: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs() / 60;
        format!("{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
    }
}

fn weekday(days: i64) -> &'static str {
    // The first day of 1970 was a Thursday.
    WEEKDAYS[(days + 4).rem_euclid(7) as usize]
}

/// Reads `.123` as nanoseconds, and gives what follows.
fn read_fraction(text: &str) -> Option<(u32, &str)> {
    let Some(digits) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &digits[..digits.len() - rest.len()];
    let padded: String = digits.chars().chain("000000000".chars()).take(9).collect();
    Some((padded.parse().ok().filter(|_| !digits.is_empty())?, rest))
}

/// Reads `Z` or `+02:00` as seconds.
fn read_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits = |digits: &str| -> Option<i64> {
        (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days from 1970-01-01 to a date.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day counted from 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = (shifted + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(time: &str, layout: &str) -> Option<String> {
        Moment::parse(time).map(|moment| moment.format(layout))
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        let first = days_since_1970(1900, 1, 1);
        let mut previous = date_of(first - 1);
        for days in first..first + 146_097 {
            let (year, month, day) = date_of(days);
            assert_eq!(days_since_1970(year, month, day), days);
            assert!(previous < (year, month, day));
            previous = (year, month, day);
        }
    }

    #[test]
    fn elements_of_a_layout_are_gos() {
        let time = "2024-02-29T13:04:05.678+02:00";
        let layout = "Monday Mon 2006-01-02 15:04:05.000 -07:00 -0700 Z07:00|Jan January 06 1 2 _2 3 03 4 5 PM";
        let expected = "Thursday Thu 2024-02-29 13:04:05.678 +02:00 +0200 +02:00|Feb February 24 2 29 29 1 01 4 5 PM";
        assert_eq!(written(time, layout).as_deref(), Some(expected));
        assert_eq!(written("2024-02-29", "2006-01-02T15:04:05Z07:00 MST").as_deref(), Some("2024-02-29T00:00:00Z UTC"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "2023-02-29", "2024-13-01", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z"]
        {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
