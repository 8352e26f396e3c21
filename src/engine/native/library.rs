//! The library that is loaded: a sealed copy in memory, so that the bytes that were checked are the bytes that run.
//!
//! A descriptor of the file itself would not do: whoever may write the file could change it in place after it was hashed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSymbol, SymbolKind};
use pocket_index::digest::{Digest, Hasher};
use pocket_index::manifest::Binary;
use pocket_index::name::Target;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::engine::error::CallError;
use crate::engine::plugin::PluginFiles;

/// 256 MiB. The largest plugin libraries seen, Go's with debug information, have 30 MiB; an archive holds no more than this.
const MAX_LIBRARY_BYTES: u64 = 256 << 20;

/// 64 MiB: a larger library's symbols are not looked through when it crashes.
const MAX_SYMBOLS_BYTES: u64 = 64 << 20;

/// Why a library cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The file cannot be read.
    #[error("cannot read the library `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no ELF library.
    #[error("`{}` is no shared library of this system (ELF)", path.display())]
    NotElf {
        /// The file.
        path: PathBuf,
    },
    /// The file is too large.
    #[error("the library `{}` is larger than {MAX_LIBRARY_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not the one that was installed.
    #[error("the library `{}` was changed after it was installed: it is {found}, expected {expected}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What was installed.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// There is no memory file.
    #[error("cannot copy the library `{}` into memory: {source}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A library in memory that nobody can change, this process included.
#[derive(Debug)]
pub struct SealedLibrary {
    memory: OwnedFd,
}

impl SealedLibrary {
    /// Copies the file at `path`. With an `expected` digest the copy must have it.
    pub fn open(path: &Path, expected: Option<Digest>) -> Result<Self, LibraryError> {
        let read_error = |source| LibraryError::Read { path: path.to_owned(), source };
        let memory_error = |source| LibraryError::Memory { path: path.to_owned(), source };
        let mut source = File::open(path).map_err(read_error)?.take(MAX_LIBRARY_BYTES + 1);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut memory = File::from(memfd_create("pocket-plugin", flags).map_err(|e| memory_error(e.into()))?);
        let found = copy(&mut source, &mut memory, read_error, memory_error)?;
        if source.limit() == 0 {
            return Err(LibraryError::TooLarge { path: path.to_owned() });
        }
        if !found.is_elf {
            return Err(LibraryError::NotElf { path: path.to_owned() });
        }
        if let Some(expected) = expected.filter(|expected| *expected != found.digest) {
            return Err(LibraryError::Changed { path: path.to_owned(), expected, found: found.digest });
        }
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&memory, seals).map_err(|e| memory_error(e.into()))?;
        Ok(Self { memory: memory.into() })
    }

    /// The name of the function at a place in the loaded library, if it has kept its names. The library is not believed: a
    /// table of symbols that makes no sense has none.
    pub fn symbol_at(&self, place: u64) -> Option<String> {
        let memory = File::from(self.memory.try_clone().ok()?);
        let size = memory.metadata().ok()?.len();
        if size > MAX_SYMBOLS_BYTES {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        memory.read_exact_at(&mut bytes, 0).ok()?;
        let library = object::read::elf::ElfFile64::<object::Endianness>::parse(bytes.as_slice()).ok()?;
        let symbols = library.symbols().chain(library.dynamic_symbols());
        let mut functions = symbols.filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition());
        let function = functions.find(|symbol| (0..symbol.size()).contains(&place.wrapping_sub(symbol.address())))?;
        Some(function.name().ok()?.to_owned())
    }
}

impl AsFd for SealedLibrary {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

/// The library of an installed plugin for this machine.
pub fn path_in(files: &PluginFiles) -> Result<PathBuf, CallError> {
    let Some(Binary::PerTarget(paths)) = &files.manifest.binary else { return files.portable_binary() };
    let target = current_target();
    let path = paths.iter().find(|(known, _)| known.as_str() == target).map(|(_, path)| files.root.join(path));
    path.ok_or_else(|| {
        let known = paths.keys().map(Target::as_str).collect::<Vec<_>>().join("`, `");
        CallError::load(format!("`{}` has no library for `{target}`, only for `{known}`", files.manifest.name))
    })
}

/// The target that this program was built for.
fn current_target() -> String {
    let abi = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-linux-{abi}", std::env::consts::ARCH)
}

struct Copied {
    digest: Digest,
    is_elf: bool,
}

fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    read_error: impl Fn(io::Error) -> LibraryError,
    write_error: impl Fn(io::Error) -> LibraryError,
) -> Result<Copied, LibraryError> {
    let mut hasher = Hasher::new();
    let mut start = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut chunk).map_err(&read_error)?;
        if read == 0 {
            return Ok(Copied { digest: hasher.finish(), is_elf: start == b"\x7fELF" });
        }
        let missing = 4_usize.saturating_sub(start.len()).min(read);
        start.extend_from_slice(&chunk[..missing]);
        hasher.update(&chunk[..read]);
        to.write_all(&chunk[..read]).map_err(&write_error)?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("it is writable");
        file
    }

    #[test]
    fn a_copy_stays_what_was_checked_when_the_file_changes() {
        let file = file(b"\x7fELF and more");
        let library = SealedLibrary::open(file.path(), Some(Digest::of(b"\x7fELF and more"))).expect("it is the same");
        file.as_file().write_all_at(b"XXXX", 4).expect("it is writable");
        let copy = File::from(library.as_fd().try_clone_to_owned().expect("descriptors are left"));
        let mut bytes = [0; 12];
        copy.read_exact_at(&mut bytes, 0).expect("it has 13 bytes");
        assert_eq!(&bytes, b"\x7fELF and mor");
        assert!(copy.write_all_at(b"XXXX", 4).is_err());
    }

    #[test]
    fn a_changed_file_is_refused_with_both_digests() {
        let file = file(b"\x7fELF");
        let expected = Digest::of(b"other");
        let error = SealedLibrary::open(file.path(), Some(expected)).expect_err("it differs").to_string();
        assert!(
            error.contains(&expected.to_string()) && error.contains(&Digest::of(b"\x7fELF").to_string()),
            "{error}"
        );
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let error = SealedLibrary::open(file(b"#!/bin/sh").path(), None).expect_err("it is a script").to_string();
        assert!(error.ends_with("is no shared library of this system (ELF)"), "{error}");
    }
}
