//! `plugin verify`: every link from the bytes to the registry's checkpoint, or the first one that breaks.

use std::path::Path;

use pocket_index::archive;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::name::PluginName;
use pocket_index::package;
use pocket_index::verify::VerifyError;
use semver::Version;

use super::{OpsError, Reach, Workspace, plugins};
use crate::project::{Basis, LockedPlugin, Source};
use crate::registry::Registry;

/// A plugin or archive that verified, and what it was verified by.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Each link of the chain, in words.
    pub links: Vec<String>,
}

/// Verifies an archive's file against the registry, or an installed plugin against lock and registry.
///
/// # Errors
/// The link that breaks. A registry that does not know the plugin vouches for nothing, and that is an error too.
pub async fn verify(workspace: &Workspace, subject: &str, reach: &Reach) -> Result<Verified, OpsError> {
    let path = Path::new(subject);
    if subject.contains('/') || subject.ends_with(".tar.gz") {
        return verify_file(workspace, path, reach).await;
    }
    let name = subject.parse().map_err(|error| OpsError::Source {
        given: subject.to_owned(),
        reason: format!("{error}; or give the path of an archive"),
    })?;
    verify_installed(workspace, &name, reach).await
}

async fn verify_file(workspace: &Workspace, path: &Path, reach: &Reach) -> Result<Verified, OpsError> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(OpsError::io("read", path))?;
    let refused = |source| OpsError::Archive { archive: shown.clone(), source: Box::new(source) };
    let limits = Limits::with_unpacked(workspace.registry(reach.registry.as_deref())?.max_unpacked);
    let read = archive::read(bytes.as_slice(), &limits).map_err(refused)?;
    let manifest = read.manifest().map_err(refused)?;
    let registry = workspace.open_registry(reach).await?;
    let (release, mut links) = published(&registry, &manifest.name, &manifest.version).await?;
    let target = package::target_of(&manifest, &read);
    let unverified = |source: VerifyError| OpsError::Unverified { archive: shown.clone(), source: Box::new(source) };
    release.verify_archive(&target, &bytes, &limits).map_err(unverified)?;
    links.insert(0, format!("the archive's bytes are {}, as the release says", Digest::of(&bytes)));
    Ok(Verified { name: manifest.name, version: manifest.version, links })
}

async fn verify_installed(workspace: &Workspace, name: &PluginName, reach: &Reach) -> Result<Verified, OpsError> {
    let plugin = plugins::named(workspace, name)?;
    let installed = plugin.installed()?;
    installed.verify()?;
    let locked = &plugin.locked;
    let version = locked.version.clone();
    let mut links = vec![format!("the installed files are {}, as the lock says", installed.tree())];
    match &locked.source {
        Source::Registry(registry) => {
            let (lock, _) = workspace.read_lock()?.unwrap_or_default();
            let named = workspace.registry_named(registry, Some(&lock))?;
            let registry = workspace.open_named(&named, Some(&lock), reach.network).await?.registry;
            let (release, more) = published(&registry, name, &version).await?;
            let found = release.entry().line();
            let expected = match locked.basis {
                Basis::Log(event) => Some(event.digest),
                _ => None,
            };
            if expected != Some(found) {
                let locked = expected.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
                return Err(OpsError::LockDiffers { name: name.clone(), version, locked, found: found.to_string() });
            }
            links.push(format!("the lock names the event {found}, as the registry does"));
            links.extend(more);
        }
        source => links.push(evidence(source, locked)),
    }
    Ok(Verified { name: name.clone(), version, links })
}

/// What was checked when a plugin that comes from no registry was installed.
fn evidence(source: &Source, locked: &LockedPlugin) -> String {
    match locked.basis {
        Basis::Signature => {
            let signers: Vec<String> = locked.signers.iter().map(|key| key.fingerprint().to_string()).collect();
            format!("its release at {source} was signed by {}", signers.join(" and "))
        }
        Basis::Digest => format!("its archive came from {source} with the digest that was given"),
        Basis::Once => format!("its archive came from {source}, and was trusted once by whoever made the lock"),
        _ => format!("its files are the project's own: {source}; nobody else vouches for them"),
    }
}

/// The release in the registry, verified, with the links that hold it.
async fn published(
    registry: &Registry,
    name: &PluginName,
    version: &Version,
) -> Result<(pocket_index::verify::VerifiedRelease, Vec<String>), OpsError> {
    let place = registry.location().to_string();
    let unknown = |what: String| OpsError::NoEvidence {
        subject: format!("`{name}` {version}"),
        reason: format!("the registry {place} {what}"),
    };
    let history = registry.history(name).await?.ok_or_else(|| unknown("has no such plugin".to_owned()))?;
    if history.release(version).is_none() {
        return Err(unknown("has no such version".to_owned()));
    }
    let release = registry.release(&history, version).await?;
    registry.remember()?;
    let entry = release.entry();
    let signers: Vec<String> = entry.signers().iter().map(|key| key.fingerprint().to_string()).collect();
    let head = registry.checkpoint().head();
    let links = vec![
        format!("the release is signed by {}", signers.join(" and ")),
        format!("it is entry {} of the log of {place}", entry.log()),
        format!(
            "the log's checkpoint has {} entries and the root {}, signed by {}",
            head.size,
            head.root,
            registry.log_key().public().fingerprint()
        ),
    ];
    Ok((release, links))
}
