//! `pocket plugin pack`.

use serde_json::json;

use crate::cli::arguments::PackArguments;
use crate::cli::output::Output;
use crate::home::Home;
use crate::ops::{OpsError, pack};

pub fn run(arguments: &PackArguments, output: &Output) -> Result<(), OpsError> {
    let PackArguments { folder, out, sign, key } = arguments;
    let packed = if *sign {
        let (packed, signed) = pack::pack_signed(folder, out, &Home::discover()?, key)?;
        output.step("Signed", format!("{} with {}", signed.path.display(), signed.key.fingerprint()));
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
