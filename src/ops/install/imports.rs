//! What a WebAssembly plugin imports must be asked for in its manifest: an import is a thing that it can do.

use pocket_index::manifest::Runtime;
use pocket_index::name::Target;
use pocket_index::verify::VerifiedArchive;

use crate::engine::inspect;
use crate::ops::OpsError;

/// Refuses an archive whose file imports what its manifest does not ask for. A file that cannot be read is left to the engine,
/// which says why when it is loaded.
pub fn refuse_unasked(archive: &VerifiedArchive) -> Result<(), OpsError> {
    let manifest = archive.manifest();
    if manifest.runtime != Runtime::Wasm {
        return Ok(());
    }
    // A WebAssembly file is the same on every machine.
    let path = manifest.binary_for(&Target::any());
    let binary = archive.archive().entries().iter().find(|entry| Some(entry.path.as_str()) == path);
    let Some(Ok(inspection)) = binary.map(|entry| inspect::wasm(&entry.content)) else { return Ok(()) };
    match inspection.unasked(&manifest.permissions).into_iter().next() {
        None => Ok(()),
        Some(source) => {
            Err(OpsError::UnaskedImport { name: manifest.name.clone(), version: manifest.version.clone(), source })
        }
    }
}
