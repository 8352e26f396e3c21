//! `scripts`: the Lua files of a project, for nodes of the type `lua` and as plugins.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::plugins::near;
use super::{OpsError, Workspace};
use crate::engine::lua::{Description, Script, describe};
use crate::engine::{CallError, Limits, Reply};

/// The folder of a project's scripts.
const FOLDER: &str = "scripts";
/// The largest script: 1 MiB, as for `lua` nodes.
const MAX_BYTES: u64 = 1 << 20;
/// What scripts end with.
const EXTENSIONS: [&str; 2] = ["lua", "luau"];

/// A Lua file.
#[derive(Debug)]
pub struct ScriptInfo {
    /// Where it is.
    pub path: PathBuf,
    /// What its leading comments say, or why they cannot be read.
    pub description: Result<Description, String>,
    /// How many lines it has.
    pub lines: usize,
    /// Why it does not compile, if it does not.
    pub problem: Option<ScriptProblem>,
}

/// A mistake in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptProblem {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a script cannot be had or run.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Neither a file nor one of the scripts here.
    #[error("there is no script `{name}`: neither a file nor one of those that are listed")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names that resemble it.
        near: Vec<String>,
    },
    /// It is no text of a script.
    #[error("`{}` is no script: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// It does not compile, or failed.
    #[error("`{}` failed", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<CallError>,
    },
}

/// The scripts in the project's folder `scripts` and in `plugins.directories`, by path.
///
/// # Errors
/// A folder cannot be read.
pub fn list(workspace: &Workspace) -> Result<Vec<ScriptInfo>, OpsError> {
    let mut paths = Vec::new();
    for folder in folders(workspace)? {
        match fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    paths.push(entry.map_err(OpsError::io("read", &folder))?.path());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(OpsError::io("read", &folder)(error)),
        }
    }
    let is_script = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && path.is_file()
    };
    paths.retain(|path| is_script(path));
    paths.sort();
    paths.dedup();
    paths.iter().map(|path| look(path)).collect()
}

fn folders(workspace: &Workspace) -> Result<Vec<PathBuf>, OpsError> {
    let mut folders = workspace.plugin_folders()?;
    let here = std::env::current_dir().map_err(OpsError::io("find the current folder from", Path::new(".")))?;
    let root = if workspace.is_project() { workspace.root().to_owned() } else { here };
    folders.push(root.join(FOLDER));
    Ok(folders)
}

/// A script by its path, or by the name or file's stem of one that is listed.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn find(workspace: &Workspace, name: &str) -> Result<ScriptInfo, OpsError> {
    let path = Path::new(name);
    if path.is_file() {
        return look(path);
    }
    let mut listed = list(workspace)?;
    let names = |script: &ScriptInfo| {
        let stem = script.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let own = script.description.as_ref().ok().map(|description| description.name.to_string());
        [stem, own].into_iter().flatten().collect::<Vec<_>>()
    };
    match listed.iter().position(|script| names(script).iter().any(|known| known == name)) {
        Some(at) => Ok(listed.swap_remove(at)),
        None => {
            let known: Vec<String> = listed.iter().flat_map(names).collect();
            let near = near(name, known.iter().map(String::as_str));
            Err(ScriptError::Unknown { name: name.to_owned(), near }.into())
        }
    }
}

fn look(path: &Path) -> Result<ScriptInfo, OpsError> {
    let source = read(path)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let problem = compile(path, &source).err().map(|error| placed(&file_name(path), &error.message));
    let description = describe(&source, &stem).map_err(|error| error.to_string());
    Ok(ScriptInfo { path: path.to_owned(), description, lines: source.lines().count(), problem })
}

fn read(path: &Path) -> Result<String, OpsError> {
    let unreadable = |reason: String| ScriptError::Unreadable { path: path.to_owned(), reason };
    let length = fs::metadata(path).map_err(OpsError::io("read", path))?.len();
    if length > MAX_BYTES {
        return Err(unreadable(format!("it has {length} bytes, a script has at most {MAX_BYTES}")).into());
    }
    let bytes = fs::read(path).map_err(OpsError::io("read", path))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(format!("it is no UTF-8 text from byte {}", error.utf8_error().valid_up_to() + 1))
    })?;
    Ok(text)
}

fn compile(path: &Path, source: &str) -> Result<Script, CallError> {
    Script::compile(&file_name(path), source, Limits::default())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The line and the rest of a message such as `script.lua:3: Expected …`.
fn placed(name: &str, message: &str) -> ScriptProblem {
    let rest = message.strip_prefix(name).and_then(|rest| rest.strip_prefix(':'));
    let parts = rest.and_then(|rest| rest.split_once(": "));
    let found =
        parts.and_then(|(line, text)| Some(ScriptProblem { line: line.parse().ok()?, message: text.to_owned() }));
    found.unwrap_or_else(|| ScriptProblem { line: 1, message: message.to_owned() })
}

/// Runs a script as a `lua` node does: closed off, within its limits.
///
/// # Errors
/// It does not compile, or fails.
pub fn run(script: &ScriptInfo, input: &Value, timeout: Duration) -> Result<Reply, OpsError> {
    let failed = |source: CallError| ScriptError::Failed { path: script.path.clone(), source: Box::new(source) };
    let compiled = compile(&script.path, &read(&script.path)?).map_err(failed)?;
    let reply = compiled.run(input, &[], Instant::now() + timeout.min(Limits::default().timeout)).map_err(failed)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_has_its_line() {
        let error = compile(Path::new("dir/a.lua"), "local x = 1\nreturn (").err().unwrap();
        assert_eq!(placed("a.lua", &error.message).line, 2);
        assert_eq!(placed("a.lua", "odd"), ScriptProblem { line: 1, message: "odd".to_owned() });
    }
}
