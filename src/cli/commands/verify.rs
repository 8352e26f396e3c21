//! `pocket plugin verify`.

use serde_json::{Value, json};

use crate::cli::arguments::RegistryArguments;
use crate::cli::error::{Failure, count, describe};
use crate::cli::output::Output;
use crate::ops::verify::{self, Verified};
use crate::ops::{OpsError, Scope, Workspace};
use crate::registry::Network;

use super::{look, reach};

pub fn run(subject: Option<&str>, registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let reach = reach(registry);
    let Some(subject) = subject else { return run_all(&workspace, reach.network, output) };
    let verified = look(&workspace, output, verify::verify(&workspace, subject, &reach))?;
    output.result(&document(&verified), || text(&verified));
    Ok(())
}

fn run_all(workspace: &Workspace, network: Network, output: &Output) -> Result<(), OpsError> {
    let tell = |error: &OpsError| {
        let Failure { message, causes, .. } = describe(error, output.drawing());
        output.warning([vec![message], causes].concat().join(": "));
    };
    let all = look(workspace, output, verify::verify_all(workspace, network, &tell))?;
    let documents: Vec<Value> = all.iter().map(document).collect();
    output.result(&json!({ "plugins": documents }), || {
        let lines: String = all.iter().map(|one| format!("`{}` {} is verified\n", one.name, one.version)).collect();
        format!("{lines}{} of the lock verified, from the installed files on\n", count(all.len(), "plugin"))
    });
    Ok(())
}

fn document(verified: &Verified) -> Value {
    json!({ "name": verified.name, "version": verified.version, "links": verified.links })
}

fn text(verified: &Verified) -> String {
    let links: String = verified.links.iter().map(|link| format!("  {link}\n")).collect();
    format!("`{}` {} is verified\n{links}", verified.name, verified.version)
}
