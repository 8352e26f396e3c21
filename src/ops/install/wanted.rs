//! What the project will need: what `pocket.yaml` names, and what was typed.

use std::collections::BTreeMap;

use pocket_index::digest::Digest;
use pocket_index::name::{PluginName, RegistryName};
use pocket_index::repository::Repository;
use semver::{Comparator, Op, Version, VersionReq};

use super::direct::{self, Asked, Direct};
use super::origins;
use super::records::World;
use super::{Locking, Request};
use crate::home::atomic;
use crate::ops::sources::{Source, release_page};
use crate::ops::{OpsError, Workspace, forges};
use crate::project::{Dependency, DependencySource, set_dependency, set_registry};
use crate::registry::forge::Wanted as ForgeWanted;
use crate::resolve::{Need, Origin, PackageName, Resolution};

/// The project's dependencies after this install.
pub struct Wanted {
    default: RegistryName,
    dependencies: BTreeMap<PluginName, Dependency>,
    /// Those that were typed: their lines in `pocket.yaml` are written.
    typed: BTreeMap<PluginName, Typed>,
    /// A registry that was named on the command line and is not configured.
    new_registry: Option<(RegistryName, String)>,
}

/// How a dependency's requirement comes about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Typed {
    /// It was typed.
    Requirement,
    /// Only the name was typed: the requirement follows from the version that is chosen.
    NameOnly,
}

impl Wanted {
    /// Reads what was typed; archives that are named by URL or file are fetched and verified here.
    pub async fn collect<'w>(
        workspace: &'w Workspace,
        request: &'w Request,
        world: &mut World<'w>,
    ) -> Result<Self, OpsError> {
        let named = workspace.registry(request.reach.registry.as_deref())?;
        let default = workspace.registry(None)?;
        let mut wanted = Self {
            default: default.name.clone(),
            dependencies: workspace.project().plugins.dependencies.clone(),
            typed: BTreeMap::new(),
            new_registry: None,
        };
        if named.name != default.name {
            let is_configured = [workspace.project(), workspace.user()]
                .iter()
                .any(|manifest| manifest.registries.contains_key(&named.name));
            wanted.new_registry = (!is_configured).then(|| (named.name.clone(), named.location.to_string()));
            world.use_registry(named.clone()).await?;
        }
        let direct = Direct::new(workspace, request, world, wanted.default.clone());
        for source in &request.sources {
            wanted.add_typed(source, &named.name, &direct, world).await?;
        }
        let is_said = |name: &PluginName| request.reach.registry.is_some() && wanted.typed.contains_key(name);
        origins::refuse_silent_switches(&wanted.dependencies, &is_said, &wanted.default, world.lock())?;
        for (name, dependency) in &wanted.dependencies {
            if world.direct(&wanted.package(name)).is_none() {
                direct.add_known(world, name, dependency).await?;
            }
        }
        Ok(wanted)
    }

    /// What the resolver must meet.
    pub fn needs(&self) -> Vec<Need> {
        let need = |(name, dependency): (&PluginName, &Dependency)| {
            Need::required(self.package(name), dependency.requirement.clone())
        };
        self.dependencies.iter().map(need).collect()
    }

    /// What `pocket.yaml` says of a plugin.
    pub fn requirement_of(&self, package: &PackageName) -> Option<&VersionReq> {
        let dependency = self.dependencies.get(&package.name)?;
        (self.package(&package.name) == *package).then_some(&dependency.requirement)
    }

    /// Writes the typed dependencies into `pocket.yaml`.
    pub fn write(&self, workspace: &Workspace, resolution: &Resolution) -> Result<(), OpsError> {
        if self.typed.is_empty() {
            return Ok(());
        }
        let path = workspace.manifest_path();
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(OpsError::io("read", &path)(error)),
        };
        let cannot = |source| OpsError::Edit { path: path.clone(), source };
        let mut text = before.clone();
        for (name, typed) in &self.typed {
            let mut dependency = self.dependencies[name].clone();
            if *typed == Typed::NameOnly
                && let Some(version) = self.chosen(resolution, name)
            {
                dependency.requirement = compatible_with(version);
            }
            if workspace.project().plugins.dependencies.get(name) != Some(&dependency) {
                text = set_dependency(&text, name, &dependency).map_err(cannot)?;
            }
        }
        if let Some((name, url)) = &self.new_registry {
            text = set_registry(&text, name, url).map_err(cannot)?;
        }
        if text == before {
            return Ok(());
        }
        atomic::replace_file(&path, text.as_bytes()).map(drop).map_err(OpsError::io("write", &path))
    }

    fn chosen<'a>(&self, resolution: &'a Resolution, name: &PluginName) -> Option<&'a Version> {
        let package = self.package(name);
        resolution.roots.iter().find(|root| root.package == package).map(|root| &root.version)
    }

    fn package(&self, name: &PluginName) -> PackageName {
        let source = self.dependencies.get(name).map(|dependency| &dependency.source);
        let origin = match source {
            Some(DependencySource::Registry(Some(registry))) => Origin::Registry(registry.clone()),
            Some(DependencySource::Registry(None)) | None => Origin::Registry(self.default.clone()),
            Some(DependencySource::Url { url, .. }) => Origin::Direct(url.clone()),
            Some(DependencySource::Path(path)) => direct::path_origin(path),
            Some(DependencySource::Release(repository)) => Origin::Direct(repository.to_string()),
        };
        PackageName { name: name.clone(), origin }
    }

    async fn add_typed(
        &mut self,
        source: &Source,
        registry: &RegistryName,
        direct: &Direct<'_>,
        world: &mut World<'_>,
    ) -> Result<(), OpsError> {
        match source {
            Source::Registry { name, requirement } => self.add_named(name, requirement.as_ref(), registry),
            Source::Release { repository, wanted, digests } => {
                self.add_release(repository, wanted.as_ref(), digests, direct, world).await?;
            }
            Source::Url { url, digest } => match release_page(url) {
                Some((repository, wanted)) if forges::access(direct.workspace, repository.host())?.is_some() => {
                    self.add_release(&repository, wanted.as_ref(), digest.as_slice(), direct, world).await?;
                }
                _ => {
                    let (name, dependency) = direct.add_url(world, url, *digest).await?;
                    self.add(name, dependency, Typed::Requirement);
                }
            },
            Source::File(path) => {
                let (name, dependency) = direct.add_path(world, path)?;
                self.add(name, dependency, Typed::Requirement);
            }
        }
        if direct.locking == Locking::Locked { self.refuse_new(direct.workspace) } else { Ok(()) }
    }

    /// A release: the project's own requirement stays where it was not typed anew.
    async fn add_release(
        &mut self,
        repository: &Repository,
        wanted: Option<&ForgeWanted>,
        digests: &[Digest],
        direct: &Direct<'_>,
        world: &mut World<'_>,
    ) -> Result<(), OpsError> {
        let source = DependencySource::Release(repository.clone());
        let known = self.dependencies.iter().find(|(_, known)| known.source == source);
        let known = known.map(|(name, known)| (name.clone(), known.requirement.clone()));
        let kept = known.as_ref().map(|(_, requirement)| ForgeWanted::Version(requirement.clone()));
        let plugin = known.as_ref().map(|(name, _)| name);
        let asked = Asked { repository, wanted: wanted.or(kept.as_ref()), plugin, digests };
        let name = direct.add_release(world, &asked).await?;
        let (requirement, typed) = match (wanted, known) {
            (Some(ForgeWanted::Version(requirement)), _) => (requirement.clone(), Typed::Requirement),
            (Some(ForgeWanted::Tag(_)), _) => {
                let package = PackageName { name: name.clone(), origin: Origin::Direct(repository.to_string()) };
                let chosen = world.direct(&package).expect("it was added just now");
                (exactly(&chosen.archive.manifest().version), Typed::Requirement)
            }
            (None, Some((_, requirement))) => (requirement, Typed::Requirement),
            (Some(ForgeWanted::Latest) | None, _) => (VersionReq::STAR, Typed::NameOnly),
        };
        self.add(name, Dependency { requirement, source }, typed);
        Ok(())
    }

    fn add_named(&mut self, name: &PluginName, requirement: Option<&VersionReq>, registry: &RegistryName) {
        let from = (*registry != self.default).then(|| registry.clone());
        let source = DependencySource::Registry(from);
        let known = self.dependencies.get(name).filter(|known| known.source == source);
        let (requirement, typed) = match (requirement, known) {
            (Some(requirement), _) => (requirement.clone(), Typed::Requirement),
            // The project's own requirement stays as it is.
            (None, Some(known)) => (known.requirement.clone(), Typed::Requirement),
            (None, None) => (VersionReq::STAR, Typed::NameOnly),
        };
        self.add(name.clone(), Dependency { requirement, source }, typed);
    }

    fn add(&mut self, name: PluginName, dependency: Dependency, typed: Typed) {
        self.dependencies.insert(name.clone(), dependency);
        self.typed.insert(name, typed);
    }

    /// With `--locked`, what is typed must be in `pocket.yaml` already.
    fn refuse_new(&self, workspace: &Workspace) -> Result<(), OpsError> {
        let known = &workspace.project().plugins.dependencies;
        match self.typed.keys().find(|name| known.get(*name) != self.dependencies.get(*name)) {
            None => Ok(()),
            Some(name) => Err(OpsError::LockStale {
                lock: workspace.lock_path(),
                manifest: workspace.manifest_path(),
                reason: format!("`{name}` would be added"),
            }),
        }
    }
}

/// `^1.2.0`: what works with this version, as `cargo add` writes it.
fn compatible_with(version: &Version) -> VersionReq {
    requirement(Op::Caret, version)
}

/// `=1.2.0`: this version alone.
pub fn exactly(version: &Version) -> VersionReq {
    requirement(Op::Exact, version)
}

fn requirement(op: Op, version: &Version) -> VersionReq {
    let comparator = Comparator {
        op,
        major: version.major,
        minor: Some(version.minor),
        patch: Some(version.patch),
        pre: version.pre.clone(),
    };
    VersionReq { comparators: vec![comparator] }
}
