//! `stats/downloads.json`: how often each plugin was downloaded, by day. It counts answers and knows nobody.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::json::{check_strict, objects};
use crate::name::PluginName;
use crate::time::UtcTime;

/// 30 days are told one by one; older ones are in the total alone.
pub const DAYS: u32 = 30;
const SECONDS: u64 = 86_400;

/// A day in UTC; written `2026-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(u32);

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no day: expected one such as `2026-01-31`", .0.escape_debug())]
pub struct DayError(String);

/// How often plugins were downloaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Downloads(BTreeMap<PluginName, Counts>);

/// How often one plugin was downloaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ever.
    pub total: u64,
    /// On each of the last days on which it was.
    pub days: BTreeMap<Day, u64>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    name: PluginName,
    total: u64,
    days: BTreeMap<Day, u64>,
}

impl Day {
    /// The day of a time in seconds since 1970-01-01 UTC.
    pub fn of(seconds: u64) -> Self {
        Self(u32::try_from(seconds / SECONDS).unwrap_or(u32::MAX))
    }

    /// The last [`DAYS`] days up to this one, the oldest first.
    pub fn last(self) -> impl DoubleEndedIterator<Item = Self> {
        (self.0.saturating_sub(DAYS - 1)..=self.0).map(Self)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UtcTime(u64::from(self.0) * SECONDS).to_string();
        f.pad(time.split('T').next().unwrap_or_default())
    }
}

impl FromStr for Day {
    type Err = DayError;

    /// Years begin in March (H. Hinnant, `days_from_civil`), so that the leap day is a year's last.
    fn from_str(text: &str) -> Result<Self, DayError> {
        let error = || DayError(text.to_owned());
        let mut parts = text.split('-').map(|part| part.parse::<u32>().ok());
        let mut next = || parts.next().flatten().ok_or_else(error);
        let (year, month, day) = (next()?, next()?, next()?);
        if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(error());
        }
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, of_era) = (year / 400, year % 400);
        let of_year = (153 * month + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        // The 30th of February, and everything that is written otherwise.
        if Self(days).to_string() == text { Ok(Self(days)) } else { Err(error()) }
    }
}

impl TryFrom<String> for Day {
    type Error = DayError;

    fn try_from(text: String) -> Result<Self, DayError> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl Counts {
    /// Downloads on the last [`DAYS`] days.
    pub fn recent(&self, today: Day) -> u64 {
        let first = today.last().next().unwrap_or(today);
        self.days.range(first..).map(|(_, count)| *count).fold(0, u64::saturating_add)
    }
}

impl Downloads {
    /// Reads `stats/downloads.json`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        check_strict(text)?;
        let lines: Vec<Line> = objects(&mut serde_json::Deserializer::from_str(text))?;
        let counts = |line: Line| (line.name, Counts { total: line.total, days: line.days });
        Ok(Self(lines.into_iter().map(counts).collect()))
    }

    /// The text of `stats/downloads.json`: sorted by name, one plugin a line.
    pub fn to_text(&self) -> String {
        let line = |(name, counts): (&PluginName, &Counts)| {
            let line = Line { name: name.clone(), total: counts.total, days: counts.days.clone() };
            serde_json::to_string(&line).expect("names and days are text keys")
        };
        format!("[{}]\n", self.0.iter().map(line).collect::<Vec<_>>().join(",\n"))
    }

    /// Adds downloads of a day, and forgets the days that are too old to be told.
    pub fn add(&mut self, name: &PluginName, day: Day, count: u64) {
        let counts = self.0.entry(name.clone()).or_default();
        counts.total = counts.total.saturating_add(count);
        let of_day = counts.days.entry(day).or_default();
        *of_day = of_day.saturating_add(count);
        let first = day.last().next().unwrap_or(day);
        counts.days = counts.days.split_off(&first);
    }

    /// How often a plugin was downloaded.
    pub fn of(&self, name: &str) -> Option<&Counts> {
        self.0.get(name)
    }

    /// Every plugin that was downloaded.
    pub fn iter(&self) -> impl Iterator<Item = (&PluginName, &Counts)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn days_are_read_as_they_are_written() {
        for seconds in (0..40_000).map(|number| number * SECONDS) {
            let day = Day::of(seconds);
            assert_eq!(day.to_string().parse(), Ok(day));
        }
        for bad in ["", "2026-02-30", "2026-2-3", "2026-01-31T", "1969-12-31", "2026-13-01", "2026-01-01-01"] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
    }

    #[test]
    fn old_days_are_in_the_total_alone() {
        let name: PluginName = "redis".parse().expect("a name");
        let mut downloads = Downloads::default();
        downloads.add(&name, day("2026-01-01"), 3);
        downloads.add(&name, day("2026-01-30"), 2);
        assert_eq!(downloads.of("redis").map(|counts| counts.recent(day("2026-01-30"))), Some(5));
        assert_eq!(downloads.of("redis").map(|counts| counts.recent(day("2026-02-28"))), Some(2));
        downloads.add(&name, day("2026-02-01"), 1);
        assert_eq!(
            downloads.to_text(),
            "[{\"name\":\"redis\",\"total\":6,\"days\":{\"2026-01-30\":2,\"2026-02-01\":1}}]\n"
        );
        assert_eq!(Downloads::parse(&downloads.to_text()).expect("just written"), downloads);
    }
}
