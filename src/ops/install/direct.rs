//! Archives that the project names itself: by URL with a digest, or as a file.

use std::path::Path;

use bytes::Bytes;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::name::{PluginName, RegistryName};
use pocket_index::package;
use pocket_index::record::{ArchiveRecord, Release};
use pocket_index::verify::VerifiedArchive;
use reqwest::Url;

use super::Request;
use super::records::World;
use super::wanted::exactly;
use crate::ops::{OpsError, Workspace};
use crate::project::{Dependency, DependencySource, Source as LockedSource};
use crate::registry::{ArchiveCache, Http, Network, TransportError};
use crate::resolve::{Candidate, Details, Origin, PackageName, Status};

/// Fetches, verifies and adds an archive by URL.
pub async fn add_url(
    workspace: &Workspace,
    request: &Request,
    world: &mut World<'_>,
    url: &Url,
    digest: Option<Digest>,
    default: &RegistryName,
) -> Result<(PluginName, Dependency), OpsError> {
    let content = read_url(workspace, request, url, digest).await?;
    let found = Digest::of(&content);
    // Without a digest nobody vouches for the bytes. The message names the one they have, to be compared and typed.
    let digest = digest.ok_or_else(|| OpsError::NoDigest { url: url.to_string(), found })?;
    let archive = verify(url.as_str(), &content, digest, &world.own_limits())?;
    ArchiveCache::at(&workspace.home().cache())
        .write(digest, &content)
        .map_err(|source| OpsError::Download { url: url.to_string(), source })?;
    let source = DependencySource::Url { url: url.to_string(), sha256: Some(digest) };
    add(world, archive, &content, source, Origin::Direct(url.to_string()), default)
}

/// Reads, verifies and adds an archive on this machine.
pub fn add_file(
    workspace: &Workspace,
    world: &mut World<'_>,
    path: &Path,
    default: &RegistryName,
) -> Result<(PluginName, Dependency), OpsError> {
    let content = std::fs::read(path).map_err(OpsError::io("read", path))?;
    let shown = path.display().to_string();
    let archive = verify(&shown, &content, Digest::of(&content), &world.own_limits())?;
    let relative = relative_to(workspace.root(), path);
    let origin = path_origin(&relative);
    add(world, archive, &content, DependencySource::Path(relative), origin, default)
}

/// Adds an archive that `pocket.yaml` names already.
pub async fn add_known(
    workspace: &Workspace,
    request: &Request,
    world: &mut World<'_>,
    name: &PluginName,
    source: &DependencySource,
    default: &RegistryName,
) -> Result<(), OpsError> {
    let (found, _) = match source {
        DependencySource::Registry(_) => return Ok(()),
        DependencySource::Url { url, sha256 } => {
            let parsed: Url =
                url.parse().map_err(|error| OpsError::Source { given: url.clone(), reason: format!("{error}") })?;
            add_url(workspace, request, world, &parsed, *sha256, default).await?
        }
        DependencySource::Path(path) => add_file(workspace, world, &workspace.root().join(path), default)?,
    };
    if found == *name {
        return Ok(());
    }
    let given = LockedSource::wanted(source, default).to_string();
    Err(OpsError::Source { given, reason: format!("it is the plugin `{found}`, `pocket.yaml` calls it `{name}`") })
}

/// A path as the lock and the resolver know it.
pub fn path_origin(path: &str) -> Origin {
    super::records::origin(&LockedSource::path(path))
}

async fn read_url(
    workspace: &Workspace,
    request: &Request,
    url: &Url,
    digest: Option<Digest>,
) -> Result<Bytes, OpsError> {
    let cannot = |source| OpsError::Download { url: url.to_string(), source };
    if let Some(digest) = digest
        && let Some(content) = ArchiveCache::at(&workspace.home().cache()).read(digest).map_err(cannot)?
    {
        return Ok(content);
    }
    if request.reach.network == Network::Offline {
        return Err(cannot(TransportError::Offline { url: url.to_string() }));
    }
    let http = Http::new().map_err(cannot)?;
    http.get(url, Limits::default().archive, &mut |_, _| {}).await.map_err(cannot)
}

fn verify(shown: &str, content: &[u8], digest: Digest, limits: &Limits) -> Result<VerifiedArchive, OpsError> {
    VerifiedArchive::from_pinned_digest(content, digest, limits)
        .map_err(|source| OpsError::Unverified { archive: shown.to_owned(), source: Box::new(source) })
}

fn add(
    world: &mut World<'_>,
    archive: VerifiedArchive,
    content: &[u8],
    source: DependencySource,
    origin: Origin,
    default: &RegistryName,
) -> Result<(PluginName, Dependency), OpsError> {
    let manifest = archive.manifest();
    let target = package::target_of(manifest, archive.archive());
    let record = ArchiveRecord::describe(manifest, target, content, archive.archive());
    let release = Release::describe(manifest, vec![record]);
    let details = Details::from_release(&release, default)
        .map_err(|error| OpsError::Source { given: origin.to_string(), reason: error.to_string() })?;
    let (name, version) = (manifest.name.clone(), manifest.version.clone());
    let package = PackageName { name: name.clone(), origin };
    let candidate = Candidate { version: version.clone(), status: Status::Available, published_at: 0 };
    world.add_direct(package, candidate, details, archive);
    Ok((name, Dependency { requirement: exactly(&version), source }))
}

/// The path from the project's folder, with `/` between its parts: the same on every machine that has the project.
fn relative_to(root: &Path, path: &Path) -> String {
    let absolute = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let (root, path) = (absolute(root), absolute(path));
    let common = root.components().zip(path.components()).take_while(|(one, other)| one == other).count();
    let up = root.components().skip(common).map(|_| "..".to_owned());
    let down = path.components().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    let relative: Vec<String> = up.chain(down).collect();
    let relative = relative.join("/");
    if relative.starts_with("../") { relative } else { format!("./{relative}") }
}
