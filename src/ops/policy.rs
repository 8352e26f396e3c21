//! What may be used here: who must have signed what, as the user, the project and the organisation say, and where the
//! organisation lets plugins come from.
//!
//! Each place speaks for itself and all must be content: a project cannot widen what the user demands.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pocket_index::manifest::Runtime;
use pocket_index::name::PluginName;
use pocket_index::permissions::{Permissions, Word};
use pocket_index::signature::PublicKey;
use semver::Version;

use super::install::entries;
use super::organisation::Organisation;
use super::workspace::NamedRegistry;
use super::{OpsError, Workspace};
use crate::home::signers::{self, KnownSigners};
use crate::project::{LockedPlugin, Lockfile, Source};
use crate::registry::{DemandedWitnesses, RegistryError};

/// A plugin that a policy refuses.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Everybody who signed it was revoked.
    #[error("`{name}` {version} is signed by {signers} only, which `{}` revokes{}", file.display(), because(reason))]
    Revoked {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// The fingerprints of those who signed.
        signers: String,
        /// Where the revocation stands.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// Somebody else signed it.
    #[error("`{name}` {version} is signed by {signers}, and {place} wants {wanted}")]
    OtherSigners {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// The fingerprints of those who signed.
        signers: String,
        /// Who wants it otherwise.
        place: String,
        /// Whose signatures are wanted, by fingerprint.
        wanted: String,
    },
    /// It comes from elsewhere than the organisation allows.
    #[error("`{origin}` may not be used: `{}` allows {allowed}", file.display())]
    Origin {
        /// The registry's place, or the address.
        origin: String,
        /// The organisation's file.
        file: PathBuf,
        /// What it allows.
        allowed: String,
    },
    /// A registry has another key than the organisation says.
    #[error("the registry `{registry}` has the key {found}, `{}` says {wanted}", file.display())]
    RegistryKey {
        /// The registry's place.
        registry: String,
        /// The key that it shows, or that configuration or lock have.
        found: String,
        /// The organisation's file.
        file: PathBuf,
        /// The key that it must have.
        wanted: String,
    },
    /// A file denies what it needs.
    #[error("`{name}` {version} needs {what}, which `{}` denies", file.display())]
    Denied {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// The runtime or the permission.
        what: String,
        /// The file that denies it: the user's, the project's or the organisation's.
        file: PathBuf,
    },
    /// Nobody signed it.
    #[error("`{name}` {version} from `{origin}` is signed by nobody, and {place} wants {wanted}")]
    Unsigned {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Version,
        /// Where it comes from.
        origin: String,
        /// Who wants it otherwise.
        place: String,
        /// Whose signatures are wanted, by fingerprint.
        wanted: String,
    },
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// What is demanded of plugins here.
#[derive(Debug)]
pub struct Policy<'a> {
    workspace: &'a Workspace,
    signers: KnownSigners,
}

/// What policies judge: a locked plugin, or one that is used where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a PluginName,
    /// Its version.
    pub version: &'a Version,
    /// Where it comes from.
    pub source: &'a Source,
    /// What runs it.
    pub runtime: Runtime,
    /// What it asks for.
    pub permissions: &'a Permissions,
    /// Whose signatures were checked.
    pub signers: &'a [PublicKey],
}

impl<'a> From<&'a LockedPlugin> for Subject<'a> {
    fn from(plugin: &'a LockedPlugin) -> Self {
        let LockedPlugin { name, version, source, runtime, permissions, signers, .. } = plugin;
        Self { name, version, source, runtime: *runtime, permissions, signers }
    }
}

/// What one place demands for one name.
struct Demand {
    place: String,
    keys: Vec<PublicKey>,
    needed: usize,
}

impl<'a> Policy<'a> {
    /// What the user and the project say.
    ///
    /// # Errors
    /// The user's keys cannot be read.
    pub fn of(workspace: &'a Workspace) -> Result<Self, OpsError> {
        Ok(Self { workspace, signers: signers::read(workspace.home())? })
    }

    /// Refuses a lock with a plugin that is not allowed.
    ///
    /// # Errors
    /// The first such plugin, and what is demanded of it.
    pub fn check_lock(&self, lock: &Lockfile) -> Result<(), OpsError> {
        lock.plugins.iter().try_for_each(|plugin| self.check_locked(plugin, lock))
    }

    /// The same for a plugin that is taken as the lock has it, without asking its registry.
    ///
    /// # Errors
    /// What is demanded, and what was found.
    pub fn check_locked(&self, plugin: &LockedPlugin, lock: &Lockfile) -> Result<(), OpsError> {
        let is_limited = self.workspace.organisation().is_some_and(Organisation::limits_registries);
        if let (true, Source::Registry(name)) = (is_limited, &plugin.source) {
            // Where the files came from, whatever the name stands for today.
            let named = match lock.registry(name) {
                Some(locked) => NamedRegistry::of_lock(locked)?,
                None => self.workspace.registry_named(name, Some(lock))?,
            };
            demanded_key(self.workspace, &named)?;
        }
        self.check(plugin)
    }

    /// Refuses a plugin that is not allowed.
    ///
    /// # Errors
    /// What is demanded, and what was found.
    pub fn check<'s>(&self, plugin: impl Into<Subject<'s>>) -> Result<(), OpsError> {
        let plugin = plugin.into();
        if let Some(organisation) = self.workspace.organisation() {
            check_organisation(organisation, &plugin)?;
        }
        for (file, path) in self.workspace.files() {
            let security = &file.plugins.security;
            check_denied(&plugin, &security.denied_runtimes, &security.denied_permissions, path)?;
        }
        self.check_signers(&plugin)
    }

    fn check_signers(&self, plugin: &Subject<'_>) -> Result<(), OpsError> {
        let (name, version) = (plugin.name.clone(), plugin.version.clone());
        let (revoked, valid): (Vec<PublicKey>, Vec<PublicKey>) =
            plugin.signers.iter().partition(|&&key| self.signers.revocation(key).is_some());
        if let (Some(first), []) = (revoked.first(), valid.as_slice()) {
            let reason = self.signers.revocation(*first).map(|revoked| revoked.reason.clone()).unwrap_or_default();
            let file = signers::path(self.workspace.home());
            let signers = fingerprints(&revoked);
            return Err(PolicyError::Revoked { name, version, signers, file, reason }.into());
        }
        let unmet = |demand: &Demand| demand.keys.iter().filter(|key| valid.contains(key)).count() < demand.needed;
        let Some(Demand { place, keys, needed }) = self.demands(plugin.name).into_iter().find(unmet) else {
            return Ok(());
        };
        let wanted = match (keys.as_slice(), needed) {
            ([one], _) => fingerprints(&[*one]),
            (several, needed) => format!("{needed} of {}", fingerprints(several)),
        };
        if plugin.signers.is_empty() {
            let origin = plugin.source.to_string();
            return Err(PolicyError::Unsigned { name, version, origin, place, wanted }.into());
        }
        let signers = fingerprints(plugin.signers);
        Err(PolicyError::OtherSigners { name, version, signers, place, wanted }.into())
    }

    fn demands(&self, name: &PluginName) -> Vec<Demand> {
        let of_user = self.signers.trusted_for(name).collect();
        let mut demands = vec![Demand { place: shown(signers::path(self.workspace.home())), keys: of_user, needed: 1 }];
        for (file, path) in self.workspace.files() {
            let required = file.plugins.security.required_signers.iter();
            let keys = required.filter(|(pattern, _)| pattern.matches(name)).flat_map(|(_, keys)| keys.clone());
            demands.push(Demand { place: shown(path), keys: keys.collect(), needed: 1 });
        }
        let organisation = self.workspace.organisation();
        if let Some((organisation, publishers)) =
            organisation.and_then(|one| Some((one, one.rules.publishers_of(name)?)))
        {
            let (keys, needed) = (publishers.keys.clone(), publishers.min_signatures);
            demands.push(Demand { place: shown(organisation.path.clone()), keys, needed });
        }
        demands.retain(|demand| !demand.keys.is_empty());
        demands
    }
}

fn check_organisation(organisation: &Organisation, plugin: &Subject<'_>) -> Result<(), OpsError> {
    let file = organisation.path.clone();
    if organisation.limits_registries() && matches!(plugin.source, Source::Url(_) | Source::Release(_)) {
        let (origin, allowed) = (plugin.source.to_string(), organisation.allowed_places());
        return Err(PolicyError::Origin { origin, file, allowed }.into());
    }
    check_denied(plugin, &organisation.rules.denied_runtimes, &organisation.rules.denied_permissions, file)
}

/// What the lock tells of a plugin is enough for this, so that it holds at a run as well.
fn check_denied(
    plugin: &Subject<'_>,
    runtimes: &BTreeSet<Runtime>,
    permissions: &BTreeSet<Word>,
    file: PathBuf,
) -> Result<(), OpsError> {
    let runtime = runtimes.contains(&plugin.runtime).then(|| format!("the runtime `{}`", plugin.runtime));
    let asked = entries(plugin.permissions);
    let permission = asked.iter().find(|entry| permissions.contains(&entry.word));
    let permission = permission.map(|entry| format!("the permission `{}`", entry.word));
    let Some(what) = runtime.or(permission) else { return Ok(()) };
    Err(PolicyError::Denied { name: plugin.name.clone(), version: plugin.version.clone(), what, file }.into())
}

/// The key that the organisation says a registry has; none where it says nothing.
///
/// # Errors
/// The registry may not be used, or another key is configured or locked for it.
pub fn demanded_key(workspace: &Workspace, named: &NamedRegistry) -> Result<Option<String>, OpsError> {
    let Some(organisation) = workspace.organisation().filter(|one| one.limits_registries()) else { return Ok(None) };
    let (registry, file) = (named.location.to_string(), organisation.path.clone());
    let Some(allowed) = organisation.allowed(&named.location) else {
        return Err(PolicyError::Origin { origin: registry, file, allowed: organisation.allowed_places() }.into());
    };
    match (&named.key, &allowed.key) {
        (Some(found), Some(wanted)) if found != wanted => {
            let (found, wanted) = (found.clone(), wanted.clone());
            Err(PolicyError::RegistryKey { registry, found, file, wanted }.into())
        }
        _ => Ok(allowed.key.clone()),
    }
}

/// The witnesses that user, project and organisation each demand of a registry's checkpoint.
pub fn demanded_witnesses(workspace: &Workspace, named: &NamedRegistry) -> Vec<DemandedWitnesses> {
    let mut demanded: Vec<DemandedWitnesses> = Vec::new();
    for (file, path) in workspace.files() {
        let demand = file.plugins.security.witnesses.clone();
        demanded.extend(demand.map(|demand| DemandedWitnesses { place: shown(path), demand }));
    }
    if let Some(organisation) = workspace.organisation() {
        let of_registry = organisation.allowed(&named.location).and_then(|allowed| allowed.witnesses.clone());
        let demand = of_registry.or_else(|| organisation.rules.witnesses.clone());
        let place = shown(organisation.path.clone());
        demanded.extend(demand.map(|demand| DemandedWitnesses { place, demand }));
    }
    demanded
}

/// A registry that shows another key than the organisation says. Another error stays as it is.
pub fn other_key(workspace: &Workspace, error: RegistryError) -> OpsError {
    match (error, workspace.organisation()) {
        (RegistryError::KeyChanged { registry, pinned, found, .. }, Some(organisation)) => {
            let file = organisation.path.clone();
            PolicyError::RegistryKey { registry, found, file, wanted: pinned }.into()
        }
        (error, _) => error.into(),
    }
}

fn shown(path: PathBuf) -> String {
    format!("`{}`", path.display())
}

fn fingerprints(keys: &[PublicKey]) -> String {
    let shown: Vec<String> = keys.iter().map(|key| key.fingerprint().to_string()).collect();
    shown.join(", ")
}
