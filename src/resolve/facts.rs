//! The facts that an explanation is made of, and how each reads.

use std::fmt;

use semver::{Version, VersionReq};

use super::preferences::Reason;
use super::source::PackageName;

/// One thing that holds. The facts of an explanation cannot all hold at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The project needs a plugin.
    ProjectNeeds {
        /// The plugin.
        package: PackageName,
        /// The versions that will do.
        requirement: VersionReq,
    },
    /// Some versions of a plugin need another one.
    Needs {
        /// The plugin.
        package: PackageName,
        /// Its versions.
        versions: VersionList,
        /// The plugin that they need.
        needed: PackageName,
        /// The versions of it that will do.
        requirement: VersionReq,
    },
    /// There is no such plugin.
    Missing {
        /// The plugin.
        package: PackageName,
    },
    /// No published version will do.
    Unmatched {
        /// The plugin.
        package: PackageName,
        /// The versions that would do.
        requirement: VersionReq,
        /// What is published.
        published: VersionList,
    },
    /// Some versions cannot be picked.
    PassedOver {
        /// The plugin.
        package: PackageName,
        /// Its versions.
        versions: VersionList,
        /// Why they cannot.
        reason: Reason,
    },
    /// No version meets all of these at once.
    Disjoint {
        /// The plugin.
        package: PackageName,
        /// What is asked of it, sorted.
        requirements: Vec<String>,
    },
    /// Some versions are native, and only one compatible range of a native plugin can be loaded.
    Native {
        /// The plugin.
        package: PackageName,
        /// Its native versions that were needed.
        versions: VersionList,
    },
}

impl Fact {
    /// The plugin that the fact is about.
    pub fn package(&self) -> &PackageName {
        match self {
            Fact::ProjectNeeds { package, .. }
            | Fact::Needs { package, .. }
            | Fact::Missing { package }
            | Fact::Unmatched { package, .. }
            | Fact::PassedOver { package, .. }
            | Fact::Disjoint { package, .. }
            | Fact::Native { package, .. } => package,
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::ProjectNeeds { package, requirement } => write!(f, "the project needs `{package}` `{requirement}`"),
            Fact::Needs { package, versions, needed, requirement } => {
                write!(f, "`{package}` {versions} {} `{needed}` `{requirement}`", versions.verb("needs", "need"))
            }
            Fact::Missing { package } => write!(f, "there is no plugin `{package}` in `{}`", package.origin),
            Fact::Unmatched { package, requirement, published } if published.is_empty() => {
                write!(f, "no version of `{package}` matches `{requirement}`: none is published")
            }
            Fact::Unmatched { package, requirement, published } => {
                let verb = published.verb("is", "are");
                write!(f, "no version of `{package}` matches `{requirement}`: published {verb} {published}")
            }
            Fact::PassedOver { package, versions, reason } => {
                write!(f, "`{package}` {versions} cannot be picked: {reason}")
            }
            Fact::Disjoint { package, requirements } => {
                let requirements: Vec<_> = requirements.iter().map(|requirement| format!("`{requirement}`")).collect();
                write!(f, "no version of `{package}` meets {} at once", requirements.join(" and "))
            }
            Fact::Native { package, versions } => {
                let verb = versions.verb("is", "are");
                write!(f, "`{package}` {versions} {verb} native, and only one native version of a plugin can be loaded")
            }
        }
    }
}

/// Runs of neighbouring versions shown at most; a person reads no more.
const SHOWN_RUNS: usize = 3;

/// Versions of one plugin, neighbours put together: `1.0.0 to 1.4.2 (12 versions), 2.0.0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionList {
    runs: Vec<Run>,
}

/// Versions between which nothing else is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Run {
    first: Version,
    last: Version,
    count: usize,
}

impl VersionList {
    /// Those of `all` (ascending) for which `listed` holds.
    pub(super) fn new<'v>(all: impl Iterator<Item = &'v Version>, mut listed: impl FnMut(usize) -> bool) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut goes_on = false;
        for (position, version) in all.enumerate() {
            let was = std::mem::replace(&mut goes_on, listed(position));
            match (was, goes_on) {
                (_, false) => {}
                (false, true) => runs.push(Run { first: version.clone(), last: version.clone(), count: 1 }),
                (true, true) => {
                    if let Some(run) = runs.last_mut() {
                        run.last = version.clone();
                        run.count += 1;
                    }
                }
            }
        }
        Self { runs }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// The highest.
    pub fn highest(&self) -> Option<&Version> {
        self.runs.last().map(|run| &run.last)
    }

    fn verb(&self, one: &'static str, more: &'static str) -> &'static str {
        if self.len() == 1 { one } else { more }
    }
}

impl fmt::Display for VersionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, run) in self.runs.iter().rev().take(SHOWN_RUNS).rev().enumerate() {
            f.write_str(if number == 0 { "" } else { ", " })?;
            match run.count {
                1 => write!(f, "{}", run.first)?,
                2 => write!(f, "{} and {}", run.first, run.last)?,
                count => write!(f, "{} to {} ({count} versions)", run.first, run.last)?,
            }
        }
        let hidden: usize = self.runs.iter().rev().skip(SHOWN_RUNS).map(|run| run.count).sum();
        if hidden > 0 { write!(f, " and {hidden} older ones") } else { Ok(()) }
    }
}
