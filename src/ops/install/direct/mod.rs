//! Plugins that the project names itself: a forge's release, an archive by its URL, files on this machine.
//!
//! Each comes to the resolver as the only version of its origin, verified. What vouches for it is decided here: a digest that
//! was typed or locked, a signature, the user's yes for this one time, or that it is the project's own.

mod error;
mod local;
mod pins;
mod release;
mod signed;
pub mod standalone;
mod unsigned;
mod url;

use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::name::{PluginName, RegistryName, Target};
use pocket_index::package;
use pocket_index::record::Release;
use pocket_index::signature::PublicKey;
use pocket_index::verify::VerifiedArchive;

use super::records::World;
use super::wanted::exactly;
use super::{Approver, Freedom, Locking, Request};
use crate::ops::{OpsError, Workspace};
use crate::project::{Basis, Dependency, DependencySource, LockedArchive, LockedPlugin, Source as LockedSource};
use crate::registry::Network;
use crate::registry::forge::Wanted;
use crate::resolve::{Candidate, Details, Origin, PackageName, Status};

pub use error::{DirectError, Unvouched};
pub use local::is_unchanged;
pub use release::Asked;

/// What every direct source needs to know of this install.
pub struct Direct<'a> {
    pub workspace: &'a Workspace,
    pub locking: Locking,
    network: Network,
    /// What the plugins are unpacked for.
    target: Target,
    /// How large the archives may be.
    limits: Limits,
    /// Who may be asked. Without anybody nothing new is taken: what is locked stays.
    approver: Option<&'a dyn Approver>,
    /// Plugins whose source is asked again although the lock has them: what an update is for.
    freedom: &'a Freedom,
    /// The registry of dependencies that name none.
    default: RegistryName,
}

/// An archive for the machine that is installed for, and what the lock will say of all of its release.
#[derive(Debug, Clone)]
pub struct DirectArchive {
    /// The archive for that machine.
    pub archive: VerifiedArchive,
    /// Every target's archive.
    pub archives: Vec<LockedArchive>,
    /// What vouches for them.
    pub basis: Basis,
    /// Whose signatures were checked.
    pub signers: Vec<PublicKey>,
}

impl<'a> Direct<'a> {
    pub fn new(workspace: &'a Workspace, request: &'a Request, world: &World<'a>, default: RegistryName) -> Self {
        Self {
            workspace,
            locking: request.locking,
            network: request.reach.network,
            target: request.target(),
            limits: request.own_limits(),
            approver: world.approver(),
            freedom: &request.freedom,
            default,
        }
    }

    /// Adds what `pocket.yaml` names already.
    pub async fn add_known(
        &self,
        world: &mut World<'_>,
        name: &PluginName,
        dependency: &Dependency,
    ) -> Result<(), OpsError> {
        let found = match &dependency.source {
            DependencySource::Registry(_) => return Ok(()),
            DependencySource::Url { url, sha256 } => {
                let parsed = url.parse();
                let parsed =
                    parsed.map_err(|error| OpsError::Source { given: url.clone(), reason: format!("{error}") })?;
                self.add_url(world, &parsed, *sha256).await?.0
            }
            DependencySource::Path(path) => self.add_known_path(world, name, path)?,
            DependencySource::Release(repository) => {
                let requirement = match self.freedom {
                    Freedom::Precise(one, version) if one == name => exactly(version),
                    _ => dependency.requirement.clone(),
                };
                let wanted = Wanted::Version(requirement);
                let asked = Asked { repository, wanted: Some(&wanted), plugin: Some(name), digests: &[] };
                self.add_release(world, &asked).await?
            }
        };
        if found == *name {
            return Ok(());
        }
        let given = LockedSource::wanted(&dependency.source, &self.default).to_string();
        Err(OpsError::Source { given, reason: format!("it is the plugin `{found}`, `pocket.yaml` calls it `{name}`") })
    }

    /// Puts a verified archive before the resolver.
    fn add(&self, world: &mut World<'_>, direct: DirectArchive, source: &LockedSource) -> Result<PluginName, OpsError> {
        let origin = super::records::origin(source);
        let manifest = direct.archive.manifest();
        let mut details = Details::from_release(&Release::describe(manifest, Vec::new()), &self.default)
            .map_err(|error| OpsError::Source { given: source.to_string(), reason: error.to_string() })?;
        details.targets = direct.archives.iter().map(|archive| archive.target.clone()).collect();
        let (name, version) = (manifest.name.clone(), manifest.version.clone());
        let package = PackageName { name: name.clone(), origin };
        let candidate = Candidate { version, status: Status::Available, published_at: 0 };
        world.add_direct(package, candidate, details, direct);
        Ok(name)
    }
}

/// A path as the lock and the resolver know it.
pub fn path_origin(path: &str) -> Origin {
    super::records::origin(&LockedSource::path(path))
}

/// The plugin of the lock that comes from `source`; of `name` if that is known.
fn locked<'l>(world: &World<'l>, source: &LockedSource, name: Option<&PluginName>) -> Option<&'l LockedPlugin> {
    let plugins = world.lock().into_iter().flat_map(|lock| &lock.plugins);
    plugins
        .filter(|plugin| plugin.source == *source && name.is_none_or(|name| plugin.name == *name))
        .max_by_key(|plugin| &plugin.version)
}

/// Checks an archive against the digest that it must have.
fn verify(shown: &str, content: &[u8], digest: Digest, limits: &Limits) -> Result<VerifiedArchive, OpsError> {
    VerifiedArchive::from_pinned_digest(content, digest, limits)
        .map_err(|source| OpsError::Unverified { archive: shown.to_owned(), source: Box::new(source) })
}

/// What the lock says of an archive.
fn locked_archive(archive: &VerifiedArchive) -> LockedArchive {
    let manifest = archive.manifest();
    let target = package::target_of(manifest, archive.archive());
    let file = pocket_index::archive::archive_file_name(&manifest.name, &manifest.version, &target);
    LockedArchive::new(target, file, archive.size(), archive.digest(), archive.tree())
}
