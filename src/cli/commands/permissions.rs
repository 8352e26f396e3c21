//! `pocket plugin permissions`.

use pocket_index::name::PluginName;
use serde_json::{Value, json};

use crate::cli::arguments::RegistryArguments;
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::permissions::{self, Missing, PluginPermissions, Row, Standing};
use crate::ops::{OpsError, Scope, Workspace};

use super::{look, reach};

pub fn run(name: &PluginName, registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let found = look(&workspace, output, permissions::permissions(&workspace, name, &reach(registry)))?;
    output.result(&document(&found), || text(&found));
    Ok(())
}

fn text(found: &PluginPermissions) -> String {
    let standing = match &found.standing {
        Standing::Local => "loaded".to_owned(),
        Standing::Installed => "installed".to_owned(),
        Standing::Locked => "locked, not installed".to_owned(),
        Standing::Published { registry } => format!("not installed; newest in {registry}"),
    };
    let heading = format!("{} {} ({standing})\n\n", found.name, found.version);
    let rows: Vec<_> = found.rows.iter().map(|row| line(found, row)).collect();
    let columns = table(["PERMISSION", "WHAT", "ASKED", "APPROVED", "GRANTED", "EFFECTIVE"], &rows);
    let limits = [("memory", &found.limits.memory), ("time", &found.limits.timeout)];
    let limits = limits
        .iter()
        .filter_map(|(label, value)| Some(format!("its limit of {label} for a call: {}\n", value.as_ref()?)));
    let limits: String = limits.collect();
    let gap = if limits.is_empty() { "" } else { "\n" };
    format!("{heading}{columns}{gap}{limits}")
}

fn line(found: &PluginPermissions, row: &Row) -> [String; 6] {
    let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let effective =
        row.missing().map_or_else(|| "yes".to_owned(), |missing| format!("no: {}", reason(found, row, missing)));
    [row.word.to_string(), row.sentence.clone(), word(row.asked), word(row.approved), word(row.granted), effective]
}

fn reason(found: &PluginPermissions, row: &Row, missing: Missing) -> String {
    let word = row.word;
    match missing {
        Missing::Asked => "its manifest does not ask for it".to_owned(),
        Missing::Approved => match &found.standing {
            Standing::Published { .. } => "nobody approved it yet; an install asks".to_owned(),
            Standing::Local => "nobody approved it yet; `pocket plugin load` asks".to_owned(),
            _ => "pocket.lock does not approve it".to_owned(),
        },
        Missing::Granted => {
            let source = found.grant.withheld(word).expect("a word that is not granted is withheld by a file");
            format!("`{}` in `{}` does not have `{word}`", source.key, source.file.display())
        }
    }
}

fn document(found: &PluginPermissions) -> Value {
    let (standing, registry) = match &found.standing {
        Standing::Local => ("loaded", None),
        Standing::Installed => ("installed", None),
        Standing::Locked => ("locked", None),
        Standing::Published { registry } => ("published", Some(registry)),
    };
    let granted_by: Vec<Value> =
        found.grant.sources.iter().map(|source| json!({ "file": source.file, "key": source.key })).collect();
    let rows: Vec<Value> = found
        .rows
        .iter()
        .map(|row| {
            let missing = row.missing();
            let which = missing.map(|missing| match missing {
                Missing::Asked => "asked",
                Missing::Approved => "approved",
                Missing::Granted => "granted",
            });
            let reason = missing.map(|missing| reason(found, row, missing));
            json!({
                "permission": row.word.as_str(),
                "what": row.what,
                "sentence": row.sentence,
                "asked": row.asked,
                "approved": row.approved,
                "granted": row.granted,
                "effective": missing.is_none(),
                "missing": which,
                "reason": reason,
            })
        })
        .collect();
    json!({
        "name": found.name,
        "version": found.version,
        "status": standing,
        "registry": registry,
        "granted_by": granted_by,
        "limits": { "memory": found.limits.memory, "timeout": found.limits.timeout },
        "permissions": rows,
    })
}
