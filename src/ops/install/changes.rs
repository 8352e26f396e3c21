//! What differs between two locks, plugin by plugin.

use std::collections::BTreeMap;

use pocket_index::name::PluginName;
use semver::Version;

use super::approval::sentences;
use crate::project::{LockedPlugin, Lockfile};

/// How one plugin of a lock changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The plugin.
    pub name: PluginName,
    /// Where it comes from, afterwards if it stays.
    pub source: String,
    /// Where it came from, if that is another place.
    pub former_source: Option<String>,
    /// Its version before; none if it was not there.
    pub before: Option<Version>,
    /// Its version afterwards; none if it is no longer there.
    pub after: Option<Version>,
    /// What it may do afterwards and could not do before, in plain words.
    pub gains: Vec<String>,
    /// What it could do before and may not do afterwards, in plain words.
    pub loses: Vec<String>,
}

/// Every plugin that differs, by name. Versions of one plugin that stand beside each other are paired in their order.
pub fn between(old: Option<&Lockfile>, new: &Lockfile) -> Vec<Change> {
    let mut by_name: BTreeMap<&PluginName, (Vec<&LockedPlugin>, Vec<&LockedPlugin>)> = BTreeMap::new();
    for plugin in old.iter().flat_map(|old| &old.plugins) {
        by_name.entry(&plugin.name).or_default().0.push(plugin);
    }
    for plugin in &new.plugins {
        by_name.entry(&plugin.name).or_default().1.push(plugin);
    }
    by_name.into_values().flat_map(|(old, new)| of_one_plugin(old, new)).collect()
}

fn of_one_plugin(mut old: Vec<&LockedPlugin>, mut new: Vec<&LockedPlugin>) -> Vec<Change> {
    let same = |one: &LockedPlugin, other: &LockedPlugin| {
        one.version == other.version
            && one.source == other.source
            && sentences(&one.permissions) == sentences(&other.permissions)
    };
    let kept: Vec<_> = old.iter().copied().filter(|one| new.iter().any(|other| same(one, other))).collect();
    old.retain(|one| !kept.iter().any(|other| same(one, other)));
    new.retain(|one| !kept.iter().any(|other| same(one, other)));
    old.sort_by(|a, b| a.version.cmp(&b.version));
    new.sort_by(|a, b| a.version.cmp(&b.version));
    let longer = old.len().max(new.len());
    (0..longer).filter_map(|place| change(old.get(place).copied(), new.get(place).copied())).collect()
}

fn change(before: Option<&LockedPlugin>, after: Option<&LockedPlugin>) -> Option<Change> {
    let shown = after.or(before)?;
    let may = |plugin: Option<&LockedPlugin>| plugin.map(|plugin| sentences(&plugin.permissions)).unwrap_or_default();
    let (could, can) = (may(before), may(after));
    let source = shown.source.to_string();
    Some(Change {
        name: shown.name.clone(),
        former_source: before.map(|plugin| plugin.source.to_string()).filter(|former| *former != source),
        source,
        before: before.map(|plugin| plugin.version.clone()),
        after: after.map(|plugin| plugin.version.clone()),
        gains: can.iter().filter(|one| !could.contains(one)).cloned().collect(),
        loses: could.iter().filter(|one| !can.contains(one)).cloned().collect(),
    })
}

#[cfg(test)]
mod tests {
    use pocket_index::manifest::Runtime;

    use super::*;
    use crate::project::{Basis, Source};

    fn lock(plugins: &[(&str, &str, &str, &str)]) -> Lockfile {
        let plugin = |(name, version, source, variable): &(&str, &str, &str, &str)| {
            let source = Source::Registry(source.parse().expect("a name"));
            let (name, version) = (name.parse().expect("a name"), version.parse().expect("a version"));
            let mut plugin = LockedPlugin::new(name, version, source, Runtime::Lua, Basis::Unsigned);
            plugin.permissions.env.extend((!variable.is_empty()).then(|| (*variable).to_owned()));
            plugin
        };
        Lockfile::new(Vec::new(), plugins.iter().map(plugin).collect())
    }

    fn shown(old: &[(&str, &str, &str, &str)], new: &[(&str, &str, &str, &str)]) -> Vec<String> {
        let version = |version: Option<Version>| version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let line = |change: Change| {
            let former = change.former_source.map(|former| format!(" (was {former})")).unwrap_or_default();
            let (name, before, after) = (change.name, version(change.before), version(change.after));
            format!("{name} {before} {after} {}{former} +{:?} -{:?}", change.source, change.gains, change.loses)
        };
        between(Some(&lock(old)), &lock(new)).into_iter().map(line).collect()
    }

    #[test]
    fn a_change_says_what_moved_and_what_it_may_do_then() {
        let old =
            [("a", "1.0.0", "r", "HOME"), ("b", "1.0.0", "r", ""), ("c", "1.0.0", "r", ""), ("d", "1.0.0", "r", "")];
        let new =
            [("a", "1.1.0", "r", "TERM"), ("b", "1.0.0", "r", ""), ("c", "1.0.0", "q", ""), ("e", "2.0.0", "r", "")];
        let expected = [
            "a 1.0.0 1.1.0 r +[\"may read the environment variable TERM\"] -[\"may read the environment variable HOME\"]",
            "c 1.0.0 1.0.0 q (was r) +[] -[]",
            "d 1.0.0 - r +[] -[]",
            "e - 2.0.0 r +[] -[]",
        ];
        assert_eq!(shown(&old, &new), expected);
    }

    #[test]
    fn versions_beside_each_other_are_paired_in_order() {
        let old = [("a", "1.0.0", "r", ""), ("a", "2.0.0", "r", "")];
        let new = [("a", "1.3.0", "r", ""), ("a", "2.0.0", "r", ""), ("a", "3.0.0", "r", "")];
        assert_eq!(shown(&old, &new), ["a 1.0.0 1.3.0 r +[] -[]", "a - 3.0.0 r +[] -[]"]);
    }
}
