//! What lies at a path, read where it stands.

use std::fs;
use std::path::{Path, PathBuf};

use pocket_index::archive::MANIFEST;
use pocket_index::digest::{Digest, Hasher};
use pocket_index::limits::Limits;
use pocket_index::manifest::{Binary, Manifest};
use pocket_index::name::Target;

use super::LocalError;
use crate::home::loaded::LoadedPlugin;
use crate::ops::OpsError;
use crate::ops::install::standalone;

/// What single files that are plugins end with.
const EXTENSIONS: [&str; 5] = ["lua", "wasm", "so", "dylib", "dll"];

/// A plugin as it lies there.
#[derive(Debug, Clone)]
pub struct Found {
    /// The file, or the folder with `manifest.yaml`; absolute.
    pub path: PathBuf,
    /// The folder that the manifest's paths start from.
    pub root: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The digest of manifest and code: of what decides how it behaves.
    pub digest: Digest,
    /// What a library without a manifest said of itself.
    pub described: Option<String>,
}

/// Reads the plugin at a path: a folder with `manifest.yaml`, or a single file. What is `known` of the same bytes is not asked
/// for again.
///
/// # Errors
/// Nothing is there, or it is no plugin.
pub fn read(path: &Path, known: Option<&LoadedPlugin>) -> Result<Found, OpsError> {
    let path = fs::canonicalize(path).map_err(OpsError::io("read", path))?;
    if path.to_str().is_none() {
        return Err(LocalError::Path { path }.into());
    }
    let found = if path.is_dir() { folder(path) } else { file(path, known) }?;
    tracing::debug!(plugin = %found.manifest.name, path = %found.path.display(), digest = %found.digest, "read");
    Ok(found)
}

/// The plugins in a folder, sorted: the folder itself if it has a manifest, else every file and folder in it that is one.
///
/// # Errors
/// The folder cannot be read.
pub fn plugins_in(folder: &Path) -> Result<Vec<PathBuf>, OpsError> {
    if folder.join(MANIFEST).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut plugins = Vec::new();
    for entry in fs::read_dir(folder).map_err(OpsError::io("read", folder))? {
        let path = entry.map_err(OpsError::io("read", folder))?.path();
        if looks_like_a_plugin(&path) {
            plugins.push(path);
        }
    }
    plugins.sort();
    Ok(plugins)
}

/// Whether the name, or the manifest in it, says that this is a plugin.
pub fn looks_like_a_plugin(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_file = || EXTENSIONS.contains(&extension) && path.is_file();
    !is_hidden && (is_file() || path.join(MANIFEST).is_file())
}

fn folder(path: PathBuf) -> Result<Found, OpsError> {
    let place = path.join(MANIFEST);
    let text = fs::read(&place).map_err(OpsError::io("read", &place))?;
    let manifest = Manifest::parse(&text).map_err(|source| LocalError::Manifest { path: place, source })?;
    let code = path.join(code_of(&path, &manifest)?);
    let content = standalone::read_file(&code, Limits::default().unpacked)?;
    let digest = digest(&text, &content);
    Ok(Found { root: path.clone(), path, manifest, digest, described: None })
}

/// The file that runs on this machine.
fn code_of<'m>(folder: &Path, manifest: &'m Manifest) -> Result<&'m str, OpsError> {
    let no_code = |reason: String| LocalError::NoCode { folder: folder.to_owned(), reason };
    match &manifest.binary {
        Some(Binary::Path(path)) => Ok(path),
        Some(Binary::PerTarget(paths)) => Ok(paths.get(&Target::host()).ok_or_else(|| {
            let known: Vec<String> = paths.keys().map(|target| format!("`{target}`")).collect();
            no_code(format!("`binary` has {}, and not `{}`", known.join(", "), Target::host()))
        })?),
        None => Err(no_code("the manifest names no `binary`".to_owned()).into()),
    }
}

fn file(path: PathBuf, known: Option<&LoadedPlugin>) -> Result<Found, OpsError> {
    let content = standalone::read_file(&path, Limits::default().unpacked)?;
    let beside = standalone::manifest_text(&path)?;
    let digest = digest(beside.as_deref().unwrap_or_default(), &content);
    let said = known.filter(|known| known.digest == digest).and_then(|known| known.described.as_deref());
    let standalone::InPlace { manifest, described } = standalone::in_place(&path, &content, said)?;
    let root = path.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Found { path, root, manifest, digest, described })
}

fn digest(manifest: &[u8], code: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&(manifest.len() as u64).to_le_bytes());
    hasher.update(manifest);
    hasher.update(code);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &tempfile::TempDir, name: &str, content: &str) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder is made");
        fs::write(path, content).expect("it is written");
    }

    #[test]
    fn a_folder_of_plugins_has_files_and_folders_and_skips_the_rest() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.lua", "a.wasm", "notes.txt", ".hidden.lua", "b.yaml", "plain/readme.md"] {
            write(&folder, name, "");
        }
        write(&folder, "whole/manifest.yaml", "");
        let found = plugins_in(folder.path()).expect("it is read");
        let names: Vec<_> = found.iter().map(|path| path.strip_prefix(folder.path()).expect("it is inside")).collect();
        assert_eq!(names, ["a.wasm", "b.lua", "whole"].map(Path::new));
        assert_eq!(plugins_in(&folder.path().join("whole")).expect("it is read"), [folder.path().join("whole")]);
    }

    #[test]
    fn the_digest_follows_code_and_manifest_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest = "name: x\nversion: 1.0.0\nruntime: lua\nbinary: x.lua\nnodes: [{type: x}]\n";
        write(&folder, "x/manifest.yaml", manifest);
        write(&folder, "x/x.lua", "return 1");
        let digest = || read(&folder.path().join("x"), None).expect("it is a plugin").digest;
        let first = digest();
        write(&folder, "x/notes.md", "more");
        assert_eq!(digest(), first);
        write(&folder, "x/x.lua", "return 2");
        let second = digest();
        write(&folder, "x/manifest.yaml", &manifest.replace("1.0.0", "1.0.1"));
        assert!(first != second && second != digest());
    }

    #[test]
    fn a_folder_without_code_for_this_machine_says_what_it_has() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest =
            "name: x\nversion: 1.0.0\nruntime: native\nbinary: {aarch64-apple-darwin: x.dylib}\nnodes: [{type: x}]\n";
        write(&folder, "manifest.yaml", manifest);
        let error = read(folder.path(), None).expect_err("it is for another machine").to_string();
        assert!(error.contains("`binary` has `aarch64-apple-darwin`, and not `"), "{error}");
    }
}
