//! `plugin verify`: every link from the bytes to the registry's checkpoint, or the first one that breaks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pocket_index::archive;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::name::{PluginName, RegistryName, Target};
use pocket_index::package;
use pocket_index::record::Status;
use pocket_index::time::UtcTime;
use pocket_index::verify::{VerifiedRelease, VerifyError};
use reqwest::Url;
use semver::Version;

use super::install::{edited, locking};
use super::local::looks_like_a_plugin;
use super::plugins::WorkspacePlugin;
use super::{OpsError, Reach, Workspace, plugins};
use crate::project::{Basis, LockedPlugin, Lockfile, Source};
use crate::registry::{Access, Http, Network, Registry, Staleness, TransportError};

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
    let path = Path::new(subject);
    // A bare word is the name of a plugin, also where a folder is called so.
    if looks_like_a_plugin(path) && (subject.contains('/') || path.is_file()) {
        return verify_in_place(workspace, path, reach.network).await;
    }
    if subject.contains('/') || subject.ends_with(".tar.gz") {
        let bytes = std::fs::read(path).map_err(OpsError::io("read", path))?;
        return verify_archive(workspace, subject, &bytes, reach).await;
    }
    let name = subject.parse().map_err(|error| OpsError::Source {
        given: subject.to_owned(),
        reason: format!("{error}; or give the path or URL of an archive"),
    })?;
    verify_installed(workspace, &name, reach.network).await
}

/// Verifies every plugin of the lock, as [`verify`] does for one. `tell` hears of each one that breaks but the first, which is the
/// error.
///
/// # Errors
/// The first plugin of the lock with a link that breaks. No lock vouches for nothing.
pub async fn verify_all(
    workspace: &Workspace,
    network: Network,
    tell: &dyn Fn(&OpsError),
) -> Result<Vec<Verified>, OpsError> {
    let mut chain = Chain::new(workspace, network)?;
    let plugins = plugins::of(workspace)?;
    let mut verified = Vec::new();
    let mut first = None;
    for (plugin, digested) in plugins.iter().zip(digest_all(&plugins)) {
        let links = match digested {
            Ok(()) => chain.links(plugin).await,
            Err(error) => Err(error),
        };
        match links {
            Ok(one) => verified.push(one),
            Err(error) if first.is_none() => first = Some(error),
            Err(error) => tell(&error),
        }
    }
    match first {
        Some(error) => Err(error),
        None => chain.remember().map(|()| verified),
    }
}

/// Digests the installed files of all plugins, as many at once as there are processors.
fn digest_all(plugins: &[WorkspacePlugin]) -> Vec<Result<(), OpsError>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let work = || loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let Some(plugin) = plugins.get(place) else { return };
        let result = plugin.installed().and_then(|installed| Ok(installed.verify().map(drop)?));
        results.lock().expect("no holder of this lock panics").insert(place, result);
    };
    let workers = thread::available_parallelism().map_or(2, usize::from).min(plugins.len());
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    results.into_inner().expect("no holder of this lock panics").into_values().collect()
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
    registry.remember()?;
    let target = package::target_of(&manifest, &read);
    let unverified = |source: VerifyError| OpsError::Unverified { archive: shown.to_owned(), source: Box::new(source) };
    release.verify_archive(&target, bytes, &limits).map_err(unverified)?;
    let mut links = vec![format!("the archive's bytes are {}, as the release says", Digest::of(bytes))];
    links.extend(links_to_the_log(&registry, &release));
    Ok(Verified { name: manifest.name, version: manifest.version, links })
}

/// A file or folder that stands alone. Signatures are made for whole archives, so somebody vouches for it only if an installed plugin
/// has the same code.
async fn verify_in_place(workspace: &Workspace, path: &Path, network: Network) -> Result<Verified, OpsError> {
    let subject = format!("`{}`", path.display());
    let reason = "signatures are made for archives, and no plugin that is installed here has this code".to_owned();
    if path.is_dir() {
        return Err(OpsError::NoEvidence { subject, reason });
    }
    let digest = Digest::of(&std::fs::read(path).map_err(OpsError::io("read", path))?);
    for plugin in plugins::of(workspace)? {
        let (Ok(installed), Ok(manifest)) = (plugin.installed(), plugin.manifest()) else { continue };
        let Some(code) = manifest.binary_for(&Target::host()) else { continue };
        // A file that cannot be read is another one.
        if std::fs::read(installed.root().join(code)).is_ok_and(|bytes| Digest::of(&bytes) == digest) {
            let mut verified = verify_installed(workspace, &plugin.locked.name, network).await?;
            verified.links.insert(0, format!("{subject} is `{code}` of the installed plugin, {digest}"));
            return Ok(verified);
        }
    }
    Err(OpsError::NoEvidence { subject, reason })
}

async fn verify_installed(workspace: &Workspace, name: &PluginName, network: Network) -> Result<Verified, OpsError> {
    let plugin = plugins::named(workspace, name)?;
    plugin.installed()?.verify()?;
    let mut chain = Chain::new(workspace, network)?;
    let verified = chain.links(&plugin).await?;
    chain.remember()?;
    Ok(verified)
}

/// What the plugins of one lock are held against. Each registry is opened once.
struct Chain<'a> {
    workspace: &'a Workspace,
    network: Network,
    lock: Lockfile,
    registries: BTreeMap<RegistryName, Registry>,
}

impl<'a> Chain<'a> {
    fn new(workspace: &'a Workspace, network: Network) -> Result<Self, OpsError> {
        let Some((lock, _)) = workspace.read_lock()? else {
            let (subject, lock) = ("what is installed".to_owned(), workspace.lock_path());
            return Err(OpsError::NoEvidence { subject, reason: format!("there is no `{}`", lock.display()) });
        };
        Ok(Self { workspace, network, lock, registries: BTreeMap::new() })
    }

    /// The links of a plugin whose installed files are those of its lock.
    async fn links(&mut self, plugin: &WorkspacePlugin) -> Result<Verified, OpsError> {
        let locked = &plugin.locked;
        let (name, version) = (locked.name.clone(), locked.version.clone());
        let mut links = vec![format!("the installed files are {}, as the lock says", plugin.installed()?.tree())];
        match &locked.source {
            Source::Registry(registry) => {
                let missing = missing_link(&name, &version);
                links.extend(self.links_from_the_lock(plugin, registry).await.map_err(missing)?);
            }
            source => links.push(evidence(source, locked)),
        }
        Ok(Verified { name, version, links })
    }

    /// From the lock over the signed event to the registry's checkpoint.
    async fn links_from_the_lock(
        &mut self,
        plugin: &WorkspacePlugin,
        name: &RegistryName,
    ) -> Result<Vec<String>, OpsError> {
        let locked = &plugin.locked;
        self.open(name).await?;
        let registry = &self.registries[name];
        let release = published(registry, &locked.name, &locked.version).await?;
        // Anybody can edit a lock: what it says must be what was signed, to the last permission.
        edited::refuse(&locking::of_release(name, &release), Some(&self.lock))?;
        let mut links = vec![format!("the lock names the event {}, as the registry does", release.entry().line())];
        links.push(link_to_the_event(plugin, &release)?);
        links.extend(links_to_the_log(registry, &release));
        Ok(links)
    }

    fn remember(&self) -> Result<(), OpsError> {
        Ok(self.registries.values().try_for_each(Registry::remember)?)
    }

    async fn open(&mut self, name: &RegistryName) -> Result<(), OpsError> {
        if !self.registries.contains_key(name) {
            let named = self.workspace.registry_named(name, Some(&self.lock))?;
            let access = Access::new(self.network, Staleness::Told);
            let registry = self.workspace.open_named(&named, Some(&self.lock), access).await?;
            self.registries.insert(name.clone(), registry);
        }
        Ok(())
    }
}

/// The files must be those that were signed, and not only those that the lock names.
fn link_to_the_event(plugin: &WorkspacePlugin, release: &VerifiedRelease) -> Result<String, OpsError> {
    let tree = plugin.installed()?.tree();
    let target = locking::archive_for_host(&plugin.locked).map(|archive| &archive.target);
    let signed = release.entry().release().archives.iter().find(|archive| Some(&archive.target) == target);
    let found = match signed {
        Some(archive) if archive.tree == tree => {
            let (target, digest) = (&archive.target, archive.sha256);
            return Ok(format!("the event promises these files for `{target}`, in the archive {digest}"));
        }
        Some(archive) => archive.tree.to_string(),
        None => "nothing".to_owned(),
    };
    let (name, version, locked) = (plugin.locked.name.clone(), plugin.locked.version.clone(), tree.to_string());
    Err(OpsError::LockDiffers { name, version, locked, found })
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
        let (name, version, reason) = (name.clone(), version.clone(), reason.clone());
        return Err(OpsError::Revoked { name, version, reason, source: None });
    }
    Ok(registry.release(&history, version).await?)
}

/// From the signed event to the checkpoint.
fn links_to_the_log(registry: &Registry, release: &VerifiedRelease) -> Vec<String> {
    let entry = release.entry();
    let signers: Vec<String> = entry.signers().iter().map(|key| key.fingerprint().to_string()).collect();
    let head = registry.checkpoint().head();
    let mut links = vec![
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
        match registry.signed_at() {
            Some(signed) => format!("the log says that it signed it at {}", UtcTime(signed)),
            None => "the log does not say when it signed it".to_owned(),
        },
    ];
    links.extend(registry.witnessed().iter().map(|seen| {
        let (name, key) = (seen.key.name(), seen.key.public().fingerprint());
        format!("the witness `{name}` ({key}) saw that checkpoint at {}", UtcTime(seen.time))
    }));
    links
}

/// Without the network, what is not on this machine is a link that is missing, and not a trouble that passes.
fn missing_link(name: &PluginName, version: &Version) -> impl Fn(OpsError) -> OpsError + use<> {
    let subject = format!("`{name}` {version}");
    move |error| match error {
        OpsError::Registry(source) if source.is_offline() => OpsError::MissingLink { subject: subject.clone(), source },
        error => error,
    }
}
