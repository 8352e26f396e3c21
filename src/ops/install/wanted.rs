//! What the project will need: what `pocket.yaml` names, and what was typed.

use std::collections::BTreeMap;

use pocket_index::name::{PluginName, RegistryName};
use semver::{Comparator, Op, Version, VersionReq};

use super::direct;
use super::records::World;
use super::{Locking, Request};
use crate::home::atomic;
use crate::ops::sources::Source;
use crate::ops::{OpsError, Workspace};
use crate::project::{Dependency, DependencySource, set_dependency, set_registry};
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
    pub async fn collect(workspace: &Workspace, request: &Request, world: &mut World<'_>) -> Result<Self, OpsError> {
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
        for source in &request.sources {
            wanted.add_typed(source, &named.name, workspace, request, world).await?;
        }
        let known: Vec<_> = wanted.dependencies.iter().map(|(name, one)| (name.clone(), one.source.clone())).collect();
        for (name, source) in known {
            if world.direct(&wanted.package(&name)).is_none() {
                direct::add_known(workspace, request, world, &name, &source, &wanted.default).await?;
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
        };
        PackageName { name: name.clone(), origin }
    }

    async fn add_typed(
        &mut self,
        source: &Source,
        registry: &RegistryName,
        workspace: &Workspace,
        request: &Request,
        world: &mut World<'_>,
    ) -> Result<(), OpsError> {
        match source {
            Source::Registry { name, requirement } => self.add_named(name, requirement.as_ref(), registry),
            Source::Url { url, digest } => {
                let (name, dependency) =
                    direct::add_url(workspace, request, world, url, *digest, &self.default).await?;
                self.add(name, dependency, Typed::Requirement);
            }
            Source::File(path) => {
                let (name, dependency) = direct::add_file(workspace, world, path, &self.default)?;
                self.add(name, dependency, Typed::Requirement);
            }
        }
        if request.locking == Locking::Locked { self.refuse_new(workspace) } else { Ok(()) }
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
