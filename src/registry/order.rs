//! The times that the lines of a log state, in the order of the log: what a monitor sees without having seen it before.

use pocket_index::time::{CLOCK_DIFFERENCE, UtcTime};

use super::Difference;

/// What a line says of its place and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stated {
    /// Its leaf in the log.
    pub leaf: u64,
    /// When the registry took it, as it says.
    pub at: u64,
    /// The file that it stands in.
    pub file: String,
    /// Its place in that file, from 1.
    pub event: u64,
}

/// The lines that say an earlier time than a line before them in the log.
pub(super) fn backdated(mut lines: Vec<Stated>) -> Vec<Difference> {
    lines.sort_by_key(|line| line.leaf);
    let mut latest: Option<(u64, u64)> = None;
    let mut differences = Vec::new();
    for Stated { leaf, at, file, event } in lines {
        match latest {
            Some((before, time)) if at.saturating_add(CLOCK_DIFFERENCE) < time => {
                let (at, time) = (UtcTime(at), UtcTime(time));
                let problem =
                    format!("event {event} is of {at}, but leaf {before}, before its leaf {leaf}, is of {time}");
                differences.push(Difference { file, problem });
            }
            Some((_, time)) if at <= time => {}
            _ => latest = Some((leaf, at)),
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_790_000_000;

    fn line(leaf: u64, at: u64) -> Stated {
        Stated { leaf, at, file: format!("index/{leaf}"), event: 1 }
    }

    #[test]
    fn a_line_that_is_older_than_one_before_it_in_the_log_is_told() {
        let found = backdated(vec![line(3, T + 90), line(0, T), line(1, T + 2_000), line(2, T + 1_800)]);
        let problem =
            "event 1 is of 2026-09-21T14:14:50Z, but leaf 1, before its leaf 3, is of 2026-09-21T14:46:40Z".to_owned();
        assert_eq!(found, [Difference { file: "index/3".to_owned(), problem }]);
    }

    #[test]
    fn clocks_that_differ_a_little_are_no_difference() {
        assert_eq!(backdated(vec![line(0, T), line(1, T - CLOCK_DIFFERENCE), line(2, T)]), []);
    }
}
