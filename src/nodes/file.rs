//! `file`: reads and writes files inside one folder.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use serde_json::{Value, json};

use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, Setup, failed, invalid};
use crate::engine::CallError;

/// The largest file that is read when the node does not say: 10 MiB.
const DEFAULT_MAX_BYTES: u64 = 10 << 20;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "file",
    category: "files",
    description: "Reads, writes, appends to, deletes, looks for or lists files inside `base_dir` (the workflow file's folder \
        when it does not say). No `..` and no symbolic link leads out of it. `read` gives text, or a value with \
        `format: json`; `write` and `append` take `content`, or else their input, and make missing folders.",
    schema,
    examples: Vec::<Example>::new,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "operation": { "enum": ["read", "write", "append", "delete", "exists", "list"], "x-pocket-template": false },
            "path": { "type": "string", "description": "Inside `base_dir`.", "default": "." },
            "base_dir": { "type": "string", "description": "Data cannot choose it: this is no template.", "x-pocket-template": false },
            "content": { "description": "Text as it is, any other value as JSON." },
            "format": { "enum": ["text", "json"], "default": "text", "x-pocket-template": false },
            "max_bytes": { "type": "integer", "minimum": 0, "default": DEFAULT_MAX_BYTES }
        },
        "required": ["operation"],
        "additionalProperties": false
    })
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let base = setup.config.get("base_dir").and_then(Value::as_str).unwrap_or(".");
    let operation = setup.config.get("operation").and_then(Value::as_str).unwrap_or_default();
    if operation != "list" && setup.config.get("path").is_none() {
        let message = format!("`{operation}` needs `path`");
        return Err(vec![ConfigProblem::new("/operation", message)]);
    }
    Ok(Prepared::new(File { base: setup.folder.join(base) }))
}

struct File {
    base: PathBuf,
}

impl Node for File {
    fn run(&self, call: &NodeCall<'_>) -> Result<Outcome, CallError> {
        // An empty path is how the current folder is named when the workflow file has no folder in its path.
        let base = if self.base.as_os_str().is_empty() { PathBuf::from(".") } else { self.base.clone() };
        let folder = Dir::open_ambient_dir(&base, ambient_authority())
            .map_err(|error| failed(format!("cannot open the folder `{}`: {error}", base.display())))?;
        let path = call.text("path").unwrap_or(".");
        let operation = call.text("operation").unwrap_or_default();
        let explain =
            |error: io::Error| failed(format!("cannot {operation} `{path}` in `{}`: {error}", base.display()));
        let output = match operation {
            "read" => return read(&folder, path, call).map_err(explain)?.map(Outcome::of),
            "write" => put(&folder, path, call, OpenOptions::new().write(true).create(true).truncate(true)),
            "append" => put(&folder, path, call, OpenOptions::new().append(true).create(true)),
            "delete" => folder.remove_file(path).map(|()| json!({"path": path, "deleted": true})),
            "exists" => exists(&folder, path),
            _ => list(&folder, path),
        };
        output.map(Outcome::of).map_err(explain)
    }
}

/// The file's content; the inner error is about what stands in it.
fn read(folder: &Dir, path: &str, call: &NodeCall<'_>) -> io::Result<Result<Value, CallError>> {
    let limit = call.field("max_bytes").and_then(Value::as_u64).unwrap_or(DEFAULT_MAX_BYTES);
    let mut bytes = Vec::new();
    folder.open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than `max_bytes` ({limit}) bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is no UTF-8 text"))?;
    if call.text("format") == Some("json") {
        return Ok(serde_json::from_str(&text).map_err(|error| invalid(format!("`{path}` is no JSON: {error}"))));
    }
    Ok(Ok(Value::String(text)))
}

fn put(folder: &Dir, path: &str, call: &NodeCall<'_>, options: &OpenOptions) -> io::Result<Value> {
    let content = match call.config.get("content").unwrap_or(call.input) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Some(parent) = std::path::Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder.create_dir_all(parent)?;
    }
    folder.open_with(path, options)?.write_all(content.as_bytes())?;
    Ok(json!({"path": path, "bytes": content.len()}))
}

fn exists(folder: &Dir, path: &str) -> io::Result<Value> {
    match folder.metadata(path) {
        Ok(found) => Ok(json!({"path": path, "exists": true, "kind": kind(&found.file_type()), "bytes": found.len()})),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(json!({"path": path, "exists": false})),
        Err(error) => Err(error),
    }
}

fn list(folder: &Dir, path: &str) -> io::Result<Value> {
    let mut entries = Vec::new();
    for entry in folder.read_dir(path)? {
        let entry = entry?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), kind(&entry.file_type()?)));
    }
    entries.sort();
    Ok(entries.into_iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect())
}

fn kind(file_type: &cap_std::fs::FileType) -> &'static str {
    if file_type.is_dir() {
        "folder"
    } else if file_type.is_symlink() {
        "link"
    } else {
        "file"
    }
}
