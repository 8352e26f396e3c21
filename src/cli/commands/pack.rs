//! `pocket plugin pack`.

use std::path::Path;

use serde_json::json;

use crate::cli::output::Output;
use crate::ops::{OpsError, pack};

pub fn run(folder: &Path, out: &Path, output: &Output) -> Result<(), OpsError> {
    let packed = pack::pack(folder, out)?;
    let documents: Vec<_> = packed
        .iter()
        .map(|archive| {
            json!({ "file": archive.path, "size": archive.size, "files": archive.files, "sha256": archive.digest })
        })
        .collect();
    output.result(&documents, || {
        let line = |archive: &pack::Packed| {
            format!("{}  {} files, {} bytes\n{}\n", archive.path.display(), archive.files, archive.size, archive.digest)
        };
        packed.iter().map(line).collect()
    });
    Ok(())
}
