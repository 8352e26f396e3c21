//! `plugin verify`: every link from the bytes to the registry's checkpoint, or the first one that breaks.

use std::path::Path;

use pocket_index::archive;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::name::PluginName;
use pocket_index::package;
use pocket_index::record::Status;
use pocket_index::verify::{VerifiedRelease, VerifyError};
use reqwest::Url;
use semver::Version;

use super::install::locking::archive_for_host;
use super::plugins::WorkspacePlugin;
use super::{OpsError, Reach, Workspace, plugins};
use crate::project::{Basis, LockedPlugin, Source};
use crate::registry::{Http, Network, Registry, TransportError};

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

/// Verifies an archive, from a file or a URL, against the registry, or an installed plugin against lock and registry.
///
/// Without the network, every link must be on this machine: what an install leaves in the cache is enough.
///
/// # Errors
/// The link that breaks. A registry that does not know the plugin vouches for nothing, and that is an error too.
pub async fn verify(workspace: &Workspace, subject: &str, reach: &Reach) -> Result<Verified, OpsError> {
    if subject.starts_with("https://") || subject.starts_with("http://") {
        let bytes = download(workspace, subject, reach).await?;
        return verify_archive(workspace, subject, &bytes, reach).await;
    }
    if subject.contains('/') || subject.ends_with(".tar.gz") {
        let path = Path::new(subject);
        let bytes = std::fs::read(path).map_err(OpsError::io("read", path))?;
        return verify_archive(workspace, subject, &bytes, reach).await;
    }
    let name = subject.parse().map_err(|error| OpsError::Source {
        given: subject.to_owned(),
        reason: format!("{error}; or give the path or URL of an archive"),
    })?;
    verify_installed(workspace, &name, reach).await
}

/// The bytes of an archive on the web. A `#sha256=…` behind the URL is for `install`; here the registry vouches.
async fn download(workspace: &Workspace, subject: &str, reach: &Reach) -> Result<Vec<u8>, OpsError> {
    let unusable = |error| OpsError::Source { given: subject.to_owned(), reason: format!("{error}") };
    let mut url: Url = subject.parse().map_err(unusable)?;
    url.set_fragment(None);
    let cannot = |source| OpsError::Download { url: subject.to_owned(), source };
    if reach.network == Network::Offline {
        return Err(cannot(TransportError::Offline { url: subject.to_owned() }));
    }
    let content = Http::new().map_err(cannot)?.get(&url, limits(workspace, reach)?.archive, &mut |_, _| {}).await;
    Ok(content.map_err(cannot)?.into())
}

fn limits(workspace: &Workspace, reach: &Reach) -> Result<Limits, OpsError> {
    Ok(Limits::with_unpacked(workspace.registry(reach.registry.as_deref())?.max_unpacked))
}

async fn verify_archive(workspace: &Workspace, shown: &str, bytes: &[u8], reach: &Reach) -> Result<Verified, OpsError> {
    let refused = |source| OpsError::Archive { archive: shown.to_owned(), source: Box::new(source) };
    let limits = limits(workspace, reach)?;
    let read = archive::read(bytes, &limits).map_err(refused)?;
    let manifest = read.manifest().map_err(refused)?;
    let missing = missing_link(&manifest.name, &manifest.version);
    let registry = workspace.open_registry(reach).await.map_err(&missing)?;
    let release = published(&registry, &manifest.name, &manifest.version).await.map_err(&missing)?;
    let target = package::target_of(&manifest, &read);
    let unverified = |source: VerifyError| OpsError::Unverified { archive: shown.to_owned(), source: Box::new(source) };
    release.verify_archive(&target, bytes, &limits).map_err(unverified)?;
    let mut links = vec![format!("the archive's bytes are {}, as the release says", Digest::of(bytes))];
    links.extend(links_to_the_log(&registry, &release));
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
        Source::Registry(_) => {
            let missing = missing_link(name, &version);
            links.extend(links_from_the_lock(workspace, &plugin, reach).await.map_err(missing)?);
        }
        source => links.push(evidence(source, locked)),
    }
    Ok(Verified { name: name.clone(), version, links })
}

/// From the lock over the signed event to the registry's checkpoint.
async fn links_from_the_lock(
    workspace: &Workspace,
    plugin: &WorkspacePlugin,
    reach: &Reach,
) -> Result<Vec<String>, OpsError> {
    let locked = &plugin.locked;
    let Source::Registry(registry) = &locked.source else { return Ok(Vec::new()) };
    let (lock, _) = workspace.read_lock()?.unwrap_or_default();
    let named = workspace.registry_named(registry, Some(&lock))?;
    let registry = workspace.open_named(&named, Some(&lock), reach.network).await?.registry;
    let release = published(&registry, &locked.name, &locked.version).await?;
    let differs = |locked_value: String, found: String| OpsError::LockDiffers {
        name: locked.name.clone(),
        version: locked.version.clone(),
        locked: locked_value,
        found,
    };
    let found = release.entry().line();
    match locked.basis {
        Basis::Log(event) if event.digest == found => {}
        Basis::Log(event) => return Err(differs(event.digest.to_string(), found.to_string())),
        _ => return Err(differs("nothing".to_owned(), found.to_string())),
    }
    let mut links = vec![format!("the lock names the event {found}, as the registry does")];
    links.push(link_to_the_event(plugin, &release, differs)?);
    links.extend(links_to_the_log(&registry, &release));
    Ok(links)
}

/// The files must be those that were signed, and not only those that the lock names: anybody can edit a lock.
fn link_to_the_event(
    plugin: &WorkspacePlugin,
    release: &VerifiedRelease,
    differs: impl Fn(String, String) -> OpsError,
) -> Result<String, OpsError> {
    let tree = plugin.installed()?.tree();
    let target = archive_for_host(&plugin.locked).map(|archive| &archive.target);
    let signed = release.entry().release().archives.iter().find(|archive| Some(&archive.target) == target);
    match signed {
        Some(archive) if archive.tree == tree => {
            Ok(format!("the event promises these files for `{}`, in the archive {}", archive.target, archive.sha256))
        }
        Some(archive) => Err(differs(tree.to_string(), archive.tree.to_string())),
        None => Err(differs(tree.to_string(), "nothing".to_owned())),
    }
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

/// The release in the registry, verified.
async fn published(registry: &Registry, name: &PluginName, version: &Version) -> Result<VerifiedRelease, OpsError> {
    let place = registry.location().to_string();
    let unknown = |what: &str| OpsError::NoEvidence {
        subject: format!("`{name}` {version}"),
        reason: format!("the registry {place} {what}"),
    };
    let history = registry.history(name).await?.ok_or_else(|| unknown("has no such plugin"))?;
    let entry = history.release(version).ok_or_else(|| unknown("has no such version"))?;
    if let Status::Revoked { reason } = entry.status() {
        registry.remember()?;
        let (name, version, reason) = (name.clone(), version.clone(), reason.clone());
        return Err(OpsError::Revoked { name, version, reason, source: None });
    }
    let release = registry.release(&history, version).await?;
    registry.remember()?;
    Ok(release)
}

/// From the signed event to the checkpoint.
fn links_to_the_log(registry: &Registry, release: &VerifiedRelease) -> Vec<String> {
    let entry = release.entry();
    let signers: Vec<String> = entry.signers().iter().map(|key| key.fingerprint().to_string()).collect();
    let head = registry.checkpoint().head();
    vec![
        format!("the release is signed by {}", signers.join(" and ")),
        format!(
            "it is entry {} of the log of {}: its inclusion proof leads to the root",
            entry.log(),
            registry.location()
        ),
        format!(
            "the log's checkpoint has {} entries and the root {}, signed by {}",
            head.size,
            head.root,
            registry.log_key().public().fingerprint()
        ),
    ]
}

/// Without the network, what is not on this machine is a link that is missing, and not a trouble that passes.
fn missing_link(name: &PluginName, version: &Version) -> impl Fn(OpsError) -> OpsError + use<> {
    let subject = format!("`{name}` {version}");
    move |error| match error {
        OpsError::Registry(source) if source.is_offline() => OpsError::MissingLink { subject: subject.clone(), source },
        error => error,
    }
}
