//! The rules written down a second time, as plainly as possible: what an answer must be, and a search that tries everything.

use std::collections::BTreeMap;

use pocket_index::manifest::Runtime;
use semver::Version;

use super::*;

/// A selection of versions, by plugin.
pub(super) type Selection = BTreeMap<PackageName, Vec<Version>>;

/// Cargo's compatible range of a version.
fn range_of(version: &Version) -> (u64, u64, u64) {
    if version.major > 0 {
        (version.major, 0, 0)
    } else if version.minor > 0 {
        (0, version.minor, 0)
    } else {
        (0, 0, version.patch)
    }
}

fn all(records: &Records, package: &PackageName) -> Vec<(Version, Details)> {
    match records.candidates(package) {
        Lookup::Known(candidates) => {
            let details = |position| records.details(package, position).unwrap().clone();
            candidates.iter().enumerate().map(|(position, found)| (found.version.clone(), details(position))).collect()
        }
        Lookup::Missing | Lookup::Pending => Vec::new(),
    }
}

pub(super) fn details_of(records: &Records, package: &PackageName, version: &Version) -> Details {
    all(records, package).into_iter().find(|(found, _)| found == version).map(|(_, details)| details).unwrap()
}

/// Whether two versions of a plugin may stand beside each other.
fn may_coexist(records: &Records, package: &PackageName, one: &Version, other: &Version) -> bool {
    let is_native = |version| details_of(records, package, version).runtime == Runtime::Native;
    range_of(one) != range_of(other) && !(is_native(one) && is_native(other))
}

/// Whether every need of `needs` and of the selected versions is met, and no two versions stand in each other's way.
pub(super) fn holds(records: &Records, needs: &[Need], selection: &Selection) -> bool {
    let is_met = |need: &Need| {
        need.necessity == Necessity::Optional
            || selection.get(&need.package).is_some_and(|versions| versions.iter().any(|v| need.requirement.matches(v)))
    };
    needs.iter().all(is_met)
        && selection.iter().all(|(package, versions)| {
            versions.iter().enumerate().all(|(number, version)| {
                details_of(records, package, version).dependencies.iter().all(is_met)
                    && versions[number + 1..].iter().all(|other| may_coexist(records, package, version, other))
            })
        })
}

/// Whether there is any answer: tries each version for each need.
pub(super) fn has_answer(records: &Records, needs: &[Need], selection: &mut Selection) -> bool {
    let Some((need, rest)) = needs.split_first() else { return true };
    for (version, details) in all(records, &need.package) {
        if !need.requirement.matches(&version) {
            continue;
        }
        let selected = selection.get(&need.package).cloned().unwrap_or_default();
        if selected.contains(&version) {
            if has_answer(records, rest, selection) {
                return true;
            }
            continue;
        }
        if !selected.iter().all(|other| may_coexist(records, &need.package, &version, other)) {
            continue;
        }
        selection.entry(need.package.clone()).or_default().push(version);
        let further: Vec<Need> = details.dependencies.iter().chain(rest).cloned().collect();
        if has_answer(records, &further, selection) {
            return true;
        }
        selection.entry(need.package.clone()).or_default().pop();
    }
    false
}
