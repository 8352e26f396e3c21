//! The answer: what was chosen, how it hangs together, and what was passed over.

use std::collections::{BTreeMap, BTreeSet};

use pubgrub::{Map, VersionSet};

use super::preferences::Reason;
use super::source::{Necessity, Need, PackageVersion};
use super::table::{PluginId, PluginRecords, Table};

/// A version for everything that was needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// What meets the project's own needs, sorted.
    pub roots: Vec<PackageVersion>,
    /// Everything, sorted.
    pub plugins: Vec<Chosen>,
    /// Higher versions that were needed as well as the chosen ones, but break a rule; sorted.
    pub passed_over: Vec<PassedOver>,
    /// How long the search took, in decisions.
    pub steps: u32,
}

/// A version that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chosen {
    /// What was chosen.
    pub release: PackageVersion,
    /// What it is linked with, sorted: what meets its needs, optional ones included where it is there anyway.
    pub dependencies: Vec<PackageVersion>,
}

/// A version that was not chosen because of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct PassedOver {
    /// The version.
    pub release: PackageVersion,
    /// The rule.
    pub reason: Reason,
}

/// A version by its place in the table.
type Place = (PluginId, u32);

/// Reads an answer of `pubgrub`: walks from the project's needs over the chosen positions of each compatible range.
pub(super) fn read(table: &Table<'_>, chosen: &Map<(PluginId, u32), u32>, steps: u32) -> Resolution {
    let mut by_plugin: BTreeMap<PluginId, Vec<u32>> = BTreeMap::new();
    for (&(plugin, _), &position) in chosen {
        by_plugin.entry(plugin).or_default().push(position);
    }
    by_plugin.values_mut().for_each(|positions| positions.sort_unstable());
    let mut walk = Walk { table, chosen: by_plugin, passed_over: BTreeMap::new() };

    let mut roots: Vec<_> = table.roots.iter().filter_map(|need| walk.meet(need)).collect();
    let mut open = roots.clone();
    let mut edges: BTreeMap<Place, BTreeSet<Place>> = BTreeMap::new();
    while let Some(place) = open.pop() {
        if edges.contains_key(&place) {
            continue;
        }
        let needs = walk.needs(place);
        let required = needs.iter().filter(|need| need.necessity == Necessity::Required);
        let met: BTreeSet<_> = required.filter_map(|need| walk.meet(need)).filter(|other| *other != place).collect();
        open.extend(&met);
        edges.insert(place, met);
    }
    walk.link_optional(&mut edges);

    let mut plugins: Vec<_> = edges
        .iter()
        .map(|(&place, met)| {
            let mut dependencies: Vec<_> = met.iter().map(|&other| release(table, other)).collect();
            dependencies.sort();
            Chosen { release: release(table, place), dependencies }
        })
        .collect();
    plugins.sort();
    roots.sort_unstable();
    roots.dedup();
    let mut roots: Vec<_> = roots.into_iter().map(|place| release(table, place)).collect();
    roots.sort();
    let passed_over = walk.passed_over.into_iter().map(|(release, reason)| PassedOver { release, reason }).collect();
    Resolution { roots, plugins, passed_over, steps }
}

struct Walk<'t, 'a> {
    table: &'t Table<'a>,
    /// Positions, ascending.
    chosen: BTreeMap<PluginId, Vec<u32>>,
    passed_over: BTreeMap<PackageVersion, Reason>,
}

impl Walk<'_, '_> {
    /// The highest chosen version that meets a need.
    fn meet(&mut self, need: &Need) -> Option<Place> {
        let id = self.table.id(&need.package);
        let plugin = self.table.plugin(id);
        let PluginRecords::Known(versions) = &plugin.records else { return None };
        let allowed = versions.matching(&need.requirement);
        let position = self.chosen.get(&id)?.iter().rev().copied().find(|position| allowed.contains(position))?;
        for higher in versions.descending(&allowed).take_while(|&higher| higher > position) {
            let entry = versions.entry(higher);
            if let Some(reason) = entry.reason_found() {
                let release = PackageVersion { package: need.package.clone(), version: entry.version().clone() };
                self.passed_over.insert(release, reason);
            }
        }
        Some((id, position))
    }

    fn needs(&self, (plugin, position): Place) -> Vec<Need> {
        let plugin = self.table.plugin(plugin);
        let PluginRecords::Known(versions) = &plugin.records else { return Vec::new() };
        let details = self.table.policy(&plugin.package, versions.entry(position));
        details.map(|details| details.dependencies.clone()).unwrap_or_default()
    }

    /// Links what is there anyway.
    fn link_optional(&mut self, edges: &mut BTreeMap<Place, BTreeSet<Place>>) {
        let places: BTreeSet<_> = edges.keys().copied().collect();
        for &place in &places {
            let needs = self.needs(place);
            let optional = needs.iter().filter(|need| need.necessity == Necessity::Optional);
            let there: Vec<_> =
                optional.filter_map(|need| self.meet(need)).filter(|met| places.contains(met)).collect();
            edges.entry(place).or_default().extend(there.into_iter().filter(|met| *met != place));
        }
    }
}

fn release(table: &Table<'_>, (plugin, position): Place) -> PackageVersion {
    let plugin = table.plugin(plugin);
    let PluginRecords::Known(versions) = &plugin.records else {
        unreachable!("a place is made from known versions only")
    };
    PackageVersion { package: plugin.package.clone(), version: versions.entry(position).version().clone() }
}
