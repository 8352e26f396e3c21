//! The records that were fetched so far, read as the resolver asks for them.

use std::cell::OnceCell;
use std::collections::HashMap;

use pocket_index::name::RegistryName;
use pocket_index::record::{HistoryError, Listed, Outline, Status as EventStatus};

use crate::resolve::{Candidate, Details, Lookup, PackageName, RecordSource, Records, Status, Unreadable};

/// Plugins by where they come from.
#[derive(Default)]
pub struct Known {
    registries: HashMap<PackageName, Option<Fetched>>,
    direct: Records,
    direct_names: Vec<PackageName>,
    refused: OnceCell<Refused>,
}

/// A record that the resolver met and that does not hold.
pub struct Refused {
    pub registry: RegistryName,
    pub error: HistoryError,
}

/// A plugin of a registry.
struct Fetched {
    registry: RegistryName,
    outline: Outline,
    /// In the outline's order.
    candidates: Vec<Candidate>,
    details: Vec<OnceCell<Result<Details, Unreadable>>>,
}

impl Known {
    /// Adds what a registry has of a plugin; none if it does not have it.
    pub fn add(&mut self, package: PackageName, registry: RegistryName, outline: Option<Outline>) {
        self.registries.insert(package, outline.map(|outline| Fetched::new(registry, outline)));
    }

    /// Says that no registry has the plugin.
    pub fn add_missing(&mut self, package: PackageName) {
        self.registries.insert(package, None);
    }

    /// Adds an archive that the project names itself; it is the only version there.
    pub fn add_direct(&mut self, package: PackageName, candidate: Candidate, details: Details) {
        self.direct_names.push(package.clone());
        self.direct.add(package, candidate, details);
    }

    /// What a registry's file says of a plugin.
    pub fn outline(&self, package: &PackageName) -> Option<&Outline> {
        self.registries.get(package)?.as_ref().map(|fetched| &fetched.outline)
    }

    /// The first record that was asked for and does not hold. What was chosen beside it is worth nothing.
    pub fn take_refused(&mut self) -> Option<Refused> {
        self.refused.take()
    }
}

impl RecordSource for Known {
    fn candidates(&self, package: &PackageName) -> Lookup<'_> {
        match self.registries.get(package) {
            Some(Some(fetched)) => Lookup::Known(&fetched.candidates),
            Some(None) => Lookup::Missing,
            None if self.direct_names.contains(package) => self.direct.candidates(package),
            None => Lookup::Pending,
        }
    }

    fn details(&self, package: &PackageName, position: usize) -> Result<&Details, Unreadable> {
        let Some(Some(fetched)) = self.registries.get(package) else { return self.direct.details(package, position) };
        let cell = fetched.details.get(position).ok_or_else(|| Unreadable("there is no such record".to_owned()))?;
        cell.get_or_init(|| fetched.read(position, &self.refused)).as_ref().map_err(Clone::clone)
    }
}

impl Fetched {
    fn new(registry: RegistryName, outline: Outline) -> Self {
        let candidates: Vec<_> = outline
            .listed()
            .map(|(version, listed)| Candidate {
                version: version.clone(),
                status: status(listed),
                published_at: listed.at(),
            })
            .collect();
        let details = candidates.iter().map(|_| OnceCell::new()).collect();
        Self { registry, outline, candidates, details }
    }

    fn read(&self, position: usize, refused: &OnceCell<Refused>) -> Result<Details, Unreadable> {
        let version = &self.candidates[position].version;
        match self.outline.release(version) {
            Ok(Some(entry)) => {
                // A dependency on a registry whose name is none makes the version unusable, not the plugin.
                Details::from_release(entry.release(), &self.registry).map_err(|error| Unreadable(error.to_string()))
            }
            Ok(None) => Err(Unreadable(format!("there is no version {version}"))),
            Err(error) => {
                let unreadable = Unreadable(error.problem.to_string());
                // The first one is told of; any of them ends the resolution.
                let _ = refused.set(Refused { registry: self.registry.clone(), error });
                Err(unreadable)
            }
        }
    }
}

fn status(listed: &Listed) -> Status {
    match listed.status() {
        EventStatus::Available => Status::Available,
        EventStatus::Yanked { .. } => Status::Yanked,
        EventStatus::Revoked { .. } => Status::Revoked,
    }
}
