//! Who must have signed what: the user's keys, and `plugins.security.required_signers`.
//!
//! Each place speaks for itself and all must be content: a project cannot widen what the user demands.

use std::path::PathBuf;

use pocket_index::name::PluginName;
use pocket_index::signature::PublicKey;
use semver::Version;

use super::{OpsError, Workspace};
use crate::home::signers::{self, KnownSigners};
use crate::project::{LockedPlugin, Lockfile, MANIFEST_FILE};

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
        lock.plugins.iter().try_for_each(|plugin| self.check(plugin))
    }

    /// Refuses a plugin that is not allowed.
    ///
    /// # Errors
    /// What is demanded, and what was found.
    pub fn check(&self, plugin: &LockedPlugin) -> Result<(), OpsError> {
        self.check_signers(plugin)
    }

    fn check_signers(&self, plugin: &LockedPlugin) -> Result<(), OpsError> {
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
        let Some(Demand { place, keys, needed }) = self.demands(&plugin.name).into_iter().find(unmet) else {
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
        let signers = fingerprints(&plugin.signers);
        Err(PolicyError::OtherSigners { name, version, signers, place, wanted }.into())
    }

    fn demands(&self, name: &PluginName) -> Vec<Demand> {
        let of_user = self.signers.trusted_for(name).collect();
        let mut demands = vec![Demand { place: shown(signers::path(self.workspace.home())), keys: of_user, needed: 1 }];
        let files = [
            (self.workspace.user(), self.workspace.home().root().join(MANIFEST_FILE)),
            (self.workspace.project(), self.workspace.manifest_path()),
        ];
        for (file, path) in files {
            let required = file.plugins.security.required_signers.iter();
            let keys = required.filter(|(pattern, _)| pattern.matches(name)).flat_map(|(_, keys)| keys.clone());
            demands.push(Demand { place: shown(path), keys: keys.collect(), needed: 1 });
        }
        demands.retain(|demand| !demand.keys.is_empty());
        demands
    }
}

fn shown(path: PathBuf) -> String {
    format!("`{}`", path.display())
}

fn fingerprints(keys: &[PublicKey]) -> String {
    let shown: Vec<String> = keys.iter().map(|key| key.fingerprint().to_string()).collect();
    shown.join(", ")
}
