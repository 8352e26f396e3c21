//! `plugin vendor`: copies of everything that is locked, to install from without a network.
//!
//! `FOLDER/<registry>/` is a part of that registry in its own layout, verified like the whole; `FOLDER/archives/` holds what
//! came from URLs, by digest.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::log::TreeHead;
use pocket_index::name::{PluginName, RegistryName};
use pocket_index::verify::VerifiedRelease;
use semver::Version;

use super::locking::{self, Planned};
use super::records::World;
use super::wanted::Wanted;
use super::{Observer, Request, recoveries, refuse_change};
use crate::home::atomic;
use crate::ops::workspace::locked_head;
use crate::ops::{OpsError, Reach, Workspace};
use crate::project::{Basis, Lockfile};
use crate::registry::{ArchiveCache, Location};
use crate::resolve::Origin;

/// The file that says that a folder was made by `plugin vendor`.
const MARK: &str = "vendor.txt";
const MARK_TEXT: &str =
    "Copies of plugins, made by `pocket plugin vendor`. Do not edit: every file is verified when it is used.\n";

/// What was copied.
#[derive(Debug, Clone)]
pub struct Vendored {
    /// The folder.
    pub folder: PathBuf,
    /// The plugins.
    pub plugins: Vec<(PluginName, Version)>,
    /// Plugins that need no copy: they come with the program, or stand in the project.
    pub skipped: Vec<(PluginName, Version)>,
}

/// Copies everything that is locked into `folder`. What an earlier call copied and is not needed any more is removed.
///
/// # Errors
/// The lock does not fit `pocket.yaml`, the folder holds something else, or a file cannot be had, verified or written.
pub async fn vendor(
    workspace: &Workspace,
    folder: &Path,
    reach: Reach,
    observer: &dyn Observer,
) -> Result<Vendored, OpsError> {
    refuse_other_content(folder)?;
    let old = workspace.read_lock()?;
    let (lock, text) = old.as_ref().map(|(lock, text)| (Some(lock), Some(text.as_str()))).unwrap_or_default();
    let request = Request { locking: super::Locking::Locked, extent: super::Extent::Plan, ..Request::new(reach) };
    let mut world = World::new(workspace, &request, lock, observer);
    let wanted = Wanted::collect(workspace, &request, &mut world).await?;
    let resolution = world.resolve(&wanted.needs()).await?;
    let planned = locking::plan(&mut world, &resolution, lock).await?;
    world.remember()?;
    recoveries::tell(&world, planned.iter().map(|one| &one.package), lock);
    refuse_change(workspace, text, &locking::lock(&world, &planned, lock).to_text())?;

    write_mark(folder)?;
    let mut files = BTreeSet::from([PathBuf::from(MARK)]);
    for name in world.names() {
        files.extend(copy_registry(&world, &name, &planned, lock, folder).await?);
    }
    files.extend(copy_direct(workspace, &planned, folder)?);
    remove_others(folder, folder, &files)?;
    let label = |one: &Planned| (one.locked.name.clone(), one.locked.version.clone());
    let (skipped, copied): (Vec<_>, Vec<_>) = planned.iter().partition(|one| needs_no_copy(&world, one));
    Ok(Vendored {
        folder: folder.to_owned(),
        plugins: copied.into_iter().map(label).collect(),
        skipped: skipped.into_iter().map(label).collect(),
    })
}

fn needs_no_copy(world: &World<'_>, planned: &Planned) -> bool {
    match &planned.package.origin {
        Origin::Registry(name) => world.registry(name).is_some_and(|one| *one.location() == Location::Bundled),
        Origin::Direct(_) => planned.locked.basis == Basis::Local,
    }
}

async fn copy_registry(
    world: &World<'_>,
    name: &RegistryName,
    planned: &[Planned],
    lock: Option<&Lockfile>,
    folder: &Path,
) -> Result<BTreeSet<PathBuf>, OpsError> {
    let registry = world.registry(name).expect("it is one of the world's registries");
    let of_registry = |one: &&Planned| one.package.origin == Origin::Registry(name.clone());
    let releases: Vec<&VerifiedRelease> =
        planned.iter().filter(of_registry).filter_map(|one| one.release.as_ref()).collect();
    if *registry.location() == Location::Bundled || releases.is_empty() {
        return Ok(BTreeSet::new());
    }
    let head: Option<TreeHead> = lock.and_then(|lock| lock.registry(name)).and_then(locked_head);
    let files = registry.copy(&releases, head.as_ref(), &folder.join(name.as_str()), &world.limits(name)).await?;
    Ok(files.into_iter().map(|file| Path::new(name.as_str()).join(file)).collect())
}

/// Archives from URLs. They were just read, so the cache has them.
fn copy_direct(workspace: &Workspace, planned: &[Planned], folder: &Path) -> Result<BTreeSet<PathBuf>, OpsError> {
    let (cache, copies) = (ArchiveCache::at(&workspace.home().cache()), ArchiveCache::at(folder));
    let mut files = BTreeSet::new();
    let from_urls = planned
        .iter()
        .filter(|one| matches!(one.package.origin, Origin::Direct(_)) && one.locked.basis != Basis::Local);
    for archive in from_urls.flat_map(|one| &one.locked.archives) {
        let cannot = |source| OpsError::Download { url: archive.file.clone(), source };
        let Some(content) = cache.read(archive.sha256).map_err(cannot)? else { continue };
        copies.write(archive.sha256, &content).map_err(cannot)?;
        files.insert(copies.path(archive.sha256).strip_prefix(folder).expect("it is below the folder").to_owned());
    }
    Ok(files)
}

/// A folder with other things in it is not ours to tidy.
fn refuse_other_content(folder: &Path) -> Result<(), OpsError> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(OpsError::io("read", folder)(error)),
    };
    if is_empty || folder.join(MARK).is_file() {
        return Ok(());
    }
    Err(OpsError::FolderInUse { path: folder.to_owned() })
}

fn write_mark(folder: &Path) -> Result<(), OpsError> {
    let path = folder.join(MARK);
    atomic::replace_file(&path, MARK_TEXT.as_bytes()).map(drop).map_err(OpsError::io("write", &path))
}

fn remove_others(root: &Path, folder: &Path, keep: &BTreeSet<PathBuf>) -> Result<(), OpsError> {
    for entry in fs::read_dir(folder).map_err(OpsError::io("read", folder))? {
        let entry = entry.map_err(OpsError::io("read", folder))?;
        let path = entry.path();
        if entry.file_type().map_err(OpsError::io("read", &path))?.is_dir() {
            remove_others(root, &path, keep)?;
            // Left alone while something stands in it.
            let _ = fs::remove_dir(&path);
        } else if path.strip_prefix(root).is_ok_and(|relative| !keep.contains(relative)) {
            fs::remove_file(&path).map_err(OpsError::io("remove", &path))?;
        }
    }
    Ok(())
}
