//! What every answer must hold, found before the search: the ranges that the project needs, and what follows from them.
//!
//! A version that needs another version of a forced plugin can be in no answer. Passing it over while versions are judged costs
//! a look; finding it out by search costs a conflict, and conflicts with 2,000 versions cost the square of that.

use pubgrub::{Map, VersionSet};

use super::index_set::IndexSet;
use super::preferences::Reason;
use super::source::Need;
use super::table::{PluginId, PluginRecords, Table, required};

/// Compatible ranges of which every answer holds a version, with the positions that it can be at.
#[derive(Default)]
pub(super) struct Forced {
    ranges: Map<(PluginId, u32), IndexSet>,
}

impl Forced {
    /// Follows the project's needs, and those of the versions to which there is no alternative.
    pub fn of(table: &Table<'_>) -> Self {
        let mut forced = Self::default();
        let mut open: Vec<Need> = table.roots.iter().map(|need| (*need).clone()).collect();
        while let Some(need) = open.pop() {
            open.extend(forced.add(table, &need).into_iter().flatten());
        }
        forced
    }

    /// Whether an answer can hold one of these positions of a range.
    pub fn permits(&self, plugin: PluginId, bucket: u32, allowed: &IndexSet) -> bool {
        self.ranges.get(&(plugin, bucket)).is_none_or(|forced| !forced.is_disjoint(allowed))
    }

    /// Adds a need that every answer meets; returns the needs that follow.
    fn add(&mut self, table: &Table<'_>, need: &Need) -> Option<Vec<Need>> {
        let id = table.id(&need.package);
        let plugin = table.plugin(id);
        let PluginRecords::Known(versions) = &plugin.records else { return None };
        let (bucket, allowed) = versions.in_one_bucket(&versions.matching(&need.requirement))?;
        let before = self.ranges.get(&(id, bucket));
        let now = before.map_or_else(|| allowed.clone(), |before| before.intersection(&allowed));
        if before == Some(&now) {
            return None;
        }
        self.ranges.insert((id, bucket), now.clone());
        let may_be_picked = |position: &u32| {
            Reason::at_first_sight(table.request, &plugin.package, versions.entry(*position).candidate).is_none()
        };
        let mut open = versions.descending(&now).filter(may_be_picked);
        let (Some(only), None) = (open.next(), open.next()) else { return None };
        let details = table.policy(&plugin.package, versions.entry(only)).ok()?;
        Some(required(details).into_iter().cloned().collect())
    }
}
