//! `plugin check`: what a file is, what keeps it from being a plugin here, and what to do about that.
//!
//! Any file gets an answer. Nothing is installed, and no node runs; what looks like a plugin is loaded once, without any right.

mod kind;
mod manifest;
mod module;
mod native;
mod script;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use pocket_index::archive::{self, MANIFEST};
use pocket_index::limits::Limits;
use pocket_index::manifest::{Binary, Manifest, Runtime};
use pocket_index::name::Target;

use super::{OpsError, Workspace, local, probe};
use crate::ops::run::reason;
use kind::Kind;

/// What was found out about a file or folder.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The file or folder.
    pub path: PathBuf,
    /// What it is, in words.
    pub what: String,
    /// What it says of itself, where it is a plugin.
    pub manifest: Option<Manifest>,
    /// What was looked at.
    pub findings: Vec<Finding>,
    /// What the code needs of its host: libraries, or interfaces.
    pub imports: Vec<String>,
    /// What the code offers.
    pub exports: Vec<String>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it must be.
    pub level: Level,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether something is as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It is.
    Fine,
    /// It is worth knowing, and keeps nothing from working.
    Note,
    /// It keeps the plugin from working.
    Problem,
}

impl Checked {
    fn new(path: &Path, what: impl Into<String>) -> Self {
        let (findings, imports, exports) = (Vec::new(), Vec::new(), Vec::new());
        Self { path: path.to_owned(), what: what.into(), manifest: None, findings, imports, exports }
    }

    /// Whether nothing keeps it from working.
    pub fn is_fine(&self) -> bool {
        !self.findings.iter().any(|finding| finding.level == Level::Problem)
    }

    fn fine(&mut self, message: impl Into<String>) {
        self.findings.push(Finding { level: Level::Fine, message: message.into(), hint: None });
    }

    fn note(&mut self, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.findings.push(Finding { level: Level::Note, message: message.into(), hint: hint.into() });
    }

    fn problem(&mut self, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.findings.push(Finding { level: Level::Problem, message: message.into(), hint: hint.into() });
    }
}

/// The code of a plugin, from wherever it comes.
struct Code<'a> {
    /// Its file's name.
    name: &'a str,
    bytes: &'a [u8],
    runtime: Runtime,
}

/// Looks at what is at a path.
///
/// # Errors
/// It cannot be read at all.
pub fn check(workspace: &Workspace, path: &Path) -> Result<Checked, OpsError> {
    let metadata = fs::metadata(path).map_err(OpsError::io("read", path))?;
    if metadata.is_dir() {
        return folder(workspace, path);
    }
    if !metadata.is_file() {
        let mut checked = Checked::new(path, "no ordinary file");
        checked.problem("it is a device, a pipe or a socket", "name a file or a folder".to_owned());
        return Ok(checked);
    }
    let limit = Limits::default().unpacked;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(OpsError::io("read", path))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(OpsError::io("read", path))?;
    if bytes.len() as u64 > limit {
        let mut checked = Checked::new(path, "a large file");
        checked.problem(format!("it has more than {limit} bytes, and no plugin may"), None);
        return Ok(checked);
    }
    one_file(workspace, path, &bytes)
}

fn one_file(workspace: &Workspace, path: &Path, bytes: &[u8]) -> Result<Checked, OpsError> {
    let kind = kind::of(path, bytes);
    let mut checked = Checked::new(path, kind.describe());
    match kind.runtime() {
        Some(runtime) => {
            // Which functions a script needs is said by what describes it.
            if runtime == Runtime::Lua {
                checked.manifest = local::read(path, None).ok().map(|found| found.manifest);
            }
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            code(&mut checked, &Code { name: &name, bytes, runtime });
            if let (true, Some(other)) = (checked.is_fine(), kind.misnamed(path)) {
                checked.problem(other, "rename it".to_owned());
            }
            standing_alone(workspace, &mut checked, path);
        }
        None if kind == Kind::Archive => in_archive(workspace, &mut checked, bytes)?,
        None if kind == Kind::Manifest => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            manifest::read(&mut checked, bytes);
            let hint = format!("`pocket plugin check {}` checks all of the plugin", folder.display());
            checked.note("this is the manifest alone", hint);
        }
        None => checked.problem(kind.problem(), Some(kind.hint())),
    }
    Ok(checked)
}

/// A single file is a plugin with the manifest beside it, or one that is made for it.
fn standing_alone(workspace: &Workspace, checked: &mut Checked, path: &Path) {
    // What is wrong with the code would be said a second time by whoever loads it.
    if !checked.is_fine() {
        return;
    }
    match local::read(path, None) {
        Ok(found) => {
            manifest::look(checked, &found.manifest);
            let tried = probe::probe(workspace, &found.manifest, &found.root);
            loaded(checked, tried);
            checked.manifest = Some(found.manifest);
        }
        Err(error) => checked.problem(reason(&error), None),
    }
}

fn folder(workspace: &Workspace, path: &Path) -> Result<Checked, OpsError> {
    let place = path.join(MANIFEST);
    if !place.is_file() {
        let mut checked = Checked::new(path, "a folder");
        let inside = local::plugins_in(path)?.len();
        let hint = match inside {
            0 => "a plugin is a folder with `manifest.yaml` and the file that it names as `binary`".to_owned(),
            1 => "it has a plugin in it: check that one".to_owned(),
            _ => format!("it has {inside} plugins in it: check them one by one, or load all with `pocket plugin load`"),
        };
        checked.problem("it has no `manifest.yaml`", hint);
        return Ok(checked);
    }
    let mut checked = Checked::new(path, "a folder with a manifest");
    let text = fs::read(&place).map_err(OpsError::io("read", &place))?;
    let Some(manifest) = manifest::read(&mut checked, &text) else { return Ok(checked) };
    for (target, relative) in binaries(&manifest) {
        match fs::read(path.join(relative)) {
            Ok(bytes) if is_for_here(target) => {
                code(&mut checked, &Code { name: relative, bytes: &bytes, runtime: manifest.runtime });
            }
            Ok(_) => checked.note(format!("`{relative}` is for {}, and not tried here", shown(target)), None),
            Err(error) => checked.problem(
                format!("`{relative}`, which `binary` names, cannot be read: {error}"),
                "build it, or correct `binary` in manifest.yaml".to_owned(),
            ),
        }
    }
    if checked.is_fine() && has_code_here(&manifest) {
        let tried = probe::probe(workspace, &manifest, path);
        loaded(&mut checked, tried);
    }
    Ok(checked)
}

fn in_archive(workspace: &Workspace, checked: &mut Checked, bytes: &[u8]) -> Result<(), OpsError> {
    let limits = Limits::default();
    let read = match archive::read(bytes, &limits) {
        Ok(read) => read,
        Err(error) => {
            checked.problem(
                format!("it is no plugin's archive: {error}"),
                "`pocket plugin pack FOLDER` makes one".to_owned(),
            );
            return Ok(());
        }
    };
    checked.fine(format!("{} files, {} bytes unpacked", read.entries().len(), read.unpacked()));
    if !read.is_canonical(bytes) {
        let hint = "`pocket plugin pack FOLDER` makes the same bytes on every machine".to_owned();
        checked.note("registries refuse it: it was not packed by `pocket plugin pack`", hint);
    }
    let text = read.file(MANIFEST).map(|entry| entry.content.clone()).unwrap_or_default();
    let Some(manifest) = manifest::read(checked, &text) else { return Ok(()) };
    for (target, relative) in binaries(&manifest) {
        match read.file(relative) {
            Some(entry) if is_for_here(target) => {
                code(checked, &Code { name: relative, bytes: &entry.content, runtime: manifest.runtime });
                try_unpacked(workspace, checked, &manifest, relative, &entry.content)?;
            }
            Some(_) => checked.note(format!("`{relative}` is for {}, and not tried here", shown(target)), None),
            // An archive has the library of one target.
            None if target.is_some() => {}
            None => checked.problem(format!("`{relative}`, which `binary` names, is not in it"), None),
        }
    }
    Ok(())
}

/// Loads code that is not on the disk yet, from a folder that is gone afterwards.
fn try_unpacked(
    workspace: &Workspace,
    checked: &mut Checked,
    manifest: &Manifest,
    relative: &str,
    content: &[u8],
) -> Result<(), OpsError> {
    if !checked.is_fine() {
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(OpsError::io("create a folder in", &std::env::temp_dir()))?;
    let file = folder.path().join(relative);
    let parent = file.parent().unwrap_or(folder.path());
    fs::create_dir_all(parent).and_then(|()| fs::write(&file, content)).map_err(OpsError::io("write", &file))?;
    let tried = probe::probe(workspace, manifest, folder.path());
    loaded(checked, tried);
    Ok(())
}

fn code(checked: &mut Checked, code: &Code<'_>) {
    match code.runtime {
        Runtime::Native => native::look(checked, code),
        Runtime::Wasm => module::look(checked, code),
        Runtime::Lua => script::look(checked, code),
    }
}

fn loaded(checked: &mut Checked, tried: Result<(), OpsError>) {
    match tried {
        Ok(()) => checked.fine("it loads"),
        Err(error) => checked.problem(reason(&error), None),
    }
}

/// The files that `binary` names, each with its target.
fn binaries(manifest: &Manifest) -> Vec<(Option<&Target>, &str)> {
    match &manifest.binary {
        Some(Binary::Path(path)) => vec![(None, path)],
        Some(Binary::PerTarget(paths)) => paths.iter().map(|(target, path)| (Some(target), path.as_str())).collect(),
        None => Vec::new(),
    }
}

fn is_for_here(target: Option<&Target>) -> bool {
    target.is_none_or(|target| *target == Target::host())
}

fn has_code_here(manifest: &Manifest) -> bool {
    binaries(manifest).into_iter().any(|(target, _)| is_for_here(target))
}

fn shown(target: Option<&Target>) -> String {
    target.map_or_else(|| "this machine".to_owned(), |target| format!("`{target}`"))
}
