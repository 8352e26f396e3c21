//! A single file as a plugin: a `.lua`, `.wasm` or native library, with a manifest beside it, in it, or made for it.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use pocket_index::archive::{self, Entry, EntryPath, MANIFEST};
use pocket_index::limits::Limits;
use pocket_index::manifest::{Binary, Manifest, Runtime};
use pocket_index::name::{PluginName, Target};
use semver::Version;
use serde_json::{Value, json};

use super::error::DirectError;
use crate::engine::lua;
use crate::engine::native::{self, Confinement, NativeOptions};
use crate::ops::OpsError;

/// A file, and what its name says of it.
struct File<'p> {
    path: &'p Path,
    /// The name with its extension.
    name: String,
    stem: String,
    runtime: Runtime,
}

/// Packs a single file with its manifest, as `pocket plugin pack` would a folder with both. Where no manifest says the version, it is
/// the one that is given, else what the file says of itself.
pub fn pack(path: &Path, limits: &Limits, version: Option<&Version>) -> Result<Vec<u8>, OpsError> {
    let file = File::at(path)?;
    let content = read_file(path, limits.unpacked)?;
    let entries = match manifest_beside(&file)? {
        Some((place, text)) => with_manifest(&file, &place, text, content)?,
        None => {
            let manifest = match file.runtime {
                Runtime::Lua => of_script(&file, &content)?,
                Runtime::Native => of_library(&file)?,
                Runtime::Wasm => minimal(&file)?,
            };
            let path = entry_path(file.path, &file.name)?;
            vec![entry(path, content), entry(manifest_path(), versioned(manifest, version).into_bytes())]
        }
    };
    archive::pack(&entries, limits)
        .map_err(|source| OpsError::Archive { archive: path.display().to_string(), source: Box::new(source) })
}

/// A single file as it stands, not packed.
pub struct InPlace {
    /// Its manifest; `binary` is the file's own name.
    pub manifest: Manifest,
    /// What a library said of itself where nothing else describes it.
    pub described: Option<String>,
}

/// What a single file is where it stands. A library that is known to have `said` what it is is not asked again.
pub fn in_place(path: &Path, content: &[u8], said: Option<&str>) -> Result<InPlace, OpsError> {
    let file = File::at(path)?;
    let (place, text, described) = match (manifest_beside(&file)?, file.runtime) {
        (Some((place, text)), _) => {
            let manifest = Manifest::parse(&text).map_err(|error| no_plugin(&place, error.to_string()))?;
            place_of(&manifest, &file.name).ok_or_else(|| unnamed(&place, &file))?;
            (place, text, None)
        }
        (None, Runtime::Lua) => (path.to_owned(), of_script(&file, content)?.into_bytes(), None),
        (None, Runtime::Wasm) => (path.to_owned(), minimal(&file)?.into_bytes(), None),
        (None, Runtime::Native) => {
            let text = said.map_or_else(|| of_library(&file), |said| Ok(said.to_owned()))?;
            (path.to_owned(), text.clone().into_bytes(), Some(text))
        }
    };
    let mut manifest = Manifest::parse(&text).map_err(|error| no_plugin(&place, error.to_string()))?;
    manifest.binary = Some(Binary::Path(file.name));
    Ok(InPlace { manifest, described })
}

/// The text of the manifest beside a file, if there is one.
pub fn manifest_text(path: &Path) -> Result<Option<Vec<u8>>, OpsError> {
    Ok(manifest_beside(&File::at(path)?)?.map(|(_, text)| text))
}

/// The bytes of a file, if they are not too many.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, OpsError> {
    let file = std::fs::File::open(path).map_err(OpsError::io("read", path))?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(OpsError::io("read", path))?;
    if content.len() as u64 > limit {
        return Err(no_plugin(path, format!("it is larger than {limit} bytes")));
    }
    Ok(content)
}

impl<'p> File<'p> {
    fn at(path: &'p Path) -> Result<Self, OpsError> {
        std::fs::metadata(path).map_err(OpsError::io("read", path))?;
        let runtime = match path.extension().and_then(|extension| extension.to_str()) {
            Some("lua") => Runtime::Lua,
            Some("wasm") => Runtime::Wasm,
            Some("so" | "dylib" | "dll") => Runtime::Native,
            _ => {
                let expected = "expected an archive (`.tar.gz`), a folder with `manifest.yaml`, or a file that ends with \
                                `.lua`, `.wasm`, `.so`, `.dylib` or `.dll`";
                return Err(no_plugin(path, expected.to_owned()));
            }
        };
        let text = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).map(str::to_owned);
        let (name, stem) = (text(path.file_name()), text(path.file_stem()));
        let (Some(name), Some(stem)) = (name, stem) else {
            return Err(no_plugin(path, "its name is not UTF-8".to_owned()));
        };
        Ok(Self { path, name, stem, runtime })
    }

    /// The plugin's name where nothing but the file's name is known: `my_plugin.wasm` and `libmy_plugin.so` are `my-plugin`.
    fn plugin_name(&self) -> Result<PluginName, OpsError> {
        let stem = match self.runtime {
            Runtime::Native => self.stem.strip_prefix("lib").unwrap_or(&self.stem),
            Runtime::Lua | Runtime::Wasm => &self.stem,
        };
        let name = stem.to_lowercase().replace(['_', '.'], "-");
        name.parse().map_err(|error| no_plugin(self.path, format!("{error}; a manifest beside it can name it")))
    }
}

/// `x.yaml` for `x.wasm`, else a `manifest.yaml` in the same folder that names this file.
fn manifest_beside(file: &File<'_>) -> Result<Option<(PathBuf, Vec<u8>)>, OpsError> {
    let own = file.path.with_extension("yaml");
    if own.is_file() {
        let text = std::fs::read(&own).map_err(OpsError::io("read", &own))?;
        return Ok(Some((own, text)));
    }
    let shared = file.path.with_file_name(MANIFEST);
    if !shared.is_file() {
        return Ok(None);
    }
    let text = std::fs::read(&shared).map_err(OpsError::io("read", &shared))?;
    // Another plugin's manifest may stand in the same folder, and be broken: it is not this file's business.
    let names_this = Manifest::parse(&text).is_ok_and(|manifest| place_of(&manifest, &file.name).is_some());
    Ok(names_this.then_some((shared, text)))
}

fn with_manifest(file: &File<'_>, place: &Path, text: Vec<u8>, content: Vec<u8>) -> Result<Vec<Entry>, OpsError> {
    let manifest = Manifest::parse(&text).map_err(|error| no_plugin(place, error.to_string()))?;
    let binary = place_of(&manifest, &file.name).ok_or_else(|| unnamed(place, file))?;
    let mut entries = vec![entry(entry_path(file.path, binary)?, content), entry(manifest_path(), text)];
    if let Some(readme) = &manifest.readme {
        let beside = file.path.with_file_name(readme);
        let text = std::fs::read(&beside).map_err(OpsError::io("read", &beside))?;
        entries.push(entry(entry_path(&beside, readme)?, text));
    }
    Ok(entries)
}

fn unnamed(place: &Path, file: &File<'_>) -> OpsError {
    no_plugin(place, format!("its `binary` does not name `{}`", file.name))
}

/// Where a manifest has the file of this name; for this machine first.
fn place_of<'m>(manifest: &'m Manifest, file: &str) -> Option<&'m str> {
    let is_it = |path: &&str| path.rsplit('/').next() == Some(file);
    match manifest.binary.as_ref()? {
        Binary::Path(path) => Some(path.as_str()).filter(is_it),
        Binary::PerTarget(paths) => {
            let own = paths.get(&Target::host()).map(String::as_str);
            own.into_iter().chain(paths.values().map(String::as_str)).find(is_it)
        }
    }
}

/// A script says what it is in its leading comments.
fn of_script(file: &File<'_>, content: &[u8]) -> Result<String, OpsError> {
    let source = str::from_utf8(content).map_err(|_| no_plugin(file.path, "it is not UTF-8".to_owned()))?;
    let said = lua::describe(source, &file.stem).map_err(|error| no_plugin(file.path, error.to_string()))?;
    let nodes: Vec<Value> = said.nodes.iter().map(|node| json!({ "type": node })).collect();
    Ok(written(&json!({
        "name": said.name,
        "version": said.version.to_string(),
        "description": said.description,
        "runtime": "lua",
        "binary": file.name,
        "nodes": nodes,
    })))
}

/// A library may say what it is when it is asked, in a process that may do nothing.
fn of_library(file: &File<'_>) -> Result<String, OpsError> {
    let host_program = std::env::current_exe().map_err(OpsError::io("find this program from", file.path))?;
    let options = NativeOptions { host_program, library_digest: None, confinement: Confinement::Required };
    let described = native::describe(file.path, &options)
        .map_err(|source| DirectError::Undescribed { path: file.path.to_owned(), source })?;
    let Some(described) = described else { return minimal(file) };
    let told = |reason: String| no_plugin(file.path, format!("what it says of itself is no manifest: {reason}"));
    let mut manifest: Value = serde_json::from_str(&described).map_err(|error| told(error.to_string()))?;
    let fields = manifest.as_object_mut().ok_or_else(|| told("expected an object".to_owned()))?;
    fields.insert("runtime".to_owned(), json!("native"));
    fields.insert("binary".to_owned(), binary(file));
    Ok(written(&manifest))
}

/// What is known of a file that says nothing: its name, which its one node type has as well.
fn minimal(file: &File<'_>) -> Result<String, OpsError> {
    let name = file.plugin_name()?;
    Ok(written(&json!({
        "name": name,
        "version": "0.0.0",
        "runtime": file.runtime,
        "binary": binary(file),
        "nodes": [{ "type": name }],
    })))
}

/// A library runs on the machine that it was built for, which is taken to be this one.
fn binary(file: &File<'_>) -> Value {
    match file.runtime {
        Runtime::Native => json!({ Target::host().as_str(): file.name }),
        Runtime::Lua | Runtime::Wasm => json!(file.name),
    }
}

/// A manifest that was made here, with a version that is given.
fn versioned(manifest: String, version: Option<&Version>) -> String {
    let Some(version) = version else { return manifest };
    let mut manifest: Value = serde_json::from_str(&manifest).expect("it was written as JSON");
    manifest["version"] = version.to_string().into();
    written(&manifest)
}

/// JSON is YAML.
fn written(manifest: &Value) -> String {
    format!("{manifest:#}\n")
}

fn entry(path: EntryPath, content: Vec<u8>) -> Entry {
    Entry { path, executable: false, content }
}

fn manifest_path() -> EntryPath {
    MANIFEST.parse().expect("a constant path is valid")
}

fn entry_path(file: &Path, path: &str) -> Result<EntryPath, OpsError> {
    path.parse().map_err(|error| no_plugin(file, format!("{error}")))
}

fn no_plugin(path: &Path, reason: String) -> OpsError {
    DirectError::NoPlugin { path: path.to_owned(), reason }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("it is written");
        }
        folder
    }

    fn manifest(folder: &tempfile::TempDir, file: &str) -> Manifest {
        let limits = Limits::default();
        let packed = pack(&folder.path().join(file), &limits, None).expect("it is a plugin");
        archive::read(packed.as_slice(), &limits).expect("it is an archive").manifest().expect("it has a manifest")
    }

    fn refusal(folder: &tempfile::TempDir, file: &str) -> String {
        let error = pack(&folder.path().join(file), &Limits::default(), None).expect_err("it is no plugin");
        error.to_string()
    }

    #[test]
    fn a_script_is_what_its_comments_say() {
        let script = "-- @name: word-count\n-- @version: 1.2.0\n-- @description: Counts: \"words\"\n-- @node: count\n";
        let folder = folder(&[("x.lua", script), ("my_script.lua", "return 1")]);
        let said = manifest(&folder, "x.lua");
        assert_eq!((said.name.as_str(), said.version.to_string()), ("word-count", "1.2.0".to_owned()));
        assert_eq!((said.description.as_str(), said.nodes[0].node_type.as_str()), ("Counts: \"words\"", "count"));
        let silent = manifest(&folder, "my_script.lua");
        assert_eq!((silent.name.as_str(), silent.version.to_string()), ("my-script", "0.0.0".to_owned()));
        assert_eq!(silent.nodes[0].node_type.as_str(), "my-script");
    }

    #[test]
    fn a_manifest_beside_a_file_counts_if_it_names_the_file() {
        let of = |name: &str, file: &str| format!("name: {name}\nversion: 2.0.0\nruntime: wasm\nbinary: bin/{file}\n");
        let folder = folder(&[
            ("a.wasm", "a"),
            ("a.yaml", &of("own", "a.wasm")),
            ("b.wasm", "b"),
            ("c.wasm", "c"),
            ("manifest.yaml", &of("shared", "b.wasm")),
            ("d.wasm", "d"),
            ("d.yaml", &of("other", "a.wasm")),
        ]);
        assert_eq!(manifest(&folder, "a.wasm").name.as_str(), "own");
        assert_eq!(manifest(&folder, "b.wasm").name.as_str(), "shared");
        assert_eq!(manifest(&folder, "c.wasm").name.as_str(), "c");
        assert!(refusal(&folder, "d.wasm").ends_with("its `binary` does not name `d.wasm`"));
    }

    #[test]
    fn the_same_file_gives_the_same_archive() {
        let (one, other) = (folder(&[("x.lua", "return 1")]), folder(&[("x.lua", "return 1")]));
        let pack = |folder: &tempfile::TempDir| pack(&folder.path().join("x.lua"), &Limits::default(), None);
        assert_eq!(pack(&one).expect("it is a plugin"), pack(&other).expect("it is a plugin"));
    }

    #[test]
    fn what_is_no_plugin_is_told_so() {
        let folder = folder(&[("x.py", ""), ("Ä.wasm", "x"), ("bad.lua", "-- @version: one\n")]);
        assert!(refusal(&folder, "x.py").contains("expected an archive (`.tar.gz`)"));
        assert!(refusal(&folder, "Ä.wasm").contains("a manifest beside it can name it"));
        assert!(refusal(&folder, "bad.lua").contains("line 1: `@version`"));
    }
}
