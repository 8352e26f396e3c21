//! `file`: reads and writes files inside one folder.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::json::read as read_json;
use super::{BuiltIn, ConfigProblem, Example, Node, NodeCall, Outcome, Prepared, Setup, failed, invalid};
use crate::engine::CallError;

/// The largest file that is read when the node does not say: 10 MiB.
const DEFAULT_MAX_BYTES: u64 = 10 << 20;
/// The largest file that a node can ask for: 256 MiB. It is held in memory, as text and as a value.
const MOST_BYTES: u64 = 256 << 20;
/// How many entries of a folder are listed: a hundred thousand.
const MAX_ENTRIES: usize = 100_000;

pub(super) static BUILT_IN: BuiltIn = BuiltIn {
    node_type: "file",
    category: "files",
    description: "Reads, writes, appends to, deletes, looks for or lists files inside `base_dir`. No `..` and no symbolic link leads \
        out of it. `write` and `append` make missing folders.",
    outputs: "`read`: the text or value. `write`, `append`: `{path, bytes}`. `delete`: `{path, deleted}`. `exists`: `{path, exists, \
        kind, bytes}`, the first two if nothing is there. `list`: a list of `{name, kind}` by name; `kind` is `file`, `folder`, \
        `link` or `other`.",
    actions: &[],
    schema,
    examples,
    prepare,
};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "operation": {
                "enum": ["read", "write", "append", "delete", "exists", "list"], "x-pocket-template": false,
                "description": "What to do."
            },
            "path": { "type": "string", "description": "Inside `base_dir`; only `list` can do without.", "default": "." },
            "base_dir": {
                "type": "string", "default": ".", "x-pocket-template": false,
                "description": "A folder, from that of the workflow file. Data cannot choose it: this is no template."
            },
            "content": { "description": "What to write, by default the input: text as it is, any other value as JSON." },
            "format": {
                "enum": ["text", "json", "base64"], "default": "text", "x-pocket-template": false,
                "description": "What stands in the file: `json` is read as a value, `base64` is for what is no text."
            },
            "max_bytes": {
                "type": "integer", "minimum": 0, "maximum": MOST_BYTES, "default": DEFAULT_MAX_BYTES,
                "description": "The largest file that is read."
            }
        },
        "required": ["operation"],
        "additionalProperties": false
    })
}

fn examples() -> Vec<Example> {
    let input = || json!({"id": 7});
    let written = json!({"path": "out/7.json", "bytes": 8});
    vec![
        Example::new(
            "the input is written",
            json!({"operation": "write", "path": "out/{{.id}}.json"}),
            input(),
            written,
        ),
        Example::new(
            "and read",
            json!({"operation": "read", "path": "out/7.json", "format": "json"}),
            json!({}),
            input(),
        ),
        Example::new(
            "a line more",
            json!({"operation": "append", "path": "out/log.txt", "content": "{{.id}}\n"}),
            input(),
            json!({"path": "out/log.txt", "bytes": 2}),
        ),
        Example::new(
            "what is there",
            json!({"operation": "list", "path": "out"}),
            json!({}),
            json!([{"name": "7.json", "kind": "file"}, {"name": "log.txt", "kind": "file"}]),
        ),
        Example::new(
            "gone",
            json!({"operation": "delete", "path": "out/7.json"}),
            json!({}),
            json!({"path": "out/7.json", "deleted": true}),
        ),
        Example::new(
            "not there",
            json!({"operation": "exists", "path": "out/7.json"}),
            json!({}),
            json!({"path": "out/7.json", "exists": false}),
        ),
    ]
}

fn prepare(setup: &Setup<'_>) -> Result<Prepared, Vec<ConfigProblem>> {
    let text = |key: &str| setup.config.get(key).and_then(Value::as_str);
    let operation = text("operation").unwrap_or_default();
    if operation != "list" && text("path").is_none() {
        let message = format!("`{operation}` needs `path`");
        return Err(vec![ConfigProblem::new("/operation", message)]);
    }
    Ok(Prepared::new(File { base: setup.folder.join(text("base_dir").unwrap_or(".")) }))
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
        let explain = |error: io::Error| {
            failed(format!("cannot {operation} `{}` in `{}`: {error}", path.escape_debug(), base.display()))
        };
        let output = match operation {
            "read" => return understood(call, &bytes_of(&folder, path, call).map_err(explain)?).map(Outcome::of),
            "write" => put(&folder, path, call, OpenOptions::new().write(true).create(true).truncate(true))?,
            "append" => put(&folder, path, call, OpenOptions::new().append(true).create(true))?,
            "delete" => folder.remove_file(path).map(|()| json!({"path": path, "deleted": true})),
            "exists" => exists(&folder, path),
            _ => list(&folder, path),
        };
        output.map(Outcome::of).map_err(explain)
    }
}

/// A file's content, if it is not too large.
fn bytes_of(folder: &Dir, path: &str, call: &NodeCall<'_>) -> io::Result<Vec<u8>> {
    let limit = call.field("max_bytes").and_then(Value::as_u64).unwrap_or(DEFAULT_MAX_BYTES);
    require_file(folder, path)?;
    let mut bytes = Vec::new();
    folder.open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than `max_bytes` ({limit}) bytes")));
    }
    Ok(bytes)
}

/// A pipe or a device could keep its reader waiting for ever.
fn require_file(folder: &Dir, path: &str) -> io::Result<()> {
    match folder.metadata(path)?.file_type() {
        found if found.is_file() => Ok(()),
        found if found.is_dir() => Err(io::Error::other("it is a folder")),
        _ => Err(io::Error::other("it is neither a file nor a folder")),
    }
}

fn understood(call: &NodeCall<'_>, bytes: &[u8]) -> Result<Value, CallError> {
    let path = call.text("path").unwrap_or_default().escape_debug();
    match call.text("format") {
        Some("base64") => Ok(Value::String(BASE64.encode(bytes))),
        Some("json") => read_json(bytes).map_err(|error| invalid(format!("`{path}` is no JSON: {error}"))),
        _ => match str::from_utf8(bytes) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(error) => {
                let at = error.valid_up_to() + 1;
                Err(invalid(format!("`{path}` is no UTF-8 text from byte {at}; `format: base64` gives its bytes")))
            }
        },
    }
}

/// Writes a file; the outer error is about what to write.
fn put(folder: &Dir, path: &str, call: &NodeCall<'_>, options: &OpenOptions) -> Result<io::Result<Value>, CallError> {
    let content = match (call.config.get("content").unwrap_or(call.input), call.text("format")) {
        (Value::String(text), Some("base64")) => BASE64
            .decode(text.as_bytes())
            .map_err(|error| invalid(format!("the content is no base64, which `format` says: {error}")))?,
        (Value::String(text), Some("json")) => Value::String(text.clone()).to_string().into_bytes(),
        (Value::String(text), _) => text.clone().into_bytes(),
        (other, _) => other.to_string().into_bytes(),
    };
    Ok(write(folder, path, &content, options))
}

fn write(folder: &Dir, path: &str, content: &[u8], options: &OpenOptions) -> io::Result<Value> {
    if let Some(parent) = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder.create_dir_all(parent)?;
    }
    match require_file(folder, path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    folder.open_with(path, options)?.write_all(content)?;
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
        if entries.len() == MAX_ENTRIES {
            return Err(io::Error::other(format!("it has more than {MAX_ENTRIES} entries")));
        }
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
    } else if file_type.is_file() {
        "file"
    } else {
        "other"
    }
}
