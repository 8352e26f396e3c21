//! `pocket plugin verify`.

use serde_json::json;

use crate::cli::arguments::RegistryArguments;
use crate::cli::output::Output;
use crate::ops::{OpsError, Scope, Workspace, verify};

use super::{look, reach};

pub fn run(subject: &str, registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let verified = look(&workspace, output, verify::verify(&workspace, subject, &reach(registry)))?;
    let document = json!({ "name": verified.name, "version": verified.version, "links": verified.links });
    output.result(&document, || {
        let links: String = verified.links.iter().map(|link| format!("  {link}\n")).collect();
        format!("`{}` {} is verified\n{links}", verified.name, verified.version)
    });
    Ok(())
}
