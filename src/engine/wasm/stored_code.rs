//! Takes compiled code from a file: the one place outside `engine/native` that is unsafe, because a processor will run
//! whatever the file says.

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// A file whose bytes were compared with the digest that was written when they were compiled.
pub(super) struct CheckedFile<'a>(&'a Path);

impl<'a> CheckedFile<'a> {
    /// States that `path` was checked and that nobody but this user can write to it or to its folder.
    pub(super) fn after_check(path: &'a Path) -> Self {
        Self(path)
    }
}

/// Maps the compiled component into memory. Code of another wasmtime version or configuration is refused by wasmtime.
pub(super) fn component(engine: &Engine, file: &CheckedFile<'_>) -> Option<Component> {
    // SAFETY: the file must be what `Component::serialize` wrote, and must not change while it is mapped. `cache` promises
    // both: it compares the digest, it requires that file and folder belong to this user and are closed to others, and it
    // only ever replaces files by renaming a new one over them, which leaves a mapped one as it is.
    unsafe { Component::deserialize_file(engine, file.0) }.ok()
}
