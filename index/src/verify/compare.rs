//! The manifest in the archive must be the one the publisher signed for.
//!
//! Resolving and asking for permissions happen on what the index says; running happens on what the archive says. Were they to
//! differ, a plugin could ask for little in the index and take much at run time.

use serde::Serialize;

use super::VerifyError;
use crate::manifest::Manifest;
use crate::record::Release;

/// Refuses the first field in which the two differ.
pub(super) fn check_manifest(manifest: &Manifest, release: &Release) -> Result<(), VerifyError> {
    let said = Release::describe(manifest, release.archives.clone());
    same("name", &said.name, &release.name)?;
    same("version", &said.version, &release.version)?;
    same("runtime", &said.runtime, &release.runtime)?;
    same("engine", &said.engine, &release.engine)?;
    same("dependencies", &said.dependencies, &release.dependencies)?;
    same("permissions", &said.permissions, &release.permissions)?;
    same("nodes", &said.nodes, &release.nodes)?;
    same("description", &said.description, &release.description)?;
    same("categories", &said.categories, &release.categories)?;
    same("keywords", &said.keywords, &release.keywords)
}

fn same<T: PartialEq + Serialize>(field: &'static str, manifest: &T, index: &T) -> Result<(), VerifyError> {
    if manifest == index {
        return Ok(());
    }
    let json = |value: &T| serde_json::to_string(value).expect("fields of an event are JSON");
    Err(VerifyError::ManifestDiffers { field, manifest: json(manifest), index: json(index) })
}
