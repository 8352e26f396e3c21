//! `pocket plugin search`, `categories` and `popular`.

use pocket_index::search::{Query, Sort};

use crate::cli::arguments::{PopularArguments, RegistryArguments, SearchArguments};
use crate::cli::output::Output;
use crate::cli::table::table;
use crate::ops::search::{Category, Found, Results};
use crate::ops::{OpsError, Scope, Workspace, search};

use super::{look, reach};

pub fn run(arguments: &SearchArguments, output: &Output) -> Result<(), OpsError> {
    let mut query = Query::new(&arguments.words.join(" "))?;
    query.category = arguments.category.clone();
    query.runtime = arguments.runtime;
    query.sort = arguments.sort;
    query.limit = arguments.limit;
    show(&query, &arguments.registry, output)
}

pub fn popular(arguments: &PopularArguments, output: &Output) -> Result<(), OpsError> {
    show(&Query::of_all(Sort::Downloads, arguments.limit), &arguments.registry, output)
}

pub fn categories(registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let categories = look(&workspace, output, search::categories(&workspace, &reach(registry)))?;
    output.result(&categories, || match categories.as_slice() {
        [] => "no plugin has a category\n".to_owned(),
        all => table(["CATEGORY", "PLUGINS"], &all.iter().map(shelf).collect::<Vec<_>>()),
    });
    Ok(())
}

fn show(query: &Query, registry: &RegistryArguments, output: &Output) -> Result<(), OpsError> {
    let workspace = Workspace::open(Scope::Nearest)?;
    let Results { total, found } = look(&workspace, output, search::search(&workspace, query, &reach(registry)))?;
    output.result(&found, || text(query, total, &found));
    Ok(())
}

fn text(query: &Query, total: usize, found: &[Found]) -> String {
    if found.is_empty() {
        return match query.words() {
            [] => "there is no such plugin\n".to_owned(),
            words => format!("no plugin has `{}`\n", words.join(" ")),
        };
    }
    // A registry that counts nothing has no column of nothing.
    let mut text = if found.iter().all(|one| one.downloads.is_none()) {
        table(["NAME", "VERSION", "TYPE", "DESCRIPTION"], &found.iter().map(row).collect::<Vec<_>>())
    } else {
        table(["NAME", "VERSION", "TYPE", "DOWNLOADS", "DESCRIPTION"], &found.iter().map(counted).collect::<Vec<_>>())
    };
    if found.len() < total {
        text.push_str(&format!("{} of {total}; `--limit` shows more\n", found.len()));
    }
    text
}

fn row(Found { entry, .. }: &Found) -> [String; 4] {
    [entry.name.to_string(), entry.version.to_string(), entry.runtime.to_string(), entry.description.clone()]
}

fn counted(found: &Found) -> [String; 5] {
    let [name, version, runtime, description] = row(found);
    [name, version, runtime, found.downloads.unwrap_or_default().to_string(), description]
}

fn shelf(category: &Category) -> [String; 2] {
    [category.name.clone(), category.plugins.to_string()]
}
