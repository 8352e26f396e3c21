//! Downloads of the last days as bars.

use maud::{Markup, html};
use pocket_index::stats::{Counts, DAYS, Day};

/// A bar is as wide as nine of ten units, and 60 units high at most.
const STEP: u64 = 10;
const HEIGHT: u64 = 60;

/// Bars, and the same as a table for whoever does not see them.
pub(super) fn downloads(counts: &Counts, today: Day) -> Markup {
    let days: Vec<(Day, u64)> =
        today.last().map(|day| (day, counts.days.get(&day).copied().unwrap_or_default())).collect();
    let most = days.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    let width = STEP * u64::from(DAYS);
    let recent = counts.recent(today);
    html! {
        p { strong { (recent) } " in the last 30 days, " strong { (counts.total) } " in all" }
        @if recent > 0 {
            svg.chart viewBox={ "0 0 " (width) " " (HEIGHT + 1) } role="img" aria-label={ "Downloads a day, at most " (most) } {
                @for (place, (_, count)) in (0_u64..).zip(&days) {
                    @let height = (count * HEIGHT).div_ceil(most);
                    rect x=(place * STEP) y=(HEIGHT - height) width=(STEP - 1) height=(height + 1) {}
                }
            }
            details {
                summary { "By day" }
                table {
                    thead { tr { th scope="col" { "Day" } th scope="col" { "Downloads" } } }
                    tbody { @for (day, count) in days.iter().rev().filter(|(_, count)| *count > 0) { tr { td { (day) } td { (count) } } } }
                }
            }
        }
    }
}
