//! The world as the resolver sees it: the registries' records, fetched as they are needed.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use pocket_index::digest::Digest;
use pocket_index::limits::Limits;
use pocket_index::log::NodeHash;
use pocket_index::name::{RegistryName, Target};
use pocket_index::record::{Outline, Status as EventStatus};
use semver::{Version, VersionReq};

use super::direct::DirectArchive;
use super::known::Known;
use super::locking::Planned;
use super::origins::OriginError;
use super::revoked;
use super::rules::{cooldowns, rules};
use super::{Approver, Observer, Request, Step};
use crate::ops::workspace::NamedRegistry;
use crate::ops::{OpsError, Workspace};
use crate::project::{Lockfile, Source};
use crate::registry::{Access, Location, Network, Opened, Registry, RegistryError};
use crate::resolve::{
    self, Candidate, Details, Foresight, Lookup, Need, Origin, PackageName, PackageVersion, RecordSource, Resolution,
    ResolveError,
};

/// Plugins, and what is asked of each as far as it is known.
type Wanted = BTreeMap<PackageName, Vec<VersionReq>>;

/// The registries in use, and what was read from them so far.
pub struct World<'a> {
    workspace: &'a Workspace,
    rules: resolve::Request,
    target: Target,
    max_unpacked: Option<u64>,
    takes_copies: bool,
    access: Access,
    lock: Option<&'a Lockfile>,
    observer: &'a dyn Observer,
    approver: Option<&'a dyn Approver>,
    registries: BTreeMap<RegistryName, (Registry, NamedRegistry)>,
    direct: BTreeMap<PackageName, DirectArchive>,
    known: Known,
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
            max_unpacked: request.max_unpacked,
            takes_copies: request.is_plain(),
            access: Access::new(request.reach.network, request.staleness()),
            lock,
            observer,
            approver: None,
            registries: BTreeMap::new(),
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
        self.known.add_direct(package.clone(), candidate, details);
        self.direct.insert(package, archive);
    }

    /// The archive that the project names itself.
    pub fn direct(&self, package: &PackageName) -> Option<&DirectArchive> {
        self.direct.get(package)
    }

    /// Where the verb works.
    pub fn workspace(&self) -> &'a Workspace {
        self.workspace
    }

    /// The lock as it was.
    pub fn lock(&self) -> Option<&'a Lockfile> {
        self.lock
    }

    /// Remembers what the registries showed.
    pub fn remember(&self) -> Result<(), OpsError> {
        Ok(self.registries().try_for_each(Registry::remember)?)
    }

    /// An opened registry.
    pub fn registry(&self, name: &RegistryName) -> Option<&Registry> {
        self.registries.get(name).map(|(registry, _)| registry)
    }

    /// The opened registries.
    pub fn registries(&self) -> impl Iterator<Item = &Registry> {
        self.registries.values().map(|(registry, _)| registry)
    }

    /// Refuses what would come anew from a registry that is too old to choose from. What the lock holds may be had from it.
    ///
    /// # Errors
    /// The first of the chosen plugins that the lock does not hold, and whose registry is too old.
    pub fn refuse_stale_choices(&self, chosen: &[Planned]) -> Result<(), OpsError> {
        if self.access.network == Network::Offline {
            return Ok(());
        }
        for plugin in chosen.iter().map(|one| &one.locked) {
            let held = self.lock.and_then(|lock| lock.plugin(&plugin.name, &plugin.version, &plugin.source));
            if let (None, Source::Registry(name)) = (held, &plugin.source)
                && let Some(registry) = self.registry(name)
            {
                registry.require_fresh()?;
            }
        }
        Ok(())
    }

    /// What the registry says of a plugin that was fetched.
    pub fn outline(&self, package: &PackageName) -> Option<&Outline> {
        self.known.outline(package)
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

    /// How large the archives of a registry may be.
    pub fn limits(&self, registry: &RegistryName) -> Limits {
        let configured = self.registries.get(registry).and_then(|(_, named)| named.max_unpacked);
        Limits::with_unpacked(self.max_unpacked.or(configured))
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
        for notice in &opened.notices {
            self.observer.step(Step::Warning { text: notice.to_string() });
        }
        self.registries.insert(named.name.clone(), (opened.registry, named));
        Ok(())
    }

    /// Opens a registry that may have moved since it was locked: it must still be the same log.
    async fn open(&self, named: &NamedRegistry) -> Result<Opened, OpsError> {
        let url = named.location.to_string();
        let locked = self.lock.and_then(|lock| lock.registry(&named.name)).filter(|locked| locked.url != url);
        let copy = if self.takes_copies { self.workspace.copy_of(named)? } else { None };
        let opening = self.workspace.open_copied(named, copy, self.lock, self.access);
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
        self.fetch_foreseen(needs).await?;
        loop {
            let request = self.request(needs);
            let outcome = resolve::resolve(&request, &self.known);
            self.refuse_records()?;
            match outcome {
                Err(ResolveError::NeedRecords(packages)) => self.fetch_records(packages).await?,
                outcome => return outcome.map_err(|error| revoked::or_unresolved(self, needs, error)),
            }
        }
    }

    /// Fetches what will probably be needed: level by level of the graph, each level at once.
    async fn fetch_foreseen(&mut self, needs: &[Need]) -> Result<(), OpsError> {
        let mut foresight = Foresight::new(&self.request(needs));
        loop {
            // A registry that was just opened may have a rule of its own.
            let next = foresight.advance(&self.request(needs), &self.known);
            self.refuse_records()?;
            if next.is_empty() {
                return Ok(());
            }
            let mut wanted: Wanted = BTreeMap::new();
            for need in next {
                wanted.entry(need.package.clone()).or_default().push(need.requirement.clone());
            }
            self.fetch(wanted).await?;
        }
    }

    /// A record that does not hold ends everything: the file it stands in was tampered with, and to choose another version
    /// would be to do what the tampering was for.
    fn refuse_records(&mut self) -> Result<(), OpsError> {
        match self.known.take_refused() {
            Some(refused) => Err(self.registries[&refused.registry].0.refused_events(refused.error).into()),
            None => Ok(()),
        }
    }

    fn request(&self, needs: &[Need]) -> resolve::Request {
        let least = self.workspace.least_age();
        let registries = self.registries.iter().map(|(name, (_, named))| (name, named.min_release_age.max(least)));
        resolve::Request { roots: needs.to_vec(), cooldown: cooldowns(registries).collect(), ..self.rules.clone() }
    }

    async fn fetch_records(&mut self, packages: BTreeSet<PackageName>) -> Result<(), OpsError> {
        self.fetch(packages.into_iter().map(|package| (package, Vec::new())).collect()).await
    }

    async fn fetch(&mut self, wanted: Wanted) -> Result<(), OpsError> {
        for package in wanted.keys() {
            if let Origin::Registry(name) = &package.origin
                && !self.registries.contains_key(name)
            {
                let named = self.workspace.registry_named(name, self.lock)?;
                self.use_registry(named).await?;
            }
        }
        let fetches = wanted.into_iter().map(|(package, requirements)| async {
            let outline = match &package.origin {
                Origin::Registry(name) => self.registries[name].0.outline(&package.name, requirements).await?,
                // A direct archive is added before anything is resolved; another one does not exist.
                Origin::Direct(_) => None,
            };
            Ok::<_, OpsError>((package, outline))
        });
        for (package, outline) in try_join_all(fetches).await? {
            match package.origin.clone() {
                Origin::Registry(registry) => self.known.add(package, registry, outline),
                Origin::Direct(_) => self.known.add_missing(package),
            }
        }
        Ok(())
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

/// Why a version was yanked, if it was.
pub fn yanked_reason(outline: &Outline, version: &Version) -> Option<String> {
    match outline.find(version)?.status() {
        EventStatus::Yanked { reason } => Some(reason.clone()),
        _ => None,
    }
}
