//! `pocket plugin pack`.

use serde_json::json;

use crate::cli::arguments::PackArguments;
use crate::cli::output::Output;
use crate::ops::{OpsError, Scope, Workspace, pack};

use super::secrets;

pub fn run(arguments: &PackArguments, output: &Output) -> Result<(), OpsError> {
    let PackArguments { folder, out, sign, key } = arguments;
    let packed = if *sign {
        // A key that is missing is found before anything is written.
        let secrets = secrets(&Workspace::open(Scope::User)?, key, output)?;
        let (packed, signed) = pack::pack_signed(folder, out, &secrets)?;
        for key in signed.keys {
            output.step("Signed", format!("{} with {}", signed.path.display(), key.fingerprint()));
        }
        packed
    } else {
        pack::pack(folder, out)?
    };
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
