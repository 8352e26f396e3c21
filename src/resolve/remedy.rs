//! What would make it work. Nothing is offered that was not tried.

use std::fmt;

use pocket_index::manifest::Runtime;
use pocket_index::name::Target;
use pocket_index::time::Age;
use semver::{Comparator, Op, Prerelease, Version, VersionReq};

use super::ResolveError;
use super::facts::Fact;
use super::preferences::{Reason, Request, quoted, runtime_word};
use super::resolution::Resolution;
use super::solver::{self, Pruning};
use super::source::{Lookup, Origin, PackageName, PackageVersion, RecordSource};

/// Changes that are tried at most. Each is a search of its own.
const TRIED: usize = 8;
/// Decisions that one try may take.
const TRY_STEPS: u32 = 2_000;

/// One change after which there is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// The project asks for other versions.
    Requirement {
        /// What the project needs.
        package: PackageName,
        /// What it asks for now.
        instead_of: VersionReq,
        /// The version that would be picked.
        picked: Version,
    },
    /// Another engine runs the plugins.
    Engine {
        /// The version that would fit.
        release: PackageVersion,
        /// The lowest engine that is known to do.
        engine: Version,
    },
    /// Newer versions are let in.
    Cooldown {
        /// The version that would fit.
        release: PackageVersion,
        /// The origin whose rule is in the way.
        origin: Origin,
        /// The rule that would let it in, in seconds.
        least: Age,
    },
    /// A runtime is allowed.
    Runtime {
        /// The version that would fit.
        release: PackageVersion,
        /// The runtime.
        runtime: Runtime,
    },
    /// Permissions are allowed.
    Permissions {
        /// The version that would fit.
        release: PackageVersion,
        /// The words.
        words: Vec<&'static str>,
    },
    /// The plugins need not run on these targets.
    Targets {
        /// The version that would fit.
        release: PackageVersion,
        /// The targets that it has no archive for.
        without: Vec<Target>,
    },
    /// A yank is taken back.
    Unyank {
        /// The version that would fit.
        release: PackageVersion,
    },
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::Requirement { package, instead_of, picked } => {
                write!(f, "it would work with `{package}` {picked} in place of `{instead_of}`")
            }
            Remedy::Engine { release, engine } => write!(f, "{release} would fit with engine {engine}"),
            Remedy::Cooldown { release, origin, least } => {
                write!(f, "{release} would fit with `min_release_age: {least}` for `{origin}`")
            }
            Remedy::Runtime { release, runtime } => {
                write!(f, "{release} would fit if the runtime `{}` were allowed", runtime_word(*runtime))
            }
            Remedy::Permissions { release, words } => {
                write!(f, "{release} would fit if {} were allowed", quoted(words, " and "))
            }
            Remedy::Targets { release, without } => {
                write!(f, "{release} would fit if {} were not asked for", quoted(without, " and "))
            }
            Remedy::Unyank { release } => write!(f, "{release} would fit if it were not yanked"),
        }
    }
}

/// Tries the changes that the facts suggest, and keeps those that lead to an answer.
pub(super) fn find(request: &Request, source: &dyn RecordSource, facts: &[Fact]) -> Vec<Remedy> {
    let of_rules = facts.iter().filter_map(|fact| match fact {
        Fact::PassedOver { package, versions, reason } => {
            let version = versions.highest()?.clone();
            lift_rule(request, PackageVersion { package: package.clone(), version }, reason)
        }
        _ => None,
    });
    let of_needs = facts.iter().filter_map(|fact| match fact {
        Fact::ProjectNeeds { package, requirement } => Some(widen(request, package, requirement, VersionReq::STAR)),
        Fact::Unmatched { package, requirement, .. } => {
            let pre_release = pre_release_for(source, package, requirement)?;
            Some(widen(request, package, requirement, exactly(pre_release)))
        }
        _ => None,
    });
    let attempts = of_rules.chain(of_needs).take(TRIED);
    attempts.filter_map(|attempt| attempt.prove(source)).collect()
}

/// A change, and what would be said of it.
struct Attempt {
    request: Request,
    remedy: Remedy,
}

impl Attempt {
    fn prove(mut self, source: &dyn RecordSource) -> Option<Remedy> {
        self.request.steps = self.request.steps.min(TRY_STEPS);
        let resolution = match solver::search(&self.request, source, Pruning::Forced) {
            Ok(resolution) => resolution,
            Err(ResolveError::NeedRecords(_) | ResolveError::NoSolution(_) | ResolveError::TooManySteps { .. }) => {
                return None;
            }
        };
        match &mut self.remedy {
            Remedy::Requirement { package, picked, .. } => *picked = root_version(&resolution, package)?,
            Remedy::Engine { release, .. }
            | Remedy::Cooldown { release, .. }
            | Remedy::Runtime { release, .. }
            | Remedy::Permissions { release, .. }
            | Remedy::Targets { release, .. }
            | Remedy::Unyank { release } => {
                resolution.plugins.iter().find(|chosen| chosen.release == *release)?;
            }
        }
        Some(self.remedy)
    }
}

fn root_version(resolution: &Resolution, package: &PackageName) -> Option<Version> {
    let root = resolution.roots.iter().find(|root| root.package == *package)?;
    Some(root.version.clone())
}

/// Lifts the rule that passed `release` over.
fn lift_rule(request: &Request, release: PackageVersion, reason: &Reason) -> Option<Attempt> {
    let mut request = request.clone();
    let remedy = match reason {
        Reason::Engine { needs, .. } => {
            let engine = lowest(needs)?;
            request.engine = engine.clone();
            Remedy::Engine { release, engine }
        }
        Reason::TooNew { age, .. } => {
            let least = Age(*age).rounded_down();
            let origin = release.package.origin.clone();
            request.cooldown.insert(origin.clone(), least.0);
            Remedy::Cooldown { release, origin, least }
        }
        Reason::Runtime(runtime) => {
            request.denied.runtimes.remove(runtime);
            Remedy::Runtime { release, runtime: *runtime }
        }
        Reason::Permissions(words) => {
            request.denied.permissions.retain(|word| !words.contains(&word.as_str()));
            Remedy::Permissions { release, words: words.clone() }
        }
        Reason::Target { missing, .. } => {
            request.targets.retain(|target| !missing.contains(target));
            Remedy::Targets { release, without: missing.clone() }
        }
        Reason::Yanked => {
            request.locked.insert(release.clone());
            Remedy::Unyank { release }
        }
        _ => return None,
    };
    Some(Attempt { request, remedy })
}

/// Lets the project take other versions of a plugin.
fn widen(request: &Request, package: &PackageName, requirement: &VersionReq, widened: VersionReq) -> Attempt {
    let mut request = request.clone();
    for root in request.roots.iter_mut().filter(|root| root.package == *package) {
        root.requirement = widened.clone();
    }
    let picked = Version::new(0, 0, 0);
    let remedy = Remedy::Requirement { package: package.clone(), instead_of: requirement.clone(), picked };
    Attempt { request, remedy }
}

/// The highest pre-release of a version that would match.
fn pre_release_for<'s>(
    source: &'s dyn RecordSource,
    package: &PackageName,
    requirement: &VersionReq,
) -> Option<&'s Version> {
    let Lookup::Known(candidates) = source.candidates(package) else { return None };
    let leads_to = |version: &Version| Version::new(version.major, version.minor, version.patch);
    let versions = candidates.iter().map(|candidate| &candidate.version);
    versions.filter(|version| !version.pre.is_empty() && requirement.matches(&leads_to(version))).max()
}

fn exactly(version: &Version) -> VersionReq {
    let Version { major, minor, patch, pre, .. } = version.clone();
    let comparator = Comparator { op: Op::Exact, major, minor: Some(minor), patch: Some(patch), pre };
    VersionReq { comparators: vec![comparator] }
}

/// The lowest version that a requirement names and matches.
fn lowest(requirement: &VersionReq) -> Option<Version> {
    let named = |comparator: &Comparator| {
        let starts = matches!(comparator.op, Op::Exact | Op::GreaterEq | Op::Tilde | Op::Caret | Op::Wildcard);
        let minor = comparator.minor.unwrap_or(0);
        let version = Version::new(comparator.major, minor, comparator.patch.unwrap_or(0));
        (starts && comparator.pre == Prerelease::EMPTY).then_some(version)
    };
    requirement.comparators.iter().filter_map(named).filter(|version| requirement.matches(version)).min()
}
