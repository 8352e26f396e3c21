//! `plugin audit`: what is known today against the plugins in the lock.

use std::collections::BTreeMap;

use pocket_index::name::{PluginName, RegistryName};
use pocket_index::record::{History, ReleaseEntry, Status};
use semver::Version;

use super::permissions::refuse_unapproved;
use super::policy::Policy;
use super::recovery::notices;
use super::{OpsError, Workspace, plugins};
use crate::project::{Basis, LockedPlugin, Lockfile, Source};
use crate::registry::{Access, Network, Registry, RegistryError, Staleness, now};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Low,
    /// Should be looked at.
    Medium,
    /// Must not be used as it is.
    High,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its owners or its registry withdrew it for good.
    Revoked,
    /// It is not to be picked anew.
    Yanked,
    /// Its registry replaces its owners, or did since the release in the lock.
    OwnerRecovery,
    /// Its registry replaced its owners, and the release in the lock is theirs.
    Recovered,
    /// It is not recommended any more.
    Deprecated,
    /// No signature vouches for it.
    Unsigned,
    /// It is the project's own.
    Local,
    /// There is a newer version.
    Outdated,
    /// It was released only just now.
    Young,
    /// The user, the project or the organisation does not allow it.
    Denied,
    /// It asks for more than was approved, or its files changed.
    Changed,
    /// Its registry could not be asked, or does not vouch for it. What cannot be known is not taken for good.
    Unknown,
    /// Fewer witnesses saw its registry's checkpoint than are demanded.
    Unwitnessed,
}

/// One finding about one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: String,
    /// What was found.
    pub kind: Kind,
    /// The same in words.
    pub message: String,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// When: seconds since 1970-01-01 UTC.
    pub at: u64,
    /// How many plugins were looked at.
    pub plugins: usize,
    /// The worst first.
    pub findings: Vec<Finding>,
}

impl Kind {
    /// How much it matters.
    pub fn severity(self) -> Severity {
        match self {
            Self::Revoked | Self::Denied | Self::Changed | Self::Unknown | Self::Unwitnessed => Severity::High,
            Self::Yanked | Self::Unsigned | Self::OwnerRecovery => Severity::Medium,
            Self::Recovered | Self::Deprecated | Self::Local | Self::Outdated | Self::Young => Severity::Low,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Yanked => "yanked",
            Self::OwnerRecovery => "owner-recovery",
            Self::Recovered => "recovered",
            Self::Deprecated => "deprecated",
            Self::Unsigned => "unsigned",
            Self::Local => "local",
            Self::Outdated => "outdated",
            Self::Young => "young",
            Self::Denied => "denied",
            Self::Changed => "changed",
            Self::Unknown => "unknown",
            Self::Unwitnessed => "unwitnessed",
        }
    }
}

/// Looks at every plugin of the lock. A release younger than `young` seconds is a finding.
///
/// # Errors
/// There is no lock although plugins are needed, or it cannot be read. What a registry does not tell is a finding.
pub async fn audit(workspace: &Workspace, young: u64, network: Network) -> Result<Audit, OpsError> {
    let at = now();
    let Some((lock, _)) = workspace.read_lock()? else {
        if workspace.project().plugins.dependencies.is_empty() {
            return Ok(Audit { at, plugins: 0, findings: Vec::new() });
        }
        let (subject, lock) = ("the plugins in `pocket.yaml`".to_owned(), workspace.lock_path());
        return Err(OpsError::NoEvidence { subject, reason: format!("there is no `{}`", lock.display()) });
    };
    let mut registries = BTreeMap::new();
    for name in lock.plugins.iter().filter_map(|plugin| registry_of(plugin)) {
        if !registries.contains_key(name) {
            registries.insert(name.clone(), open(workspace, name, &lock, network).await);
        }
    }
    let mut findings = Vec::new();
    for plugin in &lock.plugins {
        let found = match registry_of(plugin).map(|name| &registries[name]) {
            None => of_basis(plugin),
            Some(Err(found)) => vec![found.clone()],
            Some(Ok(registry)) => of_registry(registry, plugin, at, young).await,
        };
        findings.extend(found.into_iter().map(|found| finding(plugin, found)));
    }
    findings.extend(of_policy(workspace, &lock)?);
    findings
        .sort_by(|one, other| other.kind.severity().cmp(&one.kind.severity()).then_with(|| one.name.cmp(&other.name)));
    Ok(Audit { at, plugins: lock.plugins.len(), findings })
}

fn finding(plugin: &LockedPlugin, (kind, message): (Kind, String)) -> Finding {
    let (name, version, source) = (plugin.name.clone(), plugin.version.clone(), plugin.source.to_string());
    Finding { name, version, source, kind, message }
}

fn registry_of(plugin: &LockedPlugin) -> Option<&RegistryName> {
    match &plugin.source {
        Source::Registry(name) => Some(name),
        _ => None,
    }
}

async fn open(
    workspace: &Workspace,
    name: &RegistryName,
    lock: &Lockfile,
    network: Network,
) -> Result<Registry, (Kind, String)> {
    let opening = async {
        let named = workspace.registry_named(name, Some(lock))?;
        // Whether something was withdrawn is asked, and one that is too old cannot know.
        workspace.open_named(&named, Some(lock), Access::new(network, Staleness::Refused)).await
    };
    opening.await.map_err(|error| (kind_of(&error), sentence(&error)))
}

/// What it means for its plugins that a registry cannot be opened.
fn kind_of(error: &OpsError) -> Kind {
    match error {
        OpsError::Registry(error) if matches!(**error, RegistryError::Witnesses { .. }) => Kind::Unwitnessed,
        _ => Kind::Unknown,
    }
}

/// An error with its causes in one sentence.
fn sentence(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

/// What vouches for a plugin that no registry has.
fn of_basis(plugin: &LockedPlugin) -> Vec<(Kind, String)> {
    let found = match plugin.basis {
        Basis::Log(_) | Basis::Signature => return Vec::new(),
        Basis::Local => (Kind::Local, "it is the project's own: nobody else vouches for it"),
        Basis::Digest => (Kind::Unsigned, "only the digest in its address vouches for it"),
        Basis::Once => (Kind::Unsigned, "it was trusted once, by whoever made the lock"),
        Basis::Unsigned => (Kind::Unsigned, "its registry is used without signatures"),
    };
    vec![(found.0, found.1.to_owned())]
}

/// What its registry says today.
async fn of_registry(registry: &Registry, plugin: &LockedPlugin, now: u64, young: u64) -> Vec<(Kind, String)> {
    let history = match registry.history(&plugin.name).await {
        Ok(Some(history)) => history,
        Ok(None) => return vec![(Kind::Unknown, "its registry has no such plugin".to_owned())],
        Err(error) => return vec![(Kind::Unknown, sentence(&error))],
    };
    let Some(entry) = history.release(&plugin.version) else {
        return vec![(Kind::Unknown, "its registry has no such version".to_owned())];
    };
    let mut found = of_status(entry);
    let locked = match plugin.basis {
        Basis::Log(event) => event.digest.to_string(),
        other => format!("`{}`", other.as_str()),
    };
    if locked != entry.line().to_string() {
        found.push((Kind::Unknown, format!("the lock says {locked}, its registry says {}", entry.line())));
    }
    // Says that it stands in the log. A revoked release is refused there for being revoked.
    if !matches!(entry.status(), Status::Revoked { .. })
        && let Err(error) = registry.release(&history, &plugin.version).await
    {
        found.push((Kind::Unknown, sentence(&error)));
    }
    found.extend(of_history(&history, plugin));
    let place = registry.location().to_string();
    found.extend(notices(&plugin.name, &place, history.recoveries(), now).iter().map(|notice| {
        let kind = if notice.covers(entry.seq()) { Kind::Recovered } else { Kind::OwnerRecovery };
        (kind, notice.to_string())
    }));
    let age = now.saturating_sub(entry.at());
    if age < young {
        found.push((Kind::Young, format!("it was released {} ago", in_words(age))));
    }
    found
}

fn of_status(entry: &ReleaseEntry) -> Vec<(Kind, String)> {
    match entry.status() {
        Status::Available => Vec::new(),
        Status::Yanked { reason } => vec![(Kind::Yanked, reason.clone())],
        Status::Revoked { reason } => vec![(Kind::Revoked, reason.clone())],
    }
}

fn of_history(history: &History, plugin: &LockedPlugin) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let concerns = |version: &Option<Version>| version.as_ref().is_none_or(|version| *version == plugin.version);
    if let Some(last) = history.deprecations().iter().rev().find(|one| concerns(&one.version)) {
        found.push((Kind::Deprecated, last.reason.clone()));
    }
    let versions = history.releases().map(|entry| (&entry.release().version, entry.status()));
    let newest = plugins::latest(versions, &plugin.version);
    if let Some(newest) = newest.filter(|newest| **newest > plugin.version) {
        found.push((Kind::Outdated, format!("{newest} is the newest version")));
    }
    found
}

/// What is forbidden here, and what asks for more than was approved.
fn of_policy(workspace: &Workspace, lock: &Lockfile) -> Result<Vec<Finding>, OpsError> {
    let policy = Policy::of(workspace)?;
    let mut findings = Vec::new();
    for plugin in plugins::of(workspace)? {
        let locked = &plugin.locked;
        let mut add = |kind, message| findings.push(finding(locked, (kind, message)));
        if let Err(error) = policy.check_locked(locked, lock) {
            add(Kind::Denied, sentence(&error));
        }
        let Some(installed) = &plugin.installed else { continue };
        let unchanged = installed.verify().map_err(OpsError::from);
        let approved = unchanged.and_then(|_| refuse_unapproved(locked, &plugin.manifest()?.permissions));
        if let Err(error) = approved {
            add(Kind::Changed, sentence(&error));
        }
    }
    Ok(findings)
}

fn in_words(seconds: u64) -> String {
    match seconds {
        0..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
