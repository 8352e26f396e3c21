//! Loads a plugin once, without any right, to see whether it can be.

use std::path::Path;

use pocket_index::manifest::{Binary, Manifest, Runtime};
use pocket_index::name::Target;
use pocket_index::permissions::Permissions;
use serde_json::Map;

use super::catalog;
use super::{OpsError, Workspace};
use crate::engine::native::{self, NativeOptions};
use crate::engine::{CallError, GrantedWords, Grants, Limits, PluginFiles};

/// Loads it: a script is compiled, a module compiled and linked, a library opened in a process of its own. No node runs.
///
/// # Errors
/// It cannot be loaded.
pub fn probe(workspace: &Workspace, manifest: &Manifest, root: &Path) -> Result<(), OpsError> {
    let Manifest { name, version, runtime, .. } = manifest;
    tracing::debug!(plugin = %name, %version, %runtime, root = %root.display(), "trying to load");
    let tried = match runtime {
        Runtime::Lua | Runtime::Wasm => load(workspace, manifest, root),
        Runtime::Native => open(workspace, manifest, root),
    };
    tried.map_err(|source| OpsError::Load { plugin: name.clone(), source })
}

fn load(workspace: &Workspace, manifest: &Manifest, root: &Path) -> Result<(), CallError> {
    let engine = catalog::engine(workspace).map_err(|error| CallError::load(error.to_string()))?;
    let grants = Grants::new(&Permissions::default(), &GrantedWords::none(), &Map::new())?;
    let files = PluginFiles { root: root.to_owned(), manifest: manifest.clone(), tree: None };
    engine.load(files, grants, Map::new(), Limits::default()).map(drop)
}

/// Asking a library what it is opens it; whether it answers does not matter.
fn open(workspace: &Workspace, manifest: &Manifest, root: &Path) -> Result<(), CallError> {
    let path = match &manifest.binary {
        Some(Binary::Path(path)) => Some(path),
        Some(Binary::PerTarget(paths)) => paths.get(&Target::host()),
        None => None,
    };
    let path = path.ok_or_else(|| CallError::load(format!("it has no library for `{}`", Target::host())))?;
    let program = std::env::current_exe();
    let host_program = program.map_err(|error| CallError::load(format!("cannot find this program: {error}")))?;
    let confinement = workspace.confinement(&manifest.name);
    let options = NativeOptions { host_program, library_digest: None, confinement };
    native::describe(&root.join(path), &options).map(drop)
}
