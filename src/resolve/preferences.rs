//! What is asked of the solver, and the rules that pass versions over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pocket_index::manifest::Runtime;
use pocket_index::name::Target;
use pocket_index::permissions::Permissions;
use pocket_index::time::Age;
use semver::{Version, VersionReq};

use super::source::{Candidate, Details, Need, Origin, PackageName, PackageVersion, Status};

/// Decisions after which a search is given up. A project takes about as many as it has plugins; generated registries of 45,000
/// versions in which one need in fifty is pinned take up to 27,000.
pub const DEFAULT_STEPS: u32 = 200_000;

/// What is to be resolved, under which rules.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the project needs.
    pub roots: Vec<Need>,
    /// What the lock holds: preferred, and picked although yanked. Every other rule holds for them too.
    pub locked: BTreeSet<PackageVersion>,
    /// The engine that will run the plugins. A pre-release counts as the version it leads to.
    pub engine: Version,
    /// What the plugins must run on: a version needs an archive for each of these, or one for any target. Empty takes any.
    pub targets: Vec<Target>,
    /// The time: seconds since 1970-01-01 UTC.
    pub now: u64,
    /// How old a version must be, in seconds, by origin.
    pub cooldown: BTreeMap<Origin, u64>,
    /// What is not to be picked at all.
    pub denied: Denials,
    /// Decisions after which the search is given up.
    pub steps: u32,
}

impl Request {
    /// Asks for `roots` on any target, with nothing locked and nothing denied.
    pub fn new(roots: Vec<Need>, engine: Version) -> Self {
        Self {
            roots,
            locked: BTreeSet::new(),
            engine,
            targets: Vec::new(),
            now: 0,
            cooldown: BTreeMap::new(),
            denied: Denials::default(),
            steps: DEFAULT_STEPS,
        }
    }
}

/// What the user's configuration rules out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denials {
    /// Runtimes that must not be used.
    pub runtimes: BTreeSet<Runtime>,
    /// Permissions that no plugin may ask for, by word: `read_env`, `http_client`, `network_access`, `read_files`,
    /// `write_files`.
    pub permissions: BTreeSet<String>,
}

/// Why a version was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was yanked, and no lock holds it.
    Yanked,
    /// It was revoked.
    Revoked,
    /// It works with other engines.
    Engine {
        /// The engines it works with.
        needs: VersionReq,
        /// The engine that asks.
        has: Version,
    },
    /// It has no archive for some of the targets.
    Target {
        /// Those of the targets asked for that it has nothing for.
        missing: Vec<Target>,
        /// What it has archives for.
        offered: Vec<Target>,
    },
    /// Its runtime is denied.
    Runtime(Runtime),
    /// It asks for permissions that are denied.
    Permissions(Vec<&'static str>),
    /// It came out too recently.
    TooNew {
        /// Its age in seconds.
        age: u64,
        /// The least age in seconds.
        least: u64,
    },
    /// It needs a plugin that does not exist.
    MissingDependency(PackageName),
    /// It needs versions of a plugin that do not exist.
    UnmatchedDependency(PackageName, VersionReq),
    /// It needs versions of a plugin that were all passed over themselves.
    UnusableDependency(PackageName, VersionReq),
    /// It needs versions of a plugin other than those that the project needs, itself or by what it cannot do without.
    Conflict(PackageName, VersionReq),
    /// It needs another version of itself.
    NeedsAnotherSelf(VersionReq),
    /// Its record cannot be read.
    Unreadable(String),
}

impl Reason {
    /// The reason that is known before the details are.
    pub(super) fn at_first_sight(request: &Request, package: &PackageName, candidate: &Candidate) -> Option<Self> {
        match candidate.status {
            Status::Revoked => return Some(Reason::Revoked),
            Status::Yanked if !is_locked(request, package, &candidate.version) => return Some(Reason::Yanked),
            Status::Yanked | Status::Available => {}
        }
        let least = request.cooldown.get(&package.origin).copied().unwrap_or(0);
        let age = request.now.saturating_sub(candidate.published_at);
        (age < least).then_some(Reason::TooNew { age, least })
    }

    /// The plugin that a version needs and cannot have.
    pub(super) fn needed(&self) -> Option<&PackageName> {
        match self {
            Reason::MissingDependency(package)
            | Reason::UnmatchedDependency(package, _)
            | Reason::UnusableDependency(package, _)
            | Reason::Conflict(package, _) => Some(package),
            _ => None,
        }
    }

    /// The reason that the details give.
    pub(super) fn in_details(request: &Request, details: &Details) -> Option<Self> {
        let engine = Version::new(request.engine.major, request.engine.minor, request.engine.patch);
        if let Some(needs) = details.engine.as_ref().filter(|needs| !needs.matches(&engine)) {
            return Some(Reason::Engine { needs: needs.clone(), has: request.engine.clone() });
        }
        let missing = unserved(&request.targets, &details.targets);
        if !missing.is_empty() {
            return Some(Reason::Target { missing, offered: details.targets.clone() });
        }
        if request.denied.runtimes.contains(&details.runtime) {
            return Some(Reason::Runtime(details.runtime));
        }
        let denied: Vec<_> =
            permission_words(&details.permissions).filter(|word| request.denied.permissions.contains(*word)).collect();
        (!denied.is_empty()).then_some(Reason::Permissions(denied))
    }
}

/// Those of `wanted` that no archive is for; sorted, each once.
fn unserved(wanted: &[Target], offered: &[Target]) -> Vec<Target> {
    let is_served = |wanted: &&Target| offered.iter().any(|offered| offered.is_any() || offered == *wanted);
    let missing: BTreeSet<_> = wanted.iter().filter(|wanted| !is_served(wanted)).cloned().collect();
    missing.into_iter().collect()
}

/// Whether the lock holds the version.
pub(super) fn is_locked(request: &Request, package: &PackageName, version: &Version) -> bool {
    if request.locked.is_empty() {
        return false;
    }
    let wanted = PackageVersion { package: package.clone(), version: version.clone() };
    request.locked.contains(&wanted)
}

/// The words for what a plugin asks.
fn permission_words(asked: &Permissions) -> impl Iterator<Item = &'static str> {
    let files = |direction: &str| asked.filesystem.iter().any(|folder| folder.starts_with(direction));
    [
        ("read_env", !asked.env.is_empty()),
        ("http_client", !asked.http.is_empty()),
        ("network_access", !asked.network.is_empty()),
        ("read_files", files("read:")),
        ("write_files", files("write:")),
    ]
    .into_iter()
    .filter_map(|(word, is_asked)| is_asked.then_some(word))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Yanked => f.write_str("yanked"),
            Reason::Revoked => f.write_str("revoked"),
            Reason::Engine { needs, has } => write!(f, "works with engine `{needs}`, this one is {has}"),
            Reason::Target { missing, offered } if offered.is_empty() => {
                write!(f, "made for no target, not for {}", quoted(missing, " or "))
            }
            Reason::Target { missing, offered } => {
                write!(f, "made for {}, not for {}", quoted(offered, ", "), quoted(missing, " or "))
            }
            Reason::Runtime(runtime) => write!(f, "its runtime `{}` is denied", runtime_word(*runtime)),
            Reason::Permissions(words) => {
                write!(f, "asks for {}, which is denied", quoted(words, " and "))
            }
            Reason::TooNew { age, least } => {
                write!(f, "published {} ago, `min_release_age` is {}", Age(*age), Age(*least))
            }
            Reason::MissingDependency(package) => write!(f, "needs `{package}`, which does not exist"),
            Reason::UnmatchedDependency(package, requirement) => {
                write!(f, "needs `{package}` `{requirement}`, which no published version matches")
            }
            Reason::UnusableDependency(package, requirement) => {
                write!(f, "needs `{package}` `{requirement}`, of which no version can be used")
            }
            Reason::Conflict(package, requirement) => {
                write!(f, "needs `{package}` `{requirement}`, which does not go with what the project needs")
            }
            Reason::NeedsAnotherSelf(requirement) => write!(f, "needs itself as `{requirement}`, which it is not"),
            Reason::Unreadable(why) => write!(f, "its record cannot be read: {why}"),
        }
    }
}

/// `a`, `b`.
pub(super) fn quoted(all: &[impl fmt::Display], between: &str) -> String {
    all.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(between)
}

/// The word for a runtime in manifests and settings.
pub(super) fn runtime_word(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Native => "native",
        Runtime::Lua => "lua",
        Runtime::Wasm => "wasm",
    }
}
