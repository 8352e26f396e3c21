//! Compiled code, kept by the digest of what was compiled and of how.
//!
//! `<cache>/wasm/<key>.cwasm` holds the code and `<key>.sha256` its digest. A file that does not fit its digest, that another
//! user could have written, or that wasmtime refuses is compiled anew; a cache that cannot be written slows things down and
//! breaks nothing.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use pocket_index::digest::{self, Digest};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::code::CodeFile;
use super::preview1::ADAPTER;
use super::stored_code::{self, CheckedFile};
use super::wrap::{self, PLUGIN_WIT, Preview1};

/// Changes when this file begins to store something else.
const FORMAT: &[u8] = b"pocket compiled wasm 2\n";

/// 128 KiB are read at once: more is not faster, and less is busy with asking for the next.
const PIECE: usize = 128 << 10;

/// The component that `code` is, from the cache or compiled. The error is a sentence without subject.
pub(super) fn load_or_compile(
    engine: &Engine,
    cache_dir: &Path,
    code: &CodeFile<'_>,
    preview1: Preview1,
) -> Result<Component, String> {
    let entry = Entry::new(engine, cache_dir, code.digest(), preview1);
    if let Some(component) = entry.load(engine) {
        return Ok(component);
    }
    let wrapped = wrap::wrapped(&code.bytes()?, preview1)?;
    let component = Component::new(engine, &wrapped).map_err(|error| format!("it is no valid component: {error:#}"))?;
    // A failure leaves the next load as slow as this one, which is all that a cache may cost.
    if let Ok(compiled) = component.serialize() {
        drop(entry.store(&compiled));
    }
    Ok(component)
}

/// Where one plugin's compiled code stands.
struct Entry {
    folder: PathBuf,
    code: PathBuf,
    digest: PathBuf,
}

impl Entry {
    fn new(engine: &Engine, cache_dir: &Path, code: Digest, preview1: Preview1) -> Self {
        let mut key = KeyHasher(digest::Hasher::new());
        key.write(FORMAT);
        // What a core module is wrapped with is compiled with it. Which kind of file it is, its digest does not tell.
        key.write(preview1.word().as_bytes());
        key.write(ADAPTER.as_bytes());
        key.write(PLUGIN_WIT.as_bytes());
        engine.precompile_compatibility_hash().hash(&mut key);
        key.write(code.as_bytes());
        let key = key.0.finish().hex();
        let folder = cache_dir.join("wasm");
        Self { code: folder.join(format!("{key}.cwasm")), digest: folder.join(format!("{key}.sha256")), folder }
    }

    fn load(&self, engine: &Engine) -> Option<Component> {
        let expected: Digest = fs::read_to_string(&self.digest).ok()?.trim_end().parse().ok()?;
        // A cache folder that others can write to would let them choose the code that runs as this user.
        if !(is_private(&self.folder) && is_private(&self.code) && is_private(&self.digest)) {
            return None;
        }
        let mut found = digest::Hasher::new();
        found.read_all(fs::File::open(&self.code).ok()?, &mut vec![0; PIECE]).ok()?;
        if found.finish() != expected {
            return None;
        }
        stored_code::component(engine, &CheckedFile::after_check(&self.code))
    }

    fn store(&self, compiled: &[u8]) -> io::Result<()> {
        create_private(&self.folder)?;
        self.write(&self.code, compiled)?;
        self.write(&self.digest, format!("{}\n", Digest::of(compiled)).as_bytes())
    }

    /// Temporary files are made with mode 0600.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    fs::symlink_metadata(path).is_ok_and(|found| {
        let ours = found.uid() == rustix::process::geteuid().as_raw();
        ours && !found.is_symlink() && found.permissions().mode() & 0o077 == 0
    })
}

#[cfg(not(unix))]
fn is_private(path: &Path) -> bool {
    path.exists()
}

/// Lets wasmtime's compatibility hash go into the key: unlike the standard hasher its result is the same in every build.
struct KeyHasher(digest::Hasher);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(self.0.clone().finish().as_bytes()[..8].try_into().expect("a digest has 32 bytes"))
    }
}
