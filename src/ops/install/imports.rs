//! What a WebAssembly plugin imports must be asked for in its manifest: an import is a thing that it can do.

use std::path::Path;

use pocket_index::limits::Limits;
use pocket_index::manifest::{Manifest, Runtime};
use pocket_index::name::Target;
use pocket_index::verify::VerifiedArchive;

use super::standalone;
use crate::engine::inspect;
use crate::ops::OpsError;

/// Refuses an archive whose file imports what its manifest does not ask for. A file that cannot be read is left to the engine,
/// which says why when it is loaded.
pub fn refuse_unasked(archive: &VerifiedArchive) -> Result<(), OpsError> {
    let manifest = archive.manifest();
    let Some(path) = module_of(manifest) else { return Ok(()) };
    let binary = archive.archive().entries().iter().find(|entry| entry.path.as_str() == path);
    binary.map_or(Ok(()), |entry| refuse_unasked_of(manifest, &entry.content))
}

/// The same for a plugin that is used where it stands, in this folder.
pub fn refuse_unasked_in(manifest: &Manifest, root: &Path) -> Result<(), OpsError> {
    let Some(path) = module_of(manifest).map(|path| root.join(path)) else { return Ok(()) };
    let code = standalone::read_file(&path, Limits::default().unpacked)?;
    refuse_unasked_of(manifest, &code)
}

/// The WebAssembly file, which is the same on every machine.
fn module_of(manifest: &Manifest) -> Option<&str> {
    if manifest.runtime == Runtime::Wasm { manifest.binary_for(&Target::any()) } else { None }
}

fn refuse_unasked_of(manifest: &Manifest, code: &[u8]) -> Result<(), OpsError> {
    let Ok(inspection) = inspect::wasm(code) else { return Ok(()) };
    match inspection.unasked(&manifest.permissions).into_iter().next() {
        None => Ok(()),
        Some(source) => {
            Err(OpsError::UnaskedImport { name: manifest.name.clone(), version: manifest.version.clone(), source })
        }
    }
}
