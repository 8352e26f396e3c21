//! A release on a forge: found by its API, or taken from the lock.

use std::collections::BTreeSet;

use bytes::Bytes;
use pocket_index::archive::{archive_file_name, release_file_name};
use pocket_index::digest::Digest;
use pocket_index::name::{PluginName, Target};
use pocket_index::repository::Repository;
use semver::{Version, VersionReq};

use super::error::DirectError;
use super::{Direct, DirectArchive, locked, verify};
use crate::ops::install::Locking;
use crate::ops::install::locking::archive_for;
use crate::ops::install::records::World;
use crate::ops::install::wanted::exactly;
use crate::ops::{OpsError, forges};
use crate::project::{LockedPlugin, Source as LockedSource};
use crate::registry::forge::{Asset, Forge, ForgeError, ForgeRelease, Wanted, version_of_tag};
use crate::registry::{Network, TransportError};

/// A release that is asked for.
pub struct Asked<'q> {
    /// Whose.
    pub repository: &'q Repository,
    /// Which; none keeps what is locked.
    pub wanted: Option<&'q Wanted>,
    /// The plugin, if `pocket.yaml` names it.
    pub plugin: Option<&'q PluginName>,
    /// The digests that were typed.
    pub digests: &'q [Digest],
}

/// A release with what is in it of one plugin.
pub(super) struct Found {
    pub forge: Forge,
    pub repository: Repository,
    pub tag: String,
    pub plugin: PluginName,
    pub version: Version,
    /// Its archives.
    pub archives: Vec<(Target, Asset)>,
    /// The file that signs them all.
    pub signature: Option<Asset>,
    /// Every asset's name.
    pub names: Vec<String>,
}

impl Direct<'_> {
    /// Adds a release: the locked one where that will do, else the one that the forge names, with its evidence.
    ///
    /// # Errors
    /// There is no such release or no archive in it, or nothing vouches for it.
    pub async fn add_release(&self, world: &mut World<'_>, asked: &Asked<'_>) -> Result<PluginName, OpsError> {
        let source = LockedSource::Release(asked.repository.clone());
        let locked = locked(world, &source, asked.plugin).filter(|plugin| self.will_do(plugin, asked));
        let direct = match locked {
            Some(plugin) => self.take_locked(world, asked.repository, plugin).await?,
            None => self.take_released(world, asked, &source).await?,
        };
        self.add(world, direct, &source)
    }

    /// Whether the locked release is what is asked for. A page's `latest` asks anew.
    fn will_do(&self, plugin: &LockedPlugin, asked: &Asked<'_>) -> bool {
        let fits = match asked.wanted {
            None => true,
            Some(Wanted::Version(requirement)) => requirement.matches(&plugin.version),
            Some(Wanted::Tag(tag)) => version_of_tag(tag).as_ref() == Some(&plugin.version),
            Some(Wanted::Latest) => self.locking == Locking::Locked,
        };
        let has_digest = || plugin.archives.iter().any(|archive| asked.digests.contains(&archive.sha256));
        let may_leave = self.freedom.frees(&plugin.name) && self.approver.is_some();
        fits && (asked.digests.is_empty() || has_digest()) && !may_leave
    }

    /// The archive that the lock names. The forge's API is not asked: what it says could be another thing today.
    async fn take_locked(
        &self,
        world: &World<'_>,
        repository: &Repository,
        plugin: &LockedPlugin,
    ) -> Result<DirectArchive, OpsError> {
        let no_archive = || DirectError::NoLockedArchive {
            name: plugin.name.clone(),
            target: self.target.clone(),
            available: plugin.archives.iter().map(|archive| archive.target.clone()).collect(),
        };
        let archive = archive_for(plugin, &self.target).ok_or_else(no_archive)?;
        if !plugin.signers.is_empty() {
            self.check_signers(world, repository, &plugin.signers)?;
        }
        let place = archive.url.clone().unwrap_or_default();
        let url =
            place.parse().map_err(|error| OpsError::Source { given: place.clone(), reason: format!("{error}") })?;
        let content = match self.read_url(&url, Some(archive.sha256)).await {
            // A private repository hides its files from those who show no token.
            Err(OpsError::Download { source: TransportError::NotFound { .. }, .. }) if self.has_token(repository) => {
                self.through_api(repository, plugin, &archive.file).await?
            }
            content => content?,
        };
        let verified = verify(&place, &content, archive.sha256, &self.limits)?;
        self.keep(&url, archive.sha256, &content)?;
        let (archives, signers) = (plugin.archives.clone(), plugin.signers.clone());
        Ok(DirectArchive { archive: verified, archives, basis: plugin.basis, signers })
    }

    async fn take_released(
        &self,
        world: &World<'_>,
        asked: &Asked<'_>,
        source: &LockedSource,
    ) -> Result<DirectArchive, OpsError> {
        if self.locking == Locking::Locked {
            return Err(OpsError::LockStale {
                lock: self.workspace.lock_path(),
                manifest: self.workspace.manifest_path(),
                reason: format!("no release of `{}` that will do is in it", asked.repository),
            });
        }
        let found = self.find(asked).await?;
        // A release that is locked needs no new evidence, and another one under its version is not taken.
        let known = locked(world, source, Some(&found.plugin)).filter(|plugin| plugin.version == found.version);
        if let Some(plugin) = known.filter(|_| asked.digests.is_empty()) {
            return self.take_locked(world, asked.repository, plugin).await;
        }
        match &found.signature {
            Some(signature) => self.add_signed(world, &found, signature, asked.digests).await,
            None => self.add_unsigned(world, &found, asked.digests).await,
        }
    }

    async fn find(&self, asked: &Asked<'_>) -> Result<Found, OpsError> {
        let forge = self.forge(asked.repository)?;
        let release = forge.release(asked.repository, asked.wanted.unwrap_or(&Wanted::Latest), asked.plugin).await;
        let release = release.map_err(|error| refused(asked.repository, error))?;
        let (repository, tag) = (asked.repository.clone(), release.tag.clone());
        let Some(version) = release.version.clone() else {
            return Err(DirectError::NoVersion { repository, tag }.into());
        };
        let plugin = plugin_of(&release, asked, &version)?;
        let archives = release.archives().into_iter().filter(|(name, ..)| *name == plugin);
        let archives = archives.map(|(_, target, asset)| (target, asset.clone())).collect();
        let signature = release.asset(&release_file_name(&plugin, &version)).cloned();
        let names = release.assets.iter().map(|asset| asset.name.clone()).collect();
        Ok(Found { forge, repository, tag, plugin, version, archives, signature, names })
    }

    /// The highest released version of a plugin that will do; none if there is none, or if nobody may be asked.
    ///
    /// # Errors
    /// The forge does not answer as it should.
    pub async fn newest(
        &self,
        repository: &Repository,
        plugin: &PluginName,
        requirement: &VersionReq,
    ) -> Result<Option<Version>, OpsError> {
        if self.network == Network::Offline {
            return Ok(None);
        }
        let wanted = Wanted::Version(requirement.clone());
        match self.forge(repository)?.release(repository, &wanted, Some(plugin)).await {
            Ok(release) => Ok(release.version),
            Err(ForgeError::NoMatch { .. } | ForgeError::NoRelease { .. } | ForgeError::OnlyPrereleases { .. }) => {
                Ok(None)
            }
            Err(error) => Err(refused(repository, error)),
        }
    }

    fn forge(&self, repository: &Repository) -> Result<Forge, OpsError> {
        let host = repository.host().to_owned();
        let no_forge = || DirectError::NoForge { host: host.clone(), file: self.workspace.manifest_path() };
        let access = forges::access(self.workspace, &host)?.ok_or_else(no_forge)?;
        if self.network == Network::Offline {
            let url = access.api.to_string();
            return Err(OpsError::Download { url: repository.to_string(), source: TransportError::Offline { url } });
        }
        Forge::new(access).map_err(|error| refused(repository, error.into()))
    }

    fn has_token(&self, repository: &Repository) -> bool {
        let access = forges::access(self.workspace, repository.host());
        matches!(access, Ok(Some(access)) if access.token.is_some())
    }

    async fn through_api(&self, repository: &Repository, plugin: &LockedPlugin, file: &str) -> Result<Bytes, OpsError> {
        let forge = self.forge(repository)?;
        let wanted = Wanted::Version(exactly(&plugin.version));
        let refused = |error| refused(repository, error);
        let release = forge.release(repository, &wanted, Some(&plugin.name)).await.map_err(refused)?;
        let asset = release.asset(file).ok_or_else(|| no_asset(repository, &release, file.to_owned()))?;
        forge.download(asset, self.limits.archive, &mut |_, _| {}).await.map_err(refused)
    }
}

impl Found {
    /// The asset for a target: its own, else the one that runs everywhere.
    ///
    /// # Errors
    /// There is none.
    pub fn archive_for(&self, host: &Target) -> Result<&(Target, Asset), OpsError> {
        let exact = self.archives.iter().find(|(target, _)| target == host);
        let found = exact.or_else(|| self.archives.iter().find(|(target, _)| target.is_any()));
        found.ok_or_else(|| self.no_asset(archive_file_name(&self.plugin, &self.version, host)))
    }

    /// The asset of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn asset(&self, file: &str) -> Result<&Asset, OpsError> {
        let found = self.archives.iter().find(|(_, asset)| asset.name == file);
        found.map(|(_, asset)| asset).ok_or_else(|| self.no_asset(file.to_owned()))
    }

    /// Fetches an asset. What the forge says of its digest must hold, although it proves nothing.
    pub async fn download(&self, asset: &Asset, limit: u64) -> Result<Bytes, OpsError> {
        let content = self.forge.download(asset, limit, &mut |_, _| {}).await;
        let content = content.map_err(|error| refused(&self.repository, error))?;
        let found = Digest::of(&content);
        match asset.digest.filter(|said| *said != found) {
            Some(said) => Err(DirectError::ForgeDigest { asset: asset.name.clone(), said, found }.into()),
            None => Ok(content),
        }
    }

    fn no_asset(&self, expected: String) -> OpsError {
        let (repository, tag, found) = (self.repository.clone(), self.tag.clone(), self.names.clone());
        DirectError::NoAsset { repository, tag, expected, found }.into()
    }
}

/// Which plugin of a release is meant: the one that `pocket.yaml` names, the only one, or the one that the repository is named
/// after.
fn plugin_of(release: &ForgeRelease, asked: &Asked<'_>, version: &Version) -> Result<PluginName, OpsError> {
    let names: BTreeSet<PluginName> = release.archives().into_iter().map(|(name, ..)| name).collect();
    let repository = asked.repository;
    if let Some(plugin) = asked.plugin {
        let expected = || expected_name(plugin.as_str(), version);
        return if names.contains(plugin) {
            Ok(plugin.clone())
        } else {
            Err(no_asset(repository, release, expected()))
        };
    }
    let own = repository.name().to_ascii_lowercase();
    let own = own.strip_prefix("pocket-plugin-").or_else(|| own.strip_prefix("pocket-")).unwrap_or(&own);
    match (names.len(), names.first()) {
        (1, Some(only)) => Ok(only.clone()),
        (_, None) => Err(no_asset(repository, release, expected_name(own, version))),
        _ => names.get(own).cloned().ok_or_else(|| {
            let plugins = names.iter().map(ToString::to_string).collect();
            DirectError::SeveralPlugins { repository: repository.clone(), tag: release.tag.clone(), plugins }.into()
        }),
    }
}

fn expected_name(plugin: &str, version: &Version) -> String {
    format!("{plugin}-{version}.tar.gz` or `{plugin}-{version}-{}.tar.gz", Target::host())
}

fn no_asset(repository: &Repository, release: &ForgeRelease, expected: String) -> OpsError {
    let found = release.assets.iter().map(|asset| asset.name.clone()).collect();
    DirectError::NoAsset { repository: repository.clone(), tag: release.tag.clone(), expected, found }.into()
}

fn refused(repository: &Repository, error: ForgeError) -> OpsError {
    DirectError::Forge { repository: repository.clone(), source: Box::new(error) }.into()
}
