//! Times and ages as people read them. There is no clock here: who calls says what time it is.

use std::fmt;

const DAY: u64 = 86_400;
/// 5 minutes: clocks that are set over the network differ by less than a second, careless ones by a minute or two.
pub const CLOCK_DIFFERENCE: u64 = 300;

/// Seconds since 1970-01-01 UTC; shown as RFC 3339 writes them: `2026-01-31T12:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime(pub u64);

/// Seconds, shown in the largest unit that leaves at least one, rounded down: `3d`, `5h`, `10m`, `42s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(pub u64);

/// Seconds in a day, an hour and a minute, with their letters.
const UNITS: [(u64, char); 3] = [(DAY, 'd'), (3_600, 'h'), (60, 'm')];

impl Age {
    /// The age that is shown: what is left when the smaller units are dropped.
    pub fn rounded_down(self) -> Self {
        let unit = UNITS.iter().map(|(seconds, _)| *seconds).find(|seconds| self.0 >= *seconds);
        Self(unit.map_or(self.0, |seconds| self.0 / seconds * seconds))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(seconds, _)| self.0 >= *seconds) {
            Some((seconds, letter)) => write!(f, "{}{letter}", self.0 / seconds),
            None => write!(f, "{}s", self.0),
        }
    }
}

/// The date is computed in years that begin in March (H. Hinnant, `days_from_civil`), so that the leap day is a year's last.
impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.0 / DAY + 719_468, self.0 % DAY);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = year + era * 400 + next;
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_does() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(UtcTime(seconds).to_string(), text);
        }
    }

    #[test]
    fn an_age_is_shown_in_its_largest_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (8 * DAY + 5, "8d")] {
            assert_eq!(Age(seconds).to_string(), text);
        }
        assert_eq!(Age(7_199).rounded_down(), Age(3_600));
    }
}
