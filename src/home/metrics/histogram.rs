//! How often calls took how long, in little space: 32 steps for each doubling, so that a time is known to 3 %.
//!
//! The layout is that of `HdrHistogram` with two significant digits less: <http://hdrhistogram.org>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// 2^5 steps between a time and its double.
const STEP_BITS: u32 = 5;

/// How often calls took how long, in microseconds. At most 1,920 numbers, whatever is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u16, u64>);

impl Histogram {
    /// Counts one call.
    pub fn count(&mut self, micros: u64) {
        *self.0.entry(step_of(micros)).or_default() += 1;
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            let sum = self.0.entry(*step).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// The time, in microseconds, that `part` of the calls did not exceed, such as 0.99; 0 if nothing was counted.
    pub fn quantile(&self, part: f64) -> u64 {
        let all: u64 = self.0.values().fold(0, |sum, count| sum.saturating_add(*count));
        let wanted = (all as f64 * part).ceil().max(1.0);
        let mut seen = 0.0;
        for (step, count) in &self.0 {
            seen += *count as f64;
            if seen >= wanted {
                return highest_of(*step);
            }
        }
        0
    }
}

/// Which step a time is in: below 32 each has its own.
fn step_of(micros: u64) -> u16 {
    let exponent = u64::BITS - 1 - micros.max(1).leading_zeros();
    if exponent < STEP_BITS {
        return micros as u16;
    }
    let shift = exponent - STEP_BITS;
    let inside = (micros >> shift) & ((1 << STEP_BITS) - 1);
    (((shift + 1) << STEP_BITS) as u16) + inside as u16
}

/// The longest time in a step.
fn highest_of(step: u16) -> u64 {
    let (row, inside) = (u32::from(step) >> STEP_BITS, u64::from(step) & ((1 << STEP_BITS) - 1));
    if row == 0 {
        return inside;
    }
    // A step from a damaged file may be beyond the last one.
    let lowest = (inside + (1 << STEP_BITS)).checked_shl(row - 1).unwrap_or(u64::MAX);
    lowest.saturating_add(1_u64.checked_shl(row - 1).map_or(u64::MAX, |width| width - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_known_to_three_percent(micros in 0_u64..(1 << 40)) {
            let mut histogram = Histogram::default();
            histogram.count(micros);
            let known = histogram.quantile(0.5);
            prop_assert!(known >= micros && known - micros <= micros / 32, "{micros} is known as {known}");
        }

        #[test]
        fn two_halves_merged_are_the_whole(times in prop::collection::vec(0_u64..1_000_000, 1..200), cut in 0_usize..200) {
            let cut = cut.min(times.len());
            let counted = |times: &[u64]| {
                let mut histogram = Histogram::default();
                times.iter().for_each(|time| histogram.count(*time));
                histogram
            };
            let mut merged = counted(&times[..cut]);
            merged.merge(&counted(&times[cut..]));
            prop_assert_eq!(merged, counted(&times));
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|micros| histogram.count(micros));
        let within = |part, exact: u64| (exact..=exact + exact / 32).contains(&histogram.quantile(part));
        assert!(within(0.5, 50) && within(0.95, 95) && within(0.99, 99) && within(1.0, 100));
        assert_eq!(Histogram::default().quantile(0.5), 0);
        assert_eq!(highest_of(step_of(u64::MAX)), u64::MAX);
    }
}
