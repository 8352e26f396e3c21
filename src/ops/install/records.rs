//! The world as the resolver sees it: the registries' records, fetched as they are needed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use pocket_index::digest::Digest;
use pocket_index::log::NodeHash;
use pocket_index::name::{RegistryName, Target};
use pocket_index::record::{History, Status as EventStatus};
use semver::Version;

use super::direct::DirectArchive;
use super::origins::OriginError;
use super::rules::{cooldowns, rules};
use super::{Approver, Observer, Request, Step};
use crate::ops::workspace::NamedRegistry;
use crate::ops::{OpsError, Workspace};
use crate::project::{Lockfile, Source};
use crate::registry::{Location, Network, Opened, Registry, RegistryError};
use crate::resolve::{
    self, Candidate, Details, Lookup, Need, Origin, PackageName, PackageVersion, RecordSource, Records, Resolution,
    ResolveError, Status, Unreadable,
};

/// The registries in use, and what was read from them so far.
pub struct World<'a> {
    workspace: &'a Workspace,
    rules: resolve::Request,
    target: Target,
    takes_copies: bool,
    network: Network,
    lock: Option<&'a Lockfile>,
    observer: &'a dyn Observer,
    approver: Option<&'a dyn Approver>,
    registries: BTreeMap<RegistryName, (Registry, NamedRegistry)>,
    histories: BTreeMap<PackageName, History>,
    direct: BTreeMap<PackageName, DirectArchive>,
    known: Known,
}

/// Records with the names that were looked up, so that what is missing differs from what was not asked for yet.
#[derive(Default)]
struct Known {
    records: Records,
    fetched: BTreeSet<PackageName>,
}

impl RecordSource for Known {
    fn candidates(&self, package: &PackageName) -> Lookup<'_> {
        if self.fetched.contains(package) { self.records.candidates(package) } else { Lookup::Pending }
    }

    fn details(&self, package: &PackageName, position: usize) -> Result<&Details, Unreadable> {
        self.records.details(package, position)
    }
}

impl<'a> World<'a> {
    pub fn new(
        workspace: &'a Workspace,
        request: &Request,
        lock: Option<&'a Lockfile>,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            workspace,
            rules: rules(workspace, request, lock),
            target: request.target(),
            takes_copies: request.takes_copies(),
            network: request.reach.network,
            lock,
            observer,
            approver: None,
            registries: BTreeMap::new(),
            histories: BTreeMap::new(),
            direct: BTreeMap::new(),
            known: Known::default(),
        }
    }

    /// The same with somebody who may be asked.
    pub fn asking(self, approver: &'a dyn Approver) -> Self {
        Self { approver: Some(approver), ..self }
    }

    /// Who may be asked; none where nothing is to be changed.
    pub fn approver(&self) -> Option<&'a dyn Approver> {
        self.approver
    }

    /// Adds an archive that the project names itself; it is the only version there.
    pub fn add_direct(&mut self, package: PackageName, candidate: Candidate, details: Details, archive: DirectArchive) {
        self.known.fetched.insert(package.clone());
        self.known.records.add(package.clone(), candidate, details);
        self.direct.insert(package, archive);
    }

    /// The archive that the project names itself.
    pub fn direct(&self, package: &PackageName) -> Option<&DirectArchive> {
        self.direct.get(package)
    }

    /// The lock as it was.
    pub fn lock(&self) -> Option<&'a Lockfile> {
        self.lock
    }

    /// An opened registry.
    pub fn registry(&self, name: &RegistryName) -> Option<&Registry> {
        self.registries.get(name).map(|(registry, _)| registry)
    }

    /// The opened registries.
    pub fn registries(&self) -> impl Iterator<Item = &Registry> {
        self.registries.values().map(|(registry, _)| registry)
    }

    /// The history that a resolved plugin was chosen from.
    pub fn history(&self, package: &PackageName) -> Option<&History> {
        self.histories.get(package)
    }

    /// The names of the opened registries.
    pub fn names(&self) -> Vec<RegistryName> {
        self.registries.keys().cloned().collect()
    }

    /// What a version needs; none if its records were not fetched.
    pub fn needs_of(&self, release: &PackageVersion) -> Option<Vec<Need>> {
        let Lookup::Known(candidates) = self.known.candidates(&release.package) else { return None };
        let position = candidates.iter().position(|candidate| candidate.version == release.version)?;
        self.known.details(&release.package, position).ok().map(|details| details.dependencies.clone())
    }

    /// Fetches the records of those of these plugins that no resolution asked for.
    pub async fn fetch_missing(&mut self, packages: &BTreeSet<PackageName>) -> Result<(), OpsError> {
        let is_missing = |package: &&PackageName| matches!(self.known.candidates(package), Lookup::Pending);
        let missing = packages.iter().filter(is_missing).cloned().collect();
        self.fetch_records(missing).await
    }

    /// What the plugins are unpacked for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Who hears what happens.
    pub fn observer(&self) -> &dyn Observer {
        self.observer
    }

    /// Uses a registry that was named on the command line.
    pub async fn use_registry(&mut self, named: NamedRegistry) -> Result<(), OpsError> {
        let opened = self.open(&named).await?;
        if let Some(fingerprint) = &opened.first_seen {
            let registry = named.location.to_string();
            self.observer.step(Step::MetRegistry { registry, fingerprint });
        }
        self.registries.insert(named.name.clone(), (opened.registry, named));
        Ok(())
    }

    /// Opens a registry that may have moved since it was locked: it must still be the same log.
    async fn open(&self, named: &NamedRegistry) -> Result<Opened, OpsError> {
        let url = named.location.to_string();
        let locked = self.lock.and_then(|lock| lock.registry(&named.name)).filter(|locked| locked.url != url);
        let copy = if self.takes_copies { self.workspace.copy_of(named)? } else { None };
        let opening = self.workspace.open_copied(named, copy, self.lock, self.network);
        let Some(locked) = locked else { return opening.await };
        let moved = || OriginError::Moved { name: named.name.clone(), locked: locked.url.clone(), url: url.clone() };
        // The bundled one comes with the program and has nothing to compare with.
        if named.location == Location::Bundled || matches!(locked.url.parse(), Ok(Location::Bundled)) {
            return Err(moved().into());
        }
        let opened = opening.await.map_err(|error| match error {
            OpsError::Registry(cause) if matches!(*cause, RegistryError::KeyChanged { .. }) => moved().into(),
            other => other,
        })?;
        let text = format!("the registry `{}` is at {url} now, the lock knows it at {}", named.name, locked.url);
        self.observer.step(Step::Warning { text });
        Ok(opened)
    }

    /// Chooses versions, fetching records until none is missing.
    pub async fn resolve(&mut self, needs: &[Need]) -> Result<Resolution, OpsError> {
        loop {
            let request = self.request(needs);
            match resolve::resolve(&request, &self.known) {
                Err(ResolveError::NeedRecords(packages)) => self.fetch_records(packages).await?,
                outcome => return outcome.map_err(OpsError::Resolve),
            }
        }
    }

    fn request(&self, needs: &[Need]) -> resolve::Request {
        let registries = self.registries.iter().map(|(name, (_, named))| (name, named.min_release_age));
        resolve::Request { roots: needs.to_vec(), cooldown: cooldowns(registries).collect(), ..self.rules.clone() }
    }

    async fn fetch_records(&mut self, packages: BTreeSet<PackageName>) -> Result<(), OpsError> {
        for package in &packages {
            if let Origin::Registry(name) = &package.origin
                && !self.registries.contains_key(name)
            {
                let named = self.workspace.registry_named(name, self.lock)?;
                self.use_registry(named).await?;
            }
        }
        let fetches = packages.into_iter().map(|package| async {
            let history = match &package.origin {
                Origin::Registry(name) => self.registries[name].0.history(&package.name).await?,
                // A direct archive is added before anything is resolved; another one does not exist.
                Origin::Direct(_) => None,
            };
            Ok::<_, OpsError>((package, history))
        });
        for (package, history) in try_join_all(fetches).await? {
            self.add_history(package, history);
        }
        Ok(())
    }

    fn add_history(&mut self, package: PackageName, history: Option<History>) {
        self.known.fetched.insert(package.clone());
        let (Some(history), Origin::Registry(registry)) = (history, &package.origin) else { return };
        for entry in history.releases() {
            // A dependency on a registry whose name is none makes the version unusable, not the plugin.
            let Ok(details) = Details::from_release(entry.release(), registry) else { continue };
            let status = match entry.status() {
                EventStatus::Available => Status::Available,
                EventStatus::Yanked { .. } => Status::Yanked,
                EventStatus::Revoked { .. } => Status::Revoked,
            };
            let candidate = Candidate { version: entry.release().version.clone(), status, published_at: entry.at() };
            self.known.records.add(package.clone(), candidate, details);
        }
        self.histories.insert(package, history);
    }
}

/// Where a locked plugin comes from, in the resolver's words.
pub fn origin(source: &Source) -> Origin {
    match source {
        Source::Registry(name) => Origin::Registry(name.clone()),
        Source::Url(place) | Source::Path(place) => Origin::Direct(place.clone()),
        Source::Release(repository) => Origin::Direct(repository.to_string()),
    }
}

/// A root hash as a lock writes it.
pub fn root_digest(root: NodeHash) -> Digest {
    Digest::from_bytes(*root.as_bytes())
}

/// The release of a history, for messages about what was passed over.
pub fn yanked_reason(history: &History, version: &Version) -> Option<String> {
    match history.release(version)?.status() {
        EventStatus::Yanked { reason } => Some(reason.clone()),
        _ => None,
    }
}
